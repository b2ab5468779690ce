package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/gateway"
)

// bubble is a gateway on a network in memory, in a bubble of synctest, so that
// its timers run on a clock that waits for nobody.
type bubble struct {
	*rig
	t        *testing.T
	listener *pipeListener
	up       *fakeUpstream
	// feeds are the streams of the provider, one a call.
	feeds chan *feed
	ctxs  chan context.Context
}

// inBubble runs a test in a bubble. Streams of the provider come from feeds.
func inBubble(t *testing.T, change func(*parts), test func(b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{rig: &rig{t: t, logs: &safeBuffer{}, events: &recorder{}}, t: t, listener: newPipeListener(), feeds: make(chan *feed, 10), ctxs: make(chan context.Context, 10)}
		b.upstreamKey, b.ticketSecret, b.sessionSecret, b.identityKey, b.serviceKey = upstreamKey(), random(), random(), random(), random()
		b.up = &fakeUpstream{do: func(ctx context.Context, _ claviger.Authorized) (*http.Response, error) {
			f := newFeed(ctx)
			b.feeds <- f
			b.ctxs <- ctx
			return f.response(), nil
		}}
		b.build(change)
		srv := &http.Server{Handler: b.gateway, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
		go func() { _ = srv.Serve(b.listener) }()
		test(b)
		synctest.Wait()
		_ = srv.Close()
		_ = b.listener.Close()
		b.gateway.Close()
		synctest.Wait()
		b.holds.check(t)
	})
}

func (b *bubble) build(change func(*parts)) {
	p := &parts{plans: []authz.Plan{{Name: "all", Models: []string{model}, Limits: wants}}}
	b.authenticators(p)
	b.memory = admit.NewMemory(admit.MemoryOptions{Now: time.Now})
	b.holds = &ledger{Admission: b.memory}
	p.options = gateway.Options{Admission: b.holds, Recorder: b.events, Logger: slog.New(slog.NewJSONHandler(b.logs, nil))}
	b.defaults(&p.snapshot)
	p.snapshot.Upstream = b.up
	if change != nil {
		change(p)
	}
	b.finish(p)
}

// caller is one connection to the gateway.
type caller struct {
	b    *bubble
	conn net.Conn
	resp *http.Response
	err  error
	// got is what was read of the body so far, when it is read by follow.
	got  safeBuffer
	done chan struct{}
	end  error
}

// call sends a request on a connection of its own.
func (b *bubble) call(path, body string, headers ...string) *caller {
	b.t.Helper()
	c := &caller{b: b, conn: b.listener.dial(), done: make(chan struct{})}
	lines := append([]string{"Authorization: " + b.ticket("ada"), "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body))}, headers...)
	_, err := io.WriteString(c.conn, request("POST "+path+" HTTP/1.1", "app.example.com", body, lines...))
	must(b.t, err)
	return c
}

// follow reads the answer in the background.
func (c *caller) follow() *caller {
	go func() {
		defer close(c.done)
		c.resp, c.err = http.ReadResponse(bufio.NewReader(c.conn), nil)
		if c.err != nil {
			return
		}
		_, c.end = io.Copy(&c.got, c.resp.Body)
	}()
	return c
}

// whole waits for the end of the answer.
func (c *caller) whole() answer {
	c.b.t.Helper()
	<-c.done
	must(c.b.t, c.err)
	_ = c.conn.Close()
	return answer{c.resp.StatusCode, c.resp.Header, c.got.String(), c.end}
}

func (c *caller) has(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if got := c.got.String(); !strings.Contains(got, want) {
		t.Errorf("%q has not come:\n%s", want, got)
	}
}

func (c *caller) hasNot(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if got := c.got.String(); strings.Contains(got, want) {
		t.Errorf("%q has come:\n%s", want, got)
	}
}

// TestStreamFlush: each event goes out as it comes, while the provider holds the
// rest (M-P2).
func TestStreamFlush(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		c := b.call(chatPath, chatStream("hi")).follow()
		f := <-b.feeds
		for _, word := range []string{"one", "two", "three"} {
			c.hasNot(t, word)
			f.events <- chunk(word)
			c.has(t, word)
		}
		// Half an event is none yet.
		half := chunk("four")
		f.events <- half[:40]
		f.events <- half[40 : len(half)-1]
		c.hasNot(t, "four")
		f.events <- half[len(half)-1:]
		c.has(t, "four")
		f.events <- chatUsage + chatEnd
		f.stop(io.EOF)
		a := c.whole()
		if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream; charset=utf-8" || a.header.Get("Cache-Control") != "private, no-store, no-transform" || a.header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("%d %v", a.status, a.header)
		}
		if a.err != nil || !strings.HasSuffix(a.body, chatEnd) {
			t.Errorf("ended with %v:\n%s", a.err, a.body)
		}
		if e := b.events.last(t); e.Estimated || e.Units.Get(claviger.UnitInput) != 5 || e.Units.Get(claviger.UnitOutput) != 2 {
			t.Errorf("units %+v", e)
		}
	})
}

// TestStreamHeartbeat: comments keep a silent stream alive (M-P2).
func TestStreamHeartbeat(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		c := b.call(chatPath, chatStream("hi")).follow()
		f := <-b.feeds
		f.events <- chunk("one")
		c.has(t, "one")
		time.Sleep(14 * time.Second)
		c.hasNot(t, ": \n\n")
		time.Sleep(1100 * time.Millisecond)
		c.has(t, ": \n\n")
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if n := strings.Count(c.got.String(), ": \n\n"); n != 4 {
			t.Errorf("%d heartbeats in 60 s, want 4", n)
		}
		f.events <- chunk("two") + chatUsage + chatEnd
		f.stop(io.EOF)
		if a := c.whole(); a.err != nil || !strings.HasSuffix(a.body, chatEnd) || !strings.Contains(a.body, "two") {
			t.Errorf("%v\n%s", a.err, a.body)
		}
	})
}

// late is a provider that fails after a time without headers.
func late(after time.Duration, err error) func(*parts) {
	return func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{do: func(ctx context.Context, _ claviger.Authorized) (*http.Response, error) {
			select {
			case <-time.After(after):
				return nil, err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
	}
}

// TestStreamLateFailure: a failure before the first heartbeat keeps its status;
// after it, it is an event in the endpoint's own shape.
func TestStreamLateFailure(t *testing.T) {
	timeout := &claviger.Error{Code: claviger.CodeUpstreamTimeout}
	for _, tc := range []struct {
		name, path, body string
		headers          []string
		after            time.Duration
		status           int
		want             string
	}{
		{"before, chat", chatPath, chatStream("hi"), nil, 14 * time.Second, 504, `"code":"upstream_timeout"`},
		{"after, chat", chatPath, chatStream("hi"), nil, 16 * time.Second, 200, "data: {\"error\":{\"message\":\"Upstream timeout\""},
		{"before, response", "/v1/responses", responseStream("hi"), nil, 14 * time.Second, 504, `"code":"upstream_timeout"`},
		{"after, response", "/v1/responses", responseStream("hi"), nil, 16 * time.Second, 200, "event: error\ndata: {\"type\":\"error\",\"code\":\"upstream_timeout\",\"message\":\"Upstream timeout\""},
		{"before, action", generatePath, generate("hi"), []string{"Accept: text/event-stream"}, 14 * time.Second, 504, `"error":"Upstream timeout"`},
		{"after, action", generatePath, generate("hi"), []string{"Accept: text/event-stream"}, 40 * time.Second, 200, "event: error\ndata: {\"error\":\"Upstream timeout\",\"code\":\"upstream_timeout\"}\n\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, late(tc.after, timeout), func(b *bubble) {
				a := b.call(tc.path, tc.body, tc.headers...).follow().whole()
				if a.status != tc.status || !strings.Contains(a.body, tc.want) || a.err != nil {
					t.Errorf("%d %v\n%s", a.status, a.err, a.body)
				}
				if strings.Contains(a.body, "[DONE]") || strings.Contains(a.body, "event: done") {
					t.Errorf("an end that nobody sent:\n%s", a.body)
				}
				if e := b.events.last(t); e.Code != claviger.CodeUpstreamTimeout {
					t.Errorf("the event says %s", e.Code)
				}
			})
		})
	}
}

// TestStreamCancel: the caller's leaving ends the provider's work within a
// second, before headers, in mid-stream and in silence, and the hold is settled
// (M-L3).
func TestStreamCancel(t *testing.T) {
	silent := func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{do: func(ctx context.Context, _ claviger.Authorized) (*http.Response, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("ended by the caller: %w", ctx.Err())
		}}
	}
	check := func(t *testing.T, b *bubble, left time.Time) {
		t.Helper()
		b.events.wait(t, 1)
		if took := time.Since(left); took > time.Second {
			t.Errorf("ended %s after the caller left", took)
		}
		if e := b.events.last(t); !e.CallerGone || len(e.Units) == 0 || !e.Estimated {
			t.Errorf("the account is %+v", e)
		}
		if s := b.holds.last(); s.released || len(s.used) == 0 {
			t.Errorf("settled as %+v", s)
		}
		if strings.Contains(b.logs.String(), `"level":"ERROR"`) {
			t.Errorf("a caller who leaves is no error:\n%s", b.logs.String())
		}
	}
	for _, tc := range []struct {
		name, path, body string
	}{{"chat", chatPath, chatStream("hi")}, {"response", "/v1/responses", responseStream("hi")}, {"plain", chatPath, chat("hi")}} {
		t.Run("before headers, "+tc.name, func(t *testing.T) {
			inBubble(t, silent, func(b *bubble) {
				c := b.call(tc.path, tc.body)
				time.Sleep(3 * time.Second)
				left := time.Now()
				_ = c.conn.Close()
				check(t, b, left)
			})
		})
	}
	for _, pause := range []time.Duration{0, 10 * time.Second, 40 * time.Second} {
		t.Run(fmt.Sprintf("after %s of silence in mid-stream", pause), func(t *testing.T) {
			inBubble(t, nil, func(b *bubble) {
				c := b.call(chatPath, chatStream("hi")).follow()
				f, ctx := <-b.feeds, <-b.ctxs
				f.events <- chunk("one")
				c.has(t, "one")
				time.Sleep(pause)
				synctest.Wait()
				left := time.Now()
				_ = c.conn.Close()
				<-ctx.Done()
				check(t, b, left)
				if out := b.events.last(t).Units.Get(claviger.UnitOutput); out != 1 {
					t.Errorf("%d tokens of output, one was read", out)
				}
			})
		})
	}
}

// TestStreamSlowReader: who does not read is ended by the write limit, and what
// was held is settled.
func TestStreamSlowReader(t *testing.T) {
	for _, stall := range []time.Duration{0, 2 * time.Second} {
		t.Run(stall.String(), func(t *testing.T) {
			inBubble(t, func(p *parts) { p.options.Stall = stall }, func(b *bubble) {
				b.call(chatPath, chatStream("hi")) // and nothing is read
				f, ctx := <-b.feeds, <-b.ctxs
				f.events <- chunk(strings.Repeat("word ", 2000))
				begun := time.Now()
				<-ctx.Done()
				limit := 30 * time.Second
				if stall > 0 {
					limit = stall
				}
				if took := time.Since(begun); took < limit-time.Second || took > limit+time.Second {
					t.Errorf("ended after %s", took)
				}
				b.events.wait(t, 1)
				if e := b.events.last(t); !e.CallerGone {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// TestStreamSlowEnough: a reader within the limit loses nothing, however short
// the limit and however long the stream.
func TestStreamSlowEnough(t *testing.T) {
	inBubble(t, func(p *parts) { p.options.Stall = 2 * time.Second }, func(b *bubble) {
		c := b.call(chatPath, chatStream("hi")).follow()
		f := <-b.feeds
		for i := range 40 {
			f.events <- chunk(fmt.Sprintf("<%d>", i))
			time.Sleep(700 * time.Millisecond)
		}
		f.events <- chatUsage + chatEnd
		f.stop(io.EOF)
		if a := c.whole(); a.err != nil || !strings.Contains(a.body, "<39>") || !strings.HasSuffix(a.body, chatEnd) {
			t.Errorf("%v\n%s", a.err, a.body)
		}
	})
}

// TestStreamBroken: a stream that the provider cut, ended early or spoiled never
// looks whole to the caller; what it cost is counted (M-P2, M-A5).
func TestStreamBroken(t *testing.T) {
	idle := &claviger.Error{Code: claviger.CodeUpstreamTimeout}
	cut := &claviger.Error{Code: claviger.CodeUpstreamError, Err: io.ErrUnexpectedEOF}
	type ending struct {
		name  string
		write string
		err   error
		code  string
		// open says that the stream is ended in good order, behind the error.
		open bool
	}
	endings := []ending{
		{"idle", "", idle, "upstream_timeout", false},
		{"cut", "", cut, "upstream_error", false},
		{"ended without an end", "", io.EOF, "upstream_error", false},
		{"ended in an event", "data: {\"id\":", io.EOF, "upstream_error", false},
		{"no JSON", "data: {nonsense\n\n", io.EOF, "upstream_error", true},
		{"an error inside", "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"secret words of org-123\",\"code\":\"server_error\"},\"code\":\"server_error\",\"message\":\"secret words of org-123\"}\n\n", io.EOF, "upstream_error", true},
		{"an event over the limit", "data: \"" + strings.Repeat("x", 9<<20) + "\"\n\n", io.EOF, "upstream_error", false},
	}
	for _, ep := range []struct {
		name, path, body, first, words, errorIs, end string
		headers                                      []string
	}{
		{"chat", chatPath, chatStream("hi"), chunk("one"), "one", `data: {"error":{"message":`, "[DONE]", nil},
		{"response", "/v1/responses", responseStream("hi"), delta("one"), "one", "event: error\ndata: {\"type\":\"error\",\"code\":", "response.completed", nil},
		{"action", generatePath, generate("hi"), delta("one"), "event: delta\ndata: {\"text\":\"one\"}\n\n", "event: error\ndata: {\"error\":", "event: done", []string{"Accept: text/event-stream"}},
		{"useChat", "/actions/assistant", `{"messages":[{"role":"user","content":"hi"}]}`, delta("one"), `"delta":"one"`, `data: {"type":"error","errorText":`, `"finish"`, []string{"Accept: text/event-stream", "X-Claviger-Stream: ai-sdk"}},
	} {
		for _, end := range endings {
			t.Run(ep.name+"/"+end.name, func(t *testing.T) {
				inBubble(t, nil, func(b *bubble) {
					c := b.call(ep.path, ep.body, ep.headers...).follow()
					f := <-b.feeds
					f.events <- ep.first
					c.has(t, ep.words)
					// Both come in one piece: what was good is not lost with the rest.
					f.events <- strings.ReplaceAll(ep.first, "one", "two") + end.write
					f.stop(end.err)
					a := c.whole()
					if a.status != 200 || !strings.Contains(a.body, "two") || !strings.Contains(a.body, ep.errorIs) {
						t.Errorf("%d\n%.2000s", a.status, a.body)
					}
					if strings.Contains(a.body, ep.end) || strings.Contains(a.body, "secret words") || strings.Contains(a.body, "org-123") {
						t.Errorf("an end or words that the caller must not see:\n%.2000s", a.body)
					}
					if (a.err == nil) != end.open {
						t.Errorf("the connection ended with %v", a.err)
					}
					e := b.events.last(t)
					if string(e.Code) != end.code || !e.Estimated || e.Units.Get(claviger.UnitOutput) != 2 {
						t.Errorf("the account is %+v", e)
					}
				})
			})
		}
	}
}

// TestStreamTripwire: a key in the model's words never reaches the caller,
// whole in one event or spread over many, and the stream is cut (M-S7).
func TestStreamTripwire(t *testing.T) {
	for _, ep := range []struct {
		name, path, body string
		event            func(string) string
		headers          []string
	}{
		{"chat", chatPath, chatStream("hi"), chunk, nil},
		{"response", "/v1/responses", responseStream("hi"), delta, nil},
		{"action", generatePath, generate("hi"), delta, []string{"Accept: text/event-stream"}},
	} {
		for _, size := range []int{1, 2, 7, 20, 1000} {
			t.Run(fmt.Sprintf("%s by %d", ep.name, size), func(t *testing.T) {
				inBubble(t, nil, func(b *bubble) {
					c := b.call(ep.path, ep.body, ep.headers...).follow()
					f := <-b.feeds
					f.events <- ep.event("before")
					c.has(t, "before")
					text := "It is " + b.upstreamKey + ", keep it"
					var pieces []string
					for text != "" {
						n := min(size, len(text))
						pieces, text = append(pieces, text[:n]), text[n:]
					}
					go func() {
						for _, p := range pieces {
							select {
							case f.events <- ep.event(p):
							case <-f.closed:
								return
							}
						}
						f.stop(io.EOF)
					}()
					a := c.whole()
					if a.err == nil || strings.Contains(a.body, "error") {
						t.Errorf("the stream was not cut at the key: %v %s", a.err, a.body)
					}
					words := wordsOf(a.body)
					if n := overlap(words, b.upstreamKey); n > 20 {
						t.Errorf("%d characters of the key came: %q", n, words)
					}
					if e := b.events.last(t); e.Code != claviger.CodeUpstreamError || !strings.Contains(e.Cause, "keys") {
						t.Errorf("the account is %+v", e)
					}
				})
			})
		}
	}
}

// wordsOf joins the pieces of text in a stream.
func wordsOf(stream string) string {
	var b strings.Builder
	for _, mark := range []string{`"content":"`, `"delta":"`, `"text":"`} {
		for _, part := range strings.Split(stream, mark)[1:] {
			text, _, _ := strings.Cut(part, `"`)
			b.WriteString(text)
		}
	}
	return b.String()
}

// overlap is the length of the longest beginning of key in text.
func overlap(text, key string) int {
	for n := len(key); n > 0; n-- {
		if strings.Contains(text, key[:n]) {
			return n
		}
	}
	return 0
}

// TestStreamWordsLikeKey: words that begin like a key and go on otherwise come
// through whole.
func TestStreamWordsLikeKey(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		c := b.call(chatPath, chatStream("hi")).follow()
		f := <-b.feeds
		f.events <- chunk(b.upstreamKey[:20])
		c.hasNot(t, b.upstreamKey[:20])
		f.events <- chunk(" or not")
		c.has(t, b.upstreamKey[:20])
		f.events <- chunk(b.upstreamKey[:20])
		f.events <- chatUsage + chatEnd
		f.stop(io.EOF)
		if a := c.whole(); a.err != nil || strings.Count(a.body, b.upstreamKey[:20]) != 2 || !strings.HasSuffix(a.body, chatEnd) {
			t.Errorf("%v\n%s", a.err, a.body)
		}
	})
}
