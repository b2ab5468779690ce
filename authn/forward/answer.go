package forward

import (
	"errors"
	"fmt"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

var (
	errAnswer = errors.New("the answer is no JSON object and not null")
	errEnds   = errors.New("the answer says when the session ends, and not as a time: exp in seconds, or expires, expires_at or expiresAt as 2006-01-02T15:04:05Z or a number")
)

// latest is the last second of the year 9999; a greater number of seconds is
// one of milliseconds.
const latest = 253402300799

// read takes the caller out of an answer with status 200. An error means that it
// is no answer.
func (a *Authenticator) read(body []byte, way uint8) (verdict, error) {
	v, err := jsonx.Parse(body)
	switch {
	case err != nil:
		return verdict{}, fmt.Errorf("%w: %w", errAnswer, err)
	case v.IsNull():
		return verdict{who: nobody}, nil
	case v.Kind() != jsonx.KindObject:
		return verdict{}, errAnswer
	}
	at, _ := credential.At(v, a.subject)
	if at.IsZero() || at.IsNull() {
		return verdict{who: nobody}, nil
	}
	subject, err := credential.SubjectOf(at)
	if err != nil {
		return verdict{}, fmt.Errorf("subject: %w", err)
	}
	ends, err := sessionEnd(v)
	switch {
	case err != nil:
		return verdict{}, err
	case !ends.IsZero() && !a.now().Before(ends):
		return verdict{who: nobody}, nil
	}
	p := &claviger.Principal{Realm: a.realm, Subject: subject, Method: Method, Expires: ends, Presented: claviger.CredentialBearer}
	if way == cookieWay {
		p.Presented = claviger.CredentialCookie
	}
	if p.Claims = a.claimsOf(v); p.Claims != nil {
		p.Roles = credential.Roles(p.Claims)
	}
	return verdict{who: p, ends: ends, size: len(body)}, nil
}

// claimsOf takes the configured members alone: an answer is the app's own, and
// may hold more than plans should see.
func (a *Authenticator) claimsOf(v jsonx.Value) claviger.Claims {
	var out claviger.Claims
	for _, c := range a.claims {
		at, _ := credential.At(v, c.path)
		if at.IsZero() {
			continue
		}
		if out == nil {
			out = claviger.Claims{}
		}
		out[c.name] = at.Any()
	}
	return out
}

// sessionEnd is the earliest end of the session that the answer tells, where
// apps put it: at the top or in the member session. The zero time means that it
// tells none.
func sessionEnd(v jsonx.Value) (time.Time, error) {
	var out time.Time
	session, _ := v.Get("session")
	for _, holder := range []jsonx.Value{v, session} {
		for _, name := range []string{"exp", "expires", "expires_at", "expiresAt"} {
			at, ok := holder.Get(name)
			if !ok || at.IsNull() {
				continue
			}
			end, err := moment(at)
			if err != nil {
				return time.Time{}, err
			}
			if out.IsZero() || end.Before(out) {
				out = end
			}
		}
	}
	return out, nil
}

func moment(v jsonx.Value) (time.Time, error) {
	if v.Kind() == jsonx.KindString {
		t, err := time.Parse(time.RFC3339, v.Str())
		if err != nil {
			return time.Time{}, errEnds
		}
		return t, nil
	}
	f, ok := v.Float()
	switch {
	case v.Kind() != jsonx.KindNumber, !ok, f < 0, f > latest*1000:
		return time.Time{}, errEnds
	case f > latest:
		return time.UnixMilli(int64(f)), nil
	}
	return time.Unix(int64(f), 0), nil
}
