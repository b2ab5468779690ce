package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxBody = 32 << 20
	// maxHold ends a stream that is silent or hangs and that nobody cancelled.
	maxHold = 5 * time.Minute
)

// Server serves the two endpoints over plain HTTP/1.1, one goroutine a
// connection, without net/http: at 64 connections that would cost several times
// what nginx costs, and would hide it.
type Server struct {
	// Pause is the time between two events of a paced stream. Set it before Serve.
	Pause time.Duration

	wires  *wires
	ledger *ledger

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// New makes a server with a pause of 2 ms.
func New() *Server {
	return &Server{Pause: 2 * time.Millisecond, wires: newWires(), ledger: newLedger(), conns: map[net.Conn]struct{}{}}
}

// Serve serves the connections of ln until ln is closed, and returns nil then.
func (s *Server) Serve(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		if !s.add(c) {
			_ = c.Close()
			return nil
		}
		s.wg.Go(func() {
			defer s.drop(c)
			s.serve(c)
		})
	}
}

// Close ends every connection and waits for their goroutines. The listener is
// the caller's to close, before.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Server) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) drop(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *Server) serve(c net.Conn) {
	br := bufio.NewReaderSize(c, 8<<10)
	var buf []byte
	for {
		path, body, err := readRequest(br, buf[:0])
		if err != nil {
			return
		}
		buf = body
		if !s.answer(c, br, path, body) {
			return
		}
	}
}

// answer writes one answer and reports whether the connection goes on.
func (s *Server) answer(c net.Conn, br *bufio.Reader, path string, body []byte) bool {
	endpoint := Endpoint(path)
	if endpoint != Chat && endpoint != Responses {
		return refuse(c, "404 Not Found", "no such endpoint")
	}
	w, ok := readWish(body)
	if !ok {
		return refuse(c, "400 Bad Request", "the prompt has no mode")
	}
	if w.stream != (w.mode != Answer) {
		return refuse(c, "400 Bad Request", "stream does not fit the mode")
	}
	s.ledger.begin(w.id, time.Now())
	st := s.wires.stream(endpoint, w.usage)
	switch w.mode {
	case Answer:
		_, err := c.Write(s.wires.plain[endpoint])
		return err == nil
	case Burst:
		_, err := c.Write(st.whole)
		return err == nil
	case Flush:
		return writeEach(c, st.chunks, "\r\n", 0) == nil
	case Paced, Silent, Hang:
		s.watched(c, br, w, st)
		return false
	default:
		return refuse(c, "400 Bad Request", "no such mode")
	}
}

// watched answers in one of the slow modes, and notes when the caller left
// while it did.
func (s *Server) watched(c net.Conn, br *bufio.Reader, w wish, st stream) {
	var finished atomic.Bool
	gone := make(chan struct{})
	s.wg.Go(func() {
		defer close(gone)
		// A caller that waits for an answer sends nothing: what ends this is its leaving.
		if _, err := br.Peek(1); err != nil && !finished.Load() {
			s.ledger.leave(w.id, time.Now())
		}
	})
	switch w.mode {
	case Paced:
		end := len(st.chunks) - 1
		if writeEach(c, st.chunks[:end], "Connection: close\r\n\r\n", s.Pause) == nil {
			finished.Store(true) // before the end is out: whoever has it may go
			_, _ = c.Write(st.chunks[end])
			return
		}
	case Silent:
		_, _ = c.Write(append([]byte(streamHead+"Connection: close\r\n\r\n"), st.chunks[0]...))
	default:
	}
	t := time.NewTimer(maxHold)
	defer t.Stop()
	select {
	case <-gone:
	case <-t.C:
		finished.Store(true)
	}
}

func writeEach(c net.Conn, chunks [][]byte, headEnd string, pause time.Duration) error {
	if _, err := io.WriteString(c, streamHead+headEnd); err != nil {
		return fmt.Errorf("head: %w", err)
	}
	for _, chunk := range chunks {
		if _, err := c.Write(chunk); err != nil {
			return fmt.Errorf("event: %w", err)
		}
		if pause > 0 {
			time.Sleep(pause)
		}
	}
	return nil
}

func refuse(c net.Conn, status, why string) bool {
	_, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", status, len(why), why)
	return err == nil
}

var (
	errMalformed = errors.New("malformed request")
	errTooLarge  = errors.New("body too large")
)

// readRequest reads one request and appends its body to buf. It knows what HTTP
// clients send, and no more.
func readRequest(br *bufio.Reader, buf []byte) (path string, body []byte, err error) {
	line, err := br.ReadSlice('\n')
	if err != nil {
		return "", nil, fmt.Errorf("request line: %w", err)
	}
	parts := bytes.Fields(line)
	if len(parts) != 3 || string(parts[0]) != "POST" {
		return "", nil, errMalformed
	}
	path = string(parts[1])
	length, chunked := 0, false
	for {
		line, err = br.ReadSlice('\n')
		if err != nil {
			return "", nil, fmt.Errorf("header: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return "", nil, fmt.Errorf("content length: %w", err)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	body, err = readBody(br, buf, length, chunked)
	return path, body, err
}

func readBody(br *bufio.Reader, buf []byte, length int, chunked bool) ([]byte, error) {
	if length < 0 || length > maxBody {
		return nil, errTooLarge
	}
	if !chunked {
		if cap(buf) < length {
			buf = make([]byte, 0, length)
		}
		buf = buf[:length]
		if _, err := io.ReadFull(br, buf); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		return buf, nil
	}
	w := bytes.NewBuffer(buf)
	if _, err := io.Copy(w, io.LimitReader(httputil.NewChunkedReader(br), maxBody)); err != nil {
		return nil, fmt.Errorf("chunked body: %w", err)
	}
	if _, err := br.ReadSlice('\n'); err != nil { // the empty line after the last chunk
		return nil, fmt.Errorf("end of the chunked body: %w", err)
	}
	return w.Bytes(), nil
}
