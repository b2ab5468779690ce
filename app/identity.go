package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"claviger.dev/claviger"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/keys"
)

// stateDir is where the process keeps what it must remember.
func stateDir(c *config.Config, s source) string {
	dir := c.State
	switch {
	case dir == "" && c.Environment == config.Development:
		dir = ".claviger"
	case dir == "":
		return "/var/lib/claviger"
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(s.path), dir)
	}
	return dir
}

// identityFile is the file of the key of pseudonyms in the state directory.
type identityFile struct {
	dir string
	// make lets the key be made where there is none. A command that only looks
	// changes nothing on disk.
	make bool
}

// read gives the key, or makes it. Directory and file are the owner's alone;
// open says what is not.
func (f identityFile) read() (key claviger.Secret, open []string, err error) {
	path := filepath.Join(f.dir, "identity_key")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = f.create(path)
	}
	if err != nil {
		return claviger.Secret{}, nil, fmt.Errorf("the key is kept in the state directory, which cannot be used: %w; "+
			"set state to a directory of this user, or identity_key to a reference", err)
	}
	key = claviger.NewSecret(raw)
	if err := keys.Strength(key); err != nil {
		return claviger.Secret{}, nil, fmt.Errorf("%s: %w; remove the file to have a new key, under which everybody gets another pseudonym", path, err)
	}
	for _, p := range []string{f.dir, path} {
		if info, err := os.Stat(p); err == nil && info.Mode().Perm()&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s is open to other users of this machine (mode %04o): chmod go-rwx it", p, info.Mode().Perm()))
		}
	}
	return key, open, nil
}

func (f identityFile) create(path string) ([]byte, error) {
	text, err := keys.Generate()
	if err != nil || !f.make {
		return []byte(text), err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	return writeNew(path, text)
}

// writeNew writes a file that appears whole or not at all; whoever was faster
// wins.
func writeNew(path, text string) ([]byte, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), path); err != nil {
		if _, there := os.Stat(path); there == nil {
			return os.ReadFile(path)
		}
		// Some file systems know no links.
		if err := os.Rename(f.Name(), path); err != nil {
			return nil, err
		}
	}
	return []byte(text), nil
}
