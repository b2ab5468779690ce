package flow

import (
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
)

// Project is where modules come from.
type Project interface {
	// Module returns the tree of a file, or nil if it could not be parsed.
	Module(file string) *facts.Node
	// Resolve returns the file that a specifier means, if it is one of the
	// project's.
	Resolve(from, spec string) (string, bool)
}

// Module is a module whose names are evaluated when they are asked for.
type Module struct {
	File string
	Root *facts.Node
	// Actions says that "use server" opens it, Client that "use client" does.
	Actions, Client bool
	scope           *scope
	exports         map[string]func() *Value
	places          map[string]*facts.Node
	stars           []string
	order           []string
}

// Exports are the names a module exports itself, in their order.
func (m *Module) Exports() []string { return m.order }

// ExportPlace is where a name is exported.
func (m *Module) ExportPlace(name string) *facts.Node { return m.places[name] }

// Module returns a module by its file, or nil.
func (in *Interp) Module(file string) *Module {
	if m, ok := in.modules[file]; ok {
		return m
	}
	in.modules[file] = nil
	root := in.project.Module(file)
	if root == nil {
		return nil
	}
	m := &Module{
		File: file, Root: root, Actions: root.Has("use server"), Client: root.Has("use client"),
		exports: map[string]func() *Value{}, places: map[string]*facts.Node{},
	}
	m.scope = &scope{module: m, cells: map[string]*cell{}}
	in.modules[file] = m
	for _, s := range root.Kids {
		in.hoist(m, s)
	}
	return m
}

func (m *Module) export(name string, at *facts.Node, f func() *Value) {
	if _, ok := m.exports[name]; !ok {
		m.order = append(m.order, name)
	}
	m.exports[name], m.places[name] = f, at
}

// hoist makes a statement's names known.
func (in *Interp) hoist(m *Module, s *facts.Node) {
	switch s.Kind {
	case facts.Import:
		for _, k := range s.Kids {
			m.scope.declare(k.Str).lazy = func() *Value { return in.imported(m, s.Str, k.Alt) }
		}
	case facts.Export:
		decl := s.Kid(0)
		if decl == nil {
			return
		}
		in.hoist(m, decl)
		for _, n := range declared(decl) {
			c := m.scope.declare(n.Str)
			at := s
			if decl.Kind == facts.Var {
				at = n
			}
			m.export(n.Str, at, func() *Value { return in.top(m).get(c) })
		}
	case facts.ExportDefault:
		in.hoistDefault(m, s)
	case facts.ExportFrom:
		in.hoistExports(m, s)
	case facts.Var, facts.FuncDecl, facts.ClassDecl:
		in.hoistDeclaration(m, s)
	case facts.ExprStmt:
		in.hoistCommon(m, s.Kid(0))
	default:
	}
}

func (in *Interp) hoistDefault(m *Module, s *facts.Node) {
	kid := s.Kid(0)
	if kid.Is(facts.FuncDecl, facts.ClassDecl) {
		f := kid.Kid(0)
		if f != nil && f.Str != "" {
			in.hoist(m, kid)
			c := m.scope.declare(f.Str)
			m.export("default", s, func() *Value { return in.top(m).get(c) })
			return
		}
		kid = f
	}
	m.export("default", s, in.once(m, kid))
}

func (in *Interp) hoistExports(m *Module, s *facts.Node) {
	for _, k := range s.Kids {
		switch {
		case s.Str == "":
			c := m.scope.declare(k.Str)
			m.export(k.Alt, s, func() *Value { return in.top(m).get(c) })
		case k.Str == "*" && k.Alt == "":
			m.stars = append(m.stars, s.Str)
		default:
			m.export(k.Alt, s, func() *Value { return in.imported(m, s.Str, k.Str) })
		}
	}
}

func (in *Interp) hoistDeclaration(m *Module, s *facts.Node) {
	switch s.Kind {
	case facts.Var:
		for _, d := range s.Kids {
			value := in.once(m, d.Kid(1))
			if d.Kid(1) == nil {
				value = func() *Value { return nothing }
			}
			if d.Kid(0).Is(facts.Ident) {
				m.scope.declare(d.Kids[0].Str).lazy = value
				continue
			}
			for _, n := range targets(d.Kid(0)) {
				c := m.scope.declare(n.Str)
				c.lazy = func() *Value {
					st := in.top(m)
					in.bind(d.Kids[0], value(), m.scope, st)
					return st.get(c)
				}
			}
		}
	default:
		if k := s.Kid(0); k != nil {
			m.scope.declare(k.Str).lazy = in.once(m, k)
		}
	}
}

// hoistCommon knows module.exports and exports.name.
func (in *Interp) hoistCommon(m *Module, e *facts.Node) {
	if !e.Is(facts.Assign) || !e.Kid(0).Is(facts.Member) {
		return
	}
	t, obj := e.Kids[0], e.Kids[0].Kid(0)
	switch {
	case obj.Is(facts.Ident) && obj.Str == "module" && t.Str == "exports":
		whole := in.once(m, e.Kid(1))
		m.export("default", e, whole)
		if v := e.Kid(1); v.Is(facts.Object) {
			for _, p := range v.Kids {
				if p.Is(facts.Prop) && p.Str != "" {
					m.export(p.Str, p, func() *Value { return in.property(whole(), p.Str) })
				}
			}
		}
	case obj.Is(facts.Ident) && obj.Str == "exports",
		obj.Is(facts.Member) && obj.Str == "exports" && obj.Kid(0).Is(facts.Ident) && obj.Kids[0].Str == "module":
		m.export(t.Str, e, in.once(m, e.Kid(1)))
	}
}

// once evaluates an expression of a module's top when it is first asked for.
func (in *Interp) once(m *Module, n *facts.Node) func() *Value {
	var v *Value
	running := false
	return func() *Value {
		if v == nil {
			if running {
				return unknown
			}
			running = true
			in.quiet++
			v = in.apart(func() *Value { return in.eval(n, m.scope, in.top(m)) })
			in.quiet--
			running = false
		}
		return v
	}
}

// apart evaluates something that outlives the run which happens to ask for it,
// so that it costs that run nothing.
func (in *Interp) apart(f func() *Value) *Value {
	if in.run == nil {
		return f()
	}
	steps, cut := in.run.steps, in.run.Cut
	in.run.steps = max(0, in.allowed-componentBudget)
	v := f()
	in.run.steps, in.run.Cut = steps, cut
	return v
}

// top is the state of modules, where nothing is known.
func (in *Interp) top(*Module) *state { return in.tops }

func declared(s *facts.Node) []*facts.Node {
	switch s.Kind {
	case facts.Var:
		var all []*facts.Node
		for _, d := range s.Kids {
			all = append(all, targets(d.Kid(0))...)
		}
		return all
	case facts.FuncDecl, facts.ClassDecl:
		if s.Kid(0) != nil {
			return []*facts.Node{s.Kids[0]}
		}
	default:
	}
	return nil
}

// targets are the names that a pattern binds.
func targets(n *facts.Node) []*facts.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == facts.Ident:
		return []*facts.Node{n}
	case n.Kind == facts.PatProp:
		return targets(n.Kid(1))
	case n.Kind == facts.Default || n.Kind == facts.Rest:
		return targets(n.Kid(0))
	}
	var all []*facts.Node
	for _, k := range n.Kids {
		all = append(all, targets(k)...)
	}
	return all
}

// imported is what a name of another module or package is.
func (in *Interp) imported(m *Module, spec, name string) *Value {
	file, ok := in.project.Resolve(m.File, spec)
	if !ok {
		if strings.HasPrefix(spec, ".") || strings.HasPrefix(spec, "/") {
			return unknown
		}
		if spec == "$env/static/private" || spec == "astro:env/server" {
			if name != "*" && name != "getSecret" {
				return in.variable(name, Place{m, m.Root})
			}
		}
		return outside(strings.TrimPrefix(spec, "node:") + "#" + name)
	}
	target := in.Module(file)
	if target == nil {
		return unknown
	}
	if name == "*" {
		return &Value{Kind: Record, NS: target, F: impossible}
	}
	return in.Export(target, name)
}

// Export is the value of a name that a module exports.
func (in *Interp) Export(m *Module, name string) *Value { return in.exported(m, name, nil) }

func (in *Interp) exported(m *Module, name string, seen []*Module) *Value {
	if m == nil || slices.Contains(seen, m) {
		return unknown
	}
	if f, ok := m.exports[name]; ok {
		return f()
	}
	if name == "default" && len(m.exports) > 0 && m.exports["__esModule"] != nil {
		return unknown
	}
	seen = append(seen, m)
	for _, spec := range m.stars {
		file, ok := in.project.Resolve(m.File, spec)
		if !ok {
			if len(m.stars) == 1 && !strings.HasPrefix(spec, ".") {
				return outside(spec + "#" + name)
			}
			continue
		}
		if v := in.exported(in.Module(file), name, seen); v != unknown {
			return v
		}
	}
	if f, ok := m.exports["default"]; ok && len(m.order) == 1 {
		return in.property(f(), name)
	}
	return unknown
}
