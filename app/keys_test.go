package app

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openaitest"
)

// keySite is a site whose provider has an administration, and whose key comes from
// a file.
type keySite struct {
	*site
	adminKey string
}

func newKeySite(t *testing.T, upstreamKeys string) *keySite {
	s := &keySite{site: newSite(t), adminKey: canaryKey()}
	s.sim = openaitest.NewServer(t, openaitest.Options{Keys: []string{s.key}, AdminKeys: []string{s.adminKey}, Project: "proj_web", PromptFaults: true})
	s.vars["CLAVIGER_UPSTREAM"] = s.sim.URL
	s.vars["OPENAI_ADMIN_KEY"] = s.adminKey
	delete(s.vars, "OPENAI_API_KEY")
	s.write("openai.key", s.key+"\n")
	s.write("claviger.yaml", siteConfig+"upstream: {keys: ["+upstreamKeys+"]}\n")
	return s
}

func fingerprintOf(key string) string { return claviger.NewSecret([]byte(key)).Fingerprint() }

// quietly checks that no key is in what commands and processes print.
func (s *keySite) quietly(texts ...string) {
	s.t.Helper()
	now, _ := os.ReadFile(s.path("openai.key"))
	for _, text := range texts {
		for what, secret := range map[string]string{"the old key": s.key, "the admin key": s.adminKey, "the key in the file": strings.TrimSpace(string(now))} {
			if secret != "" && strings.Contains(text, secret) {
				s.t.Errorf("%s is in:\n%s", what, text)
			}
		}
	}
}

func (p *process) keys() keysView {
	p.t.Helper()
	var v keysView
	if err := jsonx.Unmarshal([]byte(p.get(p.admin+"/keys").body), &v); err != nil {
		p.t.Fatal(err)
	}
	return v
}

// traffic calls in several ways at once until stop, and counts.
type traffic struct {
	calls, failed atomic.Int64
	first         atomic.Pointer[string]
	wg            sync.WaitGroup
	cancel        context.CancelFunc
}

func (p *process) traffic(ticket string) *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	f := &traffic{cancel: cancel}
	for i := range 6 {
		f.wg.Go(func() {
			for ctx.Err() == nil {
				path, body := "/api/ai/generate", `{"prompt":"hello"}`
				if i%2 == 1 {
					path, body = "/v1/chat/completions", `{"model":"gpt-4.1-mini","stream":true,"messages":[{"role":"user","content":"write 30 words"}]}`
				}
				status, text := p.answer(p.request(path, ticket, body))
				f.calls.Add(1)
				if status != 200 || i%2 == 1 && !strings.Contains(text, "[DONE]") {
					f.failed.Add(1)
					text = fmt.Sprint(status, " ", text)
					f.first.CompareAndSwap(nil, &text)
				}
			}
		})
	}
	return f
}

// answer is do for goroutines.
func (p *process) answer(req *http.Request) (status int, text string) {
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

func (f *traffic) stop() (calls, failed int64, first string) {
	f.cancel()
	f.wg.Wait()
	if t := f.first.Load(); t != nil {
		first = *t
	}
	return f.calls.Load(), f.failed.Load(), first
}

// TestRotate: a key is made, put in the place of the old one, drained and deleted
// while calls go on, of which none fails.
func TestRotate(t *testing.T) {
	s := newKeySite(t, "file:openai.key")
	s.write("claviger.yaml", strings.Replace(siteConfig, "requests: 1000/min", "requests: 100000/min", 1)+"upstream: {keys: [file:openai.key]}\n")
	p := s.start("serve")
	ticket := s.ticket()
	f := p.traffic(ticket)
	rotate := []string{"keys", "rotate", "--gateway", p.admin}
	code, out, errs := s.command(rotate...)
	if code != 0 || !strings.Contains(out, "Nothing is changed without --yes") || len(p.keys().Keys) != 1 || p.keys().Keys[0].Fingerprint != fingerprintOf(s.key) {
		t.Fatalf("a dry run: %d\n%s%s", code, out, errs)
	}
	s.quietly(out, errs)
	for range 3 {
		before, _ := os.ReadFile(s.path("openai.key"))
		code, out, errs := s.command(append(rotate, "--yes")...)
		if code != 0 {
			t.Fatalf("rotate: %d\n%s%s", code, out, errs)
		}
		s.quietly(out, errs)
		t.Log(strings.TrimSpace(errs + out))
		after, _ := os.ReadFile(s.path("openai.key"))
		old, fresh := strings.TrimSpace(string(before)), strings.TrimSpace(string(after))
		v := p.keys()
		if old == fresh || len(v.Keys) != 1 || v.Keys[0].Fingerprint != fingerprintOf(fresh) || len(v.Draining) != 0 || v.Keys[0].AnswersFor != "proj_web" {
			t.Errorf("after the rotation: %+v", v)
		}
		if info, err := os.Stat(s.path("openai.key")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file: %v, %v", info.Mode(), err)
		}
	}
	calls, failed, first := f.stop()
	if failed != 0 || calls == 0 {
		t.Errorf("%d of %d calls failed; the first: %s", failed, calls, first)
	}
	t.Logf("%d calls during three rotations, %d failed", calls, failed)
	refused := 0
	for _, c := range s.sim.Calls().Path("/v1/chat/completions") {
		if c.Status == http.StatusUnauthorized {
			refused++
		}
	}
	if refused > 0 {
		t.Errorf("%d calls reached the provider with a key that was deleted", refused)
	}
	s.quietly(p.errs.String(), p.get(p.admin+"/metrics").body)
}

// TestRotateLeavesNothingBehind: what cannot be finished is said, and leaves the old
// key in use.
func TestRotateLeavesNothingBehind(t *testing.T) {
	s := newKeySite(t, "file:openai.key")
	p := s.start("serve")
	accounts := func() int {
		n := 0
		for _, c := range s.sim.Calls() {
			if strings.HasSuffix(c.Path, "/service_accounts") && c.Method == "POST" && c.Status == 200 {
				n++
			}
			if strings.Contains(c.Path, "/service_accounts/") && c.Method == "DELETE" && c.Status == 200 {
				n--
			}
		}
		return n
	}
	for name, c := range map[string]struct {
		args []string
		vars map[string]string
		want string
	}{
		"no admin key":        {[]string{"--yes"}, map[string]string{"OPENAI_ADMIN_KEY": ""}, "admin-key"},
		"an ordinary key":     {[]string{"--yes"}, map[string]string{"OPENAI_ADMIN_KEY": s.key}, "403"},
		"another project":     {[]string{"--yes", "--project", "proj_other"}, nil, "no key of proj_other looks like this one"},
		"no such key":         {[]string{"--yes", "0123456789ab"}, nil, "keys list"},
		"nowhere to write it": {[]string{"--yes", "--out", "missing/there"}, nil, "cannot be written"},
	} {
		maps.Copy(s.vars, c.vars)
		code, out, errs := s.command(append([]string{"keys", "rotate", "--gateway", p.admin}, c.args...)...)
		s.vars["OPENAI_ADMIN_KEY"] = s.adminKey
		if code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d, %s", name, code, errs)
		}
		s.quietly(out, errs)
	}
	if n := accounts(); n != 0 {
		t.Errorf("%d service accounts are left behind", n)
	}
	// A key that does not become good is taken back.
	code, out, errs := s.command("keys", "rotate", "--yes", "--out", "new.key")
	if code != 0 || accounts() != 1 {
		t.Errorf("--out: %d\n%s%s", code, out, errs)
	}
	s.quietly(out, errs)
	if r := p.post("/api/ai/generate", s.ticket(), `{"prompt":"hello"}`); r.StatusCode != 200 {
		t.Errorf("afterwards: %d %s", r.StatusCode, r.body)
	}
}

// TestRetire: from a fingerprint to a key that is dead, in one command.
func TestRetire(t *testing.T) {
	s := newKeySite(t, "file:openai.key, env:SECOND")
	second := canaryKey()
	s.vars["SECOND"] = second
	p := s.start("serve")
	ticket := s.ticket()
	code, out, errs := s.command("keys", "retire", fingerprintOf(s.key), "--gateway", p.admin, "--reason", "in a repository")
	if code != 0 || !strings.Contains(out, "Deleted") {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	t.Log(strings.TrimSpace(errs + out))
	s.quietly(out, errs)
	p.until("the key is retired", func() bool { return p.keys().Keys[0].State == "retired" })
	code, out, _ = s.command("blocks")
	if code != 0 || !strings.Contains(out, fingerprintOf(s.key)) || !strings.Contains(out, "in a repository") {
		t.Errorf("blocks: %s", out)
	}
	// The other key is none of the provider's, so the retired one would be the only
	// way through.
	if r := p.post("/api/ai/generate", ticket, `{"prompt":"hello"}`); r.StatusCode == 200 {
		t.Errorf("a retired key serves: %d", r.StatusCode)
	}
	if code, _, _ := s.command("keys", "retire", fingerprintOf(s.key), "--undo"); code != 0 {
		t.Errorf("undo: %d", code)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{fingerprintOf(s.key), "--undo"}, 2, "not retired"},
		{[]string{s.key}, 2, "never give the key itself"},
		{[]string{"0123456789ab"}, 1, "by hand"},
		{[]string{"0123456789ab", "--here"}, 0, ""},
	} {
		code, out, errs := s.command(append([]string{"keys", "retire", "--gateway", p.admin}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d\n%s%s", c.want, code, out, errs)
		}
		s.quietly(out, errs)
	}
}

// TestKeyOfAnotherProject: M-S4: a key that is pinned to a project and answers for
// another is taken out of use, and the operator hears it.
func TestKeyOfAnotherProject(t *testing.T) {
	s := newKeySite(t, "{ref: file:openai.key, project: proj_production}")
	p := s.start("serve")
	ticket := s.ticket()
	if r := p.post("/api/ai/generate", ticket, `{"prompt":"hello"}`); r.StatusCode != 200 {
		t.Fatalf("the first call: %d %s", r.StatusCode, r.body)
	}
	if r := p.post("/api/ai/generate", ticket, `{"prompt":"hello"}`); r.StatusCode != 500 || !strings.Contains(r.body, "Server misconfigured") {
		t.Errorf("the second call: %d %s", r.StatusCode, r.body)
	}
	p.untilReady(http.StatusServiceUnavailable, "unready")
	if _, _, why := p.ready(); !strings.Contains(why, "another project") {
		t.Errorf("readyz says %q", why)
	}
	if log := p.errs.String(); !strings.Contains(log, "proj_production") || !strings.Contains(log, "proj_web") {
		t.Errorf("the log:\n%s", log)
	}
	code, out, errs := s.command("keys", "test")
	if code != 1 || !strings.Contains(out, "pinned to proj_production") {
		t.Errorf("keys test: %d\n%s%s", code, out, errs)
	}
	if code, out, _ := s.command("keys", "list", "--gateway", p.admin); code != 1 || !strings.Contains(out, "misplaced") {
		t.Errorf("keys list: %d\n%s", code, out)
	}
	s.write("claviger.yaml", siteConfig+"upstream: {keys: [{ref: file:openai.key, project: proj_web}]}\n")
	p.untilReady(http.StatusOK, "ready")
	if r := p.post("/api/ai/generate", ticket, `{"prompt":"hello"}`); r.StatusCode != 200 {
		t.Errorf("after the pin was put right: %d %s", r.StatusCode, r.body)
	}
	if code, out, errs := s.command("keys", "test", "--format", "json"); code != 0 || !strings.Contains(out, `"answers_for":"proj_web"`) {
		t.Errorf("keys test: %d\n%s%s", code, out, errs)
	}
	s.quietly(out, errs, p.errs.String())
}

// TestKeysOfPlans: plans and actions have keys of their own, and a rotation by file
// alone, without the administration, loses no call.
func TestKeysOfPlans(t *testing.T) {
	s := newKeySite(t, "")
	own := canaryKey()
	s.vars["OWN"] = own
	s.sim = openaitest.NewServer(t, openaitest.Options{Keys: []string{s.key, own}})
	s.vars["CLAVIGER_UPSTREAM"] = s.sim.URL
	s.write("claviger.yaml", siteConfig+"upstream: {keys: [file:openai.key, {ref: env:OWN, actions: [tidy]}]}\n")
	p := s.start("serve")
	ticket := s.ticket()
	for range 3 {
		p.post("/api/ai/generate", ticket, `{"prompt":"hello"}`)
		p.post("/v1/chat/completions", ticket, `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hello"}]}`)
	}
	for _, c := range s.sim.Calls() {
		if want := map[bool]string{true: own, false: s.key}[c.Path == "/v1/responses"]; c.Key != want {
			t.Errorf("%s was called with the wrong key", c.Path)
		}
	}
	if n := len(s.sim.Calls()); n != 6 {
		t.Errorf("%d calls", n)
	}
	code, out, errs := s.command("keys", "list", "--gateway", p.admin)
	if code != 0 || !strings.Contains(out, "action tidy") {
		t.Errorf("keys list: %d\n%s%s", code, out, errs)
	}
	s.write("claviger.yaml", siteConfig+"upstream: {keys: [file:openai.key, {ref: env:OWN, actions: [tidie]}]}\n")
	if code, _, errs := s.command("config", "check"); code != 2 || !strings.Contains(errs, "tidy") {
		t.Errorf("an action that is not there: %d %s", code, errs)
	}
}
