//go:build !linux

package netx

import (
	"errors"
	"net"
	"net/http"
	"os"
)

// ErrHanded is wrapped by every error of a connection that could not be handed
// to the other process.
var ErrHanded = errors.New("the other process takes no connection")

var errHere = errors.New("connections are handed to other processes on Linux alone")

// HandedPair fails on this system.
func HandedPair() (own *net.UnixConn, theirs *os.File, err error) { return nil, nil, errHere }

// HandedLine fails on this system.
func HandedLine(uintptr) (*net.UnixConn, error) { return nil, errHere }

// HandedTransport is of no use on this system, where no line exists.
func HandedTransport(*net.UnixConn) *http.Transport { return nil }

// HandedClient is of no use on this system, where no line exists.
func HandedClient(*http.Transport) *http.Client { return &http.Client{} }

// HandedListener does not exist on this system.
type HandedListener struct{ net.Listener }

// NewHandedListener is of no use on this system, where no line exists.
func NewHandedListener(*net.UnixConn) *HandedListener { return nil }
