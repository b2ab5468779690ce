package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"sync/atomic"
	"time"
)

// Dialer opens connections from many addresses of the loopback network in turn,
// as many users would, so that a limit for one address is not what is measured.
type Dialer struct {
	next atomic.Uint32
}

const sources = 50

// Dial opens a connection to addr, within 5 s. It ends with ctx.
func (d *Dialer) Dial(ctx context.Context, addr string) (*Conn, error) {
	nd := net.Dialer{Timeout: 5 * time.Second}
	if manyLoopbacks {
		nd.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+d.next.Add(1)%sources))}
	}
	c, err := nd.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	return &Conn{c: c, br: bufio.NewReaderSize(c, 16<<10), buf: make([]byte, 16<<10), open: true, forget: stop}, nil
}

// Conn is a connection to what is measured. One goroutine at a time may use it.
type Conn struct {
	c      net.Conn
	br     *bufio.Reader
	buf    []byte
	open   bool        // may carry another request
	forget func() bool // the context that would close it
}

// Close closes the connection.
func (c *Conn) Close() {
	c.forget()
	_ = c.c.Close()
}

// Expect is what a right answer looks like.
type Expect struct {
	// Events is how many events a stream has. 0: the answer is no stream.
	Events int
	// Bytes is the least size of an answer that is no stream.
	Bytes int64
}

// Answer is what came back.
type Answer struct {
	Status int
	Bytes  int64  // of the body
	Events int    // complete ones, "[DONE]" not counted
	Ended  bool   // the stream said itself that it is at its end
	Stream bool   // the answer is an event stream
	Text   []byte // the beginning of the body when the status is not 200
}

// Short reports whether the answer is a stream that ended before its end. An
// HTTP response that ends early counts too: it comes with an error from Do and
// with what had been counted until then.
func (a Answer) Short(want Expect) bool {
	return a.Status == 200 && want.Events > 0 && (a.Events < want.Events || !a.Ended)
}

var errWrong = errors.New("wrong answer")

// Check says what is wrong with the answer, nil when nothing is.
func (a Answer) Check(want Expect) error {
	switch {
	case a.Status != 200:
		return fmt.Errorf("%w: status %d: %s", errWrong, a.Status, bytes.TrimSpace(a.Text))
	case a.Stream != (want.Events > 0):
		return fmt.Errorf("%w: stream is %t", errWrong, a.Stream)
	case a.Short(want):
		return fmt.Errorf("%w: short stream, %d of %d events, ended %t", errWrong, a.Events, want.Events, a.Ended)
	case a.Events != want.Events:
		return fmt.Errorf("%w: %d events, not %d", errWrong, a.Events, want.Events)
	case !a.Stream && a.Bytes < want.Bytes:
		return fmt.Errorf("%w: %d bytes only", errWrong, a.Bytes)
	}
	return nil
}

// Do sends a request as it is and reads its answer to the end. With an error the
// connection is of no more use, and the answer holds what had come until then.
func (c *Conn) Do(request []byte) (Answer, error) {
	var a Answer
	if _, err := c.c.Write(request); err != nil {
		return a, fmt.Errorf("send: %w", err)
	}
	err := c.read(&a)
	if err != nil {
		c.open = false
	}
	return a, err
}

func (c *Conn) read(a *Answer) error {
	h, err := readHead(c.br)
	if err != nil {
		return err
	}
	a.Status, a.Stream = h.status, h.stream
	c.open = !h.close
	if a.Status == 200 && !a.Stream && h.length >= 0 {
		n, err := c.br.Discard(int(h.length))
		a.Bytes = int64(n)
		return wrap("body", err)
	}
	var count Counter
	err = c.body(h, func(p []byte) bool {
		a.Bytes += int64(len(p))
		switch {
		case a.Status != 200:
			a.Text = append(a.Text, p[:min(len(p), 512-len(a.Text))]...)
		case a.Stream:
			count.Add(p)
		}
		return true
	})
	a.Events, a.Ended = count.Events(), count.Ended()
	return err
}

// body hands the parts of a body to see, as they come, until it returns false.
func (c *Conn) body(h head, see func([]byte) bool) error {
	var r io.Reader = c.br
	switch {
	case h.chunked:
		r = httputil.NewChunkedReader(c.br)
	case h.length >= 0:
		r = io.LimitReader(c.br, h.length)
	default:
		c.open = false // the end of the connection is the end of the body
	}
	var seen int64
	for {
		n, err := r.Read(c.buf)
		seen += int64(n)
		if n > 0 && !see(c.buf[:n]) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return wrap("body", err)
		}
	}
	if !h.chunked && h.length > seen {
		return wrap("body", io.ErrUnexpectedEOF)
	}
	for h.chunked { // trailers, up to the empty line
		line, err := c.br.ReadSlice('\n')
		if err != nil {
			return wrap("end of the body", err)
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	return nil
}

type head struct {
	status  int
	length  int64 // -1: not declared
	chunked bool
	close   bool
	stream  bool
}

var errNotHTTP = errors.New("not an HTTP/1.1 answer")

func readHead(br *bufio.Reader) (head, error) {
	h := head{length: -1}
	line, err := br.ReadSlice('\n')
	if err != nil {
		return h, wrap("status line", err)
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < 12 {
		return h, errNotHTTP
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, errNotHTTP
	}
	for {
		line, err = br.ReadSlice('\n')
		if err != nil {
			return h, wrap("header", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return h, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if err := h.take(name, bytes.TrimSpace(value)); err != nil {
			return h, err
		}
	}
}

func (h *head) take(name, value []byte) (err error) {
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		h.length, err = strconv.ParseInt(string(value), 10, 64)
		if err != nil || h.length < 0 {
			return errNotHTTP
		}
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		h.chunked = bytes.EqualFold(value, []byte("chunked"))
	case bytes.EqualFold(name, []byte("Connection")):
		h.close = bytes.EqualFold(value, []byte("close"))
	case bytes.EqualFold(name, []byte("Content-Type")):
		h.stream = bytes.HasPrefix(value, []byte("text/event-stream"))
	}
	return nil
}

// wrap names where an error came from; nil stays nil, and an end that came too
// early says so.
func wrap(where string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s: %w", where, err)
}

// Request writes a POST request down, to be sent as it is any number of times.
func Request(addr, path, bearer string, body []byte) []byte {
	b := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: */*\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", path, addr, bearer, len(body))
	return append(b, body...)
}
