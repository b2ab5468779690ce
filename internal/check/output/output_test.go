package output

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/jsonx"
)

// hostile is what a project may put into names and texts.
const hostile = "a\n::error::b\r\x1b[31m%0A,c:d|`*[x](javascript:y)<img src=x>@everyone\u202e\u200b\xff-->&\x00"

func sample() (report.Config, []report.Finding, report.Summary) {
	rules := []report.Meta{{ID: "hardcoded-key", Mission: "M-C1", Title: "A key", Help: "Help.", Fix: "Fix.", Severity: report.SeverityHigh}}
	findings := []report.Finding{
		{
			Rule: "hardcoded-key", Mission: "M-C1", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain, Message: "M.", Fix: "F.",
			At: report.Position{File: "app/[id]/a b.ts", Line: 12, Column: 3}, Path: []report.Position{{File: ".env", Line: 1, Note: "is set here"}}, Fingerprint: "f1", Secret: "s1",
		},
		{
			Rule: "hardcoded-key", Mission: "M-C1", Severity: report.SeverityLow, Confidence: report.ConfidencePossible, Message: hostile, Fix: hostile,
			At: report.Position{File: hostile}, Path: []report.Position{{File: hostile, Note: hostile}}, Fingerprint: "f2", Commit: strings.Repeat("a", 40), Date: "2026-11-24T12:00:00Z",
		},
	}
	return report.Config{Target: "/x", Version: "v1", Rules: rules}, findings, report.Summary{
		Complete: true, Counts: map[report.Severity]int{report.SeverityCritical: 1, report.SeverityLow: 1}, Files: 3, Bytes: 9, Notes: []string{hostile},
		Checklist: []report.ChecklistItem{{ID: "M-C1", State: report.StateFail, Evidence: hostile}},
	}
}

func render(t testing.TB, format string, colour bool) string {
	t.Helper()
	var b bytes.Buffer
	r, err := New(format, &b, colour)
	if err != nil {
		t.Fatal(err)
	}
	cfg, findings, sum := sample()
	if err := r.Start(cfg); err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(sum); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestJSON holds the format to the contract, member for member.
func TestJSON(t *testing.T) {
	got := render(t, "json", true)
	const want = `{"version":1,"tool":{"name":"claviger","version":"v1"},"complete":true,` +
		`"checklist":[{"id":"M-C1","state":"fail","evidence":`
	if !strings.HasPrefix(got, want) {
		t.Errorf("begins\n%.200s", got)
	}
	const finding = `"findings":[{"rule":"hardcoded-key","mission":"M-C1","severity":"critical","confidence":"certain","message":"M.","fix":"F.",` +
		`"file":"app/[id]/a b.ts","line":12,"column":3,"path":[{"file":".env","line":1,"note":"is set here"}],"fingerprint":"f1","secret":"s1"},`
	if !strings.Contains(got, finding) {
		t.Errorf("no\n%s\nin\n%s", finding, got)
	}
	v, err := jsonx.Parse([]byte(got))
	if err != nil {
		t.Fatal(err)
	}
	list, _ := v.Get("findings")
	second := list.Elems()[1]
	for _, name := range []string{"commit", "date", "file", "path"} {
		if _, ok := second.Get(name); !ok {
			t.Errorf("the finding of the history has no %s", name)
		}
	}
	sum, _ := v.Get("summary")
	for _, name := range []string{"critical", "high", "medium", "low", "info", "baselined", "suppressed", "files", "bytes", "notes"} {
		if _, ok := sum.Get(name); !ok {
			t.Errorf("the summary has no %s", name)
		}
	}
}

func TestSARIF(t *testing.T) {
	f, err := os.Open("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	schema, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	got := render(t, "sarif", false)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, got)
	}
	broken := strings.Replace(got, `"ruleId":"hardcoded-key"`, `"ruleId":7`, 1)
	if v, err = jsonschema.UnmarshalJSON(strings.NewReader(broken)); err != nil || compiled.Validate(v) == nil {
		t.Error("the schema lets anything through")
	}
	for _, want := range []string{`"uri":"app/%5Bid%5D/a%20b.ts"`, `"claviger/v1":"f1"`, `"startLine":12`, `"columnKind":"utf16CodeUnits"`, `"level":"error"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestHostile: nothing of a project becomes a command, an escape of a terminal,
// or a link.
func TestHostile(t *testing.T) {
	for _, format := range Formats() {
		got := render(t, format, false)
		if strings.Contains(got, "\x1b") || strings.Contains(got, "\x00") {
			t.Errorf("%s holds an escape", format)
		}
		// In JSON a character is itself, for programs.
		if i := strings.IndexFunc(strings.ReplaceAll(got, "\n", ""), odd); i >= 0 && format != "json" {
			t.Errorf("%s: an odd character at %d of\n%q", format, i, got)
		}
		if strings.ToValidUTF8(got, "") != got {
			t.Errorf("%s is no UTF-8", format)
		}
		if !strings.HasSuffix(got, "\n") {
			t.Errorf("%s does not end its last line", format)
		}
	}
	for line := range strings.Lines(render(t, "github", false)) {
		if strings.HasPrefix(line, "::") && !strings.HasPrefix(line, "::error file=app/") && !strings.HasPrefix(line, "::notice file=a\\u{a}%3A%3Aerror") {
			t.Errorf("a command of the project's: %s", line)
		}
	}
	if n := strings.Count(render(t, "github", false), "\n"); n != 3 {
		t.Errorf("%d lines for 2 findings and a summary", n)
	}
	md := render(t, "markdown", false)
	for _, never := range []string{"<img", "](javascript", "@everyone", "-->"} {
		if strings.Contains(md, never) {
			t.Errorf("markdown holds %s:\n%s", never, md)
		}
	}
	for line := range strings.Lines(md) {
		if strings.HasPrefix(line, "| ") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != len(strings.Split("severity where rule what fix", " "))+1 && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 4 {
			t.Errorf("a row with other columns: %s", line)
		}
	}
}

func TestText(t *testing.T) {
	got := render(t, "text", false)
	if strings.Contains(got, "\x1b") {
		t.Error("coloured without being asked")
	}
	if !strings.Contains(render(t, "text", true), "\x1b[1;31mcritical\x1b[0m") {
		t.Error("not coloured")
	}
	head, _, _ := strings.Cut(got, "\nlow")
	want := `critical  app/[id]/a b.ts:12:3  hardcoded-key (M-C1)
    M.
    → .env:1 is set here
    secret s1
    Fix: F.
`
	if diff := cmp.Diff(want, head); diff != "" {
		t.Error(diff)
	}
	if _, err := New("xml", nil, false); err == nil {
		t.Error("xml is a format")
	}
}

func FuzzClean(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		if got := clean(s); strings.IndexFunc(got, odd) >= 0 || strings.ToValidUTF8(got, "") != got {
			t.Errorf("%q becomes %q", s, got)
		}
		if strings.ContainsAny(data(s)+property(s), "\r\n") {
			t.Errorf("%q ends its command", s)
		}
	})
}
