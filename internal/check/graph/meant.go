package graph

import "path"

// asked is a question to Resolve. Files of one folder share its answer: no way
// of resolving looks at a file's own name.
type asked struct{ dir, spec string }

type meaning struct {
	file string
	ok   bool
}

// Resolve returns the file that a specifier in a file means. A package or what
// cannot be found is no file.
func (r *Resolver) Resolve(from, spec string) (string, bool) {
	q := asked{dir: path.Dir(from), spec: spec}
	m, known := r.meant[q]
	if !known {
		m.file, m.ok = r.resolve(from, spec)
		r.meant[q] = m
	}
	return m.file, m.ok
}
