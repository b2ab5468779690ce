package authz

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"claviger.dev/claviger"
)

func mustNew(t testing.TB, plans ...Plan) *Plans {
	t.Helper()
	ps, err := New(plans)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func person(claims claviger.Claims) claviger.Principal {
	return claviger.Principal{Realm: "app", Subject: "u1", Method: "authjs", Roles: []string{"member"}, Claims: claims}
}

func chat(model string) claviger.Call {
	return claviger.Call{Endpoint: "chat.completions", Model: model}
}

func run(action, model string) claviger.Call {
	return claviger.Call{Endpoint: "responses", Action: action, Model: model}
}

func TestConditions(t *testing.T) {
	rich := person(claviger.Claims{
		"plan": "pro", "level": 3.0, "big": int64(1) << 60, "beta": true, "groups": []any{"a", "b"}, "nothing": nil,
		"org": map[string]any{"id": "o1", "seats": 12.0}, "email": "x@example.com",
	})
	rich.Tenant = "t1"
	for _, tt := range []struct {
		when string
		want bool
		fail bool // the evaluation fails, which refuses
	}{
		{when: `user.claims.plan == "pro"`, want: true},
		{when: `user.claims["plan"] == "pro"`, want: true},
		{when: `user.claims.plan == "free"`},
		{when: `user.claims.absent == "pro"`},
		{when: `user.claims.absent != "pro"`},
		{when: `!(user.claims.absent == "pro")`},
		{when: `user.claims["absent"].deeper == 1`},
		{when: `user.claims.nothing == null`, want: true},
		{when: `user.claims.nothing.deeper == "x"`},
		{when: `user.claims.plan.deeper == "x"`},
		{when: `user.claims.absent == "x" || user.claims.plan == "pro"`, want: true},
		{when: `user.claims.absent == "x" && user.claims.plan == "pro"`},
		{when: `has(user.claims.plan)`, want: true},
		{when: `has(user.claims.absent)`},
		{when: `user.claims.level == 3 && user.claims.level >= 2 && user.claims.level < 3.5`, want: true},
		{when: `user.claims.big > 5`, want: true},
		{when: `user.claims.level == "3"`},
		{when: `user.claims.beta == true`, want: true},
		{when: `user.claims.org.seats > 10 && user.claims.org.id == "o1"`, want: true},
		{when: `"b" in user.claims.groups`, want: true},
		{when: `"c" in user.claims.groups`},
		{when: `"c" in user.claims.absent`},
		{when: `user.claims.groups.exists(g, g.startsWith("b"))`, want: true},
		{when: `user.claims.groups[7] == "x"`, fail: true},
		{when: `"member" in user.roles`, want: true},
		{when: `user.roles.exists(r, r in ["admin", "member"])`, want: true},
		{when: `user.subject == "u1" && user.realm == "app" && user.tenant == "t1" && user.method == "authjs"`, want: true},
		{when: `user.claims.email.endsWith("@example.com")`, want: true},
		{when: `user.claims.email.matches("^[a-z]+@example[.]com$")`, want: true},
		{when: `user.claims.plan > 3`, fail: true},
		{when: `user.claims.nothing.exists(x, true)`, fail: true},
		{when: `int(user.claims.plan) > 3`, fail: true},
		{when: `1 / int(user.claims.level - 3.0) == 1`, fail: true},
		{when: `true`, want: true},
		{when: `false`},
	} {
		t.Run(tt.when, func(t *testing.T) {
			ps, err := New([]Plan{{Name: "p", When: tt.when, Models: []string{"*"}}, {Name: "rest", Models: []string{"*"}}})
			if err != nil {
				t.Fatal(err)
			}
			d, err := ps.Authorize(t.Context(), rich, chat("m"))
			if tt.fail {
				ce, ok := errors.AsType[*claviger.Error](err)
				if !ok || ce.Code != claviger.CodeForbidden || d.Allow || d.Rule != "plans[0].when" {
					t.Fatalf("a failing condition must refuse: %+v, %v", d, err)
				}
				for _, v := range []string{"example.com", "o1", "pro\""} {
					if strings.Contains(err.Error(), v) {
						t.Errorf("the error quotes a claim: %v", err)
					}
				}
				return
			}
			want := map[bool]string{true: "p", false: "rest"}[tt.want]
			if err != nil || !d.Allow || d.Plan != want {
				t.Fatalf("got plan %q, allow %t, %v; want plan %q", d.Plan, d.Allow, err, want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	long := `user.subject == "` + strings.Repeat("x", maxExpression) + `"`
	for _, tt := range []struct {
		name         string
		plans        []Plan
		index        int
		field        string
		line, column int
		reason       string
	}{
		{"no name", []Plan{{}}, 0, "name", 0, 0, "needs a name"},
		{"same name", []Plan{{Name: "a"}, {Name: "a"}}, 1, "name", 0, 0, "already taken by plans[0]"},
		{"syntax", []Plan{{Name: "a", When: "user.subject =="}}, 0, "when", 1, 16, "Syntax error"},
		{"second line", []Plan{{Name: "a", When: "true &&\n  user.nme == 'x'"}}, 0, "when", 2, 3, "known are user.subject"},
		{"unknown variable", []Plan{{Name: "a"}, {Name: "b", When: "usr.subject == 'x'"}}, 1, "when", 1, 4, "undeclared reference"},
		{"user alone", []Plan{{Name: "a", When: "user == 'x'"}}, 0, "when", 1, 1, "known are user.subject"},
		{"wrong type", []Plan{{Name: "a", When: "user.subject == 3"}}, 0, "when", 1, 14, "no matching overload"},
		{"not a boolean", []Plan{{Name: "a", When: "user.subject"}}, 0, "when", 1, 1, "gives string"},
		{"a bare claim", []Plan{{Name: "a", When: "user.claims.beta"}}, 0, "when", 1, 1, "gives dyn"},
		{"too long", []Plan{{Name: "a", When: long}}, 0, "when", 0, 0, "longer than 2048 bytes"},
		{"bad UTF-8", []Plan{{Name: "a", When: "user.subject == '\xff'"}}, 0, "when", 0, 0, "UTF-8"},
		{"bad pattern", []Plan{{Name: "a", When: `user.subject.matches("(")`}}, 0, "when", 1, 22, "invalid matches argument"},
		{"costly", []Plan{{Name: "a", When: `user.roles.exists(a, user.roles.exists(b, user.roles.exists(c, a == b && b == c)))`}}, 0, "when", 1, 0, "limit"},
		{"unknown function", []Plan{{Name: "a", When: `fetch("http://x") == "y"`}}, 0, "when", 1, 6, "undeclared reference"},
		{"model", []Plan{{Name: "a", Models: []string{""}}}, 0, "models[0]", 0, 0, "without white space"},
		{"model with space", []Plan{{Name: "a", Models: []string{"x", "gpt 4"}}}, 0, "models[1]", 0, 0, "without white space"},
		{"star in endpoints", []Plan{{Name: "a", Endpoints: []string{"*.completions"}}}, 0, "endpoints[0]", 0, 0, "only models take *"},
		{"action twice", []Plan{{Name: "a", Actions: []string{"x", "x"}}}, 0, "actions[1]", 0, 0, "listed twice"},
		{"negative cap", []Plan{{Name: "a", MaxOutput: -1}}, 0, "limits.max_output_tokens", 0, 0, "positive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ps, err := New(tt.plans)
			if ps != nil {
				t.Error("plans that are wrong must not come back")
			}
			e, ok := errors.AsType[*PlanError](err)
			if !ok {
				t.Fatalf("got %v, want a *PlanError", err)
			}
			if e.Index != tt.index || e.Field != tt.field || e.Line != tt.line || (tt.column != 0 && e.Column != tt.column) {
				t.Errorf("got %d %s %d:%d, want %d %s %d:%d", e.Index, e.Field, e.Line, e.Column, tt.index, tt.field, tt.line, tt.column)
			}
			if !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("reason %q does not say %q", e.Reason, tt.reason)
			}
		})
	}
}

func TestNewReportsAllAtOnce(t *testing.T) {
	_, err := New([]Plan{{Name: "", When: "x"}, {Name: "b", When: "1", Tools: []string{""}}})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 4 {
		t.Fatalf("want four errors at once, got:\n%v", err)
	}
}

func TestDecisions(t *testing.T) {
	limits := []claviger.Limit{{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 60, Per: claviger.PeriodMinute}}}
	pro := Plan{
		Name: "pro", When: `user.claims.plan == "pro"`, Models: []string{"gpt-4.1", "gpt-4.1-m*"},
		Endpoints: []string{"chat.completions"}, Actions: []string{"draw"}, Tools: []string{"function"},
		MaxInput: 30000, MaxOutput: 900, Limits: limits,
	}
	team := Plan{Name: "team", When: `"staff" in user.roles`}
	none := Plan{Name: "none", When: `user.subject == "nobody"`, Models: []string{}, Actions: []string{}, Endpoints: []string{}}
	ps := mustNew(t, pro, team, none)

	isPro, isStaff, isNobody := person(claviger.Claims{"plan": "pro"}), person(nil), person(nil)
	isStaff.Roles = []string{"staff"}
	isNobody.Subject = "nobody"
	with := func(p claviger.Principal, f func(*claviger.Principal)) claviger.Principal { f(&p); return p }

	for _, tt := range []struct {
		name  string
		p     claviger.Principal
		c     claviger.Call
		allow bool
		plan  string
		code  claviger.Code
		param string
		rule  string
	}{
		{"plan by claim", isPro, chat("gpt-4.1"), true, "pro", "", "", "plans[0]"},
		{"pattern", isPro, chat("gpt-4.1-mini"), true, "pro", "", "", "plans[0]"},
		{"other model", isPro, chat("o3"), false, "pro", claviger.CodeModelNotAllowed, "model", "plans[0].models"},
		{"longer name", isPro, chat("gpt-4.1x"), false, "pro", claviger.CodeModelNotAllowed, "model", "plans[0].models"},
		{"case counts", isPro, chat("GPT-4.1"), false, "pro", claviger.CodeModelNotAllowed, "model", "plans[0].models"},
		{"no model", isPro, chat(""), false, "pro", claviger.CodeModelNotAllowed, "model", "plans[0].models"},
		{"other endpoint", isPro, claviger.Call{Endpoint: "embeddings", Model: "gpt-4.1"}, false, "pro", claviger.CodeForbidden, "", "plans[0].endpoints"},
		{"no endpoint", isPro, claviger.Call{Model: "gpt-4.1"}, false, "pro", claviger.CodeForbidden, "", "plans[0].endpoints"},
		{"listing", isPro, claviger.Call{Endpoint: "models"}, true, "pro", "", "", "plans[0]"},
		{"one model's entry", isPro, claviger.Call{Endpoint: "models.model", Model: "gpt-4.1"}, true, "pro", "", "", "plans[0]"},
		{"another model's entry", isPro, claviger.Call{Endpoint: "models.model", Model: "o3"}, false, "pro", claviger.CodeModelNotAllowed, "model", "plans[0].models"},
		{"action, not by endpoints", isPro, run("draw", "gpt-4.1"), true, "pro", "", "", "plans[0]"},
		{"action with a model beyond the plan", isPro, run("draw", "o3"), false, "pro", claviger.CodeModelNotAllowed, "model", "plans[0].models"},
		{"other action", isPro, run("write", "gpt-4.1"), false, "pro", claviger.CodeForbidden, "", "plans[0].actions"},

		{"plan by role, action's model", isStaff, run("write", "anything"), true, "team", "", "", "plans[1]"},
		{"plan without models closes the proxy", isStaff, chat("gpt-4.1"), false, "team", claviger.CodeModelNotAllowed, "model", "plans[1].models"},
		{"plan without models still lists none", isStaff, claviger.Call{Endpoint: "models"}, true, "team", "", "", "plans[1]"},

		{"empty lists: proxy", isNobody, chat("gpt-4.1"), false, "none", claviger.CodeForbidden, "", "plans[2].endpoints"},
		{"empty lists: action", isNobody, run("draw", "gpt-4.1"), false, "none", claviger.CodeForbidden, "", "plans[2].actions"},

		{"no plan", person(nil), chat("gpt-4.1"), false, "", claviger.CodeForbidden, "", "plans"},
		{"nobody at all", claviger.Principal{}, chat("gpt-4.1"), false, "", claviger.CodeForbidden, "", "principal"},
		{"a service for itself", claviger.Principal{Service: "web", Roles: []string{"staff"}}, run("write", "m"), true, "team", "", "", "plans[1]"},

		{"bound plan, its condition not held", with(person(nil), func(p *claviger.Principal) { p.Plan = "pro" }), chat("gpt-4.1"), true, "pro", "", "", "plans[0]"},
		{"bound plan over a better one", with(isPro, func(p *claviger.Principal) { p.Plan = "none" }), chat("gpt-4.1"), false, "none", claviger.CodeForbidden, "", "plans[2].endpoints"},
		{"bound to an unknown plan", with(isPro, func(p *claviger.Principal) { p.Plan = "gold" }), chat("gpt-4.1"), false, "", claviger.CodeForbidden, "", "principal.plan"},

		{"actions credential: its action", with(isPro, func(p *claviger.Principal) { p.Actions = []string{"draw"} }), run("draw", "gpt-4.1"), true, "pro", "", "", "plans[0]"},
		{"actions credential: another", with(isStaff, func(p *claviger.Principal) { p.Actions = []string{"draw"} }), run("write", "m"), false, "team", claviger.CodeForbidden, "", "principal.actions"},
		{"actions credential: proxy", with(isPro, func(p *claviger.Principal) { p.Actions = []string{"draw"} }), chat("gpt-4.1"), false, "pro", claviger.CodeForbidden, "", "principal.actions"},
		{"actions credential: listing", with(isPro, func(p *claviger.Principal) { p.Actions = []string{"draw"} }), claviger.Call{Endpoint: "models"}, false, "pro", claviger.CodeForbidden, "", "principal.actions"},
		{"actions credential: none", with(isPro, func(p *claviger.Principal) { p.Actions = []string{} }), run("draw", "gpt-4.1"), false, "pro", claviger.CodeForbidden, "", "principal.actions"},
		{"actions credential: empty name", with(isPro, func(p *claviger.Principal) { p.Actions = []string{""} }), chat("gpt-4.1"), false, "pro", claviger.CodeForbidden, "", "principal.actions"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ps.Authorize(t.Context(), tt.p, tt.c)
			if err != nil {
				t.Fatal(err)
			}
			if d.Allow != tt.allow || d.Plan != tt.plan || d.Code != tt.code || d.Param != tt.param || d.Rule != tt.rule {
				t.Errorf("got %+v", d)
			}
			if d.Reason == "" {
				t.Error("a decision needs its reason")
			}
			if !d.Allow && (d.Models != nil || d.Oblige != nil || d.Limits != nil) {
				t.Error("a refusal hands out nothing of the plan")
			}
			e, steps, err := ps.Explain(t.Context(), tt.p, tt.c)
			if err != nil || cmp.Diff(d, e) != "" {
				t.Errorf("Explain decides otherwise: %s", cmp.Diff(d, e))
			}
			if len(steps) == 0 || steps[len(steps)-1].Passed != d.Allow {
				t.Errorf("the last step must be the one that decided: %+v", steps)
			}
		})
	}

	d, err := ps.Authorize(t.Context(), isPro, chat("gpt-4.1"))
	if err != nil {
		t.Fatal(err)
	}
	want := claviger.Decision{
		Allow: true, Plan: "pro", Rule: "plans[0]", Reason: "the plan allows it", Models: pro.Models, Limits: limits,
		Oblige: []claviger.Obligation{
			{Kind: claviger.ObligeMaxInput, Limit: 30000},
			{Kind: claviger.ObligeMaxOutput, Limit: 900},
			{Kind: claviger.ObligeTools, Values: []string{"function"}},
		},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
}

func TestNoPlansRefuse(t *testing.T) {
	for name, ps := range map[string]*Plans{"nil": nil, "zero": {}, "none": mustNew(t)} {
		if d, err := ps.Authorize(t.Context(), person(nil), chat("m")); err != nil || d.Allow || d.Rule != "plans" {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

func TestPlanWithoutWhenEndsTheSearch(t *testing.T) {
	ps := mustNew(t, Plan{Name: "all", Models: []string{"small"}}, Plan{Name: "pro", When: `user.claims.plan == "pro"`, Models: []string{"*"}})
	d, err := ps.Authorize(t.Context(), person(claviger.Claims{"plan": "pro"}), chat("large"))
	if err != nil || d.Allow || d.Plan != "all" {
		t.Errorf("the first plan that applies decides alone: %+v, %v", d, err)
	}
}

func TestAllListsNilLeaveToConfiguration(t *testing.T) {
	ps := mustNew(t, Plan{Name: "all", Models: []string{"*"}})
	for _, c := range []claviger.Call{chat("m"), run("any", "m"), {Endpoint: "embeddings", Model: "e"}} {
		if d, err := ps.Authorize(t.Context(), person(nil), c); err != nil || !d.Allow || d.Oblige != nil {
			t.Errorf("%+v: %+v, %v", c, d, err)
		}
	}
}

func TestCallerCannotChangePlans(t *testing.T) {
	models := []string{"small"}
	ps := mustNew(t, Plan{Name: "all", Models: models})
	models[0] = "*"
	if d, err := ps.Authorize(t.Context(), person(nil), chat("large")); err != nil || d.Allow {
		t.Errorf("plans must keep their own lists: %+v, %v", d, err)
	}
}

// A claim can be large; the time that a condition may take cannot.
func TestCostIsBoundedAtRunTime(t *testing.T) {
	ps := mustNew(t, Plan{Name: "p", When: `user.claims.a.exists(x, user.claims.b.exists(y, x == y))`, Models: []string{"*"}})
	a, b := make([]any, 2000), make([]any, 2000)
	for i := range a {
		a[i], b[i] = "a", "b"
	}
	d, err := ps.Authorize(t.Context(), person(claviger.Claims{"a": a, "b": b}), chat("m"))
	if err == nil || d.Allow || !strings.Contains(err.Error(), "limit of 100000 steps") {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestStrangeClaimsRefuseOrMiss(t *testing.T) {
	ps := mustNew(t, Plan{Name: "p", When: `user.claims.v == "pro"`, Models: []string{"*"}})
	for _, v := range []any{nil, 1, 1.5, math.NaN(), true, []any{"pro"}, map[string]any{"pro": "pro"}, struct{ X string }{"pro"}, make(chan int), []byte("pro"), func() {}} {
		if d, _ := ps.Authorize(t.Context(), person(claviger.Claims{"v": v}), chat("m")); d.Allow {
			t.Errorf("%T must not be the text \"pro\"", v)
		}
	}
}

func TestConcurrentDecisions(t *testing.T) {
	ps := mustNew(t, Plan{Name: "pro", When: `user.claims.plan == "pro" && user.roles.exists(r, r == "member")`, Models: []string{"*"}}, Plan{Name: "free", Models: []string{"*"}})
	var wg sync.WaitGroup
	for i := range 8 {
		want := []string{"pro", "free"}[i%2]
		wg.Go(func() {
			for range 200 {
				if d, err := ps.Authorize(t.Context(), person(claviger.Claims{"plan": want}), chat("m")); err != nil || d.Plan != want {
					t.Errorf("got %q, %v; want %q", d.Plan, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, model string
		want           bool
	}{
		{"gpt-4.1", "gpt-4.1", true},
		{"gpt-4.1", "gpt-4x1", false},
		{"gpt-4.1", "gpt-4.1-mini", false},
		{"gpt-4.1*", "gpt-4.1", true},
		{"gpt-4.1*", "gpt-4.1-mini", true},
		{"*-mini", "gpt-4.1-mini", true},
		{"*-mini", "gpt-4.1-mini-x", false},
		{"gpt-*-mini", "gpt-4.1-mini", true},
		{"gpt-*-mini", "gpt-mini", false},
		{"gpt-*-mini", "gpt--mini", true},
		{"*", "x", true},
		{"*", "", false},
		{"", "", false},
		{"", "x", false},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXcXb", false},
		{"**", "x", true},
		{"a?c", "abc", false},
		{"a[b]", "ab", false},
	} {
		if got := Match(tt.pattern, tt.model); got != tt.want {
			t.Errorf("Match(%q, %q) = %t", tt.pattern, tt.model, got)
		}
	}
}

// Match says the same as the obvious definition by recursion.
func TestMatchAgainstDefinition(t *testing.T) {
	var def func(p, m string) bool
	def = func(p, m string) bool {
		switch {
		case p == "":
			return m == ""
		case p[0] == '*':
			return def(p[1:], m) || (m != "" && def(p, m[1:]))
		default:
			return m != "" && p[0] == m[0] && def(p[1:], m[1:])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringMatching(`[ab*]{0,8}`).Draw(t, "pattern")
		m := rapid.StringMatching(`[ab]{1,10}`).Draw(t, "model")
		if got, want := Match(p, m), def(p, m); got != want {
			t.Fatalf("Match(%q, %q) = %t, want %t", p, m, got, want)
		}
	})
}

func FuzzNew(f *testing.F) {
	for _, s := range []string{`user.claims.plan == "pro"`, `user.roles.exists(r, r == "x")`, `true`, `"a".matches("(a+)+$")`, `[1,2].map(x, x)`, "((((", `user.claims.a.b.c > 1`} {
		f.Add(s)
	}
	p := person(claviger.Claims{"plan": "pro", "a": []any{"x", 1.0, nil, map[string]any{"b": true}}})
	f.Fuzz(func(t *testing.T, when string) {
		ps, err := New([]Plan{{Name: "p", When: when, Models: []string{"*"}}})
		if err != nil {
			return
		}
		d, err := ps.Authorize(t.Context(), p, chat("m"))
		if err != nil && d.Allow {
			t.Fatal("an error must deny")
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	ps := mustNew(b,
		Plan{Name: "pro", When: `user.claims.plan == "pro"`, Models: []string{"gpt-4.1", "gpt-4.1-mini"}, MaxInput: 30000},
		Plan{Name: "free", When: `user.claims.plan == "free"`, Models: []string{"gpt-4.1-mini"}, MaxOutput: 1000})
	p, c := person(claviger.Claims{"plan": "free"}), chat("gpt-4.1-mini")
	b.ReportAllocs()
	for b.Loop() {
		if d, err := ps.Authorize(b.Context(), p, c); err != nil || !d.Allow {
			b.Fatal(d, err)
		}
	}
}
