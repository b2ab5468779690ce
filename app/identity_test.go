package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/keys"
)

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// TestIdentityKeyIsMadeOnce: one key, the owner's alone, and the same person
// has the same pseudonym after a restart.
func TestIdentityKeyIsMadeOnce(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(siteConfig, "identity_key: env:IDENTITY_KEY\n", "", 1))
	subject := func() string {
		p := s.start("serve")
		p.generate(p.ticket())
		p.stop()
		_, after, _ := strings.Cut(p.errs.String(), "subject=")
		name, _, _ := strings.Cut(after, " ")
		return name
	}
	first := subject()
	path := s.path(".claviger/identity_key")
	if m := mode(t, path); m != 0o600 {
		t.Errorf("the key has mode %04o", m)
	}
	if m := mode(t, filepath.Dir(path)); m != 0o700 {
		t.Errorf("the directory has mode %04o", m)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if second := subject(); first == "" || second != first {
		t.Errorf("ada is %q, and after a restart %q", first, second)
	}
	again, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(again, key) {
		t.Error("the key was made again")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	p := s.start("serve")
	if _, _, reasons := p.ready(); !strings.Contains(reasons, "identity_key is open to other users") {
		t.Errorf("nobody is told that others may read the key: %q", reasons)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p.stop()
	if third := subject(); third == first {
		t.Error("a new key gives the old pseudonyms")
	}
}

// TestIdentityKeyRace: of several that make the key at once, all have the same.
func TestIdentityKeyRace(t *testing.T) {
	f := identityFile{dir: filepath.Join(t.TempDir(), "state"), make: true}
	got := make([]string, 16)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			key, _, err := f.read()
			if err != nil {
				t.Error(err)
			}
			got[i] = keys.NewIdentity(key).Pseudonym(claviger.Principal{Realm: "app", Subject: "ada"})
		})
	}
	wg.Wait()
	for _, g := range got[1:] {
		if g != got[0] {
			t.Fatal("two keys were made")
		}
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

func TestIdentityKeyRefusals(t *testing.T) {
	for name, prepare := range map[string]func(dir string) error{
		"empty":       func(dir string) error { return os.WriteFile(filepath.Join(dir, "identity_key"), nil, 0o600) },
		"short":       func(dir string) error { return os.WriteFile(filepath.Join(dir, "identity_key"), []byte("abc"), 0o600) },
		"a directory": func(dir string) error { return os.Mkdir(filepath.Join(dir, "identity_key"), 0o700) },
	} {
		dir := t.TempDir()
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
		if _, _, err := (identityFile{dir: dir, make: true}).read(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	// Commands that only look make no file.
	dir := filepath.Join(t.TempDir(), "none")
	if key, _, err := (identityFile{dir: dir}).read(); err != nil || key.Len() < 32 {
		t.Errorf("looking: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("looking has made the state directory")
	}
}
