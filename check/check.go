// Package check walks the deployment checklist on a project folder, the output
// of a build, or a deployed site: it finds the ways by which a key leaves the
// server or strangers spend it.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger/internal/check/build"
	"claviger.dev/claviger/internal/check/env"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/check/rules"
	"claviger.dev/claviger/internal/check/worker"
)

// The vocabulary, under the names of this package.
type (
	// Severity is what a finding means for whoever owns the key.
	Severity = report.Severity
	// Confidence is how sure a finding is.
	Confidence = report.Confidence
	// Position is a place in the checked folder or on the checked site.
	Position = report.Position
	// Finding is one thing that somebody should change, or should know.
	Finding = report.Finding
	// Edit is a change that mends a finding.
	Edit = report.Edit
	// State is the answer to one point of the checklist.
	State = report.State
	// ChecklistItem is one box of the checklist with its evidence.
	ChecklistItem = report.ChecklistItem
	// Rule describes a rule.
	Rule = report.Meta
	// Analyzer is a room of the check that looks at a whole project.
	Analyzer = report.Analyzer
	// Project is what an Analyzer is given.
	Project = report.Project
	// Coverage is what an Analyzer looked at.
	Coverage = report.Coverage
	// Reporter hears what a scan finds.
	Reporter = report.Reporter
	// Config is what a Reporter is told first.
	Config = report.Config
	// Summary is what a Reporter is told last.
	Summary = report.Summary
)

// The severities.
const (
	SeverityInfo     = report.SeverityInfo
	SeverityLow      = report.SeverityLow
	SeverityMedium   = report.SeverityMedium
	SeverityHigh     = report.SeverityHigh
	SeverityCritical = report.SeverityCritical
)

// The states of a point of the checklist.
const (
	StatePass    = report.StatePass
	StateFail    = report.StateFail
	StateUnknown = report.StateUnknown
)

// ParseSeverity reads a severity by its name.
func ParseSeverity(name string) (Severity, error) { return report.ParseSeverity(name) }

// Options say what is checked and how. Target is required.
type Options struct {
	// Target is a folder, or the http or https URL of a deployed site.
	Target string
	// Version is the tool's, for the report.
	Version string
	// History also looks through the git history, when Target is the top of a
	// work tree.
	History bool
	// EnvFrom is a file with the variables of a deployment: what `vercel env
	// pull` writes, a compose file, or Kubernetes manifests. Empty for none.
	EnvFrom string
	// Build runs the project's own build with invented values in its secret
	// variables, and looks where they come out. It executes code of the project.
	Build bool
	// BuildEnv is the environment in which the build runs, as NAME=value.
	BuildEnv []string
	// BuildLog is told what the build prints. Nil for nobody.
	BuildLog func(line string)
	// Baseline has the fingerprints of findings that are known; they are counted
	// and not reported.
	Baseline map[string]bool
	// Exclude are files and folders that are not looked at, as path.Match takes
	// them. The summary says how much they are; the history holds them still.
	Exclude []string
	// Accept are findings that somebody answers for; they are counted and not
	// reported, and turn no point of the checklist.
	Accept []Acceptance
	// Analyzers look at the source code; Standard has those that come with the
	// check.
	Analyzers []Analyzer
	// Now is the day by which suppressions end. Required.
	Now time.Time
}

// Scan checks a target. Its error says that it could not run at all; what could
// not be judged is a finding of rule "scan-incomplete" or "parse-failed".
func Scan(ctx context.Context, o Options, r Reporter) error {
	if o.Target == "" || o.Now.IsZero() {
		return errors.New("check: Options need Target and Now")
	}
	if IsURL(o.Target) {
		return scanSite(ctx, o, r)
	}
	root, err := filepath.Abs(o.Target)
	if err != nil {
		return err
	}
	if _, err := os.Stat(root); err != nil {
		return fmt.Errorf("%s cannot be checked: %w", o.Target, errors.Unwrap(err))
	}
	if err := r.Start(Config{Target: root, Version: o.Version, Rules: Rules(o.Analyzers...), History: o.History, Build: o.Build, EnvFrom: o.EnvFrom}); err != nil {
		return err
	}
	s := &scan{options: o, root: root, reporter: r, judged: map[string]string{}}
	temp, err := os.MkdirTemp("", "claviger-check-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if err := s.folder(ctx, temp); err != nil {
		return err
	}
	return s.finish()
}

// IsURL reports whether a target is a site and no folder.
func IsURL(target string) bool {
	return strings.HasPrefix(target, "https://") || strings.HasPrefix(target, "http://")
}

// Standard are the analysers of source code that come with the check.
// They parse in processes of their own: the running binary, started anew with
// the one argument WorkerArg, which whoever owns main answers with ServeWorker.
func Standard() []Analyzer { return []Analyzer{&rules.Analyzer{}} }

// WorkerArg is the argument that makes the binary a worker of the check.
const WorkerArg = worker.Arg

// ServeWorker parses what comes in and writes the trees, until in ends.
func ServeWorker(in io.Reader, out io.Writer) error { return worker.Serve(in, out) }

// Rules are the descriptions of all rules: those of the check and those of the
// analysers, in the order of their ids.
func Rules(analyzers ...Analyzer) []Rule {
	all := slices.Clone(own)
	for _, a := range analyzers {
		for _, m := range a.Rules() {
			if !slices.ContainsFunc(all, func(r Rule) bool { return r.ID == m.ID }) {
				all = append(all, m)
			}
		}
	}
	slices.SortFunc(all, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// scan is one run over a folder.
type scan struct {
	options  Options
	root     string
	reporter Reporter
	tree     *files.Tree
	env      *env.Environment
	found    []Finding
	problems []files.Problem
	// judged has, for each point of the checklist that could be judged, what was
	// looked at; unknown has why one could not.
	judged, unknown map[string]string
	notes           []string
	files           int
	bytes, total    int64
	progressErr     error
	planted         []build.Planted
}

func (s *scan) add(f Finding)           { s.found = append(s.found, f) }
func (s *scan) problem(p files.Problem) { s.problems = append(s.problems, p) }
func (s *scan) note(f string, a ...any) { s.notes = append(s.notes, fmt.Sprintf(f, a...)) }
func (s *scan) open(id, f string, a ...any) {
	if s.unknown == nil {
		s.unknown = map[string]string{}
	}
	if s.unknown[id] == "" {
		s.unknown[id] = fmt.Sprintf(f, a...)
	}
}

func (s *scan) progress(n int64) {
	s.bytes += n
	if err := s.reporter.Progress(s.bytes, max(s.total, s.bytes)); err != nil && s.progressErr == nil {
		s.progressErr = err
	}
}
