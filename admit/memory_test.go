package admit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/gatetest"
)

func TestConformance(t *testing.T) {
	gatetest.Admission(t, func(now func() time.Time, ttl time.Duration) claviger.Admission {
		return admit.NewMemory(admit.MemoryOptions{Now: now, LeaseTTL: ttl})
	})
}

// clock is a time that a test turns.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time           { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(by time.Duration) { c.nanos.Add(int64(by)) }

func window(kind claviger.ChargeKind, key string, amount, limit int64, per claviger.Period) claviger.Charge {
	c := claviger.Charge{Key: key, Kind: kind, Amount: amount, Window: claviger.Window{Limit: limit, Per: per}, Scope: "user"}
	if kind == claviger.ChargeMoney {
		c.Window.Currency = "USD"
	}
	return c
}

// four are the charges of an ordinary call.
func four(who string) []claviger.Charge {
	return []claviger.Charge{
		window(claviger.ChargeTokens, "user:"+who, 100, 1<<50, claviger.PeriodDay),
		window(claviger.ChargeMoney, "user:"+who, 100, 1<<50, claviger.PeriodDay),
		window(claviger.ChargeLease, "user:"+who, 1, 1<<40, claviger.PeriodNone),
		window(claviger.ChargeMoney, "total:all", 100, 1<<50, claviger.PeriodDay),
	}
}

func codeOf(err error) claviger.Code {
	if e, ok := errors.AsType[*claviger.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestWithoutAClockItDenies(t *testing.T) {
	_, err := admit.NewMemory(admit.MemoryOptions{}).Admit(t.Context(), four("a"))
	if codeOf(err) != claviger.CodeLimitsUnavailable {
		t.Fatalf("Admit = %v", err)
	}
}

func TestMaxKeys(t *testing.T) {
	c := newClock()
	m := admit.NewMemory(admit.MemoryOptions{Now: c.now, MaxKeys: 100})
	rate := func(i int) []claviger.Charge {
		return []claviger.Charge{window(claviger.ChargeRate, fmt.Sprint("ip:", i), 1, 60, claviger.PeriodMinute)}
	}
	for i := range 100 {
		if _, err := m.Admit(t.Context(), rate(i)); err != nil {
			t.Fatalf("key %d: %v", i, err)
		}
	}
	// All are in use: a stranger is refused, and nobody is forgotten.
	if _, err := m.Admit(t.Context(), rate(100)); codeOf(err) != claviger.CodeLimitsUnavailable {
		t.Fatalf("key beyond MaxKeys: %v", err)
	}
	h, err := m.Admit(t.Context(), rate(7))
	if err != nil || h.Standings()[0].Remaining != 58 {
		t.Fatalf("a known key: %v", err)
	}
	if m.Len() > 100 {
		t.Fatalf("%d windows", m.Len())
	}
	// A hold keeps its windows; all the others are free after a while.
	c.advance(time.Hour)
	for i := range 99 {
		if _, err := m.Admit(t.Context(), rate(1000+i)); err != nil {
			t.Fatalf("key %d after an hour: %v", i, err)
		}
	}
	if m.Len() > 100 {
		t.Fatalf("%d windows", m.Len())
	}
}

func TestIdleWindowsAreForgotten(t *testing.T) {
	c := newClock()
	m := admit.NewMemory(admit.MemoryOptions{Now: c.now, LeaseTTL: time.Minute})
	for i := range 50_000 {
		c.advance(10 * time.Millisecond)
		h, err := m.Admit(t.Context(), []claviger.Charge{window(claviger.ChargeRate, fmt.Sprint("ip:", i), 1, 60, claviger.PeriodMinute)})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Settle(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	// One second's worth of callers, 100, is in use at any time.
	if n := m.Len(); n > 500 {
		t.Errorf("%d windows are remembered, though about 100 are in use", n)
	}
	c.advance(time.Hour)
	m.Sweep(c.now())
	if m.Len() != 0 {
		t.Errorf("%d windows are left", m.Len())
	}
}

// TestStress lets many callers do everything at once and looks at the sums when
// all is quiet. A window is never granted beyond its limit at any moment.
func TestStress(t *testing.T) {
	c := newClock()
	m := admit.NewMemory(admit.MemoryOptions{Now: c.now, LeaseTTL: time.Minute})
	const limit, leases = 100_000, 5
	var inFlight, held, used atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 1500 {
				amount := rand.Int64N(400)
				day := window(claviger.ChargeTokens, "user:x", amount, limit, claviger.PeriodMonth)
				seat := window(claviger.ChargeLease, "user:x", 1, leases, claviger.PeriodNone)
				h, err := m.Admit(context.Background(), []claviger.Charge{seat, day})
				if err != nil {
					if code := codeOf(err); code != claviger.CodeTooManyInFlight && code != claviger.CodeBudgetExhausted {
						t.Errorf("Admit: %v", err)
					}
					continue
				}
				if n := inFlight.Add(1); n > leases {
					t.Errorf("%d in flight of %d", n, leases)
				}
				if n := held.Add(amount); n > limit {
					t.Errorf("%d granted of %d", n, limit)
				}
				inFlight.Add(-1)
				if rand.IntN(2) == 0 {
					held.Add(-amount)
					if err := h.Release(context.Background()); err != nil {
						t.Error(err)
					}
					continue
				}
				part := rand.Int64N(amount + 1)
				held.Add(part - amount)
				used.Add(part)
				day.Amount = part
				if err := h.Settle(context.Background(), []claviger.Charge{day}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	h, err := m.Admit(t.Context(), []claviger.Charge{
		window(claviger.ChargeTokens, "user:x", 0, limit, claviger.PeriodMonth),
		window(claviger.ChargeLease, "user:x", 0, leases, claviger.PeriodNone),
	})
	if err != nil {
		t.Fatal(err)
	}
	if st := h.Standings(); st[0].Remaining != limit-used.Load() || st[1].Remaining != leases {
		t.Errorf("left %d tokens and %d leases, want %d and %d", st[0].Remaining, st[1].Remaining, limit-used.Load(), leases)
	}
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.advance(31 * 24 * time.Hour)
	m.Sweep(c.now())
	if m.Len() != 0 {
		t.Errorf("%d windows are left when all is over", m.Len())
	}
}

// TestClockSteps: the wall clock may jump; rates go by the steady one, and a
// calendar window is not opened a second time.
func TestClockSteps(t *testing.T) {
	c := newClock()
	m := admit.NewMemory(admit.MemoryOptions{Now: c.now})
	day := []claviger.Charge{window(claviger.ChargeTokens, "user:x", 10, 10, claviger.PeriodHour)}
	c.advance(time.Hour)
	h, err := m.Admit(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Settle(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	c.advance(-2 * time.Hour)
	if _, err := m.Admit(t.Context(), day); codeOf(err) != claviger.CodeBudgetExhausted {
		t.Errorf("after the clock went back: %v", err)
	}
	c.advance(2 * time.Hour)
	if _, err := m.Admit(t.Context(), day); codeOf(err) != claviger.CodeBudgetExhausted {
		t.Errorf("and forward again: %v", err)
	}
}

func BenchmarkAdmitSettle(b *testing.B) {
	for _, n := range []int{1, 4} {
		b.Run(fmt.Sprintf("charges=%d", n), func(b *testing.B) {
			m := admit.NewMemory(admit.MemoryOptions{Now: time.Now})
			cs := four("somebody")[4-n:]
			used := admit.Used(cs, 50, claviger.Money{Micros: 50, Currency: "USD"})
			b.ReportAllocs()
			for b.Loop() {
				h, err := m.Admit(b.Context(), cs)
				if err != nil {
					b.Fatal(err)
				}
				if err := h.Settle(b.Context(), used); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAdmitParallel(b *testing.B) {
	m := admit.NewMemory(admit.MemoryOptions{Now: time.Now})
	var who atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		cs := four(fmt.Sprint(who.Add(1)))
		used := admit.Used(cs, 50, claviger.Money{Micros: 50, Currency: "USD"})
		for pb.Next() {
			h, err := m.Admit(context.Background(), cs)
			if err != nil {
				b.Fatal(err)
			}
			if err := h.Settle(context.Background(), used); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRefuse(b *testing.B) {
	m := admit.NewMemory(admit.MemoryOptions{Now: time.Now})
	cs := append(four("somebody"), window(claviger.ChargeRate, "user:somebody", 1, 1, claviger.PeriodMonth))
	if _, err := m.Admit(b.Context(), cs); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Admit(b.Context(), cs); err == nil {
			b.Fatal("granted")
		}
	}
}

// BenchmarkManyKeys admits callers of which each is new.
func BenchmarkManyKeys(b *testing.B) {
	m := admit.NewMemory(admit.MemoryOptions{Now: time.Now})
	keys := make([]string, 100_000)
	for i := range keys {
		keys[i] = fmt.Sprint("ip:", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		h, err := m.Admit(b.Context(), []claviger.Charge{window(claviger.ChargeRate, keys[i%len(keys)], 1, 60, claviger.PeriodSecond)})
		if err != nil {
			b.Fatal(err)
		}
		_ = h.Settle(b.Context(), nil)
		i++
	}
}
