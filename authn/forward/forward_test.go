package forward

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/outbound"
	"claviger.dev/claviger/gatetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock stands still until it is moved.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}
func (c *clock) now() time.Time       { return time.Unix(0, c.nanos.Load()) }
func (c *clock) move(d time.Duration) { c.nanos.Add(int64(d)) }

// app is an app that knows its sessions.
type app struct {
	*httptest.Server
	asked    atomic.Int64
	mu       sync.Mutex
	sessions map[string]string // the answer by credential: the bearer, or the Cookie header
	handle   http.HandlerFunc  // in place of looking up sessions
	headers  http.Header       // of the last question
}

func newApp(t testing.TB) *app {
	a := &app{sessions: map[string]string{}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		a.mu.Lock()
		a.headers = r.Header.Clone()
		handle := a.handle
		credential := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		answer, ok := a.sessions[credential+r.Header.Get("Cookie")]
		a.mu.Unlock()
		w.Header().Set("Set-Cookie", "sid=other; Path=/")
		switch {
		case handle != nil:
			handle(w, r)
		case !ok:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = w.Write([]byte(answer))
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) set(credential, answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answer == "" {
		delete(a.sessions, credential)
		return
	}
	a.sessions[credential] = answer
}

func (a *app) instead(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handle = h
}

func (a *app) last() http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.headers
}

// make1 makes an authenticator that asks the app at a clock.
func make1(t testing.TB, a *app, c *clock, change func(*Options)) *Authenticator {
	t.Helper()
	o := Options{URL: a.URL + "/api/me", Subject: "user.id", Claims: []string{"user.plan", "roles"}, Cookies: []string{"sid", "csrf"}, Now: c.now}
	if change != nil {
		change(&o)
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.CloseIdle)
	return f
}

func bearer(ctx context.Context, token string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/responses", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func cookies(ctx context.Context, lines ...string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/responses", nil)
	r.Header["Cookie"] = lines
	return r
}

// code is the code of an error, "" for none and "absent" for no credential.
func code(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, claviger.ErrNoCredential):
		return "absent"
	}
	return string(claviger.AsError(err).Code)
}

const (
	token = "tok_0123456789abcdef"
	ada   = `{"user":{"id":"ada","plan":"pro","email":"ada@example.com"},"roles":["admin"]}`
)

func TestConformance(t *testing.T) {
	a, c := newApp(t), newClock()
	a.set(token, ada)
	a.set("sid="+token, ada)
	want := claviger.Principal{Realm: "app", Subject: "ada", Roles: []string{"admin"}, Method: "forward", Presented: claviger.CredentialBearer}
	f := make1(t, a, c, nil)
	// The suite guesses more than anybody may.
	f.guesses = outbound.NewGuesses(func() time.Time { return c.now().Add(time.Duration(a.asked.Load()) * time.Minute) })
	suite := gatetest.AuthenticatorSuite{
		Authenticator: f, Valid: token, Want: want, Refused: map[string]string{"unknown": "tok_unknown_to_the_app"},
		Foreign: map[string]func(*http.Request){
			"another cookie":   func(r *http.Request) { r.Header.Set("Cookie", "other="+token+"; sidx=1; xsid=1") },
			"a cookie without": func(r *http.Request) { r.Header.Set("Cookie", "sid=; csrf") },
		},
	}
	t.Run("bearer", func(t *testing.T) { gatetest.Authenticator(t, suite) })
	suite.Put = func(r *http.Request, c string) { r.Header["Cookie"] = []string{"sid=" + c} }
	suite.Want.Presented = claviger.CredentialCookie
	t.Run("cookie", func(t *testing.T) { gatetest.Authenticator(t, suite) })
}

// TestOnlyTheCredentialGoesOut: nothing else of the caller reaches the app.
func TestOnlyTheCredentialGoesOut(t *testing.T) {
	a, c := newApp(t), newClock()
	f := make1(t, a, c, nil)
	for name, tt := range map[string]struct {
		r    *http.Request
		want http.Header
	}{
		"bearer": {bearer(t.Context(), token), http.Header{"Authorization": {"Bearer " + token}}},
		"cookie": {cookies(t.Context(), "a=b; sid=1; theme=dark", "csrf=2; sid.1=x"), http.Header{"Cookie": {"sid=1; csrf=2"}}},
		"chunks": {cookies(t.Context(), "sid.1=b; sid.0=a; sid-old=z; sid.x=y"), http.Header{"Cookie": {"sid.0=a; sid.1=b"}}},
		"both":   {cookies(t.Context(), "sid=1"), http.Header{"Authorization": {"Bearer " + token + "2"}}},
	} {
		if name == "both" {
			tt.r.Header.Set("Authorization", "Bearer "+token+"2")
		}
		for _, h := range []string{"X-Forwarded-For", "User-Agent", "Origin", "X-Secret", "Accept-Language", "Referer", "Forwarded"} {
			tt.r.Header.Set(h, "the caller's")
		}
		_, _ = f.Authenticate(t.Context(), tt.r)
		tt.want.Set("Accept", "application/json")
		tt.want.Set("User-Agent", "claviger")
		if got := a.last(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: sent %v, want %v", name, got, tt.want)
		}
	}
	for _, bad := range [][]string{{"sid=1; sid=2"}, {"sid.0=a; sid.2=b"}, {"sid.0=a; sid.16=b"}} {
		before := a.asked.Load()
		if _, err := f.Authenticate(t.Context(), cookies(t.Context(), bad...)); code(err) != "unauthenticated" || a.asked.Load() != before {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestAnswers: what counts as an answer, and what each is worth.
func TestAnswers(t *testing.T) {
	a, c := newApp(t), newClock()
	now := c.now()
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(s))
		}
	}
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "/login")
			w.WriteHeader(n)
			_, _ = w.Write([]byte(ada))
		}
	}
	kind := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", s)
			_, _ = w.Write([]byte(ada))
		}
	}
	at := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339) }
	const in, out, absent, down = "", "unauthenticated", "absent", "identity_unavailable"
	for name, tt := range map[string]struct {
		h              http.HandlerFunc
		cookie, bearer string
	}{
		"good":                {text(ada), in, in},
		"number":              {text(`{"user":{"id":7}}`), in, in},
		"null":                {text(`null`), absent, out},
		"no user":             {text(`{}`), absent, out},
		"user null":           {text(`{"user":null}`), absent, out},
		"id null":             {text(`{"user":{"id":null}}`), absent, out},
		"user is text":        {text(`{"user":"ada"}`), absent, out},
		"401":                 {status(401), out, out},
		"403":                 {status(403), out, out},
		"id empty":            {text(`{"user":{"id":""}}`), down, down},
		"id an object":        {text(`{"user":{"id":{}}}`), down, down},
		"id negative":         {text(`{"user":{"id":-7}}`), down, down},
		"id of a service":     {text(`{"user":{"id":"service:web"}}`), down, down},
		"array":               {text(`[]`), down, down},
		"text":                {text(`"ada"`), down, down},
		"empty":               {text(``), down, down},
		"cut":                 {text(ada[:20]), down, down},
		"twice the id":        {text(`{"user":{"id":"ada","id":"bob"}}`), down, down},
		"something behind":    {text(ada + "x"), down, down},
		"too large":           {text(`{"user":{"id":"ada","x":"` + strings.Repeat("x", maxBody) + `"}}`), down, down},
		"html":                {kind("text/html"), down, down},
		"problem":             {kind("application/problem+json"), down, down},
		"302":                 {status(302), down, down},
		"307":                 {status(307), down, down},
		"204":                 {status(204), down, down},
		"201":                 {status(201), down, down},
		"404":                 {status(404), down, down},
		"429":                 {status(429), down, down},
		"500":                 {status(500), down, down},
		"503":                 {status(503), down, down},
		"ended":               {text(`{"user":{"id":"ada"},"expires":"` + at(-time.Second) + `"}`), absent, out},
		"ends later":          {text(`{"user":{"id":"ada"},"expires":"` + at(time.Hour) + `"}`), in, in},
		"session ended":       {text(`{"user":{"id":"ada"},"session":{"expiresAt":"` + at(-time.Second) + `"}}`), absent, out},
		"seconds":             {text(fmt.Sprintf(`{"user":{"id":"ada"},"exp":%d}`, now.Unix()-1)), absent, out},
		"milliseconds":        {text(fmt.Sprintf(`{"user":{"id":"ada"},"expires_at":%d}`, now.UnixMilli()-1)), absent, out},
		"milliseconds, later": {text(fmt.Sprintf(`{"user":{"id":"ada"},"expires_at":%d}`, now.UnixMilli()+9999)), in, in},
		"no end":              {text(`{"user":{"id":"ada"},"exp":null}`), in, in},
		"an end that is none": {text(`{"user":{"id":"ada"},"expires":"never"}`), down, down},
	} {
		t.Run(name, func(t *testing.T) {
			a.instead(tt.h)
			f := make1(t, a, c, nil)
			if _, err := f.Authenticate(t.Context(), cookies(t.Context(), "sid=1")); code(err) != tt.cookie {
				t.Errorf("cookie: %v, want %q", err, tt.cookie)
			}
			_, err := f.Authenticate(t.Context(), bearer(t.Context(), token))
			if code(err) != tt.bearer {
				t.Errorf("bearer: %v, want %q", err, tt.bearer)
			}
			if e, ok := errors.AsType[*claviger.Error](err); ok && tt.bearer == down && (e.HTTPStatus() != 503 || e.RetryAfter <= 0 || !e.Retriable()) {
				t.Errorf("status %d, again after %s", e.HTTPStatus(), e.RetryAfter)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the log holds the credential: %v", err)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	a, c := newApp(t), newClock()
	a.set(token, ada)
	p, err := make1(t, a, c, nil).Authenticate(t.Context(), bearer(t.Context(), token))
	if want := (claviger.Claims{"plan": "pro", "roles": []any{"admin"}}); err != nil || !reflect.DeepEqual(p.Claims, want) || !slices.Equal(p.Roles, []string{"admin"}) {
		t.Errorf("claims %v, roles %v, %v", p.Claims, p.Roles, err)
	}
	p, err = make1(t, a, c, func(o *Options) { o.Claims, o.Realm = nil, "web" }).Authenticate(t.Context(), bearer(t.Context(), token))
	if err != nil || p.Claims != nil || p.Roles != nil || p.Realm != "web" {
		t.Errorf("what nobody asked for came in: %+v, %v", p, err)
	}
}

// TestCache: an answer counts for its time and no longer, from the moment of the
// question on, whatever became of the session meanwhile.
func TestCache(t *testing.T) {
	a, c := newApp(t), newClock()
	a.set(token, ada)
	f := make1(t, a, c, nil)
	expect := func(what, want string, asked int64) {
		t.Helper()
		_, err := f.Authenticate(t.Context(), bearer(t.Context(), token))
		if code(err) != want || a.asked.Load() != asked {
			t.Errorf("%s: %q after %d questions (%v), want %q after %d", what, code(err), a.asked.Load(), err, want, asked)
		}
	}
	expect("first", "", 1)
	expect("remembered", "", 1)
	a.set(token, "")
	c.move(22 * time.Second)
	expect("revoked, within the time", "", 1)
	c.move(8 * time.Second)
	expect("revoked", "unauthenticated", 2)
	expect("the refusal is remembered", "unauthenticated", 2)
	a.set(token, ada)
	c.move(inVain - 1)
	expect("signed in, within the time of the refusal", "unauthenticated", 2)
	c.move(1)
	expect("signed in", "", 3)

	a.set(token, "")
	f.Forget(token)
	expect("forgotten", "unauthenticated", 4)
	a.set(token, ada)
	f.Forget(token)
	expect("a refusal forgotten", "", 5)

	a.set(token, `{"user":{"id":"ada"},"exp":`+fmt.Sprint(c.now().Unix()+10)+`}`)
	c.move(31 * time.Second)
	a.set(token, `{"user":{"id":"ada"},"exp":`+fmt.Sprint(c.now().Unix()+10)+`}`)
	expect("with an end", "", 6)
	c.move(9 * time.Second)
	expect("before the end", "", 6)
	time.Sleep(20 * time.Millisecond)
	if a.asked.Load() != 6 {
		t.Error("an answer that ends with its session was renewed")
	}
	c.move(time.Second)
	expect("at the end", "unauthenticated", 7)
}

// TestRenewal: in the last quarter of its time an answer is renewed behind the
// caller's back; a refusal then ends it at once, a failure does not prolong it.
func TestRenewal(t *testing.T) {
	a, c := newApp(t), newClock()
	a.set(token, ada)
	f := make1(t, a, c, nil)
	ask := func() string {
		_, err := f.Authenticate(t.Context(), bearer(t.Context(), token))
		return code(err)
	}
	quiet := func(asked int64) {
		t.Helper()
		for range 500 {
			f.mu.Lock()
			idle := len(f.flights) == 0
			f.mu.Unlock()
			if idle && a.asked.Load() == asked {
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
		t.Fatalf("asked %d times, want %d", a.asked.Load(), asked)
	}
	ask()
	c.move(23 * time.Second)
	if got := ask(); got != "" {
		t.Fatal(got)
	}
	quiet(2)
	c.move(20 * time.Second) // the first answer is over, the second counts
	if got := ask(); got != "" || a.asked.Load() != 2 {
		t.Errorf("renewed: %q after %d", got, a.asked.Load())
	}
	c.move(3 * time.Second)
	a.instead(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	ask()
	quiet(3)
	for range 10 {
		if got := ask(); got != "" || a.asked.Load() != 3 {
			t.Errorf("after a failed renewal: %q after %d", got, a.asked.Load())
		}
	}
	c.move(7 * time.Second)
	if got := ask(); got != "identity_unavailable" {
		t.Errorf("past its time, with the app broken: %q", got)
	}
	a.instead(nil)
	c.move(broken)
	ask()
	c.move(23 * time.Second)
	a.set(token, "")
	if got := ask(); got != "" {
		t.Errorf("the caller was made to wait: %q", got)
	}
	quiet(6)
	if got := ask(); got != "unauthenticated" {
		t.Errorf("a refused renewal: %q", got)
	}
}

// TestOneQuestion: a hundred callers with one credential are one question, and
// one after Forget is another.
func TestOneQuestion(t *testing.T) {
	a, c := newApp(t), newClock()
	go1 := make(chan struct{})
	a.instead(func(w http.ResponseWriter, _ *http.Request) {
		<-go1
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(ada))
	})
	f := make1(t, a, c, nil)
	var wg sync.WaitGroup
	var good atomic.Int64
	for range 100 {
		wg.Go(func() {
			if _, err := f.Authenticate(t.Context(), bearer(t.Context(), token)); err == nil {
				good.Add(1)
			}
		})
	}
	for a.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	f.Forget(token) // whoever asks from now on gets another answer
	wg.Go(func() {
		if _, err := f.Authenticate(t.Context(), bearer(t.Context(), token)); err == nil {
			good.Add(1)
		}
	})
	for a.asked.Load() == 1 {
		time.Sleep(time.Millisecond)
	}
	close(go1)
	wg.Wait()
	if good.Load() != 101 || a.asked.Load() != 2 {
		t.Errorf("%d were let in after %d questions", good.Load(), a.asked.Load())
	}
	// A caller who leaves does not end the question of the others.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Authenticate(ctx, bearer(t.Context(), "another-token-of-16")); code(err) != "identity_unavailable" {
		t.Errorf("left: %v", err)
	}
	if _, err := f.Authenticate(t.Context(), bearer(t.Context(), "another-token-of-16")); err != nil {
		t.Errorf("the next: %v", err)
	}
}

// TestGuesses: made-up credentials neither flood the app nor keep out those who
// are known.
func TestGuesses(t *testing.T) {
	a, c := newApp(t), newClock()
	a.set(token, ada)
	var limited atomic.Int64
	f := make1(t, a, c, func(o *Options) {
		o.Asked = func(s string) {
			if s == AskedLimited {
				limited.Add(1)
			}
		}
	})
	flood := claviger.ContextWithClient(t.Context(), netip.MustParsePrefix("203.0.113.7/32"))
	if _, err := f.Authenticate(flood, bearer(flood, token)); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		_, err := f.Authenticate(flood, bearer(flood, fmt.Sprintf("made-up-credential-%d", i)))
		if want := map[bool]string{true: "unauthenticated", false: "rate_limited"}[i < 20]; code(err) != want {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if n := a.asked.Load(); n != 21 || limited.Load() != 980 {
		t.Errorf("the app was asked %d times, %d were told to wait", n, limited.Load())
	}
	c.move(31 * time.Second) // what was known is asked about again, while guesses go on
	for i := range 1000 {
		_, _ = f.Authenticate(flood, bearer(flood, fmt.Sprintf("another-credential-%d", i)))
	}
	if _, err := f.Authenticate(flood, bearer(flood, token)); err != nil {
		t.Errorf("a session that was good before: %v", err)
	}
	other := claviger.ContextWithClient(t.Context(), netip.MustParsePrefix("203.0.113.8/32"))
	a.set("a-session-of-somebody", ada)
	if _, err := f.Authenticate(other, bearer(other, "a-session-of-somebody")); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	// From a thousand addresses, and from nowhere in particular.
	before := a.asked.Load()
	for i := range 2000 {
		ctx := t.Context()
		if i%2 == 0 {
			ctx = claviger.ContextWithClient(ctx, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32))
		}
		_, _ = f.Authenticate(ctx, bearer(ctx, fmt.Sprintf("distributed-guess-%d", i)))
	}
	if n := a.asked.Load() - before; n > 200 {
		t.Errorf("the app was asked %d times", n)
	}
}

// TestDeadApp: an app that is gone or silent keeps nobody waiting for long, and
// nobody at all once that is known.
func TestDeadApp(t *testing.T) {
	a, c := newApp(t), newClock()
	f := make1(t, a, c, nil)
	a.Close()
	for i := range 50 {
		if _, err := f.Authenticate(t.Context(), bearer(t.Context(), fmt.Sprintf("some-credential-%d", i))); code(err) != "identity_unavailable" {
			t.Fatal(err)
		}
	}
	_, err := f.Authenticate(t.Context(), bearer(t.Context(), token))
	if code(err) != "identity_unavailable" || len(f.flights) != 0 {
		t.Errorf("%v, %d under way", err, len(f.flights))
	}

	silent := newApp(t)
	hang := make(chan struct{})
	silent.instead(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	defer close(hang)
	f = make1(t, silent, c, nil)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := f.Authenticate(t.Context(), bearer(t.Context(), fmt.Sprintf("some-credential-%d", i))); code(err) != "identity_unavailable" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d := time.Since(start); d > 2*timeout || silent.asked.Load() > otherSlots {
		t.Errorf("waited %s, asked %d times", d, silent.asked.Load())
	}
	start = time.Now()
	for i := range 200 {
		_, _ = f.Authenticate(t.Context(), bearer(t.Context(), fmt.Sprintf("other-credential-%d", i)))
	}
	if d := time.Since(start); d > time.Second || silent.asked.Load() > otherSlots {
		t.Errorf("once it is known: waited %s, asked %d times", d, silent.asked.Load())
	}
	silent.instead(nil)
	silent.set(token, ada)
	c.move(time.Minute)
	if _, err := f.Authenticate(t.Context(), bearer(t.Context(), token)); err != nil {
		t.Errorf("the app is back: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{URL: "https://app.example.com/api/me/", Subject: "user.id", Claims: []string{"plan"}, Cookies: []string{"sid"}}
	for name, change := range map[string]func(*Options){
		"no url":            func(o *Options) { o.URL = "" },
		"http":              func(o *Options) { o.URL = "http://app.example.com/me" },
		"query":             func(o *Options) { o.URL += "?a=b" },
		"user":              func(o *Options) { o.URL = "https://a:b@app.example.com/me" },
		"metadata":          func(o *Options) { o.URL = "https://169.254.169.254/me" },
		"no subject":        func(o *Options) { o.Subject = "" },
		"empty part":        func(o *Options) { o.Subject = "user..id" },
		"cookie":            func(o *Options) { o.Cookies = []string{"a b"} },
		"cookie twice":      func(o *Options) { o.Cookies = []string{"a", "a"} },
		"claim":             func(o *Options) { o.Claims = []string{"a."} },
		"claims of a name":  func(o *Options) { o.Claims = []string{"a.plan", "plan"} },
		"a cache too long":  func(o *Options) { o.Cache = 2 * time.Hour },
		"a cache before it": func(o *Options) { o.Cache = -1 },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "forward: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := New(good)
	if err != nil || f.url != good.URL {
		t.Errorf("%v, asks %q", err, f.url)
	}
}
