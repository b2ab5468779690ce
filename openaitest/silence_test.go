package openaitest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"claviger.dev/claviger/openaitest"
)

func TestDrip(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	var reads int
	for _, streamed := range []bool{false, true} {
		resp, err := faulty(t, srv, "/embeddings", "drip delay=100us", object{"model": "text-embedding-3-small", "input": "x", "dimensions": 2})
		if streamed {
			resp, err = faulty(t, srv, "/chat/completions", "drip delay=10us", chat("write 2 words", "stream", true))
		}
		if err != nil {
			t.Fatal(err)
		}
		reads = 0
		buf := make([]byte, 4096)
		total := 0
		for {
			n, err := resp.Body.Read(buf)
			total += n
			reads++
			if err != nil {
				break
			}
		}
		if reads < total/20 || total < 100 {
			t.Errorf("%d bytes came in %d reads", total, reads)
		}
	}
}

// leakFree fails the test if it leaves goroutines behind, once its servers and
// clients are closed.
func leakFree(t *testing.T) {
	t.Helper()
	current := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, current) })
}

// cutShort sends a call whose answer breaks off and returns what came before.
func cutShort(t *testing.T, srv *openaitest.Server, fault string, body object) ([]byte, error) {
	t.Helper()
	resp, err := faulty(t, srv, "/responses", fault, body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	return b, err
}

func TestCutAndBadChunk(t *testing.T) {
	leakFree(t)
	srv := newServer(t, openaitest.Options{})
	b, err := cutShort(t, srv, "cut", respond("hello there"))
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(b) < 100 {
		t.Errorf("cut: %d bytes, error %v", len(b), err)
	}
	b, err = cutShort(t, srv, "cut after=6", respond("write 20 words", "stream", true))
	if !errors.Is(err, io.ErrUnexpectedEOF) || bytes.Count(b, []byte("\n\n")) != 6 {
		t.Errorf("cut stream: %v after %s", err, b)
	}
	b, err = cutShort(t, srv, "bad-chunk", respond("hello there"))
	if err == nil || !strings.Contains(err.Error(), "chunk") || len(b) < 100 {
		t.Errorf("bad-chunk: %d bytes, error %v", len(b), err)
	}
	b, err = cutShort(t, srv, "bad-chunk after=6", respond("write 20 words", "stream", true))
	if err == nil || !strings.Contains(err.Error(), "chunk") || bytes.Count(b, []byte("\n\n")) != 6 {
		t.Errorf("bad-chunk stream: %v after %s", err, b)
	}
	wait(t, srv, openaitest.Ended(4))
	for _, c := range srv.Calls() {
		if c.Canceled || c.Usage.Input == 0 || c.Status != 200 {
			t.Errorf("%s: %+v", c.Fault, c.Usage)
		}
		// Six events: two about the response, two that open the message, two deltas.
		if strings.Contains(string(c.Body), `"stream":true`) && (c.Usage.Output != 2 || c.Events != 6) {
			t.Errorf("%s: %d events, %d tokens charged, want 2", c.Fault, c.Events, c.Usage.Output)
		}
	}
}

// TestSilences has the client leave in every kind of silence.
func TestSilences(t *testing.T) {
	leakFree(t)
	rows := []struct {
		fault    string
		streamed bool
		status   int // 0: nothing comes
		events   int
	}{
		{"hang", false, 0, 0},
		{"hang", true, 0, 0},
		{"slow delay=1h", false, 0, 0},
		{"hang-body", false, 200, 0},
		{"hang-body", true, 200, 0},
		{"stall", false, 200, 0},
		{"stall after=6", true, 200, 6},
		{"stall after=0", true, 200, 0},
		{"slow delta=1h", true, 200, 4},
		{"drip delay=1h", true, 200, 0},
	}
	for _, r := range rows {
		t.Run(r.fault, func(t *testing.T) {
			srv := newServer(t, openaitest.Options{})
			ctx, leave := context.WithCancel(t.Context())
			req := request(t, srv, "/responses", respond("write 20 words", "stream", r.streamed)).WithContext(ctx)
			req.Header.Set("X-Openaitest-Fault", r.fault)
			done := make(chan error, 1)
			client := fresh(t)
			go func() {
				resp, err := client.Do(req)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				done <- err
			}()
			wait(t, srv, func(c openaitest.Calls) bool {
				return len(c) == 1 && c[0].Fault != "" && c[0].Status == r.status && c[0].Events == r.events
			})
			if running := srv.Units(); running.Total != srv.Calls()[0].Usage {
				t.Errorf("in flight: %+v", running)
			}
			left := time.Now()
			leave()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("the client saw %v", err)
			}
			wait(t, srv, openaitest.Canceled(1))
			c := srv.Calls()[0]
			if c.CanceledAt.Before(left) || c.Ended.IsZero() || c.Events != r.events {
				t.Errorf("%+v", c)
			}
			if want := int64(max(r.events-4, 0)); c.Usage.Output != want && r.streamed {
				t.Errorf("%d output tokens charged, want %d", c.Usage.Output, want)
			}
		})
	}
}

func TestSilencesThatEnd(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for _, fault := range []string{"hang for=1ms", "hang-body for=1ms", "stall for=1ms"} {
		resp, err := faulty(t, srv, "/responses", fault, respond("hello there"))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		if decoded(t, b)["status"] != "completed" {
			t.Errorf("%s: %s", fault, b)
		}
		srv.Inject(mustParse(t, fault+" times=1"))
		events := stream(t, srv, "/responses", respond("hello there", "stream", true))
		if events[len(events)-1].name != "response.completed" {
			t.Errorf("%s: %v", fault, names(events))
		}
	}
}

func TestCloseEndsHangs(t *testing.T) {
	leakFree(t)
	srv := newServer(t, openaitest.Options{})
	srv.Inject(openaitest.Fault{Kind: openaitest.Hang})
	client, req := fresh(t), request(t, srv, "/responses", respond("x"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	wait(t, srv, func(c openaitest.Calls) bool { return len(c) == 1 && c[0].Fault == openaitest.Hang })
	srv.Close()
	<-done
}
