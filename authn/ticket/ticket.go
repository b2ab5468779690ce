// Package ticket makes and reads tickets: short-lived credentials of our own
// for one user, signed with a secret that only the gateway has. An app server
// gets one for its user at POST /tickets, and scripts by claviger token mint.
//
// A ticket is a JWT (RFC 7519) signed with HS256 whose header says
// typ "claviger-ticket+jwt", so that no other token of the same secret can pass
// for one (RFC 8725, section 3.11). It is good as a bearer and never as a cookie.
//
// A ticket can be good for some requests alone: each request that presents it
// counts, also one that is refused afterwards, and one that an SDK repeats by
// itself. And it can be bound to a key of the caller (DPoP, RFC 9449): then it
// has to come as Authorization: DPoP, with a fresh proof in the header DPoP, and
// is refused as a bearer. The proof has to be
//
//   - of typ dpop+jwt, signed by ES256 or EdDSA with the key in its own header,
//     whose thumbprint the ticket names,
//   - made for this ticket (ath), this method (htm) and this address (htu):
//     query and fragment do not count, and before the path stands one of the
//     configured addresses, since a proxy in front may change what we see,
//   - made within the last 60 seconds (iat, 15 seconds of tolerance either way),
//   - new: its jti is remembered for as long as it would be good, in this
//     process or, with Options.Proofs, where all nodes see it.
//
// No nonce is asked for: a proof that was made in advance is good for one ticket
// alone, and ends with it.
package ticket

import (
	"context"
	"encoding/base64"
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
	// Uses counts the requests of tickets with a number of them. Without it
	// such tickets are neither made nor taken.
	Uses Uses
	// Addresses are under which callers reach the gateway, as
	// "https://ai.example.com", or "https://app.example.com/ai" where a proxy in
	// front takes the path away. Without any, tickets that are bound to a key
	// are neither made nor taken.
	Addresses []string
	// Proofs, when not nil, remembers which DPoP proofs were seen, each as a
	// ticket with one use, so that several nodes take each proof once together.
	// It is asked about proofs alone that are not in Seen, whose bounds hold for
	// what it is told, too. Without it each process remembers its own.
	Proofs Uses
	// Seen is what this process remembers of proofs, so that an Authenticator
	// which takes the place of another takes no proof again. Nil makes one.
	Seen *MemoryProofs
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Authenticator mints and recognises tickets. It implements
// claviger.Challenger.
type Authenticator struct {
	keys      []key
	audience  string
	realm     string
	uses      Uses
	proofs    Uses
	addresses []address
	seen      *MemoryProofs
	now       func() time.Time
	memory    *credential.Memory[good]
}

var _ claviger.Challenger = (*Authenticator)(nil)

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
		uses: o.Uses, proofs: o.Proofs, seen: o.Seen, memory: credential.NewMemory[good](remember),
	}
	for i, s := range o.Addresses {
		at, err := parseAddress(s)
		if err != nil {
			return nil, fmt.Errorf("ticket: addresses[%d]: %w", i, err)
		}
		a.addresses = append(a.addresses, at)
	}
	for i, s := range o.Secrets {
		b := credential.Bytes(s)
		if len(b) < minSecret {
			return nil, fmt.Errorf("ticket: secrets[%d] is shorter than %d bytes: make one with claviger secret new", i, minSecret)
		}
		own := claviger.NewSecret(b)
		a.keys = append(a.keys, key{id: own.Fingerprint(), secret: own})
	}
	if a.seen == nil {
		a.seen = &MemoryProofs{}
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

// The reasons against a ticket that is good by itself, for the log.
var (
	errTooLarge  = errors.New("ticket: larger than 8 KiB")
	errBound     = errors.New("ticket: is bound to a key, and came as a bearer without proof")
	errUnbound   = errors.New("ticket: came with the scheme DPoP, and is bound to no key")
	errUsedUp    = errors.New("ticket: was used as often as it is good for")
	errNoUses    = errors.New("ticket: there is nothing that counts the requests of a ticket")
	errNoAddress = errors.New("ticket: the addresses of the gateway are not known, which proofs have to name")
)

// storeAway is how long to wait for a store that does not answer.
const storeAway = time.Second

// Challenge implements claviger.Challenger: the scheme DPoP, where tickets can be
// bound.
func (a *Authenticator) Challenge() string {
	if len(a.addresses) == 0 {
		return ""
	}
	return challenge
}

// presented is the credential of the one Authorization header, by the schemes
// Bearer and DPoP.
func presented(r *http.Request) (token string, proven, ok bool) {
	if token, ok = credential.Bearer(r); ok {
		return token, false, true
	}
	token, ok = credential.Presented(r, "DPoP ")
	return token, true, ok
}

// Authenticate verifies the ticket that r carries. A credential that is no JWT
// of our typ is not ours. Tickets that were good are remembered until they end,
// so it blocks only on Options.Uses and Options.Proofs, for tickets that need
// them: an error of theirs is a *claviger.Error with CodeLimitsUnavailable.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (claviger.Principal, error) {
	token, proven, ok := presented(r)
	if !ok {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	now := a.now()
	g, err := a.open(token, now)
	if err != nil {
		return claviger.Principal{}, err
	}
	if err := a.sender(ctx, r, g, presentation{token, proven, now}); err != nil {
		return claviger.Principal{}, err
	}
	if err := a.count(ctx, g); err != nil {
		return claviger.Principal{}, err
	}
	return g.Principal, nil
}

// Terms are to what a ticket is held beside what its Principal says.
type Terms struct {
	// MaxUses is for how many requests it is good; 0 for any number.
	MaxUses int64
	// Bound says that it needs a DPoP proof.
	Bound bool
}

// Inspect verifies the ticket that r carries by itself: it asks for no proof and
// counts nothing. It is for explaining, and lets nobody in. Errors are those of
// Authenticate. It does not block.
func (a *Authenticator) Inspect(_ context.Context, r *http.Request) (claviger.Principal, Terms, error) {
	token, _, ok := presented(r)
	if !ok {
		return claviger.Principal{}, Terms{}, claviger.ErrNoCredential
	}
	g, err := a.open(token, a.now())
	if err != nil {
		return claviger.Principal{}, Terms{}, err
	}
	return g.Principal, Terms{MaxUses: g.most, Bound: g.jkt != ""}, nil
}

// open verifies what a ticket says, or remembers it.
func (a *Authenticator) open(token string, now time.Time) (*good, error) {
	if strings.Count(token, ".") != 2 {
		return nil, claviger.ErrNoCredential
	}
	if len(token) > maxToken {
		if isTicket(token) {
			return nil, credential.Refuse(errTooLarge)
		}
		return nil, claviger.ErrNoCredential
	}
	k := credential.KeyOf(token, 0)
	if g, ok := a.memory.Get(k, now); ok {
		return g, nil
	}
	if !isTicket(token) {
		return nil, claviger.ErrNoCredential
	}
	g, err := a.verify(token, now)
	if err != nil {
		return nil, credential.Refuse(fmt.Errorf("ticket: %w", err))
	}
	a.memory.Put(k, g, g.until, len(token))
	return g, nil
}

// presentation is how a ticket came.
type presentation struct {
	token  string
	proven bool // by the scheme DPoP
	now    time.Time
}

// sender holds a ticket against who presents it.
func (a *Authenticator) sender(ctx context.Context, r *http.Request, g *good, p presentation) error {
	switch {
	case g.jkt == "" && !p.proven:
		return nil
	case g.jkt == "":
		return credential.Refuse(errUnbound)
	case !p.proven:
		return credential.Refuse(errBound)
	case len(a.addresses) == 0:
		return credential.Refuse(errNoAddress)
	}
	made, err := a.prove(r, p.token, g.jkt, p.now)
	if err != nil {
		return credential.Refuse(fmt.Errorf("ticket: %w", err))
	}
	id := idOf(made.jkt, made.id)
	err = a.seen.first(made.jkt, id, p.now)
	switch {
	case errors.Is(err, errReplayed):
		return credential.Refuse(fmt.Errorf("ticket: %w", err))
	case err != nil || a.proofs == nil:
		return err
	}
	until := made.made.Add(proofAge + tolerance)
	return take(ctx, a.proofs, "dpop:"+base64.RawURLEncoding.EncodeToString(id[:]), use{1, until, errReplayed})
}

// count takes one of the uses of a ticket that has a number of them.
func (a *Authenticator) count(ctx context.Context, g *good) error {
	switch {
	case g.most == 0:
		return nil
	case a.uses == nil:
		return credential.Refuse(errNoUses)
	}
	return take(ctx, a.uses, g.TokenID, use{g.most, g.until, errUsedUp})
}

// use is what is taken, and what it means that there is none.
type use struct {
	most  int64
	until time.Time
	none  error
}

func take(ctx context.Context, s Uses, id string, u use) error {
	ok, err := s.UseTicket(ctx, id, u.most, u.until)
	switch {
	case err != nil:
		return &claviger.Error{Code: claviger.CodeLimitsUnavailable, RetryAfter: storeAway, Err: fmt.Errorf("ticket: %w", err)}
	case !ok:
		return credential.Refuse(u.none)
	}
	return nil
}
