package rules

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/check/worker"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == worker.Arg {
		if worker.Serve(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var testPath = regexp.MustCompile(`(^|/)(__tests__|tests?|stories|fixtures|evals)/|\.(test|spec|stories)\.[jt]sx?$`)

func load(t testing.TB, root string) *report.Project {
	t.Helper()
	p := &report.Project{Root: root, ReadFile: func(f string) (string, error) {
		b, err := os.ReadFile(filepath.Join(root, f))
		return string(b), err
	}}
	err := filepath.WalkDir(root, func(f string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case "node_modules", ".git", ".next", "dist", "build":
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, f)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		p.Files = append(p.Files, report.File{Path: rel, Kind: report.FileSource, Test: testPath.MatchString(rel)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func analyze(t testing.TB, root string) []report.Finding {
	t.Helper()
	var found []report.Finding
	_, err := (&Analyzer{}).Analyze(context.Background(), load(t, root), func(f report.Finding) { found = append(found, f) })
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	want   = regexp.MustCompile(`//\s*want((?:\s+"[a-z-]+")+)`)
	quoted = regexp.MustCompile(`"([a-z-]+)"`)
)

// wants are the findings that the comments of an app ask for: on their own
// line, or on the next one when nothing else stands on it.
func wants(t testing.TB, root string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, f := range load(t, root).Files {
		text, err := os.ReadFile(filepath.Join(root, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			m := want.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			at := i + 1
			if before, _, _ := strings.Cut(line, "//"); strings.Trim(before, " \t{/*") == "" {
				at++
			}
			for _, q := range quoted.FindAllStringSubmatch(m[1], -1) {
				out[fmt.Sprintf("%s:%d %s", f.Path, at, q[1])] = true
			}
		}
	}
	return out
}

// TestCorpus runs the apps of testdata/apps and compares with their comments.
// It prints recall and precision of each rule.
func TestCorpus(t *testing.T) {
	apps, err := filepath.Glob("../../../testdata/apps/*/*")
	if err != nil || len(apps) == 0 {
		t.Fatal("no apps to check: ", err)
	}
	type score struct{ hit, missed, wrong int }
	scores := map[string]*score{}
	of := func(rule string) *score {
		if scores[rule] == nil {
			scores[rule] = &score{}
		}
		return scores[rule]
	}
	only := os.Getenv("APP")
	for _, app := range apps {
		name := filepath.Base(filepath.Dir(app)) + "/" + filepath.Base(app)
		if only != "" && !strings.Contains(name, only) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			asked := wants(t, app)
			for _, f := range analyze(t, app) {
				if f.Severity == report.SeverityInfo && f.Rule == "missing-size-cap" {
					continue
				}
				key := fmt.Sprintf("%s:%d %s", f.At.File, f.At.Line, f.Rule)
				if asked[key] {
					delete(asked, key)
					of(f.Rule).hit++
					continue
				}
				of(f.Rule).wrong++
				t.Errorf("not wanted: %s: %s", key, f.Message)
			}
			for key := range asked {
				_, rule, _ := strings.Cut(key, " ")
				of(rule).missed++
				t.Errorf("not found: %s", key)
			}
		})
	}
	var names []string
	for n := range scores {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		s := scores[n]
		t.Logf("%-26s recall %3d/%3d  precision %3d/%3d", n, s.hit, s.hit+s.missed, s.hit, s.hit+s.wrong)
	}
}

// The example of this repository is the good way, so nothing is found in it.
func TestExampleIsClean(t *testing.T) {
	start := time.Now()
	for _, f := range analyze(t, "../../../examples/nextjs") {
		t.Errorf("%s:%d %s %s: %s", f.At.File, f.At.Line, f.Severity, f.Rule, f.Message)
	}
	t.Logf("took %s", time.Since(start))
}
