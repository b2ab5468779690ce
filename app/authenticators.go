package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/authn/betterauth"
	"claviger.dev/claviger/authn/ironsession"
	"claviger.dev/claviger/authn/jwt"
	"claviger.dev/claviger/authn/service"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/config"
)

// theirSecret is the hint for a secret that an app already has.
const theirSecret = "it is the secret of the app whose sessions are read, as AUTH_SECRET"

// authenticators makes the authenticators in their order, and the plans.
func (b *builder) authenticators() {
	s := &b.in.snapshot
	for i, a := range b.in.config.Auth {
		at := fmt.Sprintf("auth[%d].%s", i, a.Kind())
		before := len(b.wrong)
		made, err := b.authenticator(at, a)
		switch {
		case len(b.wrong) > before:
			// A secret is missing, which has been told.
		case err != nil:
			b.fail(at, err, "")
		default:
			s.Authenticators = append(s.Authenticators, made)
		}
	}
	plans, err := authz.New(plansOf(b.in.config))
	if err != nil {
		b.fail("plans", err, "")
		return
	}
	s.Authorizer = plans
}

func (b *builder) authenticator(at string, a config.Authenticator) (claviger.Authenticator, error) {
	switch {
	case a.AuthJS != nil:
		return b.authjs(at, a.AuthJS)
	case a.JWT != nil:
		return b.jwt(at, a.JWT)
	case a.Ticket != nil:
		return b.ticket(at, a.Ticket)
	case a.Service != nil:
		return b.service(at, a.Service)
	case a.BetterAuth != nil:
		return betterauth.New(betterauth.Options{
			Secret: b.secret(at+".secret", a.BetterAuth.Secret, theirSecret), Strategy: a.BetterAuth.Strategy,
			Cookie: a.BetterAuth.Cookie, Secure: hasHTTPS(b.in.config), Realm: a.BetterAuth.Realm,
		})
	case a.IronSession != nil:
		return b.ironSession(at, a.IronSession)
	case a.Forward != nil:
		return b.forward(a.Forward)
	case a.Anonymous != nil:
		return b.anonymous(at, a.Anonymous)
	case a.DevUser != nil:
		return b.devUser(a.DevUser)
	}
	return nil, errors.New("this authenticator is not available in this version")
}

func (b *builder) authjs(at string, c *config.AuthJS) (claviger.Authenticator, error) {
	made, err := authjs.New(authjs.Options{
		Secrets: b.all(at, c.Secrets, false), Version: int(c.Version), Cookie: c.Cookie,
		Realm: c.Realm, Secure: hasHTTPS(b.in.config), MaxAge: c.MaxAge, Logger: b.databaseSessions(),
	})
	b.in.sessions = made
	return made, err
}

func (b *builder) jwt(at string, c *config.JWT) (claviger.Authenticator, error) {
	o := jwt.Options{
		Issuer: c.Issuer, Audience: c.Audience, AuthorizedParties: c.AuthorizedParties, JWKSURL: c.JWKSURL,
		Algorithms: c.Algorithms, Subject: c.Subject, Cookie: c.Cookie, Preset: c.Preset, Realm: c.Realm,
		InsecureHTTP: c.InsecureHTTP, AllowPrivate: c.AllowPrivate, Logger: b.log,
	}
	if c.Secret != "" {
		o.Secret = b.secret(at+".secret", c.Secret, "it is the secret with which the issuer signs")
	}
	made, err := jwt.New(o)
	if err != nil {
		return nil, err
	}
	b.in.issuers = append(b.in.issuers, made)
	return made, nil
}

// fetchKeys asks the issuers for their keys, so that the first caller does not
// wait for them. What cannot be had is told by problems.
func (in *installation) fetchKeys(ctx context.Context) {
	for _, issuer := range in.issuers {
		go func() { _ = issuer.Refresh(ctx) }()
	}
}

func (b *builder) ticket(at string, c *config.Ticket) (claviger.Authenticator, error) {
	o := ticket.Options{
		Secrets: b.all(at, c.Secrets, true), Audience: c.Audience, Realm: c.Realm,
		Uses: b.in.uses(), Seen: b.prev.seen, Addresses: publicURLs(b.in.config, c),
	}
	if b.prev.shared != nil {
		o.Proofs = b.prev.shared
	}
	made, err := ticket.New(o)
	if b.in.tickets == nil {
		b.in.tickets = made
	}
	return made, err
}

// uses counts the requests of tickets; nil where the database could not be
// opened, which has been told.
func (in *installation) uses() ticket.Uses {
	if in.storage == nil {
		return nil
	}
	return in.storage
}

// publicURLs are the addresses under which callers reach the gateway: what the
// configuration says, else its origins, its hosts by https, and the listener
// where it is on loopback.
func publicURLs(cfg *config.Config, c *config.Ticket) []string {
	if len(c.DPoPURLs) > 0 {
		return c.DPoPURLs
	}
	out := slices.Clone(cfg.Origins)
	for _, h := range cfg.Hosts {
		out = append(out, "https://"+h)
	}
	_, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil || loopbackOnly(cfg.Listen) != nil || port == "0" {
		return out
	}
	scheme := "http://"
	if cfg.TLS != nil {
		scheme = "https://"
	}
	for _, h := range []string{"localhost", "127.0.0.1", "[::1]"} {
		out = append(out, scheme+h+":"+port)
	}
	return out
}

func (b *builder) ironSession(at string, c *config.IronSession) (claviger.Authenticator, error) {
	o := ironsession.Options{
		Passwords: map[string]claviger.Secret{}, Cookie: c.Cookie, Subject: c.Subject, TTL: c.TTL, Realm: c.Realm,
	}
	for _, p := range c.Passwords {
		o.Passwords[p.ID] = b.secret(at+".passwords."+p.ID, p.Ref, theirSecret)
	}
	return ironsession.New(o)
}

// all reads several secrets; ours have to be strong.
func (b *builder) all(at string, refs []claviger.Ref, ours bool) []claviger.Secret {
	out := make([]claviger.Secret, 0, len(refs))
	for i, r := range refs {
		place := fmt.Sprintf("%s.secrets[%d]", at, i)
		if ours {
			out = append(out, b.strong(place, r))
		} else {
			out = append(out, b.secret(place, r, theirSecret))
		}
	}
	return out
}

func (b *builder) service(at string, c *config.Service) (claviger.Authenticator, error) {
	o, limits := service.Options{}, map[string][]claviger.Limit{}
	for i, k := range c.Keys {
		o.Keys = append(o.Keys, service.Key{
			Name: k.Name, Secret: b.strong(fmt.Sprintf("%s.keys[%d].secret", at, i), k.Secret), Realm: k.Realm,
			Claims: k.Claims, Plans: k.Plans, Actions: k.Actions, TicketTTL: k.TicketTTL, DPoP: k.DPoP == "required",
		})
		limits[k.Name] = k.Limits.All()
	}
	made, err := service.New(o)
	if err != nil {
		return nil, err
	}
	b.in.snapshot.ClientVerifier, b.in.snapshot.Services = made, limits
	b.in.snapshot.Minter = minter{services: made}
	return made, nil
}
