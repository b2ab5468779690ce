package postgres

import (
	"context"
	"errors"
)

// Scrub lets PostgreSQL give the room of deleted rows free. Until it is written
// over, and in its journal and backups, the server's disk goes on holding them: how
// long is for who runs the server to say.
func (s *Store) Scrub(ctx context.Context) error {
	return errors.Join(s.Maintain(ctx, "vacuum", "VACUUM claviger_usage, claviger_objects"), s.ScrubRecords(ctx))
}

// ScrubRecords does the same for records, and writes the table of keys anew, which
// is small, so that a deleted key is in no file of the database any more; that of
// its journal and of backups goes as who runs the server has set it. What lies about
// of transcripts is sealed by such a key.
func (s *Store) ScrubRecords(ctx context.Context) error {
	return errors.Join(
		s.Maintain(ctx, "vacuum", "VACUUM FULL claviger_transcript_keys"),
		s.Maintain(ctx, "vacuum", "VACUUM claviger_transcripts, claviger_calls"),
	)
}
