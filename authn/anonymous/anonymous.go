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
	// Human, when set, asks for a proof that a person is there. Plan is then
	// that of callers with a proof.
	Human *Human
}

// Authenticator recognises a request without a credential. It has to be asked
// last. It implements claviger.Authenticator.
type Authenticator struct {
	plan   string
	limits []claviger.Limit
	prover *prover // nil when no proof is asked for
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
	a := &Authenticator{plan: o.Plan, limits: slices.Clip(slices.Clone(o.Limits))}
	if o.Human != nil {
		var err error
		if a.prover, err = newProver(*o.Human); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// CloseIdle closes the connections that no question is using.
func (a *Authenticator) CloseIdle() {
	if a.prover != nil {
		a.prover.client.CloseIdleConnections()
	}
}

var errUnproven = errors.New("anonymous: there is no proof that a person is there")

// Authenticate returns the anonymous caller at the address that ctx carries.
// Callers at the same address are one caller, and so are all those whose
// address is not known: then the limits hold for them together. A request with
// an Authorization header is not anonymous, whatever stands in it.
//
// Without Human it does not block. With it, a token in Claviger-Human that was
// not seen before from that address is verified by the provider, which blocks
// for four seconds at most; a proof counts for ten minutes. Without one, also
// when the provider does not answer, the caller has the plan Otherwise, or is
// refused with the header as the error's Param.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (claviger.Principal, error) {
	if len(r.Header["Authorization"]) > 0 {
		return claviger.Principal{}, claviger.ErrNoCredential
	}
	subject := shared
	if client, ok := claviger.ClientFrom(ctx); ok {
		subject = "ip:" + client.String()
	}
	p := claviger.Principal{
		Realm: Realm, Subject: subject, Method: Method,
		Plan: a.plan, Limits: a.limits,
	}
	if a.prover == nil || a.prover.holds(ctx, r) {
		return p, nil
	}
	if p.Plan = a.prover.o.Otherwise; p.Plan == "" {
		return claviger.Principal{}, &claviger.Error{
			Code: claviger.CodeUnauthenticated, Detail: "Show that you are a person first", Param: HumanHeader, Err: errUnproven,
		}
	}
	return p, nil
}
