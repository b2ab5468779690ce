package flow

import (
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// MatchPath reports whether a matcher of a middleware, as Next.js and Clerk
// write them, takes a path. One that cannot be understood takes none.
func MatchPath(pattern, path string) bool {
	re, err := regexp2.Compile("^(?:"+matcher(pattern)+")/?$", regexp2.None)
	if err != nil {
		return false
	}
	re.MatchTimeout = 100 * time.Millisecond
	ok, err := re.MatchString(path)
	return err == nil && ok
}

// matcher turns :names into groups; what stands in parentheses is a regular
// expression already.
func matcher(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '/' && i+1 < len(p) && p[i+1] == ':':
			j := i + 2
			for j < len(p) && (p[j] == '_' || p[j] >= '0' && p[j] <= '9' || p[j] >= 'A' && p[j] <= 'Z' || p[j] >= 'a' && p[j] <= 'z') {
				j++
			}
			group := "[^/]+"
			if j < len(p) && p[j] == '(' {
				end := closing(p, j)
				group, j = p[j+1:end], end+1
			}
			mod := byte(0)
			if j < len(p) && strings.IndexByte("*+?", p[j]) >= 0 {
				mod = p[j]
				j++
			}
			switch mod {
			case '*':
				b.WriteString("(?:/" + group + ")*")
			case '+':
				b.WriteString("(?:/" + group + ")+")
			case '?':
				b.WriteString("(?:/" + group + ")?")
			default:
				b.WriteString("/" + group)
			}
			i = j - 1
		case c == '(':
			end := closing(p, i)
			b.WriteString(p[i : end+1])
			i = end
		case c == '.' || c == '$' || c == '^':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func closing(p string, open int) int {
	depth := 0
	for i := open; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(p) - 1
}
