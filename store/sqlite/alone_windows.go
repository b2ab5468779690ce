package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrShared says that another process has the database to itself.
var ErrShared = errors.New("another process keeps its limits in this database")

// sharingViolation is what Windows says where another handle shares nothing.
const sharingViolation = syscall.Errno(32)

// Alone takes the database for this process among those that ask for it, until
// release or the end of the process: a file beside it that is opened to be
// shared with nobody. It is ErrShared while another process has it, and does not
// wait.
func (s *Store) Alone() (release func() error, err error) {
	path := s.path + ".lock"
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		if errors.Is(err, sharingViolation) {
			return nil, fmt.Errorf("store: %w", ErrShared)
		}
		return nil, fmt.Errorf("store: lock %s: %w", path, err)
	}
	return os.NewFile(uintptr(h), path).Close, nil
}
