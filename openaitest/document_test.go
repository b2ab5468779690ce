package openaitest_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"claviger.dev/claviger/openaitest"
)

// documentPath is where OpenAI's OpenAPI document lies, from the repository's root
// one folder up. It is not part of the project.
const documentPath = "../../shared/openapi/openai.json"

// document validates answers against OpenAI's document and counts them.
type document struct {
	compiler *jsonschema.Compiler
	raw      object
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
	count    map[string]int
}

// openDocument skips the test, loudly, where the document is absent.
func openDocument(t *testing.T) *document {
	t.Helper()
	f, err := os.Open(documentPath)
	if err != nil {
		t.Skipf("NOT VALIDATED: OpenAI's OpenAPI document is not at %s (version 2.3.0 of openai/openai-openapi belongs there): %v", documentPath, err)
	}
	defer f.Close()
	parsed, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{
		compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, count: map[string]int{},
		raw: nullable(parsed).(object),
	}
	d.mend(t)
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := d.compiler.AddResource("mem://openai.json", d.raw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { t.Logf("validated against OpenAI's document: %s", d.summary()) })
	return d
}

// documentIfThere is openDocument for tests that hold more than the document: where
// it is absent they run, and validate nothing.
func documentIfThere(t *testing.T) *document {
	t.Helper()
	if _, err := os.Stat(documentPath); err != nil {
		t.Logf("NOT VALIDATED: OpenAI's OpenAPI document is not at %s: %v", documentPath, err)
		return nil
	}
	return openDocument(t)
}

// nullable turns OpenAPI 3.0's "nullable: true", which the document still has in
// places, into JSON Schema.
func nullable(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = nullable(v[i])
		}
	case object:
		for k := range v {
			v[k] = nullable(v[k])
		}
		if v["nullable"] == true {
			delete(v, "nullable")
			return object{"anyOf": []any{v, object{"type": "null"}}}
		}
	}
	return v
}

// mend lifts the places where the document's own examples break its schemas (a response
// has "user": null, and "usage": null until it is over; the messages of a stored chat have
// other roles than the assistant's) and writes recursion,
// which the document takes from an older draft, as 2020-12 has it.
func (d *document) mend(t *testing.T) {
	t.Helper()
	for name, s := range at(t, d.raw, "components", "schemas").(object) {
		recursion(s, "#/components/schemas/"+name)
	}
	properties := at(t, d.raw, "components", "schemas", "ModelResponseProperties", "properties").(object)
	properties["user"] = object{"anyOf": []any{properties["user"], object{"type": "null"}}}
	message := at(t, d.raw, "components", "schemas", "ChatCompletionMessageList", "properties", "data", "items", "allOf").([]any)
	listed := maps.Clone(at(t, d.raw, "components", "schemas", "ChatCompletionResponseMessage").(object))
	listed["properties"] = maps.Clone(listed["properties"].(object))
	listed["properties"].(object)["role"] = object{"type": "string"}
	message[0] = listed
	parts := at(t, d.raw, "components", "schemas", "Response", "allOf").([]any)
	own := at(t, parts[len(parts)-1], "properties").(object)
	own["usage"] = object{"anyOf": []any{own["usage"], object{"type": "null"}}}
}

func recursion(v any, self string) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			recursion(v[i], self)
		}
	case object:
		delete(v, "$recursiveAnchor")
		if _, ok := v["$recursiveRef"]; ok {
			delete(v, "$recursiveRef")
			v["$ref"] = self
		}
		for k := range v {
			recursion(v[k], self)
		}
	}
}

func (d *document) schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.schemas[name]; ok {
		return s
	}
	s, err := d.compiler.Compile("mem://openai.json#/components/schemas/" + name)
	if err != nil {
		t.Fatalf("schema %s: %v", name, err)
	}
	d.schemas[name] = s
	return s
}

// validate says what is wrong with a value, and counts it.
func (d *document) validate(t *testing.T, name string, v any) error {
	t.Helper()
	s := d.schema(t, name)
	d.mu.Lock()
	d.count[name]++
	d.mu.Unlock()
	return s.Validate(v)
}

func (d *document) must(t *testing.T, name string, v any) {
	t.Helper()
	if d == nil {
		return
	}
	if err := d.validate(t, name, v); err != nil {
		t.Errorf("%s: %v\nin %v", name, err, v)
	}
}

func (d *document) summary() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	total := 0
	var parts []string
	for name, n := range d.count {
		total += n
		parts = append(parts, fmt.Sprintf("%d %s", n, name))
	}
	return fmt.Sprintf("%d in all (%s)", total, strings.Join(parts, ", "))
}

// eventSchemas names the schema of each event of a streamed response: the union
// ResponseStreamEvent alone would let an event pass as another.
var eventSchemas = map[string]string{
	"response.created":                       "ResponseCreatedEvent",
	"response.in_progress":                   "ResponseInProgressEvent",
	"response.queued":                        "ResponseQueuedEvent",
	"response.output_item.added":             "ResponseOutputItemAddedEvent",
	"response.output_item.done":              "ResponseOutputItemDoneEvent",
	"response.content_part.added":            "ResponseContentPartAddedEvent",
	"response.content_part.done":             "ResponseContentPartDoneEvent",
	"response.output_text.delta":             "ResponseTextDeltaEvent",
	"response.output_text.done":              "ResponseTextDoneEvent",
	"response.refusal.delta":                 "ResponseRefusalDeltaEvent",
	"response.refusal.done":                  "ResponseRefusalDoneEvent",
	"response.function_call_arguments.delta": "ResponseFunctionCallArgumentsDeltaEvent",
	"response.function_call_arguments.done":  "ResponseFunctionCallArgumentsDoneEvent",
	"response.custom_tool_call_input.delta":  "ResponseCustomToolCallInputDeltaEvent",
	"response.custom_tool_call_input.done":   "ResponseCustomToolCallInputDoneEvent",
	"response.output_text.annotation.added":  "ResponseOutputTextAnnotationAddedEvent",
	"response.file_search_call.in_progress":  "ResponseFileSearchCallInProgressEvent",
	"response.file_search_call.searching":    "ResponseFileSearchCallSearchingEvent",
	"response.file_search_call.completed":    "ResponseFileSearchCallCompletedEvent",
	"response.completed":                     "ResponseCompletedEvent",
	"response.incomplete":                    "ResponseIncompleteEvent",
	"response.failed":                        "ResponseFailedEvent",
	"error":                                  "ResponseErrorEvent",
}

func (d *document) responseEvents(t *testing.T, events []event) {
	t.Helper()
	if d == nil {
		return
	}
	for i, e := range events {
		o := e.object(t)
		name, known := eventSchemas[e.name]
		if !known {
			t.Fatalf("event %q is not one that the document describes", e.name)
		}
		if o["type"] != e.name || o["sequence_number"] != float64(i) {
			t.Errorf("event %d is named %q, its type is %v, its number %v", i, e.name, o["type"], o["sequence_number"])
		}
		d.must(t, name, o)
		d.must(t, "ResponseStreamEvent", o)
	}
}

func (d *document) chatEvents(t *testing.T, events []event) {
	t.Helper()
	if n := len(events); n == 0 || events[n-1].data != "[DONE]" {
		t.Fatalf("a stream of %d events does not end in [DONE]", n)
	}
	for _, e := range events[:len(events)-1] {
		d.must(t, "CreateChatCompletionStreamResponse", e.object(t))
	}
}

// prompts reach every shape of answer, on both endpoints for text.
func prompts(chat bool) map[string]object {
	plainTool, ownTool := weatherTool(chat), customTool(chat)
	schemaFormat := object{"type": "json_schema", "name": "person", "strict": true, "schema": personSchema()}
	text := []any{"text", object{"format": schemaFormat}}
	if chat {
		text = []any{"response_format", object{"type": "json_schema", "json_schema": with(object{}, "name", "person", "strict", true, "schema", personSchema())}}
	}
	limit := []any{"max_output_tokens", 16}
	if chat {
		limit = []any{"max_completion_tokens", 16}
	}
	rows := map[string][]any{
		"How do bees find flowers?":                               nil,
		"Please call the tool get_weather for Paris":              {"tools", []any{plainTool}},
		"call the tool run_query":                                 {"tools", []any{ownTool}},
		"call the tool get_weather and call the tool get_weather": {"tools", []any{plainTool}},
		"Refuse this request, please":                             nil,
		"Describe a person":                                       text,
		"write 100 words":                                         limit,
		"stop at the length limit":                                nil,
		"think first, then answer":                                nil,
		"metadata":                                                {"metadata", object{"team": "a"}},
		"identifiers":                                             {"safety_identifier", "u-1", "user", "u-2", "prompt_cache_key", "k", "service_tier", "auto", "store", false, "temperature", 0.5, "top_p", 0.9, "tool_choice", "auto", "parallel_tool_calls", false, "tools", []any{plainTool}},
	}
	return expand(rows)
}

func expand(rows map[string][]any) map[string]object {
	out := map[string]object{}
	for p, more := range rows {
		out[p] = with(object{}, more...)
	}
	return out
}

func TestAnswersFollowTheDocument(t *testing.T) {
	d := openDocument(t)
	srv := newServer(t, openaitest.Options{})
	t.Run("responses", func(t *testing.T) {
		for prompt, more := range prompts(false) {
			body := respond(prompt)
			maps.Copy(body, more)
			d.must(t, "Response", call(t, srv, "/responses", body, 200))
			body["stream"] = true
			d.responseEvents(t, stream(t, srv, "/responses", body))
		}
	})
	t.Run("chat", func(t *testing.T) {
		for prompt, more := range prompts(true) {
			body := chat(prompt)
			maps.Copy(body, more)
			d.must(t, "CreateChatCompletionResponse", call(t, srv, "/chat/completions", body, 200))
			body["stream"] = true
			d.chatEvents(t, stream(t, srv, "/chat/completions", body))
			body["stream_options"] = object{"include_usage": true, "include_obfuscation": false}
			body["logprobs"], body["n"] = true, 2
			d.chatEvents(t, stream(t, srv, "/chat/completions", body))
			delete(body, "stream")
			delete(body, "stream_options")
			d.must(t, "CreateChatCompletionResponse", call(t, srv, "/chat/completions", body, 200))
		}
	})
	t.Run("others", func(t *testing.T) {
		for _, input := range []any{"one text", []any{"two", "texts"}, []any{1, 2, 3}, []any{[]any{1, 2}, []any{3}}} {
			body := object{"model": "text-embedding-3-small", "input": input, "dimensions": 8}
			d.must(t, "CreateEmbeddingResponse", call(t, srv, "/embeddings", body, 200))
			body["encoding_format"] = "base64"
			d.must(t, "CreateEmbeddingResponse", unpacked(t, call(t, srv, "/embeddings", body, 200)))
		}
		for _, input := range []any{"fine", []any{"fine", "flag as violence/graphic"}, []any{object{"type": "text", "text": "flag as hate"}}} {
			d.must(t, "CreateModerationResponse", call(t, srv, "/moderations", object{"input": input}, 200))
		}
		list := call(t, srv, "/models", nil, 200)
		d.must(t, "ListModelsResponse", list)
		for _, m := range list["data"].([]any) {
			d.must(t, "Model", call(t, srv, "/models/"+m.(object)["id"].(string), nil, 200))
		}
	})
	t.Run("errors", func(t *testing.T) {
		for _, row := range refusals() {
			d.must(t, "ErrorResponse", call(t, srv, row.path, row.body, row.status))
		}
		for _, fault := range []string{"401", "403", "429", "500", "503", "529", "leak status=500"} {
			req := request(t, srv, "/responses", respond("x"))
			req.Header.Set("X-Openaitest-Fault", fault)
			_, body := send(t, req)
			d.must(t, "ErrorResponse", decoded(t, body))
		}
	})
	t.Run("failing streams", func(t *testing.T) {
		for _, fault := range []string{"error-event", "failed", "error-event after=0", "failed after=7"} {
			srv.Inject(mustParse(t, fault+" times=1"))
			d.responseEvents(t, stream(t, srv, "/responses", respond("write 20 words", "stream", true)))
		}
		srv.Inject(mustParse(t, "error-event times=1"))
		events := stream(t, srv, "/chat/completions", chat("write 20 words", "stream", true))
		d.must(t, "ErrorResponse", events[len(events)-1].object(t))
		srv.Inject(mustParse(t, "failed times=1"))
		d.must(t, "Response", call(t, srv, "/responses", respond("x"), 200))
	})
}

// unpacked gives base64 vectors the form that the document describes.
func unpacked(t *testing.T, o object) object {
	t.Helper()
	for _, e := range o["data"].([]any) {
		item := e.(object)
		b, err := base64.StdEncoding.DecodeString(item["embedding"].(string))
		if err != nil {
			t.Fatal(err)
		}
		floats := []any{}
		for ; len(b) >= 4; b = b[4:] {
			floats = append(floats, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
		item["embedding"] = floats
	}
	return o
}

// TestValidationCanFail breaks true answers and events: each must be found out.
func TestValidationCanFail(t *testing.T) {
	d := openDocument(t)
	srv := newServer(t, openaitest.Options{})
	answer := func() object { return call(t, srv, "/responses", respond("hello there"), 200) }
	message := func() object { return call(t, srv, "/chat/completions", chat("hello there"), 200) }
	events := stream(t, srv, "/responses", respond("hello there", "stream", true))
	delta := func() object { return events[4].object(t) }
	rows := []struct {
		name, schema string
		value        object
		spoil        func(object)
	}{
		{"no id", "Response", answer(), func(o object) { delete(o, "id") }},
		{"unknown status", "Response", answer(), func(o object) { o["status"] = "done" }},
		{"text is a number", "Response", answer(), func(o object) {
			at(t, o, "output", 0, "content", 0).(object)["text"] = 1.0
		}},
		{"no logprobs", "Response", answer(), func(o object) {
			delete(at(t, o, "output", 0, "content", 0).(object), "logprobs")
		}},
		{"usage without total", "Response", answer(), func(o object) { delete(o["usage"].(object), "total_tokens") }},
		{"tools null", "Response", answer(), func(o object) { o["tools"] = nil }},
		{"no choices", "CreateChatCompletionResponse", message(), func(o object) { delete(o, "choices") }},
		{"unknown finish", "CreateChatCompletionResponse", message(), func(o object) {
			at(t, o, "choices", 0).(object)["finish_reason"] = "done"
		}},
		{"no refusal", "CreateChatCompletionResponse", message(), func(o object) {
			delete(at(t, o, "choices", 0, "message").(object), "refusal")
		}},
		{"no sequence number", "ResponseTextDeltaEvent", delta(), func(o object) { delete(o, "sequence_number") }},
		{"delta is null", "ResponseTextDeltaEvent", delta(), func(o object) { o["delta"] = nil }},
		{"another event", "ResponseTextDoneEvent", delta(), func(object) {}},
	}
	for _, r := range rows {
		if r.schema != "ResponseTextDoneEvent" {
			d.must(t, r.schema, r.value)
		}
		r.spoil(r.value)
		if d.validate(t, r.schema, r.value) == nil {
			t.Errorf("%s: a broken %s passed", r.name, r.schema)
		}
	}
}
