package graph

import "strings"

// Specifiers returns what a text may import, without parsing it: too much
// rather than too little. It finds static and dynamic imports, require, and
// workers by new URL.
func Specifiers(text string) []string {
	var found []string
	seen := map[string]bool{}
	for _, word := range []string{"from", "import", "require", "new URL"} {
		rest := text
		for {
			i := strings.Index(rest, word)
			if i < 0 {
				break
			}
			rest = rest[i+len(word):]
			if s, ok := quoted(rest); ok && !seen[s] {
				seen[s] = true
				found = append(found, s)
			}
		}
	}
	return found
}

// quoted is the string that begins at once, or behind a parenthesis.
func quoted(s string) (string, bool) {
	i := 0
	for i < len(s) && i < 40 && strings.IndexByte(" \t\r\n(", s[i]) >= 0 {
		i++
	}
	// A comment may say the name of a chunk.
	if strings.HasPrefix(s[i:], "/*") {
		end := strings.Index(s[i:min(len(s), i+300)], "*/")
		if end < 0 {
			return "", false
		}
		i += end + 2
		for i < len(s) && strings.IndexByte(" \t\r\n", s[i]) >= 0 {
			i++
		}
	}
	if i >= len(s) || strings.IndexByte("'\"`", s[i]) < 0 {
		return "", false
	}
	end := strings.IndexByte(s[i+1:min(len(s), i+300)], s[i])
	if end <= 0 || strings.ContainsAny(s[i+1:i+1+end], "\n$") {
		return "", false
	}
	return s[i+1 : i+1+end], true
}
