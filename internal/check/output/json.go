package output

import (
	"io"

	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/jsonx"
)

// collected keeps findings until all are there.
type collected struct {
	w        io.Writer
	config   report.Config
	findings []report.Finding
}

// Start implements report.Reporter.
func (c *collected) Start(cfg report.Config) error { c.config = cfg; return nil }

// Progress implements report.Reporter.
func (c *collected) Progress(int64, int64) error { return nil }

// Finding implements report.Reporter.
func (c *collected) Finding(f report.Finding) error { c.findings = append(c.findings, f); return nil }

func (c *collected) write(b []byte, err error) error {
	if err != nil {
		return err
	}
	_, err = c.w.Write(append(b, '\n'))
	return err
}

// asJSON is the format of the contract.
type asJSON struct{ collected }

type jsonPosition struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitzero"`
	Column int    `json:"column,omitzero"`
	Note   string `json:"note,omitzero"`
}

type jsonFinding struct {
	Rule        string         `json:"rule"`
	Mission     string         `json:"mission"`
	Severity    string         `json:"severity"`
	Confidence  string         `json:"confidence"`
	Message     string         `json:"message"`
	Fix         string         `json:"fix"`
	File        string         `json:"file"`
	Line        int            `json:"line"`
	Column      int            `json:"column"`
	Path        []jsonPosition `json:"path"`
	Fingerprint string         `json:"fingerprint"`
	Commit      string         `json:"commit,omitzero"`
	Date        string         `json:"date,omitzero"`
	Secret      string         `json:"secret,omitzero"`
}

type jsonTool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type jsonItem struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Evidence string `json:"evidence"`
}

type jsonSummary struct {
	Critical   int      `json:"critical"`
	High       int      `json:"high"`
	Medium     int      `json:"medium"`
	Low        int      `json:"low"`
	Info       int      `json:"info"`
	Baselined  int      `json:"baselined"`
	Suppressed int      `json:"suppressed"`
	Files      int      `json:"files"`
	Bytes      int64    `json:"bytes"`
	Notes      []string `json:"notes"`
}

type jsonReport struct {
	Version   int           `json:"version"`
	Tool      jsonTool      `json:"tool"`
	Complete  bool          `json:"complete"`
	Checklist []jsonItem    `json:"checklist"`
	Findings  []jsonFinding `json:"findings"`
	Summary   jsonSummary   `json:"summary"`
}

// Close implements report.Reporter.
func (j *asJSON) Close(s report.Summary) error {
	out := jsonReport{
		Version: 1, Tool: jsonTool{"claviger", j.config.Version}, Complete: s.Complete,
		Checklist: []jsonItem{}, Findings: []jsonFinding{},
		Summary: jsonSummary{
			Critical: s.Counts[report.SeverityCritical], High: s.Counts[report.SeverityHigh], Medium: s.Counts[report.SeverityMedium],
			Low: s.Counts[report.SeverityLow], Info: s.Counts[report.SeverityInfo],
			Baselined: s.Baselined, Suppressed: s.Suppressed, Files: s.Files, Bytes: s.Bytes, Notes: []string{},
		},
	}
	for _, c := range s.Checklist {
		out.Checklist = append(out.Checklist, jsonItem{c.ID, string(c.State), valid(c.Evidence)})
	}
	for _, n := range s.Notes {
		out.Summary.Notes = append(out.Summary.Notes, valid(n))
	}
	for _, f := range j.findings {
		out.Findings = append(out.Findings, jsonFindingOf(f))
	}
	return j.write(jsonx.Marshal(out))
}

func jsonFindingOf(f report.Finding) jsonFinding {
	out := jsonFinding{
		Rule: f.Rule, Mission: f.Mission, Severity: f.Severity.String(), Confidence: f.Confidence.String(), Message: valid(f.Message), Fix: valid(f.Fix),
		File: valid(f.At.File), Line: f.At.Line, Column: f.At.Column, Path: []jsonPosition{}, Fingerprint: f.Fingerprint,
		Commit: f.Commit, Date: f.Date, Secret: f.Secret,
	}
	for _, p := range f.Path {
		out.Path = append(out.Path, jsonPosition{valid(p.File), p.Line, p.Column, valid(p.Note)})
	}
	return out
}
