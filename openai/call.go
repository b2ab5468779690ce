package openai

import (
	"errors"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Request is a call that was checked against its endpoint's table. It belongs
// to one call and is not for use by several goroutines.
type Request struct {
	row    *Row
	policy *Policy
	call   claviger.Call
	// head is the body that was written anew, without its closing brace: what
	// the server forces is appended by Write.
	head    []byte
	written bool

	// textBytes is the size of what becomes input; imageBytes is the part of it
	// that is images.
	textBytes, imageBytes int64
	images                int64
	originals             bool
	media                 media
	// counted is the number of input tokens, where they had to be counted.
	counted int64

	maxName       string
	maxOutput     int64
	streamOptions bool
	wantsUsage    bool
	obfuscation   jsonx.Value
	tools         []broughtTool
	search        search
	// forcedCalls says that max_tool_calls is to be written.
	forcedCalls bool
	own         own
	background  bool
	// body is the object that describes the body, nil for none.
	body  *object
	files []sentFile
	// brought are the tokens of the objects that the call refers to.
	brought int64
	made    made
	// words are those of a plain answer.
	words []byte
}

// own says which members the caller sent that the server may also inject, so
// that they may come back.
type own struct{ instructions, prompt, user, metadata, search bool }

// broughtTool is a kind of tool and where it was first named.
type broughtTool struct{ kind, param string }

// spare is the room left behind the body for what Write appends.
const spare = 320

// Sent is what a caller sent to an endpoint: the path below /v1, which fits the
// row, the query, and the body or the parts of a multipart one.
type Sent struct {
	Path, Query string
	Body        []byte
	Parts       []Part
}

// ParseCall reads what was sent to an endpoint of the table and writes it anew
// from what was read. The error is a *claviger.Error: CodeInvalidJSON, or
// CodeInvalidInput and CodeForbidden with the member in Param. The policy is
// kept and must not change; nil is the strictest one.
func ParseCall(row *Row, s Sent, p *Policy) (*Request, error) {
	if row == nil || row.answer == nil && row.media == nil || !row.fits(s.Path) {
		return nil, &claviger.Error{Code: claviger.CodeNotFound}
	}
	if p == nil {
		p = &Policy{}
	}
	query, err := row.query(s.Query, p)
	if err != nil {
		return nil, err
	}
	r := &Request{row: row, policy: p}
	r.call = claviger.Call{
		Endpoint: row.Name, Method: row.Method, Path: s.Path, Query: query, Choices: 1,
		NoModel: row.modelless, Objects: row.refs(s.Path),
	}
	if row.answer == nil {
		r.call.Media = row.media
	}
	switch {
	case s.Parts != nil && row.form != nil:
		return r, r.readForm(s.Parts)
	case row.object == nil:
		if row.form != nil {
			return nil, &claviger.Error{Code: claviger.CodeUnsupportedMediaType}
		}
		if len(s.Body) > 0 && string(s.Body) != "{}" {
			return nil, &claviger.Error{Code: claviger.CodeInvalidInput, Detail: "This endpoint takes no body"}
		}
		return r, nil
	}
	return r, r.read(s.Body)
}

// read checks the body and writes it anew.
func (r *Request) read(body []byte) error {
	v, err := jsonx.Parse(body)
	if err != nil {
		return invalidJSON(err)
	}
	if v.Kind() != jsonx.KindObject {
		return &claviger.Error{Code: claviger.CodeInvalidInput, Detail: "The body is not a JSON object"}
	}
	return r.readValue(v, r.row.object)
}

// readValue checks an object and writes it anew.
func (r *Request) readValue(v jsonx.Value, o *object) error {
	r.body = o
	w := walker{policy: r.policy, req: r, out: make([]byte, 0, v.Size()+spare), path: make([]step, 0, 12)}
	w.out = append(w.out, '{')
	c := v.Cursor()
	if err := w.members(&c, o); err != nil {
		return err
	}
	if err := w.whole(); err != nil {
		return err
	}
	r.head = w.out
	r.facts()
	return nil
}

// Bring adds the input tokens of the objects that the call refers to. It comes
// before Write.
func (r *Request) Bring(tokens int64) {
	r.brought = tokens
	r.call.MaxInput = claviger.AddMicros(r.call.MaxInput, tokens)
}

// whole checks what concerns several members.
func (w *walker) whole() error {
	r := w.req
	if r.streamOptions && !r.call.Stream {
		return w.invalid("stream_options", "Allowed only together with stream")
	}
	w.limitSearches()
	if r.row.end != nil {
		if err := r.row.end(w); err != nil {
			return err
		}
	}
	if r.call.Model == "" && !r.row.modelless {
		r.call.Model = moderationModel
		w.name("model")
		w.out = jsonx.AppendString(w.out, moderationModel)
	}
	return nil
}

func (r *Request) facts() {
	if r.row.bound != nil {
		r.row.bound(r)
	}
	r.call.MaxInput = r.inputBound()
	if r.row.generates {
		r.call.MaxOutput = r.policy.maxOutput()
		if r.maxOutput > 0 {
			r.call.MaxOutput = min(r.maxOutput, r.call.MaxOutput)
		}
	}
	for _, t := range r.tools {
		r.call.Tools = append(r.call.Tools, t.kind)
	}
	r.call.MaxToolCalls = r.toolCalls()
}

// Call gives what the policy has to know. Its Body is nil.
func (r *Request) Call() claviger.Call { return r.call }

func invalidJSON(err error) error {
	out := &claviger.Error{Code: claviger.CodeInvalidJSON, Err: err}
	if s, ok := errors.AsType[*jsonx.SyntaxError](err); ok {
		out.Detail = "Invalid JSON: " + s.Reason
		out.Param = s.Path
	}
	return out
}
