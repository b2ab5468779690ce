package detect

import "strings"

// Looks reports whether s, standing where a reference to a secret belongs, is
// itself one: it has the shape of a key, or it is one long random word.
func Looks(s string) bool {
	s = strings.TrimSpace(s)
	for _, m := range Find(s) {
		if m.Kind != Account {
			return true
		}
		if m.End-m.Start == len(s) {
			return false
		}
	}
	return run(s, word|token) == len(s) && strings.Count(s, "/") <= len(s)/16 && random(longest(s))
}

// longest is the longest piece of s without punctuation, if there is one of 12
// characters: names have short pieces.
func longest(s string) string {
	best := ""
	for w := range strings.FieldsFuncSeq(s, func(r rune) bool { return r > 127 || !is(byte(r), alnum) }) {
		if len(w) > len(best) {
			best = w
		}
	}
	if len(best) < 12 {
		return ""
	}
	return best
}

// placeholders are what people write until they have a secret. The short ones
// count only as words of their own, since a random secret may hold them.
var (
	placeholders = []string{
		"changeme", "change-me", "change_me", "change-this", "change_this", "changethis", "change me",
		"your-", "your_", "<your", "example", "placeholder", "replace", "insert-", "insert_", "xxxxxx",
		"secret-here", "secret_here", "key-here", "key_here", "password", "undefined", "goes-here", "goes_here",
	}
	wordsOfNone = []string{"todo", "fixme", "dummy", "fake", "sample", "secret", "mysecret", "test", "tbd", "none", "null", "nil", "xxx", "xxxx", "xxxxx", "foo", "bar", "abc123", "abcdef"}
)

// IsPlaceholder reports whether s stands for a secret that nobody has put in
// yet, as "changeme", "your-key-here", "xxxxxxxx", "sk-...", "<secret>" or
// "${SECRET}". The empty string is one.
func IsPlaceholder(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" || fewKinds(s) || strings.Contains(s, "...") || strings.Contains(s, "\u2026") || enclosed(s) || counts(s) {
		return true
	}
	for _, p := range placeholders {
		if strings.Contains(s, p) {
			return true
		}
	}
	named := 0
	all := strings.FieldsFunc(s, func(r rune) bool { return r > 127 || !is(byte(r), alnum) })
	for _, w := range all {
		for _, p := range wordsOfNone {
			if w == p {
				named++
			}
		}
	}
	return named > 0 && (len(s) < 32 || named*2 >= len(all))
}

// fewKinds reports whether s is made of two or three characters.
func fewKinds(s string) bool {
	var seen [256]bool
	n := 0
	for i := range len(s) {
		if !seen[s[i]] {
			seen[s[i]] = true
			n++
		}
	}
	return n <= 3
}

// enclosed reports whether s is a variable that was not filled in.
func enclosed(s string) bool {
	for _, e := range [][2]string{{"<", ">"}, {"${", "}"}, {"{{", "}}"}, {"[", "]"}, {"%", "%"}} {
		if len(s) > len(e[0])+len(e[1]) && strings.HasPrefix(s, e[0]) && strings.HasSuffix(s, e[1]) {
			return true
		}
	}
	return false
}

// counts reports whether half of s or more is a row of neighbours, as 12345678
// or abcdefgh, or one short piece over and over.
func counts(s string) bool {
	steps := 0
	for i := 1; i < len(s); i++ {
		if s[i] == s[i-1]+1 || s[i-1] == '9' && s[i] == '0' {
			steps++
		}
	}
	if steps*2 >= len(s) {
		return true
	}
	for n := 1; n <= min(len(s)/3, 64); n++ {
		if strings.Repeat(s[:n], len(s)/n) == s[:len(s)/n*n] {
			return true
		}
	}
	return false
}
