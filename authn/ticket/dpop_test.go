package ticket

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/internal/jsonx"
)

const gatewayURL = "https://ai.example.com"

// holder is a caller with a key of its own.
type holder struct {
	alg jose.SignatureAlgorithm
	key any
	jwk map[string]any
	jkt string
}

func newHolder(t testing.TB, alg jose.SignatureAlgorithm) *holder {
	t.Helper()
	h := &holder{alg: alg}
	var public any
	switch alg {
	case jose.EdDSA:
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h.key, public = key, pub
	case jose.RS256:
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		h.key, public = key, key.Public()
	default:
		curve := map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384()}[alg]
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h.key, public = key, key.Public()
	}
	jwk := jose.JSONWebKey{Key: public}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	h.jkt = base64.RawURLEncoding.EncodeToString(sum)
	b, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonx.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	h.jwk = v.Any().(map[string]any)
	return h
}

// header is that of a good proof with changes; nil takes a member out.
func (h *holder) header(change map[string]any) map[string]any {
	m := map[string]any{"typ": "dpop+jwt", "alg": string(h.alg), "jwk": h.jwk}
	maps.Copy(m, change)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// claims are those of a good proof for a ticket with changes.
func (h *holder) claims(token string, change map[string]any) map[string]any {
	sum := sha256.Sum256([]byte(token))
	m := map[string]any{
		"jti": "p" + rand.Text(), "htm": "POST", "htu": gatewayURL + "/v1/responses", "iat": start.Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	maps.Copy(m, change)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// sign signs any header and payload.
func (h *holder) sign(t testing.TB, header, payload map[string]any) string {
	t.Helper()
	e := base64.RawURLEncoding.EncodeToString
	a, err := jsonx.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	b, err := jsonx.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return h.signText(t, e(a)+"."+e(b))
}

func (h *holder) signText(t testing.TB, text string) string {
	t.Helper()
	var sig []byte
	switch key := h.key.(type) {
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(text))
	case *ecdsa.PrivateKey:
		if h.alg != jose.ES256 {
			return text + ".AAAA"
		}
		sum := sha256.Sum256([]byte(text))
		r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		sum := sha256.Sum256([]byte(text))
		signed, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig = signed
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (h *holder) proof(t testing.TB, token string) string {
	t.Helper()
	return h.sign(t, h.header(nil), h.claims(token, nil))
}

func proven(t testing.TB, token string, proofs ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/responses?x=y", nil)
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header["Dpop"] = proofs
	return r
}

func boundTicket(t testing.TB, a *Authenticator, jkt string) string {
	t.Helper()
	token, _, err := a.Mint(t.Context(), Request{Subject: "u-1", JKT: jkt})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestConformanceDPoP runs the suite with a ticket that is bound to a key, and a
// fresh proof with each request.
func TestConformanceDPoP(t *testing.T) {
	for _, alg := range proofAlgorithms {
		t.Run(string(alg), func(t *testing.T) {
			own, h := secret(), newHolder(t, alg)
			a := make1(t, Options{Secrets: []claviger.Secret{own}, Addresses: []string{gatewayURL}})
			token, expires, err := a.Mint(t.Context(), Request{Subject: "u-1", JKT: h.jkt})
			if err != nil {
				t.Fatal(err)
			}
			unbound, _, err := a.Mint(t.Context(), Request{Subject: "u-1"})
			if err != nil {
				t.Fatal(err)
			}
			seed := a.seen.turned // the suite asks more often than one key may
			gatetest.Authenticator(t, gatetest.AuthenticatorSuite{
				Authenticator: a, Valid: token, Secrets: []claviger.Secret{own},
				Put: func(r *http.Request, c string) {
					a.seen.mu.Lock()
					a.seen.ofKey, a.seen.turned = map[string]int{}, seed
					a.seen.mu.Unlock()
					r.Header.Set("Authorization", "DPoP "+c)
					r.Header.Set("DPoP", h.proof(t, c))
				},
				Want: claviger.Principal{
					Realm: "app", Subject: "u-1", Method: "ticket", Presented: claviger.CredentialBearer,
					Expires: expires, Issued: start, TokenID: idIn(t, token),
				},
				Refused: map[string]string{
					"bound to no key":      unbound,
					"bound to another key": boundTicket(t, a, newHolder(t, alg).jkt),
				},
			})
		})
	}
}

// TestProof changes one thing of a good proof at a time. Each is refused for its
// own reason.
func TestProof(t *testing.T) {
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Addresses: []string{gatewayURL, "https://app.example.com/ai/"}})
	h, other, ed := newHolder(t, jose.ES256), newHolder(t, jose.ES256), newHolder(t, jose.EdDSA)
	token := boundTicket(t, a, h.jkt)
	with := func(change map[string]any) string { return h.sign(t, h.header(nil), h.claims(token, change)) }
	head := func(change map[string]any) string { return h.sign(t, h.header(change), h.claims(token, nil)) }
	jwk := func(change map[string]any) string {
		m := maps.Clone(h.jwk)
		maps.Copy(m, change)
		maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
		return head(map[string]any{"jwk": m})
	}
	private := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	good := with(nil)
	parts := strings.Split(good, ".")
	for _, c := range []struct {
		name  string
		proof string
		want  error // nil: good
	}{
		{"good", with(nil), nil},
		{"another address", with(map[string]any{"htu": "https://app.example.com/ai/v1/responses"}), nil},
		{"with query and fragment", with(map[string]any{"htu": gatewayURL + "/v1/responses?a=b#c"}), nil},
		{"the implied port, in capitals", with(map[string]any{"htu": "HTTPS://AI.example.com:443/v1/responses"}), nil},
		{"59 s old", with(map[string]any{"iat": start.Unix() - 59}), nil},
		{"75 s old", with(map[string]any{"iat": start.Unix() - 75}), nil},
		{"15 s ahead", with(map[string]any{"iat": start.Unix() + 15}), nil},
		{"half a second", with(map[string]any{"iat": float64(start.Unix()) + 0.5}), nil},
		{"an unknown claim, a nonce", with(map[string]any{"x": 1, "nonce": "n"}), nil},
		{"what WebCrypto exports", jwk(map[string]any{"ext": true, "key_ops": []any{"verify"}, "kid": "k", "use": "sig", "alg": "ES256"}), nil},

		{"76 s old", with(map[string]any{"iat": start.Unix() - 76}), errProofTime},
		{"16 s ahead", with(map[string]any{"iat": start.Unix() + 16}), errProofTime},
		{"iat as text", with(map[string]any{"iat": "1800000000"}), errProofPayload},
		{"iat negative", with(map[string]any{"iat": -1}), errProofPayload},
		{"iat huge", with(map[string]any{"iat": 1e300}), errProofPayload},
		{"no iat", with(map[string]any{"iat": nil}), errProofPayload},
		{"no jti", with(map[string]any{"jti": nil}), errProofPayload},
		{"empty jti", with(map[string]any{"jti": ""}), errProofPayload},
		{"long jti", with(map[string]any{"jti": strings.Repeat("x", 257)}), errProofPayload},
		{"no ath", with(map[string]any{"ath": nil}), errProofPayload},
		{"another ticket", h.proof(t, token+"x"), errProofTicket},
		{"ath in hex", with(map[string]any{"ath": strings.Repeat("a", 64)}), errProofTicket},
		{"no htm", with(map[string]any{"htm": nil}), errProofPayload},
		{"another method", with(map[string]any{"htm": "GET"}), errProofMethod},
		{"method in small letters", with(map[string]any{"htm": "post"}), errProofMethod},
		{"no htu", with(map[string]any{"htu": nil}), errProofPayload},
		{"another host", with(map[string]any{"htu": "https://evil.example/v1/responses"}), errProofTarget},
		{"a host that ends so", with(map[string]any{"htu": "https://x.ai.example.com/v1/responses"}), errProofTarget},
		{"user in front", with(map[string]any{"htu": "https://ai.example.com@evil.example/v1/responses"}), errProofTarget},
		{"http", with(map[string]any{"htu": "http://ai.example.com/v1/responses"}), errProofTarget},
		{"another port", with(map[string]any{"htu": gatewayURL + ":8443/v1/responses"}), errProofTarget},
		{"another path", with(map[string]any{"htu": gatewayURL + "/v1/embeddings"}), errProofTarget},
		{"a slash behind", with(map[string]any{"htu": gatewayURL + "/v1/responses/"}), errProofTarget},
		{"prefix of the other", with(map[string]any{"htu": gatewayURL + "/ai/v1/responses"}), errProofTarget},
		{"without its prefix", with(map[string]any{"htu": "https://app.example.com/v1/responses"}), errProofTarget},
		{"dots", with(map[string]any{"htu": gatewayURL + "/v1/../v1/responses"}), errProofTarget},
		{"the path alone", with(map[string]any{"htu": "/v1/responses"}), errProofTarget},

		{"typ JWT", head(map[string]any{"typ": "JWT"}), errProofHeader},
		{"no typ", head(map[string]any{"typ": nil}), errProofHeader},
		{"alg none", head(map[string]any{"alg": "none"}), errProofAlgorithm},
		{"alg HS256", head(map[string]any{"alg": "HS256"}), errProofAlgorithm},
		{"alg of another key", head(map[string]any{"alg": "EdDSA"}), errProofKey},
		{"alg number", head(map[string]any{"alg": 1}), errProofAlgorithm},
		{"no jwk", head(map[string]any{"jwk": nil}), errProofHeader},
		{"jwk text", head(map[string]any{"jwk": "x"}), errProofKey},
		{"crit", head(map[string]any{"crit": []any{"x"}}), errProofHeader},
		{"b64", head(map[string]any{"b64": false}), errProofHeader},
		{"kid", head(map[string]any{"kid": "x"}), errProofHeader},
		{"x5u for jwk", head(map[string]any{"jwk": nil, "x5u": "https://evil.example"}), errProofKey},
		{"private key", jwk(map[string]any{"d": private}), errProofKey},
		{"symmetric key", head(map[string]any{"jwk": map[string]any{"kty": "oct", "k": private}}), errProofKey},
		{"symmetric member", jwk(map[string]any{"k": private}), errProofKey},
		{"a certificate", jwk(map[string]any{"x5c": []any{"AA"}}), errProofKey},
		{"another curve", jwk(map[string]any{"crv": "P-384"}), errProofKey},
		{"type and curve exchanged", jwk(map[string]any{"crv": "EC", "kty": "P-256"}), errProofKey},
		{"no y", jwk(map[string]any{"y": nil}), errProofKey},
		{"not on the curve", jwk(map[string]any{"y": private}), errProofKey},
		{"short x", jwk(map[string]any{"x": "AAAA"}), errProofKey},
		{"x with padding", jwk(map[string]any{"x": h.jwk["x"].(string) + "="}), errProofKey},
		{"RS256", newHolder(t, jose.RS256).proof(t, token), errProofAlgorithm},
		{"ES384", newHolder(t, jose.ES384).proof(t, token), errProofAlgorithm},
		{"signed by another", other.sign(t, h.header(nil), h.claims(token, nil)), errProofSignature},
		{"another's key", other.proof(t, token), errProofOther},
		{"another's key of another kind", ed.proof(t, token), errProofOther},
		{"no signature", parts[0] + "." + parts[1] + ".", errProofForm},
		{"two parts", parts[0] + "." + parts[1], errProofForm},
		{"padded", good + "==", errProofForm},
		{"a space", " " + good, errProofForm},
		{"DER signature", parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 70)), errProofSignature},
		{"header twice", h.signText(t, base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256"}`))+"."+parts[1]), errProofHeader},
		{"large", with(map[string]any{"x": strings.Repeat("x", 4000)}), errProofSize},
		{"large header", jwk(map[string]any{"kid": strings.Repeat("x", 800)}), errProofHeader},
	} {
		_, err := a.Authenticate(t.Context(), proven(t, token, c.proof))
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if err != nil && claviger.AsError(err).Code != claviger.CodeUnauthenticated {
			t.Errorf("%s: code %s", c.name, claviger.AsError(err).Code)
		}
	}
	for name, r := range map[string]*http.Request{
		"no proof":    proven(t, token),
		"two proofs":  proven(t, token, h.proof(t, token), h.proof(t, token)),
		"one line":    proven(t, token, h.proof(t, token)+", "+h.proof(t, token)),
		"bearer":      bearer(t, token),
		"empty proof": proven(t, token, ""),
	} {
		if _, err := a.Authenticate(t.Context(), r); err == nil || errors.Is(err, claviger.ErrNoCredential) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := proven(t, token, h.proof(t, token))
	r.Header.Set("Authorization", "Bearer "+token)
	if _, err := a.Authenticate(t.Context(), r); !errors.Is(err, errBound) {
		t.Errorf("a bound ticket as bearer, with a proof: %v", err)
	}
	if p, terms, err := a.Inspect(t.Context(), bearer(t, token)); err != nil || p.Subject != "u-1" || !terms.Bound {
		t.Errorf("inspected: %+v, %+v, %v", p, terms, err)
	}
}

// TestProofOnce: a proof is good once, in this process and, with a store, in all
// of them.
func TestProofOnce(t *testing.T) {
	now := &clock{start}
	h := newHolder(t, jose.ES256)
	own := secret()
	a := make1(t, Options{Secrets: []claviger.Secret{own}, Addresses: []string{gatewayURL}, Now: now.now})
	token := boundTicket(t, a, h.jkt)
	ask := func(a *Authenticator, proof string) error {
		_, err := a.Authenticate(t.Context(), proven(t, token, proof))
		return err
	}
	ahead := h.sign(t, h.header(nil), h.claims(token, map[string]any{"iat": start.Unix() + 15}))
	if err := ask(a, ahead); err != nil {
		t.Fatal(err)
	}
	for now.t = start; now.t.Before(start.Add(2 * time.Minute)); now.t = now.t.Add(time.Second) {
		if err := ask(a, ahead); err == nil {
			t.Fatalf("taken again after %s", now.t.Sub(start))
		}
		fresh := h.sign(t, h.header(nil), h.claims(token, map[string]any{"iat": now.t.Unix()}))
		if err := ask(a, fresh); err != nil {
			t.Fatal(err)
		}
	}
	now.t = start
	own1 := &MemoryProofs{}
	reload := Options{Secrets: []claviger.Secret{own}, Addresses: []string{gatewayURL}, Seen: own1, Now: now.now}
	again := h.proof(t, token)
	if err := ask(make1(t, reload), again); err != nil {
		t.Fatal(err)
	}
	if err := ask(make1(t, reload), again); !errors.Is(err, errReplayed) {
		t.Errorf("after a reload: %v", err)
	}
	shared := NewMemoryUses(now.now)
	both := Options{Secrets: []claviger.Secret{own}, Addresses: []string{gatewayURL}, Proofs: shared, Now: now.now}
	one, two := make1(t, both), make1(t, both)
	p := h.proof(t, token)
	if err := ask(one, p); err != nil {
		t.Fatal(err)
	}
	if err := ask(two, p); !errors.Is(err, errReplayed) {
		t.Errorf("the other node: %v", err)
	}
	both.Proofs = brokenUses{}
	if err := ask(make1(t, both), h.proof(t, token)); claviger.AsError(err).Code != claviger.CodeLimitsUnavailable {
		t.Errorf("a broken store: %v", err)
	}
}

// TestProofsAreBounded: one key cannot fill the memory, and a full one refuses.
func TestProofsAreBounded(t *testing.T) {
	var r MemoryProofs
	for i := range maxOfOneKey {
		if err := r.first("a", idOf("a", strconv.Itoa(i)), start); err != nil {
			t.Fatal(i, err)
		}
	}
	e := claviger.AsError(r.first("a", idOf("a", "more"), start))
	if e == nil || e.Code != claviger.CodeRateLimited || e.RetryAfter <= 0 || e.RetryAfter > proofLife {
		t.Errorf("one key: %v", e)
	}
	if err := r.first("b", idOf("b", "1"), start); err != nil {
		t.Errorf("another key: %v", err)
	}
	if err := r.first("a", idOf("a", "more"), start.Add(proofLife)); err != nil {
		t.Errorf("later: %v", err)
	}
	for i := range maxProofs {
		r.young[idOf("c", strconv.Itoa(i)+"x")] = struct{}{}
	}
	if e := claviger.AsError(r.first("b", idOf("b", "2"), start.Add(proofLife))); e == nil || e.Code != claviger.CodeLimitsUnavailable {
		t.Errorf("full: %v", e)
	}
}

// TestRFC9449 holds the parser to the examples of RFC 9449 (figures 2 and 13,
// section 6.1 and 7.1; Copyright IETF Trust, Simplified BSD License).
func TestRFC9449(t *testing.T) {
	const (
		header  = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
		figure2 = header + "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ." +
			"2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
		figure13 = header + "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9." +
			"2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
		jkt   = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
		token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	)
	at := time.Unix(1562262618, 0)
	p, err := parseProof(figure13)
	if err != nil {
		t.Fatal(err)
	}
	if p.jkt != jkt || p.id != "e1j3V_bKic8-LAEB" || p.method != "GET" || p.target != "https://resource.example.org/protectedresource" || !p.made.Equal(at) {
		t.Errorf("figure 13: %+v", p)
	}
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}, Addresses: []string{"https://resource.example.org"}})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/protectedresource", nil)
	r.Header.Set("DPoP", figure13)
	if _, err := a.prove(r, token, jkt, at); err != nil {
		t.Errorf("the request of section 7.1: %v", err)
	}
	// The proof for the token endpoint is whole, and has no ath.
	if p, err := parseProof(figure2); !errors.Is(err, errProofPayload) || p.jkt != jkt {
		t.Errorf("figure 2: %+v, %v", p, err)
	}
	if _, err := parseProof(figure2[:len(figure2)-1] + "h"); errors.Is(err, errProofPayload) || err == nil {
		t.Errorf("figure 2 with another signature: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for _, s := range []string{"", "ai.example.com", "ftp://ai.example.com", "https://", "https://a b", "https://a?x", "https://a/#x", "https://u@a", "https://a/%41", "https://a//b", "https://a:0"} {
		if _, err := New(Options{Secrets: []claviger.Secret{secret()}, Addresses: []string{s}}); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	a := make1(t, Options{Secrets: []claviger.Secret{secret()}})
	if a.Challenge() != "" {
		t.Error("a challenge for DPoP without addresses")
	}
	for param, q := range map[string]Request{
		"dpop_jkt": {Subject: "u", JKT: strings.Repeat("A", 43)},
		"max_uses": {Subject: "u", MaxUses: 1},
	} {
		if _, _, err := a.Mint(t.Context(), q); claviger.AsError(err).Param != param {
			t.Errorf("%s: %v", param, err)
		}
	}
	full := make1(t, Options{Secrets: []claviger.Secret{secret()}, Addresses: []string{gatewayURL}, Uses: NewMemoryUses(nil)})
	for _, q := range []Request{
		{Subject: "u", JKT: "x"},
		{Subject: "u", JKT: strings.Repeat("A", 42) + "B"}, // unused bits set
		{Subject: "u", MaxUses: -1},
		{Subject: "u", MaxUses: MostUses + 1},
	} {
		if _, _, err := full.Mint(t.Context(), q); claviger.AsError(err).Code != claviger.CodeInvalidInput {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

type brokenUses struct{}

func (brokenUses) UseTicket(context.Context, string, int64, time.Time) (bool, error) {
	return true, errors.New("away")
}

// TestMaxUses: a ticket for N requests is good for N of them, however many come
// at once, and refused where they cannot be counted.
func TestMaxUses(t *testing.T) {
	uses := NewMemoryUses((&clock{start}).now)
	o := Options{Secrets: []claviger.Secret{secret()}, Uses: uses}
	a := make1(t, o)
	for _, n := range []int64{1, 3, 50} {
		token, _, err := a.Mint(t.Context(), Request{Subject: "u", MaxUses: n})
		if err != nil {
			t.Fatal(err)
		}
		if _, terms, err := a.Inspect(t.Context(), bearer(t, token)); err != nil || terms.MaxUses != n {
			t.Fatalf("inspected: %+v, %v", terms, err)
		}
		var in, out atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := a.Authenticate(t.Context(), bearer(t, token))
				switch {
				case err == nil:
					in.Add(1)
				case errors.Is(err, errUsedUp) && claviger.AsError(err).Code == claviger.CodeUnauthenticated:
					out.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in.Load() != n || out.Load() != 100-n {
			t.Errorf("%d of %d requests came in", in.Load(), n)
		}
	}
	token, _, err := a.Mint(t.Context(), Request{Subject: "u", MaxUses: 5})
	if err != nil {
		t.Fatal(err)
	}
	o.Uses = brokenUses{}
	p, err := make1(t, o).Authenticate(t.Context(), bearer(t, token))
	if e := claviger.AsError(err); e == nil || e.Code != claviger.CodeLimitsUnavailable || e.HTTPStatus() != 503 || e.RetryAfter <= 0 || p.Subject != "" {
		t.Errorf("a broken store: %v", err)
	}
}

// TestMemoryUses: what has ended is forgotten, and a full memory refuses.
func TestMemoryUses(t *testing.T) {
	now := &clock{start}
	m := NewMemoryUses(now.now)
	for i := range maxCounted {
		if ok, err := m.UseTicket(t.Context(), strconv.Itoa(i)+"k", 1, start.Add(time.Hour)); !ok || err != nil {
			t.Fatal(i, ok, err)
		}
	}
	if ok, err := m.UseTicket(t.Context(), "more", 1, start.Add(time.Hour)); ok || err == nil {
		t.Errorf("full: %v, %v", ok, err)
	}
	now.t = start.Add(time.Hour)
	if ok, err := m.UseTicket(t.Context(), "more", 1, now.t.Add(time.Hour)); !ok || err != nil || len(m.used) != 1 {
		t.Errorf("an hour later: %v, %v, %d counted", ok, err, len(m.used))
	}
}

// FuzzProof: whatever comes in the header, nothing is taken that its own key has
// not signed, and nothing breaks.
func FuzzProof(f *testing.F) {
	es, ed := newHolder(f, jose.ES256), newHolder(f, jose.EdDSA)
	f.Add(es.proof(f, "t"))
	f.Add(ed.proof(f, "t"))
	f.Add(es.sign(f, es.header(map[string]any{"alg": "none"}), es.claims("t", nil)))
	f.Add(strings.Repeat(".", 4096))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProof(text)
		if err != nil {
			return
		}
		if !thumbprint(p.jkt) || p.id == "" || p.method == "" || p.target == "" || p.ticket == "" || len(text) > maxProof {
			t.Fatalf("%q: %+v", text, p)
		}
	})
}

// FuzzTarget: an htu that fits names one of the addresses before anything else.
func FuzzTarget(f *testing.F) {
	list := []address{{"https://ai.example.com", ""}, {"http://127.0.0.1:8787", "/ai"}}
	f.Add("https://ai.example.com/v1/responses")
	f.Add("http://127.0.0.1:8787/ai/v1/responses?x")
	f.Add("https://ai.example.com:443@evil/v1/responses")
	f.Fuzz(func(t *testing.T, htu string) {
		r := &http.Request{RequestURI: "/v1/responses?q"}
		if !target(list, htu, r) {
			return
		}
		low := strings.ToLower(htu)
		if !strings.HasPrefix(low, "https://ai.example.com") && !strings.HasPrefix(low, "http://127.0.0.1:8787/ai") || !strings.Contains(htu, "/v1/responses") {
			t.Fatalf("%q fits", htu)
		}
	})
}

func BenchmarkDPoP(b *testing.B) {
	for _, alg := range proofAlgorithms {
		b.Run(string(alg), func(b *testing.B) {
			a := make1(b, Options{Secrets: []claviger.Secret{secret()}, Addresses: []string{gatewayURL}})
			h := newHolder(b, alg)
			token := boundTicket(b, a, h.jkt)
			r := proven(b, token, h.proof(b, token))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), r); err != nil {
					b.Fatal(err)
				}
				clear(a.seen.young) // the same proof again
			}
		})
	}
}

func BenchmarkMaxUses(b *testing.B) {
	a := make1(b, Options{Secrets: []claviger.Secret{secret()}, Uses: NewMemoryUses(nil)})
	token, _, err := a.Mint(b.Context(), Request{Subject: "u", MaxUses: MostUses})
	if err != nil {
		b.Fatal(err)
	}
	r := bearer(b, token)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), r); err != nil && !errors.Is(err, errUsedUp) {
			b.Fatal(err)
		}
	}
}
