package ticket

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Uses counts how often a ticket was used. UseTicket takes one of the most uses
// of the ticket of that id, all nodes together, and reports false when none is
// left; what it counted may be forgotten after until. It may block on a store
// until ctx ends, may be called concurrently, and never lets more than most
// through. On error it denies.
type Uses interface {
	UseTicket(ctx context.Context, id string, most int64, until time.Time) (bool, error)
}

// maxCounted is how many tickets MemoryUses counts at once.
const maxCounted = 1 << 17

// errManyCounted says that the memory is full of tickets that are still good.
var errManyCounted = errors.New("ticket: as many tickets with max_uses are good at the moment as can be counted in memory")

// MemoryUses counts in the memory of this process: for development, and for one
// process whose restart may give tickets that are minutes old their uses again.
// It holds 131,072 tickets at once and refuses those beyond.
type MemoryUses struct {
	now func() time.Time

	mu    sync.Mutex
	used  map[string]count
	sweep time.Time
}

type count struct {
	n     int64
	until time.Time
}

var _ Uses = (*MemoryUses)(nil)

// NewMemoryUses returns an empty MemoryUses. A nil now is time.Now.
func NewMemoryUses(now func() time.Time) *MemoryUses {
	if now == nil {
		now = time.Now
	}
	return &MemoryUses{now: now, used: map[string]count{}}
}

// UseTicket implements Uses. It does not block.
func (m *MemoryUses) UseTicket(_ context.Context, id string, most int64, until time.Time) (bool, error) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	c, known := m.used[id]
	if !known && !m.room(now) {
		return false, errManyCounted
	}
	if c.n >= most {
		return false, nil
	}
	m.used[id] = count{c.n + 1, until}
	return true, nil
}

// room reports whether one more can be counted. It looks for what has ended once
// a minute at most, so that being full costs nobody a long look each time.
func (m *MemoryUses) room(now time.Time) bool {
	if len(m.used) > 0 && !now.Before(m.sweep) {
		for id, c := range m.used {
			if !now.Before(c.until) {
				delete(m.used, id)
			}
		}
		m.sweep = now.Add(time.Minute)
	}
	return len(m.used) < maxCounted
}
