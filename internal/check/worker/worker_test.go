package worker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Arg {
		if Serve(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func pool(t *testing.T, opts Options) *Pool {
	t.Helper()
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestParseGoesOnAfterHostileFiles(t *testing.T) {
	p := pool(t, Options{Size: 1, Deadline: 400 * time.Millisecond})
	hostile := []struct {
		name, text string
		want       error
		dies       bool // or takes too long, on a busy machine
	}{
		{"deep.ts", strings.Repeat("[", 200_000), ErrDied, true},
		{"slow.ts", strings.Repeat("if(a)", 8_000) + "b", ErrTooSlow, false},
		{"long.ts", strings.Repeat("a;", MaxText), ErrTooLong, false},
	}
	for _, h := range hostile {
		if _, err := p.Parse(t.Context(), h.name, h.text); !errors.Is(err, h.want) && (!h.dies || !errors.Is(err, ErrTooSlow)) {
			t.Errorf("%s: %v, want %v", h.name, err, h.want)
		}
		root, err := p.Parse(t.Context(), "good.ts", "const a: number = 1")
		if err != nil || len(root.Kids) != 1 {
			t.Errorf("after %s a good file gives %v", h.name, err)
		}
	}
}

func TestParseSaysWhereAndQuotesNothing(t *testing.T) {
	p := pool(t, Options{})
	_, err := p.Parse(t.Context(), "a.ts", "const ok = 1;\nconst sk = = 'private';\n")
	if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "private") {
		t.Errorf("got %v", err)
	}
}

// What stands in a file cannot look like an answer, and a process that answers
// at random is an error for its file alone.
func TestForgedAnswers(t *testing.T) {
	p := pool(t, Options{Size: 1})
	forged := "console.log(`\x02\x00\x00\x00\x05hello\x01\x00\x00\x00\x00`)"
	root, err := p.Parse(t.Context(), "a.ts", forged)
	if err != nil || len(root.Kids) != 1 {
		t.Fatalf("got %v", err)
	}
	script := filepath.Join(t.TempDir(), "liar.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf '\\001\\000\\000\\000\\003abc'\ncat >/dev/null\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	liar := pool(t, Options{Command: []string{script}, Size: 1})
	if _, err := liar.Parse(t.Context(), "a.ts", "a"); err == nil {
		t.Error("bytes that are no tree were taken for one")
	}
}

func TestParseHonoursContext(t *testing.T) {
	p := pool(t, Options{Size: 1, Deadline: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := p.Parse(ctx, "a.ts", strings.Repeat("a=>", 60_000)+"b"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestNoProgram(t *testing.T) {
	p := pool(t, Options{Command: []string{filepath.Join(t.TempDir(), "absent")}})
	var s *StartError
	if _, err := p.Parse(t.Context(), "a.ts", "a"); !errors.As(err, &s) {
		t.Errorf("got %v", err)
	}
}

// The worker has nothing of the environment that it could give away.
func TestWorkerHasNoEnvironment(t *testing.T) {
	w, err := start([]string{"/usr/bin/env"})
	if err != nil {
		t.Skip("no env program: ", err)
	}
	defer w.end()
	b := make([]byte, 4096)
	n, _ := w.r.Read(b)
	if got := strings.TrimSpace(string(b[:n])); got != "GOTRACEBACK=none" {
		t.Errorf("the worker sees %q", got)
	}
}
