package app

import (
	"strings"
	"sync"

	"github.com/tiktoken-go/tokenizer"
)

// countTokens counts the tokens of a text with the encoding of the model. The
// vocabularies are part of the binary, so nothing is fetched at start; they are
// unpacked when the first input has more bytes than its limit has tokens.
func countTokens() func(model, text string) int64 {
	newer := sync.OnceValues(func() (tokenizer.Codec, error) { return tokenizer.Get(tokenizer.O200kBase) })
	older := sync.OnceValues(func() (tokenizer.Codec, error) { return tokenizer.Get(tokenizer.Cl100kBase) })
	return func(model, text string) int64 {
		get := newer
		for _, prefix := range []string{"gpt-4-", "gpt-3.5", "text-embedding"} {
			if strings.HasPrefix(model, prefix) {
				get = older
			}
		}
		// Bytes bound the tokens from above.
		bound := int64(len(text))
		codec, err := get()
		if err != nil {
			return bound
		}
		n, err := codec.Count(text)
		if err != nil {
			return bound
		}
		return int64(n)
	}
}
