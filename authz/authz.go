// Package authz decides what a verified caller may do, by plans. The first
// plan whose condition holds applies; where none does, the caller is refused.
//
// A condition is an expression in CEL (the Common Expression Language,
// https://cel.dev) that gives a boolean. It sees these and nothing else, so
// that a misspelt name is found when the plans are loaded:
//
//	user.subject  string
//	user.realm    string
//	user.tenant   string, empty where there is none
//	user.method   string, the name of the authenticator
//	user.roles    list of strings
//	user.claims   what the credential says about its holder, by name
//
// A claim that is absent, or a member of one that is null or no object, makes
// the condition not hold, also where it is negated: user.claims.plan != "pro"
// does not hold for a caller without that claim. Any other failure of a
// condition, as comparing a text with a number by order, refuses the caller:
// what cannot be judged is not passed on to the plans after it.
package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"claviger.dev/claviger"
)

// The endpoints that are answered from the plan itself, so that they need no
// entry in its endpoints: the list of models, and one model's entry.
const (
	endpointModels claviger.Endpoint = "models"
	endpointModel  claviger.Endpoint = "models.model"
)

// Plan is what a group of callers may do. Lists that are nil and lists that
// are empty differ: an empty list allows nothing.
type Plan struct {
	// Name is how records, tickets and service keys call the plan. Unique.
	Name string
	// When is the condition; empty applies to all.
	When string
	// Models are the models that the plan allows, with * for any run of
	// characters, also an empty one. They bind proxy calls and actions alike,
	// an action that Actions names too. Without Models the proxy is closed, and
	// actions run with the model that the server gave them.
	Models []string
	// Endpoints are the endpoints of the proxy that the plan opens. nil opens
	// all that are configured. Actions are not bound by it.
	Endpoints []string
	// Actions are the actions that the plan opens. nil opens all.
	Actions []string
	// Tools are the kinds of tools that calls may bring. nil leaves it to the
	// settings of the proxy and of the action.
	Tools []string
	// MaxInput and MaxOutput cap the tokens of one call; 0 sets no cap.
	MaxInput  int64
	MaxOutput int64
	// Limits are handed on to admission, for each caller. Shared are for all on
	// the plan together.
	Limits, Shared []claviger.Limit
}

// PlanError says what is wrong with one plan. New returns all of them at once,
// joined.
type PlanError struct {
	// Index is the position of the plan in the list, from 0.
	Index int
	// Field is the setting, in the spelling of the configuration: "when",
	// "models[2]".
	Field string
	// Line and Column are within the expression, from 1; 0 where the error has
	// no place there.
	Line, Column int
	// Reason is one sentence. It quotes settings, which hold no secret.
	Reason string
}

// Error implements error.
func (e *PlanError) Error() string {
	at := fmt.Sprintf("plans[%d].%s", e.Index, e.Field)
	if e.Line > 0 {
		at += fmt.Sprintf(" (line %d, column %d)", e.Line, e.Column)
	}
	return at + ": " + e.Reason
}

// Plans are compiled plans. They implement claviger.Authorizer: pure, safe for
// concurrent use, and on error they deny. The nil value refuses everybody.
type Plans struct {
	plans  []plan
	byName map[string]int
}

var _ claviger.Authorizer = (*Plans)(nil)

// plan is a Plan with everything prepared that does not depend on the caller.
type plan struct {
	Plan
	when   *condition // nil applies to all
	oblige []claviger.Obligation
	rules  rules
}

// rules are the names under which decisions of a plan are recorded, made once.
type rules struct{ self, when, models, endpoints, actions string }

// New compiles plans. The error joins one *PlanError for each thing that is
// wrong with them. No plans at all are fine, and refuse everybody.
func New(plans []Plan) (*Plans, error) {
	env, err := newEnv()
	if err != nil {
		return nil, err
	}
	out := &Plans{plans: make([]plan, 0, len(plans)), byName: make(map[string]int, len(plans))}
	var errs []error
	for i, p := range plans {
		if j, dup := out.byName[p.Name]; dup {
			errs = append(errs, &PlanError{Index: i, Field: "name", Reason: fmt.Sprintf("the name %q is already taken by plans[%d]; give each plan its own", p.Name, j)})
		} else {
			out.byName[p.Name] = i
		}
		for _, e := range checkLists(i, p) {
			errs = append(errs, e)
		}
		c, cerrs := env.compile(i, p.When)
		for _, e := range cerrs {
			errs = append(errs, e)
		}
		out.plans = append(out.plans, prepare(i, p, c))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

func prepare(i int, p Plan, c *condition) plan {
	p.Models, p.Endpoints = slices.Clone(p.Models), slices.Clone(p.Endpoints)
	p.Actions, p.Tools = slices.Clone(p.Actions), slices.Clone(p.Tools)
	p.Limits, p.Shared = slices.Clone(p.Limits), slices.Clone(p.Shared)
	self := fmt.Sprintf("plans[%d]", i)
	out := plan{Plan: p, when: c, rules: rules{
		self: self, when: self + ".when", models: self + ".models",
		endpoints: self + ".endpoints", actions: self + ".actions",
	}}
	if p.MaxInput > 0 {
		out.oblige = append(out.oblige, claviger.Obligation{Kind: claviger.ObligeMaxInput, Limit: p.MaxInput})
	}
	if p.MaxOutput > 0 {
		out.oblige = append(out.oblige, claviger.Obligation{Kind: claviger.ObligeMaxOutput, Limit: p.MaxOutput})
	}
	if p.Tools != nil {
		out.oblige = append(out.oblige, claviger.Obligation{Kind: claviger.ObligeTools, Values: p.Tools})
	}
	return out
}

func checkLists(i int, p Plan) []*PlanError {
	var errs []*PlanError
	bad := func(field, reason string) {
		errs = append(errs, &PlanError{Index: i, Field: field, Reason: reason})
	}
	if p.Name == "" {
		bad("name", "a plan needs a name")
	}
	for _, l := range []struct {
		field    string
		values   []string
		patterns bool
	}{{"models", p.Models, true}, {"endpoints", p.Endpoints, false}, {"actions", p.Actions, false}, {"tools", p.Tools, false}} {
		for j, v := range l.values {
			field := fmt.Sprintf("%s[%d]", l.field, j)
			switch {
			case v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == 0x7f }):
				bad(field, "an entry is a name without white space")
			case l.field == "endpoints" && strings.HasSuffix(v, ".*") && strings.Count(v, "*") == 1:
			case !l.patterns && strings.Contains(v, "*"):
				bad(field, "only models take *, and endpoints at their end, as files.*; name each one")
			case slices.Index(l.values, v) != j:
				bad(field, fmt.Sprintf("%q is listed twice", v))
			}
		}
	}
	if p.MaxInput < 0 {
		bad("limits.max_input_tokens", "must be positive")
	}
	if p.MaxOutput < 0 {
		bad("limits.max_output_tokens", "must be positive")
	}
	return errs
}

// Authorize implements claviger.Authorizer. The slices of the decision belong
// to the plans and must not be changed. A principal's own limits are not in
// Decision.Limits; they come beside those of the plan.
func (ps *Plans) Authorize(_ context.Context, p claviger.Principal, c claviger.Call) (claviger.Decision, error) {
	return ps.decide(&p, &c, nil)
}

// Match reports whether a model's id fits a pattern, in which * stands for any
// run of characters, also an empty one. Everything else matches itself alone,
// case included. An empty id fits nothing.
func Match(pattern, model string) bool {
	return model != "" && claviger.MatchModel(pattern, model)
}
