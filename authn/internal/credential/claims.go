package credential

import (
	"errors"
	"math"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Tolerance is how far the clocks of issuer and gateway may be apart.
const Tolerance = 15 * time.Second

// latest is the last second of the year 9999, beyond which a time in a token
// means nothing.
const latest = 253402300799

var (
	errPayload   = errors.New("the token's payload is no JSON object")
	errNoExpiry  = errors.New("the token has no exp that is a number")
	errTime      = errors.New("iat or nbf is there and no number")
	errExpired   = errors.New("the token has expired")
	errNotYet    = errors.New("the token is not valid yet")
	errNoIssued  = errors.New("the token has no iat, and a greatest age is set")
	errTooOld    = errors.New("the token is older than the greatest age")
	errFromAhead = errors.New("the token's iat lies in the future")
)

// Token is what a verified token says.
type Token struct {
	Subject string
	Claims  claviger.Claims
	Roles   []string
	// Expires is exp. Until is the moment from which the token is refused:
	// exp, or iat and the greatest age if that is sooner, and the tolerance.
	Expires, Until time.Time
	// IssuedAt is iat, or the zero time.
	IssuedAt time.Time
	// ID is jti where it is a string of at most maxID bytes, else empty.
	ID string
}

// maxID is the longest id of a token by which it can be revoked.
const maxID = 256

// ReadToken checks the payload of a token whose seal or signature is good. A
// positive maxAge bounds its age by iat.
func ReadToken(payload []byte, now time.Time, maxAge time.Duration) (*Token, error) {
	v, err := jsonx.Parse(payload)
	if err != nil {
		return nil, errPayload
	}
	return ReadClaims(v, "sub", now, maxAge)
}

// ReadClaims is ReadToken for a payload that has been parsed, with the name of
// the claim that holds the subject.
func ReadClaims(v jsonx.Value, subject string, now time.Time, maxAge time.Duration) (*Token, error) {
	if v.Kind() != jsonx.KindObject {
		return nil, errPayload
	}
	t := &Token{}
	if err := t.readTimes(v, now, maxAge); err != nil {
		return nil, err
	}
	sub, _ := v.Get(subject)
	if sub.Kind() != jsonx.KindString {
		return nil, errNoSubject
	}
	t.Subject = sub.Str()
	if err := CheckSubject(t.Subject); err != nil {
		return nil, err
	}
	if id, _ := v.Get("jti"); id.Kind() == jsonx.KindString && len(id.Str()) <= maxID {
		t.ID = id.Str()
	}
	t.Claims, _ = v.Any().(map[string]any)
	t.Roles = Roles(t.Claims)
	return t, nil
}

func (t *Token) readTimes(v jsonx.Value, now time.Time, maxAge time.Duration) error {
	exp, there, ok := moment(v, "exp")
	if !there || !ok {
		return errNoExpiry
	}
	t.Expires = exp
	t.Until = exp.Add(Tolerance)
	nbf, hasNbf, ok := moment(v, "nbf")
	if !ok {
		return errTime
	}
	iat, hasIat, ok := moment(v, "iat")
	if !ok {
		return errTime
	}
	t.IssuedAt = iat
	switch {
	case hasNbf && nbf.After(now.Add(Tolerance)):
		return errNotYet
	case hasIat && iat.After(now.Add(Tolerance)):
		return errFromAhead
	case !now.Before(t.Until):
		return errExpired
	case maxAge > 0 && !hasIat:
		return errNoIssued
	}
	if end := iat.Add(maxAge + Tolerance); maxAge > 0 && end.Before(t.Until) {
		t.Until = end
	}
	if !now.Before(t.Until) {
		return errTooOld
	}
	return nil
}

// moment reads a time in seconds since 1970 (RFC 7519, section 2), whole or
// not. An absent one is ok.
func moment(v jsonx.Value, name string) (at time.Time, there, ok bool) {
	m, there := v.Get(name)
	if !there {
		return time.Time{}, false, true
	}
	if m.Kind() != jsonx.KindNumber {
		return time.Time{}, true, false
	}
	f, ok := m.Float()
	if !ok || f < 0 || f > latest {
		return time.Time{}, true, false
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(part*1e9)), true, true
}

// Roles reads the roles out of the claims: the strings of "roles", else of
// "role", each a list or one alone.
func Roles(c claviger.Claims) []string {
	for _, name := range []string{"roles", "role"} {
		if out := Words(c[name]); len(out) > 0 {
			return out
		}
	}
	return nil
}

// Words returns the strings of a claim that is a list or one alone, the empty
// ones left out.
func Words(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		if v != "" {
			out = append(out, v)
		}
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok && s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}
