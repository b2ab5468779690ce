package upstream

import (
	"bytes"
	"fmt"
	"strings"
)

// Endpoint is one of the two routes that the upstream serves.
type Endpoint string

// The endpoints, by their path.
const (
	Chat      Endpoint = "/v1/chat/completions"
	Responses Endpoint = "/v1/responses"
)

// Mode says how a request is answered.
type Mode string

// The modes. All but Answer are streams.
const (
	Answer Mode = "answer" // one JSON object of about 1 KB
	Burst  Mode = "burst"  // the whole stream in one write
	Flush  Mode = "flush"  // one write for each event, without a pause
	Paced  Mode = "paced"  // one write for each event, with Pause between them
	Silent Mode = "silent" // headers and the first event, then nothing
	Hang   Mode = "hang"   // nothing at all, not even headers
)

// Model is the model that requests name and plans must allow.
const Model = "gpt-4.1-mini"

// Events is how many events a stream has. The "[DONE]" of a chat stream is not
// one of them; "response.completed" of a responses stream is the last of them.
const Events = 200

const marker = "bench mode="

// filler makes a request about as large as its answer.
var filler = strings.Repeat("The quick brown fox jumps over the lazy dog. ", 15)

// Ask is a request to the upstream, directly or through what is measured.
type Ask struct {
	Endpoint Endpoint
	Mode     Mode
	// ID names the request for the control endpoint. Letters, digits and "-"
	// only; empty for requests that nobody asks about.
	ID string
	// Pad is how many bytes the prompt is longer than usual.
	Pad int
}

// Body is the request's body, in the shape of its endpoint.
func (a Ask) Body() []byte {
	prompt := marker + string(a.Mode) + " id=" + a.ID + " end. " + filler + strings.Repeat("x", a.Pad)
	stream := ""
	if a.Mode != Answer {
		stream = `,"stream":true`
	}
	if a.Endpoint == Responses {
		return fmt.Appendf(nil, `{"model":%q,"input":%q,"max_output_tokens":512%s}`, Model, prompt, stream)
	}
	return fmt.Appendf(nil, `{"model":%q,"messages":[{"role":"user","content":%q}],"max_completion_tokens":512%s}`,
		Model, prompt, stream)
}

// wish is what the upstream read out of a request.
type wish struct {
	mode   Mode
	id     string
	stream bool // the body asks for a stream, whatever the prompt says
	usage  bool // the body asks for the chunk with the usage
}

// readWish finds the marker in a body, however the body was written anew on its
// way. ok is false when there is none.
func readWish(body []byte) (w wish, ok bool) {
	_, rest, ok := bytes.Cut(body, []byte(marker))
	if !ok {
		return w, false
	}
	mode, rest, ok := bytes.Cut(rest, []byte(" id="))
	if !ok {
		return w, false
	}
	id, _, ok := bytes.Cut(rest, []byte(" end."))
	if !ok {
		return w, false
	}
	w = wish{
		mode:   Mode(mode),
		id:     string(id),
		stream: isTrue(body, "stream"),
		usage:  isTrue(body, "include_usage"),
	}
	return w, true
}

// isTrue reports whether body has the member name with the value true, written
// without a space or with one.
func isTrue(body []byte, name string) bool {
	_, rest, ok := bytes.Cut(body, []byte(`"`+name+`":`))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " "), []byte("true"))
}
