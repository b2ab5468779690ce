package typescript

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"claviger.dev/claviger/internal/jsonx"
)

// unite joins types by "or".
func unite(sides []string) string {
	if slices.Contains(sides, unknown) {
		return unknown
	}
	var out []string
	for _, s := range sides {
		if s != never && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return never
	}
	return strings.Join(out, " | ")
}

// intersect joins types by "and".
func intersect(parts []string) string {
	var out []string
	for _, s := range parts {
		if s != unknown && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	switch len(out) {
	case 0:
		return unknown
	case 1:
		return out[0]
	}
	for i := range out {
		out[i] = bracket(out[i])
	}
	return strings.Join(out, " & ")
}

// bracket puts a type that has an operator at its top level into brackets.
func bracket(t string) string {
	depth, quoted := 0, false
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '\''
		case c == '\'':
			quoted = true
		case strings.IndexByte("{[(<", c) >= 0:
			depth++
		case strings.IndexByte("}])>", c) >= 0:
			depth--
		case depth == 0 && (c == '|' || c == '&'):
			return "(" + t + ")"
		}
	}
	return t
}

// literal is the type that has one value.
func literal(v jsonx.Value) string {
	switch v.Kind() {
	case jsonx.KindString:
		return quote(v.Str())
	case jsonx.KindNumber:
		if _, finite := v.Float(); !finite {
			return "number"
		}
		return v.Literal()
	case jsonx.KindBool:
		return fmt.Sprint(v.Bool())
	case jsonx.KindArray:
		var out []string
		for _, e := range v.Elems() {
			out = append(out, literal(e))
		}
		return "[" + strings.Join(out, ", ") + "]"
	case jsonx.KindObject:
		var out []string
		for name, e := range v.Fields() {
			out = append(out, property(name)+": "+literal(e))
		}
		if len(out) == 0 {
			return "Record<string, never>"
		}
		return "{ " + strings.Join(out, "; ") + " }"
	default:
		return "null"
	}
}

// property is a name as it stands before the colon.
func property(name string) string {
	for i, r := range name {
		if r != '_' && r != '$' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return quote(name)
		}
	}
	if name == "" {
		return "''"
	}
	return name
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f || !unicode.IsPrint(r) && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// describe is what a comment says of a schema, line by line.
func describe(s jsonx.Value) []string {
	has := keywords(s)
	out := comment(first(has["description"], has["title"]).Str())
	if d := has["default"]; !d.IsZero() {
		out = append(out, comment("@default "+string(jsonx.Append(nil, d)))...)
	}
	if has["deprecated"].Bool() {
		out = append(out, "@deprecated")
	}
	return out
}

// comment makes a text fit to stand in a comment: it cannot end it.
func comment(text string) []string {
	text = strings.TrimSpace(strings.ReplaceAll(text, "*/", "*\\/"))
	if text == "" {
		return nil
	}
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		out = append(out, strings.TrimRight(singleLine(line), " \t"))
	}
	return out
}

// singleLine takes out what could begin a new line or steer a terminal.
func singleLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

func writeComment(b *strings.Builder, indent string, lines []string) {
	switch len(lines) {
	case 0:
	case 1:
		b.WriteString(indent + "/** " + lines[0] + " */\n")
	default:
		b.WriteString(indent + "/**\n")
		for _, l := range lines {
			b.WriteString(strings.TrimRight(indent+" * "+l, " ") + "\n")
		}
		b.WriteString(indent + " */\n")
	}
}
