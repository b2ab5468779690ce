package gateway_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/content"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openaitest"
)

// policy refuses by patterns, and asks the provider where m is not nil.
func policy(t testing.TB, m *content.Moderation) *content.Policy {
	t.Helper()
	p := &content.Policy{Moderation: m}
	for _, name := range []string{"email", "credit-card"} {
		x, ok := content.Builtin(name)
		if !ok {
			t.Fatal(name)
		}
		p.Patterns = append(p.Patterns, x)
	}
	own, err := content.Compile("project-name", `(?i)\bfalcon\b`)
	must(t, err)
	p.Patterns = append(p.Patterns, own)
	return p
}

func moderation() *content.Moderation {
	return &content.Moderation{Model: content.DefaultModel, Timeout: 10 * time.Second}
}

// held gives a rig a content policy, and limits that a call takes and has to give
// back.
func held(t testing.TB, m *content.Moderation) func(*parts) {
	return func(p *parts) {
		p.snapshot.Content = policy(t, m)
		p.plans[0].Limits = wants
	}
}

const (
	mail = "write to ada" + "@" + "example.com"
	// card is a number for tests with a right last digit.
	card = "4111 1111 1111 1111"
)

const moderationsPath = "/v1/moderations"

// blamed is the place that a refusal names, in either shape.
func blamed(t *testing.T, a answer) string {
	t.Helper()
	v, err := jsonx.Parse([]byte(a.body))
	must(t, err)
	if e, _ := v.Get("error"); e.Kind() == jsonx.KindObject {
		p, _ := e.Get("param")
		return p.Str()
	}
	return member(t, a.body, "field")
}

func bodyOf(c claviger.Call) string {
	b, _ := io.ReadAll(c.Body.Open())
	return string(b)
}

// refusedByContent checks that a call was refused for what it says, in words that
// do not repeat it, that the provider was not asked for an answer, and that
// nothing was charged.
func (r *rig) refusedByContent(t *testing.T, a answer, place, what, text string) {
	t.Helper()
	if a.status != http.StatusBadRequest || a.code() != "invalid_input" || blamed(t, a) != place || !strings.Contains(a.body, what+" is not allowed") {
		t.Errorf("%q: %d %s, not %s at %s", text, a.status, a.body, what, place)
	}
	if strings.Contains(a.body, text) || a.header.Get("X-Should-Retry") != "false" {
		t.Errorf("the refusal repeats the text or asks to be tried again: %v %s", a.header, a.body)
	}
	if n := r.calls() - r.sim.Count(moderationsPath); n != 0 {
		t.Errorf("the provider was called %d times", n)
	}
	if last := r.holds.last(); !last.released || amount(last.held, claviger.ChargeLease) != 1 {
		t.Errorf("the hold ended so: %+v", last)
	}
	if e := r.events.last(t); e.Cost.Micros != 0 || len(e.Units) != 0 || strings.Contains(e.Cause, text) {
		t.Errorf("accounted so: %+v", e)
	}
}

// TestContentPatterns: what the operator does not want to reach the provider is
// refused wherever a caller can say it (M-A3, M-D1).
func TestContentPatterns(t *testing.T) {
	r := newRig(t, func(p *parts) {
		held(t, nil)(p)
		p.snapshot.Proxy.Policy.ClientInstructions = true
		p.snapshot.Proxy.Policy.Metadata = "forward"
		p.snapshot.Proxy.Policy.Tools = []string{"function"}
		p.snapshot.Proxy.Endpoints = append(p.snapshot.Proxy.Endpoints, "files")
	})
	escaped := strings.ReplaceAll(mail, "@", `\u0040`)
	for _, tc := range []struct{ path, body, place, what, text string }{
		{generatePath, generate(mail), "prompt", "email", mail},
		{generatePath, generate("pay with " + card), "prompt", "credit-card", card},
		{generatePath, generate("what of Falcon?"), "prompt", "project-name", "alcon"},
		{generatePath, `{"prompt":"` + escaped + `"}`, "prompt", "email", mail},
		{"/actions/assistant", `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"` + mail + `"},{"role":"user","content":"so?"}]}`, "messages[1].content", "email", mail},
		{chatPath, chat(mail), "messages[0].content", "email", mail},
		{chatPath, chatStream(mail), "messages[0].content", "email", mail},
		{chatPath, fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"text","text":%q}]}]}`, model, mail), "messages[0].content[1].text", "email", mail},
		{chatPath, fmt.Sprintf(`{"model":%q,"messages":[{"role":"system","content":%q},{"role":"user","content":"hi"}]}`, model, mail), "messages[0].content", "email", mail},
		{chatPath, fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}],"metadata":{%q:"x"}}`, model, mail), "metadata", "email", mail},
		{chatPath, fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","description":%q}}}}}]}`, model, mail), "tools[0].function.parameters.properties.a.description", "email", mail},
		{"/v1/responses", fmt.Sprintf(`{"model":%q,"input":%q}`, model, mail), "input", "email", mail},
		{"/v1/responses", fmt.Sprintf(`{"model":%q,"input":"hi","instructions":%q}`, model, mail), "instructions", "email", mail},
		{"/v1/responses", fmt.Sprintf(`{"model":%q,"input":[{"role":"user","content":[{"type":"input_text","text":%q}]}]}`, model, mail), "input[0].content[0].text", "email", mail},
		{"/v1/responses", fmt.Sprintf(`{"model":%q,"input":[{"type":"function_call_output","call_id":"c","output":%q}]}`, model, mail), "input[0].output", "email", mail},
		{"/v1/embeddings", fmt.Sprintf(`{"model":"text-embedding-3-small","input":["hi",%q]}`, mail), "input[1]", "email", mail},
		{moderationsPath, fmt.Sprintf(`{"input":%q}`, mail), "input", "email", mail},
	} {
		r.refusedByContent(t, r.post(tc.path, tc.body), tc.place, tc.what, tc.text)
	}
	tokens := r.post("/v1/embeddings", `{"model":"text-embedding-3-small","input":[[1,2,3]]}`)
	if tokens.status != http.StatusBadRequest || blamed(t, tokens) != "input" {
		t.Errorf("tokens: %d %s", tokens.status, tokens.body)
	}
	if r.calls() != 0 {
		t.Errorf("the provider was called %d times", r.calls())
	}
	for path, body := range map[string]string{generatePath: generate("hi"), chatPath: chat("hi"), "/v1/embeddings": `{"model":"text-embedding-3-small","input":"hi"}`} {
		if a := r.post(path, body); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if r.calls() != 3 {
		t.Errorf("%d calls, not 3", r.calls())
	}
}

// TestContentPages: a form in a browser gets the refusal as a page.
func TestContentPages(t *testing.T) {
	r := newRig(t, held(t, nil))
	a := r.post(generatePath, "prompt="+strings.ReplaceAll(strings.ReplaceAll(mail, " ", "+"), "@", "%40"), "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html")
	if a.status != http.StatusBadRequest || !strings.Contains(a.body, "email is not allowed") || strings.Contains(a.body, mail) || r.calls() != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestContentOfOwn: an action's and the proxy's own policy stands in the place of
// that of all.
func TestContentOfOwn(t *testing.T) {
	r := newRig(t, func(p *parts) {
		held(t, nil)(p)
		p.snapshot.ActionContent = map[string]*content.Policy{"generate-text": {}}
		own, err := content.Compile("greeting", "^hi$")
		must(t, err)
		p.snapshot.Proxy.Content = &content.Policy{Patterns: []content.Pattern{own}}
	})
	for _, tc := range []struct {
		path, body string
		status     int
	}{
		{generatePath, generate(mail), 200},
		{"/actions/assistant", `{"messages":[{"role":"user","content":"` + mail + `"}]}`, 400},
		{chatPath, chat(mail), 200},
		{chatPath, chat("hi"), 400},
	} {
		if a := r.post(tc.path, tc.body); a.status != tc.status {
			t.Errorf("%s %s: %d %s", tc.path, tc.body, a.status, a.body)
		}
	}
}

// TestModeration: what the provider flags is refused before the call, and named by
// its place.
func TestModeration(t *testing.T) {
	r := newRig(t, held(t, moderation()))
	const say = "flag as violence"
	for _, tc := range []struct{ path, body, place string }{
		{generatePath, generate(say), "prompt"},
		{"/actions/assistant", `{"messages":[{"role":"assistant","content":"hi"},{"role":"user","content":"` + say + `"}]}`, "messages[1].content"},
		{chatPath, chat(say), "messages[0].content"},
		{chatPath, fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"text","text":%q}]}]}`, model, say), "messages[0].content[1].text"},
		{"/v1/responses", responseStream(say), "input"},
	} {
		r.refusedByContent(t, r.post(tc.path, tc.body), tc.place, "violence", say)
	}
	asked := r.sim.Count(moderationsPath)
	if asked != 5 {
		t.Errorf("%d moderations, not 5", asked)
	}
	for _, body := range []string{chat("hi"), chatStream("hi")} {
		if a := r.post(chatPath, body); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if r.sim.Count(moderationsPath) != asked+2 || r.sim.Count(chatPath) != 2 {
		t.Errorf("%d moderations and %d calls", r.sim.Count(moderationsPath), r.sim.Count(chatPath))
	}
	// Who asks for a moderation gets that alone.
	if a := r.post(moderationsPath, `{"input":"`+say+`"}`); a.status != http.StatusOK || r.sim.Count(moderationsPath) != asked+3 {
		t.Errorf("%d %s, %d moderations", a.status, a.body, r.sim.Count(moderationsPath))
	}
	// A pattern spares the question.
	r.post(chatPath, chat(mail))
	if r.sim.Count(moderationsPath) != asked+3 {
		t.Error("the provider was asked about what a pattern refuses")
	}
}

// TestModerationLimits: a moderation takes the caller's rate, so that refused calls
// do not make any number of them.
func TestModerationLimits(t *testing.T) {
	r := newRig(t, func(p *parts) {
		p.snapshot.Content = policy(t, moderation())
		p.plans[0].Limits = []claviger.Limit{{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 3, Per: claviger.PeriodDay}}}
	})
	for i := range 6 {
		want := http.StatusBadRequest
		if i >= 3 {
			want = http.StatusTooManyRequests
		}
		if a := r.post(chatPath, chat("flag as hate")); a.status != want {
			t.Errorf("call %d: %d %s", i, a.status, a.body)
		}
	}
	if n := r.sim.Count(""); n != 3 {
		t.Errorf("%d calls upstream, not 3", n)
	}
}

// TestModerationFails: a provider that does not judge refuses the call, or lets it
// pass where the operator says so.
func TestModerationFails(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  openaitest.Fault
		status int
		code   string
	}{
		{"down", openaitest.Fault{Kind: openaitest.Status, Status: 500}, 502, "upstream_error"},
		{"cut", openaitest.Fault{Kind: openaitest.Cut}, 502, "upstream_error"},
		{"no JSON", openaitest.Fault{Kind: openaitest.InvalidJSON}, 502, "upstream_error"},
		{"half", openaitest.Fault{Kind: openaitest.Truncated}, 502, "upstream_error"},
		{"busy", openaitest.Fault{Kind: openaitest.Status, Status: 429, RetryAfter: "3"}, 503, "upstream_busy"},
		{"refused", openaitest.Fault{Kind: openaitest.Status, Status: 400, Message: "Invalid value: 'x'.", Param: "input"}, 502, "upstream_error"},
		{"silent", openaitest.Fault{Kind: openaitest.Hang}, 504, "upstream_timeout"},
		{"silent in the middle", openaitest.Fault{Kind: openaitest.HangBody}, 504, "upstream_timeout"},
	} {
		for _, open := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, open %v", tc.name, open), func(t *testing.T) {
				t.Parallel()
				m := moderation()
				m.Open = open
				if tc.status == http.StatusGatewayTimeout {
					m.Timeout = 50 * time.Millisecond
				}
				r := newRig(t, held(t, m))
				fault := tc.fault
				fault.Path = moderationsPath
				r.sim.Inject(fault)
				a := r.post(chatPath, chat("hi"))
				if open {
					r.events.wait(t, 1)
					if a.status != http.StatusOK || r.sim.Count(chatPath) != 1 || !strings.Contains(r.logs.String(), "without its moderation") {
						t.Errorf("%d %s", a.status, a.body)
					}
					return
				}
				if a.status != tc.status || a.code() != tc.code || r.sim.Count(chatPath) != 0 || !r.holds.last().released {
					t.Errorf("%d %s, %d calls, %+v", a.status, a.body, r.sim.Count(chatPath), r.holds.last())
				}
			})
		}
	}
}

// TestModerationCallerLeaves: a caller who leaves ends the moderation, open or not,
// and no call follows.
func TestModerationCallerLeaves(t *testing.T) {
	m := moderation()
	m.Open = true
	r := newRig(t, held(t, m))
	r.sim.Inject(openaitest.Fault{Kind: openaitest.Hang, Path: moderationsPath})
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		resp, err := r.open(ctx, http.MethodPost, chatPath, chat("hi"))
		if err == nil {
			_ = resp.Body.Close()
		}
		done <- err
	}()
	must(t, r.sim.Wait(t.Context(), func(c openaitest.Calls) bool { return len(c) == 1 }))
	leave()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.events.wait(t, 1)
	if e := r.events.last(t); !e.CallerGone || r.sim.Count(chatPath) != 0 || !r.holds.last().released {
		t.Errorf("%+v, %d calls, %+v", e, r.sim.Count(chatPath), r.holds.last())
	}
}

// TestModerationPanics: not even a panic of what is asked leaves a hold behind.
func TestModerationPanics(t *testing.T) {
	r := newRig(t, func(p *parts) {
		held(t, moderation())(p)
		p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) { panic("x") }}
	})
	if a := r.post(chatPath, chat("hi")); a.status != http.StatusInternalServerError || !r.holds.last().released {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestModerationBounds: many texts and long ones become one question of a bounded
// size, in which none is missing, and more than that is refused.
func TestModerationBounds(t *testing.T) {
	questions := make(chan string, 8)
	r := newRig(t, func(p *parts) {
		held(t, moderation())(p)
		p.plans[0] = authz.Plan{Name: "all", Models: []string{model}}
		p.snapshot.Upstream = &fakeUpstream{do: func(_ context.Context, a claviger.Authorized) (*http.Response, error) {
			call := a.Call()
			if call.Path != "/moderations" {
				return reply(chatAnswer), nil
			}
			raw := bodyOf(call)
			questions <- raw
			n := strings.Count(raw, `","`) // between texts, and once before "input"
			one := `{"flagged":false,"categories":{},"category_scores":{}}`
			return reply(`{"results":[` + one + strings.Repeat(","+one, n-1) + `]}`), nil
		}}
	})
	parts := func(n, size int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"type":"text","text":"%d%s"}`, i, strings.Repeat("é", size))
		}
		return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":[%s]}]}`, model, b.String())
	}
	for _, tc := range []struct {
		n, size, texts, status int
	}{
		{1, 2, 1, 200},
		{32, 2, 32, 200},
		{33, 2, 1, 200},
		{2000, 3, 2, 200},
		{1, 20_000, 3, 200},
		{1, 270_000, 0, 413},
	} {
		a := r.post(chatPath, parts(tc.n, tc.size))
		if a.status != tc.status {
			t.Errorf("%d texts of %d: %d %s", tc.n, tc.size, a.status, a.body)
		}
		var asked []string
		for len(questions) > 0 {
			asked = append(asked, <-questions)
		}
		if tc.status != 200 {
			if len(asked) > 0 {
				t.Errorf("%d texts of %d: asked", tc.n, tc.size)
			}
			continue
		}
		if len(asked) != 1 || len(asked[0]) > content.MaxTexts*(content.MaxText+8)+100 {
			t.Fatalf("%d texts of %d: %d questions", tc.n, tc.size, len(asked))
		}
		if n := strings.Count(asked[0], `","`); n != tc.texts || strings.Count(asked[0], "é") != tc.n*tc.size {
			t.Errorf("%d texts of %d: %d texts with %d characters", tc.n, tc.size, n, strings.Count(asked[0], "é"))
		}
	}
}

// TestContentCanaries: what is refused stands in no log, account or answer.
func TestContentCanaries(t *testing.T) {
	prompt, name := "canary"+rand.Text(), "name"+rand.Text()
	for _, open := range []bool{false, true} {
		m := moderation()
		m.Open = open
		r := newRig(t, held(t, m))
		var answers strings.Builder
		for _, say := range []string{prompt + " " + mail, prompt + " flag as sexual/minors", prompt} {
			for path, body := range map[string]string{
				generatePath: generate(say), chatPath: chat(say), "/v1/responses": responseStream(say),
				"/v1/chat/completions?x": fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{%q:{"description":%q}}}}}]}`, model, name, say),
			} {
				for _, fault := range []openaitest.Fault{{}, {Kind: openaitest.Status, Status: 400, Message: "Invalid value: '" + prompt + "'.", Param: "input"}} {
					if fault.Kind != "" {
						r.sim.Inject(fault)
					}
					a := r.post(path, body)
					r.sim.Clear()
					if a.status != http.StatusOK && !strings.Contains(a.body, "Invalid value") {
						answers.WriteString(a.body)
					}
				}
			}
		}
		for where, text := range map[string]string{"the log": r.logs.String(), "the accounts": fmt.Sprintf("%+v", r.events.all()), "the answers": answers.String()} {
			for _, canary := range []string{prompt, name, mail} {
				if strings.Contains(text, canary) {
					t.Errorf("open %v: %s holds %s: %s", open, where, canary, around(text, canary))
				}
			}
			if len(text) < 500 {
				t.Errorf("%s: there was nothing to search", where)
			}
		}
	}
}

// BenchmarkContent is a chat of 16 KiB through the gateway with and without the
// patterns.
func BenchmarkContent(b *testing.B) {
	say := strings.Repeat("The order 2024-11-25 of 12 boxes was sent to Zurich by 17:30 today. ", 240)
	for _, tc := range []struct {
		name   string
		policy *content.Policy
	}{{"off", nil}, {"patterns", policy(b, nil)}} {
		b.Run(tc.name, func(b *testing.B) {
			b.SetBytes(int64(len(say)))
			benchmark(b, chatPath, chat(say), func(claviger.Call) string { return chatAnswer }, func(p *parts) { p.snapshot.Content = tc.policy })
		})
	}
}
