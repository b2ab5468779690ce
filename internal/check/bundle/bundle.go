// Package bundle looks into what a build made: what of it browsers get, and what
// stays on the server, and whether a secret is in either.
package bundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/keyscan"
	"claviger.dev/claviger/internal/check/report"
)

// Options are what Scan needs.
type Options struct {
	Tree   *files.Tree
	Values *canary.Set
	// Report is told each finding, Problem what could not be read, and Progress
	// how many bytes were read.
	Report   func(report.Finding)
	Problem  func(files.Problem)
	Progress func(bytes int64)
}

// Result is what was looked at.
type Result struct {
	// Delivered files go to browsers, Server ones do not.
	Delivered, Server int
	Bytes             int64
}

// place is where a secret stands.
type place struct {
	at  report.Position
	hit keyscan.Hit
	// source is the file of the source map's sources, with the line.
	source string
}

// kind is what a file of a build is.
type kind struct {
	rule     string
	severity report.Severity
	where    string
}

var (
	clientCode = kind{"client-bundle-secret", report.SeverityCritical, "in code that every browser gets"}
	clientPage = kind{"build-output-secret", report.SeverityCritical, "in a page or payload that the build rendered ahead and everyone gets"}
	clientMap  = kind{"source-map-secret", report.SeverityCritical, "in a source map that everyone can load"}
	serverMap  = kind{"source-map-secret", report.SeverityMedium, "in a source map of the server's code"}
	serverCode = kind{"build-output-secret", report.SeverityHigh, "in the part of the build that stays on the server and is in every copy of the artefact"}
)

// Scan looks into all build output of a project.
func Scan(ctx context.Context, o Options) (*Result, error) {
	res := &Result{}
	found := map[kind]map[string][]place{}
	for _, f := range o.Tree.Files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if f.Kind != report.FileBuild || private(f.Path) {
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
		res.Bytes += int64(len(text))
		o.Progress(int64(len(text)))
		delivered := o.Tree.Delivered(f.Path)
		if delivered {
			res.Delivered++
		} else {
			res.Server++
		}
		look(o, f.Path, text, delivered, func(k kind, p place) {
			if found[k] == nil {
				found[k] = map[string][]place{}
			}
			found[k][p.hit.Secret] = append(found[k][p.hit.Secret], p)
		})
	}
	tell(found, o.Report)
	return res, nil
}

// private are folders in which builds keep their own things.
func private(p string) bool {
	for dir := range strings.SplitSeq(path.Dir(p), "/") {
		if dir == "cache" && strings.Contains(p, ".next/") || dir == "diagnostics" && strings.Contains(p, ".next/") {
			return true
		}
	}
	return strings.Contains(p, ".next/dev/") || path.Base(p) == "trace" || path.Base(p) == "trace-build" || strings.HasSuffix(p, ".tsbuildinfo")
}

// look finds the secrets of one file.
func look(o Options, file, text string, delivered bool, found func(kind, place)) {
	if path.Ext(file) == ".map" {
		k := serverMap
		if delivered {
			k = clientMap
		}
		if sources, ok := ParseMap([]byte(text)); ok {
			inSources(o, file, sources, func(p place) { found(k, p) })
			return
		}
		for _, h := range keyscan.Find(text, o.Values, true) {
			found(k, place{at: report.PositionAt(file, text, h.Start), hit: h})
		}
		return
	}
	k := kindOf(file, delivered)
	sources, at, ok := inlineMap(text)
	code := text
	if ok {
		code = text[:at]
	}
	for _, h := range keyscan.Find(code, o.Values, keyscan.Code(file)) {
		found(k, place{at: report.PositionAt(file, text, h.Start), hit: h})
	}
	if ok {
		inSources(o, file, sources, func(p place) {
			p.at = report.PositionAt(file, text, at)
			if delivered {
				found(clientMap, p)
			} else {
				found(serverMap, p)
			}
		})
	}
}

func kindOf(file string, delivered bool) kind {
	if !delivered {
		return serverCode
	}
	switch path.Ext(file) {
	case ".js", ".mjs", ".cjs", ".css", ".wasm":
		return clientCode
	}
	return clientPage
}

// inSources looks through the source code that a source map carries.
func inSources(o Options, file string, sources []Source, found func(place)) {
	for _, s := range sources {
		if strings.Contains(s.Name, "node_modules/") {
			continue
		}
		for _, h := range keyscan.Find(s.Text, o.Values, true) {
			line := report.PositionAt(s.Name, s.Text, h.Start).Line
			found(place{at: report.Position{File: file, Line: 1}, hit: h, source: fmt.Sprintf("%s:%d", s.Name, line)})
		}
	}
}

// tell reports one finding for each secret and kind of place, with the other
// files in its path.
func tell(found map[kind]map[string][]place, emit func(report.Finding)) {
	delivered := map[string]bool{}
	for _, k := range []kind{clientCode, clientPage, clientMap} {
		for secret := range found[k] {
			delivered[secret] = true
		}
	}
	for k, bySecret := range found {
		for secret, places := range bySecret {
			// What browsers get stands in the server's part as well, and goes from
			// both by one change.
			if k != serverCode && k != serverMap || !delivered[secret] {
				emit(finding(k, secret, places))
			}
		}
	}
}

func finding(k kind, secret string, places []place) report.Finding {
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.hit.Confidence, a.hit.Confidence), strings.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line))
	})
	first := places[0]
	f := report.Finding{Rule: k.rule, Severity: k.severity, Confidence: first.hit.Confidence, At: first.at, Secret: secret}
	f.Message = fmt.Sprintf("Here, %s, stands %s.", k.where, first.hit.What)
	if first.source != "" {
		f.Message += " It stands in " + first.source + "."
	}
	switch k {
	case serverCode, serverMap:
		f.Fix = "Read it at run time from a variable of the server's environment, and build again. Rotate it if the artefact went anywhere."
	default:
		f.Fix = "Do not deploy this. Rotate it if it was deployed, find what hands it to the browser, and build again."
	}
	if v := first.hit.Value; v != nil {
		at := v.At
		at.Note = "is set here"
		f.Path = append(f.Path, at)
	}
	told := map[string]bool{first.at.File: true}
	for _, p := range places[1:] {
		if !told[p.at.File] && len(f.Path) < 12 {
			told[p.at.File] = true
			at := p.at
			at.Note = "holds it, too"
			f.Path = append(f.Path, at)
		}
	}
	return f
}
