package flow

import (
	"strings"

	"claviger.dev/claviger/internal/check/facts"
)

// eval is what an expression is.
func (in *Interp) eval(n *facts.Node, sc *scope, st *state) *Value {
	if n == nil || st.ended || !in.step() {
		return unknown
	}
	switch n.Kind {
	case facts.Ident:
		return in.name(n, sc, st)
	case facts.Str:
		return text(n.Str)
	case facts.Num:
		v := &Value{Kind: Number, Str: n.Str, F: impossible}
		if n.Str == "0" {
			v.T, v.F = impossible, Facts{}
		}
		return v
	case facts.Bool:
		return truth(n.Str == "true")
	case facts.Null:
		return nothing
	case facts.Regex:
		return &Value{Kind: Outside, Str: "global#RegExp!", F: impossible}
	case facts.Template:
		return in.template(n, sc, st)
	case facts.Tagged:
		c := &call{in: in, node: n, sc: sc, st: st, fn: in.eval(n.Kid(0), sc, st)}
		c.args = []*Value{in.eval(n.Kid(1), sc, st)}
		return c.run()
	case facts.Array:
		return in.array(n, sc, st)
	case facts.Object:
		return in.object(n, sc, st)
	case facts.Func:
		return in.closure(n, sc)
	case facts.Class:
		return &Value{Kind: Class, Fn: &Closure{Node: n, scope: sc, Module: sc.module}, F: impossible}
	case facts.Member, facts.Index:
		return in.access(n, sc, st)
	case facts.Call, facts.New:
		return in.calling(n, sc, st)
	case facts.Await:
		in.waited = n.Kid(0)
		return in.awaited(in.eval(n.Kid(0), sc, st), st)
	case facts.Yield:
		return in.eval(n.Kid(0), sc, st)
	case facts.JSX:
		return in.element_(n, sc, st)
	default:
	}
	return in.operate(n, sc, st)
}

func (in *Interp) closure(n *facts.Node, sc *scope) *Value {
	if in.Inline != nil && n.Has("use server") && in.Inline[n] == nil {
		in.Inline[n] = &Value{Kind: Function, Fn: &Closure{Node: n, scope: sc, Module: sc.module}, F: impossible, At: Place{sc.module, n}}
	}
	return &Value{Kind: Function, Fn: &Closure{Node: n, scope: sc, Module: sc.module}, F: impossible, At: Place{sc.module, n}}
}

func (in *Interp) name(n *facts.Node, sc *scope, st *state) *Value {
	if n.Str == "undefined" {
		return nothing
	}
	if c := sc.find(n.Str); c != nil {
		return st.get(c)
	}
	return outside("global#" + n.Str)
}

func (in *Interp) operate(n *facts.Node, sc *scope, st *state) *Value {
	switch n.Kind {
	case facts.Unary:
		return in.unary(n, sc, st)
	case facts.Binary:
		return in.binary(n, sc, st)
	case facts.Logical:
		return in.logical(n, sc, st)
	case facts.Assign:
		return in.assignment(n, sc, st)
	case facts.Cond:
		return in.conditional(n, sc, st)
	case facts.Seq:
		v := unknown
		for _, k := range n.Kids {
			v = in.eval(k, sc, st)
		}
		return v
	case facts.This:
		if sc.this != nil {
			return sc.this
		}
	case facts.Meta:
		return outside("global#" + n.Str)
	case facts.Load:
		if s := in.eval(n.Kid(0), sc, st); s.Kind == Text {
			return in.imported(sc.module, s.Str, "*")
		}
	case facts.Spread:
		return in.eval(n.Kid(0), sc, st)
	default:
	}
	return unknown
}

func (in *Interp) template(n *facts.Node, sc *scope, st *state) *Value {
	v := text("")
	for i, k := range n.Kids {
		part := in.eval(k, sc, st)
		if i%2 == 1 {
			in.rendered(part, k, sc)
		}
		v = concat(v, part)
	}
	return v
}

// concat joins strings; holes of patterns are marked by NUL.
func concat(a, b *Value) *Value {
	if a.Kind == Text && b.Kind == Text {
		return text(a.Str + b.Str)
	}
	v := opaque(a, deepText(b))
	v.Str = pattern(a) + pattern(b)
	if a.Bits&Failure|b.Bits&Failure != 0 {
		v.Bits |= Failure
	}
	return v
}

func deepText(v *Value) *Value {
	if v.Props != nil || v.Elem != nil {
		return deep(v)
	}
	return v
}

func pattern(v *Value) string {
	switch {
	case v.Kind == Text || v.Kind == Number:
		return v.Str
	case v.Kind == Unknown && v.Str != "":
		return v.Str
	}
	return "\x00"
}

func (in *Interp) array(n *facts.Node, sc *scope, st *state) *Value {
	v := &Value{Kind: List, F: impossible}
	for _, k := range n.Kids {
		e := in.eval(k, sc, st)
		if k.Is(facts.Spread) {
			e = in.element(e)
		}
		v.Items = append(v.Items, e)
		v.Elem = join(e, v.Elem)
	}
	return v
}

func (in *Interp) object(n *facts.Node, sc *scope, st *state) *Value {
	o := record()
	for _, p := range n.Kids {
		switch {
		case p.Is(facts.Spread):
			s := in.eval(p.Kid(0), sc, st)
			if s.Props == nil {
				if WholeEnvironment(s) {
					o.Props["..."], o.Places["..."] = s, Place{sc.module, p}
				}
				o = o.mark(s)
				o.Open = o.Open || s.Kind != Nothing
				continue
			}
			o = o.mark(s)
			for k, v := range s.Props {
				o.Props[k], o.Places[k] = v, s.Places[k]
			}
			o.Open = o.Open || s.Open
		case p.Kid(0) != nil:
			key, v := in.eval(p.Kids[0], sc, st), in.eval(p.Kid(1), sc, st)
			if key.Kind == Text {
				o.Props[key.Str], o.Places[key.Str] = v, Place{sc.module, p}
				continue
			}
			o.Open = true
			o.Elem = join(v, o.Elem)
		default:
			v := in.eval(p.Kid(1), sc, st)
			if p.Flag&facts.Getter != 0 && v.Kind == Function {
				v = in.invoke(v.Fn, nil, o, st, p)
			}
			o.Props[p.Str], o.Places[p.Str] = v, Place{sc.module, p}
		}
	}
	return o
}

func (in *Interp) access(n *facts.Node, sc *scope, st *state) *Value {
	o := in.eval(n.Kid(0), sc, st)
	if n.Flag&facts.Optional == 0 {
		in.mustBe(o, st)
	}
	if n.Kind == facts.Member {
		v := in.read(o, n.Str, n, sc)
		return v
	}
	return in.index(o, in.eval(n.Kid(1), sc, st), n)
}

func (in *Interp) index(o, key *Value, n *facts.Node) *Value {
	if key.Kind == Text {
		return in.read(o, key.Str, n, nil)
	}
	if key.Kind == Number {
		i := 0
		for _, d := range key.Str {
			i = i*10 + int(d-'0')
		}
		return in.item(o, i)
	}
	if o.Kind == Outside && o.Str == "global#process.env" {
		return unknown
	}
	if o.Props != nil {
		v := in.element(o)
		for _, p := range o.Props {
			v = join(v, p)
		}
		return v
	}
	return in.element(o).mark(&Value{Bits: o.Bits})
}

// item is an element of a list.
func (in *Interp) item(v *Value, i int) *Value {
	if i >= 0 && i < len(v.Items) {
		return v.Items[i]
	}
	if v.Kind == List && v.Elem == nil {
		return nothing
	}
	return in.element(v)
}

// element is any element of a value.
func (in *Interp) element(v *Value) *Value {
	if v.Elem != nil {
		return v.Elem
	}
	if len(v.Inputs) > 0 && v.Kind == Unknown {
		return in.child(v, "[]")
	}
	if v.Kind == Nothing {
		return nothing
	}
	e := opaque(v)
	if v.Bits&Raw != 0 {
		e.Bits = e.Bits&^Raw | Output
	}
	e.T = v.T
	if v.T.impossible {
		e.T = Facts{}
	}
	return e
}

func (in *Interp) unary(n *facts.Node, sc *scope, st *state) *Value {
	v := in.eval(n.Kid(0), sc, st)
	switch n.Str {
	case "!":
		yes, no := v.asks()
		return &Value{T: no, F: yes}
	case "typeof":
		return &Value{Str: "typeof", Recv: v, F: impossible}
	case "void":
		return nothing
	case "++", "--":
		return v
	case "delete":
		return unknown
	}
	return opaque(v)
}

func (in *Interp) logical(n *facts.Node, sc *scope, st *state) *Value {
	l := in.eval(n.Kid(0), sc, st)
	if l.pending {
		held := *l
		held.T, held.F = l.asks()
		l = &held
	}
	and := n.Str == "&&"
	way, stay := l.F, l.T
	if and {
		way, stay = l.T, l.F
	}
	if n.Str == "??" {
		if l.Kind == Nothing {
			return in.eval(n.Kid(1), sc, st)
		}
		if l.Kind != Unknown && l.Kind != Outside && l.answer == nil {
			return l
		}
		way, stay = l.F, Facts{}
	}
	if stay.impossible && n.Str != "??" {
		return in.eval(n.Kid(1), sc, st)
	}
	right, left := st.fork(way), st.fork(stay)
	if right.ended {
		return l
	}
	in.refine(n.Kid(0), sc, pick(and, right, left), pick(and, left, right))
	r := in.eval(n.Kid(1), sc, right)
	st.merge(left, right)
	if right.how.threw && right.ended {
		return l
	}
	v := join(l, r)
	c := *v
	switch {
	case and:
		c.T, c.F = l.T.and(r.T), l.F.or(l.T.and(r.F))
		if l.Kind == Truth || l.Kind == Unknown && len(l.Inputs) == 0 && l.Bits == 0 {
			c.Props, c.Kind = r.Props, r.Kind
		}
	default:
		c.T, c.F = l.T.or(l.F.and(r.T)), l.F.and(r.F)
		if pl, pr := pattern(l), pattern(r); l.Kind == Unknown && l.Str != "" && r.Kind == Text {
			c.Kind, c.Str = Unknown, pl+"|"+pr
		} else if r.Kind == Text && l.Kind == Unknown {
			c.Kind, c.Str = Unknown, ""
		}
	}
	return &c
}

func (in *Interp) conditional(n *facts.Node, sc *scope, st *state) *Value {
	t := in.eval(n.Kid(0), sc, st)
	ifSo, ifNot := t.asks()
	yes, no := st.fork(ifSo), st.fork(ifNot)
	in.refine(n.Kid(0), sc, yes, no)
	var a, b *Value
	if !yes.ended {
		a = in.eval(n.Kid(1), sc, yes)
	}
	if !no.ended {
		b = in.eval(n.Kid(2), sc, no)
	}
	st.merge(yes, no)
	switch {
	case a == nil:
		return pick(b == nil, unknown, b)
	case b == nil:
		return a
	}
	c := *join(a, b)
	c.T, c.F = t.T.and(a.T).or(t.F.and(b.T)), t.T.and(a.F).or(t.F.and(b.F))
	return &c
}

func (in *Interp) assignment(n *facts.Node, sc *scope, st *state) *Value {
	if n.Str == "=" {
		v := in.eval(n.Kid(1), sc, st)
		in.assign(n.Kid(0), v, sc, st)
		return v
	}
	old := in.eval(n.Kid(0), sc, st)
	v := in.eval(n.Kid(1), sc, st)
	switch n.Str {
	case "+=":
		v = concat(old, v)
	case "??=", "||=", "&&=":
		v = join(old, v)
	default:
		v = opaque(old, v)
	}
	in.assign(n.Kid(0), v, sc, st)
	return v
}

// refine knows what a test of a name's kind says on each way.
func (in *Interp) refine(test *facts.Node, sc *scope, yes, no *state) {
	switch {
	case test.Is(facts.Unary) && test.Str == "!":
		in.refine(test.Kid(0), sc, no, yes)
	case test.Is(facts.Logical) && test.Str == "&&":
		in.refine(test.Kid(0), sc, yes, &state{})
		in.refine(test.Kid(1), sc, yes, &state{})
	case test.Is(facts.Binary) && test.Str == "instanceof" && test.Kid(0).Is(facts.Ident):
		c := sc.find(test.Kids[0].Str)
		if c == nil || !ownError(test.Kid(1)) {
			return
		}
		v := *yes.get(c)
		v.Bits &^= Failure
		yes.set(c, &v)
	}
}

// ownError reports whether a class is one whose messages somebody wrote for
// callers: neither the language's nor a provider's.
func ownError(n *facts.Node) bool {
	switch {
	case n.Is(facts.Ident):
		switch n.Str {
		case "Error", "TypeError", "APIError", "OpenAIError", "APICallError", "AISDKError", "AxiosError", "HTTPError", "RateLimitError", "AuthenticationError", "APIConnectionError":
			return false
		}
		return true
	case n.Is(facts.Member):
		return n.Str == "ZodError" || !strings.HasSuffix(n.Str, "Error")
	}
	return false
}
