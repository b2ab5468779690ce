package check_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"claviger.dev/claviger/check"
	"claviger.dev/claviger/internal/check/output"
	"claviger.dev/claviger/internal/jsonx"
)

// TestHostileTree: links that go in circles, pipes, names and encodings that
// nobody wants. Nothing of it stops the check, and the key is still found.
func TestHostileTree(t *testing.T) {
	needGit(t)
	dir, k := t.TempDir(), keys{}
	key := k.fill("{{openai}}")
	for _, link := range [][2]string{{".", "loop"}, {"..", "up"}, {"/", "root"}, {"b", "a"}, {"a", "b"}, {"/nowhere", "dangling"}, {"/etc/passwd", ".env.passwd"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.ts"), 0o644); err != nil {
		t.Fatal(err)
	}
	var wide []byte
	for _, u := range utf16.Encode([]rune("k = '" + key + "'")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	write(t, filepath.Join(dir, "utf16.ts"), "\xff\xfe"+string(wide))
	write(t, filepath.Join(dir, "bom.ts"), "\xef\xbb\xbfk = '"+key+"'")
	write(t, filepath.Join(dir, "bad.ts"), "// \xff\xfe\xc3( \x00\nk = '"+key+"'")
	write(t, filepath.Join(dir, ":(top)magic.ts"), "k = '"+key+"'")
	write(t, filepath.Join(dir, "new\nline.ts"), "k = '"+key+"'")
	write(t, filepath.Join(dir, "-rf.ts"), "k = '"+key+"'")
	write(t, filepath.Join(dir, "not\xffutf8.ts"), "k = '"+key+"'")
	write(t, filepath.Join(dir, "image.png"), "k = '"+key+"'")
	write(t, filepath.Join(dir, "noise.bin"), strings.Repeat("\x00\x01\x02", 9000)+key)
	write(t, filepath.Join(dir, "empty.ts"), "")
	write(t, filepath.Join(dir, "package.json"), "{")
	deep := dir
	for range 80 {
		deep = filepath.Join(deep, "d")
	}
	write(t, filepath.Join(deep, "deep.ts"), "k = '"+key+"'")
	h := scan(t, check.Options{Target: dir, History: true})
	found := map[string]bool{}
	for _, f := range h.findings {
		if f.Rule == "hardcoded-key" {
			found[f.At.File] = true
			if f.At.Line > 2 || f.At.Column != 6 {
				t.Errorf("%q: %d:%d", f.At.File, f.At.Line, f.At.Column)
			}
		}
	}
	for _, name := range []string{"utf16.ts", "bom.ts", "bad.ts", ":(top)magic.ts", "new\nline.ts", "-rf.ts", "not\xffutf8.ts"} {
		if !found[name] {
			t.Errorf("nothing found in %q", name)
		}
	}
	if len(found) != 7 {
		t.Errorf("found in %v", found)
	}
	if h.summary.Complete {
		t.Error("80 folders deep, and yet complete")
	}
	k.silent(t, fmt.Sprintf("%+v", h.findings))
}

func TestUnreadable(t *testing.T) {
	needGit(t)
	if os.Getuid() == 0 && runtime.GOOS == "linux" {
		// Nothing is unreadable to root; a sparse file is too large for everyone.
		t.Log("as root, by size alone")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "large.js"), "")
	if err := os.Truncate(filepath.Join(dir, "large.js"), 65<<20); err != nil {
		t.Fatal(err)
	}
	h := scan(t, check.Options{Target: dir})
	if len(h.findings) != 1 || h.findings[0].Rule != "scan-incomplete" || h.findings[0].At.File != "large.js" || h.summary.Complete {
		t.Errorf("%v, complete %v", h.lines(), h.summary.Complete)
	}
	for _, c := range h.summary.Checklist {
		if c.State == check.StatePass {
			t.Errorf("%s passes though something was not looked at", c.ID)
		}
	}
}

// TestFingerprints stay when lines move, and differ where findings do.
func TestFingerprints(t *testing.T) {
	needGit(t)
	dir, k := t.TempDir(), keys{}
	text := k.fill("a = '{{openai}}'\nb = '{{openai2}}'\n")
	write(t, filepath.Join(dir, "a.ts"), text)
	before := scan(t, check.Options{Target: dir})
	write(t, filepath.Join(dir, "a.ts"), "\n\n// moved\n"+strings.ReplaceAll(text, "a =", "  const renamed ="))
	after := scan(t, check.Options{Target: dir})
	if len(before.findings) != 2 || len(after.findings) != 2 {
		t.Fatalf("%v, then %v", before.lines(), after.lines())
	}
	for i := range 2 {
		if before.findings[i].Fingerprint != after.findings[i].Fingerprint {
			t.Errorf("finding %d is another one after lines moved", i)
		}
	}
	if before.findings[0].Fingerprint == before.findings[1].Fingerprint {
		t.Error("two findings have one name")
	}

	// What an earlier check printed as JSON is a baseline.
	var b bytes.Buffer
	r, err := output.New("json", &b, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Scan(t.Context(), check.Options{Target: dir, Now: today}, r); err != nil {
		t.Fatal(err)
	}
	baseline := filepath.Join(t.TempDir(), "baseline.json")
	write(t, baseline, b.String())
	known, err := check.ReadBaseline(baseline)
	if err != nil || len(known) != 2 {
		t.Fatalf("%d known, %v", len(known), err)
	}
	write(t, filepath.Join(dir, "new.ts"), k.fill("{{openai3}}"))
	h := scan(t, check.Options{Target: dir, Baseline: known})
	if len(h.findings) != 1 || h.findings[0].At.File != "new.ts" || h.summary.Baselined != 2 {
		t.Errorf("%v, %d baselined", h.lines(), h.summary.Baselined)
	}
	if h.state("M-C1") != check.StateFail {
		t.Error("a baseline turned a point of the checklist")
	}
	for _, bad := range []string{"", "{}", `{"findings":[{}]}`, `{"findings":{}}`, "[]"} {
		write(t, baseline, bad)
		if _, err := check.ReadBaseline(baseline); err == nil {
			t.Errorf("%q is taken for a baseline", bad)
		}
	}
}

// TestDeployment: M-C1 passes only by the variables of a deployment.
func TestDeployment(t *testing.T) {
	needGit(t)
	k := keys{}
	for _, c := range []struct {
		name, text string
		state      check.State
		want       string
	}{
		{".env.vercel", "OPENAI_API_KEY={{openai}}\nNEXT_PUBLIC_URL=https://a.example\n", check.StatePass, ""},
		{"none", "NODE_ENV=production\n", check.StateUnknown, ""},
		{"leak", "OPENAI_API_KEY={{openai}}\nNEXT_PUBLIC_OPENAI={{openai2}}\n", check.StateFail, "public-env-secret high DUMP:2"},
		{"docker-compose.yml", "services:\n  web:\n    environment:\n      - OPENAI_API_KEY={{openai}}\n      - VITE_KEY={{openai2}}\n", check.StateFail, "public-env-secret high DUMP:5"},
		{"compose.yaml", "x-env: &env\n  OPENAI_API_KEY: {{openai}}\nservices:\n  web:\n    environment:\n      <<: *env\n", check.StatePass, ""},
		{"k8s.yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  PUBLIC_URL: https://a.example\n---\napiVersion: v1\nkind: Secret\ndata:\n  OPENAI_API_KEY: {{base64 openai}}\n", check.StatePass, ""},
		{"k8s-leak.yaml", "kind: Secret\nstringData:\n  NEXT_PUBLIC_OPENAI_API_KEY: {{openai}}\n", check.StateFail, "public-env-secret high DUMP:3"},
		{"deploy.yaml", "kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - env:\n        - name: OPENAI_API_KEY\n          value: {{openai}}\n", check.StatePass, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, project := t.TempDir(), t.TempDir()
			write(t, filepath.Join(project, "package.json"), "{}")
			path := filepath.Join(dir, c.name)
			write(t, path, k.fill(c.text))
			h := scan(t, check.Options{Target: project, EnvFrom: path})
			rel, err := filepath.Rel(project, path)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(strings.Join(h.lines(), "\n"), filepath.ToSlash(rel), "DUMP")
			if got != c.want || h.state("M-C1") != c.state {
				t.Errorf("M-C1 is %s, found %q", h.state("M-C1"), got)
			}
			k.silent(t, fmt.Sprintf("%+v %+v", h.findings, h.summary))
		})
	}
	h := scan(t, check.Options{Target: t.TempDir()})
	if h.state("M-C1") != check.StateUnknown {
		t.Errorf("M-C1 is %s without a dump", h.state("M-C1"))
	}
}

// TestNothingPasses: an empty folder proves nothing.
func TestNothingPasses(t *testing.T) {
	needGit(t)
	h := scan(t, check.Options{Target: t.TempDir(), History: true})
	if len(h.summary.Checklist) != 8 {
		t.Fatalf("%d points", len(h.summary.Checklist))
	}
	for i, c := range h.summary.Checklist {
		if c.ID != fmt.Sprintf("M-C%d", i+1) || c.State != check.StateUnknown || c.Evidence == "" {
			t.Errorf("%+v", c)
		}
	}
	if !h.summary.Complete || len(h.findings) != 0 {
		t.Errorf("%v", h.lines())
	}
}

// analyzer is a stand-in for the room that reads source code.
type analyzer struct {
	findings []check.Finding
	coverage check.Coverage
	err      error
}

func (a analyzer) Rules() []check.Rule {
	return []check.Rule{{ID: "missing-auth", Mission: "M-C4", Title: "x", Help: "x", Fix: "Ask who it is.", Severity: check.SeverityHigh}}
}

func (a analyzer) Analyze(_ context.Context, _ *check.Project, report func(check.Finding)) (check.Coverage, error) {
	for _, f := range a.findings {
		report(f)
	}
	return a.coverage, a.err
}

func TestAnalyzer(t *testing.T) {
	needGit(t)
	dir, k := t.TempDir(), keys{}
	write(t, filepath.Join(dir, "lib/a.ts"), k.fill("a = '{{openai}}'\n"))
	write(t, filepath.Join(dir, "app/page.tsx"), "import '../lib/a'\n")
	way := []check.Position{{File: "app/page.tsx", Line: 1, Note: "imports it"}}
	a := analyzer{
		findings: []check.Finding{
			{Rule: "missing-auth", Severity: check.SeverityHigh, Message: "x", At: check.Position{File: "app/page.tsx", Line: 1}},
			{Rule: "missing-auth", Severity: check.SeverityHigh, Message: "x", At: check.Position{File: "app/page.tsx", Line: 1}},
		},
		coverage: check.Coverage{Judged: map[string]string{"M-C3": "1 module.", "M-C4": "1 handler."}, Client: map[string][]check.Position{"lib/a.ts": way}},
	}
	h := scan(t, check.Options{Target: dir, Analyzers: []check.Analyzer{a}})
	if got := strings.Join(h.lines(), "\n"); got != "client-bundle-secret critical lib/a.ts:1\nmissing-auth high app/page.tsx:1" {
		t.Errorf("found\n%s", got)
	}
	for _, f := range h.findings {
		if f.Rule == "missing-auth" && (f.Mission != "M-C4" || f.Fix != "Ask who it is." || f.Fingerprint == "") {
			t.Errorf("%+v", f)
		}
		if f.Rule == "client-bundle-secret" && (len(f.Path) != 1 || f.Path[0] != way[0]) {
			t.Errorf("the way to the browser is %v", f.Path)
		}
	}
	if h.state("M-C3") != check.StatePass || h.state("M-C4") != check.StateFail || h.state("M-C5") != check.StateUnknown {
		t.Errorf("%+v", h.summary.Checklist)
	}
	a.err = os.ErrDeadlineExceeded
	h = scan(t, check.Options{Target: dir, Analyzers: []check.Analyzer{a}})
	if h.state("M-C3") == check.StatePass || h.summary.Complete {
		t.Error("an analysis that failed lets a point pass")
	}
}

func TestApply(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "one two three")
	outside := filepath.Join(t.TempDir(), "b")
	write(t, outside, "untouched")
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	edit := func(file string, start, end int, text string) check.Edit {
		return check.Edit{File: file, Start: start, End: end, Text: text}
	}
	changed, err := check.Apply(dir, []check.Edit{
		edit("a", 0, 3, "1"), edit("a", 8, 13, "3"), edit("a", 0, 3, "1"), edit("new", 0, 0, "made"),
		edit("link", 0, 0, "x"), edit("../b", 0, 0, "x"), edit("/tmp/claviger-x", 0, 0, "x"), edit("far", 5, 9, "x"),
	})
	if err == nil || strings.Join(changed, " ") != "a new" {
		t.Errorf("changed %v, %v", changed, err)
	}
	for path, want := range map[string]string{filepath.Join(dir, "a"): "1 two 3", filepath.Join(dir, "new"): "made", outside: "untouched"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", path, got, err)
		}
	}
}

// TestFormatsKeepSecrets: the same findings in each format, none with a key.
func TestFormatsKeepSecrets(t *testing.T) {
	needGit(t)
	dir, k := t.TempDir(), keys{}
	k.unpack(t, dir, "../testdata/check/hardcoded.txtar")
	k.unpack(t, dir, "../testdata/check/next-build.txtar")
	for _, format := range output.Formats() {
		var b bytes.Buffer
		r, err := output.New(format, &b, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := check.Scan(t.Context(), check.Options{Target: dir, Now: today}, r); err != nil {
			t.Fatal(err)
		}
		k.silent(t, b.String())
		if format == "json" || format == "sarif" {
			if _, err := jsonx.Parse(b.Bytes()); err != nil {
				t.Errorf("%s: %v", format, err)
			}
		}
		for _, want := range []string{"hardcoded-key", "client-bundle-secret", "source-map-secret", "lib/old.ts"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s does not tell of %s", format, want)
			}
		}
	}
}
