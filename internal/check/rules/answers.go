package rules

import (
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/report"
)

// answers reports what a handler that spends says of failures and of what the
// provider said.
func (p *project) answers(h handler, r *flow.Run) {
	for _, e := range r.Events {
		if e.Kind == flow.Respond {
			p.answer(e.Value, at(e.Stmt, ""))
		}
	}
	for _, ret := range r.Returns {
		if ret.Value != nil && !ret.Value.Answers() {
			p.answer(ret.Value, at(ret.Place, ""))
		}
	}
	_ = h
}

func (p *project) answer(v *flow.Value, pos report.Position) {
	d := flow.Deep(v)
	if d.Bits&flow.Failure != 0 {
		p.add(report.Finding{
			Rule: "error-leak", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
			Message: "The text of an error goes to the caller: it may name hosts, accounts and parts of a key.", At: pos,
		})
	}
	if d.Bits&flow.Raw != 0 {
		p.add(report.Finding{
			Rule: "raw-upstream-returned", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
			Message: "The provider's answer goes to the caller whole.", At: pos,
		})
	}
}

// prompts reports what people wrote, and what they got, in logs.
func (p *project) prompts(r *flow.Run, spends []flow.Event) {
	sent := map[int]bool{}
	for _, e := range spends {
		for _, id := range flow.Deep(e.Value).Inputs {
			for i := id; i >= 0; i = r.Inputs[i].Parent {
				sent[i] = true
			}
		}
	}
	for _, e := range r.Events {
		if e.Kind != flow.Log {
			continue
		}
		d := flow.Deep(e.Value)
		what := ""
		switch {
		case d.Bits&flow.Whole != 0:
			what = "the whole request"
		case d.Bits&(flow.Raw|flow.Output) != 0:
			what = "what the provider answered"
		}
		for _, id := range d.Inputs {
			if sent[id] && r.Inputs[id].Kind == flow.Body {
				what = "what the caller wrote"
			}
		}
		if what == "" {
			continue
		}
		p.add(report.Finding{
			Rule: "secret-logged", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
			Message: "This writes " + what + " to the log. Prompts and answers are private.", At: at(e.At, ""),
		})
	}
}

// caches reports private answers that others may get.
func (p *project) caches(h handler, r *flow.Run) {
	for _, e := range r.Events {
		if e.Kind != flow.Cache {
			continue
		}
		p.add(report.Finding{
			Rule: "sensitive-cache", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
			Message: "What the provider answers one person is kept for others.", At: at(e.At, ""),
		})
	}
	for _, e := range r.Events {
		if e.Kind != flow.Provider {
			continue
		}
		for _, f := range append(e.Frames, e.At) {
			p.useCache(f.Module)
		}
	}
	if h.kind != "route" || h.name != "GET" || h.place.Module == nil {
		return
	}
	for _, s := range h.place.Module.Root.Kids {
		if !s.Is(facts.Export) || !s.Kid(0).Is(facts.Var) {
			continue
		}
		for _, d := range s.Kids[0].Kids {
			name, v := d.Kid(0), d.Kid(1)
			if !name.Is(facts.Ident) || v == nil {
				continue
			}
			if name.Str == "dynamic" && v.Is(facts.Str) && v.Str == "force-static" || name.Str == "revalidate" && (v.Is(facts.Num) && v.Str != "0" || v.Is(facts.Bool) && v.Str == "false") || name.Str == "fetchCache" && strings.HasPrefix(v.Str, "force-cache") {
				p.add(report.Finding{
					Rule: "sensitive-cache", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
					Message: "The answer is kept and given to whoever asks next.", At: at(flow.Place{Module: h.place.Module, Node: s}, ""),
				})
			}
		}
	}
}

// useCache reports functions that say "use cache" and are not private.
func (p *project) useCache(m *flow.Module) {
	if m == nil {
		return
	}
	m.Root.Walk(func(n *facts.Node) bool {
		if n.Is(facts.Func, facts.Program) && (n.Has("use cache") || n.Has("use cache: remote")) && callsOut(n) {
			p.add(report.Finding{
				Rule: "sensitive-cache", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely,
				Message: "What this function gets from the provider is kept for everyone.", At: at(flow.Place{Module: m, Node: directive(n)}, ""),
			})
		}
		return true
	})
}

// directive is the statement of a directive, if it has a place.
func directive(n *facts.Node) *facts.Node {
	b := n
	if n.Is(facts.Func) {
		b = n.Kid(0)
	}
	if b != nil && b.Kid(0).Is(facts.ExprStmt) {
		return b.Kid(0)
	}
	return n
}

func callsOut(n *facts.Node) bool {
	found := false
	n.Walk(func(k *facts.Node) bool {
		found = found || k.Is(facts.Await)
		return !found
	})
	return found
}
