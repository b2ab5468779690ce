package jsonx

import (
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind says what a value is.
type Kind uint8

// The kinds. KindNone is the kind of the zero Value, which is no value at all.
const (
	KindNone Kind = iota
	KindNull
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// String names the kind as JSON Schema does.
func (k Kind) String() string {
	return [...]string{"none", "null", "boolean", "number", "string", "array", "object"}[k]
}

// Value is an immutable JSON value. It is a view of the text that Parse wrote,
// so copying one is free, and keeping a part keeps the whole. The zero Value
// is absent: its accessors give zero values and it is written as null.
type Value struct{ text string }

// Member is one member of an object.
type Member struct {
	Name  string
	Value Value
}

// kindOf tells the kind by the first byte.
func kindOf(c byte) Kind {
	switch c {
	case 'n':
		return KindNull
	case 't', 'f':
		return KindBool
	case '"':
		return KindString
	case '[':
		return KindArray
	case '{':
		return KindObject
	default:
		return KindNumber
	}
}

// Kind says what v is.
func (v Value) Kind() Kind {
	if v.text == "" {
		return KindNone
	}
	return kindOf(v.text[0])
}

// IsZero reports whether v is absent.
func (v Value) IsZero() bool { return v.text == "" }

// IsNull reports whether v is JSON's null.
func (v Value) IsNull() bool { return v.Kind() == KindNull }

// Size is the length of v's compact text in bytes.
func (v Value) Size() int { return len(v.text) }

// Str is the decoded string, empty for other kinds.
func (v Value) Str() string {
	if v.Kind() != KindString {
		return ""
	}
	return unquote(v.text)
}

// unquote decodes a quoted string of canonical text.
func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1]
	}
	b, err := jsontext.AppendUnquote(make([]byte, 0, len(s)), s)
	if err != nil {
		return "" // not reached: the text was written by this package
	}
	return string(b)
}

// Is reports whether v is the string s, without decoding where it can.
func (v Value) Is(s string) bool {
	t := v.text
	if len(t) == len(s)+2 && t[0] == '"' && t[1:len(t)-1] == s {
		return strings.IndexByte(s, '\\') < 0
	}
	return v.Kind() == KindString && v.Str() == s
}

// Bool is true for JSON's true alone.
func (v Value) Bool() bool { return v.text == "true" }

// Literal is a number digit for digit as it was sent, empty for other kinds.
func (v Value) Literal() string {
	if v.Kind() != KindNumber {
		return ""
	}
	return v.text
}

// Int is the number when its literal is an integer within 64 bits: "1", not
// "1.0" and not "1e3".
func (v Value) Int() (int64, bool) {
	if v.Kind() != KindNumber {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	return n, err == nil
}

// Float is the number as the nearest float64. It is false for other kinds and
// for numbers beyond its range.
func (v Value) Float() (float64, bool) {
	if v.Kind() != KindNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.text, 64)
	return f, err == nil
}

// Len is the number of elements or members, and 0 for other kinds.
func (v Value) Len() int {
	n := 0
	c := v.Cursor()
	switch c.Enter() {
	case KindArray:
		for c.Element() {
			c.Skip()
			n++
		}
	case KindObject:
		for c.Member() {
			c.Skip()
			n++
		}
	case KindNone, KindNull, KindBool, KindNumber, KindString:
	}
	return n
}

// Items iterates over the elements of an array.
func (v Value) Items() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		c := v.Cursor()
		if c.Enter() != KindArray {
			return
		}
		for i := 0; c.Element(); i++ {
			if !yield(i, c.Value()) {
				return
			}
		}
	}
}

// Fields iterates over the members of an object in the order sent.
func (v Value) Fields() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		c := v.Cursor()
		if c.Enter() != KindObject {
			return
		}
		for c.Member() {
			name := c.Name()
			if !yield(name, c.Value()) {
				return
			}
		}
	}
}

// Elems are the elements of an array, nil for other kinds.
func (v Value) Elems() []Value {
	if v.Kind() != KindArray {
		return nil
	}
	out := make([]Value, 0, v.Len())
	for _, e := range v.Items() {
		out = append(out, e)
	}
	return out
}

// Members are the members of an object in the order sent, nil for other kinds.
func (v Value) Members() []Member {
	if v.Kind() != KindObject {
		return nil
	}
	out := make([]Member, 0, v.Len())
	for name, x := range v.Fields() {
		out = append(out, Member{name, x})
	}
	return out
}

// Get returns the member of that exact name. It reads from the first member on,
// so whoever wants many iterates instead.
func (v Value) Get(name string) (Value, bool) {
	c := v.Cursor()
	if c.Enter() != KindObject {
		return Value{}, false
	}
	for c.Member() {
		if c.Name() == name {
			return c.Value(), true
		}
		c.Skip()
	}
	return Value{}, false
}

// Any gives v as Go values: map[string]any, []any, string, bool, nil and
// float64. Integers that float64 cannot tell apart (beyond 2^53) come as int64
// while they fit; numbers beyond float64 come as its largest or smallest. It
// is for JSON Schema validation and for claims.
func (v Value) Any() any {
	c := v.Cursor()
	return c.any()
}

func (c *Cursor) any() any {
	switch c.Kind() {
	case KindObject:
		out := map[string]any{}
		c.Enter()
		for c.Member() {
			name := c.Name()
			out[name] = c.any()
		}
		return out
	case KindArray:
		out := []any{}
		c.Enter()
		for c.Element() {
			out = append(out, c.any())
		}
		return out
	case KindString:
		return c.Value().Str()
	case KindBool:
		return c.Value().Bool()
	case KindNumber:
		return anyNumber(c.Value())
	default:
		c.Skip()
		return nil
	}
}

func anyNumber(v Value) any {
	const exact = 1 << 53
	if n, ok := v.Int(); ok && (n > exact || n < -exact) {
		return n
	}
	f, ok := v.Float()
	switch {
	case ok:
		return f
	case f < 0:
		return -math.MaxFloat64
	default:
		return math.MaxFloat64
	}
}
