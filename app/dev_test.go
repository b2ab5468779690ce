package app

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// devConfig is a fresh one: no environment, and a click signs in.
const devConfig = `listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
identity_key: env:IDENTITY_KEY
auth:
  - dev-user: {plan: all, spend: 0.004 USD/day}
plans:
  - {name: all, models: [gpt-4.1-mini], limits: {requests: 1000/min, spend: 100 USD/day}}
actions:
  tidy: {path: /api/ai/generate, model: gpt-4.1-mini, instructions: Correct the text., max_output_tokens: 500}
proxy: {endpoints: [responses, chat.completions]}
`

func startDev(t *testing.T) *process {
	t.Helper()
	s := newSite(t)
	s.write("claviger.yaml", devConfig)
	return s.start("dev")
}

// click signs in as a browser does, and gives the session.
func (p *process) click(headers map[string]string) (reply, *http.Cookie) {
	p.t.Helper()
	req := p.request(devUserPath, "", url.Values{"in": {"1"}}.Encode())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	r := p.do(req)
	for _, c := range r.Cookies() {
		return r, c
	}
	return r, nil
}

// TestDevUser: a click signs in one person, for whom the app may speak with the
// cookie's value as a bearer; pages of other sites cannot click.
func TestDevUser(t *testing.T) {
	p := startDev(t)
	page := p.get(p.public + devUserPath)
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "Sign in as dev-user") {
		t.Fatalf("page: %d %s", page.StatusCode, page.body)
	}
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("policy of the page: %q", csp)
	}
	if r := p.generate(""); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("before the click: %d", r.StatusCode)
	}
	for name, h := range map[string]map[string]string{
		"another site":   {"Sec-Fetch-Site": "cross-site"},
		"another origin": {"Origin": "https://evil.example"},
		"a sibling":      {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
	} {
		if r, c := p.click(h); c != nil || r.StatusCode != http.StatusForbidden {
			t.Errorf("a click of %s: %d, cookie %v", name, r.StatusCode, c != nil)
		}
	}
	r, session := p.click(map[string]string{"Sec-Fetch-Site": "same-origin"})
	if session == nil || r.StatusCode != http.StatusSeeOther || !session.HttpOnly || session.SameSite != http.SameSiteLaxMode || session.Name != devUserCookie {
		t.Fatalf("click: %d %v", r.StatusCode, session)
	}
	if r := p.generate(session.Value); r.StatusCode != http.StatusOK {
		t.Errorf("as a bearer: %d %s", r.StatusCode, r.body)
	}
	// The budget of the dev user is smaller than that of the plan.
	r = p.post("/v1/responses", session.Value, `{"model":"gpt-4.1-mini","input":"hi","max_output_tokens":50000}`)
	if r.StatusCode != http.StatusTooManyRequests || !strings.Contains(r.body, string(claviger.CodeBudgetExhausted)) {
		t.Errorf("over the budget: %d %s", r.StatusCode, r.body)
	}
	if !regexp.MustCompile(`(?m)^[0-9:]{8}  200  dev-user  tidy  gpt-4.1-mini  \d+ in, \d+ out  \$0\.\d{6}  [0-9.]+ms$`).MatchString(p.errs.String()) {
		t.Errorf("no line of the request:\n%s", p.errs)
	}
	if strings.Contains(p.errs.String(), "teh cat") || strings.Contains(p.errs.String(), session.Value) {
		t.Error("the log shows content or the session")
	}
	foreign := p.request(devUserPath, "", "in=1")
	foreign.Host = "evil.example"
	if r := p.do(foreign); r.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a foreign host: %d", r.StatusCode)
	}
}

// TestDevUserGoesBack: the click leads to the page it was for, where its origin
// is listed, and nowhere else.
func TestDevUserGoesBack(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", "origins: [http://localhost:3000]\n"+devConfig)
	p := s.start("dev")
	for to, want := range map[string]string{
		"":                                   devUserPath,
		"http://localhost:3000/claviger?a=b": "http://localhost:3000/claviger?a=b",
		"http://localhost:3001/claviger":     devUserPath,
		"http://localhost:3000.evil.example": devUserPath,
		"http://me@localhost:3000/":          devUserPath,
		"//localhost:3000/":                  devUserPath,
		"javascript:alert(1)":                devUserPath,
		"https://evil.example/":              devUserPath,
	} {
		req := p.request(devUserPath, "", url.Values{"in": {"1"}, "to": {to}}.Encode())
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r := p.do(req)
		if got := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("to %q: %d %q", to, r.StatusCode, got)
		}
		page := p.get(p.public + devUserPath + "?" + url.Values{"to": {to}}.Encode())
		if there := strings.Contains(page.body, `name="to"`); there != (want != devUserPath) {
			t.Errorf("the page keeps %q: %v", to, there)
		}
	}
	if csp := p.get(p.public + devUserPath).Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' http://localhost:3000;") {
		t.Errorf("a browser would not go back: %q", csp)
	}
}

// TestDevUserIsLoopback: whoever is not on this machine has no use of a session.
func TestDevUserIsLoopback(t *testing.T) {
	u := &devUser{}
	for _, from := range []string{"192.0.2.7:1234", "[2001:db8::1]:1234", "", "localhost:1"} {
		if _, err := u.Authenticate(t.Context(), &http.Request{RemoteAddr: from}); err != claviger.ErrNoCredential { //nolint:errorlint // exactly this one
			t.Errorf("from %q: %v", from, err)
		}
	}
}

// TestDevListensTwice: a browser that takes localhost for ::1 finds the gateway
// where one that takes it for 127.0.0.1 does.
func TestDevListensTwice(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("NOT RUN: this machine has no ::1")
	}
	_ = probe.Close()
	p := startDev(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		if r := p.get("http://" + host + ":" + port + devUserPath); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", host, r.StatusCode)
		}
	}
	if want := "Claviger: http://localhost:" + port; !strings.Contains(p.out.String(), want) {
		t.Errorf("stdout does not say %q: %q", want, p.out)
	}
}

// TestDevTells: what a beginner does wrong is told with what to do.
func TestDevTells(t *testing.T) {
	s := newSite(t)
	delete(s.vars, "OPENAI_API_KEY")
	s.vars["AUTH_SECRET"] = s.ticketSecret
	s.write("claviger.yaml", strings.Replace(devConfig, "  - dev-user", "  - authjs: {secrets: [env:AUTH_SECRET], version: 5}\n  - dev-user", 1))
	p := s.start("dev")
	tells := func(what string) {
		t.Helper()
		p.until("the log says "+what, func() bool { return strings.Contains(p.errs.String(), what) })
	}
	tells("not ready: ")
	_, session := p.click(nil)
	if session == nil {
		t.Fatal("no session")
	}
	req := p.request("/api/ai/generate", "", `{"prompt":"x"}`)
	req.Header.Set("Cookie", session.Name+"="+session.Value)
	req.Header.Set("Origin", "http://localhost:3000")
	p.do(req)
	tells("add it to the configuration, as origins: [http://localhost:3000]")
	tells("the page's origin is not in origins")
	p.generate("")
	tells("nobody is signed in in this browser")
	// Sealed by an app with another secret.
	p.generate(session.Value)
	tells("both must read the same AUTH_SECRET")
	req = p.request("/api/ai/generate", "", `{"prompt":"x"}`)
	req.Header.Set("Cookie", "authjs.session-token=0b5e4f0e-8a4c-4c5e-9f5a-0a1b2c3d4e5f")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	p.do(req)
	tells("holds the id of a database session")

	// The key takes effect when it comes, and a wrong file changes nothing.
	s.write(".env.claviger.local", "OPENAI_API_KEY="+s.key+"\n")
	p.untilReady(http.StatusOK, "ready")
	s.write("claviger.yaml", "auth: [")
	tells("the new configuration is not good and the old one goes on")
	if r := p.get(p.public + devUserPath); r.StatusCode != http.StatusOK {
		t.Errorf("the old configuration does not go on: %d", r.StatusCode)
	}
	if strings.Contains(p.errs.String(), s.key) || strings.Contains(p.errs.String(), session.Value) {
		t.Error("the log shows a secret")
	}
}

// TestChildVariables: whatever a key of the provider is called, the app does not
// get it.
func TestChildVariables(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(devConfig, "auth:", "upstream: {keys: [env:MY_KEY, env:SECOND]}\nauth:", 1))
	s.write(".env", "ALSO=${MY_KEY}\nMODE=test\n")
	s.write(".env.claviger.local", "SECOND="+s.key+"2\n")
	s.vars["MY_KEY"], s.vars["COPY"], s.vars["OTHER"] = s.key, s.key+"2", "kept"
	env := s.environment(&output{}, &output{})
	src := locate(env, "")
	src.development = true
	r, err := newRunning(t.Context(), env, src)
	if err != nil {
		t.Fatal(err)
	}
	defer r.abandon()
	vars := (&development{running: r}).childVars("http://localhost:1")
	joined := strings.Join(vars, "\n")
	if strings.Contains(joined, s.key) || strings.Contains(joined, s.identity) {
		t.Error("the app gets a secret of the gateway's")
	}
	for _, want := range []string{"OTHER=kept", "CLAVIGER_URL=http://localhost:1"} {
		if !strings.Contains("\n"+joined+"\n", "\n"+want+"\n") {
			t.Errorf("the app does not get %s", want)
		}
	}
}

func TestStaleRewrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes-manifest.json")
	for _, c := range []struct {
		manifest string
		command  []string
		stale    bool
	}{
		{`{"rewrites":[{"destination":"http://127.0.0.1:9999/v1/:path*"}]}`, []string{"next", "start"}, true},
		{`{"rewrites":{"afterFiles":[{"destination":"http://localhost:9999/actions/:path*"}]}}`, []string{"npm", "start"}, true},
		{`{"rewrites":[{"destination":"http://127.0.0.1:9999/v1/:path*"}]}`, []string{"next", "dev"}, false},
		{`{"rewrites":[{"destination":"http://127.0.0.1:8787/v1/:path*"}]}`, []string{"next", "start"}, false},
		{`{"rewrites":[{"destination":"http://127.0.0.1:9999/other"}]}`, []string{"next", "start"}, false},
		{`{"rewrites":[{"destination":"https://ai.example.com/v1/:path*"}]}`, []string{"next", "start"}, false},
		{`no json`, []string{"next", "start"}, false},
	} {
		if err := os.WriteFile(file, []byte(c.manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := staleRewrite(file, "http://localhost:8787", c.command); (got != "") != c.stale {
			t.Errorf("%s with %v: %q", c.manifest, c.command, got)
		}
	}
}

// TestWatchedLogLines: other lines keep their level and their attributes, and
// those of groups.
func TestWatchedLogLines(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(&watchedLog{w: &b, level: slog.LevelInfo}).With("a", 1).WithGroup("g")
	log.Debug("not seen")
	log.Warn("look", slog.Group("in", slog.String("b", "two\nlines")), "t", time.Second)
	want := "  warn: look\n          a: 1\n          b: two\n          lines\n          t: 1s\n"
	if got := b.String(); !strings.HasSuffix(got, want) || strings.Contains(got, "not seen") {
		t.Errorf("got %q, want %q", got, want)
	}
}
