package ticket

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

var (
	errForm      = errors.New("no compact JWT")
	errHeader    = errors.New("the header is not as tickets have it")
	errAlgorithm = errors.New("the algorithm is not HS256")
	errKey       = errors.New("not signed with a configured secret")
	errPayload   = errors.New("the payload is not that of a ticket")
	errIssuer    = errors.New("another issuer")
	errAudience  = errors.New("for another audience")
	errRealm     = errors.New("names no realm")
	errLife      = errors.New("valid for longer than a day, or without iat")
)

// payload is what a ticket says. A member that is not here is refused, because
// it may narrow a ticket in a way that this version does not know.
type payload struct {
	Issuer    string          `json:"iss"`
	Audience  string          `json:"aud"`
	Realm     string          `json:"realm"`
	Subject   string          `json:"sub"`
	IssuedAt  float64         `json:"iat"`
	NotBefore float64         `json:"nbf,omitzero"`
	Expires   float64         `json:"exp"`
	ID        string          `json:"jti"`
	Claims    claviger.Claims `json:"claims,omitzero"`
	Plan      string          `json:"plan,omitzero"`
	Actions   []string        `json:"actions,omitzero"`
}

// isTicket recognises our own: three parts with a header of our typ. Nothing
// is verified.
func isTicket(token string) bool {
	header, rest, ok := strings.Cut(token, ".")
	if !ok || strings.Count(rest, ".") != 1 {
		return false
	}
	h, err := parseHeader(header)
	if err != nil {
		return false
	}
	t, _ := h.Get("typ")
	return t.Is(typ)
}

func parseHeader(part string) (jsonx.Value, error) {
	if part == "" || len(part) > maxHeader || !credential.Canonical(part) {
		return jsonx.Value{}, errHeader
	}
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return jsonx.Value{}, errHeader
	}
	h, err := jsonx.Parse(b)
	if err != nil || h.Kind() != jsonx.KindObject {
		return jsonx.Value{}, errHeader
	}
	return h, nil
}

// checkHeader admits alg, typ and kid, and returns kid.
func checkHeader(h jsonx.Value) (kid string, err error) {
	for _, m := range h.Members() {
		switch m.Name {
		case "typ":
		case "alg":
			if !m.Value.Is(string(jose.HS256)) {
				return "", errAlgorithm
			}
		case "kid":
			if m.Value.Kind() != jsonx.KindString || m.Value.Str() == "" {
				return "", errHeader
			}
			kid = m.Value.Str()
		default:
			return "", errHeader
		}
	}
	return kid, nil
}

func (a *Authenticator) verify(token string, now time.Time) (*claviger.Principal, time.Time, error) {
	for p := range strings.SplitSeq(token, ".") {
		if p == "" || !credential.Canonical(p) {
			return nil, time.Time{}, errForm
		}
	}
	header, _, _ := strings.Cut(token, ".")
	h, err := parseHeader(header)
	if err != nil {
		return nil, time.Time{}, err
	}
	kid, err := checkHeader(h)
	if err != nil {
		return nil, time.Time{}, err
	}
	body, err := a.signed(token, kid)
	if err != nil {
		return nil, time.Time{}, err
	}
	return a.read(body, now)
}

// signed returns the payload when a configured secret has signed it: the one
// that kid names, or any when the token names none.
func (a *Authenticator) signed(token, kid string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, errForm
	}
	for _, k := range a.keys {
		if kid != "" && kid != k.id {
			continue
		}
		if body, err := jws.Verify(k.bytes()); err == nil {
			return body, nil
		}
	}
	return nil, errKey
}

func (a *Authenticator) read(body []byte, now time.Time) (*claviger.Principal, time.Time, error) {
	t, err := credential.ReadToken(body, now, 0)
	if err != nil {
		return nil, time.Time{}, err
	}
	var p payload
	if err := jsonx.Unmarshal(body, &p); err != nil {
		return nil, time.Time{}, errPayload
	}
	switch {
	case p.Issuer != issuer:
		return nil, time.Time{}, errIssuer
	case p.Audience != a.audience:
		return nil, time.Time{}, errAudience
	case p.Realm == "":
		return nil, time.Time{}, errRealm
	case t.IssuedAt.IsZero() || t.Expires.Sub(t.IssuedAt) > LongestTTL+credential.Tolerance:
		return nil, time.Time{}, errLife
	}
	return &claviger.Principal{
		Realm: p.Realm, Subject: p.Subject, Roles: credential.Roles(p.Claims), Method: Method, Claims: p.Claims,
		Presented: claviger.CredentialBearer, Expires: t.Expires, Plan: p.Plan, Actions: p.Actions,
	}, t.Until, nil
}
