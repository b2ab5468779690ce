package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"claviger.dev/claviger"
)

// slowLedger is a database that can be away, or hang until a context ends.
type slowLedger struct {
	memoryEngine
	mu      sync.Mutex
	away    error
	hangs   bool
	batches []int
	calls   int
	swept   map[string]int
}

func (s *slowLedger) AppendUsage(ctx context.Context, events []claviger.Event) error {
	s.mu.Lock()
	away, hangs := s.away, s.hangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if away != nil {
		return away
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, len(events))
	s.calls += len(events)
	return nil
}

func (s *slowLedger) set(away error, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.hangs = away, hangs
}

func (s *slowLedger) stored() (calls, batches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, len(s.batches)
}

func (s *slowLedger) sweep(what string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.swept == nil {
		s.swept = map[string]int{}
	}
	s.swept[what]++
	return 0, nil
}

func (s *slowLedger) SweepUsage(_ context.Context, before time.Time) (int64, error) {
	if d := time.Since(before); d != usageKept {
		return 0, errors.New("swept what is kept")
	}
	return s.sweep("usage")
}

func (s *slowLedger) SweepTickets(context.Context, time.Time) (int64, error) {
	return s.sweep("tickets")
}

func (s *slowLedger) SweepWindows(context.Context, time.Time) (int64, error) {
	return s.sweep("windows")
}

func (s *slowLedger) SweepBlocks(_ context.Context, before time.Time) (int64, error) {
	if d := time.Since(before); d != blocksKept {
		return 0, errors.New("swept what is kept")
	}
	return s.sweep("blocks")
}

// bubble runs a test with a ledger in a bubble of its own time.
func bubble(t *testing.T, run func(t *testing.T, l *ledger, s *slowLedger, log *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &slowLedger{memoryEngine: newMemoryEngine()}
		run(t, newLedger(s, newMetrics(), slog.New(slog.NewTextHandler(&log, nil))), s, &log)
	})
}

func recordCalls(t *testing.T, l *ledger, n int, subject string) {
	t.Helper()
	began := time.Now()
	for range n {
		if err := l.Record(t.Context(), &claviger.Event{Subject: subject, Status: 200}); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(began); d != 0 {
		t.Errorf("%d calls waited for %v", n, d)
	}
}

// counted sums a counter over its labels, or over those with one value.
func counted(t *testing.T, l *ledger, name, label string) (sum float64) {
	t.Helper()
	families, err := l.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label == "" || m.GetLabel()[0].GetValue() == label {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// TestLedgerBatches: at most a second late, and many at once.
func TestLedgerBatches(t *testing.T) {
	bubble(t, func(t *testing.T, l *ledger, s *slowLedger, _ *bytes.Buffer) {
		stop := l.start(t.Context())
		recordCalls(t, l, 3, "p")
		recordCalls(t, l, 5, "") // refused before anybody was known
		time.Sleep(ledgerEvery + time.Millisecond)
		if calls, batches := s.stored(); calls != 3 || batches != 1 {
			t.Errorf("%d calls in %d batches, want 3 in 1", calls, batches)
		}
		recordCalls(t, l, 2*ledgerBatch, "p")
		synctest.Wait()
		if calls, batches := s.stored(); calls != 3+2*ledgerBatch || batches != 3 {
			t.Errorf("%d calls in %d batches: full ones wait", calls, batches)
		}
		recordCalls(t, l, 2, "p")
		stop()
		if calls, _ := s.stored(); calls != 5+2*ledgerBatch {
			t.Errorf("%d calls at the end", calls)
		}
		if n := counted(t, l, "claviger_requests_total", ""); n != 10+2*ledgerBatch {
			t.Errorf("%v requests in the metrics", n)
		}
	})
}

// TestLedgerAway: a database that is away keeps no call waiting and loses none
// while there is room; what is lost is counted, and told once a minute.
func TestLedgerAway(t *testing.T) {
	bubble(t, func(t *testing.T, l *ledger, s *slowLedger, log *bytes.Buffer) {
		s.set(errors.New("no route"), false)
		stop := l.start(t.Context())
		recordCalls(t, l, 100, "p")
		time.Sleep(59 * time.Second)
		recordCalls(t, l, 10, "p")
		if n := counted(t, l, "claviger_usage_failed_writes_total", ""); n < 10 || n > 60 {
			t.Errorf("%v failures in a minute", n)
		}
		if n := strings.Count(log.String(), "cannot be written"); n != 1 {
			t.Errorf("told %d times:\n%s", n, log)
		}
		s.set(nil, false)
		time.Sleep(5 * time.Second)
		if calls, _ := s.stored(); calls != 110 {
			t.Errorf("%d of 110 calls after the database came back", calls)
		}
		s.set(nil, true)
		const more = 2 * ledgerQueue
		recordCalls(t, l, more, "p")
		time.Sleep(time.Second)
		recordCalls(t, l, 1000, "p")
		lost := counted(t, l, "claviger_usage_lost_total", "full")
		if lost == 0 || strings.Count(log.String(), "calls are missing") != 1 {
			t.Errorf("%v lost:\n%s", lost, log)
		}
		began := time.Now()
		stop()
		if d := time.Since(began); d > ledgerWrite+ledgerEnd {
			t.Errorf("the end took %v", d)
		}
		calls, _ := s.stored()
		end := counted(t, l, "claviger_usage_lost_total", "end")
		if total := calls + int(lost+end); total != 110+more+1000 {
			t.Errorf("%d stored, %v and %v lost: %d of %d", calls, lost, end, total, 110+more+1000)
		}
	})
}

func TestLedgerSweeps(t *testing.T) {
	bubble(t, func(t *testing.T, l *ledger, s *slowLedger, log *bytes.Buffer) {
		stop := l.start(t.Context())
		time.Sleep(3*sweepEvery - time.Second)
		stop()
		for _, what := range []string{"usage", "tickets", "windows", "blocks"} {
			if n := s.swept[what]; n != 3 {
				t.Errorf("%s swept %d times in three hours:\n%s", what, n, log)
			}
		}
	})
}

// TestNoLedger: what keeps no sums is only counted.
func TestNoLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(newMemoryEngine(), newMetrics(), slog.New(slog.DiscardHandler))
		stop := l.start(t.Context())
		recordCalls(t, l, 2*ledgerQueue, "p")
		stop()
		if n := counted(t, l, "claviger_usage_lost_total", "full"); n != 0 || len(l.queue) != 0 {
			t.Errorf("%v lost, %d wait", n, len(l.queue))
		}
		if n := counted(t, l, "claviger_requests_total", ""); n != 2*ledgerQueue {
			t.Errorf("%v requests counted", n)
		}
	})
}

// BenchmarkLedger is what a call pays for its account.
func BenchmarkLedger(b *testing.B) {
	l := newLedger(&slowLedger{memoryEngine: newMemoryEngine()}, newMetrics(), slog.New(slog.DiscardHandler))
	stop := l.start(b.Context())
	defer stop()
	e := claviger.Event{Subject: "3kq0v9d2f1", Plan: "pro", Model: "gpt-4.1-mini", Route: "responses", Status: 200}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = l.Record(context.Background(), &e)
		}
	})
}
