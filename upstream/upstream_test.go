package upstream

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
	"claviger.dev/claviger/internal/testnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pool hands out its keys in order and never forgets.
type pool struct {
	ids  []string
	keys []claviger.Secret
	err  error // what Take says when no key is left

	mu      sync.Mutex
	taken   int
	reports []string
	done    int
	belongs []string
	uses    []claviger.KeyUse
}

func newPool(n int) *pool {
	p := &pool{err: &claviger.Error{Code: claviger.CodeUpstreamBusy, RetryAfter: 7 * time.Second}}
	for i := range n {
		p.ids = append(p.ids, fmt.Sprintf("k%d", i+1))
		p.keys = append(p.keys, claviger.NewSecret([]byte("sk-"+rand.Text())))
	}
	return p
}

func (p *pool) Take(ctx context.Context, use claviger.KeyUse, except []string) (string, claviger.Secret, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return "", claviger.Secret{}, ctx.Err()
	}
	for i, id := range p.ids {
		if !slices.Contains(except, id) {
			p.taken++
			p.uses = append(p.uses, use)
			return id, p.keys[i], nil
		}
	}
	return "", claviger.Secret{}, p.err
}

func (p *pool) Report(id string, status int, retryAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports = append(p.reports, fmt.Sprintf("%s:%d:%s", id, status, retryAfter))
}

func (p *pool) Belongs(id, project string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.belongs = append(p.belongs, id+":"+project)
}

func (p *pool) Done(string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
}

// check holds a pool to its bargain: as many reports as keys taken.
func (p *pool) check(t *testing.T, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken != len(p.reports) {
		t.Errorf("%d keys taken, %d reported", p.taken, len(p.reports))
	}
	if p.taken != p.done {
		t.Errorf("%d keys taken, %d given back", p.taken, p.done)
	}
	if want != nil && !slices.Equal(p.reports, want) {
		t.Errorf("reports %q, want %q", p.reports, want)
	}
}

type body []byte

func (b body) ContentType() string { return "application/json" }
func (b body) Len() int64          { return int64(len(b)) }
func (b body) Open() io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

type hold struct{}

func (hold) Settle(context.Context, []claviger.Charge) error { return nil }
func (hold) Release(context.Context) error                   { return nil }
func (hold) Standings() []claviger.Standing                  { return nil }

func authorized(stream bool) claviger.Authorized {
	c := claviger.Call{
		Endpoint: "responses", Model: "gpt-4.1-mini", Stream: stream,
		Method: "POST", Path: "/responses", Body: body(`{"model":"gpt-4.1-mini","input":"hi"}`),
	}
	return claviger.Authorize(seal.ForMint(), c, hold{}, "req-1")
}

func newClient(tb testing.TB, s *testnet.Server, p *pool, change func(*Options)) *Client {
	tb.Helper()
	o := Options{BaseURL: s.URL("/v1"), Keys: p, Version: "test"}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.CloseIdle)
	return c
}

// call makes a call and reads the answer to its end.
func call(ctx context.Context, c *Client, stream bool) (string, error) {
	resp, err := c.RoundTrip(ctx, authorized(stream))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(resp.Body)
	if e := resp.Body.Close(); err == nil {
		err = e
	}
	return string(b), err
}

func codeOf(err error) claviger.Code {
	if e, ok := errors.AsType[*claviger.Error](err); ok {
		return e.Code
	}
	return ""
}

// answers makes a script that answers each request with the next of the raw
// answers, the last one again and again, and closes after it.
func answers(raw ...string) func(*testnet.Conn) {
	var mu sync.Mutex
	i := 0
	return func(c *testnet.Conn) {
		if _, ok := c.Request(); !ok {
			return
		}
		mu.Lock()
		a := raw[min(i, len(raw)-1)]
		i++
		mu.Unlock()
		c.Send(a)
	}
}

func plain(status, contentType, content string, headers ...string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s",
		status, contentType, len(content), strings.Join(append(headers, ""), "\r\n"), content)
}

func chunked(contentType, rest string, headers ...string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: " + contentType + "\r\nTransfer-Encoding: chunked\r\n" +
		strings.Join(append(headers, ""), "\r\n") + "\r\n" + rest
}

func TestRefusesWhatNobodyAuthorized(t *testing.T) {
	s := testnet.Serve(t, answers(plain("200 OK", typeJSON, "{}")))
	p := newPool(1)
	c := newClient(t, s, p, nil)
	for _, a := range []claviger.Authorized{
		{},
		claviger.Authorize(seal.Mint{}, claviger.Call{}, hold{}, "x"),
		claviger.Authorize(seal.ForMint(), claviger.Call{}, nil, "x"),
		claviger.Authorize(seal.ForMint(), claviger.Call{Method: "POST", Path: "/../admin"}, hold{}, "x"),
		claviger.Authorize(seal.ForMint(), claviger.Call{Method: "POST", Path: "/a//b"}, hold{}, "x"),
		claviger.Authorize(seal.ForMint(), claviger.Call{Method: "POST", Path: "/a/%2e%2e"}, hold{}, "x"),
		claviger.Authorize(seal.ForMint(), claviger.Call{Method: "POST", Path: "a"}, hold{}, "x"),
		claviger.Authorize(seal.ForMint(), claviger.Call{Method: "POST", Path: "/a", Query: "a b"}, hold{}, "x"),
		claviger.Authorize(seal.ForMint(), claviger.Call{Method: "", Path: "/a"}, hold{}, "x"),
		claviger.Authorize(seal.ForMint(), claviger.Call{Method: "GET /x", Path: "/a"}, hold{}, "x"),
	} {
		if _, err := c.RoundTrip(t.Context(), a); codeOf(err) != claviger.CodeInternal {
			t.Errorf("%+v: %v", a, err)
		}
	}
	if s.Conns() != 0 || p.taken != 0 {
		t.Errorf("%d connections, %d keys taken", s.Conns(), p.taken)
	}
}

func TestSendsItsOwnHeadersAlone(t *testing.T) {
	got := make(chan *testnet.Request, 1)
	s := testnet.Serve(t, func(c *testnet.Conn) {
		r, _ := c.Request()
		got <- r
		c.Answer("200 OK", "application/json; charset=UTF-8", `{"a":1}`)
	})
	p := newPool(1)
	c := newClient(t, s, p, nil)
	resp, err := c.RoundTrip(t.Context(), authorized(false))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(b) != `{"a":1}` || resp.ContentLength != 7 || resp.StatusCode != 200 {
		t.Errorf("%d %d %s", resp.StatusCode, resp.ContentLength, b)
	}
	if len(resp.Header) != 1 || resp.Header.Get("Content-Type") != typeJSON {
		t.Errorf("headers %v", resp.Header)
	}
	r := <-got
	if r.Method != "POST" || r.Target != "/v1/responses" || r.Host != s.Addr || r.Body != `{"model":"gpt-4.1-mini","input":"hi"}` {
		t.Errorf("%+v", r)
	}
	want := map[string]string{
		"Authorization": "Bearer " + string(p.keys[0].Reveal(seal.ForReveal())), "Accept": typeJSON, "Content-Type": typeJSON,
		"User-Agent": "claviger/test", "X-Client-Request-Id": "req-1", "Content-Length": "37",
	}
	for k, v := range want {
		if g := r.Header.Values(k); len(g) != 1 || g[0] != v {
			t.Errorf("%s: %d values", k, len(g))
		}
	}
	if len(r.Header) != len(want) {
		t.Errorf("%d headers, want %d", len(r.Header), len(want))
	}
	p.check(t, "k1:200:0s")
}

// TestAPIKeyHeader: where the provider is Azure's, the key travels in its header
// and in no other.
func TestAPIKeyHeader(t *testing.T) {
	got := make(chan *testnet.Request, 1)
	s := testnet.Serve(t, func(c *testnet.Conn) {
		r, _ := c.Request()
		got <- r
		c.Answer("200 OK", "application/json", `{"a":1}`)
	})
	p := newPool(1)
	c := newClient(t, s, p, func(o *Options) { o.KeyHeader = KeyAPIKey })
	resp, err := c.RoundTrip(t.Context(), authorized(false))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	r := <-got
	if v := r.Header.Values("Api-Key"); len(v) != 1 || v[0] != string(p.keys[0].Reveal(seal.ForReveal())) || r.Header.Get("Authorization") != "" {
		t.Errorf("%d values of api-key, and %d of authorization", len(v), len(r.Header.Values("Authorization")))
	}
	if _, err := New(Options{Keys: p, KeyHeader: "x-key"}); err == nil || !strings.Contains(err.Error(), "key_header") {
		t.Errorf("a header of another name: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"http://api.example.com":          "loopback",
		"ftp://api.example.com":           "https",
		"api.example.com":                 "scheme",
		"https://u:p@api.example.com":     "user name",
		"https://api.example.com/?a=1":    "query",
		"https://169.254.169.254/":        "link-local",
		"https://":                        "host",
		"https://a.example/v1%2Fx":        "plain",
		"https://a.example/../v1":         "plain",
		"https://a.example//v1":           "plain",
		"https://api.example.com:70000/x": "port",
	} {
		_, err := New(Options{BaseURL: url, Keys: newPool(1)})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no pool, no error")
	}
	if c, err := New(Options{Keys: newPool(1)}); err != nil || c.base.String() != DefaultBaseURL {
		t.Errorf("%v", err)
	}
}

func TestKeyThatNoHeaderCarries(t *testing.T) {
	s := testnet.Serve(t, answers(plain("200 OK", typeJSON, "{}")))
	for _, k := range []string{"", "sk-a\nb", "sk-ä", "sk a", "\x00"} {
		p := newPool(1)
		p.keys[0] = claviger.NewSecret([]byte(k))
		_, err := call(t.Context(), newClient(t, s, p, nil), false)
		if codeOf(err) != claviger.CodeMisconfigured {
			t.Errorf("%q: %v", k, err)
		}
		if k != "" && strings.Contains(err.Error(), k) {
			t.Errorf("the key is in %v", err)
		}
		p.check(t, "k1:0:0s")
	}
	if s.Conns() != 0 {
		t.Error("sent all the same")
	}
}
