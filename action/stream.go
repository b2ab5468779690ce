package action

import (
	"bytes"
	"slices"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// maxStructured is how much of a structured answer is kept until its end, in
// bytes. Text is not kept.
const maxStructured = 4 << 20

// Stream follows the events of a streamed answer. It is for one goroutine.
type Stream struct {
	a *Action
	// input is what the input is estimated at, should upstream not report.
	input int64
	// aside are the output items whose words are not the answer.
	aside []int64
	// kept is the text so far, of structured answers alone.
	kept []byte
	// said counts the bytes of the answer that came in pieces.
	said int64
	// deltas and bytes count all pieces, for the estimate.
	deltas, bytes int64
	// declined says that a refusal was streamed.
	declined bool
	done     bool
	last     reply
	err      error
}

// Stream follows an answer. Bound.Stream is better where the input is at hand.
func (a *Action) Stream() *Stream { return &Stream{a: a} }

// Stream follows the answer to this input, which it knows how to estimate.
func (b *Bound) Stream() *Stream {
	s := b.a.Stream()
	s.input = (b.input + 3) / 4 // the bound is in bytes
	return s
}

// Event reads the data of one event and returns the text to hand on, which may
// be empty. For a structured answer these are pieces of its JSON. After the
// proper end and after an error nothing more is read. The error is a
// *claviger.Error and comes again on every later call.
func (s *Stream) Event(data []byte) (delta string, err error) {
	if s.err != nil || s.done || bytes.Equal(data, []byte("[DONE]")) {
		return "", s.err
	}
	delta, err = s.event(data)
	if err != nil {
		s.err = err
		return "", err
	}
	return delta, nil
}

// streamEvent are the members of an event that anything here looks at.
type streamEvent struct{ kind, delta, index, item, response, failure jsonx.Value }

func (s *Stream) event(data []byte) (string, error) {
	v, err := jsonx.Parse(data)
	if err != nil {
		return "", broken("an event is no JSON: %w", err)
	}
	if v.Kind() != jsonx.KindObject {
		return "", broken("an event is no object")
	}
	var e streamEvent
	for name, x := range v.Fields() {
		switch name {
		case "type":
			e.kind = x
		case "delta":
			e.delta = x
		case "output_index":
			e.index = x
		case "item":
			e.item = x
		case "response":
			e.response = x
		case "error":
			e.failure = x
		}
	}
	switch {
	case e.kind.Is("response.output_text.delta"):
		return s.text(&e), nil
	case e.kind.Is("response.refusal.delta"):
		return s.refusal(&e), nil
	case e.kind.Is("response.output_item.added"):
		if i, ok := e.index.Int(); ok && !isMessage(e.item) && len(s.aside) < maxValues {
			s.aside = append(s.aside, i)
		}
	case e.kind.Is("response.completed"), e.kind.Is("response.incomplete"):
		return s.end(e.response)
	case e.kind.Is("response.failed"):
		r, err := readReply(e.response)
		s.last.units = r.units
		if err == nil {
			err = broken("the response failed")
		}
		return "", err
	case e.kind.Is("error"):
		if e.failure.Kind() == jsonx.KindObject {
			return "", failed(e.failure)
		}
		return "", failed(v)
	}
	return "", nil
}

// text takes a piece of the answer.
func (s *Stream) text(e *streamEvent) string {
	d := e.delta.Str()
	s.deltas++
	s.bytes += int64(len(d))
	if i, ok := e.index.Int(); ok && slices.Contains(s.aside, i) {
		return ""
	}
	s.said += int64(len(d))
	if s.a.output != nil && len(s.kept) <= maxStructured {
		s.kept = append(s.kept, d...)
	}
	return d
}

// refusal takes a piece of what the model says when it declines. In a
// structured answer it would be read as JSON, so there it is left out.
func (s *Stream) refusal(e *streamEvent) string {
	d := e.delta.Str()
	s.deltas++
	s.bytes += int64(len(d))
	s.declined = true
	if s.a.output != nil {
		return ""
	}
	s.said += int64(len(d))
	return d
}

// end reads the last event. Where upstream sent no pieces, the text of the
// whole answer is handed on at once.
func (s *Stream) end(response jsonx.Value) (string, error) {
	r, err := readReply(response)
	s.last = r
	if err != nil {
		return "", err
	}
	if s.declined {
		s.last.finish = FinishRefused
	}
	structured := s.a.output != nil
	whole := ""
	switch {
	case s.said == 0:
		whole = string(r.text)
	case structured:
		s.last.text = s.kept
	}
	s.kept = nil
	switch {
	case structured && len(s.last.text) > maxStructured:
		return "", broken("the structured answer is longer than %d bytes", maxStructured)
	case structured && s.last.finish != FinishStop:
		whole = ""
	case s.said == 0 && whole == "" && s.last.finish == FinishStop:
		return "", broken("the answer is empty")
	}
	s.done = true
	return whole, nil
}

// Done reports whether the answer came to its proper end.
func (s *Stream) Done() bool { return s.done }

// Result is the end of the stream: how it finished, and for a structured
// answer the validated object. A stream without its proper end is an error
// with CodeUpstreamError: it was cut.
func (s *Stream) Result() (Result, error) {
	switch {
	case s.err != nil:
		return Result{}, s.err
	case !s.done:
		return Result{}, broken("the stream ended before the answer did")
	case s.a.output != nil:
		return s.a.project(s.last)
	}
	res := Result{Finish: s.last.finish}
	if s.a.d.ShowUsage {
		res.Usage = s.last.units
	}
	return res, nil
}

// Units are what upstream reported. Where it reported nothing, as when the
// stream broke off, reported is false and they are an estimate: an input token
// for four bytes, and for the output one for each piece or four bytes,
// whichever is more.
func (s *Stream) Units() (u claviger.Units, reported bool) {
	if s.last.units != nil {
		return s.last.units, true
	}
	return claviger.Units{
		{Kind: claviger.UnitInput, Amount: s.input},
		{Kind: claviger.UnitOutput, Amount: max(s.deltas, (s.bytes+3)/4)},
	}, false
}
