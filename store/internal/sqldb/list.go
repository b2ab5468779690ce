package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"claviger.dev/claviger"
)

// MostListed is how many ids a page has at most, whatever is asked for.
const MostListed = 1000

// place is where an object stands in the order of creation.
type place struct{ created, seq int64 }

// ListObjects gives a page of owner's objects of one kind, in the order of their
// claims. With q.Before and without q.After it is the page that ends right
// before that id, and More says that there are others in front of the page;
// otherwise More says that there are others behind it.
func (e *Engine) ListObjects(ctx context.Context, owner string, q claviger.ObjectQuery) (claviger.ObjectPage, error) {
	if q.Limit < 1 {
		return claviger.ObjectPage{}, errors.New("store: list objects: the limit is less than 1")
	}
	if storable("owner", owner) != nil || storable("kind", q.Kind) != nil {
		return claviger.ObjectPage{}, ctx.Err()
	}
	limit := min(q.Limit, MostListed)
	var query strings.Builder
	query.WriteString(`SELECT id FROM claviger_objects WHERE owner = $1 AND kind = $2`)
	args := []any{owner, q.Kind}
	for _, edge := range []struct {
		id     string
		larger bool
	}{{q.After, q.Ascending}, {q.Before, !q.Ascending}} {
		if edge.id == "" {
			continue
		}
		at, ok, err := e.place(ctx, owner, edge.id)
		if err != nil || !ok {
			return claviger.ObjectPage{}, err
		}
		n := len(args)
		query.WriteString(` AND (created, seq) ` + comparison(edge.larger) + ` ` + e.params(n+1, 1, 2))
		args = append(args, at.created, at.seq)
	}
	backwards := q.Before != "" && q.After == ""
	direction := ` DESC`
	if q.Ascending != backwards {
		direction = ` ASC`
	}
	query.WriteString(` ORDER BY created` + direction + `, seq` + direction + ` LIMIT ` + strconv.Itoa(limit+1))
	ids, err := texts(ctx, e.read, query.String(), args...)
	if err != nil {
		return claviger.ObjectPage{}, fmt.Errorf("store: list objects: %w", err)
	}
	page := claviger.ObjectPage{IDs: ids, More: len(ids) > limit}
	if page.More {
		page.IDs = ids[:limit]
	}
	if backwards {
		slices.Reverse(page.IDs)
	}
	return page, nil
}

func comparison(larger bool) string {
	if larger {
		return `>`
	}
	return `<`
}

// place finds where an object of owner stands.
func (e *Engine) place(ctx context.Context, owner, id string) (place, bool, error) {
	if storable("id", id) != nil {
		return place{}, false, ctx.Err()
	}
	var p place
	err := e.read.QueryRowContext(ctx, `SELECT created, seq FROM claviger_objects WHERE id = $1 AND owner = $2`, id, owner).Scan(&p.created, &p.seq)
	if errors.Is(err, sql.ErrNoRows) {
		return place{}, false, nil
	}
	if err != nil {
		return place{}, false, fmt.Errorf("store: list objects: %w", err)
	}
	return p, true, nil
}
