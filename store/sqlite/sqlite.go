// Package sqlite keeps owners, uses of tickets, blocks, the account of calls and
// the journal of limits in a file, for one machine. Several processes of that
// machine may have it open at once; the journal is for one of them.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	// The driver registers itself as "sqlite3".
	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3/database"

	"claviger.dev/claviger/store/internal/sqldb"
)

// Options say where the database is.
type Options struct {
	// Path is the file. It is made with mode 0600 when it is missing, and its
	// directory with 0700. A directory that others may enter is refused. A file
	// that others may read is made 0600, with a word in Log.
	Path string
	// Busy is how long a write waits for other processes, 5 s when 0.
	Busy time.Duration
	// Existing opens what another process has made, which may be running. Nothing
	// is made, migrated or mended, and a database that is not there or has
	// another schema is refused.
	Existing bool
	// Log gets a word about what was mended; nil is nowhere.
	Log *slog.Logger
}

// ErrNone says that nothing of claviger is where Options.Existing looks for it.
var ErrNone = sqldb.ErrNone

// engine keeps the embedded field unexported.
type engine = sqldb.Engine

// Store is an open database. Its methods may be called concurrently, and block
// until ctx ends, at most for Options.Busy where another process writes.
//
// What a method has stored when it returns stays stored, also when the machine
// loses power: every commit is synchronised with the disk (synchronous=FULL). A
// block, a used ticket or an owner that a power cut takes back would let
// somebody in.
type Store struct {
	*engine
	path string
}

const (
	busyDefault = 5 * time.Second
	readers     = 4
	journal     = "journal_mode(wal)"
	// overwrite leaves nothing readable of a deleted row.
	overwrite = "secure_delete(on)"
)

var dialect = sqldb.Dialect{Name: "sqlite", Goose: database.DialectSQLite3}

// Open opens the database, and makes or migrates it first. A database that a
// newer release made is refused.
func Open(ctx context.Context, o Options) (*Store, error) {
	busy := o.Busy
	if busy <= 0 {
		busy = busyDefault
	}
	if o.Existing {
		return openExisting(ctx, o.Path, busy)
	}
	path, err := prepare(o)
	if err != nil {
		return nil, err
	}
	write, err := writer(path, busy)
	if err != nil {
		return nil, err
	}
	if err := dialect.Migrate(ctx, write); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	read, err := pool(path, busy, readers, journal, "query_only(on)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	s := &Store{path: path, engine: sqldb.New(read, write, '?')}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	if err := mend(path, o.Log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func openExisting(ctx context.Context, path string, busy time.Duration) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return nil, fmt.Errorf("open %s: %w", path, sqldb.ErrNone)
	case err != nil:
		return nil, fmt.Errorf("store: %w", err)
	}
	// Its journal is as it was made, and a file of somebody else stays as it is.
	write, err := pool(path, busy, 1, "synchronous(full)", overwrite)
	if err != nil {
		return nil, err
	}
	if err := dialect.Check(ctx, write); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	return &Store{path: path, engine: sqldb.New(write, write, '?')}, nil
}

// writer is the one connection that writes: SQLite has no more at a time, and
// waiting in Go is fair and ends with the context.
func writer(path string, busy time.Duration) (*sql.DB, error) {
	return pool(path, busy, 1, journal, "synchronous(full)", overwrite)
}

func pool(path string, busy time.Duration, most int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"mode": {"rw"}, "modeof": {path}, "_txlock": {"immediate"}}
	q.Add("_pragma", "busy_timeout("+strconv.FormatInt(busy.Milliseconds(), 10)+")")
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}
	db, err := sql.Open("sqlite3", u.String())
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

// Identity is a random name that the database got when it was first asked for it,
// from a file beside it. Two databases have two, wherever they lie.
func (s *Store) Identity() (string, error) {
	path := s.path + ".id"
	for {
		kept, err := os.ReadFile(path)
		if err == nil && len(kept) > 0 {
			return string(kept), nil
		}
		if err == nil {
			err = fmt.Errorf("%s is empty: delete it", path)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("store: %w", err)
		}
		made, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
		if err != nil {
			return "", fmt.Errorf("store: %w", err)
		}
		_, err = made.WriteString(rand.Text())
		// A link fails where another process was first, whose name counts.
		if err = errors.Join(err, made.Sync(), made.Close()); err == nil {
			err = os.Link(made.Name(), path)
		}
		_ = os.Remove(made.Name())
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("store: %w", err)
		}
	}
}

// prepare makes what is missing and refuses what others may enter. It returns
// the absolute path.
func prepare(o Options) (string, error) {
	if o.Path == "" {
		return "", errors.New("store: no path is given for the database")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("store: make the directory of the database: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("store: others may enter %s (mode %04o): run chmod 700 %s, or keep the database in a directory of its own", dir, mode, dir)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fmt.Errorf("store: open the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("store: open the database: %w", err)
	}
	return path, mend(path, o.Log)
}

// mend takes the database's files away from others. It never follows a link
// away from them, since nobody else may write into their directory.
func mend(path string, log *slog.Logger) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		mode := info.Mode().Perm()
		if !info.Mode().IsRegular() {
			return fmt.Errorf("store: %s is no file", path+suffix)
		}
		if mode&0o077 == 0 {
			continue
		}
		if err := os.Chmod(path+suffix, 0o600); err != nil {
			return fmt.Errorf("store: others may read %s (mode %04o), and that could not be changed: %w", path+suffix, mode, err)
		}
		if log != nil && suffix != "-shm" {
			log.Warn("others could read the database; its mode is 0600 now", "file", path+suffix, "was", fmt.Sprintf("%04o", mode))
		}
	}
	return nil
}
