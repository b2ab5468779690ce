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
// theirs; one that is owner's already stays as it was first claimed. The id
// alone tells objects apart. Objects of one call are listed in the order in
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
			args := make([]any, 0, 5*len(part))
			for _, r := range part {
				args = append(args, r.id, r.kind, r.parent, r.owner, r.created)
			}
			// The update changes nothing; it lets RETURNING name the rows that
			// are the owner's, new or not, and holds them until the commit.
			ours, err := texts(ctx, tx, `INSERT INTO claviger_objects (id, kind, parent, owner, created) VALUES `+
				params(1, len(part), 5)+` ON CONFLICT (id) DO UPDATE SET owner = excluded.owner
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
	created                 int64
}

// objectRows are the rows of a claim, each id once. They are sorted by id, so
// that two claims wait for one another and never each for the other.
func objectRows(owner string, objects []claviger.ObjectRef, at time.Time) ([]objectRow, error) {
	if at.IsZero() {
		return nil, errors.New("store: claim objects: no time is given")
	}
	rows := make([]objectRow, 0, len(objects))
	seen := make(map[string]bool, len(objects))
	for i, o := range objects {
		if err := errors.Join(storable("id of an object", o.ID), storable("kind of an object", o.Kind)); err != nil {
			return nil, err
		}
		if o.Parent != "" {
			if err := storable("parent of an object", o.Parent); err != nil {
				return nil, err
			}
		}
		if seen[o.ID] {
			continue
		}
		seen[o.ID] = true
		rows = append(rows, objectRow{o.ID, o.Kind, o.Parent, owner, at.UnixMicro() + int64(i)})
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].id < rows[j].id })
	return rows, nil
}

// OwnObjects says of each object whether it is owner's. What nobody claimed, and
// what cannot be an id at all, is nobody's.
func (e *Engine) OwnObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) ([]bool, error) {
	own := make([]bool, len(objects))
	if storable("owner", owner) != nil {
		return own, ctx.Err()
	}
	ids := idsOf(objects)
	known := make(map[string]bool, len(ids))
	for part := range slices.Chunk(ids, atOnce) {
		found, err := texts(ctx, e.read, `SELECT id FROM claviger_objects WHERE owner = $1 AND id IN (`+
			params(2, len(part), 1)+`)`, arguments(owner, part)...)
		if err != nil {
			return nil, fmt.Errorf("store: find objects: %w", err)
		}
		for _, id := range found {
			known[id] = true
		}
	}
	for i, o := range objects {
		own[i] = known[o.ID]
	}
	return own, ctx.Err()
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
			_, err := tx.ExecContext(ctx, releaseQuery(params(2, len(part), 1)), arguments(owner, part)...)
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
