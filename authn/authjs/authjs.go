// Package authjs reads the sessions of Auth.js (NextAuth): the sealed token that
// an app puts into a cookie when someone signs in. It opens them with the app's
// own secret, so the app stays as it is and is not asked.
//
// The rules are those of next-auth 5.0.0-beta.32 with @auth/core 0.41.3 and of
// next-auth 4.24.15, narrowed to what these libraries write: direct encryption
// with A256CBC-HS512 or A256GCM (version 5) or A256GCM (version 4), no
// compression, no critical extensions, an end and a subject in each token.
// There is no revocation in such tokens: signing out deletes the cookie, and a
// copy stays good until its exp. MaxAge sets a nearer end.
package authjs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
)

// Method is the name under which the authenticator vouches for callers.
const Method = "authjs"

// Bounds on what is looked at.
const (
	maxToken   = 64 << 10 // bytes of a sealed token
	maxHeader  = 1 << 10  // characters of its first part
	maxSecrets = 16
	// remember is how many bytes of opened sessions are kept.
	remember = 16 << 20
)

// Options configure an Authenticator.
type Options struct {
	// Secrets are the app's AUTH_SECRET (NEXTAUTH_SECRET in version 4), the
	// newest first, at most 16. A trailing newline is left out.
	Secrets []claviger.Secret
	// Version is 4 or 5; 0 reads both, each under its own cookie.
	Version int
	// Cookie is the name of the session cookie where the app has changed it;
	// then no other is read. Empty means the names of Auth.js.
	Cookie string
	// Secure says that the app is served over https: then only the names with
	// __Secure- are read, since any other host of the site could set the rest.
	Secure bool
	// Realm is the realm of the callers, "app" when empty.
	Realm string
	// MaxAge, when positive, refuses sessions whose iat is older than this.
	MaxAge time.Duration
	// Logger is told, at most once an hour, that a cookie holds a session which
	// only the app can look up. Nil discards.
	Logger *slog.Logger
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Authenticator recognises Auth.js sessions, in the session cookie or as a
// bearer. It implements claviger.CookieAuthenticator.
type Authenticator struct {
	keyrings []*keyring // in the order in which they are tried
	names    []string   // of cookies, without repetition
	secure   bool
	realm    string
	maxAge   time.Duration
	now      func() time.Time
	memory   *credential.Memory[claviger.Principal]
	log      *slog.Logger
	told     credential.Seldom
}

// New derives the keys and returns the Authenticator, or an error that names
// the setting that is wrong.
func New(o Options) (*Authenticator, error) {
	if len(o.Secrets) == 0 || len(o.Secrets) > maxSecrets {
		return nil, fmt.Errorf("authjs: secrets: between 1 and %d are needed, not %d", maxSecrets, len(o.Secrets))
	}
	for i, s := range o.Secrets {
		if len(credential.Bytes(s)) == 0 {
			return nil, fmt.Errorf("authjs: secrets[%d] is empty, and anybody could seal a session with it", i)
		}
	}
	if o.Version != 0 && o.Version != 4 && o.Version != 5 {
		return nil, fmt.Errorf("authjs: version must be 4 or 5 (without it both are read), not %d", o.Version)
	}
	if o.Cookie != "" && !credential.ValidCookieName(o.Cookie) {
		return nil, errors.New("authjs: cookie is no name that a cookie can have")
	}
	if o.MaxAge < 0 {
		return nil, errors.New("authjs: the greatest age must not be negative")
	}
	a := &Authenticator{
		secure: o.Secure, realm: o.Realm, maxAge: o.MaxAge, now: o.Now,
		memory: credential.NewMemory[claviger.Principal](remember), log: o.Logger,
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.realm == "" {
		a.realm = "app"
	}
	if a.now == nil {
		a.now = time.Now
	}
	for _, version := range []int{5, 4} {
		if o.Version != 0 && o.Version != version {
			continue
		}
		k, err := newKeyring(version, cookieName(o, version), o.Secrets)
		if err != nil {
			return nil, err
		}
		if len(a.names) == 0 || a.names[0] != k.cookie {
			a.names = append(a.names, k.cookie)
		}
		a.keyrings = append(a.keyrings, k)
	}
	return a, nil
}

func cookieName(o Options, version int) string {
	if o.Cookie != "" {
		return o.Cookie
	}
	name := "authjs.session-token"
	if version == 4 {
		name = "next-auth.session-token"
	}
	if o.Secure {
		return "__Secure-" + name
	}
	return name
}

// bearerWay is the way of a token that came in the Authorization header; a
// cookie's way is its place among the names.
const bearerWay = 255

var errTooLarge = errors.New("authjs: the session token is larger than 64 KiB")

// databaseSession is what the operator reads when nobody here can read a session.
const databaseSession = "a session cookie of Auth.js holds the id of a database session, which only the app can look up: " +
	"add the forward authenticator for this app, or set session.strategy \"jwt\" in it"

// Authenticate opens the session that r carries. A sealed token in the
// Authorization header decides before a cookie, because a browser attaches
// cookies by itself and a header never. The id of a database session is no
// credential of its kind, so that a forward authenticator may stand behind. It
// does not block, and remembers sessions that were good until they end.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (claviger.Principal, error) {
	if token, ok := bearer(r); ok {
		if p, ok := a.memory.Get(credential.KeyOf(token, bearerWay), a.now()); ok {
			return *p, nil
		}
		if isSealed(token) {
			return a.open(token, bearerWay)
		}
	}
	for way, name := range a.names {
		token, err := readCookie(r.Header["Cookie"], name)
		if err != nil {
			return claviger.Principal{}, credential.Refuse(err)
		}
		if token == "" {
			continue
		}
		if isUUID(token) {
			if a.told.Due(a.now(), time.Hour) {
				a.log.LogAttrs(ctx, slog.LevelWarn, databaseSession, slog.String("cookie", name))
			}
			continue
		}
		return a.open(token, uint8(way))
	}
	return claviger.Principal{}, claviger.ErrNoCredential
}

// HasCookie reports whether r carries a session cookie, good or bad.
func (a *Authenticator) HasCookie(r *http.Request) bool {
	for _, name := range a.names {
		if token, err := readCookie(r.Header["Cookie"], name); token != "" || err != nil {
			return true
		}
	}
	return false
}

// open verifies a token that was presented in that way.
func (a *Authenticator) open(token string, way uint8) (claviger.Principal, error) {
	if len(token) > maxToken {
		return claviger.Principal{}, credential.Refuse(errTooLarge)
	}
	key, now := credential.KeyOf(token, way), a.now()
	if p, ok := a.memory.Get(key, now); ok {
		return *p, nil
	}
	t, err := a.verify(token, way, now)
	if err != nil {
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("authjs: %w", err))
	}
	p := &claviger.Principal{
		Realm: a.realm, Subject: t.Subject, Roles: t.Roles, Method: Method, Claims: t.Claims,
		Presented: claviger.CredentialCookie, Expires: t.Expires, TokenID: t.ID, Issued: t.IssuedAt,
	}
	if way == bearerWay {
		p.Presented = claviger.CredentialBearer
	}
	a.memory.Put(key, p, t.Until, len(token))
	return *p, nil
}

func (a *Authenticator) verify(token string, way uint8, now time.Time) (*credential.Token, error) {
	s, err := parseSealed(token)
	if err != nil {
		return nil, err
	}
	err = errKey
	for _, k := range a.keyrings {
		if way != bearerWay && k.cookie != a.names[way] {
			continue
		}
		payload, failed := k.open(s)
		if failed == nil {
			return credential.ReadToken(payload, now, a.maxAge)
		}
		err = failed
	}
	return nil, err
}

// bearer takes what may be a sealed token out of the Authorization header, where
// Auth.js's getToken reads it percent-encoded. isSealed tells whether it is one.
func bearer(r *http.Request) (string, bool) {
	token, ok := credential.Bearer(r)
	if !ok {
		return "", false
	}
	if len(token) <= 3*maxToken && strings.Contains(token, "%") {
		plain, err := url.PathUnescape(token)
		if err != nil {
			return "", false
		}
		token = plain
	}
	return token, len(token) <= maxToken+maxHeader && strings.Contains(token, "..") && strings.Count(token, ".") == 4
}
