package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/content"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/openai"
	"claviger.dev/claviger/redact"
)

// Snapshot is one configuration, immutable once it is handed over. One snapshot
// serves a request from start to end.
type Snapshot struct {
	// Hosts are the names under which the gateway may be addressed.
	Hosts netx.Hosts
	// Origins are the web origins whose pages may use the gateway.
	Origins Origins
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Authenticators are asked in order. At least one is required.
	Authenticators []claviger.Authenticator
	// Authorizer applies the plans. Required.
	Authorizer claviger.Authorizer
	// Actions are the named actions.
	Actions []*action.Action
	// Content is what the texts of callers are held to; nil holds them to nothing.
	// ActionContent and Proxy.Content stand in its place, for actions by name and
	// for the proxy.
	Content       *content.Policy
	ActionContent map[string]*content.Policy
	// Proxy opens /v1; nil keeps it shut.
	Proxy *Proxy
	// Owners knows whose the provider's objects are. Nil knows nobody's: every
	// reference to one is not found, and endpoints of stored objects cannot be
	// opened.
	Owners claviger.Owners
	// Minter answers POST /tickets; nil keeps it shut.
	Minter Minter
	// Services are the limits of the service keys by name, for what a server
	// does as itself and for all tickets that it asked for, together. A key
	// without limits stands here too: unless the map is nil, a ticket that was
	// asked for with a key which is not here is refused.
	Services map[string][]claviger.Limit
	// ClientVerifier checks Claviger-Client; nil ignores the header.
	ClientVerifier ClientVerifier
	// Upstream carries calls to the provider. Required.
	Upstream claviger.Upstream
	// Prices are frozen into each hold. Required.
	Prices *admit.Prices
	// PerIP and Total are the limits for everyone.
	PerIP, Total []claviger.Limit
	// MaxBody is the longest request body in bytes. Required.
	MaxBody int64
	// MaxUpload is the same for multipart bodies with files; 0 means MaxBody.
	MaxUpload int64
	// Pseudonym names a caller outside of the gateway. Required.
	Pseudonym func(claviger.Principal) string
	// Tripwire knows the keys that no caller may ever read; nil knows none.
	Tripwire *redact.Tripwire
}

// Proxy is the policy of /v1.
type Proxy struct {
	Endpoints []claviger.Endpoint
	Policy    openai.Policy
	// Content, when not nil, stands in the place of Snapshot.Content.
	Content *content.Policy
}

// TicketRequest is what a server asks for one of its users.
type TicketRequest struct {
	Subject string
	Claims  claviger.Claims
	Plan    string
	Actions []string
	// TTL is the wanted life; 0 leaves it to the minter.
	TTL time.Duration
	// MaxUses is for how many requests the ticket is to be good; 0 for any
	// number.
	MaxUses int64
	// JKT is the thumbprint of the key to which it is to be bound; empty for
	// none.
	JKT string
}

// Minter makes tickets for a server that proved its service key. It refuses
// what the key does not allow with an *claviger.Error. On error it denies.
type Minter interface {
	MintFor(ctx context.Context, service claviger.Principal, q TicketRequest) (ticket string, expires time.Time, err error)
}

// ClientVerifier checks the signed address that an app server hands over. On
// error the header counts as absent.
type ClientVerifier interface {
	ClientAddr(header string, now time.Time) (netip.Addr, error)
}

// compiled is a snapshot with its routes.
type compiled struct {
	Snapshot
	routes map[string]*route
	// open are the endpoints of the proxy that can be called.
	open map[claviger.Endpoint]*route
	// perIPRates are taken before anything else, perIPOthers with the call.
	perIPRates, perIPOthers []claviger.Limit
	// challenge is WWW-Authenticate.
	challenge []string
}

func compile(s Snapshot) (*compiled, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	c := &compiled{
		Snapshot: s, routes: map[string]*route{}, open: map[claviger.Endpoint]*route{},
		perIPRates: rates(s.PerIP), perIPOthers: others(s.PerIP), challenge: []string{`Bearer realm="claviger"`},
	}
	for _, a := range s.Authenticators {
		if x, ok := a.(claviger.Challenger); ok && x.Challenge() != "" {
			c.challenge = append(c.challenge, x.Challenge())
		}
	}
	for _, a := range s.Actions {
		if err := c.addAction(a); err != nil {
			return nil, err
		}
	}
	if s.Minter != nil {
		c.routes["/tickets"] = &route{name: "tickets", method: "POST", handle: (*exchange).mintTicket}
	}
	if s.Proxy != nil {
		if err := c.openRows(append(slices.Clip(s.Proxy.Endpoints), openai.EndpointModels, openai.EndpointModel)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *compiled) openRows(endpoints []claviger.Endpoint) error {
	for _, row := range openai.Rows() {
		if !slices.ContainsFunc(endpoints, func(e claviger.Endpoint) bool { return openai.Named(string(e), row.Name) }) {
			continue
		}
		if row.Stored() && c.Owners == nil {
			return fmt.Errorf("the endpoint %s reaches stored objects, and nobody keeps whose they are", row.Name)
		}
		c.open[row.Name] = &route{
			name: string(row.Name), method: row.Method, row: row, handle: handlerOf(row), content: c.ContentFor("", row.Name),
		}
	}
	return nil
}

func (s *Snapshot) check() error {
	switch {
	case len(s.Authenticators) == 0:
		return errors.New("no authenticator: this would be an open relay")
	case slices.Contains(s.Authenticators, nil):
		return errors.New("an authenticator is nil")
	case s.Authorizer == nil:
		return errors.New("no authorizer")
	case s.Upstream == nil:
		return errors.New("no upstream")
	case s.Prices == nil:
		return errors.New("no prices")
	case s.Pseudonym == nil:
		return errors.New("no pseudonyms")
	case s.MaxBody <= 0:
		return errors.New("no limit on request bodies")
	}
	return nil
}

func (c *compiled) addAction(a *action.Action) error {
	rt := &route{name: "action " + a.Name(), method: "POST", action: a, handle: (*exchange).runAction, content: c.ContentFor(a.Name(), "")}
	paths := []string{"/actions/" + a.Name()}
	if p := a.Path(); p != "" {
		paths = append(paths, p)
	}
	for _, p := range paths {
		if _, taken := c.routes[p]; taken {
			return fmt.Errorf("two actions at %s", p)
		}
		c.routes[p] = rt
	}
	return nil
}

// ContentFor is what texts are held to for an action or, where that is empty, for
// an endpoint of the proxy. Whoever asks for a moderation gets one without another
// before it.
func (s *Snapshot) ContentFor(action string, endpoint claviger.Endpoint) *content.Policy {
	p := s.Content
	switch {
	case action != "":
		if own := s.ActionContent[action]; own != nil {
			p = own
		}
		return p
	case s.Proxy != nil && s.Proxy.Content != nil:
		p = s.Proxy.Content
	}
	if endpoint == openai.EndpointModerations && !p.Empty() {
		p = &content.Policy{Patterns: p.Patterns}
	}
	return p
}
