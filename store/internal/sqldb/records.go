package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"claviger.dev/claviger"
)

const (
	callColumns = `id, owner, started, until, duration, realm, method, plan, endpoint, action, model, status, code, stream, estimated, `
	callWidth   = 15 + len(summedUnits) + 2
	// keyPeriod is more than a key is used for, from its creation on.
	keyPeriod = 2 * time.Hour
)

// AppendCalls stores records of calls, all of them or none. One that is there
// already stays as it is, so that a batch may be given again. Texts are cut at 256
// bytes.
func (e *Engine) AppendCalls(ctx context.Context, calls []claviger.CallRecord) error {
	if len(calls) == 0 {
		return ctx.Err()
	}
	return e.inTx(ctx, func(tx *sql.Tx) error {
		for part := range slices.Chunk(calls, atOnce) {
			args := make([]any, 0, callWidth*len(part))
			for i := range part {
				args = appendCall(args, &part[i])
			}
			if _, err := tx.ExecContext(ctx, addCalls(e.params(1, len(part), callWidth)), args...); err != nil {
				return fmt.Errorf("store: append calls: %w", err)
			}
		}
		return nil
	})
}

func addCalls(values string) string {
	return `INSERT INTO claviger_calls (` + callColumns + unitColumns("%[1]s") + `, currency, micros) VALUES ` + values + ` ON CONFLICT (id) DO NOTHING`
}

func addTranscripts(values string) string {
	return `INSERT INTO claviger_transcripts (id, owner, key_id, created, until, sealed) VALUES ` + values + ` ON CONFLICT (id) DO NOTHING`
}

func appendCall(args []any, c *claviger.CallRecord) []any {
	args = append(args, plain(c.RequestID), plain(c.Subject), c.Started.UnixMicro(), c.Until.UnixMicro(), c.Duration.Microseconds(),
		plain(c.Realm), plain(c.Method), plain(c.Plan), plain(string(c.Endpoint)), plain(c.Action), plain(c.Model), c.Status, plain(string(c.Code)),
		number(c.Stream), number(c.Estimated))
	for _, kind := range summedUnits {
		n := c.Units.Get(kind)
		if kind == claviger.UnitToolCalls {
			n = c.Units.ToolCalls()
		}
		args = append(args, capped(0, n, mostUnits))
	}
	return append(args, plain(c.Cost.Currency), capped(0, c.Cost.Micros, mostMicros))
}

// AppendTranscripts stores transcripts with the keys by which they were sealed, all
// of them or none. What is there already stays as it is, so that a batch may be
// given again, and every batch may bring its keys.
func (e *Engine) AppendTranscripts(ctx context.Context, ks []claviger.TranscriptKey, ts []claviger.SealedTranscript) error {
	for i := range ts {
		if err := errors.Join(storable("id of a transcript", ts[i].ID), storable("owner of a transcript", ts[i].Owner), storable("key of a transcript", ts[i].Key)); err != nil {
			return err
		}
	}
	return e.inTx(ctx, func(tx *sql.Tx) error {
		for _, k := range ks {
			if err := storable("id of a key", k.ID); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO claviger_transcript_keys (id, created, until, sealed) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`,
				k.ID, k.Created.UnixMicro(), k.Until.UnixMicro(), k.Sealed); err != nil {
				return fmt.Errorf("store: append transcripts: %w", err)
			}
		}
		for part := range slices.Chunk(ts, atOnce) {
			args := make([]any, 0, 6*len(part))
			for _, t := range part {
				args = append(args, t.ID, t.Owner, t.Key, t.Created.UnixMicro(), t.Until.UnixMicro(), t.Sealed)
			}
			if _, err := tx.ExecContext(ctx, addTranscripts(e.params(1, len(part), 6)), args...); err != nil {
				return fmt.Errorf("store: append transcripts: %w", err)
			}
		}
		return nil
	})
}

// EachTranscript hands over the transcripts of a person that have not ended at now,
// the oldest first, each with its key, which is empty where it is gone. An error of
// do ends it. do must not use the store.
func (e *Engine) EachTranscript(ctx context.Context, owner string, now time.Time, do func(claviger.SealedTranscript, claviger.TranscriptKey) error) error {
	if storable("owner", owner) != nil {
		return ctx.Err()
	}
	rows, err := e.read.QueryContext(ctx, `SELECT t.id, t.owner, t.key_id, t.created, t.until, t.sealed, k.id, k.created, k.until, k.sealed
		FROM claviger_transcripts AS t LEFT JOIN claviger_transcript_keys AS k ON k.id = t.key_id
		WHERE t.owner = $1 AND t.until > $2 ORDER BY t.created, t.id`, owner, now.UnixMicro())
	if err != nil {
		return fmt.Errorf("store: read transcripts: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var t claviger.SealedTranscript
		var k claviger.TranscriptKey
		var keyID sql.NullString
		var created, until, keyCreated, keyUntil sql.NullInt64
		if err := rows.Scan(&t.ID, &t.Owner, &t.Key, &created, &until, &t.Sealed, &keyID, &keyCreated, &keyUntil, &k.Sealed); err != nil {
			return fmt.Errorf("store: read transcripts: %w", err)
		}
		t.Created, t.Until = fromMicros(created), fromMicros(until)
		k.ID, k.Created, k.Until = keyID.String, fromMicros(keyCreated), fromMicros(keyUntil)
		if err := do(t, k); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: read transcripts: %w", err)
	}
	return nil
}

// CountTranscripts is how many transcripts there are of a person, also of those
// that have ended and are not deleted yet.
func (e *Engine) CountTranscripts(ctx context.Context, owner string) (int64, error) {
	if storable("owner", owner) != nil {
		return 0, ctx.Err()
	}
	var n int64
	if err := e.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM claviger_transcripts WHERE owner = $1`, owner).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count transcripts: %w", err)
	}
	return n, nil
}

// EraseRecords deletes every record of a call and every transcript of a person, and
// the keys that open no other transcript and are not in use any more at now.
func (e *Engine) EraseRecords(ctx context.Context, owner string, now time.Time) (claviger.RecordCount, error) {
	if storable("owner", owner) != nil {
		return claviger.RecordCount{}, ctx.Err()
	}
	var n claviger.RecordCount
	err := e.deleteAll(ctx, []deletion{
		{&n.Keys, `DELETE FROM claviger_transcript_keys WHERE created < $1 AND id IN (SELECT key_id FROM claviger_transcripts WHERE owner = $2)
			AND NOT EXISTS (SELECT 1 FROM claviger_transcripts AS t WHERE t.key_id = claviger_transcript_keys.id AND t.owner <> $2)`, []any{now.Add(-keyPeriod).UnixMicro(), owner}},
		{&n.Transcripts, `DELETE FROM claviger_transcripts WHERE owner = $1`, []any{owner}},
		{&n.Calls, `DELETE FROM claviger_calls WHERE owner = $1`, []any{owner}},
	})
	return n, err
}

// SweepRecords deletes what has ended: keys first, whose transcripts nobody opens
// from then on, and the transcripts and records of calls themselves.
func (e *Engine) SweepRecords(ctx context.Context, s claviger.RecordSweep) (claviger.RecordCount, error) {
	var n claviger.RecordCount
	now, from := s.Now.UnixMicro(), s.TranscriptsFrom
	err := e.deleteAll(ctx, []deletion{
		{&n.Keys, `DELETE FROM claviger_transcript_keys WHERE until <= $1 OR created < $2`, []any{now, from.Add(-keyPeriod).UnixMicro()}},
		{&n.Transcripts, `DELETE FROM claviger_transcripts WHERE until <= $1 OR created < $2`, []any{now, from.UnixMicro()}},
		{&n.Calls, `DELETE FROM claviger_calls WHERE until <= $1 OR started < $2`, []any{now, s.CallsFrom.UnixMicro()}},
	})
	return n, err
}

// deletion is a statement that deletes, and where it counts.
type deletion struct {
	into  *int64
	query string
	args  []any
}

// deleteAll runs deletions in one transaction. On error nothing is deleted.
func (e *Engine) deleteAll(ctx context.Context, list []deletion) error {
	err := e.inTx(ctx, func(tx *sql.Tx) error {
		for _, d := range list {
			r, err := tx.ExecContext(ctx, d.query, d.args...)
			if err != nil {
				return fmt.Errorf("store: delete records: %w", err)
			}
			if *d.into, err = r.RowsAffected(); err != nil {
				return fmt.Errorf("store: delete records: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		for _, d := range list {
			*d.into = 0
		}
	}
	return err
}
