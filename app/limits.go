package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/store/postgres"
	"claviger.dev/claviger/store/sqlite"
)

// limits are the admission of a process. They are opened once: others take a
// restart.
type limits struct {
	claviger.Admission
	// setting is storage.limits as it was opened.
	setting  string
	problems func() []string
	// close ends them when no call is under way any more.
	close func() error
}

// openLimits opens what storage.limits names.
func openLimits(ctx context.Context, in *installation) (*limits, error) {
	if in.config.Storage.Limits != "memory" {
		return nil, errors.New("storage.limits: this version keeps limits in memory alone")
	}
	journal, ok := in.storage.engine.(admit.Journal)
	if !ok {
		return &limits{
			Admission: admit.NewMemory(admit.MemoryOptions{Now: time.Now}), setting: "memory",
			problems: func() []string { return nil }, close: func() error { return nil },
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
		Admission: m, setting: "memory",
		problems: func() []string { return nil },
		close: func() error {
			stop()
			return errors.Join(<-kept, release())
		},
	}, nil
}

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
