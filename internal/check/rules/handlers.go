package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/graph"
)

// handler is one way in: whoever knows its address runs it.
type handler struct {
	kind   string // route, action, procedure, api, page, function
	name   string
	path   string // of the route, for matchers
	file   string
	place  flow.Place
	fn     *flow.Value
	args   func(*flow.Interp) []*flow.Value
	unused bool // an action that nothing refers to
}

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "fallback"}

// loads is where SvelteKit gets what a page shows: it goes to the browser.
var loads = regexp.MustCompile(`(^|/)src/routes/(.*/)?\+(page|layout)\.server\.[jt]s$`)

// handlers are the ways in of one module.
func (p *project) handlers(in *flow.Interp, f string) []handler {
	m := in.Module(f)
	if m == nil {
		return nil
	}
	role, route := p.resolver.RoleOf(f)
	var out []handler
	add := func(h handler, name string) {
		h.name, h.file, h.fn = name, f, in.Export(m, name)
		h.place = flow.Place{Module: m, Node: m.ExportPlace(name)}
		if h.fn.Kind == flow.Function || h.fn.Kind == flow.Outside {
			out = append(out, h)
		}
	}
	exported := func(name, kind string) {
		if slices.Contains(m.Exports(), name) {
			add(handler{kind: kind, path: route, args: eventArgs(m)}, name)
		}
	}
	request, nodeRequest := requestArgs(m), nodeArgs(m)
	switch role {
	case graph.RoleRoute:
		for _, name := range m.Exports() {
			if slices.Contains(methods, name) {
				h := handler{kind: "route", path: route, args: request}
				if strings.Contains(f, "+server.") {
					h.args = eventArgs(m)
				}
				add(h, name)
			}
		}
	case graph.RolePagesAPI:
		h := handler{kind: "api", path: route, args: nodeRequest}
		if edge(m) {
			h.args = request
		}
		add(h, "default")
	case graph.RolePagesPage:
		exported("getServerSideProps", "page")
	case graph.RoleServerHandler:
		for _, name := range m.Exports() {
			if name == "default" || name == "handler" || slices.Contains(methods, name) {
				h := handler{kind: "function", path: route, args: nodeRequest}
				if edge(m) || name != "default" {
					h.args = request
				}
				add(h, name)
			}
		}
	case graph.RoleRemix:
		exported("action", "route")
		exported("loader", "route")
	default:
		if loads.MatchString(f) {
			exported("load", "page")
		}
	}
	p.actions(in, m, add)
	return out
}

// actions are what a module exports that "use server" opens.
func (p *project) actions(in *flow.Interp, m *flow.Module, add func(handler, string)) {
	if !m.Actions {
		return
	}
	for _, name := range m.Exports() {
		fn := in.Export(m, name)
		add(handler{kind: "action", args: p.parameters(fn), unused: !p.used[m.File+"#"+name] && !p.used[m.File+"#*"]}, name)
	}
}

// edge reports whether a function of pages/api or of a host gets a Request.
func edge(m *flow.Module) bool {
	found := false
	m.Root.Walk(func(n *facts.Node) bool {
		found = found || n.Is(facts.Str) && (n.Str == "edge" || n.Str == "experimental-edge") || n.Is(facts.New) && n.Kid(0).Is(facts.Ident) && n.Kids[0].Str == "Response"
		return !found
	})
	return found
}

// routeContext is the second argument of a route handler.
func routeContext(in *flow.Interp, m *flow.Module) *flow.Value {
	return flow.NewRecord(map[string]*flow.Value{"params": in.Body("params", flow.Parameter, flow.Place{Module: m, Node: m.Root})})
}

// requestArgs are the arguments of a handler of the web's Request, nodeArgs those of
// one of Node's.
func requestArgs(m *flow.Module) func(*flow.Interp) []*flow.Value {
	return func(in *flow.Interp) []*flow.Value {
		return []*flow.Value{in.Request(flow.Place{Module: m, Node: m.Root}), routeContext(in, m)}
	}
}

func nodeArgs(m *flow.Module) func(*flow.Interp) []*flow.Value {
	return func(in *flow.Interp) []*flow.Value {
		return []*flow.Value{in.Request(flow.Place{Module: m, Node: m.Root}), flow.NodeResponse()}
	}
}

// eventArgs are one object that has the request in it.
func eventArgs(m *flow.Module) func(*flow.Interp) []*flow.Value {
	return func(in *flow.Interp) []*flow.Value {
		place := flow.Place{Module: m, Node: m.Root}
		req := in.Request(place)
		q := in.Body("query", flow.Query, place)
		return []*flow.Value{flow.NewRecord(map[string]*flow.Value{
			"request": req, "req": req, "params": in.Body("params", flow.Parameter, place), "query": q, "url": flow.Known("request#req.nextUrl"), "cookies": flow.Known("request#req.cookies"),
			"res": flow.NodeResponse(), "locals": flow.NewRecord(nil),
		})}
	}
}

// parameters are what a caller of an action chooses: all of them.
func (p *project) parameters(fn *flow.Value) func(*flow.Interp) []*flow.Value {
	return func(in *flow.Interp) []*flow.Value {
		if fn.Fn == nil || fn.Fn.Node == nil {
			m := fn.At.Module
			return []*flow.Value{in.Body("input", flow.Body, flow.Place{Module: m, Node: fn.At.Node})}
		}
		var out []*flow.Value
		for i, k := range fn.Fn.Node.Kids[1:] {
			name := fmt.Sprint("argument ", i+1)
			t := k
			if t.Is(facts.Default) {
				t = t.Kid(0)
			}
			if t.Is(facts.Ident) {
				name = t.Str
			}
			out = append(out, in.Body(name, flow.Body, flow.Place{Module: fn.Fn.Module, Node: k}))
		}
		return out
	}
}

// endpoints are what builders and routers of a module made.
func endpoints(in *flow.Interp) []handler {
	var out []handler
	for _, e := range in.Endpoints {
		if e.At.Module == nil {
			continue
		}
		out = append(out, handler{kind: e.Kind, name: e.Name, file: e.At.Module.File, place: e.At, fn: e.Handler, args: e.Args})
	}
	in.Endpoints = nil
	return out
}

// judge runs everything there is and judges what happened.
func (p *project) judge() error {
	in := flow.New(p)
	var ways []handler
	for _, f := range p.files {
		if p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		if p.trees[f] == nil || !p.matter[f] {
			continue
		}
		ways = append(ways, p.handlers(in, f)...)
	}
	done := map[*facts.Node]bool{}
	runAll := func(list []handler) error {
		for _, h := range list {
			if p.ctx.Err() != nil {
				return p.ctx.Err()
			}
			r := in.Do(flow.Root{Fn: h.fn, Module: h.place.Module, Node: h.place.Node, Args: h.args, Path: h.path, Handler: true})
			p.handled(in, h, r, done)
		}
		return nil
	}
	// Modules first: what they make at their top are endpoints, too.
	for _, f := range p.files {
		if p.trees[f] == nil || !p.matter[f] {
			continue
		}
		m := in.Module(f)
		if p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		role, _ := p.resolver.RoleOf(f)
		p.swept(in, f, m, role, done)
	}
	ways = append(ways, endpoints(in)...)
	if err := runAll(ways); err != nil {
		return err
	}
	if err := runAll(p.inline(in)); err != nil {
		return err
	}
	if err := runAll(endpoints(in)); err != nil {
		return err
	}
	p.orphans(in, done)
	p.publicVariables()
	return p.inBrowser()
}

// inline are the actions that stand inside of other functions.
func (p *project) inline(in *flow.Interp) []handler {
	var out []handler
	for n, v := range in.Inline {
		m := v.Fn.Module
		if m.Actions && topLevel(m.Root, n) {
			continue
		}
		out = append(out, handler{kind: "action", name: n.Str, file: m.File, place: flow.Place{Module: m, Node: n}, fn: v, args: p.parameters(v)})
	}
	slices.SortFunc(out, func(a, b handler) int {
		if c := strings.Compare(a.file, b.file); c != 0 {
			return c
		}
		return int(a.place.Node.Line - b.place.Node.Line)
	})
	return out
}

func topLevel(root, fn *facts.Node) bool {
	for _, s := range root.Kids {
		if s.Is(facts.Export, facts.ExportDefault) {
			s = s.Kid(0)
		}
		if s.Is(facts.FuncDecl) && s.Kid(0) == fn || s == fn {
			return true
		}
		if s.Is(facts.Var) {
			for _, d := range s.Kids {
				if d.Kid(1) == fn {
					return true
				}
			}
		}
	}
	return false
}
