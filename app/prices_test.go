package app

import (
	"math"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/config"
)

// TestPricesOfConfiguration: every price that the program knows can be another in
// the configuration; a minute is paid by its seconds.
func TestPricesOfConfiguration(t *testing.T) {
	usd := func(micros int64) *claviger.Money { return &claviger.Money{Micros: micros, Currency: "USD"} }
	p := pricesOf(&config.Config{Prices: []config.Price{
		{Model: "whisper-1", Minute: usd(60)},
		{Model: "tts-1", Characters: usd(7)},
		{Model: "all", Input: *usd(1), Output: *usd(2), ImageInput: usd(3), AudioInput: usd(4), AudioOutput: usd(5)},
		{Model: "web_search", Call: *usd(8)},
		{Model: "code_interpreter", Call: *usd(0)},
	}})
	for tool, want := range map[string]int64{"web_search": 8, "code_interpreter": 0, "file_search": 2500} {
		if got, ok := p.Tool(tool); !ok || got.Micros != want || got.Currency != "USD" {
			t.Errorf("%s: %v", tool, got)
		}
	}
	if _, known := p.Tool("image_generation"); known {
		t.Error("a price that nobody set")
	}
	if got, _ := p.Price("whisper-1"); got.Second != 1_000_000 {
		t.Errorf("%+v", got)
	}
	if got, _ := p.Price("tts-1"); got.Character != 7 {
		t.Errorf("%+v", got)
	}
	if got, _ := p.Price("all"); got.ImageInput != 3 || got.AudioInput != 4 || got.AudioOutput != 5 || got.CachedInput != 1 || got.Output != 2 {
		t.Errorf("%+v", got)
	}
	for minute, want := range map[int64]int64{0: 0, 1: 16_667, 6000: 100_000_000, math.MaxInt64: math.MaxInt64} {
		if got := perSecond(minute); got != want {
			t.Errorf("%d a minute is %d for a million seconds, want %d", minute, got, want)
		}
	}
}
