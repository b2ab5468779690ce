package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/internal/seal"
	"claviger.dev/claviger/openai"
)

// The scopes under which a window is kept.
const (
	scopeIP         = "ip"
	scopeUser       = "user"
	scopeCredential = "credential"
	scopeService    = "service"
	scopePlan       = "plan"
	scopeTotal      = "total"
)

// worst is the most that a call can take.
type worst struct {
	requests int64
	tokens   int64
	money    claviger.Money
}

// bind turns limits into charges on somebody's windows.
func bind(dst []claviger.Charge, limits []claviger.Limit, scope, who string, w worst) []claviger.Charge {
	if len(limits) == 0 {
		return dst
	}
	return admit.Charges(dst, limits, scope, scope+":"+who, admit.Worst{Requests: w.requests, Tokens: w.tokens, Money: w.money})
}

func isRate(l claviger.Limit) bool { return l.Kind == claviger.ChargeRate }

// rates are the limits of requests in a time, which are taken first of all.
func rates(limits []claviger.Limit) []claviger.Limit { return only(limits, isRate) }

// others are the limits that need to know the call.
func others(limits []claviger.Limit) []claviger.Limit {
	return only(limits, func(l claviger.Limit) bool { return !isRate(l) })
}

func only(limits []claviger.Limit, keep func(claviger.Limit) bool) []claviger.Limit {
	if !slices.ContainsFunc(limits, func(l claviger.Limit) bool { return !keep(l) }) {
		return limits
	}
	var out []claviger.Limit
	for _, l := range limits {
		if keep(l) {
			out = append(out, l)
		}
	}
	return out
}

// authorize asks the plans and turns a refusal into an error.
func (x *exchange) authorize(c *caller, call *claviger.Call) (claviger.Decision, error) {
	d, err := x.s.Authorizer.Authorize(x.r.Context(), c.Principal, *call)
	x.event.Plan, x.event.Rule = d.Plan, d.Rule
	x.event.Endpoint, x.event.Action, x.event.Stream = call.Endpoint, call.Action, call.Stream
	if _, known := x.s.Prices.Price(call.Model); known || d.Allow && err == nil {
		// Any other name is only what somebody wrote there.
		x.event.Model = call.Model
	}
	if err != nil {
		return claviger.Decision{}, &claviger.Error{Code: claviger.CodeForbidden, Err: err}
	}
	if !d.Allow {
		code := d.Code
		if code == "" {
			code = claviger.CodeForbidden
		}
		return claviger.Decision{}, &claviger.Error{Code: code, Param: d.Param, Err: errors.New(d.Reason)}
	}
	if err := x.barred(c, d.Plan); err != nil {
		return claviger.Decision{}, err
	}
	x.keyFor = claviger.KeyUse{Action: call.Action, Plan: d.Plan, Tenant: c.Tenant}
	return d, nil
}

// admitted is a call that may go upstream, and what it holds until it is
// settled.
type admitted struct {
	x *exchange
	// ctx ends when the caller leaves, with the call, or by a block, which is its
	// cause then.
	ctx        context.Context //nolint:containedctx // it lives as long as the call
	end        context.CancelCauseFunc
	authorized claviger.Authorized
	hold       claviger.Hold
	held       []claviger.Charge
	model      string
	// most is what was held of everything, input first and output second.
	most   claviger.Units
	prices *admit.Prices
	// owner is whose the objects become that the call makes; nil where it makes
	// none that anybody can name.
	owner *caller
	// grown are the owner's objects that were claimed with the most that the call
	// can add to them.
	grown []claviger.ObjectRef
}

// send carries the call to the provider, once. What is sent is not kept while
// the answer comes, which may take minutes.
func (a *admitted) send() (*http.Response, error) {
	call := a.authorized
	a.authorized = claviger.Authorized{}
	return a.x.s.Upstream.RoundTrip(a.ctx, call)
}

// pass authorizes another call under the same hold: one of several by which a
// list is read, or the moderation before the call itself.
func (a *admitted) pass(call *claviger.Call) claviger.Authorized {
	return a.x.mint(call, a.hold)
}

// mint authorizes a call, with the key of whom it is for.
func (x *exchange) mint(call *claviger.Call, h claviger.Hold) claviger.Authorized {
	c := *call
	c.For = x.keyFor
	return claviger.Authorize(seal.ForMint(), c, h, x.event.RequestID)
}

// admit takes all charges at once, or none, holds what the caller says to the
// content policy, and mints the pass for upstream. What is refused there has taken
// the rates, so that nobody makes us look at texts, or ask about them, more often
// than they may call.
func (x *exchange) admit(c *caller, d *claviger.Decision, call *claviger.Call, said spoken) (*admitted, error) {
	a, err := x.take(c, d, call)
	if err != nil {
		return nil, err
	}
	defer func() {
		if !a.authorized.Valid() { // also when what was asked panicked
			a.cancel()
			a.settle(used{nothing: true})
		}
	}()
	if err := a.checkContent(x.route.content, said); err != nil {
		return nil, err
	}
	a.authorized = x.mint(call, a.hold)
	return a, nil
}

// take takes all charges at once, or none.
func (x *exchange) take(c *caller, d *claviger.Decision, call *claviger.Call) (*admitted, error) {
	units, w, err := x.worstOf(c, d, call)
	if err != nil {
		return nil, err
	}
	charges := make([]claviger.Charge, 0, len(d.Limits)+len(d.Shared)+len(c.Limits)+len(c.service)+len(x.s.perIPOthers)+len(x.s.Total))
	charges = bind(charges, d.Limits, scopeUser, c.pseudonym, w)
	charges = bind(charges, c.Limits, scopeCredential, c.pseudonym, w)
	charges = bind(charges, c.service, scopeService, c.key(), w)
	if x.clientKnown {
		charges = bind(charges, x.s.perIPOthers, scopeIP, x.clientName, w)
	}
	charges = bind(charges, d.Shared, scopePlan, d.Plan, w)
	charges = bind(charges, x.s.Total, scopeTotal, "all", w)
	hold, err := x.g.options.Admission.Admit(x.r.Context(), charges)
	if err != nil {
		return nil, limitsError(err)
	}
	x.standings = append(x.standings, hold.Standings()...)
	ctx, end := context.WithCancelCause(x.r.Context())
	if err := x.enter(c, d.Plan, end); err != nil {
		end(nil)
		x.release(hold)
		return nil, err
	}
	return &admitted{
		x: x, ctx: ctx, end: end, hold: hold, held: charges, model: call.Model, prices: x.s.Prices,
		most: units,
	}, nil
}

// worstOf is the most of everything that a call can use, and what that is in the
// limits that it is charged to.
func (x *exchange) worstOf(c *caller, d *claviger.Decision, call *claviger.Call) (claviger.Units, worst, error) {
	out := call.MaxOutput * max(call.Choices, 1)
	units := mostOf(call, out)
	w := worst{requests: 1, tokens: claviger.AddMicros(units[0].Amount, out)}
	switch {
	case call.NoModel:
		units = units[:2]
		units[0].Amount, units[1].Amount = 0, 0
		return units, worst{requests: 1, money: claviger.Money{Currency: admit.Currency}}, nil
	case call.MaxToolCalls < 0 && x.takes(c, d, budgeted):
		return nil, w, unbounded(call.Tools)
	case !x.takes(c, d, spends):
		return units, w, nil
	}
	tools, err := x.s.mostTools(call)
	if err != nil {
		return nil, w, err
	}
	units = append(units, tools...)
	money, priced := x.s.Prices.Worst(call.Model, units)
	if !priced {
		return nil, w, &claviger.Error{
			Code: claviger.CodeModelNotAllowed, Param: "model",
			Err: errors.New("the model has no price for what this endpoint takes, and a money budget applies; set one under prices"),
		}
	}
	w.money = money
	return units, w, nil
}

// mostOf is the most of everything that a call is metered by.
func mostOf(call *claviger.Call, output int64) claviger.Units {
	u := make(claviger.Units, 2, 2+len(call.Extra))
	u[0] = claviger.Unit{Kind: claviger.UnitInput, Amount: claviger.AddMicros(call.MaxInput, call.MaxFound)}
	u[1] = claviger.Unit{Kind: claviger.UnitOutput, Amount: output}
	return append(u, call.Extra...)
}

// completed adds what was held of every kind that was not reported.
func completed(u, most claviger.Units) claviger.Units {
	u = slices.Clone(u)
	for _, x := range most {
		if !u.Has(x.Kind) {
			u = append(u, x)
		}
	}
	return u
}

// takes reports whether one of the limits that a call is charged to is of a kind.
func (x *exchange) takes(c *caller, d *claviger.Decision, kind func([]claviger.Limit) bool) bool {
	return kind(d.Limits) || kind(d.Shared) || kind(c.Limits) || kind(c.service) || kind(x.s.Total) || x.clientKnown && kind(x.s.PerIP)
}

func spends(limits []claviger.Limit) bool {
	return slices.ContainsFunc(limits, func(l claviger.Limit) bool { return l.Kind == claviger.ChargeMoney })
}

// used says how a call ended, for the settlement.
type used struct {
	// nothing: the provider was not reached, or refused. All is given back.
	nothing bool
	units   claviger.Units
	// estimated: the provider reported no units.
	estimated bool
}

// release gives back a hold whose call never began.
func (x *exchange) release(h claviger.Hold) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), defaultSettle)
	defer cancel()
	if err := h.Release(ctx); err != nil {
		x.g.options.Logger.ErrorContext(ctx, "a hold was not released and counts as used",
			"request_id", x.event.RequestID, "error", err.Error())
	}
}

// cancel ends what is under way upstream.
func (a *admitted) cancel() { a.end(nil) }

// settle closes the hold. It runs also when the caller left, and is bounded.
func (a *admitted) settle(u used) {
	a.x.leave()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.x.r.Context()), defaultSettle)
	defer cancel()
	var err error
	if u.nothing {
		err = a.hold.Release(ctx)
		a.x.shrink(a.owner, a.grown)
	} else {
		cost, priced := a.prices.Cost(a.model, u.units)
		if _, known := a.prices.Price(a.model); known && !priced {
			// What the model is paid by was not reported.
			u.units, u.estimated = completed(u.units, a.most), true
			cost, _ = a.prices.Cost(a.model, u.units)
		}
		tokens := claviger.AddMicros(u.units.Get(claviger.UnitInput), u.units.Get(claviger.UnitOutput))
		ev := &a.x.event
		ev.Units, ev.Estimated, ev.Cost = u.units, u.estimated, cost
		err = a.hold.Settle(ctx, admit.Used(a.held, tokens, cost))
	}
	if err != nil {
		a.x.g.options.Logger.ErrorContext(ctx, "a hold was not settled and counts as used",
			"request_id", a.x.event.RequestID, "error", err.Error())
	}
}

// asHeld is the use of a call that the provider accepted and whose end nobody
// knows: everything that was held.
func (a *admitted) asHeld() used { return used{estimated: true, units: slices.Clone(a.most)} }

// afterFailure is the use of a call that got no answer. Only what the provider
// certainly did nothing for costs nothing: it was not reached, or refused. A call
// that was ended in the meantime, by whom and by what ever, may have been worked
// at to its end.
func (a *admitted) afterFailure(err error) used {
	if errors.Is(err, claviger.ErrNothingDone) {
		return used{nothing: true}
	}
	return a.asHeld()
}

// cutShort is the use of a stream that ended before the provider told what it
// used. What passed is the output of a model whose every token shows; of one that
// may have reasoned unseen, of a caller who kept the provider's words waiting, and
// of images and sound it tells too little, and all that was held counts. The input
// was read whole.
func (a *admitted) cutShort(seen claviger.Units, behind bool) used {
	if len(seen) == 0 || behind || openai.MayReason(a.model) {
		return a.asHeld()
	}
	u := a.asHeld()
	for i, x := range u.units {
		if x.Kind == claviger.UnitOutput {
			u.units[i].Amount = min(x.Amount, seen.Get(claviger.UnitOutput))
		}
	}
	return u
}
