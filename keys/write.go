package keys

import (
	"fmt"
	"os"
	"path/filepath"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
)

// File returns the path of a reference to a file, with dir for relative ones and
// links followed, and false for any other reference.
func File(ref claviger.Ref, dir string) (path string, ok bool) {
	scheme, rest, err := splitRef(ref)
	if err != nil || scheme != schemeFile {
		return "", false
	}
	if !filepath.IsAbs(rest) {
		rest = filepath.Join(dir, rest)
	}
	if real, err := filepath.EvalSymlinks(rest); err == nil {
		rest = real
	}
	return filepath.Clean(rest), true
}

// CanWrite returns why WriteFile would fail for a path, or nil. It leaves nothing
// behind.
func CanWrite(path string) error {
	f, err := temporary(path)
	if err != nil {
		return err
	}
	_ = f.Close()
	return os.Remove(f.Name())
}

// WriteFile puts a secret into a file that nobody else can read, in one step: who
// reads it gets the old one or the new one, and never a part. Errors name the path
// alone.
func WriteFile(path string, s claviger.Secret) (err error) {
	if s.Len() == 0 {
		return errEmpty
	}
	f, err := temporary(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(append(append([]byte(nil), s.Reveal(seal.ForReveal())...), '\n'))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, plainPathError(err))
	}
	return nil
}

// temporary makes an empty file beside path, with mode 0600.
func temporary(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, errFile)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".claviger-*")
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, plainPathError(err))
	}
	return f, nil
}
