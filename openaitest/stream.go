package openaitest

import (
	"compress/gzip"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
)

// stream writes server-sent events and lets the fault strike between them.
type stream struct {
	x      *exchange
	zip    *gzip.Writer
	buf    []byte
	struck bool
	// fail returns the event that ends a failing stream: name and data.
	fail func() (string, any)
}

// openStream sends the headers of a stream.
func (x *exchange) openStream(fail func() (string, any)) (*stream, error) {
	h := x.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	if x.fault.Kind == ContentType {
		h.Set("Content-Type", x.fault.contentType())
	}
	st := &stream{x: x, fail: fail}
	if x.fault.Kind == Gzip {
		h.Set("Content-Encoding", "gzip")
		st.zip = gzip.NewWriter(exchangeWriter{x})
	}
	x.header(http.StatusOK)
	if err := x.flush(); err != nil {
		return nil, err
	}
	x.publish()
	if x.fault.Kind == HangBody {
		return st, x.interrupt()
	}
	return st, nil
}

// exchangeWriter counts what gzip writes.
type exchangeWriter struct{ x *exchange }

func (w exchangeWriter) Write(b []byte) (int, error) {
	if err := w.x.write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// event sends one event; an empty name sends data alone.
func (st *stream) event(name string, data any) error {
	if err := st.strike(); err != nil {
		return err
	}
	return st.send(name, data)
}

// delta sends an event that holds a token, and charges it once it is written.
func (st *stream) delta(name string, data any) error {
	if err := st.strike(); err != nil {
		return err
	}
	if err := st.encode(name, data); err != nil {
		return err
	}
	usage := &st.x.progress.usage
	usage.Output++
	if err := st.write(false); err != nil {
		usage.Output--
		return err
	}
	return nil
}

// last sends the closing event.
func (st *stream) last(name string, data any) error {
	if err := st.strike(); err != nil {
		return err
	}
	if err := st.encode(name, data); err != nil {
		return err
	}
	st.x.complete()
	return st.write(true)
}

func (st *stream) strike() error {
	x := st.x
	if st.struck || x.progress.events < x.fault.after() {
		return nil
	}
	st.struck = true
	switch x.fault.Kind { //nolint:exhaustive // the others do not strike between events
	case ErrorEvent, Failed:
		name, data := st.fail()
		if err := st.encode(name, data); err != nil {
			return err
		}
		x.complete()
		if err := st.write(true); err != nil {
			return err
		}
		return errStop
	case Truncated:
		x.complete()
		if err := x.write([]byte(`data: {"type":"response.output_text.del`)); err != nil {
			return err
		}
		return errStop
	case InvalidJSON:
		return st.send("", brokenMark{})
	case Extra:
		return st.send("account.notice", extraEvent{Type: "account.notice", Organization: x.sim.organization, Project: x.sim.project})
	case HangBody:
		return nil // it was at the start
	}
	return x.interrupt()
}

type extraEvent struct {
	Type         string `json:"type"`
	Organization string `json:"organization"`
	Project      string `json:"project"`
}

func (st *stream) send(name string, data any) error {
	if err := st.encode(name, data); err != nil {
		return err
	}
	return st.write(false)
}

// doneMark is the data of the line that ends a streamed chat.
type doneMark struct{}

// brokenMark is data that is not JSON.
type brokenMark struct{}

func (st *stream) encode(name string, data any) error {
	b := st.buf[:0]
	if name != "" {
		b = append(append(append(b, "event: "...), name...), '\n')
	}
	b = append(b, "data: "...)
	switch v := data.(type) {
	case doneMark:
		b = append(b, "[DONE]"...)
	case brokenMark:
		b = append(b, `{"type":"response.output_text.delta","delta":}`...)
	default:
		j, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("openaitest: event does not marshal: %w", err)
		}
		b = append(b, j...)
	}
	st.buf = append(b, "\n\n"...)
	return nil
}

func (st *stream) write(last bool) error {
	x := st.x
	var err error
	switch {
	case x.fault.Kind == Drip:
		err = x.drip(st.buf, false)
	case st.zip != nil:
		err = st.writeZip(last)
	default:
		err = x.write(st.buf)
	}
	if err != nil {
		return err
	}
	if err := x.flush(); err != nil {
		return err
	}
	x.progress.events++
	x.publish()
	return nil
}

func (st *stream) writeZip(last bool) error {
	if _, err := st.zip.Write(st.buf); err != nil {
		return errLeft
	}
	finish := st.zip.Flush
	if last {
		finish = st.zip.Close
	}
	if finish() != nil {
		return errLeft
	}
	return nil
}
