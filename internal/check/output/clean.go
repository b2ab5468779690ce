// Package output writes what a scan found, in the formats of the contract. File
// names and texts of a project are hostile until they are written: each format
// escapes what it gives a meaning to.
package output

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"claviger.dev/claviger/internal/check/report"
)

// Formats are the names that New knows.
func Formats() []string { return []string{"text", "json", "sarif", "markdown", "github"} }

// New makes a reporter of a format. colour is for terminals, and for text alone.
func New(format string, w io.Writer, colour bool) (report.Reporter, error) {
	c := collected{w: w}
	switch format {
	case "text":
		return &asText{collected: c, colour: colour}, nil
	case "json":
		return &asJSON{c}, nil
	case "sarif":
		return &asSARIF{c}, nil
	case "markdown":
		return &asMarkdown{c}, nil
	case "github":
		return &asGitHub{c}, nil
	}
	return nil, fmt.Errorf("%q is no format: use one of %s", format, strings.Join(Formats(), ", "))
}

// valid replaces what is no UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// clean shows control characters, escapes of terminals, and characters that turn
// the direction of a text or take no place, by their number.
func clean(s string) string {
	s = valid(s)
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if odd(r) {
			fmt.Fprintf(&b, `\u{%x}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func odd(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r >= 0xfe00 && r <= 0xfe0f || r == 0x115f || r == 0x1160 || r == 0x3164
}

// place is file:line:column as far as it is known.
func place(p report.Position) string {
	s := clean(p.File)
	if p.Line > 0 {
		s += fmt.Sprintf(":%d", p.Line)
		if p.Column > 0 {
			s += fmt.Sprintf(":%d", p.Column)
		}
	}
	return s
}

// worst first, for people.
var fromWorst = []report.Severity{report.SeverityCritical, report.SeverityHigh, report.SeverityMedium, report.SeverityLow, report.SeverityInfo}

// total is "2 critical, 1 low", or "nothing".
func total(s report.Summary) string {
	var parts []string
	for _, v := range fromWorst {
		if n := s.Counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}
