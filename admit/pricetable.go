package admit

// tableDate is the day on which the table was put together, from public code and
// articles: it was not held against the provider's own page. An operator whose
// budget has to be exact sets prices in the configuration, and so does one
// who uses a model that sources disagree about, which is not here.
const tableDate = "2026-11-24"

// usd and mill are a dollar and a thousandth of one, in millionths.
const (
	usd  = int64(1_000_000)
	mill = usd / 1000
)

// longContext is where the long-context prices of the newer large models begin.
const longContext = 272_000

// table is the list prices by model, input, cached input and output, in USD for
// each million tokens as the provider's price page gives them. Models whose
// calls cost more than what is metered here (search, realtime, research), those
// that are paid by the image, and those that sources disagree about are left out
// on purpose, and so have no price.
func table() map[string]Price {
	return map[string]Price{
		"gpt-5.5":      long(5*usd, 500*mill, 30*usd),
		"gpt-5.5-pro":  long(30*usd, 30*usd, 180*usd),
		"gpt-5.4":      long(2500*mill, 250*mill, 15*usd),
		"gpt-5.4-pro":  long(30*usd, 30*usd, 180*usd),
		"gpt-5.4-mini": flat(750*mill, 75*mill, 4500*mill),
		"gpt-5.4-nano": flat(200*mill, 20*mill, 1250*mill),

		"gpt-5.3-chat-latest": flat(1750*mill, 175*mill, 14*usd),
		"gpt-5.3-codex":       flat(1750*mill, 175*mill, 14*usd),
		"gpt-5.2":             flat(1750*mill, 175*mill, 14*usd),
		"gpt-5.2-chat-latest": flat(1750*mill, 175*mill, 14*usd),
		"gpt-5.2-codex":       flat(1750*mill, 175*mill, 14*usd),
		"gpt-5.2-pro":         flat(21*usd, 21*usd, 168*usd),
		"gpt-5.1":             flat(1250*mill, 125*mill, 10*usd),
		"gpt-5.1-chat-latest": flat(1250*mill, 125*mill, 10*usd),
		"gpt-5.1-codex":       flat(1250*mill, 125*mill, 10*usd),
		"gpt-5.1-codex-max":   flat(1250*mill, 125*mill, 10*usd),
		"gpt-5.1-codex-mini":  flat(250*mill, 25*mill, 2*usd),
		"gpt-5":               flat(1250*mill, 125*mill, 10*usd),
		"gpt-5-chat-latest":   flat(1250*mill, 125*mill, 10*usd),
		"gpt-5-codex":         flat(1250*mill, 125*mill, 10*usd),
		"gpt-5-mini":          flat(250*mill, 25*mill, 2*usd),
		"gpt-5-nano":          flat(50*mill, 5*mill, 400*mill),
		"gpt-5-pro":           flat(15*usd, 15*usd, 120*usd),

		"gpt-4.1":           flat(2*usd, 500*mill, 8*usd),
		"gpt-4.1-mini":      flat(400*mill, 100*mill, 1600*mill),
		"gpt-4.1-nano":      flat(100*mill, 25*mill, 400*mill),
		"gpt-4o":            flat(2500*mill, 1250*mill, 10*usd),
		"gpt-4o-2024-05-13": flat(5*usd, 5*usd, 15*usd),
		"gpt-4o-mini":       flat(150*mill, 75*mill, 600*mill),
		"chatgpt-4o-latest": flat(5*usd, 5*usd, 15*usd),
		"gpt-4-turbo":       flat(10*usd, 10*usd, 30*usd),
		"gpt-4":             flat(30*usd, 30*usd, 60*usd),
		"gpt-3.5-turbo":     flat(500*mill, 500*mill, 1500*mill),

		"o1":                flat(15*usd, 7500*mill, 60*usd),
		"o1-pro":            flat(150*usd, 150*usd, 600*usd),
		"o3":                flat(2*usd, 500*mill, 8*usd),
		"o3-pro":            flat(20*usd, 20*usd, 80*usd),
		"o3-mini":           flat(1100*mill, 550*mill, 4400*mill),
		"o4-mini":           flat(1100*mill, 275*mill, 4400*mill),
		"codex-mini-latest": flat(1500*mill, 375*mill, 6*usd),

		"text-embedding-3-small": flat(20*mill, 20*mill, 0),
		"text-embedding-3-large": flat(130*mill, 130*mill, 0),
		"text-embedding-ada-002": flat(100*mill, 100*mill, 0),
		"omni-moderation":        flat(0, 0, 0),
		"omni-moderation-latest": flat(0, 0, 0),

		"gpt-image-1":            {Input: 5 * usd, CachedInput: 5 * usd, ImageInput: 10 * usd, Output: 40 * usd},
		"gpt-image-1-mini":       {Input: 2 * usd, CachedInput: 2 * usd, ImageInput: 2500 * mill, Output: 8 * usd},
		"gpt-4o-transcribe":      {Input: 2500 * mill, CachedInput: 2500 * mill, AudioInput: 6 * usd, Output: 10 * usd},
		"gpt-4o-mini-transcribe": {Input: 1250 * mill, CachedInput: 1250 * mill, AudioInput: 3 * usd, Output: 5 * usd},
		"gpt-4o-mini-tts":        {Input: 600 * mill, CachedInput: 600 * mill, AudioOutput: 12 * usd},
		"tts-1":                  {Character: 15 * usd},
		"tts-1-hd":               {Character: 30 * usd},
		// 0.006 USD a minute.
		"whisper-1": {Second: 100 * usd},
	}
}

// toolTable is what one call of a hosted tool costs beside its tokens, where the
// provider has one price for it: searches on the web at that of the dearest models,
// and running code at that of a container, which each call may need anew. Drawing
// is paid by an image model's tokens, and what is asked of others by what they
// take: neither has a price here. Those of searches on the web were read in public
// articles, the others are commonly known; none is from the provider's own page.
func toolTable() map[string]int64 {
	return map[string]int64{
		"web_search":         10_000,
		"web_search_preview": 25_000,
		"file_search":        2_500,
		"code_interpreter":   30_000,
	}
}

func flat(in, cached, out int64) Price { return Price{Input: in, CachedInput: cached, Output: out} }

func long(in, cached, out int64) Price {
	return Price{Input: in, CachedInput: cached, Output: out, LongFrom: longContext}
}
