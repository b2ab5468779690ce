package output

import (
	"fmt"
	"strings"

	"claviger.dev/claviger/internal/check/report"
)

// asMarkdown is for comments and job summaries.
type asMarkdown struct{ collected }

// Close implements report.Reporter.
func (m *asMarkdown) Close(s report.Summary) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## Claviger check: %s\n\n", total(s))
	if len(m.findings) > 0 {
		b.WriteString("| severity | where | rule | what | fix |\n| --- | --- | --- | --- | --- |\n")
	}
	for _, severity := range fromWorst {
		for _, f := range m.findings {
			if f.Severity != severity {
				continue
			}
			where := code(place(f.At))
			if f.Commit != "" {
				where += " in " + code(f.Commit[:min(12, len(f.Commit))]) + " of " + plain(f.Date)
			}
			fmt.Fprintf(&b, "| %s | %s | `%s` %s | %s | %s |\n", f.Severity, where, f.Rule, f.Mission, plain(f.Message), plain(f.Fix))
		}
	}
	b.WriteString("\n| point | state | evidence |\n| --- | --- | --- |\n")
	for _, c := range s.Checklist {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.ID, c.State, plain(c.Evidence))
	}
	if !s.Complete {
		b.WriteString("\nNot everything could be looked at.\n")
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "\n%s\n", plain(n))
	}
	return m.write([]byte(strings.TrimRight(b.String(), "\n")), nil)
}

// special are the characters that Markdown gives a meaning to inside a line. An
// at sign would call for somebody.
var special = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "(", `\(`, ")", `\)`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "|", `\|`,
	"~", `\~`, "#", `\#`, "!", `\!`, "$", `\$`, "@", "&#64;", ":", "&#58;", "\n", " ",
)

// plain writes text without any meaning.
func plain(s string) string { return special.Replace(clean(s)) }

// code writes a span of code in a cell, whatever quotes and bars are in it.
func code(s string) string {
	s = clean(s)
	if strings.ContainsAny(s, "`|\n") {
		return plain(s)
	}
	return "`" + s + "`"
}
