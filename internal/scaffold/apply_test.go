package scaffold_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"claviger.dev/claviger/internal/scaffold"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestApplyPutsBack: what changed between looking and writing is kept, and what
// was already written is put back.
func TestApplyPutsBack(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "package.json", `{"dependencies":{"next":"16"}}`)
	write(t, dir, "app/page.js", "")
	write(t, dir, ".env.local", "OPENAI_API_KEY=abcdefgh\nA=1\n")
	write(t, dir, ".env.example", "A=\n")
	p, err := scaffold.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := scaffold.Plan(p, false)
	if err != nil {
		t.Fatal(err)
	}
	// The last of the changes.
	write(t, dir, ".env.example", "A=\nB=\n")
	if err := set.Apply(dir); err == nil || !strings.Contains(err.Error(), "changed in the meantime") {
		t.Fatalf("err = %v", err)
	}
	for name, want := range map[string]string{".env.local": "OPENAI_API_KEY=abcdefgh\nA=1\n", ".env.example": "A=\nB=\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 4 { // dot files included
		t.Errorf("left behind: %v", left)
	}
	for _, name := range []string{"claviger.yaml", ".env.claviger.local", "app/api", "app/claviger", ".gitignore"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left behind", name)
		}
	}
}

// TestDiffShowsNoValue: of a file with secrets the names alone are shown.
func TestDiffShowsNoValue(t *testing.T) {
	old := "# OLD=hidden-1\nexport KEY = hidden-2\nMULTI=\"hidden-3\nhidden-4\"\nEMPTY=\n"
	c := scaffold.Change{Path: ".env.local", Secret: true, Old: []byte(old), New: []byte("EMPTY=\n")}
	got := string(c.Diff())
	if strings.Contains(got, "hidden") || !strings.Contains(got, "-export KEY =…") {
		t.Errorf("the difference:\n%s", got)
	}
}
