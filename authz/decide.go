package authz

import (
	"context"
	"fmt"
	"slices"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// Step is one rule that was looked at on the way to a decision.
type Step struct {
	// Rule is its name, as "plans[1].when".
	Rule string
	// Passed says whether the caller or the call satisfied it.
	Passed bool
	// Text is one sentence for the operator. It quotes plans and calls, never
	// claims.
	Text string
	// Plan is the plan whose rule it is; empty for other rules.
	Plan string
	// Condition is the condition that was looked at; empty for other rules.
	Condition string
}

// Explain decides as Authorize does and also returns every rule that was
// looked at, in order.
func (ps *Plans) Explain(_ context.Context, p claviger.Principal, c claviger.Call) (claviger.Decision, []Step, error) {
	var t trace
	d, err := ps.decide(&p, &c, &t)
	return d, t.steps, err
}

// trace collects steps; the nil trace, which decisions on the request path
// use, collects nothing.
type trace struct{ steps []Step }

func (t *trace) step(rule string, passed bool, text string) {
	if t != nil {
		t.steps = append(t.steps, Step{Rule: rule, Passed: passed, Text: text})
	}
}

// of is step for a rule of a plan.
func (t *trace) of(pl *plan, rule string, passed bool, text string) {
	if t != nil {
		s := Step{Rule: rule, Passed: passed, Text: text, Plan: pl.Name}
		if rule == pl.rules.when {
			s.Condition = pl.When
		}
		t.steps = append(t.steps, s)
	}
}

func (ps *Plans) decide(p *claviger.Principal, c *claviger.Call, t *trace) (claviger.Decision, error) {
	if p.Subject == "" && p.Service == "" {
		return refuse(t, claviger.Decision{Rule: "principal", Reason: "the credential names nobody"}), nil
	}
	pl, d, err := ps.choose(p, t)
	if pl == nil {
		return d, err
	}
	if d, ok := pl.allows(p, c, t); !ok {
		return d, nil
	}
	return claviger.Decision{
		Allow: true, Plan: pl.Name, Rule: pl.rules.self, Reason: "the plan allows it",
		Models: pl.Models, Oblige: pl.oblige, Limits: pl.Limits, Shared: pl.Shared,
	}, nil
}

// choose returns the plan that applies, or the refusal where there is none.
func (ps *Plans) choose(p *claviger.Principal, t *trace) (*plan, claviger.Decision, error) {
	if ps == nil || len(ps.plans) == 0 {
		return nil, refuse(t, claviger.Decision{Rule: "plans", Reason: "there are no plans"}), nil
	}
	if p.Plan != "" {
		i, ok := ps.byName[p.Plan]
		if !ok {
			return nil, refuse(t, claviger.Decision{Rule: "principal.plan", Reason: "the credential is bound to a plan that does not exist"}), nil
		}
		t.of(&ps.plans[i], "principal.plan", true, "the credential is bound to this plan, whatever its condition says")
		return &ps.plans[i], claviger.Decision{}, nil
	}
	v := vars{p: p}
	for i := range ps.plans {
		pl := &ps.plans[i]
		if pl.when == nil {
			t.of(pl, pl.rules.self, true, "the plan applies to all")
			return pl, claviger.Decision{}, nil
		}
		holds, err := pl.when.holds(&v)
		if err != nil {
			t.of(pl, pl.rules.when, false, "the condition could not be evaluated")
			d := refuse(nil, claviger.Decision{Rule: pl.rules.when, Reason: "the condition could not be evaluated"})
			return nil, d, &claviger.Error{Code: claviger.CodeForbidden, Err: fmt.Errorf("%s: %w", pl.rules.when, err)}
		}
		if holds {
			t.of(pl, pl.rules.when, true, "the condition holds")
			return pl, claviger.Decision{}, nil
		}
		t.of(pl, pl.rules.when, false, "the condition does not hold")
	}
	return nil, refuse(t, claviger.Decision{Rule: "plans", Reason: "no plan applies to this caller"}), nil
}

// allows holds the call against the credential's own bounds and the plan's
// lists. Where it refuses, the decision says why.
func (pl *plan) allows(p *claviger.Principal, c *claviger.Call, t *trace) (claviger.Decision, bool) {
	no := func(d claviger.Decision) (claviger.Decision, bool) {
		d.Plan = pl.Name
		return refuse(t, d), false
	}
	if p.Actions != nil && (c.Action == "" || !slices.Contains(p.Actions, c.Action)) {
		return no(claviger.Decision{Rule: "principal.actions", Reason: "the credential is good for some actions alone, and this is none of them"})
	}
	switch {
	case c.Action != "":
		if pl.Actions != nil && !slices.Contains(pl.Actions, c.Action) {
			return no(claviger.Decision{Rule: pl.rules.actions, Reason: "the plan does not include this action"})
		}
		t.of(pl, pl.rules.actions, true, "the plan includes this action")
	case c.Endpoint == "":
		return no(claviger.Decision{Rule: pl.rules.endpoints, Reason: "the call names no endpoint"})
	case c.Endpoint == endpointModels, c.Endpoint == endpointModel:
		t.of(pl, pl.rules.endpoints, true, "whoever has a plan may list its models")
		if c.Model == "" {
			return claviger.Decision{}, true
		}
	default:
		if pl.Endpoints != nil && !slices.ContainsFunc(pl.Endpoints, func(e string) bool { return openai.Named(e, c.Endpoint) }) {
			return no(claviger.Decision{Rule: pl.rules.endpoints, Reason: "the plan does not include this endpoint"})
		}
		t.of(pl, pl.rules.endpoints, true, "the plan includes this endpoint")
	}
	if c.NoModel && c.Model == "" {
		return claviger.Decision{}, true
	}
	if !pl.model(c) {
		return no(claviger.Decision{
			Code: claviger.CodeModelNotAllowed, Param: "model",
			Rule: pl.rules.models, Reason: "the plan does not include this model",
		})
	}
	t.of(pl, pl.rules.models, true, "the plan includes this model")
	return claviger.Decision{}, true
}

func (pl *plan) model(c *claviger.Call) bool {
	if pl.Models == nil {
		return c.Action != ""
	}
	for _, m := range pl.Models {
		if Match(m, c.Model) {
			return true
		}
	}
	return false
}

// refuse completes a refusal and records it.
func refuse(t *trace, d claviger.Decision) claviger.Decision {
	if d.Code == "" {
		d.Code = claviger.CodeForbidden
	}
	t.step(d.Rule, false, d.Reason)
	return d
}
