package graph

import (
	"claviger.dev/claviger/internal/check/facts"
)

// Edge is one import.
type Edge struct {
	Spec string
	Node *facts.Node
	// Lazy says that it is import().
	Lazy bool
}

// Edges are the imports of a module. Of a page of the Pages Router, browser
// leaves out what only its functions for the server need, as Next.js does.
func Edges(root *facts.Node, browser bool) []Edge {
	var keep map[string]bool
	if browser {
		keep = keptNames(root)
	}
	var out []Edge
	for _, s := range root.Kids {
		switch {
		case s.Is(facts.Import):
			used := len(s.Kids) == 0 || keep == nil
			for _, k := range s.Kids {
				used = used || keep[k.Str]
			}
			if used {
				out = append(out, Edge{Spec: s.Str, Node: s})
			}
			continue
		case s.Is(facts.ExportFrom) && s.Str != "":
			out = append(out, Edge{Spec: s.Str, Node: s})
			continue
		}
		if keep != nil && stripped(s, keep) {
			continue
		}
		out = append(out, inner(s)...)
	}
	return out
}

// inner are the imports inside of a statement.
func inner(s *facts.Node) []Edge {
	var out []Edge
	s.Walk(func(n *facts.Node) bool {
		switch n.Kind {
		case facts.Load:
			if a := n.Kid(0); a.Is(facts.Str) {
				out = append(out, Edge{Spec: a.Str, Node: n, Lazy: true})
			}
		case facts.Call:
			if c, a := n.Kid(0), n.Kid(1); c.Is(facts.Ident) && c.Str == "require" && a.Is(facts.Str) {
				out = append(out, Edge{Spec: a.Str, Node: n})
			}
		case facts.New:
			if c, a, b := n.Kid(0), n.Kid(1), n.Kid(2); c.Is(facts.Ident) && c.Str == "URL" && a.Is(facts.Str) && b.Is(facts.Member) && b.Str == "url" {
				out = append(out, Edge{Spec: a.Str, Node: n, Lazy: true})
			}
		default:
		}
		return true
	})
	return out
}

var serverExports = map[string]bool{"getServerSideProps": true, "getStaticProps": true, "getStaticPaths": true}

// names are what a statement declares.
func names(s *facts.Node) []string {
	if s.Is(facts.Export, facts.ExportDefault) {
		s = s.Kid(0)
	}
	var out []string
	switch {
	case s.Is(facts.FuncDecl, facts.ClassDecl):
		if k := s.Kid(0); k != nil {
			out = append(out, k.Str)
		}
	case s.Is(facts.Var):
		for _, d := range s.Kids {
			d.Kid(0).Walk(func(n *facts.Node) bool {
				if n.Is(facts.Ident) {
					out = append(out, n.Str)
				}
				return true
			})
		}
	}
	return out
}

// stripped reports whether nothing that a browser needs is in a statement.
func stripped(s *facts.Node, keep map[string]bool) bool {
	if s.Is(facts.ExprStmt, facts.ExportDefault, facts.ExportFrom) {
		return false
	}
	for _, n := range names(s) {
		if keep[n] {
			return false
		}
	}
	return len(names(s)) > 0
}

// keptNames are the names that a page's code for browsers uses.
func keptNames(root *facts.Node) map[string]bool {
	uses := map[string][]string{}
	keep := map[string]bool{}
	var todo []string
	idents := func(s *facts.Node) []string {
		var out []string
		s.Walk(func(n *facts.Node) bool {
			if n.Is(facts.Ident) {
				out = append(out, n.Str)
			}
			return true
		})
		return out
	}
	for _, s := range root.Kids {
		declared := names(s)
		server := s.Is(facts.Export) && len(declared) == 1 && serverExports[declared[0]]
		for _, d := range declared {
			uses[d] = append(uses[d], idents(s)...)
		}
		switch {
		case server || s.Is(facts.Import):
		case s.Is(facts.ExportFrom):
			for _, k := range s.Kids {
				if !serverExports[k.Alt] {
					todo = append(todo, k.Str)
				}
			}
		case s.Is(facts.Export, facts.ExportDefault, facts.ExprStmt):
			todo = append(todo, idents(s)...)
		}
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if keep[n] || serverExports[n] {
			continue
		}
		keep[n] = true
		todo = append(todo, uses[n]...)
	}
	return keep
}
