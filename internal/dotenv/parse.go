// Package dotenv reads .env files as Next.js does: the format of dotenv 16, the
// expansion of @next/env 16, and its order of files. It is compared with that
// package in its tests, quirks included, because a value that the app reads one
// way and the gateway another is worse than any rule.
package dotenv

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Entry is one assignment as it stands in a file, before expansion.
type Entry struct {
	Name  string
	Value string
	// Line is where the name stands, counted from 1.
	Line int
	// Quote is the quotation mark around the value, 0 when there is none.
	Quote byte
}

// Parse returns the assignments of a file in their order. What is no assignment
// is passed over, as dotenv does; there is no invalid file.
func Parse(src []byte) []Entry {
	text := strings.ReplaceAll(string(src), "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	p := parser{s: text, line: 1}
	var out []Entry
	for at := 0; at < len(p.s); {
		start := p.skipSpace(at)
		e, end, ok := p.assignment(start)
		if !ok {
			at = p.nextLine(start)
			continue
		}
		out = append(out, e)
		at = p.nextLine(end)
	}
	return out
}

type parser struct {
	s string
	// line is the number of the line on which counted stands.
	line, counted int
}

// assignment reads [export] NAME = VALUE or NAME: VALUE.
func (p *parser) assignment(at int) (e Entry, end int, ok bool) {
	if rest, found := strings.CutPrefix(p.s[at:], "export"); found {
		if name := p.skipSpace(at + len("export")); name > at+len("export") && rest != "" {
			if e, end, ok = p.named(name); ok {
				return e, end, true
			}
		}
	}
	return p.named(at)
}

func (p *parser) named(at int) (e Entry, end int, ok bool) {
	stop := at
	for stop < len(p.s) && isName(p.s[stop]) {
		stop++
	}
	if stop == at {
		return Entry{}, 0, false
	}
	value, ok := p.separator(stop)
	if !ok {
		return Entry{}, 0, false
	}
	raw, end := p.value(value)
	e = Entry{Name: p.s[at:stop], Line: p.lineAt(at)}
	e.Value, e.Quote = unquote(raw)
	return e, end, true
}

// separator is an equals sign with space before it, or a colon with space
// after it. The space may hold line breaks.
func (p *parser) separator(at int) (value int, ok bool) {
	if eq := p.skipSpace(at); eq < len(p.s) && p.s[eq] == '=' {
		return eq + 1, true
	}
	if at >= len(p.s) || p.s[at] != ':' {
		return 0, false
	}
	r, size := utf8.DecodeRuneInString(p.s[at+1:])
	if !isSpace(r) {
		return 0, false
	}
	return at + 1 + size, true
}

// value returns the text of a value and where its line ends: something quoted
// with nothing but a comment behind it, else the line up to a #.
func (p *parser) value(at int) (raw string, end int) {
	if open := p.skipSpace(at); open < len(p.s) && isQuote(p.s[open]) {
		if stop, end, ok := p.quoted(open); ok {
			return p.s[at:stop], end
		}
	}
	stop := len(p.s)
	if i := strings.IndexAny(p.s[at:], "#\n"); i >= 0 {
		stop = at + i
	}
	end, _ = p.tail(stop)
	return p.s[at:stop], end
}

// quoted finds the mark that closes the one at open: the last one before which
// no mark stands without a backslash, and behind which the line holds nothing
// but a comment.
func (p *parser) quoted(open int) (stop, end int, ok bool) {
	mark := p.s[open]
	var closing []int
	for i := open + 1; i < len(p.s); i++ {
		if p.s[i] != mark {
			continue
		}
		closing = append(closing, i)
		if i-1 == open || p.s[i-1] != '\\' {
			break
		}
	}
	for _, at := range slices.Backward(closing) {
		if end, ok = p.tail(at + 1); ok {
			return at + 1, end, true
		}
	}
	return 0, 0, false
}

// tail reports whether nothing but space and a comment follows up to the end of
// a line. The space may hold line breaks, so that it reaches as far as it can.
func (p *parser) tail(at int) (end int, ok bool) {
	stop := p.skipSpace(at)
	switch {
	case stop == len(p.s):
		return stop, true
	case p.s[stop] == '#':
		return p.lineEnd(stop), true
	}
	for i, r := range p.s[at:stop] {
		if isBreak(r) {
			end, ok = at+i, true
		}
	}
	return end, ok
}

// unquote takes the marks off a value, and gives \n and \r their meaning where
// it began with a double one.
func unquote(raw string) (value string, quote byte) {
	v := strings.TrimFunc(raw, isSpace)
	double := strings.HasPrefix(v, `"`)
	if n := len(v); n >= 2 && isQuote(v[0]) && v[n-1] == v[0] {
		quote = v[0]
		v = v[1 : n-1]
	}
	if double {
		v = strings.ReplaceAll(v, `\n`, "\n")
		v = strings.ReplaceAll(v, `\r`, "\r")
	}
	return v, quote
}

func (p *parser) skipSpace(at int) int {
	for at < len(p.s) {
		r, size := utf8.DecodeRuneInString(p.s[at:])
		if !isSpace(r) {
			break
		}
		at += size
	}
	return at
}

// lineEnd is where the line of at ends, before its break.
func (p *parser) lineEnd(at int) int {
	if i := strings.IndexFunc(p.s[at:], isBreak); i >= 0 {
		return at + i
	}
	return len(p.s)
}

// nextLine is where the line after that of at begins, or the end.
func (p *parser) nextLine(at int) int {
	end := p.lineEnd(at)
	if end == len(p.s) {
		return end
	}
	_, size := utf8.DecodeRuneInString(p.s[end:])
	return end + size
}

// lineAt counts the lines up to at. It is called with growing positions.
func (p *parser) lineAt(at int) int {
	p.line += strings.Count(p.s[p.counted:at], "\n")
	p.counted = at
	return p.line
}

func isName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-'
}

func isQuote(c byte) bool { return c == '\'' || c == '"' || c == '`' }

// isBreak reports whether r ends a line in ECMAScript (section 12.3), whose
// rules for patterns the format inherits.
func isBreak(r rune) bool { return r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' }

// isSpace reports whether r is white space or a line break in ECMAScript.
func isSpace(r rune) bool {
	switch r {
	case '\t', '\v', '\f', ' ', '\u00a0', '\ufeff', '\u1680', '\u202f', '\u205f', '\u3000':
		return true
	}
	return isBreak(r) || '\u2000' <= r && r <= '\u200a'
}
