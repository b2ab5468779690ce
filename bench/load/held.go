package load

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Held are streams that are open and silent.
type Held struct{ conns []*Conn }

// Hold opens n streams, each on a connection of its own, 50 at a time, and waits
// for the first event of each. When one fails, all are closed.
func Hold(ctx context.Context, d *Dialer, addr string, request []byte, n int) (*Held, error) {
	h := &Held{conns: make([]*Conn, n)}
	errs := make([]error, n)
	places := make(chan struct{}, 50)
	var wg sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			h.conns[i], errs[i] = openStream(ctx, d, addr, request)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			h.Close()
			return nil, fmt.Errorf("open %d streams: %w", n, err)
		}
	}
	return h, nil
}

// openStream sends a request and returns its connection once an event has come.
func openStream(ctx context.Context, d *Dialer, addr string, request []byte) (*Conn, error) {
	c, err := d.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if err := c.awaitEvents(request, 1); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// awaitEvents sends a request for a stream and reads until n events have come,
// for at most 30 s.
func (c *Conn) awaitEvents(request []byte, n int) error {
	_ = c.c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.c.Write(request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	h, err := readHead(c.br)
	if err != nil {
		return err
	}
	if h.status != 200 || !h.stream {
		return fmt.Errorf("%w: status %d, stream is %t", errWrong, h.status, h.stream)
	}
	var count Counter
	err = c.body(h, func(p []byte) bool {
		count.Add(p)
		return count.Events() < n
	})
	if err == nil && count.Events() < n {
		err = fmt.Errorf("%w: the stream ended after %d events", errWrong, count.Events())
	}
	return err
}

// Close leaves all the streams.
func (h *Held) Close() {
	for _, c := range h.conns {
		if c != nil {
			c.Close()
		}
	}
}
