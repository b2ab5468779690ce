package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestLimitsSurviveARestart: what was used is used, whatever became of the
// process, and whoever starts it anew gets nothing twice (M-L3).
func TestLimitsSurviveARestart(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(siteConfig, "requests: 1000/min", "requests: 2/hour", 1))
	ticket := ""
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		p := s.start("serve")
		if ticket == "" {
			ticket = s.ticket()
		}
		if r := p.generate(ticket); r.StatusCode != want {
			t.Errorf("call %d, each of a process of its own: %d %s, want %d", i+1, r.StatusCode, r.body, want)
		}
		p.stop()
	}
}

// TestASecondProcessIsRefused: two processes that count for themselves would
// grant everything twice.
func TestASecondProcessIsRefused(t *testing.T) {
	s := newSite(t)
	p := s.start("serve")
	code, _, errs := s.command("serve")
	if code != 2 || !strings.Contains(errs, "storage.limits") || !strings.Contains(errs, "redis://") {
		t.Errorf("exit %d: %s", code, errs)
	}
	p.stop()
	s.start("serve").stop()
}

// TestObjectsSurviveARestart: whose an object is stays known.
func TestObjectsSurviveARestart(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(siteConfig, "proxy: {endpoints: [responses, chat.completions]}", "proxy: {endpoints: [responses, responses.*], store: true}", 1))
	p := s.start("serve")
	ada, bob := s.ticket(), s.ticket("--sub", "bob")
	made := p.post("/v1/responses", ada, `{"model":"gpt-4.1-mini","input":"hi"}`)
	_, rest, _ := strings.Cut(made.body, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if made.StatusCode != http.StatusOK || !strings.HasPrefix(id, "resp_") {
		t.Fatalf("%d %s", made.StatusCode, made.body)
	}
	p.stop()
	p = s.start("serve")
	for bearer, want := range map[string]int{ada: http.StatusOK, bob: http.StatusNotFound} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/v1/responses/%s", p.public, id), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		if r := p.do(req); r.StatusCode != want {
			t.Errorf("%d %s, want %d", r.StatusCode, r.body, want)
		}
	}
	p.stop()
}
