package openai

import (
	"math"
	"strconv"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// usage notes what was used and passes it on.
func (b *rebuild) usage(c *jsonx.Cursor, m *answerMember) bool {
	v := c.Value()
	if v.Kind() == jsonx.KindObject {
		b.meter(v)
	}
	if m.do == chunkUsage && !b.wantUsage {
		return false
	}
	again := v.Cursor()
	return b.value(&again, m.is)
}

// meter reads the numbers of a usage object, in the names of any endpoint.
// What is no whole number, or negative, counts as not reported.
func (b *rebuild) meter(v jsonx.Value) {
	input, okIn := first(v, "input_tokens", "prompt_tokens")
	output, okOut := first(v, "output_tokens", "completion_tokens")
	if !okIn {
		b.meterSeconds(v)
		return
	}
	if !okOut {
		// Embeddings report no output.
		output = 0
	}
	u := claviger.Units{{Kind: claviger.UnitInput, Amount: input}, {Kind: claviger.UnitOutput, Amount: output}}
	in, _ := firstValue(v, "input_tokens_details", "prompt_tokens_details")
	if in.IsZero() {
		in, _ = v.Get("input_token_details")
	}
	if n, ok := detail(in, "cached_tokens"); ok {
		u = append(u, claviger.Unit{Kind: claviger.UnitCachedInput, Amount: min(n, input)})
	}
	out, _ := firstValue(v, "output_tokens_details", "completion_tokens_details")
	if n, ok := detail(out, "reasoning_tokens"); ok {
		u = append(u, claviger.Unit{Kind: claviger.UnitReasoning, Amount: min(n, output)})
	}
	u = b.part(u, claviger.UnitImageInput, in, "image_tokens", input)
	u = b.part(u, claviger.UnitAudioInput, in, "audio_tokens", input)
	u = b.part(u, claviger.UnitAudioOutput, out, "audio_tokens", output)
	b.units, b.reported, b.metered = u, true, true
}

// part adds the part of a whole that is images or sound, where the endpoint meters
// that. Where the provider does not say, all of it is.
func (b *rebuild) part(u claviger.Units, k claviger.UnitKind, details jsonx.Value, name string, whole int64) claviger.Units {
	if !b.extra.Has(k) {
		return u
	}
	n, ok := detail(details, name)
	if !ok {
		n = whole
	}
	return append(u, claviger.Unit{Kind: k, Amount: min(n, whole)})
}

func detail(v jsonx.Value, name string) (int64, bool) {
	if v.Kind() != jsonx.KindObject {
		return 0, false
	}
	return first(v, name, "")
}

// meterSeconds reads the seconds of sound, of which each that was begun counts.
func (b *rebuild) meterSeconds(v jsonx.Value) {
	x, ok := v.Get("seconds")
	if !ok || !b.extra.Has(claviger.UnitSeconds) {
		return
	}
	if n, ok := x.Float(); ok && n >= 0 && n <= maxSeconds {
		b.units = claviger.Units{{Kind: claviger.UnitSeconds, Amount: int64(math.Ceil(n))}}
		b.reported, b.metered = true, true
	}
}

// maxSeconds is the longest sound that is believed: a year.
const maxSeconds = 365 * 24 * 3600

func first(v jsonx.Value, a, b string) (int64, bool) {
	x, ok := firstValue(v, a, b)
	if !ok {
		return 0, false
	}
	n, ok := x.Int()
	return n, ok && n >= 0
}

func firstValue(v jsonx.Value, a, b string) (jsonx.Value, bool) {
	if x, ok := v.Get(a); ok || b == "" {
		return x, ok
	}
	return v.Get(b)
}

// bytesPerToken is the estimate where the provider reports no usage: English
// text has about four bytes a token.
const bytesPerToken = 4

// used gives what the provider reported. Where it reported nothing, as when a
// stream broke off, input is its count or else a quarter of its bound, and output
// as one token for each delta that passed or for every four bytes, whichever
// is more. Reasoning that was cut before it showed is in no estimate. Of images
// and sound there is none: nil.
func (b *rebuild) used(r *Request) (claviger.Units, bool) {
	if b.reported {
		return b.units, true
	}
	if r.row.bound != nil {
		return nil, false
	}
	return claviger.Units{
		{Kind: claviger.UnitInput, Amount: r.inputEstimate()},
		{Kind: claviger.UnitOutput, Amount: max(b.deltas, (b.bytes+bytesPerToken-1)/bytesPerToken)},
	}, false
}

func parseInt(b []byte) int64 {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
