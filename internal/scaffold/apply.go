package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Apply writes all changes in the app's folder, or none: what was written
// before something failed is put back. Each file is whole at every moment.
func (s *Set) Apply(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	w := &writing{root: root}
	for _, c := range s.Changes {
		if err := w.prepare(c); err != nil {
			return errors.Join(fmt.Errorf("%s cannot be written, and nothing was changed: %w", c.Path, err), w.undo())
		}
	}
	for i := range w.ready {
		if err := w.place(&w.ready[i]); err != nil {
			return errors.Join(fmt.Errorf("%s cannot be written, and what was changed was put back: %w", w.ready[i].Path, err), w.undo())
		}
	}
	return nil
}

// writing is a set on its way.
type writing struct {
	root  *os.Root
	ready []prepared
	// folders were made, the outer ones first.
	folders []string
}

type prepared struct {
	Change
	next   string
	placed bool
}

// prepare writes a file beside its place.
func (w *writing) prepare(c Change) error {
	if err := w.folder(path.Dir(c.Path)); err != nil {
		return err
	}
	next := path.Join(path.Dir(c.Path), fmt.Sprintf(".claviger-new-%d", len(w.ready)))
	f, err := w.root.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, ownMode)
	if err != nil {
		return err
	}
	w.ready = append(w.ready, prepared{Change: c, next: next})
	_, err = f.Write(c.New)
	return errors.Join(err, f.Chmod(c.Mode), f.Sync(), f.Close())
}

func (w *writing) folder(name string) error {
	if name == "." {
		return nil
	}
	if info, err := w.root.Stat(name); err == nil {
		if !info.IsDir() {
			return errors.New(name + " is no folder")
		}
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := w.root.Mkdir(name, 0o755); err != nil {
		return err
	}
	w.folders = append(w.folders, name)
	return nil
}

// place puts a file in its place, unless that has changed since it was read.
func (w *writing) place(p *prepared) error {
	now, err := w.root.ReadFile(p.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if p.Old != nil {
			return errors.New("it was deleted in the meantime")
		}
	case err != nil:
		return err
	case p.Old == nil || string(now) != string(p.Old):
		return errors.New("it was changed in the meantime")
	}
	if err := w.root.Rename(p.next, p.Path); err != nil {
		return err
	}
	p.placed = true
	return nil
}

// undo puts everything back.
func (w *writing) undo() error {
	var errs []error
	for _, p := range slices.Backward(w.ready) {
		switch {
		case !p.placed:
			errs = append(errs, w.root.Remove(p.next))
		case p.Old == nil:
			errs = append(errs, w.root.Remove(p.Path))
		default:
			errs = append(errs, w.root.WriteFile(p.Path, p.Old, p.Mode))
		}
	}
	for _, f := range slices.Backward(w.folders) {
		errs = append(errs, w.root.Remove(f))
	}
	return errors.Join(errs...)
}

// Diff is a change as a unified difference. Of a file with secrets it shows the
// names alone.
func (c Change) Diff() []byte {
	old, next, from := c.Old, c.New, "a/"+c.Path
	if c.Old == nil {
		from = "/dev/null"
	}
	if c.Secret {
		old, next = masked(old), masked(next)
	}
	return diff.Diff(from, old, "b/"+c.Path, next)
}

var assigned = regexp.MustCompile(`^(\s*(?:export\s+)?[A-Za-z0-9_.-]+\s*[=:]).*$`)

// masked keeps comments and names.
func masked(text []byte) []byte {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		bare := strings.TrimRight(line, "\r\n")
		m := assigned.FindStringSubmatch(bare)
		switch {
		case m != nil && strings.TrimSpace(bare) != strings.TrimSpace(m[1]):
			b.WriteString(m[1] + "…\n")
		case m != nil, strings.TrimSpace(bare) == "":
			b.WriteString(bare + "\n")
		default:
			// A comment may hold what was commented out.
			b.WriteString("…\n")
		}
	}
	return []byte(b.String())
}
