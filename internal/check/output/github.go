package output

import (
	"fmt"
	"strings"

	"claviger.dev/claviger/internal/check/report"
)

// asGitHub writes workflow commands, which GitHub shows beside the lines.
type asGitHub struct{ collected }

// Close implements report.Reporter.
func (g *asGitHub) Close(s report.Summary) error {
	var b strings.Builder
	for _, f := range g.findings {
		level := "notice"
		switch {
		case f.Severity >= report.SeverityHigh:
			level = "error"
		case f.Severity == report.SeverityMedium:
			level = "warning"
		}
		fmt.Fprintf(&b, "::%s file=%s", level, property(f.At.File))
		if f.At.Line > 0 {
			fmt.Fprintf(&b, ",line=%d", f.At.Line)
		}
		if f.At.Column > 0 {
			fmt.Fprintf(&b, ",col=%d", f.At.Column)
		}
		fmt.Fprintf(&b, ",title=%s::%s\n", property(f.Rule+" ("+f.Mission+", "+f.Severity.String()+")"), data(f.Message+" "+f.Fix))
	}
	fmt.Fprintf(&b, "claviger check: %s", total(s))
	if !s.Complete {
		b.WriteString("; not everything could be looked at")
	}
	return g.write([]byte(b.String()), nil)
}

// A workflow command ends with its line, and its properties with a comma or a
// colon (github.com/actions/toolkit, packages/core/src/command.ts).
var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func data(s string) string     { return dataEscapes.Replace(clean(s)) }
func property(s string) string { return propertyEscapes.Replace(clean(s)) }
