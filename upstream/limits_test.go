package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"claviger.dev/claviger"
)

// piped is a client whose provider is a script on the other end of a pipe, so
// that a bubble's clock rules both.
func piped(t *testing.T, p *pool, script func(net.Conn)) *Client {
	t.Helper()
	tr := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		if script == nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ours, theirs := net.Pipe()
		go func() {
			defer func() { _ = theirs.Close() }()
			r, err := http.ReadRequest(bufio.NewReader(theirs))
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			script(theirs)
		}()
		return ours, nil
	}}
	c, err := New(Options{BaseURL: "http://127.0.0.1:9", Keys: p, transport: tr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.CloseIdle()
		time.Sleep(time.Minute) // until the script sees that nobody reads
	})
	return c
}

const (
	head       = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)

func send(c net.Conn, s string) { _, _ = io.WriteString(c, s) }

// hang waits until the peer closes.
func hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestTimeLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script func(net.Conn)
		stream bool
		cause  error
		after  time.Duration
		report string
	}{
		{"connect", nil, false, errConnect, DefaultConnect, "k1:0:0s"},
		{"headers", hang, false, errHeaders, DefaultHeaders, "k1:0:0s"},
		{"half the headers", func(c net.Conn) { send(c, head[:30]); hang(c) }, false, errHeaders, DefaultHeaders, "k1:0:0s"},
		{"silent answer", func(c net.Conn) { send(c, head); hang(c) }, false, errIdle, DefaultIdle, "k1:200:0s"},
		{"silent stream", func(c net.Conn) { send(c, streamHead); hang(c) }, true, errIdle, DefaultIdle, "k1:200:0s"},
		{"stalled stream", func(c net.Conn) {
			send(c, streamHead)
			for range 10 {
				time.Sleep(DefaultIdle - time.Second)
				send(c, "1\r\nx\r\n")
			}
			hang(c)
		}, true, errIdle, 10*(DefaultIdle-time.Second) + DefaultIdle, "k1:200:0s"},
		{"endless stream", func(c net.Conn) {
			send(c, streamHead)
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
					return
				}
			}
		}, true, errTotal, DefaultTotal, "k1:200:0s"},
		{"silent refusal", func(c net.Conn) {
			send(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\n")
			hang(c)
		}, false, errIdle, DefaultIdle, "k1:400:0s"},
		{"silent 429", func(c net.Conn) {
			send(c, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 9\r\n\r\n")
			hang(c)
		}, false, errBusy, patience, "k1:429:0s"},
		{"silent 500", func(c net.Conn) {
			send(c, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 9\r\n\r\n")
			hang(c)
		}, false, nil, 0, "k1:500:0s"},
		{"silent zipped stream", func(c net.Conn) {
			send(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"+zip("data: x\n\n")[:8])
			hang(c)
		}, true, errIdle, DefaultIdle, "k1:200:0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(1)
				p.err = errors.New("no more")
				start := time.Now()
				_, err := call(t.Context(), piped(t, p, tt.script), tt.stream)
				if d := time.Since(start); d != tt.after {
					t.Errorf("after %s, want %s", d, tt.after)
				}
				want := claviger.CodeUpstreamTimeout
				switch {
				case errors.Is(tt.cause, errBusy):
					want = claviger.CodeUpstreamBusy
				case tt.cause == nil:
					want = claviger.CodeUpstreamError
				}
				nothing := slices.Contains([]string{"connect", "silent refusal", "silent 429", "silent 500"}, tt.name)
				if errors.Is(err, claviger.ErrNothingDone) != nothing {
					t.Errorf("%v says that the provider did nothing: %v", err, !nothing)
				}
				if codeOf(err) != want || (tt.cause != nil && !errors.Is(err, tt.cause)) {
					t.Errorf("%v, want %v", err, tt.cause)
				}
				p.check(t, tt.report)
			})
		})
	}
}

// TestSlowCallerIsNotASilentProvider reads so slowly that the idle limit passes
// many times while the provider has long sent everything.
func TestSlowCallerIsNotASilentProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, newPool(1), func(c net.Conn) {
			send(c, streamHead)
			for range 5 {
				send(c, "1\r\nx\r\n")
			}
			send(c, "0\r\n\r\n")
		})
		resp, err := c.RoundTrip(t.Context(), authorized(true))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for b := make([]byte, 1); ; n++ {
			time.Sleep(2 * DefaultIdle)
			if _, err = resp.Body.Read(b); err != nil {
				break
			}
		}
		if n != 5 || !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes, then %v", n, err)
		}
		_ = resp.Body.Close()
	})
}

// TestTotalCoversAttempts lets every key be refused slowly.
func TestTotalCoversAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(3)
		c := piped(t, p, func(c net.Conn) {
			time.Sleep(40 * time.Second)
			send(c, plain("401 Unauthorized", typeJSON, "{}"))
		})
		c.limits.total = time.Minute
		start := time.Now()
		_, err := call(t.Context(), c, false)
		if codeOf(err) != claviger.CodeUpstreamTimeout || !errors.Is(err, errTotal) || time.Since(start) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		p.check(t, "k1:401:0s", "k2:0:0s")
	})
}

var errRevoked = errors.New("revoked")

// TestCallerLeaves cancels before headers, in the middle of a stream and in a
// silent one, and demands that the provider sees it without a wait.
func TestCallerLeaves(t *testing.T) {
	scripts := map[string]func(net.Conn){
		"before headers": func(net.Conn) {},
		"mid-stream": func(c net.Conn) {
			send(c, streamHead)
			for {
				if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		},
		"silent": func(c net.Conn) { send(c, streamHead+"1\r\nx\r\n") },
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var left, seen time.Time
				gone := make(chan struct{})
				p := newPool(3)
				c := piped(t, p, func(c net.Conn) {
					script(c)
					hang(c)
					seen = time.Now()
					close(gone)
				})
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() {
					time.Sleep(5 * time.Second)
					left = time.Now()
					cancel(errRevoked)
				}()
				_, err := call(ctx, c, true)
				<-gone
				if errors.Is(err, claviger.ErrNothingDone) {
					t.Errorf("%v costs nothing", err)
				}
				if !errors.Is(err, context.Canceled) || !errors.Is(err, errRevoked) || codeOf(err) != "" {
					t.Errorf("%v", err)
				}
				if d := seen.Sub(left); d > 100*time.Millisecond {
					t.Errorf("seen after %s", d)
				}
				if p.taken != 1 {
					t.Errorf("%d attempts", p.taken)
				}
				p.check(t)
			})
		})
	}
}

func TestCallersDeadlineIsNotTheProviders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := call(ctx, piped(t, newPool(1), hang), false)
		if !errors.Is(err, context.DeadlineExceeded) || codeOf(err) != "" {
			t.Error(err)
		}
	})
}

// TestCloseEndsTheRequest closes the body with a Read under way.
func TestCloseEndsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		c := piped(t, newPool(1), func(c net.Conn) {
			send(c, streamHead)
			hang(c)
			close(gone)
		})
		resp, err := c.RoundTrip(t.Context(), authorized(true))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		go func() {
			time.Sleep(time.Second)
			_ = resp.Body.Close()
		}()
		_, err = io.ReadAll(resp.Body)
		<-gone
		if err == nil || codeOf(err) != "" || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
			t.Error("a closed body reads")
		}
	})
}
