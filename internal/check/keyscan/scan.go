package keyscan

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/detect"
)

// Options are what Scan needs.
type Options struct {
	Tree   *files.Tree
	Values *canary.Set
	// Client has the files whose code reaches browsers, with the way there.
	Client map[string][]report.Position
	// Report is told each finding, Problem what could not be read, and Progress
	// how many bytes were read.
	Report   func(report.Finding)
	Problem  func(files.Problem)
	Progress func(bytes int64)
}

// Result is what was read besides.
type Result struct {
	Reads Reads
	// Files and Bytes are how much text was read.
	Files int
	Bytes int64
}

// Scan looks at all that people wrote, and at what is served as it stands.
func Scan(ctx context.Context, o Options) (*Result, error) {
	res := &Result{}
	for _, f := range o.Tree.Files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if f.Kind != report.FileSource && f.Kind != report.FilePublic {
			continue
		}
		text, err := o.Tree.ReadFile(f.Path)
		if errors.Is(err, files.ErrBinary) {
			continue
		}
		if err != nil {
			o.Problem(files.Problem{Path: f.Path, Reason: err.Error()})
			continue
		}
		res.Files++
		res.Bytes += int64(len(text))
		o.Progress(int64(len(text)))
		res.file(o, f, text)
	}
	return res, nil
}

func (r *Result) file(o Options, f report.File, text string) {
	way, client := o.Client[f.Path]
	client = client || Code(f.Path) && directive(text)
	if !f.Test {
		r.Reads.note(f.Path, text, client)
	}
	for _, h := range Find(text, o.Values, Code(f.Path)) {
		if finding, ok := o.judge(f, text, h, client); ok {
			if client && len(way) > 0 {
				finding.Path = append(finding.Path, way...)
			}
			o.Report(finding)
		}
	}
}

var useClient = regexp.MustCompile(`^(?:\s|//[^\n]*\n|/\*[\s\S]*?\*/|["']use strict["'];?)*["']use client["']`)

// directive reports whether a file says 'use client'.
func directive(text string) bool { return useClient.MatchString(text[:min(len(text), 4096)]) }

var lockFile = regexp.MustCompile(`(^|/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|go\.sum|Cargo\.lock|poetry\.lock|uv\.lock|composer\.lock|Gemfile\.lock)$`)

// IsLock reports whether a path is that of a package manager's lock file, which
// is full of check sums.
func IsLock(p string) bool { return lockFile.MatchString(p) }

// judge turns what was found into a finding, or drops it.
func (o Options) judge(f report.File, text string, h Hit, client bool) (report.Finding, bool) {
	if h.Value == nil && (IsLock(f.Path) || f.Test && !h.Kind.Provider()) {
		return report.Finding{}, false
	}
	out := report.Finding{
		Rule: "hardcoded-key", Severity: report.SeverityHigh, Confidence: h.Confidence, Secret: h.Secret,
		At:      report.PositionAt(f.Path, text, h.Start),
		Message: fmt.Sprintf("Here stands %s.", h.What),
		Fix:     "Rotate it, then read it at run time from a variable of the server's environment.",
	}
	if h.Value != nil {
		at := h.Value.At
		at.Note = "is set here"
		out.Path = append(out.Path, at)
	}
	switch {
	case f.Kind == report.FilePublic:
		out.Rule, out.Severity = "client-bundle-secret", report.SeverityCritical
		out.Message = fmt.Sprintf("Here stands %s, in a file that is served to everyone as it is.", h.What)
		out.Fix = "Rotate it, and take it out of " + path.Dir(f.Path) + "."
	case path.Base(f.Path) == "app.json" && within(text, "extra", h.Start):
		out.Rule, out.Mission, out.Severity = "config-inlined-secret", "M-C2", report.SeverityCritical
		out.Message = fmt.Sprintf("Here stands %s, and all of extra is delivered with the app.", h.What)
		out.Fix = "Rotate it, take it out of extra, and let the app call your own server."
	case client:
		out.Rule, out.Severity = "client-bundle-secret", report.SeverityCritical
		out.Message = fmt.Sprintf("Here stands %s, in code that goes to browsers.", h.What)
		out.Fix = "Rotate it. Move the call to a Server Action or a Route Handler, and let the component call that."
	case o.Tree.Tracked[f.Path]:
		out.Severity = report.SeverityCritical
		out.Message = fmt.Sprintf("Here stands %s, in a file that is committed to git.", h.What)
	}
	if f.Test && h.Confidence == report.ConfidenceCertain && h.Value == nil {
		out.Confidence = report.ConfidenceLikely
	}
	if h.Kind == detect.PrivateKey && h.Value == nil && out.Rule == "hardcoded-key" {
		// Most are those of test servers, and none buys answers of a model.
		out.Severity, out.Confidence = report.SeverityMedium, report.ConfidencePossible
		if strings.Contains(strings.ToLower(f.Path), "example") {
			return report.Finding{}, false
		}
	}
	return out, true
}
