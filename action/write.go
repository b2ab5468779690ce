package action

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// fixedMembers writes the members that no request changes.
func fixedMembers(d *Definition) []byte {
	b := jsonx.AppendString([]byte(`{"model":`), d.Model)
	b = strconv.AppendBool(append(b, `,"store":`...), d.Store)
	if d.Temperature != nil {
		b = jsonx.Append(append(b, `,"temperature":`...), jsonx.Float(*d.Temperature))
	}
	if d.Reasoning != "" {
		b = jsonx.AppendString(append(b, `,"reasoning":{"effort":`...), d.Reasoning)
		b = append(b, '}')
	}
	if !d.Output.IsZero() {
		b = jsonx.AppendString(append(b, `,"text":{"format":{"type":"json_schema","strict":true,"name":`...), d.Name)
		b = jsonx.Append(append(b, `,"schema":`...), d.Output)
		b = append(b, "}}"...)
	}
	for i, t := range d.Tools {
		if i == 0 {
			b = append(b, `,"tools":[`...)
		} else {
			b = append(b, ',')
		}
		b = jsonx.AppendString(append(b, `{"type":`...), t)
		if t == "code_interpreter" {
			b = append(b, `,"container":{"type":"auto"}`...)
		}
		b = append(b, '}')
		if i == len(d.Tools)-1 {
			b = append(b, ']')
		}
	}
	return b
}

// mostFound is the most that one call of a tool adds to the input: the context in
// which the provider looks at what was found or printed (OpenAI).
const mostFound = 128_000

// Write lays the obligations on the call and writes the body for POST
// /responses. The error is a *claviger.Error: CodeInvalidInput for more input
// than allowed, CodeForbidden for a tool of the action that the caller may not
// use, CodeInternal for an obligation that this version does not know.
func (b *Bound) Write(o []claviger.Obligation, safetyID string, stream bool) (claviger.Call, error) {
	c := b.Call()
	c.Stream = stream
	for _, x := range o {
		if err := b.oblige(&c, x); err != nil {
			return claviger.Call{}, err
		}
	}
	c.Body = body(b.encode(&c, safetyID))
	return c, nil
}

func (b *Bound) oblige(c *claviger.Call, x claviger.Obligation) error {
	switch x.Kind {
	case claviger.ObligeMaxOutput:
		if x.Limit <= 0 {
			return &claviger.Error{Code: claviger.CodeForbidden, Err: fmt.Errorf("action %s: the plan allows no output", b.a.d.Name)}
		}
		c.MaxOutput = min(c.MaxOutput, x.Limit)
	case claviger.ObligeMaxInput:
		if c.MaxInput > x.Limit && b.a.d.Tokens != nil {
			c.MaxInput = min(c.MaxInput, b.bound(b.a.fixedBound(b.a.count), b.a.count))
		}
		if c.MaxInput > x.Limit {
			return invalid(b.field)
		}
	case claviger.ObligeToolCalls:
		if len(b.a.d.Tools) > 0 {
			c.MaxToolCalls, c.MaxFound = x.Limit, x.Limit*mostFound
		}
	case claviger.ObligeTools:
		for _, t := range b.a.d.Tools {
			if !slices.Contains(x.Values, t) {
				return &claviger.Error{Code: claviger.CodeForbidden, Param: "tools", Err: fmt.Errorf("action %s: the plan does not include the tool %s", b.a.d.Name, t)}
			}
		}
	default:
		return &claviger.Error{Code: claviger.CodeInternal, Err: fmt.Errorf("action %s: unknown obligation %q", b.a.d.Name, x.Kind)}
	}
	return nil
}

func (b *Bound) encode(c *claviger.Call, safetyID string) []byte {
	size := len(b.a.fixed) + len(b.instructions) + len(safetyID) + 160
	for _, m := range b.messages {
		size += len(m.text) + len(m.text)/16 + 40
	}
	out := append(make([]byte, 0, size), b.a.fixed...)
	out = strconv.AppendInt(append(out, `,"max_output_tokens":`...), c.MaxOutput, 10)
	if c.MaxToolCalls > 0 {
		out = strconv.AppendInt(append(out, `,"max_tool_calls":`...), c.MaxToolCalls, 10)
	}
	if c.Stream {
		out = append(out, `,"stream":true`...)
	}
	if safetyID != "" {
		out = jsonx.AppendString(append(out, `,"safety_identifier":`...), safetyID)
	}
	if b.instructions != "" {
		out = jsonx.AppendString(append(out, `,"instructions":`...), b.instructions)
	}
	out = append(out, `,"input":[`...)
	for i, m := range b.messages {
		if i > 0 {
			out = append(out, ',')
		}
		if m.assistant {
			out = append(out, `{"role":"assistant","content":`...)
		} else {
			out = append(out, `{"role":"user","content":`...)
		}
		out = append(jsonx.AppendString(out, m.text), '}')
	}
	return append(out, "]}"...)
}

// body is a body in memory. It implements claviger.BodySource.
type body []byte

// ContentType implements claviger.BodySource.
func (body) ContentType() string { return "application/json" }

// Len implements claviger.BodySource.
func (b body) Len() int64 { return int64(len(b)) }

// Open implements claviger.BodySource.
func (b body) Open() io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
