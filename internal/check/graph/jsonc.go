// Package graph knows which module of a project imports which: through aliases
// of tsconfig.json, packages of a workspace, exports and imports of
// package.json, index files and suffixes. It also knows what the frameworks
// make of a path: a page, a route, a file for browsers.
package graph

import (
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// relaxed reads JSON as tsconfig.json has it: with comments and with commas
// behind the last element.
func relaxed(text string) (jsonx.Value, error) {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			end := i + 1
			for end < len(text) && text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(text))
			out = append(out, text[i:end]...)
			i = end - 1
		case strings.HasPrefix(text[i:], "//"):
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case strings.HasPrefix(text[i:], "/*"):
			end := strings.Index(text[i+2:], "*/")
			if end < 0 {
				i = len(text)
				break
			}
			i += end + 3
		case c == '}' || c == ']':
			for n := len(out); n > 0; n = len(out) {
				if last := out[n-1]; last == ' ' || last == '\n' || last == '\t' || last == '\r' {
					out = out[:n-1]
					continue
				}
				if out[n-1] == ',' {
					out = out[:n-1]
				}
				break
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	return jsonx.Parse(out)
}

func member(v jsonx.Value, names ...string) jsonx.Value {
	for _, n := range names {
		if v.Kind() != jsonx.KindObject {
			return jsonx.Value{}
		}
		v, _ = v.Get(n)
	}
	return v
}
