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

// load is callers on several nodes, and what they saw.
type load struct {
	nodes []*redis.Admission
	// seats and budget are the limits: calls at once, and money for the month.
	seats, budget int64
	// slowest is how long the longest call of Admit took, in nanoseconds.
	slowest                       atomic.Int64
	granted, refused, unavailable atomic.Int64
	// at once is how many callers hold a seat, promised what is held and used.
	atOnce, promised, used atomic.Int64
}

func (l *load) charges() []claviger.Charge {
	return []claviger.Charge{
		charge(claviger.ChargeLease, "total:all", 1, l.seats, claviger.PeriodNone),
		charge(claviger.ChargeMoney, "total:all", rand.Int64N(90)+10, l.budget, claviger.PeriodMonth),
	}
}

// run lets callers come until stop.
func (l *load) run(t *testing.T, callers int, stop <-chan struct{}) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					l.call(t, l.nodes[i%len(l.nodes)])
				}
			}
		})
	}
	return &wg
}

func (l *load) call(t *testing.T, node *redis.Admission) {
	cs := l.charges()
	began := time.Now()
	h, err := node.Admit(context.Background(), cs)
	took := int64(time.Since(began))
	for old := l.slowest.Load(); took > old && !l.slowest.CompareAndSwap(old, took); old = l.slowest.Load() {
	}
	switch code := codeOf(err); {
	case err == nil:
		l.granted.Add(1)
	case code == claviger.CodeLimitsUnavailable:
		l.unavailable.Add(1)
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

// quiet waits until no lease is taken any more and every closing was heard, and
// returns what is left of the budget.
func (l *load) quiet(t *testing.T) int64 {
	t.Helper()
	var last []claviger.Standing
	for range 200 {
		cs := l.charges()
		cs[0].Amount, cs[1].Amount = 0, 0
		h, err := l.nodes[0].Admit(t.Context(), cs)
		if err == nil {
			last = h.Standings()
			_ = h.Release(t.Context())
			if last[0].Remaining == l.seats && !slices.ContainsFunc(l.nodes, func(a *redis.Admission) bool { return len(a.Problems()) > 0 }) {
				return last[1].Remaining
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("10 s after the last call: %+v, %q", last, l.nodes[0].Problems())
	return 0
}

func (l *load) tell(t *testing.T) {
	t.Logf("%d granted, %d refused, %d unavailable; the longest wait %v; %d of %d used",
		l.granted.Load(), l.refused.Load(), l.unavailable.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond), l.used.Load(), l.budget)
}

// TestFaults puts two nodes under load, does something to Redis, and looks at
// what callers saw: nothing beyond the limits, no wait beyond the time limit,
// service afterwards without a restart, and sums that are right to the last
// millionth when all is quiet.
func TestFaults(t *testing.T) {
	const timeout = 400 * time.Millisecond
	for _, c := range []struct {
		name   string
		args   []string
		fault  func(t *testing.T, s *server)
		denies bool
	}{
		{"scripts flushed", nil, flushScripts, false},
		{"stopped for a second", nil, stopForASecond, true},
		{"CLIENT PAUSE", nil, clientPause, true},
		{"connections cut", nil, cutConnections, true},
		{"killed and restarted with its data", []string{"--appendonly", "yes", "--appendfsync", "always"}, killAndRestart, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, c.args...)
			l := &load{seats: 12, budget: 40_000_000}
			for range 2 {
				l.nodes = append(l.nodes, s.open(t, redis.Options{Timeout: timeout}))
			}
			stop := make(chan struct{})
			wg := l.run(t, 16, stop)
			time.Sleep(300 * time.Millisecond)
			c.fault(t, s)
			before := l.granted.Load()
			time.Sleep(700 * time.Millisecond)
			close(stop)
			wg.Wait()
			left := l.quiet(t)
			l.tell(t)
			if l.granted.Load() == before {
				t.Error("nothing was granted any more")
			}
			if (l.unavailable.Load() > 0) != c.denies {
				t.Errorf("%d calls found limits unavailable, want some: %v", l.unavailable.Load(), c.denies)
			}
			if want := l.budget - l.used.Load(); left != want {
				t.Errorf("%d are left of the budget, want %d", left, want)
			}
			if took := time.Duration(l.slowest.Load()); took > 3*timeout {
				t.Errorf("a call waited %v, the limit is %v", took, timeout)
			}
		})
	}
}

func flushScripts(t *testing.T, s *server) {
	c := s.client()
	defer c.Close()
	for range 30 {
		if err := c.ScriptFlush(t.Context()).Err(); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func stopForASecond(_ *testing.T, s *server) {
	s.pause()
	time.Sleep(time.Second)
	s.resume()
}

func clientPause(t *testing.T, s *server) {
	c := s.client()
	defer c.Close()
	if err := c.Do(t.Context(), "CLIENT", "PAUSE", "1000", "ALL").Err(); err != nil {
		t.Error(err)
	}
	time.Sleep(1100 * time.Millisecond)
}

func cutConnections(t *testing.T, s *server) {
	c := s.client()
	defer c.Close()
	for range 20 {
		if err := c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			t.Error(err)
		}
		time.Sleep(15 * time.Millisecond)
	}
}

func killAndRestart(_ *testing.T, s *server) {
	s.kill()
	time.Sleep(500 * time.Millisecond)
	s.begin()
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
	for range 100 {
		if h, err = a.Admit(t.Context(), []claviger.Charge{seat, day}); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("after the restart: %v", err)
	}
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

// TestDeadRedisStacksUpNobody lets thousands come while Redis hangs.
func TestDeadRedisStacksUpNobody(t *testing.T) {
	s := start(t)
	a := s.open(t, redis.Options{Timeout: 250 * time.Millisecond, MaxWaiting: 64})
	cs := []claviger.Charge{charge(claviger.ChargeLease, "user:a", 1, 10, claviger.PeriodNone)}
	s.pause()
	defer s.resume()
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	var atOnce atomic.Int64
	began := make(chan struct{})
	for range 3000 {
		wg.Go(func() {
			<-began
			t0 := time.Now()
			if _, err := a.Admit(context.Background(), cs); codeOf(err) != claviger.CodeLimitsUnavailable {
				t.Errorf("Admit = %v", err)
			}
			if time.Since(t0) < 150*time.Millisecond {
				atOnce.Add(1)
			}
		})
	}
	t0 := time.Now()
	close(began)
	wg.Wait()
	t.Logf("%d of 3000 were answered at once, all within %v", atOnce.Load(), time.Since(t0))
	if took := time.Since(t0); took > 1500*time.Millisecond {
		t.Errorf("3000 callers were kept for %v", took)
	}
	if atOnce.Load() < 2500 {
		t.Errorf("%d of 3000 were answered at once", atOnce.Load())
	}
	// The circuit is open: nobody waits.
	t0 = time.Now()
	for range 1000 {
		_, _ = a.Admit(context.Background(), cs)
	}
	t.Logf("1000 callers with an open circuit took %v", time.Since(t0))
	if took := time.Since(t0); took > 600*time.Millisecond {
		t.Errorf("1000 callers one after another took %v", took)
	}
	if n := runtime.NumGoroutine() - before; n > 50 {
		t.Errorf("%d goroutines are left", n)
	}
	if p := a.Problems(); len(p) == 0 || !strings.Contains(p[0], "calls are refused") {
		t.Errorf("Problems = %q", p)
	}
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
	for range 100 {
		h, err := a.Admit(t.Context(), cs)
		if err != nil {
			t.Fatal(err)
		}
		left := h.Standings()[0].Remaining
		_ = h.Release(t.Context())
		if left == 999 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("calls that were given up still have their seats")
}
