package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/openaitest"
)

var update = flag.Bool("update", false, "write docs/cross-site.md anew")

// arrived is what came of one row: what the server in front of the gateway saw.
type arrived struct {
	// preflight and status are the gateway's answers to OPTIONS and to the
	// request itself, 0 where there was none.
	preflight, status int
	// cookie says that the browser sent the session along.
	cookie bool
	calls  int
	ends   chan struct{}
}

// front is the server of all origins: pages below /-/, and the gateway behind
// everything else, as a rewrite of the app would have it.
type front struct {
	sim    *openaitest.Server
	proxy  *httputil.ReverseProxy
	cookie string

	one  sync.Mutex
	mu   sync.Mutex
	rows map[int]*arrived
}

func (f *front) row(n int) *arrived {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows[n] == nil {
		f.rows[n] = &arrived{ends: make(chan struct{})}
	}
	return f.rows[n]
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/-/page":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>page</title><body>")
	case "/-/sw.js":
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, `onmessage = async (m) => { try {
			const r = await fetch(m.data, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ prompt: 'hi' }) });
			m.ports[0].postMessage(r.type);
		} catch { m.ports[0].postMessage('blocked'); } }; onactivate = () => {};`)
	case "/-/redirect":
		// A page of somebody else that lets everybody follow it.
		code, _ := strconv.Atoi(r.FormValue("code"))
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		http.Redirect(w, r, r.URL.Query().Get("to"), code)
	case "/favicon.ico":
		http.NotFound(w, r)
	default:
		f.hand(w, r)
	}
}

// hand hands one request at a time to the gateway, so that what reaches the
// provider meanwhile is this request's.
func (f *front) hand(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("row"))
	a := f.row(n)
	f.one.Lock()
	defer f.one.Unlock()
	before := f.sim.Count("")
	seen := &statusWriter{ResponseWriter: w}
	f.proxy.ServeHTTP(seen, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	a.calls += f.sim.Count("") - before
	if r.Method == http.MethodOptions {
		a.preflight = seen.status
		return
	}
	a.status = seen.status
	a.cookie = strings.Contains(r.Header.Get("Cookie"), f.cookie+"=")
	select {
	case <-a.ends:
	default:
		close(a.ends)
	}
}

// seen is what came of a row until now: what is late may still come.
func (f *front) seen(n int) arrived {
	a := f.row(n)
	f.mu.Lock()
	defer f.mu.Unlock()
	return *a
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// control answers the driver, which cannot see the end of some requests.
func (f *front) control(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("row"))
	select {
	case <-f.row(n).ends:
	case <-time.After(6 * time.Second):
	case <-r.Context().Done():
	}
	w.WriteHeader(http.StatusNoContent)
}

// certificate is for every name below .test.
func certificate(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const crossSiteConfig = `environment: production
behind_tls_proxy: true
origins: [%s, %s]
auth:
  - authjs: {secrets: [env:AUTH_SECRET], version: 5}
  - ticket: {secrets: [env:TICKETS]}
plans:
  - {name: all, models: [gpt-4.1-mini], limits: {requests: 100000/min}}
actions:
  generate-text: {path: /api/ai/generate, model: gpt-4.1-mini, input: {type: object, required: [prompt], properties: {prompt: {type: string}}}}
proxy: {endpoints: [responses, chat.completions]}
`

// crossRow is one row of the table as the driver tells it.
type crossRow struct {
	Cookie, From, Way, Saw string
	Row                    int
}

// TestCrossSiteInBrowser: whatever a page that is not ours makes a browser send,
// with the session of a signed-in person in it, nothing reaches the provider;
// what our pages and those of a listed origin send does. The second cookie has
// SameSite=None, which takes the browser's own help away (M-L4).
func TestCrossSiteInBrowser(t *testing.T) {
	needTools(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	names := []string{"app.shop.test", "partner.test", "blog.shop.test", "evil.test"}
	var origins []string
	for _, n := range names {
		origins = append(origins, "https://"+n+":"+port)
	}
	secret := canary()[8:]
	g := serve(t, fmt.Sprintf(crossSiteConfig, origins[0], origins[1]), openaitest.Options{Delta: -1}, "AUTH_SECRET="+secret, "TICKETS="+canary()[8:])
	sessions, err := authjs.New(authjs.Options{Secrets: []claviger.Secret{claviger.NewSecret([]byte(secret))}, Version: 5, Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	_, cookies, err := sessions.Issue(claviger.Claims{"sub": "grace"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{sim: g.sim, cookie: cookies[0].Name, rows: map[int]*arrived{}, proxy: &httputil.ReverseProxy{
		Rewrite:  func(p *httputil.ProxyRequest) { p.SetURL(to); p.Out.Host = p.In.Host },
		ErrorLog: log.New(io.Discard, "", 0),
	}}
	web := httptest.NewUnstartedServer(f)
	_ = web.Listener.Close()
	web.Listener, web.TLS = l, &tls.Config{Certificates: []tls.Certificate{certificate(t, names...)}, MinVersion: tls.VersionTLS12}
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	t.Cleanup(web.Close)
	control := httptest.NewServer(http.HandlerFunc(f.control))
	t.Cleanup(control.Close)
	table := &crossTable{front: f, last: map[string]crossRow{}}
	table.env = []string{
		"OURS=" + origins[0], "LISTED=" + origins[1], "SIBLING=" + origins[2], "FOREIGN=" + origins[3], "CONTROL=" + control.URL,
		"COOKIE=" + cookies[0].Name, "SESSION=" + cookies[0].Value, "TICKET=" + g.ticket(t, "ada"), "TRACE=/dev/null",
	}
	for _, sameSite := range sameSites {
		table.send(t, sameSite)
	}
	f.check(t, table.all)
	table.compare(t)
}

func trusted(from string) bool { return from == "our page" || from == "a listed origin" }

// mustCount are rows that prove that the table could be broken: there the call
// happens.
var mustCount = []string{
	"Lax/our page/fetch JSON (preflight)", "Lax/our page/form urlencoded", "Lax/our page/form multipart", "Lax/our page/fetch no-cors POST urlencoded",
	"Lax/our page/beacon urlencoded", "Lax/our page/form into a frame", "None/our page/service worker fetch POST", "Lax/our page/fetch placeholder bearer (preflight)",
	"None/a listed origin/fetch JSON (preflight)", "None/a listed origin/form urlencoded", "None/a listed origin/fetch cors POST multipart",
	"None/a listed origin/fetch ticket, with the cookie (preflight)", "Lax/a listed origin/fetch ticket, no cookie (preflight)",
}

func (f *front) check(t *testing.T, rows []crossRow) {
	t.Helper()
	sum, carried := 0, 0
	counted := map[string]bool{}
	for _, r := range rows {
		a := f.seen(r.Row)
		sum += a.calls
		name := r.Cookie + "/" + r.From + "/" + r.Way
		t.Logf("%-4s %-36s %-40s saw %-9s preflight %3d status %3d cookie %-5v calls %d", r.Cookie, r.From, r.Way, r.Saw, a.preflight, a.status, a.cookie, a.calls)
		switch {
		case a.calls == 0:
		case !trusted(r.From), a.calls > 1, a.status != http.StatusOK:
			t.Errorf("%s: %d calls reached the provider, with status %d", name, a.calls, a.status)
		default:
			counted[name] = true
		}
		if !trusted(r.From) && a.cookie {
			carried++
			if a.status < 400 {
				t.Errorf("%s: status %d with somebody's session", name, a.status)
			}
		}
	}
	for _, name := range mustCount {
		if !counted[name] {
			t.Errorf("%s: the call did not happen, so the zeros prove nothing", name)
		}
	}
	if n := f.sim.Count(""); n != sum {
		t.Errorf("%d calls reached the provider, and the rows account for %d", n, sum)
	}
	t.Logf("%d requests of pages that are not ours carried the session; %d calls in all, all of ours", carried, sum)
	if carried < 100 {
		t.Error("too few carried the session to prove anything")
	}
}
