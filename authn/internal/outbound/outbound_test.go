package outbound

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLane(2, time.Now)
		enter := func() func(bool) {
			leave, err := l.Enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return leave
		}
		one, two := enter(), enter()
		start := time.Now()
		if _, err := l.Enter(t.Context()); !errors.Is(err, ErrBusy) || time.Since(start) != wait {
			t.Errorf("a third: %v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Enter(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		var wg sync.WaitGroup
		for range waiters {
			wg.Go(func() { _, _ = l.Enter(t.Context()) })
		}
		synctest.Wait()
		if _, err := l.Enter(t.Context()); !errors.Is(err, ErrBusy) {
			t.Errorf("more than may wait: %v", err)
		}
		wg.Wait()
		if l.waiting != 0 {
			t.Errorf("%d wait", l.waiting)
		}
		one(true)
		two(true)

		for range deaths {
			enter()(false)
		}
		pause := shortest
		for range 6 {
			gone := func(when string) {
				t.Helper()
				if _, err := l.Enter(t.Context()); !errors.Is(err, ErrGone) {
					t.Fatalf("%s: %v", when, err)
				}
			}
			gone("at once")
			time.Sleep(pause - 1)
			gone("before the end of the pause")
			time.Sleep(time.Nanosecond)
			trial := enter()
			gone("beside the trial")
			trial(false)
			pause = min(2*pause, longest)
		}
		time.Sleep(pause)
		enter()(true)
		for range deaths - 1 {
			enter()(false)
		}
		enter()(true)
	})
}

func TestGuesses(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	g := NewGuesses(func() time.Time { return now })
	one, local := netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("127.0.0.1/32")
	for i := range burstEach {
		if w := g.Wait(one); w != 0 {
			t.Fatalf("%d: %s", i, w)
		}
		g.Add(one)
	}
	if w := g.Wait(one); w != everyEach {
		t.Errorf("one more waits %s", w)
	}
	if w := g.Wait(netip.MustParsePrefix("203.0.113.8/32")); w != 0 {
		t.Errorf("somebody else waits %s", w)
	}
	now = now.Add(everyEach)
	if w := g.Wait(one); w != 0 {
		t.Errorf("later: %s", w)
	}
	now = now.Add(time.Hour)
	for _, from := range []netip.Prefix{local, {}} {
		for range burstAll / 2 {
			if w := g.Wait(from); w != 0 {
				t.Fatalf("%v: %s", from, w)
			}
			g.Add(from)
		}
	}
	for _, from := range []netip.Prefix{local, {}, one} {
		if w := g.Wait(from); w != everyAll {
			t.Errorf("%v: %s", from, w)
		}
	}
	for i := range 4 * addresses {
		g.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32))
	}
	if n := len(g.young) + len(g.old); n > 2*addresses {
		t.Errorf("%d addresses are remembered", n)
	}
}
