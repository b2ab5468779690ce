package action

import (
	"strings"
	"testing"

	"claviger.dev/claviger"
)

// response is an upstream answer with the members that matter and some that
// must not come back.
func response(status, details, output string) string {
	return `{"id":"resp_1","object":"response","created_at":1,"status":"` + status + `","error":null,"incomplete_details":` + details +
		`,"instructions":"secret instructions","model":"gpt-4.1-mini-2025-04-14","output":[` + output + `],"store":false,` +
		`"usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":10,"cache_write_tokens":0},"output_tokens":12,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":42},"safety_identifier":"user-hash"}`
}

func says(text string) string {
	return `{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":` + text + `,"annotations":[{"type":"url_citation","url":"https://example.com"}],"logprobs":[]}]}`
}

const declines = `{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"refusal","refusal":"I cannot help with that."}]}`

func TestAnswer(t *testing.T) {
	const thinks = `{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"secret thoughts"}]}`
	const searches = `{"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search","query":"secret query"}}`
	comments := strings.Replace(says(`"On it. "`), `"role"`, `"phase":"commentary","role"`, 1)
	final := strings.Replace(says(`"Done."`), `"role"`, `"phase":"final_answer","role"`, 1)
	shown := func(d *Definition) { d.ShowUsage = true }
	for _, tt := range []struct {
		name string
		a    *Action
		body string
		want string // the caller's JSON, or empty for an upstream error
	}{
		{"text", generate(t), response("completed", "null", thinks+","+searches+","+says(`"Hello \u0001<b>"`)), `{"text":"Hello \u0001<b>","finish":"stop"}`},
		{"two messages", generate(t), response("completed", "null", says(`"a"`)+","+says(`"b"`)), `{"text":"ab","finish":"stop"}`},
		{"commentary", generate(t), response("completed", "null", comments+","+final), `{"text":"Done.","finish":"stop"}`},
		{"usage", generate(t, shown), response("completed", "null", says(`"a"`)), `{"text":"a","finish":"stop","usage":{"input_tokens":30,"output_tokens":12}}`},
		{"cut", generate(t), response("incomplete", `{"reason":"max_output_tokens"}`, says(`"a"`)), `{"text":"a","finish":"length"}`},
		{"cut by its other name", generate(t), response("incomplete", `{"reason":"max_tokens"}`, says(`"a"`)), `{"text":"a","finish":"length"}`},
		{"cut before a word", generate(t), response("incomplete", `{"reason":"max_output_tokens"}`, thinks), `{"text":"","finish":"length"}`},
		{"filtered", generate(t), response("incomplete", `{"reason":"content_filter"}`, says(`"a"`)), `{"text":"a","finish":"refused"}`},
		{"declined", generate(t), response("completed", "null", declines), `{"text":"I cannot help with that.","finish":"refused"}`},

		{"data", generate(t, withOutput(t, answerSchema)), response("completed", "null", says(`" {\"n\": 5, \"mood\":\"good\"}\n"`)), `{"data":{"n":5,"mood":"good"},"finish":"stop"}`},
		{"data and usage", generate(t, withOutput(t, answerSchema), shown), response("completed", "null", says(`"{\"mood\":\"bad\",\"n\":1}"`)), `{"data":{"mood":"bad","n":1},"finish":"stop","usage":{"input_tokens":30,"output_tokens":12}}`},
		{"data cut", generate(t, withOutput(t, answerSchema)), response("incomplete", `{"reason":"max_output_tokens"}`, says(`"{\"mood\":\"go"`)), `{"data":null,"finish":"length"}`},
		{"data declined", generate(t, withOutput(t, answerSchema)), response("completed", "null", declines), `{"data":null,"finish":"refused"}`},
		{"data that does not fit", generate(t, withOutput(t, answerSchema)), response("completed", "null", says(`"{\"mood\":\"fine\",\"n\":5}"`)), ""},
		{"data with more", generate(t, withOutput(t, answerSchema)), response("completed", "null", says(`"{\"mood\":\"good\",\"n\":5,\"x\":1}"`)), ""},
		{"data twice", generate(t, withOutput(t, answerSchema)), response("completed", "null", says(`"{\"mood\":\"good\",\"n\":5,\"n\":6}"`)), ""},
		{"data no JSON", generate(t, withOutput(t, answerSchema)), response("completed", "null", says(`"Sure! {}"`)), ""},
		{"no data", generate(t, withOutput(t, answerSchema)), response("completed", "null", thinks), ""},
		{"data with an endless number", generate(t, withOutput(t, answerSchema)), response("completed", "null", says(`"{\"mood\":\"good\",\"n\":1e999999999}"`)), ""},

		{"nothing said", generate(t), response("completed", "null", thinks), ""},
		{"empty text", generate(t), response("completed", "null", says(`""`)), ""},
		{"failed", generate(t), response("failed", "null", says(`"a"`)), ""},
		{"in progress", generate(t), response("in_progress", "null", says(`"a"`)), ""},
		{"error beside text", generate(t), strings.Replace(response("completed", "null", says(`"a"`)), `"error":null`, `"error":{"code":"server_error","message":"secret message"}`, 1), ""},
		{"no status", generate(t), `{"output":[` + says(`"a"`) + `]}`, ""},
		{"another object", generate(t), `{"object":"list","data":[]}`, ""},
		{"list", generate(t), `[]`, ""},
		{"HTML", generate(t), `<html>secret</html>`, ""},
		{"nothing", generate(t), ``, ""},
		{"cut JSON", generate(t), response("completed", "null", says(`"a"`))[:200], ""},
		{"no message in a message", generate(t), response("completed", "null", `{"type":"message","content":"a"},5,null,{"type":"message","content":[5,{"type":"output_text","text":5}]}`), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, units, err := tt.a.Answer([]byte(tt.body))
			if tt.want == "" {
				e := refusalOf(t, err)
				if e.Code != claviger.CodeUpstreamError || e.HTTPStatus() != 502 || e.Sentence() != "Upstream error" {
					t.Errorf("got %v", e)
				}
				if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "fine") {
					t.Errorf("the error quotes the answer: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(res.AppendJSON([]byte("x"))); got != "x"+tt.want {
				t.Errorf("got  %s\nwant x%s", got, tt.want)
			}
			if units.Get(claviger.UnitInput) != 30 || units.Get(claviger.UnitOutput) != 12 || units.Get(claviger.UnitCachedInput) != 10 || units.Get(claviger.UnitReasoning) != 5 {
				t.Errorf("got %v", units)
			}
		})
	}
}

func TestUnitsSurviveABadAnswer(t *testing.T) {
	_, units, err := generate(t, withOutput(t, answerSchema)).Answer([]byte(response("completed", "null", says(`"no"`))))
	if err == nil || units.Get(claviger.UnitOutput) != 12 {
		t.Errorf("what was used must be settled: %v, %v", units, err)
	}
	_, units, err = generate(t).Answer([]byte(response("failed", "null", "")))
	if err == nil || units.Get(claviger.UnitOutput) != 12 {
		t.Errorf("what was used must be settled: %v, %v", units, err)
	}
}

func TestUsageThatIsNone(t *testing.T) {
	for _, usage := range []string{`null`, `5`, `{}`, `{"input_tokens":5}`, `{"input_tokens":-5,"output_tokens":1}`, `{"input_tokens":"5","output_tokens":1}`, `{"input_tokens":1e3,"output_tokens":1}`} {
		_, units, err := generate(t).Answer([]byte(`{"status":"completed","output":[` + says(`"a"`) + `],"usage":` + usage + `}`))
		if err != nil || units != nil {
			t.Errorf("%s: got %v, %v", usage, units, err)
		}
	}
}
