package jwt

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
)

// clerk reads Clerk's session tokens, version 1 and 2
// (https://clerk.com/docs/guides/sessions/session-tokens). They have no aud, so
// authorized_parties names the app's origins. Users alone are admitted, and
// sessions that wait for a task (sts) are not.
//
// Roles: org_role (version 1) and o.rol (version 2), both as "org:admin", and
// role or roles of the claim itself, of metadata and of public_metadata, which
// an app adds to its session token. Plan: the first of pla without its scope,
// else metadata.plan or public_metadata.plan. Users can edit unsafe_metadata,
// which is taken out.
func clerk() *preset {
	return &preset{
		name:     "clerk",
		complete: keySetBelow,
		admit: func(t *credential.Token, _ time.Time) error {
			c := t.Claims
			if sts, there := c["sts"]; there && sts != "active" {
				return errPending
			}
			if sub, _ := c["sub"].(string); !strings.HasPrefix(sub, "user_") {
				return errNoUser
			}
			delete(c, "unsafe_metadata")
			addRoles(t, c["org_role"])
			if rol, _ := within(c, "o", "rol").(string); rol != "" {
				addRoles(t, "org:"+strings.TrimPrefix(rol, "org:"))
			}
			for _, m := range []string{"metadata", "public_metadata"} {
				addRoles(t, within(c, m, "roles"), within(c, m, "role"))
			}
			setPlan(c, clerkPlan(c["pla"]), within(c, "metadata", "plan"), within(c, "public_metadata", "plan"))
			return nil
		},
	}
}

// clerkPlan reads "u:pro" or "u:pro,o:team".
func clerkPlan(v any) string {
	s, _ := v.(string)
	first, _, _ := strings.Cut(s, ",")
	_, plan, _ := strings.Cut(strings.TrimSpace(first), ":")
	return plan
}

// supabase reads the access tokens of Supabase Auth
// (https://supabase.com/docs/guides/auth/jwt-fields), signed with published keys
// or with the project's legacy JWT secret. The anon and service_role keys are
// tokens of the same secret, so aud and role both have to be "authenticated".
// Anonymous sign-ins are refused.
//
// Roles: roles or role of app_metadata, and user_role, which a hook adds. Plan:
// app_metadata.plan. Users can edit user_metadata, its email_verified included,
// so it is taken out; Supabase vouches for no e-mail address elsewhere.
func supabase() *preset {
	const user = "authenticated"
	return &preset{
		name: "supabase",
		complete: func(o *Options) error {
			if len(o.Audience) == 0 {
				o.Audience = []string{user}
			}
			if !slices.Equal(o.Audience, []string{user}) {
				return errors.New("jwt: audience: with the preset supabase it is authenticated")
			}
			if strings.HasSuffix(strings.TrimSuffix(o.Issuer, "/"), ".supabase.co") {
				return errors.New("jwt: issuer: with the preset supabase it ends in /auth/v1")
			}
			return keySetBelow(o)
		},
		admit: func(t *credential.Token, _ time.Time) error {
			c := t.Claims
			if c["role"] != user {
				return errRole
			}
			if anonymous, there := c["is_anonymous"]; there && anonymous != false {
				return errNobody
			}
			delete(c, "user_metadata")
			delete(c, "email_verified")
			t.Roles = nil // role is that of the database
			addRoles(t, within(c, "app_metadata", "roles"), within(c, "app_metadata", "role"), c["user_role"])
			setPlan(c, within(c, "app_metadata", "plan"))
			return nil
		},
	}
}

// firebase reads the ID tokens of Firebase Authentication
// (https://firebase.google.com/docs/auth/admin/verify-id-tokens). All projects
// are signed with the same keys, so issuer and audience both name the project.
// Anonymous sign-ins are refused.
//
// Roles and plan: the custom claims role, roles and plan, which only a server
// sets. email_verified is false where the provider does not say so.
func firebase() *preset {
	const prefix = "https://securetoken.google.com/"
	return &preset{
		name: "firebase",
		complete: func(o *Options) error {
			project, ok := strings.CutPrefix(o.Issuer, prefix)
			if !ok || project == "" || strings.Contains(project, "/") {
				return errors.New("jwt: issuer: with the preset firebase it is " + prefix + "PROJECT")
			}
			if len(o.Audience) == 0 {
				o.Audience = []string{project}
			}
			if !slices.Equal(o.Audience, []string{project}) {
				return errors.New("jwt: audience: with the preset firebase it is the project of the issuer")
			}
			fallback(&o.JWKSURL, "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com")
			return nil
		},
		admit: func(t *credential.Token, now time.Time) error {
			at, ok := t.Claims["auth_time"].(float64)
			if !ok || at > float64(now.Add(credential.Tolerance).Unix()) {
				return errAuthTime
			}
			if within(t.Claims, "firebase", "sign_in_provider") == "anonymous" {
				return errNobody
			}
			plainVerified(t.Claims)
			return nil
		},
	}
}

// auth0 reads access and ID tokens of Auth0
// (https://auth0.com/docs/secure/tokens/access-tokens). The audience is that of
// the API, or the client for ID tokens. Tokens of machines (client credentials)
// are refused.
//
// Custom claims of Auth0 carry a namespace: roles, role, plan, email and
// email_verified are read behind any that is a URL, as
// "https://app.example.com/roles". permissions stay a claim.
func auth0() *preset {
	return &preset{
		name:     "auth0",
		complete: keySetBelow,
		admit: func(t *credential.Token, _ time.Time) error {
			c := t.Claims
			if sub, _ := c["sub"].(string); c["gty"] == "client-credentials" || strings.HasSuffix(sub, "@clients") {
				return errMachine
			}
			for _, name := range slices.Sorted(maps.Keys(c)) {
				i := strings.LastIndexByte(name, '/')
				if !strings.HasPrefix(name, "https://") && !strings.HasPrefix(name, "http://") || i < 0 {
					continue
				}
				switch short := name[i+1:]; short {
				case "roles", "role":
					addRoles(t, c[name])
				case "plan":
					setPlan(c, c[name])
				case "email", "email_verified":
					if _, there := c[short]; !there {
						c[short] = c[name]
					}
				}
			}
			plainVerified(c)
			return nil
		},
	}
}

// cognito reads access and ID tokens of an Amazon Cognito user pool
// (https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html).
// The audience is the app client, which access tokens call client_id and ID
// tokens aud; token_use says which of them it is. Tokens of machines (client
// credentials) are refused.
//
// Roles: cognito:groups. Attributes (custom:plan and the like) are no plan,
// since an app client may let users write them.
func cognito() *preset {
	return &preset{
		name:     "cognito",
		complete: keySetBelow,
		forUs: func(a *Authenticator, c claviger.Claims) error {
			client := c["aud"]
			switch c["token_use"] {
			case "access":
				client = c["client_id"]
			case "id":
			default:
				return errUse
			}
			if len(a.audience) > 0 && !meet(a.audience, credential.Words(client)) {
				return errAudience
			}
			return a.forParty(c)
		},
		admit: func(t *credential.Token, _ time.Time) error {
			client, _ := t.Claims["client_id"].(string)
			if sub, _ := t.Claims["sub"].(string); sub != "" && sub == client {
				return errMachine
			}
			addRoles(t, t.Claims["cognito:groups"])
			plainVerified(t.Claims)
			return nil
		},
	}
}

// workos reads the access tokens of WorkOS AuthKit
// (https://workos.com/docs/reference/authkit/session-tokens). The audience is
// the client id. These tokens often have no aud; then it is the key set, which
// WorkOS has one of for each client, that binds them. Users alone are admitted.
//
// Roles: roles and role. permissions, entitlements and org_id stay claims.
func workos() *preset {
	const sets = "https://api.workos.com/sso/jwks/"
	return &preset{
		name: "workos",
		complete: func(o *Options) error {
			if len(o.Audience) != 1 {
				return errors.New("jwt: audience: with the preset workos it is the client id, and nothing else")
			}
			fallback(&o.JWKSURL, sets+o.Audience[0])
			if !strings.HasSuffix(o.JWKSURL, "/"+o.Audience[0]) {
				return errors.New("jwt: jwks_url: with the preset workos it ends in the client id, since the tokens do not name it")
			}
			return nil
		},
		forUs: func(a *Authenticator, c claviger.Claims) error {
			for _, name := range []string{"aud", "client_id"} {
				if v, there := c[name]; there && !meet(a.audience, credential.Words(v)) {
					return errAudience
				}
			}
			return a.forParty(c)
		},
		admit: func(t *credential.Token, _ time.Time) error {
			if sub, _ := t.Claims["sub"].(string); !strings.HasPrefix(sub, "user_") {
				return errNoUser
			}
			addRoles(t, t.Claims["roles"], t.Claims["role"])
			return nil
		},
	}
}
