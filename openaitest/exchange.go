package openaitest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// Errors that end a call. None of them is shown to the client.
var (
	errLeft = errors.New("openaitest: the client left")
	errStop = errors.New("openaitest: the answer ends here")
	errCut  = errors.New("openaitest: the connection is cut here")
)

// exchange is one call on its way.
type exchange struct {
	sim       *Sim
	w         http.ResponseWriter
	r         *http.Request
	flusher   *http.ResponseController
	entry     *entry
	stopWatch func() bool
	completed bool
	body      []byte
	key       string
	requestID string
	fault     Fault
	delta     time.Duration
	hugeSent  bool
	route     route
	ids       []string // in the path
	form      form
	progress  progress
}

func (s *Sim) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{sim: s, w: w, r: r, flusher: http.NewResponseController(w), delta: time.Duration(s.delta.Load())}
	x.entry = s.rec.begin(r)
	x.stopWatch = context.AfterFunc(r.Context(), func() { s.rec.canceled(x.entry, time.Now()) })
	return x
}

// complete says that the answer is all there: a client that goes away from now
// on did not break anything off. It comes before the last byte is written, since
// a quick client may be gone before the handler returns.
func (x *exchange) complete() {
	if x.completed {
		return
	}
	x.completed = true
	// Whoever waits on the context may be here before the function that
	// watches it has begun; then stopping it is in time, and nobody else tells.
	if x.stopWatch() && x.r.Context().Err() != nil {
		x.sim.rec.canceled(x.entry, time.Now())
	}
}

// publish makes what happened so far visible in the record.
func (x *exchange) publish() { x.sim.rec.publish(x.entry, x.progress) }

func (x *exchange) end() {
	x.complete()
	x.sim.rec.end(x.entry, x.progress, time.Now())
}

// serve does everything; an *apiError becomes an answer, other errors end the call.
func (x *exchange) serve() error {
	read := x.readBody()
	x.accountHeaders()
	x.form = parseForm(x.r.Header.Get("Content-Type"), x.body)
	x.sim.rec.arrived(x.entry, x.body, x.form)
	if read != nil {
		return read
	}
	if e := x.find(); e != nil {
		return e
	}
	if e := x.authenticate(); e != nil {
		return e
	}
	x.progress.key = x.key
	if err := x.steer(); err != nil {
		return err
	}
	x.publish()
	if err := x.faultBefore(); err != nil {
		return err
	}
	if e := x.checkMediaType(); e != nil {
		return e
	}
	return x.route.serve(x)
}

func (x *exchange) readBody() error {
	if x.r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(x.r.Body, MaxBody+1))
	x.body = body
	switch {
	case err != nil:
		return errLeft
	case len(body) > MaxBody:
		return &apiError{
			Status: http.StatusRequestEntityTooLarge, Type: "invalid_request_error",
			Message: "Maximum content size limit exceeded.",
		}
	}
	return nil
}

func (x *exchange) checkMediaType() *apiError {
	if x.route.media == mediaNone {
		return nil
	}
	given := x.r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(given)
	accepted := "application/json"
	switch {
	case err != nil:
	case kind == "application/json" && x.route.media != mediaForm, kind == "multipart/form-data" && x.route.media != mediaJSON:
		return nil
	}
	if x.route.media == mediaForm {
		accepted = "multipart/form-data"
	}
	return badRequest("", "unsupported_content_type", "Unsupported content type: '%s'. This API method only accepts '%s' requests.", given, accepted)
}

// steer reads the simulation's own request headers and takes an injected fault.
func (x *exchange) steer() error {
	if v := x.r.Header.Get("X-Openaitest-Delta"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			return badRequest("X-Openaitest-Delta", "invalid_value", "X-Openaitest-Delta is a duration such as 20ms.")
		}
		x.delta = d
	}
	if v := x.r.Header.Get("X-Openaitest-Fault"); v != "" {
		f, err := ParseFault(v)
		if err != nil {
			return badRequest("X-Openaitest-Fault", "invalid_value", "%v", err)
		}
		x.setFault(f)
		return nil
	}
	if f, ok := x.sim.faults.take(x.r.URL.Path, x.route.pattern, x.key); ok {
		x.setFault(f)
	}
	return nil
}

func (x *exchange) setFault(f Fault) {
	x.fault = f
	x.progress.fault = f.Kind
	if f.Delta != 0 {
		x.delta = f.Delta
	}
}

// generated comes once a request is understood and before its answer is made:
// a fault in the prompt strikes now.
func (x *exchange) generated(prompt string) error {
	if x.sim.promptFaults && x.fault.Kind == "" {
		text, ok := faultPhrase(prompt)
		if ok {
			f, err := ParseFault(text)
			if err != nil {
				return badRequest("", "invalid_value", "%v", err)
			}
			x.setFault(f)
			if err := x.faultBefore(); err != nil {
				return err
			}
		}
	}
	return x.pause(x.sim.latency)
}

// settle ends a call that did not run to its end.
func (x *exchange) settle(err error) {
	var e *apiError
	switch {
	case errors.As(err, &e):
		x.sendError(e)
	case errors.Is(err, errCut):
		panic(http.ErrAbortHandler)
	}
}

func (x *exchange) sendError(e *apiError) {
	x.sendJSON(e.Status, errorBody{e.object()})
}

// sendJSON writes v with no fault applied to it.
func (x *exchange) sendJSON(status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs always marshal
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.sendWhole(status, b)
}

// sendWhole writes headers and body and completes the call.
func (x *exchange) sendWhole(status int, body []byte) {
	if x.fault.Kind != Huge {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.header(status)
	last := max(len(body)-1, 0)
	if x.write(body[:last]) != nil {
		return
	}
	x.complete()
	_ = x.write(body[last:])
}

func (x *exchange) header(status int) {
	x.progress.status = status
	x.w.WriteHeader(status)
}

// write counts and writes; a client that is gone gives errLeft.
func (x *exchange) write(b []byte) error {
	if x.fault.Kind == Huge {
		return x.writeHuge(b)
	}
	return x.writeRaw(b)
}

func (x *exchange) writeRaw(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := x.w.Write(b)
	x.progress.bytes += int64(n)
	if err != nil {
		return errLeft
	}
	return nil
}

// hugeMark stands for the filler of the fault Huge until it is written.
const hugeMark = "openaitest-huge-filler"

// writeHuge writes b and puts the filler in the place of the first mark. The
// filler is never held in memory as a whole.
func (x *exchange) writeHuge(b []byte) error {
	for {
		before, after, found := bytes.Cut(b, []byte(hugeMark))
		if err := x.writeRaw(before); err != nil || !found {
			return err
		}
		if !x.hugeSent {
			x.hugeSent = true
			if err := x.writeFiller(); err != nil {
				return err
			}
		}
		b = after
	}
}

func (x *exchange) writeFiller() error {
	block := bytes.Repeat([]byte("filler words "), 64<<10/13+1)[:64<<10]
	for range x.fault.mib() << 4 {
		if err := x.writeRaw(block); err != nil {
			return err
		}
	}
	return nil
}

func (x *exchange) flush() error {
	if x.flusher.Flush() != nil {
		return errLeft
	}
	return nil
}

// pause waits; it ends early with errLeft when the client leaves, and with nil
// when the simulation is closed.
func (x *exchange) pause(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	return x.waitFor(t.C)
}

// hang waits until the client leaves, or for d if that is set.
func (x *exchange) hang(d time.Duration) error {
	if d > 0 {
		return x.pause(d)
	}
	return x.waitFor(nil)
}

func (x *exchange) waitFor(c <-chan time.Time) error {
	select {
	case <-x.r.Context().Done():
		return errLeft
	case <-x.sim.closing:
		if c == nil {
			return errLeft
		}
		return nil
	case <-c:
		return nil
	}
}
