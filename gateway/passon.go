package gateway

import (
	"errors"
	"io"
	"net/http"

	"claviger.dev/claviger/redact"
)

// passOnBuffer is how much of an answer is read at once.
const passOnBuffer = 32 << 10

// passOn carries a call whose answer is neither JSON nor an event stream: sound,
// or the content of a file. It goes through the tripwire as it comes, and is
// never shown as a page. What such an answer used nobody says, so the call is
// settled as held.
func (x *exchange) passOn(a *admitted) error {
	u := a.asHeld()
	defer func() { a.settle(u) }()
	defer a.cancel()
	resp, err := a.send()
	if err != nil {
		u = a.afterFailure(err)
		return a.failure(err)
	}
	defer func() { _ = resp.Body.Close() }()
	w := &passOnWriter{x: x, media: resp.Header.Get("Content-Type")}
	if x.s.Tripwire != nil {
		w.passage = x.s.Tripwire.Stream()
	}
	err = w.copy(resp.Body)
	switch {
	case err == nil:
		return nil
	case !x.committed:
		return a.failure(err)
	}
	x.fail(a.failure(err))
	// The answer must not look whole.
	panic(http.ErrAbortHandler)
}

// passOnWriter writes what passes the tripwire, and flushes each piece.
type passOnWriter struct {
	x       *exchange
	media   string
	passage *redact.Passage
}

func (w *passOnWriter) copy(body io.Reader) error {
	buf := make([]byte, passOnBuffer)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if werr := w.write(buf[:n]); werr != nil {
				return werr
			}
		}
		if errors.Is(err, io.EOF) {
			return w.finish()
		}
		if err != nil {
			return cutError(err)
		}
	}
}

func (w *passOnWriter) write(p []byte) error {
	if w.passage != nil {
		var err error
		if p, err = w.passage.Next(p); err != nil {
			return w.x.tripped("file")
		}
	}
	return w.send(p)
}

// finish sends what the tripwire held back.
func (w *passOnWriter) finish() error {
	if w.passage == nil {
		return w.send(nil)
	}
	rest, err := w.passage.Flush(nil)
	if err != nil {
		return w.x.tripped("file")
	}
	return w.send(rest)
}

// send opens the answer with the first piece.
func (w *passOnWriter) send(p []byte) error {
	x := w.x
	if !x.committed {
		h := x.w.Header()
		h["Content-Type"] = []string{w.media}
		// Whatever it is, no browser is to run it.
		h["Content-Disposition"] = []string{"attachment"}
		h["Content-Security-Policy"] = []string{"default-src 'none'; sandbox"}
		x.limitHeaders()
		x.commit(http.StatusOK)
	}
	if len(p) == 0 {
		return nil
	}
	x.setWriteDeadline()
	_, err := x.w.Write(p)
	if err == nil {
		err = x.rc.Flush()
	}
	if err != nil {
		x.event.CallerGone = true
	}
	return err
}
