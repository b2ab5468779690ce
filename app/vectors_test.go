package app

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/jwt"
	"claviger.dev/claviger/gatetest"
)

var updateVectors = flag.Bool("update-vectors", false, "make testdata/credentials.json anew with the real libraries")

// vectors are credentials as the real libraries made them at a moment: next-auth
// 4.24.15 and 5.0.0-beta.32 with @auth/core 0.41.3, better-auth 1.7.25,
// iron-session 9.0.1 and jose 6.2.18. The secrets were made for them and are used
// nowhere else.
type vectors struct {
	Made    time.Time
	Secrets map[string]string
	// Keys are the public keys of the issuers.
	Keys map[string]json.RawMessage
	// Tokens are by row and column of the table.
	Tokens map[string]map[string]string
}

const vectorFile = "testdata/credentials.json"

func readVectors(t testing.TB) *vectors {
	t.Helper()
	if *updateVectors {
		writeVectors(t)
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	v := &vectors{}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// askNode runs a generator of authn on questions, one answer each.
func askNode[A any](t testing.TB, dir, script, env string, questions []map[string]any) []A {
	t.Helper()
	dir = "../authn/" + dir
	node := gatetest.Node(t, dir)
	var in bytes.Buffer
	for _, q := range questions {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, script)
	cmd.Dir, cmd.Stdin = dir, &in
	cmd.Env = append(cmd.Environ(), env)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	var answers []A
	for line := range bytes.Lines(out) {
		var a A
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%s: %v in %.300q", script, err, line)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%s: %d answers to %d questions", script, len(answers), len(questions))
	}
	return answers
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeVectors(t testing.TB) {
	t.Helper()
	v := &vectors{Made: time.Now().Truncate(time.Second), Secrets: map[string]string{}, Keys: map[string]json.RawMessage{}, Tokens: map[string]map[string]string{}}
	for _, name := range []string{"newest", "oldest", "stranger"} {
		v.Secrets[name] = strings.ToLower(rand.Text() + rand.Text() + rand.Text())
	}
	v.authjs(t)
	v.betterAuth(t)
	v.ironSession(t)
	v.jwt(t)
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(b, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (v *vectors) authjs(t testing.TB) {
	type answer struct{ Sealed, Error string }
	claims := map[string]any{"sub": "ada", "name": "Ada", "plan": "pro"}
	// A key for the wrong algorithm need not be theirs: the header decides.
	key := "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"
	wrong := map[string]any{"ask": "jwe", "header": map[string]any{"alg": "dir", "enc": "A128CBC-HS256"}, "claims": claims, "key": key}
	const name5 = "__Secure-authjs.session-token"
	got := askNode[answer](t, "authjs/testdata/authjs", "sessions.mjs", "SESSION_SECRETS="+text(t, []string{v.Secrets["newest"], v.Secrets["oldest"]}), []map[string]any{
		{"ask": "encode4", "token": claims, "with": 0},
		{"ask": "encode4", "token": claims, "with": 1},
		{"ask": "encode5", "token": claims, "name": name5, "with": 0},
		{"ask": "encode5", "token": claims, "name": name5, "with": 1},
		wrong,
	})
	for i, a := range got {
		if a.Sealed == "" {
			t.Fatalf("authjs %d: %s", i, a.Error)
		}
	}
	v.Tokens["authjs 4"] = map[string]string{"valid": got[0].Sealed, "old": got[1].Sealed, "wrong algorithm": got[2].Sealed}
	v.Tokens["authjs 5"] = map[string]string{"valid": got[2].Sealed, "old": got[3].Sealed, "wrong algorithm": got[4].Sealed}
}

func (v *vectors) betterAuth(t testing.TB) {
	type answer struct {
		Cookies []string
		Error   string
	}
	strategies := []string{"compact", "jwt", "jwe"}
	made := map[string]map[string]string{}
	for _, secret := range []string{"newest", "oldest"} {
		var questions []map[string]any
		for _, s := range strategies {
			questions = append(questions, map[string]any{"strategy": s, "name": "Ada", "plan": "pro", "https": true})
		}
		made[secret] = map[string]string{}
		for i, a := range askNode[answer](t, "betterauth/testdata/cache", "cache.mjs", "CACHE_SECRET="+v.Secrets[secret], questions) {
			for _, c := range a.Cookies {
				if value, ok := strings.CutPrefix(c, "__Secure-better-auth.session_data="); ok {
					made[secret][strategies[i]] = value
				}
			}
			if made[secret][strategies[i]] == "" {
				t.Fatalf("better-auth: %+v", a)
			}
		}
	}
	for i, s := range strategies {
		v.Tokens["better-auth "+s] = map[string]string{
			"valid": made["newest"][s], "old": made["oldest"][s], "wrong algorithm": made["newest"][strategies[(i+1)%3]],
		}
	}
}

func (v *vectors) ironSession(t testing.TB) {
	type answer struct{ Seal, Error string }
	session := map[string]any{"user": map[string]any{"id": "ada"}}
	seal := func(passwords map[string]string) string {
		got := askNode[answer](t, "ironsession/testdata/iron", "seals.mjs", "SEAL_PASSWORDS="+text(t, passwords), []map[string]any{
			{"version": 9, "session": session, "ttl": 14 * 24 * 3600},
		})
		if got[0].Seal == "" {
			t.Fatal(got[0].Error)
		}
		return got[0].Seal
	}
	valid := seal(map[string]string{"2": v.Secrets["newest"]})
	v.Tokens["iron-session"] = map[string]string{
		"valid": valid, "old": seal(map[string]string{"1": v.Secrets["oldest"]}),
		"wrong algorithm": strings.Replace(valid, "Fe26.2*", "Fe26.1*", 1),
	}
}

func (v *vectors) jwt(t testing.TB) {
	type answer struct{ Token, Error string }
	private := map[string]map[string]any{}
	for _, name := range []string{"newest", "oldest", "stranger"} {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		jwk := jose.JSONWebKey{Key: k, KeyID: name, Algorithm: "ES256", Use: "sig"}
		public := jwk.Public()
		v.Keys[name] = json.RawMessage(text(t, public))
		m := map[string]any{}
		if err := json.Unmarshal([]byte(text(t, jose.JSONWebKey{Key: k, Algorithm: "ES256"})), &m); err != nil {
			t.Fatal(err)
		}
		private[name] = m
	}
	for _, row := range slices.Sorted(maps.Keys(jwtFamilies())) {
		f := jwtFamilies()[row]
		question := func(key string, changes ...map[string]any) map[string]any {
			c := maps.Clone(f.claims)
			maps.Copy(c, map[string]any{"iss": f.options.Issuer, "iat": v.Made.Unix(), "nbf": v.Made.Unix(), "auth_time": v.Made.Unix(), "exp": v.Made.Add(30 * time.Minute).Unix()})
			for _, change := range changes {
				maps.Copy(c, change)
			}
			q := map[string]any{"header": map[string]any{"alg": "ES256", "kid": key, "typ": "JWT"}, "claims": c, "key": private[key]}
			if row == "jwt HS256" {
				q["header"], q["key"] = map[string]any{"alg": "HS256", "typ": "JWT"}, octet(v.Secrets[key])
			}
			return q
		}
		// HMAC with what everybody can read: the oldest trick; for the secret, a
		// signature that needs none.
		confused := question("newest")
		confused["header"], confused["key"] = map[string]any{"alg": "HS256", "kid": "newest", "typ": "JWT"}, octet(string(v.Keys["newest"]))
		if row == "jwt HS256" {
			confused["header"] = map[string]any{"alg": "HS512", "typ": "JWT"}
			confused["key"] = octet(v.Secrets["newest"])
		}
		got := askNode[answer](t, "jwt/testdata/jose", "tokens.mjs", "NODE_NO_WARNINGS=1", []map[string]any{
			question("newest"), question("oldest"), question("newest", map[string]any{"iss": "https://other.example.com"}), question("newest", f.audience), confused,
		})
		for i, a := range got {
			if a.Token == "" {
				t.Fatalf("%s %d: %s", row, i, a.Error)
			}
		}
		v.Tokens[row] = map[string]string{
			"valid": got[0].Token, "old": got[1].Token, "wrong issuer": got[2].Token, "wrong audience": got[3].Token, "wrong algorithm": got[4].Token,
		}
	}
}

func octet(secret string) map[string]any {
	m := map[string]any{}
	b, _ := json.Marshal(jose.JSONWebKey{Key: []byte(secret)})
	_ = json.Unmarshal(b, &m)
	return m
}

// keySet is an issuer's key set on loopback.
type keySet struct {
	*httptest.Server
	fetched atomic.Int64
	mu      sync.Mutex
	keys    []json.RawMessage
}

func newKeySet(t testing.TB, v *vectors, names ...string) *keySet {
	t.Helper()
	k := &keySet{}
	k.publish(v, names...)
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.fetched.Add(1)
		k.mu.Lock()
		defer k.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": k.keys})
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *keySet) publish(v *vectors, names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = nil
	for _, n := range names {
		k.keys = append(k.keys, v.Keys[n])
	}
}

func (f jwtFamily) authenticator(t testing.TB, set *keySet, now func() time.Time) *jwt.Authenticator {
	t.Helper()
	o := f.options
	o.Now = now
	if set != nil {
		o.JWKSURL = set.URL + "/keys"
		if o.Preset == "workos" {
			o.JWKSURL += "/" + o.Audience[0]
		}
	}
	a, err := jwt.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func jwtRows(t testing.TB, v *vectors) []tableRow {
	t.Helper()
	var rows []tableRow
	for _, name := range slices.Sorted(maps.Keys(jwtFamilies())) {
		f := jwtFamilies()[name]
		row := tableRow{name: name, life: time.Hour, tokens: v.Tokens[name]}
		row.make = func(t testing.TB, now func() time.Time, names ...string) claviger.Authenticator {
			return f.authenticator(t, newKeySet(t, v, names...), now)
		}
		if name == "jwt HS256" {
			row.none = reasons("an issuer's shared secret is one", "rotated, old listed")
			row.make = func(t testing.TB, now func() time.Time, names ...string) claviger.Authenticator {
				f := f
				f.options.Secret = claviger.NewSecret([]byte(v.Secrets[names[0]]))
				return f.authenticator(t, nil, now)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// TestRotatedKeySet: an issuer's new key is fetched when its first token comes,
// at most once in 10 s for all callers together, and the old one ends when a
// fetched set no longer has it.
func TestRotatedKeySet(t *testing.T) {
	v := readVectors(t)
	f := jwtFamilies()["jwt"]
	set := newKeySet(t, v, "oldest")
	at := v.Made.Add(time.Minute)
	now := func() time.Time { return at }
	a := f.authenticator(t, set, now)
	g, up := tableGateway(t, a, now)
	row := &tableRow{}
	ask := func(token string, want int) {
		t.Helper()
		w := httptest.NewRecorder()
		g.ServeHTTP(w, tableRequest(row, v.Tokens["jwt"][token]))
		if w.Code != want {
			t.Errorf("%s key at %s: %d, want %d", token, at.Sub(v.Made), w.Code, want)
		}
	}
	ask("old", 200)
	for range 20 {
		ask("valid", 401) // not published yet
	}
	first := set.fetched.Load()
	set.publish(v, "newest", "oldest")
	at = at.Add(9 * time.Second)
	ask("valid", 401)
	if n := set.fetched.Load(); n != first || n > 2 {
		t.Errorf("%d fetches within 10 s", n)
	}
	at = at.Add(2 * time.Second)
	ask("valid", 200)
	ask("old", 200)
	set.publish(v, "newest")
	at = at.Add(11 * time.Second)
	if err := a.Refresh(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	ask("valid", 200)
	ask("old", 401)
	t.Logf("%d fetches, %d calls", set.fetched.Load(), up.calls.Load())
}
