package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/testnet"
	"claviger.dev/claviger/openaitest"
)

// TestStreamUsage: usage is asked of the provider in every chat stream, counted,
// and shown to the caller only who asked for it.
func TestStreamUsage(t *testing.T) {
	r := newRig(t, nil)
	for i, tc := range []struct {
		name, body string
		shown      bool
	}{
		{"not asked", chatStream("hi"), false},
		{"asked", strings.Replace(chatStream("hi"), `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1), true},
		{"declined", strings.Replace(chatStream("hi"), `"stream":true`, `"stream":true,"stream_options":{"include_usage":false}`, 1), false},
	} {
		r.sim.Reset()
		a := r.post(chatPath, tc.body)
		if a.status != 200 || strings.Contains(a.body, `"usage"`) != tc.shown || !strings.HasSuffix(a.body, chatEnd) {
			t.Errorf("%s: %d\n%s", tc.name, a.status, a.body)
		}
		if sent := string(r.sim.Calls()[0].Body); !strings.Contains(sent, `"include_usage":true`) {
			t.Errorf("%s: the provider was sent %s", tc.name, sent)
		}
		u := r.sim.Units().Total
		r.events.wait(t, i+1)
		if e := r.events.last(t); e.Units.Get(claviger.UnitInput) != u.Input || e.Units.Get(claviger.UnitOutput) != u.Output {
			t.Errorf("%s: counted %+v, charged %+v", tc.name, e.Units, u)
		}
	}
}

// TestStreamFaults: whatever the simulated provider does to a stream, over real
// connections, the caller sees no end that was not sent, and the account stands.
// The idle limit is short only where a silence is the fault: on a busy machine it
// would end the others too.
func TestStreamFaults(t *testing.T) {
	brisk := newRig(t, nil)
	silent := newRig(t, func(p *parts) { p.upstream.Idle = 300 * time.Millisecond })
	for _, tc := range []struct {
		fault   openaitest.Fault
		status  int
		whole   bool // ended in good order
		done    bool // with the endpoint's own end
		contain string
	}{
		{openaitest.Fault{Kind: openaitest.Gzip}, 200, true, true, ""},
		{openaitest.Fault{Kind: openaitest.NoUsage}, 200, true, true, ""},
		{openaitest.Fault{Kind: openaitest.Extra}, 200, true, true, ""},
		{openaitest.Fault{Kind: openaitest.Stall}, 200, false, false, "upstream_timeout"},
		{openaitest.Fault{Kind: openaitest.HangBody}, 504, true, false, "upstream_timeout"},
		{openaitest.Fault{Kind: openaitest.Cut}, 200, false, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.End}, 200, false, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.BadChunk}, 200, false, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.Truncated}, 200, false, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.InvalidJSON}, 502, true, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.ErrorEvent}, 200, true, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.Huge}, 200, false, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.Leak, Parts: 1}, 200, false, false, ""},
		{openaitest.Fault{Kind: openaitest.Leak, Parts: 2}, 200, false, false, ""},
		{openaitest.Fault{Kind: openaitest.Leak, Parts: 9}, 200, false, false, ""},
		{openaitest.Fault{Kind: openaitest.ContentType}, 502, true, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.Status, Status: 401}, 502, true, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.Status, Status: 429, RetryAfter: "3"}, 503, true, false, "upstream_busy"},
		{openaitest.Fault{Kind: openaitest.Status, Status: 500}, 502, true, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.Redirect}, 502, true, false, "upstream_error"},
		{openaitest.Fault{Kind: openaitest.Leak, Status: 400}, 502, true, false, "upstream_error"},
	} {
		for path, body := range map[string]string{chatPath: chatStream("hello there"), "/v1/responses": responseStream("hello there")} {
			if tc.fault.Kind == openaitest.Extra && path == chatPath {
				continue // chunks have no types: what is none ends the stream
			}
			r := brisk
			if tc.fault.Kind == openaitest.Stall || tc.fault.Kind == openaitest.HangBody {
				r = silent
			}
			r.sim.Clear()
			r.sim.Inject(tc.fault)
			a := r.post(path, body)
			name := tc.fault.String() + " " + path
			t.Logf("%-48s %d, ended %v", name, a.status, a.err)
			done := strings.Contains(a.body, "[DONE]") || strings.Contains(a.body, "response.completed")
			if tc.fault.Kind == openaitest.Leak {
				// Cut, or refused when nothing had gone out yet.
				if done || a.err == nil && a.status == http.StatusOK {
					t.Errorf("%s: %d, ended %v\n%.3000s", name, a.status, a.err, a.body)
				}
			} else if tc.fault.Kind == openaitest.Stall && a.status == http.StatusGatewayTimeout {
				// The silence was noticed before anything had gone out.
				if done || a.err != nil || !strings.Contains(a.body, tc.contain) {
					t.Errorf("%s: %d, ended %v\n%.3000s", name, a.status, a.err, a.body)
				}
			} else if tc.fault.Kind == openaitest.ErrorEvent || tc.fault.Kind == openaitest.InvalidJSON {
				// As an event, or with its status when nothing had gone out yet.
				if done || a.err != nil || !strings.Contains(a.body, tc.contain) {
					t.Errorf("%s: %d, ended %v\n%.3000s", name, a.status, a.err, a.body)
				}
			} else if (a.status != tc.status || !strings.Contains(a.body, tc.contain)) || (a.err == nil) != tc.whole || done != tc.done {
				t.Errorf("%s: %d, ended %v, done %v\n%.3000s", name, a.status, a.err, done, a.body)
			}
			if n := overlap(wordsOf(a.body)+a.body, r.upstreamKey); n > 20 {
				t.Errorf("%s: %d characters of the key came back", name, n)
			}
			checkSecretless(t, r, name, a)
			checkAnswerHeaders(t, name, a)
		}
	}
}

// checkSecretless searches an answer for what may never be in one.
func checkSecretless(t *testing.T, r *rig, name string, a answer) {
	t.Helper()
	all := fmt.Sprint(a.body, a.header)
	for what, s := range map[string]string{
		"the upstream key": r.upstreamKey, "the masked key": openaitest.MaskKey(r.upstreamKey), "the end of the key": r.upstreamKey[len(r.upstreamKey)-4:],
		"the ticket secret": r.ticketSecret, "the session secret": r.sessionSecret, "the identity key": r.identityKey, "the service key": r.serviceKey,
		"an organisation": "org-", "a project": "proj_", "the provider's host": "openai.com",
	} {
		if strings.Contains(all, s) {
			t.Errorf("%s: %s came back:\n%.2000s", name, what, all)
		}
	}
}

// TestStreamDisconnect: over a real connection, too, the caller's leaving ends
// the provider's work, which would go on for ten seconds or for ever (M-L3). That
// it takes less than a second is TestStreamCancel's, on a clock of its own.
func TestStreamDisconnect(t *testing.T) {
	r := newRig(t, nil)
	for _, f := range []openaitest.Fault{
		{Kind: openaitest.Hang}, {Kind: openaitest.HangBody}, {Kind: openaitest.Stall, After: 3}, {Kind: openaitest.Slow, Delta: 20 * time.Millisecond},
	} {
		t.Run(string(f.Kind), func(t *testing.T) {
			r.sim.Reset()
			r.sim.Clear()
			r.sim.Inject(f)
			ctx, cancel := context.WithCancel(t.Context())
			gone := make(chan time.Time, 1)
			seen := len(r.events.all())
			go func() {
				resp, err := r.open(ctx, "POST", chatPath, chatStream("write 500 words"))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}()
			must(t, r.sim.Wait(t.Context(), func(c openaitest.Calls) bool { return len(c) == 1 }))
			time.AfterFunc(100*time.Millisecond, func() {
				gone <- time.Now()
				cancel()
			})
			must(t, r.sim.Wait(t.Context(), openaitest.Canceled(1)))
			left := <-gone
			t.Logf("the provider heard of it %s later", r.sim.Calls()[0].CanceledAt.Sub(left))
			r.events.wait(t, seen+1)
			if e := r.events.last(t); !e.CallerGone || len(e.Units) == 0 {
				t.Errorf("the account is %+v", e)
			}
		})
	}
}

// TestStreamStalledReader: a caller who keeps the connection open and does not
// read is ended by the write limit, over a real connection.
func TestStreamStalledReader(t *testing.T) {
	r := newRig(t, func(p *parts) {
		p.options.Stall = 500 * time.Millisecond
		p.snapshot.Proxy.Policy.DefaultMaxOutput = 100_000 // more than the buffers between take
	})
	c := testnet.Dial(t, r.addr())
	defer func() { _ = c.Close() }()
	body := chatStream("write 100000 words")
	c.Send(t, request("POST "+chatPath+" HTTP/1.1", "app.example.com", body, "Authorization: "+r.ticket("ada"), "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body))))
	r.events.wait(t, 1)
	if e := r.events.last(t); !e.CallerGone || e.Units.Get(claviger.UnitOutput) == 0 {
		t.Errorf("the account is %+v", e)
	}
	must(t, r.sim.Wait(t.Context(), openaitest.Ended(1)))
}

// TestManyShortStreams: of 2,000 short streams in parallel none is short.
func TestManyShortStreams(t *testing.T) {
	r := newRig(t, func(p *parts) { p.plans[0].Limits = wants[1:] })
	want := r.post(chatPath, chatStream("write 5 words")).body
	if strings.Count(want, "data: ") < 5 || !strings.HasSuffix(want, chatEnd) {
		t.Fatal(want)
	}
	events := strings.Count(want, "data: ")
	var wg sync.WaitGroup
	work := make(chan int)
	for range 16 {
		wg.Go(func() {
			for range work {
				a := r.post(chatPath, chatStream("write 5 words"))
				if a.err != nil || a.status != 200 || strings.Count(a.body, "data: ") != events || !strings.HasSuffix(a.body, chatEnd) {
					t.Errorf("%d %v: %d events of %d", a.status, a.err, strings.Count(a.body, "data: "), events)
				}
			}
		})
	}
	for i := range 2000 {
		work <- i
	}
	close(work)
	wg.Wait()
}

// TestSlowBody: a caller whose body does not come is answered, whoever they
// are, and does not hold the connection.
func TestSlowBody(t *testing.T) {
	r := newRig(t, func(p *parts) { p.options.BodyTimeout = 300 * time.Millisecond })
	auth := "Authorization: " + r.ticket("ada")
	for _, tc := range []struct {
		name, line string
		lines      []string
		status     int
	}{
		{"a body that never comes", "POST " + chatPath, []string{auth, "Content-Type: application/json", "Content-Length: 50"}, 408},
		{"a body that never comes, chunked", "POST " + chatPath, []string{auth, "Content-Type: application/json", "Transfer-Encoding: chunked"}, 408},
		{"by a stranger", "POST " + chatPath, []string{"Content-Type: application/json", "Content-Length: 50"}, 401},
		{"by a stranger, chunked", "POST " + chatPath, []string{"Content-Type: application/json", "Transfer-Encoding: chunked"}, 401},
		{"to nowhere", "POST /nowhere", []string{"Content-Length: 50"}, 404},
		{"of a GET", "GET /v1/models", []string{auth, "Content-Length: 50"}, 200},
		{"of a preflight", "OPTIONS " + chatPath, []string{"Origin: " + ours, "Access-Control-Request-Method: POST", "Content-Length: 50"}, 204},
		{"too large", "POST " + chatPath, []string{auth, "Content-Length: 5000000"}, 413},
	} {
		// It gives up after a minute.
		a := r.one(request(tc.line+" HTTP/1.1", "app.example.com", "", tc.lines...))
		if a.status != tc.status {
			t.Errorf("%s: %d, want %d", tc.name, a.status, tc.status)
		}
		checkAnswerHeaders(t, tc.name, a)
	}
}

// TestIdleConnection: the write limit of one answer does not end the next one on
// the same connection. net/http takes it back; this holds it to that.
func TestIdleConnection(t *testing.T) {
	inBubble(t, func(p *parts) { p.options.Stall = 100 * time.Millisecond }, func(b *bubble) {
		c := b.listener.dial()
		defer func() { _ = c.Close() }()
		br := bufio.NewReader(c)
		for _, line := range []string{"GET /v1/models", "OPTIONS " + chatPath, "HEAD /nowhere", "GET /nowhere", "OPTIONS " + chatPath} {
			_, err := io.WriteString(c, request(line+" HTTP/1.1", "app.example.com", "", "Origin: "+ours, "Access-Control-Request-Method: POST", "Authorization: "+b.ticket("ada")))
			must(t, err)
			method, _, _ := strings.Cut(line, " ")
			resp, err := http.ReadResponse(br, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			_ = read(resp)
			time.Sleep(150 * time.Millisecond)
		}
	})
}
