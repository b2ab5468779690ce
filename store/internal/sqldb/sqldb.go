// Package sqldb is what the SQL engines have in common: the migrations and the
// queries, written so that SQLite and PostgreSQL read them alike. What differs
// is how a database is opened, and the types in its migrations.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Engine runs the queries. Its methods may be called concurrently and block
// until ctx ends; on error nothing of a call was stored.
type Engine struct {
	read, write *sql.DB
	mark        byte
}

// New makes an Engine of two pools, of which write may be the same as read.
// Close closes both. mark is what a numbered parameter begins with in long
// lists: '$', which every engine reads, or '?' for SQLite, which compares each
// name that begins with '$' with all before it.
func New(read, write *sql.DB, mark byte) *Engine {
	return &Engine{read: read, write: write, mark: mark}
}

// Ping reports whether the database answers: it reads a row.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.BlocksVersion(ctx)
	return err
}

// Close waits for the queries under way and closes the database. It may be
// called again.
func (e *Engine) Close() error {
	if e.read == e.write {
		return e.read.Close()
	}
	return errors.Join(e.read.Close(), e.write.Close())
}

// MostBytes bounds what is stored as an id or a name, so that it fits into an
// index of every engine.
const MostBytes = 1024

// storable says why s cannot be an id or a name, nil when it can. PostgreSQL
// keeps neither NUL nor what is not UTF-8, so no engine does.
func storable(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("store: the %s is empty", what)
	case len(s) > MostBytes:
		return fmt.Errorf("store: the %s has %d bytes, and at most %d are kept", what, len(s), MostBytes)
	case !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("store: the %s is not plain UTF-8", what)
	}
	return nil
}

// atOnce is how many rows or ids one statement takes.
const atOnce = 64

// params writes n groups of width parameters, counted from first: "($3,$4)".
func (e *Engine) params(first, n, width int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if width > 1 {
			b.WriteByte('(')
		}
		for j := range width {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteByte(e.mark)
			b.WriteString(strconv.Itoa(first + i*width + j))
		}
		if width > 1 {
			b.WriteByte(')')
		}
	}
	return b.String()
}

// inTx runs do in a transaction of the writer.
func (e *Engine) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := e.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store: begin: %w", err)
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: commit: %w", err)
	}
	return nil
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// texts reads a column of strings.
func texts(ctx context.Context, q queryer, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// count runs a statement and returns how many rows it changed.
func (e *Engine) count(ctx context.Context, what, query string, args ...any) (int64, error) {
	r, err := e.write.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", what, err)
	}
	return r.RowsAffected()
}

// micros is a time as it is stored, NULL for the zero time.
func micros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func fromMicros(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
