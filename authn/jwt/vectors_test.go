package jwt

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// verifyVector goes the way of a token through this package but for the payload,
// which in vectors is seldom JSON.
func verifyVector(text string, keys []key, allowed []jose.SignatureAlgorithm) error {
	if len(text) > maxToken || !isCompact(text) {
		return errForm
	}
	parts := strings.Split(text, ".")
	if slices.ContainsFunc(parts, func(p string) bool { return !credential.Canonical(p) }) {
		return errForm
	}
	header, err := object(parts[0])
	if err != nil {
		return err
	}
	h, err := (&token{header: header}).hint(allowed)
	if err != nil {
		return err
	}
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{h.alg})
	if err != nil {
		return errForm
	}
	return (&ring{keys: keys}).verify(jws, h)
}

// vectorKeys reads a JWK as a set has it; a symmetric one becomes the secret.
func vectorKeys(t *testing.T, jwk map[string]any) ([]key, []jose.SignatureAlgorithm) {
	t.Helper()
	if jwk["kty"] == "oct" {
		k, err := base64.RawURLEncoding.DecodeString(jwk["k"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return []key{{public: claviger.NewSecret(k), kid: jwk["kid"].(string)}}, []jose.SignatureAlgorithm{jose.HS256}
	}
	b, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseSet(b)
	if err != nil {
		t.Fatal(err)
	}
	return keys, published
}

// TestWycheproof runs the vectors of project Wycheproof for JSON Web Signatures
// (github.com/C2SP/wycheproof at dac1dd4729fd1f8dd9e1e9f3dce51d783da6c166,
// Apache License 2.0), among them those of RFC 7520.
func TestWycheproof(t *testing.T) {
	b, err := os.ReadFile("testdata/wycheproof/json_web_signature.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Comment string
			Key     map[string]any
			Tests   [][4]any
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	good, bad, narrower, wider := 0, 0, 0, 0
	for _, g := range file.Groups {
		if strings.HasPrefix(g.Comment, "rfc7520") {
			delete(g.Key, "alg") // the RFC's keys have none, and those written here do not fit
		}
		keys, allowed := vectorKeys(t, g.Key)
		for _, v := range g.Tests {
			id, comment, text, result := int(v[0].(float64)), v[1].(string), v[2].(string), v[3].(string)
			err := verifyVector(text, keys, allowed)
			switch {
			case err == nil && result != "valid" && looser[id] != "":
				wider++
			case err == nil && result != "valid":
				t.Errorf("%s %d (%s): let in", g.Comment, id, comment)
			case err == nil:
				good++
			case result == "valid" && stricter[id] == "":
				t.Errorf("%s %d (%s): refused: %v", g.Comment, id, comment, err)
			case result == "valid":
				narrower++
			default:
				bad++
			}
		}
	}
	t.Logf("%d good ones let in, %d bad ones refused, %d good ones refused on purpose, %d bad ones let in that are no forgeries", good, bad, narrower, wider)
	if good < 40 || bad < 300 || narrower != len(stricter) || wider != len(looser) {
		t.Error("too few vectors were tried to prove anything")
	}
}

// stricter are good vectors that are refused here, with the reason.
var stricter = map[int]string{
	372: "a character that is not of base64url, in the header",
	373: "a character that is not of base64url, in the payload",
}

// looser are bad vectors that are let in, with the reason. None is a forgery.
var looser = map[int]string{
	281: saltLength, 282: saltLength, 283: saltLength, 284: saltLength, 285: saltLength, 286: saltLength,
	367: sameAsGood, 370: sameAsGood,
}

const (
	saltLength = "RFC 7518, section 3.5, wants a salt as long as the hash; the library takes any of the key's own signatures"
	sameAsGood = "byte for byte the good vector 357"
)

func FuzzToken(f *testing.F) {
	s := keyOf("EdDSA")
	const issuer = "https://issuer.example.com"
	a := &Authenticator{issuer: issuer, audience: []string{"my-app"}, subject: "sub", realm: "app", now: newClock().Now, algorithms: published}
	b, err := json.Marshal(members{"keys": []members{s.public(f), keyOf("RS256").public(f)}})
	if err != nil {
		f.Fatal(err)
	}
	keys, err := parseSet(b)
	if err != nil {
		f.Fatal(err)
	}
	a.keys = &shared{&ring{keys: keys, memory: credential.NewMemory[claviger.Principal](remember)}}
	good := s.sign(f, head(s), claims(issuer))
	f.Add(good)
	f.Add(keyOf("HS256").sign(f, head(s, "alg", "HS256"), claims(issuer)))
	f.Add((&signer{}).sign(f, members{"alg": "none"}, claims(issuer)))
	f.Add(s.sign(f, head(s, "crit", []string{"b64"}, "b64", false), claims(issuer)))
	f.Add(s.sign(f, head(s, "jwk", s.public(f)), claims(issuer)))
	f.Add("..")
	f.Add("a.b.c")
	f.Add("a..b.c.d")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := a.Authenticate(t.Context(), bearer(t, text))
		if err == nil && strings.Trim(text, " ") != good {
			t.Errorf("let %q in with %q", p.Subject, text)
		}
		if got := outcomeOf(t, err); got == in && p.Subject != "alice" {
			t.Errorf("%+v", p)
		}
	})
}

func FuzzSet(f *testing.F) {
	for _, name := range []string{"RS256", "weak", "ES256", "ES384", "EdDSA"} {
		f.Add([]byte(`{"keys":[` + string(jsonOf(f, keyOf(name).public(f))) + `]}`))
		f.Add([]byte(`{"keys":[` + string(jsonOf(f, keyOf(name).jwk(f))) + `]}`))
	}
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQ","e":"Aw"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}]}`))
	f.Add([]byte(`{"keys":[null,1,[],{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseSet(b)
		if err != nil && keys != nil {
			t.Error("keys beside an error")
		}
		if len(keys) > maxKeys {
			t.Errorf("%d keys", len(keys))
		}
		for _, k := range keys {
			if !strong(k.public) {
				t.Errorf("a key of type %T", k.public)
			}
			if k.fits(jose.HS256) || k.fits("none") || k.fits("") {
				t.Error("a published key fits a symmetric algorithm or none")
			}
		}
	})
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKeysThatCount shows which keys of a set may verify.
func TestKeysThatCount(t *testing.T) {
	rsa, ec, ed := keyOf("RS256").public(t), keyOf("ES256").public(t), keyOf("EdDSA").public(t)
	for _, c := range []struct {
		name string
		key  members
		want string // the algorithm that fits; empty: the key does not count
	}{
		{"RSA", rsa, "RS256"},
		{"RSA without alg", with(rsa, "alg", nil), "PS512"},
		{"RSA without kid", with(rsa, "kid", nil), "RS256"},
		{"EC", ec, "ES256"},
		{"Ed25519", ed, "EdDSA"},
		{"no use", with(ec, "use", nil), "ES256"},
		{"use enc", with(ec, "use", "enc"), ""},
		{"use null", with(ec, "use", any(json.RawMessage("null"))), ""},
		{"operations", with(ec, "key_ops", []string{"verify"}), "ES256"},
		{"other operations", with(ec, "key_ops", []string{"sign"}), ""},
		{"operations as text", with(ec, "key_ops", "verify"), ""},
		{"alg as number", with(ec, "alg", 1), ""},
		{"kid as number", with(ec, "kid", 1), ""},
		{"weak", keyOf("weak").public(t), ""},
		{"private", keyOf("ES256").jwk(t), ""},
		{"private RSA", keyOf("RS256").jwk(t), ""},
		{"symmetric", members{"kty": "oct", "k": "QUFB"}, ""},
		{"EC with the modulus of RSA", with(rsa, "kty", "EC"), ""},
		{"not on the curve", with(ec, "x", ec["y"]), ""},
		{"another curve", with(ec, "crv", "P-384"), ""},
		{"unknown curve", with(ec, "crv", "secp256k1"), ""},
		{"X25519", with(ed, "crv", "X25519"), ""},
		{"short Ed25519", with(ed, "x", "QUFB"), ""},
		{"even exponent", with(rsa, "e", "AQAA"), ""},
		{"exponent 1", with(rsa, "e", "AQ"), ""},
		{"huge modulus", with(rsa, "n", "_"+strings.Repeat("_", 1400)), ""},
		{"broken certificate beside it", with(ec, "x5c", []string{"!"}, "x5t", "!", "x5u", "http://[", "x5t#S256", 7), "ES256"},
		{"type in small letters", with(ec, "kty", "ec"), ""},
		{"no type", with(ec, "kty", nil), ""},
	} {
		v, err := jsonx.Parse(jsonOf(t, c.key))
		if err != nil {
			t.Fatal(err)
		}
		k, ok := parseKey(v)
		if ok != (c.want != "") || ok && !k.fits(jose.SignatureAlgorithm(c.want)) {
			t.Errorf("%s: %v", c.name, ok)
		}
		if ok && k.fits(jose.HS256) {
			t.Errorf("%s fits HS256", c.name)
		}
	}
}

func BenchmarkCached(b *testing.B) {
	s := keyOf("RS256")
	p := newProvider(b, s.public(b))
	a := mustNew(b, newClock().options(Options{Issuer: p.URL, Audience: []string{"my-app"}}))
	r := bearer(b, s.sign(b, head(s), claims(p.URL)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCold(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		b.Run(alg, func(b *testing.B) {
			s := keyOf(alg)
			p := newProvider(b)
			o := Options{Issuer: p.URL, Audience: []string{"my-app"}}
			if alg == "HS256" {
				o.Secret = claviger.NewSecret(s.private.([]byte))
			} else {
				p.publish(s.public(b))
			}
			a := mustNew(b, newClock().options(o))
			token := s.sign(b, head(s), claims(p.URL))
			r := a.keys.current(b.Context())
			now := a.now()
			b.ReportAllocs()
			for b.Loop() {
				t, err := parse(token)
				if err != nil || !t.from(a.issuer) {
					b.Fatal(err)
				}
				if _, err := a.signed(b.Context(), t, r); err != nil {
					b.Fatal(err)
				}
				if _, err := a.read(t, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkForeign(b *testing.B) {
	s := keyOf("HS256")
	a := mustNew(b, newClock().options(Options{Issuer: "https://issuer.example.com", Audience: []string{"my-app"}, Secret: claviger.NewSecret(s.private.([]byte))}))
	r := bearer(b, s.sign(b, head(s), claims("https://other.example.com")))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), r); err == nil {
			b.Fatal()
		}
	}
}
