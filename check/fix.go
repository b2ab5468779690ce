package check

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Apply makes the edits in the folder, and returns the files that it changed,
// sorted. A file that is a link, leads out of the folder, or is no plain UTF-8 is
// left alone and named in the error.
func Apply(root string, edits []Edit) ([]string, error) {
	byFile := map[string][]Edit{}
	for _, e := range edits {
		if !slices.Contains(byFile[e.File], e) {
			byFile[e.File] = append(byFile[e.File], e)
		}
	}
	in, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	var changed []string
	var errs []error
	for file, list := range byFile {
		if err := apply(in, filepath.FromSlash(file), list); err != nil {
			errs = append(errs, fmt.Errorf("%s is left as it is: %w", file, err))
			continue
		}
		changed = append(changed, file)
	}
	slices.Sort(changed)
	return changed, errors.Join(errs...)
}

func apply(in *os.Root, file string, edits []Edit) error {
	text, mode := "", fs.FileMode(0o644)
	info, err := in.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is no regular file")
	default:
		b, err := in.ReadFile(file)
		if err != nil {
			return err
		}
		text, mode = string(b), info.Mode().Perm()
	}
	if strings.ToValidUTF8(text, "") != text || strings.HasPrefix(text, "\ufeff") {
		return errors.New("it is no plain UTF-8")
	}
	// From the end on, so that places stay right.
	slices.SortStableFunc(edits, func(a, b Edit) int { return cmp.Compare(b.Start, a.Start) })
	limit := len(text)
	for _, e := range edits {
		if e.Start < 0 || e.Start > e.End || e.End > limit {
			return errors.New("it changed since it was read, or two changes overlap")
		}
		text = text[:e.Start] + e.Text + text[e.End:]
		limit = e.Start
	}
	next := file + ".claviger-new"
	f, err := in.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, in.Remove(next))
	}
	return in.Rename(next, file)
}
