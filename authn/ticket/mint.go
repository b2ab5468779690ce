package ticket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// Request is what a ticket is to say.
type Request struct {
	// Subject is the user. It must not be empty, be longer than 1,024 bytes,
	// or begin with "service:".
	Subject string
	// Realm is the user's realm; empty means that of the options.
	Realm string
	// Claims are read by the conditions of plans.
	Claims claviger.Claims
	// Plan, when not empty, is the one plan of the bearer.
	Plan string
	// Actions, when not nil, are the only actions for which it is good.
	Actions []string
	// Service is the name of the service key that asks; empty for none.
	Service string
	// MaxUses is for how many requests it is good; 0 means any number, and
	// MostUses is the most. It needs Options.Uses.
	MaxUses int64
	// JKT, when not empty, binds the ticket to the key of that thumbprint (RFC
	// 7638, with SHA-256): whoever presents it has to prove with each request
	// that they hold the key (RFC 9449). It needs Options.Addresses.
	JKT string
	// TTL is the life, in whole seconds; 0 means DefaultTTL.
	TTL time.Duration
	// MaxTTL is the longest life that this caller may ask for; 0 means
	// ServiceTTL, and more than LongestTTL counts as LongestTTL.
	MaxTTL time.Duration
}

// Mint makes a ticket and says when it ends. Who may mint what for whom is the
// caller's to decide, but for the longest life. An error is a *claviger.Error
// with CodeInvalidInput that names the member. It does not block.
func (a *Authenticator) Mint(_ context.Context, q Request) (token string, expires time.Time, err error) {
	if err := credential.CheckSubject(q.Subject); err != nil {
		return "", time.Time{}, invalid("sub", err)
	}
	if err := a.checkNarrow(&q); err != nil {
		return "", time.Time{}, err
	}
	ttl, err := q.life()
	if err != nil {
		return "", time.Time{}, err
	}
	now := a.now().Truncate(time.Second)
	expires = now.Add(ttl)
	p := payload{
		Issuer: issuer, Audience: a.audience, Realm: q.Realm, Subject: q.Subject,
		IssuedAt: float64(now.Unix()), Expires: float64(expires.Unix()), ID: rand.Text(),
		Claims: q.Claims, Plan: q.Plan, Actions: q.Actions, Service: q.Service, MaxUses: q.MaxUses,
	}
	if q.JKT != "" {
		p.Confirmation = &confirmation{q.JKT}
	}
	if p.Realm == "" {
		p.Realm = a.realm
	}
	body, err := jsonx.Marshal(p)
	if err != nil {
		return "", time.Time{}, invalid("claims", err)
	}
	if token, err = a.sign(body); err != nil {
		return "", time.Time{}, err
	}
	if len(token) > maxToken {
		return "", time.Time{}, invalid("claims", errTooLarge)
	}
	return token, expires, nil
}

// MostUses is the greatest number of requests to which a ticket can be held.
const MostUses = 1_000_000

// checkNarrow looks at what a ticket is held to beside its life.
func (a *Authenticator) checkNarrow(q *Request) error {
	switch {
	case q.MaxUses < 0 || q.MaxUses > MostUses:
		return invalid("max_uses", fmt.Errorf("ticket: max_uses is between 1 and %d", MostUses))
	case q.MaxUses > 0 && a.uses == nil:
		return invalid("max_uses", errNoUses)
	case q.JKT != "" && !thumbprint(q.JKT):
		return invalid("dpop_jkt", errors.New("ticket: no SHA-256 thumbprint of a key in base64url"))
	case q.JKT != "" && len(a.addresses) == 0:
		return invalid("dpop_jkt", errNoAddress)
	}
	return nil
}

func (q *Request) life() (time.Duration, error) {
	longest := q.MaxTTL
	if longest <= 0 {
		longest = ServiceTTL
	}
	longest = min(longest, LongestTTL)
	if q.TTL == 0 {
		return min(DefaultTTL, longest).Truncate(time.Second), nil
	}
	ttl := q.TTL.Truncate(time.Second)
	switch {
	case ttl <= 0:
		return 0, invalid("ttl", errors.New("ticket: a life of less than a second"))
	case q.TTL > longest:
		return 0, invalid("ttl", fmt.Errorf("ticket: a life of more than %s", longest))
	}
	return ttl, nil
}

func (a *Authenticator) sign(body []byte) (string, error) {
	o := (&jose.SignerOptions{}).WithType(typ).WithHeader("kid", a.keys[0].id)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: a.keys[0].bytes()}, o)
	if err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	jws, err := signer.Sign(body)
	if err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	return token, nil
}

func invalid(param string, cause error) error {
	return &claviger.Error{Code: claviger.CodeInvalidInput, Param: param, Detail: "Invalid " + param, Err: cause}
}
