//go:build !unix && !windows

package sqlite

import "errors"

// ErrShared says that another process has the database to itself.
var ErrShared = errors.New("another process keeps its limits in this database")

// Alone fails where there is no lock that ends with its process.
func (*Store) Alone() (release func() error, err error) {
	return nil, errors.New("store: limits in memory cannot be kept here: this system has no lock on files; set storage.limits to a redis:// address")
}
