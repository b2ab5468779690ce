package check

import (
	"path"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/report"
)

// Acceptance is a finding, or all of a rule in a folder, that somebody answers
// for until the end of a day.
type Acceptance struct {
	// Rule is the id of the rule, Path a file or a folder in the checked one.
	Rule, Path string
	// Until is the last day on which it holds.
	Until time.Time
	// Reason says why. Required.
	Reason string
}

// covers reports whether it is about a finding.
func (a Acceptance) covers(f *Finding) bool {
	return a.Rule == f.Rule && a.Reason != "" && within(a.Path, f.At.File)
}

// within reports whether a path is that of a pattern, or lies below it.
func within(pattern, file string) bool {
	for p := file; p != "." && p != "/" && p != ""; p = path.Dir(p) {
		if ok, err := path.Match(pattern, p); err == nil && ok {
			return true
		}
	}
	return false
}

// exclude leaves out what the settings name, and says how much that was.
func (s *scan) exclude() {
	if len(s.options.Exclude) == 0 {
		return
	}
	out := func(file string) bool {
		return slices.ContainsFunc(s.options.Exclude, func(p string) bool { return within(p, file) })
	}
	before := len(s.tree.Files)
	s.tree.Files = slices.DeleteFunc(s.tree.Files, func(f report.File) bool { return out(f.Path) })
	s.tree.Builds = slices.DeleteFunc(s.tree.Builds, func(b files.Build) bool { return out(b.Dir) })
	s.tree.Problems = slices.DeleteFunc(s.tree.Problems, func(p files.Problem) bool { return out(p.Path) })
	if n := before - len(s.tree.Files); n > 0 {
		s.note("%s left out, as the settings say: %s.", plural(n, "file"), strings.Join(s.options.Exclude, ", "))
	}
}
