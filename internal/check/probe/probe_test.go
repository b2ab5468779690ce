package probe

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/report"
)

func key() string {
	return "sk-proj-" + strings.ToLower(rand.Text()+rand.Text()) + "T3Blbk" + "FJ" + rand.Text() + strings.ToLower(rand.Text())
}

// site serves texts by path, and remembers what it was asked.
type site struct {
	mu    sync.Mutex
	asked []string
	mux   *http.ServeMux
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
		panic("a credential was sent")
	}
	s.mux.ServeHTTP(w, r)
}

func (s *site) page(path, kind, text string) {
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, text)
	})
}

func (s *site) scan(t *testing.T, values *canary.Set) (*Result, []string, []files.Problem) {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	if values == nil {
		values = &canary.Set{}
	}
	var found []string
	var problems []files.Problem
	res, err := Scan(t.Context(), Options{
		URL: srv.URL, Agent: "claviger-check/test", Values: values, Progress: func(int64) {},
		Report: func(f report.Finding) {
			found = append(found, fmt.Sprintf("%s %s %s:%d", f.Rule, f.Severity, strings.TrimPrefix(f.At.File, srv.URL), f.At.Line))
			if strings.Contains(fmt.Sprintf("%+v", f), "T3Blbk"+"FJ") {
				t.Error("a key is printed")
			}
		},
		Problem: func(p files.Problem) { problems = append(problems, p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return res, found, problems
}

func newSite() *site { return &site{mux: http.NewServeMux()} }

func TestLeakySite(t *testing.T) {
	s := newSite()
	secret := rand.Text() + rand.Text()
	values := &canary.Set{}
	values.Add("APP_SECRET", secret, report.Position{File: "dump", Line: 1})
	s.page("/{$}", "text/html", `<html><a href="/about?x=1">a</a><a href='about'>b</a><a href="/logout">c</a><a href="https://elsewhere.example/">d</a><script src="/_next/static/chunks/a.js"></script>`)
	s.page("/about", "text/html", "<p>"+key()+"</p>")
	s.page("/_next/static/chunks/a.js", "text/javascript", `import("./b.js");fetch("/api/ask-ai");"static/chunks/c.js"`)
	s.page("/_next/static/chunks/a.js.map", "application/json", `{"sources":["lib/a.ts"],"sourcesContent":["\n\n// `+key()+`"]}`)
	s.page("/_next/static/chunks/b.js", "text/javascript", "\nk='"+secret+"'")
	s.page("/_next/static/chunks/c.js", "text/javascript", "k='"+key()+"'")
	s.page("/.env", "text/plain", "A=1\nAUTH_SECRET="+rand.Text()+rand.Text()+"\n")
	s.page("/.git/config", "text/plain", "[core]\n\tbare = false\n")
	s.mux.HandleFunc("POST /api/ask-ai", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(b), "single word") {
			t.Errorf("sent %s", b)
		}
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = io.WriteString(w, `{"text":"Claviger."}`)
	})
	s.mux.HandleFunc("OPTIONS /api/ask-ai", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Credentials", "true")
	})
	s.mux.HandleFunc("POST /api/chat", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	s.mux.HandleFunc("POST /api/generate", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	s.mux.HandleFunc("POST /api/completion", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	res, found, problems := s.scan(t, values)
	want := []string{
		"live-headers high /api/ask-ai:0",
		"live-headers medium /api/ask-ai:0",
		"live-open-relay critical /api/ask-ai:0",
		"live-open-relay medium /api/generate:0",
		"live-secret critical /.env:2",
		"live-secret critical /.git/config:1",
		"live-secret critical /_next/static/chunks/a.js.map:1",
		"live-secret critical /_next/static/chunks/b.js:2",
		"live-secret critical /_next/static/chunks/c.js:1",
		"live-secret critical /about:1",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	if len(problems) > 0 || res.Refused != 1 || !slices.Contains(res.Posts, "/api/ask-ai") {
		t.Errorf("%+v, %v", res, problems)
	}
	gets := 0
	for _, a := range s.asked {
		if strings.HasPrefix(a, "GET ") {
			gets++
		}
		if strings.Contains(a, "logout") {
			t.Errorf("asked %s", a)
		}
	}
	if gets != res.Gets {
		t.Errorf("%d GET requests, and %d told", gets, res.Gets)
	}
}

// TestCleanSite answers every path with its page, as many apps do.
func TestCleanSite(t *testing.T) {
	s := newSite()
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Add("Set-Cookie", "session=x; HttpOnly; Secure")
		_, _ = io.WriteString(w, "<html>OPENAI_API_KEY=sk-your-key [core]</html>")
	})
	res, found, problems := s.scan(t, nil)
	if len(found)+len(problems) > 0 || res.Read != 1 {
		t.Errorf("%v %v, %d read", found, problems, res.Read)
	}
}

// TestEndlessSite: there is always another page, and yet an end.
func TestEndlessSite(t *testing.T) {
	s := newSite()
	s.mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for i := range 50 {
			fmt.Fprintf(w, `<a href="%s/%d"></a><script src="/%s.js"></script>`, strings.TrimSuffix(r.URL.Path, "/"), i, rand.Text())
		}
	})
	res, _, problems := s.scan(t, nil)
	if res.Gets > maxRequests+2 || len(problems) != 1 {
		t.Errorf("%d requests, %v", res.Gets, problems)
	}
}

func TestElsewhere(t *testing.T) {
	s := newSite()
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://www.example.com/", http.StatusMovedPermanently)
	})
	srv := httptest.NewServer(s)
	defer srv.Close()
	_, err := Scan(t.Context(), Options{URL: srv.URL, Values: &canary.Set{}, Progress: func(int64) {}})
	if err == nil || !strings.Contains(err.Error(), "https://www.example.com") {
		t.Errorf("%v", err)
	}
	for _, u := range []string{"http://example.com", "https://", "ftp://x", "http://127.0.0.1:1"} {
		if _, err := Scan(t.Context(), Options{URL: u, Values: &canary.Set{}, Progress: func(int64) {}}); err == nil {
			t.Errorf("%s can be checked", u)
		}
	}
}
