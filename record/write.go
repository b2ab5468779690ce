package record

import (
	"context"
	"time"

	"claviger.dev/claviger"
)

// writer has what is to be stored next. Transcripts are sealed as soon as they are
// taken from the queue.
type writer struct {
	*Keeper
	calls  []claviger.CallRecord
	sealed []claviger.SealedTranscript
	keys   []claviger.TranscriptKey
	// bytes are the bytes of sealed.
	bytes      int64
	sealer     *sealer
	complained time.Time
}

func (k *Keeper) write(ctx context.Context) {
	w := writer{Keeper: k}
	for ctx.Err() == nil {
		w.collect(ctx)
		if err := w.commit(ctx); err != nil && ctx.Err() == nil {
			w.failed(err)
			pause(ctx, batchEvery)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	for w.fill(); w.size() > 0; w.fill() {
		if err := w.commit(last); err != nil {
			w.failed(err)
			break
		}
	}
	w.giveUp()
}

// giveUp counts what is left at the end as lost.
func (w *writer) giveUp() {
	w.lost("call", "end", len(w.calls))
	w.lost("transcript", "end", len(w.sealed))
	for {
		select {
		case e := <-w.queue:
			w.waiting.Add(-e.size())
			w.lose(&e, "end")
		default:
			return
		}
	}
}

func (w *writer) size() int  { return len(w.calls) + len(w.sealed) }
func (w *writer) full() bool { return w.size() >= batchSize || w.bytes >= batchBytes }

// collect waits for a first entry, and then for a whole batch or a moment.
func (w *writer) collect(ctx context.Context) {
	if w.size() == 0 {
		select {
		case e := <-w.queue:
			w.take(&e)
		case <-ctx.Done():
			return
		}
	}
	moment := time.NewTimer(batchEvery)
	defer moment.Stop()
	for !w.full() {
		select {
		case e := <-w.queue:
			w.take(&e)
		case <-moment.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// fill takes what waits already.
func (w *writer) fill() {
	for !w.full() {
		select {
		case e := <-w.queue:
			w.take(&e)
		default:
			return
		}
	}
}

func (w *writer) take(e *entry) {
	w.waiting.Add(-e.size())
	if e.call != nil {
		w.calls = append(w.calls, *e.call)
		return
	}
	if err := w.seal(e); err != nil {
		w.lose(e, "seal")
	}
}

// seal seals a transcript by the key of the hour, which it makes when there is none
// or when it is another policy's.
func (w *writer) seal(e *entry) error {
	now := w.o.Now()
	if w.sealer == nil || w.sealer.by != e.by || !now.Before(w.sealer.end) {
		s, err := newSealer(e.by, now)
		if err != nil {
			return err
		}
		w.sealer = s
	}
	t, err := w.sealer.seal(e.transcript)
	if err != nil {
		return err
	}
	if n := len(w.keys); n == 0 || w.keys[n-1].ID != w.sealer.key.ID {
		w.keys = append(w.keys, w.sealer.key)
	}
	w.sealed = append(w.sealed, t)
	w.bytes += int64(len(t.Sealed))
	return nil
}

// commit stores the batch, and keeps on error what was not stored. It is not cut
// short by the end of the process.
func (w *writer) commit(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	if d, ok := ctx.Deadline(); ok {
		bounded, cancel = context.WithDeadline(bounded, d)
		defer cancel()
	}
	if len(w.calls) > 0 {
		if err := w.o.Store.AppendCalls(bounded, w.calls); err != nil {
			return err
		}
		clear(w.calls)
		w.calls = w.calls[:0]
	}
	if len(w.sealed) > 0 {
		if err := w.o.Store.AppendTranscripts(bounded, w.keys, w.sealed); err != nil {
			return err
		}
		clear(w.sealed)
		w.sealed, w.keys, w.bytes = w.sealed[:0], w.keys[:0], 0
	}
	return nil
}

func (w *writer) failed(err error) {
	if now := w.o.Now(); w.complained.IsZero() || now.Sub(w.complained) >= complainEvery {
		w.complained = now
		w.o.Log.Error("records of calls cannot be stored, which is tried again", "error", err.Error())
	}
}

// sweep deletes what has ended, once a minute and when the policy changes.
func (k *Keeper) sweep(ctx context.Context) {
	scrub := false
	for ctx.Err() == nil {
		done, err := k.sweepOnce(ctx, scrub)
		if err != nil && ctx.Err() == nil {
			k.o.Log.Error("what has ended of the records was not deleted, which is tried again in a minute", "error", err.Error())
		}
		scrub = !done
		select {
		case <-time.After(sweepEvery):
		case <-k.changed:
		case <-ctx.Done():
		}
	}
}

// sweepOnce deletes, and scrubs where something was deleted now or could not be
// scrubbed before. done says that no trace is left to be scrubbed.
func (k *Keeper) sweepOnce(ctx context.Context, scrub bool) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	p, now := k.policy.Load(), k.o.Now()
	n, err := k.o.Store.SweepRecords(ctx, claviger.RecordSweep{Now: now, CallsFrom: p.Calls.from(now), TranscriptsFrom: p.Transcripts.from(now)})
	if err != nil {
		return !scrub, err
	}
	if n == (claviger.RecordCount{}) && !scrub {
		return true, nil
	}
	if n != (claviger.RecordCount{}) {
		k.o.Log.Info("what has ended of the records was deleted", "calls", n.Calls, "transcripts", n.Transcripts, "keys", n.Keys)
	}
	if err := k.o.Store.ScrubRecords(ctx); err != nil {
		return false, err
	}
	return true, nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
