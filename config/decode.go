package config

import (
	"strconv"

	"go.yaml.in/yaml/v4"
)

// The bounds on a file. Aliases count each time they are used, so that a few
// lines cannot stand for millions.
const (
	maxBytes = 1 << 20
	maxNodes = 50_000
	maxDepth = 64
)

// decoder turns nodes into values and collects what is wrong.
type decoder struct {
	problems Problems
	at       positions
	// failed are the paths with a problem.
	failed map[string]bool
	refs   []RefAt
	nodes  int
	// inside are the nodes whose content is being read.
	inside map[*yaml.Node]bool
	// fatal says that nothing after it would make sense.
	fatal bool
	// development says that the file is read for development alone.
	development bool
}

func newDecoder(file string) *decoder {
	return &decoder{at: positions{file: file, at: map[string]place{}}, failed: map[string]bool{}, inside: map[*yaml.Node]bool{}}
}

// fail reports a problem at the node, or at the key around it for a default.
func (d *decoder) fail(path string, n *yaml.Node, f fault) {
	at := d.at.nearest(path)
	if n != nil && n.Line > 0 {
		at = Position{File: d.at.file, Line: n.Line, Column: n.Column}
	}
	d.failAt(path, at, f)
}

func (d *decoder) failAt(path string, at Position, f fault) {
	d.failed[path] = true
	d.problems = append(d.problems, Problem{Position: at, Path: path, Message: f.message, Hint: f.hint})
}

// fault is what is wrong with one value, and what to do. It never quotes it.
type fault struct{ message, hint string }

// Error implements error.
func (f fault) Error() string { return f.message }

// enter follows an alias and admits a node: nil when it is refused. It notes
// where the value of path stands.
func (d *decoder) enter(path string, n *yaml.Node) *yaml.Node {
	if d.fatal {
		return nil
	}
	if n.Line > 0 {
		d.at.at[path] = place{Position{d.at.file, n.Line, n.Column}, inlineText(n)}
	}
	if d.nodes++; d.nodes > maxNodes {
		d.fail("", n, fault{"the file has more than " + strconv.Itoa(maxNodes) + " values, counted with what its aliases repeat", ""})
		d.fatal = true
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		d.fail(path, n, fault{"tags (!…) are not read", "take the tag away"})
	case n.Kind == yaml.ScalarNode && looksSecret(n.Value):
		d.fail(path, n, leaked)
	default:
		return n
	}
	return nil
}

// inlineText says how many characters stand before the text of a scalar that
// is one line written as it is, and -1 for others.
func inlineText(n *yaml.Node) int {
	switch {
	case n.Kind != yaml.ScalarNode, n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return -1
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return 1
	default:
		return 0
	}
}

// pair is a key with its value.
type pair struct{ key, value *yaml.Node }

// mapping admits a node that must hold keys, each once.
func (d *decoder) mapping(path string, n *yaml.Node) ([]pair, bool) {
	n = d.enter(path, n)
	if n == nil {
		return nil, false
	}
	if n.Kind != yaml.MappingNode {
		d.fail(path, n, wrongKind(n, "keys with values"))
		return nil, false
	}
	var out []pair
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if !d.key(path, k) {
			continue
		}
		if line, twice := first[k.Value]; twice {
			d.fail(join(path, k.Value), k, fault{"this key stands in line " + strconv.Itoa(line) + " already", "keep one of them"})
			continue
		}
		first[k.Value] = k.Line
		out = append(out, pair{k, n.Content[i+1]})
	}
	return out, true
}

// key admits a key.
func (d *decoder) key(path string, k *yaml.Node) bool {
	switch {
	case k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge":
		d.fail(path, k, fault{"merge keys (<<) are not read", "write the keys out, or repeat a whole value by an alias"})
	case k.Kind != yaml.ScalarNode || k.Style&yaml.TaggedStyle != 0 || k.ShortTag() == "!!null":
		d.fail(path, k, fault{"a key must be a plain word", ""})
	case looksSecret(k.Value):
		d.fail(path, k, leaked)
	default:
		return true
	}
	return false
}

// sequence admits a node that must be a list.
func (d *decoder) sequence(path string, n *yaml.Node) ([]*yaml.Node, bool) {
	n = d.enter(path, n)
	if n == nil {
		return nil, false
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(path, n, wrongKind(n, "a list, as [first, second]"))
		return nil, false
	}
	return n.Content, true
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// wrongKind says what a node should have been.
func wrongKind(n *yaml.Node, want string) fault {
	if isNull(n) {
		return fault{hasNoValue, "give it one, or take the key away"}
	}
	return fault{"must be " + want, ""}
}
