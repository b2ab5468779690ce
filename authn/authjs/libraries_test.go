package authjs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/internal/seal"
)

type libraryCookie struct{ Name, Value string }

// libraryAnswer is what testdata/authjs/sessions.mjs says.
type libraryAnswer struct {
	Sealed  string
	Cookies []libraryCookie
	Claims  map[string]any
	Error   string
}

// askLibraries runs next-auth 5.0.0-beta.32, @auth/core 0.41.3, next-auth
// 4.24.15 and jose 6 on the questions.
func askLibraries(t *testing.T, secrets []claviger.Secret, questions []map[string]any) []libraryAnswer {
	t.Helper()
	const dir = "testdata/authjs"
	node := gatetest.Node(t, dir)
	var in bytes.Buffer
	for _, q := range questions {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	var texts []string
	for _, s := range secrets {
		texts = append(texts, string(s.Reveal(seal.ForReveal())))
	}
	env, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "sessions.mjs")
	cmd.Dir, cmd.Stdin = dir, &in
	cmd.Env = append(cmd.Environ(), "SESSION_SECRETS="+string(env))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%.2000s", err, out)
	}
	var answers []libraryAnswer
	for line := range bytes.Lines(out) {
		var a libraryAnswer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%v in %.200q", err, line)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

func cookiesOf(t *testing.T, a libraryAnswer) *http.Request {
	t.Helper()
	var pairs []string
	for _, c := range a.Cookies {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return withCookies(t, pairs...)
}

// TestSessionsOfTheLibraries opens what the real libraries make.
func TestSessionsOfTheLibraries(t *testing.T) {
	newest, oldest := secret(), secret()
	secrets := []claviger.Secret{newest, oldest}
	claims := map[string]any{
		"sub": "user-1", "name": "Ümläut 名 \u2028 \"quoted\"", "email": "u@example.com", "plan": "pro",
		"roles": []string{"admin"}, "nested": map[string]any{"a": []any{1.5, nil, true}},
	}
	large := map[string]any{"sub": "user-1", "pad": strings.Repeat("€", 4000)}
	const secureName = "__Secure-" + plainName
	for _, c := range []struct {
		name     string
		question map[string]any
		options  Options
		bearer   bool
		chunks   int
		ok       bool
	}{
		{"version 5", map[string]any{"ask": "encode5", "token": claims, "name": plainName}, Options{}, false, 1, true},
		{"version 5 as bearer", map[string]any{"ask": "encode5", "token": claims, "name": plainName}, Options{}, true, 1, true},
		{"version 5 secure", map[string]any{"ask": "encode5", "token": claims, "name": secureName}, Options{Secure: true}, false, 1, true},
		{"version 5 own name", map[string]any{"ask": "encode5", "token": claims, "name": "sid"}, Options{Cookie: "sid"}, false, 1, true},
		{"version 5 in chunks", map[string]any{"ask": "encode5", "token": large, "name": plainName}, Options{}, false, 5, true},
		{"version 5 with the older secret", map[string]any{"ask": "encode5", "token": claims, "name": plainName, "with": 1}, Options{}, false, 1, true},
		{"version 5 for 30 days", map[string]any{"ask": "encode5", "token": claims, "name": plainName, "maxAge": 30 * 24 * 3600}, Options{Version: 5}, false, 1, true},
		{"version 5 ended", map[string]any{"ask": "encode5", "token": claims, "name": plainName, "maxAge": -60}, Options{}, false, 1, false},
		{"version 5 ended within the tolerance", map[string]any{"ask": "encode5", "token": claims, "name": plainName, "maxAge": -5}, Options{}, false, 1, true},
		{"version 5 without sub", map[string]any{"ask": "encode5", "token": map[string]any{"name": "x"}, "name": plainName}, Options{}, false, 1, false},
		{"version 5 under another name", map[string]any{"ask": "encode5", "token": claims, "name": "sid"}, Options{}, true, 1, false},
		{"version 5 where 4 is read", map[string]any{"ask": "encode5", "token": claims, "name": plainName}, Options{Version: 4}, true, 1, false},
		{"version 4", map[string]any{"ask": "encode4", "token": claims}, Options{}, true, 0, true},
		{"version 4 alone", map[string]any{"ask": "encode4", "token": claims}, Options{Version: 4}, true, 0, true},
		{"version 4 with the older secret", map[string]any{"ask": "encode4", "token": claims, "with": 1}, Options{}, true, 0, true},
		{"version 4 where 5 is read", map[string]any{"ask": "encode4", "token": claims}, Options{Version: 5}, true, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := askLibraries(t, secrets, []map[string]any{c.question})[0]
			if got.Error != "" || len(got.Cookies) != c.chunks {
				t.Fatalf("%s, %d cookies", got.Error, len(got.Cookies))
			}
			c.options.Secrets, c.options.Now = secrets, time.Now
			a := make1(t, c.options)
			r := cookiesOf(t, got)
			if c.bearer {
				r = withCookies(t)
				r.Header.Set("Authorization", "Bearer "+got.Sealed)
			}
			p, err := a.Authenticate(t.Context(), r)
			if (err == nil) != c.ok {
				t.Fatalf("let in: %v, want %v", err, c.ok)
			}
			if err != nil {
				return
			}
			want, _ := c.question["token"].(map[string]any)
			if p.Subject != "user-1" || p.Claims["name"] != want["name"] || p.Claims["plan"] != want["plan"] {
				t.Errorf("%+v", p)
			}
			if want["roles"] != nil && !slices.Equal(p.Roles, []string{"admin"}) {
				t.Errorf("roles %q", p.Roles)
			}
			if _, ok := p.Claims["jti"].(string); !ok || p.Expires.IsZero() {
				t.Errorf("jti %v, expires %s", p.Claims["jti"], p.Expires)
			}
		})
	}
}

// TestIssuedForTheLibraries has the real libraries open what Issue makes, and
// compares the kid.
func TestIssuedForTheLibraries(t *testing.T) {
	secrets := []claviger.Secret{secret(), secret()}
	a := make1(t, Options{Secrets: secrets, Now: time.Now, Version: 5, Secure: true})
	old := make1(t, Options{Secrets: secrets[:1], Now: time.Now, Version: 4})
	claims := claviger.Claims{"sub": "user-2", "plan": "free"}
	name, small, err := a.Issue(claims, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, large, err := a.Issue(claviger.Claims{"sub": "user-2", "plan": "free", "pad": strings.Repeat("p", 9000)}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, v4, err := old.Issue(claims, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	header := func(cs []*http.Cookie) string {
		var out []string
		for _, c := range cs {
			out = append(out, c.Name+"="+c.Value)
		}
		return strings.Join(out, "; ")
	}
	key := func(d derived) string { return base64.RawURLEncoding.EncodeToString(d.bytes()) }
	k := a.keyrings[0]
	exp := time.Now().Add(time.Hour).Unix()
	answers := askLibraries(t, secrets, []map[string]any{
		{"ask": "read5", "cookie": header(small), "name": name, "secure": true},
		{"ask": "read5", "cookie": header(large), "name": name, "secure": true},
		{"ask": "decode4", "sealed": v4[0].Value},
		{"ask": "encode5", "token": claims, "name": name},
		// A key that came out differently would open none of these.
		{"ask": "jwe", "header": map[string]any{"alg": "dir", "enc": "A256GCM"}, "claims": map[string]any{"sub": "user-2", "exp": exp}, "key": key(k.gcm[0])},
		{"ask": "jwe", "header": map[string]any{"alg": "dir", "enc": "A256CBC-HS512"}, "claims": map[string]any{"sub": "user-2", "exp": exp}, "key": key(k.cbc[0])},
		{"ask": "jwe", "header": map[string]any{"alg": "dir", "enc": "A256GCM", "kid": k.gcm[0].kid}, "claims": map[string]any{"sub": "user-2", "exp": exp}, "key": key(k.gcm[0])},
	})
	for i, got := range answers[:3] {
		if got.Error != "" || got.Claims["sub"] != "user-2" || got.Claims["plan"] != "free" {
			t.Errorf("question %d: %v, %s", i, got.Claims["sub"], got.Error)
		}
	}
	if s, err := parseSealed(answers[3].Sealed); err != nil || s.kid != k.cbc[0].kid {
		t.Errorf("kid differs: %v", err)
	}
	for i, got := range answers[4:] {
		p, err := a.Authenticate(t.Context(), withCookies(t, name+"="+got.Sealed))
		if got.Error != "" || err != nil || p.Subject != "user-2" {
			t.Errorf("token %d of jose: %v, %s", i, err, got.Error)
		}
	}
	// What jose made with A256GCM and our kid, Auth.js opens too.
	again := askLibraries(t, secrets, []map[string]any{{"ask": "decode5", "sealed": answers[6].Sealed, "name": name}})[0]
	if again.Claims["sub"] != "user-2" {
		t.Errorf("A256GCM with kid: %s", again.Error)
	}
}
