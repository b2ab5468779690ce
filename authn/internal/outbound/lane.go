// Package outbound bounds what authenticators ask of other servers: how many
// questions at once, how many for strangers' guesses, and how long a server that
// is gone is left alone.
package outbound

import (
	"context"
	"errors"
	"sync"
	"time"
)

// The bounds of a Lane.
const (
	// wait is how long a question waits for its turn.
	wait = time.Second
	// waiters is how many may wait.
	waiters = 256
	// deaths is after how many questions in a row without any answer the server
	// counts as gone.
	deaths = 4
	// shortest and longest are for how long it is left alone then.
	shortest = time.Second
	longest  = 15 * time.Second
)

// The reasons for not asking.
var (
	ErrBusy = errors.New("as many questions as may be are under way")
	ErrGone = errors.New("the server gave no answer to the last questions and is left alone for a moment")
)

// Lane admits questions to one server. After some in a row that got no answer at
// all, it admits none for a while, then one as a trial.
type Lane struct {
	slots chan struct{}
	now   func() time.Time

	mu      sync.Mutex
	waiting int
	dead    int // questions in a row without an answer
	trial   bool
	until   time.Time // no question before
}

// NewLane returns a Lane for that many questions at once.
func NewLane(slots int, now func() time.Time) *Lane {
	return &Lane{slots: make(chan struct{}, slots), now: now}
}

// Enter waits for a turn, at most a second. Without an error the caller must
// call leave once, and say whether the server answered at all. It fails with
// ErrBusy, ErrGone, or the error of ctx.
func (l *Lane) Enter(ctx context.Context) (leave func(answered bool), err error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	if err := l.take(ctx); err != nil {
		l.cancel()
		return nil, err
	}
	return l.leave, nil
}

// open takes a place among those who wait, unless the server is left alone.
func (l *Lane) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := l.dead >= deaths
	switch {
	case gone && (l.trial || l.now().Before(l.until)):
		return ErrGone
	case l.waiting >= waiters:
		return ErrBusy
	}
	l.trial = gone
	l.waiting++
	return nil
}

func (l *Lane) take(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
	default:
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case l.slots <- struct{}{}:
		case <-t.C:
			return ErrBusy
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	return nil
}

func (l *Lane) cancel() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	l.trial = false
}

func (l *Lane) leave(answered bool) {
	<-l.slots
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trial = false
	if answered {
		l.dead = 0
		return
	}
	l.dead++
	if over := l.dead - deaths; over >= 0 {
		l.until = l.now().Add(min(shortest<<min(over, 8), longest))
	}
}
