package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/store/internal/sqldbtest"
	"claviger.dev/claviger/store/sqlite"
)

func TestJournal(t *testing.T) {
	sqldbtest.Journal(t, opener(func(s *sqlite.Store) sqldbtest.Windows { return s }))
}

func TestKilled(t *testing.T) {
	sqldbtest.Kill(t, func() string { return path(t) }, func(arg string) (admit.Journal, func()) {
		s, err := sqlite.Open(context.Background(), sqlite.Options{Path: arg})
		if err != nil {
			t.Fatal(err)
		}
		return s, func() { _ = s.Close() }
	})
}

// lockOut takes SQLite's write lock as another process would, and returns what
// gives it back.
func lockOut(t testing.TB, path string) func() {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = errors.Join(tx.Rollback(), db.Close()) }
}

func TestLocked(t *testing.T) {
	p := path(t)
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: p, Busy: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, stop := sqldbtest.Started(t, s, time.Now)
	free := lockOut(t, p)
	start := time.Now()
	if err := s.PutBlock(t.Context(), claviger.Block{Scope: claviger.BlockEveryone}); err == nil {
		t.Error("written behind a lock")
	}
	if ok, err := s.UseTicket(t.Context(), "a", 1, time.Now()); ok || err == nil {
		t.Error("counted behind a lock")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("waited %v", d)
	}
	// Readers do not wait.
	if _, err := s.Blocks(t.Context()); err != nil {
		t.Errorf("read behind a lock: %v", err)
	}
	refusedSoon(t, m)
	free()
	grantedSoon(t, m)
	if ok, err := s.UseTicket(t.Context(), "a", 1, time.Now()); !ok || err != nil {
		t.Errorf("after the lock: %v, %v", ok, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestLockedEndsWithContext(t *testing.T) {
	p := path(t)
	s := open(t, p)
	defer lockOut(t, p)()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.UseTicket(ctx, "a", 1, time.Now())
	if err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("ended after %v with %v", time.Since(start), err)
	}
}

func refusedSoon(t *testing.T, m *admit.Memory) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		_, err := m.Admit(t.Context(), sqldbtest.Month(1, 1<<50))
		if err == nil {
			continue
		}
		if claviger.AsError(err).Code != claviger.CodeLimitsUnavailable {
			t.Errorf("refused with %v", err)
		}
		return
	}
	t.Error("granted for 10 s though nothing can be written")
}

func grantedSoon(t *testing.T, m *admit.Memory) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err = m.Admit(t.Context(), sqldbtest.Month(1, 1<<50)); err == nil {
			return
		}
	}
	t.Errorf("refused for 10 s though writing works: %v", err)
}

// smallDisk is a file system of 1 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		t.Skipf("no small file system can be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestDiskFull(t *testing.T) {
	dir := smallDisk(t)
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "claviger.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, stop := sqldbtest.Started(t, s, time.Now)
	if err := s.PutBlock(t.Context(), claviger.Block{Scope: claviger.BlockUser, Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<21), 0o600); err == nil {
		t.Fatal("the disk is not small")
	}
	// Room in what the files have already is used up first.
	events := make([]claviger.Event, 100)
	for i := range events {
		events[i].Started, events[i].Model = time.Now(), fmt.Sprint("model ", i)
	}
	for range 200 {
		if err = s.AppendUsage(t.Context(), events); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("a full disk took everything")
	}
	refusedSoon(t, m)
	if got, err := s.Blocks(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("what is stored cannot be read: %v, %v", got, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	grantedSoon(t, m)
	if err := stop(); err != nil {
		t.Error(err)
	}
}
