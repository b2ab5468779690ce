package action

import (
	"math"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// template is text with placeholders. What is filled in is never read again
// for placeholders.
type template struct{ parts []part }

// part is either literal text or the placeholder for a property.
type part struct {
	text string
	name string
	// index is the property's place in the shape.
	index int
}

// parseTemplate reads {{name}}, with or without spaces inside. Anything else
// that begins with two braces is an error, so that a mistyped placeholder is
// found here.
func parseTemplate(p *problems, field, s string) template {
	var t template
	for {
		text, rest, ok := strings.Cut(s, "{{")
		if text != "" {
			t.parts = append(t.parts, part{text: text})
		}
		if !ok {
			return t
		}
		name, after, ok := strings.Cut(rest, "}}")
		name = strings.Trim(name, " ")
		if !ok || !plain(name) {
			p.add(field, "{{ begins a placeholder, as {{language}}; after %q there is none", tail(text))
			return t
		}
		t.parts = append(t.parts, part{name: name, index: -1})
		s = after
	}
}

// tail is the end of a text, for an error message.
func tail(s string) string {
	r := []rune(s)
	return string(r[max(0, len(r)-20):])
}

// names are the names of the placeholders.
func (t *template) names() []string {
	var out []string
	for _, x := range t.parts {
		if x.name != "" {
			out = append(out, x.name)
		}
	}
	return out
}

// static is the text of a template without placeholders.
func (t *template) static() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].name == "":
		return t.parts[0].text, true
	default:
		return "", false
	}
}

// fill puts values in, by the order of the shape's properties.
func (t *template) fill(values []jsonx.Value, text func(jsonx.Value) string) string {
	if s, ok := t.static(); ok {
		return s
	}
	var b strings.Builder
	for _, x := range t.parts {
		if x.name == "" {
			b.WriteString(x.text)
		} else {
			b.WriteString(text(values[x.index]))
		}
	}
	return b.String()
}

// dataText is how a value reads in the user message: strings as they are, the
// rest as JSON, absent and null empty.
func dataText(v jsonx.Value) string {
	switch v.Kind() {
	case jsonx.KindNone, jsonx.KindNull:
		return ""
	case jsonx.KindString:
		return v.Str()
	default:
		return string(jsonx.Append(nil, v))
	}
}

// fixedText is how a value reads in the instructions. A string here is one of
// those that the definition lists. Numbers are written anew, so that no digits
// of the caller's choice beyond the number itself get in.
func fixedText(v jsonx.Value) string {
	switch v.Kind() {
	case jsonx.KindString:
		return v.Str()
	case jsonx.KindBool:
		return string(jsonx.Append(nil, v))
	case jsonx.KindNumber:
		if n, ok := v.Int(); ok {
			return jsonx.Int(n).Literal()
		}
		f, ok := v.Float()
		if !ok || math.IsInf(f, 0) {
			return ""
		}
		return jsonx.Float(f).Literal()
	default:
		return ""
	}
}
