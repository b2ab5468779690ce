package config

import (
	"errors"
	"slices"

	"go.yaml.in/yaml/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The tags of plain scalars, as YAML resolves them.
const (
	tagText  = "!!str"
	tagInt   = "!!int"
	tagFloat = "!!float"
	tagBool  = "!!bool"
	tagDate  = "!!timestamp"
)

// scalar is a value written as one word or text.
type scalar[V any] struct {
	// noun completes "must be …"; example completes "as …".
	noun, example string
	// tags are what YAML may take the text for.
	tags []string
	// parse reads the text. Its error is a fault.
	parse func(string) (V, error)
	// format writes it again; empty is left out.
	format func(V) string
	// schema are the members of its JSON Schema.
	schema []jsonx.Member
}

func (s *scalar[V]) read(d *decoder, path string, n *yaml.Node) V {
	var zero V
	n = d.enter(path, n)
	if n == nil {
		return zero
	}
	switch {
	case n.Kind != yaml.ScalarNode, isNull(n):
		d.fail(path, n, wrongKind(n, s.wanted()))
		return zero
	case !slices.Contains(s.tags, n.ShortTag()):
		d.fail(path, n, s.wrongTag(n))
		return zero
	}
	v, err := s.parse(n.Value)
	if err != nil {
		d.fail(path, n, asFault(err))
		return zero
	}
	if r, ok := any(v).(claviger.Ref); ok {
		d.refs = append(d.refs, RefAt{path, r})
	}
	return v
}

func (s *scalar[V]) wanted() string {
	if s.example == "" {
		return s.noun
	}
	return s.noun + ", as " + s.example
}

// wrongTag is what is wrong with a text that YAML takes for something else than
// it should be: what its own rules say, or else the quotes.
func (s *scalar[V]) wrongTag(n *yaml.Node) fault {
	if _, err := s.parse(n.Value); err != nil {
		return asFault(err)
	}
	if n.ShortTag() == tagText {
		return fault{"must be " + s.wanted(), "take the quotes away"}
	}
	return fault{"must be " + s.wanted(), "YAML takes it for something else than text; put it in quotes"}
}

func asFault(err error) fault {
	if f, ok := errors.AsType[fault](err); ok {
		return f
	}
	return fault{"is not valid", ""}
}

func (s *scalar[V]) absent(*decoder, string) (v V) { return v }

func (s *scalar[V]) write(v V) *yaml.Node {
	text := s.format(v)
	if text == "" {
		return nil
	}
	if !slices.Contains(s.tags, tagText) || numeral(text) && slices.Contains(s.tags, tagInt) {
		return &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	}
	return textNode(text)
}

func numeral(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// textNode is a text; the writer quotes it where YAML would take it for
// something else.
func textNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tagText, Value: s}
}

func (s *scalar[V]) shape() *shape {
	return &shape{form: formScalar, noun: s.noun, scalar: s.schema}
}

// with narrows a scalar by a further check of the value.
func (s *scalar[V]) with(check func(V) error) *scalar[V] {
	out := *s
	out.parse = func(text string) (V, error) {
		v, err := s.parse(text)
		if err == nil {
			err = check(v)
		}
		return v, err
	}
	return &out
}

// member makes a member of a JSON Schema.
func has(name string, v jsonx.Value) jsonx.Member { return jsonx.Member{Name: name, Value: v} }

func typeIs(name string) jsonx.Member { return has("type", jsonx.String(name)) }

func pattern(re string) jsonx.Member { return has("pattern", jsonx.String(re)) }

// words makes a list of strings.
func words(list []string) jsonx.Value {
	vs := make([]jsonx.Value, len(list))
	for i, s := range list {
		vs[i] = jsonx.String(s)
	}
	return jsonx.Array(vs...)
}
