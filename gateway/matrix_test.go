package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/content"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/netx"
)

// stageCase is one way in which one stage of the pipeline goes wrong.
type stageCase struct {
	stage, how string
	change     func(*parts)
	// request changes the good request.
	request func(*http.Request)
	path    string // "" is all of them
	status  int
	code    string
	// reached says that the provider is called.
	reached bool
	// gone says that the caller leaves while the stage is slow.
	gone bool
}

// wants is a limit that every call of the matrix takes and has to give back.
var wants = []claviger.Limit{
	{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: 1}},
	{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1_000_000, Per: claviger.PeriodDay}},
	{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: 100_000_000, Per: claviger.PeriodDay, Currency: "USD"}},
}

func upstreamFails(code claviger.Code, wait time.Duration) func(*parts) {
	return func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) {
			return nil, &claviger.Error{Code: code, RetryAfter: wait, Err: errors.New("the provider's own words")}
		}}
	}
}

func upstreamSays(body string) func(*parts) {
	return func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) { return reply(body), nil }}
	}
}

func authn(f fakeAuthn) func(*parts) {
	return func(p *parts) { p.snapshot.Authenticators = []claviger.Authenticator{f} }
}

func authorizer(f fakeAuthz) func(*parts) { return func(p *parts) { p.snapshot.Authorizer = f } }

func admission(f fakeAdmission) func(*parts) { return func(p *parts) { p.options.Admission = f } }

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func withBody(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = http.NoBody, int64(len(body))
		if body != "" {
			r.Body = readCloser{strings.NewReader(body)}
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

type failingBody struct{}

func (failingBody) Read([]byte) (int, error) { return 0, errors.New("the connection broke") }
func (failingBody) Close() error             { return nil }

var errStage = errors.New("this stage is broken and knows canary-secrets")

func earlyStages() []stageCase {
	return []stageCase{
		{stage: "host", how: "absent", request: func(r *http.Request) { r.Host = "" }, status: 421, code: "misdirected_request"},
		{stage: "host", how: "wrong", request: func(r *http.Request) { r.Host = "evil.example" }, status: 421, code: "misdirected_request"},
		{stage: "host", how: "no list", change: func(p *parts) { p.snapshot.Hosts = netx.Hosts{} }, status: 421, code: "misdirected_request"},
		{stage: "per-IP", how: "used up", change: perIP(0), status: 429, code: "rate_limited"},
		{stage: "per-IP", how: "error", change: both(perIP(1), admission(func(context.Context, []claviger.Charge) (claviger.Hold, error) { return nil, errStage })), status: 503, code: "limits_unavailable"},
		{stage: "per-IP", how: "panic", change: both(perIP(1), admission(func(context.Context, []claviger.Charge) (claviger.Hold, error) { panic(errStage) })), status: 500, code: "internal"},
		{stage: "per-IP", how: "slow", gone: true, change: both(perIP(1), admission(func(ctx context.Context, _ []claviger.Charge) (claviger.Hold, error) {
			left(ctx)
			return nil, ctx.Err()
		})), status: 503, code: "limits_unavailable"},
		{stage: "route", how: "absent", path: "/v1/nothing", status: 404, code: "not_found"},
		{stage: "route", how: "wrong method", request: func(r *http.Request) { r.Method = "GET" }, status: 405, code: "method_not_allowed"},
		{stage: "route", how: "off", path: chatPath, change: func(p *parts) { p.snapshot.Proxy = nil }, status: 404, code: "not_found"},
		{stage: "route", how: "endpoint off", path: chatPath, change: func(p *parts) { p.snapshot.Proxy = &gateway.Proxy{} }, status: 404, code: "not_found"},
		{stage: "size", how: "declared", request: func(r *http.Request) { r.ContentLength = limitBody + 1 }, status: 413, code: "too_large"},
		{stage: "size", how: "headers", request: header("X-Pad", strings.Repeat("p", 70<<10)), status: 431, code: "too_large"},
		{stage: "origin", how: "wrong", request: func(r *http.Request) {
			r.Header.Set("Origin", foreign)
			r.Header.Del("Authorization")
		}, status: 403, code: "csrf"},
	}
}

func callerStages() []stageCase {
	nobody := func(err error) fakeAuthn {
		return func(context.Context) (claviger.Principal, error) { return claviger.Principal{}, err }
	}
	who := claviger.Principal{Realm: "app", Subject: "ada"}
	return []stageCase{
		{stage: "authn", how: "absent", request: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: "unauthenticated"},
		{stage: "authn", how: "wrong", request: header("Authorization", "Bearer x"), status: 401, code: "unauthenticated"},
		{stage: "authn", how: "knows nobody", change: authn(nobody(claviger.ErrNoCredential)), status: 401, code: "unauthenticated"},
		{stage: "authn", how: "error", change: authn(nobody(errStage)), status: 401, code: "unauthenticated"},
		{stage: "authn", how: "an error with a principal", change: authn(func(context.Context) (claviger.Principal, error) { return who, errStage }), status: 401, code: "unauthenticated"},
		{stage: "authn", how: "no subject", change: authn(func(context.Context) (claviger.Principal, error) { return claviger.Principal{Realm: "app"}, nil }), status: 401, code: "unauthenticated"},
		{stage: "authn", how: "no realm", change: authn(func(context.Context) (claviger.Principal, error) { return claviger.Principal{Subject: "a"}, nil }), status: 401, code: "unauthenticated"},
		{stage: "authn", how: "a code of its own", change: authn(nobody(&claviger.Error{Code: claviger.CodeLimitsUnavailable})), status: 503, code: "limits_unavailable"},
		{stage: "authn", how: "panic", change: authn(func(context.Context) (claviger.Principal, error) { panic("canary-secrets") }), status: 500, code: "internal"},
		{stage: "authn", how: "slow", gone: true, change: authn(func(ctx context.Context) (claviger.Principal, error) {
			left(ctx)
			return claviger.Principal{}, ctx.Err()
		}), status: 401, code: "unauthenticated"},
		{stage: "authn", how: "the second knows", change: func(p *parts) {
			p.snapshot.Authenticators = []claviger.Authenticator{nobody(claviger.ErrNoCredential), fakeAuthn(func(context.Context) (claviger.Principal, error) { return who, nil })}
		}, status: 200, reached: true},
		{stage: "authn", how: "the first refuses", change: func(p *parts) {
			p.snapshot.Authenticators = []claviger.Authenticator{nobody(errStage), fakeAuthn(func(context.Context) (claviger.Principal, error) { return who, nil })}
		}, status: 401, code: "unauthenticated"},
		{stage: "parse", how: "absent", request: withBody(""), path: chatPath, status: 400, code: "invalid_json"},
		{stage: "parse", how: "wrong", request: withBody(`{"model":1}`), status: 400, code: "invalid_input"},
		{stage: "parse", how: "no JSON", request: withBody(`{`), status: 400, code: "invalid_json"},
		{stage: "parse", how: "error", request: func(r *http.Request) { r.Body = failingBody{} }, status: 400, code: "invalid_input"},
		{stage: "parse", how: "content type", request: header("Content-Type", "text/plain"), status: 415, code: "unsupported_media_type"},
		{stage: "authz", how: "zero decision", change: authorizer(func(context.Context) (claviger.Decision, error) { return claviger.Decision{}, nil }), status: 403, code: "forbidden"},
		{stage: "authz", how: "wrong", change: authorizer(func(context.Context) (claviger.Decision, error) {
			return claviger.Decision{Code: claviger.CodeModelNotAllowed, Param: "model"}, nil
		}), status: 403, code: "model_not_allowed"},
		{stage: "authz", how: "error", change: authorizer(func(context.Context) (claviger.Decision, error) { return claviger.Decision{}, errStage }), status: 403, code: "forbidden"},
		{stage: "authz", how: "an error with a yes", change: authorizer(func(context.Context) (claviger.Decision, error) { return claviger.Decision{Allow: true}, errStage }), status: 403, code: "forbidden"},
		{stage: "authz", how: "panic", change: authorizer(func(context.Context) (claviger.Decision, error) { panic(errStage) }), status: 500, code: "internal"},
		{stage: "authz", how: "slow", gone: true, change: authorizer(func(ctx context.Context) (claviger.Decision, error) {
			left(ctx)
			return claviger.Decision{}, ctx.Err()
		}), status: 403, code: "forbidden"},
		{stage: "authz", how: "an obligation nobody knows", change: authorizer(func(context.Context) (claviger.Decision, error) {
			return claviger.Decision{Allow: true, Oblige: []claviger.Obligation{{Kind: "novel"}}}, nil
		}), status: 500, code: "internal"},
	}
}

func admissionStages() []stageCase {
	refuse := func(code claviger.Code) func(*parts) {
		return admission(func(context.Context, []claviger.Charge) (claviger.Hold, error) {
			return nil, &claviger.Error{Code: code, RetryAfter: 1500 * time.Millisecond}
		})
	}
	return []stageCase{
		{stage: "admission", how: "rate", change: refuse(claviger.CodeRateLimited), status: 429, code: "rate_limited"},
		{stage: "admission", how: "concurrency", change: refuse(claviger.CodeTooManyInFlight), status: 429, code: "too_many_in_flight"},
		{stage: "admission", how: "budget", change: refuse(claviger.CodeBudgetExhausted), status: 429, code: "budget_exhausted"},
		{stage: "admission", how: "error", change: admission(func(context.Context, []claviger.Charge) (claviger.Hold, error) { return nil, errStage }), status: 503, code: "limits_unavailable"},
		{stage: "admission", how: "panic", change: admission(func(context.Context, []claviger.Charge) (claviger.Hold, error) { panic(errStage) }), status: 500, code: "internal"},
		{stage: "admission", how: "slow", gone: true, change: admission(func(ctx context.Context, _ []claviger.Charge) (claviger.Hold, error) {
			left(ctx)
			return nil, ctx.Err()
		}), status: 503, code: "limits_unavailable"},
		{stage: "admission", how: "a budget in money and no price", change: func(p *parts) {
			p.plans[0].Models = []string{"*"}
			p.snapshot.Total = wants[2:]
		}, request: withBody(strings.Replace(chat("hi"), model, "gpt-of-tomorrow", 1)), path: chatPath, status: 403, code: "model_not_allowed"},
	}
}

// contentStages count the moderation itself as the one call that the provider hears.
func contentStages(t *testing.T) []stageCase {
	greeting, err := content.Compile("greeting", "^hi$")
	must(t, err)
	asks := func(do func(context.Context, claviger.Authorized) (*http.Response, error)) func(*parts) {
		return func(p *parts) {
			p.snapshot.Content = &content.Policy{Moderation: &content.Moderation{Model: content.DefaultModel, Timeout: time.Minute}}
			p.snapshot.Upstream = &fakeUpstream{do: do}
		}
	}
	says := func(body string) func(*parts) {
		return asks(func(context.Context, claviger.Authorized) (*http.Response, error) { return reply(body), nil })
	}
	return []stageCase{
		{stage: "content", how: "a pattern", change: func(p *parts) {
			p.snapshot.Content = &content.Policy{Patterns: []content.Pattern{greeting}}
		}, status: 400, code: "invalid_input"},
		{stage: "content", how: "flagged", change: says(`{"results":[{"flagged":true,"categories":{"hate":true},"category_scores":{"hate":1}}]}`), status: 400, code: "invalid_input", reached: true},
		{stage: "content", how: "no verdict", change: says(`{"results":[]}`), status: 502, code: "upstream_error", reached: true},
		{stage: "content", how: "error", change: asks(func(context.Context, claviger.Authorized) (*http.Response, error) { return nil, errStage }), status: 502, code: "upstream_error", reached: true},
		{stage: "content", how: "panic", change: asks(func(context.Context, claviger.Authorized) (*http.Response, error) { panic(errStage) }), status: 500, code: "internal", reached: true},
		{stage: "content", how: "slow", gone: true, change: asks(func(ctx context.Context, _ claviger.Authorized) (*http.Response, error) {
			left(ctx)
			return nil, ctx.Err()
		}), status: 502, code: "upstream_error", reached: true},
	}
}

func upstreamStages() []stageCase {
	panics := func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) { panic(errStage) }}
	}
	slow := func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{do: func(ctx context.Context, _ claviger.Authorized) (*http.Response, error) {
			left(ctx)
			return nil, fmt.Errorf("ended by the caller: %w", ctx.Err())
		}}
	}
	return []stageCase{
		{stage: "upstream", how: "no key", change: upstreamFails(claviger.CodeMisconfigured, 0), status: 500, code: "misconfigured", reached: true},
		{stage: "upstream", how: "error", change: upstreamFails(claviger.CodeUpstreamError, 0), status: 502, code: "upstream_error", reached: true},
		{stage: "upstream", how: "busy", change: upstreamFails(claviger.CodeUpstreamBusy, 3*time.Second), status: 503, code: "upstream_busy", reached: true},
		{stage: "upstream", how: "timeout", change: upstreamFails(claviger.CodeUpstreamTimeout, 0), status: 504, code: "upstream_timeout", reached: true},
		{stage: "upstream", how: "an error of no kind", change: func(p *parts) {
			p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) { return nil, errStage }}
		}, status: 502, code: "upstream_error", reached: true},
		{stage: "upstream", how: "panic", change: panics, status: 500, code: "internal", reached: true},
		{stage: "upstream", how: "slow", gone: true, change: slow, status: 502, code: "upstream_error", reached: true},
		{stage: "answer", how: "absent", change: upstreamSays(""), status: 502, code: "upstream_error", reached: true},
		{stage: "answer", how: "no JSON", change: upstreamSays("<html>"), status: 502, code: "upstream_error", reached: true},
		{stage: "answer", how: "another shape", change: upstreamSays(`{"object":"list"}`), status: 502, code: "upstream_error", reached: true},
		{stage: "answer", how: "cut", change: upstreamSays(chatAnswer[:60]), status: 502, code: "upstream_error", reached: true},
		{stage: "answer", how: "breaks", change: func(p *parts) {
			p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) {
				r := reply("{}")
				r.Body = failingBody{}
				return r, nil
			}}
		}, status: 502, code: "upstream_error", reached: true},
		{stage: "none", how: "all well", status: 200, reached: true},
	}
}

// leaveKey is under what the context of a request has what its caller leaves by.
type leaveKey struct{}

// left has the caller of a request leave, and waits until that is known.
func left(ctx context.Context) {
	if leave, ok := ctx.Value(leaveKey{}).(context.CancelFunc); ok {
		leave()
	}
	<-ctx.Done()
}

func perIP(n int64) func(*parts) {
	return func(p *parts) {
		p.snapshot.PerIP = []claviger.Limit{{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: n, Per: claviger.PeriodDay}}}
	}
}

func both(a, b func(*parts)) func(*parts) {
	return func(p *parts) {
		a(p)
		b(p)
	}
}

// shape is one of the forms in which a request comes and is answered.
type shape struct {
	name, path, body, contentType string
	page                          bool
}

var shapes = []shape{
	{name: "v1", path: chatPath, body: chat("hi")},
	{name: "action", path: generatePath, body: generate("hi")},
	{name: "page", path: generatePath, body: "prompt=hi", contentType: "application/x-www-form-urlencoded", page: true},
}

// TestStageMatrix breaks every stage in every way, for both shapes of errors and
// for pages: the caller gets the code, the provider is not called by what comes
// before it, and what was taken is given back (M-L1, M-L2, M-L3, M-D4).
func TestStageMatrix(t *testing.T) {
	var cases []stageCase
	for _, list := range [][]stageCase{earlyStages(), callerStages(), admissionStages(), contentStages(t), upstreamStages()} {
		cases = append(cases, list...)
	}
	n := 0
	for _, sc := range cases {
		for _, sh := range shapes {
			if sc.path != "" && sc.path != sh.path && sh.name != "v1" {
				continue
			}
			n++
			t.Run(sc.stage+"/"+sc.how+"/"+sh.name, func(t *testing.T) { runStage(t, sc, sh) })
		}
	}
	t.Logf("%d cases", n)
}

func runStage(t *testing.T, sc stageCase, sh shape) {
	up := &fakeUpstream{}
	r := newRig(t, func(p *parts) {
		p.plans[0].Limits = wants
		p.snapshot.Upstream = up
		if sc.change != nil {
			sc.change(p)
		}
	})
	if u, ok := r.snapshot.Upstream.(*fakeUpstream); ok {
		up = u
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if sc.gone {
		ctx = context.WithValue(ctx, leaveKey{}, cancel)
	}
	path := sh.path
	if strings.HasPrefix(sc.path, "/v1/") {
		path = sc.path
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(sh.body))
	req.Host = "app.example.com"
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", r.ticket("ada"))
	if sh.page {
		req.Header.Set("Content-Type", sh.contentType)
		req.Header.Set("Accept", "text/html")
	}
	if sc.request != nil {
		sc.request(req)
	}
	if sh.page && sc.stage == "parse" && (sc.how == "wrong" || sc.how == "no JSON") {
		req.Body = readCloser{strings.NewReader("other=1")}
		sc.code = "invalid_input"
	}
	w := httptest.NewRecorder()
	r.gateway.ServeHTTP(w, req)
	got := read(w.Result())
	wantCalls := int64(0)
	if sc.reached {
		wantCalls = 1
	}
	if got.status != sc.status || up.calls.Load() != wantCalls {
		t.Errorf("status %d and %d calls, want %d and %d\n%s", got.status, up.calls.Load(), sc.status, wantCalls, got.body)
	}
	checkAnswerHeaders(t, sc.stage, got)
	checkShape(t, got, sc, sh, req)
	if e := r.events.last(t); e.Status != sc.status || string(e.Code) != sc.code && sc.status != 200 {
		t.Errorf("the event says %d %s", e.Status, e.Code)
	}
	if strings.Contains(got.body, "canary") || strings.Contains(r.logs.String(), "canary-secrets") && strings.HasSuffix(sc.how, "panic") {
		t.Errorf("an error shows what a caller or a log must not hold:\n%s\n%s", got.body, r.logs.String())
	}
	checkGivenBack(t, r, up)
}

// checkShape holds a refusal to the form that its caller reads.
func checkShape(t *testing.T, got answer, sc stageCase, sh shape, req *http.Request) {
	t.Helper()
	if sc.status == http.StatusOK {
		return
	}
	kind := got.header.Get("Content-Type")
	switch {
	case strings.HasPrefix(kind, "text/html"):
		if !sh.page || !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("a page for %s with %v", sh.name, got.header)
		}
	case sh.page && routed(sc) && req.Header.Get("Content-Type") == sh.contentType:
		t.Errorf("no page but %s: %s", kind, got.body)
	case got.code() != sc.code:
		t.Errorf("code %q, want %q: %s", got.code(), sc.code, got.body)
	case strings.HasPrefix(req.URL.Path, "/v1") != strings.HasPrefix(got.body, `{"error":{"message":`):
		t.Errorf("the wrong shape: %s", got.body)
	}
	if wait := got.header.Get("Retry-After"); sc.status == 429 && sc.stage == "admission" && wait != "2" {
		t.Errorf("Retry-After is %q, want 2", wait)
	}
}

// routed says that the stage comes after the route, from where on a form is
// known for one.
func routed(sc stageCase) bool {
	return sc.stage != "host" && sc.stage != "route" && sc.how != "headers"
}

// checkGivenBack makes a good call after the bad one: a lease of one must be
// free again.
func checkGivenBack(t *testing.T, r *rig, up *fakeUpstream) {
	t.Helper()
	if n := r.holds.open.Load(); n != 0 {
		t.Fatalf("%d holds are open", n)
	}
	up.do = nil
	s := r.snapshot
	good := newGood(t, r)
	s.Authenticators, s.Authorizer, s.Proxy, s.PerIP, s.Hosts, s.Total, s.Content = good.Authenticators, good.Authorizer, good.Proxy, nil, good.Hosts, nil, nil
	g, err := gateway.New(gateway.Options{Admission: r.holds}, s)
	must(t, err)
	req := httptest.NewRequest(http.MethodPost, chatPath, strings.NewReader(chat("hi")))
	req.Host = "app.example.com"
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	g.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		t.Errorf("the call after it got %d %s", w.Code, w.Body)
	}
}

// newGood are the stages of a snapshot in which nothing is broken.
func newGood(t *testing.T, r *rig) gateway.Snapshot {
	t.Helper()
	s := gateway.Snapshot{
		Hosts: netx.NewHosts([]string{"app.example.com"}),
		Proxy: &gateway.Proxy{Endpoints: []claviger.Endpoint{"chat.completions"}},
	}
	s.Authenticators = []claviger.Authenticator{fakeAuthn(func(context.Context) (claviger.Principal, error) {
		return claviger.Principal{Realm: "app", Subject: "ada"}, nil
	})}
	s.Authorizer = fakeAuthz(func(context.Context) (claviger.Decision, error) {
		return claviger.Decision{Allow: true, Limits: wants}, nil
	})
	return s
}

// TestOpenSnapshotRefused: a snapshot that would leave a gate open is no
// gateway (M-L6).
func TestOpenSnapshotRefused(t *testing.T) {
	r := newRig(t, func(p *parts) { p.snapshot.Upstream = &fakeUpstream{} })
	for name, change := range map[string]func(*gateway.Options, *gateway.Snapshot){
		"no authenticator":    func(_ *gateway.Options, s *gateway.Snapshot) { s.Authenticators = nil },
		"a nil authenticator": func(_ *gateway.Options, s *gateway.Snapshot) { s.Authenticators = []claviger.Authenticator{nil} },
		"no authorizer":       func(_ *gateway.Options, s *gateway.Snapshot) { s.Authorizer = nil },
		"no upstream":         func(_ *gateway.Options, s *gateway.Snapshot) { s.Upstream = nil },
		"no prices":           func(_ *gateway.Options, s *gateway.Snapshot) { s.Prices = nil },
		"no pseudonym":        func(_ *gateway.Options, s *gateway.Snapshot) { s.Pseudonym = nil },
		"no limit on bodies":  func(_ *gateway.Options, s *gateway.Snapshot) { s.MaxBody = 0 },
		"no admission":        func(o *gateway.Options, _ *gateway.Snapshot) { o.Admission = nil },
		"two actions":         func(_ *gateway.Options, s *gateway.Snapshot) { s.Actions = append(actions(t), actions(t)...) },
	} {
		o, s := r.options, r.snapshot
		change(&o, &s)
		if _, err := gateway.New(o, s); err == nil {
			t.Errorf("%s: New took it", name)
		}
		if o.Admission != nil {
			if err := r.gateway.Swap(s); err == nil {
				t.Errorf("%s: Swap took it", name)
			}
		}
	}
	if got := r.post(chatPath, chat("hi")); got.status != http.StatusOK {
		t.Errorf("after refused swaps: %d %s", got.status, got.body)
	}
}
