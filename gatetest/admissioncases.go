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

// emptyHold settles a use of windows from which nothing was taken, and which an
// engine may have forgotten.
func emptyHold(_ *testing.T, b *bench) {
	for _, c := range []claviger.Charge{
		tokens(0, 1000, claviger.PeriodDay), money(0, 1000, claviger.PeriodMonth), tokens(0, 1000, claviger.PeriodMinute),
	} {
		b.settle(b.grant(c, lease(1)), with(c, 7))
		b.expectLeft(c, 993)
		h, other := b.grant(c), b.grant(with(c, 10))
		b.release(other)
		b.settle(h, with(c, 3))
		b.expectLeft(c, 990)
		// The same in a window after one that was used.
		b.advance(31 * 24 * time.Hour)
		b.settle(b.grant(c), with(c, 5))
		b.expectLeft(c, 995)
	}
}

// largeCase counts to the last unit what a float would round: every engine
// counts limits up to 2^52.
func largeCase(_ *testing.T, b *bench) {
	const limit = 1 << 52
	for _, c := range []claviger.Charge{
		tokens(limit-3, limit, claviger.PeriodDay), money(limit-3, limit, claviger.PeriodMonth), tokens(limit-3, limit, claviger.PeriodMinute),
	} {
		h := b.grant(c)
		b.expectLeft(c, 3)
		b.settle(h, with(c, limit-5))
		b.expectLeft(c, 5)
		b.settle(b.grant(with(c, 4)), with(c, 4))
		code := claviger.CodeBudgetExhausted
		if c.Window.Per == claviger.PeriodMinute {
			code = claviger.CodeRateLimited
		}
		b.refuse(code, with(c, 2))
		b.settle(b.grant(with(c, 1)), with(c, 1))
		b.refuse(code, with(c, 1))
	}
}

func longestWait(t *testing.T, b *bench) {
	short, long := requests(1, 60, claviger.PeriodMinute), requests(1, 2, claviger.PeriodHour)
	day := tokens(10, 10, claviger.PeriodDay)
	b.grant(with(short, 60))
	b.grant(with(long, 2))
	both := b.refusal(claviger.CodeRateLimited, short, long)
	if both.RetryAfter < 29*time.Minute || both.RetryAfter > 31*time.Minute {
		t.Fatalf("RetryAfter = %v, want that of the longer wait, 30 min", both.RetryAfter)
	}
	b.settle(b.grant(day))
	all := b.refusal(claviger.CodeBudgetExhausted, short, day, long)
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
		e := b.refusal(c.code, requests(1, 100, claviger.PeriodSecond), c.charge)
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
	e := b.refusal(claviger.CodeBudgetExhausted, c)
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
