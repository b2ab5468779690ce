package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"claviger.dev/claviger/keys"
)

// The other ways to sign in reach the pipeline from the configuration.
func TestOtherAuthenticatorsAreWired(t *testing.T) {
	secret, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	src := source{path: t.TempDir() + "/claviger.yaml", text: []byte(`
environment: development
auth:
  - jwt: {issuer: 'https://issuer.example.com', audience: my-app, secret: env:JWT_SECRET, algorithms: [HS256]}
  - better-auth: {secret: env:JWT_SECRET, strategy: compact}
  - iron-session: {passwords: {1: env:JWT_SECRET}, cookie: session, subject: user.id}
plans:
  - {name: all, models: [gpt-4.1-mini], limits: {requests: 10/min}}
proxy: {endpoints: [responses]}
`)}
	in, err := newInstallation(t.Context(), Environment{Vars: []string{"JWT_SECRET=" + secret}}, src, previous{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(in.snapshot.Authenticators); n != 3 {
		t.Fatalf("%d authenticators, want 3", n)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: "https://issuer.example.com", Audience: jwt.Audience{"my-app"}, Subject: "user-1",
		Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/v1/responses", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	p, err := in.snapshot.Authenticators[0].Authenticate(t.Context(), r)
	if err != nil || p.Subject != "user-1" || p.Method != "jwt" {
		t.Errorf("got %q by %q, %v", p.Subject, p.Method, err)
	}
}
