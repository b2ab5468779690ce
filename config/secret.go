package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/detect"
)

// The faults about secrets. None of them quotes what it is about.
var (
	leaked = fault{
		"a secret is written into the file",
		"put it into the environment and write env:NAME; treat the written value as leaked and replace it",
	}
	literalSecret = fault{
		"a secret belongs here as a reference, and this is none",
		"write env:NAME, file:PATH or command:…; if the secret itself is written here, treat it as leaked and replace it",
	}
)

// RefAt is a reference to a secret and the key that holds it.
type RefAt struct {
	Path string
	Ref  claviger.Ref
}

// Refs are the references to secrets in the order of the table, those of
// defaults and of stores too.
func (c *Config) Refs() []RefAt {
	out := slices.Clone(c.refs)
	for _, s := range []struct{ path, text string }{{"storage.database", c.Storage.Database}, {"storage.limits", c.Storage.Limits}} {
		if r, err := parseRef(s.text); err == nil {
			out = append(out, RefAt{s.path, r})
		}
	}
	return out
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// parseRef reads a reference to a secret.
func parseRef(s string) (claviger.Ref, error) {
	scheme, rest, ok := strings.Cut(s, ":")
	switch {
	case s == "":
		return "", fault{hasNoValue, "write env:NAME, file:PATH or command:…"}
	case !ok:
		return "", literalFault(s)
	}
	switch scheme {
	case "env":
		return parseEnvRef(s, rest)
	case "file", "command":
		if strings.TrimSpace(rest) == "" || strings.ContainsAny(rest, "\x00\n") {
			return "", fault{"nothing follows " + scheme + ":", "write file:PATH or command:PROGRAM ARGUMENTS"}
		}
		return claviger.Ref(s), nil
	}
	return "", literalFault(s)
}

var spokenName = regexp.MustCompile(`^\$?\{?[A-Z][A-Z0-9]*_[A-Z0-9_]*\}?$`)

// literalFault says what stands where a reference belongs. What might be the
// name of a variable might be a secret all the same.
func literalFault(s string) fault {
	switch {
	case spokenName.MatchString(s):
		return fault{literalSecret.message, "if it is the name of a variable, write env: and the name; if it is the secret itself, treat it as leaked and replace it"}
	case detect.Looks(s):
		return leaked
	case detect.IsPlaceholder(s):
		return fault{literalSecret.message, "write env:NAME, file:PATH or command:…"}
	default:
		return literalSecret
	}
}

func parseEnvRef(s, name string) (claviger.Ref, error) {
	if !variableName.MatchString(name) {
		return "", fault{"what follows env: is no name of a variable", "letters, digits and _, as env:OPENAI_API_KEY"}
	}
	if p := detect.PublicPrefix(name); p != "" {
		return "", fault{
			"a variable that begins with " + p + " is copied into code for browsers, so it is no place for a secret",
			"name the variable without the prefix, here and where it is set, and replace its value: it may be public already",
		}
	}
	return claviger.Ref(s), nil
}

// keyLike finds the beginning of a key of OpenAI and of those who make them
// alike: sk- and a run of twenty characters or more. It is wider than package
// detect, which wants proof: here a file that nobody sees refuses to load.
var keyLike = regexp.MustCompile(`(?:^|[^A-Za-z0-9])(sk-[A-Za-z0-9_-]{20,})`)

const marks = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// looksSecret reports whether a text holds what looks like a key.
func looksSecret(s string) bool { return findSecret(s) >= 0 }

// findSecret gives where the first key starts, or -1. Names of words with
// hyphens have no digit and no capital letter.
func findSecret(s string) int {
	if strings.Contains(s, "sk-") {
		for _, m := range keyLike.FindAllStringSubmatchIndex(s, -1) {
			if strings.ContainsAny(s[m[2]+len("sk-"):m[3]], marks) {
				return m[2]
			}
		}
	}
	for _, m := range detect.Find(s) {
		if m.Kind != detect.Account && m.Kind != detect.Masked {
			return m.Start
		}
	}
	return -1
}

// spends reports whether a text holds a key with which somebody could spend or
// take over something. Of what detect finds, tokens and Google's keys are
// meant for browsers as often as not.
func spends(s string) bool {
	if strings.Contains(s, "sk-") && keyLike.MatchString(s) {
		return true
	}
	return slices.ContainsFunc(detect.Find(s), func(m detect.Match) bool {
		switch m.Kind {
		case detect.Account, detect.Masked, detect.JWT, detect.Google, detect.Bearer:
			return false
		default:
			return true
		}
	})
}

// scanText looks for keys in everything that was not decoded, as in comments.
func (d *decoder) scanText(data []byte) {
	known := map[int]bool{}
	for _, p := range d.problems {
		if p.Message == leaked.message || p.Message == literalSecret.message {
			known[p.Line] = true
		}
	}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		if i := findSecret(text); i >= 0 && !known[line] {
			column := utf8.RuneCountInString(text[:i]) + 1
			at := Position{File: d.at.file, Line: line, Column: column}
			d.problems = append(d.problems, Problem{Position: at, Message: leaked.message, Hint: leaked.hint})
		}
	}
}

// glued finds what could be a key in the middle of a word. Names of words with
// hyphens fit it too, so nothing is refused for it; it is only not repeated.
var glued = regexp.MustCompile(`sk-[A-Za-z0-9_-]{16,}`)

// scrub takes everything out of a text that could be a key, and what could
// steer a terminal.
func scrub(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
	s = detect.Replace(s, "[…]")
	if !strings.Contains(s, "sk-") {
		return s
	}
	return glued.ReplaceAllStringFunc(s, func(found string) string {
		if strings.ContainsAny(found, marks) {
			return "[…]"
		}
		return found
	})
}

// tellable reports whether a key of the file may be repeated in a message.
func tellable(key string) bool {
	const longest = 64
	if len(key) > longest || looksSecret(key) {
		return false
	}
	return len(key) < 16 || !random(key)
}

// random reports whether a text mixes letters and digits as names do not.
func random(s string) bool {
	var upper, lower, digit, other int
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z':
			upper++
		case 'a' <= c && c <= 'z':
			lower++
		case '0' <= c && c <= '9':
			digit++
		default:
			other++
		}
	}
	switch {
	case digit == 0:
		return false
	case upper > 0 && lower > 0:
		return true
	default:
		return other == 0
	}
}
