package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger/keys"
)

// sessionApp is a small app that keeps its sessions to itself: /me says who a
// session id belongs to, as cookie or as bearer.
type sessionApp struct {
	*httptest.Server
	mu       sync.Mutex
	sessions map[string]string
	asked    int
	down     bool
}

func newSessionApp(t *testing.T) *sessionApp {
	a := &sessionApp{sessions: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me/{$}", func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.asked++
		id := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		for _, c := range r.CookiesNamed(uuidCookie) {
			id = c.Value
		}
		user := a.sessions[id]
		switch {
		case a.down:
			w.WriteHeader(http.StatusBadGateway)
		case r.Header.Get("X-Forwarded-For") != "" || len(r.Cookies()) > 1:
			t.Errorf("more than the credential came: %v", r.Header)
		case user == "":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"user":{"id":%q,"plan":"pro"},"session":{"expiresAt":%q}}`, user, time.Now().Add(time.Hour).Format(time.RFC3339))
		}
	})
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

func (a *sessionApp) sign(id, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[id] = user
}

func (a *sessionApp) breakDown(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
}

func (a *sessionApp) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

const (
	uuidCookie = "authjs.session-token"
	uuidOfAda  = "5f0c5e2e-7d1c-4e2b-9f59-6f0f0d9c2b11"
	uuidOfBob  = "0a4cfe5e-93c8-4d8f-8a0b-2f1d6a1c7d22"
)

// asking is a site whose auth is the given text.
func asking(t *testing.T, auth string) *site {
	t.Helper()
	s := newSite(t)
	before, after, _ := strings.Cut(siteConfig, "auth:\n")
	_, after, _ = strings.Cut(after, "plans:\n")
	s.write("claviger.yaml", before+"origins: [http://app.example.com]\nauth:\n"+auth+"plans:\n"+after)
	secret, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s.vars["AUTH_SECRET"], s.vars["CAPTCHA_SECRET"] = secret, secret
	return s
}

// ask runs the action with headers in pairs.
func (p *process) ask(headers ...string) reply {
	p.t.Helper()
	r := p.request("/api/ai/generate", "", `{"prompt":"teh cat"}`)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return p.do(r)
}

// TestForwardedSession: a session that only the app can look up signs in, by
// cookie and by bearer, in both orders with Auth.js; revoked at the app it is
// refused within the time of the cache.
func TestForwardedSession(t *testing.T) {
	for _, order := range []string{"authjs first", "forward first"} {
		t.Run(order, func(t *testing.T) {
			a := newSessionApp(t)
			lines := []string{
				"  - authjs: {secrets: [env:AUTH_SECRET]}\n",
				"  - forward: {url: '" + a.URL + "/me/', subject: user.id, claims: [user.plan], cache: 1s, cookies: [" + uuidCookie + "]}\n",
			}
			if order == "forward first" {
				lines[0], lines[1] = lines[1], lines[0]
			}
			p := asking(t, strings.Join(lines, "")).start("serve")
			origin := []string{"Origin", "http://app.example.com"}
			cookie := append([]string{"Cookie", "theme=dark; " + uuidCookie + "=" + uuidOfAda}, origin...)
			bearer := []string{"Authorization", "Bearer " + uuidOfBob}
			expect := func(what string, status int, code string, headers ...string) {
				t.Helper()
				if r := p.ask(headers...); r.StatusCode != status || !strings.Contains(r.body, code) {
					t.Errorf("%s: %d %s, want %d %s", what, r.StatusCode, r.body, status, code)
				}
			}
			a.sign(uuidOfAda, "ada")
			a.sign(uuidOfBob, "bob")
			expect("cookie", 200, `"text"`, cookie...)
			expect("bearer", 200, `"text"`, bearer...)
			expect("cookie again", 200, `"text"`, cookie...)
			if n := a.count(); n != 2 {
				t.Errorf("the app was asked %d times, want 2", n)
			}
			expect("a cookie that no page of ours sent", 403, `"csrf"`, cookie[:2]...)
			expect("a page of somebody else", 403, `"csrf"`, append(cookie[:2:2], "Origin", "https://evil.example")...)
			expect("nobody", 401, `"unauthenticated"`, origin...)
			if n := a.count(); n != 2 {
				t.Errorf("the app was asked %d times, want 2", n)
			}
			a.sign(uuidOfAda, "")
			a.sign(uuidOfBob, "")
			time.Sleep(1100 * time.Millisecond)
			expect("revoked cookie", 401, `"unauthenticated"`, cookie...)
			expect("revoked bearer", 401, `"unauthenticated"`, bearer...)
			a.breakDown(true)
			time.Sleep(1100 * time.Millisecond)
			expect("the app is broken", 503, `"identity_unavailable"`, cookie...)
			if strings.Contains(p.errs.String(), "add the forward authenticator") {
				t.Error("the operator is told to add what is there")
			}
			if strings.Contains(p.errs.String(), uuidOfAda) || strings.Contains(p.errs.String(), uuidOfBob) {
				t.Error("a session id is in the log")
			}
			m := p.get(p.admin + "/metrics").body
			for _, line := range []string{`{method="forward",outcome="good"} 2`, `{method="forward",outcome="refused"} 2`, `{method="forward",outcome="failed"} 1`} {
				if !strings.Contains(m, "claviger_identity_questions_total"+line) {
					t.Errorf("the metrics have no %s", line)
				}
			}
		})
	}
}

// TestDatabaseSessionIsTold: without anybody who could look the session up, the
// operator learns what to add.
func TestDatabaseSessionIsTold(t *testing.T) {
	p := asking(t, "  - authjs: {secrets: [env:AUTH_SECRET]}\n").start("serve")
	r := p.ask("Cookie", uuidCookie+"="+uuidOfAda, "Origin", "http://app.example.com")
	if r.StatusCode != 401 || strings.Count(p.errs.String(), "add the forward authenticator") != 1 {
		t.Errorf("%d %s\n%s", r.StatusCode, r.body, p.errs)
	}
}

// TestHumanProof: a stranger with a proof has the better plan, also after a
// reload, and one without has the other, or nothing.
func TestHumanProof(t *testing.T) {
	var mu sync.Mutex
	host, used, asked := "app.example.com", map[string]bool{}, 0
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		token := r.PostFormValue("response")
		good := strings.HasPrefix(token, "token-of-a-person-") && !used[token] && r.PostFormValue("secret") != ""
		used[token] = true
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"success":%v,"hostname":%q,"challenge_ts":%q}`, good, host, time.Now().Format(time.RFC3339))
	}))
	t.Cleanup(provider.Close)
	auth := "  - anonymous: {plan: all, limits: {requests: 1000/min}, human: {turnstile: {url: '" + provider.URL + "', secret: env:CAPTCHA_SECRET}, otherwise: unproven}}\n"
	s := asking(t, auth)
	file := strings.Replace(s.read("claviger.yaml"), "plans:\n", "plans:\n  - {name: unproven, when: \"false\", actions: [], endpoints: []}\n", 1)
	s.write("claviger.yaml", file)
	p := s.start("serve")
	expect := func(what string, status int, want string, token string) {
		t.Helper()
		if r := p.ask("Claviger-Human", token, "Origin", "http://app.example.com"); r.StatusCode != status || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %s, want %d %s", what, r.StatusCode, r.body, status, want)
		}
	}
	expect("none", 403, `"forbidden"`, "")
	expect("good", 200, `"text"`, "token-of-a-person-1")
	expect("again", 200, `"text"`, "token-of-a-person-1")
	expect("made up", 403, `"forbidden"`, "token-of-a-robot-1")
	before := strings.Count(p.errs.String(), "read anew")
	s.write("claviger.yaml", strings.Replace(file, ", otherwise: unproven", "", 1)+"# changed\n")
	p.until("a reload", func() bool { return strings.Count(p.errs.String(), "read anew") > before })
	expect("after a reload", 200, `"text"`, "token-of-a-person-1")
	expect("no plan without a proof", 401, `"field":"Claviger-Human"`, "")
	mu.Lock()
	host = "evil.example"
	mu.Unlock()
	expect("made on another site", 401, `"unauthenticated"`, "token-of-a-person-2")
	mu.Lock()
	defer mu.Unlock()
	if asked != 3 {
		t.Errorf("the provider was asked %d times, want 3", asked)
	}
	r := p.preflight("claviger-human, content-type, x-other")
	if got := r.Header.Get("Access-Control-Allow-Headers"); got != "claviger-human, content-type" {
		t.Errorf("a page may send %q", got)
	}
}

func (p *process) preflight(headers string) reply {
	p.t.Helper()
	r := p.request("/api/ai/generate", "", "")
	r.Method = http.MethodOptions
	r.Header.Del("Content-Type")
	r.Header.Set("Origin", "http://app.example.com")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", headers)
	return p.do(r)
}

func (s *site) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}
