package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/block"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/record"
	"claviger.dev/claviger/redact"
)

type serveCommand struct{ configFlag }

// Run serves until SIGTERM or SIGINT, and drains.
func (c serveCommand) Run(ctx context.Context, env Environment) error {
	src := locate(env, c.Config)
	separate, err := startsKeyProcess(env, src)
	switch {
	case err != nil:
		return err
	case separate:
		return runKeyProcess(ctx, env, src)
	case env.keys != nil:
		var stop context.CancelFunc
		ctx, stop = env.keys.whileThere(ctx)
		defer stop()
	}
	s, err := newRunning(ctx, env, src)
	if err != nil {
		return err
	}
	err = s.run(ctx, s.public())
	if err == nil && errors.Is(context.Cause(ctx), errKeyProcessGone) {
		return &exitError{code: exitRefused, err: errKeyProcessGone}
	}
	return err
}

// public is what the public listener serves.
func (s *running) public() http.Handler { return devUserPages{s} }

// running is a gateway with its servers.
type running struct {
	env     Environment
	src     source
	log     *slog.Logger
	output  *logOutput
	metrics *metrics
	health  *health
	gateway *gateway.Gateway
	ledger  *ledger
	records *record.Keeper
	bounds  bounds
	// opened is what the listeners were opened by.
	opened opened
	// seen, shared and blocks outlive reloads, as limits do.
	seen   *ticket.MemoryProofs
	shared *sharedUses
	blocks *block.Board
	limits *limits
	// both says to listen on loopback in both families of addresses, since
	// localhost is either.
	both bool
	// retired are the clients of the installation before; reloads alone use it.
	retired []idler

	mu sync.Mutex
	in *installation
}

func newRunning(ctx context.Context, env Environment, src source) (*running, error) {
	s := &running{
		env: env, src: src, metrics: newMetrics(), bounds: standardBounds(),
		seen: &ticket.MemoryProofs{}, shared: &sharedUses{},
	}
	if env.bounds != nil {
		s.bounds = *env.bounds
	}
	s.log, s.output = newLogger(env.Stderr, s.tripwire)
	s.output.people = src.development
	s.output.set(config.Log{})
	s.output.hit = func() { s.metrics.tripwire.WithLabelValues("log").Inc() }
	// net/http writes what a provider sent unasked to the standard logger.
	slog.SetDefault(s.log)
	pool := keys.NewPool(keys.PoolOptions{Changed: s.keyChanged, Retired: s.keyRetired}, nil)
	in, err := newInstallation(ctx, env, src, previous{log: s.log, pool: pool, asked: s.metrics.askedOf, seen: s.seen, shared: s.shared})
	if err != nil {
		return nil, err
	}
	s.in, s.opened = in, in.opens()
	s.output.set(in.config.Log)
	s.health = &health{problems: s.problems}
	s.health.setNotes(in.notes)
	s.blocks, err = block.Open(ctx, block.Options{Store: in.storage, Logger: s.log})
	if err != nil {
		_ = in.storage.Close()
		return nil, badUsage(err)
	}
	if s.limits, err = openLimits(ctx, in, s.bounds.lease, s.log); err != nil {
		s.blocks.Close()
		_ = in.storage.Close()
		return nil, badUsage(err)
	}
	if env.watch != nil {
		s.limits.Admission = env.watch(s.limits.Admission)
	}
	s.shared.set(s.limits.uses)
	in.serve()
	s.metrics.watchKeys(s)
	s.ledger, s.records = newLedger(in.storage.engine, s.metrics, s.log), newKeeper(in.storage.engine, s.metrics, s.log)
	s.ledger.records = s.records
	if err := s.records.Use(policyOf(in.config)); err != nil {
		return nil, badUsage(err)
	}
	s.gateway, err = gateway.New(gateway.Options{
		Admission: s.limits, Blocks: s.blocks, Recorder: s.ledger, Logger: s.log, Transcripts: s.records,
	}, in.snapshot)
	if err != nil {
		return nil, badUsage(err)
	}
	return s, nil
}

func (s *running) installed() *installation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in
}

// tripwire knows the secrets of the newest configuration.
func (s *running) tripwire() *redact.Tripwire {
	if in := s.installed(); in != nil {
		return in.trip
	}
	return nil
}

func (s *running) problems(ctx context.Context) []string {
	return slices.Concat(s.installed().problems(ctx), s.blocks.Problems(), s.limits.problems(ctx))
}

// keyChanged tells the operator when the provider refuses a key, or takes it
// again.
func (s *running) keyChanged(k keys.KeyStatus) {
	level := slog.LevelInfo
	switch k.State {
	case keys.StateRejected, keys.StateMissing, keys.StateMisplaced, keys.StateRetired:
		level = slog.LevelError
	case keys.StateCooling:
		level = slog.LevelWarn
	case keys.StateHealthy:
	}
	args := []any{"ref", shortRef(k.Ref), "fingerprint", k.ID, "state", string(k.State), "answer", k.Answer}
	if k.State == keys.StateMisplaced {
		args = append(args, "pinned_to", k.Project, "answers_for", k.Answered)
	}
	s.log.Log(context.Background(), level, "an upstream key changed its state", args...)
}

// shortRef is a reference without the arguments of a command, which stay in the
// configuration.
func shortRef(ref claviger.Ref) string {
	short, _, _ := strings.Cut(string(ref), " ")
	return short
}

// keyRetired reports whether an operator retired a key. Nothing is served before
// the blocks are known.
func (s *running) keyRetired(fingerprint string) bool {
	return s.blocks != nil && s.blocks.KeyRetired(fingerprint)
}

// run opens the listeners and serves public on the public one. A second signal
// ends the process without waiting for anybody.
func (s *running) run(ctx context.Context, public http.Handler) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	defer s.blocks.Close()
	context.AfterFunc(ctx, stop)
	files := s.newWatcher()
	defer files.close()
	cfg := s.installed().config
	front, err := s.listen(ctx, "listen", cfg.Listen)
	if err != nil {
		return badUsage(err)
	}
	back, err := s.listen(ctx, "admin.listen", cfg.Admin.Listen)
	if err != nil {
		_ = front.Close()
		return badUsage(err)
	}
	fronts, err := s.fronts(ctx, front)
	if err != nil {
		_, _ = front.Close(), back.Close()
		return badUsage(err)
	}
	s.installed().fetchKeys(ctx)
	for _, n := range s.installed().notes {
		s.log.Warn(n)
	}
	s.tellProblems(ctx)
	level := slog.LevelInfo
	if s.output.people {
		level = slog.LevelDebug // dev says it in its own words
	}
	s.log.Log(ctx, level, "listening", "public", front.Addr().String(), "admin", back.Addr().String(), "environment", cfg.Environment)
	if s.env.Opened != nil {
		s.env.Opened("public", front.Addr().String())
		s.env.Opened("admin", back.Addr().String())
	}
	stopFiles, stopLedger, stopRecords := files.start(ctx), s.ledger.start(ctx), s.records.Start(ctx)
	defer func() {
		stopFiles()
		s.gateway.Close()
		stopLedger()
		stopRecords()
		s.blocks.Close()
		closeIdle(s.retired)
		closeIdle(s.installed().idlers)
		if err := s.limits.close(); err != nil {
			s.log.Error("what was used of the limits was not written to the end", "error", err.Error())
		}
		if err := s.installed().storage.Close(); err != nil {
			s.log.Error("the database was not closed well", "error", err.Error())
		}
	}()
	defer context.AfterFunc(ctx, s.health.drain)()
	admin := adminHandler(s.health, s.metrics.registry, s.keysView, netx.NewHosts(adminHosts(back.Addr().String())))
	// The admin listener goes last, so that readyz tells of the draining.
	var list []served
	for _, l := range fronts {
		list = append(list, served{s.bounds.server(public, s.log), l})
	}
	return runServers(ctx, s.log, s.bounds.drain, append(list, served{s.bounds.server(admin, s.log), back})...)
}

// fronts are the listeners of callers: front, and where s.both says so the same
// port of the other loopback address, if this machine has it.
func (s *running) fronts(ctx context.Context, front net.Listener) ([]net.Listener, error) {
	list := []net.Listener{front}
	at, ok := front.Addr().(*net.TCPAddr)
	if s.both && ok && at.IP.IsLoopback() {
		other := net.JoinHostPort("::1", strconv.Itoa(at.Port))
		if at.IP.To4() == nil {
			other = net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port))
		}
		second, err := s.listen(ctx, "listen", other)
		switch {
		case err == nil:
			list = append(list, second)
		case strings.Contains(err.Error(), anotherProcess) && s.installed().config.Listen == at.String():
			return nil, err
		}
	}
	if s.installed().tls != nil {
		for i := range list {
			list[i] = tls.NewListener(list[i], s.tlsConfig())
		}
	}
	return list, nil
}

const anotherProcess = "another process listens on"

func (s *running) tellProblems(ctx context.Context) {
	for _, p := range s.problems(ctx) {
		s.log.Error("not ready: " + p)
	}
}

func adminHosts(addr string) []string { return []string{addr, "localhost", "127.0.0.1", "[::1]"} }

// listen opens a listener whose connections are bounded for each address.
func (s *running) listen(ctx context.Context, key, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: "+anotherProcess+" %s already; stop it, or give %s another port", key, addr, key)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: this user may not listen on %s; take a port from 1024 on", key, addr)
	case err != nil:
		return nil, fmt.Errorf("%s: cannot listen on %s: %w", key, addr, err)
	}
	return &boundedListener{Listener: l, most: s.bounds.connections, exempt: s.exempt, open: map[netip.Prefix]int{}}, nil
}

// exempt reports whether an address stands for many people: peers on this
// machine, and trusted proxies.
func (s *running) exempt(a netip.Addr) bool {
	return a.IsLoopback() || slices.ContainsFunc(s.installed().config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// tlsConfig takes the certificate of the newest installation, so that a renewed
// one needs no restart.
func (s *running) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c := s.installed().tls; c != nil {
				return c, nil
			}
			return nil, errors.New("the configuration has no certificate any more; restart to serve without TLS")
		},
	}
}
