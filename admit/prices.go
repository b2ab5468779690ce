package admit

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"

	"claviger.dev/claviger"
)

// Currency is that of all prices.
const Currency = "USD"

// Price is what a model costs, in millionths of a dollar for each million of
// what is metered: 0.40 USD is 400,000. None may be negative. A model that is
// paid by seconds or characters has no price where those are not metered, and one
// that is paid by tokens none for images and sound without a price of theirs.
type Price struct {
	// Input, CachedInput and Output are for tokens. Images that a model draws
	// are its output.
	Input, CachedInput, Output int64
	// ImageInput and AudioInput are for the parts of the input that are images
	// to draw from and sound to write down, AudioOutput for speech; 0 is none.
	ImageInput, AudioInput, AudioOutput int64
	// Second is for a second of sound that is listened to, and Character for a
	// character that is spoken; 0 where the model is not paid by that.
	Second, Character int64
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
	// tools are in millionths of a dollar for a call.
	tools map[string]int64
	date  string
}

// DefaultPrices are the list prices of OpenAI's text, embedding, moderation, image
// and audio models at the standard service tier, as far as they were known at Date().
// Whoever has other prices, pays for another tier, or uses a model that is
// missing, says so with With. A model that is not in the table has no price:
// where a money budget applies, its calls are refused and never counted as
// free.
func DefaultPrices() *Prices { return &Prices{models: table(), tools: toolTable(), date: tableDate} }

// With returns prices in which those of own replace or extend p's.
func (p *Prices) With(own map[string]Price) *Prices {
	all := maps.Clone(p.models)
	maps.Copy(all, own)
	return &Prices{models: all, tools: p.tools, date: p.date}
}

// WithTools returns prices in which those of own replace or extend p's for calls of
// hosted tools, in millionths of a dollar for one call.
func (p *Prices) WithTools(own map[string]int64) *Prices {
	all := maps.Clone(p.tools)
	maps.Copy(all, own)
	return &Prices{models: p.models, tools: all, date: p.date}
}

// Tool returns what one call of a hosted tool costs beside its tokens, and false
// when that is not known.
func (p *Prices) Tool(name string) (claviger.Money, bool) {
	micros, ok := p.tools[name]
	if !ok || micros < 0 {
		return claviger.Money{}, false
	}
	return claviger.Money{Micros: micros, Currency: Currency}, true
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
	if min(price.Input, price.CachedInput, price.Output, price.CacheWrite, price.LongFrom,
		price.ImageInput, price.AudioInput, price.AudioOutput, price.Second, price.Character) < 0 {
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

// Worst is the most that a call can cost that uses no more than u of anything,
// rounded up. It is false when the model has no price for one of them or an
// amount is negative.
func (p *Prices) Worst(model string, u claviger.Units) (claviger.Money, bool) {
	price, ok := p.Price(model)
	if !ok || !price.covers(u) || !price.coversMedia(u) {
		return claviger.Money{}, false
	}
	for _, x := range u {
		tool, isTool := x.Kind.Tool()
		if _, priced := p.Tool(tool); x.Amount < 0 || isTool && !priced {
			return claviger.Money{}, false
		}
	}
	a := amountsOf(u)
	// Images may leave no room for sound, or sound none for images.
	a.audio = min(u.Get(claviger.UnitAudioInput), a.input)
	text := max(price.Input, price.CachedInput, price.CacheWrite)
	var b bill
	in, out := price.halves(a.input)
	b.add(a.text+a.cached, text, in)
	b.add(a.image, max(text, price.ImageInput), in)
	b.add(a.audio, max(text, price.AudioInput), in)
	b.add(a.output, price.Output, out)
	b.add(a.spoken, max(price.Output, price.AudioOutput), out)
	b.addTools(p, u)
	return b.with(&price, &a), true
}

// Cost is what a call cost that used u, rounded up. Reasoning is part of the
// output, and cached input, images and sound part of the input. Amounts below 0
// count as 0, and so do calls of tools without a price, which Worst refuses. It is
// false when the model has no price, or is paid by something that is not among the
// units.
func (p *Prices) Cost(model string, u claviger.Units) (claviger.Money, bool) {
	price, ok := p.Price(model)
	if !ok || !price.covers(u) {
		return claviger.Money{}, false
	}
	a := amountsOf(u)
	var b bill
	in, out := price.halves(a.input)
	text := max(price.Input, price.CacheWrite)
	b.add(a.text, text, in)
	b.add(a.cached, price.CachedInput, in)
	b.add(a.image, cmp.Or(price.ImageInput, text), in)
	b.add(a.audio, cmp.Or(price.AudioInput, text), in)
	b.add(a.output, price.Output, out)
	b.add(a.spoken, cmp.Or(price.AudioOutput, price.Output), out)
	b.addTools(p, u)
	return b.with(&price, &a), true
}

// covers reports whether what the model is paid by is among the units. Nothing at
// all costs nothing.
func (p *Price) covers(u claviger.Units) bool {
	switch {
	case len(u) == 0:
		return true
	case p.Second > 0 && !u.Has(claviger.UnitSeconds), p.Character > 0 && !u.Has(claviger.UnitCharacters):
		return false
	default:
		return p.Second > 0 || p.Character > 0 || u.Has(claviger.UnitInput) || u.Has(claviger.UnitOutput)
	}
}

// coversMedia reports whether images and sound among the units have prices.
func (p *Price) coversMedia(u claviger.Units) bool {
	if p.Second > 0 || p.Character > 0 {
		return true
	}
	return (p.ImageInput > 0 || u.Get(claviger.UnitImageInput) <= 0) &&
		(p.AudioInput > 0 || u.Get(claviger.UnitAudioInput) <= 0) &&
		(p.AudioOutput > 0 || u.Get(claviger.UnitAudioOutput) <= 0)
}

// halves are how often half a price is paid for input and output.
func (p *Price) halves(input int64) (in, out uint64) {
	if p.LongFrom > 0 && input > p.LongFrom {
		return 4, 3
	}
	return 2, 2
}

// amounts are units without overlaps: text, cached, image and audio are the input,
// output and spoken the output.
type amounts struct {
	input, text, cached, image, audio int64
	output, spoken                    int64
	seconds, characters               int64
}

func amountsOf(u claviger.Units) amounts {
	get := func(k claviger.UnitKind) int64 { return max(u.Get(k), 0) }
	a := amounts{input: get(claviger.UnitInput), seconds: get(claviger.UnitSeconds), characters: get(claviger.UnitCharacters)}
	a.text = a.input
	part := func(of *int64, k claviger.UnitKind) int64 {
		n := min(get(k), *of)
		*of -= n
		return n
	}
	a.image = part(&a.text, claviger.UnitImageInput)
	a.audio = part(&a.text, claviger.UnitAudioInput)
	a.cached = part(&a.text, claviger.UnitCachedInput)
	a.output = get(claviger.UnitOutput)
	a.spoken = part(&a.output, claviger.UnitAudioOutput)
	return a
}

// bill adds amounts times prices in 128 bits, in halves, so that one and a half
// times is a whole number of them.
type bill struct {
	hi, lo uint64
	over   bool
}

func (b *bill) add(amount, price int64, halves uint64) {
	hi, lo := bits.Mul64(uint64(amount), uint64(price))
	hi, lo, over := times(hi, lo, halves)
	var carry uint64
	b.lo, carry = bits.Add64(b.lo, lo, 0)
	b.hi, carry = bits.Add64(b.hi, hi, carry)
	b.over = b.over || over || carry != 0
}

// addTools adds calls of hosted tools.
func (b *bill) addTools(p *Prices, u claviger.Units) {
	const million = 1_000_000
	for _, x := range u {
		if tool, ok := x.Kind.Tool(); ok {
			price, _ := p.Tool(tool)
			b.add(max(x.Amount, 0), min(price.Micros, math.MaxInt64/million)*million, 2)
		}
	}
}

// with adds what is no token and gives the sum.
func (b *bill) with(p *Price, a *amounts) claviger.Money {
	b.add(a.seconds, p.Second, 2)
	b.add(a.characters, p.Character, 2)
	return b.money()
}

// money divides by the million to which prices belong and rounds up. It stays
// at the largest amount.
func (b *bill) money() claviger.Money {
	const whole = 2_000_000
	if b.over || b.hi >= whole {
		return claviger.Money{Micros: math.MaxInt64, Currency: Currency}
	}
	q, r := bits.Div64(b.hi, b.lo, whole)
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
