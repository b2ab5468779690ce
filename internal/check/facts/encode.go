package facts

import (
	"encoding/binary"
	"errors"
)

// MaxDepth is how deep a tree may be. Deeper ones come from machines.
const MaxDepth = 2000

// errTree is told for bytes that Encode did not write.
var errTree = errors.New("not a tree of facts")

// Encode writes a tree. Equal strings are written once.
func Encode(n *Node) []byte {
	e := encoder{index: map[string]uint64{}}
	e.node(n)
	head := binary.AppendUvarint(nil, uint64(len(e.strings)))
	for _, s := range e.strings {
		head = binary.AppendUvarint(head, uint64(len(s)))
		head = append(head, s...)
	}
	return append(head, e.out...)
}

type encoder struct {
	out     []byte
	strings []string
	index   map[string]uint64
	line    int32
}

func (e *encoder) str(s string) {
	i, ok := e.index[s]
	if !ok {
		i = uint64(len(e.strings))
		e.strings = append(e.strings, s)
		e.index[s] = i
	}
	e.out = binary.AppendUvarint(e.out, i)
}

func (e *encoder) node(n *Node) {
	if n == nil {
		e.out = append(e.out, byte(KindNone))
		return
	}
	e.out = append(e.out, byte(n.Kind), byte(n.Flag))
	e.out = binary.AppendVarint(e.out, int64(n.Line-e.line))
	e.line = n.Line
	e.out = binary.AppendUvarint(e.out, uint64(max(0, n.Col)))
	e.str(n.Str)
	e.str(n.Alt)
	e.out = binary.AppendUvarint(e.out, uint64(len(n.Directives)))
	for _, d := range n.Directives {
		e.str(d)
	}
	e.out = binary.AppendUvarint(e.out, uint64(len(n.Kids)))
	for _, k := range n.Kids {
		e.node(k)
	}
}

// Decode reads a tree. The bytes may come from a process that a hostile text
// has taken over: whatever they are, Decode ends, with a tree of at most
// MaxDepth or an error.
func Decode(b []byte) (*Node, error) {
	d := decoder{in: b}
	n := d.count()
	for range n {
		size := d.count()
		if d.bad {
			return nil, errTree
		}
		d.strings = append(d.strings, string(d.in[:size]))
		d.in = d.in[size:]
	}
	root := d.node(0)
	if d.bad || root == nil || root.Kind != Program || len(d.in) != 0 {
		return nil, errTree
	}
	return root, nil
}

type decoder struct {
	in      []byte
	strings []string
	line    int32
	bad     bool
}

// count reads how many of something follow. Each takes a byte at least.
func (d *decoder) count() int {
	v, n := binary.Uvarint(d.in)
	if n <= 0 || v > uint64(len(d.in)-n) {
		d.bad = true
		return 0
	}
	d.in = d.in[n:]
	return int(v)
}

func (d *decoder) str() string {
	v, n := binary.Uvarint(d.in)
	if n <= 0 || v >= uint64(len(d.strings)) {
		d.bad = true
		return ""
	}
	d.in = d.in[n:]
	return d.strings[v]
}

func (d *decoder) node(depth int) *Node {
	if d.bad || depth > MaxDepth || len(d.in) == 0 {
		d.bad = true
		return nil
	}
	kind := Kind(d.in[0])
	if kind == KindNone {
		d.in = d.in[1:]
		return nil
	}
	if kind >= kinds || len(d.in) < 2 {
		d.bad = true
		return nil
	}
	n := &Node{Kind: kind, Flag: Flag(d.in[1])}
	d.in = d.in[2:]
	delta, size := binary.Varint(d.in)
	if size <= 0 {
		d.bad = true
		return nil
	}
	d.in = d.in[size:]
	d.line += int32(delta)
	n.Line = d.line
	col, size := binary.Uvarint(d.in)
	if size <= 0 {
		d.bad = true
		return nil
	}
	d.in = d.in[size:]
	n.Col = int32(col)
	n.Str, n.Alt = d.str(), d.str()
	for range d.count() {
		n.Directives = append(n.Directives, d.str())
	}
	if kids := d.count(); kids > 0 {
		n.Kids = make([]*Node, kids)
		for i := range n.Kids {
			n.Kids[i] = d.node(depth + 1)
		}
	}
	return n
}
