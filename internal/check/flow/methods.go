package flow

import (
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/detect"
)

// method knows the methods that the language gives every value.
func (c *call) method() (*Value, bool) {
	if c.recv == nil || c.recv.NS != nil {
		return nil, false
	}
	if c.recv.Kind == Outside && !strings.HasSuffix(c.recv.Str, ")") && c.recv.Bits == 0 && len(c.recv.Secrets) == 0 && len(c.recv.Inputs) == 0 {
		return nil, false
	}
	switch c.name {
	case "then", "catch", "finally":
		return c.promised(), true
	case "bind":
		return c.binding(), true
	case "call", "apply":
		if c.recv.Kind == Function {
			args := c.args[min(1, len(c.args)):]
			return c.in.invoke(c.recv.Fn, args, c.arg(0), c.st, c.node), true
		}
	case "map", "flatMap", "filter", "find", "findLast", "forEach", "some", "every", "reduce", "sort":
		if len(c.args) > 0 && (c.arg(0).Kind == Function || c.recv.Kind == List) {
			return c.overElements(), true
		}
	}
	return c.textual()
}

// promised goes on with what a promise gives.
func (c *call) promised() *Value {
	recv := c.recv.settled()
	switch c.name {
	case "catch":
		way := c.st.fork(Facts{})
		v := recv
		if f := c.arg(0); f.Kind == Function {
			v = join(v, c.in.invoke(f.Fn, []*Value{{Bits: Failure, F: impossible}}, nil, way, c.node))
		}
		return v
	case "finally":
		c.callbacks(0)
		return c.recv
	}
	if f := c.arg(0); f.Kind == Function {
		c.args = c.args[1:]
		c.callbacks(0, &Value{Bits: Failure, F: impossible})
		before := c.st.facts
		c.st.facts = before.and(c.recv.gain)
		v := c.in.invoke(f.Fn, []*Value{recv}, nil, c.st, c.node)
		if !c.recv.pending || c.st.ended {
			return v
		}
		gain := c.st.facts.without(before).and(v.gain)
		c.st.facts = before
		return v.promise(gain)
	}
	return c.recv
}

// binding gives a function its first arguments.
func (c *call) binding() *Value {
	rest := c.args[min(1, len(c.args)):]
	if c.recv.Kind == Function && c.recv.Fn.native == nil {
		f := *c.recv.Fn
		f.bound = append(slices.Clone(f.bound), rest...)
		action := f.Module != nil && (f.Module.Actions || f.Node.Has("use server"))
		for _, a := range rest {
			if d := deep(a); action && secret(d) {
				c.in.emit(Bound, c.place(), d, c.st)
			}
		}
		v := *c.recv
		v.Fn = &f
		return &v
	}
	return c.recv
}

func (c *call) overElements() *Value {
	in, f := c.in, c.arg(0)
	if v, ok := c.eachKnown(); ok {
		return v
	}
	e := in.element(c.recv)
	args := []*Value{e, unknown, c.recv}
	if c.name == "reduce" {
		args = []*Value{join(c.arg(1), opaque(c.arg(1))), e, unknown}
	}
	way := c.st.fork(Facts{})
	v := unknown
	switch f.Kind {
	case Function:
		v = in.invoke(f.Fn, args, nil, way, c.node)
	case Outside:
		v = opaque(e)
	default:
	}
	way.ended = false
	way.facts = c.st.facts
	c.st.merge(way, c.st.fork(Facts{}))
	switch c.name {
	case "map", "flatMap":
		out := &Value{Kind: List, Elem: v, F: impossible, Bits: c.recv.Bits & (Counter | Local)}
		return out
	case "filter":
		return c.filtered()
	case "sort":
		return c.recv
	case "find", "findLast":
		return e
	case "every":
		return &Value{T: v.T}
	case "some":
		return &Value{F: v.F}
	case "reduce":
		out := *join(v, opaque(c.arg(1)))
		out.Kind, out.Props = Unknown, nil
		return &out
	}
	return nothing
}

// filtered is what a filter leaves. One that looks for a public prefix leaves
// no secret of an environment.
func (c *call) filtered() *Value {
	if len(c.recv.Secrets) == 0 || c.node == nil {
		return c.recv
	}
	public := false
	c.node.Walk(func(n *facts.Node) bool {
		if n.Is(facts.Str, facts.Regex) {
			public = public || slices.ContainsFunc(detect.PublicPrefixes(), func(p string) bool { return strings.Contains(n.Str, p) })
		}
		return !public
	})
	if !public {
		return c.recv
	}
	v := *c.recv
	v.Secrets = nil
	if v.Elem != nil {
		e := *v.Elem
		e.Secrets = nil
		v.Elem = &e
	}
	return &v
}

// eachKnown asks a question of every element, where all are known and every
// answer is.
func (c *call) eachKnown() (*Value, bool) {
	f, items := c.arg(0), c.recv.Items
	if c.recv.Kind != List || len(items) == 0 || len(items) > 40 || f.Kind != Function || c.name != "some" && c.name != "every" {
		return nil, false
	}
	for _, e := range items {
		if e.Kind != Text {
			return nil, false
		}
		v := c.in.invoke(f.Fn, []*Value{e, unknown, c.recv}, nil, c.st.fork(Facts{}), c.node)
		if v.Kind != Truth {
			return nil, false
		}
		if (v.Str == "true") == (c.name == "some") {
			return truth(c.name == "some"), true
		}
	}
	return truth(c.name == "every"), true
}

// textual are the methods of strings and lists that keep, cut or test them.
func (c *call) textual() (*Value, bool) {
	r := c.recv
	switch c.name {
	case "slice", "substring", "substr", "truncate":
		return c.cut(), true
	case "trim", "toString", "toLowerCase", "toUpperCase", "trimEnd", "trimStart", "normalize", "concat", "join", "replace", "replaceAll", "padStart", "padEnd", "repeat",
		"toWellFormed", "valueOf", "toJSON", "reverse", "flat", "toSorted", "toReversed", "entries", "values", "toArray":
		if r.Kind == Text {
			switch c.name {
			case "toLowerCase":
				return text(strings.ToLower(r.Str)), true
			case "toUpperCase":
				return text(strings.ToUpper(r.Str)), true
			case "trim":
				return text(strings.TrimSpace(r.Str)), true
			}
			return r, true
		}
		v := *opaque(append([]*Value{deepText(r)}, c.args...)...)
		if v.Str = pattern(r); r.Kind != Unknown {
			v.Str = ""
		}
		c.callbacks(0)
		v.T = r.T
		if v.T.impossible {
			v.T = Facts{}
		}
		return &v, true
	case "split":
		e := opaque(r)
		e.T = checkedAll(e)
		return &Value{Kind: List, Elem: e, F: impossible}, true
	case "get", "getAll":
		if r.Kind == Unknown && len(r.Inputs) > 0 && c.arg(0).Kind == Text {
			return c.in.child(r, c.arg(0).Str), true
		}
		return nil, false
	case "at", "pop", "shift":
		return c.in.element(r), true
	case "push", "unshift", "add":
		if r.Kind == List {
			for _, a := range c.args {
				r.Elem = join(a, r.Elem)
				r.Items = append(r.Items, a)
			}
		}
		return unknown, r.Kind == List
	case "startsWith", "endsWith":
		if r.Kind == Text && c.arg(0).Kind == Text {
			if c.name == "startsWith" {
				return truth(strings.HasPrefix(r.Str, c.arg(0).Str)), true
			}
			return truth(strings.HasSuffix(r.Str, c.arg(0).Str)), true
		}
		return &Value{T: checkedAll(r)}, true
	case "includes", "has", "indexOf":
		return c.includes()
	case "test", "match", "exec":
		return c.matches()
	}
	return nil, false
}

// cut is a piece of something: a short one is no secret any more.
func (c *call) cut() *Value {
	v := opaque(deepText(c.recv))
	from, to := c.arg(0), c.arg(1)
	if to.Kind == Number && !strings.HasPrefix(to.Str, "-") {
		if number(to.Str)-number(from.Str) <= 8 {
			v.Secrets = nil
		}
		c.st.facts = c.st.facts.and(Facts{})
		out := *v
		out.Inputs = nil
		if len(v.Inputs) > 0 && c.in.asked() {
			// A piece of bounded length: an input of its own that is capped.
			for _, id := range v.Inputs {
				k := c.in.run.input(id, "(cut)", c.in.run.Inputs[id].Kind, c.in.run.Inputs[id].At)
				out.Inputs = append(out.Inputs, k)
				c.st.facts = c.st.facts.and(factCapped(k))
			}
		}
		out.T = checkedAll(v)
		return &out
	}
	if from.Kind == Unknown && to.Kind == Nothing && c.node != nil {
		// slice(-4) is lowered to a negation of a number.
		if k := c.node.Kid(1); k != nil && k.Str == "-" && k.Kid(0) != nil && number(k.Kids[0].Str) <= 8 {
			v.Secrets = nil
		}
	}
	if c.recv.Kind == List {
		return c.recv
	}
	return v
}

func (c *call) includes() (*Value, bool) {
	r, a := c.recv, c.arg(0)
	if r.Kind == Text && a.Kind == Text {
		return truth(strings.Contains(r.Str, a.Str)), true
	}
	if r.Kind == List {
		return listed(r, a), true
	}
	if r.Bits&Local != 0 {
		return (&Value{Bits: r.Bits | Counter}).when(Facts{}, fact(FactLimit)), true
	}
	return &Value{T: checkedAll(a).and(cappedAll(a)).and(checkedAll(r))}, true
}

func (c *call) matches() (*Value, bool) {
	re, s := c.recv, c.arg(0)
	if c.name == "match" {
		re, s = c.arg(0), c.recv
	}
	if s.Kind == Text {
		return unknown, true
	}
	if !strings.HasPrefix(re.Str, "global#RegExp") {
		return nil, false
	}
	v := opaque(s)
	v.T = checkedAll(s).and(cappedAll(s))
	return v, true
}

// listed is what follows from a list holding something.
func listed(r, a *Value) *Value {
	d := deep(r)
	v := &Value{T: a.T.and(checkedAll(a)).and(cappedAll(a))}
	if v.T.impossible {
		v.T = Facts{}
	}
	if len(d.Secrets) > 0 && (a.Bits&(Cred|Chosen) != 0 || len(a.Inputs) > 0) {
		v.T = v.T.and(fact(FactAuth))
	}
	if a.Kind == Text {
		all := len(r.Items) > 0
		for _, i := range r.Items {
			if i.Kind == Text && i.Str == a.Str {
				return truth(true)
			}
			all = all && i.Kind == Text
		}
		if all {
			return truth(false)
		}
	}
	return v
}
