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
	db, err := pool(path, busyDefault, 1)
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
