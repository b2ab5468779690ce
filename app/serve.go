package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/redact"
)

type serveCommand struct{ configFlag }

// Run serves until SIGTERM or SIGINT, and drains.
func (c serveCommand) Run(ctx context.Context, env Environment) error {
	s, err := newRunning(ctx, env, locate(env, c.Config))
	if err != nil {
		return err
	}
	return s.run(ctx, s.gateway)
}

// running is a gateway with its servers.
type running struct {
	env     Environment
	src     source
	log     *slog.Logger
	metrics *metrics
	health  *health
	gateway *gateway.Gateway

	mu sync.Mutex
	in *installation
}

func newRunning(ctx context.Context, env Environment, src source) (*running, error) {
	setting, _ := env.Lookup("CLAVIGER_LOG")
	s := &running{env: env, src: src, metrics: newMetrics()}
	log, err := newLogger(env.Stderr, setting, s.tripwire)
	if err != nil {
		return nil, badUsage(err)
	}
	// net/http writes what a provider sent unasked to the standard logger.
	slog.SetDefault(log)
	in, err := newInstallation(ctx, env, src, previous{log: log})
	if err != nil {
		return nil, err
	}
	s.log, s.in = log, in
	s.health = &health{problems: s.problems}
	s.health.setNotes(in.notes)
	s.gateway, err = gateway.New(gateway.Options{
		Admission: admit.NewMemory(admit.MemoryOptions{Now: time.Now}), Recorder: s.metrics, Logger: log,
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in == nil {
		return nil
	}
	return s.in.trip
}

func (s *running) problems() []string { return s.installed().problems() }

// run opens the listeners and serves public on the public one.
func (s *running) run(ctx context.Context, public http.Handler) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	cfg := s.installed().config
	front, err := listen(ctx, cfg.Listen, cfg.TrustedProxies, s.installed().tls)
	if err != nil {
		return badUsage(err)
	}
	back, err := listen(ctx, cfg.Admin.Listen, nil, nil)
	if err != nil {
		_ = front.Close()
		return badUsage(err)
	}
	for _, n := range s.installed().notes {
		s.log.Warn(n)
	}
	for _, p := range s.problems() {
		s.log.Error("not ready: " + p)
	}
	s.log.Info("listening", "public", front.Addr().String(), "admin", back.Addr().String(), "environment", cfg.Environment)
	if s.env.Opened != nil {
		s.env.Opened("public", front.Addr().String())
		s.env.Opened("admin", back.Addr().String())
	}
	go s.watch(ctx)
	context.AfterFunc(ctx, s.health.drain)
	admin := adminHandler(s.health, s.metrics.registry, netx.NewHosts(adminHosts(back.Addr().String())))
	return runServers(ctx, s.log, map[*http.Server]net.Listener{
		newServer(public, s.log): front,
		newServer(admin, s.log):  back,
	})
}

func adminHosts(addr string) []string { return []string{addr, "localhost", "127.0.0.1", "[::1]"} }

// reload makes a new installation and swaps it in. On error the old one goes on
// and readyz says why it is not the file's.
func (s *running) reload(ctx context.Context) {
	old := s.installed()
	in, err := newInstallation(ctx, s.env, s.src, previous{log: s.log, pool: old.pool})
	if err == nil {
		err = s.gateway.Swap(in.snapshot)
	}
	if err != nil {
		s.log.Error("the new configuration is not good and the old one goes on", "error", err.Error())
		s.health.setDegraded("the configuration on disk is not good, and an older one is running: " + err.Error())
		return
	}
	s.mu.Lock()
	s.in = in
	s.mu.Unlock()
	old.client.CloseIdle()
	s.health.setDegraded("")
	s.health.setNotes(in.notes)
	if in.config.Listen != old.config.Listen || in.config.Admin.Listen != old.config.Admin.Listen {
		s.health.setNotes(append(slices.Clone(in.notes), "listen has changed, which takes a restart"))
	}
	s.log.Info("the configuration was read anew")
}
