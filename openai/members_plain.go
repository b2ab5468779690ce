package openai

import (
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// The members of POST /embeddings and POST /moderations.

// tokenNumber is one token of an input that comes tokenised.
var tokenNumber = &shape{kinds: kNumber, whole: true}

// embeddingInput is a text, texts, tokens, or lists of tokens.
var embeddingInput = or(&shape{kinds: kString, least: 1}, list(
	or(&shape{kinds: kString | kNumber, least: 1, whole: true}, list(tokenNumber, 1, 8192)), 1, 8192))

func embeddingsMembers() []field {
	return []field{
		{name: "model", is: modelName, need: true, take: takeModel},
		{name: "input", is: embeddingInput, need: true, counts: true},
		{name: "encoding_format", is: oneOf("float", "base64")},
		{name: "dimensions", is: integer},
		{name: "user", is: &shape{kinds: kString | kNull, most: 512}, take: takeUser},
	}
}

func moderationsMembers() []field {
	return []field{
		{name: "model", is: modelName, take: takeModel},
		{name: "input", need: true, counts: true, is: or(anyString, list(
			or(anyString, tagged("type", chatText, chatImage)), 1, 0))},
	}
}

// moderationModel is what OpenAI takes when a moderation names no model.
const moderationModel = "omni-moderation-latest"

// modelName is a model: letters, digits and the few marks that model names
// have, so that no name can mean anything in a path, a log or a pattern.
var modelName = &shape{kinds: kString, least: 1, most: 256, check: func(w *walker, v jsonx.Value) error {
	if strings.IndexFunc(v.Str(), notModel) >= 0 {
		return w.invalid("", "Not the name of a model")
	}
	return nil
}}

func notModel(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("-._:/", r)
}
