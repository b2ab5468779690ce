package upstream

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/testnet"
)

// serve starts a well-behaved provider and counts its connections.
func serve(tb testing.TB, tls bool, h http.HandlerFunc) (*httptest.Server, *testnet.Listener) {
	tb.Helper()
	s := httptest.NewUnstartedServer(h)
	l := testnet.Count(s.Listener)
	s.Listener = l
	if tls {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	tb.Cleanup(s.Close)
	return s, l
}

func clientOf(tb testing.TB, s *httptest.Server, keys KeyPool) *Client {
	tb.Helper()
	o := Options{BaseURL: s.URL + "/v1/", Keys: keys}
	if cert := s.Certificate(); cert != nil {
		o.RootCAs = x509.NewCertPool()
		o.RootCAs.AddCert(cert)
	}
	c, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.CloseIdle)
	return c
}

func TestConnectionsAreKept(t *testing.T) {
	s, l := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		switch {
		case len(b) == 0:
			w.WriteHeader(http.StatusTeapot)
		case r.Header.Get("Accept") == typeStream:
			w.Header().Set("Content-Type", typeStream)
			for range 20 {
				_, _ = io.WriteString(w, "data: x\n\n")
				_ = http.NewResponseController(w).Flush()
			}
		default:
			w.Header().Set("Content-Type", typeJSON)
			_, _ = io.WriteString(w, good)
		}
	})
	c := clientOf(t, s, newPool(1))
	for i := range 100 {
		if _, err := call(t.Context(), c, i%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.Accepted(); n > 3 {
		t.Errorf("%d connections for 100 calls", n)
	}
}

func TestHTTP2(t *testing.T) {
	gone := make(chan time.Time, 1)
	s, l := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", r.ProtoMajor)
		}
		if r.Header.Get("Accept") != typeStream {
			w.Header().Set("Content-Type", typeJSON)
			_, _ = io.WriteString(w, good)
			return
		}
		w.Header().Set("Content-Type", typeStream)
		_, _ = io.WriteString(w, "data: x\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		gone <- time.Now()
	})
	c := clientOf(t, s, newPool(1))
	for range 10 {
		if b, err := call(t.Context(), c, false); err != nil || b != good {
			t.Fatal(b, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := c.RoundTrip(ctx, authorized(true))
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != "data: x\n" {
		t.Error(line, err)
	}
	cancel()
	if _, err = io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = resp.Body.Close()
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the provider does not see that the caller left")
	}
	if n := l.Accepted(); n > 2 {
		t.Errorf("%d connections", n)
	}
}

func TestUnknownCertificate(t *testing.T) {
	s, _ := serve(t, true, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	s.Config.ErrorLog = discardLog()
	p := newPool(1)
	c, err := New(Options{BaseURL: s.URL, Keys: p})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = call(t.Context(), c, false); codeOf(err) != claviger.CodeUpstreamError || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
}

// TestZippedStreamFlows demands each event of a compressed stream before the
// next one is sent.
func TestZippedStreamFlows(t *testing.T) {
	next := make(chan struct{})
	s, l := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", typeStream)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for i := range 5 {
			_, _ = fmt.Fprintf(z, "data: %d\n\n", i)
			_ = z.Flush()
			_ = http.NewResponseController(w).Flush()
			<-next
		}
		_ = z.Close()
	})
	c := clientOf(t, s, newPool(1))
	for range 2 {
		resp, err := c.RoundTrip(t.Context(), authorized(true))
		if err != nil {
			t.Fatal(err)
		}
		if resp.ContentLength != -1 {
			t.Error(resp.ContentLength)
		}
		r := bufio.NewReader(resp.Body)
		for i := range 5 {
			line, err := r.ReadString('\n')
			if err != nil || line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("%d: %q %v", i, line, err)
			}
			_, _ = r.ReadString('\n')
			next <- struct{}{}
		}
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		_ = resp.Body.Close()
	}
	if n := l.Accepted(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestResetInTheMiddle(t *testing.T) {
	s := testnet.Serve(t, func(c *testnet.Conn) {
		if _, ok := c.Request(); ok {
			c.Send(streamHead)
			c.Chunk("data: x\n\n")
			c.Chunk("data: y")
			time.Sleep(20 * time.Millisecond)
			c.Reset()
		}
	})
	b, err := call(t.Context(), newClient(t, s, newPool(1), nil), true)
	if codeOf(err) != claviger.CodeUpstreamError || !errors.Is(err, io.ErrUnexpectedEOF) || b != "data: x\n\ndata: y" {
		t.Errorf("%q %v", b, err)
	}
}

// TestAnswerLimit reads answers of exactly the limit and one byte more, with
// reads of many sizes.
func TestAnswerLimit(t *testing.T) {
	const limit = 100
	for _, encoding := range []string{"", "gzip"} {
		for size := 1; size < 250; size += 33 {
			for over := range 2 {
				content := strings.Repeat("a", limit+over)
				sent, header := content, "X: y"
				if encoding != "" {
					sent, header = zip(content), "Content-Encoding: gzip"
				}
				s := testnet.Serve(t, answers(chunked(typeJSON, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(sent), sent), header, "Connection: close")))
				c := newClient(t, s, newPool(1), func(o *Options) { o.MaxAnswer = limit })
				resp, err := c.RoundTrip(t.Context(), authorized(false))
				if err != nil {
					t.Fatal(err)
				}
				got := 0
				for b := make([]byte, size); err == nil; {
					var n int
					n, err = resp.Body.Read(b)
					got += n
				}
				if over == 0 && (got != limit || !errors.Is(err, io.EOF)) || over == 1 && (got > limit || codeOf(err) != claviger.CodeUpstreamError) {
					t.Errorf("%q size %d over %d: %d %v", encoding, size, over, got, err)
				}
				_ = resp.Body.Close()
				s.Close()
			}
		}
	}
}

// TestCancelIsSeenAtOnce measures on real sockets what the peers of trap 6 never
// did. The bound is wide, for a busy machine; the usual figure is logged.
func TestCancelIsSeenAtOnce(t *testing.T) {
	for name, first := range map[string]string{"before headers": "", "mid-stream": streamHead + "1\r\nx\r\n", "silent": streamHead} {
		var seen time.Time
		arrived, gone := make(chan struct{}), make(chan struct{})
		s := testnet.Serve(t, func(c *testnet.Conn) {
			if _, ok := c.Request(); !ok {
				return
			}
			c.Send(first)
			close(arrived)
			c.Gone()
			seen = time.Now()
			close(gone)
		})
		ctx, cancel := context.WithCancel(t.Context())
		var left time.Time
		go func() {
			<-arrived
			time.Sleep(20 * time.Millisecond)
			left = time.Now()
			cancel()
		}()
		_, err := call(ctx, newClient(t, s, newPool(2), nil), true)
		<-gone
		if !errors.Is(err, context.Canceled) || seen.Sub(left) > time.Second {
			t.Errorf("%s: %v, seen after %s", name, err, seen.Sub(left))
		}
		t.Logf("%s: seen after %s", name, seen.Sub(left))
		if s.Requests() != 1 {
			t.Errorf("%d requests", s.Requests())
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	s, _ := serve(b, false, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = []string{typeJSON}
		_, _ = io.WriteString(w, good)
	})
	b.Run("upstream", func(b *testing.B) {
		c := clientOf(b, s, steady{newPool(1)})
		buf := make([]byte, 4096)
		b.ReportAllocs()
		for b.Loop() {
			resp, err := c.RoundTrip(b.Context(), authorized(false))
			if err != nil {
				b.Fatal(err)
			}
			drain(b, resp.Body, buf)
		}
	})
	b.Run("plain", func(b *testing.B) {
		tr := &http.Transport{DisableCompression: true, DialContext: (&net.Dialer{}).DialContext}
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr}
		buf := make([]byte, 4096)
		b.ReportAllocs()
		for b.Loop() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.URL+"/v1/responses", strings.NewReader(`{"model":"gpt-4.1-mini","input":"hi"}`))
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer x")
			req.Header.Set("Content-Type", typeJSON)
			resp, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			drain(b, resp.Body, buf)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	s, _ := serve(b, false, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = []string{typeStream}
		event := []byte("data: " + strings.Repeat("x", 90) + "\n\n")
		for r.Context().Err() == nil {
			_, _ = w.Write(event)
		}
	})
	c := clientOf(b, s, steady{newPool(1)})
	resp, err := c.RoundTrip(b.Context(), authorized(true))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 100)
	for b.Loop() {
		if _, err := resp.Body.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
	_ = resp.Body.Close()
}

// steady is a pool that keeps no account.
type steady struct{ *pool }

func (s steady) Take(context.Context, claviger.KeyUse, []string) (string, claviger.Secret, error) {
	return s.ids[0], s.keys[0], nil
}
func (steady) Report(string, int, time.Duration) {}
func (steady) Done(string)                       {}

func drain(b *testing.B, r io.ReadCloser, buf []byte) {
	b.Helper()
	for {
		_, err := r.Read(buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	_ = r.Close()
}
