package config

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"claviger.dev/claviger/internal/detect"
)

func messages(ps []Problem) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Path+": "+p.Message)
	}
	return out
}

// TestSupported holds the names of the features that a file can ask for.
func TestSupported(t *testing.T) {
	var asked []string
	Supported(func(feature string) bool {
		asked = append(asked, feature)
		return true
	})(mustLoad(t, string(sample(t, "everything.yaml"))))
	slices.Sort(asked)
	want := []string{
		"actions.store", "auth.anonymous", "auth.anonymous.human", "auth.authjs", "auth.better-auth", "auth.forward", "auth.iron-session", "auth.jwt", "auth.service",
		"auth.ticket", "limits.compressed_bodies", "proxy.background", "proxy.prompts", "proxy.store", "retention", "storage.database.postgres", "storage.limits.redis",
		"storage.when_limits_fail",
	}
	if d := cmp.Diff(want, slices.Compact(asked)); d != "" {
		t.Error(d)
	}
	none := Supported(func(string) bool { return false })
	if ps := none(mustLoad(t, "storage: {}\n"+minimal)); len(ps) != 1 || ps[0].Path != "auth[0].ticket" {
		t.Errorf("a default is asked about: %v", ps)
	}
}

func TestUnsupported(t *testing.T) {
	has := Supported(func(f string) bool { return f == "auth.ticket" || f == "storage.limits.memory" })
	ps := problemsOf(t, `auth:
  - jwt: {issuer: https://id.example.com, audience: app}
  - ticket: {secrets: [env:TICKETS]}
  - anonymous: {limits: {requests: 5/min}, human: {hcaptcha: {secret: env:H}}}
plans: [{name: all}]
storage: {database: "sqlite:/var/lib/x.db", limits: env:REDIS_URL, when_limits_fail: refuse}
retention: 30d
proxy: {endpoints: [responses], store: false, background: true}
`, nil, has)
	want := `claviger.yaml:2:10: auth[0].jwt: jwt is not available in this version
claviger.yaml:4:16: auth[2].anonymous: anonymous is not available in this version
claviger.yaml:4:51: auth[2].anonymous.human: a proof that a person is there is not available in this version
claviger.yaml:6:21: storage.database: sqlite is not available in this version
claviger.yaml:6:53: storage.limits: redis is not available in this version
claviger.yaml:7:12: retention: keeping prompts and answers is not available in this version
claviger.yaml:8:59: proxy.background: background is not available in this version`
	if d := cmp.Diff(want, ps.Error()); d != "" {
		t.Error(d)
	}
}

// TestEnviron holds M-S2: a secret under a public prefix stops the start.
func TestEnviron(t *testing.T) {
	key, shared := fakeKey(), strings.Repeat("s3cret", 6)
	// What apps hand to browsers on purpose: a token of an anonymous role.
	part := base64.RawURLEncoding.EncodeToString
	publicToken := part([]byte(`{"alg":"HS256"}`)) + "." + part([]byte(`{"role":"anon"}`)) + "." + part([]byte(strings.Repeat("signature", 4)))
	text := minimal + "upstream: {keys: [env:OPENAI_API_KEY, env:SHORT]}\n"
	fine := []string{"OPENAI_API_KEY=" + key, "TICKETS=" + shared, "SHORT=abc", "NEXT_PUBLIC_A=abc", "NEXT_PUBLIC_URL=https://example.com", "PUBLICITY=" + shared, "EMPTY", "NEXT_PUBLIC_EMPTY=", "NEXT_PUBLIC_SUPABASE_ANON_KEY=" + publicToken, "NEXT_PUBLIC_ORG=org-" + key[3:]}
	if _, err := Load("claviger.yaml", []byte(text), nil, Environ(fine)); err != nil {
		t.Fatal(err)
	}
	bad := []string{"NEXT_PUBLIC_OPENAI_KEY=" + key, "vite_tickets=" + shared, "EXPO_PUBLIC_" + key + "=" + key}
	got := problemsOf(t, text, nil, Environ(append(bad, fine...))).Error()
	for _, s := range []string{key, shared} {
		if strings.Contains(got, s) {
			t.Fatal("the message tells the secret")
		}
	}
	want := `environment: EXPO_PUBLIC_…: holds a secret, and EXPO_PUBLIC_ has it copied into code for browsers
    unset it, use a name without the prefix, and replace the key: it may be public already
environment: NEXT_PUBLIC_OPENAI_KEY: holds a secret, and NEXT_PUBLIC_ has it copied into code for browsers
    unset it, use a name without the prefix, and replace the key: it may be public already
environment: vite_tickets: holds a secret, and VITE_ has it copied into code for browsers
    unset it, use a name without the prefix, and replace the key: it may be public already`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestPublicPrefix(t *testing.T) {
	for name, want := range map[string]string{
		"NEXT_PUBLIC_X": "NEXT_PUBLIC_", "next_public_x": "NEXT_PUBLIC_", "VITE_KEY": "VITE_", "REACT_APP_K": "REACT_APP_", "EXPO_PUBLIC_K": "EXPO_PUBLIC_",
		"NUXT_PUBLIC_K": "NUXT_PUBLIC_", "PUBLIC_KEY": "PUBLIC_", "GATSBY_K": "GATSBY_",
		"OPENAI_API_KEY": "", "NEXTAUTH_SECRET": "", "MY_PUBLIC_KEY": "", "": "", "VITE": "",
	} {
		if got := detect.PublicPrefix(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestPrices(t *testing.T) {
	known := Prices(func(m string) bool { return m == "gpt-4.1" })
	text := `auth: [{ticket: {secrets: [env:TICKETS]}}]
plans:
  - {name: paid, when: user.claims.paid, models: [gpt-4.1, gpt-9, gpt-*], limits: {spend: 5 USD/day}}
  - {name: free, models: [gpt-8]}
actions:
  a: {model: gpt-4.1}
  b: {model: gpt-7}
`
	want := []string{
		"plans[0].models[1]: no price is known for this model, so spending on it cannot be limited",
		"actions.b.model: no price is known for this model, so spending on it cannot be limited",
	}
	if d := cmp.Diff(want, messages(problemsOf(t, text, nil, known))); d != "" {
		t.Error(d)
	}
	ps := problemsOf(t, text+"limits: {total: {spend: 9 USD/day}}\n", nil, known)
	if len(ps) != 3 || ps[1].Path != "plans[1].models[0]" || !strings.Contains(ps[1].Hint, "gpt-8:") {
		t.Error(ps)
	}
	if _, err := Load("c", []byte(strings.ReplaceAll(text, "limits: {spend: 5 USD/day}", "limits: {}")), nil, known); err != nil {
		t.Error("prices are needed although nobody limits spending:", err)
	}
}

func TestWarnings(t *testing.T) {
	if got := messages(mustLoad(t, minimal).Warnings()); len(got) != 1 || !strings.Contains(got[0], "nothing is served") {
		t.Error(got)
	}
	c := mustLoad(t, `auth: [{ticket: {secrets: [env:TICKETS]}}]
plans: [{name: all, models: [gpt-4.1*]}]
behind_tls_proxy: true
origins: [http://app.example.com, http://localhost:3000]
limits: {per_ip: {requests: 5/min}}
actions: {a: {model: gpt-4.1-mini}, b: {model: gpt-5}}
`)
	want := []string{
		"actions.b: no plan lets anybody run this action with its model",
		"origins[0]: pages that come by http can be changed on their way",
		"limits.per_ip: without trusted_proxies every caller has the proxy's address",
	}
	if d := cmp.Diff(want, messages(c.Warnings())); d != "" {
		t.Error(d)
	}
}
