package app

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// proofKey is a key of a browser, to which a ticket is bound.
type proofKey struct {
	t      *testing.T
	signer jose.Signer
	jkt    string
}

func newProofKey(t *testing.T) *proofKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := (&jose.JSONWebKey{Key: &key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	return &proofKey{t, signer, base64.RawURLEncoding.EncodeToString(sum)}
}

// proof is a fresh one for the action of the site.
func (k *proofKey) proof(ticket, target string) string {
	k.t.Helper()
	sum := sha256.Sum256([]byte(ticket))
	claims := fmt.Sprintf(`{"jti":%q,"htm":"POST","htu":%q,"iat":%d,"ath":%q}`,
		rand.Text(), target, time.Now().Unix(), base64.RawURLEncoding.EncodeToString(sum[:]))
	signed, err := k.signer.Sign([]byte(claims))
	if err != nil {
		k.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		k.t.Fatal(err)
	}
	return text
}

// present runs the action with a ticket that is bound to a key.
func (p *process) present(ticket, proof string) reply {
	p.t.Helper()
	req := p.request("/api/ai/generate", "", `{"prompt":"teh cat"}`)
	req.Header.Set("Authorization", "DPoP "+ticket)
	req.Header.Set("Dpop", proof)
	return p.do(req)
}

// TestAProofIsGoodOnce: a proof that one process took is taken by no other that
// shares its limits, by none that comes after it, and after no reload (M-T4).
func TestAProofIsGoodOnce(t *testing.T) {
	const address = "https://ai.example.com"
	config := strings.Replace(siteConfig, "secrets: [env:TICKET_SECRET]", "secrets: [env:TICKET_SECRET], dpop_urls: ["+address+"]", 1)
	bound := func(s *site, p *process) (*proofKey, string) {
		k := newProofKey(s.t)
		r := p.post("/tickets", s.serviceKey, fmt.Sprintf(`{"sub":"ada","dpop_jkt":%q}`, k.jkt))
		_, rest, _ := strings.Cut(r.body, `"ticket":"`)
		ticket, _, ok := strings.Cut(rest, `"`)
		if !ok {
			s.t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		return k, ticket
	}
	want := func(t *testing.T, r reply, status int, what string) {
		t.Helper()
		if r.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", what, r.StatusCode, r.body, status)
		}
	}
	target := address + "/api/ai/generate"
	t.Run("two processes on one Redis", func(t *testing.T) {
		url, _ := redisServer(t, shortDir(t))
		s := newSite(t)
		s.vars["REDIS"] = url
		s.write("claviger.yaml", config+"storage: {limits: env:REDIS}\n")
		one, two := s.start("serve"), s.start("serve")
		k, ticket := bound(s, one)
		proof := k.proof(ticket, target)
		want(t, one.present(ticket, proof), http.StatusOK, "first")
		want(t, two.present(ticket, proof), http.StatusUnauthorized, "again, elsewhere")
		want(t, two.present(ticket, k.proof(ticket, target)), http.StatusOK, "another proof")
		s.write("claviger.yaml", config+"storage: {limits: env:REDIS}\nhosts: [other.example.com]\n")
		for _, p := range []*process{one, two} {
			p.until("the reload", func() bool {
				req := p.request("/api/ai/generate", "", "{}")
				req.Host = "other.example.com"
				return p.do(req).StatusCode != http.StatusMisdirectedRequest
			})
		}
		want(t, two.present(ticket, proof), http.StatusUnauthorized, "again, after a reload")
		proof = k.proof(ticket, target)
		want(t, two.present(ticket, proof), http.StatusOK, "first after a reload")
		want(t, one.present(ticket, proof), http.StatusUnauthorized, "again, elsewhere, after a reload")
	})
	t.Run("one process after another", func(t *testing.T) {
		s := newSite(t)
		s.write("claviger.yaml", config)
		p := s.start("serve")
		k, ticket := bound(s, p)
		proof := k.proof(ticket, target)
		want(t, p.present(ticket, proof), http.StatusOK, "first")
		p.stop()
		p = s.start("serve")
		want(t, p.present(ticket, proof), http.StatusUnauthorized, "again, after a restart")
		want(t, p.present(ticket, k.proof(ticket, target)), http.StatusOK, "another proof")
	})
}

// shortDir is a directory whose path is short enough for a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cr") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
