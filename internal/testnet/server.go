// Package testnet has loopback servers and clients that behave as no library
// would: they cut, stall, reset and drip at a given byte. Tests alone use it.
package testnet

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds every wait of this package, so that a broken test ends.
const patience = 10 * time.Second

// Server is a listener on loopback that runs a script for each connection.
type Server struct {
	// Addr is host:port.
	Addr string

	listener net.Listener
	script   func(*Conn)
	requests atomic.Int64
	accepted atomic.Int64
	mu       sync.Mutex
	open     map[net.Conn]struct{}
	closed   bool
	done     sync.WaitGroup
}

// Serve starts a server that lives as long as the test. The connection is
// closed when the script returns.
func Serve(tb testing.TB, script func(*Conn)) *Server {
	tb.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), listener: l, script: script, open: make(map[net.Conn]struct{})}
	s.done.Go(s.accept)
	tb.Cleanup(s.Close)
	return s
}

// URL is the address as a base URL, with path after it.
func (s *Server) URL(path string) string { return "http://" + s.Addr + path }

// Conns is how many connections came so far.
func (s *Server) Conns() int64 { return s.accepted.Load() }

// Requests is how many whole requests were read so far.
func (s *Server) Requests() int64 { return s.requests.Load() }

// Close ends everything and waits for the scripts. It may be called again.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.accepted.Add(1)
		s.done.Go(func() { s.serve(c) })
	}
}

func (s *Server) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.open[c] = struct{}{}
	s.mu.Unlock()
	s.script(&Conn{Conn: c, server: s, r: bufio.NewReader(c)})
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
}

// Conn is one connection as a script sees it.
type Conn struct {
	net.Conn

	server *Server
	r      *bufio.Reader
}

// Request is what was read of one request.
type Request struct {
	Method, Target, Host string
	Header               http.Header
	Body                 string
}

// Request reads one request whole. It returns false when the peer is gone.
func (c *Conn) Request() (*Request, bool) {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return nil, false
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, false
	}
	c.server.requests.Add(1)
	return &Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header, Body: string(b)}, true
}

// Send writes the parts as they are, and reports whether the peer took them.
func (c *Conn) Send(parts ...string) bool {
	_, err := io.WriteString(c.Conn, strings.Join(parts, ""))
	return err == nil
}

// Answer sends a whole answer with a length.
func (c *Conn) Answer(status, contentType, body string) bool {
	return c.Send("HTTP/1.1 ", status, "\r\nContent-Type: ", contentType,
		"\r\nContent-Length: ", itoa(len(body)), "\r\n\r\n", body)
}

// Chunk sends one chunk of a chunked body.
func (c *Conn) Chunk(data string) bool { return c.Send(hex(len(data)), "\r\n", data, "\r\n") }

// Gone waits until the peer closed the connection, and reports whether it did
// in time. What the peer sends meanwhile is thrown away.
func (c *Conn) Gone() bool {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, c.r)
	var ne net.Error
	return !errors.As(err, &ne) || !ne.Timeout()
}

// Reset closes the connection so that the peer sees a reset instead of an end.
func (c *Conn) Reset() {
	if t, ok := c.Conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
