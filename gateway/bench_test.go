package gateway_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

// discard is a ResponseWriter that counts.
type discard struct {
	header http.Header
	status int
	n      int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(status int) {
	if d.status == 0 {
		d.status = status
	}
}
func (d *discard) Flush()                           {}
func (d *discard) SetReadDeadline(time.Time) error  { return nil }
func (d *discard) SetWriteDeadline(time.Time) error { return nil }
func (d *discard) Write(p []byte) (int, error) {
	d.n += len(p)
	return len(p), nil
}

// typical are the limits of a usual plan.
var typical = []claviger.Limit{
	{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodMinute}},
	{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: 1 << 20}},
	{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodDay}},
	{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: 1 << 40, Per: claviger.PeriodDay, Currency: "USD"}},
}

// benchmark sends one request again and again through ServeHTTP, with a provider
// in memory.
func benchmark(b *testing.B, path, body string, answer func(claviger.Call) string, change ...func(*parts)) {
	b.Helper()
	r := newRig(b, func(p *parts) {
		p.options.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // a line costs what it costs in production
		p.options.Recorder = nil
		p.options.Admission = admit.NewMemory(admit.MemoryOptions{Now: time.Now})
		p.plans[0].Limits = typical
		p.snapshot.PerIP, p.snapshot.Total = typical[:1], typical[3:]
		p.snapshot.Upstream = &fakeUpstream{do: func(_ context.Context, a claviger.Authorized) (*http.Response, error) {
			return reply(answer(a.Call())), nil
		}}
		for _, c := range change {
			c(p)
		}
	})
	head := http.Header{
		"Authorization": {r.ticket("ada")}, "Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"bench"},
		"X-Stainless-Lang": {"js"}, "Origin": {ours}, "Sec-Fetch-Site": {"cross-site"},
	}
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		req.Host, req.Header = "app.example.com", head
		clear(w.header)
		w.status, w.n = 0, 0
		r.gateway.ServeHTTP(w, req)
		if w.status != http.StatusOK || w.n == 0 {
			b.Fatalf("%d and %d bytes", w.status, w.n)
		}
	}
}

// BenchmarkEmpty is what the benchmarks below spend on making their requests.
func BenchmarkEmpty(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = httptest.NewRequest(http.MethodPost, chatPath, strings.NewReader(""))
	}
}

func BenchmarkProxyPlain(b *testing.B) { benchmark(b, chatPath, chat("Say hello."), plainAnswer) }

// BenchmarkProxyBlocks is BenchmarkProxyPlain with ten thousand blocks of others.
func BenchmarkProxyBlocks(b *testing.B) {
	board := newBoard(b)
	defer board.Close()
	for i := range 10_000 {
		must(b, board.memory.PutBlock(b.Context(), claviger.Block{Scope: claviger.BlockUser, Name: strconv.Itoa(i)}))
	}
	must(b, board.Refresh(b.Context()))
	benchmark(b, chatPath, chat("Say hello."), plainAnswer, board.with)
}

func BenchmarkProxyStream200(b *testing.B) {
	var s strings.Builder
	for range 200 {
		s.WriteString(chunk("word "))
	}
	stream := s.String() + chatUsage + chatEnd
	benchmark(b, chatPath, chatStream("Say hello."), func(claviger.Call) string { return stream })
}

// BenchmarkProxyStream200Unwatched is BenchmarkProxyStream200 without the watch for
// our own secrets, to see what share of the work that is.
func BenchmarkProxyStream200Unwatched(b *testing.B) {
	var s strings.Builder
	for range 200 {
		s.WriteString(chunk("word "))
	}
	stream := s.String() + chatUsage + chatEnd
	benchmark(b, chatPath, chatStream("Say hello."), func(claviger.Call) string { return stream }, func(p *parts) { p.snapshot.Tripwire = nil })
}

func BenchmarkAction(b *testing.B) { benchmark(b, generatePath, generate("Say hello."), plainAnswer) }
