package upstream

import (
	"bytes"
	"io"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

const (
	maxMessage = 1024    // bytes of a message that is passed on
	maxJudged  = 4 << 20 // bytes of a request that is searched for the caller's own values
	maxWord    = 18      // letters of a plain word
	maxDigits  = 9       // digits of numbers in a row
	maxLetters = 3       // single letters in a row
)

// judge decides whether what the provider says about a refusal may reach the
// caller. It is an allow list: a message passes if each of its tokens is a plain
// word, a number, the name of a parameter or a model, or a value that the caller
// sent. One token that is none of these holds back the whole message, so that
// nothing depends on recognising where a secret begins and ends.
type judge struct {
	model string
	body  claviger.BodySource

	sent   []byte
	opened bool
}

// message reports whether m may be passed on.
func (j *judge) message(m string) bool {
	if m == "" || len(m) > maxMessage {
		return false
	}
	for i := range len(m) {
		if m[i] < ' ' || m[i] == 0x7f {
			return false
		}
	}
	digits, letters := 0, 0
	for t := range strings.FieldsFuncSeq(m, separates) {
		t = trim(t)
		n, isNumber := number(t)
		switch {
		case t == "":
			continue
		case isNumber:
			digits, letters = digits+n, 0
		case len(t) == 1 && alphanumeric(t[0]):
			digits, letters = 0, letters+1
		case j.token(t):
			digits, letters = 0, 0
		default:
			return false
		}
		if digits > maxDigits || letters > maxLetters {
			return false
		}
	}
	return true
}

// param reports whether p is the name of a parameter.
func (j *judge) param(p string) bool { return len(p) <= 256 && p != "" && j.path(p) }

func separates(r rune) bool {
	switch r {
	case ' ', '\'', '"', '`', '(', ')', '{', '}', '<', '>', '=', ',', ';', '!', '?', '‘', '’', '“', '”', '–', '—', '…':
		return true
	}
	return false
}

// trim takes off the punctuation that ends a sentence or a list: a period, a
// colon, brackets without their other half.
func trim(t string) string {
	if strings.Trim(t, "[]") == "" || t == "-" {
		return ""
	}
	t = strings.TrimSuffix(t, ":")
	for {
		n := len(t)
		t = strings.TrimSuffix(strings.TrimPrefix(t, "["), ".")
		if !strings.Contains(t, "[") {
			t = strings.TrimRight(t, "]")
		}
		if len(t) == n {
			return t
		}
	}
}

// number reports whether t is a plain number, and how many digits it has.
func number(t string) (digits int, ok bool) {
	t = strings.TrimSuffix(strings.TrimPrefix(t, "-"), "%")
	points := 0
	for i := range len(t) {
		switch {
		case '0' <= t[i] && t[i] <= '9':
			digits++
		case t[i] == '.' && i > 0 && points == 0:
			points++
		default:
			return 0, false
		}
	}
	return digits, digits > 0
}

func (j *judge) token(t string) bool {
	if len(t) > 128 || forbidden(t) {
		return false
	}
	_, isValue := values[t]
	return isValue || plainWord(t) || j.path(t) || j.modelName(t) || compound(t) || j.own(t)
}

// forbidden words speak of the account, of credentials or of a program's
// insides, whatever stands beside them.
func forbidden(t string) bool {
	switch strings.ToLower(t) {
	case "organization", "organizations", "organisation", "organisations", "org", "project", "projects", "tenant",
		"account", "accounts", "billing", "quota", "credit", "credits", "subscription", "payment", "invoice", "owner", "admin",
		"bearer", "credential", "credentials", "password", "passphrase", "authorization", "cookie", "secret", "secrets",
		"localhost", "host", "hostname", "traceback", "goroutine", "panic", "exception", "stacktrace", "sk", "eyj":
		return true
	}
	return false
}

// plainWord reports whether t looks like a word of a sentence: letters alone,
// in the case of a word, and of a length and with vowels as words have them.
func plainWord(t string) bool {
	if len(t) > maxWord {
		return false
	}
	upper, consonants, vowels := 0, 0, 0
	for i := range len(t) {
		c := t[i]
		switch {
		case 'A' <= c && c <= 'Z':
			upper++
			c |= 0x20
		case c < 'a' || c > 'z':
			return false
		}
		if strings.IndexByte("aeiouy", c) >= 0 {
			vowels++
			consonants = 0
			continue
		}
		if consonants++; consonants > 5 {
			return false
		}
	}
	switch {
	case upper == len(t): // an abbreviation, or a word said loudly
		return len(t) <= 5 || vowels > 0 && len(t) <= 12
	case upper > 1, upper == 1 && (t[0] < 'A' || t[0] > 'Z'):
		return false
	}
	return vowels > 0 || len(t) < 4
}

// path reports whether t names a parameter, as "messages[0].content" or
// "tools.0.type": every part of it is in the vocabulary or was sent.
func (j *judge) path(t string) bool {
	rest, more := t, true
	for first := true; more; first = false {
		var part string
		part, rest, more = strings.Cut(rest, ".")
		if n, ok := number(part); ok && !first && n <= 4 && part[0] != '-' {
			continue
		}
		name, ok := cutIndexes(part)
		if !ok || !j.known(name) {
			return false
		}
	}
	return true
}

// cutIndexes takes "[0][12]" off the end of a part.
func cutIndexes(part string) (name string, ok bool) {
	name, index, found := strings.Cut(part, "[")
	for found {
		var n string
		n, index, found = strings.Cut(index, "]")
		if digits, isNumber := number(n); !found || !isNumber || digits > 4 || n[0] == '-' {
			return "", false
		}
		if index == "" {
			break
		}
		if index, found = strings.CutPrefix(index, "["); !found {
			return "", false
		}
	}
	return name, name != ""
}

func (j *judge) known(name string) bool {
	_, ok := members[name]
	return ok || j.own(name)
}

// modelName reports whether t is the model that was asked for, also with a
// date, or is built like the provider's names: a known family, then parts that
// its models have.
func (j *judge) modelName(t string) bool {
	if dated, ok := strings.CutPrefix(t, j.model); ok && j.model != "" {
		return strings.Trim(dated, "-0123456789") == "" && len(dated) <= len("-2006-01-02")
	}
	head, rest, more := strings.Cut(t, "-")
	switch head {
	case "gpt", "chatgpt", "text", "omni", "dall", "whisper", "tts", "codex", "computer", "davinci", "babbage", "sora":
		if !more {
			return false
		}
	default:
		if len(head) != 2 || head[0] != 'o' || head[1] < '1' || head[1] > '9' {
			return false
		}
	}
	for n := 0; more; n++ {
		var part string
		part, rest, more = strings.Cut(rest, "-")
		if n == 8 || !modelPart(part) {
			return false
		}
	}
	return true
}

// modelPart accepts "mini", "4o", "3.5", "16k", "2024".
func modelPart(p string) bool {
	switch p {
	case "mini", "nano", "pro", "turbo", "preview", "latest", "stable", "small", "large", "max", "hd", "e", "ada", "audio", "chat", "codex",
		"deep", "research", "diarize", "embedding", "image", "instruct", "moderation", "realtime", "search", "transcribe", "tts", "use", "vision":
		return true
	}
	n, ok := number(strings.TrimRight(p, "ok"))
	return ok && n <= 4 && p[0] != '-' && !strings.Contains(p, "%")
}

// compound accepts words joined by hyphens where one of them is a usual part of
// compounds, so that the name of a machine does not pass for one.
func compound(t string) bool {
	head, tail, ok := strings.Cut(t, "-")
	if !ok || !plainWord(head) || !plainWord(tail) || head == "" || tail == "" || idPrefix(head) {
		return false
	}
	switch strings.ToLower(head) {
	case "non", "pre", "re", "multi", "self", "well", "zero", "single", "built", "read", "write", "case", "low", "high", "long", "short":
		return true
	}
	switch tail {
	case "only", "based", "encoded", "specific", "defined", "level", "separated", "empty", "type", "side", "turn", "in", "out", "like", "safe":
		return true
	}
	return false
}

// own reports whether t is a name or a value that the caller sent: the whole of
// a string in the request, of a shape that no credential and no id has.
func (j *judge) own(t string) bool {
	if len(t) > 40 || !identifier(t) {
		return false
	}
	if !j.opened {
		j.opened = true
		j.sent = j.open()
	}
	return bytes.Contains(j.sent, jsonx.AppendString(nil, t))
}

func (j *judge) open() []byte {
	if j.body == nil || j.body.Len() > maxJudged {
		return nil
	}
	r := j.body.Open()
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.LimitReader(r, maxJudged))
	if err != nil {
		return nil
	}
	return b
}

// identifier reports whether t is a name as programmers give them, and neither
// random nor an id: parts joined by underscores or hyphens, none of them long,
// none of them letters and digits mixed but for a number at its end.
func identifier(t string) bool {
	if t == "" || t[0] >= '0' && t[0] <= '9' {
		return false
	}
	parts := 0
	for p := range strings.FieldsFuncSeq(t, func(r rune) bool { return r == '_' || r == '-' }) {
		if parts == 0 && idPrefix(p) && p != t {
			return false
		}
		if parts++; !identifierPart(p) {
			return false
		}
	}
	return parts > 0
}

func identifierPart(p string) bool {
	letters := strings.TrimRight(p, "0123456789")
	if len(p)-len(letters) > 4 || len(letters) > 24 {
		return false
	}
	humps, consonants := 0, 0
	for i := range len(letters) {
		c := letters[i]
		switch {
		case 'A' <= c && c <= 'Z':
			if i > 0 && letters[i-1] >= 'a' {
				humps++
			}
			c |= 0x20
		case c < 'a' || c > 'z':
			return false
		}
		if strings.IndexByte("aeiouy", c) >= 0 {
			consonants = 0
		} else if consonants++; consonants > 5 {
			return false
		}
	}
	return humps <= 4
}

// idPrefix reports whether p begins the ids and keys of the provider's account.
func idPrefix(p string) bool {
	switch strings.ToLower(p) {
	case "sk", "pk", "ek", "rk", "sess", "org", "proj", "project", "user", "acct", "key", "req", "resp", "asst", "file", "thread", "msg",
		"run", "step", "call", "fc", "rs", "ws", "vs", "vsfb", "batch", "ft", "ftjob", "chatcmpl", "cmpl", "conv", "upload", "part",
		"cntr", "cfile", "video", "cksess", "cthr", "rtc", "eval", "modr", "img", "svcacct", "admin", "ghp", "xoxb", "akia":
		return true
	}
	return false
}

// goodCode reports whether c is a plain code, as "context_length_exceeded".
func goodCode(c string) bool {
	return len(c) <= 64 && identifier(c) && !aboutAccount(c)
}

// aboutAccount reports whether a code or type speaks of the account and not of
// the caller's parameters.
func aboutAccount(code string) bool {
	for p := range strings.FieldsFuncSeq(code, func(r rune) bool { return r == '_' || r == '-' || r == ' ' }) {
		switch strings.ToLower(p) {
		case "billing", "quota", "account", "organization", "organisation", "org", "project", "proj", "subscription", "payment",
			"credential", "credentials", "authentication", "permission":
			return true
		}
	}
	return strings.Contains(code, "api_key")
}
