//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrShared says that another process has the database to itself.
var ErrShared = errors.New("another process keeps its limits in this database")

// Alone takes the database for this process among those that ask for it, until
// release or the end of the process: a lock on a file beside it. It is ErrShared
// while another process has it, and does not wait.
func (s *Store) Alone() (release func() error, err error) {
	f, err := os.OpenFile(s.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("store: %w", ErrShared)
		}
		return nil, fmt.Errorf("store: lock %s: %w", s.path+".lock", err)
	}
	return f.Close, nil
}
