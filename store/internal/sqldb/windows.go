package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"claviger.dev/claviger/admit"
)

const (
	windowColumns = `name, kind, per, zone, currency, drained, num, den, starts, ends, used, held, most`
	windowWidth   = 13
)

// SaveWindows implements admit.Journal.
func (e *Engine) SaveWindows(ctx context.Context, ws []admit.Window) error {
	return e.inTx(ctx, func(tx *sql.Tx) error {
		// A statement for its own sake: an empty batch asks whether writing
		// works.
		if len(ws) == 0 {
			return probe(ctx, tx)
		}
		for part := range slices.Chunk(ws, atOnce) {
			args := make([]any, 0, windowWidth*len(part))
			for i := range part {
				w := &part[i]
				args = append(args, []byte(w.Key), string(w.Kind), int64(w.Per), w.Zone, w.Currency,
					w.Drained, w.Num, w.Den, w.Start, w.End, w.Used, w.Held, w.Limit)
			}
			_, err := tx.ExecContext(ctx, upsertWindows(e.params(1, len(part), windowWidth)), args...)
			if err != nil {
				return fmt.Errorf("store: save windows: %w", err)
			}
		}
		return nil
	})
}

func upsertWindows(values string) string {
	return `INSERT INTO claviger_windows (` + windowColumns + `) VALUES ` + values + `
		ON CONFLICT (name, kind, per, zone, currency) DO UPDATE SET drained = excluded.drained, num = excluded.num, den = excluded.den,
		starts = excluded.starts, ends = excluded.ends, used = excluded.used, held = excluded.held, most = excluded.most`
}

func probe(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO claviger_versions (of, version) VALUES ('probe', 1)
		ON CONFLICT (of) DO UPDATE SET version = claviger_versions.version + 1`)
	if err != nil {
		return fmt.Errorf("store: save windows: %w", err)
	}
	return nil
}

// LoadWindows implements admit.Journal.
func (e *Engine) LoadWindows(ctx context.Context) ([]admit.Window, error) {
	rows, err := e.read.QueryContext(ctx, `SELECT `+windowColumns+` FROM claviger_windows`)
	if err != nil {
		return nil, fmt.Errorf("store: load windows: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []admit.Window
	for rows.Next() {
		var w admit.Window
		var name []byte
		if err := rows.Scan(&name, &w.Kind, &w.Per, &w.Zone, &w.Currency, &w.Drained, &w.Num, &w.Den, &w.Start, &w.End, &w.Used, &w.Held, &w.Limit); err != nil {
			return nil, fmt.Errorf("store: load windows: %w", err)
		}
		w.Key = string(name)
		out = append(out, w)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: load windows: %w", err)
	}
	return out, nil
}

// SweepWindows deletes windows that are over at now and mean nothing any more,
// and returns how many that were.
func (e *Engine) SweepWindows(ctx context.Context, now time.Time) (int64, error) {
	return e.count(ctx, "sweep windows", `DELETE FROM claviger_windows WHERE drained < $1 AND ends < $1 AND (held = 0 OR ends > 0)`, now.UnixNano())
}
