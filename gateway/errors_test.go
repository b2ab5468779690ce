package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openaitest"
)

// errorRow is a row of the contract's table of errors, and what makes it.
type errorRow struct {
	code     claviger.Code
	status   int
	sentence string
	make     func(*parts)
	headers  []string // pairs for the request
	body     string   // in place of the good one
	path     string   // in place of both
	retry    bool     // trying again may help
	// want are headers of the answer.
	want map[string]string
	// v1 and action are the error in each shape; empty for the usual one.
	v1, action string
}

func errorRows() []errorRow {
	refuse := func(code claviger.Code, wait time.Duration) func(*parts) {
		return admission(func(context.Context, []claviger.Charge) (claviger.Hold, error) {
			l := claviger.Charge{Scope: "user", Kind: claviger.ChargeRate, Amount: 1, Window: claviger.Window{Limit: 20, Per: claviger.PeriodMinute}}
			return nil, &claviger.Error{Code: code, RetryAfter: wait, Err: errStage, Standings: []claviger.Standing{{Charge: l, Reset: 2 * time.Second}}}
		})
	}
	limited := map[string]string{"Retry-After": "2", "RateLimit": `"user-requests-minute";r=0;t=2`, "RateLimit-Policy": `"user-requests-minute";q=20;w=60`}
	invalid := func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) {
			return nil, &claviger.Error{Code: claviger.CodeUpstreamInvalid, Status: 422, Param: "top_p", UpstreamCode: "invalid_value", Detail: "Invalid value for top_p."}
		}}
	}
	return []errorRow{
		{code: "unauthenticated", status: 401, sentence: "Sign in first", headers: []string{"Authorization", ""}, want: map[string]string{"WWW-Authenticate": `Bearer realm="claviger"`}},
		{code: "forbidden", status: 403, sentence: "Not allowed", make: func(p *parts) { p.plans = nil }},
		{
			code: "model_not_allowed", status: 403, sentence: "This model is not allowed", make: func(p *parts) { p.plans[0].Models = []string{"o3"} },
			v1:     `{"error":{"message":"This model is not allowed","type":"permission_error","code":"model_not_allowed","param":"model"}}`,
			action: `{"error":"This model is not allowed","code":"model_not_allowed","field":"model"}`,
		},
		{code: "not_found", status: 404, sentence: "Not found", path: "/nothing"},
		{code: "method_not_allowed", status: 405, sentence: "Method not allowed", headers: []string{"method", "PUT"}, want: map[string]string{"Allow": "POST"}},
		{code: "csrf", status: 403, sentence: "Cross-site request refused", headers: []string{"Authorization", "", "Origin", foreign}},
		{
			code: "invalid_json", status: 400, sentence: "Invalid JSON", body: "{",
			v1: `{"error":{"message":"Invalid JSON: `, action: `"code":"invalid_json"`,
		},
		{
			code: "invalid_input", status: 400, sentence: "Invalid input", body: `{"unknown":1}`,
			v1: `"code":"invalid_input","param":"unknown"}}`, action: `{"error":"Invalid prompt","code":"invalid_input","field":"prompt"}`,
		},
		{code: "too_large", status: 413, sentence: "Request too large", body: strings.Repeat("x", limitBody+1)},
		{
			code: "unsupported_media_type", status: 415, headers: []string{"Content-Type", "text/plain"},
			v1: `"code":"unsupported_media_type"`, action: `"code":"unsupported_media_type"`,
		},
		{code: "misdirected_request", status: 421, sentence: "Unknown host", headers: []string{"host", "evil.example"}},
		{code: "rate_limited", status: 429, sentence: "Too many requests", make: refuse("rate_limited", 1100*time.Millisecond), retry: true, want: limited},
		{code: "too_many_in_flight", status: 429, sentence: "Too many requests at once", make: refuse("too_many_in_flight", 1100*time.Millisecond), retry: true, want: limited},
		{code: "budget_exhausted", status: 429, sentence: "Budget used up", make: refuse("budget_exhausted", 1100*time.Millisecond), want: limited},
		{code: "misconfigured", status: 500, sentence: "Server misconfigured", make: upstreamFails("misconfigured", 0)},
		{code: "upstream_error", status: 502, sentence: "Upstream error", make: upstreamFails("upstream_error", 0), retry: true},
		{code: "upstream_busy", status: 503, sentence: "Upstream busy", make: upstreamFails("upstream_busy", 7*time.Second), retry: true, want: map[string]string{"Retry-After": "7"}},
		{code: "upstream_timeout", status: 504, sentence: "Upstream timeout", make: upstreamFails("upstream_timeout", 0), retry: true},
		{
			code: "upstream_invalid_request", status: 422, make: invalid,
			v1:     `{"error":{"message":"Invalid value for top_p.","type":"invalid_request_error","code":"invalid_value","param":"top_p"}}`,
			action: `{"error":"Upstream error","code":"upstream_error"}`,
		},
		{code: "limits_unavailable", status: 503, sentence: "Limits unavailable", retry: true, make: admission(func(context.Context, []claviger.Charge) (claviger.Hold, error) { return nil, errStage }), want: map[string]string{"Retry-After": "1"}},
		{
			code: "identity_unavailable", status: 503, sentence: "Signing in cannot be checked at the moment", retry: true, want: map[string]string{"Retry-After": "2"},
			make: authn(func(context.Context) (claviger.Principal, error) {
				return claviger.Principal{}, &claviger.Error{Code: claviger.CodeIdentityUnavailable, RetryAfter: 2 * time.Second, Err: errStage}
			}),
		},
		{code: "request_timeout", status: 408, sentence: "Request timeout", headers: []string{"body", "late"}},
		{code: "internal", status: 500, sentence: "Internal error", retry: true, make: authorizer(func(context.Context) (claviger.Decision, error) { panic(errStage) })},
	}
}

// TestErrorTable holds every code to the contract, in both shapes: status, body,
// and the headers that tell clients what to do (M-P1, M-D4).
func TestErrorTable(t *testing.T) {
	var seen []claviger.Code
	for _, row := range errorRows() {
		seen = append(seen, row.code)
		for _, sh := range shapes[:2] {
			t.Run(string(row.code)+"/"+sh.name, func(t *testing.T) { runError(t, row, sh) })
		}
	}
	for _, c := range claviger.Codes() {
		if !slices.Contains(seen, c) {
			t.Errorf("%s is in no row", c)
		}
	}
}

// lateBody is a body whose time is over.
type lateBody struct{ failingBody }

func (lateBody) Read([]byte) (int, error) { return 0, fmt.Errorf("read: %w", os.ErrDeadlineExceeded) }

func runError(t *testing.T, row errorRow, sh shape) {
	r := newRig(t, func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{}
		if row.make != nil {
			row.make(p)
		}
	})
	path, body := sh.path, sh.body
	if row.path != "" {
		path = row.path
		if sh.name == "v1" {
			path = "/v1" + row.path
		}
	}
	if row.body != "" {
		body = row.body
	}
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Host = "app.example.com"
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {r.ticket("ada")}, "X-Request-Id": {"req_mine"}}
	for i := 0; i < len(row.headers); i += 2 {
		switch name, value := row.headers[i], row.headers[i+1]; {
		case name == "method":
			req.Method = value
		case name == "host":
			req.Host = value
		case name == "body":
			req.Body = lateBody{}
		case value == "":
			req.Header.Del(name)
		default:
			req.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	r.gateway.ServeHTTP(w, req)
	got := read(w.Result())
	status, retry := row.status, row.retry
	want, exact := row.v1, `{"error":{"message":"`+row.sentence+`","type":"`+kindOf(row.status)+`","code":"`+string(row.code)+`","param":null}}`
	if sh.name == "action" {
		want, exact = row.action, `{"error":"`+row.sentence+`","code":"`+string(row.code)+`"}`
		if row.code == claviger.CodeUpstreamInvalid {
			status, retry = 502, true
		}
	}
	if got.status != status || (want == "" && got.body != exact) || !strings.Contains(got.body, want) {
		t.Errorf("%d %s, want %d %s%s", got.status, got.body, status, want, exact)
	}
	if got.header.Get("Content-Type") != "application/json" || got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) {
		t.Errorf("%v", got.header)
	}
	if (got.header.Get("X-Should-Retry") == "false") == retry {
		t.Errorf("x-should-retry is %q", got.header.Get("X-Should-Retry"))
	}
	for name, v := range row.want {
		if got.header.Get(name) != v {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), v)
		}
	}
	for _, name := range []string{"Retry-After", "WWW-Authenticate", "Allow", "RateLimit"} {
		if _, wanted := row.want[name]; !wanted && got.header.Get(name) != "" {
			t.Errorf("%s is %q", name, got.header.Get(name))
		}
	}
	checkAnswerHeaders(t, string(row.code), got)
}

func kindOf(status int) string {
	switch {
	case status == 403:
		return "permission_error"
	case status == 429:
		return "rate_limit_error"
	case status >= 500:
		return "server_error"
	default:
		return "invalid_request_error"
	}
}

// TestAnswerHeaders: nothing of the provider's account comes back, whatever it
// answers, and every answer has the headers that keep it private (M-D3, M-A5).
func TestAnswerHeaders(t *testing.T) {
	r := newRig(t, nil)
	allowed := []string{
		"Cache-Control", "Content-Length", "Content-Type", "Date", "Referrer-Policy", "Retry-After", "Vary", "X-Accel-Buffering",
		"X-Content-Type-Options", "X-Request-Id", "X-Should-Retry", "X-Vercel-Ai-Ui-Message-Stream",
	}
	faults := []openaitest.Fault{
		{},
		{Kind: openaitest.Extra},
		{Kind: openaitest.Status, Status: 401},
		{Kind: openaitest.Status, Status: 403},
		{Kind: openaitest.Status, Status: 429},
		{Kind: openaitest.Status, Status: 500},
		{Kind: openaitest.Status, Status: 502},
		{Kind: openaitest.Status, Status: 400},
		{Kind: openaitest.HTML},
		{Kind: openaitest.Redirect},
		{Kind: openaitest.Leak},
		{Kind: openaitest.Leak, Status: 500},
	}
	ids := map[string]bool{}
	for _, f := range faults {
		for _, c := range []struct {
			path, body string
			headers    []string
		}{
			{chatPath, chat("hi"), nil},
			{chatPath, chatStream("hi"), nil},
			{generatePath, generate("hi"), nil},
			{"/actions/assistant", `{"messages":[{"role":"user","content":"hi"}]}`, []string{"Accept", "text/event-stream", "X-Claviger-Stream", "ai-sdk"}},
		} {
			r.sim.Clear()
			if f.Kind != "" {
				r.sim.Inject(f)
			}
			a := r.post(c.path, c.body, append([]string{"X-Request-Id", "req_mine"}, c.headers...)...)
			name := f.String() + " " + c.path
			checkAnswerHeaders(t, name, a)
			if f.Kind != openaitest.Leak || f.Status != 0 {
				checkSecretless(t, r, name, a)
			}
			for _, h := range slices.Sorted(maps.Keys(a.header)) {
				if !slices.Contains(allowed, h) {
					t.Errorf("%s: %s: %q", name, h, a.header[h])
				}
			}
			if id := a.header.Get("X-Request-Id"); ids[id] {
				t.Errorf("%s: %s comes again", name, id)
			} else {
				ids[id] = true
			}
		}
	}
}

// TestPlainTripwire: an answer that holds the key, in any spelling that JSON
// has, is stopped (M-S7).
func TestPlainTripwire(t *testing.T) {
	var spelled string
	up := &fakeUpstream{do: func(_ context.Context, a claviger.Authorized) (*http.Response, error) {
		return reply(strings.ReplaceAll(plainAnswer(a.Call()), "Hello.", "It is "+spelled)), nil
	}}
	r := newRig(t, func(p *parts) { p.snapshot.Upstream = up })
	escaped := ""
	for _, c := range r.upstreamKey {
		escaped += fmt.Sprintf(`\u%04x`, c)
	}
	for _, s := range []string{r.upstreamKey, escaped, `\u0073` + r.upstreamKey[1:], r.ticketSecret, r.sessionSecret, r.serviceKey} {
		spelled = s
		for _, sh := range shapes {
			headers := []string{}
			if sh.page {
				headers = []string{"Content-Type", sh.contentType, "Accept", "text/html"}
			}
			a := r.post(sh.path, sh.body, headers...)
			if a.status != 502 || overlap(a.body, r.upstreamKey) > 12 || strings.Contains(a.body, escaped) || strings.Contains(a.body, s) {
				t.Errorf("%s: %d %s", sh.name, a.status, a.body)
			}
		}
	}
	// What an error says is watched, too.
	up.do = func(context.Context, claviger.Authorized) (*http.Response, error) {
		return nil, &claviger.Error{Code: claviger.CodeUpstreamInvalid, Status: 400, Detail: "The key is " + r.upstreamKey, Err: errors.New("x")}
	}
	if a := r.post(chatPath, chat("hi")); a.status != 400 || overlap(a.body, r.upstreamKey) > 12 || !strings.Contains(a.body, `"error":{"message":`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
