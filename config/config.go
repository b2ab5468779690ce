// Package config reads claviger.yaml. It turns bytes into a Config or into a
// list of everything that is wrong with them, each with its line and column, and
// never shows a secret while doing so.
//
// One table (table.go) declares every key with its type, default, bounds and
// meaning. Decoding, the nearest known key, the JSON Schema for editors, the
// printed configuration and the reference in the documentation all come from
// it.
package config

import (
	"net/netip"
	"slices"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The environments. Development relaxes what the documentation says it
// relaxes; all others are as strict as production.
const (
	Development = "development"
	Production  = "production"
)

// Config is a whole configuration, checked and with its defaults in place. It
// holds references to secrets and no secret, so it is safe to print. It is not
// changed after Load.
type Config struct {
	// Environment is one of development, test, preview, staging, production.
	Environment string
	// Listen is the public listener's address and port.
	Listen string
	// TLS is nil where the listener speaks plain HTTP.
	TLS *TLS
	// BehindTLSProxy says that something in front of the gateway ends TLS.
	BehindTLSProxy bool
	Admin          Admin
	// Origins are whole web origins, as a browser writes them.
	Origins        []string
	OriginSuffixes []OriginSuffix
	// Hosts are further names, with or without a port, under which the gateway
	// may be addressed.
	Hosts []string
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// IdentityKey is the key of pseudonyms; empty means that one is made and
	// kept in the state directory.
	IdentityKey claviger.Ref
	Upstream    Upstream
	// Auth are the authenticators in the order in which they are asked.
	Auth []Authenticator
	// Plans are in the order in which their conditions are tried.
	Plans  []Plan
	Limits Limits
	// Actions are in the order of the file.
	Actions []Action
	// Proxy is nil where /v1 is off.
	Proxy *Proxy
	// Content is what texts are held to where an action or the proxy has nothing
	// of its own; nil is nothing.
	Content *Content
	// Prices override the table of the program, for models that they name.
	Prices []Price
	// State is the state directory; empty means .claviger beside the
	// configuration in development and /var/lib/claviger elsewhere.
	State   string
	Storage Storage
	// Retention is what is kept of calls; the zero value is nothing.
	Retention Retention
	// TimeZone is the zone in which days and months begin, as "Europe/Zurich".
	TimeZone string
	Log      Log
	// Check is what claviger check takes from the file, nil for nothing.
	Check *Checking

	zone *time.Location
	pos  positions
	refs []RefAt
	// wrong are the keys with a problem, while the checks run.
	wrong map[string]bool
}

// Zone is the location of TimeZone.
func (c *Config) Zone() *time.Location {
	if c.zone == nil {
		return time.UTC
	}
	return c.zone
}

// TLS is a certificate with its key.
type TLS struct{ Cert, Key claviger.Ref }

// Admin is the admin listener.
type Admin struct{ Listen string }

// OriginSuffix allows the origins of one scheme whose host ends so. Host starts
// with a dot or a hyphen, so that it cannot end in the middle of a name.
type OriginSuffix struct{ Scheme, Host string }

// Upstream is the provider.
type Upstream struct {
	BaseURL string
	Keys    []UpstreamKey
	// KeyHeader says how the key travels: "bearer" or "api-key".
	KeyHeader string
	// KeyProcess says which process has the keys: "same" or "separate".
	KeyProcess string
	Timeouts   Timeouts
	// InsecureHTTP allows a base URL without TLS beyond loopback.
	InsecureHTTP bool
}

// UpstreamKey is one key of the provider.
type UpstreamKey struct {
	Ref claviger.Ref
	// Weight is its share of the calls, at least 1.
	Weight int64
	// Environment, when set, is the only environment in which the key is used.
	Environment string
	// Project is the provider's project to which the key belongs. Where it is
	// set, a key that answers for another is taken out of use.
	Project string
	// Plans and Actions, when set, are the only ones whose calls the key serves.
	Plans, Actions []string
}

// Timeouts are the time limits of a call upstream.
type Timeouts struct {
	Connect, Headers time.Duration
	// Idle is the longest silence after the headers.
	Idle  time.Duration
	Total time.Duration
}

// Authenticator is one entry of auth: exactly one of its fields is set.
type Authenticator struct {
	AuthJS      *AuthJS
	JWT         *JWT
	Ticket      *Ticket
	Service     *Service
	BetterAuth  *BetterAuth
	IronSession *IronSession
	Forward     *Forward
	Anonymous   *Anonymous
	DevUser     *DevUser
}

// AuthJS reads the sessions of Auth.js and NextAuth.
type AuthJS struct {
	Secrets []claviger.Ref
	// Version is 4 or 5; 0 is both.
	Version int64
	// Cookie, when set, is the only name that is read.
	Cookie string
	// MaxAge, when positive, refuses sessions that are older.
	MaxAge time.Duration
	Realm  string
}

// JWT reads the tokens of an issuer.
type JWT struct {
	Issuer            string
	Audience          []string
	AuthorizedParties []string
	JWKSURL           string
	Algorithms        []string
	Secret            claviger.Ref
	Subject           string
	Cookie            string
	Preset            string
	Realm             string
	InsecureHTTP      bool
	AllowPrivate      bool
}

// Ticket reads our own tickets.
type Ticket struct {
	Secrets  []claviger.Ref
	Audience string
	// Realm is that of tickets which name none.
	Realm string
	// DPoPURLs are the addresses under which callers reach the gateway. Empty
	// for those that follow from origins, hosts and listen.
	DPoPURLs []string
}

// Service reads the keys of app servers.
type Service struct{ Keys []ServiceKey }

// ServiceKey is the credential of one app server.
type ServiceKey struct {
	Name   string
	Secret claviger.Ref
	// Realm is the one realm for which the key may mint.
	Realm string
	// Claims are the names of the claims that it may set.
	Claims []string
	// Plans and Actions are those that it may hand out.
	Plans, Actions []string
	// TicketTTL is the longest life of a ticket that it mints.
	TicketTTL time.Duration
	// Limits are for what it does as itself and for all of its tickets, together.
	Limits Rates
	// DPoP is "optional" or "required": whether each of its tickets has to be
	// bound to a key of its holder.
	DPoP string
}

// BetterAuth reads the cookie cache of Better Auth.
type BetterAuth struct {
	Secret   claviger.Ref
	Cookie   string
	Strategy string
	Realm    string
}

// IronSession reads the seals of iron-session.
type IronSession struct {
	Passwords []Password
	Cookie    string
	Subject   string
	TTL       time.Duration
	Realm     string
}

// Password is one password of iron-session by its id.
type Password struct {
	ID  string
	Ref claviger.Ref
}

// Forward asks another server who the caller is.
type Forward struct {
	URL          string
	Subject      string
	Claims       []string
	Cache        time.Duration
	Cookies      []string
	Realm        string
	InsecureHTTP bool
	AllowPrivate bool
}

// Anonymous lets strangers in, within limits of their own.
type Anonymous struct {
	// Plan, when set, is the one plan of strangers.
	Plan   string
	Limits Rates
	Human  *Human
}

// DevUser lets whoever sits at this machine sign in by a click, as one person
// with a budget. Development on loopback alone has it.
type DevUser struct {
	// Plan, when set, is the one plan of that person.
	Plan string
	// Spend is what may be spent, beside the limits of the plan.
	Spend []claviger.Window
}

// Human is a proof that a person is there: exactly one of the accounts is set.
type Human struct {
	Turnstile, HCaptcha, Siteverify *HumanProof
	// Otherwise is the one plan of strangers without a proof; without it they
	// are refused.
	Otherwise string
}

// HumanProof is the account with a provider of such proofs.
type HumanProof struct {
	// URL is where proofs are checked, empty for the provider's own.
	URL     string
	SiteKey string
	Secret  claviger.Ref
	// Action is what a proof must be for, empty for anything.
	Action                     string
	InsecureHTTP, AllowPrivate bool
}

// Plan says what a group of callers may do.
type Plan struct {
	Name string
	// When is the condition in CEL; empty applies to all.
	When   string
	Models []string
	// Endpoints, Actions and Tools are nil for all that is configured, and
	// empty for none.
	Endpoints, Actions, Tools []string
	Limits                    PlanLimits
	// Share is the most of limits.total, in hundredths, that all callers on the
	// plan may have together; 0 is no bound.
	Share int64
}

// PlanLimits are the limits of each caller on a plan.
type PlanLimits struct {
	Rates
	// MaxInputTokens and MaxOutputTokens bound one call; 0 is no bound.
	MaxInputTokens, MaxOutputTokens int64
}

// Rates are limits. Those over time may stand any number of times, each with
// another period.
type Rates struct {
	Requests, Tokens, Spend []claviger.Window
	// Concurrency is how many calls may run at once; 0 is no limit.
	Concurrency int64
}

// All gives the limits in the vocabulary of the gateway.
func (r Rates) All() []claviger.Limit {
	var out []claviger.Limit
	add := func(k claviger.ChargeKind, ws []claviger.Window) {
		for _, w := range ws {
			out = append(out, claviger.Limit{Kind: k, Window: w})
		}
	}
	add(claviger.ChargeRate, r.Requests)
	if r.Concurrency > 0 {
		add(claviger.ChargeLease, []claviger.Window{{Limit: r.Concurrency}})
	}
	add(claviger.ChargeTokens, r.Tokens)
	add(claviger.ChargeMoney, r.Spend)
	return out
}

// Limits are for everyone.
type Limits struct {
	PerIP, Total Rates
	// Body and Upload are the longest request bodies in bytes, plain and
	// multipart.
	Body, Upload int64
	// CompressedBodies admits compressed request bodies. The limits hold after
	// decompression.
	CompressedBodies bool
}

// Action is a named action.
type Action struct {
	Name         string
	Path         string
	Kind         string
	Model        string
	Instructions string
	// Input and Output are JSON Schemas; a zero Output is plain text.
	Input, Output jsonx.Value
	// Prompt is the user's message, with {{name}} for properties of the input.
	Prompt string
	// MaxOutputTokens caps one answer.
	MaxOutputTokens int64
	Temperature     *float64
	Reasoning       string
	Tools           []string
	// Turns and Characters bound the input of a chat.
	Turns, Characters int64
	ShowUsage, Store  bool
	// Content stands in the place of that of all; nil leaves that.
	Content *Content
}

// Proxy is the policy of /v1.
type Proxy struct {
	Endpoints          []string
	Store              bool
	ClientInstructions bool
	Tools              []string
	MaxChoices         int64
	// DefaultMaxOutputTokens is the output cap of a call that states none, and
	// of a plan that has none.
	DefaultMaxOutputTokens int64
	Background             bool
	Prompts                []string
	ServiceTier            string
	User, Metadata         string
	// Content stands in the place of that of all; nil leaves that.
	Content *Content
}

// Price is what a model costs for each million tokens, or one call of a hosted tool.
type Price struct {
	// Model is the name of the model, or of the tool.
	Model string
	// Call is for a call of the tool; a model has none.
	Call   claviger.Money
	Input  claviger.Money
	Output claviger.Money
	// CachedInput is nil where cached input costs what other input does.
	CachedInput *claviger.Money
	// These are nil where the model does not take or make such a thing. Minute is
	// for one minute of sound, Characters for a million characters.
	ImageInput, AudioInput, AudioOutput, Minute, Characters *claviger.Money
}

// Storage says where things are kept: "sqlite", "sqlite:PATH", "memory" or a
// reference to the address of a server.
type Storage struct {
	Database, Limits string
	// WhenLimitsFail is "refuse" or "allow".
	WhenLimitsFail string
}

// Log is how the log is written.
type Log struct{ Format, Level string }

// Kind is the name of the authenticator, as the file has it.
func (a Authenticator) Kind() string {
	i := slices.IndexFunc(authKinds, func(k authKind) bool { return k.set(&a) })
	if i < 0 {
		return ""
	}
	return authKinds[i].name
}

type authKind struct {
	name string
	set  func(*Authenticator) bool
}

var authKinds = []authKind{
	{"authjs", func(a *Authenticator) bool { return a.AuthJS != nil }},
	{"jwt", func(a *Authenticator) bool { return a.JWT != nil }},
	{"ticket", func(a *Authenticator) bool { return a.Ticket != nil }},
	{"service", func(a *Authenticator) bool { return a.Service != nil }},
	{"better-auth", func(a *Authenticator) bool { return a.BetterAuth != nil }},
	{"iron-session", func(a *Authenticator) bool { return a.IronSession != nil }},
	{"forward", func(a *Authenticator) bool { return a.Forward != nil }},
	{"anonymous", func(a *Authenticator) bool { return a.Anonymous != nil }},
	{"dev-user", func(a *Authenticator) bool { return a.DevUser != nil }},
}
