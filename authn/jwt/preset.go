package jwt

import (
	"errors"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
)

// preset is what is known about one provider.
//
// Every preset gives the claims "plan" and "email_verified" their plain names,
// where the provider vouches for them, and takes out of the claims what users
// can edit themselves, so that no condition of a plan can rest on it.
type preset struct {
	name string
	// complete fills in and checks the options.
	complete func(*Options) error
	// forUs replaces the check of aud and azp; nil keeps it.
	forUs func(*Authenticator, claviger.Claims) error
	// admit refuses tokens that name no user, and maps the claims.
	admit func(t *credential.Token, now time.Time) error
}

func presets() []*preset {
	return []*preset{clerk(), supabase(), firebase(), auth0(), cognito(), workos()}
}

// Presets are the names that Options.Preset may have.
func Presets() []string {
	var out []string
	for _, p := range presets() {
		out = append(out, p.name)
	}
	return out
}

func findPreset(name string) *preset {
	for _, p := range presets() {
		if p.name == name {
			return p
		}
	}
	return nil
}

// The reasons of presets against a token.
var (
	errMachine  = errors.New("the token of a machine names no user")
	errNobody   = errors.New("an anonymous sign-in is no user: without the preset it would be one")
	errPending  = errors.New("the session is not active yet")
	errRole     = errors.New("role is not authenticated: a public or administrative key is no user")
	errUse      = errors.New("token_use is neither access nor id")
	errAuthTime = errors.New("auth_time is missing or in the future")
	errNoUser   = errors.New("sub is not that of a user")
)

// fallback sets a setting that was left out.
func fallback(at *string, value string) {
	if *at == "" {
		*at = value
	}
}

// keySetBelow is where several providers have their keys.
func keySetBelow(o *Options) error {
	if o.Secret.IsZero() {
		fallback(&o.JWKSURL, strings.TrimSuffix(o.Issuer, "/")+"/.well-known/jwks.json")
	}
	return nil
}

// within returns a member of a claim that is an object.
func within(c claviger.Claims, claim, member string) any {
	m, _ := c[claim].(map[string]any)
	return m[member]
}

// addRoles puts the roles of several claims together, each once.
func addRoles(t *credential.Token, from ...any) {
	for _, v := range from {
		for _, r := range credential.Words(v) {
			if !slices.Contains(t.Roles, r) {
				t.Roles = append(t.Roles, r)
			}
		}
	}
}

// setPlan makes the first of the values that is a plan's name the claim "plan",
// unless the token has one of that name.
func setPlan(c claviger.Claims, from ...any) {
	if _, there := c["plan"]; there {
		return
	}
	for _, v := range from {
		if s, ok := v.(string); ok && s != "" {
			c["plan"] = s
			return
		}
	}
}

// plainVerified makes email_verified a truth value; it is false unless the
// provider says that it is true.
func plainVerified(c claviger.Claims) {
	v := c["email_verified"]
	c["email_verified"] = v == true || v == "true"
}
