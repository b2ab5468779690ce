package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openaitest"
)

// ends is how a call ended for its caller and what it cost.
type ends struct {
	name string
	// body is that of a chat call.
	body string
	// up answers for the provider; without it a stream comes from feeds.
	up func(ctx context.Context) (*http.Response, error)
	// act is what happens then. It leaves the connection closed or read.
	act func(b *bubble, c *caller)
	// cost is "nothing", "held", "seen" or "reported".
	cost string
}

func fails(err error) func(context.Context) (*http.Response, error) {
	return func(context.Context) (*http.Response, error) { return nil, err }
}

func readsAll(_ *bubble, c *caller) { c.follow().whole() }

// leaves closes the connection while the provider is silent.
func leaves(_ *bubble, c *caller) {
	time.Sleep(time.Second)
	synctest.Wait()
	_ = c.conn.Close()
}

// waits is a provider that says nothing until the call is over.
func waits(ctx context.Context) (*http.Response, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("ended: %w", context.Cause(ctx))
}

// halfRead is a plain answer that never ends.
func halfRead(ctx context.Context) (*http.Response, error) {
	f := newFeed(ctx)
	f.events <- chatAnswer[:40]
	return f.response(), nil
}

// afterOne sends one piece, and more does the rest.
func afterOne(more func(b *bubble, c *caller, f *feed)) func(*bubble, *caller) {
	return func(b *bubble, c *caller) {
		c.follow()
		f := <-b.feeds
		f.events <- chunk("one")
		c.has(b.t, "one")
		more(b, c, f)
	}
}

func closes(_ *bubble, c *caller, _ *feed) { _ = c.conn.Close() }

// TestSettlement holds each end of a call to what it costs: whoever could have cost
// the worst case and leaves no count of the provider's pays what was held, and
// nothing is free but what the provider certainly did nothing for (M-L3).
func TestSettlement(t *testing.T) {
	busy := &claviger.Error{Code: claviger.CodeUpstreamBusy}
	timeout := &claviger.Error{Code: claviger.CodeUpstreamTimeout}
	broken := &claviger.Error{Code: claviger.CodeUpstreamError, Err: io.ErrUnexpectedEOF}
	reasons := strings.Replace(chatStream("hi"), model, "o4-mini", 1)
	stops := func(err error) func(*bubble, *caller, *feed) {
		return func(_ *bubble, c *caller, f *feed) {
			f.stop(err)
			c.whole()
		}
	}
	for _, e := range []ends{
		{"not reached", chat("hi"), fails(claviger.NothingDone(broken)), readsAll, "nothing"},
		{"refused", chat("hi"), fails(claviger.NothingDone(busy)), readsAll, "nothing"},
		{"an error that tells nothing", chat("hi"), fails(errors.New("odd")), readsAll, "held"},
		{"busy, and not for certain", chat("hi"), fails(busy), readsAll, "held"},
		{"a time limit before headers", chat("hi"), fails(timeout), readsAll, "held"},
		{"broken before headers", chat("hi"), fails(broken), readsAll, "held"},
		{"the caller left before headers", chat("hi"), waits, leaves, "held"},
		{"the caller left before headers of a stream", chatStream("hi"), waits, leaves, "held"},
		{"a stream broken before headers", chatStream("hi"), fails(broken), readsAll, "held"},
		{"the caller left in a plain answer", chat("hi"), halfRead, leaves, "held"},
		{"a plain answer without usage", chat("hi"), func(context.Context) (*http.Response, error) {
			return reply(strings.Split(chatAnswer, `,"usage"`)[0] + "}"), nil
		}, readsAll, "held"},
		{"a whole stream", chatStream("hi"), nil, afterOne(func(_ *bubble, c *caller, f *feed) {
			f.events <- chatUsage + chatEnd
			f.stop(io.EOF)
			c.whole()
		}), "reported"},
		{"usage, and no end", chatStream("hi"), nil, afterOne(func(_ *bubble, c *caller, f *feed) {
			f.events <- chatUsage
			f.stop(broken)
			c.whole()
		}), "reported"},
		{"a stream that broke off", chatStream("hi"), nil, afterOne(stops(broken)), "seen"},
		{"a stream that was cut by a time limit", chatStream("hi"), nil, afterOne(stops(timeout)), "seen"},
		{"a whole stream without usage", chatStream("hi"), nil, afterOne(func(_ *bubble, c *caller, f *feed) {
			f.events <- chatEnd
			f.stop(io.EOF)
			c.whole()
		}), "seen"},
		{"the caller left a stream", chatStream("hi"), nil, afterOne(closes), "seen"},
		{"a stream of one that reasons broke off", reasons, nil, afterOne(stops(broken)), "held"},
		{"the caller left one that reasons", reasons, nil, afterOne(closes), "held"},
		{"the caller kept the stream waiting and left", chatStream("hi"), nil, func(b *bubble, c *caller) {
			f := <-b.feeds
			f.events <- chunk(strings.Repeat("word ", 20))
			time.Sleep(3 * time.Second)
			_ = c.conn.Close()
		}, "held"},
	} {
		t.Run(e.name, func(t *testing.T) { e.run(t) })
	}
}

func (e *ends) run(t *testing.T) {
	inBubble(t, func(p *parts) {
		p.plans[0].Models = []string{"*"}
		p.plans[0].Limits = []claviger.Limit{money(1 << 40), {Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodMonth}}}
	}, func(b *bubble) {
		if e.up != nil {
			b.up.do = func(ctx context.Context, _ claviger.Authorized) (*http.Response, error) { return e.up(ctx) }
		}
		e.act(b, b.call(chatPath, e.body))
		b.events.wait(t, 1)
		s := b.holds.last()
		ev := b.events.last(t)
		tokens, held := amount(s.used, claviger.ChargeTokens), amount(s.held, claviger.ChargeTokens)
		input := held - 4096
		want := map[string]int64{"nothing": 0, "held": held, "seen": input + 1, "reported": 7}[e.cost]
		if s.released != (e.cost == "nothing") || tokens != want || (ev.Estimated == (e.cost == "reported")) && e.cost != "nothing" {
			t.Errorf("released %v, %d of %d tokens, want %d; %+v", s.released, tokens, held, want, ev)
		}
		spent, reserved := amount(s.used, claviger.ChargeMoney), amount(s.held, claviger.ChargeMoney)
		if (spent == reserved) != (e.cost == "held") || (spent == 0) != (e.cost == "nothing") {
			t.Errorf("%d of %d millionths", spent, reserved)
		}
	})
}

// TestSettlementOfRealErrors: what the way to the provider says of its own errors
// is what they cost: nothing while there is no connection, and what was held once
// the call may be there (M-L3).
func TestSettlementOfRealErrors(t *testing.T) {
	limits := func(p *parts) {
		p.plans[0].Limits = []claviger.Limit{{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodMonth}}}
		p.upstream.Headers = 50 * time.Millisecond
	}
	r := newRig(t, limits)
	r.sim.Inject(openaitest.Fault{Kind: openaitest.Hang})
	if a := r.post(chatPath, chat("hi")); a.status != http.StatusGatewayTimeout {
		t.Errorf("%d %s", a.status, a.body)
	}
	if s := r.holds.last(); s.released || amount(s.used, claviger.ChargeTokens) != amount(s.held, claviger.ChargeTokens) {
		t.Errorf("a provider that says nothing: %+v", s)
	}
	gone := newRig(t, func(p *parts) {
		limits(p)
		p.upstream.BaseURL = "http://127.0.0.1:1/v1"
	})
	if a := gone.post(chatPath, chat("hi")); a.status != http.StatusBadGateway {
		t.Errorf("%d %s", a.status, a.body)
	}
	if s := gone.holds.last(); !s.released {
		t.Errorf("a provider that is not there: %+v", s)
	}
}
