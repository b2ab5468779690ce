package gatetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// Ledger is what keeps the account of calls.
type Ledger interface {
	AppendUsage(ctx context.Context, events []claviger.Event) error
	SumUsage(ctx context.Context, from, to time.Time, by claviger.UsageBy) ([]claviger.UsageSum, error)
	EraseUsage(ctx context.Context, pseudonym string) (int64, error)
	SweepUsage(ctx context.Context, before time.Time) (int64, error)
}

// UsageLedger is the conformance suite of a ledger. two opens the same one
// twice, as two processes do; nil where that cannot be.
func UsageLedger(t *testing.T, open OpenStore[Ledger], two func(t *testing.T) (a, b Ledger)) {
	runStore(t, open, []storeCase[Ledger]{
		{"sums", sums},
		{"from and to", fromTo},
		{"days", days},
		{"units", units},
		{"currencies", currencies},
		{"erase and sweep", eraseAndSweep},
		{"large numbers", largeNumbers},
		{"hostile texts", hostileEvents},
		{"sums are kept, and not calls", sumsAlone},
		{"many at once", func(t *testing.T, s Ledger) { manyEvents(t, s, s) }},
		{"context ended", ledgerEnded},
	})
	t.Run("two connections", func(t *testing.T) {
		if two == nil {
			t.Skip("this store is one process's")
		}
		a, b := two(t)
		manyEvents(t, a, b)
	})
	t.Run("opened again", func(t *testing.T) {
		s, again := open(t)
		if again == nil {
			t.Skip("this store keeps nothing")
		}
		record(t, s, event("ann", morning, 10))
		if got := sum(t, again(), claviger.UsageByUser); len(got) != 1 || got[0].Calls != 1 {
			t.Errorf("kept %v", got)
		}
	})
}

func event(who string, at time.Time, tokens int64) claviger.Event {
	return claviger.Event{
		Started: at, Subject: who, Realm: "app", Method: "jwt", Plan: "plan of " + who, Endpoint: "responses", Model: "gpt-4.1-mini",
		Status: 200, Units: claviger.Units{{Kind: claviger.UnitInput, Amount: tokens}, {Kind: claviger.UnitCachedInput, Amount: 1}, {Kind: claviger.UnitOutput, Amount: 2 * tokens}},
		Cost: claviger.Money{Micros: 3 * tokens, Currency: "USD"},
	}
}

func record(t *testing.T, s Ledger, e ...claviger.Event) {
	t.Helper()
	if err := s.AppendUsage(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func sum(t *testing.T, s Ledger, by claviger.UsageBy) []claviger.UsageSum {
	t.Helper()
	got, err := s.SumUsage(t.Context(), morning.Add(-1000*time.Hour), morning.Add(1000*time.Hour), by)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// looks writes sums as text, to compare them.
func looks(sums []claviger.UsageSum) string {
	var out strings.Builder
	for _, s := range sums {
		fmt.Fprintf(&out, "%s: %d calls", s.By, s.Calls)
		if s.Refused > 0 {
			fmt.Fprintf(&out, " (%d refused)", s.Refused)
		}
		if s.Estimated > 0 {
			fmt.Fprintf(&out, " (%d estimated)", s.Estimated)
		}
		fmt.Fprintf(&out, ", %d in, %d out", s.Units.Get(claviger.UnitInput), s.Units.Get(claviger.UnitOutput))
		for _, m := range s.Cost {
			fmt.Fprintf(&out, ", %d %s", m.Micros, m.Currency)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func same(t *testing.T, got []claviger.UsageSum, want string) {
	t.Helper()
	if looks(got) != want {
		t.Errorf("got\n%swant\n%s", looks(got), want)
	}
}

func sums(t *testing.T, s Ledger) {
	same(t, sum(t, s, claviger.UsageByUser), "")
	refused := claviger.Event{Started: morning, Subject: "bob", Status: 403, Code: claviger.CodeForbidden}
	acted := event("ann", morning, 7)
	acted.Action, acted.Model, acted.Estimated = "summarise", "gpt-4.1", true
	record(t, s, event("ann", morning, 10), event("bob", morning, 5), acted, refused)
	record(t, s)
	same(t, sum(t, s, claviger.UsageByUser), "ann: 2 calls (1 estimated), 17 in, 34 out, 51 USD\nbob: 2 calls (1 refused), 5 in, 10 out, 15 USD\n")
	same(t, sum(t, s, claviger.UsageByPlan), ": 1 calls (1 refused), 0 in, 0 out\nplan of ann: 2 calls (1 estimated), 17 in, 34 out, 51 USD\nplan of bob: 1 calls, 5 in, 10 out, 15 USD\n")
	same(t, sum(t, s, claviger.UsageByModel), ": 1 calls (1 refused), 0 in, 0 out\ngpt-4.1: 1 calls (1 estimated), 7 in, 14 out, 21 USD\ngpt-4.1-mini: 2 calls, 15 in, 30 out, 45 USD\n")
	same(t, sum(t, s, claviger.UsageByAction), ": 3 calls (1 refused), 15 in, 30 out, 45 USD\nsummarise: 1 calls (1 estimated), 7 in, 14 out, 21 USD\n")
	for _, by := range []claviger.UsageBy{"", "code", "1; DROP TABLE claviger_usage"} {
		if got, err := s.SumUsage(t.Context(), morning, morning, by); err == nil {
			t.Errorf("summed by %q: %v", by, got)
		}
	}
}

func fromTo(t *testing.T, s Ledger) {
	at := func(day, hour int) time.Time { return morning.Add(time.Duration(24*day+hour-9) * time.Hour) }
	for i := range 10 {
		record(t, s, event("ann", at(i, i), 1))
	}
	for _, c := range []struct {
		from, to int
		want     int64
	}{{0, 9, 10}, {0, 0, 1}, {3, 4, 2}, {9, 9, 1}, {10, 20, 0}, {-5, -1, 0}, {5, 3, 0}} {
		for _, hour := range []int{0, 12, 23} {
			got, err := s.SumUsage(t.Context(), at(c.from, hour), at(c.to, 23-hour), claviger.UsageByUser)
			if err != nil {
				t.Fatal(err)
			}
			n := int64(0)
			for _, sum := range got {
				n += sum.Calls
			}
			if n != c.want {
				t.Errorf("from day %d to %d, at %d:00: %v", c.from, c.to, hour, got)
			}
		}
	}
}

func days(t *testing.T, s Ledger) {
	for _, at := range []string{"2026-11-23T23:59:59.999999Z", "2026-11-24T00:00:00Z", "2026-11-24T01:00:00+02:00", "2026-11-24T23:59:59Z", "2026-12-01T12:00:00Z"} {
		when, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		record(t, s, event("ann", when, 1))
	}
	same(t, sum(t, s, claviger.UsageByDay), "2026-11-23: 2 calls, 2 in, 4 out, 6 USD\n2026-11-24: 2 calls, 2 in, 4 out, 6 USD\n2026-12-01: 1 calls, 1 in, 2 out, 3 USD\n")
}

// units: every kind has a sum of its own, and the calls of tools one together.
func units(t *testing.T, s Ledger) {
	kinds := []claviger.UnitKind{
		claviger.UnitInput, claviger.UnitCachedInput, claviger.UnitOutput, claviger.UnitReasoning, claviger.UnitImageInput,
		claviger.UnitAudioInput, claviger.UnitAudioOutput, claviger.UnitSeconds, claviger.UnitCharacters, claviger.ToolCalls("web_search"),
	}
	e := event("ann", morning, 0)
	e.Units = nil
	for i, k := range kinds {
		e.Units = append(e.Units, claviger.Unit{Kind: k, Amount: 1 << i})
	}
	e.Units = append(e.Units, claviger.Unit{Kind: claviger.ToolCalls("file_search"), Amount: 1 << len(kinds)})
	record(t, s, e, e)
	record(t, s, e)
	got := sum(t, s, claviger.UsageByUser)
	if len(got) != 1 {
		t.Fatalf("%v", got)
	}
	for i, k := range kinds {
		want := int64(3 << i)
		if _, isTool := k.Tool(); isTool {
			k, want = claviger.UnitToolCalls, 3*(1<<i+1<<len(kinds))
		}
		if n := got[0].Units.Get(k); n != want {
			t.Errorf("%s: %d, want %d", k, n, want)
		}
	}
}

func currencies(t *testing.T, s Ledger) {
	euro := event("ann", morning, 1)
	euro.Cost = claviger.Money{Micros: 40, Currency: "EUR"}
	record(t, s, event("ann", morning, 1), euro, euro)
	same(t, sum(t, s, claviger.UsageByUser), "ann: 3 calls, 3 in, 6 out, 80 EUR, 3 USD\n")
}

func eraseAndSweep(t *testing.T, s Ledger) {
	later := morning.Add(24 * time.Hour)
	record(t, s, event("ann", morning, 1), event("ann", later, 1), event("bob", morning, 1), event("", later, 1))
	for _, c := range []struct {
		who  string
		want int64
	}{{"ann", 2}, {"ann", 0}, {"carol", 0}, {"", 0}, {"%", 0}} {
		if n, err := s.EraseUsage(t.Context(), c.who); err != nil || n != c.want {
			t.Errorf("erased %d of %q, %v; want %d", n, c.who, err, c.want)
		}
	}
	same(t, sum(t, s, claviger.UsageByUser), ": 1 calls, 1 in, 2 out, 3 USD\nbob: 1 calls, 1 in, 2 out, 3 USD\n")
	if n, err := s.SweepUsage(t.Context(), morning.Add(time.Hour)); err != nil || n != 0 {
		t.Errorf("swept %d of the same day, %v", n, err)
	}
	if n, err := s.SweepUsage(t.Context(), later.Add(-8*time.Hour)); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	same(t, sum(t, s, claviger.UsageByUser), ": 1 calls, 1 in, 2 out, 3 USD\n")
}

// largeNumbers: no row can break the sums of all the others, and neither can
// many of them together.
func largeNumbers(t *testing.T, s Ledger) {
	for range 3 {
		e := event("ann", morning, math.MaxInt64/2)
		e.Cost.Micros = math.MaxInt64
		record(t, s, e)
		e.Units, e.Cost.Micros = claviger.Units{{Kind: claviger.UnitInput, Amount: math.MinInt64}}, math.MinInt64
		record(t, s, e)
	}
	got := sum(t, s, claviger.UsageByUser)
	if len(got) != 1 || got[0].Calls != 6 || got[0].Units.Get(claviger.UnitInput) <= 0 || got[0].Cost[0].Micros <= 0 {
		t.Errorf("summed %v", got)
	}
	const rows = 10_000
	batch := make([]claviger.Event, rows)
	for i := range batch {
		batch[i] = event("bob", morning, math.MaxInt64/2)
		batch[i].Model, batch[i].Cost.Micros = fmt.Sprint(i), math.MaxInt64
	}
	record(t, s, batch...)
	got = sum(t, s, claviger.UsageByUser)
	if len(got) != 2 || got[1].Calls != rows || got[1].Units.Get(claviger.UnitInput) <= got[0].Units.Get(claviger.UnitInput) ||
		got[1].Cost[0].Micros <= got[0].Cost[0].Micros {
		t.Errorf("summed %v", got)
	}
}

func hostileEvents(t *testing.T, s Ledger) {
	n := int64(0)
	for _, text := range hostile() {
		e := event("ann", morning, 1)
		e.Model, e.Plan, e.Endpoint, e.Action, e.Realm, e.Method, e.Code = text, text, claviger.Endpoint(text), text, text, text, claviger.Code(text)
		record(t, s, e)
		n++
	}
	if got := sum(t, s, claviger.UsageByUser); len(got) != 1 || got[0].Calls != n {
		t.Errorf("%d events: %v", n, got)
	}
	for _, sum := range sum(t, s, claviger.UsageByModel) {
		if len(sum.By) > 1024 {
			t.Errorf("a text of %d bytes was kept", len(sum.By))
		}
	}
}

// manyEvents: batches that come at once by two connections, with the same rows
// in another order, add up exactly.
func manyEvents(t *testing.T, a, b Ledger) {
	var wg sync.WaitGroup
	for i := range 8 {
		s := a
		if i%2 == 1 {
			s = b
		}
		wg.Go(func() {
			var batch []claviger.Event
			for j := range 333 {
				e := event("ann", morning, 1)
				e.Model = fmt.Sprint("model ", (j*(i+1)+i)%100)
				batch = append(batch, e)
			}
			for part := range slices.Chunk(batch, 111) {
				if err := s.AppendUsage(t.Context(), part); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range []Ledger{a, b} {
		same(t, sum(t, s, claviger.UsageByUser), "ann: 2664 calls, 2664 in, 5328 out, 7992 USD\n")
	}
}

// sumsAlone: what differs by nothing that is summed by is one row, within a
// batch and across them.
func sumsAlone(t *testing.T, s Ledger) {
	for i := range 10 {
		e, other := event("ann", morning.Add(time.Duration(i)*time.Minute), 1), event("ann", morning.Add(time.Duration(i)*time.Hour), 2)
		other.RequestID, other.Status, other.Method, other.Code, other.CallerGone = fmt.Sprint("request ", i), 429, "ticket", claviger.CodeForbidden, true
		record(t, s, e, other)
	}
	same(t, sum(t, s, claviger.UsageByUser), "ann: 20 calls (10 refused), 30 in, 60 out, 90 USD\n")
	if n, err := s.EraseUsage(t.Context(), "ann"); err != nil || n != 1 {
		t.Errorf("twenty calls of one kind on one day were %d rows, %v", n, err)
	}
}

func ledgerEnded(t *testing.T, s Ledger) {
	ctx := cancelled(t)
	if err := s.AppendUsage(ctx, []claviger.Event{event("ann", morning, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if _, err := s.SumUsage(ctx, morning, morning, claviger.UsageByDay); !errors.Is(err, context.Canceled) {
		t.Errorf("sum: %v", err)
	}
	if _, err := s.EraseUsage(ctx, "ann"); !errors.Is(err, context.Canceled) {
		t.Errorf("erase: %v", err)
	}
	if _, err := s.SweepUsage(ctx, morning); !errors.Is(err, context.Canceled) {
		t.Errorf("sweep: %v", err)
	}
	same(t, sum(t, s, claviger.UsageByUser), "")
}
