package action

import (
	"strconv"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// AppendJSON appends {"text":…,"finish":…} or {"data":…,"finish":…}, with
// "usage" where the action shows it, and nothing else.
func (r Result) AppendJSON(dst []byte) []byte {
	if r.Data != nil {
		dst = append(append(dst, `{"data":`...), r.Data...)
	} else {
		dst = jsonx.AppendString(append(dst, `{"text":`...), r.Text)
	}
	dst = append(dst, ',')
	return append(r.appendEnd(dst), '}')
}

// appendEnd appends the members that a plain answer and the end of a stream
// have in common.
func (r Result) appendEnd(dst []byte) []byte {
	dst = jsonx.AppendString(append(dst, `"finish":`...), r.Finish)
	if r.Usage != nil {
		dst = r.appendUsage(append(dst, `,"usage":`...))
	}
	return dst
}

func (r Result) appendUsage(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), r.Usage.Get(claviger.UnitInput), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens":`...), r.Usage.Get(claviger.UnitOutput), 10)
	return append(dst, '}')
}

// Refusal is an error as the callers of actions see it. They send no
// parameters of the provider's, so what the provider refuses is its failure to
// them (502), with nothing of what it said.
func Refusal(e *claviger.Error) *claviger.Error {
	if e.Code != claviger.CodeUpstreamInvalid {
		return e
	}
	return &claviger.Error{Code: claviger.CodeUpstreamError, Err: e}
}

func asRefusal(err error) *claviger.Error { return Refusal(claviger.AsError(err)) }

// AppendError appends {"error":…,"code":…,"field":…}, the last only where a
// member was at fault.
func AppendError(dst []byte, e *claviger.Error) []byte {
	e = Refusal(e)
	dst = jsonx.AppendString(append(dst, `{"error":`...), e.Sentence())
	dst = jsonx.AppendString(append(dst, `,"code":`...), string(e.Code))
	if showable(e.Param) {
		dst = jsonx.AppendString(append(dst, `,"field":`...), e.Param)
	}
	return append(dst, '}')
}

// showable keeps anything but a short path of identifiers out of answers.
func showable(param string) bool {
	return param != "" && len(param) <= 100 && only(param, "_-.[]")
}

// Encoder writes a stream for a caller. It is for one goroutine; calls come in
// the order deltas, then one of Done and Error.
type Encoder interface {
	// AppendDelta appends the event for a piece of text; nothing for none.
	AppendDelta(dst []byte, text string) []byte
	// AppendDone appends the proper end.
	AppendDone(dst []byte, r Result) []byte
	// AppendError appends the error that ends the stream.
	AppendError(dst []byte, e *claviger.Error) []byte
}

// NewEncoder makes the encoder of our own events, or of the AI SDK's UI message
// stream.
func NewEncoder(ui bool) Encoder {
	if ui {
		return &uiEncoder{}
	}
	return plainEncoder{}
}

// plainEncoder writes "delta" events and then "done" or "error". For a
// structured answer the deltas are pieces of its JSON, and done brings the
// whole of it as data once it is known to fit the schema: a caller that
// renders nothing before done shows nothing unchecked.
type plainEncoder struct{}

// AppendDelta implements Encoder.
func (plainEncoder) AppendDelta(dst []byte, text string) []byte { return AppendDelta(dst, text) }

// AppendDone implements Encoder.
func (plainEncoder) AppendDone(dst []byte, r Result) []byte { return AppendDone(dst, r) }

// AppendError implements Encoder.
func (plainEncoder) AppendError(dst []byte, e *claviger.Error) []byte {
	return AppendStreamError(dst, e)
}

// AppendDelta appends a delta event; nothing for no text.
func AppendDelta(dst []byte, text string) []byte {
	if text == "" {
		return dst
	}
	dst = jsonx.AppendString(append(dst, "event: delta\ndata: {\"text\":"...), text)
	return append(dst, "}\n\n"...)
}

// AppendDone appends the done event.
func AppendDone(dst []byte, r Result) []byte {
	dst = append(dst, "event: done\ndata: {"...)
	if r.Data != nil {
		dst = append(append(append(dst, `"data":`...), r.Data...), ',')
	}
	return append(r.appendEnd(dst), "}\n\n"...)
}

// AppendStreamError appends the error event.
func AppendStreamError(dst []byte, e *claviger.Error) []byte {
	return append(AppendError(append(dst, "event: error\ndata: "...), e), "\n\n"...)
}
