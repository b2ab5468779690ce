package action

import (
	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The request header by which a caller asks for the AI SDK's stream, and its
// value.
const (
	StreamHeader = "X-Claviger-Stream"
	StreamUI     = "ai-sdk"
)

// The header by which a client of the AI SDK knows its stream, and its value.
const (
	UIHeader  = "X-Vercel-AI-UI-Message-Stream"
	UIVersion = "v1"
)

// uiEncoder writes the UI message stream of the AI SDK, as its version 7 reads
// it (uiMessageChunkSchema of the npm package ai): start, the one text with its
// pieces, finish, [DONE]. A stream that ends in an error has no [DONE].
type uiEncoder struct{ started, open bool }

func (u *uiEncoder) start(dst []byte) []byte {
	if u.started {
		return dst
	}
	u.started = true
	return append(dst, "data: {\"type\":\"start\"}\n\ndata: {\"type\":\"start-step\"}\n\n"...)
}

// AppendDelta implements Encoder.
func (u *uiEncoder) AppendDelta(dst []byte, text string) []byte {
	if text == "" {
		return dst
	}
	dst = u.start(dst)
	if !u.open {
		u.open = true
		dst = append(dst, "data: {\"type\":\"text-start\",\"id\":\"0\"}\n\n"...)
	}
	dst = jsonx.AppendString(append(dst, `data: {"type":"text-delta","id":"0","delta":`...), text)
	return append(dst, "}\n\n"...)
}

// AppendDone implements Encoder.
func (u *uiEncoder) AppendDone(dst []byte, r Result) []byte {
	dst = u.start(dst)
	if u.open {
		u.open = false
		dst = append(dst, "data: {\"type\":\"text-end\",\"id\":\"0\"}\n\n"...)
	}
	dst = append(dst, "data: {\"type\":\"finish-step\"}\n\ndata: {\"type\":\"finish\",\"finishReason\":"...)
	dst = jsonx.AppendString(dst, uiReason(r.Finish))
	if r.Usage != nil {
		dst = append(r.appendUsage(append(dst, `,"messageMetadata":{"usage":`...)), '}')
	}
	return append(dst, "}\n\ndata: [DONE]\n\n"...)
}

// AppendError implements Encoder. The SDK shows errorText as the message of an
// Error; it has no place for a code.
func (u *uiEncoder) AppendError(dst []byte, e *claviger.Error) []byte {
	dst = u.start(dst)
	dst = jsonx.AppendString(append(dst, `data: {"type":"error","errorText":`...), Refusal(e).Sentence())
	return append(dst, "}\n\n"...)
}

// uiReason is the SDK's word for how an answer ended.
func uiReason(finish string) string {
	if finish == FinishRefused {
		return "content-filter"
	}
	return finish
}
