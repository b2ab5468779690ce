// Package service recognises the servers that work with the gateway: an app
// server presents its service key as a bearer, gets tickets for its users, and
// signs the addresses of its callers.
package service

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
)

// Method is the name under which the authenticator vouches for callers.
const Method = "service"

const (
	minSecret = 32 // bytes
	maxKeys   = 64
	// LongestTTL is the longest life of a ticket that a service key may ask
	// for.
	LongestTTL = 15 * time.Minute
)

// Key is one server's credential and what it is good for.
type Key struct {
	// Name is what logs and subjects call the server: letters, digits, ".", "_"
	// and "-", at most 64.
	Name string
	// Secret has at least 32 bytes that may stand in a header, a trailing
	// newline not counted.
	Secret claviger.Secret
	// Realm is the one realm for whose users tickets may be minted, "app" when
	// empty.
	Realm string
	// Claims are the names of the claims that tickets may carry, Plans the
	// plans that they may name. None means none.
	Claims, Plans []string
	// Actions, when not nil, are the only actions for which this key and its
	// tickets are good.
	Actions []string
	// TicketTTL is the longest life of the tickets; 0 means LongestTTL, which
	// is also the most.
	TicketTTL time.Duration
	// DPoP says that every ticket has to be bound to a key of its holder.
	DPoP bool
}

// Options configure an Authenticator.
type Options struct {
	// Keys are the service keys, at least one, at most 64.
	Keys []Key
}

// Authenticator recognises service keys. It implements claviger.Authenticator.
type Authenticator struct {
	keys []known
}

// known is a key whose secret has no trailing newline.
type known struct {
	Key
	sum [sha256.Size]byte
}

var name = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// New returns an Authenticator, or an error that names the setting that is
// wrong.
func New(o Options) (*Authenticator, error) {
	if len(o.Keys) == 0 || len(o.Keys) > maxKeys {
		return nil, fmt.Errorf("service: keys: between 1 and %d are needed, not %d", maxKeys, len(o.Keys))
	}
	a := &Authenticator{keys: make([]known, 0, len(o.Keys))}
	for i, k := range o.Keys {
		n, err := newKnown(k)
		if err != nil {
			return nil, fmt.Errorf("service: keys[%d]: %w", i, err)
		}
		for j, other := range a.keys {
			if other.Name == n.Name {
				return nil, fmt.Errorf("service: keys[%d] has the name of keys[%d]", i, j)
			}
			if other.sum == n.sum {
				return nil, fmt.Errorf("service: keys[%d] has the secret of keys[%d]: each server needs its own", i, j)
			}
		}
		a.keys = append(a.keys, n)
	}
	return a, nil
}

func newKnown(k Key) (known, error) {
	if !name.MatchString(k.Name) {
		return known{}, errors.New("the name must be 1 to 64 letters, digits, dots, underscores and hyphens")
	}
	b := credential.Bytes(k.Secret)
	if len(b) < minSecret {
		return known{}, fmt.Errorf("the secret is shorter than %d bytes: make one with claviger secret new", minSecret)
	}
	if slices.ContainsFunc(b, func(c byte) bool { return c <= ' ' || c >= 0x7f }) {
		return known{}, errors.New("the secret holds characters that cannot stand in a header: make one with claviger secret new")
	}
	switch {
	case k.TicketTTL < 0 || k.TicketTTL > LongestTTL:
		return known{}, fmt.Errorf("a ticket lives for at most %s", LongestTTL)
	case k.TicketTTL == 0:
		k.TicketTTL = LongestTTL
	}
	if k.Realm == "" {
		k.Realm = "app"
	}
	k.Secret = claviger.NewSecret(b)
	return known{Key: k, sum: sha256.Sum256(b)}, nil
}

// Authenticate compares the bearer with every key in constant time. A bearer
// that is none of them is not ours, since keys have no form of their own. It
// does not block.
func (a *Authenticator) Authenticate(_ context.Context, r *http.Request) (claviger.Principal, error) {
	token, ok := credential.Bearer(r)
	if !ok {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	sum := sha256.Sum256([]byte(token))
	match := -1
	for i := range a.keys {
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], a.keys[i].sum[:]), i, match)
	}
	if match < 0 {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	k := &a.keys[match]
	return claviger.Principal{
		Realm: k.Realm, Subject: credential.ServicePrefix + k.Name, Method: Method,
		Presented: claviger.CredentialBearer, Service: k.Name, Actions: k.Actions,
	}, nil
}

// Grant returns the key of that name, as New completed it.
func (a *Authenticator) Grant(name string) (Key, bool) {
	for i := range a.keys {
		if a.keys[i].Name == name {
			return a.keys[i].Key, true
		}
	}
	return Key{}, false
}
