package sqldb

import (
	"context"
	"database/sql"
	"fmt"

	"claviger.dev/claviger"
)

// Kept returns everything that is kept under a pseudonym: the sums of usage, the
// objects of the provider's account, the blocks, and the records of calls. What
// limits count is kept by a name of its window, ends with it, and is not among it;
// transcripts are read with EachTranscript.
func (e *Engine) Kept(ctx context.Context, pseudonym string) (claviger.Kept, error) {
	var k claviger.Kept
	if storable("pseudonym", pseudonym) != nil {
		return k, ctx.Err()
	}
	for _, part := range []struct {
		into  *[]claviger.KeptRow
		query string
	}{
		{&k.Usage, `SELECT * FROM claviger_usage WHERE pseudonym = $1 ORDER BY day, plan, endpoint, action, model, currency`},
		{&k.Objects, `SELECT id, kind, parent, created FROM claviger_objects WHERE owner = $1 ORDER BY created, seq`},
		{&k.Blocks, `SELECT * FROM claviger_blocks WHERE scope = 'user' AND name = $1`},
		{&k.Calls, `SELECT * FROM claviger_calls WHERE owner = $1 ORDER BY started, id`},
	} {
		rows, err := e.read.QueryContext(ctx, part.query, pseudonym)
		if err != nil {
			return claviger.Kept{}, fmt.Errorf("store: what is kept: %w", err)
		}
		if *part.into, err = keptRows(rows); err != nil {
			return claviger.Kept{}, fmt.Errorf("store: what is kept: %w", err)
		}
	}
	return k, nil
}

// keptRows reads rows of whatever columns, and closes them.
func keptRows(rows *sql.Rows) ([]claviger.KeptRow, error) {
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []claviger.KeptRow
	for rows.Next() {
		row := make(claviger.KeptRow, len(names))
		into := make([]any, len(names))
		for i, name := range names {
			row[i].Name, into[i] = name, &row[i].Value
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i := range row {
			if b, ok := row[i].Value.([]byte); ok {
				row[i].Value = string(b)
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// Maintain runs a statement of upkeep, outside of any transaction.
func (e *Engine) Maintain(ctx context.Context, what, statement string) error {
	rows, err := e.write.QueryContext(ctx, statement)
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

// Row runs a statement of upkeep that answers with one row, outside of any
// transaction.
func (e *Engine) Row(ctx context.Context, statement string, into ...any) error {
	return e.write.QueryRowContext(ctx, statement).Scan(into...)
}
