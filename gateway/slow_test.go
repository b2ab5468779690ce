package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// TestSlowLine: a long answer over a slow line is whole, as long as the line
// moves, plain or as one large event.
func TestSlowLine(t *testing.T) {
	long := strings.Repeat("word ", 400_000)
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream %v", stream), func(t *testing.T) {
			inBubble(t, func(p *parts) {
				p.options.Stall = time.Second
				p.snapshot.Upstream = &fakeUpstream{do: func(_ context.Context, a claviger.Authorized) (*http.Response, error) {
					if a.Call().Stream {
						return reply(chunk(long) + chatUsage + chatEnd), nil
					}
					return reply(strings.ReplaceAll(chatAnswer, "Hello.", long)), nil
				}}
			}, func(b *bubble) {
				body := chat("hi")
				if stream {
					body = chatStream("hi")
				}
				c := b.call(chatPath, body)
				begun := time.Now()
				resp, err := http.ReadResponse(bufio.NewReader(slowly{c.conn}), nil)
				must(t, err)
				got := read(resp)
				_ = c.conn.Close()
				if got.err != nil || !strings.Contains(got.body, long) {
					t.Errorf("ended with %v after %s and %d bytes", got.err, time.Since(begun), len(got.body))
				}
				if time.Since(begun) < 3*time.Second {
					t.Errorf("the line was not slow: %s", time.Since(begun))
				}
			})
		})
	}
}

// slowly reads 4 KiB in 8 ms.
type slowly struct{ io.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(8 * time.Millisecond)
	return s.Reader.Read(p[:min(len(p), 4096)])
}

// TestHTTP2: over HTTP/2 the same holds.
func TestHTTP2(t *testing.T) {
	r := newRig(t, nil)
	srv := httptest.NewUnstartedServer(r.gateway)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	send := func(path, body string, size int64) answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, strings.NewReader(body))
		must(t, err)
		req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {r.ticket("ada")}}
		if size > 0 {
			req.ContentLength = size
		}
		resp, err := srv.Client().Do(req)
		must(t, err)
		if resp.ProtoMajor != 2 {
			t.Fatal(resp.Proto)
		}
		return read(resp)
	}
	for _, tc := range []struct {
		path, body, want string
		status           int
	}{
		{chatPath, chat("hi"), "chat.completion", 200},
		{chatPath, chatStream("hi"), chatEnd, 200},
		{generatePath, generate("hi"), `"finish":"stop"`, 200},
		{"/v1//chat/completions", chat("hi"), "not_found", 404},
		{"/v1/%63hat/completions", chat("hi"), "not_found", 404},
		{chatPath, strings.Repeat("x", 2*limitBody), "too_large", 413},
		{chatPath, chat("hi"), "chat.completion", 200},
	} {
		if a := send(tc.path, tc.body, 0); a.status != tc.status || a.err != nil || !strings.Contains(a.body, tc.want) {
			t.Errorf("%s: %d %v %s", tc.path, a.status, a.err, a.body)
		} else {
			checkAnswerHeaders(t, tc.path, a)
		}
	}
}

// TestSwapUnderLoad: a new configuration serves from one request to the next,
// and no request sees half of each.
func TestSwapUnderLoad(t *testing.T) {
	r := newRig(t, func(p *parts) { p.snapshot.Upstream = &fakeUpstream{} })
	shut := r.snapshot
	shut.Proxy = nil
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			s := r.snapshot
			if i%2 == 0 {
				s = shut
			}
			must(t, r.gateway.Swap(s))
		}
	})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 50 {
				if a := r.post(chatPath, chat("hi")); a.status != 200 && a.status != 404 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	clients.Wait()
	close(done)
	wg.Wait()
}
