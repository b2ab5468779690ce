package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"weak"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
	"claviger.dev/claviger/internal/testnet"
)

// large is a body that can be seen to be gone.
type large struct{ bytes [1 << 16]byte }

func (*large) ContentType() string   { return "application/json" }
func (l *large) Len() int64          { return int64(len(l.bytes)) }
func (l *large) Open() io.ReadCloser { return io.NopCloser(bytes.NewReader(l.bytes[:])) }

// TestBodyIsNotKept: what was sent is let go of while its answer lasts.
func TestBodyIsNotKept(t *testing.T) {
	held := make(chan struct{})
	s := testnet.Serve(t, func(c *testnet.Conn) {
		if _, ok := c.Request(); ok {
			c.Send(chunked("text/event-stream", "9\r\ndata: a\n\n\r\n"))
			<-held
		}
	})
	defer close(held)
	c := newClient(t, s, newPool(1), nil)
	sent := new(large)
	gone := weak.Make(sent)
	resp, err := c.RoundTrip(t.Context(), claviger.Authorize(seal.ForMint(), claviger.Call{
		Endpoint: "responses", Stream: true, Method: "POST", Path: "/responses", Body: sent,
	}, hold{}, "req-1"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != "data: a\n" {
		t.Fatalf("%q, %v", line, err)
	}
	for range 100 {
		if runtime.GC(); gone.Value() == nil {
			return
		}
	}
	t.Error("the body is still there")
}

// TestSending: a body that is closed gives no more, and may be closed again.
func TestSending(t *testing.T) {
	s := open(body("abc"))
	b := make([]byte, 2)
	if n, err := s.Read(b); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := s.Read(b); n != 0 || !errors.Is(err, errSent) {
		t.Errorf("%d, %v after closing", n, err)
	}
}
