package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// failuresToOpen is how many calls in a row must fail before no more are tried,
// and probeEvery how long it is then until one looks whether Redis is back.
const (
	failuresToOpen = 3
	probeEvery     = 250 * time.Millisecond
)

var errUnknown = errors.New("redis: it was not reached yet")

// link knows whether Redis can be used: reached, and fit when it was last looked
// at. While it cannot, calls are denied at once, and one in probeEvery looks
// again.
type link struct {
	ready    atomic.Bool
	failures atomic.Int32
	mu       sync.Mutex
	probing  bool
	retryAt  time.Time
	why      error
	warnings []string
	onLoss   func(why error)
}

func (l *link) up() bool { return l.ready.Load() }

// report counts how a call went. hurried says that the caller gave less time
// than Options.Timeout, or left: that it failed then says nothing about Redis.
func (l *link) report(err error, hurried bool) {
	switch {
	case err == nil || isFull(err):
		if l.failures.Load() != 0 {
			l.failures.Store(0)
		}
	case isReply(err):
		l.lose(explain(err))
	case hurried:
	case l.failures.Add(1) >= failuresToOpen:
		l.lose(explain(err))
	}
}

func (l *link) lose(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready.Swap(false) {
		l.retryAt = time.Now().Add(probeEvery)
		l.onLoss(why)
	}
	l.why = why
}

// reason is why Redis cannot be used, nil when it can.
func (l *link) reason() error {
	if l.up() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		return errUnknown
	}
	return l.why
}

// claim reports whether the caller is the one to look.
func (l *link) claim() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.probing || time.Now().Before(l.retryAt) {
		return false
	}
	l.probing = true
	return true
}

// probed says what the look has shown.
func (l *link) probed(why error, warnings []string) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probing, l.why = false, why
	if why == nil {
		l.warnings = warnings
		l.failures.Store(0)
		return !l.ready.Swap(true)
	}
	l.retryAt = time.Now().Add(probeEvery)
	return l.ready.Swap(false)
}

// enter lets a call pass when Redis can be used, and has one in a while look
// when it cannot.
func (a *Admission) enter(ctx context.Context) error {
	if a.link.up() {
		return nil
	}
	if !a.link.claim() {
		return a.link.reason()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.options.Timeout)
	defer cancel()
	return a.look(ctx)
}
