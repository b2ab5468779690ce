package gatetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Uses is what counts the uses of credentials.
type Uses interface {
	UseTicket(ctx context.Context, id string, most int64, until time.Time) (bool, error)
	SweepTickets(ctx context.Context, now time.Time) (int64, error)
}

// TicketUses is the conformance suite of a store of ticket uses.
func TicketUses(t *testing.T, open OpenStore[Uses]) {
	runStore(t, open, []storeCase[Uses]{
		{"so many and no more", fewUses},
		{"ids do not collide", separateUses},
		{"none are allowed", noUses},
		{"another most", otherMost},
		{"sweep", sweepUses},
		{"300 for 20", usesRace},
		{"hostile ids", hostileUses},
		{"context ended", usesEnded},
	})
	t.Run("opened again", func(t *testing.T) {
		s, again := open(t)
		if again == nil {
			t.Skip("this store keeps nothing")
		}
		use(t, s, "a", 2, true)
		s = again()
		use(t, s, "a", 2, true)
		use(t, s, "a", 2, false)
	})
}

func use(t *testing.T, s Uses, id string, most int64, want bool) {
	t.Helper()
	ok, err := s.UseTicket(t.Context(), id, most, morning.Add(time.Hour))
	if err != nil || ok != want {
		t.Fatalf("use of %.20q with most %d: %v, %v; want %v", id, most, ok, err, want)
	}
}

func fewUses(t *testing.T, s Uses) {
	for range 3 {
		use(t, s, "a", 3, true)
	}
	for range 3 {
		use(t, s, "a", 3, false)
	}
}

func separateUses(t *testing.T, s Uses) {
	for _, id := range []string{"a", "A", "a ", " a", "ä", "a\u0308", "a%", "a_"} {
		use(t, s, id, 1, true)
		use(t, s, id, 1, false)
	}
}

func noUses(t *testing.T, s Uses) {
	for _, most := range []int64{0, -1, math.MinInt64} {
		use(t, s, "a", most, false)
	}
	use(t, s, "a", math.MaxInt64, true)
}

func otherMost(t *testing.T, s Uses) {
	use(t, s, "a", 2, true)
	use(t, s, "a", 2, true)
	use(t, s, "a", 1, false)
	use(t, s, "a", 2, false)
	use(t, s, "a", 3, true)
	use(t, s, "a", 3, false)
}

func sweepUses(t *testing.T, s Uses) {
	early, late := morning, morning.Add(time.Hour)
	for id, until := range map[string]time.Time{"early": early, "late": late} {
		if ok, err := s.UseTicket(t.Context(), id, 1, until); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	// A later end counts, also when an earlier one comes after it.
	for _, until := range []time.Time{late, early} {
		if _, err := s.UseTicket(t.Context(), "moved", 5, until); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		now  time.Time
		want int64
	}{{early, 0}, {early.Add(time.Second), 1}, {early.Add(time.Second), 0}} {
		if n, err := s.SweepTickets(t.Context(), c.now); err != nil || n != c.want {
			t.Fatalf("swept %d at %v, %v; want %d", n, c.now, err, c.want)
		}
	}
	use(t, s, "late", 1, false)
	use(t, s, "moved", 3, true)
	use(t, s, "moved", 3, false)
	use(t, s, "early", 1, true)
}

func usesRace(t *testing.T, s Uses) {
	const callers, most = 300, 20
	var granted, refused atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range callers {
		wg.Go(func() {
			<-start
			ok, err := s.UseTicket(t.Context(), "one", most, morning)
			switch {
			case err != nil:
				t.Errorf("use: %v", err)
			case ok:
				granted.Add(1)
			default:
				refused.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	if granted.Load() != most || refused.Load() != callers-most {
		t.Fatalf("%d were granted and %d refused, want %d and %d", granted.Load(), refused.Load(), most, callers-most)
	}
}

func hostileUses(t *testing.T, s Uses) {
	use(t, s, "resp_1", 1, true)
	for _, id := range hostile() {
		name := fmt.Sprintf("%.20q of %d bytes", id, len(id))
		ok, err := s.UseTicket(t.Context(), id, 1, morning.Add(time.Hour))
		if ok == (err != nil) {
			t.Fatalf("%s: %v, %v", name, ok, err)
		}
		if again, _ := s.UseTicket(t.Context(), id, 1, morning.Add(time.Hour)); again {
			t.Errorf("%s: used twice", name)
		}
	}
	use(t, s, "resp_1", 1, false)
}

func usesEnded(t *testing.T, s Uses) {
	if ok, err := s.UseTicket(cancelled(t), "a", 1, morning); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("use: %v, %v", ok, err)
	}
	if _, err := s.SweepTickets(cancelled(t), morning); !errors.Is(err, context.Canceled) {
		t.Errorf("sweep: %v", err)
	}
	use(t, s, "a", 1, true)
}
