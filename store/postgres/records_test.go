package postgres

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// lies counts where a text lies in the server's files: in those of the database, and
// in its journal.
func lies(t *testing.T, dir string, text []byte) (tables, journal int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // the server deletes files meanwhile
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		n := bytes.Count(b, text)
		if strings.Contains(path, "pg_wal") {
			journal += n
		} else {
			tables += n
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tables, journal
}

// TestKeysAreShredded: a deleted key is in no file of the database. Its transcript
// may be, and is ciphertext that nobody opens.
func TestKeysAreShredded(t *testing.T) {
	s := open(t, server.URL(t))
	random := func() []byte { return []byte(rand.Text() + rand.Text() + rand.Text() + rand.Text()) }
	key, words := random(), random()
	now := time.Now().Truncate(time.Second)
	err := s.AppendTranscripts(t.Context(), []claviger.TranscriptKey{{ID: "k", Created: now.Add(-48 * time.Hour), Until: now, Sealed: key}},
		[]claviger.SealedTranscript{{ID: "r", Owner: "o", Key: "k", Created: now.Add(-48 * time.Hour), Until: now, Sealed: words}})
	if err != nil {
		t.Fatal(err)
	}
	var dir string
	checkpoint := func() {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), "CHECKPOINT"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.pool.QueryRow(t.Context(), "SHOW data_directory").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	checkpoint()
	if n, _ := lies(t, dir, key); n != 1 {
		t.Fatalf("the key is in the files %d times before: the test proves nothing", n)
	}
	n, err := s.SweepRecords(t.Context(), claviger.RecordSweep{Now: now})
	if err != nil || n != (claviger.RecordCount{Transcripts: 1, Keys: 1}) {
		t.Fatalf("swept %+v, %v", n, err)
	}
	if err := s.ScrubRecords(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkpoint()
	tables, journal := lies(t, dir, key)
	if tables != 0 {
		t.Errorf("a deleted key is in the files %d times", tables)
	}
	rows, rowsJournal := lies(t, dir, words)
	t.Logf("after the sweep: the key is %d times in tables, %d times in the journal; the ciphertext %d and %d times", tables, journal, rows, rowsJournal)
}
