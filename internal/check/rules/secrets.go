package rules

import (
	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/graph"
	"claviger.dev/claviger/internal/check/report"
)

// private are the secrets on a value that no public prefix has given away
// already.
func private(v *flow.Value) (string, bool) {
	for _, s := range v.Secrets {
		if !s.Public {
			return s.Name, true
		}
	}
	return "", false
}

// secrets reports where secrets leave the server, in any handler or component.
func (p *project) secrets(h handler, r *flow.Run) {
	for _, e := range r.Events {
		d := flow.Deep(e.Value)
		name, ok := private(d)
		if flow.WholeEnvironment(e.Value) {
			name, ok = "the whole environment", true
		}
		switch e.Kind {
		case flow.Log:
			if ok {
				p.add(report.Finding{
					Rule: "secret-logged", Severity: report.SeverityHigh, Confidence: report.ConfidenceCertain,
					Message: "This writes " + name + " to the log.", At: at(e.At, ""), Path: origin(d),
				})
			}
		case flow.Hand:
			if ok {
				p.add(report.Finding{
					Rule: "secret-to-client-prop", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain,
					Message: "The property " + e.Symbol + " hands " + name + " to a client component, and with it to every visitor.", At: at(e.At, ""), Path: origin(d),
				})
			}
		case flow.Bound:
			if ok {
				p.add(report.Finding{
					Rule: "secret-to-client-prop", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain,
					Message: "What is bound to a server action travels to the browser and back in clear text: " + name + ".", At: at(e.At, ""), Path: origin(d),
				})
			}
		case flow.Render:
			if ok {
				p.add(report.Finding{
					Rule: "secret-in-rendered-output", Severity: report.SeverityCritical, Confidence: report.ConfidenceLikely,
					Message: "This renders " + name + " into the page.", At: at(e.At, ""), Path: origin(d),
				})
			}
		case flow.Respond:
			if ok {
				p.inResponse(at(e.At, ""), name, d)
			}
		case flow.Upstream:
			if e.Foreign {
				continue
			}
			p.add(report.Finding{
				Rule: "upstream-url-from-client", Severity: report.SeverityCritical, Confidence: report.ConfidenceLikely,
				Message: "The caller chooses the server that gets the key.", At: at(e.At, ""), Path: handlerPath(h, e, "sends the key"),
			})
		case flow.Key:
			if h.kind == "action" || h.kind == "procedure" {
				p.keyParameter(h, r, e)
			}
		default:
		}
	}
	p.returned(h, r)
}

func origin(d *flow.Value) []report.Position {
	var way []report.Position
	for _, s := range d.Secrets {
		if s.At != nil {
			way = append(way, at(flow.Place{Module: s.Module, Node: s.At}, "reads "+s.Name))
		}
	}
	return way
}

func (p *project) inResponse(pos report.Position, name string, d *flow.Value) {
	p.add(report.Finding{
		Rule: "secret-in-response", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain,
		Message: "This answers with " + name + ".", At: pos, Path: origin(d),
	})
}

// keyParameter reports a key that comes in as a parameter of an action.
func (p *project) keyParameter(h handler, r *flow.Run, e flow.Event) {
	for _, id := range e.Value.Inputs {
		place := entryOf(h, r.Inputs[id].At)
		p.add(report.Finding{
			Rule: "action-secret-param", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
			Message: "A key travels as a parameter of " + describe(h) + ".", At: at(place, ""), Path: handlerPath(h, e, "uses it for a provider"),
		})
		return
	}
}

// returned reports secrets in what a handler returns.
func (p *project) returned(h handler, r *flow.Run) {
	if h.kind == "component" {
		return
	}
	for _, ret := range r.Returns {
		v := ret.Value
		if v == nil || v.Kind == flow.Response {
			continue
		}
		d := flow.Deep(v)
		name, ok := private(d)
		if !ok {
			continue
		}
		if h.kind == "page" {
			p.add(report.Finding{
				Rule: "secret-to-client-prop", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain,
				Message: "The properties of a page stand in its HTML: " + name + " is one of them.", At: at(ret.Place, ""), Path: origin(d),
			})
			continue
		}
		p.inResponse(at(ret.Place, ""), name, d)
	}
}

// swept looks at what a module does at its top, at its components and at its
// configuration.
func (p *project) swept(in *flow.Interp, f string, m *flow.Module, role graph.Role, done map[*facts.Node]bool) {
	if role != graph.RoleConfig && p.tired(in) {
		return
	}
	r := in.Sweep(m)
	p.visited(r, done)
	h := handler{kind: "component", file: f, place: flow.Place{Module: m, Node: m.Root}}
	p.secrets(h, r)
	switch role {
	case graph.RolePage:
		p.metadata(in, m)
		p.components(in, h, m, done)
	case graph.RolePagesPage:
		p.components(in, h, m, done)
		for _, name := range m.Exports() {
			if name == "getStaticProps" {
				fn := in.Export(m, name)
				run := in.Do(flow.Root{Fn: fn, Module: m, Node: m.ExportPlace(name), Args: eventArgs(m)})
				p.visited(run, done)
				p.secrets(handler{kind: "page", name: name, file: f, place: flow.Place{Module: m, Node: m.ExportPlace(name)}}, run)
			}
		}
	case graph.RoleConfig:
		p.configuration(in, f, m)
	default:
	}
}

// components runs what a page's module exports.
func (p *project) components(in *flow.Interp, h handler, m *flow.Module, done map[*facts.Node]bool) {
	if m.Client {
		return
	}
	for _, name := range m.Exports() {
		fn := in.Export(m, name)
		if fn.Kind != flow.Function || serverFunction(name) {
			continue
		}
		place := flow.Place{Module: m, Node: m.ExportPlace(name)}
		r := in.Do(flow.Root{Fn: fn, Module: m, Node: place.Node, Args: func(in *flow.Interp) []*flow.Value {
			q := in.Body("query", flow.Query, place)
			return []*flow.Value{flow.NewRecord(map[string]*flow.Value{"searchParams": q, "params": in.Body("params", flow.Parameter, place)})}
		}})
		p.visited(r, done)
		if name == "generateMetadata" {
			p.rendered(flow.Deep(r.Result), place)
			continue
		}
		page := h
		p.secrets(page, r)
		if name == "default" {
			page = handler{kind: "page", name: name, file: h.file, place: place}
			page.path = ""
			if calls := fromOutside(r, providerEvents(r)); len(calls) > 0 {
				p.handled(in, page, r, done)
			}
		}
	}
}

func providerEvents(r *flow.Run) []flow.Event {
	var out []flow.Event
	for _, e := range r.Events {
		if e.Kind == flow.Provider && !e.Foreign {
			out = append(out, e)
		}
	}
	return out
}

func serverFunction(name string) bool {
	switch name {
	case "getServerSideProps", "getStaticProps", "getStaticPaths", "generateStaticParams":
		return true
	}
	return false
}

func (p *project) metadata(in *flow.Interp, m *flow.Module) {
	for _, name := range m.Exports() {
		if name == "metadata" || name == "viewport" {
			v := in.Export(m, name)
			p.renderedParts(v, flow.Place{Module: m, Node: m.ExportPlace(name)}, 0)
		}
	}
}

// renderedParts points at the property that holds the secret.
func (p *project) renderedParts(v *flow.Value, place flow.Place, depth int) {
	if v == nil || depth > 6 {
		return
	}
	if v.Props != nil {
		for _, k := range flow.Keys(v) {
			at := v.Places[k]
			if at.Node == nil {
				at = place
			}
			p.renderedParts(v.Props[k], at, depth+1)
		}
		return
	}
	p.rendered(flow.Deep(v), place)
}

func (p *project) rendered(d *flow.Value, place flow.Place) {
	if name, ok := private(d); ok {
		p.add(report.Finding{
			Rule: "secret-in-rendered-output", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain,
			Message: "This writes " + name + " into the page's head.", At: at(place, ""), Path: origin(d),
		})
	}
}

// orphans runs the functions that no handler went into, for what they write to
// logs.
func (p *project) orphans(in *flow.Interp, done map[*facts.Node]bool) {
	for _, f := range p.files {
		if p.trees[f] == nil || !p.close[f] || p.ctx.Err() != nil || p.tired(in) {
			continue
		}
		m := in.Module(f)
		for _, name := range m.Exports() {
			fn := in.Export(m, name)
			if fn.Kind != flow.Function || fn.Fn.Node == nil || done[fn.Fn.Node] || fn.Fn.Module != m {
				continue
			}
			r := in.Do(flow.Root{Fn: fn, Module: m, Node: fn.Fn.Node})
			p.visited(r, done)
			for _, e := range r.Events {
				if e.Kind == flow.Log || e.Kind == flow.Render || e.Kind == flow.Hand {
					one := *r
					one.Events, one.Returns = []flow.Event{e}, nil
					p.secrets(handler{kind: "component", file: f}, &one)
				}
			}
		}
	}
}
