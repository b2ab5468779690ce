package admit_test

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

func inOut(in, out int64) claviger.Units {
	return claviger.Units{{Kind: claviger.UnitInput, Amount: in}, {Kind: claviger.UnitOutput, Amount: out}}
}

func TestPriceNames(t *testing.T) {
	p := admit.DefaultPrices()
	for model, base := range map[string]string{
		"gpt-4.1-mini-2025-04-14": "gpt-4.1-mini", "gpt-5.1-2025-11-13": "gpt-5.1", "o4-mini-2025-04-16": "o4-mini",
		"omni-moderation-2024-09-26": "omni-moderation-latest", "gpt-4o-2024-08-06": "gpt-4o",
	} {
		got, ok := p.Price(model)
		want, known := p.Price(base)
		if !ok || !known || got != want {
			t.Errorf("%s: %+v, %v, want that of %s", model, got, ok, base)
		}
	}
	if old, _ := p.Price("gpt-4o-2024-05-13"); old.Input != 5_000_000 {
		t.Errorf("a snapshot with a price of its own has %+v", old)
	}
	for _, model := range []string{
		"", "gpt-9", "gpt-4.1-mini-2025-04-31", "gpt-4.1-mini-2025-4-14", "gpt-4.1-mini-2025-04-14-x", "-2025-04-14",
		"GPT-4.1", "gpt-4.1 ", "ft:gpt-4.1-mini:org::id", "gpt-4o-audio-preview", "gpt-4o-realtime-preview", "gpt-4.1-mini-preview",
	} {
		if _, ok := p.Price(model); ok {
			t.Errorf("%q has a price", model)
		}
		if _, ok := p.Worst(model, inOut(1, 1)); ok {
			t.Errorf("%q has a worst case", model)
		}
		if _, ok := p.Cost(model, nil); ok {
			t.Errorf("%q costs something known", model)
		}
	}
}

func TestPriceTable(t *testing.T) {
	p := admit.DefaultPrices()
	if _, err := time.Parse(time.DateOnly, p.Date()); err != nil {
		t.Error(err)
	}
	models := p.Models()
	if !slices.IsSorted(models) || len(models) < 30 {
		t.Errorf("%d models, sorted %v", len(models), slices.IsSorted(models))
	}
	for _, m := range models {
		price, ok := p.Price(m)
		free := m == "omni-moderation" || m == "omni-moderation-latest"
		other := price.Second > 0 || price.Character > 0
		if !ok || price.CachedInput > price.Input || !free && !other && price.Input < 1000 || price.Output != 0 && price.Output < price.Input ||
			other && (price.Input != 0 || price.Output != 0) || price.ImageInput != 0 && price.ImageInput < price.Input {
			t.Errorf("%s: %+v, %v", m, price, ok)
		}
	}
}

func TestPricesWith(t *testing.T) {
	p := admit.DefaultPrices()
	own := p.With(map[string]admit.Price{"mine": {Input: 1, Output: 2}, "gpt-4.1": {Input: 7}, "bad": {Input: -1}})
	if got, ok := own.Price("mine-2026-01-02"); !ok || got.Output != 2 {
		t.Errorf("own model: %+v, %v", got, ok)
	}
	if got, _ := own.Price("gpt-4.1-2025-04-14"); got.Input != 7 {
		t.Errorf("override: %+v", got)
	}
	if got, _ := p.Price("gpt-4.1"); got.Input == 7 {
		t.Error("With changed the prices it was called on")
	}
	if _, ok := own.Price("bad"); ok {
		t.Error("a negative price was taken")
	}
}

func TestCost(t *testing.T) {
	p := admit.DefaultPrices().With(map[string]admit.Price{
		"m": {Input: 400_000, CachedInput: 100_000, Output: 1_600_000}, "odd": {Input: 1, CachedInput: 3, Output: 1},
		"long": {Input: 1_000_000, CachedInput: 100_000, Output: 2_000_000, CacheWrite: 1_250_000, LongFrom: 1000},
	})
	units := func(in, cached, out int64) claviger.Units {
		return claviger.Units{
			{Kind: claviger.UnitInput, Amount: in},
			{Kind: claviger.UnitCachedInput, Amount: cached},
			{Kind: claviger.UnitOutput, Amount: out},
			{Kind: claviger.UnitReasoning, Amount: out},
		}
	}
	for _, c := range []struct {
		model string
		u     claviger.Units
		want  int64
	}{
		{"m", units(1_000_000, 0, 1_000_000), 2_000_000},
		{"m", units(1_000_000, 1_000_000, 0), 100_000},
		{"m", units(1_000_000, 250_000, 0), 325_000},
		{"m", units(10, 50, 0), 1}, // more cached than there was
		{"m", units(-10, -5, -5), 0},
		{"m", nil, 0},
		{"odd", units(1, 0, 0), 1},
		{"odd", units(1_000_000, 0, 1_000_001), 3},
		{"omni-moderation-latest", units(math.MaxInt64, 0, 0), 0},
		{"m", units(math.MaxInt64, 0, math.MaxInt64), math.MaxInt64},
		{"long", units(1000, 0, 100), 1250 + 200},
		{"long", units(1001, 1, 100), 2500 + 1 + 300},
	} {
		got, ok := p.Cost(c.model, c.u)
		if !ok || got != (claviger.Money{Micros: c.want, Currency: "USD"}) {
			t.Errorf("%s %v: %v, %v, want %d", c.model, c.u, got, ok, c.want)
		}
	}
}

func TestWorstIsWorst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.OneOf(rapid.Int64Range(0, 2000), rapid.Int64Range(0, math.MaxInt64))
		price := rapid.Int64Range(0, 1e12)
		own := admit.Price{
			Input: price.Draw(t, "input"), CachedInput: price.Draw(t, "cached"), Output: price.Draw(t, "output"),
			CacheWrite: price.Draw(t, "write"), LongFrom: rapid.Int64Range(0, 1500).Draw(t, "long"),
		}
		p := admit.DefaultPrices().With(map[string]admit.Price{"m": own})
		maxIn, maxOut := amount.Draw(t, "max in"), amount.Draw(t, "max out")
		in := rapid.Int64Range(0, maxIn).Draw(t, "in")
		cached := rapid.Int64Range(0, in).Draw(t, "cached in")
		out := rapid.Int64Range(0, maxOut).Draw(t, "out")
		worst, ok1 := p.Worst("m", inOut(maxIn, maxOut))
		cost, ok2 := p.Cost("m", claviger.Units{
			{Kind: claviger.UnitInput, Amount: in}, {Kind: claviger.UnitCachedInput, Amount: cached}, {Kind: claviger.UnitOutput, Amount: out},
		})
		if !ok1 || !ok2 || cost.Micros > worst.Micros || cost.Micros < 0 {
			t.Fatalf("cost %v, worst %v", cost, worst)
		}
		if want := exactCost(own, in, cached, out); want.Cmp(big.NewInt(cost.Micros)) != 0 && cost.Micros != math.MaxInt64 {
			t.Fatalf("cost %v, want %v", cost.Micros, want)
		}
	})
	if _, ok := admit.DefaultPrices().Worst("gpt-4.1", inOut(-1, 0)); ok {
		t.Error("a negative amount has a worst case")
	}
}

func exactCost(p admit.Price, in, cached, out int64) *big.Int {
	mul := func(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }
	i := new(big.Int).Add(mul(in-cached, max(p.Input, p.CacheWrite)), mul(cached, p.CachedInput))
	o := mul(out, p.Output)
	if p.LongFrom > 0 && in > p.LongFrom {
		i.Mul(i, big.NewInt(4))
		o.Mul(o, big.NewInt(3))
	} else {
		i.Mul(i, big.NewInt(2))
		o.Mul(o, big.NewInt(2))
	}
	sum := i.Add(i, o)
	q, r := new(big.Int).QuoRem(sum, big.NewInt(2_000_000), new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

func TestChargesAndUsed(t *testing.T) {
	limits := []claviger.Limit{
		{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 10, Per: claviger.PeriodMinute}},
		{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: 2}},
		{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1000, Per: claviger.PeriodDay}},
		{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: 1000, Per: claviger.PeriodDay, Currency: "USD"}},
		{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: 1000, Per: claviger.PeriodDay, Currency: "EUR"}},
	}
	held := admit.Charges(nil, limits, "user", "user:x", admit.Worst{Requests: 1, Tokens: 70, Money: claviger.Money{Micros: 33, Currency: "USD"}})
	for i, want := range []int64{1, 1, 70, 33, math.MaxInt64} {
		c := held[i]
		if c.Amount != want || c.Key != "user:x" || c.Scope != "user" || c.Kind != limits[i].Kind || c.Window != limits[i].Window {
			t.Errorf("charge %d: %+v, want amount %d", i, c, want)
		}
	}
	used := admit.Used(held, 50, claviger.Money{Micros: 20, Currency: "USD"})
	if len(used) != 2 || used[0].Amount != 50 || used[0].Kind != claviger.ChargeTokens || used[1].Amount != 20 || used[1].Window.Currency != "USD" {
		t.Errorf("used %+v", used)
	}
	if held[2].Amount != 70 {
		t.Error("Used changed what is held")
	}
	m := admit.NewMemory(admit.MemoryOptions{Now: newClock().now})
	if _, err := m.Admit(t.Context(), held); codeOf(err) != claviger.CodeBudgetExhausted {
		t.Errorf("a budget in a currency that cannot be counted: %v", err)
	}
	h, err := m.Admit(t.Context(), held[:4])
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Settle(t.Context(), used); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkWorst(b *testing.B) {
	p := admit.DefaultPrices()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := p.Worst("gpt-4.1-mini-2025-04-14", inOut(30_000, 4096)); !ok {
			b.Fatal("no price")
		}
	}
}
