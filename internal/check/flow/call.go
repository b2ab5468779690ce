package flow

import (
	"slices"

	"claviger.dev/claviger/internal/check/facts"
)

// maxDepth is how deep calls nest.
const maxDepth = 40

// call is one call of something.
type call struct {
	in   *Interp
	node *facts.Node
	sc   *scope
	st   *state
	fn   *Value
	recv *Value
	name string // of the method
	args []*Value
	new  bool
}

func (c *call) arg(i int) *Value {
	if i < len(c.args) {
		return c.args[i]
	}
	return nothing
}

func (c *call) place() Place { return Place{c.sc.module, c.node} }

func (in *Interp) calling(n *facts.Node, sc *scope, st *state) *Value {
	c := &call{in: in, node: n, sc: sc, st: st, new: n.Kind == facts.New}
	callee := n.Kid(0)
	switch {
	case callee.Is(facts.Member):
		c.recv = in.eval(callee.Kid(0), sc, st)
		if callee.Flag&facts.Optional == 0 {
			in.mustBe(c.recv, st)
		}
		c.name = callee.Str
		if c.recv.Kind == Unknown && c.recv.Props == nil && len(c.recv.Inputs) > 0 {
			c.fn = &Value{} // a method, and no part of the input
		} else {
			c.fn = in.read(c.recv, callee.Str, callee, sc)
		}
	case callee.Is(facts.Super):
		c.fn = unknown
	default:
		c.fn = in.eval(callee, sc, st)
	}
	for _, a := range n.Kids[1:] {
		v := in.eval(a, sc, st)
		if a.Is(facts.Spread) {
			if v.Kind == List && len(v.Items) > 0 {
				c.args = append(c.args, v.Items...)
			} else {
				e := in.element(v)
				c.args = append(c.args, e, e, e)
			}
			continue
		}
		c.args = append(c.args, v)
	}
	if st.ended {
		return unknown
	}
	if callee.Is(facts.Ident) && callee.Str == "require" && sc.find("require") == nil && c.arg(0).Kind == Text {
		return in.required(sc.module, c.args[0].Str)
	}
	return c.run()
}

// required is what require gives: the default of a package is the package.
func (in *Interp) required(m *Module, spec string) *Value {
	v := in.imported(m, spec, "*")
	if v.NS != nil {
		if f, ok := v.NS.exports["default"]; ok {
			return f()
		}
	}
	return v
}

func (c *call) run() *Value {
	switch c.fn.Kind {
	case Function:
		return c.in.invokeCall(c)
	case Class:
		return c.in.construct(c)
	default:
	}
	if v, ok := c.method(); ok {
		return v
	}
	if c.fn.Kind == Outside {
		return c.outside()
	}
	return c.unknown()
}

func (in *Interp) invokeCall(c *call) *Value {
	f := c.fn.Fn
	if f.native != nil {
		return f.native(c)
	}
	if in.Browser && (f.Module.Actions || f.Node.Has("use server")) {
		return unknown
	}
	if f.Node.Flag&facts.Async != 0 && f.Node.Flag&facts.Generator == 0 && !in.waits(c.node) {
		return c.later(f)
	}
	return in.invoke(f, c.args, c.recv, c.st, c.node)
}

// invoke goes into a function of the project.
func (in *Interp) invoke(f *Closure, args []*Value, this *Value, st *state, at *facts.Node) *Value {
	if f.native != nil {
		return f.native(&call{in: in, node: at, sc: &scope{module: in.mod}, st: st, args: args, recv: this})
	}
	active := 0
	for _, fr := range in.frames {
		if fr.fn == f.Node {
			active++
		}
	}
	if active >= 2 || len(in.frames) > maxDepth || !in.step() {
		return opaque(args...)
	}
	if in.run != nil {
		in.run.visited[f.Node] = true
	}
	args = append(slices.Clip(f.bound), args...)
	in.frames = append(in.frames, frame{fn: f.Node, at: Place{in.mod, at}})
	var rets []ret
	in.returns = append(in.returns, &rets)
	if in.run != nil && len(in.returns) == 1 {
		defer func() {
			for _, r := range rets {
				in.run.Returns = append(in.run.Returns, Return{Value: r.v, Place: r.place, Facts: r.st.facts})
			}
		}()
	}
	mod, here := in.mod, in.here
	in.mod = f.Module
	sc := nest(f.scope)
	if f.Node.Flag&facts.Arrow == 0 {
		sc.this = this
	}
	body := st.fork(Facts{})
	in.parameters(f.Node, args, sc, body)
	if b := f.Node.Kid(0); b != nil {
		in.block(b.Kids, sc, body)
	}
	in.mod, in.here = mod, here
	in.returns = in.returns[:len(in.returns)-1]
	in.frames = in.frames[:len(in.frames)-1]
	if !body.ended || body.how.jumped {
		rets = append(rets, ret{v: nothing, st: body})
	}
	if in.Passes != nil && len(in.returns) == 0 {
		for _, r := range rets {
			if goesOn(r.v) {
				held := r.st.facts.and(refusedWhen(r.v))
				if r.v.pending {
					held = held.and(r.v.gain)
				}
				*in.Passes = append(*in.Passes, held)
			}
		}
	}
	return in.returned(rets, st, body)
}

// goesOn reports whether what a middleware returns lets the request through.
func goesOn(v *Value) bool {
	return v.Kind != Response || v.Str == "next"
}

// refusedWhen is what holds if a value that may be an answer is none.
func refusedWhen(v *Value) Facts {
	if v.Kind == Response || v.answer == nil {
		return Facts{}
	}
	no := v.answer[1]
	if no.impossible {
		return Facts{}
	}
	return no
}

func (in *Interp) parameters(fn *facts.Node, args []*Value, sc *scope, st *state) {
	for i, p := range fn.Kids[1:] {
		switch {
		case p.Is(facts.Rest):
			l := &Value{Kind: List, F: impossible}
			if i < len(args) {
				l.Items = args[i:]
				for _, a := range l.Items {
					l.Elem = join(a, l.Elem)
				}
			}
			in.bind(p.Kid(0), l, sc, st)
		case i < len(args):
			in.bind(p, args[i], sc, st)
		default:
			in.bind(p, nothing, sc, st)
		}
	}
}

// returned joins the ways out of a function.
func (in *Interp) returned(rets []ret, st, body *state) *Value {
	if len(rets) == 0 {
		st.ended, st.how = true, body.how
		if !body.ended {
			st.how = exit{threw: true}
		}
		return unknown
	}
	known := impossible
	var v *Value
	for _, r := range rets {
		known = known.or(r.st.facts)
		v = join(learn(r.v, r.st.facts.without(st.facts)), v)
	}
	last := rets[len(rets)-1].st
	for s := last; s != nil && s != st; s = s.up {
		for c, x := range s.vals {
			if _, mine := st.vals[c]; mine || s == last {
				st.set(c, x)
			}
		}
	}
	if known.impossible {
		known = st.facts
	}
	st.facts = known
	return v
}

// construct makes an object of a class of the project.
func (in *Interp) construct(c *call) *Value {
	o := record()
	o.Open = true
	in.fill(o, c.fn.Fn, c, 0)
	return o
}

func (in *Interp) fill(o *Value, class *Closure, c *call, depth int) {
	n := class.Node
	if depth > 5 || !in.step() {
		return
	}
	if n.Kid(0) != nil {
		super := in.eval(n.Kids[0], class.scope, c.st)
		switch {
		case super.Kind == Class:
			in.fill(o, super.Fn, c, depth+1)
		case super.Kind == Outside && len(super.Str) > 5 && super.Str[len(super.Str)-5:] == "Error":
			o.Bits |= Failure
		}
	}
	var ctor *facts.Node
	sc := nest(class.scope)
	sc.this = o
	for _, m := range n.Kids[1:] {
		switch {
		case m.Str == "constructor":
			ctor = m.Kid(1)
		case m.Flag&facts.Static != 0 || m.Kid(1) == nil:
		case m.Kid(1).Is(facts.Func) && m.Kids[1].Flag&facts.Arrow == 0:
			f := in.closure(m.Kids[1], sc)
			o.Props[m.Str] = f
		default:
			o.Props[m.Str] = in.eval(m.Kids[1], sc, c.st)
		}
	}
	if ctor != nil {
		in.invoke(&Closure{Node: ctor, scope: sc, Module: class.Module}, c.args, o, c.st, c.node)
	}
}

// unknown is a call of something that nobody knows.
func (c *call) unknown() *Value {
	c.callbacks(0)
	v := opaque(c.args...)
	v.Secrets = nil
	if c.recv != nil {
		r := deepText(c.recv)
		v = v.mark(&Value{Bits: r.Bits, Inputs: r.Inputs, Lens: r.Lens, Secrets: r.Secrets})
	}
	v.Bits &^= Session
	return v
}

// callbacks goes into the functions among the arguments: they may be called.
// What they learn, nobody knows afterwards.
func (c *call) callbacks(from int, with ...*Value) {
	for i := from; i < len(c.args); i++ {
		c.in.maybe(c.args[i], with, c.st, c.node, 0)
	}
}

func (in *Interp) maybe(v *Value, args []*Value, st *state, at *facts.Node, depth int) {
	if v == nil || depth > 2 {
		return
	}
	if v.Kind == Function {
		way := st.fork(Facts{})
		in.invoke(v.Fn, args, nil, way, at)
		none := st.fork(Facts{})
		way.ended = false
		way.facts = none.facts
		st.merge(way, none)
		return
	}
	if v.Kind == Record && v.NS == nil {
		for _, k := range sortedKeys(v.Props) {
			if p := v.Props[k]; p != nil && (p.Kind == Function || p.Kind == Record) {
				in.maybe(p, args, st, at, depth+1)
			}
		}
	}
	if v.Kind == List {
		for _, e := range v.Items {
			in.maybe(e, args, st, at, depth+1)
		}
	}
}
