package openaitest_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"claviger.dev/claviger/openaitest"
)

func outputText(t *testing.T, o object) string {
	t.Helper()
	return text(at(t, o, "output", 0, "content", 0, "text"))
}

func chatText(t *testing.T, o object) string {
	t.Helper()
	return text(at(t, o, "choices", 0, "message", "content"))
}

func TestTextDependsOnPromptAlone(t *testing.T) {
	one, two := newServer(t, openaitest.Options{}), newServer(t, openaitest.Options{})
	ask := func(srv *openaitest.Server, prompt string) string {
		return outputText(t, call(t, srv, "/responses", respond(prompt), 200))
	}
	first := ask(one, "How do bumblebees navigate?")
	if first != ask(two, "How do bumblebees navigate?") {
		t.Error("two simulations differ about one prompt")
	}
	if first == ask(one, "How do glaciers move?") || !strings.Contains(first, "bumblebees") && !strings.Contains(first, "navigate") {
		t.Errorf("the answer has nothing to do with the prompt: %s", first)
	}
	if first != chatText(t, call(t, one, "/chat/completions", chat("How do bumblebees navigate?"), 200)) {
		t.Error("the endpoints differ about one prompt")
	}
	plain, streamed := respond("How do bumblebees navigate?"), respond("How do bumblebees navigate?", "stream", true)
	if got := joined(t, "/responses", stream(t, one, "/responses", streamed)); got != outputText(t, call(t, one, "/responses", plain, 200)) {
		t.Errorf("the stream says %q", got)
	}
	if outputText(t, call(t, one, "/responses", respond("repeat after me: <b>\"Grüße\"\n</b>"), 200)) != "<b>\"Grüße\"\n</b>" {
		t.Error("repeat after me")
	}
	if n := len(strings.Fields(ask(one, "write 321 words"))); n != 321 {
		t.Errorf("%d words instead of 321", n)
	}
	for _, odd := range []string{"", "???", "ok", strings.Repeat("long ", 9000), "日本語の長い質問です"} {
		if ask(one, odd) == "" {
			t.Errorf("no answer to %.20q", odd)
		}
	}
}

func TestEventSequence(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	seq := func(body object) []string {
		return slices.Compact(names(stream(t, srv, "/responses", with(body, "stream", true))))
	}
	open := []string{"response.created", "response.in_progress", "response.output_item.added"}
	rows := []struct {
		name string
		body object
		want []string
	}{
		{"text", respond("hello"), []string{
			"response.content_part.added", "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
		}},
		{"refusal", respond("refuse this request"), []string{
			"response.content_part.added", "response.refusal.delta", "response.refusal.done", "response.content_part.done", "response.output_item.done", "response.completed",
		}},
		{"call", respond("call the tool get_weather", "tools", []any{weatherTool(false)}), []string{
			"response.function_call_arguments.delta", "response.function_call_arguments.done", "response.output_item.done", "response.completed",
		}},
		{"limit", respond("write 50 words", "max_output_tokens", 16), []string{
			"response.content_part.added", "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.incomplete",
		}},
		{"reasoning", respond("think first", "model", "gpt-5"), []string{
			"response.output_item.done", "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done",
			"response.content_part.done", "response.output_item.done", "response.completed",
		}},
	}
	for _, r := range rows {
		if diff := cmp.Diff(append(slices.Clone(open), r.want...), seq(r.body)); diff != "" {
			t.Errorf("%s: %s", r.name, diff)
		}
	}
}

// TestStreamAddsUp compares each kind of stream with the plain answer to the same.
func TestStreamAddsUp(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for prompt, more := range prompts(false) {
		body := respond(prompt)
		maps.Copy(body, more)
		plain := call(t, srv, "/responses", body, 200)
		events := stream(t, srv, "/responses", with(body, "stream", true))
		last := events[len(events)-1].object(t)["response"].(object)
		if diff := cmp.Diff(scrub(plain), scrub(last)); diff != "" {
			t.Errorf("%s: plain and streamed differ: %s", prompt, diff)
		}
		deltas, id := 0, ""
		for _, e := range events {
			if strings.HasSuffix(e.name, ".delta") {
				deltas++
			}
			if r, ok := e.object(t)["response"].(object); ok {
				if id == "" {
					id = r["id"].(string)
				}
				if r["id"] != id {
					t.Errorf("%s: the id changes within a stream", prompt)
				}
			}
		}
		out := at(t, last, "usage", "output_tokens").(float64) - at(t, last, "usage", "output_tokens_details", "reasoning_tokens").(float64)
		if int(out) != deltas {
			t.Errorf("%s: %v output tokens, %d deltas", prompt, out, deltas)
		}
	}
}

// scrub takes out what differs from call to call.
func scrub(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = scrub(v[i])
		}
		return out
	case object:
		out := object{}
		for k, e := range v {
			if k != "id" && k != "call_id" && !strings.HasSuffix(k, "_at") && k != "created" {
				out[k] = scrub(e)
			}
		}
		return out
	}
	return v
}

func TestEcho(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	srv := newServer(t, openaitest.Options{Now: func() time.Time { return now }})
	body := respond("hello", "instructions", "Be brief.", "metadata", object{"a": "b"}, "safety_identifier", "u1", "user", "u2", "store", false,
		"temperature", 0.25, "top_p", 0.5, "max_output_tokens", 99, "tools", []any{weatherTool(false), customTool(false)}, "tool_choice", "none",
		"parallel_tool_calls", false, "truncation", "auto", "service_tier", "flex", "prompt_cache_key", "pk", "text", object{"verbosity": "low"}, "max_tool_calls", 3, "top_logprobs", 2)
	o := call(t, srv, "/responses", body, 200)
	want := object{
		"object": "response", "created_at": float64(now.Unix()), "completed_at": float64(now.Unix()), "status": "completed", "model": "gpt-4.1-mini-2025-04-14",
		"instructions": "Be brief.", "metadata": object{"a": "b"}, "safety_identifier": "u1", "user": "u2", "store": false, "temperature": 0.25, "top_p": 0.5,
		"max_output_tokens": 99.0, "tool_choice": "none", "parallel_tool_calls": false, "truncation": "auto", "service_tier": "flex", "prompt_cache_key": "pk",
		"text": object{"verbosity": "low", "format": object{"type": "text"}}, "max_tool_calls": 3.0, "top_logprobs": 2.0, "error": nil, "incomplete_details": nil,
		"previous_response_id": nil, "background": false,
		"tools": []any{with(weatherTool(false), "strict", true), customTool(false)},
	}
	for k, v := range want {
		if diff := cmp.Diff(v, o[k]); diff != "" {
			t.Errorf("%s: %s", k, diff)
		}
	}
	o = call(t, srv, "/responses", respond("hello"), 200)
	for k, v := range (object{"store": true, "instructions": nil, "tool_choice": "auto", "tools": []any{}, "temperature": 1.0, "service_tier": "default", "metadata": object{}, "user": nil}) {
		if diff := cmp.Diff(v, o[k]); diff != "" {
			t.Errorf("%s by default: %s", k, diff)
		}
	}
	c := call(t, srv, "/chat/completions", chat("hello"), 200)
	if c["created"] != float64(now.Unix()) || c["object"] != "chat.completion" || !strings.HasPrefix(c["system_fingerprint"].(string), "fp_") {
		t.Errorf("%v", c)
	}
}

func TestPreviousResponse(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	first := call(t, srv, "/responses", respond("write 200 words"), 200)
	second := call(t, srv, "/responses", respond("go on", "previous_response_id", first["id"]), 200)
	if second["previous_response_id"] != first["id"] || at(t, second, "usage", "input_tokens").(float64) < 200 {
		t.Errorf("%v", second["usage"])
	}
	unstored := call(t, srv, "/responses", respond("x", "store", false), 200)
	call(t, srv, "/responses", respond("go on", "previous_response_id", unstored["id"]), 400)
}

func TestTools(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	schema := compile(t, weatherTool(false)["parameters"])
	o := call(t, srv, "/responses", respond("Call the tool get_weather.", "tools", []any{weatherTool(false)}), 200)
	item := at(t, o, "output", 0).(object)
	if item["type"] != "function_call" || item["name"] != "get_weather" || !strings.HasPrefix(item["call_id"].(string), "call_") || !strings.HasPrefix(item["id"].(string), "fc_") {
		t.Errorf("%v", item)
	}
	if err := schema.Validate(decodedAny(t, item["arguments"].(string))); err != nil {
		t.Error(err)
	}
	answered := call(t, srv, "/responses", respond("", "tools", []any{weatherTool(false)}, "input", []any{
		object{"role": "user", "content": []any{object{"type": "input_text", "text": "call the tool get_weather"}}},
		item,
		object{"type": "function_call_output", "call_id": item["call_id"], "output": `{"t":20}`},
	}), 200)
	if at(t, answered, "output", 0, "type") != "message" || !strings.HasPrefix(outputText(t, answered), "The tool has answered.") {
		t.Errorf("%v", answered["output"])
	}
	both := []any{weatherTool(false), customTool(false)}
	count := func(more ...any) int {
		o := call(t, srv, "/responses", respond("call the tool get_weather, call the tool run_query", append(more, "tools", both)...), 200)
		n := 0
		for _, item := range o["output"].([]any) {
			if strings.HasSuffix(item.(object)["type"].(string), "_call") {
				n++
			}
		}
		return n
	}
	if got := []int{count(), count("parallel_tool_calls", false), count("tool_choice", "none"), count("tool_choice", object{"type": "custom", "name": "run_query"})}; !slices.Equal(got, []int{2, 1, 0, 1}) {
		t.Errorf("calls: %v", got)
	}
	if o := call(t, srv, "/responses", respond("hello", "tools", both, "tool_choice", "required"), 200); at(t, o, "output", 0, "name") != "get_weather" {
		t.Errorf("required: %v", o["output"])
	}
	if o := call(t, srv, "/responses", respond("call the tool get_weather"), 200); at(t, o, "output", 0, "type") != "message" {
		t.Errorf("a tool that was not declared is called: %v", o["output"])
	}
}

func TestChatTools(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	schema := compile(t, weatherTool(false)["parameters"])
	body := chat("call the tool get_weather", "tools", []any{weatherTool(true), customTool(true)})
	o := call(t, srv, "/chat/completions", body, 200)
	tc := at(t, o, "choices", 0, "message", "tool_calls", 0).(object)
	if at(t, o, "choices", 0, "finish_reason") != "tool_calls" || at(t, o, "choices", 0, "message", "content") != nil {
		t.Errorf("%v", o)
	}
	if err := schema.Validate(decodedAny(t, at(t, tc, "function", "arguments").(string))); err != nil {
		t.Error(err)
	}
	var name, args strings.Builder
	finish := ""
	for _, e := range stream(t, srv, "/chat/completions", with(body, "stream", true)) {
		if e.data == "[DONE]" {
			continue
		}
		c := at(t, e.object(t), "choices", 0).(object)
		finish += text(c["finish_reason"])
		if calls, ok := c["delta"].(object)["tool_calls"].([]any); ok {
			name.WriteString(text(at(t, calls, 0, "function", "name")))
			args.WriteString(text(at(t, calls, 0, "function", "arguments")))
		}
	}
	if name.String() != "get_weather" || args.String() != at(t, tc, "function", "arguments") || finish != "tool_calls" {
		t.Errorf("streamed: %q %q %q", &name, &args, finish)
	}
	delete(body, "stream")
	answered := call(t, srv, "/chat/completions", with(body, "messages", []any{
		object{"role": "user", "content": "call the tool get_weather"},
		object{"role": "assistant", "content": nil, "tool_calls": []any{tc}},
		object{"role": "tool", "tool_call_id": tc["id"], "content": "20 degrees"},
	}), 200)
	if !strings.HasPrefix(chatText(t, answered), "The tool has answered.") {
		t.Errorf("%v", answered)
	}
	custom := call(t, srv, "/chat/completions", chat("call the tool run_query", "tools", []any{customTool(true)}), 200)
	if at(t, custom, "choices", 0, "message", "tool_calls", 0, "custom", "name") != "run_query" {
		t.Errorf("%v", custom)
	}
}

func TestChatStream(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	events := stream(t, srv, "/chat/completions", chat("write 5 words", "stream", true, "stream_options", object{"include_usage": true}))
	if len(events) != 9 || events[8].data != "[DONE]" {
		t.Fatalf("%d events", len(events))
	}
	for i, e := range events[:7] {
		if o := e.object(t); !strings.Contains(e.data, `"usage":null`) || text(at(t, o, "choices", 0, "finish_reason")) != strings.Repeat("stop", i/6) {
			t.Errorf("chunk %d: %s", i, e.data)
		}
	}
	first, last := events[0].object(t), events[7].object(t)
	if at(t, first, "choices", 0, "delta", "role") != "assistant" || len(last["choices"].([]any)) != 0 || at(t, last, "usage", "completion_tokens") != 5.0 {
		t.Errorf("%v ... %v", first, last)
	}
	for _, e := range stream(t, srv, "/chat/completions", chat("write 5 words", "stream", true)) {
		if strings.Contains(e.data, "usage") {
			t.Errorf("usage that nobody asked for: %s", e.data)
		}
		if !strings.Contains(e.data, `"obfuscation":"`) && e.data != "[DONE]" {
			t.Errorf("no obfuscation: %s", e.data)
		}
	}
	for _, e := range stream(t, srv, "/chat/completions", chat("write 5 words", "stream", true, "stream_options", object{"include_obfuscation": false})) {
		if strings.Contains(e.data, "obfuscation") {
			t.Errorf("obfuscation that was declined: %s", e.data)
		}
	}
}

func TestLimits(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	o := call(t, srv, "/responses", respond("write 50 words", "max_output_tokens", 20), 200)
	if o["status"] != "incomplete" || at(t, o, "incomplete_details", "reason") != "max_output_tokens" || o["completed_at"] != nil ||
		at(t, o, "output", 0, "status") != "incomplete" || len(strings.Fields(outputText(t, o))) != 20 || at(t, o, "usage", "output_tokens") != 20.0 {
		t.Errorf("%v", o)
	}
	o = call(t, srv, "/responses", respond("write 50 words", "max_output_tokens", 50), 200)
	if o["status"] != "completed" {
		t.Errorf("a limit that just suffices: %v", o["status"])
	}
	o = call(t, srv, "/responses", respond("x", "model", "gpt-5", "reasoning", object{"effort": "high"}, "max_output_tokens", 100), 200)
	if o["status"] != "incomplete" || len(o["output"].([]any)) != 1 || at(t, o, "usage", "output_tokens_details", "reasoning_tokens") != 100.0 {
		t.Errorf("thinking past the limit: %v", o)
	}
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		c := call(t, srv, "/chat/completions", chat("write 50 words", name, 3), 200)
		if at(t, c, "choices", 0, "finish_reason") != "length" || len(strings.Fields(chatText(t, c))) != 3 {
			t.Errorf("%s: %v", name, c)
		}
	}
	c := call(t, srv, "/chat/completions", chat("call the tool get_weather", "tools", []any{weatherTool(true)}, "max_tokens", 2), 200)
	args := text(at(t, c, "choices", 0, "message", "tool_calls", 0, "function", "arguments"))
	if at(t, c, "choices", 0, "finish_reason") != "length" || at(t, c, "usage", "completion_tokens") != 2.0 || jsontext.Value(args).IsValid() {
		t.Errorf("a call past the limit: %v", c)
	}
	c = call(t, srv, "/chat/completions", chat("Stop at the length limit"), 200)
	if at(t, c, "choices", 0, "finish_reason") != "length" {
		t.Errorf("by phrase: %v", c)
	}
	c = call(t, srv, "/chat/completions", chat("write 50 words", "n", 3, "max_tokens", 7), 200)
	if len(c["choices"].([]any)) != 3 || at(t, c, "usage", "completion_tokens") != 21.0 {
		t.Errorf("three choices: %v", c)
	}
}

func TestUsage(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	prompt := strings.Repeat("word ", 2000)
	first := call(t, srv, "/responses", respond(prompt), 200)["usage"].(object)
	second := call(t, srv, "/responses", respond(prompt), 200)["usage"].(object)
	in := first["input_tokens"].(float64)
	if in < 2450 || in > 2550 || first["total_tokens"] != in+first["output_tokens"].(float64) {
		t.Errorf("10,000 characters: %v", first)
	}
	cached := at(t, second, "input_tokens_details", "cached_tokens").(float64)
	if at(t, first, "input_tokens_details", "cached_tokens") != 0.0 || cached != math.Floor(in/128)*128 || at(t, second, "input_tokens_details", "cache_write_tokens") != 0.0 {
		t.Errorf("cached: %v then %v", first, second)
	}
	u := srv.Units().Total
	if float64(u.Input) != 2*in || float64(u.Cached) != cached || float64(u.Output) != first["output_tokens"].(float64)+second["output_tokens"].(float64) {
		t.Errorf("charged: %+v", u)
	}
}
