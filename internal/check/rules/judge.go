package rules

import (
	"path"
	"regexp"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/graph"
	"claviger.dev/claviger/internal/check/report"
)

// handled judges one handler by what happened on its ways.
func (p *project) handled(in *flow.Interp, h handler, r *flow.Run, done map[*facts.Node]bool) {
	p.stats.handlers++
	p.visited(r, done)
	if r.Cut {
		p.add(report.Finding{
			Rule: "scan-incomplete", Severity: report.SeverityLow, Confidence: report.ConfidenceCertain,
			Message: "This handler has too many ways to follow all of them, so what it does is not known whole.", At: at(h.place, ""),
		})
	}
	var spends []flow.Event
	for _, e := range r.Events {
		if e.Kind == flow.Provider && !e.Foreign {
			spends = append(spends, e)
		}
	}
	if h.kind == "page" {
		spends = fromOutside(r, spends)
	}
	p.secrets(h, r)
	if len(spends) == 0 {
		return
	}
	p.stats.guarded++
	signedIn := p.authentication(in, h, r, spends)
	if h.unused {
		return
	}
	p.limits(h, r, spends, signedIn)
	p.inputs(h, r, spends)
	p.answers(h, r)
	p.prompts(r, spends)
	p.caches(h, r)
}

// visited notes the functions that a walk went into, and the calls it met.
func (p *project) visited(r *flow.Run, done map[*facts.Node]bool) {
	for _, e := range r.Events {
		if e.Kind == flow.Provider {
			p.calls[e.At.Node] = true
		}
	}
	r.Each(func(n *facts.Node) { done[n] = true })
}

// fromOutside keeps the calls that what the caller sent has a part in.
func fromOutside(r *flow.Run, spends []flow.Event) []flow.Event {
	var out []flow.Event
	for _, e := range spends {
		if len(flow.Deep(e.Value).Inputs) > 0 {
			out = append(out, e)
		}
	}
	_ = r
	return out
}

// handlerPath is a way from a handler to an event.
func handlerPath(h handler, e flow.Event, note string) []report.Position {
	way := []report.Position{at(h.place, describe(h))}
	for _, f := range e.Frames {
		pos := at(f, "calls")
		if pos.Line > 0 && (len(way) == 0 || way[len(way)-1].File != pos.File || way[len(way)-1].Line != pos.Line) {
			way = append(way, pos)
		}
	}
	return append(way, at(e.At, note))
}

func describe(h handler) string {
	switch h.kind {
	case "action":
		return "server action " + h.name
	case "procedure":
		return "procedure"
	case "page":
		return "page"
	}
	return strings.TrimSpace(h.name + " " + h.path)
}

func (h handler) title() string {
	switch h.kind {
	case "action":
		if h.name == "" {
			return "This server action"
		}
		return "The server action " + h.name
	case "procedure":
		return "This procedure"
	case "page":
		return "This page"
	case "route":
		if h.path != "" {
			return h.name + " " + h.path
		}
		return "This route"
	}
	if h.path != "" {
		return h.path
	}
	return "This handler"
}

// open reports whether a call hands over everything the caller sends: then it
// is the provider that is open, and not one use of it.
func open(r *flow.Run, e flow.Event) bool {
	if e.Symbol == "fetch" && len(e.Value.Items) > 0 {
		d := flow.Deep(e.Value.Items[0])
		if len(d.Inputs) > 0 {
			return true
		}
		for _, a := range e.Value.Items[1:] {
			for _, id := range a.Prop("body").Inputs {
				if r.Inputs[id].Parent < 0 && r.Inputs[id].Kind == flow.Body {
					return true
				}
			}
		}
		return false
	}
	for _, a := range e.Args {
		for _, id := range a.Inputs {
			if r.Inputs[id].Parent < 0 && r.Inputs[id].Kind == flow.Body && r.Inputs[id].Name == "body" {
				return true
			}
		}
	}
	return false
}

// authentication reports what nobody, or nothing that holds, stands before. It
// returns whether somebody is signed in at every call.
func (p *project) authentication(in *flow.Interp, h handler, r *flow.Run, spends []flow.Event) bool {
	bare := -1
	for i, e := range spends {
		if !e.Facts.Has(flow.FactAuth) {
			bare = i
			break
		}
	}
	if bare < 0 {
		return true
	}
	if h.kind != "action" && h.path != "" && p.middleware(in, h) {
		return true
	}
	e := spends[bare]
	sev := report.SeverityHigh
	what := " reaches a provider for anyone who asks"
	if open(r, e) {
		sev, what = report.SeverityCritical, " opens the provider to anyone: the caller chooses what is asked"
	}
	if h.unused {
		sev = report.SeverityMedium
		what += ". Nothing in the project refers to it, so the build may leave it out"
	}
	if use, ok := failed(r, e); ok {
		place, why := asking(h, use), "its result does not keep anybody from going on"
		switch {
		case use.Weak != "":
			place, why = use.At, use.Weak
		case use.Before:
			why = "it comes after the provider was called"
		}
		p.add(report.Finding{
			Rule: "ineffective-auth", Severity: sev, Confidence: report.ConfidenceLikely,
			Message: "This guard does not guard: " + why + ". " + h.title() + what + ".",
			At:      at(place, ""), Path: handlerPath(h, e, "calls "+e.Symbol),
		})
		return false
	}
	p.add(report.Finding{
		Rule: "missing-auth", Severity: sev, Confidence: report.ConfidenceLikely,
		Message: h.title() + what + ".",
		At:      at(h.place, ""), Path: handlerPath(h, e, "calls "+e.Symbol),
	})
	return false
}

// failed is the guard that was asked and did not hold.
func failed(r *flow.Run, e flow.Event) (flow.Use, bool) {
	weak := e.Facts.Has(flow.FactWeakAuth)
	var best flow.Use
	found := false
	for _, u := range r.Auth {
		switch {
		case u.Weak != "" && !weak:
			continue
		case !found, best.Before && !u.Before, weak && best.Weak == "" && u.Weak != "":
			best, found = u, true
		}
	}
	if !found && weak {
		return flow.Use{}, false
	}
	return best, found
}

// asking is the call that asked in vain: the one in the handler's own code, or
// the guard itself where wrappers and middlewares of other files stand between.
func asking(h handler, u flow.Use) flow.Place {
	if u.Call.Module != h.place.Module || u.Call.Node == h.place.Node {
		return u.At
	}
	return u.Call
}

// middleware reports whether middleware.ts or proxy.ts keeps strangers from a
// path.
func (p *project) middleware(in *flow.Interp, h handler) bool {
	for _, f := range p.before {
		if hooks.MatchString(f) && strings.HasPrefix(h.file, path.Dir(f)+"/routes/") {
			if m := in.Module(f); m != nil && hooked(in, m, h.path) {
				return true
			}
			continue
		}
		role, _ := p.resolver.RoleOf(f)
		if role != graph.RoleMiddleware || p.resolver.Root(f) != p.resolver.Root(h.file) {
			continue
		}
		m := in.Module(f)
		if m == nil || !matched(in, m, h.path) {
			continue
		}
		for _, name := range []string{"middleware", "proxy", "default"} {
			fn := in.Export(m, name)
			if fn.Kind != flow.Function && fn.Kind != flow.Outside && fn.Kind != flow.Response {
				continue
			}
			if passesOnly(in, fn, m, h.path) {
				return true
			}
			break
		}
	}
	return false
}

// hooks is where SvelteKit looks for what runs before every route.
var hooks = regexp.MustCompile(`(^|/)src/hooks\.server\.[jt]s$`)

// hooked reports whether the handle hook of SvelteKit lets only those go on who
// are signed in.
func hooked(in *flow.Interp, m *flow.Module, route string) bool {
	fn := in.Export(m, "handle")
	if fn.Kind != flow.Function {
		return false
	}
	return in.Pass(flow.Root{Fn: fn, Module: m, Node: m.Root, Path: route, Args: func(in *flow.Interp) []*flow.Value {
		return []*flow.Value{flow.NewRecord(map[string]*flow.Value{"event": eventArgs(m)(in)[0]})}
	}})
}

// passesOnly reports whether a middleware lets only those go on who are signed
// in.
func passesOnly(in *flow.Interp, fn *flow.Value, m *flow.Module, route string) bool {
	if fn.Str == "next-auth/middleware#default" {
		return true
	}
	r := in.Pass(flow.Root{Fn: fn, Module: m, Node: m.Root, Path: route, Args: func(in *flow.Interp) []*flow.Value {
		return []*flow.Value{in.Request(flow.Place{Module: m, Node: m.Root}), flow.NewRecord(nil)}
	}})
	return r
}

// matched reports whether the matcher of a middleware takes a path.
func matched(in *flow.Interp, m *flow.Module, route string) bool {
	conf := in.Export(m, "config").Prop("matcher")
	var patterns []string
	collect := func(v *flow.Value) {
		if v.Kind == flow.Text {
			patterns = append(patterns, v.Str)
		} else if s := v.Prop("source"); s.Kind == flow.Text {
			patterns = append(patterns, s.Str)
		}
	}
	collect(conf)
	for _, i := range conf.Items {
		collect(i)
	}
	if len(patterns) == 0 {
		return true
	}
	for _, pat := range patterns {
		if flow.MatchPath(pat, route) {
			return true
		}
	}
	return false
}

// limits reports calls that nothing limits.
func (p *project) limits(h handler, r *flow.Run, spends []flow.Event, signedIn bool) {
	var bare *flow.Event
	for i := range spends {
		if !spends[i].Facts.Has(flow.FactLimit) {
			bare = &spends[i]
			break
		}
	}
	sev := report.SeverityHigh
	if signedIn {
		sev = report.SeverityMedium
	}
	if bare == nil {
		p.keys(h, r)
		return
	}
	for _, u := range r.Limits {
		if u.Own && !limiterLike(u) {
			continue
		}
		why := "its answer does not keep anybody from going on"
		if u.Before {
			why = "it comes after the provider was called"
		}
		p.add(report.Finding{
			Rule: "weak-rate-limit", Severity: sev, Confidence: report.ConfidenceLikely,
			Message: "This limiter does not limit: " + why + ", or only on some ways.",
			At:      at(u.Call, ""), Path: handlerPath(h, *bare, "calls "+bare.Symbol),
		})
		return
	}
	p.add(report.Finding{
		Rule: "missing-rate-limit", Severity: sev, Confidence: report.ConfidenceLikely,
		Message: h.title() + " reaches a provider as often as somebody asks: nothing limits the rate.",
		At:      at(h.place, ""), Path: handlerPath(h, *bare, "calls "+bare.Symbol),
	})
}

// limiterLike reports whether an own store was asked under a key, as limiters
// are.
func limiterLike(u flow.Use) bool {
	return u.Key != nil && (u.Key.Bits&(flow.Session|flow.Chosen|flow.HostSet|flow.Cred) != 0 || len(u.Key.Inputs) > 0)
}

// keys reports limiters whose key the caller chooses.
func (p *project) keys(h handler, r *flow.Run) {
	for _, u := range r.Limits {
		if u.Key == nil || u.Key.Bits&flow.Session != 0 {
			return
		}
	}
	for _, u := range r.Limits {
		k := u.Key
		if k.Bits&flow.HostSet != 0 && k.Bits&flow.Chosen == 0 && len(k.Inputs) == 0 {
			continue
		}
		if k.Bits&(flow.Chosen|flow.Cred) == 0 && len(k.Inputs) == 0 {
			continue
		}
		p.add(report.Finding{
			Rule: "weak-rate-limit", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
			Message: "This limiter counts by something that the caller chooses, so a new value is a new allowance.",
			At:      at(pickPlace(u), ""), Path: []report.Position{at(h.place, describe(h))},
		})
		return
	}
}

func pickPlace(u flow.Use) flow.Place {
	if u.Own {
		return u.Call
	}
	return u.At
}

// inputs reports what reaches a provider unchecked or without a bound.
func (p *project) inputs(h handler, r *flow.Run, spends []flow.Event) {
	capped := true
	for _, e := range spends {
		capped = capped && e.Capped
		for _, id := range flow.Deep(e.Value).Inputs {
			i := r.Inputs[id]
			if i.Kind == flow.Context || i.Name == "" {
				continue
			}
			checked, bounded := r.Holds(e.Facts, id)
			entry := i.At
			if !checked && i.Name != "(cut)" {
				p.add(report.Finding{
					Rule: "missing-validation", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
					Message: "What the caller sends here goes to a provider without a check of what it is.",
					At:      at(entryOf(h, entry), ""), Path: handlerPath(h, e, "calls "+e.Symbol),
				})
			}
			if !bounded && i.Kind == flow.Body || !bounded && i.Kind == flow.Query {
				place := entryOf(h, entry)
				if i.Schema.Node != nil && checked {
					place = i.Schema
				}
				if i.Name == "model" {
					continue
				}
				p.add(report.Finding{
					Rule: "missing-size-cap", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
					Message: "What the caller sends here goes to a provider at any length.",
					At:      at(place, ""), Path: handlerPath(h, e, "calls "+e.Symbol),
				})
			}
		}
	}
	if !capped {
		for _, e := range spends {
			if !e.Capped {
				p.add(report.Finding{
					Rule: "missing-size-cap", Severity: report.SeverityInfo, Confidence: report.ConfidencePossible,
					Message: "This call sets no cap on the tokens of the answer.", At: at(e.At, ""),
				})
			}
		}
	}
}

// entryOf is where an input comes in; the module as a whole stands for a
// handler's own line.
func entryOf(h handler, pl flow.Place) flow.Place {
	if pl.Node == nil || pl.Node.Is(facts.Program) {
		return h.place
	}
	return pl
}
