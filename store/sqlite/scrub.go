package sqlite

import (
	"context"
	"errors"
	"fmt"
)

// errReading says that a process kept the journal from being emptied.
var errReading = errors.New("another process is reading from the journal")

// Scrub makes what was deleted unreadable in the files, too. Deleted rows are
// overwritten where they stood, by every Store; this brings the database up to date
// with its journal and empties the journal. It waits for other processes for
// Options.Busy at most, and fails where one reads for longer.
func (s *Store) Scrub(ctx context.Context) error {
	// SQLite tells of readers in a row, and not by an error.
	var busy, frames, done int64
	err := s.Row(ctx, "PRAGMA wal_checkpoint(TRUNCATE)", &busy, &frames, &done)
	if err == nil && busy != 0 {
		err = errReading
	}
	if err != nil {
		return fmt.Errorf("store: empty the journal: %w", err)
	}
	return nil
}

// ScrubRecords is Scrub: a file has one journal for all of its tables.
func (s *Store) ScrubRecords(ctx context.Context) error { return s.Scrub(ctx) }
