package sqldb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// ErrNewer says that a database was made by a newer release.
var ErrNewer = errors.New("this database was made by a newer claviger; run that one, or restore the backup from before it was installed")

// Dialect is how an engine migrates.
type Dialect struct {
	// Name is the folder of its migrations.
	Name  string
	Goose database.Dialect
	// Lock keeps other processes out while migrating; nil where the engine
	// has no such lock.
	Lock lock.SessionLocker
}

// Migrate brings the database to the newest schema of this binary. One that is
// newer is ErrNewer and is left as it is.
func (d Dialect) Migrate(ctx context.Context, db *sql.DB) error {
	p, err := d.provider(db)
	if err != nil {
		return err
	}
	var last int64 = -1
	for {
		current, target, err := p.GetVersions(ctx)
		switch {
		case err != nil && last < 0 && d.Lock == nil && ctx.Err() == nil:
			// Another process made the table of versions in between.
			last = 0
			continue
		case err != nil:
			return fmt.Errorf("store: read the version of the schema: %w", err)
		case current > target:
			return fmt.Errorf("store: %w (its schema has version %d, this binary knows up to %d)", ErrNewer, current, target)
		case current == target:
			return nil
		}
		_, err = p.Up(ctx)
		if err != nil && (current == last || ctx.Err() != nil) {
			return fmt.Errorf("store: migrate: %w", err)
		}
		// Without a lock another process may have been first. Then the version
		// has changed, and what is left is tried again.
		last = current
	}
}

// MigrateTo goes forward or back to a version of the schema.
func (d Dialect) MigrateTo(ctx context.Context, db *sql.DB, version int64) error {
	p, err := d.provider(db)
	if err != nil {
		return err
	}
	current, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	switch {
	case version < current:
		_, err = p.DownTo(ctx, version)
	case version > current:
		_, err = p.UpTo(ctx, version)
	}
	return err
}

func (d Dialect) provider(db *sql.DB) (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, "migrations/"+d.Name)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithTableName("claviger_migrations"), goose.WithLogger(goose.NopLogger())}
	if d.Lock != nil {
		options = append(options, goose.WithSessionLocker(d.Lock))
	}
	return goose.NewProvider(d.Goose, db, sub, options...)
}
