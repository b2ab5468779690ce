package detect

import (
	"hash/crc32"
	"strings"
)

// mark stands in the middle of nearly every key of OpenAI: base64 of "OpenAI".
const mark = "T3BlbkFJ"

// rules are all shapes. Where two begin alike, the longer beginning is first.
//
// OpenAI publishes no format and changes lengths, so its keys are told by
// beginning, mark and a floor of length, and never by an exact one. GitHub
// publishes the check sum, Google and AWS keep their lengths.
var rules = []rule{
	{kind: Anthropic, prefix: "sk-ant-", trigger: 2, body: word, least: 20, judge: randomly(Anthropic)},
	{kind: OpenRouter, prefix: "sk-or-", trigger: 2, body: word, least: 20, judge: randomly(OpenRouter)},
	{prefix: "sk-", trigger: 2, body: word, judge: openAI},
	{kind: OpenAISession, prefix: "sess-", trigger: 4, body: alnum, least: 32, judge: randomly(OpenAISession)},
	{kind: Account, prefix: "org-", trigger: 3, body: alnum, least: 16, judge: randomly(Account)},
	{kind: Account, prefix: "proj_", trigger: 4, body: alnum, least: 16, judge: randomly(Account)},
	{kind: Account, prefix: "user-", trigger: 4, body: alnum, least: 20, judge: randomly(Account)},
	{kind: Groq, prefix: "gsk_", trigger: 3, body: alnum, least: 40, judge: randomly(Groq)},
	{kind: XAI, prefix: "xai-", trigger: 3, body: alnum, least: 60, judge: randomly(XAI)},
	{kind: HuggingFace, prefix: "hf_", trigger: 2, body: alnum, least: 30, judge: randomly(HuggingFace)},
	{kind: Replicate, prefix: "r8_", trigger: 2, body: alnum, least: 30, judge: randomly(Replicate)},
	{kind: Perplexity, prefix: "pplx-", trigger: 4, body: alnum, least: 40, judge: randomly(Perplexity)},
	{kind: AWS, prefix: "AKIA", trigger: 1, body: upper | digit, exact: 16},
	{kind: AWS, prefix: "ASIA", trigger: 2, body: upper | digit, exact: 16},
	{prefix: "ghp_", trigger: 3, body: alnum, least: 36, judge: gitHub},
	{prefix: "gho_", trigger: 3, body: alnum, least: 36, judge: gitHub},
	{prefix: "ghu_", trigger: 3, body: alnum, least: 36, judge: gitHub},
	{prefix: "ghs_", trigger: 3, body: alnum, least: 36, judge: gitHub},
	{prefix: "ghr_", trigger: 3, body: alnum, least: 36, judge: gitHub},
	{kind: GitHubUnchecked, prefix: "github_pat_", trigger: 6, body: word, least: 60, judge: randomly(GitHubUnchecked)},
	{kind: GitLab, prefix: "glpat-", trigger: 5, body: word, least: 20, judge: randomly(GitLab)},
	{kind: NPM, prefix: "npm_", trigger: 3, body: alnum, least: 36, judge: randomly(NPM)},
	{prefix: "xox", trigger: 0, body: word, least: 20, judge: slack},
	{kind: Slack, prefix: "xapp-", trigger: 4, body: word, least: 20, judge: randomly(Slack)},
	{kind: Stripe, prefix: "sk_live_", trigger: 2, body: alnum, least: 16, judge: randomly(Stripe)},
	{kind: Stripe, prefix: "sk_test_", trigger: 2, body: alnum, least: 16, judge: randomly(Stripe)},
	{kind: Stripe, prefix: "rk_live_", trigger: 2, body: alnum, least: 16, judge: randomly(Stripe)},
	{kind: Stripe, prefix: "rk_test_", trigger: 2, body: alnum, least: 16, judge: randomly(Stripe)},
	{kind: Stripe, prefix: "whsec_", trigger: 5, body: word | token, least: 24, judge: randomly(Stripe)},
	{kind: SendGrid, prefix: "SG.", trigger: 1, body: word | token, least: 60, judge: randomly(SendGrid)},
	{kind: Supabase, prefix: "sb_secret_", trigger: 2, body: word, least: 20, judge: randomly(Supabase)},
	{kind: Supabase, prefix: "sbp_", trigger: 3, body: alnum, least: 32, judge: randomly(Supabase)},
	{prefix: "AIza", trigger: 2, body: word, exact: 35, judge: randomly(Google)},
	{prefix: "eyJ", trigger: 2, body: word | token, least: 30, judge: jwt},
	{prefix: "-----BEGIN ", trigger: 5, body: upper | digit | dash, judge: privateKey},
	{kind: Bearer, prefix: "Bearer ", trigger: 0, body: word | token, least: 16, judge: randomly(Bearer)},
	{kind: Bearer, prefix: "bearer ", trigger: 0, body: word | token, least: 16, judge: randomly(Bearer)},
}

// rulesOf are the rules by their trigger.
var rulesOf = byTrigger()

// triggers are the bytes that have rules, and the star of masked keys.
var triggers = hasRules()

func hasRules() (t [256]bool) {
	for c := range rulesOf {
		t[c] = len(rulesOf[c]) > 0
	}
	t['*'] = true
	return t
}

func byTrigger() (t [256][]*rule) {
	for i := range rules {
		c := rules[i].prefix[rules[i].trigger]
		t[c] = append(t[c], &rules[i])
	}
	return t
}

// randomly is the judge of shapes whose body must not be words.
func randomly(k Kind) func(string, int) (Kind, int) {
	return func(s string, n int) (Kind, int) {
		// A full stop ends the sentence and not the secret.
		n = len(strings.TrimRight(s[:n], "."))
		if !random(s[:n]) {
			return "", 0
		}
		return k, n
	}
}

// openAI tells the keys of OpenAI from words that begin alike, as sk-SK and
// sk-folding-cube.
func openAI(s string, n int) (Kind, int) {
	if n >= 32 && strings.Contains(s[:n], mark) {
		return OpenAI, n
	}
	if tail := masked(s[n:], n); tail > 0 {
		return Masked, n + tail
	}
	for _, p := range []string{"proj-", "svcacct-", "service-", "admin-", "None-"} {
		if rest, ok := strings.CutPrefix(s[:n], p); ok {
			if len(rest) >= 40 && random(rest) {
				return OpenAIUnmarked, n
			}
			return "", 0
		}
	}
	plain := run(s[:n], alnum)
	long := n >= 40 && strings.Count(s[:n], "-") <= n/8
	if (plain >= 20 || long) && random(s[:n]) {
		return OpenAIUnmarked, n
	}
	return "", 0
}

// masked is the length of a mask and what is shown after it, 0 when s does not
// begin with one. shown is how much was shown before. Where nothing or next to
// nothing of a key is shown, as in sk-..., it is not a key at all.
func masked(s string, shown int) int {
	n := len(s) - len(strings.TrimLeft(s, "*\u2022"))
	if n < 3 {
		n = 0
		for _, dots := range []string{"...", "\u2026"} {
			if strings.HasPrefix(s, dots) {
				n, shown = len(dots), 0
			}
		}
	}
	if n == 0 {
		return 0
	}
	tail := run(s[n:], word)
	if shown+tail < 2 {
		return 0
	}
	return n + tail
}

// maskedAt finds masked keys of any make, as in a provider's "Incorrect API key
// provided: ab******yz": the stars begin at i.
func maskedAt(s string, i, from int) (Match, bool) {
	if i > 0 && s[i-1] == '*' || !strings.HasPrefix(s[i:], "***") {
		return Match{}, false
	}
	start := i
	for start > from && is(s[start-1], word) {
		start--
	}
	start += escape(s[:i], start)
	end := i + masked(s[i:], 0)
	if i-start < 2 || end == i {
		return Match{}, false
	}
	return Match{Kind: Masked, Start: start, End: end}, true
}

// escape is how many of the bytes from start on belong to an escape that begins
// before it, as the n of \\n.
func escape(s string, start int) int {
	n := 0
	switch rest := s[start:]; {
	case start == 0 || rest == "":
	case s[start-1] == '%':
		n = 2
	case s[start-1] != '\\':
	case rest[0] == 'u':
		n = 5
	case rest[0] == 'x':
		n = 3
	case strings.IndexByte("nrtbf", rest[0]) >= 0:
		n = 1
	}
	return min(n, len(s)-start)
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// gitHub checks the sum at the end of a token: the CRC-32 of the 30 characters
// before it, in base 62 (github.blog, "Behind GitHub's new authentication token
// formats", 2021).
func gitHub(s string, n int) (Kind, int) {
	if n == 36 {
		sum := crc32.ChecksumIEEE([]byte(s[:30]))
		var want [6]byte
		for i := 5; i >= 0; i-- {
			want[i] = base62[sum%62]
			sum /= 62
		}
		if s[30:36] == string(want[:]) {
			return GitHub, n
		}
	}
	return randomly(GitHubUnchecked)(s, n)
}

func slack(s string, n int) (Kind, int) {
	if !strings.ContainsRune("abceoprs", rune(s[0])) || s[1] != '-' {
		return "", 0
	}
	return randomly(Slack)(s, n)
}

// jwt wants three parts or, sealed, five. The middle ones may be empty.
func jwt(s string, _ int) (Kind, int) {
	head := strings.IndexByte(s[:min(len(s), window)], '.')
	if head < 8 || run(s[:head], word) < head {
		return "", 0
	}
	n, dots := 0, 0
	for n < len(s) && (is(s[n], word) || s[n] == '.') {
		if s[n] == '.' {
			dots++
		}
		n++
	}
	n = len(strings.TrimRight(s[:n], "."))
	if dots < 2 || n < 30 {
		return "", 0
	}
	return JWT, n
}

// privateKey takes a block to its end, or to the end of the text where that is
// missing.
func privateKey(s string, _ int) (Kind, int) {
	head := strings.Index(s[:min(len(s), 32)], "PRIVATE KEY")
	if head < 0 || strings.IndexByte(s[:head], '\n') >= 0 {
		return "", 0
	}
	end := strings.Index(s, "-----END ")
	if end < 0 {
		return PrivateKey, len(s)
	}
	end += len("-----END ")
	if last := strings.Index(s[end:], "-----"); last >= 0 && last < 40 {
		return PrivateKey, end + last + len("-----")
	}
	return PrivateKey, end
}
