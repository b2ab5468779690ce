package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"claviger.dev/claviger"
)

// ClaimObjects makes owner the owner of objects, all of them or none. One that
// is somebody else's gives an error that is claviger.ErrObjectTaken, and stays
// theirs; one that is owner's already stays as it was first claimed, but for its
// tokens, to which those of the claim are added. The id alone tells objects apart. Objects of one call are listed in the order in
// which they are given.
func (e *Engine) ClaimObjects(ctx context.Context, owner string, objects []claviger.ObjectRef, at time.Time) error {
	if err := storable("owner", owner); err != nil {
		return err
	}
	rows, err := objectRows(owner, objects, at)
	if err != nil || len(rows) == 0 {
		return err
	}
	return e.inTx(ctx, func(tx *sql.Tx) error {
		for part := range slices.Chunk(rows, atOnce) {
			args := make([]any, 0, 6*len(part))
			for _, r := range part {
				args = append(args, r.id, r.kind, r.parent, r.owner, r.created, r.tokens)
			}
			// RETURNING names the rows that are the owner's, new or not, and the
			// update holds them until the commit.
			ours, err := texts(ctx, tx, `INSERT INTO claviger_objects (id, kind, parent, owner, created, tokens) VALUES `+
				e.params(1, len(part), 6)+` ON CONFLICT (id) DO UPDATE SET tokens = claviger_objects.tokens + excluded.tokens
				WHERE claviger_objects.owner = excluded.owner RETURNING id`, args...)
			if err != nil {
				return fmt.Errorf("store: claim objects: %w", err)
			}
			if len(ours) < len(part) {
				return fmt.Errorf("store: claim objects: %w", claviger.ErrObjectTaken)
			}
		}
		return nil
	})
}

type objectRow struct {
	id, kind, parent, owner string
	created, tokens         int64
}

// objectRows are the rows of a claim, each id once. They are sorted by id, so
// that two claims wait for one another and never each for the other.
func objectRows(owner string, objects []claviger.ObjectRef, at time.Time) ([]objectRow, error) {
	if at.IsZero() {
		return nil, errors.New("store: claim objects: no time is given")
	}
	rows := make([]objectRow, 0, len(objects))
	seen := make(map[string]int, len(objects))
	for i, o := range objects {
		if err := errors.Join(storable("id of an object", o.ID), storable("kind of an object", o.Kind)); err != nil {
			return nil, err
		}
		if o.Parent != "" {
			if err := storable("parent of an object", o.Parent); err != nil {
				return nil, err
			}
		}
		if at, again := seen[o.ID]; again {
			rows[at].tokens = claviger.AddMicros(rows[at].tokens, o.Tokens)
			continue
		}
		seen[o.ID] = len(rows)
		rows = append(rows, objectRow{o.ID, o.Kind, o.Parent, owner, at.UnixMicro() + int64(i), o.Tokens})
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].id < rows[j].id })
	return rows, nil
}

// OwnObjects says of each object whether it is owner's. What nobody claimed, and
// what cannot be an id at all, is nobody's. tokens is the sum of what those that
// are owner's bring, each counted once.
func (e *Engine) OwnObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) (own []bool, tokens int64, err error) {
	own = make([]bool, len(objects))
	if storable("owner", owner) != nil {
		return own, 0, ctx.Err()
	}
	ids := idsOf(objects)
	known := make(map[string]bool, len(ids))
	for part := range slices.Chunk(ids, atOnce) {
		n, err := e.findOwn(ctx, owner, part, known)
		if err != nil {
			return nil, 0, fmt.Errorf("store: find objects: %w", err)
		}
		tokens = claviger.AddMicros(tokens, n)
	}
	for i, o := range objects {
		own[i] = known[o.ID]
	}
	return own, tokens, ctx.Err()
}

func (e *Engine) findOwn(ctx context.Context, owner string, ids []string, known map[string]bool) (tokens int64, err error) {
	rows, err := e.read.QueryContext(ctx, ownQuery(e.params(2, len(ids), 1)), arguments(owner, ids)...)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var n int64
		if err := rows.Scan(&id, &n); err != nil {
			return 0, err
		}
		known[id] = true
		tokens = claviger.AddMicros(tokens, max(n, 0))
	}
	return tokens, rows.Err()
}

func ownQuery(list string) string {
	return `SELECT id, tokens FROM claviger_objects WHERE owner = $1 AND id IN (` + list + `)`
}

// idsOf are the ids that can be stored, each once.
func idsOf(objects []claviger.ObjectRef) []string {
	ids := make([]string, 0, len(objects))
	for _, o := range objects {
		if storable("id", o.ID) == nil {
			ids = append(ids, o.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func arguments(first string, rest []string) []any {
	args := make([]any, 0, 1+len(rest))
	args = append(args, first)
	for _, s := range rest {
		args = append(args, s)
	}
	return args
}

// ReleaseObjects forgets those of the objects that are owner's, with all of
// owner's that name them as their parent, and the children of these, however
// deep. It is no error when there are none.
func (e *Engine) ReleaseObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) error {
	ids := idsOf(objects)
	if storable("owner", owner) != nil || len(ids) == 0 {
		return ctx.Err()
	}
	return e.inTx(ctx, func(tx *sql.Tx) error {
		for part := range slices.Chunk(ids, atOnce) {
			_, err := tx.ExecContext(ctx, releaseQuery(e.params(2, len(part), 1)), arguments(owner, part)...)
			if err != nil {
				return fmt.Errorf("store: release objects: %w", err)
			}
		}
		return nil
	})
}

// releaseQuery deletes what is in the list of parameters and what descends from
// it.
func releaseQuery(list string) string {
	return `WITH RECURSIVE gone (id) AS (
		SELECT id FROM claviger_objects WHERE owner = $1 AND (id IN (` + list + `) OR parent <> '' AND parent IN (` + list + `))
		UNION SELECT o.id FROM claviger_objects o JOIN gone ON o.parent = gone.id WHERE o.owner = $1 AND o.parent <> '')
		DELETE FROM claviger_objects WHERE owner = $1 AND id IN (SELECT id FROM gone)`
}

// ForgetOwner forgets everything that is owner's, and returns how many objects
// that were.
func (e *Engine) ForgetOwner(ctx context.Context, owner string) (int64, error) {
	if storable("owner", owner) != nil {
		return 0, ctx.Err()
	}
	return e.count(ctx, "forget an owner", `DELETE FROM claviger_objects WHERE owner = $1`, owner)
}
