package netx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// handTime is how long the other process may take to accept a connection.
const handTime = 5 * time.Second

// ErrHanded is wrapped by every error of a connection that could not be handed
// to the other process, as a rule because that process has ended.
var ErrHanded = errors.New("the other process takes no connection")

// HandedPair makes a line between this process and one that it is about to
// start: there is no name or path by which anybody else could connect. Own stays
// here, theirs is inherited and then closed here.
func HandedPair() (own *net.UnixConn, theirs *os.File, err error) {
	fds, err := socketPair(syscall.SOCK_SEQPACKET)
	if err != nil {
		return nil, nil, err
	}
	if own, err = asConn(fds[0]); err != nil {
		_ = syscall.Close(fds[1])
		return nil, nil, err
	}
	return own, os.NewFile(uintptr(fds[1]), "line"), nil
}

// HandedLine is the end of a line that this process inherited as file descriptor
// fd. It closes fd, so that no program that is started gets it.
func HandedLine(fd uintptr) (*net.UnixConn, error) {
	c, err := asConn(int(fd))
	if err != nil {
		return nil, fmt.Errorf("descriptor %d is no line to another process: %w", fd, err)
	}
	return c, nil
}

func socketPair(kind int) ([2]int, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return fds, os.NewSyscallError("socketpair", err)
	}
	return fds, nil
}

// asConn takes fd over, also on error.
func asConn(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "handed")
	if f == nil {
		return nil, errors.New("not open")
	}
	defer func() { _ = f.Close() }()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("no unix socket")
	}
	return u, nil
}

// HandedTransport sends every request over connections that it makes itself and
// hands over line to the process at its other end, whatever the host of the
// request. It speaks HTTP/1.1 without TLS: nothing leaves the machine. Requests
// wait at most 5 s for the other process to take a connection.
func HandedTransport(line *net.UnixConn) *http.Transport {
	var mu sync.Mutex
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fds, err := socketPair(syscall.SOCK_STREAM)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		_ = line.SetWriteDeadline(time.Now().Add(handTime))
		_, _, err = line.WriteMsgUnix([]byte{1}, syscall.UnixRights(fds[1]), nil)
		mu.Unlock()
		_ = syscall.Close(fds[1])
		if err != nil {
			_ = syscall.Close(fds[0])
			return nil, fmt.Errorf("%w: %w", ErrHanded, err)
		}
		return asConn(fds[0])
	}
	return &http.Transport{
		DialContext:            dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    DefaultIdlePerHost,
		IdleConnTimeout:        50 * time.Second,
		MaxResponseHeaderBytes: DefaultMaxHeaderBytes,
		ReadBufferSize:         bufferSize,
		WriteBufferSize:        bufferSize,
	}
}

// HandedClient asks the other process itself, through a transport of
// HandedTransport, and waits at most a minute for an answer.
func HandedClient(t *http.Transport) *http.Client {
	return &http.Client{Transport: t, Timeout: time.Minute}
}

// HandedListener accepts what HandedTransport hands over. Accept ends with
// net.ErrClosed once the other process has ended, or the listener is closed.
type HandedListener struct{ line *net.UnixConn }

// NewHandedListener listens on an end of a line, which it closes in the end.
func NewHandedListener(line *net.UnixConn) *HandedListener { return &HandedListener{line} }

// Accept implements net.Listener.
func (l *HandedListener) Accept() (net.Conn, error) {
	for {
		data, rights := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
		n, size, _, _, err := l.line.ReadMsgUnix(data, rights)
		if err != nil || n == 0 && size == 0 {
			return nil, net.ErrClosed
		}
		if c, err := received(rights[:size]); err == nil {
			return c, nil
		}
	}
}

// received is the one connection of a message.
func received(rights []byte) (net.Conn, error) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return nil, errors.New("a message without a connection")
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("a message without a connection")
	}
	syscall.CloseOnExec(fds[0])
	return asConn(fds[0])
}

// Close implements net.Listener.
func (l *HandedListener) Close() error { return l.line.Close() }

// Addr implements net.Listener.
func (l *HandedListener) Addr() net.Addr { return l.line.LocalAddr() }
