package jsonx

import (
	"slices"
	"strconv"
)

// Leaf is a place in a value where text stands: a string, the literal of a number,
// or the name of a member.
type Leaf struct {
	// Text is the decoded string, the literal, or the decoded name.
	Text string
	// Kind is KindString, KindNumber, or KindObject for the name of a member.
	Kind  Kind
	root  string
	steps []leafStep
}

// leafStep is the name of a member, or the index of an element.
type leafStep struct {
	name    string
	element bool
	index   int
}

// TextLeaf is a leaf that is a string at a place of its own.
func TextLeaf(path, text string) *Leaf {
	return &Leaf{Text: text, Kind: KindString, root: path}
}

// Path is the place in OpenAI's notation, as "messages[0].content"; that of the
// name of a member is the object's. It ends before the first name that may be a
// text by itself.
func (l *Leaf) Path() string {
	out := []byte(l.root)
	for _, s := range l.steps {
		switch {
		case s.element:
			out = append(strconv.AppendInt(append(out, '['), int64(s.index), 10), ']')
		case IsWord(s.name):
			out = AppendName(out, s.name)
		default:
			return string(out)
		}
	}
	return string(out)
}

// Top is the outermost member of Path.
func (l *Leaf) Top() string {
	if l.root != "" || len(l.steps) == 0 || l.steps[0].element || !IsWord(l.steps[0].name) {
		return l.root
	}
	return l.steps[0].name
}

// maxWord is the longest name that is a word, in bytes.
const maxWord = 24

// IsWord reports whether the name of a member is a plain word, as those of APIs are.
func IsWord(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return name != "" && len(name) <= maxWord
}

// Member is the name of the innermost member that holds the leaf, empty where
// none does.
func (l *Leaf) Member() string {
	for _, s := range slices.Backward(l.steps) {
		if !s.element {
			return s.name
		}
	}
	return ""
}

// Leaves calls visit for every leaf of v in the order sent, until visit returns
// false, which it returns then. The leaf is good until visit returns; root is the
// path of v itself.
func Leaves(root string, v Value, visit func(*Leaf) bool) bool {
	c, l := v.Cursor(), Leaf{root: root}
	return l.walk(&c, visit)
}

func (l *Leaf) walk(c *Cursor, visit func(*Leaf) bool) bool {
	switch c.Kind() {
	case KindObject:
		return l.members(c, visit)
	case KindArray:
		l.steps = append(l.steps, leafStep{element: true})
		at := len(l.steps) - 1
		c.Enter()
		for c.Element() {
			if !l.walk(c, visit) {
				return false
			}
			l.steps[at].index++
		}
		l.steps = l.steps[:at]
		return true
	case KindString:
		l.Text, l.Kind = c.Value().Str(), KindString
		return visit(l)
	case KindNumber:
		l.Text, l.Kind = c.Value().Literal(), KindNumber
		return visit(l)
	default:
		c.Skip()
		return true
	}
}

func (l *Leaf) members(c *Cursor, visit func(*Leaf) bool) bool {
	at := len(l.steps)
	c.Enter()
	for c.Member() {
		name := c.Name()
		l.Text, l.Kind = name, KindObject
		if !visit(l) {
			return false
		}
		l.steps = append(l.steps, leafStep{name: name})
		if !l.walk(c, visit) {
			return false
		}
		l.steps = l.steps[:at]
	}
	return true
}
