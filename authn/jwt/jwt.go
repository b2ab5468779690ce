// Package jwt reads the tokens of an identity provider: signed JWTs (RFC 7519)
// of one issuer, made for this app, in the Authorization header or a cookie.
//
// The rules are those of RFC 8725. Algorithms are on a list, the key decides
// which of them it fits, and no token names the key by itself or a place where
// one could be got. Keys come from the issuer's key set, over the guarded
// client of internal/netx, and are remembered; so are tokens that were good,
// until they end or until a key leaves the set.
//
// Presets know what providers write beyond the standards: where roles and plans
// stand, which claims users can edit themselves, and which tokens name no user
// at all (machines, anonymous sign-ins, public API keys).
package jwt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/netx"
)

// Method is the name under which the authenticator vouches for callers.
const Method = "jwt"

// Bounds on what is looked at.
const (
	maxToken  = 16 << 10 // bytes
	maxHeader = 2 << 10  // characters of the first part
	maxKeyID  = 256      // bytes of kid
	minSecret = 32       // bytes (RFC 7518, section 3.2)
	remember  = 16 << 20 // bytes of verified tokens
)

// Options configure an Authenticator.
type Options struct {
	// Issuer is what iss has to be, byte for byte. Required.
	Issuer string
	// Audience are the values of which aud must hold one. AuthorizedParties
	// are those of which azp must be one. One of the two is required, since
	// the issuer may sign for other apps too; given both, both must hold.
	Audience, AuthorizedParties []string
	// JWKSURL is where the keys are. Without it, and without what a preset
	// knows, <Issuer>/.well-known/openid-configuration says where.
	JWKSURL string
	// Algorithms are those that are accepted: RS256, RS384, RS512, PS256,
	// PS384, PS512, ES256, ES384, ES512, EdDSA. Empty means RS256, ES256 and
	// EdDSA; with a Secret, HS256 is the only one.
	Algorithms []string
	// Secret, when set, verifies instead of published keys. It has at least
	// 32 bytes, a trailing newline not counted.
	Secret claviger.Secret
	// Subject is the claim that names the person, "sub" when empty.
	Subject string
	// Cookie is the name of a cookie that holds the token, beside the bearer.
	Cookie string
	// Preset is one of Presets, or empty.
	Preset string
	// Realm is the realm of the callers, "app" when empty. Issuers that share
	// a realm share its people: give each its own unless their subjects mean
	// the same persons.
	Realm string
	// InsecureHTTP allows addresses that are http beyond loopback.
	InsecureHTTP bool
	// AllowPrivate allows the issuer's name to lead into a private network.
	AllowPrivate bool
	// Logger hears about key sets that change or cannot be had. Nil is silent.
	Logger *slog.Logger
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Authenticator recognises the tokens of one issuer. It implements
// claviger.CookieAuthenticator.
type Authenticator struct {
	issuer     string
	audience   []string
	parties    []string
	algorithms []jose.SignatureAlgorithm
	subject    string
	cookie     string
	realm      string
	preset     *preset
	now        func() time.Time
	keys       keys
}

// keys is where an Authenticator gets its keys from.
type keys interface {
	// current returns the keys as they are known, nil when they cannot be had.
	current(ctx context.Context) *ring
	// newer returns the keys after looking whether there are others than
	// known, which it does not do each time.
	newer(ctx context.Context) *ring
	// refresh fetches them, unless that was done just now.
	refresh(ctx context.Context) error
	problems() []string
}

// New returns an Authenticator, or an error that names the setting that is
// wrong. It does not touch the network: keys are fetched when they are first
// needed, or by Refresh.
func New(o Options) (*Authenticator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Authenticator{subject: o.Subject, cookie: o.Cookie, realm: o.Realm, now: o.Now}
	if o.Preset != "" {
		if a.preset = findPreset(o.Preset); a.preset == nil {
			return nil, fmt.Errorf("jwt: preset: %q is not known; there are %s", o.Preset, strings.Join(Presets(), ", "))
		}
		if err := a.preset.complete(&o); err != nil {
			return nil, err
		}
	}
	if err := checkOptions(&o); err != nil {
		return nil, err
	}
	a.issuer, a.audience, a.parties = o.Issuer, slices.Clone(o.Audience), slices.Clone(o.AuthorizedParties)
	if a.subject == "" {
		a.subject = "sub"
	}
	if a.realm == "" {
		a.realm = "app"
	}
	var err error
	if a.algorithms, err = algorithms(&o); err != nil {
		return nil, err
	}
	if !o.Secret.IsZero() {
		a.keys = newShared(o.Secret)
		return a, nil
	}
	if a.keys, err = newSource(&o); err != nil {
		return nil, err
	}
	return a, nil
}

func checkOptions(o *Options) error {
	switch {
	case o.Issuer == "":
		return errors.New("jwt: issuer is missing: without it any token of the key set would do")
	case len(o.Audience) == 0 && len(o.AuthorizedParties) == 0:
		return errors.New("jwt: audience or authorized_parties is needed: the issuer's tokens for other apps would be taken")
	case slices.Contains(o.Audience, "") || slices.Contains(o.AuthorizedParties, ""):
		return errors.New("jwt: an audience or authorized party is empty")
	case o.Cookie != "" && !credential.ValidCookieName(o.Cookie):
		return errors.New("jwt: cookie is no name that a cookie can have")
	case !o.Secret.IsZero() && o.JWKSURL != "":
		return errors.New("jwt: a secret and a jwks_url exclude each other")
	case !o.Secret.IsZero() && len(credential.Bytes(o.Secret)) < minSecret:
		return fmt.Errorf("jwt: secret is shorter than %d bytes, which HS256 needs", minSecret)
	}
	return nil
}

// published are the algorithms of published keys.
var published = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

func algorithms(o *Options) ([]jose.SignatureAlgorithm, error) {
	if !o.Secret.IsZero() {
		if len(o.Algorithms) > 1 || len(o.Algorithms) == 1 && o.Algorithms[0] != string(jose.HS256) {
			return nil, errors.New("jwt: algorithms: with a secret HS256 is the only one")
		}
		return []jose.SignatureAlgorithm{jose.HS256}, nil
	}
	if len(o.Algorithms) == 0 {
		return []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}, nil
	}
	var out []jose.SignatureAlgorithm
	for i, name := range o.Algorithms {
		alg := jose.SignatureAlgorithm(name)
		if !slices.Contains(published, alg) {
			return nil, fmt.Errorf("jwt: algorithms[%d]: %q cannot be used with published keys", i, name)
		}
		out = append(out, alg)
	}
	return out, nil
}

// The ways in which a token is presented.
const (
	bearerWay = iota
	cookieWay
)

// Authenticate verifies the token that r carries. A bearer decides before a
// cookie, because a browser attaches cookies by itself and a header never. A
// token of another issuer, a ticket and a bearer that is no signed JWT are not
// ours. It remembers tokens that were good until they end.
//
// It blocks on the network, for at most 5 s, while no keys are known, when they
// were not asked for long after they were due, and for a token that names an
// unknown key, which fetches the set again at most once in 10 s for all callers
// together. Where keys cannot be had it denies; keys that are known stay good
// when a later fetch fails.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (claviger.Principal, error) {
	if token, ok := credential.Bearer(r); ok && isCompact(token) {
		p, err := a.open(ctx, token, bearerWay)
		if a.cookie == "" || !errors.Is(err, claviger.ErrNoCredential) {
			return p, err
		}
	}
	if a.cookie == "" {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	token, err := credential.Cookie(r.Header["Cookie"], a.cookie)
	switch {
	case err != nil:
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("jwt: %w", err))
	case token == "":
		return claviger.Principal{}, claviger.ErrNoCredential
	case !isCompact(token):
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("jwt: cookie: %w", errForm))
	}
	return a.open(ctx, token, cookieWay)
}

// HasCookie reports whether r carries the configured cookie, good or bad.
func (a *Authenticator) HasCookie(r *http.Request) bool {
	if a.cookie == "" {
		return false
	}
	token, err := credential.Cookie(r.Header["Cookie"], a.cookie)
	return token != "" || err != nil
}

// Refresh fetches the keys, unless that was tried within the last 10 s, and
// returns why there are none. It blocks until then, for at most 5 s or until
// ctx ends. Who starts a gateway calls it once, so that the first caller does
// not wait; a failure is no reason not to start.
func (a *Authenticator) Refresh(ctx context.Context) error {
	if err := a.keys.refresh(ctx); err != nil {
		return fmt.Errorf("jwt: keys of %s: %w", a.issuer, err)
	}
	return nil
}

// Problems says what keeps the authenticator from its work, a sentence each,
// for the readiness of the gateway. Keys that are due are fetched in the
// background by it. It does not block.
func (a *Authenticator) Problems() []string {
	var out []string
	for _, p := range a.keys.problems() {
		out = append(out, "jwt: keys of "+a.issuer+": "+p)
	}
	return out
}

// open verifies a token that was presented in that way.
func (a *Authenticator) open(ctx context.Context, token string, way uint8) (claviger.Principal, error) {
	if len(token) > maxToken {
		return claviger.Principal{}, credential.Refuse(errTooLarge)
	}
	r := a.keys.current(ctx)
	id, now := credential.KeyOf(token, way), a.now()
	if r != nil {
		if p, ok := r.memory.Get(id, now); ok {
			return *p, nil
		}
	}
	t, err := parse(token)
	switch {
	case err != nil && way == cookieWay:
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("jwt: cookie: %w", err))
	case err != nil, !t.from(a.issuer):
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	by, err := a.signed(ctx, t, r)
	if err != nil {
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("jwt: %w", err))
	}
	said, err := a.read(t, now)
	if err != nil {
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("jwt: %w", err))
	}
	p := &claviger.Principal{
		Realm: a.realm, Subject: said.Subject, Roles: said.Roles, Method: Method, Claims: said.Claims,
		Presented: claviger.CredentialBearer, Expires: said.Expires, TokenID: said.ID, Issued: said.IssuedAt,
	}
	if way == cookieWay {
		p.Presented = claviger.CredentialCookie
	}
	by.memory.Put(id, p, said.Until, len(token))
	return *p, nil
}

// parseAddress checks the address of the issuer or its key set.
func parseAddress(setting, address string, insecure bool) error {
	bare, _, _ := strings.Cut(address, "?")
	if _, err := netx.ParseBaseURL(bare, insecure); err != nil {
		return fmt.Errorf("jwt: %s: %w", setting, err)
	}
	return nil
}
