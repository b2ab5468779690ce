package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// grace is how much longer than planned a run may last before what is still
	// open is counted as failed.
	grace = 15 * time.Second
	// maxFailures in a row, and a connection's loop gives up.
	maxFailures = 50
)

// Closed is a closed loop: each of Conns connections sends its next request when
// the last was answered.
type Closed struct {
	Addr    string
	Request []byte
	Want    Expect
	Conns   int
	// For is how long; Count, when positive, how many requests at most.
	For   time.Duration
	Count int64
}

// Tally is what a loop did. Only right answers are in Requests, Events and Bytes.
type Tally struct {
	Requests, Events, Bytes int64
	Failed                  int64 // answers that were wrong or did not come, short streams with them
	Short                   int64 // streams that ended before their end
	Took                    time.Duration
	FirstError              error
}

// Rate is right answers a second.
func (t Tally) Rate() float64 {
	if t.Took <= 0 {
		return 0
	}
	return float64(t.Requests) / t.Took.Seconds()
}

type closedRun struct {
	Closed
	d     *Dialer
	until time.Time
	begun atomic.Int64
	mu    sync.Mutex
	sum   Tally
}

// Run opens the connections, then runs the loop. It returns an error only when
// there was nothing to measure; failed requests are in the tally.
func (c Closed) Run(ctx context.Context, d *Dialer) (Tally, error) {
	conns := make([]*Conn, 0, c.Conns)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	for range c.Conns {
		conn, err := d.Dial(ctx, c.Addr)
		if err != nil {
			return Tally{}, err
		}
		conns = append(conns, conn)
	}
	start := time.Now()
	r := &closedRun{Closed: c, d: d, until: start.Add(c.For)}
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { r.loop(ctx, &conns[i]) })
	}
	wg.Wait()
	r.sum.Took = time.Since(start)
	if err := ctx.Err(); err != nil {
		return r.sum, fmt.Errorf("closed loop: %w", err)
	}
	return r.sum, nil
}

// loop uses the connection at conn, and replaces it when it is of no more use.
func (r *closedRun) loop(ctx context.Context, conn **Conn) {
	var t Tally
	defer func() { r.add(t) }()
	_ = (*conn).c.SetDeadline(r.until.Add(grace))
	failures := 0
	for failures < maxFailures && ctx.Err() == nil && time.Now().Before(r.until) {
		if r.Count > 0 && r.begun.Add(1) > r.Count {
			return
		}
		a, err := (*conn).Do(r.Request)
		if err == nil {
			err = a.Check(r.Want)
		}
		if t.take(a, err, r.Want) {
			failures = 0
		} else {
			failures++
		}
		if !(*conn).open && !r.again(ctx, conn, &t) {
			return
		}
	}
}

// again replaces a connection, and reports whether that worked.
func (r *closedRun) again(ctx context.Context, conn **Conn, t *Tally) bool {
	(*conn).Close()
	fresh, err := r.d.Dial(ctx, r.Addr)
	if err != nil {
		t.take(Answer{}, err, r.Want)
		return false
	}
	*conn = fresh
	_ = fresh.c.SetDeadline(r.until.Add(grace))
	return true
}

// take adds one answer and reports whether it was right.
func (t *Tally) take(a Answer, err error, want Expect) bool {
	if err == nil {
		t.Requests++
		t.Events += int64(a.Events)
		t.Bytes += a.Bytes
		return true
	}
	t.Failed++
	if a.Short(want) {
		t.Short++
	}
	if t.FirstError == nil {
		t.FirstError = err
	}
	return false
}

func (r *closedRun) add(t Tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Requests += t.Requests
	r.sum.Events += t.Events
	r.sum.Bytes += t.Bytes
	r.sum.Failed += t.Failed
	r.sum.Short += t.Short
	if r.sum.FirstError == nil {
		r.sum.FirstError = t.FirstError
	}
}
