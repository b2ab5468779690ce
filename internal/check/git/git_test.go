package git

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is missing")
		}
		t.Skip("NOT RUN: git is missing")
	}
}

func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestHostileConfiguration: a repository whose configuration starts a program at
// every turn starts none, neither by what we ask nor in the objects we read.
func TestHostileConfiguration(t *testing.T) {
	needGit(t)
	dir := t.TempDir()
	marker := filepath.Join(t.TempDir(), "marker")
	trap := filepath.Join(t.TempDir(), "trap")
	write(t, trap, "#!/bin/sh\necho \"$0 $*\" >> "+marker+"\ncat\n")
	run(t, dir, "init", "-q")
	write(t, filepath.Join(dir, "a.txt"), "text")
	write(t, filepath.Join(dir, ".gitattributes"), "* diff=trap filter=trap textconv=trap\n")
	run(t, dir, "add", "-A")
	run(t, dir, "commit", "-qm", "one")
	for _, hook := range []string{"post-index-change", "pre-auto-gc", "reference-transaction", "post-checkout", "fsmonitor-watchman"} {
		write(t, filepath.Join(dir, ".git/hooks", hook), "#!/bin/sh\necho "+hook+" >> "+marker+"\n")
	}
	f, err := os.OpenFile(filepath.Join(dir, ".git/config"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"[core]", "fsmonitor = " + trap, "pager = " + trap, "sshCommand = " + trap, "askPass = " + trap, "editor = " + trap, "hooksPath = .git/hooks",
		"alternateRefsCommand = " + trap, "gitProxy = " + trap,
		"[diff]", "external = " + trap, `[diff "trap"]`, "textconv = " + trap, "command = " + trap, `[filter "trap"]`, "clean = " + trap, "smudge = " + trap, "process = " + trap, "required = true",
		"[alias]", "rev-list = !" + trap, "cat-file = !" + trap, "[pager]", "rev-list = " + trap, "[credential]", "helper = " + trap,
		"[log]", "showSignature = true", "[gpg]", "program = " + trap, "[uploadpack]", "packObjectsHook = " + trap,
		`[remote "origin"]`, "url = ext::" + trap, "promisor = true", "partialclonefilter = blob:none", "uploadpack = " + trap,
	} {
		if _, err := f.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Tracked(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := r.Ignored(t.Context(), []string{"a.txt", "b", ":(top)c", "-d"}); err != nil {
		t.Error(err)
	}
	if top, err := r.Top(t.Context()); err != nil || filepath.Base(top) != filepath.Base(dir) {
		t.Errorf("%s, %v", top, err)
	}
	for _, args := range [][]string{
		{"rev-list", "--objects", "--all"},
		{"ls-tree", "-r", "HEAD"},
		{"for-each-ref"},
		{"diff-tree", "-r", "--root", "--raw", "--no-ext-diff", "--no-textconv", "HEAD"},
		// An object that is not there would be fetched from the remote.
		{"cat-file", "-e", strings.Repeat("1", 40)},
	} {
		_, _ = r.Output(t.Context(), args...)
	}
	if told, err := os.ReadFile(marker); err == nil {
		t.Errorf("programs of the repository ran:\n%s", told)
	}
	// The traps do spring for a git that obeys.
	cmd := exec.CommandContext(t.Context(), "git", "status")
	cmd.Dir = dir
	_ = cmd.Run()
	if _, err := os.Stat(marker); err != nil {
		t.Error("the traps would never spring: the test proves nothing")
	}
}

func TestIgnored(t *testing.T) {
	needGit(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".gitignore"), ".env*\n!.env.example\n/sub/*.txt\n")
	write(t, filepath.Join(dir, "sub/.gitignore"), "!.env.sub\n")
	paths := []string{".env", ".env.local", ".env.example", "sub/.env.sub", "sub/.env", "sub/a.txt", "a.txt", ":(top)x", "odd\nname", "\xff.env"}
	r, err := Borrowed(t.Context(), t.TempDir(), dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Ignored(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		want := p == ".env" || p == ".env.local" || p == "sub/.env" || p == "sub/a.txt"
		if got[p] != want {
			t.Errorf("%q: ignored %v", p, got[p])
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("something was written into the folder: %v, %v", entries, err)
	}
	if _, err := Open(t.Context(), dir); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
}
