package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authn/anonymous"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/authn/jwt"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/content"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/openai"
	"claviger.dev/claviger/redact"
	"claviger.dev/claviger/upstream"
)

// installation is a configuration with its secrets, turned into the parts of a
// gateway. A reload makes a new one; what must outlive it is handed over.
type installation struct {
	config   *config.Config
	snapshot gateway.Snapshot
	pool     *keys.Pool
	sources  *keys.Sources
	tickets  *ticket.Authenticator
	sessions *authjs.Authenticator
	issuers  []*jwt.Authenticator
	// devUser is nil where nobody signs in by a click.
	devUser *devUser
	// idlers are the outbound clients.
	idlers  []idler
	proofs  *anonymous.Proofs
	tls     *tls.Certificate
	trip    *redact.Tripwire
	storage *storage
	// identity is the key of pseudonyms; redis the address of the limits, where
	// they are kept there.
	identity, redis claviger.Secret
	// begun is when reading began; files are what a change of is worth a reload.
	begun time.Time
	files []string
	// notes are what the operator should know and need not act on.
	notes []string
}

// previous are the parts of an installation that a reload keeps.
type previous struct {
	log     *slog.Logger
	pool    *keys.Pool
	storage *storage
	// proofs are what strangers have proven; nil makes new ones.
	proofs *anonymous.Proofs
	// asked counts what came of asking another server who somebody is.
	asked func(method, outcome string)
	// seen is what is remembered of proofs.
	seen *ticket.MemoryProofs
	// shared is where all nodes remember them, nil for commands.
	shared *sharedUses
	// readOnly is for commands that look and change nothing on disk.
	readOnly bool
}

func quiet() previous { return previous{log: slog.New(slog.DiscardHandler), readOnly: true} }

// builder reads secrets and remembers each, so that the tripwire and the log
// know what must never be shown.
type builder struct {
	ctx     context.Context //nolint:containedctx // lives for one call of newInstallation
	in      *installation
	env     Environment
	log     *slog.Logger
	src     source
	secrets []claviger.Secret
	// readOnly is that of previous.
	readOnly bool
	asked    func(method, outcome string)
	prev     previous
	count    func(model, text string) int64
	wrong    config.Problems
}

// newInstallation reads the configuration and every secret that it names. A
// missing upstream key is a problem, which readyz tells; any other missing
// secret is an error.
func newInstallation(ctx context.Context, env Environment, src source, prev previous) (*installation, error) {
	begun := time.Now()
	cfg, err := src.load(env)
	if err != nil {
		return nil, err
	}
	b := &builder{
		ctx: ctx, env: env, log: prev.log, src: src, in: &installation{config: cfg, begun: begun, proofs: prev.proofs},
		readOnly: prev.readOnly, asked: prev.asked, prev: prev, count: countTokens(),
	}
	if b.in.proofs == nil {
		b.in.proofs = anonymous.NewProofs()
	}
	b.in.sources = keys.NewSources(keys.SourceOptions{
		Lookup: env.Lookup, Dir: filepath.Dir(src.path), Development: cfg.Environment == config.Development,
	})
	for _, name := range b.in.sources.PublicSecrets(env.Vars) {
		b.wrong = append(b.wrong, config.Problem{
			Path:    name,
			Message: "holds what looks like an API key, and builds copy variables with that prefix into the code that browsers get",
			Hint:    "rename it without the prefix, and replace the key, which may be public already",
		})
	}
	b.identity()
	b.storage(prev)
	b.authenticators()
	b.limits()
	if at := b.in.config.Storage.Limits; at != "memory" {
		b.in.redis = b.secret("storage.limits", claviger.Ref(at), "it is the redis:// or rediss:// address of the limits")
	}
	b.actions()
	b.proxy()
	b.content()
	b.tls()
	b.upstream(prev)
	if len(b.wrong) > 0 {
		if b.in.storage != nil && b.in.storage != prev.storage {
			_ = b.in.storage.Close()
		}
		return nil, badUsage(b.wrong)
	}
	b.in.files = slices.Concat(b.in.files, b.in.sources.Files(), []string{src.path})
	b.in.trip = redact.NewTripwire(b.secrets)
	b.in.snapshot.Tripwire = b.in.trip
	b.remarks()
	return b.in, nil
}

// fail says what is wrong with a key, and where it stands. No error of the
// packages behind it holds a value of a secret.
func (b *builder) fail(path string, err error, hint string) {
	b.wrong = append(b.wrong, b.in.config.Problem(path, err.Error(), hint))
}

const makeSecret = "make one with 'claviger secret new'"

// secret reads a reference; a missing secret is bad configuration.
func (b *builder) secret(at string, ref claviger.Ref, hint string) claviger.Secret {
	s, _, err := b.in.sources.Get(b.ctx, ref)
	if err != nil {
		b.fail(at, err, hint)
		return claviger.Secret{}
	}
	b.secrets = append(b.secrets, s)
	return s
}

// strong is secret for one that is ours to choose.
func (b *builder) strong(at string, ref claviger.Ref) claviger.Secret {
	s := b.secret(at, ref, makeSecret)
	if !s.IsZero() {
		if err := keys.Strength(s); err != nil {
			b.fail(at, err, makeSecret)
		}
	}
	return s
}

func (b *builder) identity() {
	cfg := b.in.config
	var key claviger.Secret
	if cfg.IdentityKey != "" {
		key = b.strong("identity_key", cfg.IdentityKey)
	} else {
		file := identityFile{dir: stateDir(cfg, b.src), make: !b.readOnly}
		var err error
		if key, b.in.notes, err = file.read(); err != nil {
			b.fail("identity_key", err, "")
			return
		}
		b.secrets = append(b.secrets, key)
	}
	if key.IsZero() {
		return
	}
	b.in.identity = key
	b.in.snapshot.Pseudonym = keys.NewIdentity(key).Pseudonym
}

func (b *builder) limits() {
	cfg, s := b.in.config, &b.in.snapshot
	s.PerIP, s.Total, s.MaxBody = cfg.Limits.PerIP.All(), cfg.Limits.Total.All(), cfg.Limits.Body
	s.MaxUpload = cfg.Limits.Upload
	s.TrustedProxies = cfg.TrustedProxies
	s.Hosts = netx.NewHosts(hostNames(cfg))
	s.Origins = gateway.Origins{Exact: cfg.Origins}
	for _, suffix := range cfg.OriginSuffixes {
		s.Origins.Suffixes = append(s.Origins.Suffixes, gateway.OriginSuffix{Scheme: suffix.Scheme, Host: suffix.Host})
	}
	s.Prices = pricesOf(cfg)
	if m, ok := s.Minter.(minter); ok {
		m.tickets = b.in.tickets
		s.Minter = m
		if b.in.tickets == nil {
			s.Minter = nil
			b.in.notes = append(b.in.notes, "there are service keys and no ticket authenticator, so POST /tickets is off")
		}
	}
}

// hostNames are the names under which the gateway may be addressed: where it
// listens, the hosts of its origins, and hosts.
func hostNames(cfg *config.Config) []string {
	names := slices.Clone(cfg.Hosts)
	for _, o := range cfg.Origins {
		if _, host, ok := strings.Cut(o, "://"); ok {
			names = append(names, host)
		}
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return names
	}
	addr, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && (addr.IsLoopback() || addr.IsUnspecified()) {
		names = append(names, "localhost", "127.0.0.1", "[::1]")
	}
	if host != "" && (err != nil || !addr.IsUnspecified()) {
		names = append(names, net.JoinHostPort(host, port), host)
	}
	return names
}

func hasHTTPS(cfg *config.Config) bool {
	return slices.ContainsFunc(cfg.Origins, func(o string) bool { return strings.HasPrefix(o, "https://") })
}

func pricesOf(cfg *config.Config) *admit.Prices {
	own, tools := map[string]admit.Price{}, map[string]int64{}
	for _, p := range cfg.Prices {
		if p.Call.Currency != "" {
			tools[p.Model] = p.Call.Micros
			continue
		}
		cached := p.Input.Micros
		if p.CachedInput != nil {
			cached = p.CachedInput.Micros
		}
		own[p.Model] = admit.Price{
			Input: p.Input.Micros, CachedInput: cached, Output: p.Output.Micros,
			ImageInput: microsOf(p.ImageInput), AudioInput: microsOf(p.AudioInput), AudioOutput: microsOf(p.AudioOutput),
			Second: perSecond(microsOf(p.Minute)), Character: microsOf(p.Characters),
		}
	}
	return admit.DefaultPrices().With(own).WithTools(tools)
}

func microsOf(m *claviger.Money) int64 {
	if m == nil {
		return 0
	}
	return m.Micros
}

// perSecond turns the price of a minute into that of a million seconds, rounded up.
func perSecond(minute int64) int64 {
	whole, rest := minute/60, minute%60
	const million = 1_000_000
	if whole >= math.MaxInt64/million {
		return math.MaxInt64
	}
	return whole*million + (rest*million+59)/60
}

func (b *builder) actions() {
	for _, a := range b.in.config.Actions {
		d := a.Definition()
		d.Tokens = b.count
		made, err := action.New(d)
		if err != nil {
			b.fail("actions."+a.Name, err, "")
			continue
		}
		b.in.snapshot.Actions = append(b.in.snapshot.Actions, made)
	}
}

func (b *builder) proxy() {
	p := b.in.config.Proxy
	if p == nil {
		return
	}
	out := &gateway.Proxy{Policy: openai.Policy{
		ClientInstructions: p.ClientInstructions, Store: p.Store, Background: p.Background,
		MaxChoices: p.MaxChoices, DefaultMaxOutput: p.DefaultMaxOutputTokens, Tools: p.Tools, Prompts: p.Prompts,
		ServiceTier: p.ServiceTier, User: p.User, Metadata: p.Metadata, Tokens: b.count,
	}}
	for _, e := range p.Endpoints {
		out.Endpoints = append(out.Endpoints, claviger.Endpoint(e))
	}
	b.in.snapshot.Proxy = out
}

func (b *builder) content() {
	cfg, s := b.in.config, &b.in.snapshot
	s.Content = b.policy("content", cfg.Content)
	s.ActionContent = map[string]*content.Policy{}
	for i := range cfg.Actions {
		a := &cfg.Actions[i]
		s.ActionContent[a.Name] = b.policy("actions."+a.Name+".content", a.Content)
	}
	if cfg.Proxy != nil {
		s.Proxy.Content = b.policy("proxy.content", cfg.Proxy.Content)
	}
}

func (b *builder) policy(at string, c *config.Content) *content.Policy {
	p, err := c.Policy()
	if err != nil {
		b.fail(at, err, "")
	}
	return p
}

func (b *builder) tls() {
	c := b.in.config.TLS
	if c == nil {
		return
	}
	cert, err := b.in.sources.Certificate(b.ctx, c.Cert, c.Key)
	if err != nil {
		b.fail("tls", err, "")
		return
	}
	b.in.tls = &cert
}

func (b *builder) upstream(prev previous) {
	u := b.in.config.Upstream
	held, err := b.held(prev)
	if err != nil {
		b.fail("upstream.keys", err, "")
		return
	}
	var list []keys.PoolKey
	for _, k := range u.Keys {
		if k.Environment != "" && k.Environment != b.in.config.Environment {
			b.in.notes = append(b.in.notes, fmt.Sprintf("the upstream key %s is for %s and is left out of %s", k.Ref, k.Environment, b.in.config.Environment))
			continue
		}
		key := keys.PoolKey{
			Ref: k.Ref, Weight: int(k.Weight), Environment: k.Environment, Project: k.Project,
			For: keys.KeyFor{Plans: k.Plans, Actions: k.Actions},
		}
		if held != nil {
			held.fill(&key)
		} else if key.Secret, _, key.Err = b.in.sources.Get(b.ctx, k.Ref); key.Err == nil {
			b.secrets = append(b.secrets, key.Secret)
		}
		list = append(list, key)
	}
	b.in.pool = prev.pool.Replace(list)
	var line http.RoundTripper
	if held != nil {
		line = b.env.keys.transport
	}
	client, err := upstream.New(upstream.Options{
		Line: line, BaseURL: u.BaseURL, Keys: b.in.pool, KeyHeader: u.KeyHeader, Connect: u.Timeouts.Connect, Headers: u.Timeouts.Headers,
		Idle: u.Timeouts.Idle, Total: u.Timeouts.Total, Logger: prev.log, InsecureHTTP: u.InsecureHTTP, Version: version(),
	})
	if err != nil {
		b.fail("upstream", err, "")
		return
	}
	b.in.idlers = append(b.in.idlers, client)
	b.in.snapshot.Upstream = client
}

// held is what the key process says of its keys, or nil where this process has
// them.
func (b *builder) held(prev previous) (*heldKeys, error) {
	if b.env.keys == nil {
		return nil, nil
	}
	told, err := b.env.keys.read(b.ctx, prev.pool)
	if err != nil {
		return nil, err
	}
	b.in.files = told.Files
	b.in.notes = append(b.in.notes, told.Warnings...)
	return &told, nil
}

// serve makes the keys of this installation those of new calls, also of calls that
// began before it.
func (in *installation) serve() {
	u := in.config.Upstream
	in.pool.Serve(u.KeyHeader + " " + u.BaseURL)
}

// remarks are what an operator should hear at start.
func (b *builder) remarks() {
	for _, w := range b.in.config.Warnings() {
		b.in.notes = append(b.in.notes, w.String())
	}
	b.in.notes = append(b.in.notes, b.in.sources.Warnings()...)
	if cfg := b.in.config; len(cfg.Limits.PerIP.All()) > 0 && len(cfg.TrustedProxies) == 0 && b.in.snapshot.ClientVerifier == nil &&
		loopbackOnly(cfg.Listen) == nil && cfg.Environment != config.Development {
		b.in.notes = append(b.in.notes, "everybody who comes through a server on this machine has one address and shares limits.per_ip: "+
			"name the server in trusted_proxies if it sets X-Forwarded-For itself, or let it send Claviger-Client, signed with a service key")
	}
	if b.in.config.Storage.Database == "memory" && b.in.config.Storage.Limits == "memory" {
		b.in.notes = append(b.in.notes, "everything is kept in memory of this process: a restart forgets what was used and whose objects are whose, and only one process may serve")
	}
}

// problems are why this installation cannot serve.
func (in *installation) problems(ctx context.Context) []string {
	out := append(in.pool.Problems(), in.storage.problems(ctx)...)
	for _, issuer := range in.issuers {
		out = append(out, issuer.Problems()...)
	}
	return out
}
