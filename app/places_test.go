package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"claviger.dev/claviger/internal/testnet"
)

// TestNoPlaceThatACallerNames: no connection is made to a place that a token, a
// header, a cookie or a redirect names, whoever asks on the caller's behalf.
func TestNoPlaceThatACallerNames(t *testing.T) {
	trap := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	hits := testnet.Count(trap.Listener)
	trap.Listener = hits
	trap.Start()
	defer trap.Close()
	var asked [3]atomic.Int64 // issuer, app, provider of proofs
	redirecting := func(i int) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked[i].Add(1)
			w.Header().Set("Refresh", "0; url="+trap.URL)
			w.Header().Set("Link", "<"+trap.URL+">; rel=jwks")
			http.Redirect(w, r, trap.URL+"/followed", http.StatusTemporaryRedirect)
		}))
		t.Cleanup(s.Close)
		return s
	}
	issuer, app, provider := redirecting(0), redirecting(1), redirecting(2)
	s := asking(t, fmt.Sprintf(`  - jwt: {issuer: '%s', audience: my-app}
  - forward: {url: '%s/me', subject: id, cookies: [sid]}
  - anonymous: {limits: {requests: 1000/min}, human: {hcaptcha: {url: '%s', secret: env:CAPTCHA_SECRET}}}
`, issuer.URL, app.URL, provider.URL))
	p := s.start("serve")
	token := func(iss string, header map[jose.HeaderKey]any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(s.serviceKey)}, &jose.SignerOptions{ExtraHeaders: header})
		if err != nil {
			t.Fatal(err)
		}
		out, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: iss, Audience: jwt.Audience{"my-app"}, Subject: "ada", Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)),
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		// The algorithm is one that is asked about.
		head, rest, _ := strings.Cut(out, ".")
		return strings.Replace(head, "IUzI1NiI", "JTMjU2Ii", 1) + "." + rest
	}
	origin := []string{"Origin", "http://app.example.com"}
	for name, headers := range map[string][]string{
		"iss":              {"Authorization", "Bearer " + token(trap.URL, nil)},
		"jku":              {"Authorization", "Bearer " + token(issuer.URL, map[jose.HeaderKey]any{"jku": trap.URL + "/keys"})},
		"x5u":              {"Authorization", "Bearer " + token(issuer.URL, map[jose.HeaderKey]any{"x5u": trap.URL + "/chain"})},
		"kid":              {"Authorization", "Bearer " + token(issuer.URL, map[jose.HeaderKey]any{"kid": trap.URL + "/kid"})},
		"a bearer":         {"Authorization", "Bearer " + trap.URL + "/bearer"},
		"a cookie":         append([]string{"Cookie", "sid=" + trap.URL + "/cookie"}, origin...),
		"another cookie":   append([]string{"Cookie", "sid=" + strings.TrimPrefix(trap.URL, "http:")}, origin...),
		"a proof":          append([]string{"Claviger-Human", trap.URL + "/proof"}, origin...),
		"forwarded host":   append([]string{"Cookie", "sid=1", "X-Forwarded-Host", strings.TrimPrefix(trap.URL, "http://"), "X-Original-URL", trap.URL}, origin...),
		"a redirect of it": append([]string{"Claviger-Human", "a-token-of-the-widget"}, origin...),
	} {
		if r := p.ask(headers...); r.StatusCode != http.StatusUnauthorized && r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	for i, who := range []string{"issuer", "app", "provider of proofs"} {
		if asked[i].Load() == 0 {
			t.Errorf("the %s was never asked: the test proves little", who)
		}
	}
	if n := hits.Accepted(); n != 0 {
		t.Errorf("%d connections were made to a place that a caller named", n)
	}
}
