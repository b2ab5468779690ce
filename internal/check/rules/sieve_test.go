package rules

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"claviger.dev/claviger/internal/check/report"
)

// TestSieveLosesNothing compares what is found when only the chosen files are
// parsed with what is found when all are: for every app there is with
// CLAVIGER_SIEVE=all, and for a few of them otherwise.
func TestSieveLosesNothing(t *testing.T) {
	roots, err := filepath.Glob("../../../testdata/apps/*/*")
	if err != nil || len(roots) == 0 {
		t.Fatal("no apps to check: ", err)
	}
	archives, err := filepath.Glob("../../../testdata/adversarial/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no adversarial apps to check: ", err)
	}
	for _, archive := range archives {
		roots = append(roots, extract(t, archive))
	}
	if os.Getenv("CLAVIGER_SIEVE") != "all" {
		some := roots[:0]
		for i := 0; i < len(roots); i += 16 {
			some = append(some, roots[i])
		}
		roots = some
	}
	findings := 0
	for _, root := range roots {
		few, all := sifted(t, root, false), sifted(t, root, true)
		findings += len(all)
		if diff := cmp.Diff(all, few); diff != "" {
			t.Errorf("%s: all parsed (-), the chosen ones (+):\n%s", root, diff)
		}
	}
	if findings == 0 {
		t.Error("nothing was found anywhere, so nothing was compared")
	}
}

func extract(t *testing.T, archive string) string {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		p := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sifted(t *testing.T, root string, whole bool) []report.Finding {
	t.Helper()
	var found []report.Finding
	_, err := (&Analyzer{whole: whole}).Analyze(context.Background(), load(t, root), func(f report.Finding) { found = append(found, f) })
	if err != nil {
		t.Fatal(err)
	}
	return found
}
