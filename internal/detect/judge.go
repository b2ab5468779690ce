package detect

import (
	"encoding/base64"
	"math"
	"strings"
)

// Weight is what a find means without its surroundings.
type Weight int

// The weights.
const (
	// WeightNone is no secret: an account id, a masked key, a placeholder, or a
	// value that is meant for browsers.
	WeightNone Weight = iota
	// WeightUnsure is a secret only in some surroundings: a token whose kind
	// cannot be told, or a key of which the owner may have made a public one.
	WeightUnsure
	// WeightSecret is a secret wherever it stands.
	WeightSecret
)

// Weigh says what a match of Find in s means.
func Weigh(s string, m Match) Weight {
	text := s[m.Start:m.End]
	switch m.Kind {
	case Account, Masked:
		return WeightNone
	case PrivateKey:
		return weighPrivateKey(text)
	case JWT:
		return weighJWT(text)
	case Bearer:
		if fake(strings.TrimSpace(text[len("Bearer "):])) {
			return WeightNone
		}
		return WeightUnsure
	case Stripe:
		if strings.Contains(text[:min(len(text), 8)], "_test_") {
			return WeightUnsure
		}
	default:
	}
	if fake(text) {
		return WeightNone
	}
	switch m.Kind {
	case Google, OpenAIUnmarked, GitHubUnchecked, OpenAISession:
		return WeightUnsure
	default:
		return WeightSecret
	}
}

// Provider reports whether a kind of key buys answers of a model.
func (k Kind) Provider() bool {
	switch k {
	case OpenAI, OpenAIUnmarked, OpenAISession, Anthropic, OpenRouter, Groq, XAI, HuggingFace, Replicate, Perplexity:
		return true
	default:
		return false
	}
}

// weighPrivateKey wants a body of some length, so that code that writes or
// strips the armour is none.
func weighPrivateKey(text string) Weight {
	body := strings.NewReplacer(`\n`, "", "\n", "", "\r", "").Replace(text)
	if i := strings.Index(body, "KEY-----"); i >= 0 {
		body = body[i+len("KEY-----"):]
	}
	body, _, _ = strings.Cut(body, "-----")
	body = strings.TrimSpace(body)
	if n := run(body, word|token); n < 48 || !random(body[:n]) || fake(body[:n]) {
		return WeightNone
	}
	return WeightSecret
}

// weighJWT reads what a token says of itself: Supabase makes a public key and
// one that opens everything in the same shape.
func weighJWT(text string) Weight {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return WeightUnsure
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	switch {
	case err != nil:
		return WeightNone
	case strings.Contains(string(payload), `"supabase-demo"`):
		return WeightNone // the keys of every local installation
	case strings.Contains(string(payload), `"service_role"`):
		return WeightSecret
	case strings.Contains(string(payload), `"anon"`):
		return WeightNone
	}
	return WeightUnsure
}

// fake reports whether what has the shape of a key was written by a person: a
// placeholder, a row of the same or of neighbouring characters, or too few
// different ones.
func fake(s string) bool {
	body := s
	if i := strings.LastIndexAny(s[:min(len(s), 14)], "-_"); i >= 0 {
		body = s[i+1:]
	}
	if IsPlaceholder(s) || IsPlaceholder(body) {
		return true
	}
	same, next := 1, 1
	for i := 1; i < len(s); i++ {
		same, next = grow(same, s[i] == s[i-1]), grow(next, s[i] == s[i-1]+1)
		if same >= 6 || next >= 6 {
			return true
		}
	}
	for w := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool { return r > 127 || !is(byte(r), alnum) }) {
		switch w {
		case "fake", "dummy", "test", "mock", "demo", "notreal", "invalid", "redacted", "canary":
			return true
		}
	}
	return Entropy(body) < math.Min(3, 0.75*math.Log2(float64(max(2, len(body)))))
}

func grow(n int, more bool) int {
	if more {
		return n + 1
	}
	return 1
}

// Entropy is Shannon's, in bits a character, of the characters of s.
func Entropy(s string) float64 {
	var count [256]int
	for i := range len(s) {
		count[s[i]]++
	}
	sum := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(s))
			sum -= p * math.Log2(p)
		}
	}
	return sum
}
