// Package sqldbtest holds tests that both SQL engines pass. It is for tests
// alone.
package sqldbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger/store/internal/sqldb"
)

// Newest is the version of the newest schema.
const Newest = 4

// withUsage is the version that first keeps sums of usage.
const withUsage = 2

// Engine is what the tests have to know about one.
type Engine struct {
	Dialect sqldb.Dialect
	DB      *sql.DB
	// Open opens the same database as a program does, and closes it.
	Open func(ctx context.Context) error
	// Tables lists all columns of all tables, as "table.column".
	Tables string
}

func (e Engine) tables(t *testing.T) []string {
	t.Helper()
	rows, err := e.DB.QueryContext(t.Context(), e.Tables)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "sqlite_") {
			out = append(out, name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// Migrations goes forward one by one, back one by one and forward again, and
// opens a database that is newer than this binary.
func Migrations(t *testing.T, e Engine) {
	t.Helper()
	to := func(v int64) {
		t.Helper()
		if err := e.Dialect.MigrateTo(t.Context(), e.DB, v); err != nil {
			t.Fatalf("to version %d: %v", v, err)
		}
	}
	row := func(v int64) string {
		if v < withUsage {
			return ""
		}
		var calls, input int64
		if err := e.DB.QueryRowContext(t.Context(), `SELECT calls, input FROM claviger_usage`).Scan(&calls, &input); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(calls, " ", input)
	}
	at := map[int64][]string{}
	for v := int64(0); v <= Newest; v++ {
		to(v)
		if v == withUsage {
			if _, err := e.DB.ExecContext(t.Context(), `INSERT INTO claviger_usage (day, pseudonym, realm, plan, endpoint, action, model, currency,
				calls, refused, estimated, input, cached_input, output, reasoning, micros) VALUES (1, 'p', '', '', '', '', '', '', 3, 0, 0, 7, 0, 0, 0, 0)`); err != nil {
				t.Fatal(err)
			}
		}
		if got := row(v); v >= withUsage && got != "3 7" {
			t.Errorf("at version %d what was used is %s", v, got)
		}
		at[v] = e.tables(t)
		if v > 0 && slices.Equal(at[v], at[v-1]) {
			t.Errorf("version %d makes no table and no column: the way back would prove nothing", v)
		}
		for _, name := range at[v] {
			if !strings.HasPrefix(name, "claviger_") {
				t.Errorf("the table %s could be somebody else's", name)
			}
		}
	}
	for v := int64(Newest - 1); v >= 0; v-- {
		to(v)
		if got := row(v); v >= withUsage && got != "3 7" {
			t.Errorf("back at version %d what was used is %s", v, got)
		}
		if got := e.tables(t); !slices.Equal(got, at[v]) {
			t.Errorf("back at version %d there are %v, want %v", v, got, at[v])
		}
	}
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := e.tables(t); !slices.Equal(got, at[Newest]) {
		t.Errorf("opened, there are %v; Newest is %d: %v", got, Newest, at[Newest])
	}
	if _, err := e.DB.ExecContext(t.Context(), `INSERT INTO claviger_migrations (version_id, is_applied) VALUES (900, true)`); err != nil {
		t.Fatal(err)
	}
	err := e.Open(t.Context())
	if !errors.Is(err, sqldb.ErrNewer) || !strings.Contains(err.Error(), "900") {
		t.Errorf("a newer database: %v", err)
	}
	if got := e.tables(t); !slices.Equal(got, at[Newest]) {
		t.Errorf("a refused open changed the tables: %v", got)
	}
}
