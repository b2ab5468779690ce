package postgres

import "context"

// Scrub lets PostgreSQL give the room of deleted rows free. Until it is written
// over, and in its journal and backups, the server's disk goes on holding them: how
// long is for who runs the server to say.
func (s *Store) Scrub(ctx context.Context) error {
	return s.Maintain(ctx, "vacuum", "VACUUM claviger_usage, claviger_objects")
}
