package config

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// kind is one type of value: how it is read, written and described. Everything
// that knows the form of the file goes through it.
type kind[V any] interface {
	// read reports what is wrong and gives the zero value then.
	read(d *decoder, path string, n *yaml.Node) V
	// absent is the value where the key is missing and has no default.
	absent(d *decoder, path string) V
	// write gives nil for what is left out.
	write(v V) *yaml.Node
	shape() *shape
}

// member is one key of an object of type T whose value has type V.
type member[T, V any] struct {
	fieldShape
	at   func(*T) *V
	kind kind[V]
}

// field is a member whose value may have any type.
type field[T any] interface {
	info() *fieldShape
	describe() *shape
	read(d *decoder, path string, n *yaml.Node, into *T)
	write(from *T) *yaml.Node
}

// key declares a member.
func key[T, V any](name string, k kind[V], at func(*T) *V, doc string) *member[T, V] {
	return &member[T, V]{fieldShape: fieldShape{name: name, doc: doc}, at: at, kind: k}
}

// def sets the default, as it would stand in the file.
func (m *member[T, V]) def(text string) *member[T, V] {
	m.byDefault = text
	return m
}

const (
	isMissing  = "is missing"
	hasNoValue = "has no value"
)

// must makes the key required; example is what could stand there.
func (m *member[T, V]) must(example string) *member[T, V] {
	return m.needs(fault{isMissing, "write " + m.name + ": " + example})
}

// needs makes the key required; f says so when it is missing.
func (m *member[T, V]) needs(f fault) *member[T, V] {
	m.missing = f
	return m
}

func (m *member[T, V]) info() *fieldShape { return &m.fieldShape }
func (m *member[T, V]) describe() *shape  { return m.kind.shape() }

func (m *member[T, V]) read(d *decoder, path string, n *yaml.Node, into *T) {
	switch {
	case n != nil && m.required() && isNull(n):
		f := m.missing
		if f.message == isMissing {
			f.message = hasNoValue
		}
		d.fail(path, n, f)
	case n != nil:
		*m.at(into) = m.kind.read(d, path, n)
	case m.required():
		d.fail(path, nil, m.missing)
	case m.byDefault != "":
		*m.at(into) = m.kind.read(d, path, literal(m.byDefault))
	default:
		*m.at(into) = m.kind.absent(d, path)
	}
}

func (m *member[T, V]) write(from *T) *yaml.Node { return m.kind.write(*m.at(from)) }

// literal is the node of a default. It has no place.
func literal(text string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"} // a test reads every default
	}
	n := doc.Content[0]
	unplace(n)
	return n
}

func unplace(n *yaml.Node) {
	n.Line, n.Column = 0, 0
	for _, c := range n.Content {
		unplace(c)
	}
}

// object is a mapping with known keys.
type object[T any] struct {
	title  string
	fields []field[T]
	// one says that exactly one of the keys must be there.
	one string
}

func newObject[T any](title string, fields ...field[T]) *object[T] {
	return &object[T]{title: title, fields: fields}
}

// oneOf is an object with exactly one of its keys; want says of what.
func oneOf[T any](title, want string, fields ...field[T]) *object[T] {
	return &object[T]{title: title, fields: fields, one: want}
}

func (o *object[T]) read(d *decoder, path string, n *yaml.Node) T {
	var out T
	pairs, ok := d.mapping(path, n)
	if !ok {
		return out
	}
	if o.one != "" && len(pairs) != 1 {
		d.fail(path, n, fault{"must hold exactly one key, the name of " + o.one, "known: " + quoted(o.names())})
		return out
	}
	values := make(map[string]*yaml.Node, len(pairs))
	for _, p := range pairs {
		if !o.knows(p.key.Value) {
			d.fail(join(path, p.key.Value), p.key, unknownKey(p.key.Value, o.shape(), o.one))
			continue
		}
		values[p.key.Value] = p.value
	}
	o.fill(d, path, values, &out)
	return out
}

func (o *object[T]) fill(d *decoder, path string, values map[string]*yaml.Node, out *T) {
	for _, f := range o.fields {
		name := f.info().name
		n := values[name]
		if n == nil && o.one != "" {
			continue
		}
		f.read(d, join(path, name), n, out)
	}
}

func (o *object[T]) knows(name string) bool {
	return slices.ContainsFunc(o.fields, func(f field[T]) bool { return f.info().name == name })
}

func (o *object[T]) names() []string {
	out := make([]string, len(o.fields))
	for i, f := range o.fields {
		out[i] = f.info().name
	}
	return out
}

// absent fills in the defaults of the keys inside.
func (o *object[T]) absent(d *decoder, path string) T {
	var out T
	for _, f := range o.fields {
		if !f.info().required() {
			f.read(d, join(path, f.info().name), nil, &out)
		}
	}
	return out
}

func (o *object[T]) write(v T) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range o.fields {
		if x := f.write(&v); x != nil {
			n.Content = append(n.Content, textNode(f.info().name), x)
		}
	}
	if len(n.Content) == 0 {
		return nil
	}
	return n
}

func (o *object[T]) shape() *shape {
	s := &shape{form: formObject, title: o.title, one: o.one}
	for _, f := range o.fields {
		info := *f.info()
		info.shape = f.describe
		s.fields = append(s.fields, info)
	}
	return s
}

// optional is an object that may be left out as a whole.
type optional[T any] struct{ *object[T] }

func maybe[T any](o *object[T]) optional[T] { return optional[T]{o} }

func (o optional[T]) read(d *decoder, path string, n *yaml.Node) *T {
	v := o.object.read(d, path, n)
	return &v
}

func (o optional[T]) absent(*decoder, string) *T { return nil }

func (o optional[T]) write(v *T) *yaml.Node {
	if v == nil {
		return nil
	}
	if n := o.object.write(*v); n != nil {
		return n
	}
	return &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
}
