package openaitest_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"claviger.dev/claviger/openaitest"
)

func decoded(t testing.TB, body []byte) object {
	t.Helper()
	var out object
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	return out
}

func mustParse(t testing.TB, text string) openaitest.Fault {
	t.Helper()
	f, err := openaitest.ParseFault(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

type refusal struct {
	name, path  string
	body        any
	status      int
	code, param string // empty means null
}

func refusals() []refusal {
	long := strings.Repeat("x", 65)
	open := object{"type": "object", "properties": object{"a": object{"type": "string"}}}
	return []refusal{
		{"no JSON", "/responses", "{", 400, "", ""},
		{"no body", "/responses", "", 400, "", ""},
		{"not an object", "/responses", "[]", 400, "invalid_type", ""},
		{"name twice", "/responses", `{"model":"gpt-4.1","model":"gpt-4o","input":"x"}`, 400, "", ""},
		{"other case", "/responses", respond("x", "Temperature", 1), 400, "unknown_parameter", "Temperature"},
		{"no model", "/responses", object{"input": "x"}, 400, "missing_required_parameter", "model"},
		{"unknown model", "/responses", respond("x", "model", "gpt-0"), 404, "model_not_found", ""},
		{"unknown model", "/chat/completions", chat("x", "model", "gpt-0"), 404, "model_not_found", ""},
		{"unknown model", "/models/gpt-0", nil, 404, "model_not_found", "model"},
		{"embedding model", "/chat/completions", chat("x", "model", "text-embedding-3-small"), 404, "", "model"},
		{"chat model", "/embeddings", object{"model": mini, "input": "x"}, 403, "", "model"},
		{"no input", "/responses", object{"model": mini}, 400, "missing_required_parameter", "input"},
		{"no messages", "/chat/completions", object{"model": mini}, 400, "missing_required_parameter", "messages"},
		{"empty messages", "/chat/completions", chat("x", "messages", []any{}), 400, "empty_array", "messages"},
		{"unknown member", "/chat/completions", chat("x", "base_url", "http://x"), 400, "unknown_parameter", "base_url"},
		{"unknown member of a message", "/chat/completions", chat("x", "messages", []any{object{"role": "user", "content": "x", "api_key": "y"}}), 400, "unknown_parameter", "messages[0].api_key"},
		{"wrong type", "/responses", respond("x", "temperature", "hot"), 400, "invalid_type", "temperature"},
		{"wrong type in an item", "/responses", respond("x", "input", []any{object{"role": 3, "content": "x"}}), 400, "invalid_type", "input[0].role"},
		{"wrong content", "/responses", respond("x", "input", []any{object{"role": "user", "content": 3}}), 400, "invalid_type", "input[0].content"},
		{"wrong part", "/chat/completions", chat("x", "messages", []any{object{"role": "user", "content": []any{object{"type": "text", "text": []any{}}}}}), 400, "invalid_type", "messages[0].content[0].text"},
		{"wrong text", "/responses", respond("x", "text", []any{}), 400, "invalid_type", "text"},
		{"wrong tool", "/responses", respond("x", "tools", []any{"web_search"}), 400, "invalid_type", "tools[0]"},
		{"wrong metadata", "/responses", respond("x", "metadata", object{"a": 1}), 400, "invalid_type", "metadata.a"},
		{"much metadata", "/responses", respond("x", "metadata", many(17)), 400, "object_above_max_properties", "metadata"},
		{"long metadata", "/responses", respond("x", "metadata", object{long: "x"}), 400, "string_above_max_length", "metadata"},
		{"null content", "/chat/completions", chat("x", "messages", []any{object{"role": "user", "content": nil}}), 400, "invalid_type", "messages[0].content"},
		{"audio", "/chat/completions", chat("x", "modalities", []any{"text", "audio"}), 400, "unsupported_parameter", "modalities"},
		{"fraction", "/responses", respond("x", "max_output_tokens", 20.5), 400, "invalid_type", "max_output_tokens"},
		{"too hot", "/responses", respond("x", "temperature", 3), 400, "decimal_above_max_value", "temperature"},
		{"too cold", "/chat/completions", chat("x", "temperature", -1), 400, "decimal_below_min_value", "temperature"},
		{"few tokens", "/responses", respond("x", "max_output_tokens", 15), 400, "integer_below_min_value", "max_output_tokens"},
		{"no tokens", "/chat/completions", chat("x", "max_tokens", 0), 400, "integer_below_min_value", "max_tokens"},
		{"both limits", "/chat/completions", chat("x", "max_tokens", 9, "max_completion_tokens", 9), 400, "invalid_parameter_combination", "max_tokens"},
		{"old limit", "/chat/completions", chat("x", "model", "gpt-5-mini", "max_tokens", 9), 400, "unsupported_parameter", "max_tokens"},
		{"effort", "/chat/completions", chat("x", "reasoning_effort", "high"), 400, "unsupported_parameter", "reasoning_effort"},
		{"unknown effort", "/responses", respond("x", "model", "gpt-5", "reasoning", object{"effort": "heroic"}), 400, "invalid_value", "reasoning.effort"},
		{"many choices", "/chat/completions", chat("x", "n", 129), 400, "integer_above_max_value", "n"},
		{"long identifier", "/responses", respond("x", "safety_identifier", long), 400, "string_above_max_length", "safety_identifier"},
		{"unknown tier", "/responses", respond("x", "service_tier", "gold"), 400, "invalid_value", "service_tier"},
		{"unknown role", "/responses", respond("x", "input", []any{object{"role": "root", "content": "x"}}), 400, "invalid_value", "input[0].role"},
		{"unknown role", "/chat/completions", chat("x", "messages", []any{object{"role": "root", "content": "x"}}), 400, "invalid_value", "messages[0].role"},
		{"lone tool message", "/chat/completions", chat("x", "messages", []any{object{"role": "tool", "tool_call_id": "c", "content": "x"}}), 400, "", "messages[0].role"},
		{"lone tool output", "/responses", respond("x", "input", []any{object{"type": "function_call_output", "call_id": "c", "output": "x"}}), 400, "", "input"},
		{"unknown previous", "/responses", respond("x", "previous_response_id", "resp_1"), 400, "previous_response_not_found", "previous_response_id"},
		{"unknown conversation", "/responses", respond("x", "conversation", "conv_1"), 404, "", "conversation"},
		{"unknown prompt", "/responses", respond("x", "prompt", object{"id": "pmpt_1"}), 404, "prompt_not_found", "prompt"},
		{"unknown item", "/responses", respond("x", "input", []any{object{"type": "item_reference", "id": "msg_1"}}), 404, "", "input"},
		{"background", "/responses", respond("x", "background", true, "store", false), 400, "unsupported_parameter", "background"},
		{"two pasts", "/responses", respond("x", "conversation", "conv_1", "previous_response_id", "resp_1"), 400, "mutually_exclusive_parameters", ""},
		{"nameless conversation", "/responses", respond("x", "conversation", object{}), 400, "missing_required_parameter", "conversation.id"},
		{"unknown kind of item", "/responses", respond("x", "input", []any{object{"type": "telepathy"}}), 400, "invalid_value", "input[0].type"},
		{"unknown include", "/responses", respond("x", "include", []any{"thoughts"}), 400, "invalid_value", "include[0]"},
		{"stream options", "/chat/completions", chat("x", "stream_options", object{"include_usage": true}), 400, "", "stream_options"},
		{"unknown stream option", "/chat/completions", chat("x", "stream", true, "stream_options", object{"usage": true}), 400, "unknown_parameter", "stream_options.usage"},
		{"unknown tool choice", "/responses", respond("x", "tool_choice", object{"type": "function", "name": "f"}), 400, "", "tool_choice"},
		{"nameless tool", "/responses", respond("x", "tools", []any{object{"type": "function"}}), 400, "missing_required_parameter", "tools[0].name"},
		{"open schema", "/responses", respond("x", "text", object{"format": object{"type": "json_schema", "name": "n", "strict": true, "schema": open}}), 400, "invalid_json_schema", "text.format.schema"},
		{"open schema", "/chat/completions", chat("x", "response_format", object{"type": "json_schema", "json_schema": object{"name": "n", "strict": true, "schema": open}}), 400, "invalid_json_schema", "response_format.json_schema.schema"},
		{"open parameters", "/responses", respond("x", "tools", []any{object{"type": "function", "name": "f", "strict": true, "parameters": open}}), 400, "invalid_function_parameters", "tools[0].parameters"},
		{"nameless schema", "/responses", respond("x", "text", object{"format": object{"type": "json_schema", "schema": open}}), 400, "missing_required_parameter", "text.format.name"},
		{"no word json", "/chat/completions", chat("x", "response_format", object{"type": "json_object"}), 400, "", "response_format"},
		{"unknown format", "/responses", respond("x", "text", object{"format": object{"type": "xml"}}), 400, "invalid_value", "text.format.type"},
		{"no input", "/embeddings", object{"model": "text-embedding-3-small"}, 400, "missing_required_parameter", "input"},
		{"empty input", "/embeddings", object{"model": "text-embedding-3-small", "input": ""}, 400, "", "input"},
		{"mixed input", "/embeddings", object{"model": "text-embedding-3-small", "input": []any{1, "x"}}, 400, "", "input"},
		{"many dimensions", "/embeddings", object{"model": "text-embedding-3-small", "input": "x", "dimensions": 9999}, 400, "integer_above_max_value", "dimensions"},
		{"unknown coding", "/embeddings", object{"model": "text-embedding-3-small", "input": "x", "encoding_format": "hex"}, 400, "invalid_value", "encoding_format"},
		{"no input", "/moderations", object{}, 400, "missing_required_parameter", "input"},
		{"unknown route", "/fine_tuning/jobs", nil, 404, "", ""},
		{"unknown route", "/responses/", object{}, 404, "", ""},
		{"wrong method", "/responses", nil, 405, "method_not_supported", ""},
		{"wrong method", "/models", object{}, 405, "method_not_supported", ""},
	}
}

func many(n int) object {
	out := object{}
	for i := range n {
		out[strconv.Itoa(i)] = "x"
	}
	return out
}

// TestStrictSchemas names the place of what strict output does not allow.
func TestStrictSchemas(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	open := object{"type": "object", "properties": object{}}
	closed := func(p any) object {
		return object{"type": "object", "additionalProperties": false, "required": []any{"a"}, "properties": object{"a": p}}
	}
	for place, schema := range map[string]object{
		"": closed(object{"type": "string"}), "context=()": open, "context=('properties', 'a')": closed(open),
		"context=('properties', 'a', 'items')":      closed(object{"type": "array", "items": open}),
		"context=('properties', 'a', 'anyOf', '1')": closed(object{"anyOf": []any{object{"type": "null"}, open}}),
		"context=('$defs', 'd')":                    with(closed(object{"$ref": "#/$defs/d"}), "$defs", object{"d": open}),
		"Missing 'a'":                               {"type": "object", "additionalProperties": false, "properties": object{"a": object{"type": "string"}}},
		"got 'type: \"array\"'":                     {"type": "array", "items": object{"type": "string"}},
	} {
		format := object{"type": "json_schema", "name": "n", "strict": true, "schema": schema}
		status := 400
		if place == "" {
			status = 200
		}
		o := call(t, srv, "/responses", respond("x", "text", object{"format": format}), status)
		if place != "" && !strings.Contains(text(at(t, o, "error", "message")), place) {
			t.Errorf("%s: %v", place, o)
		}
	}
}

func TestRefusals(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for _, r := range refusals() {
		e, _ := call(t, srv, r.path, r.body, r.status)["error"].(object)
		if text(e["code"]) != r.code || text(e["param"]) != r.param || e["message"] == "" || e["type"] != "invalid_request_error" {
			t.Errorf("%s on %s: want code %q and param %q, got %v", r.name, r.path, r.code, r.param, e)
		}
	}
	if u := srv.Units(); u.Total != (openaitest.Tokens{}) || len(u.ByKey) != 0 {
		t.Errorf("refusals were charged: %+v", u)
	}
}

// text is a string or, for null, nothing.
func text(v any) string {
	s, _ := v.(string)
	return s
}

func TestMediaType(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for given, want := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "text/plain": 400, "": 400, "multipart/form-data": 400,
	} {
		req := request(t, srv, "/responses", respond("x"))
		req.Header.Set("Content-Type", given)
		if resp, body := send(t, req); resp.StatusCode != want {
			t.Errorf("%q: status %d, want %d: %s", given, resp.StatusCode, want, body)
		}
	}
}

func TestTooLarge(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	resp, body := send(t, request(t, srv, "/responses", strings.Repeat(" ", openaitest.MaxBody+1)))
	if resp.StatusCode != 413 {
		t.Errorf("status %d: %.100s", resp.StatusCode, body)
	}
}
