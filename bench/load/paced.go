package load

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// Paced is an open loop: a request is due every 1/Rate seconds whatever became
// of the ones before. Latency counts from the moment a request was due, so that
// one slow answer does not hide the wait of those behind it.
type Paced struct {
	Addr    string
	Request []byte
	Want    Expect
	Rate    int // requests a second
	For     time.Duration
	// Conns is how many connections there are to take a request that is due.
	Conns int
}

// Latencies are the times of right answers, the shortest first.
type Latencies struct {
	Sorted     []time.Duration
	Failed     int64
	FirstError error
}

// Percentile is the smallest latency that at least the share q of all
// latencies, 0 < q ≤ 1, does not exceed; 0 when there are none.
func (l Latencies) Percentile(q float64) time.Duration {
	if len(l.Sorted) == 0 {
		return 0
	}
	i := int(math.Ceil(q*float64(len(l.Sorted)))) - 1
	return l.Sorted[min(max(i, 0), len(l.Sorted)-1)]
}

type pacedRun struct {
	Paced
	d   *Dialer
	due chan time.Time
	mu  sync.Mutex
	sum Latencies
}

// Run opens the connections and runs the loop.
func (p Paced) Run(ctx context.Context, d *Dialer) (Latencies, error) {
	total := int(p.For.Seconds() * float64(p.Rate))
	// Room for all: the clock that sends never waits for a connection.
	r := &pacedRun{Paced: p, d: d, due: make(chan time.Time, total)}
	var conns []*Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range p.Conns {
		c, err := d.Dial(ctx, p.Addr)
		if err != nil {
			return Latencies{}, err
		}
		conns = append(conns, c)
		_ = c.c.SetDeadline(time.Now().Add(p.For + grace))
	}
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { r.serve(ctx, &conns[i]) })
	}
	r.tick(ctx, total)
	wg.Wait()
	slices.Sort(r.sum.Sorted)
	if err := ctx.Err(); err != nil {
		return r.sum, fmt.Errorf("open loop: %w", err)
	}
	return r.sum, nil
}

func (p *pacedRun) tick(ctx context.Context, total int) {
	defer close(p.due)
	start := time.Now().Add(10 * time.Millisecond)
	for i := range total {
		at := start.Add(time.Duration(i) * time.Second / time.Duration(p.Rate))
		for wait := time.Until(at); wait > 0; wait = time.Until(at) {
			nap(wait)
		}
		if ctx.Err() != nil {
			return
		}
		p.due <- at
	}
}

// serve takes the requests that are due. The connection at conn is replaced when
// it is of no more use; when that fails, the rest is counted as failed.
func (p *pacedRun) serve(ctx context.Context, conn **Conn) {
	var took []time.Duration
	var failed int64
	var first error
	for due := range p.due {
		a, err := (*conn).Do(p.Request)
		if err == nil {
			err = a.Check(p.Want)
		}
		if err == nil {
			took = append(took, time.Since(due))
		} else {
			failed++
			first = keepFirst(first, err)
		}
		if (*conn).open {
			continue
		}
		if fresh, err := p.d.Dial(ctx, p.Addr); err == nil {
			(*conn).Close()
			*conn = fresh
			_ = fresh.c.SetDeadline(time.Now().Add(p.For + grace))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum.Sorted = append(p.sum.Sorted, took...)
	p.sum.Failed += failed
	p.sum.FirstError = keepFirst(p.sum.FirstError, first)
}

// keepFirst keeps the first of two errors.
func keepFirst(first, next error) error {
	if first != nil {
		return first
	}
	return next
}
