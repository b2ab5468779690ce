package testnet

import (
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

func hex(n int) string { return strconv.FormatInt(int64(n), 16) }

// Client is a raw connection to a server on loopback.
type Client struct{ *net.TCPConn }

// Dial connects, with the smallest receive buffer that the system gives, so
// that a server soon feels that its peer does not read.
func Dial(tb testing.TB, addr string) *Client {
	tb.Helper()
	var d net.Dialer
	c, err := d.DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	t, ok := c.(*net.TCPConn)
	if !ok {
		tb.Fatal("no TCP connection")
	}
	if err := t.SetReadBuffer(1); err != nil {
		tb.Fatal(err)
	}
	return &Client{t}
}

// Send writes s as it is.
func (c *Client) Send(tb testing.TB, s string) {
	tb.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		tb.Fatal(err)
	}
}

// Drip reads up to total bytes, size at a time with a pause after each, and
// returns how many there were before the end.
func (c *Client) Drip(total, size int, pause time.Duration) int {
	buf := make([]byte, size)
	n := 0
	for n < total {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		m, err := c.Read(buf)
		n += m
		if err != nil {
			break
		}
		time.Sleep(pause)
	}
	return n
}

// Listener counts the connections of another listener.
type Listener struct {
	net.Listener

	accepted atomic.Int64
}

// Count wraps l.
func Count(l net.Listener) *Listener { return &Listener{Listener: l} }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return c, err
}

// Accepted is how many connections came so far.
func (l *Listener) Accepted() int64 { return l.accepted.Load() }
