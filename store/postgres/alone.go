package postgres

import (
	"context"
	"errors"
	"fmt"
)

// ErrShared says that another process has the database to itself.
var ErrShared = errors.New("another process keeps its limits in this database")

// aloneID is that of the advisory lock of Alone.
const aloneID = lockID + 1

// Alone takes the database for this process among those that ask for it, until
// release: an advisory lock of a connection of its own, which ends with the
// process. It is ErrShared while another process has it, and does not wait. A
// server that restarts forgets the lock.
func (s *Store) Alone(ctx context.Context) (release func() error, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	own := conn.Hijack()
	var got bool
	if err := own.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(aloneID)).Scan(&got); err != nil || !got {
		_ = own.Close(context.WithoutCancel(ctx))
		if err == nil {
			err = ErrShared
		}
		return nil, fmt.Errorf("store: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	return func() error { return own.Close(ctx) }, nil
}
