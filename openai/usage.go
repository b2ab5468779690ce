package openai

import (
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

// meter reads the numbers of a usage object, in the names of either endpoint.
// What is no whole number, or negative, counts as not reported.
func (b *rebuild) meter(v jsonx.Value) {
	input, okIn := first(v, "input_tokens", "prompt_tokens")
	output, okOut := first(v, "output_tokens", "completion_tokens")
	if !okIn {
		return
	}
	if !okOut {
		// Embeddings report no output.
		output = 0
	}
	u := claviger.Units{{Kind: claviger.UnitInput, Amount: input}, {Kind: claviger.UnitOutput, Amount: output}}
	if d, ok := firstValue(v, "input_tokens_details", "prompt_tokens_details"); ok {
		if n, ok := first(d, "cached_tokens", ""); ok {
			u = append(u, claviger.Unit{Kind: claviger.UnitCachedInput, Amount: min(n, input)})
		}
	}
	if d, ok := firstValue(v, "output_tokens_details", "completion_tokens_details"); ok {
		if n, ok := first(d, "reasoning_tokens", ""); ok {
			u = append(u, claviger.Unit{Kind: claviger.UnitReasoning, Amount: min(n, output)})
		}
	}
	b.units, b.reported, b.metered = u, true, true
}

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
// is more. Reasoning that was cut before it showed is in no estimate.
func (b *rebuild) used(r *Request) (claviger.Units, bool) {
	if b.reported {
		return b.units, true
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
