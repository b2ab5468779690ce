package check_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/check"
)

// TestSettings: what the settings leave out or accept is counted and not hidden.
func TestSettings(t *testing.T) {
	needGit(t)
	dir, k := t.TempDir(), keys{}
	for _, f := range []string{"vendor/a.ts", "lib/b.ts", "lib/c.ts"} {
		write(t, filepath.Join(dir, f), k.fill("k = '{{openai}}'\n"))
	}
	o := check.Options{Target: dir, Exclude: []string{"vendor"}, Accept: []check.Acceptance{
		{Rule: "hardcoded-key", Path: "lib/b.ts", Until: today, Reason: "an example"},
		{Rule: "hardcoded-key", Path: "lib/c.ts", Until: today.Add(-48 * time.Hour), Reason: "over"},
		{Rule: "hardcoded-key", Path: "lib", Until: today},
		{Rule: "missing-auth", Path: "lib", Until: today, Reason: "another rule"},
	}}
	h := scan(t, o)
	if got := strings.Join(h.lines(), " "); got != "hardcoded-key high lib/c.ts:1" || !strings.Contains(h.findings[0].Message, "accepted until 2026-11-22") {
		t.Errorf("%s: %+v", got, h.findings)
	}
	if h.summary.Suppressed != 1 || !strings.Contains(strings.Join(h.summary.Notes, " "), "1 file left out") {
		t.Errorf("%+v", h.summary)
	}
	if h.state("M-C1") != check.StateFail {
		t.Error("what is accepted turned a point of the checklist")
	}
}

// TestNothingToJudge: an app without a call of a provider proves no guard.
func TestNothingToJudge(t *testing.T) {
	needGit(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app/api/hello/route.ts"), "export const GET = () => Response.json({ home: process.env.HOME_SECRET ? 1 : 0 });\n")
	h := scan(t, check.Options{Target: dir, Analyzers: check.Standard()})
	for id, want := range map[string]check.State{"M-C3": check.StateUnknown, "M-C4": check.StateUnknown, "M-C5": check.StateUnknown, "M-C6": check.StatePass, "M-C8": check.StatePass} {
		if h.state(id) != want {
			t.Errorf("%s is %s, want %s: %+v", id, h.state(id), want, h.summary.Checklist)
		}
	}
}
