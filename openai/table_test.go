package openai_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openai"
)

func TestFind(t *testing.T) {
	for _, x := range []struct{ path, want string }{
		{"/responses", "responses"},
		{"/chat/completions", "chat.completions,chat.completions.list"},
		{"/embeddings", "embeddings"},
		{"/moderations", "moderations"},
		{"/models", "models"},
		{"/models/gpt-4.1", "models.get"},
		{"/models/ft:gpt-4.1-mini:acme::abc", "models.get"},
		{"", ""},
		{"/", ""},
		{"/models/", ""},
		{"/models//", ""},
		{"/models/a/b", ""},
		{"/models/..", ""},
		{"/models/.", ""},
		{"/models/%2e%2e", ""},
		{"/models/gpt%2D4", ""},
		{"/models/a?b", ""},
		{"/models/a\\b", ""},
		{"/models/a b", ""},
		{"/models/a\x00", ""},
		{"/responses/", ""},
		{"/responses/resp_1", "responses.retrieve,responses.delete"},
		{"/responses/resp_1/", ""},
		{"/responses//cancel", ""},
		{"/responses/../cancel", ""},
		{"/responses/resp_1/cancel", "responses.cancel"},
		{"/responses/resp_1/cancel/x", ""},
		{"/responses/resp%5f1", ""},
		{"/responses/" + strings.Repeat("x", 257), ""},
		{"/conversations/conv_1/items/msg_1", "conversations.items.retrieve,conversations.items.delete"},
		{"/Responses", ""},
		{"//responses", ""},
		{"/./responses", ""},
		{"/chat/completions/", ""},
		{"/chat/completions/chatcmpl-1", "chat.completions.retrieve,chat.completions.update,chat.completions.delete"},
		{"/chat%2Fcompletions", ""},
		{"/completions", ""},
		{"/files", "files.create,files.list"},
		{"/files/file-1/content", "files.content"},
		{"/files/file-1/", ""},
		{"/vector_stores/vs_1/files/file-1", "vector_stores.files.retrieve,vector_stores.files.update,vector_stores.files.delete"},
		{"/vector_stores/vs_1/file_batches/vsfb_1/cancel", "vector_stores.file_batches.cancel"},
		{"/batches", ""},
		{"/organization/admin_api_keys", ""},
		{"responses", ""},
	} {
		var got []string
		for _, r := range openai.Find(x.path) {
			got = append(got, string(r.Name))
		}
		if strings.Join(got, ",") != x.want {
			t.Errorf("Find(%q) = %v, want %q", x.path, got, x.want)
		}
	}
}

// document is OpenAI's own description of its API.
func document(t *testing.T) jsonx.Value {
	t.Helper()
	b, err := os.ReadFile("../../shared/openapi/openai.json")
	if err != nil {
		t.Skip("OPENAI'S DOCUMENT IS NOT HERE (../shared/openapi/openai.json): members and events are not compared with it")
	}
	return parse(t, string(b))
}

func parse(t testing.TB, s string) jsonx.Value {
	t.Helper()
	v, err := jsonx.Parse([]byte(s))
	if err != nil {
		t.Fatalf("%.200s: %v", s, err)
	}
	return v
}

func at(v jsonx.Value, names ...string) jsonx.Value {
	for _, n := range names {
		v, _ = v.Get(n)
	}
	return v
}

// properties gathers the names of a schema's members, with those of its parts.
func properties(doc, schema jsonx.Value) []string {
	if ref := at(schema, "$ref").Str(); ref != "" {
		return properties(doc, at(doc, "components", "schemas", ref[strings.LastIndexByte(ref, '/')+1:]))
	}
	var out []string
	for name := range at(schema, "properties").Fields() {
		out = append(out, name)
	}
	for _, part := range at(schema, "allOf").Items() {
		out = append(out, properties(doc, part)...)
	}
	return out
}

// TestMembersOfTheDocument: the tables name every member that OpenAI's document
// has for a body, to let it through or to refuse it by name, and no other.
func TestMembersOfTheDocument(t *testing.T) {
	doc := document(t)
	// These are refused by name, so that a caller learns why.
	refused := map[string][]string{
		"responses":        {"moderation", "context_management", "prompt_cache_options"},
		"chat.completions": {"audio", "prediction", "moderation", "prompt_cache_options"},
	}
	for _, row := range openai.Rows() {
		if !row.HasBody() {
			continue
		}
		content := at(doc, "paths", row.Path, "post", "requestBody", "content")
		var want []string
		if row.TakesJSON() {
			want = properties(doc, at(content, "application/json", "schema"))
		}
		if row.TakesFiles() {
			want = append(want, properties(doc, at(content, "multipart/form-data", "schema"))...)
		}
		if len(want) == 0 {
			t.Fatalf("%s: no members in the document", row.Name)
		}
		var got []string
		for _, m := range openai.Members(row) {
			if !strings.ContainsAny(m, ".[") {
				got = append(got, m)
			}
		}
		for _, m := range want {
			if slices.Contains(got, m) == slices.Contains(refused[string(row.Name)], m) {
				t.Errorf("%s: member %q is not judged once", row.Name, m)
			}
		}
		for _, m := range got {
			if !slices.Contains(want, m) {
				t.Errorf("%s: member %q is not in the document", row.Name, m)
			}
		}
	}
}

// TestEventsOfTheDocument: every event of a responses stream passes or is known
// not to.
func TestEventsOfTheDocument(t *testing.T) {
	doc := document(t)
	dropped := []string{
		"error", // rebuilt as ours
		"response.audio.", "response.mcp_call", "response.mcp_list_tools.", "response.shell_call_",
	}
	r := request(t, "/responses", []byte(`{"model":"m","input":"hi","stream":true}`))
	all := at(doc, "components", "schemas", "ResponseStreamEvent", "anyOf")
	if all.Len() == 0 {
		t.Fatal("no events in the document")
	}
	for _, ref := range all.Items() {
		name := at(ref, "$ref").Str()
		schema := at(doc, "components", "schemas", name[strings.LastIndexByte(name, '/')+1:])
		kind := at(schema, "properties", "type", "enum").Elems()[0].Str()
		known := openai.Passes(r, kind)
		if no := slices.ContainsFunc(dropped, func(p string) bool { return strings.HasPrefix(kind, p) }); known == no {
			t.Errorf("event %q: passes %t", kind, known)
		}
	}
}

// TestMediaEventsOfTheDocument: every event of images and sound passes.
func TestMediaEventsOfTheDocument(t *testing.T) {
	doc := document(t)
	for name, in := range map[string]openai.Sent{
		"ImageGenStreamEvent":             {Path: draw, Body: []byte(`{"model":"m","prompt":"x","stream":true}`)},
		"ImageEditStreamEvent":            {Path: edit, Body: []byte(`{"model":"m","prompt":"x","stream":true,"images":[{"file_id":"file-1"}]}`)},
		"CreateSpeechResponseStreamEvent": {Path: speak, Body: []byte(`{"model":"m","input":"x","voice":"alloy","stream_format":"sse"}`)},
		"CreateTranscriptionResponseStreamEvent": {
			Path: transcribe, Parts: fields("file", 1, "model", "m", "stream", "true"),
		},
	} {
		r, err := openai.ParseCall(openai.Find(in.Path)[0], in, nil)
		if err != nil {
			t.Fatal(err)
		}
		all := at(doc, "components", "schemas", name, "anyOf")
		if all.Len() == 0 {
			t.Fatalf("%s: no events in the document", name)
		}
		for _, ref := range all.Items() {
			of := at(ref, "$ref").Str()
			kind := at(doc, "components", "schemas", of[strings.LastIndexByte(of, '/')+1:], "properties", "type", "enum").Elems()[0].Str()
			if !openai.Passes(r, kind) {
				t.Errorf("event %q of %s does not pass", kind, in.Path)
			}
		}
	}
}
