package app

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
)

// reload makes a new installation and swaps it in. On error the old one goes on
// and readyz says why it is not the file's.
func (s *running) reload(ctx context.Context) {
	old := s.installed()
	in, err := s.remake(ctx, old)
	if err == nil {
		err = s.gateway.Swap(in.snapshot)
	}
	if err == nil {
		err = s.records.Use(policyOf(in.config))
	}
	if err != nil {
		s.log.Error("the new configuration is not good and the old one goes on", "error", err.Error())
		s.health.setDegraded("the configuration on disk is not good, and an older one is running: " + err.Error())
		return
	}
	in.serve()
	s.mu.Lock()
	s.in = in
	s.mu.Unlock()
	// A request that began with the old installation may leave a connection
	// behind later, so the one before is asked again.
	closeIdle(s.retired)
	closeIdle(old.idlers)
	s.retired = old.idlers
	in.fetchKeys(ctx)
	s.output.set(in.config.Log)
	s.health.setDegraded("")
	s.health.setNotes(append(slices.Clone(in.notes), s.restarts(in)...))
	s.log.Info("the configuration was read anew")
	s.tellProblems(ctx)
}

func closeIdle(list []idler) {
	for _, i := range list {
		i.CloseIdle()
	}
}

// remake reads everything anew. A panic there must not end a process that
// serves.
func (s *running) remake(ctx context.Context, old *installation) (in *installation, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("reading the configuration panicked, which is a bug of claviger", "panic", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			err = errors.New("reading it failed by a bug of claviger, which the log tells of")
		}
	}()
	return newInstallation(ctx, s.env, s.src, previous{
		log: s.log, pool: old.pool, storage: old.storage, proofs: old.proofs, asked: s.metrics.askedOf, seen: s.seen, shared: s.shared,
	})
}

// opened is what was fixed when the process began.
type opened struct {
	listen, admin string
	tls           bool
	keyProcess    string
}

func (in *installation) opens() opened {
	return opened{in.config.Listen, in.config.Admin.Listen, in.tls != nil, in.config.Upstream.KeyProcess}
}

// restarts names what a reload cannot change.
func (s *running) restarts(in *installation) []string {
	if in.opens() == s.opened {
		return nil
	}
	return []string{"listen, admin.listen, tls or upstream.key_process has changed, which takes a restart"}
}
