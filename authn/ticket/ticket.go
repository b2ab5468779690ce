// Package ticket makes and reads tickets: short-lived credentials of our own
// for one user, signed with a secret that only the gateway has. An app server
// gets one for its user at POST /tickets, and scripts by claviger token mint.
//
// A ticket is a JWT (RFC 7519) signed with HS256 whose header says
// typ "claviger-ticket+jwt", so that no other token of the same secret can pass
// for one (RFC 8725, section 3.11). It is good as a bearer and never as a cookie.
package ticket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/internal/seal"
)

// Method is the name under which the authenticator vouches for callers.
const Method = "ticket"

// The lives of tickets.
const (
	// DefaultTTL is the life of a ticket whose request names none.
	DefaultTTL = 5 * time.Minute
	// ServiceTTL is the longest life of a ticket that a service key asks for,
	// and the longest that Mint grants unless it is told otherwise.
	ServiceTTL = 15 * time.Minute
	// LongestTTL is the longest life of any ticket. Verification refuses more.
	LongestTTL = 24 * time.Hour
)

const (
	minSecret  = 32 // bytes
	maxSecrets = 16
	maxToken   = 8 << 10 // bytes
	maxHeader  = 512     // characters of the first part
	remember   = 8 << 20 // bytes of verified tickets
	issuer     = "claviger"
	typ        = "claviger-ticket+jwt"
)

// Options configure an Authenticator.
type Options struct {
	// Secrets sign and verify: the first signs, any verifies. Each has at
	// least 32 bytes, a trailing newline not counted; at most 16.
	Secrets []claviger.Secret
	// Audience names the gateway for which tickets are good, "claviger" when
	// empty.
	Audience string
	// Realm is the realm of a ticket whose request names none, "app" when
	// empty.
	Realm string
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Authenticator mints and recognises tickets. It implements
// claviger.Authenticator.
type Authenticator struct {
	keys     []key
	audience string
	realm    string
	now      func() time.Time
	memory   *credential.Memory
}

// key holds its secret by handle, so that no way of printing shows it.
type key struct {
	id     string
	secret claviger.Secret
}

func (k key) bytes() []byte { return k.secret.Reveal(seal.ForReveal()) }

// New returns an Authenticator, or an error that names the setting that is
// wrong.
func New(o Options) (*Authenticator, error) {
	if len(o.Secrets) == 0 || len(o.Secrets) > maxSecrets {
		return nil, fmt.Errorf("ticket: secrets: between 1 and %d are needed, not %d", maxSecrets, len(o.Secrets))
	}
	a := &Authenticator{
		audience: o.Audience, realm: o.Realm, now: o.Now,
		memory: credential.NewMemory(remember),
	}
	for i, s := range o.Secrets {
		b := credential.Bytes(s)
		if len(b) < minSecret {
			return nil, fmt.Errorf("ticket: secrets[%d] is shorter than %d bytes: make one with claviger secret new", i, minSecret)
		}
		own := claviger.NewSecret(b)
		a.keys = append(a.keys, key{id: own.Fingerprint(), secret: own})
	}
	if a.audience == "" {
		a.audience = issuer
	}
	if a.realm == "" {
		a.realm = "app"
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a, nil
}

var errTooLarge = errors.New("ticket: larger than 8 KiB")

// Authenticate verifies the ticket that r carries as a bearer. A bearer that is
// no JWT of our typ is not ours. It does not block, and remembers tickets that
// were good until they end.
func (a *Authenticator) Authenticate(_ context.Context, r *http.Request) (claviger.Principal, error) {
	token, ok := credential.Bearer(r)
	if !ok || strings.Count(token, ".") != 2 {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	if len(token) > maxToken {
		if isTicket(token) {
			return claviger.Principal{}, credential.Refuse(errTooLarge)
		}
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	k, now := credential.KeyOf(token, 0), a.now()
	if p, ok := a.memory.Get(k, now); ok {
		return *p, nil
	}
	if !isTicket(token) {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	p, until, err := a.verify(token, now)
	if err != nil {
		return claviger.Principal{}, credential.Refuse(fmt.Errorf("ticket: %w", err))
	}
	a.memory.Put(k, p, until, len(token))
	return *p, nil
}
