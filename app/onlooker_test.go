package app

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// onlooker stands between the gateway and an engine and holds the engine to its
// word: what is granted never exceeds a limit, at no moment. It counts a hold
// from when Admit has returned until before Settle is called, which is less long
// than the engine does, so that what it finds too much is too much.
type onlooker struct {
	t *testing.T
	// engine is one that the gateways have; all count the same.
	engine claviger.Admission

	mu      sync.Mutex
	windows map[string]*lookedAtWindow
	// open are holds that were not closed; closed are those that were.
	open   int
	closed []lookedAtHold
	// denied counts refusals by code, and by the reason where limits are unknown.
	denied map[string]int
}

type lookedAtWindow struct {
	charge claviger.Charge
	// taken is what is held and used, most the most that it ever was.
	taken, most int64
}

// lookedAtHold is what one call took and used of each window.
type lookedAtHold struct {
	held, used []claviger.Charge
}

func newOnlooker(t *testing.T) *onlooker {
	return &onlooker{t: t, windows: map[string]*lookedAtWindow{}, denied: map[string]int{}}
}

// over puts it in front of the engine of a gateway. Several gateways may have
// one onlooker, who then looks at what they grant together.
func (w *onlooker) over(a claviger.Admission) claviger.Admission {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine = a
	return lookout{a, w}
}

type lookout struct {
	claviger.Admission
	w *onlooker
}

func windowName(c *claviger.Charge) string { return fmt.Sprint(c.Kind, " ", c.Window.Per, " ", c.Key) }

// Admit implements claviger.Admission.
func (l lookout) Admit(ctx context.Context, charges []claviger.Charge) (claviger.Hold, error) {
	w := l.w
	h, err := l.Admission.Admit(ctx, charges)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		e := claviger.AsError(err)
		why := string(e.Code)
		if e.Code == claviger.CodeLimitsUnavailable {
			why = e.Error()
		}
		w.denied[why]++
		return nil, err
	}
	w.open++
	for i := range charges {
		c := &charges[i]
		if c.Kind == claviger.ChargeRate {
			continue
		}
		x := w.windows[windowName(c)]
		if x == nil {
			x = &lookedAtWindow{charge: *c}
			w.windows[windowName(c)] = x
		}
		x.taken += c.Amount
		x.most = max(x.most, x.taken)
		if x.taken > c.Window.Limit {
			w.t.Errorf("%s: %d taken of %d", windowName(c), x.taken, c.Window.Limit)
		}
	}
	return &lookedAtCall{Hold: h, w: w, held: charges}, nil
}

type lookedAtCall struct {
	claviger.Hold
	w    *onlooker
	held []claviger.Charge
	once sync.Once
}

// end notes what a call used: nothing when used is false.
func (h *lookedAtCall) end(used []claviger.Charge, all bool) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.open--
	out := lookedAtHold{held: h.held}
	for _, c := range h.held {
		held := c.Amount
		switch {
		case c.Kind == claviger.ChargeRate:
			continue
		case !all || c.Kind == claviger.ChargeLease:
			c.Amount = 0
		default:
			for _, u := range used {
				if windowName(&u) == windowName(&c) {
					c.Amount = u.Amount
				}
			}
		}
		if c.Amount > held {
			h.w.t.Errorf("%s: %d used of %d that were held", windowName(&c), c.Amount, held)
		}
		h.w.windows[windowName(&c)].taken += c.Amount - held
		out.used = append(out.used, c)
	}
	h.w.closed = append(h.w.closed, out)
}

func (h *lookedAtCall) Settle(ctx context.Context, used []claviger.Charge) error {
	h.once.Do(func() { h.end(used, true) })
	return h.Hold.Settle(ctx, used)
}

func (h *lookedAtCall) Release(ctx context.Context) error {
	h.once.Do(func() { h.end(nil, false) })
	return h.Hold.Release(ctx)
}

// sums adds up by key what was held and used of one kind.
func (w *onlooker) sums(kind claviger.ChargeKind) (held, used map[string]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held, used = map[string]int64{}, map[string]int64{}
	for _, h := range w.closed {
		for _, c := range h.used {
			if c.Kind == kind {
				used[c.Key] += c.Amount
			}
		}
		for _, c := range h.held {
			if c.Kind == kind {
				held[c.Key] += c.Amount
			}
		}
	}
	return held, used
}

// refusals counts those with a code, up to now.
func (w *onlooker) refusals(code claviger.Code) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.denied[string(code)]
}

// quiet waits until no hold is open, and then holds what the engine says is left
// of every window of a scope, or of all, to what was granted and settled: nothing
// more, nothing less, and no seat taken.
func (w *onlooker) quiet(scope string) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		wrong := w.left(scope)
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Errorf("never quiet: %s", wrong)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// left says what is not as it has to be when all is quiet.
func (w *onlooker) left(scope string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != 0 {
		return fmt.Sprint(w.open, " holds are open")
	}
	for name, x := range w.windows {
		c := x.charge
		if scope != "" && c.Scope != scope {
			continue
		}
		c.Amount = 0
		h, err := w.engine.Admit(context.Background(), []claviger.Charge{c})
		if err != nil {
			return fmt.Sprint(name, ": ", err)
		}
		left := h.Standings()[0].Remaining
		if err := h.Release(context.Background()); err != nil {
			return err.Error()
		}
		if left != c.Window.Limit-x.taken {
			return fmt.Sprintf("%s: %d are left of %d, but %d were used", name, left, c.Window.Limit, x.taken)
		}
	}
	return ""
}
