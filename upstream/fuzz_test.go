package upstream

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"claviger.dev/claviger"
)

// canned answers every request alike.
type canned struct{ *http.Response }

func (c canned) RoundTrip(*http.Request) (*http.Response, error) { return c.Response, nil }

// FuzzOutcome lets a provider answer anything, and holds the outcome to the
// catalogue: an answer of status 200 and the right type, or an error of ours
// that does not repeat the key.
func FuzzOutcome(f *testing.F) {
	f.Add(200, typeJSON, "", good, false)
	f.Add(200, typeStream, "gzip", zip("data: x\n\n"), true)
	f.Add(400, typeJSON, "", badParam, false)
	f.Add(404, typeJSON, "gzip", zip(masked), false)
	f.Add(422, typeJSON, "", `{"error":{"message":"CANARY","code":"CANARY","param":"CANARY"}}`, false)
	f.Add(429, "CANARY", "CANARY", quota, false)
	f.Add(500, "text/html", "", "CANARY", true)
	canary := "sk-proj-" + rand.Text()
	f.Fuzz(func(t *testing.T, status int, contentType, encoding, content string, stream bool) {
		plant := func(s string) string { return strings.ReplaceAll(s, "CANARY", canary) }
		content = plant(content)
		h := http.Header{"Content-Type": {plant(contentType)}, "Retry-After": {plant(encoding)}}
		if encoding != "" {
			h["Content-Encoding"] = []string{plant(encoding)}
		}
		p := newPool(2)
		c, err := New(Options{Keys: p, MaxAnswer: 1 << 16, transport: canned{&http.Response{
			StatusCode: status, Header: h, ContentLength: -1, Body: io.NopCloser(strings.NewReader(content)),
		}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := call(t.Context(), c, stream)
		p.check(t)
		if err == nil {
			if status != 200 || got == "" || !stream && len(got) > 1<<16 {
				t.Errorf("status %d, %d bytes", status, len(got))
			}
			return
		}
		e := claviger.AsError(err)
		switch e.Code {
		case claviger.CodeUpstreamError, claviger.CodeUpstreamBusy:
		case claviger.CodeUpstreamInvalid:
			if e.Status != status || status != 400 && status != 404 && status != 422 {
				t.Errorf("status %d for %d", e.Status, status)
			}
		default:
			t.Errorf("%v", err)
		}
		if shown := fmt.Sprintf("%v %+v", err, *e); strings.Contains(shown, canary) {
			t.Errorf("the key is in %s", shown)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, p := range []string{"/responses", "/a/b", "//", "/..", "/%2e", "", "a", "/a/"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if !cleanPath(p) {
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://x"+p, nil)
		if err != nil || req.URL.EscapedPath() != p || req.URL.Path != p || req.URL.RawQuery != "" || strings.Contains(p, "/../") || strings.Contains(p, "//") {
			t.Errorf("%q: %v", p, err)
		}
	})
}
