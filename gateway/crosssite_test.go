package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/ironsession"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/gateway"
)

// wireShape is one request that a browser can be made to send.
type wireShape struct {
	name, method, path, contentType, body string
	// good is the status where the caller counts, and calls how often the
	// provider is called then.
	good, calls int
}

func wireShapes(t *testing.T) []wireShape {
	t.Helper()
	var form strings.Builder
	w := multipart.NewWriter(&form)
	must(t, w.WriteField("prompt", "hi"))
	must(t, w.Close())
	return []wireShape{
		{"JSON", "POST", chatPath, "application/json", chat("hi"), 200, 1},
		{"JSON to an action", "POST", generatePath, "application/json", generate("hi"), 200, 1},
		{"form", "POST", generatePath, "application/x-www-form-urlencoded", "prompt=hi", 200, 1},
		{"multipart", "POST", generatePath, w.FormDataContentType(), form.String(), 200, 1},
		{"JSON as text/plain", "POST", chatPath, "text/plain", chat("hi"), 415, 0},
		{"JSON with no type", "POST", chatPath, "", chat("hi"), 415, 0},
		{"tickets", "POST", "/tickets", "application/json", `{"sub":"eve"}`, 403, 0},
		{"GET", "GET", "/v1/models", "", "", 200, 0},
		{"HEAD", "HEAD", "/v1/models", "", "", 405, 0},
		{"PUT", "PUT", chatPath, "application/json", chat("hi"), 405, 0},
		{"PATCH", "PATCH", chatPath, "application/json", chat("hi"), 405, 0},
		{"DELETE", "DELETE", chatPath, "", "", 405, 0},
	}
}

// wireCredential is what comes with it, and who that is: by cookie and by
// header, empty for nobody.
type wireCredential struct {
	name           string
	cookie, bearer string
	byCookie       string
	byHeader       string
}

func wireCredentials(r *rig) []wireCredential {
	cookie := r.cookie("grace")
	return []wireCredential{
		{"nothing", "", "", "", ""},
		{"session", cookie, "", "grace", ""},
		{"bad session", "__Secure-authjs.session-token=x", "", "", ""},
		{"ticket", "", r.ticket("ada"), "", "ada"},
		{"ticket beside the session", cookie, r.ticket("ada"), "grace", "ada"},
		{"placeholder beside the session", cookie, "Bearer unused", "grace", ""},
		{"Basic beside the session", cookie, "Basic eDp5", "grace", ""},
	}
}

var (
	wireOrigins = [][]string{
		nil,
		{ours},
		{"https://pr-7-team.example.dev"},
		{foreign},
		{"https://blog.example.com"},
		{"http://app.example.com"},
		{"null"},
		{""},
		{ours, ours},
		{ours, foreign},
		{foreign, ours},
		{ours + ", " + foreign},
	}
	wireSites = [][]string{
		nil,
		{"same-origin"},
		{"same-site"},
		{"cross-site"},
		{"none"},
		{"SAME-ORIGIN"},
		{""},
		{"same-origin", "same-origin"},
		{"cross-site", "same-origin"},
	}
)

// pageOfOurs says in one sentence what the gateway has to find out: one Origin
// that is listed, or no Origin and the browser's word that the page is of the
// same origin; whatever comes twice says nothing.
func pageOfOurs(origins, sites []string) bool {
	listed := len(origins) == 1 && (origins[0] == ours || origins[0] == "https://pr-7-team.example.dev")
	same := len(origins) == 0 && slices.Equal(sites, []string{"same-origin"})
	return len(sites) < 2 && (listed || same)
}

// wireWant is who counts, and the status where nobody does.
func wireWant(c wireCredential, origins, sites []string) (who string, status int) {
	saysNothing := len(origins) == 0 && len(sites) == 0
	page := pageOfOurs(origins, sites)
	switch {
	case c.byHeader != "":
		return c.byHeader, 0
	case c.bearer != "" && !page:
		return "", 401 // the cookie is taken away, and the header is nobody
	case page && c.byCookie != "":
		return c.byCookie, 0
	case page || saysNothing && c.cookie == "":
		return "", 401
	}
	return "", 403
}

// TestCrossSiteOnTheWire is the table of e2e.TestCrossSiteInBrowser by headers
// alone: whatever a request can say of the page that made it, also what no
// browser says, with every credential and every form of request (M-L4).
func TestCrossSiteOnTheWire(t *testing.T) {
	up := &fakeUpstream{}
	r := newRig(t, func(p *parts) { p.snapshot.Upstream = up })
	subjects := map[string]string{}
	for _, who := range []string{"ada", "grace"} {
		subjects[r.snapshot.Pseudonym(claviger.Principal{Realm: "app", Subject: who})] = who
	}
	type sum struct{ rows, counted, calls int }
	sums := map[string]*sum{}
	for _, c := range wireCredentials(r) {
		sums[c.name] = &sum{}
		for _, sh := range wireShapes(t) {
			for _, origins := range wireOrigins {
				for _, sites := range wireSites {
					name := fmt.Sprintf("%s, %s, Origin %q, Sec-Fetch-Site %q", c.name, sh.name, origins, sites)
					before := up.calls.Load()
					got := wireSend(r, sh, c, origins, sites)
					calls := int(up.calls.Load() - before)
					who, status := wireWant(c, origins, sites)
					wantCalls := 0
					if sh.good == http.StatusMethodNotAllowed {
						who, status = "", sh.good // refused before anybody is asked
					} else if status == 0 {
						status, wantCalls = sh.good, sh.calls
					}
					event := r.events.last(t)
					if got.status != status || calls != wantCalls || subjects[event.Subject] != who {
						t.Errorf("%s: %d with %d calls as %q, want %d with %d as %q", name, got.status, calls, subjects[event.Subject], status, wantCalls, who)
					}
					s := sums[c.name]
					s.rows++
					s.calls += calls
					if who != "" {
						s.counted++
					}
				}
			}
		}
	}
	rows := 0
	for _, c := range wireCredentials(r) {
		s := sums[c.name]
		rows += s.rows
		t.Logf("%-32s %5d rows, %4d count, %4d calls upstream", c.name, s.rows, s.counted, s.calls)
	}
	if rows < 9000 || sums["session"].calls == 0 || sums["ticket beside the session"].calls == 0 {
		t.Errorf("%d rows prove nothing", rows)
	}
}

func wireSend(r *rig, sh wireShape, c wireCredential, origins, sites []string) answer {
	req := httptest.NewRequest(sh.method, sh.path, strings.NewReader(sh.body))
	req.Host = "app.example.com"
	for name, values := range map[string][]string{"Origin": origins, "Sec-Fetch-Site": sites} {
		if values != nil {
			req.Header[name] = values
		}
	}
	for name, v := range map[string]string{"Content-Type": sh.contentType, "Cookie": c.cookie, "Authorization": c.bearer} {
		if v != "" {
			req.Header.Set(name, v)
		}
	}
	w := httptest.NewRecorder()
	r.gateway.ServeHTTP(w, req)
	return read(w.Result())
}

// TestHeaderBeforeCookie: who is named in Authorization counts before whom a
// browser names by itself, in whatever order the authenticators stand; a bad
// credential there is refused and not made up for by a cookie.
func TestHeaderBeforeCookie(t *testing.T) {
	up := &fakeUpstream{}
	r := newRig(t, func(p *parts) { p.snapshot.Upstream = up })
	iron, err := ironsession.New(ironsession.Options{Passwords: map[string]claviger.Secret{"1": secret(random())}, Cookie: "iron", Subject: "id"})
	must(t, err)
	name, cookies, err := r.sessions.Issue(claviger.Claims{"sub": "lin"}, time.Hour)
	must(t, err)
	past := func() time.Time { return time.Now().Add(-time.Hour) }
	old, err := ticket.New(ticket.Options{Secrets: []claviger.Secret{secret(r.ticketSecret)}, Now: past})
	must(t, err)
	expired, _, err := old.Mint(t.Context(), ticket.Request{Subject: "ada", TTL: time.Minute})
	must(t, err)
	orders := map[string][]claviger.Authenticator{
		"sessions first":            {r.sessions, iron, r.tickets, r.services},
		"tickets first":             {r.tickets, r.services, iron, r.sessions},
		"another cookie of the app": {iron, r.sessions, r.tickets, r.services},
	}
	for order, list := range orders {
		s := r.snapshot
		s.Authenticators = list
		must(t, r.gateway.Swap(s))
		for _, tc := range []struct {
			what, bearer, cookie, who string
			status                    int
		}{
			{"ticket", r.ticket("ada"), r.cookie("grace"), "ada", 200},
			{"expired ticket", "Bearer " + expired, r.cookie("grace"), "", 401},
			{"tampered ticket", r.ticket("ada") + "A", r.cookie("grace"), "", 401},
			{"session as bearer", "Bearer " + cookies[0].Value, r.cookie("grace"), "lin", 200},
			{"session as bearer, a bad cookie of another kind", "Bearer " + cookies[0].Value, "iron=x", "lin", 200},
			{"ticket, bad session", r.ticket("ada"), name + "=x", "ada", 200},
			{"ticket, session twice", r.ticket("ada"), name + "=x; " + name + "=y", "ada", 200},
			{"placeholder", "Bearer unused", r.cookie("grace"), "grace", 200},
			{"a key that is none of ours", "Bearer sk-" + random(), r.cookie("grace"), "grace", 200},
			{"no scheme", "unused", r.cookie("grace"), "grace", 200},
			{"placeholder, bad session", "Bearer unused", name + "=x", "", 401},
			{"placeholder, no session", "Bearer unused", "theme=dark", "", 401},
		} {
			before := up.calls.Load()
			got := wireSend(r, wireShapes(t)[0], wireCredential{cookie: tc.cookie, bearer: tc.bearer}, []string{ours}, []string{"same-origin"})
			who := ""
			if tc.who != "" {
				who = r.snapshot.Pseudonym(claviger.Principal{Realm: "app", Subject: tc.who})
			}
			if e := r.events.last(t); got.status != tc.status || e.Subject != who || tc.status != 200 && up.calls.Load() != before {
				t.Errorf("%s, %s: %d as %q by %q, want %d as %q", order, tc.what, got.status, e.Subject, e.Method, tc.status, who)
			}
		}
	}
}

// TestOriginSuffixLookAlikes: a preview deployment's origin is by scheme, whole
// labels' end and nothing else.
func TestOriginSuffixLookAlikes(t *testing.T) {
	up := &fakeUpstream{}
	r := newRig(t, func(p *parts) {
		p.snapshot.Upstream = up
		p.snapshot.Origins = gateway.Origins{Exact: []string{ours}, Suffixes: []gateway.OriginSuffix{
			{Scheme: "https", Host: "-team.vercel.app"}, {Scheme: "https", Host: ".previews.example.com"},
		}}
	})
	for origin, want := range map[string]bool{
		"https://git-main-team.vercel.app": true, "https://a.previews.example.com": true, "https://a.b.previews.example.com": true, ours: true,

		"https://evil-team.vercel.app.attacker.test": false, "https://xteam.vercel.app": false, "https://team.vercel.app": false,
		"https://-team.vercel.app": false, "https://GIT-MAIN-team.vercel.app": false, "https://git-main-team.vercel.APP": false,
		"https://git-main-team.vercel.app:443": false, "https://git-main-team.vercel.app:8443": false, "http://git-main-team.vercel.app": false,
		"https://user@git-main-team.vercel.app": false, "https://user:pass@git-main-team.vercel.app": false, "https://git-main-team.vercel.app.": false,
		"https://git-main-team.vercel.app/": false, "https://attacker.test/-team.vercel.app": false, "https://attacker.test?-team.vercel.app": false,
		"https://attacker.test#-team.vercel.app": false, "https://attacker.test\\-team.vercel.app": false, "https://a%2e-team.vercel.app": false,
		"https://evil.test,-team.vercel.app": false, "https://.-team.vercel.app": false, "https://a..previews.example.com": false,
		"https://.previews.example.com": false, "https://xpreviews.example.com": false, "https://previews.example.com": false,
		"https://[::1]-team.vercel.app": false, "wss://git-main-team.vercel.app": false, "https://é-team.vercel.app": false,
	} {
		before := up.calls.Load()
		got := wireSend(r, wireShapes(t)[0], wireCredentials(r)[1], []string{origin}, []string{"cross-site"})
		status, calls := 403, int64(0)
		if want {
			status, calls = 200, 1
		}
		if got.status != status || up.calls.Load()-before != calls || (got.header.Get("Access-Control-Allow-Origin") == origin) != want {
			t.Errorf("%s: %d %v", origin, got.status, got.header)
		}
	}
}

// TestPreflightIsExact: for each way in exactly its method and the headers that
// are known, and for no other origin any of it.
func TestPreflightIsExact(t *testing.T) {
	r := newRig(t, everything)
	methods := map[string][]string{}
	for _, rt := range r.gateway.Routes() {
		method, path, _ := strings.Cut(rt, " ")
		methods[path] = append(methods[path], method)
	}
	allowed := []string{
		"accept", "authorization", "content-type", "x-claviger-stream", "openai-organization", "openai-project", "openai-beta",
		"user-agent", "idempotency-key", "x-stainless-lang", "x-stainless-retry-count",
	}
	denied := []string{"cookie", "x-evil", "x-forwarded-for", "claviger-client", "host", "origin", "sec-fetch-site", "x-api-key", "x-stainles", "*", ""}
	ask := func(path, origin, method string, headers []string) answer {
		req := httptest.NewRequest(http.MethodOptions, path, http.NoBody)
		req.Host = "app.example.com"
		req.Header = http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": headers}
		w := httptest.NewRecorder()
		r.gateway.ServeHTTP(w, req)
		return read(w.Result())
	}
	for _, rt := range r.gateway.Routes() {
		method, path, _ := strings.Cut(rt, " ")
		takes := methods[path]
		path = fillSegments(path)
		for _, wanted := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			got := ask(path, ours, wanted, []string{strings.Join(append(slices.Clone(denied), allowed...), ", ")})
			tells := strings.Split(got.header.Get("Access-Control-Allow-Methods"), ", ")
			slices.Sort(tells)
			if got.status != http.StatusNoContent || !slices.Equal(tells, takes) {
				t.Errorf("%s, asked for %s: %d %v", rt, wanted, got.status, got.header)
			}
			if h := got.header.Get("Access-Control-Allow-Headers"); h != strings.Join(allowed, ", ") {
				t.Errorf("%s: headers %q", rt, h)
			}
			if got.header.Get("Access-Control-Max-Age") != "600" || got.header.Get("Access-Control-Allow-Private-Network") != "" {
				t.Errorf("%s: %v", rt, got.header)
			}
		}
		for _, origin := range []string{foreign, "null", "https://blog.example.com", "http://app.example.com", "https://app.example.com.evil.example", "*"} {
			got := ask(path, origin, method, []string{"content-type"})
			for name := range got.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s from %s: %s", rt, origin, name)
				}
			}
			if got.status != http.StatusForbidden || got.code() != "csrf" {
				t.Errorf("%s from %s: %d %s", rt, origin, got.status, got.body)
			}
		}
	}
}

// TestBrokenAuthenticatorBesideCookie: an error about the header is final, and
// the cookie is not tried after it.
func TestBrokenAuthenticatorBesideCookie(t *testing.T) {
	up := &fakeUpstream{}
	r := newRig(t, func(p *parts) { p.snapshot.Upstream = up })
	s := r.snapshot
	broken := fakeAuthn(func(context.Context) (claviger.Principal, error) { return claviger.Principal{}, errors.New("broken") })
	s.Authenticators = []claviger.Authenticator{r.sessions, broken}
	must(t, r.gateway.Swap(s))
	got := wireSend(r, wireShapes(t)[0], wireCredentials(r)[4], []string{ours}, nil)
	if got.status != http.StatusUnauthorized || up.calls.Load() != 0 {
		t.Errorf("%d and %d calls", got.status, up.calls.Load())
	}
}
