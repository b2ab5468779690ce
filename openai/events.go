package openai

import (
	"bytes"
	"errors"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Events rebuilds the events of one stream. It is not for use by several
// goroutines.
type Events struct {
	req  *Request
	b    rebuild
	last pattern
	done bool
}

// Events begins the stream of the answer. What was sent is not kept while it
// lasts: Write fails from here on.
func (r *Request) Events() *Events {
	r.head, r.files = nil, nil
	e := &Events{req: r, b: r.rebuild()}
	e.b.noting = true
	return e
}

// errInStream says that the provider reported an error inside a stream.
var errInStream = errors.New("the provider reported an error inside the stream")

// Append appends what the caller is to see of one event: nothing for events
// that no table names, and after the end. The error is a *claviger.Error; then
// nothing is appended and the stream is over.
func (e *Events) Append(dst []byte, f Frame) (out []byte, err error) {
	e.b.text = e.b.text[:0]
	if e.done {
		return dst, nil
	}
	chat := e.req.row.events == nil
	if chat && bytes.Equal(f.Data, done) {
		e.done = true
		return append(dst, "data: [DONE]\n\n"...), nil
	}
	if out, ok := e.last.append(dst, f.Data, &e.b); ok {
		return out, nil
	}
	v, err := jsonx.Parse(f.Data)
	if err != nil {
		return dst, &claviger.Error{Code: claviger.CodeUpstreamError, Err: err}
	}
	if v.Kind() != jsonx.KindObject {
		return dst, &claviger.Error{Code: claviger.CodeUpstreamError, Err: errShape}
	}
	e.b.holes, e.b.lost, e.b.metered = e.b.holes[:0], false, false
	e.b.called = [calledTools]int64{}
	mark := len(dst)
	if chat {
		out, err = e.chunk(dst, v)
	} else {
		out, err = e.event(dst, v)
	}
	if e.b.metered {
		e.b.units = e.b.withTools(e.req)
	}
	if err == nil && (e.b.keeping || e.done) {
		e.req.note(&e.b, e.done)
		e.b.items = e.b.items[:0]
	}
	if err == nil && !e.done {
		e.last.learn(&e.b, f.Data, v, out, mark)
	}
	return out, err
}

var done = []byte("[DONE]")

// chunk rebuilds one chunk of a chat stream.
func (e *Events) chunk(dst []byte, v jsonx.Value) ([]byte, error) {
	mark := len(dst)
	e.b.out = append(dst, "data: "...)
	e.b.counting = true
	c := v.Cursor()
	ok := e.b.object(&c, chatChunk)
	switch {
	case !ok:
		if fault, is := v.Get("error"); is && !fault.IsNull() {
			return dst[:mark], inStream(fault)
		}
		return dst[:mark], &claviger.Error{Code: claviger.CodeUpstreamError, Err: errShape}
	case e.b.empty && e.b.metered && !e.b.wantUsage:
		// The chunk that only says what was used, which was asked for here.
		return e.b.out[:mark], nil
	}
	return append(e.b.out, "\n\n"...), nil
}

// event rebuilds one event of a stream whose events have types.
func (e *Events) event(dst []byte, v jsonx.Value) ([]byte, error) {
	kind := typeOf(v.Cursor())
	table := e.req.row.events
	ev := table.find(kind)
	if ev == nil {
		if kind.Is("error") {
			return dst, inStream(v)
		}
		return dst, nil
	}
	mark := len(dst)
	if table.named {
		dst = append(append(append(dst, "event: "...), ev.name...), '\n')
	}
	e.b.out = append(dst, "data: "...)
	e.b.counting = ev.delta
	c := v.Cursor()
	if !e.b.object(&c, ev.object) {
		if ev.end {
			return dst[:mark], &claviger.Error{Code: claviger.CodeUpstreamError, Err: errShape}
		}
		// An item or part of a type that does not pass.
		return e.b.out[:mark], nil
	}
	e.done = ev.end
	return append(e.b.out, "\n\n"...), nil
}

func (t *eventTable) find(kind jsonx.Value) *responseEvent {
	for i := range t.events {
		if kind.Is(t.events[i].name) {
			return &t.events[i]
		}
	}
	return nil
}

// inStream is what an error inside a stream means. Nothing of its text is kept.
func inStream(fault jsonx.Value) error {
	if inner, ok := fault.Get("error"); ok && inner.Kind() == jsonx.KindObject {
		fault = inner
	}
	code, _ := fault.Get("code")
	if code.Is("rate_limit_exceeded") {
		return &claviger.Error{Code: claviger.CodeUpstreamBusy, Err: errInStream}
	}
	return &claviger.Error{Code: claviger.CodeUpstreamError, Err: errInStream}
}

// AppendError appends an error as an event in the endpoint's own shape.
func (e *Events) AppendError(dst []byte, err *claviger.Error) []byte {
	if t := e.req.row.events; t == nil || !t.numbered {
		dst = append(dst, "data: "...)
		return append(AppendError(dst, err), "\n\n"...)
	}
	dst = append(dst, "event: error\ndata: {\"type\":\"error\",\"code\":"...)
	dst = jsonx.AppendString(dst, wireCode(err))
	dst = jsonx.AppendString(append(dst, `,"message":`...), err.Sentence())
	dst = appendOrNull(append(dst, `,"param":`...), err.Param)
	dst = append(dst, `,"sequence_number":`...)
	dst = appendInt(dst, e.b.sequence+1)
	return append(dst, "}\n\n"...)
}

// Made is Request.Made of what passed.
func (e *Events) Made() []claviger.ObjectRef { return e.req.Made() }

// Text is the piece of the model's words that the last Append passed on, as it
// stands in JSON, without its quotes. It is good until the next Append.
func (e *Events) Text() []byte { return e.b.text }

// Done reports whether the endpoint's own proper end was seen: [DONE], or an event
// that the table says is the last, as response.completed.
func (e *Events) Done() bool { return e.done }

// Units gives what was used so far. reported is false where the provider did
// not say and the units are an estimate from what passed; they are nil where that
// tells nothing, as of sound.
func (e *Events) Units() (u claviger.Units, reported bool) { return e.b.used(e.req) }
