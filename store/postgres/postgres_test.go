package postgres

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
)

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: claviger.NewSecret([]byte(url))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func opener[S any](as func(*Store) S) gatetest.OpenStore[S] {
	return func(t *testing.T) (S, func() S) {
		url := server.URL(t)
		s := open(t, url)
		return as(s), func() S {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return as(open(t, url))
		}
	}
}

func TestObjects(t *testing.T) {
	gatetest.ObjectStore(t, opener(func(s *Store) gatetest.Objects { return s }))
}

func TestTicketUses(t *testing.T) {
	gatetest.TicketUses(t, opener(func(s *Store) gatetest.Uses { return s }))
}

func TestBlocks(t *testing.T) {
	gatetest.BlockStore(t, opener(func(s *Store) gatetest.BlockKeeper { return s }))
}

func TestLedger(t *testing.T) {
	gatetest.UsageLedger(t, opener(func(s *Store) gatetest.Ledger { return s }), func(t *testing.T) (a, b gatetest.Ledger) {
		url := server.URL(t)
		return open(t, url), open(t, url)
	})
}

func TestRecords(t *testing.T) {
	gatetest.RecordStore(t, opener(func(s *Store) gatetest.RecordKeeper { return s }))
}

func TestTwoOpen(t *testing.T) {
	url := server.URL(t)
	gatetest.SharedBlocks(t, open(t, url), open(t, url))
}

// TestOpenAtOnce: gateways that start together migrate once.
func TestOpenAtOnce(t *testing.T) {
	url := server.URL(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := Open(t.Context(), Options{URL: claviger.NewSecret([]byte(url)), MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOutOfReach(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Options{URL: claviger.NewSecret([]byte("postgres://u:SECRET@" + addr + "/x"))})
	if err == nil || !strings.Contains(err.Error(), "out of reach") || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("got %v", err)
	}
}

// TestStatementsEnd: what waits for a lock of somebody else ends by itself.
func TestStatementsEnd(t *testing.T) {
	url := server.URL(t)
	s, err := Open(t.Context(), Options{URL: claviger.NewSecret([]byte(url)), StatementTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if _, err := c.Exec(t.Context(), "BEGIN; LOCK TABLE claviger_ticket_uses"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if ok, err := s.UseTicket(t.Context(), "a", 1, time.Now()); ok || err == nil {
		t.Errorf("counted behind a lock: %v, %v", ok, err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("waited %v", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.UseTicket(ctx, "a", 1, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.UseTicket(t.Context(), "a", 1, time.Now()); !ok || err != nil {
		t.Errorf("what failed was counted: %v, %v", ok, err)
	}
}

// TestServerGoneAndBack crashes the server under open connections.
func TestServerGoneAndBack(t *testing.T) {
	s := open(t, server.URL(t))
	if err := s.ClaimObjects(t.Context(), "ann", []claviger.ObjectRef{{Kind: "resp", ID: "resp_1"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	server.Restart(t)
	var own []bool
	var err error
	for range 20 {
		// Connections that broke are noticed when they are used.
		if own, _, err = s.OwnObjects(t.Context(), "ann", []claviger.ObjectRef{{Kind: "resp", ID: "resp_1"}}); err == nil {
			break
		}
	}
	if err != nil || !own[0] {
		t.Fatalf("after the server came back: %v, %v", own, err)
	}
}
