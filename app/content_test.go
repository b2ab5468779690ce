package app

import (
	"net/http"
	"strings"
	"testing"
)

// TestContent: what claviger.yaml says under content is done by the gateway that
// serves it, and told by explain; the log holds none of the texts (M-A3, M-D1).
func TestContent(t *testing.T) {
	s := newSite(t)
	file := strings.Replace(s.read("claviger.yaml"), "proxy: {endpoints: [responses, chat.completions]}",
		"proxy: {endpoints: [responses, chat.completions], content: {}}\n"+
			"content: {refuse: [email], patterns: {project-name: '(?i)\\bfalcon\\b'}, moderation: {thresholds: {hate: 0.5}}}\n", 1)
	s.write("claviger.yaml", file)
	p := s.start("serve")
	ticket := p.ticket()
	mail := "ada" + "@" + "example.com"
	for _, c := range []struct {
		path, body string
		status     int
		word       string
	}{
		{"/api/ai/generate", `{"prompt":"write to ` + mail + `"}`, http.StatusBadRequest, `"error":"Invalid prompt: email is not allowed"`},
		{"/api/ai/generate", `{"prompt":"what of Falcon?"}`, http.StatusBadRequest, "project-name is not allowed"},
		{"/api/ai/generate", `{"prompt":"flag as hate"}`, http.StatusBadRequest, "hate is not allowed"},
		{"/api/ai/generate", `{"prompt":"teh cat"}`, http.StatusOK, `"finish":"stop"`},
		{"/v1/chat/completions", `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"flag as hate, ` + mail + `"}]}`, http.StatusOK, "chat.completion"},
	} {
		if r := p.post(c.path, ticket, c.body); r.StatusCode != c.status || !strings.Contains(r.body, c.word) {
			t.Errorf("%s %s: %d %s", c.path, c.body, r.StatusCode, r.body)
		}
	}
	if n := s.sim.Count("/v1/moderations"); n != 2 {
		t.Errorf("%d moderations, not 2", n)
	}
	if code, out := s.explain(ticket, "--action", "tidy"); code != 0 || !strings.Contains(out, "texts that hold email, project-name are refused; omni-moderation-latest judges texts") {
		t.Errorf("explain: %d %s", code, out)
	}
	p.stop()
	if log := p.errs.String(); strings.Contains(log, mail) || !strings.Contains(log, "content policy") {
		t.Errorf("the log: %s", log)
	}
}
