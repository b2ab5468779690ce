package gateway

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"sync"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
	"claviger.dev/claviger/redact"
)

const (
	// maxFrame is the largest event that is read from the provider: a whole
	// answer stands in the last event of a responses stream.
	maxFrame = 8 << 20
	// drainTime is how long the end of the provider's stream is waited for once
	// everything that matters has come, so that its connection can serve again.
	drainTime = time.Second
	// deadlineSlack is how stale a write deadline may be: setting one for each
	// event would cost more than it tells.
	deadlineSlack = 5 * time.Second
	// longPrefix is how much of the beginning of a key the model's words may end
	// in before they wait for what follows. Less of it tells nothing.
	longPrefix = 12
	// patience is how long a caller may have kept a stream waiting in all before
	// what passed no longer tells how much the provider made in the meantime.
	patience = time.Second
)

var heartbeat = []byte(": \n\n")

// translator turns the provider's events into ours.
type translator interface {
	// Append adds what the caller is to see of one event, possibly nothing. An
	// error ends the stream with an event that says so.
	Append(dst []byte, f openai.Frame) ([]byte, error)
	// Text is the piece of the model's words that the last Append added, in
	// JSON without its quotes.
	Text() []byte
	// AppendEnd adds what follows the provider's proper end.
	AppendEnd(dst []byte) ([]byte, error)
	AppendError(dst []byte, e *claviger.Error) []byte
	// Made is what the last Append shows of objects that the caller now owns.
	Made() []claviger.ObjectRef
	// Done reports that the provider's proper end was seen.
	Done() bool
	// Units are what was used so far, reported or estimated.
	Units() (u claviger.Units, reported bool)
}

// proxyEvents is the translator of /v1.
type proxyEvents struct{ *openai.Events }

// AppendEnd adds nothing: the provider's own end has passed.
func (proxyEvents) AppendEnd(dst []byte) ([]byte, error) { return dst, nil }

// stream carries a call whose answer is passed on event by event.
func (x *exchange) stream(a *admitted, t translator) error {
	defer a.cancel()
	u := a.asHeld()
	defer func() { a.settle(u) }()
	w := newEventWriter(x, a.cancel)
	w.owner = a.owner
	defer w.close()
	resp, err := a.send()
	if err != nil {
		u = a.afterFailure(err)
		return w.failed(t, a.failure(err), false)
	}
	defer func() { _ = resp.Body.Close() }()
	err, broken := w.pump(resp.Body, t, w.cancel)
	if units, reported := t.Units(); reported {
		u = used{units: units}
	} else {
		u = a.cutShort(units, w.kept())
	}
	if err != nil {
		// A block is our own end, and its event a proper one.
		return w.failed(t, a.failure(err), broken && a.blocked() == nil)
	}
	return nil
}

// eventWriter is the caller's side of a stream. Its lock lets the heartbeat's
// timer write between events, which costs a stream no goroutine.
type eventWriter struct {
	x       *exchange
	cancel  context.CancelFunc
	owner   *caller
	passage *redact.Passage
	buf     []byte
	// words watches the pieces of the model's words, in none of which a key has
	// to be whole; held is how many bytes at their end may begin one.
	words *redact.Passage
	held  int

	mu       sync.Mutex
	timer    *time.Timer
	opened   bool
	closed   bool
	last     time.Time
	deadline time.Time
	// behind is how long writing took in all.
	behind time.Duration
	err    error
}

func newEventWriter(x *exchange, cancel context.CancelFunc) *eventWriter {
	w := &eventWriter{x: x, cancel: cancel, last: time.Now()}
	if x.s.Tripwire != nil {
		w.passage, w.words = x.s.Tripwire.Stream(), x.s.Tripwire.Stream()
	}
	// The timer runs once it is known to beat, which sets it again.
	w.timer = time.AfterFunc(math.MaxInt64, w.beat)
	w.timer.Reset(x.g.options.Heartbeat)
	return w
}

// beat keeps intermediaries from closing a silent stream. Before the provider's
// headers came it opens the answer, from where on a failure is an event.
func (w *eventWriter) beat() {
	every := w.x.g.options.Heartbeat
	if !w.mu.TryLock() {
		// Something is being written, and whoever does not read it is given up
		// by the deadline.
		w.timer.Reset(every)
		return
	}
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if quiet := time.Since(w.last); quiet < every {
		w.timer.Reset(every - quiet)
		return
	}
	w.open()
	w.send(heartbeat)
	w.timer.Reset(every)
}

// open sends the headers. The lock is held.
func (w *eventWriter) open() {
	if w.opened {
		return
	}
	w.opened = true
	h := w.x.w.Header()
	h["Content-Type"] = []string{typeEvents + "; charset=utf-8"}
	h["Cache-Control"] = []string{"private, no-store, no-transform"}
	h["X-Accel-Buffering"] = []string{"no"}
	w.x.limitHeaders()
	w.x.commit(http.StatusOK)
}

// send writes and flushes. The lock is held.
func (w *eventWriter) send(p []byte) {
	if w.err != nil {
		return
	}
	var err error
	began := time.Now()
	for now := began; len(p) > 0 && err == nil; now = time.Now() {
		w.extend(now)
		n := min(len(p), piece)
		_, err = w.x.w.Write(p[:n])
		p = p[n:]
	}
	if err == nil {
		err = w.x.rc.Flush()
	}
	w.behind += time.Since(began)
	if err != nil {
		w.err = err
		w.cancel()
	}
}

// kept reports whether the caller kept the stream waiting.
func (w *eventWriter) kept() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.behind > patience
}

// extend gives the caller time for the next write.
func (w *eventWriter) extend(now time.Time) {
	w.last = now
	if stall := w.x.g.options.Stall; w.deadline.Sub(now) < stall-min(deadlineSlack, stall/4) {
		w.deadline = now.Add(stall)
		// Not supported means that nobody can stall.
		_ = w.x.rc.SetWriteDeadline(w.deadline)
	}
}

// flush sends what the buffer holds through the tripwire.
func (w *eventWriter) flush() error {
	out := w.buf
	if w.passage != nil {
		var err error
		if out, err = w.passage.Next(w.buf); err != nil {
			return w.x.tripped("stream")
		}
	}
	w.buf = w.buf[:0]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open()
	if len(out) > 0 {
		w.send(out)
	}
	return w.err
}

// close ends the heartbeat. No write of its comes after.
func (w *eventWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.timer.Stop()
}

// pump carries events until the provider's end. The answer opens with the first
// of them, so that what fails before it keeps its status, too. broken says that
// the stream ended without an end, so that the caller's must not look whole
// either.
func (w *eventWriter) pump(body io.Reader, t translator, cancel context.CancelFunc) (err error, broken bool) { //nolint:revive // the error decides, the flag qualifies it
	frames := openai.NewFrameReader(body, maxFrame)
	for {
		f, err := frames.Next()
		if err != nil {
			return cutError(err), true
		}
		if w.buf, err = t.Append(w.buf, f); err != nil {
			return err, false
		}
		if err := w.x.claim(w.owner, t.Made()); err != nil {
			w.buf = w.buf[:0]
			return err, false
		}
		if err := w.watch(t.Text()); err != nil {
			return err, true
		}
		w.x.transcript.says(t.Text())
		if t.Done() {
			if w.buf, err = t.AppendEnd(w.buf); err != nil {
				return err, false
			}
			if err := w.finish(); err != nil {
				return err, true
			}
			drain(frames, cancel)
			return nil, false
		}
		if w.held >= longPrefix || frames.Buffered() {
			continue
		}
		if err := w.flushSome(); err != nil {
			return err, true
		}
	}
}

// watch looks for a key in the model's words, across events.
func (w *eventWriter) watch(text []byte) error {
	if w.words == nil || len(text) == 0 {
		return nil
	}
	out, err := w.words.Next(text)
	if err != nil {
		return w.x.tripped("stream")
	}
	w.held += len(text) - len(out)
	return nil
}

func (w *eventWriter) flushSome() error {
	if len(w.buf) == 0 {
		return nil
	}
	return w.flush()
}

// finish sends the last events with what the tripwire held back.
func (w *eventWriter) finish() error {
	if err := w.flushSome(); err != nil {
		return err
	}
	if w.passage == nil {
		return nil
	}
	rest, err := w.passage.Flush(nil)
	if err != nil {
		return w.x.tripped("stream")
	}
	if len(rest) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.send(rest)
	return w.err
}

// drain reads to the end of the provider's stream, so that its connection can
// be used again, for as long as drainTime.
func drain(frames *openai.FrameReader, cancel context.CancelFunc) {
	timer := time.AfterFunc(drainTime, cancel)
	defer timer.Stop()
	for {
		if _, err := frames.Next(); err != nil {
			return
		}
	}
}

func cutError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if _, ok := errors.AsType[*claviger.Error](err); ok {
		return err
	}
	return &claviger.Error{Code: claviger.CodeUpstreamError, Err: err}
}

// failed ends a stream. Before it was opened the error keeps its status; after
// that it is an event, and a stream that the provider cut is cut here too.
func (w *eventWriter) failed(t translator, err error, broken bool) error {
	w.mu.Lock()
	w.closed = true
	opened, gone := w.opened, w.err != nil || w.x.r.Context().Err() != nil
	w.mu.Unlock()
	if !opened {
		return err
	}
	w.x.fail(err)
	if gone {
		w.x.event.CallerGone = true
		panic(http.ErrAbortHandler)
	}
	if errors.Is(err, errTripwire) {
		panic(http.ErrAbortHandler)
	}
	w.sendError(t, claviger.AsError(err))
	if broken {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (w *eventWriter) sendError(t translator, e *claviger.Error) {
	if w.held >= longPrefix {
		w.buf = w.buf[:0]
	}
	w.buf = t.AppendError(w.buf, e)
	if err := w.finish(); err != nil {
		panic(http.ErrAbortHandler)
	}
}
