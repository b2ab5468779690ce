package claviger_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// holder names the test that reads, compiles or runs the code of a language, on
// every page or on one.
type holder struct{ lang, file, by string }

const compiled = "packages/test/types.test.mjs"

var holders = []holder{
	{"yaml", "", "TestConfigurationsInDocs"},
	{"json", "", "TestJSONInDocs"},
	{"js", "", "TestScriptsInDocs"},
	{"sh", "", "TestShellInDocs"},
	{"ini", "docs/deploy/host.md", "TestUnitFile"},
	{"dockerfile", "docs/deploy/container.md", "TestContainerFile"},
	{"nginx", "docs/deploy/proxies.md", "TestProxies"},
	{"caddy", "docs/deploy/proxies.md", "TestProxies"},
	{"go", "docs/deploy/function.md", "TestFunctionPage"},
	{"ts", "packages/README.md", compiled},
	{"tsx", "packages/README.md", compiled},
	{"ts", "packages/client/README.md", compiled},
	{"ts", "packages/next/README.md", compiled},
	{"tsx", "packages/next/README.md", compiled},
}

// unheld are pages with code that no test can hold, and why.
var unheld = map[[2]string]string{
	{"README.md", "go"}: "an outline, with … where an app's own values stand; the examples of the packages compile",
}

// TestCodeIsHeld: code on a page is held by a test, or there is a reason why it
// cannot be. What is only output is called text.
func TestCodeIsHeld(t *testing.T) {
	all := everyBlock(t)
	if len(all) < 80 {
		t.Fatalf("%d blocks only: the test proves little", len(all))
	}
	tests := testsOf(t, "claviger")
	types, err := os.ReadFile(compiled)
	if err != nil {
		t.Fatal(err)
	}
	read := pages(t)
	used := map[[2]string]bool{}
	for _, b := range all {
		file := filepath.ToSlash(b.file)
		if b.lang == "text" {
			continue
		}
		if unheld[[2]string{file, b.lang}] != "" {
			used[[2]string{file, b.lang}] = true
			continue
		}
		i := slices.IndexFunc(holders, func(h holder) bool { return h.lang == b.lang && (h.file == "" || h.file == file) })
		switch {
		case i < 0:
			t.Errorf("%s: no test holds this %q. Add one and name it in holders, or say in unheld why there is none", b, b.lang)
		case holders[i].by == compiled:
			if !strings.Contains(string(types), "'"+file+"'") {
				t.Errorf("%s: %s does not compile the blocks of this page", b, compiled)
			}
		case !slices.Contains(tests, holders[i].by):
			t.Errorf("%s: there is no %s", b, holders[i].by)
		case !slices.Contains(read, b.file):
			t.Errorf("%s: %s does not read this page", b, holders[i].by)
		}
	}
	for key := range unheld {
		if !used[key] {
			t.Errorf("%v is excused, and there is no such code", key)
		}
	}
}

// TestShellInDocs: a shell takes every command line that a page shows.
func TestShellInDocs(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("NOT RUN: there is no bash to read the commands in the pages")
	}
	for _, b := range blocks(t, "sh") {
		cmd := exec.CommandContext(t.Context(), bash, "-n")
		cmd.Stdin = strings.NewReader(b.text)
		if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("%s: %v\n%s", b, err, out)
		}
	}
}

// everyBlock is the code of every page of the repository, whether a test reads
// that page or not.
func everyBlock(t *testing.T) (out []block) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			out = append(out, blocksOf(t, path)...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
