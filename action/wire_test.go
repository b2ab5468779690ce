package action

import (
	"strings"
	"testing"

	"claviger.dev/claviger"
)

func TestAppendError(t *testing.T) {
	for _, tt := range []struct {
		e    claviger.Error
		want string
	}{
		{*invalid("prompt"), `{"error":"Invalid prompt","code":"invalid_input","field":"prompt"}`},
		{*invalidMessage(2, "role"), `{"error":"Invalid messages","code":"invalid_input","field":"messages[2].role"}`},
		{claviger.Error{Code: claviger.CodeMisconfigured}, `{"error":"Server misconfigured","code":"misconfigured"}`},
		{claviger.Error{Code: claviger.CodeUpstreamError, Err: broken("secret")}, `{"error":"Upstream error","code":"upstream_error"}`},
		{claviger.Error{Code: claviger.CodeInvalidJSON}, `{"error":"Invalid JSON","code":"invalid_json"}`},
		{claviger.Error{Code: claviger.CodeUpstreamInvalid, Status: 404, Detail: "secret detail", Param: "model", UpstreamCode: "secret_code"}, `{"error":"Upstream error","code":"upstream_error"}`},
		{claviger.Error{Code: claviger.CodeInvalidInput, Param: `<script>`}, `{"error":"Invalid input","code":"invalid_input"}`},
		{claviger.Error{Code: claviger.CodeInvalidInput, Param: strings.Repeat("a", 101)}, `{"error":"Invalid input","code":"invalid_input"}`},
		{claviger.Error{Code: "what"}, `{"error":"Internal error","code":"what"}`},
	} {
		if got := string(AppendError([]byte("x"), &tt.e)); got != "x"+tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	e := Refusal(&claviger.Error{Code: claviger.CodeUpstreamInvalid, Status: 422})
	if e.HTTPStatus() != 502 {
		t.Errorf("got %d", e.HTTPStatus())
	}
}

func TestEncoders(t *testing.T) {
	failure := &claviger.Error{Code: claviger.CodeUpstreamInvalid, Detail: "secret"}
	usage := claviger.Units{{Kind: claviger.UnitInput, Amount: 3}, {Kind: claviger.UnitOutput, Amount: 4}}
	for _, tt := range []struct {
		name string
		ui   bool
		run  func(Encoder) []byte
		want string
	}{
		{"plain", false, func(e Encoder) []byte {
			b := e.AppendDelta(nil, "a\n\"\u2028")
			b = e.AppendDelta(b, "")
			return e.AppendDone(b, Result{Finish: FinishLength})
		}, "event: delta\ndata: {\"text\":\"a\\n\\\"\u2028\"}\n\nevent: done\ndata: {\"finish\":\"length\"}\n\n"},
		{"plain error", false, func(e Encoder) []byte { return e.AppendError(nil, failure) }, "event: error\ndata: {\"error\":\"Upstream error\",\"code\":\"upstream_error\"}\n\n"},
		{
			"SDK", true, func(e Encoder) []byte {
				b := e.AppendDelta(nil, "")
				b = e.AppendDelta(b, "a\n")
				b = e.AppendDelta(b, "b")
				return e.AppendDone(b, Result{Finish: FinishStop, Usage: usage})
			},
			data(`{"type":"start"}`, `{"type":"start-step"}`, `{"type":"text-start","id":"0"}`, `{"type":"text-delta","id":"0","delta":"a\n"}`, `{"type":"text-delta","id":"0","delta":"b"}`,
				`{"type":"text-end","id":"0"}`, `{"type":"finish-step"}`, `{"type":"finish","finishReason":"stop","messageMetadata":{"usage":{"input_tokens":3,"output_tokens":4}}}`, `[DONE]`),
		},
		{
			"SDK, nothing said", true, func(e Encoder) []byte { return e.AppendDone(nil, Result{Finish: FinishRefused}) },
			data(`{"type":"start"}`, `{"type":"start-step"}`, `{"type":"finish-step"}`, `{"type":"finish","finishReason":"content-filter"}`, `[DONE]`),
		},
		{
			"SDK, error in the middle", true, func(e Encoder) []byte { return e.AppendError(e.AppendDelta(nil, "a"), failure) },
			data(`{"type":"start"}`, `{"type":"start-step"}`, `{"type":"text-start","id":"0"}`, `{"type":"text-delta","id":"0","delta":"a"}`, `{"type":"error","errorText":"Upstream error"}`),
		},
	} {
		if got := string(tt.run(NewEncoder(tt.ui))); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func data(events ...string) string {
	return "data: " + strings.Join(events, "\n\ndata: ") + "\n\n"
}
