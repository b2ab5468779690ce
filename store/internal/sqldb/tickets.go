package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// UseTicket counts one use of the credential id and says whether it was within
// most. Of any number of uses at once, by any number of processes, at most most
// get true; one that gets false counts as none. The count is kept at least until
// until, which has to be as late as the credential can still be accepted. On
// error nobody knows whether the use was counted, and the caller denies.
func (e *Engine) UseTicket(ctx context.Context, id string, most int64, until time.Time) (bool, error) {
	if err := storable("id of a ticket", id); err != nil {
		return false, err
	}
	if most < 1 {
		return false, ctx.Err()
	}
	var uses int64
	err := e.write.QueryRowContext(ctx, `INSERT INTO claviger_ticket_uses (id, uses, until) VALUES ($1, 1, $2)
		ON CONFLICT (id) DO UPDATE SET uses = claviger_ticket_uses.uses + 1,
			until = CASE WHEN excluded.until > claviger_ticket_uses.until THEN excluded.until ELSE claviger_ticket_uses.until END
		WHERE claviger_ticket_uses.uses < $3 RETURNING uses`, id, until.UnixMicro(), most).Scan(&uses)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: use a ticket: %w", err)
	}
	return true, nil
}

// SweepTickets forgets the uses of credentials that ended before now, and
// returns how many credentials that were.
func (e *Engine) SweepTickets(ctx context.Context, now time.Time) (int64, error) {
	return e.count(ctx, "sweep tickets", `DELETE FROM claviger_ticket_uses WHERE until < $1`, now.UnixMicro())
}
