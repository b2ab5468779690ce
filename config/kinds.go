package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// list is a list of values of one kind.
type list[V any] struct {
	item kind[V]
	// ifEmpty is what is wrong with an empty list, zero where it may be empty.
	ifEmpty fault
	// limit is how many there may be, 0 for any number.
	limit int
	// single takes a lone value for a list of one.
	single bool
	// flow writes the list in one line.
	flow bool
}

func listOf[V any](k kind[V]) *list[V] { return &list[V]{item: k, flow: true} }

// some refuses the empty list; hint says what to write.
func (l *list[V]) some(hint string) *list[V] { return l.or(fault{"is empty", hint}) }

// or refuses the empty list in other words.
func (l *list[V]) or(f fault) *list[V] {
	l.ifEmpty = f
	return l
}

// most bounds the number of items.
func (l *list[V]) most(n int) *list[V] {
	l.limit = n
	return l
}

// orOne takes a lone value for a list of one.
func (l *list[V]) orOne() *list[V] {
	l.single = true
	return l
}

// block writes one item a line.
func (l *list[V]) block() *list[V] {
	l.flow = false
	return l
}

func (l *list[V]) read(d *decoder, path string, n *yaml.Node) []V {
	if l.single && behind(n).Kind != yaml.SequenceNode {
		return []V{l.item.read(d, path, n)}
	}
	nodes, ok := d.sequence(path, n)
	if !ok {
		return nil
	}
	if len(nodes) == 0 && l.ifEmpty != (fault{}) {
		d.fail(path, n, l.ifEmpty)
	}
	if l.limit > 0 && len(nodes) > l.limit {
		d.fail(path, n, fault{"has more than " + strconv.Itoa(l.limit) + " items", ""})
		return nil
	}
	out := make([]V, len(nodes))
	for i, x := range nodes {
		out[i] = l.item.read(d, index(path, i), x)
	}
	return out
}

// behind is the node that an alias stands for.
func behind(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (l *list[V]) absent(*decoder, string) []V { return nil }

func (l *list[V]) write(vs []V) *yaml.Node {
	if vs == nil {
		return nil
	}
	if l.single && len(vs) == 1 {
		return l.item.write(vs[0])
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if l.flow || len(vs) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, v := range vs {
		if x := l.item.write(v); x != nil {
			n.Content = append(n.Content, x)
		}
	}
	return n
}

func (l *list[V]) shape() *shape {
	return &shape{form: formList, item: l.item.shape, filled: l.ifEmpty != fault{}, single: l.single, limit: l.limit}
}

// keyed is a mapping whose keys are names that the file chooses. Its values
// keep the order of the file.
type keyed[V any] struct {
	value kind[V]
	// name is where a value keeps its own key.
	name func(*V) *string
	// keys admits a key.
	keys *scalar[string]
}

func (k *keyed[V]) read(d *decoder, path string, n *yaml.Node) []V {
	pairs, ok := d.mapping(path, n)
	if !ok {
		return nil
	}
	out := make([]V, 0, len(pairs))
	for _, p := range pairs {
		at := join(path, p.key.Value)
		name, err := k.keys.parse(p.key.Value)
		if err != nil {
			d.fail(at, p.key, asFault(err))
			continue
		}
		v := k.value.read(d, at, p.value)
		*k.name(&v) = name
		out = append(out, v)
	}
	return out
}

func (k *keyed[V]) absent(*decoder, string) []V { return nil }

func (k *keyed[V]) write(vs []V) *yaml.Node {
	if vs == nil {
		return nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	if len(vs) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, v := range vs {
		x := k.value.write(v)
		if x == nil {
			x = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		}
		n.Content = append(n.Content, textNode(*k.name(&v)), x)
	}
	return n
}

func (k *keyed[V]) shape() *shape {
	return &shape{form: formKeyed, item: k.value.shape, keys: k.keys}
}

// brief is an object that may be written as one of its values alone.
type brief[T, V any] struct {
	*object[T]
	short kind[V]
	at    func(*T) *V
	// plain reports whether the rest is as it is by default.
	plain func(T) bool
}

func (b *brief[T, V]) read(d *decoder, path string, n *yaml.Node) T {
	if behind(n).Kind != yaml.ScalarNode {
		return b.object.read(d, path, n)
	}
	out := b.absent(d, path)
	*b.at(&out) = b.short.read(d, path, n)
	return out
}

func (b *brief[T, V]) write(v T) *yaml.Node {
	if b.plain(v) {
		return b.short.write(*b.at(&v))
	}
	return b.object.write(v)
}

func (b *brief[T, V]) shape() *shape {
	return &shape{form: formEither, either: []func() *shape{b.short.shape, b.object.shape}}
}

// via reads a kind and keeps it as another type.
type via[A, B any] struct {
	kind[A]
	to   func(A) B
	from func(B) A
}

func (v via[A, B]) read(d *decoder, path string, n *yaml.Node) B {
	return v.to(v.kind.read(d, path, n))
}
func (v via[A, B]) absent(d *decoder, path string) B { return v.to(v.kind.absent(d, path)) }
func (v via[A, B]) write(b B) *yaml.Node             { return v.kind.write(v.from(b)) }

// lifted is a field of a part of T.
type lifted[T, P any] struct {
	field[P]
	part func(*T) *P
}

func (l lifted[T, P]) read(d *decoder, path string, n *yaml.Node, into *T) {
	l.field.read(d, path, n, l.part(into))
}
func (l lifted[T, P]) write(from *T) *yaml.Node { return l.field.write(l.part(from)) }

// lift makes fields of P fields of T.
func lift[T, P any](part func(*T) *P, fields ...field[P]) []field[T] {
	out := make([]field[T], len(fields))
	for i, f := range fields {
		out[i] = lifted[T, P]{f, part}
	}
	return out
}

func quoted(names []string) string { return strings.Join(names, ", ") }
