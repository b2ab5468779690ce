// Package detect finds secrets in text by their shapes. It knows no context:
// whether a find is a leak is for others to say. All of it is pure.
package detect

import "strings"

// Kind names what was found.
type Kind string

// The kinds. The ones named "unmarked" or "unchecked" have the outer shape
// alone: the mark or check sum that would prove them is not there.
const (
	// OpenAI is a key of OpenAI with its mark in the middle.
	OpenAI Kind = "openai"
	// OpenAIUnmarked is what begins as an OpenAI key, long and random enough,
	// without the mark. Other providers make such keys, too.
	OpenAIUnmarked Kind = "openai-unmarked"
	// Masked is a key with its middle taken out, as sk-ab***yz.
	Masked Kind = "masked"
	// Account is the id of an organisation, project or user of OpenAI.
	Account         Kind = "account"
	OpenAISession   Kind = "openai-session"
	Anthropic       Kind = "anthropic"
	OpenRouter      Kind = "openrouter"
	Groq            Kind = "groq"
	XAI             Kind = "xai"
	HuggingFace     Kind = "huggingface"
	Replicate       Kind = "replicate"
	Perplexity      Kind = "perplexity"
	AWS             Kind = "aws"
	GitHub          Kind = "github"
	GitHubUnchecked Kind = "github-unchecked"
	GitLab          Kind = "gitlab"
	NPM             Kind = "npm"
	Slack           Kind = "slack"
	Stripe          Kind = "stripe"
	SendGrid        Kind = "sendgrid"
	Supabase        Kind = "supabase"
	Google          Kind = "google"
	JWT             Kind = "jwt"
	PrivateKey      Kind = "private-key"
	Bearer          Kind = "bearer"
)

// Match is one find: s[Start:End].
type Match struct {
	Kind       Kind
	Start, End int
}

// Find returns what looks like a secret in s, in order and without overlap. It
// reads s once; on text without secrets it allocates nothing.
func Find(s string) []Match {
	var found []Match
	from := 0
	for i := 0; i < len(s); i++ {
		if !triggers[s[i]] {
			continue
		}
		if m, ok := at(s, i, from); ok {
			found = append(found, m)
			from = m.End
			i = max(i, m.End-1)
		}
	}
	return found
}

// Has reports whether Find would find something.
func Has(s string) bool {
	for i := range len(s) {
		if triggers[s[i]] {
			if _, ok := at(s, i, 0); ok {
				return true
			}
		}
	}
	return false
}

// Replace puts with in the place of all that Find finds.
func Replace(s, with string) string {
	found := Find(s)
	if len(found) == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	at := 0
	for _, m := range found {
		b.WriteString(s[at:m.Start])
		b.WriteString(with)
		at = m.End
	}
	b.WriteString(s[at:])
	return b.String()
}

// at tries the rules whose trigger is s[i], on what begins at from or later.
func at(s string, i, from int) (Match, bool) {
	if s[i] == '*' {
		return maskedAt(s, i, from)
	}
	// Most triggers are seen not to be one by the byte before or behind.
	for _, r := range rulesOf[s[i]] {
		switch {
		case r.trigger > 0 && (i == 0 || s[i-1] != r.prefix[r.trigger-1]),
			r.trigger == 0 && (i+1 == len(s) || s[i+1] != r.prefix[1]):
			continue
		}
		if m, ok := r.at(s, i, from); ok {
			return m, true
		}
	}
	return Match{}, false
}

// window is how much of a body is looked at to decide, so that a text made of
// nothing but beginnings takes no longer than another.
const window = 400

// rule is one shape: a fixed beginning, and a body of certain characters. The
// search stops at the trigger, the rarest byte of the beginning, and compares
// around it.
type rule struct {
	kind    Kind
	prefix  string
	trigger int
	body    class
	least   int
	// exact, when positive, is the only length that the body may have.
	exact int
	// judge, when set, gets all that follows the beginning and how long the
	// body is. It says what was found and how much belongs to it. An empty kind
	// is no find.
	judge func(s string, body int) (Kind, int)
}

func (r *rule) at(s string, i, from int) (Match, bool) {
	start := i - r.trigger
	if start < from || len(s)-start < len(r.prefix) || !strings.HasPrefix(s[start:], r.prefix) {
		return Match{}, false
	}
	rest := s[start+len(r.prefix):]
	n := run(rest[:min(len(rest), window)], r.body)
	if n < r.least || r.exact > 0 && n != r.exact {
		return Match{}, false
	}
	kind := r.kind
	if r.judge != nil {
		kind, n = r.judge(rest, n)
	}
	// The mark of OpenAI is proof enough, whatever stands before.
	if kind == "" || kind != OpenAI && !begins(s, start) {
		return Match{}, false
	}
	if n == window {
		n += run(rest[n:], r.body)
	}
	return Match{Kind: kind, Start: start, End: start + len(r.prefix) + n}, true
}

// begins reports whether a word can begin at i: nothing of a word is before it,
// or an escape as \n, \u003d or %3D.
func begins(s string, i int) bool {
	if i == 0 || !is(s[i-1], alnum) {
		return true
	}
	c := s[i-1]
	switch {
	case i >= 2 && s[i-2] == '\\' && strings.IndexByte("nrtbf", c) >= 0:
		return true
	case i >= 3 && s[i-3] == '%' && is(s[i-2], hex) && is(c, hex):
		return true
	case i >= 6 && s[i-6] == '\\' && s[i-5] == 'u':
		return run(s[i-4:i], hex) == 4
	case i >= 4 && s[i-4] == '\\' && s[i-3] == 'x':
		return run(s[i-2:i], hex) == 2
	}
	return false
}

// class is a set of characters.
type class uint8

const (
	lower class = 1 << iota
	upper
	digit
	dash  // - and _
	hex   // lower and upper
	token // what else a bearer token may hold: . ~ + / =
	alnum = lower | upper | digit
	word  = alnum | dash
)

var classes = makeClasses()

func makeClasses() (t [256]class) {
	for c := range t {
		switch {
		case 'a' <= c && c <= 'z':
			t[c] |= lower
		case 'A' <= c && c <= 'Z':
			t[c] |= upper
		case '0' <= c && c <= '9':
			t[c] |= digit | hex
		case c == '-' || c == '_':
			t[c] |= dash
		case strings.ContainsRune(".~+/=", rune(c)):
			t[c] |= token
		}
		if 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' {
			t[c] |= hex
		}
	}
	return t
}

func is(c byte, of class) bool { return classes[c]&of != 0 }

// run is how many of the first bytes of s are of a class.
func run(s string, of class) int {
	for i := range len(s) {
		if classes[s[i]]&of == 0 {
			return i
		}
	}
	return len(s)
}

// random reports whether s could come from a random source: neither words nor
// a row of the same characters.
func random(s string) bool {
	var seen [256]bool
	distinct, digits, turns := 0, 0, 0
	for i := range len(s) {
		c := s[i]
		if !seen[c] {
			seen[c] = true
			distinct++
		}
		if is(c, digit) {
			digits++
		}
		if i > 0 && is(s[i-1], lower) && is(c, upper) {
			turns++
		}
	}
	return distinct >= min(8, len(s)/2) && (digits >= 2 || turns >= 3)
}
