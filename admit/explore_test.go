package admit

import (
	"testing"

	"claviger.dev/claviger"
)

// world is a window, two holders and the truth about them. It is comparable, so
// that all of the worlds can be listed.
type world struct {
	s     state
	now   int64
	held  [2]int64
	start [2]int64
	// granted is what was promised in the current window and not given back;
	// over is what was used beyond the promise.
	granted, over int64
}

// TestEveryOrder walks through every order of reserving, settling, releasing
// and expiring by two holders, with time passing in between, and holds each
// state to what it must be.
func TestEveryOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		r    rule
		kind claviger.ChargeKind
		over int64
	}{
		{"lease", rule{shapeLease, 2, 0}, claviger.ChargeLease, 0},
		{"calendar", rule{shapeCalendar, 4, hour}, claviger.ChargeTokens, 0},
		{"calendar with overuse", rule{shapeCalendar, 3, hour}, claviger.ChargeTokens, 1},
		{"flow", rule{shapeFlow, 3, 3}, claviger.ChargeTokens, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := map[world]bool{}
			queue := []world{{}}
			for len(queue) > 0 {
				w := queue[0]
				queue = queue[1:]
				if seen[w] {
					continue
				}
				seen[w] = true
				w.check(t, c.r)
				queue = append(queue, w.next(c.r, c.over)...)
			}
			if len(seen) < 20 {
				t.Fatalf("only %d states: the walk proves nothing", len(seen))
			}
			t.Logf("%d states", len(seen))
		})
	}
}

func (w *world) at() instant { return instant{mono: w.now, wall: w.now * int64(hour)} }

func (w *world) check(t *testing.T, r rule) {
	t.Helper()
	sum := int64(0)
	for i, h := range w.held {
		if r.shape != shapeCalendar || w.start[i] == w.s.start {
			sum += h
		}
	}
	if w.s.held != sum {
		t.Fatalf("%+v: %d held, the holders have %d", w, w.s.held, sum)
	}
	switch r.shape {
	case shapeLease:
		if sum > r.limit {
			t.Fatalf("%+v: more leases than there are", w)
		}
	case shapeCalendar:
		if w.granted > r.limit || w.s.used+w.s.held != w.granted+w.over {
			t.Fatalf("%+v: granted more than the limit, or lost some", w)
		}
	case shapeFlow:
		if w.s.add(w.now, w.s.held, r.limit, r.period).ahead(w.now+r.period) > 0 {
			t.Fatalf("%+v: more held and draining than the limit", w)
		}
	}
	later := instant{mono: w.now + 2*r.period, wall: w.s.end}
	if sum == 0 && !w.s.idle(later) {
		t.Fatalf("%+v: nobody holds anything and something is left", w)
	}
}

// next are the worlds that one step leads to.
func (w *world) next(r rule, over int64) []world {
	var out []world
	step := func(do func(n *world)) {
		n := *w
		if r.shape == shapeCalendar {
			before := n.s.start
			if n.s.roll(n.at(), claviger.PeriodHour, nil); n.s.start != before {
				n.granted, n.over = 0, 0
			}
		}
		do(&n)
		out = append(out, n)
	}
	if w.now < 4 {
		step(func(n *world) { n.now++ })
	}
	for i := range w.held {
		if w.held[i] > 0 {
			w.close(i, r, over, step)
			continue
		}
		for amount := int64(1); amount <= r.limit+1; amount++ {
			step(func(n *world) {
				if n.s.wait(r, n.at(), amount) == 0 {
					n.s.take(r, n.at(), amount)
					n.held[i], n.start[i] = amount, n.s.start
					if r.shape == shapeCalendar {
						n.granted += amount
					}
				}
			})
		}
	}
	return out
}

func (w *world) close(i int, r rule, over int64, step func(func(n *world))) {
	held := w.held[i]
	end := func(n *world, used int64, do func(it *item)) {
		win := &window{state: n.s}
		do(&item{w: win, rule: r, held: held, start: n.start[i]})
		if r.shape != shapeCalendar || n.start[i] == n.s.start {
			n.granted -= held - min(used, held)
			n.over += max(used-held, 0)
		}
		if r.shape != shapeCalendar {
			n.granted, n.over = 0, 0
		}
		n.s, n.held[i], n.start[i] = win.state, 0, 0
	}
	for used := int64(0); used <= held+over; used++ {
		step(func(n *world) { end(n, used, func(it *item) { it.settle(n.at(), used) }) })
	}
	step(func(n *world) { end(n, held, func(it *item) { it.settle(n.at(), held) }) }) // expiry
	step(func(n *world) {
		end(n, 0, func(it *item) {
			if it.current() {
				it.w.release(r, held)
			}
		})
	})
}
