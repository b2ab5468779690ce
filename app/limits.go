package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/store/postgres"
	"claviger.dev/claviger/store/redis"
	"claviger.dev/claviger/store/sqlite"
)

// limits are the admission of a process. They are opened once: others take a
// restart.
type limits struct {
	claviger.Admission
	// setting is storage.limits as it was opened.
	setting string
	// uses remembers proofs for all processes that have these limits; nil where
	// this one is alone and forgets with its end.
	uses     ticket.Uses
	problems func(context.Context) []string
	// close ends them when no call is under way any more.
	close func() error
}

// openLimits opens what storage.limits names.
func openLimits(ctx context.Context, in *installation, lease time.Duration, log *slog.Logger) (*limits, error) {
	if in.config.Storage.Limits != "memory" {
		return openRedis(ctx, in, lease, log)
	}
	journal, ok := in.storage.engine.(admit.Journal)
	if !ok {
		return &limits{
			Admission: admit.NewMemory(admit.MemoryOptions{Now: time.Now}), setting: "memory",
			problems: func(context.Context) []string { return nil }, close: func() error { return nil },
		}, nil
	}
	release, err := alone(ctx, in.storage.engine)
	if err != nil {
		return nil, err
	}
	m, err := admit.Restore(ctx, admit.MemoryOptions{Now: time.Now, Journal: journal})
	if err != nil {
		return nil, errors.Join(err, release())
	}
	// It goes on while calls are drained, which is after ctx has ended.
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan error, 1)
	go func() { kept <- m.Keep(keeping) }()
	return &limits{
		Admission: m, setting: "memory", uses: in.storage,
		problems: func(context.Context) []string { return nil },
		close: func() error {
			stop()
			return errors.Join(<-kept, release())
		},
	}, nil
}

// openRedis opens limits that several processes share. A server that is out of
// reach is a problem that readyz tells, and no reason not to start.
func openRedis(ctx context.Context, in *installation, lease time.Duration, log *slog.Logger) (*limits, error) {
	if lease == 0 {
		lease = max(admit.DefaultLeaseTTL, in.config.Upstream.Timeouts.Total+time.Minute)
	}
	place, err := placeOf(in.storage.engine)
	if err != nil {
		return nil, err
	}
	a, err := redis.Open(ctx, redis.Options{
		URL: in.redis, NameKey: in.identity, Logger: log,
		LeaseTTL: lease, Place: place,
	})
	if err != nil {
		return nil, fmt.Errorf("storage.limits: %w", err)
	}
	l := &limits{
		Admission: a, setting: in.config.Storage.Limits, uses: a, close: a.Close,
		problems: func(ctx context.Context) []string { return redisProblems(ctx, a) },
	}
	for _, w := range a.Warnings() {
		log.Warn("storage.limits: " + w)
	}
	if in.config.Storage.WhenLimitsFail == "allow" {
		l.Admission = &lenient{Admission: a, log: log, now: time.Now}
	}
	return l, nil
}

// placeOf names a database that lies on this machine, and nothing for a server.
func placeOf(engine any) (string, error) {
	if local, ok := engine.(*sqlite.Store); ok {
		return local.Identity()
	}
	return "", nil
}

// redisProblems looks at the server, so that readyz is right also before a call
// has found out.
func redisProblems(ctx context.Context, a *redis.Admission) []string {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	list := a.Problems()
	if err := a.Ping(ctx); err != nil && len(list) == 0 {
		list = append(list, err.Error())
	}
	out := make([]string, 0, len(list))
	for _, p := range list {
		out = append(out, "storage.limits: "+p)
	}
	return out
}

// lenient lets calls through while the limits cannot be known, because the
// operator said so. What they use is counted nowhere.
type lenient struct {
	claviger.Admission
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	told time.Time
}

// Admit implements claviger.Admission. A refusal stays one.
func (l *lenient) Admit(ctx context.Context, charges []claviger.Charge) (claviger.Hold, error) {
	hold, err := l.Admission.Admit(ctx, charges)
	if err == nil || ctx.Err() != nil {
		return hold, err
	}
	if e, ok := errors.AsType[*claviger.Error](err); ok && e.Code != claviger.CodeLimitsUnavailable {
		return nil, err
	}
	l.mu.Lock()
	due := l.now().Sub(l.told) > time.Minute
	if due {
		l.told = l.now()
	}
	l.mu.Unlock()
	if due {
		l.log.ErrorContext(ctx, "limits cannot be known, and calls go through without any (storage.when_limits_fail: allow)", "error", err.Error())
	}
	return freeHold{}, nil
}

// sharedUses remembers proofs where the limits are, once those are open. Before,
// it refuses.
type sharedUses struct {
	mu sync.Mutex
	to ticket.Uses
	// alone says that there is nothing to share with.
	alone bool
}

var _ ticket.Uses = (*sharedUses)(nil)

var errNotOpen = errors.New("the limits are not open yet")

func (s *sharedUses) set(to ticket.Uses) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to, s.alone = to, to == nil
}

// UseTicket implements ticket.Uses.
func (s *sharedUses) UseTicket(ctx context.Context, id string, most int64, until time.Time) (bool, error) {
	s.mu.Lock()
	to, alone := s.to, s.alone
	s.mu.Unlock()
	switch {
	case alone:
		return true, nil
	case to == nil:
		return false, errNotOpen
	}
	return to.UseTicket(ctx, id, most, until)
}

// freeHold holds nothing.
type freeHold struct{}

// Settle implements claviger.Hold.
func (freeHold) Settle(context.Context, []claviger.Charge) error { return nil }

// Release implements claviger.Hold.
func (freeHold) Release(context.Context) error { return nil }

// Standings implements claviger.Hold.
func (freeHold) Standings() []claviger.Standing { return nil }

// alone makes sure that no other process counts for itself what this one counts:
// two would grant everything twice.
func alone(ctx context.Context, e engine) (release func() error, err error) {
	switch s := e.(type) {
	case *sqlite.Store:
		release, err = s.Alone()
	case *postgres.Store:
		release, err = s.Alone(ctx)
	default:
		release = func() error { return nil }
	}
	if errors.Is(err, sqlite.ErrShared) || errors.Is(err, postgres.ErrShared) {
		return nil, fmt.Errorf("storage.limits: %w, and limits in memory are not shared: each process would grant them anew; "+
			"stop the other process, or set storage.limits to a redis:// address", err)
	}
	return release, err
}
