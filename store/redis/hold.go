package redis

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

// hold is what one call took.
type hold struct {
	a *Admission
	// id is made here and not by Redis, so that a hold can be given back of
	// which Redis could not tell any more. It is empty where nothing is given
	// back.
	id        string
	demands   []admit.Demand
	standings []claviger.Standing
	closed    atomic.Bool
}

// Standings implements claviger.Hold.
func (h *hold) Standings() []claviger.Standing { return slices.Clip(h.standings) }

// Settle implements claviger.Hold in one round trip, or none for requests in a
// time. Where Redis cannot be reached it keeps what is to be said, says it as
// soon as it can, and returns nil. An error says that used made no sense, and
// the rest of it was settled, or that too many such are kept already, and the
// hold counts as used.
func (h *hold) Settle(ctx context.Context, used []claviger.Charge) error {
	if !h.closed.CompareAndSwap(false, true) {
		return nil
	}
	amounts, err := admit.Uses(h.demands, used)
	if h.id == "" {
		return err
	}
	return errors.Join(err, h.a.close(ctx, closing{id: h.id, how: settle, amounts: amounts}))
}

// Release implements claviger.Hold. It does as Settle does.
func (h *hold) Release(ctx context.Context) error {
	if h.id == "" || !h.closed.CompareAndSwap(false, true) {
		return nil
	}
	return h.a.close(ctx, closing{id: h.id, how: release})
}

// The ways to close a hold, as close.lua knows them.
const (
	settle  = "settle"
	release = "release"
	abandon = "abandon"
)

// closing is the end of a hold. Redis counts the first one that it hears of, so
// that it may be said again.
type closing struct {
	id, how string
	amounts []int64
}

// close tells Redis now, or later when that fails.
func (a *Admission) close(ctx context.Context, c closing) error {
	if a.link.up() {
		err := a.tell(context.WithoutCancel(ctx), c)
		if err == nil {
			return nil
		}
	}
	return a.later.add(c)
}

func (a *Admission) tell(ctx context.Context, c closing) error {
	ctx, cancel := context.WithTimeout(ctx, a.options.Timeout)
	defer cancel()
	b := a.begin(len(c.amounts))
	for _, n := range c.amounts {
		b = pack(b, min(n, most))
	}
	_, err := a.run(ctx, closeScript, []string{a.names.open, a.names.holds}, c.id, c.how, b)
	a.link.report(err, false)
	return err
}
