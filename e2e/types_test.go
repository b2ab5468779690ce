package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTypesCompile has the TypeScript compiler read the generated types with
// calls that fit, and with calls each of which it has to refuse.
func TestTypesCompile(t *testing.T) {
	needTools(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("types")); err != nil {
		t.Fatal(err)
	}
	types, err := os.ReadFile("../internal/typescript/testdata/actions.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	compile := func(types, use string) (string, error) {
		t.Helper()
		for name, text := range map[string]string{"claviger-types.d.ts": types, "use.ts": use} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.CommandContext(t.Context(), "node_modules/.bin/tsc", "--project", dir).CombinedOutput()
		return string(out), err
	}
	use, err := os.ReadFile("types/use.ts")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := compile(string(types), string(use)); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
	// The compiler has to be reading them: types without the prompt refuse it.
	other := strings.Replace(string(types), "prompt: string", "question: string", 1)
	if out, err := compile(other, string(use)); err == nil || !strings.Contains(out, "use.ts") {
		t.Errorf("other types compile too: %v\n%s", err, out)
	}
}
