// Package anonymous lets callers in who present no credential at all. It is
// never configured by default, and it does not start without limits of its
// own, because a gateway that anyone may use spends its owner's money for
// strangers.
package anonymous

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"claviger.dev/claviger"
)

// Method is the name under which the authenticator vouches for callers.
const Method = "anonymous"

// Realm is the realm of every anonymous caller, so that none of them can share
// the identity of someone who signed in.
const Realm = "anonymous"

// shared is the subject of all callers whose address is not known.
const shared = "anonymous"

// Options configure an Authenticator.
type Options struct {
	// Plan is the plan of anonymous callers. Empty leaves the choice to the
	// conditions of the plans.
	Plan string
	// Limits are taken from each caller beside those of the plan. At least one
	// of them must bound requests, tokens or spend over time.
	Limits []claviger.Limit
}

// Authenticator recognises a request without a credential. It has to be asked
// last. It implements claviger.Authenticator.
type Authenticator struct {
	plan   string
	limits []claviger.Limit
}

// New returns an Authenticator, or an error that names what is missing.
func New(o Options) (*Authenticator, error) {
	bounded := false
	for i, l := range o.Limits {
		if l.Window.Limit <= 0 {
			return nil, fmt.Errorf("anonymous: limits[%d]: the limit must be positive", i)
		}
		switch l.Kind {
		case claviger.ChargeRate, claviger.ChargeTokens, claviger.ChargeMoney:
			if l.Window.Per == claviger.PeriodNone {
				return nil, fmt.Errorf("anonymous: limits[%d]: a limit on %s needs a period", i, l.Kind)
			}
			bounded = true
		case claviger.ChargeLease:
		default:
			return nil, fmt.Errorf("anonymous: limits[%d]: unknown kind of limit", i)
		}
	}
	if !bounded {
		return nil, errors.New("anonymous: callers without a credential need a limit of their own on requests, tokens or spend; without one anybody spends the key without end")
	}
	return &Authenticator{plan: o.Plan, limits: slices.Clip(slices.Clone(o.Limits))}, nil
}

// Authenticate returns the anonymous caller at the address that ctx carries.
// Callers at the same address are one caller, and so are all those whose
// address is not known: then the limits hold for them together. A request with
// an Authorization header is not anonymous, whatever stands in it. It neither
// blocks nor reads anything but that header.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (claviger.Principal, error) {
	if len(r.Header["Authorization"]) > 0 {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	subject := shared
	if client, ok := claviger.ClientFrom(ctx); ok {
		subject = "ip:" + client.String()
	}
	return claviger.Principal{
		Realm: Realm, Subject: subject, Method: Method,
		Plan: a.plan, Limits: a.limits,
	}, nil
}
