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

const versionsTable = "claviger_migrations"

//go:embed migrations
var migrations embed.FS

// ErrNewer says that a database was made by a newer release.
var ErrNewer = errors.New("this database was made by a newer claviger; run that one, or restore the backup from before it was installed")

// ErrNone says that nothing of claviger is where a database should be.
var ErrNone = errors.New("there is no database of claviger yet: 'claviger serve' makes it when it starts")

// ErrOlder says that a database has to be migrated first.
var ErrOlder = errors.New("this database was made by an older claviger: start 'claviger serve' of this one once, which brings it up to date")

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
	// Without a lock another process may be first, with the table of versions or
	// with a migration. What fails there is tried again: it is an error of its own
	// where the version stays as it was, and the table is made only once.
	stuck, last := 0, int64(-1)
	for {
		current, target, err := p.GetVersions(ctx)
		switch {
		case err != nil:
			err = fmt.Errorf("store: read the version of the schema: %w", err)
		case current > target:
			return fmt.Errorf("store: %w (its schema has version %d, this binary knows up to %d)", ErrNewer, current, target)
		case current == target:
			return nil
		default:
			if current != last {
				stuck, last = 0, current
			}
			if _, err = p.Up(ctx); err != nil {
				err = fmt.Errorf("store: migrate: %w", err)
			}
		}
		if err == nil {
			continue
		}
		stuck++
		if stuck > 2 || ctx.Err() != nil {
			return err
		}
	}
}

// Check reads the version of the schema and changes nothing. What is not of
// this binary is ErrNone, ErrOlder or ErrNewer.
func (d Dialect) Check(ctx context.Context, db *sql.DB) error {
	p, err := d.provider(db)
	if err != nil {
		return err
	}
	var known, current int64
	for _, s := range p.ListSources() {
		known = max(known, s.Version)
	}
	// Without this table nothing of claviger is there.
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM `+versionsTable+` WHERE is_applied`).Scan(&current); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("store: %w (%w)", ErrNone, err)
	}
	switch {
	case current == 0:
		return fmt.Errorf("store: %w", ErrNone)
	case current < known:
		return fmt.Errorf("store: %w (its schema has version %d, this binary has %d)", ErrOlder, current, known)
	case current > known:
		return fmt.Errorf("store: %w (its schema has version %d, this binary knows up to %d)", ErrNewer, current, known)
	}
	return nil
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
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionsTable), goose.WithLogger(goose.NopLogger())}
	if d.Lock != nil {
		options = append(options, goose.WithSessionLocker(d.Lock))
	}
	return goose.NewProvider(d.Goose, db, sub, options...)
}
