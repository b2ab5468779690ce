package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitInAFreshApp puts the gateway into what create-next-app makes today, in
// each of its forms: init knows it, the check finds nothing in it, and the
// gateway runs with it.
func TestInitInAFreshApp(t *testing.T) {
	needTools(t)
	claviger, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"typescript": {"--ts", "--no-src-dir"},
		"javascript": {"--js", "--src-dir"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			create := exec.CommandContext(t.Context(), "npx", append([]string{
				"--yes", "create-next-app@16", "fresh", "--yes", "--app", "--skip-install", "--disable-git", "--empty",
			}, args...)...)
			create.Dir, create.Env = dir, cleanEnv("NEXT_TELEMETRY_DISABLED=1")
			if out, err := create.CombinedOutput(); err != nil {
				t.Fatalf("create-next-app: %v\n%s", err, out)
			}
			app := filepath.Join(dir, "fresh")
			for _, args := range [][]string{
				{"init"},
				{"check", "--history=false", "--fail-on", "info"},
				{"types", "--out", "-"},
				{"dev", "--", "true"},
			} {
				cmd := exec.CommandContext(t.Context(), claviger, args...)
				cmd.Dir, cmd.Env = app, cleanEnv("CLAVIGER_LISTEN=127.0.0.1:0", "CLAVIGER_ADMIN_LISTEN=127.0.0.1:0", "OPENAI_API_KEY="+canary())
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("claviger %s: %v\n%s", strings.Join(args, " "), err, out)
				}
			}
			ignored, err := os.ReadFile(filepath.Join(app, ".gitignore"))
			if err != nil || !strings.Contains(string(ignored), ".env.claviger.local") {
				t.Errorf(".gitignore: %v\n%s", err, ignored)
			}
		})
	}
}
