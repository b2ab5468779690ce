package config

import (
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Checking is what claviger check takes from the file. The gateway ignores it.
type Checking struct {
	// Baseline is a file with known findings, from the folder of the file; empty
	// for none.
	Baseline string
	// Exclude are the paths that are not looked at, as path.Match takes them: a
	// folder with all in it, or a file.
	Exclude []string
	// Accept are the findings that are known and accepted for a time.
	Accept []Accepted
}

// Accepted are the findings of a rule in a file or folder that somebody answers
// for until the end of a day.
type Accepted struct {
	Rule, Path string
	Until      time.Time
	Reason     string
}

// LoadChecking reads the section check of a configuration, whatever the rest of
// the file says. One without it gives the zero Checking.
func LoadChecking(name string, data []byte) (Checking, error) {
	d := newDecoder(name)
	root := d.document(data)
	if root == nil || root.Kind != yaml.MappingNode {
		return Checking{}, d.problems.final()
	}
	var c Checking
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "check" {
			c = checkingKind().read(d, "check", root.Content[i+1])
		}
	}
	if len(d.problems) > 0 {
		return Checking{}, d.problems.final()
	}
	return c, nil
}

func checkingKind() *object[Checking] {
	accepted := newObject("accepted findings",
		key("rule", text("hardcoded-key"), func(a *Accepted) *string { return &a.Rule }, "The rule, by its id.").must("missing-auth"),
		key("path", relative("app/api/demo"), func(a *Accepted) *string { return &a.Path }, "The file, or the folder with all in it.").must("app/api/demo/route.ts"),
		key("until", day(), func(a *Accepted) *time.Time { return &a.Until }, "The last day on which it is accepted.").must("2027-03-31"),
		key("reason", text("behind the company's VPN"), func(a *Accepted) *string { return &a.Reason }, "Why.").must("behind the company's VPN"),
	)
	return newObject("the check",
		key("baseline", relative(".claviger-baseline.json"), func(c *Checking) *string { return &c.Baseline }, "Known findings: what an earlier claviger check --format json printed. --baseline overrides it."),
		key("exclude", listOf(relative("vendor")), func(c *Checking) *[]string { return &c.Exclude },
			"What claviger check does not look at: files, folders with all in them, and patterns with * and ?.").def("[]"),
		key("accept", listOf(accepted).block(), func(c *Checking) *[]Accepted { return &c.Accept },
			"Findings that are known and accepted, each for a time and with a reason.").def("[]"),
	)
}

// relative is a path in the project.
func relative(example string) *scalar[string] {
	bad := fault{"must be a path in the project, with forward slashes", "write it from the folder of this file, as " + example}
	return textScalar("a path in the project", example, func(s string) (string, error) {
		clean := path.Clean(s)
		if _, err := path.Match(clean, ""); err != nil || s == "" || path.IsAbs(s) || strings.Contains(s, `\`) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") {
			return "", bad
		}
		return clean, nil
	}, same)
}

// day is a date.
func day() *scalar[time.Time] {
	s := textScalar("a day", "2027-03-31", func(s string) (time.Time, error) {
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return t, fault{"must be a day, as 2027-03-31", ""}
		}
		return t, nil
	}, func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.DateOnly)
	}).like(`^\d{4}-\d{2}-\d{2}$`)
	s.tags = []string{tagText, tagDate}
	return s
}
