package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"claviger.dev/claviger/store/internal/sqldbtest"
)

func TestMigrations(t *testing.T) {
	path, err := prepare(Options{Path: filepath.Join(t.TempDir(), "state", "claviger.db")})
	if err != nil {
		t.Fatal(err)
	}
	db, err := writer(path, busyDefault)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	sqldbtest.Migrations(t, sqldbtest.Engine{
		Dialect: dialect, DB: db, Tables: `SELECT name FROM sqlite_schema WHERE type = 'table'`,
		Open: func(ctx context.Context) error {
			s, err := Open(ctx, Options{Path: path})
			if err == nil {
				err = s.Close()
			}
			return err
		},
	})
}

// TestSynchronous: the promise that what is stored survives a power cut rests
// on this setting.
func TestSynchronous(t *testing.T) {
	path, err := prepare(Options{Path: filepath.Join(t.TempDir(), "state", "claviger.db")})
	if err != nil {
		t.Fatal(err)
	}
	db, err := writer(path, busyDefault)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "busy_timeout": "5000"} {
		var got string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
		}
	}
}
