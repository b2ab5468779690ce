package jwt

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// The reasons against a token, for the log.
var (
	errTooLarge  = errors.New("jwt: the token is larger than 16 KiB")
	errForm      = errors.New("no compact JWT")
	errHeader    = errors.New("the header holds a member that may not be there, or one of the wrong type")
	errCritical  = errors.New("the header has crit, and no extension is known here")
	errOwnKey    = errors.New("the header brings a key of its own (jwk or x5c)")
	errType      = errors.New("typ is that of another kind of token")
	errAlgorithm = errors.New("the algorithm is not among the allowed ones")
	errNoKeys    = errors.New("the issuer's keys could not be fetched")
	errNoKey     = errors.New("no key of the issuer has this kid and fits the algorithm")
	errSignature = errors.New("not signed with a key of the issuer")
	errEvent     = errors.New("a security event token is no session")
	errAudience  = errors.New("made for another audience")
	errParty     = errors.New("made for another authorized party")
)

// isCompact reports whether a credential has the three parts of a signed JWT.
func isCompact(token string) bool {
	header, rest, ok := strings.Cut(token, ".")
	return ok && header != "" && strings.Count(rest, ".") == 1
}

// token is a compact JWS (RFC 7515, section 7.1) whose form was checked and
// whose signature was not.
type token struct {
	text    string
	header  jsonx.Value
	payload jsonx.Value
	broken  error // what is wrong with the parts beside the payload
}

// parse decodes the token's header and payload. Base64url and JSON must be in
// the one spelling that all readers understand alike. Without a payload nobody
// can say whose token it is, so that alone is an error.
func parse(text string) (*token, error) {
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	t := &token{text: text}
	var err error
	if t.payload, err = object(payload); err != nil {
		return nil, err
	}
	if len(header) > maxHeader || !credential.Canonical(signature) {
		t.broken = errForm
		return t, nil
	}
	t.header, t.broken = object(header)
	return t, nil
}

func object(part string) (jsonx.Value, error) {
	if part == "" || !credential.Canonical(part) {
		return jsonx.Value{}, errForm
	}
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return jsonx.Value{}, errForm
	}
	v, err := jsonx.Parse(b)
	if err != nil || v.Kind() != jsonx.KindObject {
		return jsonx.Value{}, errForm
	}
	return v, nil
}

// ticketType is the typ of the gateway's own tickets, which another
// authenticator reads.
const ticketType = "claviger-ticket+jwt"

// from reports whether the token says that it is of that issuer.
func (t *token) from(issuer string) bool {
	iss, _ := t.payload.Get("iss")
	typ, _ := t.header.Get("typ")
	return iss.Is(issuer) && !typ.Is(ticketType)
}

// hint is what the header says about the key.
type hint struct {
	alg    jose.SignatureAlgorithm
	kid    string
	hasKid bool
}

// hint checks the header. Members that name a place (jku, x5u) or a certificate
// (x5t) are passed over: nothing is ever fetched for them.
func (t *token) hint(allowed []jose.SignatureAlgorithm) (hint, error) {
	h := hint{}
	for name, v := range t.header.Fields() {
		switch name {
		case "alg":
			h.alg = jose.SignatureAlgorithm(v.Str())
		case "kid":
			h.kid, h.hasKid = v.Str(), true
			if v.Kind() != jsonx.KindString || h.kid == "" || len(h.kid) > maxKeyID {
				return h, errHeader
			}
		case "typ":
			if !acceptedType(v) {
				return h, errType
			}
		case "crit":
			return h, errCritical
		case "jwk", "x5c":
			return h, errOwnKey
		case "b64", "zip", "enc":
			return h, errHeader
		}
	}
	if !slices.Contains(allowed, h.alg) {
		return h, errAlgorithm
	}
	return h, nil
}

// acceptedType admits the types of sessions, ID tokens and access tokens (RFC
// 7519, section 5.1; RFC 9068, section 2.1). Others of the same issuer, such as
// logout+jwt, are good for something else.
func acceptedType(v jsonx.Value) bool {
	typ := strings.TrimPrefix(strings.ToLower(v.Str()), "application/")
	return v.Kind() == jsonx.KindString && (typ == "jwt" || typ == "at+jwt")
}

// signed returns the ring whose key has signed t. Keys that are not known yet
// are looked for once.
func (a *Authenticator) signed(ctx context.Context, t *token, r *ring) (*ring, error) {
	if t.broken != nil {
		return nil, t.broken
	}
	h, err := t.hint(a.algorithms)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errNoKeys
	}
	jws, err := jose.ParseSignedCompact(t.text, []jose.SignatureAlgorithm{h.alg})
	if err != nil {
		return nil, errForm
	}
	err = r.verify(jws, h)
	if err == nil {
		return r, nil
	}
	if h.hasKid && !errors.Is(err, errNoKey) {
		return nil, err // the key is known, and it is not its signature
	}
	n := a.keys.newer(ctx)
	if n == nil || n == r {
		return nil, err
	}
	return n, n.verify(jws, h)
}

// read checks what a verified token says.
func (a *Authenticator) read(t *token, now time.Time) (*credential.Token, error) {
	said, err := credential.ReadClaims(t.payload, a.subject, now, 0)
	if err != nil {
		return nil, err
	}
	if _, there := said.Claims["events"]; there { // RFC 8417, section 2.2
		return nil, errEvent
	}
	forUs := a.forUs
	if a.preset != nil && a.preset.forUs != nil {
		forUs = func(c claviger.Claims) error { return a.preset.forUs(a, c) }
	}
	if err := forUs(said.Claims); err != nil {
		return nil, err
	}
	if a.preset != nil {
		if err := a.preset.admit(said, now); err != nil {
			return nil, err
		}
	}
	return said, nil
}

// forUs checks aud and azp (RFC 7519, section 4.1.3; OpenID Connect Core 1.0,
// section 2).
func (a *Authenticator) forUs(c claviger.Claims) error {
	if len(a.audience) > 0 && !meet(a.audience, credential.Words(c["aud"])) {
		return errAudience
	}
	return a.forParty(c)
}

func (a *Authenticator) forParty(c claviger.Claims) error {
	if azp, _ := c["azp"].(string); len(a.parties) > 0 && !slices.Contains(a.parties, azp) {
		return errParty
	}
	return nil
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(b, func(s string) bool { return slices.Contains(a, s) })
}
