package admit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"claviger.dev/claviger"
)

// The values that MemoryOptions has where it says nothing.
const (
	DefaultLeaseTTL = 20 * time.Minute
	DefaultMaxKeys  = 250_000
)

// MemoryOptions are the settings of a Memory.
type MemoryOptions struct {
	// Now is the clock. It is required: without one every call is refused. A
	// monotonic reading in its times is used where there is one, so that a
	// step of the wall clock moves calendar windows only.
	Now func() time.Time
	// LeaseTTL is how long a hold lives that nobody closes. It must be longer
	// than the longest call. 0 means DefaultLeaseTTL.
	LeaseTTL time.Duration
	// MaxKeys bounds how many windows are remembered; one takes about 300
	// bytes. When all of them are in use, whoever needs another is refused with
	// CodeLimitsUnavailable: nothing is forgotten to make room. 0 means
	// DefaultMaxKeys.
	MaxKeys int
	// Journal keeps what was used across a restart; see Restore and Keep. Where
	// it is set, a key has at most 1,024 bytes. nil keeps nothing.
	Journal Journal
}

// Memory is the claviger.Admission of a single process. It blocks on nothing
// but its own short lock, and on error it denies. What it knows is gone with
// the process unless it has a Journal.
//
// A window is told from others by key, kind, period, zone (by name) and
// currency. The limit is not part of that: who changes a limit, or moves a
// person to another plan, does not hand out the window anew. Two limits on one
// window both hold.
//
// What a hold takes counts from admission, and belongs to the calendar window
// in which it was admitted, however late it is settled. Continuous limits on
// tokens and money hold the worst case without letting it drain, and let what
// was used drain from its settlement on: giving unused time back later would
// let more than N + elapsed × rate through.
type Memory struct {
	clock    func() time.Time
	base     time.Time
	leaseTTL int64
	maxKeys  int

	// One lock: nearly every call takes from the window of everyone, so more
	// locks would be waited for in turn all the same.
	mu      sync.Mutex
	latest  int64
	windows map[id]*window
	all     []*window
	// hand goes round all and looks for idle windows, as far as owed says.
	hand, owed int
	// oldest and newest are the ends of the list of open holds, which expire
	// in the order of their admission.
	oldest, newest *hold
	journal        journaled
}

// id tells windows apart.
type id struct {
	key, zone, currency string
	kind                claviger.ChargeKind
	per                 claviger.Period
}

func idOf(c *claviger.Charge, s shape) id {
	i := id{key: c.Key, kind: c.Kind, per: c.Window.Per}
	if c.Kind == claviger.ChargeMoney {
		i.currency = c.Window.Currency
	}
	if s == shapeCalendar && c.Window.Zone != nil && c.Window.Zone != time.UTC {
		i.zone = c.Window.Zone.String()
	}
	return i
}

type window struct {
	state
	id   id
	slot int
	// holds counts the open holds that refer to the window.
	holds int
	// written and limit, the limit that was last taken from, are for the
	// journal.
	written written
	limit   int64
}

// NewMemory returns an empty Memory.
func NewMemory(o MemoryOptions) *Memory {
	m := &Memory{clock: o.Now, leaseTTL: int64(o.LeaseTTL), maxKeys: o.MaxKeys, windows: map[id]*window{}}
	m.journal = journaled{to: o.Journal, since: -1, savingSince: -1, wake: make(chan struct{}, 1)}
	if m.leaseTTL <= 0 {
		m.leaseTTL = int64(DefaultLeaseTTL)
	}
	if m.maxKeys <= 0 {
		m.maxKeys = DefaultMaxKeys
	}
	if o.Now != nil {
		m.base = o.Now()
	}
	return m
}

var (
	errNoClock = errors.New("admit: MemoryOptions.Now is required")
	errFull    = errors.New("admit: more windows are in use than MaxKeys allows")
)

// wanted is one charge on its way through Admit.
type wanted struct {
	id   id
	rule rule
	w    *window
	// need is what the window must have, taken together with the other charges
	// on it.
	need, wait int64
	// first is the index of the first charge on the same window.
	first int
	fresh bool
}

// Admit implements claviger.Admission. It never blocks on ctx.
func (m *Memory) Admit(_ context.Context, charges []claviger.Charge) (claviger.Hold, error) {
	if m.clock == nil {
		return nil, &claviger.Error{Code: claviger.CodeLimitsUnavailable, Err: errNoClock}
	}
	var some [usual]wanted
	ws, err := want(some[:0], charges)
	if err == nil && m.journal.to != nil {
		err = shortKeys(charges)
	}
	if err != nil {
		return nil, &claviger.Error{Code: claviger.CodeLimitsUnavailable, Err: err}
	}
	h := newHold(m, charges)
	t := m.clock()
	m.mu.Lock()
	refused, err := m.admit(h, ws, charges, m.instant(t))
	m.mu.Unlock()
	if err != nil {
		return nil, &claviger.Error{Code: claviger.CodeLimitsUnavailable, Err: err}
	}
	if refused >= 0 {
		return nil, refusal(&charges[refused], ws[refused].rule.shape, ws[refused].wait, h.standings)
	}
	return h, nil
}

func shortKeys(charges []claviger.Charge) error {
	for i := range charges {
		if len(charges[i].Key) > keyBytes {
			return fmt.Errorf("%w: its key has %d bytes", errCharge, len(charges[i].Key))
		}
	}
	return nil
}

// want reads the charges, before any lock.
func want(ws []wanted, charges []claviger.Charge) ([]wanted, error) {
	shared := false
	for i := range charges {
		c := &charges[i]
		r, err := ruleOf(c)
		if err != nil {
			return nil, err
		}
		w := wanted{id: idOf(c, r.shape), rule: r, need: c.Amount, first: i}
		for j := range ws {
			if ws[j].id == w.id {
				w.first, shared = ws[j].first, true
				break
			}
		}
		ws = append(ws, w)
	}
	if shared {
		share(ws, charges)
	}
	return ws, nil
}

// share settles what several charges on one window need. Those with the same
// limit are taken one after another and add up; those with different limits are
// several conditions on one taking, of which the largest counts.
func share(ws []wanted, charges []claviger.Charge) {
	for i := range ws {
		if ws[i].first != i {
			continue
		}
		var need int64
		for j := i; j < len(ws); j++ {
			if ws[j].first != i {
				continue
			}
			var sum int64
			for k := i; k < len(ws); k++ {
				if ws[k].first == i && ws[k].rule.limit == ws[j].rule.limit {
					sum = plus(sum, charges[k].Amount)
				}
			}
			need = max(need, sum)
		}
		for j := i; j < len(ws); j++ {
			if ws[j].first == i {
				ws[j].need = need
			}
		}
	}
}

// admit decides and takes. It returns the index of the charge that refuses, or
// −1. The lock is held.
func (m *Memory) admit(h *hold, ws []wanted, charges []claviger.Charge, now instant) (refused int, err error) {
	m.expire(now)
	if err := m.writable(now); err != nil {
		return -1, err
	}
	m.sweep(now, min(m.owed, 32))
	if len(m.all)+len(ws) > m.maxKeys {
		m.sweep(now, 256)
	}
	fresh := 0
	for i := range ws {
		w := &ws[i]
		if w.first != i {
			w.w = ws[w.first].w
			continue
		}
		if w.w = m.windows[w.id]; w.w == nil {
			w.w, w.fresh = &window{id: w.id}, true
			fresh++
		}
	}
	if len(m.all)+fresh > m.maxKeys {
		return -1, errFull
	}
	refused = judge(ws, charges, now)
	if refused < 0 {
		m.take(h, ws, now)
	}
	for i := range ws {
		remaining, reset := ws[i].w.left(ws[i].rule, now)
		h.standings = append(h.standings, claviger.Standing{Charge: charges[i], Remaining: remaining, Reset: reset})
	}
	return refused, nil
}

// judge returns the charge that has to wait longest, −1 when none has to.
func judge(ws []wanted, charges []claviger.Charge, now instant) int {
	refused, longest := -1, int64(0)
	for i := range ws {
		w := &ws[i]
		if w.rule.shape == shapeCalendar {
			w.w.roll(now, w.id.per, charges[i].Window.Zone)
		}
		if w.wait = w.w.wait(w.rule, now, w.need); w.wait > longest {
			refused, longest = i, w.wait
		}
	}
	return refused
}

func (m *Memory) take(h *hold, ws []wanted, now instant) {
	for i := range ws {
		w := &ws[i]
		if w.first != i {
			// A meter drains by the tightest of its limits.
			if it := &h.items[h.find(ws[w.first].w)]; w.rule.limit < it.rule.limit {
				it.rule.limit = w.rule.limit
			}
			continue
		}
		if w.fresh {
			m.insert(w.w)
		}
		w.w.holds++
		h.items = append(h.items, item{w: w.w, rule: w.rule, held: w.need, start: w.w.start})
	}
	for i := range h.items {
		it := &h.items[i]
		it.w.take(it.rule, now, it.held)
		if it.held > 0 {
			it.w.limit = it.rule.limit
			m.touch(it.w, now)
		}
	}
	h.expires = now.mono + m.leaseTTL
	m.push(h)
}

func (m *Memory) insert(w *window) {
	w.id.key = strings.Clone(w.id.key)
	w.slot = len(m.all)
	m.all = append(m.all, w)
	m.windows[w.id] = w
	m.owed += 2
}

// instant reads both clocks from t. The lock is held.
func (m *Memory) instant(t time.Time) instant {
	m.latest = max(m.latest, int64(t.Sub(m.base)))
	return instant{mono: m.latest, wall: t.UnixNano()}
}

// sweep looks at that many windows and forgets the idle ones. The lock is held.
func (m *Memory) sweep(now instant, steps int) (gone int) {
	m.owed = max(m.owed-steps, 0)
	for steps = min(steps, len(m.all)); steps > 0; steps-- {
		if m.hand >= len(m.all) {
			m.hand = 0
			if len(m.all) == 0 {
				break
			}
		}
		w := m.all[m.hand]
		if w.holds > 0 || w.written != 0 || !w.idle(now) {
			m.hand++
			continue
		}
		delete(m.windows, w.id)
		last := len(m.all) - 1
		m.all[m.hand] = m.all[last]
		m.all[m.hand].slot = m.hand
		m.all[last] = nil
		m.all = m.all[:last]
		gone++
	}
	return gone
}

// Sweep closes the holds whose time is up and forgets all windows from which
// nothing is taken any more. It is not needed for correctness or to bound
// memory; it returns memory early. It returns how many it forgot.
func (m *Memory) Sweep(now time.Time) int {
	const slice = 4096
	gone := 0
	for left := m.Len(); left > 0; left -= slice {
		m.mu.Lock()
		at := m.instant(now)
		m.expire(at)
		gone += m.sweep(at, min(left, slice))
		m.mu.Unlock()
	}
	return gone
}

// Len is how many windows are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.all)
}
