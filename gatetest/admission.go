package gatetest

import (
	"context"
	"errors"
	"slices"
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

func (b *bench) refuse(code claviger.Code, cs ...claviger.Charge) *claviger.Error {
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
	e := b.refuse(claviger.CodeRateLimited, c)
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
	if e := b.refuse(claviger.CodeTooManyInFlight, lease(2)); e.RetryAfter <= 0 {
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
		e := b.refuse(claviger.CodeBudgetExhausted, c)
		if e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
			t.Fatalf("RetryAfter = %v, though calls under way may give back what is missing", e.RetryAfter)
		}
		b.grant(with(c, 100))
		b.settle(one, with(c, 400))
		b.settle(two, with(c, 400))
		e = b.refuse(claviger.CodeBudgetExhausted, with(c, 101))
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
	e := b.refuse(claviger.CodeRateLimited, with(c, 5000))
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
		e := b.refuse(claviger.CodeBudgetExhausted, with(c, 1))
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

func allOrNone(_ *testing.T, b *bench) {
	cs := []claviger.Charge{
		requests(1, 5, claviger.PeriodDay), lease(2), tokens(100, 500, claviger.PeriodDay), money(100, 500, claviger.PeriodMonth),
		charge(claviger.ChargeMoney, "total:all", 1, 100, claviger.PeriodDay),
	}
	b.settle(b.grant(with(cs[4], 100)))
	for range 10 {
		b.refuse(claviger.CodeBudgetExhausted, cs...)
		slices.Reverse(cs)
	}
	for i, want := range []int64{5, 2, 500, 500, 0} {
		b.expectLeft(cs[i], want)
	}
}

func longestWait(t *testing.T, b *bench) {
	short, long := requests(1, 60, claviger.PeriodMinute), requests(1, 2, claviger.PeriodHour)
	day := tokens(10, 10, claviger.PeriodDay)
	b.grant(with(short, 60))
	b.grant(with(long, 2))
	both := b.refuse(claviger.CodeRateLimited, short, long)
	if both.RetryAfter < 29*time.Minute || both.RetryAfter > 31*time.Minute {
		t.Fatalf("RetryAfter = %v, want that of the longer wait, 30 min", both.RetryAfter)
	}
	b.settle(b.grant(day))
	all := b.refuse(claviger.CodeBudgetExhausted, short, day, long)
	if all.RetryAfter != 14*time.Hour {
		t.Fatalf("RetryAfter = %v, want 14 h until the day ends", all.RetryAfter)
	}
	if all.Retriable() {
		t.Fatal("a budget that is used up says that trying again helps")
	}
}

func neverFits(t *testing.T, b *bench) {
	for _, c := range []struct {
		charge claviger.Charge
		code   claviger.Code
	}{
		{requests(8, 7, claviger.PeriodMinute), claviger.CodeRateLimited},
		{requests(1, 0, claviger.PeriodMinute), claviger.CodeRateLimited},
		{lease(0), claviger.CodeTooManyInFlight},
		{tokens(1001, 1000, claviger.PeriodDay), claviger.CodeBudgetExhausted},
		{tokens(1001, 1000, claviger.PeriodMinute), claviger.CodeRateLimited},
		{money(1<<62, 1000, claviger.PeriodMonth), claviger.CodeBudgetExhausted},
		{money(1<<63-1, 1000, claviger.PeriodMonth), claviger.CodeBudgetExhausted},
	} {
		e := b.refuse(c.code, requests(1, 100, claviger.PeriodSecond), c.charge)
		if e.RetryAfter <= 0 || e.Detail == "" {
			t.Errorf("%s %d of %d: RetryAfter %v, detail %q: want a time, and a word that waiting is no use",
				c.charge.Kind, c.charge.Amount, c.charge.Window.Limit, e.RetryAfter, e.Detail)
		}
	}
}

func noCollision(_ *testing.T, b *bench) {
	cs := []claviger.Charge{
		requests(5, 5, claviger.PeriodMinute), requests(5, 5, claviger.PeriodHour), tokens(5, 5, claviger.PeriodHour),
		tokens(5, 5, claviger.PeriodDay), money(5, 5, claviger.PeriodHour), money(5, 5, claviger.PeriodDay),
		charge(claviger.ChargeRate, "user:b", 5, 5, claviger.PeriodMinute), charge(claviger.ChargeRate, "user", 5, 5, claviger.PeriodMinute),
		charge(claviger.ChargeRate, "user:a:", 5, 5, claviger.PeriodMinute), charge(claviger.ChargeRate, "", 5, 5, claviger.PeriodMinute),
		charge(claviger.ChargeRate, "user:a\x00requests", 5, 5, claviger.PeriodMinute),
	}
	euros := money(5, 5, claviger.PeriodDay)
	euros.Window.Currency = "EUR"
	cs = append(cs, euros)
	for _, c := range cs {
		b.grant(c)
	}
	h := b.grant(with(charge(claviger.ChargeLease, "user:a", 1, 5, claviger.PeriodNone), 5))
	b.release(h)
}

func changedLimit(_ *testing.T, b *bench) {
	c := money(80, 200, claviger.PeriodDay)
	b.settle(b.grant(c))
	c.Window.Limit = 100
	b.refuse(claviger.CodeBudgetExhausted, c)
	b.expectLeft(c, 20)
	c.Window.Limit = 50
	b.expectLeft(c, 0)
	c.Window.Limit = 300
	b.expectLeft(c, 220)
}

func twoLimits(_ *testing.T, b *bench) {
	tight, wide := tokens(10, 30, claviger.PeriodDay), tokens(10, 100, claviger.PeriodDay)
	b.settle(b.grant(tight, wide), tight, wide)
	b.settle(b.grant(wide, tight), tight, wide)
	b.expectLeft(tight, 10)
	b.expectLeft(wide, 80)
	b.refuse(claviger.CodeBudgetExhausted, with(tight, 11), with(wide, 11))
	// The same limit twice is two takings.
	b.refuse(claviger.CodeBudgetExhausted, with(tight, 6), with(tight, 6))
	b.settle(b.grant(with(tight, 5), with(tight, 5)))
	b.expectLeft(tight, 0)
	fast, slow := requests(1, 60, claviger.PeriodMinute), requests(1, 6, claviger.PeriodMinute)
	for range 6 {
		b.grant(fast, slow)
	}
	b.refuse(claviger.CodeRateLimited, fast, slow)
}

func zoneCase(t *testing.T, b *bench) {
	// The same zone, loaded twice, is one zone: a reload must not begin the day
	// anew.
	east := func() *time.Location { return time.FixedZone("UTC+05:30", 5*3600+1800) }
	c := tokens(10, 10, claviger.PeriodDay)
	c.Window.Zone = east()
	b.settle(b.grant(c))
	c.Window.Zone = east()
	e := b.refuse(claviger.CodeBudgetExhausted, c)
	if want := 8*time.Hour + 30*time.Minute; e.RetryAfter != want {
		t.Fatalf("RetryAfter = %v, want %v until midnight there", e.RetryAfter, want)
	}
	c.Window.Zone = time.UTC
	b.settle(b.grant(c))
	c.Window.Zone = nil
	b.refuse(claviger.CodeBudgetExhausted, c)
}

func nonsense(t *testing.T, b *bench) {
	good := tokens(10, 100, claviger.PeriodDay)
	noCurrency := money(1, 10, claviger.PeriodDay)
	noCurrency.Window.Currency = ""
	for name, bad := range map[string]claviger.Charge{
		"negative amount":   tokens(-1, 10, claviger.PeriodDay),
		"no period":         tokens(1, 10, claviger.PeriodNone),
		"unknown period":    tokens(1, 10, claviger.PeriodMonth+1),
		"no currency":       noCurrency,
		"unknown kind":      charge("energy", "user:a", 1, 10, claviger.PeriodDay),
		"lease with period": charge(claviger.ChargeLease, "user:a", 1, 10, claviger.PeriodDay),
	} {
		h, err := b.a.Admit(b.Context(), []claviger.Charge{good, bad})
		if err == nil || h != nil {
			t.Errorf("%s: granted", name)
		}
	}
	b.expectLeft(good, 100)
	h := b.grant(good)
	if err := h.Settle(b.Context(), []claviger.Charge{with(good, -5)}); err == nil {
		t.Error("a negative use was taken without a word")
	}
	b.expectLeft(good, 90)
	h = b.grant(good)
	if err := h.Settle(b.Context(), []claviger.Charge{with(good, 1), charge(claviger.ChargeTokens, "user:b", 1, 10, claviger.PeriodDay)}); err == nil {
		t.Error("a use of what was not held was taken without a word")
	}
	b.expectLeft(good, 89)
}

func contextEnded(_ *testing.T, b *bench) {
	c := tokens(10, 100, claviger.PeriodDay)
	h, other := b.grant(c, lease(2)), b.grant(c, lease(2))
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if err := h.Settle(ctx, []claviger.Charge{with(c, 3)}); err != nil {
		b.Fatalf("Settle after the caller left: %v", err)
	}
	if err := other.Release(ctx); err != nil {
		b.Fatalf("Release after the caller left: %v", err)
	}
	b.expectLeft(c, 97)
	b.expectLeft(lease(2), 2)
}

func burstCase(t *testing.T, b *bench) {
	cs := []claviger.Charge{
		requests(1, 1000, claviger.PeriodMinute), lease(500), tokens(50, 50*300, claviger.PeriodDay),
		charge(claviger.ChargeMoney, "total:all", 7, 7*20+6, claviger.PeriodDay),
	}
	var granted, refused atomic.Int64
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() {
			<-start
			h, err := b.a.Admit(context.Background(), cs)
			if e, ok := errors.AsType[*claviger.Error](err); ok && e.Code == claviger.CodeBudgetExhausted {
				refused.Add(1)
				return
			}
			if err != nil {
				t.Errorf("Admit: %v", err)
				return
			}
			granted.Add(1)
			if err := h.Settle(context.Background(), nil); err != nil {
				t.Errorf("Settle: %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	if granted.Load() != 20 || refused.Load() != 280 {
		t.Fatalf("%d granted and %d refused, want 20 and 280", granted.Load(), refused.Load())
	}
	b.expectLeft(cs[3], 6)
	b.expectLeft(cs[1], 500)
	b.expectLeft(cs[2], 50*280)
}

func quietCase(t *testing.T, b *bench) {
	day, month := tokens(10, 1<<40, claviger.PeriodDay), money(10, 1<<40, claviger.PeriodMonth)
	flow := tokens(10, 1<<40, claviger.PeriodMinute)
	var used, expired atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				h, err := b.a.Admit(context.Background(), []claviger.Charge{day, lease(1 << 20), month, flow})
				if err != nil {
					t.Errorf("Admit: %v", err)
					return
				}
				amount := int64((g*31 + i*17) % 25)
				switch (g + i) % 3 {
				case 0:
					used.Add(amount)
					err = h.Settle(context.Background(), []claviger.Charge{with(day, amount), with(month, amount), with(flow, 0)})
				case 1:
					err = h.Release(context.Background())
				default:
					expired.Add(10)
				}
				if err != nil {
					t.Errorf("closing: %v", err)
				}
			}
		})
	}
	wg.Wait()
	b.advance(leaseTTL + time.Minute)
	b.expectLeft(lease(1<<20), 1<<20)
	sum := used.Load() + expired.Load()
	b.expectLeft(day, 1<<40-sum)
	b.expectLeft(month, 1<<40-sum)
	b.advance(2 * time.Minute)
	b.expectLeft(flow, 1<<40)
}
