// Package forward asks the app itself who a caller is: it presents the caller's
// own credential, a bearer or the session cookie, to an endpoint of the app, and
// takes subject and claims from the JSON that comes back. It is for sessions
// that nobody but the app can read, as those that are kept in a database.
//
// An answer counts for a while, so that the app is not asked for each request;
// whoever is signed out there is refused here when that time is over. What the
// app does not answer, or not as it should, lets nobody in and is not taken for
// "signed out".
package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/authn/internal/outbound"
	"claviger.dev/claviger/internal/netx"
)

// Method is the name under which the authenticator vouches for callers.
const Method = "forward"

// Defaults and bounds of Options.
const (
	DefaultCache = 30 * time.Second
	MaxCache     = time.Hour
)

// Bounds on what is asked and kept.
const (
	timeout  = 3 * time.Second // for one question
	connect  = time.Second
	maxBody  = 64 << 10 // bytes of an answer
	maxSent  = 32 << 10 // bytes of a credential
	minToken = 16       // characters of a bearer: shorter ones are no credential of anybody
	// familiarSlots and otherSlots are how many questions may be under way at
	// once, about credentials that were good before and about all others.
	familiarSlots, otherSlots = 32, 16
	// inVain is how long a refusal counts, at most.
	inVain = 5 * time.Second
	// broken is how long an answer that is none counts, for one credential.
	broken = time.Second
	// familiar is how long a credential that was good is asked about before
	// those that nobody knows.
	familiar = 24 * time.Hour
	// Bytes that are kept: good answers, refusals, familiar credentials.
	goodBytes, vainBytes, familiarBytes = 16 << 20, 2 << 20, 8 << 20
)

// The outcomes that Options.Asked is told.
const (
	AskedGood    = "good"
	AskedRefused = "refused"
	AskedNobody  = "nobody"
	AskedFailed  = "failed"
	AskedLimited = "limited"
)

// Options configure an Authenticator.
type Options struct {
	// URL is the endpoint that is asked, with GET. It is https, or http on
	// loopback, without a query.
	URL string
	// Subject is where in the answer the person's id stands, as "user.id".
	Subject string
	// Claims are where in the answer the claims stand, as "user.plan"; the last
	// part is a claim's name.
	Claims []string
	// Cache is how long an answer counts, DefaultCache when 0, at most MaxCache.
	Cache time.Duration
	// Cookies are the cookies that are passed on, whole or in numbered chunks.
	// Without any, only a bearer is.
	Cookies []string
	// Realm is the realm of the callers, "app" when empty.
	Realm string
	// InsecureHTTP allows http beyond loopback, and private addresses with it.
	InsecureHTTP bool
	// AllowPrivate lets the name of the host lead to a private address.
	AllowPrivate bool
	// Logger is told when the app cannot be asked. Nil discards.
	Logger *slog.Logger
	// Asked, when set, is told the outcome of each question and of each refusal
	// to ask. It must not block.
	Asked func(outcome string)
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Authenticator recognises bearers and the named cookies by asking for them. It
// implements claviger.CookieAuthenticator. It takes every bearer of 16
// characters or more for its own, and so has to be asked after those who know
// theirs by its form.
type Authenticator struct {
	url     string
	subject []string
	claims  []claim
	cache   time.Duration
	cookies []string
	realm   string
	log     *slog.Logger
	asked   func(string)
	now     func() time.Time

	client   *http.Client
	familiar *outbound.Lane // for credentials that were good before
	other    *outbound.Lane
	guesses  *outbound.Guesses
	told     credential.Seldom

	good, vain, known *credential.Memory[claviger.Principal]
	mu                sync.Mutex
	flights           map[credential.Key]*flight
}

// claim is a member of the answer that becomes a claim.
type claim struct {
	name string
	path []string
}

// New returns an Authenticator, or an error that names the setting that is
// wrong. It asks nothing.
func New(o Options) (*Authenticator, error) {
	u, err := netx.ParseBaseURL(o.URL, o.InsecureHTTP)
	if err != nil {
		return nil, fmt.Errorf("forward: url: %w", err)
	}
	a := &Authenticator{
		url: u.String(), subject: strings.Split(o.Subject, "."), cache: o.Cache, cookies: slices.Clone(o.Cookies),
		realm: o.Realm, log: o.Logger, asked: o.Asked, now: o.Now,
		good: credential.NewMemory[claviger.Principal](goodBytes), vain: credential.NewMemory[claviger.Principal](vainBytes), known: credential.NewMemory[claviger.Principal](familiarBytes),
		flights: map[credential.Key]*flight{},
	}
	if err := a.check(&o); err != nil {
		return nil, err
	}
	a.complete()
	a.client, err = netx.Client(netx.Options{
		BaseURL: (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), InsecureHTTP: o.InsecureHTTP, AllowPrivate: o.AllowPrivate,
		Connect: connect, Timeout: timeout, MaxHeaderBytes: 32 << 10, IdlePerHost: familiarSlots,
	})
	if err != nil {
		return nil, fmt.Errorf("forward: url: %w", err)
	}
	a.familiar, a.other = outbound.NewLane(familiarSlots, a.now), outbound.NewLane(otherSlots, a.now)
	a.guesses = outbound.NewGuesses(a.now)
	return a, nil
}

func (a *Authenticator) check(o *Options) error {
	if slices.Contains(a.subject, "") {
		return errors.New("forward: subject: write where the person's id stands in the answer, as user.id")
	}
	for i, c := range o.Cookies {
		if !credential.ValidCookieName(c) || slices.Index(o.Cookies, c) < i {
			return fmt.Errorf("forward: cookies[%d] is no name that a cookie can have, or stands twice", i)
		}
	}
	for i, c := range o.Claims {
		path := strings.Split(c, ".")
		name := path[len(path)-1]
		switch {
		case slices.Contains(path, ""):
			return fmt.Errorf("forward: claims[%d]: write where the claim stands in the answer, as plan or user.plan", i)
		case slices.ContainsFunc(a.claims, func(c claim) bool { return c.name == name }):
			return fmt.Errorf("forward: claims[%d]: there is a claim %q already: the last part of a path is its name", i, name)
		}
		a.claims = append(a.claims, claim{name, path})
	}
	if o.Cache < 0 || o.Cache > MaxCache {
		return fmt.Errorf("forward: cache must be at most %s", MaxCache)
	}
	return nil
}

// complete fills in what was left out.
func (a *Authenticator) complete() {
	if a.cache == 0 {
		a.cache = DefaultCache
	}
	if a.realm == "" {
		a.realm = "app"
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.asked == nil {
		a.asked = func(string) {}
	}
	if a.now == nil {
		a.now = time.Now
	}
}

// CloseIdle closes the connections that no question is using.
func (a *Authenticator) CloseIdle() { a.client.CloseIdleConnections() }

// Authenticate returns who the app says the caller is. A bearer decides before
// cookies, because a browser attaches cookies by itself and a header never.
//
// It blocks on the network when nothing is remembered of the credential, at most
// for four seconds; callers with the same credential wait for one question. In
// the last quarter of an answer's time it is renewed behind the caller's back. A
// cookie under which nobody has signed in is no credential. An app that does not
// answer, or not as it should, is CodeIdentityUnavailable; too many credentials
// that were worth nothing are CodeRateLimited, without a question.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (claviger.Principal, error) {
	c, err := a.present(r)
	if err != nil {
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("forward: %w", err))
	}
	if c.value == "" {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	c.from, _ = claviger.ClientFrom(ctx)
	now := a.now()
	if p, until, ok := a.good.Find(c.key, now); ok {
		if a.due(p, until, now) {
			a.renew(ctx, c)
		}
		return *p, nil
	}
	if p, ok := a.vain.Get(c.key, now); ok {
		return c.answer(p)
	}
	f, err := a.start(ctx, c)
	if err != nil {
		return claviger.Principal{}, err
	}
	select {
	case <-f.done:
		return c.answer(f.said)
	case <-ctx.Done():
		return claviger.Principal{}, unavailable(ctx.Err())
	}
}

// renew asks behind the caller's back, unless the last answer was none.
func (a *Authenticator) renew(ctx context.Context, c presented) {
	if _, ok := a.vain.Get(c.key, a.now()); !ok {
		_, _ = a.start(ctx, c)
	}
}

// HasCookie reports whether r carries one of the named cookies, good or bad.
func (a *Authenticator) HasCookie(r *http.Request) bool {
	return slices.ContainsFunc(a.cookies, func(name string) bool {
		value, err := credential.Chunked(r.Header["Cookie"], name, maxSent)
		return value != "" || err != nil
	})
}

// Forget drops what is remembered of a credential, so that the app is asked
// again at the next request, and an answer that is on its way counts for nobody
// but those who wait for it. It is the bearer, or the cookies as they are sent:
// "name=value", joined with "; " in the order of Options.Cookies.
func (a *Authenticator) Forget(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, way := range []uint8{bearerWay, cookieWay} {
		key := credential.KeyOf(text, way)
		delete(a.flights, key)
		a.good.Forget(key)
		a.vain.Forget(key)
		a.known.Forget(key)
	}
}
