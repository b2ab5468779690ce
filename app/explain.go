package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/openai"
)

// maxCredential is the most that explain reads from stdin.
const maxCredential = 64 << 10

type explainCommand struct {
	configFlag
	Token    string `help:"Where the credential comes from: - for stdin, as a bearer, an Authorization: line or a Cookie: line. An empty stdin is a stranger." required:"" placeholder:"-"`
	Model    string `help:"The model that is asked for."`
	Endpoint string `help:"The endpoint of the proxy (default: responses with --model, else models)."`
	Action   string `help:"The action that is run, in place of an endpoint."`
	Format   string `help:"text or json." enum:"text,json" default:"text"`
}

// Run explains. Nothing goes to the provider, and nothing is charged or counted.
func (c explainCommand) Run(ctx context.Context, env Environment) error {
	switch {
	case c.Token != "-":
		return badUsage(errors.New("--token takes - alone, and reads the credential from stdin: as an argument it would stand in the shell's history and in the list of processes"))
	case c.Action != "" && (c.Model != "" || c.Endpoint != ""):
		return badUsage(errors.New("--action stands alone: the model and the endpoint of an action are the configuration's"))
	case c.Model == "" && c.Endpoint != "" && c.Endpoint != string(openai.EndpointModels):
		return badUsage(errors.New("--endpoint needs --model"))
	}
	request, err := readCredential(env.Stdin)
	if err != nil {
		return badUsage(err)
	}
	src := locate(env, c.Config)
	in, err := newInstallation(ctx, env, src, quiet())
	if err != nil {
		return err
	}
	defer closeIdle(in.idlers)
	e := explainer{in: in, out: &explanation{}}
	e.openBlocks(ctx, src)
	e.explain(ctx, request, c)
	if c.Format == "json" {
		err = e.out.writeJSON(env.Stdout)
	} else {
		err = e.out.writeText(env.Stdout)
	}
	if err == nil && !e.out.Allowed {
		err = &exitError{code: exitRefused, err: fmt.Errorf("refused by %s", e.out.Rule)}
	}
	return err
}

// readCredential makes a request that carries what stands on stdin.
func readCredential(stdin io.Reader) (*http.Request, error) {
	r := &http.Request{Method: http.MethodPost, Header: http.Header{}, RequestURI: "/"}
	if stdin == nil {
		return r, nil
	}
	b, err := io.ReadAll(io.LimitReader(stdin, maxCredential+1))
	text := strings.TrimSpace(string(b))
	switch name, value, ok := strings.Cut(text, ":"); {
	case err != nil:
		return nil, errors.New("the credential cannot be read from stdin")
	case len(b) > maxCredential:
		return nil, errors.New("the credential on stdin is larger than 64 KiB")
	case text == "":
	case strings.ContainsAny(text, "\r\n"):
		return nil, errors.New("the credential on stdin is more than one line")
	case ok && strings.EqualFold(name, "cookie"):
		r.Header.Set("Cookie", strings.TrimSpace(value))
	case ok && strings.EqualFold(name, "authorization"):
		r.Header.Set("Authorization", strings.TrimSpace(value))
	default:
		r.Header.Set("Authorization", "Bearer "+text)
	}
	return r, nil
}

// explainer takes a request through the gates that know who calls and what they
// may do, with the very authenticators and plans of the gateway.
type explainer struct {
	in  *installation
	out *explanation
	// blocks is nil where there are none, or none can be looked up.
	blocks claviger.Blocks
}

func (e *explainer) explain(ctx context.Context, r *http.Request, c explainCommand) {
	p, ok := e.authenticate(ctx, r)
	if !ok || e.barred(p, "") {
		return
	}
	call, ok := e.call(c)
	if !ok {
		return
	}
	d, steps, err := e.policy(ctx, p, call)
	e.out.Plan, e.out.Steps = d.Plan, append(e.out.Steps, steps...)
	if err != nil || !d.Allow {
		reason := d.Reason
		if err != nil {
			reason = err.Error()
		}
		e.refuse(d.Code, d.Rule, reason)
		return
	}
	if e.barred(p, d.Plan) {
		return
	}
	if p := e.in.snapshot.ContentFor(call.Action, call.Endpoint); !p.Empty() && call.Model != "" {
		e.out.Steps = append(e.out.Steps, authz.Step{Rule: "content", Passed: true, Text: p.String()})
	}
	e.out.Caps, e.out.Prices = capsOf(&d), e.pricesFor(call, &d)
	if !e.limits(p, call, &d) {
		return
	}
	e.out.Allowed, e.out.Rule, e.out.Reason, e.out.Status = true, d.Rule, d.Reason, http.StatusOK
}

func (e *explainer) policy(ctx context.Context, p claviger.Principal, call claviger.Call) (claviger.Decision, []authz.Step, error) {
	plans, ok := e.in.snapshot.Authorizer.(*authz.Plans)
	if !ok {
		return claviger.Decision{Rule: "plans", Reason: "there are no plans"}, nil, nil
	}
	return plans.Explain(ctx, p, call)
}

// refuse ends the explanation.
func (e *explainer) refuse(code claviger.Code, rule, reason string) {
	if code == "" {
		code = claviger.CodeForbidden
	}
	e.out.Code, e.out.Rule, e.out.Reason = code, rule, reason
	e.out.Status = (&claviger.Error{Code: code}).HTTPStatus()
}

// authenticate asks each authenticator in order, as the gateway does, and says
// of each what it found.
func (e *explainer) authenticate(ctx context.Context, r *http.Request) (claviger.Principal, bool) {
	for _, issuer := range e.in.issuers {
		_ = issuer.Refresh(ctx) // what cannot be had is the authenticator's to tell
	}
	ctx = claviger.ContextWithClient(ctx, netip.MustParsePrefix("127.0.0.1/32"))
	for i, a := range e.in.snapshot.Authenticators {
		kind := e.in.config.Auth[i].Kind()
		p, found, err := inspect(ctx, a, r)
		switch {
		case errors.Is(err, claviger.ErrNoCredential):
			e.out.asked(kind, "passed over", "carries no credential of this kind")
			continue
		case err != nil:
			e.out.asked(kind, "refused", err.Error())
			e.refuse(claviger.AsError(err).Code, fmt.Sprintf("auth[%d].%s", i, kind), err.Error())
			return p, false
		}
		e.out.asked(kind, "recognised", found)
		e.caller(p)
		return p, e.knownService(p)
	}
	e.refuse(claviger.CodeUnauthenticated, "auth", "no authenticator recognises the credential")
	return claviger.Principal{}, false
}

// inspect asks an authenticator. Of a ticket it takes no use, and asks for no
// proof, which only its holder can make.
func inspect(ctx context.Context, a claviger.Authenticator, r *http.Request) (claviger.Principal, string, error) {
	tickets, ok := a.(*ticket.Authenticator)
	if !ok {
		p, err := a.Authenticate(ctx, r)
		return p, "", err
	}
	p, terms, err := tickets.Inspect(ctx, r)
	var notes []string
	if terms.Bound {
		notes = append(notes, "it also needs Authorization: DPoP and a proof by its key, which was not asked for here")
	}
	if terms.MaxUses > 0 {
		notes = append(notes, fmt.Sprintf("it is good for %d requests, of which none was taken here", terms.MaxUses))
	}
	return p, strings.Join(notes, "; "), err
}

func (e *explainer) knownService(p claviger.Principal) bool {
	if _, known := e.in.snapshot.Services[p.MintedBy]; p.MintedBy != "" && e.in.snapshot.Services != nil && !known {
		e.refuse(claviger.CodeUnauthenticated, "auth.service", "the service key that asked for the ticket is not configured any more")
		return false
	}
	return true
}

func (e *explainer) caller(p claviger.Principal) {
	c := &callerText{
		Realm: p.Realm, Subject: p.Subject, Pseudonym: e.in.snapshot.Pseudonym(p), Roles: p.Roles, Plan: p.Plan,
		Actions: p.Actions, Service: p.Service, MintedBy: p.MintedBy, TokenID: p.TokenID,
	}
	for name := range p.Claims {
		c.Claims = append(c.Claims, name)
	}
	slices.Sort(c.Claims)
	if !p.Expires.IsZero() {
		c.Expires = p.Expires.UTC().Format(time.RFC3339)
	}
	e.out.Caller = c
}

// call is what is asked for. What is off or unknown is told here, as the
// gateway's table of routes does before any plan.
func (e *explainer) call(c explainCommand) (claviger.Call, bool) {
	if c.Action != "" {
		i := slices.IndexFunc(e.in.config.Actions, func(a config.Action) bool { return a.Name == c.Action })
		if i < 0 {
			e.route(false, "actions", "there is no such action")
			return claviger.Call{}, false
		}
		e.route(true, "actions", "the action is configured")
		return claviger.Call{Action: c.Action, Endpoint: openai.EndpointResponses, Model: e.in.config.Actions[i].Model, Choices: 1}, true
	}
	endpoint := claviger.Endpoint(c.Endpoint)
	switch {
	case endpoint == "" && c.Model == "":
		endpoint = openai.EndpointModels
	case endpoint == "":
		endpoint = openai.EndpointResponses
	}
	proxy := e.in.snapshot.Proxy
	switch {
	case proxy == nil:
		e.route(false, "proxy", "there is no proxy, so /v1 does not exist")
		return claviger.Call{}, false
	case endpoint != openai.EndpointModels && !slices.ContainsFunc(proxy.Endpoints, func(open claviger.Endpoint) bool { return openai.Named(string(open), endpoint) }):
		e.route(false, "proxy.endpoints", "the endpoint is not open")
		return claviger.Call{}, false
	}
	e.route(true, "proxy.endpoints", "the endpoint is open")
	return claviger.Call{Endpoint: endpoint, Model: c.Model, Choices: 1}, true
}

func (e *explainer) route(open bool, rule, text string) {
	e.out.Steps = append(e.out.Steps, authz.Step{Rule: rule, Passed: open, Text: text})
	if !open {
		e.refuse(claviger.CodeNotFound, rule, text)
	}
}

// limits lists what would be charged. It is false where a model without a price
// meets a budget in money.
func (e *explainer) limits(p claviger.Principal, call claviger.Call, d *claviger.Decision) bool {
	s := &e.in.snapshot
	key := p.Service
	if key == "" {
		key = p.MintedBy
	}
	spends := false
	for _, l := range []struct {
		scope  string
		limits []claviger.Limit
	}{{"user", d.Limits}, {"credential", p.Limits}, {"service " + key, s.Services[key]}, {"ip", s.PerIP}, {"plan " + d.Plan, d.Shared}, {"total", s.Total}} {
		for _, x := range l.limits {
			spends = spends || x.Kind == claviger.ChargeMoney
			e.out.Limits = append(e.out.Limits, limitText{Scope: l.scope, Limit: limitWords(x)})
		}
	}
	if call.Model == "" || !spends {
		return true
	}
	if !e.priced(call) {
		e.refuse(claviger.CodeModelNotAllowed, "prices", "a budget in money applies and no price of the model is known for what this endpoint takes")
		return false
	}
	return true
}
