package sqlite_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/owner"
	"claviger.dev/claviger/store/sqlite"
)

var _ owner.Store = (*sqlite.Store)(nil)

func path(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "state", "claviger.db")
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func opener[S any](as func(*sqlite.Store) S) gatetest.OpenStore[S] {
	return func(t *testing.T) (S, func() S) {
		p := path(t)
		s := open(t, p)
		return as(s), func() S {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return as(open(t, p))
		}
	}
}

func TestObjects(t *testing.T) {
	gatetest.ObjectStore(t, opener(func(s *sqlite.Store) gatetest.Objects { return s }))
}

func TestTicketUses(t *testing.T) {
	gatetest.TicketUses(t, opener(func(s *sqlite.Store) gatetest.Uses { return s }))
}

func TestBlocks(t *testing.T) {
	gatetest.BlockStore(t, opener(func(s *sqlite.Store) gatetest.BlockKeeper { return s }))
}

func TestLedger(t *testing.T) {
	gatetest.UsageLedger(t, opener(func(s *sqlite.Store) gatetest.Ledger { return s }), func(t *testing.T) (a, b gatetest.Ledger) {
		p := path(t)
		return open(t, p), open(t, p)
	})
}

func TestRecords(t *testing.T) {
	gatetest.RecordStore(t, opener(func(s *sqlite.Store) gatetest.RecordKeeper { return s }))
}

func TestTwoOpen(t *testing.T) {
	p := path(t)
	gatetest.SharedBlocks(t, open(t, p), open(t, p))
}

func TestOpenAtOnce(t *testing.T) {
	p := path(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := sqlite.Open(t.Context(), sqlite.Options{Path: p})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestModes(t *testing.T) {
	p := path(t)
	s := open(t, p)
	if err := s.PutBlock(t.Context(), claviger.Block{Scope: claviger.BlockEveryone}); err != nil {
		t.Fatal(err)
	}
	want := map[string]os.FileMode{filepath.Dir(p): 0o700, p: 0o600, p + "-wal": 0o600, p + "-shm": 0o600}
	for name, mode := range want {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %04o, want %04o", name, info.Mode().Perm(), mode)
		}
	}
}

func TestOthersMayEnter(t *testing.T) {
	for _, mode := range []os.FileMode{0o750, 0o701, 0o755, 0o777} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		p := filepath.Join(dir, "claviger.db")
		_, err := sqlite.Open(t.Context(), sqlite.Options{Path: p})
		if err == nil || !strings.Contains(err.Error(), "chmod 700 "+dir) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if _, err := os.Stat(p); err == nil {
			t.Error("a refused open made the file")
		}
	}
}

func TestOthersMayRead(t *testing.T) {
	p := path(t)
	if err := open(t, p).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p, 0o644); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: p, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if !strings.Contains(said.String(), "0644") || !strings.Contains(said.String(), p) {
		t.Errorf("said %q", said.String())
	}
}

// TestNames: a path is a path and no URI with settings.
func TestNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	for _, name := range []string{"a b.db", "a?mode=memory", "a#b", "a%41.db", "ü.db", ":memory:"} {
		p := filepath.Join(dir, name)
		open(t, p)
		if info, err := os.Stat(p); err != nil || info.Size() == 0 {
			t.Errorf("%s: nothing is stored there: %v", name, err)
		}
	}
}

func TestRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(filepath.Join(dir, "folder.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"", filepath.Join(dir, "folder.db"), text} {
		if s, err := sqlite.Open(t.Context(), sqlite.Options{Path: p}); err == nil {
			s.Close()
			t.Errorf("%q was opened", p)
		}
	}
	if b, err := os.ReadFile(text); err != nil || !strings.HasPrefix(string(b), "this is no database") {
		t.Errorf("what was no database was changed: %v", err)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, path(t))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s.Ping(t.Context()) == nil {
		t.Error("a closed database answers")
	}
	if ok, err := s.UseTicket(t.Context(), "a", 1, time.Now()); ok || err == nil {
		t.Error("a closed database counts")
	}
}
