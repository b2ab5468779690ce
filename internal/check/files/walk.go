// Package files finds what there is to check in a folder, says what each file
// is, and reads it without trusting it: links, sizes and encodings may be
// anything.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/git"
	"claviger.dev/claviger/internal/check/report"
)

// Bounds on a folder. What lies beyond them is said, not passed over.
const (
	maxFiles = 300_000
	maxDepth = 64
)

// skipped are folders of other people's code, of caches and of version control.
var skipped = []string{
	".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", ".venv", "venv", "__pycache__", ".pnpm-store", ".yarn", ".turbo", ".nx", ".cache",
	".parcel-cache", ".gradle", "Pods", ".terraform", ".idea",
}

// Problem is what could not be looked at.
type Problem struct{ Path, Reason string }

// Tree is what was found below a folder.
type Tree struct {
	Root  string
	Files []report.File
	// Tracked are the paths in git's index; nil outside of a repository.
	Tracked map[string]bool
	// Repo is the repository, nil where there is none.
	Repo *git.Repo
	// Top says that Root is the top of a work tree.
	Top bool
	// NoGit says that git is missing, so that nobody knows what is ignored.
	NoGit    bool
	Problems []Problem
	Builds   []Build
	ignorer  *git.Repo
}

// Walk finds the files below root. temp is an empty folder of ours, in which a
// repository is made to ask what .gitignore files mean where there is none.
func Walk(ctx context.Context, root, temp string) (*Tree, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder: name the folder of the project, its build output, or the URL of a site", root)
	}
	t := &Tree{Root: root}
	if err := t.openGit(ctx, temp); err != nil {
		return nil, err
	}
	if err := t.walk(ctx, "", 0); err != nil && !errors.Is(err, fs.SkipAll) {
		return nil, err
	}
	if len(t.Files) == 0 && len(t.Problems) > 0 && t.Problems[0].Path == "." {
		return nil, fmt.Errorf("%s cannot be read: %s", root, t.Problems[0].Reason)
	}
	slices.SortFunc(t.Files, func(a, b report.File) int { return strings.Compare(a.Path, b.Path) })
	t.classify()
	return t, t.markIgnored(ctx)
}

func (t *Tree) openGit(ctx context.Context, temp string) error {
	repo, err := git.Open(ctx, t.Root)
	switch {
	case err == nil:
		t.Repo, t.ignorer = repo, repo
		if t.Tracked, err = repo.Tracked(ctx); err != nil {
			t.Problems = append(t.Problems, Problem{".git", "git cannot read its index: " + err.Error()})
		}
		top, err := repo.Top(ctx)
		t.Top = err == nil && top == t.Root
	case errors.Is(err, git.ErrMissing):
		t.NoGit = true
	default:
		if err := os.MkdirAll(temp, 0o700); err != nil {
			return err
		}
		if t.ignorer, err = git.Borrowed(ctx, temp, t.Root); err != nil {
			return fmt.Errorf("asking git what is ignored: %w", err)
		}
	}
	return nil
}

// walk lists a folder. Links to folders are not followed: what they lead to in
// the project is found where it is, and the rest is not the project's.
func (t *Tree) walk(ctx context.Context, dir string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(t.Root, dir))
	if err != nil {
		t.problem(dir, reason(err))
	}
	if depth > maxDepth {
		t.problem(dir, "it lies more than 64 folders deep")
		return nil
	}
	for _, e := range entries {
		rel := path.Join(dir, e.Name())
		switch {
		case e.IsDir() && slices.Contains(skipped, e.Name()):
		case e.IsDir():
			if err := t.walk(ctx, rel, depth+1); err != nil {
				return err
			}
		case len(t.Files) >= maxFiles:
			t.problem(rel, "there are more than 300,000 files")
			return fs.SkipAll
		default:
			t.add(rel, e)
		}
	}
	return nil
}

func (t *Tree) problem(rel, why string) {
	if rel == "" {
		rel = "."
	}
	t.Problems = append(t.Problems, Problem{rel, why})
}

// add takes a regular file, and a .env file that is a link to one.
func (t *Tree) add(rel string, e fs.DirEntry) {
	full := filepath.Join(t.Root, rel)
	mode := e.Type()
	if mode&fs.ModeSymlink != 0 && IsEnv(e.Name()) {
		if info, err := os.Stat(full); err == nil {
			mode = info.Mode().Type()
		}
	}
	if !mode.IsRegular() {
		return
	}
	info, err := os.Stat(full)
	if err != nil {
		t.problem(rel, reason(err))
		return
	}
	t.Files = append(t.Files, report.File{Path: rel, Size: info.Size(), Kind: report.FileSource, Test: IsTest(rel)})
}

// markIgnored asks git, with its own rules, what it ignores.
func (t *Tree) markIgnored(ctx context.Context) error {
	if t.ignorer == nil {
		return nil
	}
	paths := make([]string, len(t.Files))
	for i, f := range t.Files {
		paths[i] = f.Path
	}
	ignored, err := t.ignorer.Ignored(ctx, paths)
	if err != nil {
		t.problem(".gitignore", "git cannot say what it ignores: "+err.Error())
		return ctx.Err()
	}
	for i := range t.Files {
		t.Files[i].Ignored = ignored[t.Files[i].Path]
	}
	return nil
}

// WouldIgnore asks git about paths that need not exist.
func (t *Tree) WouldIgnore(ctx context.Context, paths ...string) (map[string]bool, error) {
	if t.ignorer == nil {
		return nil, git.ErrMissing
	}
	return t.ignorer.Ignored(ctx, paths)
}

// Has reports whether there is a file of that path.
func (t *Tree) Has(p string) bool {
	_, ok := slices.BinarySearchFunc(t.Files, p, func(f report.File, p string) int { return strings.Compare(f.Path, p) })
	return ok
}

// reason is an error without the path, which is told beside it.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
