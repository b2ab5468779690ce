package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/store/redis"
)

func TestConformance(t *testing.T) {
	for _, bin := range []string{"redis-server", "valkey-server"} {
		t.Run(bin, func(t *testing.T) {
			if _, err := exec.LookPath(bin); err != nil && bin == "valkey-server" {
				t.Skip("valkey-server is not installed")
			}
			s := startBinary(t, bin)
			var n atomic.Int64
			gatetest.Admission(t, func(now func() time.Time, ttl time.Duration) claviger.Admission {
				return s.open(t, redis.Options{Now: now, LeaseTTL: ttl, Prefix: fmt.Sprintf("c%d:", n.Add(1)), MaxWaiting: 1000})
			})
		})
	}
}

func charge(kind claviger.ChargeKind, key string, amount, limit int64, per claviger.Period) claviger.Charge {
	c := claviger.Charge{Key: key, Kind: kind, Amount: amount, Window: claviger.Window{Limit: limit, Per: per}, Scope: "user"}
	if kind == claviger.ChargeMoney {
		c.Window.Currency = "USD"
	}
	return c
}

func codeOf(err error) claviger.Code {
	if e, ok := errors.AsType[*claviger.Error](err); ok {
		return e.Code
	}
	return ""
}

// pair is memory and Redis on one clock, told the same.
type pair struct {
	memory, redis claviger.Admission
	open          [][2]claviger.Hold
	charges       [][]claviger.Charge
}

// TestLikeMemory tells memory and Redis the same at random, and holds each
// answer of Redis to that of memory: decision, code, which limit, waits and
// standings. Waits may differ by the microsecond to which Redis rounds up.
func TestLikeMemory(t *testing.T) {
	s := start(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		now := time.Date(2026, 10, 24, 21, 50, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 4*3600).Draw(t, "start")) * time.Second)
		clock := func() time.Time { return now }
		a, err := redis.Open(context.Background(), redis.Options{
			URL: s.url(), NameKey: nameKey, Prefix: fmt.Sprintf("m%d:", n), LeaseTTL: time.Minute, Now: clock, Timeout: 30 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		p := &pair{memory: admit.NewMemory(admit.MemoryOptions{Now: clock, LeaseTTL: time.Minute}), redis: a}
		windows := drawWindows(t)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				now = now.Add(time.Duration(drawPause(t)) * time.Microsecond)
			case 1, 2, 3:
				p.admit(t, drawCharges(t, windows))
			default:
				p.close(t)
			}
		}
		now = now.Add(time.Hour)
		p.admit(t, windows)
	})
}

func drawPause(t *rapid.T) int64 {
	return rapid.OneOf(
		rapid.Int64Range(1, 2_000_000),
		rapid.Int64Range(1, 90_000_000),
		rapid.SampledFrom([]int64{1, 999_999, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000}),
	).Draw(t, "pause")
}

var zones = []string{"", "Europe/Berlin", "Asia/Kolkata", "America/Havana"}

// drawWindows chooses the limits of a round. Those of tokens and money may be
// as large as Redis counts.
func drawWindows(t *rapid.T) []claviger.Charge {
	limit := func(name string, most int64) int64 {
		return rapid.OneOf(rapid.Int64Range(0, 12), rapid.Int64Range(1, most), rapid.Just(most)).Draw(t, name)
	}
	var out []claviger.Charge
	for i := range rapid.IntRange(1, 4).Draw(t, "windows") {
		kind := rapid.SampledFrom([]claviger.ChargeKind{claviger.ChargeRate, claviger.ChargeLease, claviger.ChargeTokens, claviger.ChargeMoney}).Draw(t, "kind")
		per := rapid.SampledFrom([]claviger.Period{claviger.PeriodSecond, claviger.PeriodMinute, claviger.PeriodHour, claviger.PeriodDay, claviger.PeriodMonth}).Draw(t, "per")
		if kind == claviger.ChargeLease {
			per = claviger.PeriodNone
		}
		key := fmt.Sprintf("user:%d", i/2)
		if kind == claviger.ChargeRate || kind == claviger.ChargeTokens && per < claviger.PeriodHour || kind == claviger.ChargeMoney && per < claviger.PeriodHour {
			// Two limits on one meter are rounded up to what each engine counts
			// in, which are not the same.
			key = fmt.Sprintf("user:alone%d", i)
		}
		c := charge(kind, key, 1, limit("limit", redis.MaxLimit), per)
		if z := rapid.SampledFrom(zones).Draw(t, "zone"); z != "" {
			loc, err := time.LoadLocation(z)
			if err != nil {
				t.Fatal(err)
			}
			c.Window.Zone = loc
		}
		out = append(out, c)
	}
	return out
}

func drawCharges(t *rapid.T, windows []claviger.Charge) []claviger.Charge {
	cs := slices.Clone(windows)
	for i := range cs {
		cs[i].Amount = drawAmount(t, cs[i].Window.Limit)
	}
	return cs
}

func drawAmount(t *rapid.T, limit int64) int64 {
	return rapid.OneOf(
		rapid.Int64Range(0, 3),
		rapid.Int64Range(0, max(limit/3, 1)),
		rapid.Int64Range(0, max(limit, 1)),
		rapid.SampledFrom([]int64{limit, limit + 1, math.MaxInt64}),
	).Draw(t, "amount")
}

func (p *pair) admit(t *rapid.T, cs []claviger.Charge) {
	m, errM := p.memory.Admit(context.Background(), cs)
	r, errR := p.redis.Admit(context.Background(), cs)
	if (errM == nil) != (errR == nil) {
		t.Fatalf("memory says %v, Redis %v\n%+v", errM, errR, cs)
	}
	if errM == nil {
		p.open, p.charges = append(p.open, [2]claviger.Hold{m, r}), append(p.charges, cs)
		sameStandings(t, m.Standings(), r.Standings())
		return
	}
	em, er := claviger.AsError(errM), claviger.AsError(errR)
	if !near(em.RetryAfter, er.RetryAfter) {
		t.Fatalf("%v: memory says wait %v, Redis %v", em, em.RetryAfter, er.RetryAfter)
	}
	// Of two waits that Redis rounds to the same, it names the first.
	rounded := em.RetryAfter != er.RetryAfter
	if em.Error() != er.Error() && !rounded {
		t.Fatalf("memory says %v, Redis %v", em, er)
	}
	sameStandings(t, em.Standings, er.Standings)
}

func (p *pair) close(t *rapid.T) {
	if len(p.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(p.open)-1).Draw(t, "hold")
	var used []claviger.Charge
	for _, c := range p.charges[i] {
		if c.Kind != claviger.ChargeTokens && c.Kind != claviger.ChargeMoney || rapid.IntRange(0, 4).Draw(t, "unnamed") == 0 {
			continue
		}
		c.Amount = rapid.OneOf(rapid.Int64Range(0, c.Amount), rapid.Just(c.Amount), rapid.Int64Range(0, 1<<53-1)).Draw(t, "used") // Redis counts more as that
		used = append(used, c)
	}
	released := rapid.IntRange(0, 3).Draw(t, "release") == 0
	for _, h := range p.open[i] {
		var err error
		if released {
			err = h.Release(context.Background())
		} else {
			err = h.Settle(context.Background(), used)
		}
		if err != nil {
			t.Fatalf("closing: %v", err)
		}
	}
}

func near(a, b time.Duration) bool { return a == b || (a-b).Abs() <= time.Microsecond }

func sameStandings(t *rapid.T, m, r []claviger.Standing) {
	if len(m) != len(r) {
		t.Fatalf("%d standings in memory, %d in Redis", len(m), len(r))
	}
	for i := range m {
		if m[i].Charge != r[i].Charge || m[i].Remaining != r[i].Remaining || !near(m[i].Reset, r[i].Reset) {
			t.Fatalf("standing %d: memory %+v\nRedis %+v", i, m[i], r[i])
		}
	}
}

// TestTwoNodesGrantOnce lets 300 callers come through two nodes at once.
func TestTwoNodesGrantOnce(t *testing.T) {
	s := start(t)
	nodes := []*redis.Admission{s.open(t, redis.Options{MaxWaiting: 300}), s.open(t, redis.Options{MaxWaiting: 300})}
	cs := []claviger.Charge{
		charge(claviger.ChargeRate, "user:a", 1, 1000, claviger.PeriodMinute),
		charge(claviger.ChargeLease, "user:a", 1, 500, claviger.PeriodNone),
		charge(claviger.ChargeMoney, "total:all", 7, 7*20+6, claviger.PeriodMonth),
	}
	var granted, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			h, err := nodes[i%2].Admit(context.Background(), cs)
			switch {
			case err == nil:
				granted.Add(1)
				if err := h.Settle(context.Background(), nil); err != nil {
					t.Error(err)
				}
			case codeOf(err) == claviger.CodeBudgetExhausted:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 20 || refused.Load() != 280 {
		t.Fatalf("%d granted and %d refused, want 20 and 280", granted.Load(), refused.Load())
	}
}

// TestTooLargeToCount: what doubles cannot hold is refused and not rounded.
func TestTooLargeToCount(t *testing.T) {
	s := start(t)
	a := s.open(t, redis.Options{})
	most := charge(claviger.ChargeMoney, "user:a", redis.MaxLimit, redis.MaxLimit, claviger.PeriodMonth)
	above := most
	above.Window.Limit++
	_, err := a.Admit(t.Context(), []claviger.Charge{above})
	if codeOf(err) != claviger.CodeLimitsUnavailable || !strings.Contains(err.Error(), "counted exactly") {
		t.Fatalf("a limit above 2^52: %v", err)
	}
	h, err := a.Admit(t.Context(), []claviger.Charge{most})
	if err != nil {
		t.Fatal(err)
	}
	most.Amount--
	if err := h.Settle(t.Context(), []claviger.Charge{most}); err != nil {
		t.Fatal(err)
	}
	most.Amount = 1
	if h, err = a.Admit(t.Context(), []claviger.Charge{most}); err != nil || h.Standings()[0].Remaining != 0 {
		t.Fatalf("the last millionth: %v", err)
	}
	if _, err = a.Admit(t.Context(), []claviger.Charge{most}); codeOf(err) != claviger.CodeBudgetExhausted {
		t.Fatalf("one more: %v", err)
	}
}

// TestNothingStays: every key ends by itself, and what was given back leaves
// none. Names show nobody.
func TestNothingStays(t *testing.T) {
	s := start(t)
	a := s.open(t, redis.Options{LeaseTTL: time.Minute})
	cs := []claviger.Charge{
		charge(claviger.ChargeLease, "ip:192.0.2.7", 1, 5, claviger.PeriodNone),
		charge(claviger.ChargeTokens, "ip:192.0.2.7", 10, 50, claviger.PeriodMinute),
		charge(claviger.ChargeMoney, "user:somebody", 10, 50, claviger.PeriodMonth),
		charge(claviger.ChargeTokens, "user:somebody", 10, 50, claviger.PeriodHour),
	}
	h, err := a.Admit(t.Context(), cs)
	if err != nil {
		t.Fatal(err)
	}
	keys := s.keys()
	if len(keys) != 6 {
		t.Fatalf("%d keys: %q", len(keys), keys)
	}
	c := s.client()
	defer c.Close()
	for _, k := range append(keys, "claviger:key") {
		ttl, err := c.PTTL(t.Context(), k).Result()
		if err != nil || ttl <= 0 || ttl > 41*24*time.Hour {
			t.Errorf("%s lives %v, %v", k, ttl, err)
		}
		if strings.Contains(k, "192.0") || strings.Contains(k, "somebody") || strings.Contains(k, "user:") {
			t.Errorf("%s tells whose it is", k)
		}
		if text := c.Get(t.Context(), k).Val(); strings.Contains(text, "192.0") || strings.Contains(text, "somebody") {
			t.Errorf("%s holds %q", k, text)
		}
	}
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := s.keys(); len(left) != 0 {
		t.Errorf("after everything was given back: %q", left)
	}
	// A stranger who is refused leaves nothing.
	none := charge(claviger.ChargeRate, "ip:192.0.2.8", 1, 0, claviger.PeriodMinute)
	for range 10 {
		if _, err := a.Admit(t.Context(), []claviger.Charge{none}); codeOf(err) != claviger.CodeRateLimited {
			t.Fatal(err)
		}
	}
	if left := s.keys(); len(left) != 0 {
		t.Errorf("after refusals: %q", left)
	}
}

// TestClockOfRedis: without a clock from here the time is that of Redis, and a
// node whose clock is off by hours counts in the same windows.
func TestClockOfRedis(t *testing.T) {
	s := start(t)
	a := s.open(t, redis.Options{})
	for _, per := range []claviger.Period{claviger.PeriodHour, claviger.PeriodDay, claviger.PeriodMonth} {
		c := charge(claviger.ChargeTokens, "user:a", 1, 10, per)
		h, resets := admitBetween(t, a, c)
		if got := h.Standings()[0].Reset; got < resets[0]-time.Millisecond || got > resets[1]+time.Millisecond {
			t.Errorf("the window ends in %v, want between %v", got, resets)
		}
		left := h.Standings()[0].Remaining
		redis.SkewForTest(a, 50*24*time.Hour)
		// Only at the very turn of the window is nothing of it taken any more.
		h, again := admitBetween(t, a, c)
		want := left - 1
		if again[0] > resets[1] {
			want = 9
		}
		if st := h.Standings()[0]; st.Remaining != want {
			t.Errorf("with a wrong clock %d are left, want %d", st.Remaining, want)
		}
	}
}

// admitBetween takes a charge within one window, and says between what the time
// lies in which that ends.
func admitBetween(t *testing.T, a *redis.Admission, c claviger.Charge) (claviger.Hold, [2]time.Duration) {
	t.Helper()
	for {
		before := time.Now()
		h, err := a.Admit(t.Context(), []claviger.Charge{c})
		if err != nil {
			t.Fatal(err)
		}
		after := time.Now()
		_, end := admit.Span(c.Window.Per, nil, before)
		if !after.Before(end) {
			continue // the window turned meanwhile
		}
		return h, [2]time.Duration{end.Sub(after), end.Sub(before)}
	}
}
