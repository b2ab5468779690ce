package redis_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/store/redis"
)

// four are the charges of an ordinary call.
func four(who string) []claviger.Charge {
	return []claviger.Charge{
		charge(claviger.ChargeRate, "user:"+who, 1, 1<<40, claviger.PeriodMinute),
		charge(claviger.ChargeLease, "user:"+who, 1, 1<<20, claviger.PeriodNone),
		charge(claviger.ChargeTokens, "user:"+who, 100, 1<<50, claviger.PeriodDay),
		charge(claviger.ChargeMoney, "total:all", 100, 1<<50, claviger.PeriodDay),
	}
}

func engines(b *testing.B) map[string]claviger.Admission {
	return map[string]claviger.Admission{
		"memory": admit.NewMemory(admit.MemoryOptions{Now: time.Now}),
		"redis":  start(b).open(b, redis.Options{}),
	}
}

// BenchmarkAdmitSettle is one caller after another: Admit and Settle, which are
// two round trips on Redis.
func BenchmarkAdmitSettle(b *testing.B) {
	for name, a := range engines(b) {
		b.Run(name, func(b *testing.B) { admitSettle(b, a, four("somebody")) })
	}
}

func admitSettle(b *testing.B, a claviger.Admission, cs []claviger.Charge) {
	used := admit.Used(cs, 50, claviger.Money{Micros: 50, Currency: "USD"})
	b.ReportAllocs()
	for b.Loop() {
		h, err := a.Admit(context.Background(), cs)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Settle(context.Background(), used); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdmitRate is the limit of requests for an address: one round trip.
func BenchmarkAdmitRate(b *testing.B) {
	for name, a := range engines(b) {
		b.Run(name, func(b *testing.B) { admitSettle(b, a, four("somebody")[:1]) })
	}
}

// BenchmarkAdmitSettleParallel is 32 callers at once.
func BenchmarkAdmitSettleParallel(b *testing.B) {
	for name, a := range engines(b) {
		b.Run(name, func(b *testing.B) {
			var who atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				cs := four(fmt.Sprint(who.Add(1)))
				used := admit.Used(cs, 50, claviger.Money{Micros: 50, Currency: "USD"})
				for pb.Next() {
					h, err := a.Admit(context.Background(), cs)
					if err != nil {
						b.Error(err)
						return
					}
					if err := h.Settle(context.Background(), used); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkDecision is what a call with four limits, admitted and settled by 32
// callers at once, takes of processors: of the gateway's, and of Redis's own.
func BenchmarkDecision(b *testing.B) {
	s := start(b)
	for name, a := range map[string]claviger.Admission{
		"memory": admit.NewMemory(admit.MemoryOptions{Now: time.Now}), "redis": s.open(b, redis.Options{}),
	} {
		b.Run(name, func(b *testing.B) {
			ours, theirs := processor(b), s.processor()
			var who atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				cs := four(fmt.Sprint(who.Add(1)))
				used := admit.Used(cs, 50, claviger.Money{Micros: 50, Currency: "USD"})
				for pb.Next() {
					h, err := a.Admit(context.Background(), cs)
					if err == nil {
						err = h.Settle(context.Background(), used)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			n := float64(b.N)
			b.ReportMetric(n/(processor(b)-ours).Seconds(), "calls/s/core")
			b.ReportMetric(n/max(s.processor()-theirs, time.Millisecond).Seconds(), "calls/s/core-of-redis")
		})
	}
}

func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processor is what the server has taken of processors.
func (s *server) processor() (sum time.Duration) {
	s.t.Helper()
	c := s.client()
	defer c.Close()
	info, err := c.Info(context.Background(), "cpu").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if seconds, err := strconv.ParseFloat(value, 64); err == nil && (name == "used_cpu_user" || name == "used_cpu_sys") {
			sum += time.Duration(seconds * float64(time.Second))
		}
	}
	return sum
}

// BenchmarkExpiry is what the first caller waits for after a node died with a
// thousand calls open.
func BenchmarkExpiry(b *testing.B) {
	now := time.Now()
	a := start(b).open(b, redis.Options{Now: func() time.Time { return now }, LeaseTTL: time.Minute})
	for b.Loop() {
		b.StopTimer()
		for i := range 1000 {
			if _, err := a.Admit(context.Background(), four(fmt.Sprint(i))); err != nil {
				b.Fatal(err)
			}
		}
		now = now.Add(2 * time.Minute)
		b.StartTimer()
		if _, err := a.Admit(context.Background(), four("somebody")); err != nil {
			b.Fatal(err)
		}
	}
}
