// Package keyscan finds secrets that stand literally in texts: real values of
// the project's variables, and what has the shape of a key.
package keyscan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/detect"
)

// Hit is one secret in one text.
type Hit struct {
	// Start and End are bytes of the text.
	Start, End int
	// Secret is the fingerprint of what was found.
	Secret string
	// What names it for a sentence: "a key of OpenAI (sk-proj-…)".
	What string
	Kind detect.Kind
	// Value is set where it is the value of a variable.
	Value      *canary.Value
	Confidence report.Confidence
}

// Find returns the secrets of a text, each once. joined says whether pieces of
// strings are put together first, which is for code.
func Find(text string, values *canary.Set, joined bool) []Hit {
	c := collector{}
	hits := values.Find(text)
	c.values(hits, func(i int) int { return i }, "")
	matches := detect.Find(text)
	c.patterns(text, matches, detect.WeightSecret)
	if joined {
		c.joined(text, values)
	}
	// A piece of a key may have the weaker shape of a whole one.
	c.patterns(text, matches, detect.WeightUnsure)
	encoded(text, func(start, end int, key string, m detect.Match) {
		if detect.Weigh(key, m) == detect.WeightSecret {
			c.add(Hit{Start: start, End: end, Kind: m.Kind, Confidence: report.ConfidenceCertain}, key[m.Start:m.End], " in base64")
		}
	})
	c.pieces(hits)
	slices.SortStableFunc(c.hits, func(a, b Hit) int { return a.Start - b.Start })
	return c.hits
}

type collector struct{ hits []Hit }

func (c *collector) known(secret string, start int) bool {
	return slices.ContainsFunc(c.hits, func(h Hit) bool { return h.Secret == secret || start >= h.Start && start < h.End })
}

func (c *collector) values(hits []canary.Hit, offset func(int) int, how string) {
	for _, h := range hits {
		start, end := offset(h.Start), offset(h.End)
		if h.Piece != 0 || c.known(h.Value.Fingerprint, start) {
			continue
		}
		hit := Hit{Start: start, End: end, Secret: h.Value.Fingerprint, Value: h.Value, Confidence: report.ConfidenceCertain}
		hit.What = "the value of " + h.Value.Name
		if h.Form != "as it is" {
			hit.What += " " + h.Form
		}
		hit.What += how
		c.hits = append(c.hits, hit)
	}
}

// pieces are values of which beginning and end stand in a text, apart.
func (c *collector) pieces(hits []canary.Hit) {
	for _, h := range hits {
		if h.Piece != 0 && !c.known(h.Value.Fingerprint, h.Start) {
			c.hits = append(c.hits, Hit{
				Start: h.Start, End: h.End, Secret: h.Value.Fingerprint, Value: h.Value, Confidence: report.ConfidenceLikely,
				What: "the value of " + h.Value.Name + " in pieces",
			})
		}
	}
}

// joined finds what stands across the places where pieces are put together.
func (c *collector) joined(text string, values *canary.Set) {
	const how = ", in pieces that the code joins"
	j, ok := Join(text)
	if !ok {
		return
	}
	c.values(values.Find(j.Text), j.Offset, how)
	for _, m := range detect.Find(j.Text) {
		start, end := j.Offset(m.Start), j.Offset(m.End)
		marked := m.Kind == detect.OpenAI || m.Kind == detect.Anthropic
		if marked && end-start > m.End-m.Start && detect.Weigh(j.Text, m) == detect.WeightSecret {
			c.add(Hit{Start: start, End: end, Kind: m.Kind, Confidence: report.ConfidenceCertain}, j.Text[m.Start:m.End], how)
		}
	}
}

func (c *collector) patterns(text string, matches []detect.Match, weight detect.Weight) {
	for _, m := range matches {
		w := detect.Weigh(text, m)
		if w != weight {
			continue
		}
		confidence := report.ConfidenceCertain
		if w == detect.WeightUnsure {
			if !inContext(text, m) {
				continue
			}
			confidence = report.ConfidenceLikely
		}
		c.add(Hit{Start: m.Start, End: m.End, Kind: m.Kind, Confidence: confidence}, text[m.Start:m.End], "")
	}
}

// add keeps a key that has the shape of one, unless it is known.
func (c *collector) add(h Hit, key, how string) {
	h.Secret = report.SecretFingerprint(key)
	if c.known(h.Secret, h.Start) {
		return
	}
	h.What = describe(h.Kind, key) + how
	c.hits = append(c.hits, h)
}

var generative = regexp.MustCompile(`(?i)gemini|generative|genai|google_ai|vertex|palm`)

// inContext decides about what is a secret in some surroundings only.
func inContext(text string, m detect.Match) bool {
	before := text[max(0, m.Start-120):m.Start]
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	switch m.Kind {
	case detect.OpenAIUnmarked, detect.OpenAISession:
		return true
	case detect.GitHubUnchecked:
		return true
	case detect.Google:
		return generative.MatchString(before)
	case detect.JWT:
		return strings.Contains(strings.ToLower(before), "service_role") || strings.Contains(strings.ToLower(before), "servicerole")
	default:
		return false
	}
}

// owners are the names of the makers, for sentences.
var owners = map[detect.Kind]string{
	detect.OpenAI: "OpenAI", detect.OpenAIUnmarked: "OpenAI or a provider with keys of that shape", detect.OpenAISession: "OpenAI's dashboard",
	detect.Anthropic: "Anthropic", detect.OpenRouter: "OpenRouter", detect.Groq: "Groq", detect.XAI: "xAI", detect.HuggingFace: "Hugging Face",
	detect.Replicate: "Replicate", detect.Perplexity: "Perplexity", detect.AWS: "AWS", detect.GitHub: "GitHub", detect.GitHubUnchecked: "GitHub",
	detect.GitLab: "GitLab", detect.NPM: "npm", detect.Slack: "Slack", detect.Stripe: "Stripe", detect.SendGrid: "SendGrid", detect.Supabase: "Supabase",
	detect.Google: "Google", detect.JWT: "a token issuer",
}

// shownPrefix is how a key begins by its maker's rules. No byte that is random is
// in it.
var shownPrefix = regexp.MustCompile(`^(sk-(proj|svcacct|admin|service|None|ant|or-v1)-|sk-|gsk_|xai-|hf_|r8_|pplx-|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|npm_|xox[a-z]-|xapp-|sk_live_|rk_live_|whsec_|SG\.|sb_secret_|sbp_|AIza|sess-)`)

func describe(kind detect.Kind, key string) string {
	if kind == detect.PrivateKey {
		return "a private key"
	}
	name := "a key of " + owners[kind]
	if p := shownPrefix.FindString(key); p != "" {
		name = fmt.Sprintf("%s (%s…)", name, p)
	}
	return name
}
