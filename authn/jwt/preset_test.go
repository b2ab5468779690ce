package jwt

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger"
)

// with changes the claims of a provider's token.
func with(c members, pairs ...any) members {
	out := maps.Clone(c)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(out, pairs[i].(string))
			continue
		}
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

// presetCase is a token of a provider and who it is.
type presetCase struct {
	name   string
	claims members
	why    error // nil: let in
	roles  []string
	// says and silent are claims that have to be there, or must not.
	says   members
	silent []string
}

func runPreset(t *testing.T, o Options, alg string, cases []presetCase) {
	t.Helper()
	s := keyOf(alg)
	if o.Secret.IsZero() {
		p := newProvider(t, s.public(t))
		o.JWKSURL = p.URL + "/keys"
		if o.Preset == "workos" {
			o.JWKSURL += "/" + o.Audience[0] // the last part is checked
			p.Config.Handler = stripLast(p)
		}
	}
	a := mustNew(t, newClock().options(o))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ask(t, a, s.sign(t, head(s, "typ", nil), c.claims))
			if !errors.Is(err, c.why) || (err == nil) != (c.why == nil) {
				t.Fatalf("%v, want %v", err, c.why)
			}
			if !slices.Equal(got.Roles, c.roles) {
				t.Errorf("roles %q, want %q", got.Roles, c.roles)
			}
			for name, want := range c.says {
				if !reflect.DeepEqual(got.Claims[name], want) {
					t.Errorf("%s is %v, want %v", name, got.Claims[name], want)
				}
			}
			for _, name := range c.silent {
				if v, there := got.Claims[name]; there {
					t.Errorf("%s is there: %v", name, v)
				}
			}
		})
	}
}

func TestClerk(t *testing.T) {
	const issuer = "https://clever-cat-7.clerk.accounts.dev"
	v1 := members{
		"azp": "https://app.example.com", "exp": noon + 60, "iat": noon, "nbf": noon - 10, "iss": issuer,
		"sid": "sess_2GaMqUCB3Sc1WNAkWuNzsnYVVEy", "sub": "user_2FTKfbwVYvbpwcaYZ1ZDbOqrT6k",
	}
	v2 := with(v1, "v", 2, "fva", []int{3, -1}, "sts", "active", "jti", "9d2f", "fea", "u:chat,o:reports")
	runPreset(t, Options{Preset: "clerk", Issuer: issuer, AuthorizedParties: []string{"https://app.example.com"}}, "RS256", []presetCase{
		{name: "version 1", claims: v1, silent: []string{"plan"}},
		{name: "version 1 in an organisation", claims: with(v1, "org_id", "org_1", "org_role", "org:admin"), roles: []string{"org:admin"}},
		{
			name: "version 2 in an organisation", claims: with(v2, "o", members{"id": "org_1", "rol": "admin", "slg": "acme"}, "pla", "o:team"),
			roles: []string{"org:admin"}, says: members{"plan": "team"},
		},
		{name: "plan of a user", claims: with(v2, "pla", "u:pro"), says: members{"plan": "pro"}},
		{name: "two plans", claims: with(v2, "pla", "u:pro,o:team"), says: members{"plan": "pro"}},
		{name: "plan without a scope", claims: with(v2, "pla", "pro"), silent: []string{"plan"}},
		{
			name: "metadata", claims: with(v2, "metadata", members{"role": "editor", "plan": "gold"}, "public_metadata", members{"roles": []string{"editor", "beta"}, "plan": "no"}),
			roles: []string{"editor", "beta"}, says: members{"plan": "gold"},
		},
		{name: "billing before metadata", claims: with(v2, "pla", "u:pro", "metadata", members{"plan": "gold"}), says: members{"plan": "pro"}},
		{name: "own claim before both", claims: with(v2, "plan", "own", "pla", "u:pro"), says: members{"plan": "own"}},
		{name: "what users edit", claims: with(v2, "unsafe_metadata", members{"role": "admin", "plan": "pro"}), silent: []string{"unsafe_metadata", "plan"}},
		{name: "another app", claims: with(v2, "azp", "https://evil.example.com"), why: errParty},
		{name: "without azp", claims: with(v2, "azp", nil), why: errParty},
		{name: "pending", claims: with(v2, "sts", "pending"), why: errPending},
		{name: "a machine", claims: with(v2, "sub", "mch_2FTKfbwVYvbpwcaYZ1ZDbOqrT6k"), why: errNoUser},
	})
}

func TestSupabase(t *testing.T) {
	const issuer = "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
	user := members{
		"aal": "aal1", "amr": []members{{"method": "password", "timestamp": noon}}, "aud": "authenticated", "email": "a@example.com",
		"exp": noon + 3600, "iat": noon, "iss": issuer, "phone": "", "role": "authenticated", "is_anonymous": false,
		"session_id": "4b938a09-5372-4177-a314-cfa292099ea2", "sub": "c03e6a8e-3b8b-4e3a-9d1a-6a1e6b6b7a4f",
		"app_metadata":  members{"provider": "email", "providers": []string{"email"}},
		"user_metadata": members{"role": "admin", "roles": []string{"admin"}, "plan": "pro", "email_verified": true},
	}
	cases := []presetCase{
		{name: "user", claims: user, silent: []string{"user_metadata", "plan", "email_verified"}, says: members{"email": "a@example.com"}},
		{
			name: "metadata of the app", claims: with(user, "app_metadata", members{"roles": []string{"editor"}, "plan": "pro"}),
			roles: []string{"editor"}, says: members{"plan": "pro"},
		},
		{name: "hook", claims: with(user, "user_role", "moderator"), roles: []string{"moderator"}},
		{name: "audience in a list", claims: with(user, "aud", []string{"authenticated"})},
		{name: "anonymous sign-in", claims: with(user, "is_anonymous", true), why: errNobody},
		{name: "odd is_anonymous", claims: with(user, "is_anonymous", "true"), why: errNobody},
		{name: "anon key", claims: members{"iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": "anon", "iat": noon, "exp": noon + 99999}, why: claviger.ErrNoCredential},
		{name: "anon role", claims: with(user, "role", "anon"), why: errRole},
		{name: "service_role", claims: with(user, "role", "service_role"), why: errRole},
		{name: "without role", claims: with(user, "role", nil), why: errRole},
		{name: "without audience", claims: with(user, "aud", nil), why: errAudience},
		{name: "audience of a key", claims: with(user, "aud", ""), why: errAudience},
	}
	o := Options{Preset: "supabase", Issuer: issuer}
	for _, alg := range []string{"ES256", "RS256", "HS256"} {
		t.Run(alg, func(t *testing.T) {
			if alg == "HS256" {
				o.Secret = claviger.NewSecret(keyOf(alg).private.([]byte))
			}
			runPreset(t, o, alg, cases)
		})
	}
}

func TestFirebase(t *testing.T) {
	const issuer = "https://securetoken.google.com/my-project"
	user := members{
		"iss": issuer, "aud": "my-project", "auth_time": noon - 100, "user_id": "dUPm9Qk1", "sub": "dUPm9Qk1", "iat": noon, "exp": noon + 3600,
		"email": "a@example.com", "email_verified": true, "firebase": members{"identities": members{"email": []string{"a@example.com"}}, "sign_in_provider": "password"},
	}
	runPreset(t, Options{Preset: "firebase", Issuer: issuer}, "RS256", []presetCase{
		{name: "user", claims: user, says: members{"email_verified": true}},
		{name: "custom claims", claims: with(user, "role", "admin", "plan", "pro"), roles: []string{"admin"}, says: members{"plan": "pro"}},
		{name: "address not verified", claims: with(user, "email_verified", false), says: members{"email_verified": false}},
		{name: "by phone", claims: with(user, "email_verified", nil, "email", nil), says: members{"email_verified": false}},
		{name: "anonymous", claims: with(user, "firebase", members{"sign_in_provider": "anonymous"}), why: errNobody},
		{name: "another project", claims: with(user, "aud", "other"), why: errAudience},
		{name: "issuer of another project", claims: with(user, "iss", "https://securetoken.google.com/other"), why: claviger.ErrNoCredential},
		{name: "a session cookie", claims: with(user, "iss", "https://session.firebase.google.com/my-project"), why: claviger.ErrNoCredential},
		{name: "signed in tomorrow", claims: with(user, "auth_time", noon+86400), why: errAuthTime},
		{name: "never signed in", claims: with(user, "auth_time", nil), why: errAuthTime},
		{name: "auth_time as text", claims: with(user, "auth_time", "1"), why: errAuthTime},
	})
}

func TestAuth0(t *testing.T) {
	const issuer = "https://tenant.eu.auth0.com/"
	user := members{
		"iss": issuer, "sub": "auth0|507f1f77bcf86cd799439011", "aud": []string{"https://api.example.com", issuer + "userinfo"},
		"iat": noon, "exp": noon + 86400, "azp": "my_client_id", "scope": "openid profile read:x", "permissions": []string{"read:x"},
	}
	runPreset(t, Options{Preset: "auth0", Issuer: issuer, Audience: []string{"https://api.example.com"}}, "RS256", []presetCase{
		{name: "user", claims: user, says: members{"permissions": []any{"read:x"}, "email_verified": false}, silent: []string{"plan"}},
		{
			name: "namespaced", claims: with(user, "https://app.example.com/roles", []string{"admin", "editor"}, "https://app.example.com/plan", "pro", "https://app.example.com/email_verified", true),
			roles: []string{"admin", "editor"}, says: members{"plan": "pro", "email_verified": true},
		},
		{name: "no namespace", claims: with(user, "app.example.com/roles", []string{"admin"}, "/plan", "pro"), silent: []string{"plan"}},
		{name: "another path", claims: with(user, "https://app.example.com/roles/old", []string{"admin"})},
		{name: "userinfo only", claims: with(user, "aud", issuer+"userinfo"), why: errAudience},
		{name: "a machine", claims: with(user, "gty", "client-credentials", "sub", "abc@clients"), why: errMachine},
		{name: "a machine by its subject", claims: with(user, "sub", "abc@clients"), why: errMachine},
	})
}

func TestCognito(t *testing.T) {
	const issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI"
	access := members{
		"sub": "b3c1f6b4-0d5c-4f5e-9f0e-2f7a2e6d5a11", "iss": issuer, "client_id": "1example23456789", "origin_jti": "x", "token_use": "access",
		"scope": "aws.cognito.signin.user.admin", "auth_time": noon, "exp": noon + 3600, "iat": noon, "jti": "y", "username": "alice",
		"cognito:groups": []string{"editors", "beta"},
	}
	id := with(access, "client_id", nil, "token_use", "id", "aud", "1example23456789", "email_verified", "true", "custom:plan", "pro")
	runPreset(t, Options{Preset: "cognito", Issuer: issuer, Audience: []string{"1example23456789"}}, "RS256", []presetCase{
		{name: "access token", claims: access, roles: []string{"editors", "beta"}, says: members{"email_verified": false}},
		{name: "ID token", claims: id, roles: []string{"editors", "beta"}, says: members{"email_verified": true}, silent: []string{"plan"}},
		{name: "no groups", claims: with(access, "cognito:groups", nil)},
		{name: "another client", claims: with(access, "client_id", "other"), why: errAudience},
		{name: "another client's ID token", claims: with(id, "aud", "other"), why: errAudience},
		{name: "access token with the audience of an ID token", claims: with(access, "client_id", nil, "aud", "1example23456789"), why: errAudience},
		{name: "ID token with the client of an access token", claims: with(id, "aud", nil, "client_id", "1example23456789"), why: errAudience},
		{name: "without use", claims: with(access, "token_use", nil), why: errUse},
		{name: "another use", claims: with(access, "token_use", "refresh"), why: errUse},
		{name: "a machine", claims: with(access, "sub", "1example23456789"), why: errMachine},
	})
}

func TestWorkOS(t *testing.T) {
	const issuer, client = "https://api.workos.com/user_management/client_01HXYZ", "client_01HXYZ"
	user := members{
		"iss": issuer, "sub": "user_01HBEQKA6K4QJAS93VPE39W1JT", "org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S", "role": "member", "roles": []string{"member", "billing"},
		"permissions": []string{"posts:read"}, "entitlements": []string{"audit-logs"}, "sid": "session_01HQSXZGF8FHF7A9ZZFCW4387R", "jti": "01H", "exp": noon + 300, "iat": noon,
	}
	runPreset(t, Options{Preset: "workos", Issuer: issuer, Audience: []string{client}}, "RS256", []presetCase{
		{name: "user", claims: user, roles: []string{"member", "billing"}, says: members{"entitlements": []any{"audit-logs"}}},
		{name: "with its client", claims: with(user, "client_id", client, "aud", []string{client}), roles: []string{"member", "billing"}},
		{name: "another client", claims: with(user, "client_id", "client_other"), why: errAudience},
		{name: "another audience", claims: with(user, "aud", "client_other"), why: errAudience},
		{name: "null as audience", claims: with(user, "aud", []string{}), why: errAudience},
		{name: "a machine", claims: with(user, "sub", client), why: errNoUser},
	})
}

// TestPresetKeys says where each preset looks for keys.
func TestPresetKeys(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Preset: "clerk", Issuer: "https://clerk.example.com", AuthorizedParties: []string{"x"}}, "https://clerk.example.com/.well-known/jwks.json"},
		{Options{Preset: "supabase", Issuer: "https://ref.supabase.co/auth/v1"}, "https://ref.supabase.co/auth/v1/.well-known/jwks.json"},
		{Options{Preset: "firebase", Issuer: "https://securetoken.google.com/p"}, "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"},
		{Options{Preset: "auth0", Issuer: "https://t.auth0.com/", Audience: []string{"x"}}, "https://t.auth0.com/.well-known/jwks.json"},
		{Options{Preset: "cognito", Issuer: "https://cognito-idp.eu-central-1.amazonaws.com/p", Audience: []string{"x"}}, "https://cognito-idp.eu-central-1.amazonaws.com/p/.well-known/jwks.json"},
		{Options{Preset: "workos", Issuer: "https://api.workos.com", Audience: []string{"client_1"}}, "https://api.workos.com/sso/jwks/client_1"},
		{Options{Preset: "clerk", Issuer: "https://clerk.example.com", AuthorizedParties: []string{"x"}, JWKSURL: "https://other.example.com/k"}, "https://other.example.com/k"},
	} {
		p := findPreset(c.o.Preset)
		if err := p.complete(&c.o); err != nil || c.o.JWKSURL != c.want {
			t.Errorf("%s: %q, %v", c.o.Preset, c.o.JWKSURL, err)
		}
		if _, err := New(c.o); err != nil {
			t.Errorf("%s: %v", c.o.Preset, err)
		}
	}
}

func TestOptions(t *testing.T) {
	long := claviger.NewSecret([]byte(strings.Repeat("s", minSecret)))
	good := Options{Issuer: "https://issuer.example.com", Audience: []string{"my-app"}}
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string // of the error; empty: none
	}{
		{"good", func(*Options) {}, ""},
		{"parties", func(o *Options) { o.Audience, o.AuthorizedParties = nil, []string{"x"} }, ""},
		{"secret", func(o *Options) { o.Secret = long }, ""},
		{"secret, issuer as it likes", func(o *Options) { o.Secret, o.Issuer = long, "my-app" }, ""},
		{"secret and its algorithm", func(o *Options) { o.Secret, o.Algorithms = long, []string{"HS256"} }, ""},
		{"loopback", func(o *Options) { o.Issuer = "http://127.0.0.1:9/x" }, ""},
		{"no issuer", func(o *Options) { o.Issuer = "" }, "issuer"},
		{"no audience", func(o *Options) { o.Audience = nil }, "audience"},
		{"empty audience", func(o *Options) { o.Audience = []string{""} }, "empty"},
		{"short secret", func(o *Options) { o.Secret = claviger.NewSecret([]byte(strings.Repeat("s", minSecret-1) + "\n")) }, "secret"},
		{"secret and set", func(o *Options) { o.Secret, o.JWKSURL = long, "https://x.example.com" }, "exclude"},
		{"secret and RS256", func(o *Options) { o.Secret, o.Algorithms = long, []string{"RS256"} }, "algorithms"},
		{"secret and both", func(o *Options) { o.Secret, o.Algorithms = long, []string{"HS256", "RS256"} }, "algorithms"},
		{"HS256 without a secret", func(o *Options) { o.Algorithms = []string{"HS256"} }, "algorithms[0]"},
		{"none", func(o *Options) { o.Algorithms = []string{"RS256", "none"} }, "algorithms[1]"},
		{"plain http", func(o *Options) { o.Issuer = "http://issuer.example.com" }, "issuer"},
		{"plain http, insecure", func(o *Options) { o.Issuer, o.InsecureHTTP = "http://issuer.example.com", true }, ""},
		{"plain http set", func(o *Options) { o.JWKSURL = "http://issuer.example.com/k" }, "jwks_url"},
		{"issuer that is no address", func(o *Options) { o.Issuer = "my-app" }, "issuer"},
		{"issuer that is no address, with a set", func(o *Options) { o.Issuer, o.JWKSURL = "my-app", "https://x.example.com/k?p=1" }, ""},
		{"cookie", func(o *Options) { o.Cookie = "a b" }, "cookie"},
		{"preset", func(o *Options) { o.Preset = "okta" }, "clerk, supabase"},
		{"supabase at its root", func(o *Options) { o.Preset, o.Issuer, o.Audience = "supabase", "https://x.supabase.co", nil }, "/auth/v1"},
		{"supabase for another", func(o *Options) { o.Preset, o.Issuer = "supabase", "https://x.supabase.co/auth/v1" }, "audience"},
		{"firebase of another issuer", func(o *Options) { o.Preset = "firebase" }, "issuer"},
		{"firebase of another project", func(o *Options) { o.Preset, o.Issuer = "firebase", "https://securetoken.google.com/p" }, "audience"},
		{"workos without a client", func(o *Options) { o.Preset, o.Audience, o.AuthorizedParties = "workos", nil, []string{"x"} }, "client"},
		{"workos with a set of all", func(o *Options) { o.Preset, o.JWKSURL = "workos", "https://api.workos.com/sso/jwks/other" }, "jwks_url"},
	} {
		o := good
		c.change(&o)
		_, err := New(o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
