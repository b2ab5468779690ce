package postgres

import (
	"context"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/store/internal/sqldbtest"
)

func TestJournal(t *testing.T) {
	sqldbtest.Journal(t, opener(func(s *Store) sqldbtest.Windows { return s }))
}

func TestKilled(t *testing.T) {
	sqldbtest.Kill(t, func() string { return server.URL(t) }, func(arg string) (admit.Journal, func()) {
		s, err := Open(context.Background(), Options{URL: claviger.NewSecret([]byte(arg))})
		if err != nil {
			t.Fatal(err)
		}
		return s, func() { _ = s.Close() }
	})
}
