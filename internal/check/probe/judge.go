package probe

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"

	"claviger.dev/claviger/internal/check/bundle"
	"claviger.dev/claviger/internal/check/keyscan"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/detect"
	"claviger.dev/claviger/internal/dotenv"
)

// secrets looks for keys in what the site delivers.
func (s *scanner) secrets(a *answered) {
	address := a.url.String()
	if path.Ext(a.url.Path) == ".map" {
		if sources, ok := bundle.ParseMap([]byte(a.text)); ok {
			for _, src := range sources {
				for _, h := range keyscan.Find(src.Text, s.options.Values, true) {
					line := report.PositionAt(src.Name, src.Text, h.Start).Line
					s.secret(report.Position{File: address, Line: 1}, h, fmt.Sprintf(" It stands in %s:%d.", src.Name, line))
				}
			}
			return
		}
	}
	for _, h := range keyscan.Find(a.text, s.options.Values, true) {
		s.secret(report.PositionAt(address, a.text, h.Start), h, "")
	}
	base := path.Base(a.url.Path)
	switch {
	case strings.HasPrefix(base, ".env") && !isHTML(a):
		for _, e := range dotenv.Parse([]byte(a.text)) {
			if w, _ := detect.WeighValue(e.Name, e.Value); w == detect.WeightSecret {
				s.secret(report.Position{File: address, Line: e.Line, Column: 1}, keyscan.Hit{
					Secret: report.SecretFingerprint(e.Value), What: "the value of " + e.Name, Confidence: report.ConfidenceCertain,
				}, "")
			}
		}
	case a.url.Path == "/.git/config" && strings.Contains(a.text, "[core]") && !isHTML(a):
		s.options.Report(report.Finding{
			Rule: "live-secret", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain, At: report.Position{File: address, Line: 1},
			Message: "The site delivers its git repository: everyone can load all of the source code and its history.",
			Fix:     "Do not serve .git. Rotate what the history holds: claviger check finds it in the repository.",
		})
	}
}

func (s *scanner) secret(at report.Position, h keyscan.Hit, more string) {
	s.options.Report(report.Finding{
		Rule: "live-secret", Severity: report.SeverityCritical, Confidence: h.Confidence, At: at, Secret: h.Secret,
		Message: fmt.Sprintf("The site delivers %s to everyone.%s", h.What, more),
		Fix:     "Rotate it now. Then find where it comes from: claviger check in the project.",
	})
}

var sessionName = regexp.MustCompile(`(?i)session|auth|token|\bsid\b`)

// headers looks at the cookies of an answer.
func (s *scanner) headers(a *answered) {
	res := http.Response{Header: a.header}
	for _, c := range res.Cookies() {
		csrf := strings.Contains(strings.ToLower(c.Name), "csrf") || strings.Contains(strings.ToLower(c.Name), "xsrf")
		if !sessionName.MatchString(c.Name) || csrf || c.HttpOnly && (c.Secure || a.url.Scheme == "http") {
			continue
		}
		s.options.Report(report.Finding{
			Rule: "live-headers", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely, At: report.Position{File: a.url.String()},
			Message: fmt.Sprintf("The cookie %q looks like a session, and is not both HttpOnly and Secure.", c.Name),
			Fix:     "Set HttpOnly, Secure and SameSite on it.",
		})
	}
}
