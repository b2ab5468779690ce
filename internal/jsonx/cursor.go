package jsonx

import "strings"

// Cursor walks over a value once, from its first byte to its last, without
// allocating. A walk reads
//
//	c := v.Cursor()
//	switch c.Kind() {
//	case jsonx.KindObject:
//		c.Enter()
//		for c.Member() {
//			use(c.Name(), c.Value()) // or c.Skip(), or c.Enter() and a loop of its own
//		}
//	case jsonx.KindArray:
//		c.Enter()
//		for c.Element() {
//			use(c.Value())
//		}
//	}
//
// and every value that Member or Element stops at must be consumed by Value,
// Skip or a loop of its own that runs to its end.
type Cursor struct {
	s    string
	i    int
	name string // quoted
}

// Cursor begins a walk over v.
func (v Value) Cursor() Cursor { return Cursor{s: v.text} }

// Offset is where the cursor stands in the compact text of its value, in bytes.
func (c *Cursor) Offset() int { return c.i }

// Kind says what the value at the cursor is.
func (c *Cursor) Kind() Kind {
	if c.i >= len(c.s) {
		return KindNone
	}
	return kindOf(c.s[c.i])
}

// Enter steps into an array or object and returns its kind. On any other value
// it only returns the kind.
func (c *Cursor) Enter() Kind {
	k := c.Kind()
	if k == KindArray || k == KindObject {
		c.i++
	}
	return k
}

// Element stops at the next element of the array that was entered, or steps
// behind the array and returns false.
func (c *Cursor) Element() bool {
	switch {
	case c.i >= len(c.s):
		return false
	case c.s[c.i] == ']':
		c.i++
		return false
	case c.s[c.i] == ',':
		c.i++
	}
	return true
}

// Member stops at the value of the next member of the object that was entered,
// or steps behind the object and returns false.
func (c *Cursor) Member() bool {
	switch {
	case c.i >= len(c.s):
		return false
	case c.s[c.i] == '}':
		c.i++
		return false
	case c.s[c.i] == ',':
		c.i++
	}
	j := endString(c.s, c.i)
	c.name = c.s[c.i:j]
	c.i = j + 1
	return true
}

// Name is the decoded name of the member that Member stopped at. It is good
// until the next call of Member, also by a loop further in.
func (c *Cursor) Name() string { return unquote(c.name) }

// Value consumes the value at the cursor.
func (c *Cursor) Value() Value {
	j := end(c.s, c.i)
	v := Value{c.s[c.i:j]}
	c.i = j
	return v
}

// Skip steps over the value at the cursor.
func (c *Cursor) Skip() { c.i = end(c.s, c.i) }

// end returns the index behind the value that begins at i.
func end(s string, i int) int {
	if i >= len(s) {
		return len(s)
	}
	switch s[i] {
	case '"':
		return endString(s, i)
	case 't', 'n':
		return i + 4
	case 'f':
		return i + 5
	case '[', '{':
		return endNested(s, i)
	}
	for i++; i < len(s); i++ {
		if c := s[i]; c == ',' || c == ']' || c == '}' {
			break
		}
	}
	return i
}

// endString returns the index behind the string that begins at i.
func endString(s string, i int) int {
	for j := i + 1; ; {
		n := strings.IndexByte(s[j:], '"')
		if n < 0 {
			return len(s) // not reached: the text was written by this package
		}
		if n == 0 || s[j+n-1] != '\\' || !escaped(s[i+1:j+n]) {
			return j + n + 1
		}
		j += n + 1
	}
}

// endNested returns the index behind the array or object that begins at i.
func endNested(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			i = endString(s, i)
			continue
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(s)
}
