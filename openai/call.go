package openai

import (
	"errors"
	"strings"

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
	// counted is the number of input tokens, where they had to be counted.
	counted int64

	maxName       string
	maxOutput     int64
	streamOptions bool
	wantsUsage    bool
	obfuscation   jsonx.Value
	tools         []broughtTool
	own           own
}

// own says which members the caller sent that the server may also inject, so
// that they may come back.
type own struct{ instructions, prompt, user, metadata bool }

// broughtTool is a kind of tool and where it was first named.
type broughtTool struct{ kind, param string }

// spare is the room left behind the body for what Write appends.
const spare = 320

// ParseCall reads a body for an endpoint of the table and writes it anew from
// what was read. The error is a *claviger.Error: CodeInvalidJSON, or
// CodeInvalidInput and CodeForbidden with the member in Param. The policy is
// kept and must not change; nil is the strictest one.
func ParseCall(row *Row, query string, body []byte, p *Policy) (*Request, error) {
	if row == nil || row.object == nil {
		return nil, &claviger.Error{Code: claviger.CodeNotFound}
	}
	if p == nil {
		p = &Policy{}
	}
	v, err := jsonx.Parse(body)
	if err != nil {
		return nil, invalidJSON(err)
	}
	if v.Kind() != jsonx.KindObject {
		return nil, &claviger.Error{Code: claviger.CodeInvalidInput, Detail: "The body is not a JSON object"}
	}
	r := &Request{row: row, policy: p}
	r.call = claviger.Call{
		Endpoint: row.Name, Method: row.Method, Path: row.Path, Query: row.query(query), Choices: 1,
	}
	w := walker{policy: p, req: r, out: make([]byte, 0, v.Size()+spare), path: make([]step, 0, 12)}
	w.out = append(w.out, '{')
	c := v.Cursor()
	if err := w.members(&c, row.object); err != nil {
		return nil, err
	}
	if err := w.whole(); err != nil {
		return nil, err
	}
	r.head = w.out
	r.facts()
	return r, nil
}

// whole checks what concerns several members.
func (w *walker) whole() error {
	r := w.req
	if r.streamOptions && !r.call.Stream {
		return w.invalid("stream_options", "Allowed only together with stream")
	}
	if r.call.Model == "" {
		r.call.Model = moderationModel
		w.name("model")
		w.out = jsonx.AppendString(w.out, moderationModel)
	}
	return nil
}

func (r *Request) facts() {
	r.call.MaxInput = r.inputBound()
	if r.row.generates() {
		r.call.MaxOutput = r.policy.maxOutput()
		if r.maxOutput > 0 {
			r.call.MaxOutput = min(r.maxOutput, r.call.MaxOutput)
		}
	}
	for _, t := range r.tools {
		r.call.Tools = append(r.call.Tools, t.kind)
	}
}

// Call gives what the policy has to know. Its Body is nil.
func (r *Request) Call() claviger.Call { return r.call }

// query keeps the parameters that the row names, in the order sent.
func (r *Row) query(raw string) string {
	var kept []string
	for len(r.Query) > 0 && raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		for _, q := range r.Query {
			if name == q && strings.IndexFunc(value, notModel) < 0 {
				kept = append(kept, pair)
			}
		}
	}
	return strings.Join(kept, "&")
}

func invalidJSON(err error) error {
	out := &claviger.Error{Code: claviger.CodeInvalidJSON, Err: err}
	if s, ok := errors.AsType[*jsonx.SyntaxError](err); ok {
		out.Detail = "Invalid JSON: " + s.Reason
		out.Param = s.Path
	}
	return out
}
