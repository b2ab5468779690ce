package admit

import (
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"

	"claviger.dev/claviger"
)

// Currency is that of all prices.
const Currency = "USD"

// Price is what a model costs, in millionths of a dollar for each million
// tokens: 0.40 USD is 400,000. None may be negative.
type Price struct {
	Input, CachedInput, Output int64
	// CacheWrite is what input costs that the provider writes into its cache,
	// where that is more than Input. Since answers do not say how much of the
	// input that was, all uncached input is counted at the higher price.
	CacheWrite int64
	// LongFrom, when positive, is the number of input tokens above which a
	// whole call costs twice for input and one and a half times for output.
	LongFrom int64
}

// Prices are what models cost. They do not change once made, and may be used
// concurrently.
type Prices struct {
	models map[string]Price
	date   string
}

// DefaultPrices are the list prices of OpenAI's text, embedding and moderation
// models at the standard service tier, as far as they were known at Date().
// Whoever has other prices, pays for another tier, or uses a model that is
// missing, says so with With. A model that is not in the table has no price:
// where a money budget applies, its calls are refused and never counted as
// free.
func DefaultPrices() *Prices { return &Prices{models: table(), date: tableDate} }

// With returns prices in which those of own replace or extend p's.
func (p *Prices) With(own map[string]Price) *Prices {
	all := maps.Clone(p.models)
	maps.Copy(all, own)
	return &Prices{models: all, date: p.date}
}

// Date is the day, as 2006-01-02, on which the built-in prices were collected.
func (p *Prices) Date() string { return p.date }

// Models are the names that have a price of their own, sorted.
func (p *Prices) Models() []string { return slices.Sorted(maps.Keys(p.models)) }

// Price returns the price of a model, and false when it is not known. A name
// that ends in a date, as gpt-4.1-mini-2025-04-14, has the price of the name
// without it unless it has one of its own. A price with a negative number is
// no price.
func (p *Prices) Price(model string) (Price, bool) {
	price, ok := p.models[model]
	if !ok {
		if price, ok = p.models[undated(model)]; !ok {
			return Price{}, false
		}
	}
	if min(price.Input, price.CachedInput, price.Output, price.CacheWrite, price.LongFrom) < 0 {
		return Price{}, false
	}
	return price, true
}

// undated takes a date off the end of a model's name.
func undated(model string) string {
	const form = "-2006-01-02"
	cut := len(model) - len(form)
	if cut <= 0 {
		return model
	}
	if _, err := time.Parse(form, model[cut:]); err != nil {
		return model
	}
	return model[:cut]
}

// Worst is the most that a call with so many tokens can cost, rounded up. It
// is false when the model has no price or an amount is negative.
func (p *Prices) Worst(model string, maxIn, maxOut int64) (claviger.Money, bool) {
	price, ok := p.Price(model)
	if !ok || maxIn < 0 || maxOut < 0 {
		return claviger.Money{}, false
	}
	var b bill
	b.add(maxIn, max(price.Input, price.CachedInput, price.CacheWrite))
	b.out(maxOut, price.Output)
	return b.money(price.LongFrom > 0 && maxIn > price.LongFrom), true
}

// Cost is what a call cost that used u, rounded up. Reasoning is part of the
// output, and cached input part of the input. Amounts below 0 count as 0. It is
// false when the model has no price.
func (p *Prices) Cost(model string, u claviger.Units) (claviger.Money, bool) {
	price, ok := p.Price(model)
	if !ok {
		return claviger.Money{}, false
	}
	in := max(u.Get(claviger.UnitInput), 0)
	cached := min(max(u.Get(claviger.UnitCachedInput), 0), in)
	var b bill
	b.add(in-cached, max(price.Input, price.CacheWrite))
	b.add(cached, price.CachedInput)
	b.out(max(u.Get(claviger.UnitOutput), 0), price.Output)
	return b.money(price.LongFrom > 0 && in > price.LongFrom), true
}

// bill adds tokens times prices in 128 bits, input apart from output.
type bill struct{ inHi, inLo, outHi, outLo uint64 }

func (b *bill) add(tokens, price int64) {
	hi, lo := bits.Mul64(uint64(tokens), uint64(price))
	var carry uint64
	b.inLo, carry = bits.Add64(b.inLo, lo, 0)
	b.inHi += hi + carry
}

func (b *bill) out(tokens, price int64) {
	b.outHi, b.outLo = bits.Mul64(uint64(tokens), uint64(price))
}

// money divides by the million to which prices belong and rounds up. It stays
// at the largest amount.
func (b *bill) money(long bool) claviger.Money {
	// Halves, so that one and a half times is a whole number of them.
	in, out := uint64(2), uint64(2)
	if long {
		in, out = 4, 3
	}
	hi1, lo1, over1 := times(b.inHi, b.inLo, in)
	hi2, lo2, over2 := times(b.outHi, b.outLo, out)
	lo, carry := bits.Add64(lo1, lo2, 0)
	hi, over := bits.Add64(hi1, hi2, carry)
	const whole = 2_000_000
	if over1 || over2 || over != 0 || hi >= whole {
		return claviger.Money{Micros: math.MaxInt64, Currency: Currency}
	}
	q, r := bits.Div64(hi, lo, whole)
	if r > 0 {
		q++
	}
	return claviger.Money{Micros: int64(min(q, math.MaxInt64)), Currency: Currency}
}

func times(hi, lo, n uint64) (h, l uint64, over bool) {
	carry, l := bits.Mul64(lo, n)
	top, h := bits.Mul64(hi, n)
	h, c := bits.Add64(h, carry, 0)
	return h, l, top != 0 || c != 0
}
