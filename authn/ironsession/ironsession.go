// Package ironsession reads the sessions of iron-session: a sealed JSON object
// in a cookie, opened with the app's own password, without asking the app.
//
// The rules are those of iron-session 8.0.4 and 9.0.1 (seal Fe26.2 with the
// marker ~2), narrowed to what these libraries write. A seal says when it ends
// and never when it was made, and cannot be revoked: signing out deletes the
// cookie, and a copy stays good until its end.
package ironsession

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/jsonx"
)

// Method is the name under which the authenticator vouches for callers.
const Method = "iron-session"

// DefaultTTL is the life that iron-session gives to a seal.
const DefaultTTL = 14 * 24 * time.Hour

const (
	maxSeal     = 32 << 10 // bytes
	minPassword = 32       // bytes
	maxPassword = 16       // of them
	remember    = 8 << 20  // bytes of opened seals
)

// Options configure an Authenticator.
type Options struct {
	// Passwords are the app's passwords by their id; an app that has one
	// without naming it has the id "1". Each has at least 32 bytes, a trailing
	// newline not counted; at most 16.
	Passwords map[string]claviger.Secret
	// Cookie is the name of the session cookie. Required.
	Cookie string
	// Subject is where in the session the person's id stands, as "user.id".
	// Required. A whole number counts as its digits.
	Subject string
	// TTL is the app's ttl, DefaultTTL when 0. A seal that lives longer than
	// that from now is refused, and so is one without an end.
	TTL time.Duration
	// Realm is the realm of the callers, "app" when empty.
	Realm string
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Authenticator recognises iron-session's seals, in the session cookie or as a
// bearer. It implements claviger.CookieAuthenticator.
type Authenticator struct {
	passwords map[string]claviger.Secret
	cookie    string
	subject   []string
	ttl       time.Duration
	realm     string
	now       func() time.Time
	memory    *credential.Memory[claviger.Principal]
}

// New returns an Authenticator, or an error that names the setting that is
// wrong.
func New(o Options) (*Authenticator, error) {
	if len(o.Passwords) == 0 || len(o.Passwords) > maxPassword {
		return nil, fmt.Errorf("iron-session: passwords: between 1 and %d are needed, not %d", maxPassword, len(o.Passwords))
	}
	a := &Authenticator{
		passwords: map[string]claviger.Secret{}, cookie: o.Cookie, subject: strings.Split(o.Subject, "."),
		ttl: o.TTL, realm: o.Realm, now: o.Now, memory: credential.NewMemory[claviger.Principal](remember),
	}
	for id, p := range o.Passwords {
		if !validID(id) {
			return nil, fmt.Errorf("iron-session: passwords: %q is no id: letters, digits and _ alone", id)
		}
		if len(credential.Bytes(p)) < minPassword {
			return nil, fmt.Errorf("iron-session: passwords.%s is shorter than %d characters, which iron-session refuses too", id, minPassword)
		}
		a.passwords[id] = p
	}
	switch {
	case !credential.ValidCookieName(o.Cookie):
		return nil, errors.New("iron-session: cookie is missing or no name that a cookie can have")
	case slices.Contains(a.subject, ""):
		return nil, errors.New("iron-session: subject: write where the person's id stands in the session, as user.id")
	case o.TTL < 0:
		return nil, errors.New("iron-session: ttl must not be negative")
	case o.TTL == 0:
		a.ttl = DefaultTTL
	}
	if a.realm == "" {
		a.realm = "app"
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a, nil
}

func validID(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// The ways in which a seal is presented.
const (
	bearerWay = iota
	cookieWay
)

// Authenticate opens the seal that r carries. A bearer decides before a cookie,
// because a browser attaches cookies by itself and a header never. A session in
// which nobody has signed in yet is no credential. It does not block, and
// remembers seals that were good until they end.
func (a *Authenticator) Authenticate(_ context.Context, r *http.Request) (claviger.Principal, error) {
	if token, ok := credential.Bearer(r); ok && strings.HasPrefix(token, prefix) {
		return a.open(token, bearerWay)
	}
	token, err := credential.Chunked(r.Header["Cookie"], a.cookie, maxSeal)
	switch {
	case err != nil:
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("iron-session: %w", err))
	case token == "":
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	return a.open(token, cookieWay)
}

// HasCookie reports whether r carries the session cookie, good or bad.
func (a *Authenticator) HasCookie(r *http.Request) bool {
	token, err := credential.Chunked(r.Header["Cookie"], a.cookie, maxSeal)
	return token != "" || err != nil
}

func (a *Authenticator) open(token string, way uint8) (claviger.Principal, error) {
	if len(token) > maxSeal {
		return claviger.Principal{}, credential.Refuse(errTooLarge)
	}
	key, now := credential.KeyOf(token, way), a.now()
	if p, ok := a.memory.Get(key, now); ok {
		return *p, nil
	}
	p, until, err := a.verify(token, now)
	switch {
	case errors.Is(err, claviger.ErrNoCredential):
		return claviger.Principal{}, err
	case err != nil:
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("iron-session: %w", err))
	}
	p.Presented = claviger.CredentialBearer
	if way == cookieWay {
		p.Presented = claviger.CredentialCookie
	}
	a.memory.Put(key, p, until, len(token))
	return *p, nil
}

func (a *Authenticator) verify(token string, now time.Time) (*claviger.Principal, time.Time, error) {
	s, err := parseSeal(token)
	if err != nil {
		return nil, time.Time{}, err
	}
	until := s.ends.Add(credential.Tolerance)
	switch {
	case !now.Before(until):
		return nil, time.Time{}, errExpired
	case s.ends.After(now.Add(a.ttl + credential.Tolerance)):
		return nil, time.Time{}, errLife
	}
	password, known := a.passwords[s.id]
	if !known {
		return nil, time.Time{}, errPassword
	}
	payload, err := s.open(credential.Bytes(password))
	if err != nil {
		return nil, time.Time{}, err
	}
	p, err := a.read(payload)
	if err != nil {
		return nil, time.Time{}, err
	}
	// A seal says when it ends. Where the app's ttl is shorter than ours, it
	// counts as older than it is, never as younger.
	p.Expires, p.Issued = s.ends, s.ends.Add(-a.ttl)
	return p, until, nil
}

// read takes the caller out of an opened session.
func (a *Authenticator) read(payload []byte) (*claviger.Principal, error) {
	v, err := jsonx.Parse(payload)
	if err != nil || v.Kind() != jsonx.KindObject {
		return nil, errPayload
	}
	at, holder := credential.At(v, a.subject)
	if at.IsZero() || at.IsNull() {
		return nil, claviger.ErrNoCredential // nobody has signed in
	}
	subject, err := credential.SubjectOf(at)
	if err != nil {
		return nil, err
	}
	p := &claviger.Principal{Realm: a.realm, Subject: subject, Method: Method}
	p.Claims, _ = v.Any().(map[string]any)
	if p.Roles = credential.Roles(p.Claims); p.Roles == nil {
		around, _ := holder.Any().(map[string]any)
		p.Roles = credential.Roles(around)
	}
	return p, nil
}
