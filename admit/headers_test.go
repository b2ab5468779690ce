package admit_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

func standing(scope string, kind claviger.ChargeKind, limit int64, per claviger.Period, remaining int64, reset time.Duration) claviger.Standing {
	s := claviger.Standing{Remaining: remaining, Reset: reset, Charge: window(kind, "user:private", 1, limit, per)}
	s.Charge.Scope = scope
	return s
}

func TestAppendRateLimit(t *testing.T) {
	st := []claviger.Standing{
		standing("ip", claviger.ChargeRate, 60, claviger.PeriodMinute, 59, time.Second),
		standing("user", claviger.ChargeRate, 20, claviger.PeriodMinute, 19, 2001*time.Millisecond),
		standing("user", claviger.ChargeLease, 8, claviger.PeriodNone, 7, 0),
		standing("user", claviger.ChargeTokens, 2_000_000, claviger.PeriodDay, 1_990_000, 14*time.Hour),
		standing("user", claviger.ChargeMoney, 20_000_000, claviger.PeriodMonth, 19_999_875, 24*time.Hour),
		standing("plan", claviger.ChargeLease, 4, claviger.PeriodNone, 1, 0),
		standing("plan", claviger.ChargeMoney, 100_000_000, claviger.PeriodDay, 1, time.Hour),
		standing("plan", claviger.ChargeTokens, 100_000_000, claviger.PeriodDay, 1, time.Hour),
		standing("total", claviger.ChargeMoney, 200_000_000, claviger.PeriodDay, 1, time.Hour),
		standing("action", claviger.ChargeTokens, math.MaxInt64, claviger.PeriodHour, -5, -time.Second),
	}
	policy, limit := admit.AppendRateLimit(nil, nil, st)
	wantPolicy := `"ip-requests-minute";q=60;w=60, "user-requests-minute";q=20;w=60, ` +
		`"user-concurrency";q=8;qu="concurrent-requests", "user-tokens-day";q=2000000;w=86400;qu="tokens", ` +
		`"user-spend-month";q=20000000;w=2592000;qu="micro-usd", "plan-concurrency";q=4;qu="concurrent-requests", "action-tokens-hour";q=999999999999999;w=3600;qu="tokens"`
	wantLimit := `"ip-requests-minute";r=59;t=1, "user-requests-minute";r=19;t=3, "user-concurrency";r=7, ` +
		`"user-tokens-day";r=1990000;t=50400, "user-spend-month";r=19999875;t=86400, "plan-concurrency";r=1, "action-tokens-hour";r=0;t=0`
	if string(policy) != wantPolicy {
		t.Errorf("policy\n%s, want\n%s", policy, wantPolicy)
	}
	if string(limit) != wantLimit {
		t.Errorf("limit\n%s, want\n%s", limit, wantLimit)
	}
}

func TestRateLimitTellsNothingElse(t *testing.T) {
	for _, scope := range []string{"total", "", `a"b`, "a\r\nb", "a b", "ä"} {
		policy, limit := admit.AppendRateLimit(nil, nil, []claviger.Standing{standing(scope, claviger.ChargeRate, 7, claviger.PeriodDay, 3, time.Hour)})
		if len(policy)+len(limit) != 0 {
			t.Errorf("scope %q is shown: %s %s", scope, policy, limit)
		}
	}
	policy, limit := admit.AppendRateLimit(nil, nil, []claviger.Standing{
		standing("user", claviger.ChargeRate, 7, claviger.PeriodDay, 3, time.Hour),
		standing("user", claviger.ChargeRate, 9, claviger.PeriodDay, 2, time.Hour),
	})
	if got := string(policy) + string(limit); got != `"user-requests-day";q=9;w=86400"user-requests-day";r=2;t=3600` {
		t.Errorf("a policy twice: %s", got)
	}
	if strings.Contains(string(policy)+string(limit), "private") {
		t.Error("a key is shown")
	}
}

func BenchmarkAppendRateLimit(b *testing.B) {
	var st []claviger.Standing
	for _, k := range []claviger.ChargeKind{claviger.ChargeRate, claviger.ChargeTokens, claviger.ChargeMoney} {
		st = append(st, standing("user", k, 1000, claviger.PeriodDay, 500, time.Hour))
	}
	var policy, limit []byte
	b.ReportAllocs()
	for b.Loop() {
		policy, limit = admit.AppendRateLimit(policy[:0], limit[:0], st)
	}
}
