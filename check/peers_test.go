package check_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"claviger.dev/claviger/check"
)

// TestPeers compares with scanners of keys on the same apps, when CLAVIGER_PEERS
// names a folder with gitleaks and node_modules/.bin/secretlint in it. A peer has
// no rules of ours, so any finding in a line that is wanted counts for it.
func TestPeers(t *testing.T) {
	tools := os.Getenv("CLAVIGER_PEERS")
	if tools == "" {
		t.Skip("NOT RUN: CLAVIGER_PEERS names no folder with gitleaks and secretlint")
	}
	needGit(t)
	var archives []string
	for _, glob := range []string{"../testdata/adversarial/*.txtar", "../testdata/check/*.txtar"} {
		found, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, found...)
	}
	tally := map[string]*score{}
	flagged := map[string]int{}
	for _, archive := range archives {
		a, err := txtar.ParseFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		dir, k := t.TempDir(), keys{}
		want := places(a, k.unpack(t, dir, archive))
		for name, found := range map[string]map[string]bool{
			"claviger": ours(t, dir), "gitleaks": gitleaks(t, tools, dir), "secretlint": secretlint(t, tools, dir),
		} {
			s := tally[name]
			if s == nil {
				s = &score{}
				tally[name] = s
			}
			wrong := s.wrong
			for at := range want {
				if found[at] {
					s.hit++
				} else {
					s.missed++
				}
			}
			for at := range found {
				if !want[at] {
					s.wrong++
				}
			}
			if len(want) == 0 && s.wrong > wrong {
				flagged[name]++
			}
		}
	}
	for _, name := range []string{"claviger", "gitleaks", "secretlint"} {
		s := tally[name]
		t.Logf("%-10s lines found %3d/%3d, findings that are right %3d/%3d, clean apps flagged %d", name, s.hit, s.hit+s.missed, s.hit, s.hit+s.wrong, flagged[name])
	}
}

// places are the lines in which something is wanted, by any rule.
func places(a *txtar.Archive, listed []string) map[string]bool {
	out := map[string]bool{}
	for _, g := range expects(a).groups {
		for at := range g {
			at, _, _ = strings.Cut(at, " ")
			out[at] = true
			break
		}
	}
	for _, l := range listed {
		if f := strings.Fields(l); len(f) == 3 {
			out[f[2]] = true
		}
	}
	return out
}

func ours(t *testing.T, dir string) map[string]bool {
	out := map[string]bool{}
	for _, f := range scan(t, check.Options{Target: dir, Analyzers: check.Standard()}).findings {
		if f.Severity > check.SeverityInfo {
			out[fmt.Sprintf("%s:%d", f.At.File, f.At.Line)] = true
		}
	}
	return out
}

func gitleaks(t *testing.T, tools, dir string) map[string]bool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.CommandContext(t.Context(), filepath.Join(tools, "gitleaks"), "dir", dir, "--report-format", "json", "--report-path", file, "--exit-code", "0", "--no-banner")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gitleaks: %v\n%s", err, out)
	}
	var found []struct {
		File      string
		StartLine int
	}
	read(t, file, &found)
	out := map[string]bool{}
	for _, f := range found {
		out[fmt.Sprintf("%s:%d", within(dir, f.File), f.StartLine)] = true
	}
	return out
}

func secretlint(t *testing.T, tools, dir string) map[string]bool {
	t.Helper()
	if _, err := os.Stat(filepath.Join(tools, "node_modules/.bin/secretlint")); err != nil {
		t.Log("NOT RUN: secretlint is not there")
		return nil
	}
	file := filepath.Join(t.TempDir(), "report.json")
	rc := filepath.Join(t.TempDir(), "secretlintrc.json")
	write(t, rc, `{"rules": [{"id": "@secretlint/secretlint-rule-preset-recommend"}]}`)
	cmd := exec.CommandContext(t.Context(), filepath.Join(tools, "node_modules/.bin/secretlint"), "--secretlintrc", rc, "--format", "json", "--output", file, "**/*", "**/.*")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("secretlint: %v\n%s", err, out)
	}
	if _, err := os.Stat(file); err != nil {
		return nil // it writes nothing where it finds nothing
	}
	var found []struct {
		FilePath string `json:"filePath"`
		Messages []struct {
			Loc struct{ Start struct{ Line int } }
		}
	}
	read(t, file, &found)
	out := map[string]bool{}
	for _, f := range found {
		for _, m := range f.Messages {
			out[fmt.Sprintf("%s:%d", within(dir, f.FilePath), m.Loc.Start.Line)] = true
		}
	}
	return out
}

func within(dir, file string) string {
	rel, err := filepath.Rel(dir, file)
	if err != nil {
		return file
	}
	return filepath.ToSlash(rel)
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
