package admit_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

func TestShare(t *testing.T) {
	for _, c := range []struct{ limit, percent, want int64 }{
		{100, 50, 50},
		{3, 50, 1},
		{1, 50, 0},
		{7, 100, 7},
		{7, 200, 7},
		{7, 0, 0},
		{7, -1, 0},
		{199, 1, 1},
		{math.MaxInt64, 100, math.MaxInt64},
		{math.MaxInt64, 50, math.MaxInt64 / 2},
		{0, 50, 0},
	} {
		all := []claviger.Limit{{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: c.limit}}}
		if got := admit.Share(all, c.percent)[0].Window.Limit; got != c.want {
			t.Errorf("%d%% of %d is %d, want %d", c.percent, c.limit, got, c.want)
		}
		if all[0].Window.Limit != c.limit {
			t.Error("the limits of all were changed")
		}
	}
}

// ofKinds are the limits of all together that shares are drawn of.
func ofKinds(rt *rapid.T) []claviger.Limit {
	n := rapid.Int64Range(1, 60)
	return []claviger.Limit{
		{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: n.Draw(rt, "requests"), Per: claviger.PeriodDay}},
		{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: n.Draw(rt, "concurrency")}},
		{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: n.Draw(rt, "tokens"), Per: claviger.PeriodDay}},
		{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: n.Draw(rt, "spend"), Per: claviger.PeriodDay, Currency: admit.Currency}},
	}
}

// group is a plan, and what its callers hold and used of each limit.
type group struct {
	name  string
	share []claviger.Limit
	taken [4]int64
}

// sharing are plans on one admission.
type sharing struct {
	rt     *rapid.T
	memory *admit.Memory
	total  []claviger.Limit
	groups []*group
	open   []opened
}

type opened struct {
	hold    claviger.Hold
	charges []claviger.Charge
	by      *group
	amounts [4]int64
}

// admit takes a call of a plan, and holds the answer to what there is: the plan
// has its share, all together the total, and nothing else refuses.
func (s *sharing) admit(g *group) {
	w := admit.Worst{Requests: 1, Tokens: rapid.Int64Range(0, 20).Draw(s.rt, "tokens")}
	w.Money = claviger.Money{Micros: rapid.Int64Range(0, 20).Draw(s.rt, "money"), Currency: admit.Currency}
	amounts := [4]int64{1, 1, w.Tokens, w.Money.Micros}
	charges := admit.Charges(nil, g.share, "plan", "plan:"+g.name, w)
	charges = admit.Charges(charges, s.total, "total", "total:all", w)
	fits := true
	for i, n := range amounts {
		all := n
		for _, o := range s.groups {
			all += o.taken[i]
		}
		fits = fits && all <= s.total[i].Window.Limit && (g.share == nil || g.taken[i]+n <= g.share[i].Window.Limit)
	}
	hold, err := s.memory.Admit(s.rt.Context(), charges)
	if (err == nil) != fits {
		s.rt.Fatalf("%s: admitted %v, room %v, taken %v, a share of %v", g.name, err, fits, g.taken, g.share)
	}
	if err != nil {
		return
	}
	for i, n := range amounts {
		g.taken[i] += n
	}
	s.open = append(s.open, opened{hold, charges, g, amounts})
}

// settle ends a call with less than it held, and its seat is free again.
func (s *sharing) settle() {
	if len(s.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(s.open)-1).Draw(s.rt, "call")
	o := s.open[i]
	s.open = append(s.open[:i], s.open[i+1:]...)
	tokens := rapid.Int64Range(0, o.amounts[2]).Draw(s.rt, "used tokens")
	spent := rapid.Int64Range(0, o.amounts[3]).Draw(s.rt, "spent")
	if err := o.hold.Settle(s.rt.Context(), admit.Used(o.charges, tokens, claviger.Money{Micros: spent, Currency: admit.Currency})); err != nil {
		s.rt.Fatal(err)
	}
	o.by.taken[1]--
	o.by.taken[2] += tokens - o.amounts[2]
	o.by.taken[3] += spent - o.amounts[3]
}

// TestShareLeavesRoom: whatever the callers of a plan do, together they have no
// more than its share of any limit of all, and who is on another plan is refused
// only where all of it is taken (M-L3).
func TestShareLeavesRoom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
		s := &sharing{rt: rt, memory: admit.NewMemory(admit.MemoryOptions{Now: func() time.Time { return now }}), total: ofKinds(rt)}
		s.groups = []*group{
			{name: "free", share: admit.Share(s.total, rapid.Int64Range(1, 99).Draw(rt, "percent"))},
			{name: "trial", share: admit.Share(s.total, rapid.Int64Range(1, 99).Draw(rt, "percent of trial"))},
			{name: "pro"},
		}
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			if rapid.IntRange(0, 2).Draw(rt, "settle") == 0 {
				s.settle()
				continue
			}
			s.admit(rapid.SampledFrom(s.groups).Draw(rt, "plan"))
		}
	})
}
