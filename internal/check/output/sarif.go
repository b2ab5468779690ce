package output

import (
	"fmt"
	"net/url"
	"strings"

	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/jsonx"
)

// asSARIF writes the subset of SARIF 2.1.0 that code hosts read.
type asSARIF struct{ collected }

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	ColumnKind  string            `json:"columnKind"`
	Results     []sarifResult     `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitzero"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Short      sarifText       `json:"shortDescription"`
	Full       sarifText       `json:"fullDescription"`
	Help       sarifText       `json:"help"`
	Default    sarifDefault    `json:"defaultConfiguration"`
	Properties sarifProperties `json:"properties"`
}

type sarifDefault struct {
	Level string `json:"level"`
}

type sarifProperties struct {
	Tags     []string `json:"tags,omitzero"`
	Severity string   `json:"security-severity,omitzero"`
	// What SARIF has no place for.
	Mission    string `json:"mission,omitzero"`
	Confidence string `json:"confidence,omitzero"`
	Commit     string `json:"commit,omitzero"`
	Date       string `json:"date,omitzero"`
	Secret     string `json:"secretFingerprint,omitzero"`
}

type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	Notifications []sarifNotification `json:"toolExecutionNotifications,omitzero"`
}

type sarifNotification struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Related      []sarifLocation   `json:"relatedLocations,omitzero"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Properties   sarifProperties   `json:"properties"`
}

type sarifLocation struct {
	ID       int           `json:"id,omitzero"`
	Physical sarifPhysical `json:"physicalLocation"`
	Message  *sarifText    `json:"message,omitzero"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitzero"`
}

type sarifArtifact struct {
	URI  string `json:"uri"`
	Base string `json:"uriBaseId,omitzero"`
}

type sarifRegion struct {
	Line   int `json:"startLine"`
	Column int `json:"startColumn,omitzero"`
}

var levels = map[report.Severity]string{
	report.SeverityCritical: "error", report.SeverityHigh: "error", report.SeverityMedium: "warning", report.SeverityLow: "note", report.SeverityInfo: "note",
}

// scores are those by which GitHub names severities.
var scores = map[report.Severity]string{
	report.SeverityCritical: "9.5", report.SeverityHigh: "8.0", report.SeverityMedium: "5.5", report.SeverityLow: "3.0", report.SeverityInfo: "0.5",
}

// Close implements report.Reporter.
func (s *asSARIF) Close(sum report.Summary) error {
	driver := sarifDriver{Name: "claviger", Version: s.config.Version, InformationURI: "https://claviger.dev/claviger", Rules: []sarifRule{}}
	index := map[string]int{}
	for _, m := range s.config.Rules {
		index[m.ID] = len(driver.Rules)
		driver.Rules = append(driver.Rules, sarifRule{
			ID: m.ID, Name: m.ID, Short: sarifText{m.Title}, Full: sarifText{m.Help}, Help: sarifText{strings.TrimSpace(m.Help + " " + m.Fix)},
			Default: sarifDefault{levels[m.Severity]}, Properties: sarifProperties{Tags: []string{"security", m.Mission}, Severity: scores[m.Severity]},
		})
	}
	run := sarifRun{Tool: sarifTool{driver}, ColumnKind: "utf16CodeUnits", Results: []sarifResult{}}
	for _, f := range s.findings {
		if _, known := index[f.Rule]; !known {
			return fmt.Errorf("rule %s does not describe itself", f.Rule)
		}
		run.Results = append(run.Results, sarifResultOf(f, index[f.Rule]))
	}
	inv := sarifInvocation{Successful: true}
	for _, n := range sum.Notes {
		inv.Notifications = append(inv.Notifications, sarifNotification{"note", sarifText{clean(n)}})
	}
	if !sum.Complete {
		inv.Notifications = append(inv.Notifications, sarifNotification{"warning", sarifText{"Not everything could be looked at."}})
	}
	for _, c := range sum.Checklist {
		inv.Notifications = append(inv.Notifications, sarifNotification{"note", sarifText{fmt.Sprintf("%s %s: %s", c.ID, c.State, clean(c.Evidence))}})
	}
	run.Invocations = []sarifInvocation{inv}
	log := sarifLog{Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
	return s.write(jsonx.Marshal(log))
}

func sarifResultOf(f report.Finding, rule int) sarifResult {
	out := sarifResult{
		RuleID: f.Rule, RuleIndex: rule, Level: levels[f.Severity], Message: sarifText{strings.TrimSpace(clean(f.Message) + " " + clean(f.Fix))},
		Locations:    []sarifLocation{sarifLocationOf(f.At, 0)},
		Fingerprints: map[string]string{"claviger/v1": f.Fingerprint},
		Properties: sarifProperties{
			Severity: scores[f.Severity], Mission: f.Mission, Confidence: f.Confidence.String(), Commit: f.Commit, Date: f.Date, Secret: f.Secret,
		},
	}
	for i, p := range f.Path {
		out.Related = append(out.Related, sarifLocationOf(p, i+1))
	}
	return out
}

func sarifLocationOf(p report.Position, id int) sarifLocation {
	out := sarifLocation{ID: id}
	if strings.HasPrefix(p.File, "https://") || strings.HasPrefix(p.File, "http://") {
		out.Physical.Artifact.URI = valid(p.File)
	} else {
		out.Physical.Artifact = sarifArtifact{URI: (&url.URL{Path: valid(p.File)}).String(), Base: "%SRCROOT%"}
	}
	if p.Line > 0 {
		out.Physical.Region = &sarifRegion{Line: p.Line, Column: p.Column}
	}
	if p.Note != "" {
		out.Message = &sarifText{clean(p.Note)}
	}
	return out
}
