package anonymous

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"claviger.dev/claviger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// provider verifies each token once, as the real ones do.
type provider struct {
	*httptest.Server
	asked atomic.Int64
	mu    sync.Mutex
	fresh map[string]string // the answer by token
	last  url.Values
	fault http.HandlerFunc
}

func newProvider(t testing.TB) *provider {
	p := &provider{fresh: map[string]string{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		_ = r.ParseForm()
		p.mu.Lock()
		p.last = r.PostForm
		token, fault := r.PostForm.Get("response"), p.fault
		answer, ok := p.fresh[token]
		delete(p.fresh, token)
		p.mu.Unlock()
		if fault != nil {
			fault(w, r)
			return
		}
		if r.Method != http.MethodPost || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s with %v", r.Method, r.Header)
		}
		if !ok {
			answer = `{"success":false,"error-codes":["timeout-or-duplicate"]}`
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) issue(token, answer string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh[token] = answer
	return token
}

func (p *provider) form() url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func guarded(t testing.TB, p *provider, change func(*Human)) *Authenticator {
	t.Helper()
	h := &Human{
		URL: p.URL + "/siteverify", Secret: claviger.NewSecret([]byte("the-secret-of-the-account")), Otherwise: "unproven",
		Host: func(name string) bool { return name == "app.example.com" }, Now: func() time.Time { return noon },
	}
	if change != nil {
		change(h)
	}
	a, err := New(Options{Plan: "guest", Limits: []claviger.Limit{rate(5)}, Human: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.CloseIdle)
	return a
}

func from(t testing.TB, prefix string) context.Context {
	return claviger.ContextWithClient(t.Context(), netip.MustParsePrefix(prefix))
}

// plan is the plan that a token gets at an address.
func plan(t testing.TB, a *Authenticator, ctx context.Context, tokens ...string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
	if tokens != nil {
		r.Header[HumanHeader] = tokens
	}
	p, err := a.Authenticate(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return p.Plan
}

const fine = `{"success":true,"hostname":"app.example.com","challenge_ts":"2026-11-24T11:59:30Z","action":"chat","cdata":""}`

func tokenOf(i int) string { return fmt.Sprintf("token-of-the-widget-%d", i) }

// TestProof: a token is verified once and counts for its address and its time.
func TestProof(t *testing.T) {
	p := newProvider(t)
	now := noon
	a := guarded(t, p, func(h *Human) {
		h.Now, h.SiteKey = func() time.Time { return now }, "site"
	})
	here, there := from(t, "203.0.113.7/32"), from(t, "203.0.113.8/32")
	expect := func(what, want string, asked int64, ctx context.Context, tokens ...string) {
		t.Helper()
		if got := plan(t, a, ctx, tokens...); got != want || p.asked.Load() != asked {
			t.Errorf("%s: %q after %d questions, want %q after %d", what, got, p.asked.Load(), want, asked)
		}
	}
	expect("none", "unproven", 0, here)
	expect("empty", "unproven", 0, here, "")
	expect("short", "unproven", 0, here, "x")
	expect("long", "unproven", 0, here, strings.Repeat("x", maxProof+1))
	token := p.issue(tokenOf(1), fine)
	expect("twice", "unproven", 0, here, token, token)
	expect("good", "guest", 1, here, token)
	want := url.Values{"secret": {"the-secret-of-the-account"}, "response": {token}, "remoteip": {"203.0.113.7"}, "sitekey": {"site"}}
	if got := p.form(); got.Encode() != want.Encode() {
		t.Errorf("sent %v", got)
	}
	expect("again", "guest", 1, here, token)
	expect("without it", "unproven", 1, here)
	expect("from elsewhere", "unproven", 2, there, token)
	expect("from elsewhere again", "unproven", 2, there, token)
	now = now.Add(proven - 1)
	expect("before its end", "guest", 2, here, token)
	now = now.Add(1)
	expect("at its end", "unproven", 3, here, token)
	v6 := p.issue(tokenOf(2), strings.Replace(fine, "11:59:30", "12:09:30", 1))
	expect("IPv6", "guest", 4, from(t, "2001:db8::/64"), v6)
	if p.form().Has("remoteip") {
		t.Error("half an address is sent as one")
	}
}

// TestJudged: an answer proves something only when everything in it is right.
func TestJudged(t *testing.T) {
	p := newProvider(t)
	for name, c := range map[string]struct {
		answer string
		ok     bool
	}{
		"fine":                  {fine, true},
		"bare":                  {`{"success":true,"action":"chat"}`, true},
		"nulls":                 {`{"success":true,"action":"chat","hostname":null,"challenge_ts":null,"score":null}`, true},
		"score":                 {`{"success":true,"action":"chat","score":0.5}`, true},
		"no":                    {strings.Replace(fine, "true", "false", 1), false},
		"yes in quotes":         {strings.Replace(fine, "true", `"true"`, 1), false},
		"a number":              {strings.Replace(fine, "true", `1`, 1), false},
		"nothing":               {`{}`, false},
		"another site":          {strings.Replace(fine, "app.example.com", "evil.example", 1), false},
		"a site below":          {strings.Replace(fine, "app.example.com", "app.example.com.evil.example", 1), false},
		"an empty site":         {strings.Replace(fine, "app.example.com", "", 1), false},
		"a site of no name":     {strings.Replace(fine, `"app.example.com"`, "7", 1), false},
		"another action":        {strings.Replace(fine, "chat", "login", 1), false},
		"no action":             {`{"success":true}`, false},
		"low score":             {`{"success":true,"action":"chat","score":0.49}`, false},
		"a score of words":      {`{"success":true,"action":"chat","score":"0.9"}`, false},
		"old":                   {strings.Replace(fine, "11:59:30", "11:49:59", 1), false},
		"of tomorrow":           {strings.Replace(fine, "11:59:30", "12:01:01", 1), false},
		"no time":               {strings.Replace(fine, "2026-11-24T11:59:30Z", "yesterday", 1), false},
		"not JSON":              {`success`, false},
		"a list":                {`[` + fine + `]`, false},
		"success twice":         {`{"success":false,"success":true,"action":"chat"}`, false},
		"something behind":      {fine + `{}`, false},
		"more than can be read": {`{"success":true,"action":"chat","x":"` + strings.Repeat("x", maxBody) + `"}`, false},
	} {
		a := guarded(t, p, func(h *Human) { h.Action, h.Scored = "chat", true })
		want := map[bool]string{true: "guest", false: "unproven"}[c.ok]
		if got := plan(t, a, from(t, "203.0.113.7/32"), p.issue(tokenOf(0), c.answer)); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestProviderDown: what is not verified is no proof, counted, told once, and
// made good when the provider is back.
func TestProviderDown(t *testing.T) {
	p := newProvider(t)
	var log bytes.Buffer
	var failed atomic.Int64
	a := guarded(t, p, func(h *Human) {
		h.Logger = slog.New(slog.NewTextHandler(&log, nil))
		h.Asked = func(s string) {
			if s == AskedFailed {
				failed.Add(1)
			}
		}
	})
	here := from(t, "203.0.113.7/32")
	for i, fault := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = w.Write([]byte(fine)) },
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		},
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(fine)) }, // text/plain
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		p.mu.Lock()
		p.fault = fault
		p.mu.Unlock()
		before := p.asked.Load()
		if got := plan(t, a, here, tokenOf(i)); got != "unproven" || failed.Load() != int64(i+1) || p.asked.Load() != before+1 {
			t.Errorf("fault %d: %q, %d failures", i, got, failed.Load())
		}
	}
	p.mu.Lock()
	p.fault = nil
	p.mu.Unlock()
	if got := plan(t, a, here, p.issue(tokenOf(0), fine)); got != "guest" {
		t.Errorf("the provider is back: %q", got)
	}
	if s := log.String(); strings.Count(s, "\n") != 1 || strings.Contains(s, "secret-of") || strings.Contains(s, "token-of") {
		t.Errorf("the log reads %s", s)
	}
	p.Close()
	start := time.Now()
	for i := range 50 {
		if got := plan(t, a, from(t, "203.0.113.9/32"), tokenOf(100+i)); got != "unproven" {
			t.Fatal(got)
		}
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("a provider that is gone takes %s", d)
	}
}

// TestProofWall: without a plan for those who have none, they are refused, and
// the page can tell why.
func TestProofWall(t *testing.T) {
	p := newProvider(t)
	a := guarded(t, p, func(h *Human) { h.Otherwise = "" })
	here := from(t, "203.0.113.7/32")
	for _, token := range []string{"", tokenOf(1)} {
		r := httptest.NewRequestWithContext(here, http.MethodPost, "/", nil)
		r.Header.Set(HumanHeader, token)
		got, err := a.Authenticate(here, r)
		e, ok := errors.AsType[*claviger.Error](err)
		if !ok || e.Code != claviger.CodeUnauthenticated || e.Param != HumanHeader || got.Subject != "" {
			t.Errorf("%q: %v", token, err)
		}
	}
	if got := plan(t, a, here, p.issue(tokenOf(2), fine)); got != "guest" {
		t.Error(got)
	}
}

// TestProofGuesses: made-up tokens do not flood the provider, and one token is
// one question.
func TestProofGuesses(t *testing.T) {
	p := newProvider(t)
	a := guarded(t, p, nil)
	here := from(t, "203.0.113.7/32")
	for i := range 500 {
		plan(t, a, here, tokenOf(i))
	}
	if n := p.asked.Load(); n != 20 {
		t.Errorf("asked %d times", n)
	}
	there := from(t, "203.0.113.8/32")
	token := p.issue(tokenOf(1000), fine)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := plan(t, a, there, token); got != "guest" {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	if n := p.asked.Load(); n != 21 {
		t.Errorf("one token was %d questions", n-20)
	}
}

func TestHumanOptions(t *testing.T) {
	secret := claviger.NewSecret([]byte("x"))
	for name, h := range map[string]Human{
		"no url":    {Secret: secret},
		"http":      {Secret: secret, URL: "http://captcha.example.com"},
		"no secret": {URL: TurnstileURL},
		"newline":   {URL: TurnstileURL, Secret: claviger.NewSecret([]byte("\n"))},
	} {
		if _, err := New(Options{Limits: []claviger.Limit{rate(1)}, Human: &h}); err == nil || !strings.HasPrefix(err.Error(), "anonymous: human: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := New(Options{Limits: []claviger.Limit{rate(1)}, Human: &Human{URL: HCaptchaURL, Secret: claviger.NewSecret([]byte("planted-value"))}})
	if err != nil || strings.Contains(fmt.Sprintf("%+v %#v", a, *a), "planted-value") {
		t.Errorf("%v, or the secret is printed", err)
	}
}

func BenchmarkProven(b *testing.B) {
	p := newProvider(b)
	a := guarded(b, p, nil)
	ctx := from(b, "203.0.113.7/32")
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
	r.Header.Set(HumanHeader, p.issue(tokenOf(1), fine))
	b.ReportAllocs()
	for b.Loop() {
		if p, err := a.Authenticate(ctx, r); err != nil || p.Plan != "guest" {
			b.Fatal(p.Plan, err)
		}
	}
}
