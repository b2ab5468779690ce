package load

import (
	"context"
	"fmt"
	"io"
	"net/http/httputil"
	"strings"
	"time"
)

// Oversize is a request whose body is too large.
type Oversize struct {
	Addr, Path, Bearer string
	Size               int64
	// Declared: with a Content-Length. Else chunked, and its size is not known before.
	Declared bool
}

// Run sends the request and returns the status of its answer, 0 when the
// connection was cut before there was one, and how much of the body was taken.
func (o Oversize) Run(ctx context.Context, d *Dialer) (status int, sent int64, err error) {
	c, err := d.Dial(ctx, o.Addr)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	_ = c.c.SetDeadline(time.Now().Add(20 * time.Second))
	length := "Transfer-Encoding: chunked"
	if o.Declared {
		length = fmt.Sprintf("Content-Length: %d", o.Size)
	}
	if _, err := fmt.Fprintf(c.c, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n",
		o.Path, o.Addr, o.Bearer, length); err != nil {
		return 0, 0, fmt.Errorf("send: %w", err)
	}
	written := make(chan int64, 1)
	go func() { written <- o.send(c.c) }()
	h, err := readHead(c.br)
	c.Close() // a sender that is still at it stops
	sent = <-written
	if err != nil {
		return 0, sent, err
	}
	return h.status, sent, nil
}

// send writes a prompt until all is written or writing fails, and returns how
// much of it went out.
func (o Oversize) send(conn io.Writer) int64 {
	prompt := io.LimitReader(io.MultiReader(strings.NewReader(`{"model":"gpt-4.1-mini","input":"`), letters{}), o.Size)
	if o.Declared {
		n, _ := io.Copy(conn, prompt) // the other side may stop listening
		return n
	}
	w := httputil.NewChunkedWriter(conn)
	n, err := io.Copy(w, prompt)
	if err == nil {
		_ = w.Close()
		_, _ = io.WriteString(conn, "\r\n")
	}
	return n
}

// letters is a text without an end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}
