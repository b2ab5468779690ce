package openaitest

import (
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// members are the members of a JSON object in their order.
type members []member

type member struct {
	name  string
	value jsontext.Value
}

// UnmarshalJSONFrom keeps the order of the object's members.
func (m *members) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind != '{' {
		if err := dec.SkipValue(); err != nil {
			return err //nolint:wrapcheck // the decoder's own error belongs to its caller
		}
		return &json.SemanticError{JSONKind: kind}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err //nolint:wrapcheck // as above
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err //nolint:wrapcheck // as above
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return err //nolint:wrapcheck // as above
		}
		*m = append(*m, member{key, value.Clone()})
	}
	_, err := dec.ReadToken()
	return err //nolint:wrapcheck // as above
}

func (m members) get(name string) (jsontext.Value, bool) {
	for _, e := range m {
		if e.name == name {
			return e.value, true
		}
	}
	return nil, false
}

// with adds a member unless there is one of that name.
func (m members) with(name, value string) members {
	if _, ok := m.get(name); ok {
		return m
	}
	return append(m, member{name, jsontext.Value(value)})
}

// value writes the object.
func (m members) value() jsontext.Value {
	b := []byte{'{'}
	for i, e := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, quote(e.name)...), ':'), e.value...)
	}
	return append(b, '}')
}

func itoa(i int) string { return strconv.Itoa(i) }
