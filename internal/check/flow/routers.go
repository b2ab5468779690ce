package flow

import (
	"maps"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
)

// Endpoint is a handler that a library's builder or router was given: a
// procedure, a safe action, a route of a server.
type Endpoint struct {
	Name    string
	At      Place
	Handler *Value
	Args    func(*Interp) []*Value
	Kind    string // procedure, action, route
}

// chain is what a builder has gathered.
type chain struct {
	uses   []*Value
	schema []*Schema
	layers []layer
	mounts []mounting
}

// routers know builders of procedures and servers.
func (c *call) routers(pkg, path string) (*Value, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case (pkg == "http" || pkg == "https") && last == "createServer":
		return c.listening(), true
	case strings.HasPrefix(pkg, "@hono/") && strings.HasSuffix(pkg, "-validator"):
		return c.validator(), true
	case strings.HasPrefix(pkg, "@trpc/server/adapters/"), strings.HasPrefix(pkg, "@orpc/server/"):
		if f := c.in.property(c.arg(0), "createContext"); f.Kind == Function {
			c.in.contexts = append(c.in.contexts, f)
		}
		if f := c.in.property(c.arg(1), "context"); last == "handle" && f.Kind == Record {
			c.in.contexts = append(c.in.contexts, f)
		}
		return nil, false
	case strings.HasPrefix(pkg, "@trpc/server"), strings.HasPrefix(pkg, "@orpc/server"), strings.HasPrefix(pkg, "next-safe-action"), pkg == "zsa":
		return c.builder(pkg, last)
	case pkg == "express" || pkg == "hono" || pkg == "hono/quick" || pkg == "fastify" || pkg == "@hono/zod-openapi" || pkg == "koa-router" || pkg == "@koa/router" || pkg == "elysia" || pkg == "polka":
		return c.server(pkg, last)
	}
	return nil, false
}

func (c *call) builder(pkg, last string) (*Value, bool) {
	v := *outside(c.fn.Str + "()")
	if len(v.Str) > 150 || v.Kind != Outside {
		v = *outside(pkg + "#builder")
	}
	v.F = impossible
	ch := &chain{}
	if c.recv != nil {
		if old, ok := c.in.chains[c.recv.Str+c.recv.chainKey()]; ok {
			*ch = *old
			ch.uses = append([]*Value{}, old.uses...)
			ch.schema = append([]*Schema{}, old.schema...)
		}
	}
	switch last {
	case "use", "middleware", "unstable_pipe", "concat":
		if f := c.arg(0); f.Kind == Function {
			ch.uses = append(ch.uses, f)
		} else if old, ok := c.in.chains[f.Str+f.chainKey()]; ok {
			ch.uses = append(ch.uses, old.uses...)
		}
	case "input", "schema", "inputSchema", "bindArgsSchemas":
		if s := schemaOf(c.arg(0)); s != nil {
			ch.schema = append(ch.schema, s)
		}
	case "query", "mutation", "subscription", "handler", "action", "stateAction":
		if f := c.arg(0); f.Kind == Function {
			return c.endpoint(f, ch, pkg, last), true
		}
	}
	c.in.serial++
	v.Items = []*Value{{Kind: Number, Str: itoa(c.in.serial)}}
	c.in.chains[v.Str+v.chainKey()] = ch
	return &v, true
}

// chainKey tells builders of one kind apart.
func (v *Value) chainKey() string {
	for x := v; x != nil; x = x.Recv {
		if len(x.Items) == 1 && x.Items[0].Kind == Number {
			return "@" + x.Items[0].Str
		}
	}
	return ""
}

// endpoint is a procedure or an action that a builder has made.
func (c *call) endpoint(f *Value, ch *chain, pkg, last string) *Value {
	in := c.in
	at := c.place()
	kind := "procedure"
	if strings.HasPrefix(pkg, "next-safe-action") || pkg == "zsa" {
		kind = "action"
	}
	native := &Value{Kind: Function, F: impossible, At: at}
	native.Fn = &Closure{Node: f.Fn.Node, Module: f.Fn.Module, scope: f.Fn.scope, native: func(r *call) *Value {
		input := r.in.Body("input", Body, Place{f.Fn.Module, f.Fn.Node})
		for _, s := range ch.schema {
			r.st.facts = r.st.facts.and(r.in.described(s, input.Inputs, 0))
		}
		return r.in.chained(ch.uses, f, input, r.in.context(r, at), r)
	}}
	e := &Endpoint{Name: last, At: at, Handler: native, Kind: kind}
	in.Endpoints = append(in.Endpoints, e)
	return native
}

// context is what the server hands to procedures: what the functions make of a
// request that the adapters were given. Where none was found, only that a
// procedure may refuse by it is known.
func (in *Interp) context(r *call, at Place) *Value {
	ctx := record()
	ctx.Open = true
	if len(in.contexts) == 0 {
		ctx.Elem = &Value{T: fact(FactAuth)}
		return ctx
	}
	arg := record()
	arg.Open = true
	req := in.Request(at)
	arg.Props["req"], arg.Props["request"], arg.Props["c"], arg.Props["res"] = req, req, req, NodeResponse()
	arg.Props["headers"] = &Value{Kind: Outside, Str: "request#req.headers", Bits: Whole, F: impossible}
	var made *Value
	for _, f := range in.contexts[:min(len(in.contexts), 4)] {
		if f.Kind == Function {
			way := r.st.fork(Facts{})
			f = in.awaited(in.invoke(f.Fn, []*Value{arg, req}, nil, way, r.node), way)
		}
		made = join(f, made)
	}
	ctx = ctx.mark(made)
	maps.Copy(ctx.Props, made.Props)
	if made.Props == nil {
		ctx.Elem = &Value{T: fact(FactAuth)}
	}
	return ctx
}

// chained runs the middlewares, each of which decides whether the next runs.
func (in *Interp) chained(uses []*Value, f, input, ctx *Value, r *call) *Value {
	if len(uses) == 0 {
		arg := record()
		arg.Open = true
		arg.Props["input"], arg.Props["parsedInput"], arg.Props["ctx"], arg.Props["context"], arg.Props["clientInput"] = input, input, ctx, ctx, input
		args := []*Value{arg, ctx}
		if len(f.Fn.Node.Kids) > 1 && !f.Fn.Node.Kids[1].Is(facts.ObjPat) && (f.Fn.Node.Kids[1].Is(facts.Ident) && f.Fn.Node.Kids[1].Str != "opts") {
			args = []*Value{input, ctx}
		}
		return in.invoke(f.Fn, args, nil, r.st, r.node)
	}
	arg := record()
	arg.Open = true
	arg.Props["ctx"], arg.Props["context"], arg.Props["input"] = ctx, ctx, input
	next := &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(n *call) *Value {
		inner := ctx
		if o := n.arg(0); o.Kind == Record {
			for _, k := range []string{"ctx", "context"} {
				if p := o.Props[k]; p != nil && p.Props != nil {
					m := record()
					m.Open = true
					maps.Copy(m.Props, ctx.Props)
					maps.Copy(m.Props, p.Props)
					inner = m
				}
			}
		}
		return in.chained(uses[1:], f, input, inner, &call{in: in, node: r.node, sc: r.sc, st: n.st})
	}}}
	arg.Props["next"] = next
	return in.invoke(uses[0].Fn, []*Value{arg, input}, nil, r.st, r.node)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
