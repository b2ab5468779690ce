package admit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"claviger.dev/claviger"
)

// Window is what a Journal keeps of one window. Key, Kind, Per, Zone and
// Currency tell it from others. Times are nanoseconds since 1970, 0 for none.
type Window struct {
	Key      string
	Kind     claviger.ChargeKind
	Per      claviger.Period
	Zone     string
	Currency string

	// Drained is when all that was taken of a continuous limit will have
	// drained, and Num/Den a fraction of a nanosecond more.
	Drained  int64
	Num, Den int64
	// Start and End bound the calendar window to which Used and Held belong.
	Start, End int64
	Used       int64
	// Held is what calls under way hold. Nobody can settle that any more when
	// it is read back, so it counts as used then.
	Held int64
	// Limit is the limit by which Held would drain.
	Limit int64
}

// Journal keeps windows across a restart. Its methods may block until ctx ends.
type Journal interface {
	// SaveWindows stores windows, each in place of the one of the same
	// identity: all of them or none. No identity comes twice in one call. With
	// none it reports whether writing works.
	SaveWindows(ctx context.Context, w []Window) error
	// LoadWindows returns what was stored last of each window.
	LoadWindows(ctx context.Context) ([]Window, error)
}

// The limits of what a crash can lose.
const (
	// FlushEvery is how long a change waits at most until it is written, and
	// flushAt how many windows have to have changed to write at once.
	FlushEvery = 50 * time.Millisecond
	flushAt    = 256
	// MaxLag is how old the oldest change may be that is not written yet. When
	// it is older, nothing is granted.
	MaxLag = time.Second
	// writeLimit bounds one write.
	writeLimit = 5 * time.Second
	// keyBytes bounds keys where they have to be written.
	keyBytes = 1024
)

var (
	errNotKept  = errors.New("admit: what is taken is not being written: Keep does not run")
	errNotSaved = errors.New("admit: what was taken could not be written")
)

// ErrBehind says that the oldest change that is not written yet is older than
// MaxLag.
var ErrBehind = errors.New("admit: writing what was taken lags behind")

// written says how far a window's changes got.
type written uint8

const (
	dirty written = 1 << iota // changed since it was last read for writing
	saving
)

// journaled is the part of a Memory that belongs to its Journal. The Memory's
// lock guards it, and is never held over a call of the Journal.
type journaled struct {
	to      Journal
	keeping bool
	failed  error
	changed []*window
	// since and savingSince are when the oldest of the changes was made, of
	// those that wait and those that are being written; −1 when there is none.
	since, savingSince int64
	wake               chan struct{}
}

// Restore returns a Memory that knows what o.Journal kept. What calls held when
// the process before ended counts as used; their leases are free. It grants
// nothing until Keep runs.
//
// One process at a time may have a Journal: two would overwrite each other.
func Restore(ctx context.Context, o MemoryOptions) (*Memory, error) {
	if o.Now == nil {
		return nil, errNoClock
	}
	m := NewMemory(o)
	if o.Journal == nil {
		return m, nil
	}
	rows, err := o.Journal.LoadWindows(ctx)
	if err != nil {
		return nil, fmt.Errorf("admit: read what was used: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.instant(o.Now())
	for i := range rows {
		if err := m.restore(&rows[i], now); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Memory) restore(row *Window, now instant) error {
	r, err := ruleOf(&claviger.Charge{Kind: row.Kind, Window: claviger.Window{Limit: row.Limit, Per: row.Per, Currency: row.Currency}})
	if err != nil {
		return fmt.Errorf("admit: read what was used of %q: %w", row.Key, err)
	}
	if row.Used < 0 || row.Held < 0 || row.Num < 0 || row.Den < 0 || row.Num > 0 && row.Num >= row.Den {
		return fmt.Errorf("admit: read what was used of %q: the row is damaged", row.Key)
	}
	w := &window{id: id{key: row.Key, zone: row.Zone, currency: row.Currency, kind: row.Kind, per: row.Per}, limit: row.Limit}
	switch r.shape {
	case shapeLease:
		return nil
	case shapeCalendar:
		w.start, w.end, w.used = row.Start, row.End, plus(row.Used, row.Held)
	default:
		if row.Drained != 0 {
			ahead := min(max(row.Drained-now.wall, -1), farAway)
			w.meter = meter{tat: now.mono + ahead, num: row.Num, den: row.Den}
		}
		if row.Held > 0 {
			w.meter = w.add(now.mono, row.Held, max(r.limit, 1), r.period)
		}
	}
	if w.idle(now) {
		return nil
	}
	if len(m.all) >= m.maxKeys {
		return fmt.Errorf("%w: the journal has more", errFull)
	}
	m.insert(w)
	// What was held is used now, and is written as such.
	if row.Held > 0 {
		m.touch(w, now)
	}
	return nil
}

// row is what is written of a window. The lock is held.
func (w *window) row(now instant) Window {
	row := Window{
		Key: w.id.key, Kind: w.id.kind, Per: w.id.per, Zone: w.id.zone, Currency: w.id.currency,
		Start: w.start, End: w.end, Used: w.used, Held: w.held, Limit: w.limit,
	}
	if !w.meter.idle(now.mono) {
		row.Drained, row.Num, row.Den = now.wall+w.tat-now.mono, w.num, w.den
	}
	return row
}

// touch notes that a window has changed. The lock is held.
func (m *Memory) touch(w *window, now instant) {
	if m.journal.to == nil || w.id.kind == claviger.ChargeLease {
		return
	}
	if w.written&dirty == 0 {
		w.written |= dirty
		m.journal.changed = append(m.journal.changed, w)
	}
	if m.journal.since < 0 {
		m.journal.since = now.mono
	}
	if n := len(m.journal.changed); n == 1 || n == flushAt {
		select {
		case m.journal.wake <- struct{}{}:
		default:
		}
	}
}

// writable says why nothing may be granted, nil when what is taken gets
// written. The lock is held.
func (m *Memory) writable(now instant) error {
	j := &m.journal
	switch {
	case j.to == nil:
		return nil
	case !j.keeping:
		return errNotKept
	case j.failed != nil:
		return errors.Join(errNotSaved, j.failed)
	}
	for _, since := range []int64{j.since, j.savingSince} {
		if since >= 0 && now.mono-since > int64(MaxLag) {
			return ErrBehind
		}
	}
	return nil
}

// Keep writes what is taken and settled into the Journal until ctx ends, and
// then a last time. It must run for anything to be granted: while it does not,
// while a write fails, and while the oldest change that is not written is older
// than MaxLag, Admit refuses with CodeLimitsUnavailable.
//
// Changes are written in batches, FlushEvery after the first of them or when
// 256 windows have changed. What was granted later than the last write began is
// lost when the process is killed: as a rule FlushEvery and the time of one
// write, never more than MaxLag and one write. Keep returns the error of the
// last write, nil when all is written.
func (m *Memory) Keep(ctx context.Context) error {
	if m.journal.to == nil {
		<-ctx.Done()
		return nil
	}
	m.mu.Lock()
	m.journal.keeping = true
	m.mu.Unlock()
	for m.batch(ctx) {
		m.flush(ctx)
	}
	m.mu.Lock()
	m.journal.keeping = false
	m.mu.Unlock()
	return m.flush(context.WithoutCancel(ctx))
}

// batch waits until there is something to write. It returns false when ctx has
// ended.
func (m *Memory) batch(ctx context.Context) bool {
	for {
		m.mu.Lock()
		waiting, failed := len(m.journal.changed), m.journal.failed != nil
		m.mu.Unlock()
		if waiting >= flushAt && !failed {
			return ctx.Err() == nil
		}
		if waiting == 0 && !failed {
			select {
			case <-ctx.Done():
				return false
			case <-m.journal.wake:
				continue
			}
		}
		timer := time.NewTimer(FlushEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
			return true
		case <-m.journal.wake:
			timer.Stop()
		}
	}
}

// flush writes what has changed. The lock is not held meanwhile.
func (m *Memory) flush(ctx context.Context) error {
	t := m.clock()
	m.mu.Lock()
	j := &m.journal
	now := m.instant(t)
	ws := j.changed
	j.changed, j.savingSince, j.since = nil, j.since, -1
	rows := make([]Window, len(ws))
	for i, w := range ws {
		w.written = saving
		rows[i] = w.row(now)
	}
	m.mu.Unlock()
	// An empty batch asks whether writing works again.
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	err := j.to.SaveWindows(ctx, rows)
	cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range ws {
		again := err != nil && w.written&dirty == 0
		w.written &^= saving
		if again {
			w.written |= dirty
			j.changed = append(j.changed, w)
		}
	}
	if err != nil && j.savingSince >= 0 {
		j.since = j.savingSince
	}
	j.savingSince, j.failed = -1, err
	return err
}
