// Package canary looks for the real values of secrets in text, in the forms in
// which builds, templates and transports write them. It never shows one.
package canary

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"claviger.dev/claviger/internal/check/report"
)

// least is how many bytes a value must have to be looked for. Shorter ones stand
// in text by chance.
const least = 12

// Value is a secret of the project and where it is set.
type Value struct {
	// Name is the variable's.
	Name string
	// At is the line that sets it.
	At report.Position
	// Fingerprint is that of the value.
	Fingerprint string
	value       string
}

// Hit is one place in a text.
type Hit struct {
	// Value is what was found.
	Value *Value
	// Start and End are bytes of the text.
	Start, End int
	// Form says how it is written: "as it is", "in base64", …
	Form string
	// Piece says that it is not the whole value: 1 its beginning, 2 its end.
	Piece int
}

// Set looks for many values at once. Its zero value looks for none. A Set that is
// not changed any more may be used by several goroutines.
type Set struct {
	values  []*Value
	needles map[[window]byte][]needle
	// pairs tells, by the first two bytes, where a needle can begin.
	pairs [1 << 13]byte
}

// window is how many bytes of a needle are looked up.
const window = 8

type needle struct {
	text  string
	value *Value
	form  string
	piece int
}

// Len is how many values are looked for.
func (s *Set) Len() int { return len(s.values) }

// Values are those looked for.
func (s *Set) Values() []*Value { return s.values }

// Add looks for one more value, and reports whether it is long enough for that.
func (s *Set) Add(name, value string, at report.Position) bool {
	if len(value) < least {
		return false
	}
	print := report.SecretFingerprint(value)
	if slices.ContainsFunc(s.values, func(v *Value) bool { return v.Fingerprint == print }) {
		return true
	}
	v := &Value{Name: name, At: at, Fingerprint: print, value: value}
	s.values = append(s.values, v)
	for _, f := range forms(value) {
		s.needle(f.text, v, f.name, 0)
	}
	if len(value) >= 40 {
		s.needle(value[:16], v, "in pieces", 1)
		s.needle(value[len(value)-16:], v, "in pieces", 2)
	}
	return true
}

func (s *Set) needle(text string, v *Value, form string, piece int) {
	if len(text) < window {
		return
	}
	if s.needles == nil {
		s.needles = map[[window]byte][]needle{}
	}
	key := [window]byte([]byte(text[:window]))
	for _, n := range s.needles[key] {
		if n.text == text && n.piece == piece {
			return
		}
	}
	s.needles[key] = append(s.needles[key], needle{text, v, form, piece})
	// The longer form first: a whole value is no piece of itself.
	slices.SortStableFunc(s.needles[key], func(a, b needle) int { return len(b.text) - len(a.text) })
	pair := uint(text[0])<<8 | uint(text[1])
	s.pairs[pair>>3] |= 1 << (pair & 7)
}

// Find returns where the values stand in a text, in order and without overlap.
// Pieces are told only where beginning and end are both there.
func (s *Set) Find(text string) []Hit {
	if len(s.needles) == 0 {
		return nil
	}
	var hits []Hit
	for i := 0; i+window <= len(text); i++ {
		pair := uint(text[i])<<8 | uint(text[i+1])
		if s.pairs[pair>>3]&(1<<(pair&7)) == 0 {
			continue
		}
		for _, n := range s.needles[[window]byte([]byte(text[i:i+window]))] {
			if strings.HasPrefix(text[i:], n.text) {
				hits = append(hits, Hit{n.value, i, i + len(n.text), n.form, n.piece})
				i += len(n.text) - 1
				break
			}
		}
	}
	return joinPieces(hits)
}

// joinPieces keeps the beginning of a value whose end is in the same text, and
// drops all other pieces.
func joinPieces(hits []Hit) []Hit {
	both := map[*Value]int{}
	for _, h := range hits {
		both[h.Value] |= h.Piece
	}
	told := map[*Value]bool{}
	return slices.DeleteFunc(hits, func(h Hit) bool {
		if h.Piece == 0 {
			return false
		}
		if h.Piece != 1 || both[h.Value] != 3 || told[h.Value] {
			return true
		}
		told[h.Value] = true
		return false
	})
}

type form struct{ name, text string }

// forms are the ways in which a value is written.
func forms(v string) []form {
	out := []form{
		{"as it is", v},
		{"escaped for JSON", quoted(v)},
		{"escaped for a URL", url.QueryEscape(v)},
		{"escaped for a URL", url.PathEscape(v)},
		{"escaped for HTML", html.EscapeString(v)},
		{"in hexadecimal", hex.EncodeToString([]byte(v))},
		{"in hexadecimal", strings.ToUpper(hex.EncodeToString([]byte(v)))},
		{"reversed", reversed(v)},
		{"as character codes", codes(v, ",")},
		{"as character codes", codes(v, ", ")},
		{"as character codes", escapes(v, `\x%02x`)},
		{"as character codes", escapes(v, `\x%02X`)},
		{"as character codes", escapes(v, `\u%04x`)},
		{"as character codes", escapes(v, `\u%04X`)},
		{"as character codes", escapes(v, `&#%d;`)},
		{"as character codes", escapes(v, `&#x%x;`)},
	}
	for shift := range 3 {
		std := base64At(v, shift, base64.StdEncoding)
		out = append(out, form{"in base64", std}, form{"in base64", base64At(v, shift, base64.URLEncoding)})
		if shift == 0 {
			// Base64 again, as in a header within a header.
			out = append(out, form{"in base64 twice", base64At(base64.StdEncoding.EncodeToString([]byte(v)), 0, base64.StdEncoding)})
		}
	}
	return out
}

// base64At is what stands in the base64 of any text that holds v at an offset of
// shift modulo 3: the characters that v alone decides.
func base64At(v string, shift int, enc *base64.Encoding) string {
	text := enc.WithPadding(base64.NoPadding).EncodeToString([]byte(strings.Repeat("\x00", shift) + v))
	first := []int{0, 2, 3}[shift]
	last := len(text)
	if (len(v)+shift)%3 != 0 {
		last--
	}
	return text[first:last]
}

func quoted(v string) string {
	s := strconv.Quote(v)
	return s[1 : len(s)-1]
}

func reversed(v string) string {
	r := []rune(v)
	slices.Reverse(r)
	return string(r)
}

func codes(v, separator string) string {
	var all []string
	for _, u := range utf16.Encode([]rune(v)) {
		all = append(all, strconv.Itoa(int(u)))
	}
	return strings.Join(all, separator)
}

func escapes(v, format string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(v)) {
		fmt.Fprintf(&b, format, u)
	}
	return b.String()
}
