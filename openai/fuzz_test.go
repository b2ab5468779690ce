package openai_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openai"
)

var posts = []string{chat, responses, "/embeddings", "/moderations", draw, edit, speak}

// FuzzParseCall: whatever is accepted is written so that it is accepted again
// and written the same, names no member that the strictest policy refuses, and
// carries what the server forces, once.
func FuzzParseCall(f *testing.F) {
	for i, path := range posts {
		for _, x := range refusedCalls {
			if x.path == path && len(x.in) < 2000 {
				f.Add(uint8(i), []byte(x.in))
			}
		}
	}
	f.Add(uint8(0), chatBody(300))
	f.Add(uint8(0), []byte(chatWith(`"stream":true,"stream_options":{"include_usage":true},"max_tokens":3,"store":true,"tools":[{"type":"function","function":{"name":"f","parameters":{"a":1}}}]`)))
	f.Add(uint8(1), []byte(responsesWith(`"stream":true,"reasoning":{"effort":"low"},"text":{"format":{"type":"text"}},"tools":[{"type":"function","name":"f","parameters":null}]`)))
	f.Add(uint8(1), []byte(`{"model":"m","input":[{"id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]},{"type":"reasoning","id":"rs_1","encrypted_content":"x"}]}`))
	f.Add(uint8(2), []byte(`{"model":"m","input":[[1,2],[3]]}`))
	f.Add(uint8(3), []byte(`{"input":"a"}`))
	f.Add(uint8(4), []byte(`{"model":"dall-e-3","prompt":"a","n":1,"size":"auto","quality":"hd","output_compression":5}`))
	f.Add(uint8(5), []byte(`{"model":"m","prompt":"a","images":[{"image_url":"https://example.com"},{"file_id":"file-1"}],"mask":{"file_id":"file-2"},"stream":true}`))
	f.Add(uint8(6), []byte(`{"model":"m","input":"a","voice":"alloy","speed":1.5,"stream_format":"sse"}`))
	f.Fuzz(func(t *testing.T, which uint8, in []byte) {
		path := posts[int(which)%len(posts)]
		c, err := call(t, path, string(in), &openai.Policy{})
		if err != nil {
			e, ok := errors.AsType[*claviger.Error](err)
			if !ok || !slices.Contains([]claviger.Code{claviger.CodeInvalidJSON, claviger.CodeInvalidInput, claviger.CodeForbidden, claviger.CodeNotFound}, e.Code) {
				t.Fatalf("%q: %v", in, err)
			}
			return
		}
		out := bodyOf(t, c)
		checkWritten(t, path, out, c.Objects)
		again, err := call(t, path, out, &openai.Policy{})
		if err != nil || bodyOf(t, again) != out || again.MaxOutput != c.MaxOutput || again.Stream != c.Stream || again.Model != c.Model {
			t.Fatalf("%q was written as\n%s\nand then as\n%s\n%v", in, out, bodyOf(t, again), err)
		}
	})
}

func checkWritten(t *testing.T, path, out string, refs []claviger.ObjectRef) {
	t.Helper()
	v := parse(t, out) // refuses duplicate names
	allowed := openai.Members(openai.Find(path)[0])
	for _, name := range names(v) {
		top, _, _ := strings.Cut(strings.TrimPrefix(name, "."), ".")
		top = strings.TrimSuffix(top, "[]")
		if !slices.Contains(allowed, top) {
			t.Fatalf("member %s in %s", name, out)
		}
	}
	for _, name := range []string{"instructions", "prompt", "background", "user", "metadata", "audio", "prediction", "web_search_options"} {
		described := name == "prompt" && (path == draw || path == edit)
		if _, ok := v.Get(name); ok && !described {
			t.Fatalf("member %s in %s", name, out)
		}
	}
	for _, list := range []string{"messages", "input"} {
		for _, m := range at(v, list).Items() {
			if role := at(m, "role"); role.Is("system") || role.Is("developer") || !at(m, "id").IsZero() && !referred(refs, at(m, "id")) {
				t.Fatalf("%s in %s", jsonx.Append(nil, m), out)
			}
		}
	}
	for _, id := range []jsonx.Value{at(v, "previous_response_id"), at(v, "conversation"), at(v, "conversation", "id")} {
		if id.Kind() == jsonx.KindString && !referred(refs, id) {
			t.Fatalf("a reference that nobody is told of in %s", out)
		}
	}
	if path != chat && path != responses {
		return
	}
	if store := at(v, "store"); store.Kind() != jsonx.KindBool || store.Bool() || !at(v, "safety_identifier").Is("u_1") {
		t.Fatalf("not forced in %s", out)
	}
}

func referred(refs []claviger.ObjectRef, id jsonx.Value) bool {
	return slices.ContainsFunc(refs, func(o claviger.ObjectRef) bool { return id.Is(o.ID) })
}

// FuzzEvents: what comes out are whole events of JSON that no account's member
// is in, or nothing, whatever goes in; and no event is written after an error.
func FuzzEvents(f *testing.F) {
	for _, s := range []string{
		chatChunk, chunk(``, usage9), `[DONE]`, `{"error":{}}`, responsesDelta, `{"type":"error"}`, `{"type":"response.completed","response":` + responsesAnswer + `}`,
		responseEvent("response.output_item.done", `"item":{"type":"message","id":"m","content":[{"type":"output_text","text":"x"}]}`),
	} {
		f.Add(true, []byte(s))
		f.Add(false, []byte(s))
	}
	f.Fuzz(func(t *testing.T, isChat bool, in []byte) {
		path := responses
		if isChat {
			path = chat
		}
		e := events(t, path, `"stream":true`)
		out, err := e.Append([]byte("data: before\n\n"), openai.Frame{Data: in})
		if err != nil && string(out) != "data: before\n\n" {
			t.Fatalf("%q left %q", in, out)
		}
		u, _ := e.Units()
		for _, x := range u {
			if x.Amount < 0 {
				t.Fatalf("%q: units %v", in, u)
			}
		}
		got, err := readAll(openai.NewFrameReader(strings.NewReader(string(out)), 1<<20))
		if !errors.Is(err, io.EOF) || len(got) == 0 || len(got) > 2 {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		if len(got) == 1 || got[1].Data == "[DONE]" {
			return
		}
		v := parse(t, got[1].Data)
		for _, name := range []string{"instructions", "safety_identifier", "metadata", "user"} {
			if x := at(v, "response", name); !x.IsZero() && !x.IsNull() {
				t.Fatalf("%q: %s came through", in, name)
			}
		}
	})
}
