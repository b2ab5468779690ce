package app

import (
	"context"
	"errors"
	"fmt"
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
	may, err := key.Narrow(service.Ask{Claims: q.Claims, Plan: q.Plan, Actions: q.Actions, TTL: q.TTL, JKT: q.JKT})
	if err != nil {
		return "", time.Time{}, err
	}
	return m.tickets.Mint(ctx, ticket.Request{
		Subject: q.Subject, Realm: key.Realm, Claims: may.Claims, Plan: may.Plan, Actions: may.Actions,
		TTL: may.TTL, Service: key.Name, MaxUses: q.MaxUses, JKT: may.JKT,
	})
}
