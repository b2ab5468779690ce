package app

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"claviger.dev/claviger/openaitest"
)

func TestServeAnswers(t *testing.T) {
	p := newSite(t).start("serve")
	if status, word, reasons := p.ready(); status != 200 || word != "ready" {
		t.Errorf("readyz: %d %s %s", status, word, reasons)
	}
	r := p.generate(p.ticket())
	if r.StatusCode != http.StatusOK || !strings.Contains(r.body, `"text":`) {
		t.Errorf("action: %d %s", r.StatusCode, r.body)
	}
	if r := p.generate(""); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a credential: %d %s", r.StatusCode, r.body)
	}
	if r := p.get(p.public + "/"); r.StatusCode != http.StatusNotFound {
		t.Errorf("unknown path: %d", r.StatusCode)
	}
	if n := p.sim.Count(""); n != 1 {
		t.Errorf("%d calls went upstream, want 1", n)
	}
	if p.out.String() != "" {
		t.Errorf("serve talks on stdout: %q", p.out)
	}
}

// TestMissingKey holds M-S3: the gateway runs, says what is missing to the
// operator, and nothing of it to callers. The key's appearing heals it (M-S6).
func TestMissingKey(t *testing.T) {
	s := newSite(t)
	delete(s.vars, "OPENAI_API_KEY")
	p := s.start("serve")
	status, word, reasons := p.ready()
	if status != http.StatusServiceUnavailable || word != "unready" || !strings.Contains(reasons, "env:OPENAI_API_KEY") {
		t.Errorf("readyz: %d %s %q", status, word, reasons)
	}
	if !strings.Contains(p.errs.String(), "env:OPENAI_API_KEY") {
		t.Errorf("the log does not name the reference:\n%s", p.errs)
	}
	ticket := p.ticket()
	r := p.generate(ticket)
	if want := `{"error":"Server misconfigured","code":"misconfigured"}`; r.StatusCode != 500 || strings.TrimSpace(r.body) != want {
		t.Errorf("action: %d %s, want 500 %s", r.StatusCode, r.body, want)
	}
	r = p.post("/v1/responses", ticket, `{"model":"gpt-4.1-mini","input":"hello"}`)
	if r.StatusCode != 500 || !strings.Contains(r.body, `"message":"Server misconfigured"`) || strings.Contains(r.body, "OPENAI") {
		t.Errorf("proxy: %d %s", r.StatusCode, r.body)
	}
	if r.Header.Get("X-Should-Retry") != "false" {
		t.Error("SDKs are not told that another try is no use")
	}

	s.write(".env.local", "OPENAI_API_KEY="+s.key+"\n")
	p.untilReady(http.StatusOK, "ready")
	if r := p.generate(ticket); r.StatusCode != http.StatusOK {
		t.Errorf("with the key in .env.local: %d %s", r.StatusCode, r.body)
	}
	if err := os.Remove(s.path(".env.local")); err != nil {
		t.Fatal(err)
	}
	p.untilReady(http.StatusServiceUnavailable, "unready")
	p.until("the log tells that the key went, as it did at the start", func() bool { return strings.Count(p.errs.String(), "not ready: ") > 1 })
}

// TestRotatedFile holds M-S5 and M-S6 for a key in a file: the new one is used
// with no restart, and the old one no longer.
func TestRotatedFile(t *testing.T) {
	s := newSite(t)
	second := canaryKey()
	s.write("openai-key", canaryKey()+"\n")
	s.write("claviger.yaml", strings.Replace(siteConfig, "auth:", "upstream: {keys: [file:openai-key]}\nauth:", 1))
	p := s.start("serve")
	ticket := p.ticket()
	if r := p.generate(ticket); r.StatusCode != http.StatusBadGateway || strings.TrimSpace(r.body) != `{"error":"Upstream error","code":"upstream_error"}` {
		t.Errorf("with a key that the provider rejects: %d %s", r.StatusCode, r.body)
	}
	p.until("the log tells of the rejected key", func() bool {
		return strings.Contains(p.errs.String(), "an upstream key changed its state") && strings.Contains(p.errs.String(), "file:openai-key")
	})
	if status, _, reasons := p.ready(); status != http.StatusServiceUnavailable || !strings.Contains(reasons, "file:openai-key") {
		t.Errorf("readyz with a rejected key: %d %q", status, reasons)
	}
	s.write("openai-key", s.key+"\n")
	p.untilReady(http.StatusOK, "ready")
	if r := p.generate(ticket); r.StatusCode != http.StatusOK {
		t.Errorf("with the rotated key: %d %s", r.StatusCode, r.body)
	}
	s.write("openai-key", second+"\n")
	p.until("the newest key is used", func() bool { return p.generate(ticket).StatusCode == http.StatusBadGateway })
	for _, key := range []string{s.key, second} {
		if strings.Contains(p.errs.String(), key) {
			t.Error("a rotated key is in the log")
		}
	}
}

// TestReload: one snapshot at a time, and a bad file changes nothing but
// readyz.
func TestReload(t *testing.T) {
	s := newSite(t)
	p := s.start("serve")
	ticket := p.ticket()
	chat := func() int {
		return p.post("/v1/chat/completions", ticket, `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hi"}]}`).StatusCode
	}
	if got := chat(); got != http.StatusOK {
		t.Fatalf("chat before: %d", got)
	}
	for name, bad := range map[string]string{
		"unknown key":    strings.Replace(siteConfig, "environment", "enviroment", 1),
		"no auth":        "environment: development\nauth: []\nplans: [{name: all, models: [gpt-4.1-mini]}]\n",
		"missing secret": strings.Replace(siteConfig, "env:TICKET_SECRET", "env:OTHER_SECRET", 1),
		"half written":   siteConfig[:len(siteConfig)/2] + "{",
		"empty":          "",
	} {
		s.write("claviger.yaml", bad)
		p.untilReady(http.StatusOK, "degraded")
		if _, _, reasons := p.ready(); !strings.Contains(reasons, "claviger.yaml") {
			t.Errorf("%s: readyz does not say why: %q", name, reasons)
		}
		if got := chat(); got != http.StatusOK {
			t.Errorf("%s: the old configuration does not go on: %d", name, got)
		}
		s.write("claviger.yaml", siteConfig)
		p.untilReady(http.StatusOK, "ready")
	}
	s.write("claviger.yaml", strings.Replace(siteConfig, "[responses, chat.completions]", "[responses]", 1))
	p.until("the endpoint is shut", func() bool { return chat() == http.StatusNotFound })
	s.write("claviger.yaml", strings.Replace(siteConfig, "listen: 127.0.0.1:0", "listen: 127.0.0.1:1", 1))
	p.until("readyz says that listen takes a restart", func() bool {
		_, _, reasons := p.ready()
		return strings.Contains(reasons, "restart")
	})
	if err := os.Remove(s.path("claviger.yaml")); err != nil {
		t.Fatal(err)
	}
	p.untilReady(http.StatusOK, "degraded")
	s.write("claviger.yaml", siteConfig)
	p.untilReady(http.StatusOK, "ready")
}

// TestReloadKeepsWhatWasUsed: a reload must not be a way to fresh limits.
func TestReloadKeepsWhatWasUsed(t *testing.T) {
	s := newSite(t)
	tight := strings.Replace(siteConfig, "1000/min", "1/day", 1)
	s.write("claviger.yaml", tight)
	p := s.start("serve")
	ticket := p.ticket()
	if r := p.generate(ticket); r.StatusCode != http.StatusOK {
		t.Fatalf("first: %d %s", r.StatusCode, r.body)
	}
	before := strings.Count(p.errs.String(), "read anew")
	s.write("claviger.yaml", tight+"# changed\n")
	p.until("a reload", func() bool { return strings.Count(p.errs.String(), "read anew") > before })
	if r := p.generate(ticket); r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after a reload: %d, want 429", r.StatusCode)
	}
}

func TestHangUpReloads(t *testing.T) {
	s := newSite(t)
	p := s.start("serve")
	s.vars["OPENAI_API_KEY"] = "" // Not read: the environment of a process does not change.
	before := strings.Count(p.errs.String(), "read anew")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.until("a reload", func() bool { return strings.Count(p.errs.String(), "read anew") > before })
	p.untilReady(http.StatusOK, "ready")
}

// TestDrain: what is under way ends in its own time, nothing new begins, and
// readyz says so.
func TestDrain(t *testing.T) {
	s := newSite(t)
	p := s.start("serve")
	req := p.request("/v1/responses", p.ticket(), `{"model":"gpt-4.1-mini","stream":true,"input":"write 4 words [[fault:stall after=4 for=2s]]"}`)
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	first, err := in.ReadString('\n')
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("stream: %d %q %v", resp.StatusCode, first, err)
	}
	p.cancel()
	p.untilReady(http.StatusServiceUnavailable, "unready")
	if _, _, reasons := p.ready(); !strings.Contains(reasons, "shutting down") {
		t.Errorf("readyz while draining: %q", reasons)
	}
	p.until("new connections are refused", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.public, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	rest, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(rest), "response.completed") {
		t.Errorf("the stream did not end in order: %v\n%s", err, rest)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(p.errs.String(), "are cut") {
		t.Error("a request was cut")
	}
}

// TestDrainIsBounded: who never ends is cut, and still the exit code is 0.
func TestDrainIsBounded(t *testing.T) {
	s := newSite(t)
	b := standardBounds()
	b.drain = 1
	s.bounds = &b
	p := s.start("serve")
	resp, err := p.client.Do(p.request("/v1/responses", p.ticket(), `{"model":"gpt-4.1-mini","stream":true,"input":"[[fault:stall]]"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if code := p.stop(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a stream that was cut looks whole")
	}
	if !strings.Contains(p.errs.String(), "are cut") {
		t.Error("the log does not tell that requests were cut")
	}
	if err := p.sim.Wait(t.Context(), openaitest.Canceled(1)); err != nil {
		t.Errorf("upstream goes on: %v", err)
	}
}
