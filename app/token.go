package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/service"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/jsonx"
)

type tokenCommand struct {
	Mint tokenMintCommand `cmd:"" help:"Print a ticket for tests and scripts."`
}

type tokenMintCommand struct {
	configFlag
	Sub   string            `help:"Whose ticket it is." required:"" placeholder:"ID"`
	Realm string            `help:"The realm of the subject." default:"app"`
	Claim map[string]string `help:"A claim that plans can ask for; JSON where it is JSON, else text." placeholder:"K=V" mapsep:"none"`
	Plan  string            `help:"The one plan that the ticket is good for."`
	TTL   time.Duration     `help:"How long it lives, at most 24h." default:"5m" name:"ttl"`
}

// Run prints the ticket alone.
func (c tokenMintCommand) Run(ctx context.Context, env Environment) error {
	in, err := newInstallation(ctx, env, locate(env, c.Config), quiet())
	if err != nil {
		return err
	}
	if in.tickets == nil {
		return badUsage(errors.New("the configuration has no ticket authenticator; add 'ticket: {secrets: [env:CLAVIGER_TICKET_SECRET]}' under auth"))
	}
	if c.TTL <= 0 || c.TTL > ticket.LongestTTL {
		return badUsage(errors.New("--ttl is more than nothing and at most 24h"))
	}
	claims := claviger.Claims{}
	for k, v := range c.Claim {
		claims[k] = claimValue(v)
	}
	t, _, err := in.tickets.Mint(ctx, ticket.Request{
		Subject: c.Sub, Realm: c.Realm, Claims: claims, Plan: c.Plan, TTL: c.TTL, MaxTTL: ticket.LongestTTL,
	})
	if err != nil {
		return badUsage(err)
	}
	_, err = fmt.Fprintln(env.Stdout, t)
	return err
}

// claimValue reads true, numbers, lists and objects as JSON, and all else as
// text.
func claimValue(s string) any {
	if v, err := jsonx.Parse([]byte(s)); err == nil {
		return v.Any()
	}
	return s
}

// minter answers POST /tickets: what a service key may hand out, and no more.
type minter struct {
	services *service.Authenticator
	tickets  *ticket.Authenticator
}

// MintFor implements gateway.Minter.
func (m minter) MintFor(ctx context.Context, p claviger.Principal, q gateway.TicketRequest) (string, time.Time, error) {
	key, ok := m.services.Grant(p.Service)
	if !ok {
		return "", time.Time{}, &claviger.Error{Code: claviger.CodeForbidden, Err: errors.New("no such service key")}
	}
	for name := range q.Claims {
		if !slices.Contains(key.Claims, name) {
			return "", time.Time{}, &claviger.Error{Code: claviger.CodeForbidden, Param: "claims", Detail: "This service key may not set that claim"}
		}
	}
	plan, err := planFor(key, q.Plan)
	if err != nil {
		return "", time.Time{}, err
	}
	actions := q.Actions
	if actions == nil {
		actions = key.Actions
	}
	for _, a := range actions {
		if key.Actions != nil && !slices.Contains(key.Actions, a) {
			return "", time.Time{}, &claviger.Error{Code: claviger.CodeForbidden, Param: "actions", Detail: "This service key may not hand out that action"}
		}
	}
	ttl, err := lifeFor(key, q.TTL)
	if err != nil {
		return "", time.Time{}, err
	}
	return m.tickets.Mint(ctx, ticket.Request{
		Subject: q.Subject, Realm: key.Realm, Claims: q.Claims, Plan: plan, Actions: actions, TTL: ttl,
	})
}

// planFor is the plan of a ticket. A key that is bound to plans writes one of
// them into each: without one, conditions could decide for another.
func planFor(key service.Key, asked string) (string, error) {
	switch {
	case asked == "" && len(key.Plans) == 0:
		return "", nil
	case asked == "" && len(key.Plans) == 1:
		return key.Plans[0], nil
	case asked == "":
		return "", &claviger.Error{Code: claviger.CodeInvalidInput, Param: "plan", Detail: "Invalid plan: name one of those of this service key"}
	case !slices.Contains(key.Plans, asked):
		return "", &claviger.Error{Code: claviger.CodeForbidden, Param: "plan", Detail: "This service key may not hand out that plan"}
	}
	return asked, nil
}

// lifeFor is the life of a ticket: what was asked, or five minutes, and never
// more than the key allows.
func lifeFor(key service.Key, asked time.Duration) (time.Duration, error) {
	longest := ticket.ServiceTTL
	if key.TicketTTL > 0 {
		longest = min(longest, key.TicketTTL)
	}
	switch {
	case asked == 0:
		return min(longest, ticket.DefaultTTL), nil
	case asked < 0 || asked > longest:
		return 0, &claviger.Error{
			Code: claviger.CodeInvalidInput, Param: "ttl",
			Detail: fmt.Sprintf("Invalid ttl: at most %d seconds", int64(longest.Seconds())),
		}
	}
	return asked, nil
}
