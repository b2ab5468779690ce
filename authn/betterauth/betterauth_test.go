package betterauth

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/internal/seal"
)

type members = map[string]any

var (
	start      = time.Unix(1_800_000_000, 0)
	strategies = []string{StrategyCompact, StrategyJWT, StrategyJWE}
)

const plainName = "better-auth.session_data"

func newSecret() claviger.Secret { return claviger.NewSecret([]byte(rand.Text() + rand.Text())) }

func newAuthenticator(t testing.TB, secret claviger.Secret, strategy string) *Authenticator {
	t.Helper()
	a, err := New(Options{Secret: secret, Strategy: strategy, Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// cache is what the library would sign, changed by pairs for session and user.
func cache(session, user members) members {
	s := members{
		"id": "s1", "userId": "alice", "token": "t-" + rand.Text(), "expiresAt": start.Add(24 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"),
		"createdAt": "2026-01-01T00:00:00.000Z", "ipAddress": "", "userAgent": "",
	}
	u := members{"id": "alice", "name": "Alice Ü", "email": "alice@example.com", "emailVerified": true, "role": "admin,editor", "plan": "pro"}
	maps.Copy(s, session)
	maps.Copy(u, user)
	return members{"session": s, "user": u, "updatedAt": start.UnixMilli(), "version": "1"}
}

// TestBegins: a cache counts from when it was made, by every time that says so.
func TestBegins(t *testing.T) {
	for _, strategy := range strategies {
		secret := newSecret()
		a := newAuthenticator(t, secret, strategy)
		for _, c := range []struct {
			name string
			at   any
			good bool
		}{
			{"updatedAt", start.Add(15 * time.Second).UnixMilli(), true},
			{"updatedAt", start.Add(16 * time.Second).UnixMilli(), false},
			{"updatedAt", "soon", false},
			{"updatedAt", -1, false},
			{"updatedAt", 1e18, false},
			{"nbf", start.Add(15 * time.Second).Unix(), true},
			{"nbf", start.Add(16 * time.Second).Unix(), false},
			{"nbf", 1.5, false},
		} {
			content := cache(nil, nil)
			content[c.name] = c.at
			_, err := a.Authenticate(t.Context(), withCookie(t, plainName+"="+forge(t, secret, strategy, content, start.Add(5*time.Minute))))
			if (err == nil) != c.good || err != nil && !errors.Is(err, errNotYet) {
				t.Errorf("%s, %s %v: %v", strategy, c.name, c.at, err)
			}
		}
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // as JSON.stringify
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// forge writes a cache as a strategy does.
func forge(t testing.TB, secret claviger.Secret, strategy string, c members, ends time.Time) string {
	t.Helper()
	key := secret.Reveal(seal.ForReveal())
	if strategy == StrategyCompact {
		session, ms := text(t, c), strconv.FormatInt(ends.UnixMilli(), 10)
		m := hmac.New(sha256.New, key)
		m.Write([]byte(session[:len(session)-1] + `,"expiresAt":` + ms + `}`))
		return base64.RawURLEncoding.EncodeToString([]byte(`{"session":` + session + `,"expiresAt":` + ms + `,"signature":"` + base64.RawURLEncoding.EncodeToString(m.Sum(nil)) + `"}`))
	}
	c = maps.Clone(c)
	c["iat"], c["exp"] = start.Unix(), ends.Unix()
	if strategy == StrategyJWT {
		return sign(t, key, `{"alg":"HS256"}`, text(t, c))
	}
	e, err := newEncrypted(secret)
	if err != nil {
		t.Fatal(err)
	}
	return encrypt(t, e.key(), e.kid, jose.A256CBC_HS512, text(t, c))
}

func sign(t testing.TB, key []byte, header, payload string) string {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	input := enc([]byte(header)) + "." + enc([]byte(payload))
	m := hmac.New(sha256.New, key)
	m.Write([]byte(input))
	return input + "." + enc(m.Sum(nil))
}

func encrypt(t testing.TB, key []byte, kid string, enc jose.ContentEncryption, payload string) string {
	t.Helper()
	e, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: jose.DIRECT, Key: key, KeyID: kid}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jwe, err := e.Encrypt([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwe.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func withCookie(t testing.TB, pairs ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/responses", nil)
	r.Header.Set("Cookie", strings.Join(pairs, "; "))
	return r
}

func TestTable(t *testing.T) {
	for _, strategy := range strategies {
		t.Run(strategy, func(t *testing.T) {
			secret := newSecret()
			a := newAuthenticator(t, secret, strategy)
			soon := start.Add(5 * time.Minute)
			of := func(session, user members) string { return forge(t, secret, strategy, cache(session, user), soon) }
			at := func(ends time.Time) string { return forge(t, secret, strategy, cache(nil, nil), ends) }
			var others []string
			for _, other := range strategies {
				if other != strategy {
					others = append(others, forge(t, secret, other, cache(nil, nil), soon))
				}
			}
			for _, c := range []struct {
				name, token string
				want        error
			}{
				{"valid", of(nil, nil), nil},
				{"valid, within the tolerance", at(start.Add(-14 * time.Second)), nil},
				{"expired", at(start.Add(-15 * time.Second)), errExpired},
				{"session ended", of(members{"expiresAt": start.Add(-time.Minute).Format(time.RFC3339)}, nil), errEnded},
				{"session without an end", of(members{"expiresAt": nil}, nil), errNoEnd},
				{"session's end as a number", of(members{"expiresAt": 1}, nil), errNoEnd},
				{"session of another", of(members{"userId": "bob"}, nil), errMismatch},
				{"user of another", of(nil, members{"id": "bob"}), errMismatch},
				{"number as id", of(members{"userId": 7}, members{"id": 7}), errPayload},
				{"banned", of(nil, members{"banned": true}), errBanned},
				{"anonymous", of(nil, members{"isAnonymous": true}), errAnonymous},
				{"other secret", forge(t, newSecret(), strategy, cache(nil, nil), soon), nil},
				{"other strategy", others[0], nil},
				{"another strategy", others[1], nil},
				{"junk", "junk", nil},
				{"session id", rand.Text() + "." + rand.Text() + "%3D", nil},
				{"huge", strings.Repeat("A", maxCache+1), nil},
			} {
				for range 2 {
					p, err := a.Authenticate(t.Context(), withCookie(t, plainName+"="+c.token))
					switch {
					case c.want == nil && !strings.HasPrefix(c.name, "valid"):
						if e, ok := errors.AsType[*claviger.Error](err); !ok || e.HTTPStatus() != http.StatusUnauthorized {
							t.Errorf("%s: %v", c.name, err)
						}
					case !errors.Is(err, c.want) || (err == nil) != (c.want == nil):
						t.Errorf("%s: %v, want %v", c.name, err, c.want)
					case err == nil && (p.Subject != "alice" || !slices.Equal(p.Roles, []string{"admin", "editor"}) || p.Claims["plan"] != "pro" || p.Claims["name"] != "Alice Ü"):
						t.Errorf("%s: %+v", c.name, p)
					case err == nil:
						if _, there := p.Claims["session"].(members)["token"]; there {
							t.Error("the session's token is among the claims")
						}
					}
				}
			}
		})
	}
}

// TestOtherTokens has tokens that Better Auth makes with the same secret for
// other purposes, or that nobody should make.
func TestOtherTokens(t *testing.T) {
	secret := newSecret()
	key := secret.Reveal(seal.ForReveal())
	exp := strconv.FormatInt(start.Add(time.Hour).Unix(), 10)
	good := cache(nil, nil)
	good["exp"] = start.Add(time.Hour).Unix()
	derived, err := newEncrypted(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, strategy, token string }{
		{"verification of an address", StrategyJWT, sign(t, key, `{"alg":"HS256"}`, `{"email":"alice@example.com","sub":"alice","exp":`+exp+`}`)},
		{"without exp", StrategyJWT, sign(t, key, `{"alg":"HS256"}`, text(t, cache(nil, nil)))},
		{"exp as text", StrategyJWT, sign(t, key, `{"alg":"HS256"}`, strings.Replace(text(t, good), `"exp":`+exp, `"exp":"`+exp+`"`, 1))},
		{"none", StrategyJWT, sign(t, key, `{"alg":"none"}`, text(t, good))},
		{"crit", StrategyJWT, sign(t, key, `{"alg":"HS256","crit":["exp"],"exp":1}`, text(t, good))},
		{"another kid", StrategyJWE, encrypt(t, derived.key(), "other", jose.A256CBC_HS512, text(t, good))},
		{"without kid", StrategyJWE, encrypt(t, derived.key(), "", jose.A256CBC_HS512, text(t, good))},
		{"another encryption", StrategyJWE, encrypt(t, derived.key()[:32], derived.kid, jose.A256GCM, text(t, good))},
		{"the members twice", StrategyJWE, encrypt(t, derived.key(), derived.kid, jose.A256CBC_HS512, strings.Replace(text(t, good), "{", `{"user":{"id":"bob"},`, 1))},
	} {
		_, err := newAuthenticator(t, secret, c.strategy).Authenticate(t.Context(), withCookie(t, plainName+"="+c.token))
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.HTTPStatus() != http.StatusUnauthorized {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A later end, and more behind it: the text is taken apart from its end.
	token := forge(t, secret, StrategyCompact, cache(nil, nil), start.Add(-time.Hour))
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	late := `"expiresAt":` + strconv.FormatInt(start.Add(time.Hour).UnixMilli(), 10)
	early := `"expiresAt":` + strconv.FormatInt(start.Add(-time.Hour).UnixMilli(), 10)
	for _, changed := range []string{
		strings.Replace(string(b), early, late, 1),
		strings.Replace(string(b), early, early+","+late, 1),
		strings.Replace(string(b), `{"session"`, `{`+late+`,"session"`, 1),
		strings.Replace(string(b), `"}`, `",`+late+`}`, 1),
		strings.Replace(string(b), early, early+" ", 1),
		strings.Replace(string(b), early, strings.Replace(early, ":", ": ", 1), 1),
		strings.Replace(string(b), early, strings.Replace(early, ":", ":0", 1), 1),
	} {
		if changed == string(b) {
			t.Fatal("nothing was changed")
		}
		_, err := newAuthenticator(t, secret, StrategyCompact).Authenticate(t.Context(), withCookie(t, plainName+"="+base64.RawURLEncoding.EncodeToString([]byte(changed))))
		if err == nil {
			t.Errorf("let in with %s", changed)
		}
	}
}

func TestSuite(t *testing.T) {
	for _, strategy := range strategies {
		t.Run(strategy, func(t *testing.T) {
			secret := newSecret()
			soon := start.Add(5 * time.Minute)
			g := gatetest.AuthenticatorSuite{
				Authenticator: newAuthenticator(t, secret, strategy),
				Put:           func(r *http.Request, c string) { r.Header.Set("Cookie", "a=b; "+plainName+"="+c) },
				Valid:         forge(t, secret, strategy, cache(nil, nil), soon),
				Want: claviger.Principal{
					Realm: "app", Subject: "alice", Roles: []string{"admin", "editor"}, Method: Method,
					Presented: claviger.CredentialCookie, Expires: soon, TokenID: "s1", Issued: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
				},
				Refused: map[string]string{
					"expired": forge(t, secret, strategy, cache(nil, nil), start.Add(-time.Hour)), "other secret": forge(t, newSecret(), strategy, cache(nil, nil), soon),
				},
				Foreign: map[string]func(*http.Request){
					"the session's id alone": func(r *http.Request) { r.Header.Set("Cookie", "better-auth.session_token=abc.def") },
					"the name with a prefix": func(r *http.Request) { r.Header.Set("Cookie", "__Secure-"+plainName+"=abc") },
				},
				Secrets: []claviger.Secret{secret},
			}
			t.Run("cookie", func(t *testing.T) { gatetest.Authenticator(t, g) })
			g.Put, g.Want.Presented = nil, claviger.CredentialBearer
			if strategy == StrategyJWE {
				delete(g.Refused, "other secret") // a bearer with another kid is not ours
			}
			t.Run("bearer", func(t *testing.T) { gatetest.Authenticator(t, g) })
		})
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o            Options
		want, cookie string
	}{
		{Options{}, "secret", ""},
		{Options{Secret: claviger.NewSecret([]byte(strings.Repeat("x", 31) + "\n"))}, "secret", ""},
		{Options{Secret: newSecret(), Strategy: "jws"}, "strategy", ""},
		{Options{Secret: newSecret(), Cookie: "a b"}, "cookie", ""},
		{Options{Secret: newSecret()}, "", plainName},
		{Options{Secret: newSecret(), Secure: true}, "", "__Secure-" + plainName},
		{Options{Secret: newSecret(), Secure: true, Cookie: "mine"}, "", "mine"},
	} {
		a, err := New(c.o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		if err == nil && (a.cookie != c.cookie || !a.HasCookie(withCookie(t, c.cookie+"=x")) || a.HasCookie(withCookie(t, "x"+c.cookie+"=x"))) {
			t.Errorf("cookie %q, want %q", a.cookie, c.cookie)
		}
	}
}

// TestRealLibrary signs users up with better-auth 1.7.25 and reads the cookies
// that it sets; and lets it read a cache of this package's tests.
func TestRealLibrary(t *testing.T) {
	const dir = "testdata/cache"
	node := gatetest.Node(t, dir)
	secret := newSecret()
	type question struct {
		Strategy string `json:"strategy"`
		Name     string `json:"name"`
		Plan     string `json:"plan"`
		HTTPS    bool   `json:"https"`
		Cookie   string `json:"cookie,omitempty"`
	}
	var in bytes.Buffer
	var asked []question
	for _, strategy := range strategies {
		ours := cache(nil, nil)
		ours["session"].(members)["expiresAt"] = time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
		for _, s := range []string{"session", "user"} {
			ours[s].(members)["createdAt"], ours[s].(members)["updatedAt"] = "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"
		}
		asked = append(asked,
			question{Strategy: strategy, Name: "Alice", Plan: "pro"},
			question{Strategy: strategy, Name: "Älice \u2028 \x01 \"\\ 😀", Plan: strings.Repeat("long ", 2000), HTTPS: true},
			question{Strategy: strategy, Cookie: plainName + "=" + forge(t, secret, strategy, ours, time.Now().Add(time.Minute))},
		)
	}
	for _, q := range asked {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "cache.mjs")
	cmd.Dir, cmd.Stdin = dir, &in
	cmd.Env = append(cmd.Environ(), "CACHE_SECRET="+string(secret.Reveal(seal.ForReveal())))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%.2000s", err, errs.Bytes())
	}
	n := 0
	for line := range bytes.Lines(out) {
		var got struct {
			ID      string
			Cookies []string
			Read    struct{ User members }
			Error   string
		}
		if err := json.Unmarshal(line, &got); err != nil || got.Error != "" {
			t.Fatalf("%v %s in %.300q", err, got.Error, line)
		}
		q := asked[n]
		n++
		if q.Cookie != "" {
			if got.Read.User["id"] != "alice" {
				t.Errorf("%s: the library reads %v", q.Strategy, got.Read.User)
			}
			continue
		}
		a, err := New(Options{Secret: secret, Strategy: q.Strategy, Secure: q.HTTPS})
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.Authenticate(t.Context(), withCookie(t, got.Cookies...))
		if err != nil || p.Subject != got.ID || p.Claims["name"] != q.Name || p.Claims["plan"] != q.Plan || p.Claims["email"] != "alice@example.com" {
			t.Errorf("%s, https %v: %.200v, %v", q.Strategy, q.HTTPS, p, err)
		}
		if q.HTTPS && len(got.Cookies) < 3 {
			t.Errorf("%s: a long cache came in %d cookies", q.Strategy, len(got.Cookies))
		}
		if life := time.Until(p.Expires); life > 301*time.Second || life < 200*time.Second {
			t.Errorf("%s: lives for %s", q.Strategy, life)
		}
	}
	if n != len(asked) {
		t.Errorf("%d answers to %d questions: %s", n, len(asked), errs.Bytes())
	}
}

func FuzzCache(f *testing.F) {
	secret := newSecret()
	var all []*Authenticator
	var good []string
	for _, s := range strategies {
		all = append(all, newAuthenticator(f, secret, s))
		good = append(good, forge(f, secret, s, cache(nil, nil), start.Add(time.Minute)))
		f.Add(good[len(good)-1])
	}
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"session":{"session":{},"user":{}},"expiresAt":1,"signature":"` + strings.Repeat("A", 43) + `"}`)))
	f.Fuzz(func(t *testing.T, token string) {
		for i, a := range all {
			p, err := a.Authenticate(t.Context(), withCookie(t, plainName+"="+token))
			if err == nil && !strings.Contains(token, good[i]) {
				t.Errorf("let %q in with %q", p.Subject, token)
			}
			if err != nil && !reflect.DeepEqual(p, claviger.Principal{}) {
				t.Error("an error came with a caller")
			}
		}
	})
}

func Benchmark(b *testing.B) {
	for _, strategy := range strategies {
		secret := newSecret()
		a := newAuthenticator(b, secret, strategy)
		token := forge(b, secret, strategy, cache(nil, nil), start.Add(time.Minute))
		b.Run("cold "+strategy, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				payload, ends, err := a.form.open(token)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := read(payload, ends, start); err != nil {
					b.Fatal(err)
				}
			}
		})
		r := withCookie(b, plainName+"="+token)
		b.Run("cached "+strategy, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
