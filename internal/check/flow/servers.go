package flow

import (
	"slices"
	"strings"
)

// server is a router: what is registered are endpoints.
func (c *call) server(pkg, last string) (*Value, bool) {
	if c.recv == nil || c.new || last == "Router" {
		return c.router(pkg), true
	}
	ch := c.in.chainOf(c.recv)
	switch last {
	case "use", "addHook":
		c.mount(ch)
	case "route":
		if len(c.args) == 1 && c.arg(0).Kind == Text { // express: app.route("/a").post(…)
			at := *c.recv
			at.Args = c.args
			return &at, true
		}
		if c.arg(1).Kind != Function {
			c.mount(ch)
			break
		}
		c.register(ch, pkg, last)
	case "register", "plugin":
		c.plugin(ch, pkg)
	case "basePath":
		return c.recv, true
	case "get", "post", "put", "delete", "patch", "all", "openapi", "on":
		c.register(ch, pkg, last)
	}
	return c.recv, true
}

// listening is a server of Node.js without a router: all it is asked goes to one
// function.
func (c *call) listening() *Value {
	f := c.arg(0)
	if f.Kind != Function {
		f = c.arg(1)
	}
	if f.Kind == Function && !c.in.registered[c.node] {
		c.in.registered[c.node] = true
		e := &Endpoint{Name: "createServer", At: c.place(), Kind: "route", Handler: f}
		e.Args = func(in *Interp) []*Value { return []*Value{in.Request(e.At), NodeResponse()} }
		c.in.Endpoints = append(c.in.Endpoints, e)
	}
	return &Value{F: impossible}
}

// router makes a router. One that stands at the top of a module is the same
// one whenever the module is looked at.
func (c *call) router(pkg string) *Value {
	v := *outside(pkg + "#app")
	v.F = impossible
	id, known := c.in.routerIDs[c.node]
	if !known || len(c.in.frames) > 0 {
		c.in.serial++
		id = c.in.serial
		if len(c.in.frames) == 0 {
			c.in.routerIDs[c.node] = id
		}
	}
	v.Items = []*Value{{Kind: Number, Str: itoa(id)}}
	c.in.chainOf(&v)
	return &v
}

func (in *Interp) chainOf(v *Value) *chain {
	ch := in.chains[v.chainKey()]
	if ch == nil {
		ch = &chain{}
		in.chains[v.chainKey()] = ch
	}
	return ch
}

// layer is a middleware that stands before the paths of a pattern.
type layer struct {
	paths []string // none for all
	fn    *Value
}

// mounting is a router that another one has under a path, with what stood
// before it there.
type mounting struct {
	under  *chain
	prefix string
	layers []layer
}

// mount puts middlewares and other routers before what follows.
func (c *call) mount(ch *chain) {
	if c.in.registered[c.node] && len(c.in.frames) == 0 {
		return
	}
	c.in.registered[c.node] = true
	var paths []string
	for i, a := range c.args {
		switch {
		case i == 0 && a.Kind == Text:
			paths = []string{a.Str}
		case i == 0 && a.Kind == List && a.Elem != nil && a.Elem.Kind != Function:
			for _, p := range a.Items {
				paths = append(paths, p.Str)
			}
		case a.Kind == Function:
			ch.layers = append(ch.layers, layer{paths, a})
		case a.Kind == List:
			for _, f := range a.Items {
				if f.Kind == Function {
					ch.layers = append(ch.layers, layer{paths, f})
				}
			}
		case a.Kind == Outside && strings.HasSuffix(a.Str, "#app"):
			sub := c.in.chainOf(a)
			m := mounting{under: ch, layers: slices.Clone(ch.layers)}
			if len(paths) > 0 {
				m.prefix = paths[0]
			}
			sub.mounts = append(sub.mounts, m)
		}
	}
}

// plugin is fastify's: a function that is given a router of its own.
func (c *call) plugin(ch *chain, pkg string) {
	f := c.arg(0)
	if f.Kind != Function || len(c.in.frames) > maxDepth {
		if f.Kind == Outside && strings.Contains(f.Str, "rate-limit") {
			ch.layers = append(ch.layers, layer{nil, c.middleware(fact(FactLimit), c.place())})
		}
		return
	}
	sub := *outside(pkg + "#app")
	c.in.serial++
	sub.Items = []*Value{{Kind: Number, Str: itoa(c.in.serial)}}
	m := mounting{under: ch, layers: slices.Clone(ch.layers)}
	if p := c.arg(1).Prop("prefix"); p.Kind == Text {
		m.prefix = p.Str
	}
	inner := c.in.chainOf(&sub)
	inner.mounts = append(inner.mounts, m)
	c.in.invoke(f.Fn, []*Value{&sub, c.arg(1)}, nil, c.st, c.node)
}

// register makes an endpoint of a route.
func (c *call) register(ch *chain, pkg, last string) {
	at, rest := c.arg(0), c.args[min(1, len(c.args)):]
	if c.recv != nil && len(c.recv.Args) == 1 && c.recv.Args[0].Kind == Text && at.Kind == Function {
		at, rest = c.recv.Args[0], c.args
	}
	if len(rest) == 0 || c.in.registered[c.node] {
		return
	}
	var own []*Value
	for _, a := range rest {
		switch a.Kind {
		case Function:
			own = append(own, a)
		case List:
			for _, f := range a.Items {
				if f.Kind == Function {
					own = append(own, f)
				}
			}
		case Record:
			for _, k := range []string{"onRequest", "preHandler", "preValidation", "handler"} {
				if f := a.Props[k]; f != nil && f.Kind == Function {
					own = append(own, f)
				}
			}
		default:
		}
	}
	if len(own) == 0 {
		return
	}
	c.in.registered[c.node] = true
	path := pattern(at)
	hono := strings.Contains(pkg, "hono")
	before := len(ch.layers)
	e := &Endpoint{Name: last, At: c.place(), Kind: "route"}
	e.Handler = &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
		args := []*Value{r.in.Request(e.At)}
		if !hono {
			args = append(args, outside("server#res"))
		}
		return r.mounted(&route{ch, path, before, own}, args)
	}}}
	c.in.Endpoints = append(c.in.Endpoints, e)
}

// route is an endpoint of a router.
type route struct {
	ch   *chain
	path string
	// before is how many layers stood before it when it was made.
	before int
	own    []*Value
}

// mounted runs a route behind all that stands before it, on each way that leads
// to its router.
func (c *call) mounted(to *route, args []*Value) *Value {
	var out *Value
	var ends []*state
	for _, stack := range to.ch.stacks(to.path, to.ch.layers[:to.before], 0) {
		st := c.st.fork(Facts{})
		v := c.in.piped(append(stack, to.own...), args, &call{in: c.in, node: c.node, sc: c.sc, st: st})
		out, ends = join(v, out), append(ends, st)
	}
	c.in.meet(c.st, ends)
	return out
}

// stacks are the middlewares before a path, for each place where the router is
// mounted.
func (ch *chain) stacks(path string, layers []layer, depth int) [][]*Value {
	var here []*Value
	for _, l := range layers {
		if l.takes(path) {
			here = append(here, l.fn)
		}
	}
	if len(ch.mounts) == 0 || depth > 6 {
		return [][]*Value{here}
	}
	var all [][]*Value
	for _, m := range ch.mounts[:min(len(ch.mounts), 4)] {
		for _, s := range m.under.stacks(joinPath(m.prefix, path), m.layers, depth+1) {
			all = append(all, append(slices.Clone(s), here...))
		}
	}
	return all
}

func joinPath(prefix, path string) string {
	return strings.TrimSuffix(prefix, "/") + "/" + strings.TrimPrefix(path, "/")
}

// takes reports whether a middleware stands before a path.
func (l layer) takes(path string) bool {
	if len(l.paths) == 0 {
		return true
	}
	return slices.ContainsFunc(l.paths, func(p string) bool { return prefixes(p, path) })
}

// prefixes compares a pattern with the beginning of a path, part by part.
func prefixes(pattern, path string) bool {
	want, have := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for i, w := range want {
		if w == "*" || w == "" || strings.HasSuffix(w, "*") || w == "(.*)" {
			return true
		}
		if i >= len(have) {
			return false
		}
		if w != have[i] && !strings.HasPrefix(w, ":") && !strings.HasPrefix(have[i], ":") && !strings.Contains(w, "\x00") && !strings.Contains(have[i], "\x00") {
			return false
		}
	}
	return true
}

// piped runs handlers that call the next one.
func (in *Interp) piped(handlers, args []*Value, r *call) *Value {
	h := handlers[0]
	if len(handlers) == 1 {
		return in.invoke(h.Fn, args, nil, r.st, r.node)
	}
	next := &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(n *call) *Value {
		if n.arg(0).Kind != Nothing && len(n.args) > 0 {
			n.st.ended, n.st.how = true, exit{threw: true, status: 500}
			return unknown
		}
		return in.piped(handlers[1:], args, &call{in: in, node: r.node, sc: r.sc, st: n.st})
	}}}
	return in.invoke(h.Fn, append(append([]*Value{}, args...), next), nil, r.st, r.node)
}
