package admit_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

// amounts are units in pairs of a kind and a number.
func amounts(pairs ...any) claviger.Units {
	var u claviger.Units
	for i := 0; i < len(pairs); i += 2 {
		u = append(u, claviger.Unit{Kind: pairs[i].(claviger.UnitKind), Amount: int64(pairs[i+1].(int))})
	}
	return u
}

const (
	in      = claviger.UnitInput
	cached  = claviger.UnitCachedInput
	image   = claviger.UnitImageInput
	audio   = claviger.UnitAudioInput
	out     = claviger.UnitOutput
	spoken  = claviger.UnitAudioOutput
	seconds = claviger.UnitSeconds
	letters = claviger.UnitCharacters
)

// TestMediaPrices: what images and sound cost, with the arithmetic beside it.
func TestMediaPrices(t *testing.T) {
	p := admit.DefaultPrices().With(map[string]admit.Price{"plain": {Input: 1_000_000, Output: 2_000_000}})
	for _, c := range []struct {
		model string
		u     claviger.Units
		want  int64
	}{
		{"gpt-image-1", amounts(in, 204, image, 194, out, 6240), 50 + 1940 + 249_600},  // 10×5 + 194×10 + 6240×40
		{"gpt-image-1-mini", amounts(in, 204, image, 194, out, 1056), 20 + 485 + 8448}, // 10×2 + 194×2.5 + 1056×8
		{"gpt-4o-transcribe", amounts(in, 610, audio, 600, out, 150), 25 + 3600 + 1500},
		{"gpt-4o-mini-transcribe", amounts(in, 608, audio, 600, out, 150), 10 + 1800 + 750},
		{"gpt-4o-mini-tts", amounts(in, 100, out, 1000, spoken, 1000), 60 + 12_000},
		{"tts-1", amounts(letters, 4096, in, 100, out, 900), 61_440},
		{"tts-1-hd", amounts(letters, 1), 30},
		{"whisper-1", amounts(seconds, 60), 6000},
		{"whisper-1", amounts(seconds, 1), 100},
		// Parts of the input are no more than the input, and none of it is paid twice.
		{"gpt-image-1", amounts(in, 10, image, 50, cached, 10, out, 0), 100},
		{"plain", amounts(in, 10, image, 4, audio, 4, out, 1, spoken, 1), 10 + 2},
	} {
		got, ok := p.Cost(c.model, c.u)
		if !ok || got.Micros != c.want {
			t.Errorf("%s %v costs %v, %v, want %d", c.model, c.u, got, ok, c.want)
		}
		if worst, ok := p.Worst(c.model, c.u); c.model != "plain" && (!ok || worst.Micros < c.want) {
			t.Errorf("%s %v: at most %v, %v", c.model, c.u, worst, ok)
		}
	}
}

// TestNotPricedBy: a model that is paid by one thing has no price where another is
// metered, and none for images and sound that has no price of theirs.
func TestNotPricedBy(t *testing.T) {
	p := admit.DefaultPrices()
	for model, u := range map[string]claviger.Units{
		"gpt-image-1":       amounts(in, 5, audio, 1, out, 1),
		"gpt-4.1":           amounts(in, 5, image, 1, out, 1),
		"gpt-4.1-mini":      amounts(in, 5, audio, 1, out, 1),
		"gpt-4o":            amounts(in, 5, out, 1, spoken, 1),
		"tts-1":             amounts(in, 5, out, 1),
		"whisper-1":         amounts(in, 5, out, 1, letters, 5),
		"gpt-4o-transcribe": amounts(seconds, 60),
		"gpt-4o-mini-tts":   amounts(letters, 60),
	} {
		if m, ok := p.Worst(model, u); ok {
			t.Errorf("%s %v costs at most %v", model, u, m)
		}
	}
	for model, u := range map[string]claviger.Units{
		"tts-1": amounts(in, 5), "whisper-1": amounts(in, 5, out, 1), "gpt-4o-transcribe": amounts(seconds, 60), "gpt-4.1": amounts(letters, 1),
	} {
		if m, ok := p.Cost(model, u); ok {
			t.Errorf("%s %v costs %v", model, u, m)
		}
	}
	if _, ok := p.Worst("whisper-1", amounts(seconds, -1)); ok {
		t.Error("a negative amount has a worst case")
	}
}

// TestWorstOfUnits: whatever is used within the bounds costs no more than was
// held, at any price.
func TestWorstOfUnits(t *testing.T) {
	kinds := []claviger.UnitKind{in, cached, image, audio, out, spoken, seconds, letters}
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 1e12))
		own := admit.Price{
			Input: price.Draw(t, "input"), CachedInput: price.Draw(t, "cached"), Output: price.Draw(t, "output"), CacheWrite: price.Draw(t, "write"),
			ImageInput: price.Draw(t, "image"), AudioInput: price.Draw(t, "audio"), AudioOutput: price.Draw(t, "spoken"),
			Second: price.Draw(t, "second"), Character: price.Draw(t, "character"), LongFrom: rapid.Int64Range(0, 1500).Draw(t, "long"),
		}
		p := admit.DefaultPrices().With(map[string]admit.Price{"m": own})
		amount := rapid.OneOf(rapid.Int64Range(0, 2000), rapid.Int64Range(0, math.MaxInt64))
		var most, used claviger.Units
		for _, k := range kinds {
			n := amount.Draw(t, string(k))
			if k == cached {
				n = math.MaxInt64
			} else {
				most = append(most, claviger.Unit{Kind: k, Amount: n})
			}
			used = append(used, claviger.Unit{Kind: k, Amount: rapid.Int64Range(0, n).Draw(t, "used "+string(k))})
		}
		worst, ok1 := p.Worst("m", most)
		cost, ok2 := p.Cost("m", used)
		if !ok1 {
			return // a part has no price
		}
		if !ok2 || cost.Micros > worst.Micros || cost.Micros < 0 {
			t.Fatalf("%+v: %v cost %v, at most %v for %v", own, used, cost, worst, most)
		}
	})
}
