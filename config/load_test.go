package config

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// sample reads a file of testdata.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// minimal is about the shortest file that loads.
const minimal = "auth: [{ticket: {secrets: [env:TICKETS]}}]\nplans: [{name: all}]\n"

func mustLoad(t testing.TB, text string, checks ...Check) *Config {
	t.Helper()
	c, err := Load("claviger.yaml", []byte(text), nil, checks...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problemsOf loads a file that is wrong.
func problemsOf(t testing.TB, text string, env Lookup, checks ...Check) Problems {
	t.Helper()
	c, err := Load("claviger.yaml", []byte(text), env, checks...)
	ps, ok := errors.AsType[Problems](err)
	if !ok || c != nil {
		t.Fatalf("loaded, or failed otherwise: %v", err)
	}
	return ps
}

func vars(m map[string]string) Lookup {
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

// equal compares what configurations say.
func equal(a, b *Config) string {
	// A key without settings of its own may be written with or without "ref".
	place := cmp.Transformer("place", func(r RefAt) [2]string { return [2]string{strings.TrimSuffix(r.Path, ".ref"), string(r.Ref)} })
	return cmp.Diff(a, b, place,
		cmp.FilterPath(func(p cmp.Path) bool {
			f, ok := p.Last().(cmp.StructField)
			return ok && (f.Name() == "pos" || f.Name() == "zone" || f.Name() == "wrong")
		}, cmp.Ignore()),
		cmp.AllowUnexported(Config{}),
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b jsonx.Value) bool {
			return bytes.Equal(jsonx.Append(nil, a), jsonx.Append(nil, b)) && a.IsZero() == b.IsZero()
		}),
	)
}

// printed is the configuration as Print writes it.
func printed(t testing.TB, c *Config) string {
	t.Helper()
	var b strings.Builder
	if err := Print(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestContractSample(t *testing.T) {
	c := mustLoad(t, string(sample(t, "contract.yaml")))
	temperature := (*float64)(nil)
	want := &Config{
		Environment: Production, Listen: "127.0.0.1:8787", Admin: Admin{"127.0.0.1:8788"},
		Origins: []string{"https://app.example.com"}, OriginSuffixes: []OriginSuffix{}, Hosts: []string{}, TrustedProxies: []netip.Prefix{},
		IdentityKey: "env:CLAVIGER_IDENTITY_KEY",
		Upstream: Upstream{
			BaseURL: "https://api.openai.com/v1", KeyHeader: "bearer", KeyProcess: "same", Keys: []UpstreamKey{{Ref: "env:OPENAI_API_KEY", Weight: 1}},
			Timeouts: Timeouts{5 * time.Second, 120 * time.Second, 60 * time.Second, 15 * time.Minute},
		},
		Auth: []Authenticator{
			{AuthJS: &AuthJS{Secrets: []claviger.Ref{"env:AUTH_SECRET"}, Realm: "app"}},
			{JWT: &JWT{Issuer: "https://example.clerk.accounts.dev", Audience: []string{"my-app"}, Algorithms: []string{"RS256", "ES256", "EdDSA"}, Subject: "sub", Realm: "app"}},
			{Ticket: &Ticket{Secrets: []claviger.Ref{"env:CLAVIGER_TICKET_SECRET"}, Audience: "claviger", Realm: "app"}},
			{Service: &Service{Keys: []ServiceKey{{Name: "web", Secret: "env:CLAVIGER_SERVICE_KEY", Realm: "app", TicketTTL: 15 * time.Minute, DPoP: "optional"}}}},
		},
		Plans: []Plan{
			{Name: "pro", When: `user.claims.plan == "pro"`, Models: []string{"gpt-4.1", "gpt-4.1-mini"}, Limits: PlanLimits{
				Rates: Rates{
					Requests: []claviger.Window{{Limit: 60, Per: claviger.PeriodMinute}}, Concurrency: 8,
					Tokens: []claviger.Window{{Limit: 2_000_000, Per: claviger.PeriodDay}},
					Spend:  []claviger.Window{{Limit: 20_000_000, Per: claviger.PeriodDay, Currency: "USD"}},
				}, MaxInputTokens: 30_000,
			}},
			{Name: "free", Models: []string{"gpt-4.1-mini"}, Limits: PlanLimits{
				Rates: Rates{
					Requests: []claviger.Window{{Limit: 10, Per: claviger.PeriodMinute}}, Concurrency: 2,
					Tokens: []claviger.Window{{Limit: 50_000, Per: claviger.PeriodDay}},
				}, MaxOutputTokens: 1000,
			}},
		},
		Limits: Limits{
			PerIP: Rates{Requests: []claviger.Window{{Limit: 60, Per: claviger.PeriodMinute}}},
			Total: Rates{Spend: []claviger.Window{{Limit: 200_000_000, Per: claviger.PeriodDay, Currency: "USD"}}},
			Body:  1 << 20, Upload: 25 << 20,
		},
		Actions: []Action{
			{
				Name: "generate-text", Path: "/api/ai/generate", Kind: "text", Model: "gpt-4.1-mini", Instructions: "Answer in one short paragraph.",
				Input:           mustJSON(t, `{"type":"object","required":["prompt"],"additionalProperties":false,"properties":{"prompt":{"type":"string","minLength":1,"maxLength":2000}}}`),
				MaxOutputTokens: 4096, Temperature: temperature,
			},
			{Name: "assistant", Kind: "chat", Model: "gpt-4.1-mini", Instructions: "Be brief.", Turns: 20, Characters: 8000, MaxOutputTokens: 4096},
		},
		Proxy: &Proxy{
			Endpoints: []string{"responses", "chat.completions", "embeddings"}, Tools: []string{"function", "custom"}, MaxChoices: 1,
			DefaultMaxOutputTokens: 4096, Prompts: []string{}, User: "refuse", Metadata: "refuse",
		},
		State: "/var/lib/claviger", Storage: Storage{"sqlite", "memory", "refuse"}, TimeZone: "UTC", Log: Log{"text", "info"},
	}
	want.refs = c.refs
	if d := equal(want, c); d != "" {
		t.Error(d)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Error(w)
	}
}

func mustJSON(t testing.TB, s string) jsonx.Value {
	t.Helper()
	v, err := jsonx.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPrintRoundTrip(t *testing.T) {
	for _, name := range []string{"contract.yaml", "everything.yaml", "anchors.yaml"} {
		t.Run(name, func(t *testing.T) {
			c := mustLoad(t, string(sample(t, name)))
			text := printed(t, c)
			again, err := Load("claviger.yaml", []byte(text), nil)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if d := equal(c, again); d != "" {
				t.Errorf("%s\n%s", d, text)
			}
			if second := printed(t, again); second != text {
				t.Error("printing twice gives two texts")
			}
		})
	}
}

// TestDefaults holds the contract's defaults, in the shortest file.
func TestDefaults(t *testing.T) {
	c := mustLoad(t, minimal)
	golden(t, "testdata/minimal.golden", printed(t, c))
	if c.Proxy != nil || c.TLS != nil || c.IdentityKey != "" || c.Zone() != time.UTC || c.Retention.Any() {
		t.Errorf("%+v", c)
	}
	want := []RefAt{{"upstream.keys[0]", "env:OPENAI_API_KEY"}, {"auth[0].ticket.secrets[0]", "env:TICKETS"}}
	if d := cmp.Diff(want, c.Refs()); d != "" {
		t.Error(d)
	}
}

func TestTimeZoneOfWindows(t *testing.T) {
	c := mustLoad(t, minimal+`time_zone: Europe/Zurich
limits:
  total: {spend: [5 USD/day, 100 USD/month], tokens: [1M/min, 2M/h], requests: 5/day}
`)
	for _, l := range c.Limits.Total.All() {
		calendar := l.Kind != claviger.ChargeRate && l.Window.Per >= claviger.PeriodHour
		if zoned := l.Window.Zone != nil; zoned != calendar {
			t.Errorf("%+v: zone %v", l, l.Window.Zone)
		}
	}
	if c.Zone().String() != "Europe/Zurich" {
		t.Error(c.Zone())
	}
}

func TestOverrides(t *testing.T) {
	env := map[string]string{
		EnvListen: "127.0.0.1:1111", EnvAdminListen: "127.0.0.1:2222", EnvUpstream: "http://127.0.0.1:3333/v1/", EnvLog: "json,debug",
	}
	c, err := Load("claviger.yaml", []byte(minimal+"listen: 127.0.0.1:9\nlog: {level: warn}\n"), vars(env))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:1111" || c.Admin.Listen != "127.0.0.1:2222" || c.Upstream.BaseURL != "http://127.0.0.1:3333/v1" || c.Log != (Log{"json", "debug"}) {
		t.Errorf("%+v", c)
	}
	c, err = Load("claviger.yaml", []byte(minimal), vars(map[string]string{EnvListen: "", EnvLog: "warn"}))
	if err != nil || c.Listen != "127.0.0.1:8787" || c.Log != (Log{"text", "warn"}) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWrongOverrides(t *testing.T) {
	key := fakeKey()
	env := map[string]string{EnvListen: "0.0.0.0:80", EnvAdminListen: "8788", EnvUpstream: "http://" + key + "@example.com", EnvLog: "loud"}
	got := problemsOf(t, minimal, vars(env)).Error()
	want := `CLAVIGER_ADMIN_LISTEN: admin.listen: must be an address and a port, as 127.0.0.1:8787
CLAVIGER_LISTEN: listen: beyond loopback the listener needs TLS, or credentials travel for everybody on the way to read
    add tls: {cert: file:…, key: file:…}, or behind_tls_proxy: true where a proxy in front ends TLS
CLAVIGER_LOG: log: must be a format (text, json), a level (debug, info, warn, error) or both
    as json,debug
CLAVIGER_UPSTREAM: upstream.base_url: the variable holds what looks like a key
    set it to an address, as https://api.openai.com/v1`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestWhere holds the places that later checks report.
func TestWhere(t *testing.T) {
	c := mustLoad(t, `auth:
  - ticket: {secrets: [env:TICKETS]}
plans:
  - name: pro
    when: user.claims.plan == "pro"
  - name: team
    when: 'user.realm == "team"'
  - name: text
    when: |
      user.realm == "x"
  - {name: all, models: [a, "b"]}
prices: {gpt-4.1: {input: 1 USD, output: 2 USD}}
`)
	for path, want := range map[string]string{
		"plans[0].when": "claviger.yaml:5:11", "plans[3].models[1]": "claviger.yaml:11:29", "plans[3].when": "claviger.yaml:11:5",
		"plans[9]": "claviger.yaml:4:3", "nowhere.at.all": "claviger.yaml:1:1", "auth[0].ticket": "claviger.yaml:2:13",
		`prices["gpt-4.1"].input`: "claviger.yaml:12:27", `prices["gpt-4.1"].nothing`: "claviger.yaml:12:19", "": "claviger.yaml:1:1",
	} {
		if got := c.Where(path).String(); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for _, w := range []struct {
		path         string
		line, column int
		want         string
	}{
		{"plans[0].when", 1, 6, "claviger.yaml:5:16"},
		{"plans[1].when", 1, 1, "claviger.yaml:7:12"},
		{"plans[2].when", 1, 3, "claviger.yaml:9:11"},
		{"plans[0].when", 2, 3, "claviger.yaml:5:11"},
		{"plans[0].when", 1, 0, "claviger.yaml:5:11"},
	} {
		if got := c.Within(w.path, w.line, w.column).String(); got != w.want {
			t.Errorf("%+v: %s", w, got)
		}
	}
}

// TestChecksOfOthers holds that a check is heard, and not about what is already
// reported.
func TestChecksOfOthers(t *testing.T) {
	check := func(c *Config) []Problem {
		return []Problem{
			c.Problem("plans[0].when", "does not compile", "look again"),
			c.Problem("listen", "is odd", ""), c.Problem("upstream.base_url", "is odd", ""),
		}
	}
	ps := problemsOf(t, "listen: nonsense\n"+minimal+"upstream: 7\n", nil, check)
	var got []string
	for _, p := range ps {
		got = append(got, p.Path+": "+p.Message)
	}
	want := []string{
		"listen: must be an address and a port, as 127.0.0.1:8787", "plans[0].when: does not compile", "upstream: must be keys with values",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	text := minimal + "origins: [" + strings.Repeat("'*', ", 500) + "]\n"
	got := problemsOf(t, text, nil).Error()
	if n := strings.Count(got, "\n"); n > 2*maxShown+1 || !strings.HasSuffix(got, "and 450 more") {
		t.Errorf("%d lines, at the end %q", n, got[len(got)-40:])
	}
}

func TestTooLarge(t *testing.T) {
	for name, text := range map[string]string{
		"bytes": minimal + "#" + strings.Repeat("x", maxBytes),
		"depth": minimal + "actions: {a: {model: m, input: " + strings.Repeat("{a: ", 5000) + strings.Repeat("}", 5000) + "}}",
		"flow":  strings.Repeat("[", 200_000),
		"UTF16": "\xff\xfea\x00",
	} {
		start := time.Now()
		if ps := problemsOf(t, text, nil); len(ps.Error()) > 4000 {
			t.Errorf("%s: a message of %d bytes", name, len(ps.Error()))
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// TestTextsRoundTrip holds that any text is printed so that it is read the same.
func TestTextsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		instructions := rapid.StringN(1, 60, -1).Draw(t, "instructions")
		quoted := string(jsonx.AppendString(nil, "x"+instructions))
		text := minimal + "actions: {a: {kind: chat, model: m, instructions: " + quoted + "}}\n"
		c, err := Load("claviger.yaml", []byte(text), nil)
		if err != nil {
			t.Skip() // a placeholder, or what YAML cannot hold
		}
		var b strings.Builder
		if err := Print(&b, c); err != nil {
			t.Fatal(err)
		}
		again, err := Load("claviger.yaml", []byte(b.String()), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if d := equal(c, again); d != "" {
			t.Fatalf("%s\n%q", d, b.String())
		}
	})
}

func TestBytes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\xef\xbb\xbf" + minimal, ""},
		{strings.ReplaceAll(minimal, "\n", "\r\n"), ""},
		{"# é €\n" + minimal, ""},
		{minimal + "a\xff", "claviger.yaml:3:2: the file is not in UTF-8 from here on"},
		{"\xff\xfeo\x00", "claviger.yaml:1:1: the file is in UTF-16"},
		{"# é\x00", "claviger.yaml:1:4: a control character stands here"},
		{"# \u009b31m", "claviger.yaml:1:3: a control character stands here"},
		{"", "claviger.yaml:1:1: the file is empty"},
		{"---\n...\n", "claviger.yaml:1:1: the file is empty"},
		{"~\n", "claviger.yaml:1:1: the file is empty"},
		{"%YAML 1.1\n---\na: 1\n", ""},
	} {
		_, err := Load("claviger.yaml", []byte(c.text), nil)
		got := ""
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), "\n")
		}
		if c.want != "" && got != c.want {
			t.Errorf("%q: %s", c.text, got)
		}
		if c.want == "" && strings.HasPrefix(c.text, "%") == (err == nil) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

// TestNamesDoNotSteerTerminals holds that a key with an escape sequence in it is
// shown, not sent.
func TestNamesDoNotSteerTerminals(t *testing.T) {
	got := problemsOf(t, minimal+`"\e[2J": 1
actions: {a: {model: m, input: {type: object, properties: {"\e[2J": {}, "\u202e": {}}}}}
`, nil).Error()
	if strings.ContainsAny(got, "\x1b\u202e") || !strings.Contains(got, `["\x1b[2J"]: unknown key`) {
		t.Errorf("%q", got)
	}
}
