// Package flow runs the code of a project without running it. It walks a
// handler as an interpreter would, with values of which it knows where they
// come from and what holds when they are true, and goes into every function of
// the project that is called on the way. What reaches a provider, a log, an
// answer or a component is told as an Event, with the facts that hold there:
// that somebody is signed in, that a limit was asked, that an input was checked.
//
// A fact holds at a place when every way there has it. A guard is whatever
// leaves without going on: a return, a throw, a call that never returns. Names
// of a project's own functions mean nothing; names of libraries do.
package flow

import (
	"slices"

	"claviger.dev/claviger/internal/check/facts"
)

// Facts is a set of what is known. The impossible set has all: it stands on
// ways that cannot be taken.
type Facts struct {
	impossible bool
	bits       [4]uint64
}

// The facts that are not about an input.
const (
	FactAuth = iota
	FactWeakAuth
	FactLimit
	factInputs // from here on two for each input: checked, capped
)

var impossible = Facts{impossible: true}

func fact(i int) Facts {
	var f Facts
	if i >= 0 && i < 256 {
		f.bits[i/64] = 1 << (i % 64)
	}
	return f
}

func factChecked(input int) Facts { return fact(factInputs + 2*input) }
func factCapped(input int) Facts  { return fact(factInputs + 2*input + 1) }

// Has reports whether fact i is in the set.
func (f Facts) Has(i int) bool {
	return f.impossible || i < 256 && f.bits[i/64]&(1<<(i%64)) != 0
}

// Checked reports whether an input was checked, by itself.
func (f Facts) Checked(input int) bool { return f.Has(factInputs + 2*input) }

// Capped reports whether an input has a bounded length, by itself.
func (f Facts) Capped(input int) bool { return f.Has(factInputs + 2*input + 1) }

func (f Facts) and(g Facts) Facts { // both hold
	f.impossible = f.impossible || g.impossible
	for i := range f.bits {
		f.bits[i] |= g.bits[i]
	}
	return f
}

func (f Facts) or(g Facts) Facts { // one of them holds
	switch {
	case f.impossible:
		return g
	case g.impossible:
		return f
	}
	for i := range f.bits {
		f.bits[i] &= g.bits[i]
	}
	return f
}

func (f Facts) without(g Facts) Facts {
	for i := range f.bits {
		f.bits[i] &^= g.bits[i]
	}
	return f
}

// Kind says what is known of a value.
type Kind uint8

// The kinds of values.
const (
	Unknown  Kind = iota
	Nothing       // undefined, null
	Text          // a constant string: Str
	Number        // a constant number: Str
	Truth         // a constant truth value: Str
	Function      // Fn
	Record        // Props
	List          // Elem
	Outside       // what a package or the platform gives: Str is its symbol
	Response      // an answer with Status
	Class
)

// Bits are what a value has on it.
type Bits uint32

// The marks of values.
const (
	Session   Bits = 1 << iota // says who is signed in
	Failure                    // an error, or text of one
	Raw                        // a provider's answer as a whole
	Output                     // a part of a provider's answer
	Whole                      // a whole request, its headers, or a whole environment
	Cred                       // a credential that the caller presents
	Chosen                     // chosen by the caller, and no input
	HostSet                    // set by the host, as far as one can see
	Counter                    // read from a store that counts
	Remaining                  // counts downwards
	Clock                      // a time
	Mac                        // made with a secret
	Local                      // from a store of the module's own
	Typed                      // a key that a person gave in the browser
	Limiter                    // the answer of a limiter
	Public                     // under a public prefix
	Model                      // a provider's client or model
	Foreign                    // paid for by the caller's own key
	Guarded                    // goes through the gateway, or stays on this machine
	Named                      // the caller chooses where it goes
)

// Source is where a secret comes from.
type Source struct {
	Name   string
	Module *Module
	At     *facts.Node
	Public bool
}

// Value is what is known of a value. Values are not changed, but for the
// properties of a record.
type Value struct {
	Kind    Kind
	Str     string
	Fn      *Closure
	Props   map[string]*Value
	Places  map[string]Place
	Open    bool // a record that may have more properties
	Elem    *Value
	Items   []*Value
	Args    []*Value
	Recv    *Value
	Status  int
	Bits    Bits
	Secrets []*Source
	Inputs  []int
	Lens    []int // inputs whose length this is
	T, F    Facts // what holds if it is true, or false
	Schema  *Schema
	At      Place
	NS      *Module
	// answer says what holds if it is an answer, and if it is none.
	answer *[2]Facts
	// pending says that it is a promise, and gain what holds once it was awaited.
	pending bool
	gain    Facts
}

// answers are the facts of "is it a Response", yes and no.
func (v *Value) answers() (yes, no Facts) {
	switch {
	case v.answer != nil:
		return v.answer[0], v.answer[1]
	case v.Kind == Response:
		return Facts{}, impossible
	case v.Kind == Unknown || v.Kind == Outside:
		return Facts{}, Facts{}
	}
	return impossible, Facts{}
}

// Answers reports whether a value is an answer, or one on some ways: what stands
// in it was told when it was made.
func (v *Value) Answers() bool {
	return v.Kind == Response || v.answer != nil && !v.answer[0].impossible
}

// Place is a node in a module.
type Place struct {
	Module *Module
	Node   *facts.Node
}

var (
	unknown = &Value{}
	nothing = &Value{Kind: Nothing, T: impossible}
)

func text(s string) *Value {
	v := &Value{Kind: Text, Str: s, F: impossible}
	if s == "" {
		v.F, v.T = Facts{}, impossible
	}
	return v
}

func truth(b bool) *Value {
	if b {
		return &Value{Kind: Truth, Str: "true", F: impossible}
	}
	return &Value{Kind: Truth, Str: "false", T: impossible}
}

func outside(symbol string) *Value {
	if len(symbol) > 200 {
		return unknown
	}
	return &Value{Kind: Outside, Str: symbol}
}

func record() *Value {
	return &Value{Kind: Record, Props: map[string]*Value{}, Places: map[string]Place{}, F: impossible}
}

// opaque is a value of which only the marks are kept.
func opaque(from ...*Value) *Value {
	v := &Value{}
	for _, f := range from {
		v = v.mark(f)
	}
	return v
}

// mark returns v with the marks of another on it.
func (v *Value) mark(from *Value) *Value {
	if from == nil || from.Bits == 0 && len(from.Secrets) == 0 && len(from.Inputs) == 0 && len(from.Lens) == 0 {
		return v
	}
	c := *v
	c.Bits |= from.Bits
	c.Secrets = union(v.Secrets, from.Secrets)
	c.Inputs = union(v.Inputs, from.Inputs)
	c.Lens = union(v.Lens, from.Lens)
	return &c
}

func (v *Value) with(b Bits) *Value {
	c := *v
	c.Bits |= b
	return &c
}

func (v *Value) when(t, f Facts) *Value {
	c := *v
	c.T, c.F = v.T.and(t), v.F.and(f)
	return &c
}

func union[T comparable](a, b []T) []T {
	if len(b) == 0 {
		return a
	}
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// deep is the marks of a value and of all that hangs on it.
func deep(v *Value) *Value { return deepen(v, &Value{}, 0) }

func deepen(v, into *Value, depth int) *Value {
	if v == nil || depth > 6 {
		return into
	}
	into = into.mark(v)
	for _, p := range v.Props {
		into = deepen(p, into, depth+1)
	}
	into = deepen(v.Elem, into, depth+1)
	for _, p := range v.Items {
		into = deepen(p, into, depth+1)
	}
	return into
}

// join is a value that is one of two.
func join(a, b *Value) *Value {
	switch {
	case a == b || b == nil:
		return a
	case a == nil:
		return b
	case a.T.impossible && a.F.impossible:
		return b
	case b.T.impossible && b.F.impossible:
		return a
	}
	c := &Value{}
	if a.Kind == b.Kind && a.Str == b.Str && a.Fn == b.Fn {
		*c = *a
	} else {
		for _, one := range []*Value{a, b} {
			// What may be missing is, where it is used, the thing itself.
			if other := pick(one == a, b, a); other.Kind == Nothing || other.Kind == Truth && other.Str == "false" {
				if one.Kind != Text && one.Kind != Truth && one.Kind != Number && one.Kind != Response {
					*c = *one
				}
			}
		}
		if c.Kind == Unknown && (a.Kind == Function || a.Kind == Outside) && b.Kind != Function {
			*c = *a
		} else if c.Kind == Unknown && (b.Kind == Function || b.Kind == Outside) && a.Kind != Function {
			*c = *b
		}
	}
	if c.Kind == Unknown && c.Str == "" {
		c.Str = either(a, b)
	}
	c.Props, c.Places = joinProps(a, b)
	if c.Props != nil && c.Kind == Unknown {
		c.Kind = Record
	}
	c.Open = a.Open || b.Open
	if a.Elem != nil || b.Elem != nil {
		c.Elem = join(a.Elem, b.Elem)
	}
	if a.Status != b.Status {
		c.Status = 0
	}
	c.Bits, c.Secrets = a.Bits|b.Bits, union(a.Secrets, b.Secrets)
	c.Inputs, c.Lens = union(a.Inputs, b.Inputs), union(a.Lens, b.Lens)
	c.T, c.F = a.T.or(b.T), a.F.or(b.F)
	c.pending, c.gain = a.pending && b.pending, a.gain.or(b.gain)
	ay, an := a.answers()
	by, bn := b.answers()
	c.answer = &[2]Facts{ay.or(by), an.or(bn)}
	return c
}

// either is the pattern of a string that is one of two.
func either(a, b *Value) string {
	if a.Kind != Text && a.Kind != Unknown || b.Kind != Text && b.Kind != Unknown || a.Recv != nil || b.Recv != nil {
		return ""
	}
	if pa, pb := pattern(a), pattern(b); len(pa)+len(pb) < 400 && pa != "\x00" && pb != "\x00" {
		return pa + "|" + pb
	}
	return ""
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

func joinProps(a, b *Value) (map[string]*Value, map[string]Place) {
	if a.Props == nil && b.Props == nil {
		return nil, nil
	}
	props, places := map[string]*Value{}, map[string]Place{}
	for k := range a.Props {
		props[k] = nil
	}
	for k := range b.Props {
		props[k] = nil
	}
	for k := range props {
		props[k] = join(a.own(k), b.own(k))
		if p, ok := a.Places[k]; ok {
			places[k] = p
		} else {
			places[k] = b.Places[k]
		}
	}
	return props, places
}

// own is a property of one way's value for a join: what is not there is
// undefined, and knows what holds on its way.
func (v *Value) own(k string) *Value {
	if p, ok := v.Props[k]; ok {
		return p
	}
	if v.Open || v.Kind == Unknown || v.Kind == Outside {
		return opaque(v)
	}
	return &Value{Kind: Nothing, T: impossible, F: v.T}
}

// learn pushes what holds on a way into a value that is returned on it.
func learn(v *Value, gained Facts) *Value {
	if gained == (Facts{}) || v == nil {
		return v
	}
	c := *v
	c.T, c.F = v.T.and(gained), v.F.and(gained)
	yes, no := v.answers()
	c.answer = &[2]Facts{yes.and(gained), no.and(gained)}
	if v.Props != nil && v.Kind == Record {
		c.Props = make(map[string]*Value, len(v.Props))
		for k, p := range v.Props {
			if p == nil {
				continue
			}
			q := *p
			q.T, q.F = p.T.and(gained), p.F.and(gained)
			c.Props[k] = &q
		}
	}
	return &c
}
