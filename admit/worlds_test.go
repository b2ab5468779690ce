package admit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
)

// universe is a Memory with a journal, those who hold something of it, and what
// the model says about the same.
type universe struct {
	model gatetest.AdmissionModel
	m     *Memory
	now   *time.Time
	slots [3]*hold
	disk  *disk
}

// disk is a Journal that can fail, and can fail and store all the same.
type disk struct {
	rows  map[id]Window
	fails gatetest.StepKind
}

func (d *disk) SaveWindows(_ context.Context, ws []Window) error {
	if d.fails != gatetest.StepWriteLost {
		for _, w := range ws {
			d.rows[id{key: w.Key, kind: w.Kind, per: w.Per}] = w
		}
	}
	if d.fails != gatetest.StepWrite {
		return errors.New("the disk says no")
	}
	return nil
}

func (d *disk) LoadWindows(context.Context) ([]Window, error) {
	return slices.Collect(maps.Values(d.rows)), nil
}

func (u *universe) options() MemoryOptions {
	o := MemoryOptions{
		Now:      func() time.Time { return *u.now },
		LeaseTTL: time.Duration(u.model.Rule.Life) * u.model.Rule.Tick(),
	}
	if u.model.Rule.Journal {
		o.Journal = u.disk
	}
	return o
}

func newUniverse(r gatetest.AdmissionRule) *universe {
	began := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	u := &universe{model: gatetest.NewAdmissionModel(r), now: &began, disk: &disk{rows: map[id]Window{}}}
	u.m = NewMemory(u.options())
	u.m.journal.keeping = true
	return u
}

// clone copies the whole universe, so that each of its futures can be looked at.
func (u *universe) clone() *universe {
	now := *u.now
	n := &universe{model: u.model, now: &now, disk: &disk{rows: maps.Clone(u.disk.rows)}}
	n.m = NewMemory(n.options())
	n.m.base, n.m.latest, n.m.hand, n.m.owed = u.m.base, u.m.latest, u.m.hand, u.m.owed
	to := map[*window]*window{}
	copied := func(w *window) *window {
		if w == nil {
			return nil
		}
		if to[w] == nil {
			c := *w
			to[w] = &c
		}
		return to[w]
	}
	for _, w := range u.m.all {
		c := copied(w)
		n.m.all = append(n.m.all, c)
		n.m.windows[c.id] = c
	}
	holds := map[*hold]*hold{}
	again := func(h *hold) *hold {
		if h == nil || holds[h] != nil {
			return holds[h]
		}
		c := &hold{m: n.m, expires: h.expires, open: h.open, standings: h.standings}
		for _, it := range h.items {
			it.w = copied(it.w)
			c.items = append(c.items, it)
		}
		holds[h] = c
		return c
	}
	for h := u.m.oldest; h != nil; h = h.next {
		n.m.push(again(h))
	}
	for i, h := range u.slots {
		n.slots[i] = again(h)
	}
	j := &n.m.journal
	j.keeping, j.failed, j.since, j.savingSince = u.m.journal.keeping, u.m.journal.failed, u.m.journal.since, u.m.journal.savingSince
	for _, w := range u.m.journal.changed {
		j.changed = append(j.changed, copied(w))
	}
	return n
}

// place tells universes apart: by the model, and by all that the Memory knows.
type place struct {
	model  gatetest.AdmissionModel
	memory string
}

func (u *universe) place() place {
	b := make([]byte, 0, 256)
	add := func(ns ...int64) {
		for _, n := range ns {
			b = binary.AppendVarint(b, n)
		}
	}
	for _, w := range u.m.all {
		add(w.tat, w.num, w.den, w.start, w.end, w.used, w.held, int64(w.holds), int64(w.written), w.limit)
	}
	for _, h := range u.slots {
		if h == nil {
			add(-1)
			continue
		}
		add(h.expires, int64(len(h.items)), truth(h.open))
		for _, it := range h.items {
			add(it.held, it.start)
		}
	}
	j := &u.m.journal
	add(truth(j.failed != nil), j.since, int64(len(j.changed)))
	for _, r := range u.disk.rows { // at most one
		add(r.Drained, r.Num, r.Den, r.Start, r.End, r.Used, r.Held)
	}
	return place{u.model, string(b)}
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// step does the same to both, and says in what they differ.
func (u *universe) step(s gatetest.Step) error {
	want := u.model.Apply(s)
	ctx := context.Background()
	switch s.Kind {
	case gatetest.StepTick:
		*u.now = u.now.Add(u.model.Rule.Tick())
		if u.model.Rule.Journal {
			u.m.Sweep(*u.now) // so that what expires is noticed when it does
		}
	case gatetest.StepAdmit:
		h, err := u.m.Admit(ctx, []claviger.Charge{u.model.Rule.Charge(s.Amount)})
		if got := verdict(err); got != want {
			return fmt.Errorf("admit %d: verdict %d, want %d: %w", s.Amount, got, want, err)
		}
		if err == nil {
			u.slots[s.Holder] = h.(*hold)
		}
	case gatetest.StepSettle:
		return u.slots[s.Holder].Settle(ctx, []claviger.Charge{u.model.Rule.Charge(s.Amount)})
	case gatetest.StepRelease:
		return u.slots[s.Holder].Release(ctx)
	case gatetest.StepWrite, gatetest.StepWriteLost, gatetest.StepWriteUnsure:
		u.disk.fails = s.Kind
		if err := u.m.flush(ctx); (err != nil) != (s.Kind != gatetest.StepWrite) {
			return fmt.Errorf("flush: %w", err)
		}
	case gatetest.StepCrash:
		m, err := Restore(ctx, u.options())
		if err != nil {
			return err
		}
		m.journal.keeping = true
		u.m, u.slots = m, [3]*hold{}
	}
	return nil
}

func verdict(err error) gatetest.Verdict {
	switch {
	case err == nil:
		return gatetest.VerdictGranted
	case claviger.AsError(err).Code == claviger.CodeLimitsUnavailable:
		return gatetest.VerdictUnknown
	}
	return gatetest.VerdictRefused
}

// check holds a world to what is true in every one of them.
func (u *universe) check() error {
	c := u.clone()
	c.m.journal.failed, c.m.journal.since, c.m.journal.savingSince = nil, -1, -1
	h, err := c.m.Admit(context.Background(), []claviger.Charge{u.model.Rule.Charge(0)})
	if err != nil {
		return fmt.Errorf("nothing was asked for, and refused: %w", err)
	}
	// As much is left as the model says: what is granted is never above the
	// limit, nothing is counted twice, and nothing is lost.
	if got, want := h.Standings()[0].Remaining, c.model.Remaining(); got != want {
		return fmt.Errorf("%d are left, want %d", got, want)
	}
	if err := h.Release(context.Background()); err != nil {
		return err
	}
	// When all holds have expired and all has drained, nothing is left behind.
	*c.now = c.now.Add(time.Duration(u.model.Rule.Life+int(u.model.Rule.Limit)+10) * u.model.Rule.Tick())
	if c.model.Rule.Journal {
		c.m.Sweep(*c.now)
		c.disk.fails = gatetest.StepWrite
		if err := c.m.flush(context.Background()); err != nil {
			return err
		}
	}
	c.m.Sweep(*c.now)
	if n := c.m.Len(); n != 0 || c.m.oldest != nil {
		return fmt.Errorf("%d windows are left when all is over", n)
	}
	return nil
}

// TestEveryWorld walks through every order of reserving, settling, releasing,
// settling again, settling too late, expiring, writing, failing to write and
// crashing, by several holders, with time passing in between, on the Memory that
// serves, and holds each answer and each state to an independent model (M-L3):
//
//   - what is granted is never above the limit, and what fits is granted,
//   - a hold is closed once, by whatever comes first, and then by nothing else,
//   - one that expires counts as used, and its seat is free,
//   - as much is left as was neither used nor is held, in every state,
//   - nothing is granted while what was taken is not being written,
//   - after a crash all counts that was written, and what was held then as used,
//   - when all is over, nothing is left.
//
// CLAVIGER_STRESS makes the worlds larger.
func TestEveryWorld(t *testing.T) {
	holders, until := 2, 3
	if os.Getenv("CLAVIGER_STRESS") != "" {
		holders, until = 3, 4
	}
	for _, c := range []struct {
		name string
		r    gatetest.AdmissionRule
	}{
		{"lease", gatetest.AdmissionRule{Kind: claviger.ChargeLease, Limit: 2, Holders: 3, Life: 2, Until: until}},
		{"rate", gatetest.AdmissionRule{Kind: claviger.ChargeRate, Limit: 3, Holders: holders, Life: 2, Until: until}},
		{"calendar", gatetest.AdmissionRule{Kind: claviger.ChargeTokens, Calendar: true, Limit: 3, Holders: holders, Life: 2, Until: until + 1}},
		{"calendar with overuse", gatetest.AdmissionRule{Kind: claviger.ChargeMoney, Calendar: true, Limit: 2, Holders: 2, Life: 2, Until: until, Over: 1}},
		{"flow", gatetest.AdmissionRule{Kind: claviger.ChargeTokens, Limit: 3, Holders: holders, Life: 2, Until: until}},
		{"rate with a journal", gatetest.AdmissionRule{Kind: claviger.ChargeRate, Limit: 3, Holders: 1, Life: 2, Until: until, Journal: true}},
		{"calendar with a journal", gatetest.AdmissionRule{Kind: claviger.ChargeMoney, Calendar: true, Limit: 2, Holders: holders - 1, Life: 2, Until: until, Journal: true}},
		{"flow with a journal", gatetest.AdmissionRule{Kind: claviger.ChargeTokens, Limit: 3, Holders: holders - 1, Life: 2, Until: until, Journal: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			states, steps := explore(t, newUniverse(c.r))
			t.Logf("%d states, %d steps", states, steps)
			if states < 100 {
				t.Fatal("the walk proves nothing")
			}
		})
	}
}

// explore visits every world that can be reached from u.
func explore(t *testing.T, u *universe) (states, steps int) {
	t.Helper()
	type path struct {
		before *path
		step   gatetest.Step
	}
	type visit struct {
		u    *universe
		path *path
	}
	seen := map[place]bool{u.place(): true}
	queue := []visit{{u, nil}}
	for len(queue) > 0 {
		v := queue[0]
		queue[0] = visit{}
		queue = queue[1:]
		for _, s := range v.u.model.Steps() {
			steps++
			n := v.u.clone()
			err := n.step(s)
			k := n.place()
			if err == nil && !seen[k] {
				err = n.check()
			}
			if err != nil {
				var how []gatetest.Step
				for p := (&path{v.path, s}); p != nil; p = p.before {
					how = append(how, p.step)
				}
				slices.Reverse(how)
				t.Fatalf("after %+v: %v", how, err)
			}
			if !seen[k] {
				seen[k] = true
				queue = append(queue, visit{n, &path{v.path, s}})
			}
		}
	}
	return len(seen), steps
}
