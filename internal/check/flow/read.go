package flow

import (
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/detect"
)

// read is a property of a value.
func (in *Interp) read(o *Value, name string, n *facts.Node, sc *scope) *Value {
	if o.Kind == Outside {
		m := in.mod
		if sc != nil {
			m = sc.module
		}
		if v, ok := in.environment(o.Str, name, Place{m, n}); ok {
			return v
		}
		if path, ok := strings.CutPrefix(o.Str, "request#"); ok {
			if v, ok := in.requestPart(path+"."+name, Place{m, n}); ok {
				return v
			}
		}
	}
	return in.property(o, name)
}

// environment reads a variable, by any of the ways there are.
func (in *Interp) environment(symbol, name string, at Place) (*Value, bool) {
	switch symbol {
	case "global#process.env", "global#import.meta.env", "process#env", "process#default.env", "global#Bun.env",
		"$env/static/private#*", "$env/dynamic/private#env", "$env/static/public#*", "$env/dynamic/public#env", "global#env", "cloudflare:workers#env":
		return in.variable(name, at), true
	}
	if strings.HasSuffix(symbol, "#loadEnv()") || strings.HasSuffix(symbol, "createEnv()") || strings.HasSuffix(symbol, "cleanEnv()") {
		return in.variable(name, at), true
	}
	return nil, false
}

func (in *Interp) variable(name string, at Place) *Value {
	switch name {
	case "NODE_ENV":
		return text("production")
	case "PROD":
		return truth(true)
	case "DEV":
		return truth(false)
	}
	v := &Value{Str: "{env:" + name + "}"}
	public := detect.PublicPrefix(name) != ""
	if SecretName(name) {
		v.Secrets = []*Source{{Name: name, Module: at.Module, At: at.Node, Public: public}}
		if public {
			v.Bits |= Public
		}
	}
	return v
}

func (in *Interp) property(o *Value, name string) *Value {
	if o.NS != nil {
		return in.Export(o.NS, name)
	}
	if o.pending {
		return unknown
	}
	switch o.Kind {
	case Nothing:
		return nothing
	case Class:
		return in.static(o, name)
	case Function:
		if p, ok := o.Props[name]; ok {
			return p
		}
		return unknown
	case Text:
		if name == "length" {
			return unknown
		}
	case List:
		if name == "length" {
			v := opaque(o)
			if o.Elem != nil {
				v = v.mark(o.Elem)
			}
			return v
		}
		return unknown
	case Outside:
		return in.outer(o, name)
	case Response:
		if p, ok := o.Props[name]; ok {
			return p
		}
		return opaque(o)
	default:
	}
	return in.member(o, name)
}

// member is a property of something that is no function, list or response.
func (in *Interp) member(o *Value, name string) *Value {
	if o.Props != nil {
		if p, ok := o.Props[name]; ok && p != nil {
			return p
		}
		if !o.Open && o.Kind == Record {
			return &Value{Kind: Nothing, T: impossible, F: o.T}
		}
		if len(o.Inputs) == 0 {
			v := opaque(o)
			if o.Elem != nil {
				v = join(v, o.Elem)
			}
			return v
		}
	}
	if len(o.Inputs) > 0 {
		if name == "length" || name == "size" || name == "byteLength" {
			return &Value{Lens: o.Inputs, Bits: o.Bits &^ (Whole | Raw | Output), T: checkedAll(o)}
		}
		if o.Bits&(Output|Raw|Failure) == 0 {
			return in.child(o, name)
		}
	}
	return part(o, name)
}

// part is a property of a value of which only the marks are known.
func part(o *Value, name string) *Value {
	v := opaque(o)
	v.T = o.T
	if v.T.impossible {
		v.T = Facts{}
	}
	switch {
	case name == "length" || name == "size":
		v.Lens, v.Inputs, v.Secrets = union(v.Lens, v.Inputs), nil, nil
		v.Bits &^= Raw | Output | Whole | Failure
	case v.Bits&Failure != 0:
		switch name {
		case "status", "statusCode", "code", "name", "type", "issues", "errors", "format", "digest":
			v.Bits &^= Failure
		}
	}
	if v.Bits&(Raw|Output) != 0 {
		v.Bits = v.Bits&^Raw | Output
		switch name {
		case "usage", "model", "id", "ok", "status", "statusText", "total_tokens", "finish_reason", "finishReason", "headers", "created", "object":
			v.Bits &^= Output
		}
		switch name {
		case "body":
			v.Bits |= Raw
		}
		if n := strings.ToLower(name); strings.HasSuffix(n, "tokens") || strings.HasSuffix(n, "usage") || strings.HasSuffix(n, "tokendetails") || strings.HasSuffix(n, "tokens_details") {
			v.Bits &^= Output
		}
	}
	if v.Bits&Whole != 0 && name != "headers" && name != "body" && name != "env" {
		v.Bits &^= Whole
	}
	if counts(name) {
		v.Bits |= Counter
	}
	if remains(name) {
		v.Bits |= Remaining
	}
	if v.Bits&Remaining != 0 {
		v.T = v.T.and(fact(FactLimit))
	}
	return v
}

func counts(name string) bool {
	n := strings.ToLower(name)
	switch n {
	case "count", "usage", "used", "requests", "attempts", "hits", "consumed", "calls", "totalrequests", "requestcount", "messagecount":
		return true
	}
	return strings.HasSuffix(n, "count") || strings.HasSuffix(n, "usage") || strings.HasSuffix(n, "used")
}

func remains(name string) bool {
	n := strings.ToLower(name)
	for _, w := range []string{"remaining", "credits", "quota", "balance", "tokensleft", "creditsleft"} {
		if strings.Contains(n, w) {
			return true
		}
	}
	return false
}

func (in *Interp) static(o *Value, name string) *Value {
	n := o.Fn.Node
	for _, m := range n.Kids[1:] {
		if m.Str != name || m.Flag&facts.Static == 0 || m.Kid(1) == nil {
			continue
		}
		sc := nest(o.Fn.scope)
		sc.this = o
		if m.Kids[1].Is(facts.Func) {
			return in.closure(m.Kids[1], sc)
		}
		in.quiet++
		v := in.eval(m.Kids[1], sc, in.tops)
		in.quiet--
		return v
	}
	return unknown
}

// outer is a property of what a package or the platform gives.
func (in *Interp) outer(o *Value, name string) *Value {
	pkg, path, _ := strings.Cut(o.Str, "#")
	var v *Value
	switch {
	case path == "*":
		v = outside(pkg + "#" + name)
	case path == "default" && name != "default" && pkg != "openai":
		v = outside(pkg + "#default." + name)
	default:
		v = outside(o.Str + "." + name)
	}
	c := *v
	m := part(o, name)
	c.Bits, c.Secrets, c.Inputs, c.Lens = m.Bits, m.Secrets, m.Inputs, m.Lens
	c.T = m.T
	c.Recv, c.Args = o, o.Args
	c.Status = o.Status
	if o.Props != nil {
		if p, ok := o.Props[name]; ok && p != nil {
			return p
		}
	}
	return &c
}

// assigned sees what is written to a property.
func (in *Interp) assigned(o *Value, name string, v *Value, n *facts.Node) {
	if o.Kind == Outside && strings.HasSuffix(o.Str, "document") || name == "innerHTML" {
		in.rendered(v, n, nil)
	}
	_ = v
}

// rendered is where text becomes part of a page; templates alone are none.
func (in *Interp) rendered(*Value, *facts.Node, *scope) {}

// element_ is JSX.
func (in *Interp) element_(n *facts.Node, sc *scope, st *state) *Value {
	out := &Value{Kind: Outside, Str: "react#element", F: impossible}
	kind := in.eval(n.Kid(0), sc, st)
	props := record()
	if n.Kid(1) != nil {
		if p := in.eval(n.Kids[1], sc, st); p.Props != nil {
			props = p
		} else if len(p.Secrets) > 0 || p.Bits&Whole != 0 {
			props.Props["..."], props.Places["..."] = p, Place{sc.module, n.Kids[1]}
		}
	}
	in.spread(n, props, sc)
	var children []*Value
	for _, k := range n.Kids[min(2, len(n.Kids)):] {
		v := in.eval(k, sc, st)
		children = append(children, v)
		if kind.Kind == Text || kind.Kind == Outside || kind.Kind == Unknown {
			in.shown(v, Place{sc.module, k}, st)
		}
	}
	if len(children) > 0 {
		c := children[0]
		for _, x := range children[1:] {
			c = join(c, x)
		}
		props.Props["children"] = c
		props.Places["children"] = Place{sc.module, n.Kid(2)}
	}
	switch kind.Kind {
	case Function, Class:
		in.component(n, kind, props, st)
	default:
		in.native(kind, props, st, n)
	}
	return out
}

// spread points properties that a spread brings at the element that hands them
// over, and not at the object that they once stood in.
func (in *Interp) spread(n *facts.Node, props *Value, sc *scope) {
	own := map[*facts.Node]bool{}
	o := n.Kid(1)
	if !o.Is(facts.Object) {
		return
	}
	for _, k := range o.Kids {
		own[k] = true
	}
	for k, p := range props.Places {
		if !own[p.Node] {
			props.Places[k] = Place{sc.module, n}
		}
	}
}

func (in *Interp) component(n *facts.Node, kind *Value, props *Value, st *state) {
	f := kind.Fn
	if f.Module != nil && f.Module.Client && !in.Browser {
		in.handed(props, n, st)
		return
	}
	if kind.Kind == Class || f.Module == nil {
		in.native(kind, props, st, n)
		return
	}
	way := st.fork(Facts{})
	in.invoke(f, []*Value{props}, nil, way, n)
}

// handed is what goes to a client component.
func (in *Interp) handed(props *Value, n *facts.Node, st *state) {
	for _, k := range sortedKeys(props.Props) {
		v := props.Props[k]
		if d := deep(v); secret(d) {
			at := props.Places[k]
			if at.Node == nil {
				at = Place{in.mod, n}
			}
			in.emit(Hand, at, d, st).Symbol = k
		}
	}
}

func secret(v *Value) bool { return len(v.Secrets) > 0 || v.Bits&Whole != 0 && v.Kind == Outside }

// native is an element of HTML or of a package.
func (in *Interp) native(kind, props *Value, st *state, n *facts.Node) {
	for _, k := range sortedKeys(props.Props) {
		v := props.Props[k]
		if v == nil {
			continue
		}
		if v.Kind == Function {
			in.maybe(v, nil, st, n, 0)
			continue
		}
		if k == "children" {
			continue
		}
		at := props.Places[k]
		if at.Node == nil {
			at = Place{in.mod, n}
		}
		if kind.Kind == Outside && !in.Browser {
			if d := deep(v); secret(d) {
				in.emit(Hand, at, d, st).Symbol = k
			}
			continue
		}
		in.shown(v, at, st)
	}
}

// shown is text in HTML.
func (in *Interp) shown(v *Value, at Place, st *state) {
	if v.Kind == Outside && strings.HasPrefix(v.Str, "react#") {
		return
	}
	if d := deep(v); len(d.Secrets) > 0 {
		in.emit(Render, at, d, st)
	}
}

// SecretName reports whether a variable of that name holds a secret.
func SecretName(name string) bool {
	return detect.WeighName(name) == detect.WeightSecret || detect.WeighName(name) == detect.WeightUnsure && !strings.HasSuffix(strings.ToUpper(name), "_ID")
}
