package jsonx

import (
	"errors"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// String makes a string. Invalid UTF-8 becomes U+FFFD.
func String(s string) Value {
	return Value{string(AppendString(make([]byte, 0, len(s)+2), s))}
}

// Int makes a number.
func Int(n int64) Value { return Value{strconv.FormatInt(n, 10)} }

// Float makes a number. What JSON has no number for becomes null.
func Float(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Null()
	}
	return Value{string(jsontext.AppendFloat(nil, f, 64))}
}

// Number makes a number from its literal. What is not a JSON number gives
// the zero Value.
func Number(literal string) Value {
	v, err := Parse([]byte(literal))
	if err != nil || v.Kind() != KindNumber {
		return Value{}
	}
	return v
}

// Bool makes true or false.
func Bool(b bool) Value {
	if b {
		return Value{"true"}
	}
	return Value{"false"}
}

// Null makes null.
func Null() Value { return Value{"null"} }

// Array makes an array.
func Array(vs ...Value) Value {
	b := []byte{'['}
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = Append(b, v)
	}
	return Value{string(append(b, ']'))}
}

// Object makes an object with its members in that order. Their names must
// differ.
func Object(ms ...Member) Value {
	b := []byte{'{'}
	for i, m := range ms {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendString(b, m.Name), ':')
		b = Append(b, m.Value)
	}
	return Value{string(append(b, '}'))}
}

// Append appends the compact text of v. The zero Value is written as null.
func Append(dst []byte, v Value) []byte {
	if v.text == "" {
		return append(dst, "null"...)
	}
	return append(dst, v.text...)
}

// AppendString appends s as a quoted string in its shortest encoding. Invalid
// UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			// The error says that bytes were replaced, which is documented.
			dst, _ = jsontext.AppendQuote(dst, s)
			return dst
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// Marshal encodes one of our own structs. Maps come in the order of their keys.
func Marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, semanticError(nil, err)
	}
	return b, nil
}

// Unmarshal decodes b into one of our own structs as strictly as Parse, with
// names matched exactly by case and unknown members refused. The error is a
// *SyntaxError.
func Unmarshal(b []byte, v any) error {
	val, err := Parse(b)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(val.text), v, json.RejectUnknownMembers(true)); err != nil {
		return semanticError(b, err)
	}
	return nil
}

// semanticError drops what the library's error quotes of the text.
func semanticError(b []byte, err error) error {
	s, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		if b == nil {
			return &SyntaxError{Reason: reasonNotEncoded}
		}
		return syntaxError(b, err)
	}
	out := &SyntaxError{Offset: s.ByteOffset, Path: path(s.JSONPointer), Reason: ReasonWrongType}
	switch {
	case errors.Is(err, json.ErrUnknownName):
		out.Reason = ReasonUnknown
	case b == nil:
		out.Reason = reasonNotEncoded
	}
	return out
}
