package app

import (
	"strings"

	"github.com/tiktoken-go/tokenizer"
)

// countTokens counts the tokens of a text with the encoding of the model. The
// vocabularies are part of the binary, so nothing is fetched at start. It is
// asked only where the bytes of an input exceed a limit.
func countTokens() func(model, text string) int64 {
	newer, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		return nil
	}
	older, err := tokenizer.Get(tokenizer.Cl100kBase)
	if err != nil {
		return nil
	}
	return func(model, text string) int64 {
		codec := newer
		for _, prefix := range []string{"gpt-4-", "gpt-3.5", "text-embedding"} {
			if strings.HasPrefix(model, prefix) {
				codec = older
			}
		}
		n, err := codec.Count(text)
		if err != nil {
			// Bytes bound the tokens from above.
			return int64(len(text))
		}
		return int64(n)
	}
}
