package testnet

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Postgres is a private PostgreSQL that starts when a test first asks for it. It
// listens on a socket in its own directory, trusts everybody who can open that,
// and its data goes when it stops.
type Postgres struct {
	// Settings are passed with -c, as "fsync=off".
	Settings []string

	once    sync.Once
	err     error
	bin     string
	dir     string
	process *Process
	named   atomic.Int64
}

var errNoPostgres = errors.New("initdb and postgres are not installed (apt-get install postgresql)")

// URL starts the server when it does not run yet and returns the URL of a
// database that nobody else uses. A test on a machine without PostgreSQL is
// skipped loudly, and fails under CI=true.
func (p *Postgres) URL(tb testing.TB) string {
	tb.Helper()
	p.once.Do(func() { p.err = p.start() })
	if errors.Is(p.err, errNoPostgres) {
		Lacking(tb, p.err.Error())
	}
	if p.err != nil {
		tb.Fatal(p.err)
	}
	name := fmt.Sprint("test", p.named.Add(1))
	if err := p.psql("create database " + name); err != nil {
		tb.Fatal(err)
	}
	return "postgres:///" + name + "?" + url.Values{"host": {p.dir}, "user": {"postgres"}}.Encode()
}

// Stop ends the server and removes its directory. TestMain calls it.
func (p *Postgres) Stop() {
	if p.process != nil {
		p.process.Stop()
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

// Restart ends the server at once, as a crash would, and starts it again.
func (p *Postgres) Restart(tb testing.TB) {
	tb.Helper()
	p.process.signal = syscall.SIGQUIT
	p.process.Stop()
	if err := p.serve(); err != nil {
		tb.Fatal(err)
	}
}

// Process is the server, for tests that stop it where it stands. It is nil before
// URL was asked for.
func (p *Postgres) Process() *Process { return p.process }

// Socket is the socket on which the server listens.
func (p *Postgres) Socket() string { return filepath.Join(p.dir, ".s.PGSQL.5432") }

func (p *Postgres) start() error {
	var err error
	if p.bin, err = postgresBinaries(); err != nil {
		return err
	}
	// A short path: the name of a socket has at most some hundred bytes.
	if p.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return err
	}
	init := exec.Command(filepath.Join(p.bin, "initdb"), "-D", filepath.Join(p.dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	init.Dir = p.dir
	if err := unprivileged(init, p.dir); err != nil {
		return err
	}
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return p.serve()
}

func (p *Postgres) serve() error {
	args := []string{"-D", filepath.Join(p.dir, "data"), "-k", p.dir, "-c", "listen_addresses=", "-c", "shared_buffers=16MB", "-c", "max_connections=100"}
	for _, s := range p.Settings {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(p.bin, "postgres"), args...)
	cmd.Dir = p.dir
	if err := unprivileged(cmd, p.dir); err != nil {
		return err
	}
	var err error
	p.process, err = StartProcess(cmd, os.Interrupt, func() error { return p.psql("select 1") })
	return err
}

func (p *Postgres) psql(query string) error {
	cmd := exec.Command(filepath.Join(p.bin, "psql"), "-X", "-q", "-h", p.dir, "-U", "postgres", "-d", "postgres", "-c", query)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// postgresBinaries is the directory of the newest PostgreSQL: Debian keeps them
// out of PATH.
func postgresBinaries() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(dirs, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(b, a)
	})
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range dirs {
		found := 0
		for _, name := range []string{"initdb", "postgres", "psql"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				found++
			}
		}
		if found == 3 {
			return dir, nil
		}
	}
	return "", errNoPostgres
}
