package rules

import (
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/graph"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/detect"
)

// variable is a place that reads one of the environment.
type variable struct {
	name, prefix string
	secret       bool
	node         *facts.Node
}

// variables are the places of a module that read the environment by name.
func variables(t *facts.Node) []variable {
	var out []variable
	add := func(name string, n *facts.Node) {
		if name == "" || strings.ToUpper(name) != name {
			return
		}
		out = append(out, variable{name: name, prefix: detect.PublicPrefix(name), secret: flow.SecretName(name), node: n})
	}
	t.Walk(func(n *facts.Node) bool {
		switch n.Kind {
		case facts.Member:
			if isEnv(n.Kid(0)) {
				add(n.Str, n)
			}
			if n.Kid(0).Is(facts.Ident) && n.Kids[0].Str == "env" && strings.Contains(n.Str, "_") {
				add(n.Str, n)
			}
		case facts.Index:
			if isEnv(n.Kid(0)) && n.Kid(1).Is(facts.Str) {
				add(n.Kids[1].Str, n)
			}
		case facts.Declare:
			if isEnv(n.Kid(1)) && n.Kid(0).Is(facts.ObjPat) {
				for _, k := range n.Kids[0].Kids {
					if k.Is(facts.PatProp) {
						add(k.Str, k)
					}
				}
			}
		case facts.Import:
			if strings.HasPrefix(n.Str, "$env/static/") || n.Str == "astro:env/server" {
				for _, k := range n.Kids {
					add(k.Alt, n)
				}
			}
		default:
		}
		return true
	})
	return out
}

func isEnv(n *facts.Node) bool {
	switch {
	case n.Is(facts.Member) && n.Str == "env":
		o := n.Kid(0)
		return o.Is(facts.Ident) && (o.Str == "process" || o.Str == "Bun") || o.Is(facts.Meta) ||
			o.Is(facts.Member) && o.Str == "process" && o.Kid(0).Is(facts.Ident) && (o.Kids[0].Str == "globalThis" || o.Kids[0].Str == "global" || o.Kids[0].Str == "window")
	case n.Is(facts.Logical, facts.Cond):
		if slices.ContainsFunc(n.Kids, isEnv) {
			return true
		}
	}
	return false
}

// certain says whether the name alone says "secret".
func certain(name string) bool { return detect.WeighName(name) == detect.WeightSecret }

// harmless reports whether the values that a variable has can be no
// secrets: then its name says nothing.
func (p *project) harmless(name string) bool {
	known := false
	for _, v := range p.root.Variables {
		if v.Name == name {
			if !v.Plain {
				return false
			}
			known = true
		}
	}
	return known
}

// publicVariables reports reads of a secret under a public prefix.
func (p *project) publicVariables() {
	for _, f := range p.files {
		t := p.trees[f]
		if t == nil {
			continue
		}
		role, _ := p.resolver.RoleOf(f)
		for _, v := range variables(t) {
			if v.prefix == "" || !certain(v.name) || role == graph.RoleConfig && strings.Contains(f, "vitest") {
				continue
			}
			if p.harmless(v.name) {
				continue
			}
			_, client := p.client[f]
			sev, where := report.SeverityHigh, "The build copies its value into every file for browsers that names it"
			if client || v.prefix != "NEXT_PUBLIC_" {
				sev, where = report.SeverityCritical, "This file goes to browsers, and the build writes its value into it"
			}
			var way []report.Position
			if client {
				way = p.way(f)
			}
			p.add(report.Finding{
				Rule: "public-env-secret", Severity: sev, Confidence: report.ConfidenceLikely,
				Message: v.name + " is a secret by its name and public by its prefix " + v.prefix + ". " + where + ".",
				At:      report.Position{File: f, Line: int(v.node.Line), Column: int(v.node.Col)}, Path: way,
			})
		}
	}
}
