package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/openaitest"
)

const (
	crowd  = 300
	budget = 20
)

// burst sends one request by each of a crowd at once and counts the statuses.
func burst(r *rig, send func(i int) int) map[int]int {
	var mu sync.Mutex
	out := map[int]int{}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() {
			<-start
			status := send(i)
			mu.Lock()
			out[status]++
			mu.Unlock()
		})
	}
	close(start)
	wg.Wait()
	return out
}

// spendOf is what the budget calls may cost at the worst, so that exactly as
// many are admitted together.
func spendOf(t *testing.T, r *rig, body string) int64 {
	t.Helper()
	var seen atomic.Int64
	r.holds.Admission = spy{r.holds.Admission, func(c []claviger.Charge) {
		for _, x := range c {
			if x.Kind == claviger.ChargeMoney {
				seen.Store(x.Amount)
			}
		}
	}}
	if a := r.post(chatPath, body); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return seen.Load()
}

type spy struct {
	claviger.Admission
	see func([]claviger.Charge)
}

func (s spy) Admit(ctx context.Context, c []claviger.Charge) (claviger.Hold, error) {
	s.see(c)
	return s.Admission.Admit(ctx, c)
}

func money(n int64) claviger.Limit {
	return claviger.Limit{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: n, Per: claviger.PeriodMonth, Currency: "USD"}}
}

// TestBudgetUnderBurst lets 300 callers at once at what is enough for 20, in
// requests, in calls in flight, in tokens and in money: exactly 20 reach the
// provider (M-L3).
func TestBudgetUnderBurst(t *testing.T) {
	body := chat("How many of us get through?")
	probe := newRig(t, func(p *parts) { p.plans[0].Limits = []claviger.Limit{money(1 << 40)} })
	worst := spendOf(t, probe, body)
	for _, tc := range []struct {
		name  string
		limit claviger.Limit
		code  claviger.Code
	}{
		{"requests", claviger.Limit{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: budget, Per: claviger.PeriodMonth}}, claviger.CodeRateLimited},
		{"concurrency", claviger.Limit{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: budget}}, claviger.CodeTooManyInFlight},
		{"spend", money(worst*budget + worst - 1), claviger.CodeBudgetExhausted},
	} {
		for _, scope := range []string{"user", "plan", "total", "ip"} {
			if scope == "ip" && tc.name != "requests" {
				continue // the one limit that is taken elsewhere
			}
			t.Run(tc.name+" by "+scope, func(t *testing.T) {
				// What reaches the provider stays there until all have tried.
				release := make(chan struct{})
				up := &fakeUpstream{do: func(_ context.Context, a claviger.Authorized) (*http.Response, error) {
					<-release
					return reply(plainAnswer(a.Call())), nil
				}}
				r := newRig(t, func(p *parts) {
					p.snapshot.Upstream = up
					switch scope {
					case "user":
						p.plans[0].Limits = []claviger.Limit{tc.limit}
					case "plan":
						p.plans[0].Shared = []claviger.Limit{tc.limit}
					case "total":
						p.snapshot.Total = []claviger.Limit{tc.limit}
					default:
						p.snapshot.PerIP = []claviger.Limit{tc.limit}
					}
				})
				var done atomic.Int64
				statuses := burst(r, func(i int) int {
					who := "ada"
					if scope != "user" {
						who = fmt.Sprint("user", i)
					}
					// The last to be refused lets the others go.
					a := r.post(chatPath, body, "Authorization", r.ticket(who))
					if a.status == http.StatusTooManyRequests && a.code() != string(tc.code) {
						t.Errorf("refused with %s", a.code())
					}
					if a.status == http.StatusTooManyRequests && done.Add(1) == crowd-budget {
						close(release)
					}
					return a.status
				})
				t.Logf("%v, %d reached the provider", statuses, up.calls.Load())
				if up.calls.Load() != budget || statuses[200] != budget || statuses[429] != crowd-budget {
					t.Errorf("%v and %d calls, want %d", statuses, up.calls.Load(), budget)
				}
			})
		}
	}
}

// TestSettledEqualsCharged runs many plain calls and streams, in parallel, and
// compares what was settled with what the provider says that it charged (M-L3).
func TestSettledEqualsCharged(t *testing.T) {
	r := newRig(t, func(p *parts) {
		p.plans[0].Limits = []claviger.Limit{
			money(1 << 40), {Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodMonth}},
		}
	})
	paths := []struct{ path, body string }{
		{chatPath, `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"plain %d"}]}`},
		{"/v1/responses", `{"model":"gpt-4.1-mini","input":"response %d"}`},
		{generatePath, `{"prompt":"action %d"}`},
		{"/v1/embeddings", `{"model":"text-embedding-3-small","input":"embedding %d"}`},
		{chatPath, `{"model":"gpt-4.1-mini","stream":true,"messages":[{"role":"user","content":"stream %d"}]}`},
	}
	statuses := burst(r, func(i int) int {
		p := paths[i%len(paths)]
		return r.post(p.path, fmt.Sprintf(p.body, i)).status
	})
	if statuses[http.StatusOK] != crowd {
		t.Fatalf("%v", statuses)
	}
	r.events.wait(t, crowd)
	u := r.sim.Units().Total
	got, want := r.holds.used(claviger.ChargeTokens), u.Input+u.Output
	t.Logf("settled %d tokens, the provider charged %d", got, want)
	if got != want {
		t.Errorf("settled %d tokens, the provider charged %d", got, want)
	}
	var cost int64
	for _, e := range r.events.all() {
		c, ok := admit.DefaultPrices().Cost(e.Model, e.Units)
		if !ok || e.Estimated {
			t.Errorf("%+v has no cost or is an estimate", e)
		}
		cost += c.Micros
	}
	if spent := r.holds.used(claviger.ChargeMoney); spent != cost || spent == 0 {
		t.Errorf("settled %d micros, the calls cost %d", spent, cost)
	}
}

// TestLimitsByFailure: what the provider refuses costs nothing but the request,
// and what it may have made costs what was held (M-L3).
func TestLimitsByFailure(t *testing.T) {
	r := newRig(t, func(p *parts) {
		p.sim.PromptFaults = true
		p.plans[0].Limits = []claviger.Limit{{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodMonth}}}
	})
	for _, tc := range []struct {
		fault  openaitest.Fault
		status int
		free   bool
	}{
		{openaitest.Fault{Kind: openaitest.Status, Status: 500}, 502, true},
		{openaitest.Fault{Kind: openaitest.Status, Status: 400}, 400, true},
		{openaitest.Fault{Kind: openaitest.Status, Status: 401}, 502, true},
		{openaitest.Fault{Kind: openaitest.Status, Status: 429, RetryAfter: "3"}, 503, true},
		{openaitest.Fault{Kind: openaitest.Redirect}, 502, true},
		{openaitest.Fault{Kind: openaitest.HTML}, 502, false},
		{openaitest.Fault{Kind: openaitest.Truncated}, 502, false},
		{openaitest.Fault{Kind: openaitest.Cut}, 502, false},
		{openaitest.Fault{Kind: openaitest.InvalidJSON}, 502, false},
		{openaitest.Fault{Kind: openaitest.NoUsage}, 200, false},
	} {
		r.sim.Clear()
		r.sim.Inject(tc.fault)
		a := r.post(chatPath, chat("hi"))
		s := r.holds.last()
		tokens := amount(s.used, claviger.ChargeTokens)
		t.Logf("%-32s %d released %v, %d tokens", tc.fault.String(), a.status, s.released, tokens)
		if a.status != tc.status || s.released != tc.free || tokens != amount(s.held, claviger.ChargeTokens) && !tc.free || tokens != 0 && tc.free {
			t.Errorf("%s: %d, released %v, %d tokens; want %d, %v", tc.fault.String(), a.status, s.released, tokens, tc.status, tc.free)
		}
	}
}

// TestShareOfAPlan: who is on a plan that has used up its share is refused, and told
// of what; who is on another is served, until all of it is taken (M-L3).
func TestShareOfAPlan(t *testing.T) {
	release := make(chan struct{})
	arrived := make(chan struct{}, 10)
	r := newRig(t, func(p *parts) {
		p.snapshot.Upstream = &fakeUpstream{do: func(_ context.Context, a claviger.Authorized) (*http.Response, error) {
			arrived <- struct{}{}
			<-release
			return reply(plainAnswer(a.Call())), nil
		}}
		p.snapshot.Total = []claviger.Limit{{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: 3}}}
		pro, free := p.plans[0], p.plans[0]
		pro.Name, pro.When = "pro", `user.subject == "ada"`
		free.Name, free.Shared = "free", admit.Share(p.snapshot.Total, 34)
		p.plans = []authz.Plan{pro, free}
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	for _, step := range []struct {
		who   string
		limit string
	}{{"bob", ""}, {"carol", "plan"}, {"ada", ""}, {"ada", ""}, {"ada", "total"}} {
		if step.limit == "" {
			wg.Go(func() { r.post(chatPath, chat("hi"), "Authorization", r.ticket(step.who)) })
			<-arrived
			continue
		}
		a := r.post(chatPath, chat("hi"), "Authorization", r.ticket(step.who))
		if told := strings.Contains(a.header.Get("RateLimit"), `"plan-concurrency";r=0`); a.status != http.StatusTooManyRequests || a.code() != "too_many_in_flight" || told != (step.limit == "plan") {
			t.Errorf("%s: %d %s %v", step.who, a.status, a.body, a.header)
		}
	}
}
