package admit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/gatetest"
)

// diary is a journal in memory that can be told to fail or to block.
type diary struct {
	mu    sync.Mutex
	rows  map[string]admit.Window
	err   error
	stall chan struct{}
	// batches are the sizes of what was written.
	batches []int
}

func (d *diary) SaveWindows(ctx context.Context, ws []admit.Window) error {
	d.mu.Lock()
	stall := d.stall
	d.mu.Unlock()
	if stall != nil {
		select {
		case <-stall:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	if d.rows == nil {
		d.rows = map[string]admit.Window{}
	}
	seen := map[string]bool{}
	for _, w := range ws {
		k := fmt.Sprintf("%q %s %d %q %q", w.Key, w.Kind, w.Per, w.Zone, w.Currency)
		if seen[k] {
			return errors.New("an identity comes twice")
		}
		seen[k] = true
		d.rows[k] = w
	}
	d.batches = append(d.batches, len(ws))
	return nil
}

func (d *diary) LoadWindows(context.Context) ([]admit.Window, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []admit.Window
	for _, w := range d.rows {
		out = append(out, w)
	}
	return out, d.err
}

func (d *diary) set(err error, stall chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err, d.stall = err, stall
}

// keep runs Keep, and returns what stops it and says how it ended.
func keep(m *admit.Memory) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Keep(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func restore(t testing.TB, d admit.Journal, now func() time.Time) *admit.Memory {
	t.Helper()
	m, err := admit.Restore(context.Background(), admit.MemoryOptions{Now: now, Journal: d})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestConformanceWithJournal: a journal changes nothing about what is granted.
func TestConformanceWithJournal(t *testing.T) {
	gatetest.Admission(t, func(now func() time.Time, ttl time.Duration) claviger.Admission {
		ready := make(chan struct{})
		m := admit.NewMemory(admit.MemoryOptions{Now: now, LeaseTTL: ttl, Journal: steady{}})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { close(ready); done <- m.Keep(ctx) }()
		<-ready
		for _, err := m.Admit(ctx, nil); err != nil; _, err = m.Admit(ctx, nil) {
			time.Sleep(time.Millisecond)
		}
		t.Cleanup(func() { cancel(); <-done })
		return lenient{m}
	})
}

type steady struct{}

func (steady) SaveWindows(context.Context, []admit.Window) error   { return nil }
func (steady) LoadWindows(context.Context) ([]admit.Window, error) { return nil, nil }

// lenient tries again when the test turned its clock by more than MaxLag before
// a batch was written, as no real clock does.
type lenient struct{ m *admit.Memory }

func (l lenient) Admit(ctx context.Context, cs []claviger.Charge) (claviger.Hold, error) {
	for i := 0; ; i++ {
		h, err := l.m.Admit(ctx, cs)
		if e := claviger.AsError(err); err == nil || i > 400 || e.Code != claviger.CodeLimitsUnavailable || !errors.Is(err, admit.ErrBehind) {
			return h, err
		}
		time.Sleep(time.Millisecond)
	}
}

// TestRestoredExactly: what is left of every kind of window is the same after a
// restart, to the last unit and the last nanosecond.
func TestRestoredExactly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newClock()
		d := &diary{}
		m := restore(t, d, c.now)
		stop := started(t, m)
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			rt.Fatal(err)
		}
		charges := []claviger.Charge{
			window(claviger.ChargeRate, "user:x", 1, 7, claviger.PeriodMinute),
			window(claviger.ChargeRate, "user:x", 1, 999_983, claviger.PeriodMonth),
			window(claviger.ChargeTokens, "user:x", 0, 1_000_003, claviger.PeriodMinute),
			window(claviger.ChargeTokens, "user:x", 0, 5_000, claviger.PeriodHour),
			window(claviger.ChargeMoney, "user:x", 0, 5_000, claviger.PeriodMonth),
			window(claviger.ChargeLease, "user:x", 1, 3, claviger.PeriodNone),
		}
		charges[4].Window.Zone = berlin
		for range rapid.IntRange(0, 12).Draw(rt, "calls") {
			amount := rapid.Int64Range(0, 900).Draw(rt, "amount")
			for i := 2; i < 5; i++ {
				charges[i].Amount = amount
			}
			h, err := m.Admit(t.Context(), charges)
			c.advance(time.Duration(rapid.Int64Range(0, 700_000_000).Draw(rt, "pause")))
			if err != nil {
				continue
			}
			switch rapid.IntRange(0, 1).Draw(rt, "end") {
			case 0:
				_ = h.Release(t.Context())
			default:
				_ = h.Settle(t.Context(), admit.Used(charges, amount/2, claviger.Money{Micros: amount, Currency: "USD"}))
			}
		}
		if err := stop(); err != nil {
			rt.Fatal(err)
		}
		before := standings(t, m, charges)
		after := restore(t, d, c.now)
		defer started(t, after)()
		now := standingsOf(t, after, charges)
		for i := range before {
			if before[i].Remaining != now[i].Remaining || before[i].Reset != now[i].Reset {
				rt.Errorf("%s per %d: %d left for %v, and %d for %v after the restart", before[i].Charge.Kind, before[i].Charge.Window.Per,
					before[i].Remaining, before[i].Reset, now[i].Remaining, now[i].Reset)
			}
		}
	})
}

// started runs Keep and waits until something can be granted.
func started(t testing.TB, m *admit.Memory) func() error {
	t.Helper()
	stop := keep(m)
	for i := 0; ; i++ {
		_, err := m.Admit(context.Background(), nil)
		if err == nil {
			return stop
		}
		if i > 2000 {
			t.Fatalf("it never grants: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}

// standings reads what is left after Keep has ended.
func standings(t testing.TB, m *admit.Memory, charges []claviger.Charge) []claviger.Standing {
	t.Helper()
	defer started(t, m)()
	return standingsOf(t, m, charges)
}

func standingsOf(t testing.TB, m *admit.Memory, charges []claviger.Charge) []claviger.Standing {
	t.Helper()
	ask := slices.Clone(charges)
	for i := range ask {
		ask[i].Amount = 0
	}
	h, err := m.Admit(context.Background(), ask)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Release(context.Background()) }()
	return h.Standings()
}

// TestHeldCountsAsUsed: nobody can settle what a dead process held.
func TestHeldCountsAsUsed(t *testing.T) {
	c := newClock()
	d := &diary{}
	m := restore(t, d, c.now)
	stop := started(t, m)
	charges := []claviger.Charge{
		window(claviger.ChargeTokens, "user:x", 30, 100, claviger.PeriodDay),
		window(claviger.ChargeTokens, "user:x", 30, 100, claviger.PeriodMinute),
		window(claviger.ChargeLease, "user:x", 1, 1, claviger.PeriodNone),
	}
	if _, err := m.Admit(t.Context(), charges); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		// A second and third restart count it no second time.
		m = restore(t, d, c.now)
		stop = started(t, m)
		st := standingsOf(t, m, charges)
		if st[0].Remaining != 70 || st[1].Remaining != 70 || st[2].Remaining != 1 {
			t.Fatalf("left %d and %d tokens and %d leases", st[0].Remaining, st[1].Remaining, st[2].Remaining)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(24 * time.Hour)
	m = restore(t, d, c.now)
	if m.Len() != 0 {
		t.Errorf("%d windows of yesterday are remembered", m.Len())
	}
}

func TestNothingIsGrantedUnwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		m := restore(t, d, time.Now)
		charges := four("x")
		unavailable := func(when string, want bool) {
			t.Helper()
			h, err := m.Admit(t.Context(), charges)
			if got := codeOf(err) == claviger.CodeLimitsUnavailable; got != want || h != nil == want {
				t.Fatalf("%s: %v", when, err)
			}
		}
		unavailable("before Keep runs", true)
		stop := keep(m)
		synctest.Wait()
		unavailable("while Keep runs", false)
		time.Sleep(admit.FlushEvery)
		synctest.Wait()
		if len(d.batches) != 1 || d.batches[0] != 3 {
			t.Fatalf("written: %v", d.batches)
		}

		full := errors.New("the disk is full")
		d.set(full, nil)
		unavailable("nobody knows yet", false)
		time.Sleep(admit.FlushEvery)
		synctest.Wait()
		unavailable("after a write failed", true)
		if _, err := m.Admit(t.Context(), charges); !errors.Is(err, full) {
			t.Errorf("the log does not learn why: %v", err)
		}
		time.Sleep(10 * time.Second)
		unavailable("it stays so", true)
		d.set(nil, nil)
		time.Sleep(admit.FlushEvery)
		synctest.Wait()
		unavailable("after a write worked", false)

		time.Sleep(admit.FlushEvery)
		synctest.Wait()
		stall := make(chan struct{})
		d.set(nil, stall)
		unavailable("a write will stall", false)
		time.Sleep(admit.MaxLag)
		unavailable("within the lag", false)
		time.Sleep(2 * admit.FlushEvery)
		unavailable("a write stalls", true)
		close(stall)
		d.set(nil, nil)
		time.Sleep(3 * admit.FlushEvery)
		synctest.Wait()
		unavailable("it went through", false)

		if err := stop(); err != nil {
			t.Fatal(err)
		}
		unavailable("after Keep ended", true)
		left := standingsAfter(t, d)
		if left != 1<<50-600 {
			t.Errorf("%d is written as used, want 600", 1<<50-left)
		}
	})
}

func standingsAfter(t *testing.T, d *diary) int64 {
	t.Helper()
	m := restore(t, d, time.Now)
	stop := keep(m)
	synctest.Wait()
	st := standingsOf(t, m, four("x"))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	return st[0].Remaining
}

// TestStalledWriteHoldsNobody: no lock is held while the journal writes.
func TestStalledWriteHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		m := restore(t, d, time.Now)
		stop := keep(m)
		synctest.Wait()
		stall := make(chan struct{})
		d.set(nil, stall)
		h, err := m.Admit(t.Context(), four("x"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * admit.FlushEvery)
		synctest.Wait()
		start := time.Now()
		if err := h.Settle(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Admit(t.Context(), four("y")); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %v for the journal", d)
		}
		close(stall)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestManyAtOnceAreWrittenEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		m := restore(t, d, time.Now)
		stop := keep(m)
		synctest.Wait()
		for i := range 256 {
			if _, err := m.Admit(t.Context(), []claviger.Charge{window(claviger.ChargeRate, fmt.Sprint("ip:", i), 1, 60, claviger.PeriodMinute)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(d.batches) != 1 || d.batches[0] != 256 {
			t.Errorf("written without a pause: %v", d.batches)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDamagedJournal(t *testing.T) {
	c := newClock()
	far := c.now().Add(time.Hour).UnixNano()
	for name, w := range map[string]admit.Window{
		"an unknown kind":   {Key: "x", Kind: "?", Per: claviger.PeriodDay, End: far, Used: 1},
		"negative use":      {Key: "x", Kind: claviger.ChargeTokens, Per: claviger.PeriodDay, End: far, Used: -1},
		"negative hold":     {Key: "x", Kind: claviger.ChargeTokens, Per: claviger.PeriodDay, End: far, Held: -1},
		"a fraction over 1": {Key: "x", Kind: claviger.ChargeRate, Per: claviger.PeriodDay, Drained: far, Num: 3, Den: 2},
	} {
		d := &diary{rows: map[string]admit.Window{"": w}}
		if _, err := admit.Restore(t.Context(), admit.MemoryOptions{Now: c.now, Journal: d}); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	d := &diary{err: errors.New("unreadable")}
	if _, err := admit.Restore(t.Context(), admit.MemoryOptions{Now: c.now, Journal: d}); err == nil {
		t.Error("an unreadable journal was read")
	}
	d = &diary{rows: map[string]admit.Window{
		"a": {Key: "a", Kind: claviger.ChargeRate, Per: claviger.PeriodDay, Drained: far}, "b": {Key: "b", Kind: claviger.ChargeRate, Per: claviger.PeriodDay, Drained: far},
	}}
	if _, err := admit.Restore(t.Context(), admit.MemoryOptions{Now: c.now, Journal: d, MaxKeys: 1}); err == nil {
		t.Error("more windows than MaxKeys were read")
	}
}

func BenchmarkAdmitSettleJournal(b *testing.B) {
	m := restore(b, steady{}, time.Now)
	stop := started(b, m)
	cs := four("somebody")
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
	if err := stop(); err != nil {
		b.Fatal(err)
	}
}
