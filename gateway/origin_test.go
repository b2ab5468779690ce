package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/anonymous"
	"claviger.dev/claviger/gateway"
)

// TestOrigins holds the list of origins to its letter (M-L4).
func TestOrigins(t *testing.T) {
	o := gateway.Origins{
		Exact:    []string{ours, "http://localhost:3000"},
		Suffixes: []gateway.OriginSuffix{{Scheme: "https", Host: "-team.example.dev"}},
	}
	for origin, want := range map[string]bool{
		ours: true, "http://localhost:3000": true, "https://pr-7-team.example.dev": true,
		"": false, "null": false, "https://app.example.com/": false, "HTTPS://app.example.com": false, "https://APP.example.com": false,
		"http://app.example.com": false, "https://app.example.com:443": false, "https://app.example.com.evil.example": false,
		"https://evil.example/https://app.example.com": false, "http://localhost:3001": false, "http://localhost": false,
		"https://-team.example.dev": false, "http://pr-7-team.example.dev": false, "https://pr-7-team.example.dev:8443": false,
		"https://pr-7-team.example.dev.evil.example": false, "https://evil.example#-team.example.dev": false, "https://evil.example/-team.example.dev": false,
		"https://evil@pr-team.example.dev": false, "https://evil\\-team.example.dev": false, "https://ev%00il-team.example.dev": false,
		"*": false, "https://*": false, "file://": false, "chrome-extension://abc": false, "https://app.example.com, https://evil.example": false,
	} {
		if got := o.Allowed(origin); got != want {
			t.Errorf("%q: %v, want %v", origin, got, want)
		}
	}
	if (gateway.Origins{}).Allowed(ours) {
		t.Error("the zero value allows an origin")
	}
}

// from is what a browser, or somebody who is none, says of a request.
type from struct {
	origin, site, cookie, bearer string
	method, path, contentType    string
}

// originRow is one combination and its outcome. who is the subject that counted.
type originRow struct {
	name   string
	from   from
	status int
	code   string
	// cors says that a page of the origin may read the answer.
	cors bool
}

func originRows(r *rig) []originRow {
	cookie, bearer, bad := r.cookie("grace"), r.ticket("ada"), "Bearer x"
	form := "application/x-www-form-urlencoded"
	return []originRow{
		{"our page, cookie", from{origin: ours, site: "same-origin", cookie: cookie}, 200, "", true},
		{"our page on another site, cookie", from{origin: ours, site: "cross-site", cookie: cookie}, 200, "", true},
		{"our page, an old browser, cookie", from{origin: ours, cookie: cookie}, 200, "", true},
		{"same origin without Origin, cookie", from{site: "same-origin", cookie: cookie}, 200, "", false},
		{"a preview, cookie", from{origin: "https://pr-1-team.example.dev", site: "cross-site", cookie: cookie}, 200, "", true},
		{"our page, bearer", from{origin: ours, site: "cross-site", bearer: bearer}, 200, "", true},
		{"our page, nobody", from{origin: ours, site: "same-origin"}, 401, "unauthenticated", true},
		{"our page, a bad bearer and a cookie", from{origin: ours, site: "same-origin", bearer: bad, cookie: cookie}, 200, "", true},
		{"our page, cookie, a form", from{origin: ours, site: "same-origin", cookie: cookie, path: generatePath, contentType: form}, 200, "", true},

		{"a foreign page, cookie", from{origin: foreign, site: "cross-site", cookie: cookie}, 403, "csrf", false},
		{"a foreign page, an old browser, cookie", from{origin: foreign, cookie: cookie}, 403, "csrf", false},
		{"a foreign page that says same-origin, cookie", from{origin: foreign, site: "same-origin", cookie: cookie}, 403, "csrf", false},
		{"a foreign page without Origin, cookie", from{site: "cross-site", cookie: cookie}, 403, "csrf", false},
		{"a sister site, cookie", from{origin: "https://blog.example.com", site: "same-site", cookie: cookie}, 403, "csrf", false},
		{"a sister site without Origin, cookie", from{site: "same-site", cookie: cookie}, 403, "csrf", false},
		{"a typed address, cookie", from{site: "none", cookie: cookie}, 403, "csrf", false},
		{"a foreign form, cookie", from{origin: foreign, site: "cross-site", cookie: cookie, path: generatePath, contentType: form}, 403, "csrf", false},
		{"a foreign form as text/plain, cookie", from{origin: foreign, site: "cross-site", cookie: cookie, path: generatePath, contentType: "text/plain"}, 403, "csrf", false},
		{"a foreign page, nobody", from{origin: foreign, site: "cross-site"}, 403, "csrf", false},
		{"null, cookie", from{origin: "null", site: "cross-site", cookie: cookie}, 403, "csrf", false},
		{"null, same-origin, cookie", from{origin: "null", site: "same-origin", cookie: cookie}, 403, "csrf", false},
		{"null, bearer", from{origin: "null", site: "cross-site", bearer: bearer}, 200, "", false},
		{"an origin that ends like ours, cookie", from{origin: "https://evilapp.example.com", site: "same-site", cookie: cookie}, 403, "csrf", false},
		{"ours over http, cookie", from{origin: "http://app.example.com", site: "cross-site", cookie: cookie}, 403, "csrf", false},
		{"an unknown Sec-Fetch-Site, cookie", from{site: "self", cookie: cookie}, 403, "csrf", false},
		{"ours and an unknown Sec-Fetch-Site, cookie", from{origin: ours, site: "self", cookie: cookie}, 200, "", true},
		{"GET, a foreign page, cookie", from{origin: foreign, site: "cross-site", cookie: cookie, method: "GET", path: "/v1/models"}, 403, "csrf", false},
		{"GET, a foreign image, cookie", from{site: "cross-site", cookie: cookie, method: "GET", path: "/v1/models"}, 403, "csrf", false},
		{"GET, our page, cookie", from{site: "same-origin", cookie: cookie, method: "GET", path: "/v1/models"}, 200, "", false},

		{"a server with the user's cookie", from{cookie: cookie}, 403, "csrf", false},
		{"a server with the user's bad cookie", from{cookie: "__Secure-authjs.session-token=x"}, 403, "csrf", false},
		{"a server with another cookie", from{cookie: "theme=dark"}, 401, "unauthenticated", false},
		{"a server with a bearer", from{bearer: bearer}, 200, "", false},
		{"a server with a bearer and a cookie", from{bearer: bearer, cookie: cookie}, 200, "", false},
		{"a server with a bad bearer and a cookie", from{bearer: bad, cookie: cookie}, 401, "unauthenticated", false},
		{"a foreign page with a bearer", from{origin: foreign, site: "cross-site", bearer: bearer}, 200, "", false},
		{"a foreign page with a bearer and a cookie", from{origin: foreign, site: "cross-site", bearer: bearer, cookie: cookie}, 200, "", false},
		{"a foreign page with a bad bearer and a cookie", from{origin: foreign, site: "cross-site", bearer: bad, cookie: cookie}, 401, "unauthenticated", false},
		{"a foreign page with Basic and a cookie", from{origin: foreign, site: "cross-site", bearer: "Basic eDp5", cookie: cookie}, 401, "unauthenticated", false},
	}
}

// TestOriginRule: a cookie counts from pages of ours alone; a bearer counts from
// anywhere, and then no cookie does (M-L4).
func TestOriginRule(t *testing.T) {
	r := newRig(t, nil)
	grace := r.snapshot.Pseudonym(claviger.Principal{Realm: "app", Subject: "grace"})
	ada := r.snapshot.Pseudonym(claviger.Principal{Realm: "app", Subject: "ada"})
	for i, row := range originRows(r) {
		r.sim.Reset()
		got := r.one(fromRequest(row.from))
		t.Logf("%-46s %d %s", row.name, got.status, got.code())
		if got.status != row.status || got.code() != row.code {
			t.Errorf("%s: %d %q, want %d %q: %s", row.name, got.status, got.code(), row.status, row.code, got.body)
		}
		if row.status != 200 && r.calls() != 0 {
			t.Errorf("%s: the provider was called", row.name)
		}
		allowed := got.header.Get("Access-Control-Allow-Origin")
		if (allowed != "") != row.cors || allowed != "" && (allowed != row.from.origin || got.header.Get("Access-Control-Allow-Credentials") != "true") {
			t.Errorf("%s: Access-Control-Allow-Origin is %q", row.name, allowed)
		}
		if !strings.Contains(strings.Join(got.header["Vary"], ","), "Origin") {
			t.Errorf("%s: Vary is %q", row.name, got.header["Vary"])
		}
		checkAnswerHeaders(t, row.name, got)
		if row.status != 200 {
			continue
		}
		r.events.wait(t, i+1)
		want := grace
		if row.from.bearer != "" && row.from.bearer != "Bearer x" {
			want = ada
		}
		if e := r.events.last(t); e.Subject != want {
			t.Errorf("%s: somebody else was meant", row.name)
		}
	}
}

func fromRequest(f from) string {
	method, path, kind, body := "POST", chatPath, "application/json", chat("hi")
	if f.method != "" {
		method, body = f.method, ""
	}
	if f.path != "" {
		path = f.path
	}
	if f.contentType != "" {
		kind, body = f.contentType, "prompt=hi"
	}
	a := attacker{host: "app.example.com"}
	var lines []string
	for _, h := range [][2]string{{"Origin", f.origin}, {"Sec-Fetch-Site", f.site}, {"Cookie", f.cookie}, {"Authorization", f.bearer}} {
		if h[1] != "" {
			lines = append(lines, h[0]+": "+h[1])
		}
	}
	if method == "GET" {
		return a.send(method, path, "", lines...)
	}
	return strings.Replace(a.post(path, body, lines...), "Content-Type: application/json", "Content-Type: "+kind, 1)
}

// TestRepeatedBrowserHeaders: who says two things of where a request comes from
// says nothing that counts.
func TestRepeatedBrowserHeaders(t *testing.T) {
	r := newRig(t, nil)
	a := attacker{host: "app.example.com"}
	cookie := "Cookie: " + r.cookie("grace")
	for _, lines := range [][]string{
		{"Origin: " + ours, "Origin: " + foreign},
		{"Origin: " + ours, "Origin: " + ours},
		{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"},
	} {
		if got := r.one(a.post(chatPath, chat("hi"), append(lines, cookie)...)); got.code() != "csrf" {
			t.Errorf("%q: %d %s", lines, got.status, got.body)
		}
	}
}

// TestAnonymousOrigin: nobody's request counts from our pages and from no
// browser, never from a foreign page (M-L4, M-L6).
func TestAnonymousOrigin(t *testing.T) {
	r := newRig(t, func(p *parts) {
		a, err := anonymous.New(anonymous.Options{Limits: []claviger.Limit{{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 4, Per: claviger.PeriodDay}}}})
		must(t, err)
		p.snapshot.Authenticators = append(p.snapshot.Authenticators, a)
	})
	for _, tc := range []struct {
		f      from
		status int
	}{
		{from{origin: foreign, site: "cross-site"}, 403},
		{from{site: "cross-site"}, 403},
		{from{origin: "null"}, 403},
		{from{bearer: "Bearer x"}, 401},
		{from{cookie: r.cookie("grace")}, 403},
		{from{origin: ours, site: "same-origin"}, 200},
		{from{}, 200},
		{from{method: "GET", path: "/v1/models"}, 200},
		{from{}, 200},
		// The limits of the credential hold for lists, too.
		{from{method: "GET", path: "/v1/models"}, 429},
		{from{}, 429},
	} {
		if got := r.one(fromRequest(tc.f)); got.status != tc.status {
			t.Errorf("%+v: %d %s, want %d", tc.f, got.status, got.body, tc.status)
		}
	}
}

// TestPreflight: a browser is told what a page of ours may send, and nothing
// goes further than that.
func TestPreflight(t *testing.T) {
	r := newRig(t, perIP(3))
	ask := func(path, origin, method, headers string) answer {
		return r.send(http.MethodOptions, path, "", "Authorization", "", "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
	}
	got := ask(chatPath, ours, "POST", "Authorization, content-type,x-stainless-lang, x-evil, cookie")
	if got.status != http.StatusNoContent || got.body != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": ours, "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": "POST",
		"Access-Control-Allow-Headers": "authorization, content-type, x-stainless-lang", "Access-Control-Max-Age": "600",
	} {
		if v := got.header.Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	checkAnswerHeaders(t, "preflight", got)
	for _, tc := range []struct {
		path, origin, method string
		status               int
	}{
		{"/v1/models", ours, "GET", 204},
		{generatePath, ours, "POST", 204},
		{chatPath, foreign, "POST", 403},
		{chatPath, "null", "POST", 403},
		{chatPath, "", "POST", 405},
		{chatPath, ours, "", 405},
		{"/v1/files", ours, "POST", 404},
	} {
		if got := ask(tc.path, tc.origin, tc.method, ""); got.status != tc.status {
			t.Errorf("%+v: %d %s", tc, got.status, got.body)
		} else if checkAnswerHeaders(t, tc.path, got); tc.status != 204 && got.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%+v: %v", tc, got.header)
		}
	}
	if r.calls() != 0 {
		t.Error("a preflight reached the provider")
	}
}

// TestForeignCookieDropped: next to a bearer no authenticator ever sees a cookie
// that nobody vouches for.
func TestForeignCookieDropped(t *testing.T) {
	r := newRig(t, nil)
	var seen http.Header
	s := r.snapshot
	s.Authenticators = []claviger.Authenticator{spyAuthn{&seen}}
	must(t, r.gateway.Swap(s))
	for _, tc := range []struct {
		origin string
		kept   bool
	}{{ours, true}, {foreign, false}, {"", false}} {
		req := httptest.NewRequest(http.MethodPost, chatPath, strings.NewReader(chat("hi")))
		req.Host = "app.example.com"
		req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x"}, "Cookie": {"a=b"}}
		if tc.origin != "" {
			req.Header.Set("Origin", tc.origin)
		}
		r.gateway.ServeHTTP(httptest.NewRecorder(), req)
		if (seen.Get("Cookie") != "") != tc.kept {
			t.Errorf("from %q the authenticator saw %q", tc.origin, seen.Get("Cookie"))
		}
		if req.Header.Get("Cookie") == "" {
			t.Error("the caller's request was changed")
		}
	}
}

type spyAuthn struct{ seen *http.Header }

func (s spyAuthn) Authenticate(_ context.Context, r *http.Request) (claviger.Principal, error) {
	*s.seen = r.Header.Clone()
	return claviger.Principal{Realm: "app", Subject: "x"}, nil
}
