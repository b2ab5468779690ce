// Package jsonx reads and writes JSON in the one way that the gateway accepts:
// UTF-8 without a byte order mark, no lone surrogates, no two members of one
// name, no data after the value, at most 64 levels. It stands on jsontext and
// keeps a value as its compact canonical text: whitespace gone, strings in
// their shortest encoding, numbers digit for digit. So what is written is what
// was read, and reading costs one pass and one allocation.
package jsonx

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep arrays and objects may nest.
const MaxDepth = 64

// maxScratch is the largest buffer, in bytes, that is kept for the next Parse.
const maxScratch = 256 << 10

// SyntaxError says where and why a text was refused. It holds no values of the
// text; Path holds names of members, each shortened to printable ASCII.
type SyntaxError struct {
	// Offset is the byte at or after which the error is.
	Offset int64
	// Path is the place in OpenAI's notation, "messages[0].role", empty for
	// the whole text.
	Path string
	// Reason is a few plain words, as "duplicate member name".
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	s := "invalid JSON at byte " + strconv.FormatInt(e.Offset, 10)
	if e.Path != "" {
		s += " (" + e.Path + ")"
	}
	return s + ": " + e.Reason
}

// The reasons that callers may want to tell apart.
const (
	ReasonBOM        = "byte order mark"
	ReasonDuplicate  = "duplicate member name"
	ReasonDepth      = "nested deeper than 64 levels"
	ReasonUTF8       = "invalid UTF-8"
	ReasonEnd        = "unexpected end"
	ReasonSyntax     = "unexpected character or escape"
	ReasonUnknown    = "unknown member"
	ReasonWrongType  = "wrong type"
	reasonNotEncoded = "value cannot be encoded"
)

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// Parse reads one JSON value. b is not kept. The error is a *SyntaxError.
func Parse(b []byte) (Value, error) {
	buf, ok := scratch.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	out, err := appendCanonical((*buf)[:0], b)
	var v Value
	if err == nil {
		v = Value{string(out)}
	}
	if cap(out) <= maxScratch {
		*buf = out
		scratch.Put(buf)
	}
	return v, err
}

func appendCanonical(dst, b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte("\ufeff")) {
		return dst, &SyntaxError{Reason: ReasonBOM}
	}
	if at := tooDeep(b); at >= 0 {
		return dst, &SyntaxError{Offset: int64(at), Reason: ReasonDepth}
	}
	out, err := jsontext.AppendFormat(dst, b)
	if err != nil {
		return dst, syntaxError(b, err)
	}
	return out, nil
}

// tooDeep returns the byte that opens one level too many, or -1. It is exact
// for valid JSON; for anything else the parser finds its own fault.
func tooDeep(b []byte) int {
	if bytes.Count(b, []byte{'['})+bytes.Count(b, []byte{'{'}) <= MaxDepth {
		return -1
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = skipQuoted(b, i)
		case '[', '{':
			if depth++; depth > MaxDepth {
				return i
			}
		case ']', '}':
			depth--
		}
	}
	return -1
}

// skipQuoted returns the index of the quotation mark that ends the string
// which begins at i, or the length of b.
func skipQuoted(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		if !escaped(b[i : i+n]) {
			return i + n
		}
		i += n + 1
	}
	return len(b)
}

// escaped reports whether s ends in an odd number of backslashes.
func escaped[T []byte | string](s T) bool {
	n := len(s)
	for n > 0 && s[n-1] == '\\' {
		n--
	}
	return (len(s)-n)&1 == 1
}

func syntaxError(b []byte, err error) error {
	out := &SyntaxError{Reason: ReasonSyntax}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		out.Offset = s.ByteOffset
		out.Path = path(s.JSONPointer)
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		out.Reason = ReasonDuplicate
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		out.Reason = ReasonEnd
	case !utf8.Valid(b):
		out.Reason = ReasonUTF8
	}
	return out
}

// path turns a JSON pointer into OpenAI's notation.
func path(p jsontext.Pointer) string {
	var out []byte
	for tok := range p.Tokens() {
		if _, err := strconv.ParseUint(tok, 10, 31); err == nil {
			out = append(append(append(out, '['), tok...), ']')
		} else {
			out = AppendName(out, tok)
		}
		if len(out) > 512 {
			return string(append(out, "…"...))
		}
	}
	return string(out)
}

// AppendName appends a member's name to a path in OpenAI's notation. Names are
// the caller's own text, so they are cut to 64 bytes, and what is not
// printable ASCII becomes a question mark.
func AppendName(dst []byte, name string) []byte {
	if len(dst) > 0 {
		dst = append(dst, '.')
	}
	cut := len(name) > 64
	if cut {
		name = name[:64]
	}
	if strings.IndexFunc(name, unprintable) < 0 {
		dst = append(dst, name...)
	} else {
		for _, r := range name {
			if unprintable(r) {
				r = '?'
			}
			dst = append(dst, byte(r))
		}
	}
	if cut {
		dst = append(dst, "…"...)
	}
	return dst
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }
