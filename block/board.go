// Package block keeps people out who have to stay out: everyone at once (the
// kill switch), the callers of a plan, a person, a service key with its tickets,
// or one credential. What is kept out stands in a store; a Board looks there
// twice a second and answers the gateway from memory.
package block

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"claviger.dev/claviger"
)

const (
	// DefaultEvery is how often a Board looks whether something changed.
	DefaultEvery = 500 * time.Millisecond
	// readTime is how long one look may take.
	readTime = 5 * time.Second
)

// Store holds blocks. Its methods may block until ctx ends and may be called
// concurrently. On error what was kept out before stays out.
type Store interface {
	// Blocks lists the blocks that have not ended.
	Blocks(ctx context.Context) ([]claviger.Block, error)
	// BlocksVersion is a number that differs whenever the blocks do.
	BlocksVersion(ctx context.Context) (int64, error)
}

// Options configure a Board.
type Options struct {
	// Store holds the blocks. Required.
	Store Store
	// Every is how often it is asked; 0 means DefaultEvery. A change takes at
	// most that long to have an effect, and the time that the store needs.
	Every time.Duration
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
	// Logger is told when the store is out of reach and when it is back. Nil
	// discards it.
	Logger *slog.Logger
}

// Board knows who is kept out. It implements claviger.Blocks. What it knows is
// Options.Every old, or as old as the last answer of a store that is out of
// reach; a block that ends by itself ends on time in any case.
type Board struct {
	store Store
	every time.Duration
	now   func() time.Time
	log   *slog.Logger

	current atomic.Pointer[state]
	stop    context.CancelFunc
	done    chan struct{}

	mu      sync.Mutex // of reading
	failed  time.Time  // since when the store is out of reach
	problem atomic.Pointer[string]
}

// state is what the blocks are between two changes.
type state struct {
	index   *index
	version int64
	changed chan struct{}
	// odd are the blocks that have no effect, as problems.
	odd []string
}

func problems(odd []error) []string {
	out := make([]string, 0, len(odd))
	for _, err := range odd {
		out = append(out, "a block has no effect: "+err.Error())
	}
	return out
}

var _ claviger.Blocks = (*Board)(nil)

// Open reads the blocks and goes on looking until Close. It fails where they
// cannot be read: nobody is let in by a gateway that does not know who is kept
// out. ctx is for this first look alone.
func Open(ctx context.Context, o Options) (*Board, error) {
	if o.Store == nil {
		return nil, errors.New("block: no store")
	}
	b := &Board{store: o.Store, every: o.Every, now: o.Now, log: o.Logger, done: make(chan struct{})}
	if b.every <= 0 {
		b.every = DefaultEvery
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if err := b.Refresh(ctx); err != nil {
		return nil, err
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	go b.watch(watch)
	return b, nil
}

// Close ends the looking. What is known goes on being answered.
func (b *Board) Close() {
	b.stop()
	<-b.done
}

func (b *Board) watch(ctx context.Context) {
	defer close(b.done)
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := b.Refresh(ctx); err != nil && ctx.Err() == nil {
				b.failing(err)
			}
		}
	}
}

// Refresh looks at once. An error changes nothing of what is known.
func (b *Board) Refresh(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	// The version comes first: what changes in between is found the next time.
	version, err := b.store.BlocksVersion(ctx)
	if err != nil {
		return fmt.Errorf("block: the blocks cannot be read: %w", err)
	}
	last := b.current.Load()
	if last == nil || last.version != version {
		list, err := b.store.Blocks(ctx)
		if err != nil {
			return fmt.Errorf("block: the blocks cannot be read: %w", err)
		}
		next, odd := compile(list)
		b.current.Store(&state{next, version, make(chan struct{}), problems(odd)})
		for _, err := range odd {
			b.log.ErrorContext(ctx, "a block has no effect", "error", err.Error())
		}
		if last != nil {
			close(last.changed)
		}
	}
	if !b.failed.IsZero() {
		b.log.InfoContext(ctx, "the store of blocks is back", "after", b.now().Sub(b.failed).Truncate(time.Second))
	}
	b.failed = time.Time{}
	b.problem.Store(nil)
	return nil
}

// failing notes that the store is out of reach, and tells it once.
func (b *Board) failing(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed.IsZero() {
		b.failed = b.now()
		b.log.Error("the store of blocks is out of reach: whoever was kept out stays out, and nobody new is", "error", err.Error())
	}
	text := fmt.Sprintf("the blocks cannot be read since %s, so a new one has no effect: %v", b.failed.UTC().Format(time.RFC3339), err)
	b.problem.Store(&text)
}

// Problems says what keeps the Board from its work, for the readiness of the
// gateway. It does not block.
func (b *Board) Problems() []string {
	out := slices.Clone(b.current.Load().odd)
	if p := b.problem.Load(); p != nil {
		out = append(out, *p)
	}
	return out
}

// Find implements claviger.Blocks.
func (b *Board) Find(who claviger.Barred) (claviger.Block, bool) {
	return b.current.Load().index.find(&who, b.now)
}

// KeyRetired reports whether the provider's key of this fingerprint was taken out
// of use. It answers from memory, as Find does.
func (b *Board) KeyRetired(fingerprint string) bool {
	for _, x := range b.current.Load().index.keys[fingerprint] {
		if x.Until.IsZero() || b.now().Before(x.Until) {
			return true
		}
	}
	return false
}

// Changed implements claviger.Blocks.
func (b *Board) Changed() <-chan struct{} { return b.current.Load().changed }
