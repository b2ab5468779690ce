package betterauth

import (
	"errors"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// The reasons against a verified cache, for the log.
var (
	errPayload   = errors.New("the session cache holds no session and user")
	errMismatch  = errors.New("the session is that of another user")
	errNoEnd     = errors.New("the session cache has no end")
	errExpired   = errors.New("the session cache has expired: the app renews it when it is asked for the session, and cookieCache.maxAge says how long it lasts")
	errNotYet    = errors.New("the session cache was made in the future, or says when in no number")
	errEnded     = errors.New("the session has ended")
	errBanned    = errors.New("the user is banned")
	errAnonymous = errors.New("an anonymous sign-in is no user")
)

// read takes the caller out of {"session":{…},"user":{…},…}. The end is ends,
// or the payload's exp without it.
//
// The user's members become the claims, so that user.claims.plan is the field
// plan of the app's user; the session's stand in "session", its token, which is
// a secret, taken out. Fields that the app lets users write themselves (input)
// are theirs to choose.
func read(payload []byte, ends, now time.Time) (*claviger.Principal, error) {
	v, err := jsonx.Parse(payload)
	if err != nil || v.Kind() != jsonx.KindObject {
		return nil, errPayload
	}
	session, _ := v.Get("session")
	user, _ := v.Get("user")
	if session.Kind() != jsonx.KindObject || user.Kind() != jsonx.KindObject {
		return nil, errPayload
	}
	if ends, err = end(v, session, ends, now); err != nil {
		return nil, err
	}
	if err := begun(v, now); err != nil {
		return nil, err
	}
	id, _ := user.Get("id")
	if id.Kind() != jsonx.KindString {
		return nil, errPayload
	}
	if err := credential.CheckSubject(id.Str()); err != nil {
		return nil, err
	}
	if owner, _ := session.Get("userId"); !owner.Is(id.Str()) {
		return nil, errMismatch
	}
	p := &claviger.Principal{Subject: id.Str(), Method: Method, Expires: ends}
	p.Claims, _ = user.Any().(map[string]any)
	if p.Claims["banned"] == true {
		return nil, errBanned
	}
	if p.Claims["isAnonymous"] == true {
		return nil, errAnonymous
	}
	about, _ := session.Any().(map[string]any)
	delete(about, "token")
	p.Claims["session"] = about
	p.TokenID, p.Issued = origin(session)
	p.Roles = roles(p.Claims)
	return p, nil
}

// maxID is the longest id of a session by which it can be revoked.
const maxID = 256

// origin is the session's id, and when the person signed in, each empty where
// the session does not say.
func origin(session jsonx.Value) (id string, made time.Time) {
	if v, _ := session.Get("id"); v.Kind() == jsonx.KindString && len(v.Str()) <= maxID {
		id = v.Str()
	}
	at, _ := session.Get("createdAt")
	if t, err := time.Parse(time.RFC3339Nano, at.Str()); err == nil {
		made = t
	}
	return id, made
}

// end is when the cache ends: what was signed beside it or its exp, and never
// after the session itself.
func end(v, session jsonx.Value, ends, now time.Time) (time.Time, error) {
	if ends.IsZero() {
		exp, _ := v.Get("exp")
		seconds, ok := exp.Int()
		if !ok || seconds <= 0 || seconds > 1<<40 {
			return ends, errNoEnd
		}
		ends = time.Unix(seconds, 0)
	}
	if !now.Before(ends.Add(credential.Tolerance)) {
		return ends, errExpired
	}
	at, _ := session.Get("expiresAt")
	until, err := time.Parse(time.RFC3339Nano, at.Str())
	if err != nil {
		return ends, errNoEnd
	}
	if !now.Before(until.Add(credential.Tolerance)) {
		return ends, errEnded
	}
	if until.Before(ends) {
		ends = until
	}
	return ends, nil
}

// begun refuses a cache that is not good yet: by iat and nbf, which tokens have,
// and updatedAt, which every cache has, in milliseconds.
func begun(v jsonx.Value, now time.Time) error {
	latest := now.Add(credential.Tolerance)
	for _, name := range []string{"iat", "nbf", "updatedAt"} {
		m, there := v.Get(name)
		if !there {
			continue
		}
		n, whole := m.Int()
		at := time.Unix(n, 0)
		if name == "updatedAt" {
			at = time.UnixMilli(n)
		}
		if !whole || n < 0 || n > 1<<52 || at.After(latest) {
			return errNotYet
		}
	}
	return nil
}

// roles reads role, in which the admin plugin writes several with commas.
func roles(c claviger.Claims) []string {
	var out []string
	for _, r := range credential.Roles(c) {
		for one := range strings.SplitSeq(r, ",") {
			if one = strings.TrimSpace(one); one != "" {
				out = append(out, one)
			}
		}
	}
	return out
}
