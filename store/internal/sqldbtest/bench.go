package sqldbtest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

// Benched is what the benchmarks call.
type Benched interface {
	admit.Journal
	ClaimObjects(ctx context.Context, owner string, objects []claviger.ObjectRef, at time.Time) error
	OwnObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) ([]bool, int64, error)
	UseTicket(ctx context.Context, id string, most int64, until time.Time) (bool, error)
	BlocksVersion(ctx context.Context) (int64, error)
	AppendUsage(ctx context.Context, events []claviger.Event) error
}

// Bench measures what lies on the path of requests, by sixteen callers at once
// where it says so.
func Bench(b *testing.B, open func(b *testing.B) Benched) {
	ref := func(i int64) []claviger.ObjectRef {
		return []claviger.ObjectRef{{Kind: "resp", ID: fmt.Sprint("resp_", i)}}
	}
	parallel := func(name string, prepare, each func(s Benched, i int64) error) {
		b.Run(name, func(b *testing.B) {
			s := open(b)
			var n atomic.Int64
			for i := range int64(1000) {
				if err := prepare(s, i); err != nil {
					b.Fatal(err)
				}
			}
			b.SetParallelism(8)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := each(s, n.Add(1)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
	nothing := func(Benched, int64) error { return nil }
	claim := func(s Benched, i int64) error { return s.ClaimObjects(context.Background(), "ann", ref(i), time.Now()) }
	parallel("claim", nothing, claim)
	parallel("check", claim, func(s Benched, i int64) error {
		_, _, err := s.OwnObjects(context.Background(), "ann", ref(i%1000))
		return err
	})
	parallel("ticket", nothing, func(s Benched, i int64) error {
		_, err := s.UseTicket(context.Background(), fmt.Sprint(i), 20, time.Now())
		return err
	})
	parallel("blocksversion", nothing, func(s Benched, _ int64) error {
		_, err := s.BlocksVersion(context.Background())
		return err
	})
	b.Run("ledger of 256", func(b *testing.B) {
		s := open(b)
		events := make([]claviger.Event, 256)
		for i := range events {
			events[i] = claviger.Event{Started: time.Now(), Subject: fmt.Sprint("person-", i), Plan: "pro", Model: "gpt-4.1-mini", Endpoint: "responses", Status: 200}
		}
		for b.Loop() {
			if err := s.AppendUsage(context.Background(), events); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*256/b.Elapsed().Seconds(), "rows/s")
	})
	for _, n := range []int{1, 256} {
		b.Run(fmt.Sprint("journal of ", n), func(b *testing.B) {
			s := open(b)
			rows := make([]admit.Window, n)
			for i := range rows {
				rows[i] = admit.Window{Key: fmt.Sprint("user:", i), Kind: claviger.ChargeTokens, Per: claviger.PeriodDay}
			}
			for used := int64(1); b.Loop(); used++ {
				// SQLite writes nothing where nothing changes.
				for i := range rows {
					rows[i].Used = used
				}
				if err := s.SaveWindows(context.Background(), rows); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("decision", func(b *testing.B) { decisions(b, open(b)) })
}

// decisions are admitted and settled while the journal writes.
func decisions(b *testing.B, s Benched) {
	m, stop := Started(b, s, time.Now)
	var who, refused atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		charges := Month(10, 1<<50)
		for i := who.Add(1); pb.Next(); i++ {
			charges[0].Key = "user:" + fmt.Sprint(i%1000)
			h, err := m.Admit(context.Background(), charges)
			if err != nil {
				refused.Add(1)
				continue
			}
			if err := h.Settle(context.Background(), charges); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(refused.Load())/float64(b.N), "refused/op")
	if err := stop(); err != nil {
		b.Fatal(err)
	}
}
