package sqlite

import "context"

// Scrub makes what was deleted unreadable in the files, too. Deleted rows are
// overwritten where they stood, by every Store; this brings the database up to date
// with its journal and empties the journal. It waits for other processes for
// Options.Busy at most, and fails where one reads for longer.
func (s *Store) Scrub(ctx context.Context) error {
	return s.Maintain(ctx, "empty the journal", "PRAGMA wal_checkpoint(TRUNCATE)")
}
