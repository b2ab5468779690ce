package check

import (
	"fmt"
	"slices"
	"strings"
)

// points are the boxes of the checklist, with what stands there while nobody
// could judge it.
var points = []struct{ id, open string }{
	{"M-C1", "The variables of the deployment are not known here."},
	{"M-C2", "There is no build output to look into: build first, or use --build."},
	{"M-C3", "No source code that could be analysed was found."},
	{"M-C4", "No endpoint that reaches a provider was analysed."},
	{"M-C5", "No endpoint that reaches a provider was analysed."},
	{"M-C6", "No source code that could be analysed was found."},
	{"M-C7", "The git history was not looked through."},
	{"M-C8", "No source code that could be analysed was found."},
}

// also are rules that fail a point beside their own.
var also = map[string]string{"public-env-secret": "M-C1", "config-inlined-secret": "M-C1", "client-bundle-secret": "M-C1"}

// checklist answers each point: fail with what was found, pass with what was
// looked at, and unknown else. Findings of severity info fail nothing.
func (s *scan) checklist(all, reported []Finding, complete bool) []ChecklistItem {
	out := make([]ChecklistItem, 0, len(points))
	for _, p := range points {
		fails := func(f Finding) bool {
			return f.Severity > SeverityInfo && f.Rule != "scan-incomplete" && f.Rule != "parse-failed" && (f.Mission == p.id || also[f.Rule] == p.id)
		}
		item := ChecklistItem{ID: p.id, State: StateUnknown, Evidence: p.open}
		n := count(all, fails)
		switch {
		case n > 0:
			item.State, item.Evidence = StateFail, failed(reported, fails, n)
		case s.unknown[p.id] != "":
			item.Evidence = s.unknown[p.id]
		case s.judged[p.id] != "" && !complete:
			item.Evidence = "Nothing was found, but not everything could be looked at."
		case s.judged[p.id] != "":
			item.State, item.Evidence = StatePass, s.judged[p.id]
		}
		out = append(out, item)
	}
	return out
}

func count(all []Finding, is func(Finding) bool) int {
	n := 0
	for _, f := range all {
		if is(f) {
			n++
		}
	}
	return n
}

// failed names the rules that failed a point.
func failed(reported []Finding, fails func(Finding) bool, n int) string {
	var rules []string
	shown := 0
	for _, f := range reported {
		if fails(f) {
			shown++
			if !slices.Contains(rules, f.Rule) {
				rules = append(rules, f.Rule)
			}
		}
	}
	if shown == 0 {
		return plural(n, "finding") + ", known from the baseline or accepted in the code."
	}
	text := plural(shown, "finding") + ": " + strings.Join(rules, ", ") + "."
	if n > shown {
		text += fmt.Sprintf(" %d more known or accepted.", n-shown)
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}
