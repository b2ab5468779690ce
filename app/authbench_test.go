package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/upstream"
)

// benchProvider answers as OpenAI would, at no cost to speak of.
func benchProvider(b *testing.B) string {
	b.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, tableAnswer)
	}))
	b.Cleanup(s.Close)
	return s.URL
}

// perCore sends requests from as many callers as there are processors, and
// reports how many a second of processor time answers, the provider's part in
// it, which is the same for all.
func perCore(b *testing.B, h http.Handler, request func() *http.Request) {
	b.Helper()
	for range 50 {
		h.ServeHTTP(httptest.NewRecorder(), request())
	}
	before := processorTime(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, request()); w.Code != http.StatusOK {
				b.Errorf("%d %s", w.Code, w.Body)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/(processorTime(b)-before).Seconds(), "req/s/core")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchGateway is the gateway of the table with a client that really sends.
func benchGateway(b *testing.B, provider string, a claviger.Authenticator, now func() time.Time) http.Handler {
	b.Helper()
	return newTableGateway(b, a, benchUpstream(b, provider), gateway.Options{Now: now})
}

func benchUpstream(b *testing.B, provider string) claviger.Upstream {
	b.Helper()
	pool := (*keys.Pool)(nil).Replace([]keys.PoolKey{{Ref: "env:KEY", Secret: claviger.NewSecret([]byte(canaryKey()))}})
	client, err := upstream.New(upstream.Options{BaseURL: provider + "/v1", Keys: pool})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.CloseIdle)
	return client
}

// bareProxy is the plainest proxy of the standard library.
func bareProxy(b *testing.B, provider string) http.Handler {
	b.Helper()
	to, err := url.Parse(provider)
	if err != nil {
		b.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
}

// BenchmarkAuthenticatedRequest is a whole request through gateway.ServeHTTP with
// each authenticator, beside the plainest proxy of the standard library in the
// same run. Credentials were seen before; "cold" sends a new one each time.
func BenchmarkAuthenticatedRequest(b *testing.B) {
	v := readVectors(b)
	provider := benchProvider(b)
	now := func() time.Time { return v.Made.Add(time.Minute) }
	b.Run("bare reverse proxy", func(b *testing.B) {
		perCore(b, bareProxy(b, provider), func() *http.Request { return tableRequest(&tableRow{}, "") })
	})
	for _, row := range tableRows(b, v) {
		b.Run(strings.ReplaceAll(row.name, " ", "-"), func(b *testing.B) {
			h := benchGateway(b, provider, row.make(b, now, "newest"), now)
			perCore(b, h, func() *http.Request { return tableRequest(&row, row.tokens["valid"]) })
		})
	}
	secret := claviger.NewSecret([]byte(v.Secrets["newest"]))
	b.Run("ticket-cold", func(b *testing.B) {
		a, err := ticket.New(ticket.Options{Secrets: []claviger.Secret{secret}, Now: now})
		if err != nil {
			b.Fatal(err)
		}
		cold(b, provider, a, now, &tableRow{}, func() string {
			token, _, err := a.Mint(b.Context(), ticket.Request{Subject: "ada"})
			if err != nil {
				b.Fatal(err)
			}
			return token
		})
	})
	b.Run("authjs-5-cold", func(b *testing.B) {
		a, err := authjs.New(authjs.Options{Secrets: []claviger.Secret{secret}, Version: 5, Secure: true, Now: now})
		if err != nil {
			b.Fatal(err)
		}
		cold(b, provider, a, now, &tableRow{cookie: "__Secure-authjs.session-token"}, func() string {
			_, cookies, err := a.Issue(claviger.Claims{"sub": "ada"}, time.Hour)
			if err != nil {
				b.Fatal(err)
			}
			return cookies[0].Value
		})
	})
}

// cold makes the credentials before the clock runs.
func cold(b *testing.B, provider string, a claviger.Authenticator, now func() time.Time, row *tableRow, mint func() string) {
	b.Helper()
	tokens := make(chan string, b.N+50*runtime.GOMAXPROCS(0))
	for range cap(tokens) {
		tokens <- mint()
	}
	perCore(b, benchGateway(b, provider, a, now), func() *http.Request { return tableRequest(row, <-tokens) })
}
