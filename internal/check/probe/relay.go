package probe

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/report"
)

// usual are paths at which apps have endpoints that reach a model.
var usual = []string{"/api/chat", "/api/completion", "/api/generate", "/api/ai", "/api/ai/generate", "/api/openai", "/v1/chat/completions", "/v1/responses"}

var endpoint = regexp.MustCompile("[\"'`](/(?:api|v1|trpc|actions)/[\\w/.-]{0,80}?(?:chat|ai|complet|generat|openai|gpt|assist|prompt|llm|ask|summar|respon|embed|image|speech)[\\w/.-]{0,80})[\"'`?]")

func (s *scanner) findEndpoints(a *answered) {
	for _, m := range endpoint.FindAllStringSubmatch(a.text, 200) {
		p := strings.TrimRight(m[1], "/.")
		if !slices.Contains(s.endpoints, p) && !strings.Contains(p, ".js") && !strings.Contains(p, "/auth/") {
			s.endpoints = append(s.endpoints, p)
		}
	}
}

// The harmless request: it asks for one word, in the shapes that handlers of the
// usual libraries read, with the smallest cap.
const (
	question = "Reply with the single word: claviger"
	harmless = `{"model":"gpt-4.1-mini","prompt":"` + question + `","input":"` + question + `","message":"` + question + `","id":"1",` +
		`"messages":[{"id":"1","role":"user","content":"` + question + `","parts":[{"type":"text","text":"` + question + `"}]}],"max_tokens":16,"max_output_tokens":16,"stream":false}`
	stranger = "https://claviger-check.invalid"
)

// probe sends the harmless request to each endpoint once.
func (s *scanner) probe(ctx context.Context) error {
	all := slices.Clone(s.endpoints)
	for _, p := range usual {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	if len(all) > maxProbes {
		all = all[:maxProbes]
	}
	for _, p := range all {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		address := s.resolve(s.base, p)
		header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream, */*"}}
		s.result.Posts = append(s.result.Posts, p)
		a, err := s.send(ctx, http.MethodPost, address, header, harmless)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.options.Problem(files.Problem{Path: address, Reason: plain(err).Error()})
			continue
		}
		s.judge(a)
		s.crossOrigin(ctx, a)
	}
	return nil
}

// generated are signs of an answer that a model made, in the shapes of providers
// and of the usual libraries.
var generated = regexp.MustCompile(`"chat\.completion|"choices"\s*:\s*\[|"output_text"|"finish_?[rR]eason"|"type"\s*:\s*"text-delta"|"type"\s*:\s*"response\.|"completion_tokens"|"output_tokens"|(?m:^0:"|^data: \{"(?:type"|id"|choices"))|"finish"\s*:\s*"(?:stop|length)"`)

func (s *scanner) judge(a *answered) {
	at := report.Position{File: a.url.String()}
	echoless := strings.ReplaceAll(a.text, question, "")
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status >= 300 && a.status <= 399:
		s.result.Refused++
	case a.status >= 200 && a.status < 300 && !isHTML(a) && (generated.MatchString(a.text) || strings.Contains(strings.ToLower(echoless), "claviger")):
		s.options.Report(report.Finding{
			Rule: "live-open-relay", Severity: report.SeverityCritical, Confidence: report.ConfidenceCertain, At: at,
			Message: "A request without any credential was answered by a model: strangers spend your money here.",
			Fix:     "Ask for a signed-in user, and limit rates, before the provider is called.",
		})
	case a.status >= 500 && a.status != http.StatusNotImplemented:
		s.options.Report(report.Finding{
			Rule: "live-open-relay", Severity: report.SeverityMedium, Confidence: report.ConfidencePossible, At: at,
			Message: fmt.Sprintf("A request without any credential was not refused, but failed with %d: the handler may work for strangers once it works.", a.status),
			Fix:     "Ask for a signed-in user first, and answer strangers with 401.",
		})
	}
	s.secrets(a)
	if cache := strings.ToLower(a.header.Get("Cache-Control")); a.status == http.StatusOK && !isHTML(a) && (strings.Contains(cache, "public") || strings.Contains(cache, "s-maxage")) {
		s.options.Report(report.Finding{
			Rule: "live-headers", Severity: report.SeverityMedium, Confidence: report.ConfidenceLikely, At: at,
			Message: "The answer of an endpoint may be kept in shared caches: " + cache + ".", Fix: "Send Cache-Control: private, no-store.",
		})
	}
}

// crossOrigin asks, as a browser does before it sends, whether a foreign site may
// call an endpoint that is there.
func (s *scanner) crossOrigin(ctx context.Context, at *answered) {
	if at.status == http.StatusNotFound || ctx.Err() != nil {
		return
	}
	header := http.Header{"Origin": {stranger}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type"}}
	a, err := s.send(ctx, http.MethodOptions, at.url.String(), header, "")
	if err != nil {
		return // it was reached a moment ago; this is no part of what is told
	}
	if a.header.Get("Access-Control-Allow-Origin") != stranger {
		return
	}
	f := report.Finding{
		Rule: "live-headers", Severity: report.SeverityMedium, Confidence: report.ConfidenceCertain, At: report.Position{File: a.url.String()},
		Message: "Any site may call this and read the answer: it allows whatever Origin asks.", Fix: "Allow your own origins alone.",
	}
	if a.header.Get("Access-Control-Allow-Credentials") == "true" {
		f.Severity = report.SeverityHigh
		f.Message = "Any site may call this with the cookies of your users, and read the answer: it allows whatever Origin asks, with credentials."
	}
	s.options.Report(f)
}
