package sqldbtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

// Windows is a store of windows.
type Windows interface {
	admit.Journal
	SweepWindows(ctx context.Context, now time.Time) (int64, error)
}

var morning = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// Journal is the conformance suite of admit.Journal on an engine. again opens
// the same database anew.
func Journal(t *testing.T, open func(t *testing.T) (w Windows, again func() Windows)) {
	t.Helper()
	t.Run("round trip", func(t *testing.T) { roundTrip(t, open) })
	t.Run("all or none", func(t *testing.T) { allOrNone(t, open) })
	t.Run("sweep", func(t *testing.T) { sweepWindows(t, open) })
	t.Run("restart", func(t *testing.T) { restart(t, open) })
}

func load(t *testing.T, w Windows) []admit.Window {
	t.Helper()
	got, err := w.LoadWindows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b admit.Window) int {
		return strings.Compare(fmt.Sprint(a.Key, a.Kind, a.Per, a.Zone, a.Currency), fmt.Sprint(b.Key, b.Kind, b.Per, b.Zone, b.Currency))
	})
	return got
}

func save(t *testing.T, w Windows, rows ...admit.Window) {
	t.Helper()
	if err := w.SaveWindows(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

func roundTrip(t *testing.T, open func(t *testing.T) (Windows, func() Windows)) {
	w, again := open(t)
	var want []admit.Window
	for i, key := range []string{"ip:\x00\xff'; DROP TABLE claviger_windows; --", "user:a", "user:b", "user:" + strings.Repeat("k", 1019), "", "🗝"} {
		n := int64(i)
		want = append(want,
			admit.Window{Key: key, Kind: claviger.ChargeRate, Per: claviger.PeriodMinute, Drained: 1<<62 + n, Num: 1<<61 + n, Den: 1<<61 + 9},
			admit.Window{Key: key, Kind: claviger.ChargeMoney, Per: claviger.PeriodDay, Zone: "Europe/Berlin", Currency: "USD", Start: n, End: 1<<62 + n, Used: 1<<63 - 1, Held: n, Limit: 1 << 60},
			admit.Window{Key: key, Kind: claviger.ChargeMoney, Per: claviger.PeriodDay, Currency: "USD", Used: n},
			admit.Window{Key: key, Kind: claviger.ChargeMoney, Per: claviger.PeriodDay, Currency: "EUR", Used: n},
			admit.Window{Key: key, Kind: claviger.ChargeTokens, Per: claviger.PeriodDay, Used: n})
	}
	for i := range 300 {
		want = append(want, admit.Window{Key: fmt.Sprint("many:", i), Kind: claviger.ChargeRate, Per: claviger.PeriodHour, Drained: int64(i)})
	}
	slices.SortFunc(want, func(a, b admit.Window) int {
		return strings.Compare(fmt.Sprint(a.Key, a.Kind, a.Per, a.Zone, a.Currency), fmt.Sprint(b.Key, b.Kind, b.Per, b.Zone, b.Currency))
	})
	save(t, w)
	save(t, w, want...)
	for i := range want {
		want[i].Used++
		want[i].Used = max(want[i].Used, 0)
	}
	save(t, w, want...)
	w = again()
	if got := load(t, w); !slices.Equal(got, want) {
		t.Errorf("%d rows came back, %d were stored, or they differ", len(got), len(want))
	}
}

func allOrNone(t *testing.T, open func(t *testing.T) (Windows, func() Windows)) {
	w, _ := open(t)
	before := admit.Window{Key: "user:a", Kind: claviger.ChargeTokens, Per: claviger.PeriodDay, Used: 1}
	save(t, w, before)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	after := before
	after.Used = 2
	if err := w.SaveWindows(ctx, []admit.Window{after}); !errors.Is(err, context.Canceled) {
		t.Errorf("save: %v", err)
	}
	if _, err := w.LoadWindows(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("load: %v", err)
	}
	if got := load(t, w); len(got) != 1 || got[0] != before {
		t.Errorf("kept %v", got)
	}
}

func sweepWindows(t *testing.T, open func(t *testing.T) (Windows, func() Windows)) {
	w, _ := open(t)
	past, future := morning.Add(-time.Minute).UnixNano(), morning.Add(time.Minute).UnixNano()
	save(t, w,
		admit.Window{Key: "a drained", Kind: claviger.ChargeRate, Per: claviger.PeriodMinute, Drained: past},
		admit.Window{Key: "b draining", Kind: claviger.ChargeRate, Per: claviger.PeriodMinute, Drained: future},
		admit.Window{Key: "c over", Kind: claviger.ChargeTokens, Per: claviger.PeriodDay, End: past, Used: 5, Held: 5},
		admit.Window{Key: "d current", Kind: claviger.ChargeTokens, Per: claviger.PeriodDay, End: future, Used: 5},
		admit.Window{Key: "e holding", Kind: claviger.ChargeTokens, Per: claviger.PeriodMinute, Held: 5, Limit: 10})
	if n, err := w.SweepWindows(t.Context(), morning); err != nil || n != 2 {
		t.Errorf("swept %d, %v", n, err)
	}
	if got := load(t, w); len(got) != 3 || got[0].Key[0] != 'b' || got[1].Key[0] != 'd' || got[2].Key[0] != 'e' {
		t.Errorf("left %v", got)
	}
}

// Month charges tokens, and one millionth of a dollar, of a month.
func Month(amount, limit int64) []claviger.Charge {
	return []claviger.Charge{
		{Key: "user:x", Kind: claviger.ChargeTokens, Amount: amount, Window: claviger.Window{Limit: limit, Per: claviger.PeriodMonth}, Scope: "user"},
		{Key: "user:x", Kind: claviger.ChargeMoney, Amount: min(amount, 1), Window: claviger.Window{Limit: limit, Per: claviger.PeriodMonth, Currency: "USD"}, Scope: "user"},
	}
}

// Started restores a memory from a journal and waits until it grants. The
// function that it returns ends it.
func Started(tb testing.TB, j admit.Journal, now func() time.Time) (*admit.Memory, func() error) {
	tb.Helper()
	m, err := admit.Restore(context.Background(), admit.MemoryOptions{Now: now, Journal: j})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Keep(ctx) }()
	for i := 0; ; i++ {
		_, err := m.Admit(context.Background(), nil)
		if err == nil {
			break
		}
		if i > 5000 {
			tb.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	return m, func() error { cancel(); return <-done }
}

func restart(t *testing.T, open func(t *testing.T) (Windows, func() Windows)) {
	w, again := open(t)
	now := func() time.Time { return morning }
	m, stop := Started(t, w, now)
	for i := range 10 {
		h, err := m.Admit(t.Context(), Month(10, 1000))
		if err != nil {
			t.Fatal(err)
		}
		if i < 5 {
			if err := h.Settle(t.Context(), Month(3, 1000)[:1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	m, stop = Started(t, again(), now)
	if left := Left(t, m, 1000); left != [2]int64{1000 - 5*3 - 5*10, 990} {
		t.Errorf("left %v", left)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// Left is how many tokens and millionths are left of Month.
func Left(tb testing.TB, m *admit.Memory, limit int64) [2]int64 {
	tb.Helper()
	h, err := m.Admit(context.Background(), Month(0, limit))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = h.Release(context.Background()) }()
	st := h.Standings()
	return [2]int64{st[0].Remaining, st[1].Remaining}
}

const (
	// child names the variable by which a test process knows that it is to be
	// killed, and what it is to open.
	child = "CLAVIGER_TEST_CHILD"
	ample = int64(1) << 50
)

// Kill lets a child process admit, kills it, and compares what it said that it
// had admitted with what a new process knows. open opens what place names, in
// both processes; place is asked in the parent alone.
func Kill(t *testing.T, place func() string, open func(arg string) (admit.Journal, func())) {
	t.Helper()
	if arg := os.Getenv(child); arg != "" {
		j, _ := open(arg)
		admitForever(t, j)
	}
	arg := place()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), child+"="+arg)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	type said struct {
		calls int64
		at    time.Time
	}
	var all []said
	deadline := time.Time{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s := said{at: time.Now()}
		if n, err := fmt.Sscanf(lines.Text(), "admitted %d", &s.calls); n != 1 || err != nil {
			continue
		}
		all = append(all, s)
		if deadline.IsZero() {
			deadline = s.at.Add(700 * time.Millisecond)
		}
		if s.at.After(deadline) && len(all) >= 20 {
			break
		}
	}
	killed := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if len(all) < 20 {
		t.Fatalf("the child admitted %d calls only", len(all))
	}
	j, done := open(arg)
	defer done()
	m, stop := Started(t, j, time.Now)
	left := Left(t, m, ample)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	known, last := ample-left[1], all[len(all)-1].calls
	if tokens := ample - left[0]; tokens != 10*known {
		t.Errorf("%d calls and %d tokens: a batch was written in part", known, tokens)
	}
	lost := time.Duration(0)
	for _, s := range all {
		if s.calls > known {
			lost = killed.Sub(s.at)
			break
		}
	}
	t.Logf("the child said %d, %d are known: what is lost is from the last %v", last, known, lost)
	if lost > admit.MaxLag+admit.FlushEvery || known == 0 {
		t.Errorf("calls of the last %v are lost", lost)
	}
}

func admitForever(t *testing.T, j admit.Journal) {
	m, _ := Started(t, j, time.Now)
	for i := int64(1); ; i++ {
		if _, err := m.Admit(context.Background(), Month(10, ample)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(os.Stdout, "admitted", i)
		time.Sleep(2 * time.Millisecond)
	}
}
