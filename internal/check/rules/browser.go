package rules

import (
	"maps"
	"path"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/report"
)

// inBrowser runs the code that reaches browsers and reports what of it calls a
// provider.
func (p *project) inBrowser() error {
	in := flow.New(p)
	in.Browser = true
	called := map[string]bool{}
	for _, f := range p.files {
		if p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		if _, ok := p.client[f]; !ok || p.trees[f] == nil || !p.matter[f] || p.tired(in) {
			continue
		}
		m := in.Module(f)
		p.clientCalls(in.Sweep(m), called)
		for _, name := range m.Exports() {
			if serverFunction(name) {
				continue
			}
			fn := in.Export(m, name)
			if fn.Kind == flow.Function && fn.Fn.Node != nil {
				r := in.Do(flow.Root{Fn: fn, Module: m, Node: fn.Fn.Node, Args: func(*flow.Interp) []*flow.Value {
					return []*flow.Value{flow.NewRecord(nil)}
				}})
				p.clientCalls(r, called)
				p.shownInBrowser(r)
				p.givenBack(in, m, r, called)
			}
		}
		for _, k := range m.Root.Kids {
			if k.Is(facts.FuncDecl) && k.Kid(0) != nil {
				r := in.Local(m, k.Kids[0].Str)
				p.clientCalls(r, called)
			}
		}
	}
	held := p.held
	p.held = nil
	p.clientCalls(&flow.Run{Events: held}, called)
	p.serverModules(called)
	return nil
}

// givenBack runs the functions that a hook or a composable returns: components
// call them.
func (p *project) givenBack(in *flow.Interp, m *flow.Module, r *flow.Run, called map[string]bool) {
	for _, ret := range r.Returns {
		if ret.Value == nil {
			continue
		}
		all := []*flow.Value{ret.Value}
		for _, k := range slices.Sorted(maps.Keys(ret.Value.Props)) {
			all = append(all, ret.Value.Props[k])
		}
		for _, fn := range all {
			if fn == nil || fn.Kind != flow.Function || fn.Fn == nil || fn.Fn.Node == nil || p.tired(in) {
				continue
			}
			p.clientCalls(in.Do(flow.Root{Fn: fn, Module: m, Node: fn.Fn.Node, Args: func(*flow.Interp) []*flow.Value {
				return []*flow.Value{flow.NewRecord(nil)}
			}}), called)
		}
	}
}

// shownInBrowser reports secrets that a component renders: it runs on the
// server, too, when the page is made.
func (p *project) shownInBrowser(r *flow.Run) {
	for _, e := range r.Events {
		if e.Kind != flow.Render {
			continue
		}
		d := flow.Deep(e.Value)
		if name, ok := private(d); ok {
			p.add(report.Finding{
				Rule: "secret-in-rendered-output", Severity: report.SeverityHigh, Confidence: report.ConfidenceLikely,
				Message: "This component runs on the server as well, when the page is made, and renders " + name + " into it.", At: at(e.At, ""), Path: origin(d),
			})
		}
	}
}

// calledBy reports whether code for browsers in a file, or in one that imports
// it, calls a provider.
func (p *project) calledBy(f string, called map[string]bool) bool {
	return called[f] || slices.ContainsFunc(p.back[f], func(g string) bool { return called[g] })
}

// servers reports whether a client of a provider was made for the server: with a
// key that no browser has, and without leave to run in one. Then the mistake is
// to import its module.
func servers(e flow.Event) bool {
	for _, a := range e.Value.Items {
		if a.Prop("dangerouslyAllowBrowser").Str == "true" {
			return false
		}
	}
	_, ok := private(flow.Deep(e.Value))
	return ok
}

func (p *project) clientCalls(r *flow.Run, called map[string]bool) {
	for _, e := range r.Events {
		if e.Kind != flow.Provider && e.Kind != flow.Construct || e.At.Module == nil {
			continue
		}
		f := e.At.Module.File
		if _, ok := p.client[f]; !ok {
			continue
		}
		if strings.HasPrefix(path.Base(f), "_document") || e.Kind == flow.Construct && e.Value.Bits&flow.Guarded != 0 {
			continue
		}
		if e.Kind == flow.Construct && servers(e) && !p.calledBy(f, called) {
			p.held = append(p.held, e)
			continue
		}
		called[f] = true
		sev, what := report.SeverityHigh, "calls the provider"
		if e.Kind == flow.Construct {
			what = "makes a provider's client"
		}
		if e.Foreign || e.Value.Bits&flow.Foreign != 0 {
			sev = report.SeverityMedium
		} else if d := flow.Deep(e.Value); len(d.Secrets) > 0 {
			for _, s := range d.Secrets {
				if s.Public {
					sev = report.SeverityCritical
				}
			}
		}
		way := append(p.way(f), at(e.At, what))
		p.add(report.Finding{
			Rule: "client-provider-call", Severity: sev, Confidence: report.ConfidenceLikely,
			Message: "Code for browsers " + what + ": " + trace(way) + ".",
			At:      at(e.At, ""), Path: way,
		})
	}
}
