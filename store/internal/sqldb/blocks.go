package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"claviger.dev/claviger"
)

// PutBlock stores a block, in place of the one of the same scope and name.
// Times are kept to the microsecond.
func (e *Engine) PutBlock(ctx context.Context, b claviger.Block) error {
	if err := storable("scope of a block", string(b.Scope)); err != nil {
		return err
	}
	if b.Name != "" || b.Scope != claviger.BlockEveryone {
		if err := storable("name of a block", b.Name); err != nil {
			return err
		}
	}
	reason := strings.ToValidUTF8(strings.ReplaceAll(b.Reason, "\x00", "\uFFFD"), "\uFFFD")
	return e.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO claviger_blocks (scope, name, until, issued_before, since, reason)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (scope, name) DO UPDATE SET until = excluded.until,
			issued_before = excluded.issued_before, since = excluded.since, reason = excluded.reason`,
			string(b.Scope), b.Name, micros(b.Until), micros(b.IssuedBefore), micros(b.Since), reason)
		if err != nil {
			return fmt.Errorf("store: put a block: %w", err)
		}
		return blocksChanged(ctx, tx)
	})
}

// DropBlock ends a block, and says whether there was one.
func (e *Engine) DropBlock(ctx context.Context, scope claviger.BlockScope, name string) (bool, error) {
	if storable("scope", string(scope)) != nil || name != "" && storable("name", name) != nil {
		return false, ctx.Err()
	}
	dropped := false
	err := e.inTx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `DELETE FROM claviger_blocks WHERE scope = $1 AND name = $2`, string(scope), name)
		if err != nil {
			return fmt.Errorf("store: drop a block: %w", err)
		}
		n, err := r.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		dropped = true
		return blocksChanged(ctx, tx)
	})
	return dropped && err == nil, err
}

// SweepBlocks deletes the blocks that ended by themselves before a time, and returns
// how many that were. Those without an end stay.
func (e *Engine) SweepBlocks(ctx context.Context, before time.Time) (int64, error) {
	var n int64
	err := e.inTx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `DELETE FROM claviger_blocks WHERE until < $1`, before.UnixMicro())
		if err != nil {
			return fmt.Errorf("store: sweep blocks: %w", err)
		}
		if n, err = r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return blocksChanged(ctx, tx)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// blocksChanged numbers a change. The row is locked until the commit, so that
// changes become visible in the order of their numbers.
func blocksChanged(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE claviger_versions SET version = version + 1 WHERE of = 'blocks'`); err != nil {
		return fmt.Errorf("store: number a change of blocks: %w", err)
	}
	return nil
}

// Blocks returns every block, also those that ended by themselves, by scope and
// name.
func (e *Engine) Blocks(ctx context.Context) ([]claviger.Block, error) {
	rows, err := e.read.QueryContext(ctx, `SELECT scope, name, until, issued_before, since, reason FROM claviger_blocks ORDER BY scope, name`)
	if err != nil {
		return nil, fmt.Errorf("store: read blocks: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []claviger.Block
	for rows.Next() {
		var b claviger.Block
		var until, issued, since sql.NullInt64
		if err := rows.Scan(&b.Scope, &b.Name, &until, &issued, &since, &b.Reason); err != nil {
			return nil, fmt.Errorf("store: read blocks: %w", err)
		}
		b.Until, b.IssuedBefore, b.Since = fromMicros(until), fromMicros(issued), fromMicros(since)
		out = append(out, b)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: read blocks: %w", err)
	}
	return out, nil
}

// BlocksVersion returns a number that grows with every change of the blocks, by
// whatever process. It reads one row. Whoever reads it before Blocks misses no
// change.
func (e *Engine) BlocksVersion(ctx context.Context) (int64, error) {
	var v int64
	if err := e.read.QueryRowContext(ctx, `SELECT version FROM claviger_versions WHERE of = 'blocks'`).Scan(&v); err != nil {
		return 0, fmt.Errorf("store: read the version of blocks: %w", err)
	}
	return v, nil
}
