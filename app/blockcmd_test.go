package app

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/keys"
)

// streamEnds opens a stream that goes on, does what, and checks that the stream
// ends with an error event within a second.
func (p *process) streamEnds(ticket string, what func()) {
	p.t.Helper()
	resp, err := p.client.Do(p.request("/v1/responses", ticket, `{"model":"gpt-4.1-mini","stream":true,"input":"write 4 words [[fault:stall after=2 for=15s]]"}`))
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("stream: %d %q %v", resp.StatusCode, line, err)
	}
	what()
	since := time.Now()
	rest, _ := io.ReadAll(in)
	if d := time.Since(since); d > time.Second {
		p.t.Errorf("the stream ended after %v", d)
	}
	if text := string(rest); !strings.Contains(text, "event: error") || strings.Contains(text, "response.completed") {
		p.t.Errorf("the stream ended with\n%s", text)
	}
}

// ok runs a command that has to succeed, and returns what it printed.
func (s *site) ok(args ...string) string {
	s.t.Helper()
	code, out, errs := s.command(args...)
	if code != 0 {
		s.t.Fatalf("%q: exit %d: %s", args, code, errs)
	}
	return out
}

// bad runs a command that has to fail with 2 and a word.
func (s *site) bad(word string, args ...string) {
	s.t.Helper()
	code, out, errs := s.command(args...)
	if code != exitBad || !strings.Contains(errs, word) || out != "" {
		s.t.Errorf("%q: exit %d, %q, %q; want %d and %q", args, code, out, errs, exitBad, word)
	}
	for name, secret := range s.secrets() {
		if strings.Contains(errs, secret) {
			s.t.Errorf("%q shows %s", args, name)
		}
	}
}

// TestBlockWhileServing: the kill switch ends open streams and refuses the next
// call, whatever the state of the configuration file.
func TestBlockWhileServing(t *testing.T) {
	p := newSite(t).start("serve")
	ticket := p.ticket()
	for _, file := range []string{siteConfig, "plans: [{when: \"oops\n" + strings.Replace(siteConfig, "plans:", "plans: [", 1)} {
		p.write("claviger.yaml", file)
		p.streamEnds(ticket, func() { p.ok("block", "everyone", "--reason", "a test") })
		if r := p.generate(ticket); r.StatusCode != http.StatusForbidden {
			t.Errorf("while blocked: %d %s", r.StatusCode, r.body)
		}
		if out := p.ok("blocks"); !strings.Contains(out, "everyone") || !strings.Contains(out, "a test") {
			t.Errorf("blocks: %s", out)
		}
		p.ok("unblock", "everyone")
		p.until("served again", func() bool { return p.generate(ticket).StatusCode == http.StatusOK })
		p.bad("not blocked", "unblock", "everyone")
	}
}

// TestBlockScopes: each scope keeps out whom it names.
func TestBlockScopes(t *testing.T) {
	p := newSite(t).start("serve")
	ada, bob := p.ticket(), p.ticket("--sub", "bob")
	status := func(bearer string) int { return p.generate(bearer).StatusCode }
	for _, c := range []struct {
		args []string
		bob  int
	}{
		{[]string{"user", "--sub", "ada"}, 200},
		{[]string{"plan", "all"}, 403},
	} {
		p.ok(append([]string{"block"}, c.args...)...)
		p.until("ada is kept out", func() bool { return status(ada) != http.StatusOK })
		if got := status(bob); got != c.bob {
			t.Errorf("%q: bob is answered with %d", c.args, got)
		}
		p.ok(append([]string{"unblock"}, c.args...)...)
		p.until("both are served", func() bool { return status(ada) == http.StatusOK && status(bob) == http.StatusOK })
	}
	// Who signs in again is served.
	p.ok("block", "user", "--sub", "ada", "--sessions-before", "now", "--for", "1h")
	p.until("the old ticket is refused", func() bool { return status(ada) == http.StatusUnauthorized || status(ada) == http.StatusForbidden })
	p.until("a new one is good", func() bool { return status(p.ticket()) == http.StatusOK })

	list, err := jsonx.Parse([]byte(p.ok("blocks", "--format", "json")))
	if err != nil || len(list.Elems()) != 1 {
		t.Fatalf("blocks: %v %v", list, err)
	}
	name, _ := list.Elems()[0].Get("name")
	if out := p.ok("unblock", "user", "--pseudonym", name.Str()); !strings.Contains(out, name.Str()) {
		t.Errorf("unblocked %q", out)
	}
	if _, _, errs := p.command("block", "plan", "al"); !strings.Contains(errs, "has no plan") {
		t.Errorf("no word of a plan that is not there: %q", errs)
	}
	if _, _, errs := p.command("block", "service", "web"); errs != "" {
		t.Errorf("a word of a service key that is there: %q", errs)
	}
}

// TestBlockRefuses: nothing is made, nothing guessed, and no secret is taken
// for a place.
func TestBlockRefuses(t *testing.T) {
	s := newSite(t)
	s.bad("no database", "block", "everyone")
	s.bad("no database", "usage")
	if _, err := os.Stat(s.path(".claviger")); err == nil {
		t.Fatal("a command has made the state directory")
	}
	p := s.start("serve")
	for word, args := range map[string][]string{
		"22":            {"user", "--pseudonym", "ada"},
		"future":        {"everyone", "--sessions-before", "2999-01-01"},
		"2006-01-02":    {"everyone", "--sessions-before", "yesterday"},
		"more than":     {"everyone", "--for=0s"},
		"more":          {"everyone", "--for=-1h"},
		"no database":   {"everyone", "--state", "elsewhere"},
		"no reference":  {"everyone", "--database", "postgres://ada:" + p.identity + "@127.0.0.1/x"},
		"it is not set": {"everyone", "--database", "env:NOT_THERE"},
		"memory":        {"everyone", "--database", "memory"},
	} {
		p.bad(word, append([]string{"block"}, args...)...)
	}
	// Broken where it says the place, or who people are.
	for word, c := range map[string]struct {
		text string
		args []string
	}{
		"storage cannot be read": {"storage: {database: sqlite\n" + siteConfig, []string{"block", "everyone"}},
		"state cannot be read":   {"<<<<<<<\nstate: a\n=======\nstate: b\n>>>>>>>\n" + siteConfig, []string{"blocks"}},
		"identity_key cannot":    {strings.Replace(siteConfig, "identity_key: env:IDENTITY_KEY", "identity_key: [env:IDENTITY_KEY", 1), []string{"block", "user", "--sub", "ada"}},
		"no reference":           {strings.Replace(siteConfig, "env:IDENTITY_KEY", p.identity, 1), []string{"block", "user", "--sub", "ada"}},
		"environment cannot":     {"{environment: development", []string{"usage"}},
	} {
		p.write("claviger.yaml", c.text)
		p.bad(word, c.args...)
	}
	if out := p.ok("blocks", "--state", ".claviger", "--format", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("something is blocked: %s", out)
	}
	p.write("claviger.yaml", strings.Replace(siteConfig, "identity_key: env:IDENTITY_KEY\n", "", 1))
	p.bad("is not there", "block", "user", "--sub", "ada")
	if _, err := os.Stat(s.path(".claviger/identity_key")); err == nil {
		t.Error("a command has made a key")
	}
}

// TestLeniently: what can be read by itself is read, and nothing is guessed.
func TestLeniently(t *testing.T) {
	const rest = "plans: [\n  - {oops\nactions: \"\n"
	for _, c := range []struct{ name, text, state, environment, database, identity, broken string }{
		{"defaults", rest, "", "production", "sqlite", "", ""},
		{"all", "\uFEFFstate: /s # here\r\nenvironment: staging\nstorage:\n  limits: memory\n  database: env:DB\nidentity_key: file:k\n" + rest, "/s", "staging", "env:DB", "file:k", ""},
		{"behind what is broken", rest + "\"state\": 'x y'\nstorage: {database: \"sqlite:a b\"}\n", "x y", "production", "sqlite:a b", "", ""},
		{"null", "state:\nstorage: ~\n" + rest, "", "production", "sqlite", "", ""},
		{"only within", "plans:\n  state: no\n  storage: {database: memory}\n" + rest, "", "production", "sqlite", "", ""},
		{"twice", "state: a\nstate: b\n" + rest, "", "production", "sqlite", "", "state"},
		{"an alias", "x: &a b\nstate: *a\n" + rest, "", "production", "sqlite", "", "state"},
		{"a list", "identity_key: [env:A]\n" + rest, "", "production", "sqlite", "", "identity_key"},
		{"a tag", "state: !!str a\n" + rest, "", "production", "sqlite", "", "state"},
		{"database twice", "storage: {database: a, database: b}\n" + rest, "", "production", "sqlite", "", "storage"},
		{"nothing", "", "", "production", "sqlite", "", "environment state storage identity_key"},
		{"one flow", "{state: a}", "", "production", "sqlite", "", "environment state storage identity_key"},
	} {
		cfg, broken := leniently([]byte(c.text))
		got := []string{cfg.State, cfg.Environment, cfg.Storage.Database, string(cfg.IdentityKey), strings.Join(broken, " ")}
		if want := []string{c.state, c.environment, c.database, c.identity, c.broken}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}

// TestPseudonymOfCommand: a command names people as the gateway does.
func TestPseudonymOfCommand(t *testing.T) {
	s := newSite(t)
	p := s.start("serve")
	if r := p.generate(p.ticket()); r.StatusCode != http.StatusOK {
		t.Fatal(r.body)
	}
	out := p.ok("block", "user", "--sub", "ada")
	name, _, _ := strings.Cut(strings.TrimPrefix(out, "Blocked: user "), ",")
	if !pseudonymShape.MatchString(name) || !strings.Contains(p.errs.String(), "subject="+name) {
		t.Errorf("%q is not the name of the log:\n%s", name, p.errs)
	}
	other, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s.vars["IDENTITY_KEY"] = other
	if again := p.ok("block", "user", "--sub", "ada"); strings.Contains(again, name) {
		t.Error("the name does not depend on the key")
	}
}
