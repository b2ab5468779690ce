package admit

import (
	"context"
	"errors"
	"slices"

	"claviger.dev/claviger"
)

// usual is how many charges a call takes as a rule. More cost an allocation.
const usual = 4

// hold is what one call took. Everything but standings, which does not change
// after Admit, is guarded by the Memory's lock.
type hold struct {
	m          *Memory
	prev, next *hold
	expires    int64
	open       bool
	items      []item
	standings  []claviger.Standing

	someItems     [usual]item
	someStandings [usual]claviger.Standing
}

// item is what a hold took from one window.
type item struct {
	w    *window
	rule rule
	held int64
	// start is the calendar window from which it was taken.
	start int64
}

func newHold(m *Memory, charges []claviger.Charge) *hold {
	h := &hold{m: m}
	if len(charges) <= usual {
		h.items, h.standings = h.someItems[:0], h.someStandings[:0]
	} else {
		h.items, h.standings = make([]item, 0, len(charges)), make([]claviger.Standing, 0, len(charges))
	}
	return h
}

func (h *hold) find(w *window) int {
	return slices.IndexFunc(h.items, func(it item) bool { return it.w == w })
}

// Standings implements claviger.Hold.
func (h *hold) Standings() []claviger.Standing { return slices.Clip(h.standings) }

var (
	errNotHeld  = errors.New("admit: something was used that was not held, and could not be recorded")
	errNegative = errors.New("admit: a negative use was settled as held")
)

// Settle implements claviger.Hold. It does not block and ignores ctx. Tokens
// and money used beyond what was held are recorded, also above the limit. An
// error says that used made no sense; the rest of it was settled.
func (h *hold) Settle(_ context.Context, used []claviger.Charge) error {
	t := h.m.clock()
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if !h.open {
		return nil
	}
	now := h.m.instant(t)
	h.m.expire(now)
	if !h.open {
		return nil
	}
	h.m.pull(h)
	var err error
	known := 0
	for i := range h.items {
		it := &h.items[i]
		amount, n := usedOf(&it.w.id, it.rule.shape, used)
		known += n
		if n == 0 {
			amount = it.held
		}
		if amount < 0 {
			amount, err = it.held, errNegative
		}
		it.settle(now, amount)
		if it.rule.shape != shapeRate {
			h.m.touch(it.w, now)
		}
	}
	return joined(err, known, len(used))
}

// joined adds to err that not all of what was used had been held.
func joined(err error, known, used int) error {
	if known < used {
		return errors.Join(err, errNotHeld)
	}
	return err
}

// usedOf finds what was used of a window: how much, and how many of the charges
// name the window. As in Admit, charges with the same limit add up, and of
// those with different limits the largest counts. A negative one makes the
// amount negative.
func usedOf(of *id, s shape, used []claviger.Charge) (amount int64, known int) {
	for i := range used {
		if !names(&used[i], of, s) {
			continue
		}
		known++
		sum := used[i].Amount
		if sum < 0 {
			return -1, len(used)
		}
		for j := range used[:i] {
			if used[j].Window.Limit != used[i].Window.Limit || !names(&used[j], of, s) {
				continue
			}
			sum = plus(sum, used[j].Amount)
		}
		amount = max(amount, sum)
	}
	return amount, known
}

// names reports whether c is on the window of. It compares what differs most
// often first.
func names(c *claviger.Charge, of *id, s shape) bool {
	return c.Window.Per == of.per && c.Kind == of.kind && c.Key == of.key &&
		(s != shapeCalendar && c.Kind != claviger.ChargeMoney || idOf(c, s) == *of)
}

// Release implements claviger.Hold. It does not block and ignores ctx.
func (h *hold) Release(context.Context) error {
	t := h.m.clock()
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if !h.open {
		return nil
	}
	now := h.m.instant(t)
	h.m.expire(now)
	if !h.open {
		return nil
	}
	h.m.pull(h)
	for i := range h.items {
		it := &h.items[i]
		it.w.holds--
		if it.rule.shape != shapeRate && it.current() {
			it.w.release(it.rule, it.held)
			h.m.touch(it.w, now)
		}
	}
	return nil
}

// current reports whether the window from which the item was taken is still
// the one that its state counts.
func (it *item) current() bool { return it.rule.shape != shapeCalendar || it.start == it.w.start }

func (it *item) settle(now instant, used int64) {
	it.w.holds--
	if it.current() {
		it.w.settle(it.rule, now, it.held, used)
	}
}

// expire closes the holds whose time is up: their leases are given back, and
// their tokens and money count as used at that time. The lock is held.
func (m *Memory) expire(now instant) {
	for h := m.oldest; h != nil && h.expires <= now.mono; h = m.oldest {
		m.pull(h)
		for i := range h.items {
			h.items[i].settle(instant{mono: h.expires, wall: now.wall}, h.items[i].held)
			m.touch(h.items[i].w, now)
		}
	}
}

func (m *Memory) push(h *hold) {
	h.open = true
	h.prev = m.newest
	if m.newest != nil {
		m.newest.next = h
	} else {
		m.oldest = h
	}
	m.newest = h
}

func (m *Memory) pull(h *hold) {
	h.open = false
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		m.oldest = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	} else {
		m.newest = h.prev
	}
	h.prev, h.next = nil, nil
}
