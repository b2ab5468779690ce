package gatetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// NewAdmission opens an Admission without any memory of earlier ones, that goes
// by the clock now and whose holds expire after leaseTTL.
type NewAdmission func(now func() time.Time, leaseTTL time.Duration) claviger.Admission

const leaseTTL = 20 * time.Minute

// Admission is the conformance suite of claviger.Admission.
func Admission(t *testing.T, open NewAdmission) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, b *bench)
	}{
		{"rate", rateCase},
		{"rate is never given back", rateStays},
		{"lease", leaseCase},
		{"calendar", calendarCase},
		{"calendar rolls over", rolloverCase},
		{"continuous tokens", flowCase},
		{"overuse is recorded", overuseCase},
		{"used though nothing was held", emptyHold},
		{"large amounts are exact", largeCase},
		{"release", releaseCase},
		{"first of settle and release wins", firstWins},
		{"not named is used as held", unnamedCase},
		{"holds expire", expiryCase},
		{"all or none", allOrNone},
		{"the longest wait decides", longestWait},
		{"never fits", neverFits},
		{"windows do not collide", noCollision},
		{"changed limit keeps what was used", changedLimit},
		{"two limits on one window", twoLimits},
		{"zone", zoneCase},
		{"nonsense is denied", nonsense},
		{"context ended", contextEnded},
		{"300 callers for 20", burstCase},
		{"nothing is left", quietCase},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{T: t}
			b.clock.Store(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).UnixNano())
			b.a = open(b.now, leaseTTL)
			c.run(t, b)
		})
	}
}

// bench is an Admission on a clock that the test turns.
type bench struct {
	*testing.T
	a     claviger.Admission
	clock atomic.Int64
}

func (b *bench) now() time.Time           { return time.Unix(0, b.clock.Load()).UTC() }
func (b *bench) advance(by time.Duration) { b.clock.Add(int64(by)) }

func (b *bench) grant(cs ...claviger.Charge) claviger.Hold {
	b.Helper()
	h, err := b.a.Admit(b.Context(), cs)
	if err != nil {
		b.Fatalf("refused: %v", err)
	}
	if h == nil {
		b.Fatal("no hold and no error")
	}
	return h
}

func (b *bench) refuse(code claviger.Code, cs ...claviger.Charge) {
	b.Helper()
	_ = b.refusal(code, cs...)
}

func (b *bench) refusal(code claviger.Code, cs ...claviger.Charge) *claviger.Error {
	b.Helper()
	h, err := b.a.Admit(b.Context(), cs)
	e, ok := errors.AsType[*claviger.Error](err)
	switch {
	case err == nil:
		b.Fatalf("granted, want %s", code)
	case h != nil:
		b.Fatal("a refusal came with a hold")
	case !ok || e.Code != code:
		b.Fatalf("refused with %v, want %s", err, code)
	}
	if code != claviger.CodeLimitsUnavailable && len(e.Standings) != len(cs) {
		b.Fatalf("%d standings for %d charges", len(e.Standings), len(cs))
	}
	return e
}

func (b *bench) settle(h claviger.Hold, used ...claviger.Charge) {
	b.Helper()
	if err := h.Settle(b.Context(), used); err != nil {
		b.Fatalf("Settle: %v", err)
	}
}

func (b *bench) release(h claviger.Hold) {
	b.Helper()
	if err := h.Release(b.Context()); err != nil {
		b.Fatalf("Release: %v", err)
	}
}

// left asks for nothing of a window and so reads its standing.
func (b *bench) left(c claviger.Charge) claviger.Standing {
	b.Helper()
	c.Amount = 0
	h := b.grant(c)
	b.release(h)
	st := h.Standings()
	if len(st) != 1 {
		b.Fatalf("%d standings for one charge", len(st))
	}
	return st[0]
}

func (b *bench) expectLeft(c claviger.Charge, want int64) {
	b.Helper()
	if got := b.left(c).Remaining; got != want {
		b.Fatalf("%d left, want %d", got, want)
	}
}

func charge(kind claviger.ChargeKind, key string, amount, limit int64, per claviger.Period) claviger.Charge {
	c := claviger.Charge{Key: key, Kind: kind, Amount: amount, Scope: "user", Window: claviger.Window{Limit: limit, Per: per}}
	if kind == claviger.ChargeMoney {
		c.Window.Currency = "USD"
	}
	return c
}

func requests(amount, limit int64, per claviger.Period) claviger.Charge {
	return charge(claviger.ChargeRate, "user:a", amount, limit, per)
}

func lease(limit int64) claviger.Charge {
	return charge(claviger.ChargeLease, "user:a", 1, limit, claviger.PeriodNone)
}

func tokens(amount, limit int64, per claviger.Period) claviger.Charge {
	return charge(claviger.ChargeTokens, "user:a", amount, limit, per)
}

func money(amount, limit int64, per claviger.Period) claviger.Charge {
	return charge(claviger.ChargeMoney, "user:a", amount, limit, per)
}

func with(c claviger.Charge, amount int64) claviger.Charge {
	c.Amount = amount
	return c
}

func rateCase(t *testing.T, b *bench) {
	c := requests(1, 7, claviger.PeriodMinute)
	for i := range 7 {
		st := b.grant(c).Standings()
		if len(st) != 1 || st[0].Remaining != int64(6-i) || st[0].Reset <= 0 || st[0].Reset > time.Minute {
			t.Fatalf("standing %d: %+v", i, st)
		}
	}
	e := b.refusal(claviger.CodeRateLimited, c)
	if e.RetryAfter <= 0 || e.RetryAfter > time.Minute/7+time.Millisecond {
		t.Fatalf("RetryAfter = %v, want about %v", e.RetryAfter, time.Minute/7)
	}
	if e.Standings[0].Remaining != 0 {
		t.Fatalf("%d left at a refusal", e.Standings[0].Remaining)
	}
	b.advance(e.RetryAfter - time.Millisecond)
	b.refuse(claviger.CodeRateLimited, c)
	b.advance(time.Millisecond)
	b.grant(c)
	b.refuse(claviger.CodeRateLimited, c)
	b.advance(time.Minute)
	b.expectLeft(c, 7)
	b.grant(with(c, 7))
	b.refuse(claviger.CodeRateLimited, c)
}

func rateStays(_ *testing.T, b *bench) {
	c := requests(1, 3, claviger.PeriodDay)
	b.release(b.grant(c))
	b.settle(b.grant(c))
	b.settle(b.grant(c), with(c, 0))
	b.refuse(claviger.CodeRateLimited, c)
}

func leaseCase(t *testing.T, b *bench) {
	one := b.grant(lease(2))
	two := b.grant(lease(2))
	if st := two.Standings(); st[0].Remaining != 0 || st[0].Reset != 0 {
		t.Fatalf("standing %+v", st)
	}
	if e := b.refusal(claviger.CodeTooManyInFlight, lease(2)); e.RetryAfter <= 0 {
		t.Fatalf("RetryAfter = %v", e.RetryAfter)
	}
	b.settle(one)
	three := b.grant(lease(2))
	b.refuse(claviger.CodeTooManyInFlight, lease(2))
	b.release(two)
	b.release(three)
	b.expectLeft(lease(2), 2)
}

func calendarCase(t *testing.T, b *bench) {
	for _, c := range []claviger.Charge{
		tokens(400, 1000, claviger.PeriodDay), money(400, 1000, claviger.PeriodHour), money(400, 1000, claviger.PeriodMonth),
	} {
		h := b.grant(c)
		if st := h.Standings()[0]; st.Remaining != 600 || st.Reset <= 0 {
			t.Fatalf("standing %+v", st)
		}
		b.settle(h, with(c, 100))
		b.expectLeft(c, 900)
		one, two := b.grant(c), b.grant(c)
		e := b.refusal(claviger.CodeBudgetExhausted, c)
		if e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
			t.Fatalf("RetryAfter = %v, though calls under way may give back what is missing", e.RetryAfter)
		}
		b.grant(with(c, 100))
		b.settle(one, with(c, 400))
		b.settle(two, with(c, 400))
		e = b.refusal(claviger.CodeBudgetExhausted, with(c, 101))
		if _, reset := e.RetryAfter, e.Standings[0].Reset; e.RetryAfter != reset {
			t.Fatalf("RetryAfter = %v, but the window begins anew in %v", e.RetryAfter, reset)
		}
		b.advance(e.RetryAfter - time.Millisecond)
		b.refuse(claviger.CodeBudgetExhausted, with(c, 101))
		b.advance(time.Millisecond)
		b.grant(with(c, 1000))
	}
}

func rolloverCase(_ *testing.T, b *bench) {
	c := tokens(600, 1000, claviger.PeriodHour)
	old := b.grant(c)
	b.advance(time.Hour)
	fresh := b.grant(with(c, 1000))
	b.settle(old, with(c, 5000))
	b.refuse(claviger.CodeBudgetExhausted, with(c, 1))
	b.settle(fresh, with(c, 10))
	b.expectLeft(c, 990)
	old = b.grant(with(c, 990))
	b.advance(time.Hour)
	b.release(old)
	b.expectLeft(c, 1000)
}

func flowCase(t *testing.T, b *bench) {
	c := tokens(6000, 10_000, claviger.PeriodMinute)
	h := b.grant(c)
	if st := h.Standings()[0]; st.Remaining != 4000 {
		t.Fatalf("standing %+v", st)
	}
	b.refuse(claviger.CodeRateLimited, c)
	b.settle(h, with(c, 1000))
	b.expectLeft(c, 9000)
	b.settle(b.grant(with(c, 9000)), with(c, 9000))
	e := b.refusal(claviger.CodeRateLimited, with(c, 5000))
	if e.RetryAfter < 29*time.Second || e.RetryAfter > 31*time.Second {
		t.Fatalf("RetryAfter = %v, want 30 s", e.RetryAfter)
	}
	b.advance(e.RetryAfter)
	late := b.grant(with(c, 5000))
	// What was held for long gives back what was not used, and no more.
	b.advance(leaseTTL / 2)
	b.settle(late, with(c, 0))
	b.expectLeft(c, 10_000)
	// What was held by somebody who got lost drains from its expiry on.
	b.grant(c)
	b.advance(leaseTTL + time.Minute)
	b.expectLeft(c, 10_000)
	b.settle(b.grant(with(c, 10_000)))
	b.refuse(claviger.CodeRateLimited, with(c, 1))
}

func overuseCase(t *testing.T, b *bench) {
	for _, c := range []claviger.Charge{tokens(100, 1000, claviger.PeriodDay), money(100, 1000, claviger.PeriodMonth)} {
		b.settle(b.grant(c), with(c, 1500))
		e := b.refusal(claviger.CodeBudgetExhausted, with(c, 1))
		if e.Standings[0].Remaining != 0 {
			t.Fatalf("%d left of an overused window", e.Standings[0].Remaining)
		}
		b.expectLeft(c, 0)
	}
	c := tokens(10, 60, claviger.PeriodMinute)
	b.settle(b.grant(c), with(c, 120))
	b.advance(59 * time.Second)
	b.refuse(claviger.CodeRateLimited, with(c, 1))
	b.advance(2 * time.Second)
	b.grant(with(c, 1))
}

func releaseCase(_ *testing.T, b *bench) {
	cs := []claviger.Charge{
		requests(1, 5, claviger.PeriodDay), lease(1), tokens(100, 100, claviger.PeriodDay),
		tokens(100, 100, claviger.PeriodMinute), money(100, 100, claviger.PeriodMonth),
	}
	b.release(b.grant(cs...))
	for i, want := range []int64{4, 1, 100, 100, 100} {
		b.expectLeft(cs[i], want)
	}
}

func firstWins(_ *testing.T, b *bench) {
	c := tokens(100, 1000, claviger.PeriodDay)
	h := b.grant(c, lease(3))
	b.settle(h, with(c, 40))
	b.settle(h, with(c, 90))
	b.release(h)
	b.expectLeft(c, 960)
	b.expectLeft(lease(3), 3)
	h = b.grant(c, lease(3))
	b.release(h)
	b.settle(h, with(c, 90))
	b.expectLeft(c, 960)
	b.expectLeft(lease(3), 3)
	h = b.grant(c, lease(3))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var err error
			if i%2 == 0 {
				err = h.Settle(context.Background(), []claviger.Charge{with(c, 60)})
			} else {
				err = h.Release(context.Background())
			}
			if err != nil {
				b.Errorf("closing a hold twice: %v", err)
			}
		})
	}
	wg.Wait()
	if got := b.left(c).Remaining; got != 960 && got != 900 {
		b.Fatalf("%d left, want 960 or 900", got)
	}
	b.expectLeft(lease(3), 3)
}

func unnamedCase(_ *testing.T, b *bench) {
	day, month := tokens(100, 1000, claviger.PeriodDay), money(200, 1000, claviger.PeriodMonth)
	b.settle(b.grant(day, month, lease(2)), with(day, 10))
	b.expectLeft(day, 990)
	b.expectLeft(month, 800)
	b.expectLeft(lease(2), 2)
	b.settle(b.grant(day, month), nil...)
	b.expectLeft(day, 890)
	b.expectLeft(month, 600)
}

func expiryCase(_ *testing.T, b *bench) {
	day := tokens(100, 1000, claviger.PeriodDay)
	lost := b.grant(day, lease(1))
	b.advance(leaseTTL - time.Second)
	b.refuse(claviger.CodeTooManyInFlight, lease(1))
	b.expectLeft(day, 900)
	b.advance(2 * time.Second)
	next := b.grant(lease(1))
	b.expectLeft(day, 900)
	// A holder that comes back too late changes nothing.
	b.settle(lost, with(day, 0))
	b.release(lost)
	b.expectLeft(day, 900)
	b.refuse(claviger.CodeTooManyInFlight, lease(1))
	b.release(next)
}
