package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/openai"
)

// tooled is a call with hosted tools, what the provider answers, and what that costs.
type tooled struct {
	name, path, body string
	// items are the types of what the answer tells of, beside a message.
	items []string
	// asked is the bound on calls that the provider sees; 0 for none.
	asked int
	// held and used are millionths for calls of tools, found the tokens that they
	// may add.
	held, used, found int64
}

const searching = `{"model":"gpt-4.1-mini","input":"hi","tools":[{"type":"web_search"}]%s}`

var tooledCalls = []tooled{
	{"no tool is called", "/v1/responses", fmt.Sprintf(searching, ""), nil, 1, 10_000, 0, 128_000},
	{"one call", "/v1/responses", fmt.Sprintf(searching, ""), []string{"web_search_call"}, 1, 10_000, 10_000, 128_000},
	{"as many as the caller allows", "/v1/responses", fmt.Sprintf(searching, `,"max_tool_calls":3`), []string{"web_search_call", "web_search_call"}, 3, 30_000, 20_000, 384_000},
	{"more than allowed", "/v1/responses", fmt.Sprintf(searching, ""), []string{"web_search_call", "web_search_call"}, 1, 10_000, 20_000, 128_000},
	{"the preview", "/v1/responses", strings.Replace(fmt.Sprintf(searching, ""), "web_search", "web_search_preview", 1), []string{"web_search_call"}, 1, 25_000, 25_000, 128_000},
	{
		"several tools", "/v1/responses", `{"model":"gpt-4.1-mini","input":"hi","max_tool_calls":2,"tools":[{"type":"web_search"},{"type":"code_interpreter","container":{"type":"auto"}},{"type":"function","name":"f"}]}`,
		[]string{"web_search_call", "code_interpreter_call", "function_call"},
		2, 60_000, 40_000, 256_000,
	},
	{"only the caller's tools", "/v1/responses", `{"model":"gpt-4.1-mini","input":"hi","tools":[{"type":"function","name":"f"}]}`, []string{"function_call"}, 0, 0, 0, 0},
	{"an action", "/actions/search", `{"prompt":"hi"}`, []string{"web_search_call"}, 1, 10_000, 10_000, 128_000},
}

// toolAnswer is a response with items of these types.
func toolAnswer(items []string) string {
	var b strings.Builder
	for i, kind := range items {
		fmt.Fprintf(&b, `{"id":"i_%d","type":%q,"status":"completed","action":{"type":"search"},"container_id":"cntr_1","call_id":"c","name":"f","arguments":"{}"},`, i, kind)
	}
	return strings.Replace(responseAnswer, `"output":[`, `"output":[`+b.String(), 1)
}

// toolRig is a gateway whose provider answers so, and which remembers what was sent.
func toolRig(t *testing.T, c *tooled, stream bool, prices *admit.Prices, limits ...claviger.Limit) (r *rig, sent *string) {
	sent = new(string)
	return newRig(t, func(p *parts) {
		p.snapshot.Prices = prices
		p.snapshot.Proxy.Policy.Tools = openai.Tools()
		p.plans[0].Limits = limits
		p.plans[0].Models = []string{"*"}
		search, err := action.New(action.Definition{Name: "search", Model: model, Tools: []string{"web_search"}})
		must(t, err)
		p.snapshot.Actions = append(p.snapshot.Actions, search)
		p.snapshot.Upstream = &fakeUpstream{do: func(_ context.Context, a claviger.Authorized) (*http.Response, error) {
			b, err := io.ReadAll(a.Call().Body.Open())
			must(t, err)
			*sent = string(b)
			if !stream {
				return reply(toolAnswer(c.items)), nil
			}
			return reply("event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":1,\"response\":" + toolAnswer(c.items) + "}\n\n"), nil
		}}
	}), sent
}

// TestToolCalls: calls of hosted tools are bounded where a budget applies, held at
// the price of the dearest, and settled by what the answer tells of (M-L3).
func TestToolCalls(t *testing.T) {
	budget := []claviger.Limit{money(1 << 40), {Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodMonth}}}
	free := map[string]int64{}
	for _, tool := range openai.Tools() {
		free[tool] = 0
	}
	for _, c := range tooledCalls {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, streamed %v", c.name, stream), func(t *testing.T) {
				body, accept := c.body, ""
				switch {
				case stream && strings.HasPrefix(c.path, "/v1"):
					body = strings.Replace(body, "{", `{"stream":true,`, 1)
				case stream:
					accept = "text/event-stream"
				}
				var held, used, tokens [2]int64
				for i, prices := range []*admit.Prices{admit.DefaultPrices().WithTools(free), admit.DefaultPrices()} {
					r, sent := toolRig(t, &c, stream, prices, budget...)
					if a := r.post(c.path, body, "Accept", accept); a.status != http.StatusOK {
						t.Fatalf("%d %s", a.status, a.body)
					}
					r.events.wait(t, 1)
					if asked := strings.Contains(*sent, fmt.Sprintf(`"max_tool_calls":%d`, c.asked)); asked != (c.asked > 0) || strings.Count(*sent, "max_tool_calls") > 1 {
						t.Errorf("sent as %s", *sent)
					}
					if n := r.events.last(t).Units.ToolCalls(); n != int64(len(c.items)-strings.Count(strings.Join(c.items, " "), "function")) {
						t.Errorf("%d calls were counted: %v", n, r.events.last(t).Units)
					}
					s := r.holds.last()
					held[i], used[i], tokens[i] = amount(s.held, claviger.ChargeMoney), amount(s.used, claviger.ChargeMoney), amount(s.held, claviger.ChargeTokens)
				}
				if held[1]-held[0] != c.held || used[1]-used[0] != c.used {
					t.Errorf("%d held and %d used for tools, want %d and %d", held[1]-held[0], used[1]-used[0], c.held, c.used)
				}
				if n := tokens[1]; n < c.found || n > c.found+6000 {
					t.Errorf("%d tokens held, want %d and the call", n, c.found)
				}
			})
		}
	}
}

// TestToolsWithoutBudget: without a budget nobody bounds what tools do, and what
// they did is counted all the same.
func TestToolsWithoutBudget(t *testing.T) {
	c := tooled{items: []string{"web_search_call", "image_generation_call"}}
	r, sent := toolRig(t, &c, false, admit.DefaultPrices())
	if a := r.post("/v1/responses", `{"model":"gpt-4.1-mini","input":"hi","tools":[{"type":"web_search"},{"type":"image_generation"}]}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if strings.Contains(*sent, "max_tool_calls") {
		t.Errorf("sent as %s", *sent)
	}
	if e := r.events.last(t); e.Units.ToolCalls() != 2 || e.Cost.Micros < 10_000 || e.Estimated {
		t.Errorf("%+v", e)
	}
}

// TestToolsRefused: a tool without a price, and one whose calls nothing bounds, are
// refused where a budget applies, before anything is sent (M-L3).
func TestToolsRefused(t *testing.T) {
	tokens := claviger.Limit{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodMonth}}
	inChat := `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hi"}],"web_search_options":{}}`
	drawing := `{"model":"gpt-4.1-mini","input":"hi","tools":[{"type":"function","name":"f"},{"type":"image_generation"}]}`
	for _, tc := range []struct {
		name, path, body string
		limit            claviger.Limit
		prices           *admit.Prices
		status           int
	}{
		{"no price", "/v1/responses", drawing, money(1 << 40), admit.DefaultPrices(), http.StatusForbidden},
		{"a price below nothing", "/v1/responses", drawing, money(1 << 40), admit.DefaultPrices().WithTools(map[string]int64{"image_generation": -1}), http.StatusForbidden},
		{"a price of one's own", "/v1/responses", drawing, money(1 << 40), admit.DefaultPrices().WithTools(map[string]int64{"image_generation": 250_000}), http.StatusOK},
		{"no price, and tokens alone are counted", "/v1/responses", drawing, tokens, admit.DefaultPrices(), http.StatusOK},
		{"chat has no bound", chatPath, inChat, money(1 << 40), admit.DefaultPrices(), http.StatusForbidden},
		{"chat has no bound in tokens", chatPath, inChat, tokens, admit.DefaultPrices(), http.StatusForbidden},
	} {
		r, sent := toolRig(t, &tooled{}, false, tc.prices, tc.limit)
		a := r.post(tc.path, tc.body)
		if a.status != tc.status || tc.status == http.StatusForbidden && (*sent != "" || a.code() != "forbidden" || !strings.Contains(a.body, `"param":"tools"`)) {
			t.Errorf("%s: %d %s, sent %q", tc.name, a.status, a.body, *sent)
		}
	}
}
