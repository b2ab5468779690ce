// Package git runs the git binary on repositories that nobody vouches for: only
// plumbing, with no configuration but the repository's own, and of that nothing
// that could start a program or reach a network.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrMissing says that there is no git on this machine.
var ErrMissing = errors.New("git is not installed")

// maxOutput bounds what Output keeps, in bytes.
const maxOutput = 256 << 20

// settings override what a hostile repository could have written into its own
// configuration. "command" scope also is one from which git takes
// safe.directory.
var settings = []string{
	"safe.directory=*",
	"core.fsmonitor=false",
	"core.hooksPath=/dev/null",
	"core.attributesFile=/dev/null",
	"core.excludesFile=/dev/null",
	"core.pager=cat",
	"core.sshCommand=false",
	"core.gitProxy=",
	"core.askPass=false",
	"core.alternateRefsCommand=false",
	"core.untrackedCache=false",
	"core.preloadIndex=false",
	"core.splitIndex=false",
	"core.bare=false",
	"credential.helper=",
	"diff.external=",
	"diff.renames=false",
	"log.showSignature=false",
	"protocol.allow=never",
	"gc.auto=0",
	"maintenance.auto=false",
	"submodule.recurse=false",
}

// Repo is a repository. Its methods may be called from several goroutines.
type Repo struct {
	bin string
	// Dir is the folder in which git runs; for Bare ones the git directory is
	// named with it.
	dir string
	// gitDir and workTree are set where they are not to be looked for.
	gitDir, workTree string
}

// Open finds the repository whose work tree holds dir. The error wraps
// ErrMissing where git is missing; ErrNone where there is no repository.
func Open(ctx context.Context, dir string) (*Repo, error) {
	bin, err := exec.LookPath("git")
	if err != nil {
		return nil, ErrMissing
	}
	r := &Repo{bin: bin, dir: dir}
	out, err := r.Output(ctx, "rev-parse", "--is-inside-work-tree")
	if err != nil || strings.TrimSpace(string(out)) != "true" {
		return nil, ErrNone
	}
	return r, nil
}

// ErrNone says that a folder is in no repository.
var ErrNone = errors.New("not in a git repository")

// Borrowed makes a repository in an empty folder that asks git's opinion of a
// work tree elsewhere. Nothing is written into the work tree.
func Borrowed(ctx context.Context, empty, workTree string) (*Repo, error) {
	bin, err := exec.LookPath("git")
	if err != nil {
		return nil, ErrMissing
	}
	r := &Repo{bin: bin, dir: empty}
	gitDir := filepath.Join(empty, "repository")
	if _, err := r.Output(ctx, "init", "--quiet", "--template=", "--bare", gitDir); err != nil {
		return nil, err
	}
	return &Repo{bin: bin, dir: workTree, gitDir: gitDir, workTree: workTree}, nil
}

// Top is the top of the work tree, with links resolved.
func (r *Repo) Top(ctx context.Context) (string, error) {
	out, err := r.Output(ctx, "rev-parse", "--show-toplevel")
	return strings.TrimRight(string(out), "\n"), err
}

// command is git with the arguments, and with nothing of the surroundings.
func (r *Repo) command(ctx context.Context, args ...string) *exec.Cmd {
	all := []string{"--no-pager", "--no-replace-objects"}
	if r.gitDir != "" {
		all = append(all, "--git-dir="+r.gitDir, "--work-tree="+r.workTree)
	}
	for _, s := range settings {
		if r.gitDir == "" || s != "core.bare=false" {
			all = append(all, "-c", s)
		}
	}
	cmd := exec.CommandContext(ctx, r.bin, append(all, args...)...) //nolint:gosec // arguments are the check's own
	cmd.Dir = r.dir
	cmd.WaitDelay = 2 * time.Second
	cmd.Env = []string{
		"PATH=" + filepath.Dir(r.bin) + ":/usr/bin:/bin", "LC_ALL=C", "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1", "GIT_NO_REPLACE_OBJECTS=1", "GIT_ALLOW_PROTOCOL=none",
		"GIT_FLUSH=0",
	}
	return cmd
}

// Output runs git and returns what it printed, up to 256 MiB.
func (r *Repo) Output(ctx context.Context, args ...string) ([]byte, error) {
	return r.Feed(ctx, nil, args...)
}

// Feed is Output with something to read.
func (r *Repo) Feed(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := r.command(ctx, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var errs bounded
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting git: %w", err)
	}
	b, readErr := io.ReadAll(io.LimitReader(out, maxOutput+1))
	if len(b) > maxOutput {
		_ = cmd.Process.Kill()
		readErr = errors.New("git printed more than 256 MiB")
	}
	if err := cmd.Wait(); err != nil {
		return b, &Error{Command: args[0], Stderr: errs.String(), Err: err}
	}
	return b, readErr
}

// Stream runs git and hands what it prints to read while it runs. What is in
// stdin is fed to it. A read that returns early stops git.
func (r *Repo) Stream(ctx context.Context, stdin io.Reader, read func(io.Reader) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := r.command(ctx, args...)
	cmd.Stdin = stdin
	var errs bounded
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting git: %w", err)
	}
	readErr := read(out)
	if readErr != nil {
		cancel()
	}
	_, _ = io.Copy(io.Discard, out)
	err = cmd.Wait()
	switch {
	case readErr != nil:
		return readErr
	case err != nil:
		return &Error{Command: args[0], Stderr: errs.String(), Err: err}
	}
	return nil
}

// Error is a git that failed. Its text names the command and the first line of
// what git said, made printable.
type Error struct {
	Command, Stderr string
	Err             error
}

// Error implements error.
func (e *Error) Error() string {
	said, _, _ := strings.Cut(strings.TrimSpace(e.Stderr), "\n")
	said = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, said)
	return fmt.Sprintf("git %s: %v: %.200s", e.Command, e.Err, said)
}

// Unwrap is the error of the process.
func (e *Error) Unwrap() error { return e.Err }

// bounded keeps the first 4 KiB.
type bounded struct{ b []byte }

func (w *bounded) Write(p []byte) (int, error) {
	w.b = append(w.b, p[:min(len(p), 4096-len(w.b))]...)
	return len(p), nil
}

func (w *bounded) String() string { return string(w.b) }

// Ignored tells which of the paths, relative to the work tree's folder that was
// opened, git ignores. That something is tracked does not count.
func (r *Repo) Ignored(ctx context.Context, paths []string) (map[string]bool, error) {
	if len(paths) == 0 {
		return map[string]bool{}, nil
	}
	out, err := r.Feed(ctx, joined(paths), "check-ignore", "--stdin", "-z", "--no-index")
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == 1 {
		err = nil // none is ignored
	}
	if err != nil {
		return nil, err
	}
	ignored := map[string]bool{}
	for p := range strings.SplitSeq(string(out), "\x00") {
		if p != "" {
			ignored[strings.TrimPrefix(p, "./")] = true
		}
	}
	return ignored, nil
}

// Tracked lists what the index holds below the folder that was opened, relative
// to it.
func (r *Repo) Tracked(ctx context.Context) (map[string]bool, error) {
	out, err := r.Output(ctx, "ls-files", "-z", "--cached")
	if err != nil {
		return nil, err
	}
	tracked := map[string]bool{}
	for p := range strings.SplitSeq(string(out), "\x00") {
		if p != "" {
			tracked[p] = true
		}
	}
	return tracked, nil
}

func joined(paths []string) []byte {
	sorted := slices.Clone(paths)
	slices.Sort(sorted)
	var b bytes.Buffer
	for _, p := range sorted {
		b.WriteString("./") // a colon at the start would be magic
		b.WriteString(p)
		b.WriteByte(0)
	}
	return b.Bytes()
}
