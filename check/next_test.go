package check_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger/check"
)

// nextApp unpacks an app and gives it the packages of the example, which the
// command of the browser stage has installed.
func nextApp(t *testing.T, archive string) (string, keys) {
	t.Helper()
	if os.Getenv("CLAVIGER_E2E") == "" {
		t.Skip("NOT RUN: needs npm packages; `bash tools/test.sh browser` installs them and runs this")
	}
	needGit(t)
	dir, k := t.TempDir(), keys{}
	k.unpack(t, dir, archive)
	packages, err := filepath.Abs("../examples/nextjs/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	// Turbopack follows no link that leads out of the app.
	if exec.CommandContext(t.Context(), "cp", "-al", packages, dir).Run() != nil {
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", packages, dir).CombinedOutput(); err != nil {
			t.Fatalf("copying the packages: %v\n%s", err, out)
		}
	}
	return dir, k
}

func built(t *testing.T, archive string) (*heard, string) {
	dir, k := nextApp(t, archive)
	var log []string
	h := scan(t, check.Options{
		Target: dir, Analyzers: check.Standard(), Build: true, BuildLog: func(l string) { log = append(log, l) },
		BuildEnv: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NEXT_TELEMETRY_DISABLED=1"},
	})
	if !h.summary.Complete {
		t.Fatalf("not complete: %v\n%s", h.lines(), strings.Join(log, "\n"))
	}
	k.silent(t, fmt.Sprintf("%+v %s", h.findings, strings.Join(log, "\n")))
	return h, dir
}

// TestNextLeaky builds an app with Next.js, and finds each secret where the
// build let it out: in the source and in what browsers get.
func TestNextLeaky(t *testing.T) {
	h, _ := built(t, "../testdata/next/leaky.txtar")
	var source []string
	out := map[string]bool{}
	for _, f := range h.findings {
		if !strings.HasPrefix(f.At.File, ".next/") {
			source = append(source, fmt.Sprintf("%s %s:%d", f.Rule, f.At.File, f.At.Line))
			continue
		}
		for _, p := range f.Path {
			if p.File == ".env.local" && f.Severity == check.SeverityCritical {
				out[fmt.Sprint(p.Line)] = true
			}
		}
		t.Log(f.Rule, f.Severity, f.At.File, f.Path)
	}
	slices.Sort(source)
	t.Log(strings.Join(source, "\n"))
	for line, name := range map[string]string{
		"2": "NEXT_PUBLIC_OPENAI_KEY", "3": "INLINED_SECRET", "4": "PROP_SECRET", "5": "META_SECRET", "6": "RENDERED_SECRET",
	} {
		if !out[line] {
			t.Errorf("%s is not found in what browsers get", name)
		}
	}
	for line, name := range map[string]string{"1": "OPENAI_API_KEY", "7": "SAFE_SECRET"} {
		if out[line] {
			t.Errorf("%s is told to be delivered, and stays on the server", name)
		}
	}
	for _, want := range []string{
		"client-provider-call app/panel.js:6", "config-inlined-secret next.config.js:1", "public-env-secret app/panel.js:6",
		"secret-in-rendered-output app/layout.js:1", "secret-in-rendered-output app/shown.js:3", "secret-to-client-prop app/page.js:5",
	} {
		if !slices.Contains(source, want) {
			t.Errorf("not found in the source: %s", want)
		}
	}
}

// TestNextClean builds an app of which nothing gets out, and finds nothing.
func TestNextClean(t *testing.T) {
	h, _ := built(t, "../testdata/next/clean.txtar")
	for _, l := range h.lines() {
		t.Errorf("found %s", l)
	}
	if h.state("M-C2") != check.StatePass {
		t.Errorf("M-C2 is %s: %+v", h.state("M-C2"), h.summary.Checklist)
	}
}
