package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
)

type members = map[string]any

// signer is one private key of a test issuer.
type signer struct {
	kid, alg string
	private  any // *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey or []byte
}

var makeSigner = sync.OnceValue(func() map[string]*signer {
	must := func(v any, err error) any {
		if err != nil {
			panic(err)
		}
		return v
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(ed, err)
	_, ed2, err := ed25519.GenerateKey(rand.Reader)
	must(ed2, err)
	return map[string]*signer{
		"RS256":   {"rsa-1", "RS256", must(rsa.GenerateKey(rand.Reader, 2048))},
		"RS256-2": {"rsa-2", "RS256", must(rsa.GenerateKey(rand.Reader, 2048))},
		"weak":    {"weak", "RS256", must(rsa.GenerateKey(rand.Reader, 1024))},
		"ES256":   {"ec-1", "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))},
		"ES256-2": {"ec-2", "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))},
		"ES384":   {"ec-384", "ES384", must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))},
		"EdDSA":   {"ed-1", "EdDSA", ed},
		"EdDSA-2": {"ed-2", "EdDSA", ed2},
		"HS256":   {"", "HS256", []byte(rand.Text() + rand.Text())},
		"HS256-2": {"", "HS256", []byte(rand.Text() + rand.Text())},
	}
})

func keyOf(name string) *signer { return makeSigner()[name] }

// public is the JWK that the issuer publishes.
func (s *signer) public(t testing.TB) members {
	t.Helper()
	return toMap(t, (&jose.JSONWebKey{Key: s.private, KeyID: s.kid, Use: "sig", Algorithm: s.alg}).Public())
}

// jwk is the private key, for signing elsewhere.
func (s *signer) jwk(t testing.TB) members {
	t.Helper()
	return toMap(t, jose.JSONWebKey{Key: s.private, Algorithm: s.alg})
}

func toMap(t testing.TB, v any) members {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	m := members{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func segment(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// sign makes a token with any header, also one that no library would make. The
// signature is by the standard library alone.
func (s *signer) sign(t testing.TB, header, claims any) string {
	t.Helper()
	input := segment(t, header) + "." + segment(t, claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(s.signature(t, input))
}

func (s *signer) signature(t testing.TB, input string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	var err error
	switch k := s.private.(type) {
	case *rsa.PrivateKey:
		sig, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		size := (k.Params().BitSize + 7) / 8
		r, v, failed := ecdsa.Sign(rand.Reader, k, sum[:])
		sig, err = append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...), failed
	case ed25519.PrivateKey:
		sig = ed25519.Sign(k, []byte(input))
	case []byte:
		m := hmac.New(sha256.New, k)
		m.Write([]byte(input))
		sig = m.Sum(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// pemOf is the public key as attackers feed it to HMAC.
func (s *signer) pemOf(t testing.TB) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(s.private.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b})
}

// provider is an identity provider on loopback that counts what it is asked.
type provider struct {
	*httptest.Server
	discoveries, sets atomic.Int64
	others            atomic.Int64

	mu     sync.Mutex
	keys   []members
	answer http.HandlerFunc // instead of the key set
	header http.Header      // of the key set
}

func newProvider(t testing.TB, keys ...members) *provider {
	t.Helper()
	p := &provider{keys: keys, header: http.Header{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		p.discoveries.Add(1)
		_ = json.NewEncoder(w).Encode(members{"issuer": p.URL, "jwks_uri": p.URL + "/keys?p=1"})
	case "/keys":
		p.sets.Add(1)
		p.mu.Lock()
		answer, keys, header := p.answer, p.keys, p.header.Clone()
		p.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		maps.Copy(w.Header(), header)
		_ = json.NewEncoder(w).Encode(members{"keys": keys})
	default:
		p.others.Add(1)
		http.NotFound(w, r)
	}
}

func (p *provider) publish(keys ...members) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

func (p *provider) answerWith(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = h
}

// clock stands still until it is moved.
type clock struct{ at atomic.Int64 }

const noon = 1_800_000_000

func newClock() *clock {
	c := &clock{}
	c.at.Store(noon * int64(time.Second))
	return c
}

func (c *clock) Now() time.Time            { return time.Unix(0, c.at.Load()) }
func (c *clock) move(d time.Duration)      { c.at.Add(int64(d)) }
func (c *clock) options(o Options) Options { o.Now = c.Now; return o }

func mustNew(t testing.TB, o Options) *Authenticator {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bearer(t testing.TB, token string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/responses", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func ask(t testing.TB, a *Authenticator, token string) (claviger.Principal, error) {
	t.Helper()
	return a.Authenticate(t.Context(), bearer(t, token))
}

// claims are those of a good token of issuer, changed by pairs of name and
// value; a nil value takes a claim away.
func claims(issuer string, pairs ...any) members {
	c := members{"iss": issuer, "aud": "my-app", "sub": "alice", "iat": noon - 10, "exp": noon + 3600}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		if pairs[i+1] == nil {
			delete(c, name)
			continue
		}
		c[name] = pairs[i+1]
	}
	return c
}

func head(s *signer, pairs ...any) members {
	h := members{"alg": s.alg, "typ": "JWT"}
	if s.kid != "" {
		h["kid"] = s.kid
	}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		if pairs[i+1] == nil {
			delete(h, name)
			continue
		}
		h[name] = pairs[i+1]
	}
	return h
}

// stripLast serves the key set at /keys/anything too.
func stripLast(p *provider) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/keys"
		p.serve(w, r)
	})
}
