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
	errID        = errors.New("names no jti")
	errBinding   = errors.New("bound to what is no key's thumbprint, or good for less than one request")
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
	// Service is the service key that asked for the ticket.
	Service string `json:"svc,omitzero"`
	// MaxUses is for how many requests it is good; 0 for any number.
	MaxUses int64 `json:"max_uses,omitzero"`
	// Confirmation binds it to a key (RFC 7800, section 3).
	Confirmation *confirmation `json:"cnf,omitzero"`
}

// confirmation is the thumbprint of the key (RFC 9449, section 6.1).
type confirmation struct {
	JKT string `json:"jkt"`
}

// good is a ticket that was verified. What it says of the sender and of the
// number of requests is held against each request anew.
type good struct {
	claviger.Principal
	jkt   string
	most  int64
	until time.Time
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

func (a *Authenticator) verify(token string, now time.Time) (*good, error) {
	for p := range strings.SplitSeq(token, ".") {
		if p == "" || !credential.Canonical(p) {
			return nil, errForm
		}
	}
	header, _, _ := strings.Cut(token, ".")
	h, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	kid, err := checkHeader(h)
	if err != nil {
		return nil, err
	}
	body, err := a.signed(token, kid)
	if err != nil {
		return nil, err
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

func (a *Authenticator) read(body []byte, now time.Time) (*good, error) {
	t, err := credential.ReadToken(body, now, 0)
	if err != nil {
		return nil, err
	}
	var p payload
	if err := jsonx.Unmarshal(body, &p); err != nil {
		return nil, errPayload
	}
	switch {
	case p.Issuer != issuer:
		return nil, errIssuer
	case p.Audience != a.audience:
		return nil, errAudience
	case p.Realm == "":
		return nil, errRealm
	case t.IssuedAt.IsZero() || t.Expires.Sub(t.IssuedAt) > LongestTTL+credential.Tolerance:
		return nil, errLife
	case t.ID == "":
		return nil, errID
	case p.MaxUses < 0 || p.Confirmation != nil && !thumbprint(p.Confirmation.JKT):
		return nil, errBinding
	}
	g := &good{most: p.MaxUses, until: t.Until, Principal: claviger.Principal{
		Realm: p.Realm, Subject: p.Subject, Roles: credential.Roles(p.Claims), Method: Method, Claims: p.Claims,
		Presented: claviger.CredentialBearer, Expires: t.Expires, Plan: p.Plan, Actions: p.Actions,
		MintedBy: p.Service, TokenID: t.ID, Issued: t.IssuedAt,
	}}
	if p.Confirmation != nil {
		g.jkt = p.Confirmation.JKT
	}
	return g, nil
}
