package redis_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"claviger.dev/claviger/store/redis"
)

// TestUses: of any number of uses by several nodes at once, at most so many
// count, whatever the id is, and nobody is let through while Redis is away.
func TestUses(t *testing.T) {
	s := start(t)
	nodes := []*redis.Admission{
		s.open(t, redis.Options{MaxWaiting: 1000, Timeout: 30 * time.Second}),
		s.open(t, redis.Options{MaxWaiting: 1000, Timeout: 30 * time.Second}),
	}
	until := time.Now().Add(time.Minute)
	for _, most := range []int64{1, 20} {
		var granted atomic.Int64
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				ok, err := nodes[i%2].UseTicket(t.Context(), "dpop:"+strings.Repeat("x", int(most)), most, until)
				if err != nil {
					t.Error(err)
				}
				if ok {
					granted.Add(1)
				}
			})
		}
		wg.Wait()
		if granted.Load() != most {
			t.Errorf("%d uses were granted, want %d", granted.Load(), most)
		}
	}
	for _, id := range []string{"", "a", "A", "a\x00", "\xff", strings.Repeat("é", 1<<16)} {
		// Also one that is over counts: clocks differ.
		for i, end := range []time.Time{until.Add(-time.Hour), until} {
			if ok, err := nodes[i].UseTicket(t.Context(), id, 1, end); err != nil || ok != (i == 0) {
				t.Errorf("use %d of %.10q: %v, %v", i+1, id, ok, err)
			}
		}
	}
	if ok, err := nodes[0].UseTicket(t.Context(), "none", 0, until); ok || err != nil {
		t.Errorf("none are allowed: %v, %v", ok, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := nodes[0].UseTicket(ended, "ended", 1, until); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("context ended: %v, %v", ok, err)
	}
	for _, key := range s.keys() {
		if strings.Contains(key, "dpop:") || strings.Contains(key, "xxxxxxxx") {
			t.Errorf("a key shows an id: %q", key)
		}
	}
	c := s.client()
	defer c.Close()
	for _, key := range s.keys() {
		if left := c.PTTL(t.Context(), key).Val(); left <= 0 {
			t.Errorf("%q stays for ever", key)
		}
	}
	s.kill()
	if ok, err := nodes[0].UseTicket(t.Context(), "away", 1, until); ok || err == nil {
		t.Errorf("without Redis: %v, %v", ok, err)
	}
}
