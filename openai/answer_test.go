package openai_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

const (
	chatBodyMin      = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	responsesBodyMin = `{"model":"m","input":"hi"}`
)

func rebuilt(t *testing.T, path, body, answer string, p *openai.Policy) (string, claviger.Units) {
	t.Helper()
	r, err := openai.ParseCall(openai.Find(path)[0], openai.Sent{Path: path, Body: []byte(body)}, p)
	if err != nil {
		t.Fatal(err)
	}
	out, u, err := r.Answer([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	return string(out), u
}

// responsesAnswer has every member that the server could have injected.
const responsesAnswer = `{"id":"resp_1","object":"response","created_at":1741476542,"status":"completed","background":false,"billing":{"payer":"acme"},"error":null,"incomplete_details":null,` +
	`"instructions":"secret instructions","max_output_tokens":100,"max_tool_calls":null,"model":"gpt-5","output":[` +
	`{"id":"rs_1","type":"reasoning","encrypted_content":"gAAA","summary":[{"type":"summary_text","text":"thought"}],"internal":1},` +
	`{"id":"mcp_1","type":"mcp_list_tools","server_label":"internal"},` +
	`{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"a\":1}","call_id":"call_1","name":"f"},` +
	`{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[` +
	`{"type":"file_citation","file_id":"file-1","index":0,"filename":"internal.pdf"},{"type":"url_citation","start_index":0,"end_index":1,"url":"https://example.com","title":"T"}],"logprobs":[]},{"type":"new_kind"}]}],` +
	`"parallel_tool_calls":true,"previous_response_id":null,"prompt":{"id":"pmpt_1"},"prompt_cache_key":null,"reasoning":{"effort":"low","summary":null},"safety_identifier":"u_1","service_tier":"default","store":false,` +
	`"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"function","name":"f","description":null,"parameters":{"type":"object"},"strict":true},{"type":"mcp","authorization":"x"}],` +
	`"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":6},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":123},"user":"u","metadata":{"plan":"internal"}}`

func TestResponsesAnswer(t *testing.T) {
	got, u := rebuilt(t, responses, responsesBodyMin, responsesAnswer, &openai.Policy{})
	want := `{"id":"resp_1","object":"response","created_at":1741476542,"status":"completed","background":false,"error":null,"incomplete_details":null,` +
		`"max_output_tokens":100,"max_tool_calls":null,"model":"gpt-5","output":[` +
		`{"id":"rs_1","type":"reasoning","encrypted_content":"gAAA","summary":[{"type":"summary_text","text":"thought"}]},` +
		`{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"a\":1}","call_id":"call_1","name":"f"},` +
		`{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[` +
		`{"type":"url_citation","start_index":0,"end_index":1,"url":"https://example.com","title":"T"}],"logprobs":[]}]}],` +
		`"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{"effort":"low","summary":null},"service_tier":"default","store":false,` +
		`"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[{"type":"function","name":"f","description":null,"parameters":{"type":"object"},"strict":true}],` +
		`"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":6},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":123},` +
		`"instructions":null,"safety_identifier":null,"user":null,"metadata":null}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	wantUnits := claviger.Units{{Kind: claviger.UnitInput, Amount: 36}, {Kind: claviger.UnitOutput, Amount: 87}, {Kind: claviger.UnitCachedInput, Amount: 6}, {Kind: claviger.UnitReasoning, Amount: 64}}
	if d := cmp.Diff(wantUnits, u); d != "" {
		t.Error(d)
	}
}

// TestOwnMembersComeBack: what the caller itself sent is no secret.
func TestOwnMembersComeBack(t *testing.T) {
	p := &openai.Policy{ClientInstructions: true, User: "forward", Metadata: "forward", Prompts: []string{"pmpt_1"}}
	got, _ := rebuilt(t, responses, responsesWith(`"instructions":"mine","user":"u","metadata":{"k":"v"},"prompt":{"id":"pmpt_1"}`), responsesAnswer, p)
	v := parse(t, got)
	if at(v, "instructions").Str() != "secret instructions" || at(v, "user").Str() != "u" ||
		at(v, "metadata", "plan").Str() != "internal" || at(v, "prompt", "id").Str() != "pmpt_1" {
		t.Errorf("own members are missing in %s", got)
	}
	if !at(v, "safety_identifier").IsNull() {
		t.Error("the safety identifier came back")
	}
	got, _ = rebuilt(t, responses, responsesWith(`"user":"u","metadata":{"k":"v"}`), responsesAnswer, &openai.Policy{User: "drop", Metadata: "drop"})
	if v := parse(t, got); !at(v, "user").IsNull() || !at(v, "metadata").IsNull() {
		t.Errorf("dropped members came back in %s", got)
	}
}

func TestFailedAnswerSaysNothingOfUpstream(t *testing.T) {
	const canary = "req_abc at internal.example"
	in := strings.Replace(responsesAnswer, `"error":null`, `"error":{"code":"server_error","message":"`+canary+`"}`, 1)
	got, _ := rebuilt(t, responses, responsesBodyMin, in, &openai.Policy{})
	if strings.Contains(got, canary) || at(parse(t, got), "error", "code").Str() != "upstream_error" {
		t.Error(got)
	}
}

func TestChatAnswer(t *testing.T) {
	got, u := rebuilt(t, chat, chatBodyMin, strings.Replace(chatAnswer, `"choices"`, `"x_internal":{"a":1},"choices"`, 1), &openai.Policy{})
	if got != chatAnswer {
		t.Errorf("got\n%s\nwant\n%s", got, chatAnswer)
	}
	if u.Get(claviger.UnitInput) != 19 || u.Get(claviger.UnitOutput) != 10 {
		t.Errorf("units %v", u)
	}
}

// TestChatAnswerIsCompleted: the members that the SDKs' types require are there
// when upstream left them out, and what upstream must not have said is not.
func TestChatAnswerIsCompleted(t *testing.T) {
	got, u := rebuilt(t, chat, chatBodyMin, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"system","tool_calls":[`+
		`{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}","parsed":1}},{"id":"call_2","type":"custom","custom":{"name":"g","input":"x"}},{"type":"unknown"}],"audio":{"id":"a"}}}]}`, &openai.Policy{})
	want := `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"tool_calls":[` +
		`{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"call_2","type":"custom","custom":{"name":"g","input":"x"}}],"role":"assistant","content":null,"refusal":null},"logprobs":null}]}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if u != nil {
		t.Errorf("%v was used, of which the answer says nothing", u)
	}
}

func TestEmbeddingsAnswer(t *testing.T) {
	const head, tail = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":`, `}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}`
	for in, want := range map[string]string{
		`[0.0023064255,-1e-3]`: `[0.0023064255,-1e-3]`,
		`"AACAPw=="`:           `"AACAPw=="`,
		`[1,"x",2]`:            `[1,2]`,
	} {
		got, u := rebuilt(t, "/embeddings", `{"model":"m","input":"x"}`, head+in+tail, &openai.Policy{})
		if got != head+want+tail {
			t.Errorf("got %s", got)
		}
		if u.Get(claviger.UnitInput) != 8 || u.Get(claviger.UnitOutput) != 0 {
			t.Errorf("units %v", u)
		}
	}
}

func TestModerationsAnswer(t *testing.T) {
	const in = `{"id":"modr_1","model":"omni","results":[{"flagged":true,"categories":{"hate":false,"hate/threatening":null},"category_scores":{"hate":1.5e-7},"category_applied_input_types":{"hate":["text"]}}]}`
	got, u := rebuilt(t, "/moderations", `{"input":"x"}`, in, &openai.Policy{})
	if got != in {
		t.Error(got)
	}
	if len(u) == 0 || u.Get(claviger.UnitInput) != 0 || u.Get(claviger.UnitOutput) != 0 {
		t.Errorf("units %v, want zeros", u)
	}
}

func TestNoAnswer(t *testing.T) {
	for name, in := range map[string]string{
		"empty": ``, "HTML": `<html>`, "array": `[]`, "text": `"x"`, "cut": chatAnswer[:len(chatAnswer)-5], "two": chatAnswer + chatAnswer,
		"an error":           `{"error":{"message":"no","type":"x"}}`,
		"another object":     strings.Replace(chatAnswer, "chat.completion", "response", 1),
		"a chunk":            strings.Replace(chatAnswer, `"chat.completion"`, `"chat.completion.chunk"`, 1),
		"id of a wrong kind": strings.Replace(chatAnswer, `"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"`, `"id":1`, 1),
		"no choices":         strings.Replace(chatAnswer, `"choices"`, `"x"`, 1),
		"duplicate":          strings.Replace(chatAnswer, `"choices"`, `"id":"x","choices"`, 1),
	} {
		r := request(t, chat, []byte(chatBodyMin))
		out, _, err := r.Answer([]byte(in))
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.Code != claviger.CodeUpstreamError || out != nil {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
}

// TestUsageIsNotBelieved: numbers that cannot be are no report, so that no
// answer can turn a charge into a refund.
func TestUsageIsNotBelieved(t *testing.T) {
	for _, usage := range []string{
		`{"prompt_tokens":-5,"completion_tokens":1}`, `{"prompt_tokens":1.5}`, `{"prompt_tokens":"9"}`, `{}`, `null`, `[]`, `{"prompt_tokens":99999999999999999999}`,
	} {
		head, rest, _ := strings.Cut(chatAnswer, `{"prompt_tokens"`)
		_, tail, _ := strings.Cut(rest, `,"service_tier"`)
		_, u := rebuilt(t, chat, chatBodyMin, head+usage+`,"service_tier"`+tail, &openai.Policy{})
		if u != nil {
			t.Errorf("%s: %v was believed", usage, u)
		}
	}
	_, u := rebuilt(t, chat, chatBodyMin, strings.Replace(chatAnswer, `"cached_tokens":0`, `"cached_tokens":1000`, 1), &openai.Policy{})
	if u.Get(claviger.UnitCachedInput) != 19 {
		t.Errorf("more was cached than there was: %v", u)
	}
}

// TestExamplesOfTheDocument rebuilds the answers that OpenAI's document shows
// and compares names of members: nothing known is lost.
func TestExamplesOfTheDocument(t *testing.T) {
	doc := document(t)
	n := 0
	for path, body := range map[string]string{chat: chatBodyMin, responses: responsesBodyMin, "/embeddings": `{"model":"m","input":"x"}`, "/moderations": `{"input":"x"}`} {
		meta := at(doc, "paths", path, "post", "x-oaiMeta", "examples")
		examples := meta.Elems()
		if meta.Kind().String() == "object" {
			examples = append(examples, meta)
		}
		for _, x := range examples {
			text := at(x, "response").Str()
			r := request(t, path, []byte(body))
			if !strings.HasPrefix(text, "{") || strings.Contains(text, `"file_search"`) {
				continue // streams, and what comes back to those alone who asked for a search
			}
			out, _, err := r.Answer([]byte(text))
			if err != nil {
				if strings.Contains(err.Error(), "invalid JSON") {
					continue // some examples are abridged
				}
				t.Errorf("%s %q: %v\n%s", path, at(x, "title").Str(), err, text)
				continue
			}
			n++
			before, after := names(parse(t, text)), names(parse(t, string(out)))
			for _, name := range before {
				if !slices.Contains(after, name) && !slices.Contains(lost, name) {
					t.Errorf("%s %q: member %s is lost", path, at(x, "title").Str(), name)
				}
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d examples were read", n)
	}
}
