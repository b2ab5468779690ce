package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
)

func poolOf(weights ...int) (*Pool, []PoolKey) {
	var list []PoolKey
	for i, w := range weights {
		list = append(list, PoolKey{Ref: claviger.Ref(fmt.Sprintf("env:KEY_%d", i)), Secret: claviger.NewSecret([]byte("sk-" + random())), Weight: w})
	}
	return NewPool(PoolOptions{}, list), list
}

// take returns the place of the key that was taken, or the error's code.
func take(t testing.TB, p *Pool, list []PoolKey, except ...int) any {
	t.Helper()
	var ids []string
	for _, i := range except {
		ids = append(ids, list[i].Secret.Fingerprint())
	}
	id, s, err := p.Take(t.Context(), claviger.KeyUse{}, ids)
	if err != nil {
		e, ok := errors.AsType[*claviger.Error](err)
		if !ok || id != "" || !s.IsZero() {
			t.Fatalf("%q, %v", id, err)
		}
		return e.Code
	}
	i := slices.IndexFunc(list, func(k PoolKey) bool { return k.Secret.Equal(s) })
	if i < 0 || list[i].Secret.Fingerprint() != id {
		t.Fatalf("took %s, which is none of the list", id)
	}
	return i
}

func report(p *Pool, k PoolKey, status int, wait time.Duration) {
	p.Report(k.Secret.Fingerprint(), status, wait)
}

func TestWeights(t *testing.T) {
	for _, weights := range [][]int{{1}, {1, 1}, {5, 1, 1}, {3, 2}, {0, -4, 2}, {1, 1, 1, 7}} {
		p, list := poolOf(weights...)
		total := 0
		for _, w := range weights {
			total += max(w, 1)
		}
		counts := map[any]int{}
		for range 10 * total {
			counts[take(t, p, list)]++
		}
		for i, w := range weights {
			if counts[i] != 10*max(w, 1) {
				t.Errorf("weights %v: key %d was taken %d times of %d", weights, i, counts[i], 10*total)
			}
		}
	}
	p, list := poolOf(5, 1, 1)
	var order []any
	for range 7 {
		order = append(order, take(t, p, list))
	}
	if want := []any{0, 0, 1, 0, 2, 0, 0}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v: smooth and always the same", order, want)
	}
}

func TestExcept(t *testing.T) {
	p, list := poolOf(1, 1, 1)
	for range 5 {
		if got := take(t, p, list, 0, 1); got != 2 {
			t.Errorf("took %v", got)
		}
	}
	if got := take(t, p, list, 0, 1, 2); got != claviger.CodeUpstreamBusy {
		t.Errorf("all tried: %v", got)
	}
}

func TestRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{401, 403} {
			p, list := poolOf(1, 1)
			report(p, list[0], status, 0)
			for range 4 {
				if got := take(t, p, list); got != 1 {
					t.Fatalf("%d: took %v", status, got)
				}
			}
			report(p, list[1], status, 0)
			if got := take(t, p, list); got != claviger.CodeUpstreamError {
				t.Errorf("all rejected: %v", got)
			}
			time.Sleep(time.Minute - 1)
			if got := take(t, p, list); got != claviger.CodeUpstreamError {
				t.Errorf("before the minute: %v", got)
			}
			time.Sleep(time.Nanosecond)
			// One trial for each key, and no more.
			a, b := take(t, p, list), take(t, p, list)
			if a != 0 || b != 1 || take(t, p, list) != claviger.CodeUpstreamError {
				t.Errorf("trials %v and %v", a, b)
			}
			report(p, list[0], status, 0)
			report(p, list[1], 200, 0)
			if got := take(t, p, list); got != 1 {
				t.Errorf("after a trial that succeeded: %v", got)
			}
			time.Sleep(time.Minute)
			if got := take(t, p, list, 1); got != 0 {
				t.Errorf("no trial after another minute: %v", got)
			}
		}
	})
}

// TestTrialBesideHealthyKeys holds that a rejected key gets its trial though
// others serve, and that a second attempt of a call goes to one that serves.
func TestTrialBesideHealthyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, list := poolOf(1, 1, 1)
		report(p, list[0], 401, 0)
		report(p, list[1], 401, 0)
		time.Sleep(time.Minute)
		if got := take(t, p, list); got != 0 {
			t.Errorf("trial of %v", got)
		}
		report(p, list[0], 401, 0)
		if got := take(t, p, list, 0); got != 2 {
			t.Errorf("the second attempt went to %v", got)
		}
	})
}

func TestLostTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, list := poolOf(1)
		report(p, list[0], 401, 0)
		for range 3 {
			time.Sleep(time.Minute)
			if got := take(t, p, list); got != 0 {
				t.Fatalf("no trial after a lost one: %v", got)
			}
			if got := take(t, p, list); got != claviger.CodeUpstreamError {
				t.Fatalf("two trials at once: %v", got)
			}
		}
	})
}

func TestCooling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, list := poolOf(1)
		report(p, list[0], 429, 20*time.Second)
		_, _, err := p.Take(t.Context(), claviger.KeyUse{}, nil)
		e, ok := errors.AsType[*claviger.Error](err)
		if !ok || e.Code != claviger.CodeUpstreamBusy || e.RetryAfter != 20*time.Second {
			t.Fatalf("got %v", err)
		}
		time.Sleep(5 * time.Second)
		// What came out of calls that were under way changes nothing.
		report(p, list[0], 200, 0)
		report(p, list[0], 429, time.Second)
		report(p, list[0], 429, 0)
		report(p, list[0], 500, 0)
		time.Sleep(15*time.Second - 1)
		if got := take(t, p, list); got != claviger.CodeUpstreamBusy {
			t.Errorf("before its end: %v", got)
		}
		time.Sleep(time.Nanosecond)
		for range 3 {
			if got := take(t, p, list); got != 0 {
				t.Errorf("after a time that was told: %v", got)
			}
		}
		report(p, list[0], 429, 1000*time.Hour)
		time.Sleep(time.Hour)
		if got := take(t, p, list); got != 0 {
			t.Errorf("out for longer than an hour: %v", got)
		}
	})
}

func TestCoolingWithoutATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, list := poolOf(1)
		report(p, list[0], 429, 0)
		for _, wait := range []time.Duration{5, 10, 20, 30, 30} {
			time.Sleep(wait*time.Second - 1)
			if got := take(t, p, list); got != claviger.CodeUpstreamBusy {
				t.Fatalf("before %d s: %v", wait, got)
			}
			time.Sleep(time.Nanosecond)
			if a, b := take(t, p, list), take(t, p, list); a != 0 || b != claviger.CodeUpstreamBusy {
				t.Fatalf("after %d s: %v and %v, want one trial", wait, a, b)
			}
			report(p, list[0], 429, 0)
		}
		time.Sleep(30 * time.Second)
		// A trial that told nothing is made again at once.
		if take(t, p, list) != 0 {
			t.Fatal("no trial")
		}
		report(p, list[0], 0, 0)
		if take(t, p, list) != 0 {
			t.Fatal("no trial after one that told nothing")
		}
		report(p, list[0], 200, 0)
		for range 3 {
			if got := take(t, p, list); got != 0 {
				t.Fatalf("not healed: %v", got)
			}
		}
		report(p, list[0], 429, 0)
		time.Sleep(5 * time.Second)
		if got := take(t, p, list); got != 0 {
			t.Errorf("success did not set the cool-down back: %v", got)
		}
	})
}

func TestStatusesThatHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for status, healed := range map[int]bool{200: true, 400: true, 404: true, 422: true, 302: true, 0: false, 500: false, 503: false} {
			p, list := poolOf(1)
			report(p, list[0], 401, 0)
			time.Sleep(time.Minute)
			if take(t, p, list) != 0 {
				t.Fatal("no trial")
			}
			report(p, list[0], status, 0)
			if got := take(t, p, list); (got == 0) != healed {
				t.Errorf("after a trial with %d: %v", status, got)
			}
		}
	})
}

func TestNoKey(t *testing.T) {
	missing := PoolKey{Ref: "env:OPENAI_API_KEY", Err: errors.New("env:OPENAI_API_KEY: it is not set")}
	for name, list := range map[string][]PoolKey{"none": nil, "missing": {missing}, "empty": {{Ref: "env:OPENAI_API_KEY"}}} {
		p := NewPool(PoolOptions{}, list)
		_, _, err := p.Take(t.Context(), claviger.KeyUse{}, nil)
		e, ok := errors.AsType[*claviger.Error](err)
		if !ok || e.Code != claviger.CodeMisconfigured || e.Sentence() != "Server misconfigured" {
			t.Errorf("%s: %v", name, err)
		}
		if len(list) > 0 && !strings.Contains(err.Error(), "OPENAI_API_KEY") {
			t.Errorf("%s: the log does not name the variable: %v", name, err)
		}
		if len(p.Problems()) != 1 || len(p.Status()) != len(list) {
			t.Errorf("%s: %q, %v", name, p.Problems(), p.Status())
		}
	}
	good, list := poolOf(1)
	p := good.Replace(append(list, missing))
	if p.Problems() != nil || take(t, p, list) != 0 {
		t.Errorf("one missing among others: %q", p.Problems())
	}
	report(p, list[0], 401, 0)
	if got := take(t, p, list); got != claviger.CodeUpstreamError {
		t.Errorf("one missing and one rejected: %v", got)
	}
	if got := p.Problems(); len(got) != 2 || !strings.Contains(got[0], "401") {
		t.Errorf("problems %q", got)
	}
}

func TestMixedTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, list := poolOf(1, 1, 1)
		report(p, list[0], 401, 0)
		report(p, list[1], 429, 40*time.Second)
		report(p, list[2], 429, 20*time.Second)
		_, _, err := p.Take(t.Context(), claviger.KeyUse{}, nil)
		e, ok := errors.AsType[*claviger.Error](err)
		if !ok || e.Code != claviger.CodeUpstreamBusy || e.RetryAfter != 20*time.Second {
			t.Errorf("got %v", err)
		}
		var states []State
		for _, k := range p.Status() {
			states = append(states, k.State)
		}
		if want := []State{StateRejected, StateCooling, StateCooling}; !slices.Equal(states, want) {
			t.Errorf("states %v", states)
		}
	})
}

func TestReplaceKeepsHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, list := poolOf(1, 1)
		report(old, list[0], 401, 0)
		fresh := PoolKey{Ref: list[0].Ref, Secret: claviger.NewSecret([]byte("sk-" + random()))}
		next := old.Replace([]PoolKey{list[0], list[1]})
		if got := take(t, next, list); got != 1 {
			t.Errorf("the rejected key came back with a reload: %v", got)
		}
		changed := next.Replace([]PoolKey{fresh, list[1]})
		counts := map[any]int{}
		for range 4 {
			counts[take(t, changed, []PoolKey{fresh, list[1]})]++
		}
		if counts[0] != 2 || counts[1] != 2 {
			t.Errorf("the changed key does not serve: %v", counts)
		}
		// A call under way on the old pool still counts in the new one.
		report(old, list[1], 429, time.Minute)
		if got := take(t, changed, []PoolKey{fresh, list[1]}, 0); got != claviger.CodeUpstreamBusy {
			t.Errorf("the new pool did not hear of it: %v", got)
		}
		// A key that is gone is forgotten, and reports of it do no harm.
		report(changed, list[0], 200, 0)
		last := changed.Replace(nil).Replace(nil)
		if len(last.shared.health) != 0 {
			t.Errorf("remembers %d keys that are gone", len(last.shared.health))
		}
		var none *Pool
		if got := take(t, none.Replace(list), list); got != 0 {
			t.Errorf("out of no pool: %v", got)
		}
	})
}

func TestDuplicatesCountOnce(t *testing.T) {
	_, list := poolOf(1, 1)
	p := NewPool(PoolOptions{}, []PoolKey{list[0], list[1], list[0]})
	counts := map[any]int{}
	for range 6 {
		counts[take(t, p, list)]++
	}
	if counts[0] != 4 || counts[1] != 2 || len(p.Status()) != 2 {
		t.Errorf("%v of %v", counts, p.Status())
	}
}

func TestChanged(t *testing.T) {
	var heard []KeyStatus
	list := []PoolKey{{Ref: "env:A", Secret: claviger.NewSecret([]byte("sk-" + random())), Project: "proj"}}
	p := NewPool(PoolOptions{Changed: func(k KeyStatus) { heard = append(heard, k) }}, list)
	for _, status := range []int{200, 401, 401, 500} {
		report(p, list[0], status, 0)
	}
	if len(heard) != 1 || heard[0].State != StateRejected || heard[0].Answer != 401 || heard[0].Ref != "env:A" || heard[0].Project != "proj" {
		t.Errorf("heard %+v", heard)
	}
	if text := fmt.Sprintf("%v %+v %#v %+v %#v", heard, heard, heard, p.entries[0], p); strings.Contains(text, reveal(list[0].Secret)) {
		t.Error("the key shows")
	}
}

// TestPoolModel compares with a slow model that keeps the whole history of each
// key and decides from it.
func TestPoolModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_800_000_000, 0)
		n := rapid.IntRange(1, 4).Draw(t, "keys")
		_, list := poolOf(make([]int, n)...)
		p := NewPool(PoolOptions{Now: func() time.Time { return now }}, list)
		models := make([]model, n)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				now = now.Add(time.Duration(rapid.IntRange(1, 70).Draw(t, "seconds")) * time.Second)
			case 1:
				i := rapid.IntRange(0, n-1).Draw(t, "key")
				status := rapid.SampledFrom([]int{0, 200, 400, 401, 403, 429, 500}).Draw(t, "status")
				wait := time.Duration(rapid.SampledFrom([]int{0, 10, 100}).Draw(t, "wait")) * time.Second
				report(p, list[i], status, wait)
				models[i].learn(now, status, wait)
			default:
				stepTake(t, p, list, models, now)
			}
		}
	})
}

func stepTake(t *rapid.T, p *Pool, list []PoolKey, models []model, now time.Time) {
	var except []string
	tried := map[int]bool{}
	for i := range list {
		if rapid.IntRange(0, 4).Draw(t, "tried") == 0 {
			tried[i] = true
			except = append(except, list[i].Secret.Fingerprint())
		}
	}
	fit, due := []int{}, []int{}
	for i := range models {
		switch {
		case tried[i]:
		case models[i].fit(now):
			fit = append(fit, i)
		case !now.Before(models[i].next):
			due = append(due, i)
		}
	}
	want := slices.Concat(fit, due)
	switch {
	case len(except) == 0 && len(due) > 0:
		want = due
	case len(fit) > 0:
		want = fit
	}
	id, _, err := p.Take(context.Background(), claviger.KeyUse{}, except)
	if err != nil {
		if len(want) > 0 {
			t.Fatalf("no key (%v), though %v would do", err, want)
		}
		checkNone(t, err, models)
		return
	}
	i := slices.IndexFunc(list, func(k PoolKey) bool { return k.Secret.Fingerprint() == id })
	if !slices.Contains(want, i) {
		t.Fatalf("took %d, want one of %v", i, want)
	}
	if !models[i].fit(now) {
		models[i].begin(now)
	}
}

func checkNone(t *rapid.T, err error, models []model) {
	e, ok := errors.AsType[*claviger.Error](err)
	rejected := !slices.ContainsFunc(models, func(m model) bool { return m.kind != 401 })
	switch {
	case !ok:
		t.Fatalf("not ours: %v", err)
	case rejected && e.Code != claviger.CodeUpstreamError:
		t.Fatalf("all rejected: %v", err)
	case !rejected && (e.Code != claviger.CodeUpstreamBusy || e.RetryAfter < time.Second):
		t.Fatalf("got %v after %s", err, e.RetryAfter)
	}
}

// model is a key as the contract tells of it: kind is 0, 401, 429 (no time) or
// 1429 (a time was told).
type model struct {
	kind  int
	next  time.Time
	trial bool
	times int
}

func (m *model) fit(now time.Time) bool {
	return m.kind == 0 || m.kind == 1429 && !now.Before(m.next)
}

func (m *model) begin(now time.Time) {
	m.trial = true
	m.next = now.Add(map[int]time.Duration{401: time.Minute, 429: 30 * time.Second}[m.kind])
}

func (m *model) learn(now time.Time, status int, wait time.Duration) {
	out := m.kind != 0 && now.Before(m.next) && !m.trial
	switch {
	case status == 401 || status == 403:
		*m = model{kind: 401, next: now.Add(time.Minute)}
	case status == 429 && m.kind == 401 && !m.trial:
	case status == 429 && wait > 0:
		// What the provider says counts, also when it is the time that was there.
		if !out || !now.Add(wait).Before(m.next) {
			*m = model{kind: 1429, next: now.Add(wait)}
		}
	case status == 429 && !out:
		*m = model{kind: 429, next: now.Add(min(5*time.Second<<m.times, 30*time.Second)), times: m.times + 1}
	case status == 429:
	case status == 0 || status >= 500:
		if m.trial && m.kind == 429 {
			m.next = now
		}
		m.trial = false
	case !out:
		*m = model{}
	}
}

// TestToldTheSameTime: the provider names the time at which a cool-down of our own
// would end. Then its word counts, and the key is fit with no trial.
func TestToldTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, list := poolOf(1)
		report(p, list[0], 429, 0)
		report(p, list[0], 429, firstCooling)
		time.Sleep(firstCooling)
		for range 2 {
			if got := take(t, p, list); got != 0 {
				t.Errorf("got %v", got)
			}
		}
	})
}

func TestPoolConcurrent(t *testing.T) {
	p, list := poolOf(1, 2, 3)
	var wg sync.WaitGroup
	var mu sync.Mutex
	counts := map[string]int{}
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				id, s, err := p.Take(t.Context(), claviger.KeyUse{}, nil)
				if err == nil && s.IsZero() {
					t.Error("no key and no error")
				}
				p.Report(id, []int{200, 200, 429, 500}[(g+i)%4], time.Nanosecond)
				if i%50 == 0 {
					_ = p.Status()
					_ = p.Replace(list[:1+i%3]).Problems()
				}
				mu.Lock()
				counts[id]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(slices.Collect(maps.Keys(counts))) < 3 {
		t.Errorf("taken %v", counts)
	}
}

func BenchmarkTake(b *testing.B) {
	p, _ := poolOf(1, 1, 1)
	b.ReportAllocs()
	for b.Loop() {
		id, _, err := p.Take(b.Context(), claviger.KeyUse{}, nil)
		if err != nil {
			b.Fatal(err)
		}
		p.Report(id, 200, 0)
	}
}
