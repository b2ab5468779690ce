package check

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger/internal/check/report"
)

// finish puts the findings in order, leaves out what is known or accepted, and
// reports the rest.
func (s *scan) finish() error {
	for _, p := range s.problems {
		s.add(Finding{
			Rule: "scan-incomplete", Severity: SeverityLow, Confidence: report.ConfidenceCertain, At: Position{File: p.Path},
			Message: fmt.Sprintf("This could not be looked at: %s.", p.Reason),
		})
	}
	all := s.complete(distinct(s.found))
	sum := Summary{Complete: true, Counts: map[Severity]int{}, Files: s.files, Bytes: s.bytes, Notes: s.notes}
	var reported []Finding
	for _, f := range all {
		if f.Rule == "scan-incomplete" && f.Severity > SeverityInfo || f.Rule == "parse-failed" {
			sum.Complete = false
		}
		if s.accepted(&f) {
			sum.Suppressed++
			continue
		}
		if s.options.Baseline[f.Fingerprint] {
			sum.Baselined++
			continue
		}
		reported = append(reported, f)
	}
	sum.Checklist = s.checklist(all, reported, sum.Complete)
	for _, f := range reported {
		sum.Counts[f.Severity]++
		sum.Edits = append(sum.Edits, f.Edits...)
		if err := s.reporter.Finding(f); err != nil {
			return err
		}
	}
	return s.reporter.Close(sum)
}

// distinct sorts findings and keeps one of each rule at each place: the graver
// and surer one.
func distinct(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			strings.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line), strings.Compare(a.Rule, b.Rule),
			strings.Compare(a.Commit, b.Commit), cmp.Compare(b.Severity, a.Severity), cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.At.Column, b.At.Column),
		)
	})
	return slices.CompactFunc(all, func(a, b Finding) bool {
		return a.Rule == b.Rule && a.At.File == b.At.File && a.At.Line == b.At.Line && a.Commit == b.Commit &&
			(a.Secret == b.Secret || a.Secret == "" || b.Secret == "")
	})
}

// complete fills in what a finding leaves to its rule, and its fingerprint.
func (s *scan) complete(all []Finding) []Finding {
	metas := map[string]Rule{}
	for _, m := range Rules(s.options.Analyzers...) {
		metas[m.ID] = m
	}
	seen := map[string]int{}
	for i := range all {
		f := &all[i]
		m := metas[f.Rule]
		f.Mission = cmp.Or(f.Mission, m.Mission)
		f.Fix = cmp.Or(f.Fix, m.Fix)
		if f.Fingerprint == "" {
			f.Fingerprint = s.fingerprint(f, seen)
		}
	}
	return all
}

// fingerprint names a finding by its rule, its file and what stands there, but
// not by its line. A secret is in it by its own fingerprint alone.
func (s *scan) fingerprint(f *Finding, seen map[string]int) string {
	what := f.Secret
	if what == "" {
		what = strings.Join(strings.Fields(s.line(f.At.File, f.At.Line)), " ")
	}
	id := strings.Join([]string{f.Rule, f.At.File, what}, "\x00")
	seen[id]++
	if n := seen[id]; n > 1 {
		id += fmt.Sprintf("\x00%d", n)
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:10])
}

// line is the text of a line of a file in the folder, empty where there is none.
func (s *scan) line(file string, n int) string {
	if n <= 0 || s.tree == nil || !s.tree.Has(file) {
		return ""
	}
	text, err := s.tree.ReadFile(file)
	if err != nil {
		return ""
	}
	for range n - 1 {
		_, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return ""
		}
		text = rest
	}
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 64<<10)]
}

var suppression = regexp.MustCompile(`claviger-ignore\s+([a-z][a-z-]*)\s+until=(\d{4}-\d{2}-\d{2})\s+(\S.*)`)

// accepted reports whether a comment at a finding, or on the line above, accepts
// it for a time. One whose time is over accepts nothing, and the finding says so.
func (s *scan) accepted(f *Finding) bool {
	for _, a := range s.options.Accept {
		if !a.covers(f) {
			continue
		}
		if s.options.Now.Before(a.Until.AddDate(0, 0, 1)) {
			return true
		}
		f.Message += " (It was accepted until " + a.Until.Format(time.DateOnly) + ".)"
	}
	if f.At.Line <= 0 || f.Commit != "" {
		return false
	}
	for _, n := range []int{f.At.Line, f.At.Line - 1} {
		m := suppression.FindStringSubmatch(s.line(f.At.File, n))
		if m == nil || m[1] != f.Rule || !hasReason(m[3]) {
			continue
		}
		until, err := time.Parse(time.DateOnly, m[2])
		if err != nil {
			continue
		}
		if s.options.Now.Before(until.AddDate(0, 0, 1)) {
			return true
		}
		f.Message += " (It was accepted until " + m[2] + ".)"
	}
	return false
}

// hasReason wants a word before the comment closes.
func hasReason(s string) bool {
	return strings.ContainsFunc(strings.TrimRight(s, "*/-> }"), func(r rune) bool { return r > '~' || 'a' <= r|0x20 && r|0x20 <= 'z' })
}
