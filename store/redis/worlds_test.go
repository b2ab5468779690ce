package redis_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/store/redis"
)

// TestWorlds takes ways at random through the worlds of which package admit
// visits every one, and holds Redis to the same independent model: each verdict,
// and what is left after each step. CLAVIGER_STRESS takes more of them.
func TestWorlds(t *testing.T) {
	ways := 15
	if os.Getenv("CLAVIGER_STRESS") != "" {
		ways = 2000
	}
	s := start(t)
	for _, r := range []gatetest.AdmissionRule{
		{Kind: claviger.ChargeLease, Limit: 2, Holders: 3, Life: 2, Until: 30},
		{Kind: claviger.ChargeRate, Limit: 3, Holders: 3, Life: 2, Until: 30},
		{Kind: claviger.ChargeTokens, Calendar: true, Limit: 3, Holders: 3, Life: 2, Until: 30},
		{Kind: claviger.ChargeMoney, Calendar: true, Limit: 2, Holders: 3, Life: 2, Until: 30, Over: 1},
		{Kind: claviger.ChargeTokens, Limit: 3, Holders: 3, Life: 2, Until: 30},
	} {
		t.Run(fmt.Sprint(r.Kind, " calendar ", r.Calendar), func(t *testing.T) {
			seen := map[gatetest.AdmissionModel]bool{}
			for i := range ways {
				w := &way{T: t, model: gatetest.NewAdmissionModel(r), now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
				w.redis = s.open(t, redis.Options{
					Now: func() time.Time { return w.now }, Prefix: fmt.Sprintf("w%d%s%v:", i, r.Kind, r.Calendar),
					LeaseTTL: time.Duration(r.Life) * r.Tick(), Timeout: 30 * time.Second,
				})
				for range 40 {
					w.step()
					seen[w.model] = true
					if t.Failed() {
						return
					}
				}
			}
			t.Logf("%d ways through %d states", ways, len(seen))
		})
	}
}

// way is one way through the worlds, and what was done on it.
type way struct {
	*testing.T
	model gatetest.AdmissionModel
	now   time.Time
	redis *redis.Admission
	slots [3]claviger.Hold
	done  []gatetest.Step
}

func (w *way) step() {
	all := w.model.Steps()
	s := all[rand.IntN(len(all))]
	w.done = append(w.done, s)
	want := w.model.Apply(s)
	switch s.Kind {
	case gatetest.StepTick:
		w.now = w.now.Add(w.model.Rule.Tick())
	case gatetest.StepAdmit:
		h, err := w.redis.Admit(w.Context(), []claviger.Charge{w.model.Rule.Charge(s.Amount)})
		if (err == nil) != (want == gatetest.VerdictGranted) || codeOf(err) == claviger.CodeLimitsUnavailable {
			w.Errorf("after %+v: %v, want verdict %d", w.done, err, want)
		}
		if err == nil {
			w.slots[s.Holder] = h
		}
	case gatetest.StepSettle:
		if err := w.slots[s.Holder].Settle(w.Context(), []claviger.Charge{w.model.Rule.Charge(s.Amount)}); err != nil {
			w.Errorf("after %+v: %v", w.done, err)
		}
	default:
		if err := w.slots[s.Holder].Release(w.Context()); err != nil {
			w.Errorf("after %+v: %v", w.done, err)
		}
	}
	h, err := w.redis.Admit(w.Context(), []claviger.Charge{w.model.Rule.Charge(0)})
	if err != nil {
		w.Errorf("after %+v: %v", w.done, err)
		return
	}
	if got, left := h.Standings()[0].Remaining, w.model.Remaining(); got != left {
		w.Errorf("after %+v: %d are left, want %d", w.done, got, left)
	}
	if err := h.Release(w.Context()); err != nil {
		w.Error(err)
	}
}
