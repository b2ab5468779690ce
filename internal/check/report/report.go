// Package report is the vocabulary of the check: what a finding is, where it
// points, how grave and how sure it is, and who hears of it. Every room of the
// check speaks it, and package check hands it on under its own name.
package report

import (
	"fmt"
	"strings"
)

// Severity is what a finding means for whoever owns the key. The zero value is
// SeverityInfo.
type Severity int

// The severities. Critical is a secret delivered to strangers or committed, or
// the whole provider API open to anyone; high is one step away, or one handler
// that spends the owner's money for anyone; medium is bounded; low and info are
// hygiene.
const (
	SeverityInfo Severity = iota
	SeverityLow
	SeverityMedium
	SeverityHigh
	SeverityCritical
)

var severities = [...]string{"info", "low", "medium", "high", "critical"}

// String is the name as the output has it.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severities) {
		return "info"
	}
	return severities[s]
}

// ParseSeverity reads a name as String gives it.
func ParseSeverity(name string) (Severity, error) {
	for i, s := range severities {
		if s == name {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no severity: use one of %s", name, strings.Join(severities[:], ", "))
}

// Confidence is how sure a finding is. The zero value is ConfidencePossible.
type Confidence int

// The confidences. Certain is proven by a value or by code without another
// reading; likely needs an assumption that nearly always holds; possible wants
// a person to look.
const (
	ConfidencePossible Confidence = iota
	ConfidenceLikely
	ConfidenceCertain
)

// String is the name as the output has it.
func (c Confidence) String() string {
	switch c {
	case ConfidenceCertain:
		return "certain"
	case ConfidenceLikely:
		return "likely"
	default:
		return "possible"
	}
}

// Position is a place in the checked folder or on the checked site.
type Position struct {
	// File is relative to the checked folder, with forward slashes, or a URL.
	File string
	// Line and Column count from 1; 0 means the file as a whole. Columns count
	// UTF-16 units, as editors and SARIF do.
	Line, Column int
	// Note says what is at this place, in a finding's path.
	Note string
}

// Finding is one thing that somebody should change, or should know. No member
// of it ever holds a secret or a longer piece of one than a masked prefix.
type Finding struct {
	// Rule is the stable id, as "missing-auth"; Mission the point that it
	// serves, as "M-C4".
	Rule, Mission string
	Severity      Severity
	Confidence    Confidence
	// Message says what is wrong and Fix what to do, each in plain sentences.
	Message, Fix string
	// At is the line that a person would change.
	At Position
	// Path leads there: from the page to the module that does it.
	Path []Position
	// Fingerprint stays the same when lines move.
	Fingerprint string
	// Commit and Date stand for findings in the history.
	Commit, Date string
	// Secret is the fingerprint of the secret that was found, as
	// claviger.Secret.Fingerprint gives it; empty where there is none.
	Secret string
	// Edits mend it, where that can be done without judgement; --fix makes them.
	Edits []Edit
}

// State is the answer to one point of the checklist.
type State string

// The states.
const (
	StatePass    State = "pass"
	StateFail    State = "fail"
	StateUnknown State = "unknown"
)

// ChecklistItem is one box of the checklist with its evidence.
type ChecklistItem struct {
	// ID is the point of the mission, "M-C1" to "M-C8".
	ID    string
	State State
	// Evidence is one sentence.
	Evidence string
}

// Meta describes a rule.
type Meta struct {
	ID, Mission string
	// Title is a short name, Help a paragraph on why and how to mend it.
	Title, Help string
	// Fix is what to do, for findings that do not say it better.
	Fix string
	// Severity is the usual one; a finding may have another.
	Severity Severity
}
