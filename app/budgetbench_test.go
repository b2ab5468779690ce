package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/store/redis"
	"claviger.dev/claviger/store/sqlite"
)

// budgets are the limits of an ordinary plan, never reached.
var budgets = []claviger.Limit{
	{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodMinute}},
	{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: 1 << 20}},
	{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1 << 50, Per: claviger.PeriodDay}},
	{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: 1 << 50, Per: claviger.PeriodDay, Currency: "USD"}},
}

// BenchmarkBudgets is a whole request with requests, seats, tokens and money
// limited, on each engine, beside one without limits and the plainest proxy of
// the standard library. Each round has a slice of all, one after another, so that
// a machine that becomes slower does so for all. The metrics are requests by the
// seconds of processor time of this process, the provider's part in it, and of
// that the share of the bare proxy's; what Redis takes is not in it.
func BenchmarkBudgets(b *testing.B) {
	provider := benchProvider(b)
	secret, err := keys.Generate()
	if err != nil {
		b.Fatal(err)
	}
	tickets, err := ticket.New(ticket.Options{Secrets: []claviger.Secret{claviger.NewSecret([]byte(secret))}})
	if err != nil {
		b.Fatal(err)
	}
	token, _, err := tickets.Mint(b.Context(), ticket.Request{Subject: "ada"})
	if err != nil {
		b.Fatal(err)
	}
	limited := func(a claviger.Admission, limits []claviger.Limit) http.Handler {
		return newLimitedGateway(b, tickets, benchUpstream(b, provider), gateway.Options{Admission: a}, limits)
	}
	candidates := []struct {
		name  string
		h     http.Handler
		token string
		spent time.Duration
	}{
		{name: "bare", h: bareProxy(b, provider)},
		{name: "unlimited", h: limited(admit.NewMemory(admit.MemoryOptions{Now: time.Now}), nil), token: token},
		{name: "memory", h: limited(admit.NewMemory(admit.MemoryOptions{Now: time.Now}), budgets), token: token},
		{name: "sqlite", h: limited(benchJournal(b), budgets), token: token},
		{name: "redis", h: limited(benchRedis(b, secret), budgets), token: token},
	}
	const slice = 200
	rounds := 0
	for b.Loop() {
		rounds++
		for i := range candidates {
			c := &candidates[i]
			before := processorTime(b)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range slice / 8 {
						w := httptest.NewRecorder()
						if c.h.ServeHTTP(w, tableRequest(&tableRow{}, c.token)); w.Code != http.StatusOK {
							b.Errorf("%s: %d %s", c.name, w.Code, w.Body)
							return
						}
					}
				})
			}
			wg.Wait()
			if rounds > 1 { // the first one warms up
				c.spent += processorTime(b) - before
			}
		}
	}
	for i := range candidates {
		c := &candidates[i]
		b.ReportMetric(float64((rounds-1)*slice)/c.spent.Seconds(), c.name+"-req/s/core")
		b.ReportMetric(candidates[0].spent.Seconds()/c.spent.Seconds(), c.name+"/bare")
	}
}

// benchJournal is memory with a journal in a file.
func benchJournal(b *testing.B) claviger.Admission {
	b.Helper()
	s, err := sqlite.Open(b.Context(), sqlite.Options{Path: b.TempDir() + "/state/claviger.db"})
	if err != nil {
		b.Fatal(err)
	}
	m, err := admit.Restore(b.Context(), admit.MemoryOptions{Now: time.Now, Journal: s})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	kept := make(chan error, 1)
	go func() { kept <- m.Keep(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-kept; err != nil {
			b.Error(err)
		}
		_ = s.Close()
	})
	return m
}

func benchRedis(b *testing.B, secret string) claviger.Admission {
	b.Helper()
	address, _ := redisServer(b, shortDir(b))
	a, err := redis.Open(b.Context(), redis.Options{
		URL: claviger.NewSecret([]byte(address)), NameKey: claviger.NewSecret([]byte(secret)), Timeout: 5 * time.Second,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = a.Close() })
	return a
}
