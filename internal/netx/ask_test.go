package netx

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAsk(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if name != "Accept" && name != "User-Agent" {
				t.Errorf("sends %s", name)
			}
		}
		if r.UserAgent() != UserAgent || r.Header.Get("Accept") != "application/json" {
			t.Errorf("sends %v", r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "a=b")
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/followed", http.StatusFound)
		case "/followed":
			t.Error("followed a redirect")
		case "/large":
			_, _ = w.Write([]byte(strings.Repeat("x", 101)))
		case "/endless":
			for range 200 {
				_, _ = w.Write([]byte("x"))
				w.(http.Flusher).Flush()
			}
		case "/status":
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte(strings.Repeat("x", 1000)))
		default:
			_, _ = w.Write([]byte("{}"))
		}
	}))
	defer s.Close()
	c, err := Client(Options{BaseURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	for path, want := range map[string]struct {
		status int
		err    error
	}{"/": {200, nil}, "/redirect": {302, nil}, "/status": {418, nil}, "/large": {0, ErrTooLarge}, "/endless": {0, ErrTooLarge}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Ask(c, r, 100)
		if !errors.Is(err, want.err) {
			t.Errorf("%s: %v", path, err)
		} else if err == nil && (a.Status != want.status || (a.Status == 200) != (string(a.Body) == "{}")) {
			t.Errorf("%s: status %d, %q", path, a.Status, a.Body)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	for kind, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, `Application/JSON;charset="UTF-8"`: true,
		"": false, "text/html": false, "text/json": false, "application/problem+json": false, "application/json; charset=latin1": false, "application/json;;": false,
		"application/json, text/html": false,
	} {
		a := Answer{Header: http.Header{"Content-Type": {kind}}}
		if err := a.CheckJSON(); (err == nil) != ok {
			t.Errorf("%q: %v", kind, err)
		}
	}
	for _, h := range []http.Header{{}, {"Content-Type": {"application/json", "application/json"}}, {"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}} {
		if err := (&Answer{Header: h}).CheckJSON(); !errors.Is(err, ErrMediaType) {
			t.Errorf("%v: %v", h, err)
		}
	}
}
