package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authn/anonymous"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/authn/betterauth"
	"claviger.dev/claviger/authn/forward"
	"claviger.dev/claviger/authn/ironsession"
	"claviger.dev/claviger/authn/jwt"
	"claviger.dev/claviger/authn/service"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/netx"
)

const tableOrigin = "https://app.example.com"

// tableColumns are what can be wrong with a credential, in the order of the
// table. "revoked" is a good one whose person was blocked with IssuedBefore, as
// somebody does who signs a person out everywhere.
var tableColumns = []string{
	"valid", "expired", "not yet", "wrong issuer", "wrong audience", "wrong key", "wrong algorithm",
	"tampered", "truncated", "huge", "revoked", "rotated, old listed", "rotated, old gone",
}

// tableRow is one authenticator.
type tableRow struct {
	name string
	// cookie is the name of the cookie that carries the credential; empty for
	// a bearer.
	cookie string
	// make makes the authenticator that trusts these secrets or keys, by their
	// names in the vectors, at a clock.
	make func(t testing.TB, now func() time.Time, secrets ...string) claviger.Authenticator
	// tokens are by column; "valid" is of the secret "newest", "old" of "oldest".
	tokens map[string]string
	// none gives the reason for a column that has no meaning.
	none map[string]string
	// life is longer than any credential of the row lives.
	life time.Duration
}

// countingUpstream answers every call with a response, and counts.
type countingUpstream struct{ calls atomic.Int64 }

const tableAnswer = `{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,` +
	`"model":"gpt-4.1-mini","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":` +
	`[{"type":"output_text","text":"Hello.","annotations":[]}]}],"parallel_tool_calls":true,"tools":[],"tool_choice":"auto",` +
	`"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}`

func (u *countingUpstream) RoundTrip(context.Context, claviger.Authorized) (*http.Response, error) {
	u.calls.Add(1)
	return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(tableAnswer)), Body: io.NopCloser(strings.NewReader(tableAnswer))}, nil
}

// tableGateway is a gateway whose one authenticator is a.
func tableGateway(t testing.TB, a claviger.Authenticator, now func() time.Time) (*gateway.Gateway, *countingUpstream) {
	t.Helper()
	up := &countingUpstream{}
	return newTableGateway(t, a, up, gateway.Options{Now: now}), up
}

// signedOut are blocks of everybody's credentials from before a moment.
type signedOut struct{ before time.Time }

func (b signedOut) Find(w claviger.Barred) (claviger.Block, bool) {
	return claviger.Block{Scope: claviger.BlockUser, Name: w.Pseudonym, IssuedBefore: b.before},
		w.Principal.Issued.IsZero() || w.Principal.Issued.Before(b.before)
}

func (signedOut) Changed() <-chan struct{} { return nil }

func newTableGateway(t testing.TB, a claviger.Authenticator, up claviger.Upstream, o gateway.Options) *gateway.Gateway {
	t.Helper()
	o.Admission = admit.NewMemory(admit.MemoryOptions{Now: o.Now})
	return newLimitedGateway(t, a, up, o, nil)
}

// newLimitedGateway has an admission, and limits of the one plan.
func newLimitedGateway(t testing.TB, a claviger.Authenticator, up claviger.Upstream, o gateway.Options, limits []claviger.Limit) *gateway.Gateway {
	t.Helper()
	plans, err := authz.New([]authz.Plan{{Name: "all", Models: []string{"gpt-4.1-mini"}, Limits: limits}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(o, gateway.Snapshot{
		Hosts: netx.NewHosts([]string{"app.example.com"}), Origins: gateway.Origins{Exact: []string{tableOrigin}},
		Authenticators: []claviger.Authenticator{a}, Authorizer: plans, Upstream: up, Prices: admit.DefaultPrices(), MaxBody: 1 << 20,
		Pseudonym: func(p claviger.Principal) string { return p.Realm + "/" + p.Subject },
		Proxy:     &gateway.Proxy{Endpoints: []claviger.Endpoint{"responses"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func tableRequest(row *tableRow, token string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/responses", strings.NewReader(`{"model":"gpt-4.1-mini","input":"hi"}`))
	r.Host = "app.example.com"
	r.Header.Set("Content-Type", "application/json")
	switch {
	case token == "":
	case row.cookie != "":
		r.Header.Set("Cookie", row.cookie+"="+token)
		r.Header.Set("Origin", tableOrigin)
	default:
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// cell runs one column of a row: the credential, the trusted secrets and the
// clock that it is about.
func (row *tableRow) cell(t *testing.T, column string, made time.Time) (status int, calls int64) {
	t.Helper()
	now, token, secrets := made.Add(time.Minute), row.tokens["valid"], []string{"newest"}
	switch column {
	case "expired":
		now = made.Add(row.life)
	case "not yet":
		now = made.Add(-2 * time.Hour)
	case "wrong key":
		secrets = []string{"stranger"}
	case "tampered":
		token = tamper(token)
	case "truncated":
		token = token[:len(token)-12]
	case "huge":
		token += strings.Repeat("A", 60<<10-len(token))
	case "rotated, old listed":
		token, secrets = row.tokens["old"], []string{"newest", "oldest"}
	case "rotated, old gone":
		token = row.tokens["old"]
	default:
		token = cmp.Or(row.tokens[column], token)
	}
	up, o := &countingUpstream{}, gateway.Options{Now: func() time.Time { return now }}
	if column == "revoked" {
		o.Blocks = signedOut{now}
	}
	g := newTableGateway(t, row.make(t, o.Now, secrets...), up, o)
	for range 2 { // once verified, once perhaps remembered
		w := httptest.NewRecorder()
		g.ServeHTTP(w, tableRequest(row, token))
		if status != 0 && status != w.Code {
			t.Errorf("%s, %s: %d and then %d", row.name, column, status, w.Code)
		}
		status = w.Code
	}
	return status, up.calls.Load()
}

// tamper changes one character in the middle of a credential's longest part.
func tamper(token string) string {
	parts := strings.SplitAfter(token, ".")
	longest := 0
	for i, p := range parts {
		if len(p) > len(parts[longest]) {
			longest = i
		}
	}
	b := []byte(parts[longest])
	i := len(b) / 2
	for b[i] == '.' || b[i] == '%' || b[i] == '*' {
		i++
	}
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	parts[longest] = string(b)
	return strings.Join(parts, "")
}

// good says which cells let somebody in.
func good(column string) bool { return column == "valid" || column == "rotated, old listed" }

// TestAuthenticatorTable shows each authenticator with everything that can be
// wrong with a credential, through a real gateway: the status and how often the
// provider was called in two requests. The sessions and tokens are those of the
// real libraries (see vectors_test.go).
func TestAuthenticatorTable(t *testing.T) {
	v := readVectors(t)
	t.Logf("%-22s %s", "", strings.Join(tableColumns, " | "))
	for _, row := range tableRows(t, v) {
		var cells, why []string
		for _, column := range tableColumns {
			if reason, none := row.none[column]; none {
				cells = append(cells, "-")
				why = append(why, column+": "+reason)
				continue
			}
			status, calls := row.cell(t, column, v.Made)
			cells = append(cells, fmt.Sprintf("%d/%d", status, calls))
			wantStatus, wantCalls := http.StatusUnauthorized, int64(0)
			if good(column) {
				wantStatus, wantCalls = http.StatusOK, 2
			}
			if status != wantStatus || calls != wantCalls {
				t.Errorf("%s, %s: %d with %d calls, want %d with %d", row.name, column, status, calls, wantStatus, wantCalls)
			}
		}
		t.Logf("%-22s %s", row.name, strings.Join(cells, " "))
		if why != nil {
			t.Logf("%-22s   -: %s", "", strings.Join(why, "; "))
		}
		for column := range row.none {
			if !slices.Contains(tableColumns, column) {
				t.Errorf("%s gives a reason for %q, which is no column", row.name, column)
			}
		}
	}
}

func reasons(why string, columns ...string) map[string]string {
	out := map[string]string{}
	for _, c := range columns {
		out[c] = why
	}
	return out
}

func merged(list ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range list {
		maps.Copy(out, m)
	}
	return out
}

func tableRows(t testing.TB, v *vectors) []tableRow {
	t.Helper()
	rows := []tableRow{}
	unnamed := reasons("a sealed session names neither", "wrong issuer", "wrong audience")
	secretsOf := func(names []string) []claviger.Secret {
		var out []claviger.Secret
		for _, n := range names {
			out = append(out, claviger.NewSecret([]byte(v.Secrets[n])))
		}
		return out
	}
	for _, version := range []int{4, 5} {
		name := fmt.Sprintf("authjs %d", version)
		rows = append(rows, tableRow{
			name: name, cookie: map[int]string{4: "__Secure-next-auth.session-token", 5: "__Secure-authjs.session-token"}[version],
			life: 40 * 24 * time.Hour, tokens: v.Tokens[name], none: unnamed,
			make: func(t testing.TB, now func() time.Time, names ...string) claviger.Authenticator {
				return made(t)(authjs.New(authjs.Options{Secrets: secretsOf(names), Version: version, Secure: true, Now: now}))
			},
		})
	}
	for _, strategy := range []string{"compact", "jwt", "jwe"} {
		name := "better-auth " + strategy
		none := merged(unnamed, reasons("Better Auth has one secret; its cache lives 5 minutes", "rotated, old listed"))
		rows = append(rows, tableRow{
			name: name, cookie: "__Secure-better-auth.session_data", life: time.Hour, tokens: v.Tokens[name], none: none,
			make: func(t testing.TB, now func() time.Time, names ...string) claviger.Authenticator {
				return made(t)(betterauth.New(betterauth.Options{Secret: secretsOf(names)[0], Strategy: strategy, Secure: true, Now: now}))
			},
		})
	}
	rows = append(rows, tableRow{
		name: "iron-session", cookie: "app", life: 40 * 24 * time.Hour, tokens: v.Tokens["iron-session"], none: unnamed,
		make: func(t testing.TB, now func() time.Time, names ...string) claviger.Authenticator {
			passwords := map[string]claviger.Secret{}
			for _, n := range names {
				passwords[map[string]string{"newest": "2", "stranger": "2", "oldest": "1"}[n]] = claviger.NewSecret([]byte(v.Secrets[n]))
			}
			return made(t)(ironsession.New(ironsession.Options{Passwords: passwords, Cookie: "app", Subject: "user.id", Now: now}))
		},
	})
	rows = append(rows, jwtRows(t, v)...)
	rows = append(rows, forwardRow(v))
	return append(rows, ourRows(t, v, secretsOf)...)
}

// forwardRow asks an app that knows its sessions and nothing else.
func forwardRow(v *vectors) tableRow {
	return tableRow{
		name: "forward", cookie: "sid", tokens: map[string]string{"valid": v.Secrets["newest"], "old": v.Secrets["oldest"]},
		none: reasons("what a session says is between the app and itself: it knows the session or not",
			"expired", "not yet", "wrong issuer", "wrong audience", "wrong algorithm"),
		make: func(t testing.TB, now func() time.Time, names ...string) claviger.Authenticator {
			app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := r.Cookie("sid")
				known := err == nil && slices.ContainsFunc(names, func(n string) bool { return v.Secrets[n] == c.Value })
				if !known {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"user":{"id":"ada"}}`)
			}))
			t.Cleanup(app.Close)
			a, err := forward.New(forward.Options{URL: app.URL + "/me", Subject: "user.id", Cookies: []string{"sid"}, Now: now})
			if err == nil {
				t.Cleanup(a.CloseIdle)
			}
			return made(t)(a, err)
		},
	}
}

// made is for the results of a constructor.
func made(t testing.TB) func(a claviger.Authenticator, err error) claviger.Authenticator {
	return func(a claviger.Authenticator, err error) claviger.Authenticator {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

// ourRows are the credentials that Claviger itself gives out, and no credential.
func ourRows(t testing.TB, v *vectors, secretsOf func([]string) []claviger.Secret) []tableRow {
	t.Helper()
	at := func() time.Time { return v.Made }
	mint := func(secret, audience string) string {
		a, err := ticket.New(ticket.Options{Secrets: secretsOf([]string{secret}), Audience: audience, Now: at})
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := a.Mint(t.Context(), ticket.Request{Subject: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	forged := func(alg jose.SignatureAlgorithm, iss string) string {
		key := jose.SigningKey{Algorithm: alg, Key: []byte(v.Secrets["newest"])}
		signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("claviger-ticket+jwt"))
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign(fmt.Appendf(nil, `{"iss":%q,"aud":"claviger","realm":"app","sub":"ada","iat":%d,"exp":%d,"jti":"x"}`, iss, v.Made.Unix(), v.Made.Add(5*time.Minute).Unix()))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	keyOf := func(names []string) []service.Key {
		var out []service.Key
		for _, n := range names {
			out = append(out, service.Key{Name: n, Secret: claviger.NewSecret([]byte(v.Secrets[n])), Realm: "app"})
		}
		return out
	}
	return []tableRow{
		{
			name: "ticket", life: time.Hour,
			tokens: map[string]string{
				"valid": mint("newest", ""), "old": mint("oldest", ""), "wrong audience": mint("newest", "other"),
				"wrong issuer": forged(jose.HS256, "other"), "wrong algorithm": forged(jose.HS512, "claviger"),
			},
			make: func(t testing.TB, now func() time.Time, names ...string) claviger.Authenticator {
				return made(t)(ticket.New(ticket.Options{Secrets: secretsOf(names), Now: now}))
			},
		},
		{
			name: "service", tokens: map[string]string{"valid": v.Secrets["newest"], "old": v.Secrets["oldest"]},
			none: merged(reasons("a key has no times", "expired", "not yet"), reasons("a key is compared, not read", "wrong issuer", "wrong audience", "wrong algorithm")),
			make: func(t testing.TB, _ func() time.Time, names ...string) claviger.Authenticator {
				return made(t)(service.New(service.Options{Keys: keyOf(names)}))
			},
		},
		{
			name: "anonymous", tokens: map[string]string{"tampered": "anything.at.all", "huge": "x", "truncated": "anything"},
			none: reasons("there is no credential to be wrong, and any Authorization header is refused", "expired", "not yet", "wrong issuer", "wrong audience",
				"wrong key", "wrong algorithm", "tampered", "truncated", "huge", "rotated, old listed", "rotated, old gone"),
			make: func(t testing.TB, _ func() time.Time, _ ...string) claviger.Authenticator {
				return made(t)(anonymous.New(anonymous.Options{Limits: []claviger.Limit{{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodDay}}}}))
			},
		},
	}
}

// jwtFamily is what is known of one provider's tokens.
type jwtFamily struct {
	options jwt.Options
	// claims are those of a user's token beside iss, iat and exp.
	claims map[string]any
	// audience is the change that makes it somebody else's.
	audience map[string]any
}

func jwtFamilies() map[string]jwtFamily {
	return map[string]jwtFamily{
		"jwt": {
			jwt.Options{Issuer: "https://issuer.example.com", Audience: []string{"my-app"}},
			map[string]any{"sub": "alice", "aud": "my-app"},
			map[string]any{"aud": "other"},
		},
		"jwt HS256": {
			jwt.Options{Issuer: "https://issuer.example.com", Audience: []string{"my-app"}},
			map[string]any{"sub": "alice", "aud": "my-app"},
			map[string]any{"aud": "other"},
		},
		"jwt clerk": {
			jwt.Options{Preset: "clerk", Issuer: "https://clever-cat-7.clerk.accounts.dev", AuthorizedParties: []string{tableOrigin}},
			map[string]any{"sub": "user_2FTKfbwVYvbpwcaYZ1ZDbOqrT6k", "azp": tableOrigin, "sid": "sess_1", "v": 2, "sts": "active"},
			map[string]any{"azp": "https://evil.example.com"},
		},
		"jwt supabase": {
			jwt.Options{Preset: "supabase", Issuer: "https://abcdefghijklmnopqrst.supabase.co/auth/v1"},
			map[string]any{"sub": "c03e6a8e-3b8b-4e3a-9d1a-6a1e6b6b7a4f", "aud": "authenticated", "role": "authenticated", "is_anonymous": false},
			map[string]any{"aud": "other"},
		},
		"jwt firebase": {
			jwt.Options{Preset: "firebase", Issuer: "https://securetoken.google.com/my-project"},
			map[string]any{"sub": "dUPm9Qk1", "aud": "my-project", "firebase": map[string]any{"sign_in_provider": "password"}},
			map[string]any{"aud": "other"},
		},
		"jwt auth0": {
			jwt.Options{Preset: "auth0", Issuer: "https://tenant.eu.auth0.com/", Audience: []string{"https://api.example.com"}},
			map[string]any{"sub": "auth0|507f1f77bcf86cd799439011", "aud": []string{"https://api.example.com"}, "azp": "my_client_id"},
			map[string]any{"aud": "https://other.example.com"},
		},
		"jwt cognito": {
			jwt.Options{Preset: "cognito", Issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI", Audience: []string{"1example23456789"}},
			map[string]any{"sub": "b3c1f6b4-0d5c-4f5e-9f0e-2f7a2e6d5a11", "client_id": "1example23456789", "token_use": "access"},
			map[string]any{"client_id": "other"},
		},
		"jwt workos": {
			jwt.Options{Preset: "workos", Issuer: "https://api.workos.com/user_management/client_01HXYZ", Audience: []string{"client_01HXYZ"}},
			map[string]any{"sub": "user_01HBEQKA6K4QJAS93VPE39W1JT", "role": "member"},
			map[string]any{"client_id": "client_other"},
		},
	}
}
