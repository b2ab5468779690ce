package action

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"claviger.dev/claviger"
)

func piece(s string) string {
	return fmt.Sprintf(`{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":%s,"sequence_number":1,"logprobs":[],"obfuscation":"abc"}`, s)
}

func last(kind, status, details, output string) string {
	return `{"type":"response.` + kind + `","sequence_number":9,"response":` + response(status, details, output) + `}`
}

var opening = []string{
	`{"type":"response.created","response":{"id":"resp_1","status":"in_progress","instructions":"secret instructions"},"sequence_number":0}`,
	`{"type":"response.in_progress","response":{"id":"resp_1","status":"in_progress"},"sequence_number":1}`,
	`{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]},"sequence_number":2}`,
	`{"type":"response.content_part.added","item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]},"sequence_number":3}`,
}

func TestStream(t *testing.T) {
	shown := func(d *Definition) { d.ShowUsage = true }
	structured := withOutput(t, answerSchema)
	completed := last("completed", "completed", "null", says(`"Hello world"`))
	aside := `{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_0","type":"message","phase":"commentary","role":"assistant","content":[]}}`
	for _, tt := range []struct {
		name   string
		a      *Action
		events []string
		text   string // what was handed on
		done   string // the end as our own events, or empty
		code   claviger.Code
	}{
		{"text", generate(t), append(opening, piece(`"Hello "`), piece(`"world"`), `{"type":"response.output_text.done","text":"Hello world","output_index":0}`, completed), "Hello world", `{"finish":"stop"}`, ""},
		{"usage", generate(t, shown), append(opening, piece(`"a"`), completed), "a", `{"finish":"stop","usage":{"input_tokens":30,"output_tokens":12}}`, ""},
		{"cut by the cap", generate(t), append(opening, piece(`"a"`), last("incomplete", "incomplete", `{"reason":"max_output_tokens"}`, "")), "a", `{"finish":"length"}`, ""},
		{"filtered", generate(t), append(opening, piece(`"a"`), last("incomplete", "incomplete", `{"reason":"content_filter"}`, "")), "a", `{"finish":"refused"}`, ""},
		{"declined", generate(t), append(opening, `{"type":"response.refusal.delta","output_index":0,"delta":"I cannot."}`, last("completed", "completed", "null", declines)), "I cannot.", `{"finish":"refused"}`, ""},
		{"declined, the end does not say so", generate(t), append(opening, `{"type":"response.refusal.delta","output_index":0,"delta":"I cannot."}`, last("completed", "completed", "null", "")), "I cannot.", `{"finish":"refused"}`, ""},
		{"whole at the end", generate(t), append(opening, completed), "Hello world", `{"finish":"stop"}`, ""},
		{"commentary aside", generate(t), []string{aside, piece(`"On it."`), strings.Replace(piece(`"Done."`), `"output_index":0`, `"output_index":1`, 1), completed}, "Done.", `{"finish":"stop"}`, ""},
		{"commentary alone", generate(t), []string{aside, piece(`"On it."`), last("completed", "completed", "null", "")}, "", "", claviger.CodeUpstreamError},
		{"other events", generate(t), []string{`{"type":"response.web_search_call.searching","output_index":0}`, `{"type":"response.reasoning_summary_text.delta","delta":"secret"}`, `{"type":"response.function_call_arguments.delta","delta":"secret"}`, `{"type":"new.event","delta":"secret"}`, piece(`"a"`), completed}, "a", `{"finish":"stop"}`, ""},
		{"after the end", generate(t), []string{piece(`"a"`), completed, piece(`"b"`), `no JSON`, `[DONE]`}, "a", `{"finish":"stop"}`, ""},
		{"data", generate(t, structured), []string{piece(`"{\"mood\":\"go"`), piece(`"od\",\"n\":5}"`), last("completed", "completed", "null", "")}, `{"mood":"good","n":5}`, `{"data":{"mood":"good","n":5},"finish":"stop"}`, ""},
		{"data whole at the end", generate(t, structured), []string{last("completed", "completed", "null", says(`"{\"mood\":\"good\",\"n\":5}"`))}, `{"mood":"good","n":5}`, `{"data":{"mood":"good","n":5},"finish":"stop"}`, ""},
		{"data cut by the cap", generate(t, structured), []string{piece(`"{\"mood\":"`), last("incomplete", "incomplete", `{"reason":"max_output_tokens"}`, "")}, `{"mood":`, `{"data":null,"finish":"length"}`, ""},
		{"data declined", generate(t, structured), []string{`{"type":"response.refusal.delta","output_index":0,"delta":"I cannot."}`, last("completed", "completed", "null", declines)}, "", `{"data":null,"finish":"refused"}`, ""},
		{"data that does not fit", generate(t, structured), []string{piece(`"{\"mood\":\"fine\"}"`), last("completed", "completed", "null", "")}, `{"mood":"fine"}`, "", claviger.CodeUpstreamError},

		{"broken off", generate(t), append(opening, piece(`"a"`)), "a", "", claviger.CodeUpstreamError},
		{"broken off with a wrong end", generate(t), append(opening, piece(`"a"`), `[DONE]`), "a", "", claviger.CodeUpstreamError},
		{"nothing", generate(t), nil, "", "", claviger.CodeUpstreamError},
		{"empty", generate(t), append(opening, last("completed", "completed", "null", "")), "", "", claviger.CodeUpstreamError},
		{"error event", generate(t), []string{piece(`"a"`), `{"type":"error","code":"server_error","message":"secret message","param":null}`, piece(`"b"`)}, "a", "", claviger.CodeUpstreamError},
		{"nested error event", generate(t), []string{`{"type":"error","error":{"type":"x","code":"rate_limit_exceeded","message":"secret message"}}`}, "", "", claviger.CodeUpstreamBusy},
		{"failed", generate(t), []string{piece(`"a"`), strings.Replace(last("failed", "failed", "null", ""), `"error":null`, `"error":{"code":"server_error","message":"secret message"}`, 1)}, "a", "", claviger.CodeUpstreamError},
		{"failed without a word", generate(t), []string{last("failed", "failed", "null", "")}, "", "", claviger.CodeUpstreamError},
		{"failed and completed", generate(t), []string{last("failed", "completed", "null", says(`"a"`))}, "", "", claviger.CodeUpstreamError},
		{"no JSON", generate(t), []string{piece(`"a"`), `{"type":`}, "a", "", claviger.CodeUpstreamError},
		{"no object", generate(t), []string{`"response.completed"`}, "", "", claviger.CodeUpstreamError},
		{"end without response", generate(t), []string{piece(`"a"`), `{"type":"response.completed"}`}, "a", "", claviger.CodeUpstreamError},
		{"two types", generate(t), []string{`{"type":"x","type":"response.output_text.delta","delta":"a"}`}, "", "", claviger.CodeUpstreamError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.a.Stream()
			got := ""
			var failed error
			for _, e := range tt.events {
				delta, err := s.Event([]byte(e))
				got += delta
				if err != nil {
					failed = err
				}
				if failed != nil && (!errors.Is(err, failed) || delta != "") {
					t.Errorf("an error must come again and nothing after it: %q, %v", delta, err)
				}
			}
			if got != tt.text {
				t.Errorf("text: got %q, want %q", got, tt.text)
			}
			res, err := s.Result()
			if tt.code != "" {
				e := refusalOf(t, err)
				if e.Code != tt.code || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || failed != nil || !s.Done() {
				t.Fatal(err, failed, s.Done())
			}
			if got := string(AppendDone(nil, res)); got != "event: done\ndata: "+tt.done+"\n\n" {
				t.Errorf("got %s", got)
			}
			if u, reported := s.Units(); !reported || u.Get(claviger.UnitOutput) != 12 {
				t.Errorf("got %v, %t", u, reported)
			}
		})
	}
}

func TestUnitsOfABrokenStream(t *testing.T) {
	b, err := generate(t).Bind([]byte(`{"prompt":"` + strings.Repeat("x", 400) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	s := b.Stream()
	for range 10 {
		if _, err := s.Event([]byte(piece(`"x"`))); err != nil {
			t.Fatal(err)
		}
	}
	u, reported := s.Units()
	if reported || u.Get(claviger.UnitInput) != (b.Call().MaxInput+3)/4 || u.Get(claviger.UnitOutput) != 10 {
		t.Errorf("got %v, %t", u, reported)
	}
	if _, err := s.Event([]byte(piece(`"` + strings.Repeat("x", 100) + `"`))); err != nil {
		t.Fatal(err)
	}
	if u, _ := s.Units(); u.Get(claviger.UnitOutput) != 28 {
		t.Errorf("got %v", u)
	}
	failed := b.Stream()
	if _, err := failed.Event([]byte(last("failed", "failed", "null", ""))); err == nil {
		t.Fatal("want an error")
	}
	if u, reported := failed.Units(); !reported || u.Get(claviger.UnitInput) != 30 {
		t.Errorf("a failure that reports usage: %v, %t", u, reported)
	}
}

func TestStructuredStreamIsBounded(t *testing.T) {
	s := generate(t, withOutput(t, answerSchema)).Stream()
	chunk := []byte(piece(`"` + strings.Repeat("x", 1<<20) + `"`))
	for range 6 {
		if _, err := s.Event(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.kept) > maxStructured+1<<20 {
		t.Errorf("%d bytes are kept", len(s.kept))
	}
	if _, err := s.Event([]byte(last("completed", "completed", "null", ""))); err == nil {
		t.Error("an endless answer must be refused")
	}
}
