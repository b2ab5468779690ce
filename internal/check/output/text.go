package output

import (
	"fmt"
	"strings"

	"claviger.dev/claviger/internal/check/report"
)

// asText is for people at a terminal.
type asText struct {
	collected
	colour bool
}

var colours = map[report.Severity]string{
	report.SeverityCritical: "1;31", report.SeverityHigh: "31", report.SeverityMedium: "33", report.SeverityLow: "36", report.SeverityInfo: "2",
}

func (t *asText) paint(code, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Close implements report.Reporter.
func (t *asText) Close(s report.Summary) error {
	var b strings.Builder
	for _, severity := range fromWorst {
		for _, f := range t.findings {
			if f.Severity == severity {
				t.finding(&b, f)
			}
		}
	}
	b.WriteString("Checklist\n")
	for _, c := range s.Checklist {
		code := map[report.State]string{report.StatePass: "32", report.StateFail: "31"}[c.State]
		state := fmt.Sprintf("%-7s", c.State)
		if code != "" {
			state = t.paint(code, state)
		}
		fmt.Fprintf(&b, "  %s %s  %s\n", c.ID, state, clean(c.Evidence))
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "note: %s\n", clean(n))
	}
	fmt.Fprintf(&b, "\nFound %s in %d files", total(s), s.Files)
	if s.Baselined > 0 {
		fmt.Fprintf(&b, "; %d known from the baseline", s.Baselined)
	}
	if s.Suppressed > 0 {
		fmt.Fprintf(&b, "; %d accepted in the code or the settings", s.Suppressed)
	}
	b.WriteString(".")
	if !s.Complete {
		b.WriteString(" Not everything could be looked at.")
	}
	return t.write([]byte(b.String()), nil)
}

func (t *asText) finding(b *strings.Builder, f report.Finding) {
	sure := ""
	if f.Confidence != report.ConfidenceCertain {
		sure = ", " + f.Confidence.String()
	}
	fmt.Fprintf(b, "%s  %s  %s (%s%s)\n", t.paint(colours[f.Severity], f.Severity.String()), t.paint("1", place(f.At)), f.Rule, f.Mission, sure)
	fmt.Fprintf(b, "    %s\n", clean(f.Message))
	if f.Commit != "" {
		fmt.Fprintf(b, "    commit %s of %s\n", clean(f.Commit[:min(12, len(f.Commit))]), clean(f.Date))
	}
	for _, p := range f.Path {
		fmt.Fprintf(b, "    %s %s\n", t.paint("2", "→ "+place(p)), clean(p.Note))
	}
	if f.Secret != "" {
		fmt.Fprintf(b, "    secret %s\n", f.Secret)
	}
	if f.Fix != "" {
		fmt.Fprintf(b, "    Fix: %s\n", clean(f.Fix))
	}
	b.WriteByte('\n')
}
