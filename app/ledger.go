package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/record"
	"claviger.dev/claviger/store/postgres"
	"claviger.dev/claviger/store/sqlite"
)

const (
	// ledgerQueue is how many events wait for a database that is away.
	ledgerQueue = 8192
	// ledgerBatch and ledgerEvery are when a batch is written: whichever comes
	// first.
	ledgerBatch = 512
	ledgerEvery = time.Second
	// ledgerWrite bounds one write, and ledgerEnd all of them at the end.
	ledgerWrite = 5 * time.Second
	ledgerEnd   = 5 * time.Second
	// complainEvery is how often the log is told of one trouble.
	complainEvery = time.Minute
	sweepEvery    = time.Hour
	// usageKept is how long sums of usage are kept.
	usageKept = 400 * 24 * time.Hour
	// blocksKept is how long a block that ended by itself is kept.
	blocksKept = 30 * 24 * time.Hour
)

// usageStore is a database that keeps sums of usage, and what else has to be
// swept. memory has none: its sums would end with the process, and no command
// could read them.
type usageStore interface {
	AppendUsage(ctx context.Context, events []claviger.Event) error
	SweepUsage(ctx context.Context, before time.Time) (int64, error)
	SweepTickets(ctx context.Context, now time.Time) (int64, error)
	SweepWindows(ctx context.Context, now time.Time) (int64, error)
	SweepBlocks(ctx context.Context, before time.Time) (int64, error)
}

var (
	_ usageStore = (*sqlite.Store)(nil)
	_ usageStore = (*postgres.Store)(nil)
)

// ledger counts calls in metrics at once, and adds them to the sums of a
// database a moment later. It never keeps a call waiting: what the database
// cannot take in time is lost, counted and told.
type ledger struct {
	metrics *metrics
	log     *slog.Logger
	store   usageStore // nil keeps no sums
	queue   chan claviger.Event
	// records keep single calls where a policy says so; nil keeps none.
	records *record.Keeper
	// told is when the log was last told of a full queue, in nanoseconds.
	told atomic.Int64
}

var _ claviger.Recorder = (*ledger)(nil)

// newLedger makes the ledger of a database; it writes from start on.
func newLedger(e engine, m *metrics, log *slog.Logger) *ledger {
	l := &ledger{metrics: m, log: log, queue: make(chan claviger.Event, ledgerQueue)}
	l.store, _ = e.(usageStore)
	return l
}

// Record implements claviger.Recorder. It does not block and does not fail.
// Whoever was not authenticated is nobody whose use is summed.
func (l *ledger) Record(ctx context.Context, e *claviger.Event) error {
	err := l.metrics.Record(ctx, e)
	if l.records != nil {
		l.records.Record(e)
	}
	if l.store == nil || e.Subject == "" {
		return err
	}
	select {
	case l.queue <- *e:
	default:
		l.lose("full", 1)
	}
	return err
}

// Erase implements claviger.Recorder: a command deletes records, beside the gateway.
func (l *ledger) Erase(ctx context.Context, q claviger.Query) (int64, error) {
	return l.metrics.Erase(ctx, q)
}

func (l *ledger) lose(why string, n int) {
	l.metrics.usageLost.WithLabelValues(why).Add(float64(n))
	now, last := time.Now().UnixNano(), l.told.Load()
	if (last == 0 || now-last >= int64(complainEvery)) && l.told.CompareAndSwap(last, now) {
		l.log.Error("calls are missing in the sums of usage, since the database does not take them; claviger_usage_lost_total counts them", "why", why)
	}
}

// start writes and sweeps until stop, which writes what is left. The end of ctx
// is not the end of it: calls are accounted for until the last one.
func (l *ledger) start(ctx context.Context) (stop func()) {
	if l.store == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { l.write(ctx) })
	wg.Go(func() { l.sweep(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}

func (l *ledger) write(ctx context.Context) {
	w := ledgerWriter{ledger: l}
	for ctx.Err() == nil {
		w.collect(ctx)
		if err := w.commit(ctx); err != nil && ctx.Err() == nil {
			w.failed(err)
			pause(ctx, ledgerEvery)
		}
	}
	// What could not be stored is in the batch still.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerEnd)
	defer cancel()
	for {
		w.take()
		if len(w.batch) == 0 {
			return
		}
		if err := w.commit(last); err != nil {
			w.failed(err)
			break
		}
	}
	l.lose("end", len(w.batch)+len(l.queue))
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// ledgerWriter has the events that are to be written next.
type ledgerWriter struct {
	*ledger
	batch      []claviger.Event
	complained time.Time
}

// collect waits for a first event, and then for a whole batch or a moment.
func (w *ledgerWriter) collect(ctx context.Context) {
	if len(w.batch) == 0 {
		select {
		case e := <-w.queue:
			w.batch = append(w.batch, e)
		case <-ctx.Done():
			return
		}
	}
	moment := time.NewTimer(ledgerEvery)
	defer moment.Stop()
	for len(w.batch) < ledgerBatch {
		select {
		case e := <-w.queue:
			w.batch = append(w.batch, e)
		case <-moment.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// take fills the batch with what waits already.
func (w *ledgerWriter) take() {
	for len(w.batch) < ledgerBatch {
		select {
		case e := <-w.queue:
			w.batch = append(w.batch, e)
		default:
			return
		}
	}
}

// commit writes the batch, which is kept on error. It is not cut short by the
// end of the process, which would leave open whether it was stored.
func (w *ledgerWriter) commit(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	deadline := time.Now().Add(ledgerWrite)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	bounded, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	if err := w.store.AppendUsage(bounded, w.batch); err != nil {
		return err
	}
	clear(w.batch)
	w.batch = w.batch[:0]
	return nil
}

func (w *ledgerWriter) failed(err error) {
	w.metrics.usageFailed.Inc()
	if now := time.Now(); w.complained.IsZero() || now.Sub(w.complained) >= complainEvery {
		w.complained = now
		w.log.Error("the sums of usage cannot be written, which is tried again", "error", err.Error())
	}
}

// sweep deletes once an hour what has ended.
func (l *ledger) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		_, tickets := l.store.SweepTickets(ctx, now)
		_, windows := l.store.SweepWindows(ctx, now)
		_, usage := l.store.SweepUsage(ctx, now.Add(-usageKept))
		_, blocks := l.store.SweepBlocks(ctx, now.Add(-blocksKept))
		if err := errors.Join(tickets, windows, usage, blocks); err != nil && ctx.Err() == nil {
			l.log.Error("the database was not swept, which is tried again in an hour", "error", fmt.Sprint(err))
		}
		pause(ctx, sweepEvery)
	}
}
