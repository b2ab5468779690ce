// Package betterauth reads the cookie cache of Better Auth: the session and its
// user as the app's server saw them last, in a cookie that verifies with the
// app's own secret, so that the app is not asked.
//
// The rules are those of better-auth 1.7.25. The app has to turn the cache on
// (session.cookieCache.enabled); the session cookie beside it holds a mere id
// that only the app can look up, and is no credential here. A cache lives for
// 5 minutes unless cookieCache.maxAge says otherwise, and the app renews it
// whenever the session is asked for. A session that was ended on the server
// stays good until its cache ends.
package betterauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
)

// Method is the name under which the authenticator vouches for callers.
const Method = "better-auth"

// The strategies of session.cookieCache.
const (
	StrategyCompact = "compact"
	StrategyJWT     = "jwt"
	StrategyJWE     = "jwe"
)

const (
	maxCache  = 64 << 10 // bytes
	maxHeader = 1 << 10  // characters of a token's first part
	minSecret = 32       // bytes
	remember  = 8 << 20  // bytes of opened caches
)

// Options configure an Authenticator.
type Options struct {
	// Secret is the app's BETTER_AUTH_SECRET, of at least 32 bytes, a trailing
	// newline not counted.
	Secret claviger.Secret
	// Strategy is that of session.cookieCache; empty means StrategyCompact.
	Strategy string
	// Cookie is the name of the cache's cookie where the app has changed it.
	// Empty means better-auth.session_data, with __Secure- when Secure.
	Cookie string
	// Secure says that the app is served over https.
	Secure bool
	// Realm is the realm of the callers, "app" when empty.
	Realm string
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Authenticator recognises the cookie cache of Better Auth, in its cookie or as
// a bearer. It implements claviger.CookieAuthenticator.
type Authenticator struct {
	form   form
	cookie string
	realm  string
	now    func() time.Time
	memory *credential.Memory[claviger.Principal]
}

// form is one way in which the cache is written.
type form interface {
	// ours reports whether a bearer looks like this form under our secret.
	ours(token string) bool
	// open returns the verified payload, and its end where that stands beside
	// the payload; the zero time where it is the payload's exp.
	open(token string) (payload []byte, ends time.Time, err error)
}

// New returns an Authenticator, or an error that names the setting that is
// wrong.
func New(o Options) (*Authenticator, error) {
	if len(credential.Bytes(o.Secret)) < minSecret {
		return nil, fmt.Errorf("better-auth: secret is shorter than %d characters, which Better Auth warns of too", minSecret)
	}
	a := &Authenticator{cookie: o.Cookie, realm: o.Realm, now: o.Now, memory: credential.NewMemory[claviger.Principal](remember)}
	switch o.Strategy {
	case "", StrategyCompact:
		a.form = compact{o.Secret}
	case StrategyJWT:
		a.form = signed{o.Secret}
	case StrategyJWE:
		f, err := newEncrypted(o.Secret)
		if err != nil {
			return nil, err
		}
		a.form = f
	default:
		return nil, fmt.Errorf("better-auth: strategy is compact, jwt or jwe, not %q", o.Strategy)
	}
	switch {
	case a.cookie == "" && o.Secure:
		a.cookie = "__Secure-better-auth.session_data"
	case a.cookie == "":
		a.cookie = "better-auth.session_data"
	case !credential.ValidCookieName(a.cookie):
		return nil, errors.New("better-auth: cookie is no name that a cookie can have")
	}
	if a.realm == "" {
		a.realm = "app"
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a, nil
}

// The ways in which a cache is presented.
const (
	bearerWay = iota
	cookieWay
)

var errTooLarge = errors.New("better-auth: the session cache is larger than 64 KiB")

// Authenticate verifies the session cache that r carries. A bearer decides
// before a cookie, because a browser attaches cookies by itself and a header
// never. A request with the session's id alone carries no credential of this
// kind, so that a forward authenticator may stand behind. It does not block,
// and remembers caches that were good until they end.
func (a *Authenticator) Authenticate(_ context.Context, r *http.Request) (claviger.Principal, error) {
	if token, ok := credential.Bearer(r); ok && a.form.ours(token) {
		return a.open(token, bearerWay)
	}
	token, err := credential.Chunked(r.Header["Cookie"], a.cookie, maxCache)
	switch {
	case err != nil:
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("better-auth: %w", err))
	case token == "":
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	return a.open(token, cookieWay)
}

// HasCookie reports whether r carries the cache's cookie, good or bad.
func (a *Authenticator) HasCookie(r *http.Request) bool {
	token, err := credential.Chunked(r.Header["Cookie"], a.cookie, maxCache)
	return token != "" || err != nil
}

func (a *Authenticator) open(token string, way uint8) (claviger.Principal, error) {
	if len(token) > maxCache {
		return claviger.Principal{}, credential.Refuse(errTooLarge)
	}
	key, now := credential.KeyOf(token, way), a.now()
	if p, ok := a.memory.Get(key, now); ok {
		return *p, nil
	}
	payload, ends, err := a.form.open(token)
	if err != nil {
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("better-auth: %w", err))
	}
	p, err := read(payload, ends, now)
	if err != nil {
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("better-auth: %w", err))
	}
	p.Realm, p.Presented = a.realm, claviger.CredentialBearer
	if way == cookieWay {
		p.Presented = claviger.CredentialCookie
	}
	a.memory.Put(key, p, p.Expires.Add(credential.Tolerance), len(token))
	return *p, nil
}

// isToken reports whether a token has that many parts and a header that begins
// as the library writes it.
func isToken(token, begins string, parts int) bool {
	return strings.HasPrefix(token, begins) && strings.Count(token, ".") == parts-1
}
