package bundle

import (
	"encoding/base64"
	"net/url"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// Source is one file of source code in a source map.
type Source struct{ Name, Text string }

// maxSections bounds the maps in an indexed map.
const maxSections = 10_000

// ParseMap reads the sources of a source map, plain or indexed. It is false for
// what is none, or carries no sources.
func ParseMap(b []byte) ([]Source, bool) {
	v, err := jsonx.Parse(trimGuard(b))
	if err != nil || v.Kind() != jsonx.KindObject {
		return nil, false
	}
	out := sourcesOf(v)
	if list, ok := v.Get("sections"); ok && list.Kind() == jsonx.KindArray {
		for i, s := range list.Items() {
			if i >= maxSections {
				return nil, false
			}
			if m, ok := s.Get("map"); ok {
				out = append(out, sourcesOf(m)...)
			}
		}
	}
	return out, len(out) > 0
}

// trimGuard takes off the line by which some servers keep JSON from being a
// script.
func trimGuard(b []byte) []byte {
	if strings.HasPrefix(string(b[:min(len(b), 4)]), ")]}'") {
		if _, rest, ok := strings.Cut(string(b), "\n"); ok {
			return []byte(rest)
		}
	}
	return b
}

func sourcesOf(v jsonx.Value) []Source {
	content, ok := v.Get("sourcesContent")
	if !ok || content.Kind() != jsonx.KindArray {
		return nil
	}
	var names []jsonx.Value
	if list, ok := v.Get("sources"); ok && list.Kind() == jsonx.KindArray {
		names = list.Elems()
	}
	var out []Source
	for i, c := range content.Items() {
		if c.Kind() != jsonx.KindString {
			continue
		}
		name := "a source without a name"
		if i < len(names) && names[i].Kind() == jsonx.KindString {
			name = tidy(names[i].Str())
		}
		out = append(out, Source{name, c.Str()})
	}
	return out
}

// tidy takes what bundlers put before the name of a source.
func tidy(name string) string {
	for _, p := range []string{"turbopack:///[project]/", "turbopack://[project]/", "turbopack:///", "webpack://_N_E/", "webpack:///", "webpack://"} {
		if rest, ok := strings.CutPrefix(name, p); ok {
			return strings.TrimPrefix(rest, "./")
		}
	}
	return name
}

const inlineMark = "sourceMappingURL=data:application/json"

// inlineMap reads the source map that a script carries in its last comment.
func inlineMap(text string) (sources []Source, at int, ok bool) {
	at = strings.LastIndex(text, inlineMark)
	if at < 0 {
		return nil, 0, false
	}
	rest := text[at+len(inlineMark):]
	if end := strings.IndexAny(rest, " \r\n*"); end >= 0 {
		rest = rest[:end]
	}
	head, body, found := strings.Cut(rest, ",")
	if !found {
		return nil, 0, false
	}
	var raw []byte
	var err error
	if strings.HasSuffix(head, ";base64") {
		raw, err = base64.StdEncoding.DecodeString(body)
	} else {
		var s string
		s, err = url.PathUnescape(body)
		raw = []byte(s)
	}
	if err != nil {
		return nil, 0, false
	}
	sources, ok = ParseMap(raw)
	return sources, at, ok
}
