package authjs

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/internal/jsonx"
)

const plainName = "authjs.session-token"

var start = time.Unix(1_800_000_000, 0)

func secret() claviger.Secret { return claviger.NewSecret([]byte(rand.Text() + rand.Text())) }

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func make1(t testing.TB, o Options) *Authenticator {
	t.Helper()
	if o.Now == nil {
		o.Now = (&clock{start}).now
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func sealed1(t testing.TB, k *keyring, claims claviger.Claims) string {
	t.Helper()
	token, err := k.seal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func claimsAt(at time.Time, more claviger.Claims) claviger.Claims {
	c := claviger.Claims{"sub": "u-1", "iat": at.Unix(), "exp": at.Add(time.Hour).Unix(), "jti": "x", "roles": []any{"admin"}}
	maps.Copy(c, more)
	return c
}

func withCookies(t testing.TB, pairs ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header["Cookie"] = []string{strings.Join(pairs, "; ")}
	return r
}

func TestConformance(t *testing.T) {
	for _, version := range []int{5, 4} {
		for _, way := range []claviger.Credential{claviger.CredentialBearer, claviger.CredentialCookie} {
			t.Run(fmt.Sprintf("version %d, presented %d", version, way), func(t *testing.T) { conform(t, version, way) })
		}
	}
}

func conform(t *testing.T, version int, way claviger.Credential) {
	own := secret()
	a := make1(t, Options{Secrets: []claviger.Secret{own}, Version: version})
	k := a.keyrings[0]
	other := make1(t, Options{Secrets: []claviger.Secret{secret()}, Version: version}).keyrings[0]
	good := claimsAt(start, nil)
	drop := func(name string) claviger.Claims {
		c := maps.Clone(good)
		delete(c, name)
		return c
	}
	s := gatetest.AuthenticatorSuite{
		Authenticator: a, Valid: sealed1(t, k, good),
		Want: claviger.Principal{
			Realm: "app", Subject: "u-1", Roles: []string{"admin"}, Method: "authjs",
			Presented: way, Expires: start.Add(time.Hour), Issued: start, TokenID: "x",
		},
		Refused: map[string]string{
			"expired":     sealed1(t, k, claimsAt(start.Add(-time.Hour-15*time.Second), nil)),
			"not yet":     sealed1(t, k, claimsAt(start, claviger.Claims{"nbf": start.Add(16 * time.Second).Unix()})),
			"no exp":      sealed1(t, k, drop("exp")),
			"exp as text": sealed1(t, k, claimsAt(start, claviger.Claims{"exp": "1900000000"})),
			"no sub":      sealed1(t, k, drop("sub")),
			"empty sub":   sealed1(t, k, claimsAt(start, claviger.Claims{"sub": ""})),
			"sub number":  sealed1(t, k, claimsAt(start, claviger.Claims{"sub": 7})),
			"another key": sealed1(t, other, good),
		},
		Foreign: map[string]func(*http.Request){
			"jwt":           func(r *http.Request) { r.Header.Set("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln") },
			"jwe not dir":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+notDirect(t)) },
			"longer name":   func(r *http.Request) { r.Header.Set("Cookie", k.cookie+"-old="+sealed1(t, k, good)) },
			"shorter name":  func(r *http.Request) { r.Header.Set("Cookie", k.cookie[:len(k.cookie)-1]+"="+sealed1(t, k, good)) },
			"another case":  func(r *http.Request) { r.Header.Set("Cookie", strings.ToUpper(k.cookie)+"="+sealed1(t, k, good)) },
			"secure name":   func(r *http.Request) { r.Header.Set("Cookie", "__Secure-"+k.cookie+"="+sealed1(t, k, good)) },
			"empty cookie":  func(r *http.Request) { r.Header.Set("Cookie", k.cookie+"=") },
			"odd chunk":     func(r *http.Request) { r.Header.Set("Cookie", k.cookie+".x="+sealed1(t, k, good)) },
			"chunk as 00":   func(r *http.Request) { r.Header.Set("Cookie", k.cookie+".00="+sealed1(t, k, good)) },
			"other cookies": func(r *http.Request) { r.Header.Set("Cookie", "a=b; authjs.csrf-token=c") },
		},
		Secrets: []claviger.Secret{own, k.gcm[0].key},
	}
	if version == 5 {
		s.Secrets = append(s.Secrets, k.cbc[0].key)
	}
	if way == claviger.CredentialCookie {
		s.Put = func(r *http.Request, c string) { r.Header.Set("Cookie", "theme=dark; "+k.cookie+"="+c+"; x=y") }
	}
	gatetest.Authenticator(t, s)
}

// notDirect is a well-formed JWE of another kind.
func notDirect(t testing.TB) string {
	t.Helper()
	return encrypt(t, jose.Recipient{Algorithm: jose.A256GCMKW, Key: make([]byte, 32)}, jose.A256GCM, nil, `{}`)
}

func encrypt(t testing.TB, to jose.Recipient, enc jose.ContentEncryption, o *jose.EncrypterOptions, payload string) string {
	t.Helper()
	e, err := jose.NewEncrypter(enc, to, o)
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

// TestHeaders seals good claims with the right key under headers that Auth.js
// never writes.
func TestHeaders(t *testing.T) {
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Version: 5})
	k := a.keyrings[0]
	payload, err := jsonx.Marshal(claimsAt(start, nil))
	if err != nil {
		t.Fatal(err)
	}
	direct := func(key derived, enc jose.ContentEncryption, kid string, o *jose.EncrypterOptions) string {
		return encrypt(t, jose.Recipient{Algorithm: jose.DIRECT, Key: key.bytes(), KeyID: kid}, enc, o, string(payload))
	}
	header := func(name jose.HeaderKey, v any) *jose.EncrypterOptions {
		return (&jose.EncrypterOptions{}).WithHeader(name, v)
	}
	wrapped := jose.Recipient{Algorithm: jose.A256KW, Key: k.gcm[0].bytes()}
	slow := jose.Recipient{Algorithm: jose.PBES2_HS256_A128KW, Key: k.gcm[0].bytes(), PBES2Count: 1000}
	for _, c := range []struct {
		name, token string
		ok          bool
	}{
		{"as made", direct(k.cbc[0], jose.A256CBC_HS512, k.cbc[0].kid, nil), true},
		{"no kid", direct(k.cbc[0], jose.A256CBC_HS512, "", nil), true},
		{"gcm", direct(k.gcm[0], jose.A256GCM, k.gcm[0].kid, nil), true},
		{"gcm without kid", direct(k.gcm[0], jose.A256GCM, "", nil), true},
		{"typ", direct(k.cbc[0], jose.A256CBC_HS512, "", header("typ", "JWT")), true},
		{"unknown kid", direct(k.cbc[0], jose.A256CBC_HS512, "nobody", nil), false},
		{"kid of the other length", direct(k.cbc[0], jose.A256CBC_HS512, k.gcm[0].kid, nil), false},
		{"empty kid", direct(k.cbc[0], jose.A256CBC_HS512, "", header("kid", "")), false},
		{"kid number", direct(k.cbc[0], jose.A256CBC_HS512, "", header("kid", 7)), false},
		{"zip", direct(k.cbc[0], jose.A256CBC_HS512, "", &jose.EncrypterOptions{Compression: jose.DEFLATE}), false},
		{"zip by hand", direct(k.cbc[0], jose.A256CBC_HS512, "", header("zip", "none")), false},
		{"crit", direct(k.cbc[0], jose.A256CBC_HS512, "", header("crit", []string{"exp"})), false},
		{"empty crit", direct(k.cbc[0], jose.A256CBC_HS512, "", header("crit", []string{})), false},
		{"long header", direct(k.cbc[0], jose.A256CBC_HS512, "", header("x", strings.Repeat("x", 1000))), false},
		{"A128GCM", encrypt(t, jose.Recipient{Algorithm: jose.DIRECT, Key: k.gcm[0].bytes()[:16]}, jose.A128GCM, nil, string(payload)), false},
		{"A256KW", encrypt(t, wrapped, jose.A256GCM, nil, string(payload)), false},
		{"PBES2", encrypt(t, slow, jose.A256GCM, nil, string(payload)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := a.Authenticate(t.Context(), withCookies(t, plainName+"="+c.token))
			if ok := err == nil && p.Subject == "u-1"; ok != c.ok {
				t.Errorf("let in: %v (%v), want %v", ok, err, c.ok)
			}
		})
	}
}

func TestCookies(t *testing.T) {
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Version: 5})
	k := a.keyrings[0]
	small := sealed1(t, k, claimsAt(start, nil))
	large := sealed1(t, k, claimsAt(start, claviger.Claims{"big": strings.Repeat("x", 9000)}))
	chunk := func(i int) string { return large[i*3936 : min((i+1)*3936, len(large))] }
	n := plainName
	const refused, absent, database, in = 401, 0, 1, 200
	var many, over []string
	for i := range 17 {
		piece := small[i*len(small)/16 : min((i+1)*len(small)/16, len(small))]
		over = append(over, fmt.Sprintf("%s.%d=%s", n, i, piece+"A"[:min(1, i/16)]))
		if i < 16 {
			many = append(many, over[i])
		}
	}
	for _, c := range []struct {
		name    string
		cookies []string
		want    int
	}{
		{"whole", []string{n + "=" + small}, in},
		{"whole among others", []string{"a=b", n + "=" + small, "c=d"}, in},
		{"no spaces", []string{"a=b;" + n + "=" + small + ";c=d"}, in},
		{"chunks", []string{n + ".0=" + chunk(0), n + ".1=" + chunk(1), n + ".2=" + chunk(2), n + ".3=" + chunk(3)}, in},
		{"chunks in another order", []string{n + ".3=" + chunk(3), n + ".1=" + chunk(1), n + ".0=" + chunk(0), n + ".2=" + chunk(2)}, in},
		{"sixteen chunks", many, in},
		{"seventeen chunks", over, refused},
		{"whole before chunks", []string{n + ".0=junk", n + "=" + small}, in},
		{"bad whole before good chunks", []string{n + ".0=" + small, n + "=junk"}, refused},
		{"junk beside", []string{n + "-old=junk", n + ".x=junk", n + ".01=junk", n + ".=junk", n + ".-1=junk", n + "=" + small}, in},
		{"deleted chunks", []string{n + "=" + small, n + ".0=", n + ".1="}, in},
		{"deleted whole", []string{n + "=", n + ".0=" + small}, in},
		{"first chunk missing", []string{n + ".1=" + chunk(1), n + ".2=" + chunk(2)}, refused},
		{"chunk missing", []string{n + ".0=" + chunk(0), n + ".2=" + chunk(2), n + ".3=" + chunk(3)}, refused},
		{"last chunk missing", []string{n + ".0=" + chunk(0), n + ".1=" + chunk(1), n + ".2=" + chunk(2)}, refused},
		{"chunks exchanged", []string{n + ".0=" + chunk(1), n + ".1=" + chunk(0), n + ".2=" + chunk(2), n + ".3=" + chunk(3)}, refused},
		{"twice", []string{n + "=" + small, n + "=" + small}, refused},
		{"twice, one of them bad", []string{n + "=junk", n + "=" + small}, refused},
		{"chunk twice", []string{n + ".0=" + small, n + ".0=" + small}, refused},
		{"far chunk", []string{n + ".0=" + small, n + ".99999999999999999999=x"}, refused},
		{"quoted", []string{n + `="` + small + `"`}, refused},
		{"percent-encoded", []string{n + "=" + strings.ReplaceAll(small, ".", "%2E")}, refused},
		{"database session", []string{n + "=5f0c5e2e-7d1c-4e2b-9f59-6f0f0d9c2b11"}, database},
		{"too large", []string{n + "=" + strings.Repeat("A", 65<<10)}, refused},
		{"chunks too large", []string{n + ".0=" + strings.Repeat("A", 33<<10), n + ".1=" + strings.Repeat("A", 33<<10)}, refused},
		{"secure name", []string{"__Secure-" + n + "=" + small}, absent},
		{"version 4", []string{"next-auth.session-token=" + small}, absent},
		{"nothing", []string{""}, absent},
		{"no equals sign", []string{n}, absent},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, lines := range [][]string{{strings.Join(c.cookies, "; ")}, c.cookies} {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
				r.Header["Cookie"] = lines
				p, err := a.Authenticate(t.Context(), r)
				switch {
				case c.want == in && (err != nil || p.Presented != claviger.CredentialCookie):
					t.Errorf("refused: %v", err)
				case (c.want == absent || c.want == database) && !errors.Is(err, claviger.ErrNoCredential):
					t.Errorf("got %v, want ErrNoCredential", err)
				case c.want == refused && claviger.AsError(err).HTTPStatus() != refused:
					t.Errorf("got %v, want a refusal", err)
				}
				if got := a.HasCookie(r); got != (c.want != absent) { // one of a database needs the origin rule as well
					t.Errorf("HasCookie is %v", got)
				}
			}
		})
	}
}

func TestDatabaseSessionSaysWhatToDo(t *testing.T) {
	var log bytes.Buffer
	now := time.Now()
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }})
	id := "5F0C5E2E-7D1C-4E2B-9F59-6F0F0D9C2B11"
	for range 100 {
		r := withCookies(t, plainName+"="+id)
		if _, err := a.Authenticate(t.Context(), r); !errors.Is(err, claviger.ErrNoCredential) || !a.HasCookie(r) {
			t.Fatalf("got %v, want ErrNoCredential of a cookie", err)
		}
	}
	if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "WARN") || !strings.Contains(s, "forward") || strings.Contains(strings.ToUpper(s), id) {
		t.Errorf("the log reads %s", s)
	}
	now = now.Add(time.Hour)
	_, _ = a.Authenticate(t.Context(), withCookies(t, plainName+"="+id))
	if strings.Count(log.String(), "\n") != 2 {
		t.Error("nobody is told again")
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set("Authorization", "Bearer "+id)
	if _, err := a.Authenticate(t.Context(), r); !errors.Is(err, claviger.ErrNoCredential) {
		t.Errorf("a UUID as bearer: %v", err)
	}
}

func TestNames(t *testing.T) {
	s := []claviger.Secret{secret()}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "authjs.session-token next-auth.session-token"},
		{Options{Secure: true}, "__Secure-authjs.session-token __Secure-next-auth.session-token"},
		{Options{Version: 5}, "authjs.session-token"},
		{Options{Version: 5, Secure: true}, "__Secure-authjs.session-token"},
		{Options{Version: 4}, "next-auth.session-token"},
		{Options{Version: 4, Secure: true}, "__Secure-next-auth.session-token"},
		{Options{Cookie: "sid"}, "sid"},
		{Options{Cookie: "sid", Version: 4, Secure: true}, "sid"},
	} {
		c.o.Secrets = s
		a := make1(t, c.o)
		if got := strings.Join(a.names, " "); got != c.want {
			t.Errorf("%+v: reads %s, want %s", c.o, got, c.want)
		}
		// Each name that is read opens under its own key, and under no other.
		for _, k := range a.keyrings {
			token := sealed1(t, k, claimsAt(start, nil))
			for _, name := range []string{"authjs.session-token", "__Secure-authjs.session-token", "next-auth.session-token", "__Secure-next-auth.session-token", "sid"} {
				_, err := a.Authenticate(t.Context(), withCookies(t, name+"="+token))
				if ok := err == nil; ok != (name == k.cookie) {
					t.Errorf("%+v: version %d under %s let in: %v", c.o, k.version, name, ok)
				}
			}
		}
	}
}

func TestSecretsInTurn(t *testing.T) {
	first, second, third := secret(), secret(), secret()
	for _, version := range []int{5, 4} {
		a := make1(t, Options{Secrets: []claviger.Secret{first, second}, Version: version})
		for _, c := range []struct {
			secret claviger.Secret
			ok     bool
		}{{first, true}, {second, true}, {third, false}} {
			k := make1(t, Options{Secrets: []claviger.Secret{c.secret}, Version: version}).keyrings[0]
			_, err := a.Authenticate(t.Context(), withCookies(t, k.cookie+"="+sealed1(t, k, claimsAt(start, nil))))
			if ok := err == nil; ok != c.ok {
				t.Errorf("version %d: let in %v (%v), want %v", version, ok, err, c.ok)
			}
		}
	}
	// Without kid, version 5 tries the first secret alone.
	a := make1(t, Options{Secrets: []claviger.Secret{first, second}, Version: 5})
	k := make1(t, Options{Secrets: []claviger.Secret{second}, Version: 5}).keyrings[0]
	k.cbc[0].kid = ""
	if _, err := a.Authenticate(t.Context(), withCookies(t, k.cookie+"="+sealed1(t, k, claimsAt(start, nil)))); err == nil {
		t.Error("a token without kid opened with the second secret")
	}
}

func TestTrailingNewline(t *testing.T) {
	text := rand.Text()
	for _, end := range []string{"\n", "\r\n"} {
		a := make1(t, Options{Secrets: []claviger.Secret{claviger.NewSecret([]byte(text + end))}})
		k := make1(t, Options{Secrets: []claviger.Secret{claviger.NewSecret([]byte(text))}}).keyrings[0]
		if _, err := a.Authenticate(t.Context(), withCookies(t, k.cookie+"="+sealed1(t, k, claimsAt(start, nil)))); err != nil {
			t.Errorf("a secret that ends with %q: %v", end, err)
		}
	}
}

func TestBearer(t *testing.T) {
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}})
	for _, k := range a.keyrings {
		token := sealed1(t, k, claimsAt(start, nil))
		for _, h := range []string{"Bearer " + token, "bearer " + token, "Bearer " + url.QueryEscape(token), "Bearer " + strings.ReplaceAll(token, ".", "%2e")} {
			r := withCookies(t)
			r.Header.Set("Authorization", h)
			p, err := a.Authenticate(t.Context(), r)
			if err != nil || p.Presented != claviger.CredentialBearer {
				t.Errorf("version %d: %.20s…: %v", k.version, h, err)
			}
		}
	}
}

// TestBearerAndCookie holds that a header decides, that what was opened as one
// is not taken for the other, and that a bearer of another kind leaves the
// cookie alone.
func TestBearerAndCookie(t *testing.T) {
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Version: 5})
	k := a.keyrings[0]
	one := sealed1(t, k, claimsAt(start, claviger.Claims{"sub": "one"}))
	two := sealed1(t, k, claimsAt(start, claviger.Claims{"sub": "two"}))
	for range 2 {
		r := withCookies(t, plainName+"="+one)
		r.Header.Set("Authorization", "Bearer "+two)
		if p, err := a.Authenticate(t.Context(), r); err != nil || p.Subject != "two" || p.Presented != claviger.CredentialBearer {
			t.Errorf("both: %+v, %v", p, err)
		}
		r.Header.Set("Authorization", "Bearer "+one)
		if p, err := a.Authenticate(t.Context(), r); err != nil || p.Presented != claviger.CredentialBearer {
			t.Errorf("the same as both: %+v, %v", p, err)
		}
		r.Header.Set("Authorization", "Bearer unused")
		if p, err := a.Authenticate(t.Context(), r); err != nil || p.Subject != "one" || p.Presented != claviger.CredentialCookie {
			t.Errorf("cookie beside another bearer: %+v, %v", p, err)
		}
	}
}

func TestMemoryEndsWithTheSession(t *testing.T) {
	for _, c := range []struct {
		maxAge time.Duration
		life   time.Duration
	}{{0, time.Hour}, {time.Minute, time.Minute}, {2 * time.Hour, time.Hour}} {
		now := &clock{start}
		a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Now: now.now, MaxAge: c.maxAge})
		r := withCookies(t, plainName+"="+sealed1(t, a.keyrings[0], claimsAt(start, nil)))
		last := start.Add(c.life + 15*time.Second)
		for _, step := range []struct {
			at time.Time
			ok bool
		}{{start, true}, {last.Add(-time.Second), true}, {last, false}, {last.Add(time.Hour), false}} {
			now.t = step.at
			if _, err := a.Authenticate(t.Context(), r); (err == nil) != step.ok {
				t.Errorf("greatest age %s, after %s: %v", c.maxAge, step.at.Sub(start), err)
			}
		}
	}
}

func TestIssue(t *testing.T) {
	for _, c := range []struct {
		o      Options
		chunks int
		pad    int
		secure bool
	}{
		{Options{}, 1, 0, false},
		{Options{Secure: true}, 1, 0, true},
		{Options{Version: 4}, 1, 0, false},
		{Options{}, 4, 9000, false},
		{Options{Version: 4, Secure: true}, 4, 9000, true},
		{Options{Cookie: "sid", Secure: true}, 1, 0, true},
	} {
		c.o.Secrets = []claviger.Secret{secret()}
		a := make1(t, c.o)
		name, cookies, err := a.Issue(claviger.Claims{"sub": "u-2", "plan": "pro", "pad": strings.Repeat("p", c.pad)}, time.Hour)
		if err != nil || name != a.names[0] || len(cookies) != c.chunks {
			t.Fatalf("%+v: %s, %d cookies, %v", c.o, name, len(cookies), err)
		}
		r := withCookies(t)
		r.Header.Del("Cookie")
		for _, k := range cookies {
			if !k.HttpOnly || k.Path != "/" || k.SameSite != http.SameSiteLaxMode || k.Secure != c.secure || len(k.Value) > 3936 || k.Valid() != nil {
				t.Errorf("cookie %s: %v, %v", k.Name, k, k.Valid())
			}
			r.AddCookie(k)
		}
		p, err := a.Authenticate(t.Context(), r)
		if err != nil || p.Subject != "u-2" || p.Claims["plan"] != "pro" || !p.Expires.Equal(start.Add(time.Hour)) {
			t.Errorf("%+v: %+v, %v", c.o, p.Subject, err)
		}
	}
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}})
	for name, try := range map[string]func() error{
		"no subject": func() error { _, _, err := a.Issue(claviger.Claims{}, time.Hour); return err },
		"no life":    func() error { _, _, err := a.Issue(claviger.Claims{"sub": "u"}, 0); return err },
		"too large": func() error {
			_, _, err := a.Issue(claviger.Claims{"sub": "u", "pad": strings.Repeat("p", 64<<10)}, time.Hour)
			return err
		},
	} {
		if try() == nil {
			t.Errorf("%s: issued", name)
		}
	}
}

func TestOptions(t *testing.T) {
	good := []claviger.Secret{secret()}
	for name, o := range map[string]Options{
		"no secrets":    {},
		"zero secret":   {Secrets: []claviger.Secret{{}}},
		"empty secret":  {Secrets: []claviger.Secret{good[0], claviger.NewSecret([]byte("\n"))}},
		"many secrets":  {Secrets: make([]claviger.Secret, 17)},
		"version":       {Secrets: good, Version: 3},
		"cookie":        {Secrets: good, Cookie: "a b"},
		"cookie with =": {Secrets: good, Cookie: "a=b"},
		"age":           {Secrets: good, MaxAge: -1},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "authjs: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := make1(t, Options{Secrets: good, Realm: "shop"}).open(sealed1(t, make1(t, Options{Secrets: good}).keyrings[0], claimsAt(start, nil)), 0); err != nil || p.Realm != "shop" {
		t.Errorf("realm %q, %v", p.Realm, err)
	}
}

func FuzzCookies(f *testing.F) {
	n := plainName
	for _, s := range []string{n + "=a", n + ".0=a; " + n + ".1=b", "x=y; " + n + ".15=z", n + ".16=z", n + "=a; " + n + "=b", ";;=;" + n + "==;", n + ".00=a"} {
		f.Add(s, n)
	}
	f.Fuzz(func(t *testing.T, line, name string) {
		if !credential.ValidCookieName(name) {
			return
		}
		v, err := readCookie([]string{line}, name)
		if err != nil && v != "" {
			t.Fatalf("%q came with %v", v, err)
		}
		if v == "" {
			return
		}
		// Whatever was put together stands in the line, behind a name of ours.
		if !strings.Contains(line, name+"=") && !strings.Contains(line, name+".0=") {
			t.Fatalf("%q out of %q", v, line)
		}
		if again, err := readCookie([]string{name + "=" + v}, name); err == nil && again != strings.TrimRight(v, " \t") && !strings.Contains(v, ";") {
			t.Fatalf("%q became %q", v, again)
		}
	})
}

func FuzzToken(f *testing.F) {
	a, err := New(Options{Secrets: []claviger.Secret{claviger.NewSecret(make([]byte, 32))}, Now: func() time.Time { return start }})
	if err != nil {
		f.Fatal(err)
	}
	for _, k := range a.keyrings {
		f.Add(sealed1(f, k, claimsAt(start, nil)))
	}
	f.Add("eyJhbGciOiJkaXIifQ....")
	f.Add("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, token string) {
		s, err := parseSealed(token)
		if err != nil && s != nil || err == nil && strings.Count(s.token, ".") != 4 {
			t.Fatalf("%q: %v", token, err)
		}
		p, err := a.open(token, bearerWay)
		if (err == nil) != (p.Subject != "") {
			t.Fatalf("%q: %q, %v", token, p.Subject, err)
		}
		if isSealed(token) && strings.Count(token, ".") != 4 {
			t.Fatalf("%q taken for a sealed token", token)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	a := make1(b, Options{Secrets: []claviger.Secret{secret(), secret()}})
	token := sealed1(b, a.keyrings[0], claimsAt(start, claviger.Claims{"name": "A. Person", "email": "a@example.com", "plan": "pro"}))
	cookie := withCookies(b, "theme=dark", plainName+"="+token, "other=1")
	bearer := withCookies(b)
	bearer.Header.Set("Authorization", "Bearer "+token)
	for name, r := range map[string]*http.Request{"cookie": cookie, "bearer": bearer} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.verify(token, 0, start); err != nil {
				b.Fatal(err)
			}
		}
	})
}
