package rules

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/graph"
	"claviger.dev/claviger/internal/check/report"
)

// browsers finds the files whose code reaches browsers, breadth first, so that
// the way to each is a shortest one.
func (p *project) browsers() {
	var todo []string
	for _, f := range p.files {
		if p.isEntry(f) {
			p.client[f] = step{}
			todo = append(todo, f)
		}
	}
	for len(todo) > 0 {
		f := todo[0]
		todo = todo[1:]
		for _, e := range p.edges(f) {
			t, ok := p.Resolve(f, e.Spec)
			if !ok || p.serverBorder(t) || p.texts[t] == "" {
				continue
			}
			if _, done := p.client[t]; done {
				continue
			}
			p.client[t] = step{from: f, node: e.Node}
			todo = append(todo, t)
		}
	}
	for _, f := range p.files {
		p.refersTo(f)
	}
}

// refersTo notes which names of which modules a component refers to: only a
// reference from one makes an action reachable from outside.
func (p *project) refersTo(f string) {
	_, client := p.client[f]
	if ext := path.Ext(f); !client && ext != ".tsx" && ext != ".jsx" && ext != ".js" && ext != ".vue" && ext != ".svelte" {
		return
	}
	t := p.trees[f]
	if t == nil {
		for _, s := range p.specs[f] {
			if to, ok := p.Resolve(f, s); ok && to != f {
				p.used[to+"#*"] = true
			}
		}
		return
	}
	for _, s := range t.Kids {
		if !s.Is(facts.Import) && (!s.Is(facts.ExportFrom) || s.Str == "") {
			continue
		}
		to, ok := p.Resolve(f, s.Str)
		if !ok {
			continue
		}
		for _, k := range s.Kids {
			name := k.Alt
			if s.Is(facts.ExportFrom) {
				name = k.Str
			}
			p.used[to+"#"+name] = true
		}
	}
	for _, e := range graph.Edges(t, false) {
		if to, ok := p.Resolve(f, e.Spec); ok && e.Lazy {
			p.used[to+"#*"] = true
		}
	}
}

func (p *project) isEntry(f string) bool {
	role, _ := p.resolver.RoleOf(f)
	switch role {
	case graph.RolePagesPage:
		return !strings.HasPrefix(path.Base(f), "_document") && !strings.HasPrefix(path.Base(f), "_error")
	case graph.RoleBrowserStart, graph.RoleBrowserEntry:
		return true
	default:
	}
	switch path.Ext(f) {
	case ".vue", ".svelte":
		return !strings.Contains(path.Base(f), "server")
	}
	return composables.MatchString(f) && p.nuxt(f) || p.opens(f, "use client")
}

// composables is where Nuxt looks for what components use without an import.
var composables = regexp.MustCompile(`(^|/)(composables|plugins)/[^/]+\.[cm]?[jt]s$`)

// nuxt reports whether a file for browsers belongs to an app of Nuxt.
func (p *project) nuxt(f string) bool {
	if strings.Contains(f, ".server.") || strings.Contains("/"+f, "/server/") {
		return false
	}
	root := p.resolver.Root(f)
	return slices.ContainsFunc(p.files, func(g string) bool {
		return strings.HasPrefix(path.Base(g), "nuxt.config.") && p.resolver.Root(g) == root
	})
}

// opens reports whether a directive opens a file.
func (p *project) opens(f, directive string) bool {
	if t := p.trees[f]; t != nil {
		return t.Has(directive)
	}
	text := p.texts[f]
	i := strings.Index(text, directive)
	if i < 1 || text[i-1] != '"' && text[i-1] != '\'' {
		return false
	}
	head := text[:i-1]
	return !strings.Contains(head, "import ") && !strings.Contains(head, "export ")
}

// serverBorder reports whether code for browsers stops at a file.
func (p *project) serverBorder(f string) bool {
	if strings.Contains(path.Base(f), ".server.") {
		return true
	}
	return p.opens(f, "use server")
}

// edges are the imports of a file: exactly where it was parsed.
func (p *project) edges(f string) []graph.Edge {
	if t := p.trees[f]; t != nil {
		role, _ := p.resolver.RoleOf(f)
		return graph.Edges(t, role == graph.RolePagesPage)
	}
	var out []graph.Edge
	for _, s := range p.specs[f] {
		out = append(out, graph.Edge{Spec: s})
	}
	return out
}

// way is how a file comes to browsers: from a page, if one is found, through
// the module that says "use client", to the file.
func (p *project) way(f string) []report.Position {
	var files []report.Position
	for cur := f; cur != ""; {
		s, ok := p.client[cur]
		if !ok {
			break
		}
		pos := report.Position{File: cur, Line: 1}
		if s.from != "" {
			pos.File = s.from
			if s.node != nil {
				pos.Line, pos.Column = int(s.node.Line), int(s.node.Col)
			}
			pos.Note = "imports " + cur
			files = append(files, pos)
		} else {
			pos.Note = "is code for browsers"
			files = append(files, pos)
			if page := p.importer(cur); page != "" {
				files = append(files, report.Position{File: page, Line: 1, Note: "shows " + cur})
			}
		}
		cur = s.from
	}
	slices.Reverse(files)
	return files
}

// importer is a page that leads to a client component.
func (p *project) importer(f string) string {
	if role, _ := p.resolver.RoleOf(f); role == graph.RolePage || role == graph.RolePagesPage {
		return ""
	}
	for _, g := range p.back[f] {
		if role, _ := p.resolver.RoleOf(g); role == graph.RolePage {
			return g
		}
	}
	return ""
}

// serverModules reports modules that need the server's secrets, where code for
// browsers imports them.
func (p *project) serverModules(called map[string]bool) {
	for _, f := range p.files {
		s, ok := p.client[f]
		t := p.trees[f]
		if !ok || t == nil || s.from == "" || called[f] {
			continue
		}
		why, what := p.needsServer(t)
		if what == nil {
			continue
		}
		pos := report.Position{File: s.from, Line: 1, Column: 1}
		if s.node != nil {
			pos.Line, pos.Column = int(s.node.Line), int(s.node.Col)
		}
		way := append(p.way(f), report.Position{File: f, Line: int(what.Line), Column: int(what.Col), Note: why})
		p.add(report.Finding{
			Rule: "server-module-in-client", Severity: report.SeverityHigh, Confidence: report.ConfidenceLikely,
			Message: "Code for browsers imports " + f + ", which " + why + ": " + trace(way) + ".",
			At:      pos, Path: way,
		})
	}
}

// needsServer says why a module belongs to the server.
func (p *project) needsServer(t *facts.Node) (string, *facts.Node) {
	for _, s := range t.Kids {
		if s.Is(facts.Import) && s.Str == "server-only" {
			return "is marked server-only", s
		}
		if s.Is(facts.Import) && strings.HasPrefix(s.Str, "@t3-oss/env-") {
			return "", nil // made to be imported on both sides, and refuses to give the server's part to browsers
		}
	}
	for _, v := range variables(t) {
		if v.secret && v.prefix == "" {
			return "reads " + v.name, v.node
		}
	}
	return "", nil
}

// trace is a way as people read it.
func trace(way []report.Position) string {
	var parts []string
	for _, w := range way {
		name := path.Base(w.File)
		if len(parts) > 0 && strings.HasPrefix(parts[len(parts)-1], name) {
			continue
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, " → ")
}
