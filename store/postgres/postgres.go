// Package postgres keeps owners, uses of tickets, blocks and the account of
// calls in PostgreSQL, for any number of gateways, and the journal of limits for
// one that keeps its limits in memory.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
	"claviger.dev/claviger/store/internal/sqldb"
)

// Options say where the database is.
type Options struct {
	// URL is the connection string, as postgres://user:password@host/database.
	// Beyond loopback it has to ask for TLS: sslmode=verify-full, or verify-ca
	// or require; without a mode the connection would fall back to plain text.
	URL claviger.Secret
	// Existing opens what another process has made, which may be running. Nothing
	// is made or migrated, and tables that are not there or have another schema
	// are refused.
	Existing bool
	// InsecurePlaintext allows connections without TLS beyond loopback.
	InsecurePlaintext bool
	// MaxConns bounds the pool, 16 when 0.
	MaxConns int
	// StatementTimeout is when the server ends a statement, 5 s when 0. It does
	// not hold for migrations.
	StatementTimeout time.Duration
	// ConnectTimeout bounds one attempt to connect, 5 s when 0.
	ConnectTimeout time.Duration
}

// ErrNone says that nothing of claviger is where Options.Existing looks for it.
var ErrNone = sqldb.ErrNone

// engine keeps the embedded field unexported.
type engine = sqldb.Engine

// Store is a pool of connections. Its methods may be called concurrently, and
// block until ctx ends or a time limit of Options passes. What a method has
// stored when it returns is as durable as the server's synchronous_commit makes
// it.
type Store struct {
	*engine
	pool *pgxpool.Pool
}

const (
	connsDefault   = 16
	timeoutDefault = 5 * time.Second
	// lockID is that of the advisory lock around migrations.
	lockID = 0x636c6176
)

func dialect() (sqldb.Dialect, error) {
	l, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID), lock.WithLockTimeout(1, 60))
	return sqldb.Dialect{Name: "postgres", Goose: database.DialectPostgres, Lock: l}, err
}

// Open connects, and makes or migrates the tables first, under an advisory lock
// of the database. Tables that a newer release made are refused. No error of it
// repeats the URL.
func Open(ctx context.Context, o Options) (*Store, error) {
	c, err := parse(o)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, c, o.Existing); err != nil {
		return nil, err
	}
	p := c.ConnConfig.RuntimeParams
	p["statement_timeout"] = milliseconds(o.StatementTimeout)
	p["lock_timeout"] = milliseconds(o.StatementTimeout)
	p["idle_in_transaction_session_timeout"] = "30000"
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("store: open PostgreSQL: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	s := &Store{engine: sqldb.New(db, db, '$'), pool: pool}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close waits for the queries under way and closes every connection. It may be
// called again.
func (s *Store) Close() error {
	err := s.engine.Close()
	s.pool.Close()
	return err
}

// Clock reads the clock of the server.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	var t time.Time
	if err := s.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&t); err != nil {
		return time.Time{}, fmt.Errorf("store: read the clock of PostgreSQL: %w", err)
	}
	return t, nil
}

func milliseconds(d time.Duration) string {
	if d <= 0 {
		d = timeoutDefault
	}
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10)
}

var errURL = errors.New("store: the URL of the database is not good: it reads postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full, with reserved characters of the password as %XX")

func parse(o Options) (*pgxpool.Config, error) {
	if o.URL.IsZero() {
		return nil, errors.New("store: no URL is given for PostgreSQL")
	}
	text := strings.TrimSpace(string(o.URL.Reveal(seal.ForReveal())))
	// An unescaped character of a password would make another part of the URL
	// out of it, which errors name.
	if strings.Contains(text, "://") {
		if u, err := url.Parse(text); err != nil || u.Fragment != "" {
			return nil, errURL
		}
	}
	c, err := pgxpool.ParseConfig(text)
	if err != nil {
		// The parser's error can repeat parts of the URL, and with it of the
		// password.
		return nil, errURL
	}
	if !o.InsecurePlaintext {
		if err := refusePlaintext(c); err != nil {
			return nil, err
		}
	}
	c.MaxConns = int32(o.MaxConns)
	if o.MaxConns <= 0 {
		c.MaxConns = connsDefault
	}
	c.MinConns = min(c.MinConns, c.MaxConns)
	c.ConnConfig.ConnectTimeout = o.ConnectTimeout
	if o.ConnectTimeout <= 0 {
		c.ConnConfig.ConnectTimeout = timeoutDefault
	}
	c.ConnConfig.RuntimeParams["application_name"] = "claviger"
	return c, nil
}

func refusePlaintext(c *pgxpool.Config) error {
	plain := func(host string, tls bool) error {
		ip := net.ParseIP(host)
		if tls || strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback() {
			return nil
		}
		return fmt.Errorf("store: the connection to PostgreSQL at %s could go out in plain text: add sslmode=verify-full to the URL (with sslrootcert=FILE for a private authority), or allow plain text in so many words", host)
	}
	if err := plain(c.ConnConfig.Host, c.ConnConfig.TLSConfig != nil); err != nil {
		return err
	}
	for _, f := range c.ConnConfig.Fallbacks {
		if err := plain(f.Host, f.TLSConfig != nil); err != nil {
			return err
		}
	}
	return nil
}

// migrate has a connection of its own, which the time limits of statements do
// not bind. With check alone it changes nothing.
func migrate(ctx context.Context, c *pgxpool.Config, check bool) error {
	d, err := dialect()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	db := stdlib.OpenDB(*c.ConnConfig.Copy())
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(2)
	return reachable(ctx, db, func() error {
		if check {
			return d.Check(ctx, db)
		}
		return d.Migrate(ctx, db)
	})
}

func reachable(ctx context.Context, db *sql.DB, then func() error) error {
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("store: PostgreSQL is out of reach: %w", err)
	}
	return then()
}
