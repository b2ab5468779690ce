package redis_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/store/redis"
)

// callers is how many call at one time.
const callers = 16

// load is callers on several nodes, and what they saw.
type load struct {
	nodes []*redis.Admission
	// seats and budget are the limits: calls at once, and money for the month.
	seats, budget    int64
	granted, refused atomic.Int64
	// unavailable counts by caller how often limits were not known.
	unavailable [callers]atomic.Int64
	// at once is how many callers hold a seat, promised what is held and used.
	atOnce, promised, used atomic.Int64
}

// until waits for a condition to hold.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (l *load) charges() []claviger.Charge {
	return []claviger.Charge{
		charge(claviger.ChargeLease, "total:all", 1, l.seats, claviger.PeriodNone),
		charge(claviger.ChargeMoney, "total:all", rand.Int64N(90)+10, l.budget, claviger.PeriodMonth),
	}
}

// run lets callers come until stop.
func (l *load) run(t *testing.T, stop <-chan struct{}) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					l.call(t, i)
				}
			}
		})
	}
	return &wg
}

func (l *load) call(t *testing.T, caller int) {
	cs := l.charges()
	h, err := l.nodes[caller%len(l.nodes)].Admit(context.Background(), cs)
	switch code := codeOf(err); {
	case err == nil:
		l.granted.Add(1)
	case code == claviger.CodeLimitsUnavailable:
		l.unavailable[caller].Add(1)
		time.Sleep(time.Millisecond)
		return
	default:
		l.refused.Add(1)
		return
	}
	if n := l.atOnce.Add(1); n > l.seats {
		t.Errorf("%d calls at once of %d", n, l.seats)
	}
	if n := l.promised.Add(cs[1].Amount); n > l.budget {
		t.Errorf("%d promised of %d", n, l.budget)
	}
	if rand.IntN(4) == 0 {
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
	}
	used := rand.Int64N(cs[1].Amount + 1)
	l.used.Add(used)
	l.promised.Add(used - cs[1].Amount)
	l.atOnce.Add(-1)
	cs[1].Amount = used
	if err := h.Settle(context.Background(), cs[1:]); err != nil {
		t.Errorf("Settle: %v", err)
	}
}

// denials says how often limits were not known, by caller.
func (l *load) denials() (by [callers]int64, all int64) {
	for i := range by {
		by[i] = l.unavailable[i].Load()
		all += by[i]
	}
	return by, all
}

// deniedSince reports whether every caller was told since then that limits are not
// known.
func (l *load) deniedSince(before [callers]int64) bool {
	for i := range before {
		if l.unavailable[i].Load() == before[i] {
			return false
		}
	}
	return true
}

// allDenied waits until nobody waits any more for a Redis that does not answer.
func (l *load) allDenied(t *testing.T) {
	t.Helper()
	before, _ := l.denials()
	until(t, "every caller is refused", func() bool { return l.deniedSince(before) })
}

// moreGranted waits until so many calls more were granted.
func (l *load) moreGranted(t *testing.T, calls int64) {
	t.Helper()
	calls += l.granted.Load()
	until(t, "calls are granted", func() bool { return l.granted.Load() >= calls })
}

// quiet waits until no lease is taken any more and every closing was heard, and
// returns what is left of the budget.
func (l *load) quiet(t *testing.T) (left int64) {
	t.Helper()
	until(t, "no seat is taken and Redis was told everything", func() bool {
		cs := l.charges()
		cs[0].Amount, cs[1].Amount = 0, 0
		h, err := l.nodes[0].Admit(t.Context(), cs)
		if err != nil {
			return false
		}
		last := h.Standings()
		_ = h.Release(t.Context())
		left = last[1].Remaining
		return last[0].Remaining == l.seats && !slices.ContainsFunc(l.nodes, func(a *redis.Admission) bool { return len(a.Problems()) > 0 })
	})
	return left
}

// TestFaults puts two nodes under load, does something to Redis, and looks at
// what callers saw: nothing beyond the limits, a refusal while Redis does not
// answer, service afterwards without a restart, and sums that are right to the
// last millionth when all is quiet.
func TestFaults(t *testing.T) {
	const brief = 400 * time.Millisecond
	for _, c := range []struct {
		name    string
		args    []string
		timeout time.Duration
		fault   func(t *testing.T, s *server, l *load)
		denies  bool
	}{
		{"scripts flushed", nil, time.Minute, flushScripts, false},
		{"stopped", nil, brief, stopAWhile, true},
		{"CLIENT PAUSE", nil, brief, clientPause, true},
		{"connections cut", nil, brief, cutConnections, true},
		{"killed and restarted with its data", []string{"--appendonly", "yes", "--appendfsync", "always"}, brief, killAndRestart, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, c.args...)
			l := &load{seats: 12, budget: 40_000_000}
			for range 2 {
				l.nodes = append(l.nodes, s.open(t, redis.Options{Timeout: c.timeout}))
			}
			stop := make(chan struct{})
			wg := l.run(t, stop)
			func() {
				defer wg.Wait()
				defer close(stop)
				l.moreGranted(t, 100)
				c.fault(t, s, l)
				l.moreGranted(t, 100)
			}()
			left := l.quiet(t)
			_, unavailable := l.denials()
			t.Logf("%d granted, %d refused, %d unavailable; %d of %d used", l.granted.Load(), l.refused.Load(), unavailable, l.used.Load(), l.budget)
			if (unavailable > 0) != c.denies {
				t.Errorf("%d calls found limits unavailable, want some: %v", unavailable, c.denies)
			}
			if want := l.budget - l.used.Load(); left != want {
				t.Errorf("%d are left of the budget, want %d", left, want)
			}
		})
	}
}

func flushScripts(t *testing.T, s *server, l *load) {
	c := s.client()
	defer c.Close()
	for range 30 {
		if err := c.ScriptFlush(t.Context()).Err(); err != nil {
			t.Error(err)
		}
		l.moreGranted(t, 10)
	}
}

func stopAWhile(t *testing.T, s *server, l *load) {
	s.pause()
	defer s.resume()
	l.allDenied(t)
}

// clientPause pauses longer than a call waits, again if a caller was not there.
func clientPause(t *testing.T, s *server, l *load) {
	c := s.client()
	defer c.Close()
	before, _ := l.denials()
	until(t, "every caller is refused in a pause", func() bool {
		if err := c.Do(t.Context(), "CLIENT", "PAUSE", "1000", "ALL").Err(); err != nil {
			t.Error(err)
		}
		if err := c.Ping(t.Context()).Err(); err != nil { // at its end
			t.Error(err)
		}
		return l.deniedSince(before)
	})
}

func cutConnections(t *testing.T, s *server, l *load) {
	c := s.client()
	defer c.Close()
	cuts := 0
	until(t, "a call is cut", func() bool {
		if err := c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			t.Error(err)
		}
		cuts++
		_, denials := l.denials()
		return denials > 0 && cuts >= 20
	})
}

func killAndRestart(t *testing.T, s *server, l *load) {
	s.kill()
	defer s.begin()
	l.allDenied(t)
}

// TestRestartedEmpty: a Redis that lost its data is used again, windows begin
// anew, and what ends late harms nobody.
func TestRestartedEmpty(t *testing.T) {
	s := start(t)
	a := s.open(t, redis.Options{})
	seat := charge(claviger.ChargeLease, "user:a", 1, 1, claviger.PeriodNone)
	day := charge(claviger.ChargeTokens, "user:a", 100, 1000, claviger.PeriodDay)
	old, err := a.Admit(t.Context(), []claviger.Charge{seat, day})
	if err != nil {
		t.Fatal(err)
	}
	s.kill()
	if _, err := a.Admit(t.Context(), []claviger.Charge{seat}); codeOf(err) != claviger.CodeLimitsUnavailable {
		t.Fatalf("without Redis: %v", err)
	}
	s.begin()
	var h claviger.Hold
	until(t, "service after the restart", func() bool {
		h, err = a.Admit(t.Context(), []claviger.Charge{seat, day})
		return err == nil
	})
	if err := old.Settle(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Admit(t.Context(), []claviger.Charge{seat}); codeOf(err) != claviger.CodeTooManyInFlight {
		t.Fatalf("a hold from before the loss gave back the seat of another: %v", err)
	}
	if left := h.Standings()[1].Remaining; left != 900 {
		t.Errorf("%d left", left)
	}
}

// TestDeadRedisStacksUpNobody lets thousands come while Redis hangs: but for as
// many as may wait everybody is answered meanwhile, and nobody waits once it is
// known that Redis hangs.
func TestDeadRedisStacksUpNobody(t *testing.T) {
	const crowd, most = 3000, 64
	s := start(t)
	patient := s.open(t, redis.Options{Timeout: 10 * time.Minute, MaxWaiting: most})
	hasty := s.open(t, redis.Options{Timeout: 250 * time.Millisecond})
	cs := []claviger.Charge{charge(claviger.ChargeLease, "user:a", 1, 10, claviger.PeriodNone)}
	s.pause()
	defer s.resume()
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	var answered, unavailable atomic.Int64
	for range crowd {
		wg.Go(func() {
			if _, err := patient.Admit(context.Background(), cs); codeOf(err) == claviger.CodeLimitsUnavailable {
				unavailable.Add(1)
			}
			answered.Add(1)
		})
	}
	until(t, "all are answered who may not wait", func() bool { return answered.Load() >= crowd-most })
	if n := unavailable.Load(); n != crowd-most {
		t.Errorf("%d of %d were refused while Redis hung, want %d", n, crowd, crowd-most)
	}
	s.resume()
	wg.Wait()
	if n := unavailable.Load(); n != crowd-most {
		t.Errorf("%d of %d were refused in the end, want %d", n, crowd, crowd-most)
	}
	s.pause()
	until(t, "it is known", func() bool {
		if _, err := hasty.Admit(context.Background(), cs); codeOf(err) != claviger.CodeLimitsUnavailable {
			t.Errorf("Admit = %v", err)
		}
		p := hasty.Problems()
		return len(p) > 0 && strings.Contains(p[0], "calls are refused")
	})
	// The circuit is open: nobody waits but who looks, or it would take minutes.
	began := time.Now()
	for range 1000 {
		_, _ = hasty.Admit(context.Background(), cs)
	}
	took := time.Since(began)
	t.Logf("1000 callers with an open circuit took %v", took)
	if took > time.Minute {
		t.Errorf("1000 callers one after another took %v", took)
	}
	until(t, "no goroutines are left", func() bool { return runtime.NumGoroutine()-before <= 50 })
}

// TestGivenUpBeforeItRan: what is given up is not taken, whichever of both
// Redis hears first.
func TestGivenUpBeforeItRan(t *testing.T) {
	s := start(t)
	a := s.open(t, redis.Options{})
	cs := []claviger.Charge{charge(claviger.ChargeLease, "user:a", 1, 10, claviger.PeriodNone)}
	if err := redis.AdmitAbandonedForTest(a, cs); err == nil || !strings.Contains(err.Error(), "given up") {
		t.Fatalf("an Admit that was given up: %v", err)
	}
	h, err := a.Admit(t.Context(), cs)
	if err != nil || h.Standings()[0].Remaining != 9 {
		t.Fatalf("after that: %v", err)
	}
}

// TestFullMemory: a full Redis denies, and still lets calls end.
func TestFullMemory(t *testing.T) {
	s := start(t)
	a := s.open(t, redis.Options{})
	c := s.client()
	defer c.Close()
	day := charge(claviger.ChargeTokens, "user:a", 10, 100, claviger.PeriodDay)
	seat := charge(claviger.ChargeLease, "user:a", 1, 1, claviger.PeriodNone)
	h, err := a.Admit(t.Context(), []claviger.Charge{seat, day})
	if err != nil {
		t.Fatal(err)
	}
	set := func(value string) {
		t.Helper()
		if err := c.ConfigSet(t.Context(), "maxmemory", value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("1mb")
	other := charge(claviger.ChargeTokens, "user:b", 10, 100, claviger.PeriodDay)
	for range 5 {
		_, err := a.Admit(t.Context(), []claviger.Charge{other})
		if codeOf(err) != claviger.CodeLimitsUnavailable || !strings.Contains(err.Error(), "memory is full") {
			t.Fatalf("with full memory: %v", err)
		}
	}
	if err := h.Settle(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if p := a.Problems(); len(p) != 0 {
		t.Errorf("Problems = %q", p)
	}
	set("0")
	h, err = a.Admit(t.Context(), []claviger.Charge{seat, day, other})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{0, 80, 90} {
		if got := h.Standings()[i].Remaining; got != want {
			t.Errorf("charge %d: %d left, want %d", i, got, want)
		}
	}
}

// TestCallerInAHurry: callers that leave or have no time say nothing about
// Redis.
func TestCallerInAHurry(t *testing.T) {
	s := start(t)
	a := s.open(t, redis.Options{})
	cs := []claviger.Charge{charge(claviger.ChargeLease, "user:a", 1, 1000, claviger.PeriodNone)}
	for i := range 60 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
		h, err := a.Admit(ctx, cs)
		cancel()
		if err == nil {
			_ = h.Release(t.Context())
		}
	}
	if p := a.Problems(); len(p) > 0 && strings.Contains(p[0], "refused") {
		t.Fatalf("Problems = %q", p)
	}
	until(t, "calls that were given up have no seats", func() bool {
		h, err := a.Admit(t.Context(), cs)
		if err != nil {
			t.Fatal(err)
		}
		_ = h.Release(t.Context())
		return h.Standings()[0].Remaining == 999
	})
}
