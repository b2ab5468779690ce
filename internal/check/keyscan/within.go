package keyscan

import "regexp"

// within reports whether a place in a JSON text lies in the object that a key of
// that name has. A text that is no JSON has none.
func within(text, key string, at int) bool {
	for _, loc := range regexp.MustCompile(`"`+regexp.QuoteMeta(key)+`"\s*:\s*\{`).FindAllStringIndex(text, -1) {
		if loc[1] <= at && at < objectEnd(text, loc[1]-1) {
			return true
		}
	}
	return false
}

// objectEnd is where the object that begins at a brace ends.
func objectEnd(text string, open int) int {
	depth, quoted := 0, false
	for i := open; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(text)
}
