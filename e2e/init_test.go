package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
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

// strict is the app's configuration of TypeScript.
const strict = `{
  "compilerOptions": {
    "target": "ES2022", "lib": ["dom", "dom.iterable", "esnext"], "module": "esnext", "moduleResolution": "bundler", "jsx": "react-jsx",
    "strict": true, "noUncheckedIndexedAccess": true, "exactOptionalPropertyTypes": true, "noEmit": true, "allowJs": true,
    "esModuleInterop": true, "resolveJsonModule": true, "isolatedModules": true, "skipLibCheck": true, "incremental": true,
    "plugins": [{"name": "next"}]
  },
  "include": ["next-env.d.ts", "app/**/*.ts", "app/**/*.tsx", ".next/types/**/*.ts", ".next/dev/types/**/*.ts"]
}
`

// wrong compiles only where the types of the packages are read: what is expected
// to be refused has to be.
const wrong = `'use client';
import { useAction } from '@claviger/next/client';

export default function Page() {
  // @ts-expect-error: an action has a name
  return useAction(7).text;
}
`

// scaffolded puts what init writes for each way of signing in into one app, each
// below a folder of its own.
func scaffolded(t *testing.T, app string) {
	t.Helper()
	claviger, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	trees, err := filepath.Glob("../testdata/init/*.txtar")
	if err != nil || len(trees) < 9 {
		t.Fatalf("%d trees, %v", len(trees), err)
	}
	for _, name := range trees {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		write := func(name, text string) {
			t.Helper()
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range archive.Files {
			write(f.Name, string(f.Data))
		}
		write("tsconfig.json", strict)
		cmd := exec.CommandContext(t.Context(), claviger, "init", "--force")
		cmd.Dir, cmd.Env = dir, cleanEnv()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		to := filepath.Join(app, "app", "init", strings.TrimSuffix(filepath.Base(name), ".txtar"))
		from := filepath.Join(dir, "app")
		if _, err := os.Stat(from); err != nil {
			from = filepath.Join(dir, "src", "app")
		}
		for _, part := range []string{"api/ai", "api/claviger", "claviger"} {
			part = filepath.FromSlash(part)
			if _, err := os.Stat(filepath.Join(from, part)); part == filepath.FromSlash("api/claviger") && err != nil {
				continue // only where the gateway asks the app
			}
			if err := os.CopyFS(filepath.Join(to, part), os.DirFS(filepath.Join(from, part))); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	refused := filepath.Join(app, "app", "init", "wrong")
	if err := errors.Join(os.Mkdir(refused, 0o755), os.WriteFile(filepath.Join(refused, "page.tsx"), []byte(wrong), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "tsconfig.json"), []byte(strict), 0o600); err != nil {
		t.Fatal(err)
	}
}

// strictly holds that the build did read what init wrote, as strict TypeScript.
func strictly(t *testing.T, app, printed string) {
	t.Helper()
	if !strings.Contains(printed, "Finished TypeScript") {
		t.Errorf("the build read no types:\n%s", printed)
	}
	pages, err := filepath.Glob(filepath.Join(app, "app", "init", "*", "claviger", "page.tsx"))
	if err != nil || len(pages) < 9 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, p := range pages {
		built := filepath.Join(app, ".next", "server", strings.TrimSuffix(strings.TrimPrefix(p, app), ".tsx")+".js")
		if _, err := os.Stat(built); err != nil {
			t.Errorf("not built: %v", err)
		}
	}
}
