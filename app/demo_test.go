package app

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// startDemo runs the demo on a free port. Its origins name the port, so it has
// to be known before.
func startDemo(t *testing.T, key string) *process {
	t.Helper()
	s := newSite(t)
	clear(s.vars)
	if key != "" {
		s.vars["OPENAI_API_KEY"] = key
	}
	// Settings of a real installation are no business of the demo.
	s.vars["CLAVIGER_CONFIG"], s.vars["CLAVIGER_UPSTREAM"] = "nowhere.yaml", "http://127.0.0.1:1/v1"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	return s.start("demo", "--listen", addr, "--admin-listen", "127.0.0.1:0")
}

// signIn signs in as a browser does, and gives the session's cookie.
func (p *process) signIn(user string, headers map[string]string) (reply, string) {
	p.t.Helper()
	req := p.request("/demo/sign-in", "", url.Values{"user": {user}}.Encode())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	r := p.do(req)
	cookie := ""
	for _, c := range r.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			p.t.Errorf("cookie %s is within the reach of scripts or other sites", c.Name)
		}
		cookie = c.Name + "=" + c.Value
	}
	return r, cookie
}

func TestDemo(t *testing.T) {
	p := startDemo(t, "")
	page := p.get(p.public + "/")
	if page.StatusCode != http.StatusOK || !strings.Contains(page.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("page: %d", page.StatusCode)
	}
	if !strings.Contains(strings.ToLower(page.body), "simulated") || !strings.Contains(p.errs.String(), "the simulated OpenAI answers") {
		t.Error("page or log does not say that OpenAI is simulated")
	}
	if !strings.Contains(p.out.String(), p.public) {
		t.Errorf("stdout does not tell the address: %q", p.out)
	}
	if _, _, reasons := p.ready(); strings.Contains(reasons, "OPENAI") {
		t.Errorf("readyz: %q", reasons)
	}
	same := map[string]string{"Origin": p.public, "Sec-Fetch-Site": "same-origin"}
	r, cookie := p.signIn("ada", same)
	if r.StatusCode != http.StatusSeeOther || cookie == "" {
		t.Fatalf("sign-in: %d %s", r.StatusCode, r.body)
	}
	act := func(headers map[string]string) reply {
		req := p.request("/actions/tidy", "", `{"prompt":"teh cat"}`)
		req.Header.Set("Cookie", cookie)
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		return p.do(req)
	}
	if r := act(same); r.StatusCode != http.StatusOK || !strings.Contains(r.body, `"text"`) {
		t.Errorf("action: %d %s", r.StatusCode, r.body)
	}
	for name, headers := range map[string]map[string]string{
		"another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, "another port": {"Origin": "http://localhost:1", "Sec-Fetch-Site": "same-site"},
		"no browser header": {}, "null": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
	} {
		if r := act(headers); r.StatusCode != http.StatusForbidden || !strings.Contains(r.body, `"csrf"`) {
			t.Errorf("action from %s: %d %s", name, r.StatusCode, r.body)
		}
	}
}

// TestDemoSignInCrossSite: no other page may sign its visitors in or out.
func TestDemoSignInCrossSite(t *testing.T) {
	p := startDemo(t, "")
	for name, headers := range map[string]map[string]string{
		"by Sec-Fetch-Site": {"Sec-Fetch-Site": "cross-site"}, "by Origin": {"Origin": "https://evil.example"},
		"a sibling": {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
	} {
		if r, cookie := p.signIn("ada", headers); r.StatusCode != http.StatusForbidden || cookie != "" {
			t.Errorf("sign-in %s: %d %q", name, r.StatusCode, cookie)
		}
		req := p.request("/demo/sign-out", "", "")
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		if r := p.do(req); r.StatusCode != http.StatusForbidden {
			t.Errorf("sign-out %s: %d", name, r.StatusCode)
		}
	}
	if r, cookie := p.signIn("nobody", nil); r.StatusCode != http.StatusBadRequest || cookie != "" {
		t.Errorf("nobody: %d", r.StatusCode)
	}
}

// TestDemoPages: every page of the demo has a policy that frames and foreign
// code do not pass, and answers for names of this machine alone.
func TestDemoPages(t *testing.T) {
	p := startDemo(t, "")
	for _, path := range []string{"/", "/demo/app.js", "/demo/style.css", "/demo/sign-in", "/favicon.ico"} {
		r := p.get(p.public + path)
		if csp := r.Header.Get("Content-Security-Policy"); path != "/demo/sign-in" && (!strings.Contains(csp, "default-src 'none'") ||
			!strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe")) {
			t.Errorf("GET %s: Content-Security-Policy %q", path, csp)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(r.Header.Get("Cache-Control"), "no-store") {
			t.Errorf("GET %s: headers %v", path, r.Header)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.public+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "rebound.example"
		if r := p.do(req); r.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("GET %s for a foreign host: %d", path, r.StatusCode)
		}
	}
	one, two := p.get(p.public+"/"), p.get(p.public+"/")
	if one.Header.Get("Content-Security-Policy") == two.Header.Get("Content-Security-Policy") {
		t.Error("the nonce is the same twice")
	}
}

// TestDemoWithKey: with a key the page says that it costs money, and how much
// at most.
func TestDemoWithKey(t *testing.T) {
	key := canaryKey()
	p := startDemo(t, key)
	page := p.get(p.public + "/")
	if !strings.Contains(page.body, demoCap) || !strings.Contains(p.errs.String(), "cost money, at most 1 USD") {
		t.Error("page or log does not tell of the cap")
	}
	if strings.Contains(p.errs.String(), "the simulated OpenAI answers") {
		t.Error("the log says that OpenAI is simulated")
	}
	if strings.Contains(page.body+p.errs.String()+p.out.String(), key) {
		t.Error("the key is shown")
	}
	if !strings.Contains(demoConfig, "total: {spend: 1 USD/") {
		t.Error("the configuration of the demo has another cap")
	}
}
