package dotenv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 256 << 10

// Private is the file for what the app's own process should not have, such as
// the provider's key. Next.js does not know it; it comes before its files.
const Private = ".env.claviger.local"

// Names lists the files in the order in which they are asked, for a NODE_ENV of
// "development" or "production", or "test", which leaves out .env.local.
func Names(mode string) []string {
	if mode == "test" {
		return []string{Private, ".env.test.local", ".env.test", ".env"}
	}
	return []string{Private, ".env." + mode + ".local", ".env.local", ".env." + mode, ".env"}
}

// Read reads those of the named files that are in dir. One that is there and
// cannot be read, is no regular file, or is larger than 256 KiB is an error.
func Read(dir string, names []string) ([]File, error) {
	var out []File
	for _, name := range names {
		content, err := readFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		out = append(out, File{Name: name, Content: content})
	}
	return out, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("it is larger than %d KiB", maxFile>>10)
	}
	return b, nil
}
