package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/internal/seal"
	"claviger.dev/claviger/internal/testnet"
	"claviger.dev/claviger/openaitest"
	"claviger.dev/claviger/redact"
)

// holding is a Holder that serves on a line, and the transport that leads there.
type holding struct {
	line *http.Transport
	own  *net.UnixConn
}

// holder serves a Holder with these keys, for the provider at base.
func holder(t testing.TB, base string, p *pool, log *slog.Logger) *holding {
	t.Helper()
	h, err := NewHolder(Options{BaseURL: base, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	held := &HeldKeys{Keys: map[string]claviger.Secret{}, Trip: redact.NewTripwire(p.keys)}
	for i, id := range p.ids {
		held.Keys[id] = p.keys[i]
		p.keys[i] = claviger.Secret{}
	}
	h.SetKeys(held)
	own, theirs, err := netx.HandedPair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(theirs.Fd()))
	_ = theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	other, err := netx.HandedLine(uintptr(fd))
	if err != nil {
		t.Fatal(err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	server, done := HolderServer(h, log), make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(netx.NewHandedListener(own))
	}()
	x := &holding{line: netx.HandedTransport(other), own: own}
	t.Cleanup(func() {
		x.line.CloseIdleConnections()
		_ = other.Close()
		<-done
		_ = server.Close()
		h.CloseIdle()
	})
	return x
}

func heldClient(t testing.TB, base string, p *pool, x *holding) *Client {
	t.Helper()
	c, err := New(Options{BaseURL: base, Keys: p, Line: x.line, MaxAnswer: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestHeldFaults runs the faults of the simulated OpenAI through a Holder: what
// comes of them is what comes of them without one.
func TestHeldFaults(t *testing.T) {
	for fault, want := range map[string]claviger.Code{
		"": "", "gzip": "", "401": claviger.CodeUpstreamError, "429 retry-after=3": claviger.CodeUpstreamBusy, "500": claviger.CodeUpstreamError,
		"400": claviger.CodeUpstreamInvalid, "redirect": claviger.CodeUpstreamError, "html": claviger.CodeUpstreamError, "empty": claviger.CodeUpstreamError,
		"cut": claviger.CodeUpstreamError, "bad-chunk": claviger.CodeUpstreamError, "huge mib=3": claviger.CodeUpstreamError,
	} {
		t.Run(fault, func(t *testing.T) {
			p := newPool(1)
			p.err = errors.New("no more")
			sim := openaitest.NewServer(t, openaitest.Options{Keys: []string{string(p.keys[0].Reveal(seal.ForReveal()))}})
			if fault != "" {
				f, err := openaitest.ParseFault(fault)
				if err != nil {
					t.Fatal(err)
				}
				f.Times = 10
				sim.Inject(f)
			}
			c := heldClient(t, sim.URL, p, holder(t, sim.URL, p, nil))
			_, err := call(t.Context(), c, false)
			code := claviger.Code("")
			if e := claviger.AsError(err); err != nil && e != nil {
				code = e.Code
			}
			if code != want {
				t.Errorf("%q (%v), want %q", code, err, want)
			}
			p.check(t)
		})
	}
}

// TestHolderRefuses sends what no Client sends: nothing of it comes to the
// provider.
func TestHolderRefuses(t *testing.T) {
	var came atomic.Int32
	s := testnet.Serve(t, func(*testnet.Conn) { came.Add(1) })
	p := newPool(1)
	x := holder(t, s.URL("/v1"), p, nil)
	for name, change := range map[string]func(r *http.Request){
		"another host":             func(r *http.Request) { r.Host = "example.com" },
		"another port":             func(r *http.Request) { r.Host = "127.0.0.1:1" },
		"a path with dots":         func(r *http.Request) { r.URL.Path = "/v1/../admin" },
		"an escaped path":          func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/v1/a/b", "/v1/a%2fb" },
		"a header":                 func(r *http.Request) { r.Header.Set("Openai-Organization", "org") },
		"a key":                    func(r *http.Request) { r.Header.Set("Authorization", "Bearer mine") },
		"a cookie":                 func(r *http.Request) { r.Header.Set("Cookie", "a=b") },
		"a header twice":           func(r *http.Request) { r.Header.Add("Accept", "text/html") },
		"no length":                func(r *http.Request) { r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader("{}")) },
		"an upgrade":               func(r *http.Request) { r.Header.Set("Upgrade", "websocket"); r.Header.Set("Connection", "Upgrade") },
		"another key":              func(r *http.Request) { r.Header.Set(headerHeld, "k9") },
		"no key":                   func(r *http.Request) { r.Header.Del(headerHeld) },
		"a method that no API has": func(r *http.Request) { r.Method = "TRACE" },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL("/v1/responses"), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Accept": {typeJSON}, "User-Agent": {"claviger"}, headerHeld: {"k1"}}
		change(r)
		resp, err := x.line.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = resp.Body.Close()
		if o := resp.Header.Get(headerOutcome); o != outcomeRefused && o != outcomeUnknown {
			t.Errorf("%s: %q", name, o)
		}
	}
	if n := came.Load(); n > 0 {
		t.Errorf("%d requests came to the provider", n)
	}
}

// TestHolderKeepsTheKey: a provider that sends the key back, whole, in pieces or
// in a header, does not get it to the gateway's process.
func TestHolderKeepsTheKey(t *testing.T) {
	for _, status := range []string{"200 OK", "401 Unauthorized", "400 Bad Request"} {
		p := newPool(1)
		key := string(p.keys[0].Reveal(seal.ForReveal()))
		body := fmt.Sprintf(`{"error":{"message":"this is %s"}}`, key)
		for _, answer := range []string{
			fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body),
			fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nOpenai-Project: %s\r\nContent-Length: 2\r\n\r\n{}", status, key),
		} {
			q := &pool{ids: p.ids, keys: []claviger.Secret{claviger.NewSecret([]byte(key))}}
			s := testnet.Serve(t, answers(answer))
			x := holder(t, s.URL("/v1"), q, nil)
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL("/v1/models"), nil)
			r.Header = http.Header{"Accept": {typeJSON}, "User-Agent": {"claviger"}, headerHeld: {"k1"}}
			resp, err := x.line.RoundTrip(r)
			if err != nil {
				continue
			}
			got, cut := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if shown := fmt.Sprint(resp.Header, string(got)); strings.Contains(shown, key) || resp.Header.Get(headerOutcome) == "" && cut == nil {
				t.Errorf("%s: %s, cut %v", status, strings.ReplaceAll(shown, key, "THE KEY"), cut)
			}
		}
	}
}

// TestHeldCancel: a caller's leaving reaches the provider, and a Holder that is
// gone is a 503 for which nothing was spent.
func TestHeldCancel(t *testing.T) {
	came, left := make(chan struct{}), make(chan struct{})
	s := testnet.Serve(t, func(c *testnet.Conn) {
		c.Request()
		close(came)
		c.Gone()
		close(left)
	})
	p := newPool(1)
	x := holder(t, s.URL("/v1"), p, nil)
	c := heldClient(t, s.URL("/v1"), p, x)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-came; cancel() }()
	if _, err := call(ctx, c, true); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Fatal("the provider does not hear of it")
	}
	_ = x.own.Close()
	c.CloseIdle()
	_, err := call(t.Context(), c, false)
	if e := claviger.AsError(err); e == nil || e.Code != claviger.CodeUpstreamBusy || !errors.Is(err, claviger.ErrNothingDone) {
		t.Errorf("without a holder: %v", err)
	}
	p.check(t)
}

// BenchmarkHeld compares calls with the key in this process and behind a line,
// one after the other, so that both see the same machine.
func BenchmarkHeld(b *testing.B) {
	for _, stream := range []bool{false, true} {
		b.Run(fmt.Sprintf("stream=%v", stream), func(b *testing.B) {
			key := "sk-" + rand.Text()
			sim := openaitest.NewServer(b, openaitest.Options{Keys: []string{key}})
			own, far := newPool(1), newPool(1)
			own.keys[0], far.keys[0] = claviger.NewSecret([]byte(key)), claviger.NewSecret([]byte(key))
			direct, err := New(Options{BaseURL: sim.URL, Keys: own})
			if err != nil {
				b.Fatal(err)
			}
			defer direct.CloseIdle()
			behind := heldClient(b, sim.URL, far, holder(b, sim.URL, far, nil))
			var spent [2]time.Duration
			for b.Loop() {
				for i, c := range []*Client{direct, behind} {
					began := time.Now()
					if err := benchCall(b.Context(), c, stream); err != nil {
						b.Fatal(err)
					}
					spent[i] += time.Since(began)
				}
			}
			b.ReportMetric(float64(spent[0].Microseconds())/float64(b.N), "direct-µs")
			b.ReportMetric(float64(spent[1].Microseconds())/float64(b.N), "held-µs")
			b.ReportMetric(float64(spent[1])/float64(spent[0]), "ratio")
		})
	}
}

func benchCall(ctx context.Context, c *Client, stream bool) error {
	resp, err := c.RoundTrip(ctx, claviger.Authorize(seal.ForMint(), claviger.Call{
		Endpoint: "responses", Model: "gpt-4.1-mini", Stream: stream, Method: "POST", Path: "/responses",
		Body: body(fmt.Sprintf(`{"model":"gpt-4.1-mini","input":"hi","stream":%v}`, stream)),
	}, hold{}, "req-1"))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return err
}
