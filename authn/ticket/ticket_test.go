package ticket

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/seal"
)

var start = time.Unix(1_800_000_000, 0)

func secret() claviger.Secret {
	return claviger.NewSecret([]byte(rand.Text() + rand.Text() + rand.Text()))
}

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

func bearer(t testing.TB, token string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, o *jose.SignerOptions, payload string) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func ours() *jose.SignerOptions { return (&jose.SignerOptions{}).WithType(typ) }

// said is the payload of a good ticket with changes; nil takes a member out.
func said(t testing.TB, change map[string]any) string {
	t.Helper()
	m := map[string]any{
		"iss": "claviger", "aud": "claviger", "realm": "app", "sub": "u-1", "jti": "j",
		"iat": start.Unix(), "exp": start.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(m, change)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	b, err := jsonx.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestConformance(t *testing.T) {
	own := secret()
	a := make1(t, Options{Secrets: []claviger.Secret{own}})
	key := own.Reveal(seal.ForReveal())
	token, expires, err := a.Mint(t.Context(), Request{
		Subject: "u-1", Claims: claviger.Claims{"role": "admin", "plan": "pro"}, Plan: "pro", Actions: []string{"a"}, Service: "web",
	})
	if err != nil {
		t.Fatal(err)
	}
	other := make1(t, Options{Secrets: []claviger.Secret{secret()}})
	foreign, _, err := other.Mint(t.Context(), Request{Subject: "u-1"})
	if err != nil {
		t.Fatal(err)
	}
	good := func(change map[string]any) string { return sign(t, jose.HS256, key, ours(), said(t, change)) }
	plain := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	gatetest.Authenticator(t, gatetest.AuthenticatorSuite{
		Authenticator: a, Valid: token, Secrets: []claviger.Secret{own},
		Want: claviger.Principal{
			Realm: "app", Subject: "u-1", Roles: []string{"admin"}, Method: "ticket", Presented: claviger.CredentialBearer,
			Expires: expires, Plan: "pro", Actions: []string{"a"}, MintedBy: "web", TokenID: idIn(t, token), Issued: start,
		},
		Refused: map[string]string{
			"expired":           good(map[string]any{"iat": start.Unix() - 400, "exp": start.Unix() - 15}),
			"not yet":           good(map[string]any{"nbf": start.Unix() + 16}),
			"issued ahead":      good(map[string]any{"iat": start.Unix() + 16}),
			"no exp":            good(map[string]any{"exp": nil}),
			"no iat":            good(map[string]any{"iat": nil}),
			"no sub":            good(map[string]any{"sub": nil}),
			"no aud":            good(map[string]any{"aud": nil}),
			"no iss":            good(map[string]any{"iss": nil}),
			"no realm":          good(map[string]any{"realm": nil}),
			"sub number":        good(map[string]any{"sub": 1}),
			"service":           good(map[string]any{"sub": "service:web"}),
			"aud list":          good(map[string]any{"aud": []string{"claviger"}}),
			"another audience":  good(map[string]any{"aud": "other"}),
			"another issuer":    good(map[string]any{"iss": "other"}),
			"unknown member":    good(map[string]any{"only_on": "tuesdays"}),
			"no jti":            good(map[string]any{"jti": nil}),
			"empty jti":         good(map[string]any{"jti": ""}),
			"negative uses":     good(map[string]any{"max_uses": -1}),
			"half a use":        good(map[string]any{"max_uses": 1.5}),
			"uses, uncounted":   good(map[string]any{"max_uses": 1}),
			"cnf of no key":     good(map[string]any{"cnf": map[string]any{"jkt": "x"}}),
			"cnf without jkt":   good(map[string]any{"cnf": map[string]any{}}),
			"cnf of a kind":     good(map[string]any{"cnf": map[string]any{"x5t#S256": strings.Repeat("A", 43)}}),
			"bound, as bearer":  good(map[string]any{"cnf": map[string]any{"jkt": strings.Repeat("A", 43)}}),
			"a long life":       good(map[string]any{"exp": start.Unix() + 24*3600 + 16}),
			"another key":       foreign,
			"HS512":             sign(t, jose.HS512, key, ours(), said(t, nil)),
			"crit":              sign(t, jose.HS256, key, ours().WithHeader("crit", []string{"x"}).WithHeader("x", 1), said(t, nil)),
			"b64":               sign(t, jose.HS256, key, ours().WithHeader("b64", true), said(t, nil)),
			"jwk":               sign(t, jose.HS256, key, ours().WithHeader("jwk", map[string]any{"kty": "oct", "k": "AA"}), said(t, nil)),
			"unknown kid":       sign(t, jose.HS256, key, ours().WithHeader("kid", "nobody"), said(t, nil)),
			"kid number":        sign(t, jose.HS256, key, ours().WithHeader("kid", 1), said(t, nil)),
			"none":              unsigned(`{"alg":"none","typ":"`+typ+`"}`, said(t, nil), ""),
			"none with sign":    unsigned(`{"alg":"none","typ":"`+typ+`"}`, said(t, nil), "AAAA"),
			"no alg":            unsigned(`{"typ":"`+typ+`"}`, said(t, nil), "AAAA"),
			"payload no object": sign(t, jose.HS256, key, ours(), `"u-1"`),
			"too large":         good(map[string]any{"claims": map[string]any{"pad": strings.Repeat("x", 7000)}}),
		},
		Foreign: map[string]func(*http.Request){
			"jwt of another typ": plain(sign(t, jose.HS256, key, (&jose.SignerOptions{}).WithType("JWT"), said(t, nil))),
			"jwt without typ":    plain(sign(t, jose.HS256, key, nil, said(t, nil))),
			"typ in capitals":    plain(sign(t, jose.HS256, key, (&jose.SignerOptions{}).WithType("CLAVIGER-TICKET+JWT"), said(t, nil))),
			"typ twice":          plain(unsigned(`{"alg":"HS256","typ":"`+typ+`","typ":"`+typ+`"}`, said(t, nil), "AAAA")),
			"jwe":                plain("eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA"),
			"cookie":             func(r *http.Request) { r.Header.Set("Cookie", "ticket="+token) },
		},
	})
}

// idIn reads the jti of a ticket.
func idIn(t testing.TB, token string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonx.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := v.Get("jti")
	return id.Str()
}

func unsigned(header, payload, signature string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(header)) + "." + e([]byte(payload)) + "." + signature
}

func TestMintRoundTrip(t *testing.T) {
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Audience: "gw-1", Realm: "shop"})
	rapid.Check(t, func(rt *rapid.T) {
		q := Request{
			Subject: rapid.StringN(1, 40, 200).Filter(func(s string) bool { return !strings.HasPrefix(s, "service:") }).Draw(rt, "sub"),
			Realm:   rapid.SampledFrom([]string{"", "app", "other"}).Draw(rt, "realm"),
			Plan:    rapid.SampledFrom([]string{"", "pro"}).Draw(rt, "plan"),
			Actions: rapid.SampledFrom([][]string{nil, {}, {"a", "b"}}).Draw(rt, "actions"),
			Claims: rapid.SampledFrom([]claviger.Claims{
				nil, {}, {"plan": "pro", "n": 1.5, "list": []any{"x", nil, true}, "o": map[string]any{"k": "v"}},
			}).Draw(rt, "claims"),
			TTL: rapid.SampledFrom([]time.Duration{0, time.Second, 90 * time.Second, 15 * time.Minute}).Draw(rt, "ttl"),
		}
		token, expires, err := a.Mint(t.Context(), q)
		if err != nil {
			rt.Fatal(err)
		}
		p, err := a.Authenticate(t.Context(), bearer(t, token))
		if err != nil {
			rt.Fatal(err)
		}
		realm := q.Realm
		if realm == "" {
			realm = "shop"
		}
		ttl := q.TTL
		if ttl == 0 {
			ttl = DefaultTTL
		}
		if p.Subject != q.Subject || p.Realm != realm || p.Plan != q.Plan || p.Tenant != "" ||
			!slices.Equal(p.Actions, q.Actions) || (p.Actions == nil) != (q.Actions == nil) ||
			!p.Expires.Equal(expires) || !expires.Equal(start.Add(ttl)) {
			rt.Fatalf("asked %+v, got %+v", q, p)
		}
		if len(q.Claims)+len(p.Claims) > 0 && !reflect.DeepEqual(p.Claims, q.Claims) {
			rt.Fatalf("claims %v became %v", q.Claims, p.Claims)
		}
	})
}

func TestLives(t *testing.T) {
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}})
	for _, c := range []struct {
		ttl, longest, want time.Duration
	}{
		{0, 0, 5 * time.Minute},
		{0, time.Minute, time.Minute},
		{15 * time.Minute, 0, 15 * time.Minute},
		{15*time.Minute + 1, 0, 0},
		{time.Hour, LongestTTL, time.Hour},
		{24 * time.Hour, LongestTTL, 24 * time.Hour},
		{24*time.Hour + time.Second, LongestTTL, 0},
		{25 * time.Hour, 100 * time.Hour, 0},
		{-time.Second, 0, 0},
		{time.Millisecond, 0, 0},
		{1500 * time.Millisecond, 0, time.Second},
	} {
		token, expires, err := a.Mint(t.Context(), Request{Subject: "u", TTL: c.ttl, MaxTTL: c.longest})
		if c.want == 0 {
			e, ok := errors.AsType[*claviger.Error](err)
			if !ok || e.Code != claviger.CodeInvalidInput || e.Param != "ttl" || token != "" {
				t.Errorf("%s of %s: %v", c.ttl, c.longest, err)
			}
			continue
		}
		if err != nil || !expires.Equal(start.Add(c.want)) {
			t.Errorf("%s of %s: until %s, %v", c.ttl, c.longest, expires, err)
		}
		if _, err := a.Authenticate(t.Context(), bearer(t, token)); err != nil {
			t.Errorf("%s of %s: %v", c.ttl, c.longest, err)
		}
	}
}

func TestMintRefuses(t *testing.T) {
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}})
	for param, q := range map[string]Request{
		"sub":    {},
		"ttl":    {Subject: "u", TTL: time.Hour},
		"claims": {Subject: "u", Claims: claviger.Claims{"pad": strings.Repeat("x", 8<<10)}},
	} {
		_, _, err := a.Mint(t.Context(), q)
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.Code != claviger.CodeInvalidInput || e.Param != param {
			t.Errorf("%s: %v", param, err)
		}
	}
	for _, q := range []Request{
		{Subject: "service:web"},
		{Subject: strings.Repeat("u", 1025)},
		{Subject: "u\xff"},
		{Subject: "u", Claims: claviger.Claims{"f": func() {}}},
	} {
		if token, _, err := a.Mint(t.Context(), q); err == nil || token != "" {
			t.Errorf("minted for %.20q", q.Subject)
		}
	}
}

func TestSecretsInTurn(t *testing.T) {
	first, second := secret(), secret()
	both := make1(t, Options{Secrets: []claviger.Secret{first, second}})
	for _, c := range []struct {
		name string
		by   Options
		ok   bool
	}{
		{"first", Options{Secrets: []claviger.Secret{first}}, true},
		{"second", Options{Secrets: []claviger.Secret{second}}, true},
		{"second first", Options{Secrets: []claviger.Secret{second, first}}, true},
		{"neither", Options{Secrets: []claviger.Secret{secret()}}, false},
		{"another audience", Options{Secrets: []claviger.Secret{first}, Audience: "x"}, false},
	} {
		token, _, err := make1(t, c.by).Mint(t.Context(), Request{Subject: "u"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := both.Authenticate(t.Context(), bearer(t, token)); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	noKid := sign(t, jose.HS256, second.Reveal(seal.ForReveal()), ours(), said(t, nil))
	if _, err := both.Authenticate(t.Context(), bearer(t, noKid)); err != nil {
		t.Errorf("without kid: %v", err)
	}
}

func TestMemoryEndsWithTheTicket(t *testing.T) {
	now := &clock{start}
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Now: now.now})
	token, _, err := a.Mint(t.Context(), Request{Subject: "u", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		ok    bool
	}{{0, true}, {75*time.Second - 1, true}, {75 * time.Second, false}, {time.Hour, false}} {
		now.t = start.Add(c.after)
		if _, err := a.Authenticate(t.Context(), bearer(t, token)); (err == nil) != c.ok {
			t.Errorf("after %s: %v", c.after, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no secrets":      {},
		"zero secret":     {Secrets: []claviger.Secret{{}}},
		"short secret":    {Secrets: []claviger.Secret{secret(), claviger.NewSecret(make([]byte, 31))}},
		"newline counted": {Secrets: []claviger.Secret{claviger.NewSecret(append(make([]byte, 31), '\n'))}},
		"many secrets":    {Secrets: make([]claviger.Secret, 17)},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "ticket: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzTicket(f *testing.F) {
	a := make1(f, Options{Secrets: []claviger.Secret{claviger.NewSecret(make([]byte, 32))}})
	token, _, err := a.Mint(f.Context(), Request{Subject: "u"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(unsigned(`{"alg":"none","typ":"`+typ+`"}`, `{"sub":"u"}`, ""))
	f.Add(sign(f, jose.HS256, make([]byte, 32), ours(), `{"sub":"u","exp":1e400}`))
	f.Fuzz(func(t *testing.T, token string) {
		p, err := a.verify(token, start)
		if (err == nil) != (p != nil && p.Subject != "" && p.Realm != "") {
			t.Fatalf("%q: %+v, %v", token, p, err)
		}
		_ = isTicket(token)
	})
}

// FuzzPayload signs whatever comes.
func FuzzPayload(f *testing.F) {
	a := make1(f, Options{Secrets: []claviger.Secret{claviger.NewSecret(make([]byte, 32))}})
	f.Add(said(f, nil))
	f.Add(said(f, map[string]any{"claims": map[string]any{"roles": []any{"a"}}, "actions": []any{}, "nbf": 1}))
	f.Fuzz(func(t *testing.T, payload string) {
		p, err := a.read([]byte(payload), start)
		if err != nil {
			return
		}
		until := p.until
		if p.Subject == "" || p.Realm == "" || p.TokenID == "" || p.most < 0 || !start.Before(until) || until.Sub(start) > LongestTTL+time.Minute {
			t.Fatalf("%q: %+v until %s", payload, p.Principal, until)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	a := make1(b, Options{Secrets: []claviger.Secret{secret()}})
	token, _, err := a.Mint(b.Context(), Request{Subject: "u", Claims: claviger.Claims{"plan": "pro"}})
	if err != nil {
		b.Fatal(err)
	}
	r := bearer(b, token)
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.Authenticate(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.verify(token, start); err != nil {
				b.Fatal(err)
			}
		}
	})
}
