package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/internal/jsonx"
)

// look runs the doctor and gives its exit code, its diagnoses as "state check:
// message → fix", and says when a secret is in what it printed.
func (s *site) look(args ...string) (code int, found string) {
	s.t.Helper()
	code, out, errs := s.command(append([]string{"doctor", "--format", "json"}, args...)...)
	_, text, _ := s.command(append([]string{"doctor"}, args...)...)
	for what, secret := range s.secrets() {
		if strings.Contains(out+text+errs, secret) {
			s.t.Errorf("%s is shown", what)
		}
	}
	v, err := jsonx.Parse([]byte(out))
	if err != nil {
		s.t.Fatalf("exit %d, no JSON: %v\n%s%s", code, err, out, errs)
	}
	checks, _ := v.Get("checks")
	var b strings.Builder
	for _, c := range checks.Elems() {
		part := func(name string) string {
			x, _ := c.Get(name)
			return x.Str()
		}
		fmt.Fprintf(&b, "%s %s: %s → %s\n", part("state"), part("check"), part("message"), part("fix"))
		if first, _, _ := strings.Cut(part("message"), "\n"); !strings.Contains(text, printable(first)) {
			s.t.Errorf("the text does not say %q:\n%s", first, text)
		}
	}
	return code, b.String()
}

func (s *site) diagnosed(code int, found string, wantCode int, want ...string) {
	s.t.Helper()
	if code != wantCode {
		s.t.Errorf("exit %d, want %d", code, wantCode)
	}
	for _, w := range want {
		if !strings.Contains(found, w) {
			s.t.Errorf("nothing says %q", w)
		}
	}
	if s.t.Failed() {
		s.t.Fatal(found)
	}
}

// TestDoctor breaks an installation in one way after another, and wants to be
// told each, with what to do.
func TestDoctor(t *testing.T) {
	t.Run("nothing is wrong", func(t *testing.T) {
		s := newSite(t)
		code, found := s.look()
		s.diagnosed(code, found, 0, "ok configuration", "ok upstream key: can be read: 1", "ok files", "ok upstream: ", "ok clock: the provider",
			"there is no database of claviger yet")
		if strings.Contains(found, "fail ") {
			t.Error(found)
		}
		if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != 1 {
			t.Errorf("it left something behind: %v, %v", entries, err)
		}
		s.start("serve").stop()
		code, found = s.look()
		s.diagnosed(code, found, 0, "ok database: ")
	})
	t.Run("no key", func(t *testing.T) {
		s := newSite(t)
		delete(s.vars, "OPENAI_API_KEY")
		code, found := s.look()
		s.diagnosed(code, found, 1, "fail upstream key: ", "OPENAI_API_KEY")
	})
	t.Run("bad configuration", func(t *testing.T) {
		s := newSite(t)
		s.write("claviger.yaml", siteConfig+"nonsense: 1\n")
		code, found := s.look()
		s.diagnosed(code, found, 2, "fail configuration: ", "nonsense")
		delete(s.vars, "TICKET_SECRET")
		s.write("claviger.yaml", siteConfig)
		code, found = s.look()
		s.diagnosed(code, found, 2, "fail configuration: ", "TICKET_SECRET")
	})
	t.Run("modes", func(t *testing.T) {
		s := newSite(t)
		s.start("serve").stop()
		for path, mode := range map[string]os.FileMode{"claviger.yaml": 0o666, ".claviger": 0o755, ".claviger/claviger.db": 0o644} {
			if err := os.Chmod(s.path(path), mode); err != nil {
				t.Fatal(err)
			}
		}
		code, found := s.look()
		s.diagnosed(code, found, 1, "has mode 0666: others may change", "chmod go-w "+s.path("claviger.yaml"),
			"has mode 0755: others may enter", "chmod 700 "+s.path(".claviger"), "warn files: "+s.path(".claviger/claviger.db")+" has mode 0644", "chmod 600")
	})
	t.Run("provider", func(t *testing.T) {
		s := newSite(t)
		off := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("the key was sent")
			}
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusUnauthorized)
		}))
		defer off.Close()
		s.vars["CLAVIGER_UPSTREAM"] = off.URL
		code, found := s.look()
		s.diagnosed(code, found, 0, "ok upstream: ", "warn clock: the clock of the provider and of this machine differ by 1h0m0s")
		off.Close()
		code, found = s.look()
		s.diagnosed(code, found, 1, "fail upstream: ", "HTTPS_PROXY")
		code, found = s.look("--offline")
		s.diagnosed(code, found, 0, "ok network: ")
	})
	t.Run("trusted proxies", func(t *testing.T) {
		s := newSite(t)
		s.write("claviger.yaml", siteConfig+"trusted_proxies: [52.0.0.0/10, 10.0.0.0/8]\n")
		code, found := s.look()
		s.diagnosed(code, found, 0, "warn configuration: ", "52.0.0.0/10 holds strangers")
		if strings.Contains(found, "10.0.0.0/8 holds") {
			t.Error(found)
		}
	})
	t.Run("memory", func(t *testing.T) {
		s := newSite(t)
		s.write("claviger.yaml", siteConfig+"storage: {database: memory}\n")
		code, found := s.look()
		s.diagnosed(code, found, 0, "warn database: ", "forgotten with the process")
	})
	t.Run("gateway", func(t *testing.T) {
		s := newSite(t)
		delete(s.vars, "OPENAI_API_KEY")
		p := s.start("serve")
		s.vars["OPENAI_API_KEY"] = s.key
		s.write("other.yaml", strings.Replace(siteConfig, "admin: {listen: 127.0.0.1:0}", "admin: {listen: '"+strings.TrimPrefix(p.admin, "http://")+"'}", 1))
		code, found := s.look("--config", "other.yaml")
		s.diagnosed(code, found, 1, "fail gateway: the one that runs here says: ", "OPENAI_API_KEY", "ok upstream key: ")
		p.stop()
		code, found = s.look("--config", "other.yaml")
		s.diagnosed(code, found, 0, "ok gateway: none runs here")
	})
}

// TestDoctorEngines breaks Redis and PostgreSQL.
func TestDoctorEngines(t *testing.T) {
	s := newSite(t)
	dir := shortDir(t)
	url, stop := redisServer(t, dir)
	s.vars["REDIS"], s.vars["DATABASE"] = url, stressDatabase.URL(t)
	s.write("claviger.yaml", siteConfig+"storage: {limits: env:REDIS, database: env:DATABASE}\n")
	code, found := s.look()
	s.diagnosed(code, found, 0, "ok limits: ", "ok clock: Redis", "warn database: ", "there is no database of claviger yet")
	one := s.start("serve")
	code, found = s.look()
	s.diagnosed(code, found, 0, "ok database: PostgreSQL", "ok clock: PostgreSQL")
	one.stop()
	other := s.identity
	s.vars["IDENTITY_KEY"] = s.ticketSecret
	code, found = s.look()
	s.diagnosed(code, found, 1, "fail limits: ", "another identity key")
	s.vars["IDENTITY_KEY"] = other
	s.write("claviger.yaml", siteConfig+"storage: {limits: env:REDIS, when_limits_fail: allow}\n")
	code, found = s.look()
	s.diagnosed(code, found, 0, "warn limits: ", "owners, blocks and tickets of their own", "without limits")
	stop()
	s.vars["DATABASE"] = strings.Replace(s.vars["DATABASE"], "/test", "/none", 1)
	s.write("claviger.yaml", siteConfig+"storage: {limits: env:REDIS, database: env:DATABASE}\n")
	code, found = s.look()
	s.diagnosed(code, found, 1, "fail limits: ", "see that Redis runs", "fail database: ")
}
