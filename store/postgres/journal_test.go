package postgres

import (
	"context"
	"os"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/store/internal/sqldbtest"
)

func TestJournal(t *testing.T) {
	sqldbtest.Journal(t, opener(func(s *Store) sqldbtest.Windows { return s }))
}

func TestKilled(t *testing.T) {
	url := ""
	if os.Getenv("CLAVIGER_TEST_CHILD") == "" {
		url = server.URL(t)
	}
	sqldbtest.Kill(t, url, func(arg string) (admit.Journal, func()) {
		s, err := Open(context.Background(), Options{URL: claviger.NewSecret([]byte(arg))})
		if err != nil {
			t.Fatal(err)
		}
		return s, func() { _ = s.Close() }
	})
}
