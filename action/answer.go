package action

import (
	"errors"
	"fmt"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// How an answer ended.
const (
	FinishStop    = "stop"
	FinishLength  = "length"  // the cap on output was reached
	FinishRefused = "refused" // the model declined, or a filter stopped it
)

// Result is what a caller gets of an answer.
type Result struct {
	// Text is the answer. When the model declined, it is what the model said
	// about that. Empty for structured answers, and at the end of a stream,
	// whose text has been handed out already.
	Text string
	// Data is the object that fits the output schema, as compact JSON; null
	// when there is none because the answer was cut or refused. nil for text.
	Data []byte
	// Finish is one of the constants above.
	Finish string
	// Usage is set only where the action shows it.
	Usage claviger.Units
}

// reply is what an upstream response says, before it is held against a schema.
type reply struct {
	text   []byte
	finish string
	units  claviger.Units
}

// Answer reads a plain answer of POST /responses. Units are nil where upstream
// reported none, and are given also with an error when they are known. The
// error is a *claviger.Error with CodeUpstreamError: what is no response, one
// that failed, one without a word, or one that does not fit the output schema.
func (a *Action) Answer(body []byte) (Result, claviger.Units, error) {
	v, err := jsonx.Parse(body)
	if err != nil {
		return Result{}, nil, broken("the answer is no JSON: %w", err)
	}
	r, err := readReply(v)
	if err != nil {
		return Result{}, r.units, err
	}
	res, err := a.project(r)
	return res, r.units, err
}

// project gives the caller's part of a reply.
func (a *Action) project(r reply) (Result, error) {
	res := Result{Finish: r.finish}
	if a.d.ShowUsage {
		res.Usage = r.units
	}
	switch {
	case a.output == nil && len(r.text) == 0 && r.finish == FinishStop:
		return Result{}, broken("the answer is empty")
	case a.output == nil:
		res.Text = string(r.text)
		return res, nil
	case r.finish != FinishStop:
		res.Data = []byte("null")
		return res, nil
	}
	v, err := jsonx.Parse(r.text)
	if err != nil {
		return Result{}, broken("the structured answer is no JSON: %w", err)
	}
	if !bounded(v) {
		return Result{}, broken("the structured answer has more than %d values or an endless number", maxValues)
	}
	if err := a.output.Validate(v.Any()); err != nil {
		// The validator's message quotes the answer, which is nobody's to log.
		return Result{}, broken("the structured answer does not fit the output schema")
	}
	res.Data = jsonx.Append(nil, v)
	return res, nil
}

// broken is an upstream failure. The cause is for the log and quotes nothing
// of the answer.
func broken(format string, args ...any) *claviger.Error {
	return &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("action: "+format, args...)}
}

// readReply reads a Response object. The units are set also with an error.
func readReply(v jsonx.Value) (reply, error) {
	var r reply
	var status, failure, details, output jsonx.Value
	if v.Kind() != jsonx.KindObject {
		return r, broken("the answer is no object")
	}
	for name, x := range v.Fields() {
		switch name {
		case "status":
			status = x
		case "error":
			failure = x
		case "incomplete_details":
			details = x
		case "output":
			output = x
		case "usage":
			r.units = readUsage(x)
		}
	}
	r.countTools(output)
	if failure.Kind() == jsonx.KindObject {
		return r, failed(failure)
	}
	switch {
	case status.Is("completed"):
		r.finish = FinishStop
	case status.Is("incomplete"):
		r.finish = FinishLength
		if reason, _ := details.Get("reason"); reason.Is("content_filter") {
			r.finish = FinishRefused
		}
	default:
		return r, broken("the response has neither completed nor been cut")
	}
	for _, item := range output.Items() {
		r.readItem(item)
	}
	return r, nil
}

// countTools adds the calls of the tools that an action may use to usage that was
// reported.
func (r *reply) countTools(output jsonx.Value) {
	if r.units == nil {
		return
	}
	for _, tool := range [...]string{"web_search", "code_interpreter"} {
		n := int64(0)
		for _, item := range output.Items() {
			if kind, _ := item.Get("type"); kind.Is(tool + "_call") {
				n++
			}
		}
		if n > 0 {
			r.units = append(r.units, claviger.Unit{Kind: claviger.ToolCalls(tool), Amount: n})
		}
	}
}

// readItem adds the words of an output item. Reasoning, tool calls and what the
// model only says on the way are not the answer.
func (r *reply) readItem(item jsonx.Value) {
	if !isMessage(item) {
		return
	}
	content, _ := item.Get("content")
	for _, part := range content.Items() {
		switch kind, _ := part.Get("type"); {
		case kind.Is("output_text"):
			text, _ := part.Get("text")
			r.text = append(r.text, text.Str()...)
		case kind.Is("refusal"):
			text, _ := part.Get("refusal")
			r.text = append(r.text, text.Str()...)
			r.finish = FinishRefused
		}
	}
}

// isMessage reports whether an output item is a message to the caller.
func isMessage(item jsonx.Value) bool {
	kind, _ := item.Get("type")
	phase, _ := item.Get("phase")
	return kind.Is("message") && !phase.Is("commentary")
}

// failed is the error for a failure that upstream reports in an answer. Its
// message is not repeated, not even to the log: it may quote the prompt.
func failed(v jsonx.Value) *claviger.Error {
	code, _ := v.Get("code")
	e := broken("the response failed")
	if s := code.Str(); plain(s) {
		e.Err = errors.New("action: the response failed: " + s)
	}
	if code.Is("rate_limit_exceeded") {
		e.Code = claviger.CodeUpstreamBusy
	}
	return e
}

// readUsage reads a response's usage. What is no usage gives nil: then the
// gateway has to estimate.
func readUsage(v jsonx.Value) claviger.Units {
	in, ok1 := count(v, "input_tokens")
	out, ok2 := count(v, "output_tokens")
	if !ok1 || !ok2 {
		return nil
	}
	u := append(make(claviger.Units, 0, 4), claviger.Unit{Kind: claviger.UnitInput, Amount: in}, claviger.Unit{Kind: claviger.UnitOutput, Amount: out})
	details, _ := v.Get("input_tokens_details")
	if n, ok := count(details, "cached_tokens"); ok && n > 0 {
		u = append(u, claviger.Unit{Kind: claviger.UnitCachedInput, Amount: min(n, in)})
	}
	details, _ = v.Get("output_tokens_details")
	if n, ok := count(details, "reasoning_tokens"); ok && n > 0 {
		u = append(u, claviger.Unit{Kind: claviger.UnitReasoning, Amount: min(n, out)})
	}
	return u
}

func count(v jsonx.Value, name string) (int64, bool) {
	x, _ := v.Get(name)
	n, ok := x.Int()
	return n, ok && n >= 0
}
