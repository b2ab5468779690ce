package openai

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Write applies what the decision forces, sets what is the server's and
// returns the call to send. safetyID is the caller's pseudonym for the
// provider. The error is a *claviger.Error; an obligation that is not known
// here refuses the call.
func (r *Request) Write(o []claviger.Obligation, safetyID string) (claviger.Call, error) {
	c := r.call
	for _, x := range o {
		if err := r.oblige(&c, x); err != nil {
			return claviger.Call{}, err
		}
	}
	if r.body == nil {
		return c, nil
	}
	if r.head == nil {
		return claviger.Call{}, &claviger.Error{Code: claviger.CodeInternal, Err: errSent}
	}
	if r.written {
		r.head = slices.Clone(r.head)
	}
	r.written = true
	b := r.head
	if r.row.generates {
		b = r.appendForced(b, &c, safetyID)
	}
	b = append(b, '}')
	if r.files != nil || r.body == r.row.form {
		form, err := writeForm(b, r.files)
		if err != nil {
			return claviger.Call{}, &claviger.Error{Code: claviger.CodeInternal, Err: err}
		}
		c.Body = form
	} else {
		c.Body = jsonBody(b)
	}
	r.call.MaxInput, r.call.MaxOutput = c.MaxInput, c.MaxOutput
	return c, nil
}

func (r *Request) oblige(c *claviger.Call, o claviger.Obligation) error {
	switch o.Kind {
	case claviger.ObligeMaxOutput:
		if !r.row.generates {
			return nil
		}
		if o.Limit < 1 {
			return &claviger.Error{Code: claviger.CodeForbidden, Param: r.maxMember(), Detail: "No output is allowed"}
		}
		c.MaxOutput = min(c.MaxOutput, o.Limit)
		return nil
	case claviger.ObligeMaxInput:
		return r.capInput(c, o.Limit)
	case claviger.ObligeToolCalls:
		r.capTools(c, o.Limit)
		return nil
	case claviger.ObligeTools:
		for _, t := range r.tools {
			if !slices.Contains(o.Values, t.kind) {
				return &claviger.Error{Code: whyHosted.code, Param: t.param, Detail: whyHosted.detail}
			}
		}
		return nil
	}
	return &claviger.Error{Code: claviger.CodeInternal, Err: unknownObligation(o.Kind)}
}

var errSent = errors.New("the call was sent already")

type unknownObligation string

func (k unknownObligation) Error() string { return "unknown obligation " + strconv.Quote(string(k)) }

// maxMember is the member that caps the output.
func (r *Request) maxMember() string {
	switch {
	case r.maxName != "":
		return r.maxName
	case r.row.Name == EndpointChat:
		return "max_completion_tokens"
	default:
		return "max_output_tokens"
	}
}

func (r *Request) appendForced(b []byte, c *claviger.Call, safetyID string) []byte {
	b = append(b, `,"`...)
	b = append(b, r.maxMember()...)
	b = append(b, `":`...)
	b = strconv.AppendInt(b, c.MaxOutput, 10)
	if r.forcedCalls {
		b = strconv.AppendInt(append(b, `,"max_tool_calls":`...), c.MaxToolCalls, 10)
	}
	b = append(b, `,"store":`...)
	b = strconv.AppendBool(b, r.policy.Store)
	if safetyID != "" {
		b = jsonx.AppendString(append(b, `,"safety_identifier":`...), safetyID)
	}
	if r.policy.ServiceTier != "" {
		b = jsonx.AppendString(append(b, `,"service_tier":`...), r.policy.ServiceTier)
	}
	return r.appendStreamOptions(b)
}

// appendStreamOptions always asks for usage in chat streams: what a stream cost
// is known from nothing else.
func (r *Request) appendStreamOptions(b []byte) []byte {
	usage := r.call.Stream && r.row.Name == EndpointChat
	if !usage && r.obfuscation.IsZero() {
		return b
	}
	b = append(b, `,"stream_options":{`...)
	if usage {
		b = append(b, `"include_usage":true`...)
	}
	if !r.obfuscation.IsZero() {
		if usage {
			b = append(b, ',')
		}
		b = jsonx.Append(append(b, `"include_obfuscation":`...), r.obfuscation)
	}
	return append(b, '}')
}

// jsonBody is a body that can be sent any number of times.
type jsonBody []byte

// ContentType implements claviger.BodySource.
func (jsonBody) ContentType() string { return "application/json" }

// Len implements claviger.BodySource.
func (b jsonBody) Len() int64 { return int64(len(b)) }

// Open implements claviger.BodySource.
func (b jsonBody) Open() io.ReadCloser { return body{bytes.NewReader(b)} }

// body keeps the reader's WriterTo, so that sending copies nothing.
type body struct{ *bytes.Reader }

// Close implements io.Closer.
func (body) Close() error { return nil }
