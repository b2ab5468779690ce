package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/service"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/keys"
)

func secretForTest(t *testing.T) claviger.Secret {
	t.Helper()
	s, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return claviger.NewSecret([]byte(s))
}

// TestMinter: a service key hands out what it names, and nothing that leaving
// something out would widen.
func TestMinter(t *testing.T) {
	services, err := service.New(service.Options{Keys: []service.Key{
		{Name: "plain", Secret: secretForTest(t)},
		{Name: "bound", Secret: secretForTest(t), Realm: "shop", Claims: []string{"plan"}, Plans: []string{"free", "pro"}, Actions: []string{"tidy"}, TicketTTL: 2 * time.Minute},
		{Name: "one", Secret: secretForTest(t), Plans: []string{"free"}},
		{Name: "none", Secret: secretForTest(t), Actions: []string{}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := ticket.New(ticket.Options{Secrets: []claviger.Secret{secretForTest(t)}})
	if err != nil {
		t.Fatal(err)
	}
	m := minter{services: services, tickets: tickets}
	for _, c := range []struct {
		name, key string
		q         gateway.TicketRequest
		code      claviger.Code // empty: granted
		param     string
		ttl       time.Duration
		plan      string
		actions   []string
	}{
		{name: "default life", key: "plain", ttl: 5 * time.Minute},
		{name: "longest life", key: "plain", q: gateway.TicketRequest{TTL: 15 * time.Minute}, ttl: 15 * time.Minute},
		{name: "too long", key: "plain", q: gateway.TicketRequest{TTL: 15*time.Minute + time.Second}, code: claviger.CodeInvalidInput, param: "ttl"},
		{name: "negative", key: "plain", q: gateway.TicketRequest{TTL: -time.Second}, code: claviger.CodeInvalidInput, param: "ttl"},
		{name: "claim", key: "plain", q: gateway.TicketRequest{Claims: claviger.Claims{"plan": "pro"}}, code: claviger.CodeForbidden, param: "claims"},
		{name: "plan", key: "plain", q: gateway.TicketRequest{Plan: "pro"}, code: claviger.CodeForbidden, param: "plan"},
		{name: "actions are free to narrow", key: "plain", q: gateway.TicketRequest{Actions: []string{"x"}}, ttl: 5 * time.Minute, actions: []string{"x"}},
		{name: "service as user", key: "plain", q: gateway.TicketRequest{Subject: "service:web"}, code: claviger.CodeInvalidInput, param: "sub"},
		{name: "no such key", key: "gone", code: claviger.CodeForbidden},
		{name: "its default life", key: "bound", q: gateway.TicketRequest{Plan: "pro"}, ttl: 2 * time.Minute, plan: "pro", actions: []string{"tidy"}},
		{name: "over its life", key: "bound", q: gateway.TicketRequest{Plan: "pro", TTL: 3 * time.Minute}, code: claviger.CodeInvalidInput, param: "ttl"},
		{name: "its claim", key: "bound", q: gateway.TicketRequest{Plan: "free", Claims: claviger.Claims{"plan": "free"}}, ttl: 2 * time.Minute, plan: "free", actions: []string{"tidy"}},
		{name: "another claim", key: "bound", q: gateway.TicketRequest{Plan: "free", Claims: claviger.Claims{"roles": "admin"}}, code: claviger.CodeForbidden, param: "claims"},
		{name: "another plan", key: "bound", q: gateway.TicketRequest{Plan: "enterprise"}, code: claviger.CodeForbidden, param: "plan"},
		{name: "bound to plans, none named", key: "bound", code: claviger.CodeInvalidInput, param: "plan"},
		{name: "another action", key: "bound", q: gateway.TicketRequest{Plan: "pro", Actions: []string{"tidy", "other"}}, code: claviger.CodeForbidden, param: "actions"},
		{name: "no action at all", key: "bound", q: gateway.TicketRequest{Plan: "pro", Actions: []string{}}, ttl: 2 * time.Minute, plan: "pro", actions: []string{}},
		{name: "its one plan", key: "one", ttl: 5 * time.Minute, plan: "free"},
		{name: "bound to no action", key: "none", ttl: 5 * time.Minute, actions: []string{}},
		{name: "bound to no action, one asked", key: "none", q: gateway.TicketRequest{Actions: []string{"tidy"}}, code: claviger.CodeForbidden, param: "actions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := c.q
			if q.Subject == "" {
				q.Subject = "ada"
			}
			before := time.Now()
			token, expires, err := m.MintFor(t.Context(), claviger.Principal{Service: c.key}, q)
			if c.code != "" {
				if e := claviger.AsError(err); err == nil || e.Code != c.code || e.Param != c.param || token != "" {
					t.Fatalf("got %v, want %s (%s)", err, c.code, c.param)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if life := expires.Sub(before); life > c.ttl || life < c.ttl-5*time.Second {
				t.Errorf("lives for %s, want %s", life, c.ttl)
			}
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			p, err := tickets.Authenticate(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if p.Plan != c.plan || (p.Actions == nil) != (c.actions == nil) || strings.Join(p.Actions, ",") != strings.Join(c.actions, ",") {
				t.Errorf("plan %q, actions %#v; want %q, %#v", p.Plan, p.Actions, c.plan, c.actions)
			}
			if want := map[string]string{"bound": "shop"}[c.key]; want != "" && p.Realm != want {
				t.Errorf("realm %q, want %q", p.Realm, want)
			}
		})
	}
}

// TestTickets drives the whole way: a server's key, POST /tickets, and the
// ticket as bearer.
func TestTickets(t *testing.T) {
	p := newSite(t).start("serve")
	r := p.post("/tickets", p.serviceKey, `{"sub":"ada","claims":{"plan":"pro"},"ttl":60}`)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("POST /tickets: %d %s", r.StatusCode, r.body)
	}
	v, err := jsonx.Parse([]byte(r.body))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := v.Get("ticket")
	at, _ := v.Get("expires_at")
	if when, err := time.Parse(time.RFC3339, at.Str()); err != nil || time.Until(when) > time.Minute {
		t.Errorf("expires_at %q", at.Str())
	}
	if r := p.generate(token.Str()); r.StatusCode != http.StatusOK {
		t.Errorf("with the ticket: %d %s", r.StatusCode, r.body)
	}
	for name, c := range map[string]struct {
		bearer, body string
		want         int
	}{
		"a ticket buys no ticket": {token.Str(), `{"sub":"eve"}`, http.StatusForbidden},
		"nobody":                  {"", `{"sub":"eve"}`, http.StatusUnauthorized},
		"the ticket secret":       {p.ticketSecret, `{"sub":"eve"}`, http.StatusUnauthorized},
		"a claim too many":        {p.serviceKey, `{"sub":"ada","claims":{"roles":["admin"]}}`, http.StatusForbidden},
		"an unknown member":       {p.serviceKey, `{"sub":"ada","realm":"other"}`, http.StatusBadRequest},
		"too long":                {p.serviceKey, `{"sub":"ada","ttl":901}`, http.StatusBadRequest},
		"no subject":              {p.serviceKey, `{}`, http.StatusBadRequest},
		"a service":               {p.serviceKey, `{"sub":"service:web"}`, http.StatusBadRequest},
		"duplicate subject":       {p.serviceKey, `{"sub":"ada","sub":"eve"}`, http.StatusBadRequest},
	} {
		if r := p.post("/tickets", c.bearer, c.body); r.StatusCode != c.want {
			t.Errorf("%s: %d %s, want %d", name, r.StatusCode, r.body, c.want)
		}
	}
}
