package openai_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

func events(t testing.TB, path, members string) *openai.Events {
	t.Helper()
	body := chatWith(members)
	if path == responses {
		body = responsesWith(members)
	}
	return request(t, path, []byte(body)).Events()
}

// through sends data frames through and gives what comes out.
func through(t *testing.T, e *openai.Events, data ...string) string {
	t.Helper()
	var out []byte
	for _, d := range data {
		var err error
		if out, err = e.Append(out, openai.Frame{Data: []byte(d)}); err != nil {
			t.Fatalf("%s: %v", d, err)
		}
	}
	return string(out)
}

func chunk(choices, more string) string {
	return `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[` + choices + `]` + more + `}`
}

const (
	deltaA   = `{"index":0,"delta":{"role":"assistant","content":"Hello"},"logprobs":null,"finish_reason":null}`
	deltaEnd = `{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`
	usage9   = `,"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"completion_tokens_details":{"reasoning_tokens":3}}`
)

// TestUsageChunk: usage is asked for always and shown to who asked.
func TestUsageChunk(t *testing.T) {
	in := []string{chunk(deltaA, `,"usage":null,"obfuscation":"x1"`), chunk(deltaEnd, `,"usage":null`), chunk(``, usage9), `[DONE]`}
	frame := func(s string) string { return "data: " + s + "\n\n" }
	for _, x := range []struct{ name, options, want string }{
		{"not asked", `"stream":true`, frame(chunk(deltaA, `,"obfuscation":"x1"`)) + frame(chunk(deltaEnd, ``)) + frame(`[DONE]`)},
		{"asked not to", `"stream":true,"stream_options":{"include_usage":false}`, frame(chunk(deltaA, `,"obfuscation":"x1"`)) + frame(chunk(deltaEnd, ``)) + frame(`[DONE]`)},
		{"asked", `"stream":true,"stream_options":{"include_usage":true}`, frame(in[0]) + frame(in[1]) + frame(in[2]) + frame(`[DONE]`)},
	} {
		t.Run(x.name, func(t *testing.T) {
			e := events(t, chat, x.options)
			if got := through(t, e, in[:3]...); e.Done() {
				t.Errorf("done before [DONE]: %s", got)
			}
			e = events(t, chat, x.options)
			if got := through(t, e, in...); got != x.want {
				t.Errorf("got\n%swant\n%s", got, x.want)
			}
			u, reported := e.Units()
			if !e.Done() || !reported || u.Get(claviger.UnitInput) != 9 || u.Get(claviger.UnitOutput) != 12 || u.Get(claviger.UnitReasoning) != 3 {
				t.Errorf("done %t, units %v, reported %t", e.Done(), u, reported)
			}
		})
	}
	e := events(t, chat, `"stream":true,"stream_options":{"include_usage":true}`)
	if got, want := through(t, e, chunk(deltaA, ``)), frame(chunk(deltaA, `,"usage":null`)); got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestChatChunks(t *testing.T) {
	e := events(t, chat, `"stream":true`)
	got := through(t, e,
		chunk(`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""},"x":1}],"x":2}}`, `,"x_account":"org-1"`),
		chunk(`{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]},"finish_reason":null}`, ``),
		chunk(`{"index":0,"delta":{"refusal":"no"},"logprobs":{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}],"refusal":null},"finish_reason":null}`, ``),
	)
	want := "data: " + chunk(`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}`, ``) + "\n\n" +
		"data: " + chunk(`{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]},"finish_reason":null}`, ``) + "\n\n" +
		"data: " + chunk(`{"index":0,"delta":{"refusal":"no"},"logprobs":{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}],"refusal":null},"finish_reason":null}`, ``) + "\n\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	u, reported := e.Units()
	if reported || u.Get(claviger.UnitOutput) < 2 || u.Get(claviger.UnitInput) < 1 {
		t.Errorf("estimate %v, reported %t", u, reported)
	}
	if got := through(t, e, `[DONE]`, chunk(deltaA, ``)); got != "data: [DONE]\n\n" {
		t.Errorf("after the end: %s", got)
	}
}

// TestEscapesAreCanonical: no key hides from the tripwire behind escapes.
func TestEscapesAreCanonical(t *testing.T) {
	e := events(t, chat, `"stream":true`)
	got := through(t, e, chunk(`{"index":0,"delta":{"content":"\u0073\u006b-\u0061"},"finish_reason":null}`, ``))
	if !strings.Contains(got, `"sk-a"`) {
		t.Error(got)
	}
}

func responseEvent(kind, more string) string {
	return `{"type":"` + kind + `","sequence_number":7,` + more + `}`
}

func TestResponsesEvents(t *testing.T) {
	const part = `"item_id":"msg_1","output_index":0,"content_index":0,`
	for _, x := range []struct{ kind, in, want string }{
		{"response.output_text.delta", part + `"delta":"Hi","logprobs":[],"obfuscation":"ab"`, part + `"delta":"Hi","logprobs":[],"obfuscation":"ab"`},
		{"response.output_text.delta", part + `"delta":"Hi","x":1`, part + `"delta":"Hi","logprobs":[]`},
		{"response.output_text.done", part + `"text":"Hi","logprobs":[]`, part + `"text":"Hi","logprobs":[]`},
		{"response.refusal.delta", part + `"delta":"No"`, part + `"delta":"No"`},
		{"response.reasoning_summary_text.delta", `"item_id":"rs","output_index":0,"summary_index":0,"delta":"x"`, `"item_id":"rs","output_index":0,"summary_index":0,"delta":"x"`},
		{"response.reasoning_summary_part.added", `"item_id":"rs","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}`, `"item_id":"rs","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}`},
		{"response.function_call_arguments.delta", `"item_id":"fc","output_index":0,"delta":"{"`, `"item_id":"fc","output_index":0,"delta":"{"`},
		{"response.function_call_arguments.done", `"item_id":"fc","output_index":0,"name":"f","arguments":"{}"`, `"item_id":"fc","output_index":0,"name":"f","arguments":"{}"`},
		{"response.custom_tool_call_input.done", `"item_id":"ct","output_index":0,"input":"x"`, `"item_id":"ct","output_index":0,"input":"x"`},
		{"response.output_item.added", `"output_index":1,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"","status":"in_progress"}`, `"output_index":1,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"","status":"in_progress"}`},
		{"response.output_item.done", `"output_index":0,"item":{"type":"message","id":"m","status":"completed","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[]}],"internal":1}`, `"output_index":0,"item":{"type":"message","id":"m","status":"completed","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[],"logprobs":[]}]}`},
		{"response.content_part.added", part + `"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}`, part + `"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}`},
		// What no table names, or what holds it, is left out.
		{"response.mcp_call.in_progress", `"item_id":"mcp","output_index":0`, ""},
		{"response.new_thing", `"delta":"x"`, ""},
		{"response.output_item.added", `"output_index":0,"item":{"type":"mcp_call","id":"x"}`, ""},
		{"response.output_text.annotation.added", part + `"annotation_index":0,"annotation":{"type":"file_citation","file_id":"file-1"}`, ""},
		{"response.output_text.delta", part + `"delta":1`, ""},
	} {
		e := events(t, responses, `"stream":true`)
		got := through(t, e, responseEvent(x.kind, x.in))
		want := ""
		if x.want != "" {
			want = "event: " + x.kind + "\ndata: " + responseEvent(x.kind, x.want) + "\n\n"
		}
		if got != want || e.Done() {
			t.Errorf("done %t, got\n%swant\n%s", e.Done(), got, want)
		}
	}
}

func TestResponsesEnds(t *testing.T) {
	for _, kind := range []string{"response.completed", "response.incomplete", "response.failed"} {
		e := events(t, responses, `"stream":true`)
		const canary = "upstream said this"
		answer := strings.Replace(responsesAnswer, `"error":null`, `"error":{"code":"server_error","message":"`+canary+`"}`, 1)
		got := through(t, e, responseEvent("response.created", `"response":`+responsesAnswer))
		if e.Done() || !strings.Contains(got, `"instructions":null`) || strings.Contains(got, "secret instructions") {
			t.Errorf("created: %s", got)
		}
		got = through(t, e, responseEvent(kind, `"response":`+answer))
		if !e.Done() || strings.Contains(got, canary) || !strings.Contains(got, `"code":"upstream_error"`) || strings.Contains(got, "secret instructions") {
			t.Errorf("%s: done %t, %s", kind, e.Done(), got)
		}
		if u, reported := e.Units(); !reported || u.Get(claviger.UnitOutput) != 87 || u.Get(claviger.UnitCachedInput) != 6 {
			t.Errorf("%s: units %v, reported %t", kind, u, reported)
		}
	}
}

// TestTextIsCountedOnce: a stream says everything up to four times.
func TestTextIsCountedOnce(t *testing.T) {
	e := events(t, responses, `"stream":true`)
	text := strings.Repeat("abcd", 25)
	part := `"item_id":"m","output_index":0,"content_index":0,`
	through(t, e,
		responseEvent("response.output_text.delta", part+`"delta":"`+text+`"`),
		responseEvent("response.output_text.done", part+`"text":"`+text+`"`),
		responseEvent("response.content_part.done", part+`"part":{"type":"output_text","text":"`+text+`"}`),
		responseEvent("response.output_item.done", `"output_index":0,"item":{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"`+text+`"}]}`),
	)
	if u, reported := e.Units(); reported || u.Get(claviger.UnitOutput) != 25 {
		t.Errorf("%v, reported %t", u, reported)
	}
}

func TestErrorsInsideStreams(t *testing.T) {
	const canary = "Rate limit reached for org-abc"
	for _, x := range []struct {
		path, in string
		code     claviger.Code
	}{
		{chat, `{"error":{"message":"` + canary + `","type":"server_error","code":null,"param":null}}`, claviger.CodeUpstreamError},
		{chat, `{"error":{"message":"` + canary + `","type":"requests","code":"rate_limit_exceeded"}}`, claviger.CodeUpstreamBusy},
		{chat, `{"error":"` + canary + `"}`, claviger.CodeUpstreamError},
		{chat, `{"object":"other"}`, claviger.CodeUpstreamError},
		{chat, `[]`, claviger.CodeUpstreamError},
		{chat, canary, claviger.CodeUpstreamError},
		{responses, `{"type":"error","code":"server_error","message":"` + canary + `","param":null,"sequence_number":3}`, claviger.CodeUpstreamError},
		{responses, `{"type":"error","code":"rate_limit_exceeded","message":"` + canary + `"}`, claviger.CodeUpstreamBusy},
		{responses, `{"type":"response.completed","response":{"object":"thread"}}`, claviger.CodeUpstreamError},
		{responses, `[DONE]`, claviger.CodeUpstreamError},
		{responses, `{"type":`, claviger.CodeUpstreamError},
	} {
		e := events(t, x.path, `"stream":true`)
		out, err := e.Append([]byte("kept"), openai.Frame{Data: []byte(x.in)})
		ce, ok := errors.AsType[*claviger.Error](err)
		if !ok || ce.Code != x.code || string(out) != "kept" || e.Done() {
			t.Errorf("%s: %s, %v", x.in, out, err)
			continue
		}
		if wire := string(e.AppendError(nil, ce)); strings.Contains(wire, "org-abc") || strings.Contains(err.Error(), "org-abc") {
			t.Errorf("%s: %s", x.in, wire)
		}
	}
}

func TestAppendErrorEvent(t *testing.T) {
	busy := &claviger.Error{Code: claviger.CodeUpstreamTimeout, Err: errors.New("10.0.0.1:443")}
	if got, want := string(events(t, chat, `"stream":true`).AppendError(nil, busy)),
		"data: {\"error\":{\"message\":\"Upstream timeout\",\"type\":\"server_error\",\"code\":\"upstream_timeout\",\"param\":null}}\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e := events(t, responses, `"stream":true`)
	through(t, e, responseEvent("response.output_text.delta", `"delta":"x"`))
	if got, want := string(e.AppendError(nil, busy)),
		"event: error\ndata: {\"type\":\"error\",\"code\":\"upstream_timeout\",\"message\":\"Upstream timeout\",\"param\":null,\"sequence_number\":8}\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAppendError(t *testing.T) {
	for _, x := range []struct {
		err  *claviger.Error
		want string
	}{
		{&claviger.Error{Code: claviger.CodeUnauthenticated}, `{"error":{"message":"Sign in first","type":"invalid_request_error","code":"unauthenticated","param":null}}`},
		{&claviger.Error{Code: claviger.CodeModelNotAllowed, Param: "model"}, `{"error":{"message":"This model is not allowed","type":"permission_error","code":"model_not_allowed","param":"model"}}`},
		{&claviger.Error{Code: claviger.CodeInvalidInput, Param: `a"b`, Detail: "No\nway"}, `{"error":{"message":"No\nway","type":"invalid_request_error","code":"invalid_input","param":"a\"b"}}`},
		{&claviger.Error{Code: claviger.CodeBudgetExhausted}, `{"error":{"message":"Budget used up","type":"rate_limit_error","code":"budget_exhausted","param":null}}`},
		{&claviger.Error{Code: claviger.CodeMisconfigured, Err: errors.New("OPENAI_API_KEY")}, `{"error":{"message":"Server misconfigured","type":"server_error","code":"misconfigured","param":null}}`},
		{&claviger.Error{Code: claviger.CodeUpstreamInvalid, Status: 404, UpstreamCode: "model_not_found", Param: "model", Detail: "No such model"}, `{"error":{"message":"No such model","type":"invalid_request_error","code":"model_not_found","param":"model"}}`},
		{&claviger.Error{Code: claviger.CodeUpstreamInvalid}, `{"error":{"message":"The request was refused upstream","type":"invalid_request_error","code":null,"param":null}}`},
	} {
		if got := string(openai.AppendError(nil, x.err)); got != x.want {
			t.Errorf("got %s, want %s", got, x.want)
		}
		parse(t, string(openai.AppendError(nil, x.err)))
	}
}

func TestModelAnswers(t *testing.T) {
	const one = `{"id":"gpt-4.1","object":"model","created":0,"owned_by":"openai"}`
	if got := string(openai.ModelAnswer("gpt-4.1")); got != one {
		t.Error(got)
	}
	if got := string(openai.ModelsAnswer([]string{"gpt-4.1", "gpt-4.1"})); got != `{"object":"list","data":[`+one+`,`+one+`]}` {
		t.Error(got)
	}
	if got := string(openai.ModelsAnswer(nil)); got != `{"object":"list","data":[]}` {
		t.Error(got)
	}
}

// TestStreamsOfTheDocument sends the streams that OpenAI's document shows
// through reader and tables, to their ends.
func TestStreamsOfTheDocument(t *testing.T) {
	doc := document(t)
	n := 0
	for _, path := range []string{chat, responses} {
		for _, x := range at(doc, "paths", path, "post", "x-oaiMeta", "examples").Items() {
			text := at(x, "response").Str()
			if !strings.HasPrefix(text, "event: ") {
				continue
			}
			n++
			e := events(t, path, `"stream":true`)
			f := openai.NewFrameReader(strings.NewReader(text+"\n\n"), 1<<20)
			var out []byte
			for {
				frame, err := f.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if out, err = e.Append(out, frame); err != nil {
					t.Errorf("%s: %v", frame.Data, err)
				}
			}
			if in := strings.Count(text, "event: "); !e.Done() || bytes.Count(out, []byte("event: ")) != in {
				t.Errorf("%s: done %t, %d of %d events", at(x, "title").Str(), e.Done(), bytes.Count(out, []byte("event: ")), in)
			}
		}
	}
	if n < 1 {
		t.Errorf("only %d streams were read", n)
	}
}
