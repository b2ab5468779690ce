package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/store/internal/sqldb"
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
		Dialect: dialect, DB: db, Tables: `SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'`,
		Open: func(ctx context.Context) error {
			s, err := Open(ctx, Options{Path: path})
			if err == nil {
				err = s.Close()
			}
			return err
		},
	})
}

// TestExisting: a command beside a running gateway makes and migrates nothing.
func TestExisting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "claviger.db")
	refused := func(want error) {
		t.Helper()
		if s, err := Open(t.Context(), Options{Path: path, Existing: true}); !errors.Is(err, want) {
			t.Errorf("opened %v with %v, want %v", s, err, want)
		}
	}
	refused(sqldb.ErrNone)
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("a directory was made")
	}
	s, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	beside, err := Open(t.Context(), Options{Path: path, Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := beside.PutBlock(t.Context(), claviger.Block{Scope: claviger.BlockEveryone}); err != nil {
		t.Error(err)
	}
	if got, err := s.Blocks(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("the other process reads %v, %v", got, err)
	}
	if err := errors.Join(beside.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := writer(path, busyDefault)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	migrate := func(to int64) {
		t.Helper()
		if err := dialect.MigrateTo(t.Context(), db, to); err != nil {
			t.Fatal(err)
		}
	}
	migrate(1)
	refused(sqldb.ErrOlder)
	migrate(0)
	refused(sqldb.ErrNone)
	migrate(2)
	if _, err := db.ExecContext(t.Context(), `INSERT INTO claviger_migrations (version_id, is_applied) VALUES (999, 1)`); err != nil {
		t.Fatal(err)
	}
	refused(sqldb.ErrNewer)
}

// TestExistingOfOthers: a database of somebody else is left as it is.
func TestExistingOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE notes (text TEXT)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Path: path, Existing: true}); !errors.Is(err, sqldb.ErrNone) {
		t.Errorf("opened with %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed, %v", err)
	}
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
