package openai_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

const (
	chat      = "/chat/completions"
	responses = "/responses"
)

// chatWith is a chat body with more members.
func chatWith(members string) string {
	return `{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}],` + members + `}`
}

func responsesWith(members string) string { return `{"model":"gpt-4.1","input":"hi",` + members + `}` }

func bodyOf(t testing.TB, c claviger.Call) string {
	t.Helper()
	if c.Body.ContentType() != "application/json" {
		t.Errorf("content type %q", c.Body.ContentType())
	}
	b, err := io.ReadAll(c.Body.Open())
	if err != nil || int64(len(b)) != c.Body.Len() {
		t.Fatalf("%d bytes of %d: %v", len(b), c.Body.Len(), err)
	}
	return string(b)
}

func call(t testing.TB, path, body string, p *openai.Policy, o ...claviger.Obligation) (claviger.Call, error) {
	t.Helper()
	r, err := openai.ParseCall(openai.Find(path)[0], openai.Sent{Path: path, Body: []byte(body)}, p)
	if err != nil {
		return claviger.Call{}, err
	}
	return r.Write(o, "u_1")
}

const forced = `,"store":false,"safety_identifier":"u_1"`

// TestWritten: what is forwarded, member for member.
func TestWritten(t *testing.T) {
	const head = `{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]`
	const items = `{"model":"gpt-4.1","input":"hi"`
	for _, x := range []struct {
		name, path, in string
		policy         openai.Policy
		want           string
	}{
		{"chat, least", chat, head + `}`, openai.Policy{}, head + `,"max_completion_tokens":4096` + forced + `}`},
		{"max_tokens keeps its name", chat, chatWith(`"max_tokens":10`), openai.Policy{}, head + `,"max_tokens":10` + forced + `}`},
		{"cap lowered", chat, chatWith(`"max_completion_tokens":100000`), openai.Policy{}, head + `,"max_completion_tokens":4096` + forced + `}`},
		{"cap by policy", chat, chatWith(`"max_completion_tokens":100000`), openai.Policy{DefaultMaxOutput: 9000}, head + `,"max_completion_tokens":9000` + forced + `}`},
		{"null is absent", chat, chatWith(`"max_tokens":null,"stream":null,"user":null,"metadata":null,"audio":null,"n":null,"store":null,"stream_options":null`), openai.Policy{}, head + `,"max_completion_tokens":4096` + forced + `}`},
		{"what the server sets is replaced", chat, chatWith(`"store":true,"safety_identifier":"me","service_tier":"priority"`), openai.Policy{ServiceTier: "default"}, head + `,"max_completion_tokens":4096` + forced + `,"service_tier":"default"}`},
		{"store by policy", chat, chatWith(`"store":false`), openai.Policy{Store: true}, head + `,"max_completion_tokens":4096,"store":true,"safety_identifier":"u_1"}`},
		{"stream asks for usage", chat, chatWith(`"stream":true`), openai.Policy{}, head + `,"stream":true,"max_completion_tokens":4096` + forced + `,"stream_options":{"include_usage":true}}`},
		{"stream options", chat, chatWith(`"stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}`), openai.Policy{}, head + `,"stream":true,"max_completion_tokens":4096` + forced + `,"stream_options":{"include_usage":true,"include_obfuscation":false}}`},
		{"stream false is left out", chat, chatWith(`"stream":false`), openai.Policy{}, head + `,"max_completion_tokens":4096` + forced + `}`},
		{"choices by policy", chat, chatWith(`"n":2`), openai.Policy{MaxChoices: 2}, head + `,"n":2,"max_completion_tokens":4096` + forced + `}`},
		{"user and metadata forwarded", chat, chatWith(`"user":"u","metadata":{"k":"v"}`), openai.Policy{User: "forward", Metadata: "forward"}, head + `,"user":"u","metadata":{"k":"v"},"max_completion_tokens":4096` + forced + `}`},
		{"user and metadata dropped", chat, chatWith(`"user":"u","metadata":{"k":"v"}`), openai.Policy{User: "drop", Metadata: "drop"}, head + `,"max_completion_tokens":4096` + forced + `}`},
		{
			"numbers and strings keep their meaning", chat,
			`{ "model" : "gpt-4.1", "messages":[{"role":"user","content":"a\u0000\u0041\/\ud834\udd1e\n\u2028"}], "temperature":0.10, "top_p":1E-1, "seed":9007199254740993, "logit_bias":{"50256":-100.0} }`,
			openai.Policy{},
			`{"model":"gpt-4.1","messages":[{"role":"user","content":"a\u0000A/𝄞\n` + "\u2028" + `"}],"temperature":0.10,"top_p":1E-1,"seed":9007199254740993,"logit_bias":{"50256":-100.0},"max_completion_tokens":4096` + forced + `}`,
		},
		{
			"an answer sent back", chat,
			`{"model":"gpt-4.1","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}}]},` +
				`{"role":"assistant","content":null,"refusal":null,"annotations":[],"audio":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"1"}],` +
				`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","x":[1,{"y":null}]},"strict":null}}],"tool_choice":{"type":"function","function":{"name":"f"}}}`,
			openai.Policy{},
			`{"model":"gpt-4.1","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}}]},` +
				`{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"1"}],` +
				`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","x":[1,{"y":null}]},"strict":null}}],"tool_choice":{"type":"function","function":{"name":"f"}},"max_completion_tokens":4096` + forced + `}`,
		},
		{"responses, least", responses, items + `}`, openai.Policy{}, items + `,"max_output_tokens":4096` + forced + `}`},
		{"responses stream", responses, responsesWith(`"stream":true,"stream_options":{"include_obfuscation":false},"max_output_tokens":7`), openai.Policy{}, items + `,"stream":true,"max_output_tokens":7` + forced + `,"stream_options":{"include_obfuscation":false}}`},
		{"nulls of the SDKs", responses, responsesWith(`"instructions":null,"previous_response_id":null,"conversation":null,"prompt":null,"background":false`), openai.Policy{}, items + `,"max_output_tokens":4096` + forced + `}`},
		{"client instructions", responses, responsesWith(`"instructions":"be brief"`), openai.Policy{ClientInstructions: true}, items + `,"instructions":"be brief","max_output_tokens":4096` + forced + `}`},
		{"stored prompt by allow list", responses, responsesWith(`"prompt":{"id":"pmpt_1","variables":{"a":"b","c":{"type":"input_text","text":"d"}}}`), openai.Policy{Prompts: []string{"pmpt_1"}}, items + `,"prompt":{"id":"pmpt_1","variables":{"a":"b","c":{"type":"input_text","text":"d"}}},"max_output_tokens":4096` + forced + `}`},
		{
			"a conversation sent back whole loses its ids", responses,
			`{"model":"gpt-5","input":[{"role":"user","content":"hi"},{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"gAAA"},` +
				`{"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{}","status":"completed"},{"type":"function_call_output","call_id":"call_1","output":"1"},` +
				`{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"yes","annotations":[],"logprobs":[]}]},` +
				`{"id":"msg_2","role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"}]}],"include":["reasoning.encrypted_content"]}`,
			openai.Policy{},
			`{"model":"gpt-5","input":[{"role":"user","content":"hi"},{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"gAAA"},` +
				`{"type":"function_call","call_id":"call_1","name":"f","arguments":"{}","status":"completed"},{"type":"function_call_output","call_id":"call_1","output":"1"},` +
				`{"type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"yes"}]},` +
				`{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"}]}],"include":["reasoning.encrypted_content"],"max_output_tokens":4096` + forced + `}`,
		},
		{"hosted tool by policy", responses, responsesWith(`"tools":[{"type":"web_search","user_location":{"type":"approximate","country":"DE"}}],"tool_choice":{"type":"web_search"},"include":["web_search_call.action.sources"]`), openai.Policy{Tools: []string{"web_search"}}, items + `,"tools":[{"type":"web_search","user_location":{"type":"approximate","country":"DE"}}],"tool_choice":{"type":"web_search"},"include":["web_search_call.action.sources"],"max_output_tokens":4096` + forced + `}`},
		{"embeddings have no safety identifier", "/embeddings", `{"input":["a","b"],"model":"text-embedding-3-small","encoding_format":"base64"}`, openai.Policy{}, `{"input":["a","b"],"model":"text-embedding-3-small","encoding_format":"base64"}`},
		{"embeddings of tokens", "/embeddings", `{"input":[[1,2],[3]],"model":"m"}`, openai.Policy{}, `{"input":[[1,2],[3]],"model":"m"}`},
		{"moderation names its model", "/moderations", `{"input":["a",{"type":"text","text":"b"}]}`, openai.Policy{}, `{"input":["a",{"type":"text","text":"b"}],"model":"omni-moderation-latest"}`},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, err := call(t, x.path, x.in, &x.policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := bodyOf(t, c); got != x.want {
				t.Errorf("got\n%s\nwant\n%s", got, x.want)
			}
			if c.Method != "POST" || c.Path != x.path || c.Query != "" {
				t.Errorf("%s %s?%s", c.Method, c.Path, c.Query)
			}
		})
	}
}

// refusedCalls are bodies that no caller may send without more of the policy.
var refusedCalls = []struct {
	name, path, in string
	code           claviger.Code
	param          string
}{
	{"no JSON", chat, `hi`, claviger.CodeInvalidJSON, ""},
	{"nothing", chat, ``, claviger.CodeInvalidJSON, ""},
	{"byte order mark", chat, "\ufeff" + chatWith(`"n":1`), claviger.CodeInvalidJSON, ""},
	{"duplicate name", chat, chatWith(`"model":"x"`), claviger.CodeInvalidJSON, "model"},
	{"duplicate name, escaped", chat, chatWith(`"m\u006fdel":"x"`), claviger.CodeInvalidJSON, "model"},
	{"an array", chat, `[]`, claviger.CodeInvalidInput, ""},
	{"no model", chat, `{"messages":[{"role":"user","content":"x"}]}`, claviger.CodeInvalidInput, "model"},
	{"empty model", chat, `{"model":"","messages":[]}`, claviger.CodeInvalidInput, "model"},
	{"model of another type", chat, `{"model":["gpt-4.1"],"messages":[]}`, claviger.CodeInvalidInput, "model"},
	{"model that is a path", chat, `{"model":"../x?y","messages":[]}`, claviger.CodeInvalidInput, "model"},
	{"model with a line feed", chat, `{"model":"a\nb","messages":[]}`, claviger.CodeInvalidInput, "model"},
	{"case variant", chat, chatWith(`"Model":"x"`), claviger.CodeInvalidInput, "Model"},
	{"unknown member", chat, chatWith(`"api_base":"https://example.com"`), claviger.CodeInvalidInput, "api_base"},
	{"unknown member deep down", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","y":1}]}]}`, claviger.CodeInvalidInput, "messages[0].content[0].y"},
	{"no messages", chat, `{"model":"m"}`, claviger.CodeInvalidInput, "messages"},
	{"empty messages", chat, `{"model":"m","messages":[]}`, claviger.CodeInvalidInput, "messages"},
	{"messages of another type", chat, `{"model":"m","messages":"x"}`, claviger.CodeInvalidInput, "messages"},
	{"too many messages", chat, `{"model":"m","messages":[` + strings.TrimSuffix(strings.Repeat(`{"role":"user","content":"x"},`, 2049), ",") + `]}`, claviger.CodeInvalidInput, "messages"},
	{"no role", chat, `{"model":"m","messages":[{"content":"x"}]}`, claviger.CodeInvalidInput, "messages[0].role"},
	{"unknown role", chat, `{"model":"m","messages":[{"role":"root","content":"x"}]}`, claviger.CodeInvalidInput, "messages[0].role"},
	{"role of another type", chat, `{"model":"m","messages":[{"role":1,"content":"x"}]}`, claviger.CodeInvalidInput, "messages[0].role"},
	{"no content", chat, `{"model":"m","messages":[{"role":"user"}]}`, claviger.CodeInvalidInput, "messages[0].content"},
	{"system", chat, `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"system","content":"x"}]}`, claviger.CodeForbidden, "messages[1].role"},
	{"developer", chat, `{"model":"m","messages":[{"content":"x","role":"developer"}]}`, claviger.CodeForbidden, "messages[0].role"},
	{"audio in", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]}`, claviger.CodeForbidden, "messages[0].content[0].type"},
	{"file in", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}`, claviger.CodeForbidden, "messages[0].content[0].type"},
	{"stored audio", chat, `{"model":"m","messages":[{"role":"assistant","audio":{"id":"audio_1"}}]}`, claviger.CodeNotFound, "messages[0].audio"},
	{"plain http image", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://example.com/a.png"}}]}]}`, claviger.CodeInvalidInput, "messages[0].content[0].image_url.url"},
	{"data URL of no image", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:text/html;base64,AAAA"}}]}]}`, claviger.CodeInvalidInput, "messages[0].content[0].image_url.url"},
	{"both caps", chat, chatWith(`"max_tokens":1,"max_completion_tokens":2`), claviger.CodeInvalidInput, "max_completion_tokens"},
	{"cap zero", chat, chatWith(`"max_tokens":0`), claviger.CodeInvalidInput, "max_tokens"},
	{"cap negative", chat, chatWith(`"max_completion_tokens":-1`), claviger.CodeInvalidInput, "max_completion_tokens"},
	{"cap fraction", chat, chatWith(`"max_tokens":1.5`), claviger.CodeInvalidInput, "max_tokens"},
	{"cap exponent", chat, chatWith(`"max_tokens":1e9`), claviger.CodeInvalidInput, "max_tokens"},
	{"cap beyond 64 bits", chat, chatWith(`"max_tokens":99999999999999999999`), claviger.CodeInvalidInput, "max_tokens"},
	{"cap text", chat, chatWith(`"max_tokens":"5"`), claviger.CodeInvalidInput, "max_tokens"},
	{"the other endpoint's cap", chat, chatWith(`"max_output_tokens":5`), claviger.CodeInvalidInput, "max_output_tokens"},
	{"n", chat, chatWith(`"n":2`), claviger.CodeInvalidInput, "n"},
	{"n zero", chat, chatWith(`"n":0`), claviger.CodeInvalidInput, "n"},
	{"best_of", chat, chatWith(`"best_of":2`), claviger.CodeInvalidInput, "best_of"},
	{"user", chat, chatWith(`"user":"x"`), claviger.CodeForbidden, "user"},
	{"metadata", chat, chatWith(`"metadata":{}`), claviger.CodeForbidden, "metadata"},
	{"stream of another type", chat, chatWith(`"stream":"true"`), claviger.CodeInvalidInput, "stream"},
	{"stream options without stream", chat, chatWith(`"stream_options":{"include_usage":true}`), claviger.CodeInvalidInput, "stream_options"},
	{"unknown stream option", chat, chatWith(`"stream":true,"stream_options":{"x":true}`), claviger.CodeInvalidInput, "stream_options.x"},
	{"store of another type", chat, chatWith(`"store":"no"`), claviger.CodeInvalidInput, "store"},
	{"audio out", chat, chatWith(`"modalities":["text","audio"]`), claviger.CodeForbidden, "modalities[1]"},
	{"voice", chat, chatWith(`"audio":{"voice":"alloy","format":"mp3"}`), claviger.CodeForbidden, "audio"},
	{"prediction", chat, chatWith(`"prediction":{"type":"content","content":"x"}`), claviger.CodeForbidden, "prediction"},
	{"web search in chat", chat, chatWith(`"web_search_options":{}`), claviger.CodeForbidden, "web_search_options"},
	{"long cache", chat, chatWith(`"prompt_cache_retention":"24h"`), claviger.CodeForbidden, "prompt_cache_retention"},
	{"cache options", chat, chatWith(`"prompt_cache_options":{"ttl":"30m"}`), claviger.CodeForbidden, "prompt_cache_options"},
	{"cache breakpoint", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"}}]}]}`, claviger.CodeForbidden, "messages[0].content[0].prompt_cache_breakpoint"},
	{"unknown tool in chat", chat, chatWith(`"tools":[{"type":"web_search"}]`), claviger.CodeInvalidInput, "tools[0].type"},
	{"too many tools", chat, chatWith(`"tools":[` + strings.TrimSuffix(strings.Repeat(`{"type":"function","function":{"name":"f"}},`, 129), ",") + `]`), claviger.CodeInvalidInput, "tools"},

	{"no input", responses, `{"model":"m"}`, claviger.CodeInvalidInput, "input"},
	{"empty input", responses, `{"model":"m","input":[]}`, claviger.CodeInvalidInput, "input"},
	{"instructions", responses, responsesWith(`"instructions":"x"`), claviger.CodeForbidden, "instructions"},
	{"empty instructions", responses, responsesWith(`"instructions":""`), claviger.CodeForbidden, "instructions"},
	{"system item", responses, `{"model":"m","input":[{"role":"system","content":"x"}]}`, claviger.CodeForbidden, "input[0].role"},
	{"typed developer item", responses, `{"model":"m","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"x"}]}]}`, claviger.CodeForbidden, "input[0].role"},
	{"reference of another type", responses, responsesWith(`"previous_response_id":7`), claviger.CodeInvalidInput, "previous_response_id"},
	{"reference with a path in it", responses, responsesWith(`"previous_response_id":"resp_1?x=%2e"`), claviger.CodeNotFound, "previous_response_id"},
	{"empty reference", responses, responsesWith(`"conversation":""`), claviger.CodeInvalidInput, "conversation"},
	{"conversation with more", responses, responsesWith(`"conversation":{"id":"conv_1","x":1}`), claviger.CodeInvalidInput, "conversation.x"},
	{"item of nothing", responses, `{"model":"m","input":[{}]}`, claviger.CodeInvalidInput, "input[0].type"},
	{"unknown item", responses, `{"model":"m","input":[{"type":"x"}]}`, claviger.CodeInvalidInput, "input[0].type"},
	{"reasoning by reference", responses, `{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[]}]}`, claviger.CodeInvalidInput, "input[0].encrypted_content"},
	{"reasoning that was not asked for", responses, `{"model":"m","input":[{"type":"reasoning","encrypted_content":null,"summary":[]}]}`, claviger.CodeInvalidInput, "input[0].encrypted_content"},
	{"file by id", responses, `{"model":"m","input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]}`, claviger.CodeForbidden, "input[0].content[0].type"},
	{"image by what is no id", responses, `{"model":"m","input":[{"role":"user","content":[{"type":"input_image","file_id":"file 1"}]}]}`, claviger.CodeNotFound, "input[0].content[0].file_id"},
	{"image of nothing", responses, `{"model":"m","input":[{"role":"user","content":[{"type":"input_image","detail":"low"}]}]}`, claviger.CodeInvalidInput, "input[0].content[0].image_url"},
	{"image by id for a stored prompt", responses, responsesWith(`"prompt":{"id":"p","variables":{"a":{"type":"input_image","image_url":"https://example.com/a.png","file_id":"file-1"}}}`), claviger.CodeForbidden, "prompt.id"},
	{"file search", responses, responsesWith(`"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]`), claviger.CodeForbidden, "tools[0].type"},
	{"what a file search found", responses, `{"model":"m","input":[{"type":"file_search_call","id":"fs_1","queries":["a"]}]}`, claviger.CodeForbidden, "input[0].type"},
	{"computer item", responses, `{"model":"m","input":[{"type":"computer_call_output","call_id":"c","output":{}}]}`, claviger.CodeForbidden, "input[0].type"},
	{"tools by item", responses, `{"model":"m","input":[{"type":"additional_tools","role":"developer","tools":[{"type":"web_search"}]}]}`, claviger.CodeForbidden, "input[0].type"},
	{"search found item", responses, `{"model":"m","input":[{"type":"web_search_call","status":"completed","action":{}}]}`, claviger.CodeForbidden, "input[0].type"},
	{"program's call", responses, `{"model":"m","input":[{"type":"function_call","call_id":"c","name":"f","arguments":"","caller":{"type":"program","caller_id":"x"}}]}`, claviger.CodeForbidden, "input[0].caller.type"},
	{"prompt", responses, responsesWith(`"prompt":{"id":"pmpt_1"}`), claviger.CodeForbidden, "prompt.id"},
	{"background", responses, responsesWith(`"background":true`), claviger.CodeForbidden, "background"},
	{"background stream", responses, responsesWith(`"stream":true,"background":true`), claviger.CodeForbidden, "background"},
	{"pro mode", responses, responsesWith(`"reasoning":{"mode":"pro"}`), claviger.CodeForbidden, "reasoning.mode"},
	{"compaction", responses, responsesWith(`"context_management":[{"type":"compaction"}]`), claviger.CodeForbidden, "context_management"},
	{"include of files", responses, responsesWith(`"include":["file_search_call.results"]`), claviger.CodeForbidden, "include[0]"},
	{"include of anything", responses, responsesWith(`"include":["*"]`), claviger.CodeInvalidInput, "include[0]"},
	{"chosen hosted tool", responses, responsesWith(`"tool_choice":{"type":"web_search_preview"}`), claviger.CodeForbidden, "tool_choice.type"},
	{"allowed hosted tool", responses, responsesWith(`"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"x"}]}`), claviger.CodeForbidden, "tool_choice.tools[0].type"},
	{"deferred tool", responses, responsesWith(`"tools":[{"type":"function","name":"f","defer_loading":true}]`), claviger.CodeForbidden, "tools[0].defer_loading"},
	{"program may call", responses, responsesWith(`"tools":[{"type":"function","name":"f","allowed_callers":["programmatic"]}]`), claviger.CodeInvalidInput, "tools[0].allowed_callers[0]"},
	{"include_usage is chat's", responses, responsesWith(`"stream":true,"stream_options":{"include_usage":true}`), claviger.CodeInvalidInput, "stream_options.include_usage"},

	{"embeddings without input", "/embeddings", `{"model":"m"}`, claviger.CodeInvalidInput, "input"},
	{"embeddings of nothing", "/embeddings", `{"model":"m","input":""}`, claviger.CodeInvalidInput, "input"},
	{"embeddings of objects", "/embeddings", `{"model":"m","input":[{}]}`, claviger.CodeInvalidInput, "input[0]"},
	{"embeddings of fractions", "/embeddings", `{"model":"m","input":[[0.5]]}`, claviger.CodeInvalidInput, "input[0][0]"},
	{"embeddings stored", "/embeddings", `{"model":"m","input":"x","store":true}`, claviger.CodeInvalidInput, "store"},
	{"moderation by file", "/moderations", `{"input":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}`, claviger.CodeInvalidInput, "input[0].image_url.url"},
}

func TestRefused(t *testing.T) {
	for _, x := range refusedCalls {
		t.Run(x.name, func(t *testing.T) {
			_, err := call(t, x.path, x.in, &openai.Policy{})
			e, ok := errors.AsType[*claviger.Error](err)
			if !ok || e.Code != x.code || e.Param != x.param {
				t.Fatalf("got %v, want %s (%s)", err, x.code, x.param)
			}
			if e.Sentence() == "" {
				t.Error("no sentence for the caller")
			}
		})
	}
}

// TestHostedTools: every type of tool of OpenAI's document but function and
// custom is refused by name, and those that refer to objects of the account
// also where the policy names them.
func TestHostedTools(t *testing.T) {
	doc := document(t)
	all := &openai.Policy{Tools: append(openai.Tools(), "file_search", "mcp", "computer", "local_shell", "shell", "apply_patch", "namespace", "tool_search", "programmatic_tool_calling", "computer_use_preview")}
	seen := 0
	for _, ref := range at(doc, "components", "schemas", "Tool", "oneOf").Items() {
		name := at(ref, "$ref").Str()
		for _, kind := range at(doc, "components", "schemas", name[strings.LastIndexByte(name, '/')+1:], "properties", "type", "enum").Items() {
			seen++
			body := responsesWith(`"tools":[{"type":"` + kind.Str() + `"}]`)
			_, err := call(t, responses, body, &openai.Policy{})
			own := kind.Is("function") || kind.Is("custom")
			if e, ok := errors.AsType[*claviger.Error](err); !own && (!ok || e.Code != claviger.CodeForbidden || e.Param != "tools[0].type") {
				t.Errorf("%s: %v", kind.Str(), err)
			}
			_, err = call(t, responses, body, all)
			known := false
			for _, k := range openai.Tools() {
				known = known || strings.HasPrefix(kind.Str(), k)
			}
			if e, ok := errors.AsType[*claviger.Error](err); !known && (!ok || e.Code != claviger.CodeForbidden) {
				t.Errorf("%s with every tool allowed: %v", kind.Str(), err)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d tools in the document", seen)
	}
}

func TestContainersAreNotNamed(t *testing.T) {
	p := &openai.Policy{Tools: []string{"code_interpreter"}}
	for in, param := range map[string]string{
		`"cntr_1"`:                              "tools[0].container",
		`{"type":"auto","file_ids":["file-1"]}`: "tools[0].container.file_ids",
	} {
		_, err := call(t, responses, responsesWith(`"tools":[{"type":"code_interpreter","container":`+in+`}]`), p)
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.Code != claviger.CodeNotFound || e.Param != param {
			t.Errorf("%s: %v", in, err)
		}
	}
	if _, err := call(t, responses, responsesWith(`"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]`), p); err != nil {
		t.Error(err)
	}
}

func TestObligations(t *testing.T) {
	body := chatWith(`"max_completion_tokens":500,"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}]`)
	c, err := call(t, chat, body, &openai.Policy{},
		claviger.Obligation{Kind: claviger.ObligeMaxOutput, Limit: 200},
		claviger.Obligation{Kind: claviger.ObligeMaxOutput, Limit: 300},
		claviger.Obligation{Kind: claviger.ObligeTools, Values: []string{"custom", "function"}},
		claviger.Obligation{Kind: claviger.ObligeMaxInput, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxOutput != 200 || !strings.Contains(bodyOf(t, c), `"max_completion_tokens":200,`) {
		t.Errorf("cap %d in %s", c.MaxOutput, bodyOf(t, c))
	}
	if strings.Join(c.Tools, ",") != "function,custom" {
		t.Errorf("tools %v", c.Tools)
	}
	for _, x := range []struct {
		o     claviger.Obligation
		code  claviger.Code
		param string
	}{
		{claviger.Obligation{Kind: claviger.ObligeTools, Values: []string{"function"}}, claviger.CodeForbidden, "tools[1].type"},
		{claviger.Obligation{Kind: claviger.ObligeTools}, claviger.CodeForbidden, "tools[0].type"},
		{claviger.Obligation{Kind: claviger.ObligeMaxOutput}, claviger.CodeForbidden, "max_completion_tokens"},
		{claviger.Obligation{Kind: claviger.ObligeMaxInput, Limit: 10}, claviger.CodeInvalidInput, "messages"},
		{claviger.Obligation{Kind: "new"}, claviger.CodeInternal, ""},
	} {
		_, err := call(t, chat, body, &openai.Policy{}, x.o)
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.Code != x.code || e.Param != x.param {
			t.Errorf("%v: %v", x.o, err)
		}
	}
}

func TestWriteTwice(t *testing.T) {
	r := request(t, chat, []byte(chatWith(`"stream":true`)))
	first, err := r.Write(nil, "one")
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Write([]claviger.Obligation{{Kind: claviger.ObligeMaxOutput, Limit: 7}}, "two")
	if err != nil {
		t.Fatal(err)
	}
	if b := bodyOf(t, first); !strings.Contains(b, `"one"`) || !strings.Contains(b, ":4096,") {
		t.Errorf("the first body changed: %s", b)
	}
	if b := bodyOf(t, second); !strings.Contains(b, `"two"`) || !strings.Contains(b, ":7,") {
		t.Errorf("the second body: %s", b)
	}
}

func TestQueryIsDropped(t *testing.T) {
	r, err := openai.ParseCall(openai.Find(responses)[0], openai.Sent{Path: responses, Query: "api-version=1&include=x&api_key=abc", Body: []byte(responsesWith(`"top_p":1`))}, &openai.Policy{})
	if err != nil || r.Call().Query != "" {
		t.Errorf("query %q, %v", r.Call().Query, err)
	}
}

func TestNoBodyForModels(t *testing.T) {
	if _, err := openai.ParseCall(openai.Find("/models")[0], openai.Sent{Path: "/models", Body: []byte(`{}`)}, &openai.Policy{}); err == nil {
		t.Error("GET /models took a body")
	}
}

func TestInputBound(t *testing.T) {
	words := func(_, text string) int64 { return int64(len(strings.Fields(text))) }
	long := `{"model":"%","messages":[{"role":"user","content":"` + strings.Repeat("wordword ", 100) + `"}]}`
	image := `{"model":"%","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 100_000) + `"#}}]}]}`
	for _, x := range []struct {
		name, body, model string
		tokens            func(_, _ string) int64
		limit             int64
		least, most       int64 // of MaxInput; 0, 0: refused
	}{
		{"bytes bound", long, "m", nil, 2000, 900, 1100},
		{"bytes over", long, "m", nil, 800, 0, 0},
		{"counted", long, "m", words, 800, 100, 300},
		{"counted and over", long, "m", words, 150, 0, 0},
		{"too long to be counted", long, "m", func(_, _ string) int64 { panic("counted") }, 50, 0, 0},
		{"not counted when bytes fit", long, "m", func(_, _ string) int64 { panic("counted") }, 2000, 900, 1100},
		{"image by number", image, "m", nil, 5000, 4096, 4400},
		{"image of gpt-4o-mini", image, "gpt-4o-mini", nil, 50_000, 48_169, 48_500},
		{"image of a fine-tuned gpt-4o-mini", image, "ft:gpt-4o-mini:acme::1", nil, 50_000, 48_169, 48_500},
		{"image over", image, "gpt-4o-mini", words, 30_000, 0, 0},
		{"original image", strings.Replace(image, "#", `,"detail":"original"`, 1), "m", nil, 20_000, 16_384, 17_000},
	} {
		t.Run(x.name, func(t *testing.T) {
			body := strings.NewReplacer("%", x.model, "#", "").Replace(x.body)
			c, err := call(t, chat, body, &openai.Policy{Tokens: x.tokens}, claviger.Obligation{Kind: claviger.ObligeMaxInput, Limit: x.limit})
			if x.most == 0 {
				if e, ok := errors.AsType[*claviger.Error](err); !ok || e.Code != claviger.CodeInvalidInput || e.Param != "messages" {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || c.MaxInput < x.least || c.MaxInput > x.most {
				t.Errorf("bound %d, want %d to %d: %v", c.MaxInput, x.least, x.most, err)
			}
		})
	}
}
