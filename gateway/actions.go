package gateway

import (
	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/openai"
)

// runAction carries one call of a named action. Authentication has happened;
// authorization happens here, every time.
func (x *exchange) runAction(c *caller) error {
	format := x.streamFormat()
	if x.html {
		format = streamNone
	}
	a, bound, err := x.actionCall(c, format)
	if err != nil {
		return err
	}
	if format != streamNone {
		return x.streamAction(a, bound, format)
	}
	if x.html {
		return x.answerPage(a)
	}
	return x.answer(a, func(raw []byte) ([]byte, claviger.Units, error) {
		result, units, err := x.route.action.Answer(raw)
		if err != nil {
			return nil, units, err
		}
		x.transcript.saysResult(&result)
		return result.AppendJSON(nil), units, nil
	}, nil)
}

// actionCall reads a call of an action and takes it through policy and limits.
func (x *exchange) actionCall(c *caller, format streamFormat) (*admitted, *action.Bound, error) {
	bound, err := x.bindAction(x.route.action, format)
	if err != nil {
		return nil, nil, err
	}
	call := bound.Call()
	d, err := x.authorize(c, &call)
	if err != nil {
		return nil, nil, err
	}
	call, err = bound.Write(x.obligations(c, &d, &call), c.pseudonym, format != streamNone)
	if err != nil {
		return nil, nil, err
	}
	x.event.Stream = call.Stream
	a, err := x.admit(c, &d, &call, bound)
	if err == nil {
		x.beginTranscript(c, &call)
	}
	return a, bound, err
}

// bindAction reads the input, from JSON or from a form.
func (x *exchange) bindAction(a *action.Action, format streamFormat) (*action.Bound, error) {
	kind, params, err := x.mediaType(typeJSON, typeForm, typeMultipart)
	if err != nil {
		return nil, err
	}
	if kind == typeJSON {
		body, err := x.readBody()
		if err != nil {
			return nil, err
		}
		x.sent(input{body: body})
		if format == streamAISDK {
			return a.BindUI(body)
		}
		return a.Bind(body)
	}
	form, err := x.readForm(kind, params["boundary"])
	if err != nil {
		return nil, err
	}
	x.sent(input{form: form})
	return a.BindForm(form)
}

// actionEvents is the translator of actions.
type actionEvents struct {
	*action.Stream
	encoder action.Encoder
	text    []byte
}

func (x *exchange) streamAction(a *admitted, b *action.Bound, format streamFormat) error {
	t := &actionEvents{Stream: b.Stream(), encoder: action.NewEncoder(format == streamAISDK)}
	if format == streamAISDK {
		x.w.Header()["X-Vercel-Ai-Ui-Message-Stream"] = []string{"v1"}
	}
	return x.stream(a, t)
}

// Append implements translator.
func (t *actionEvents) Append(dst []byte, f openai.Frame) ([]byte, error) {
	delta, err := t.Event(f.Data)
	t.text = append(t.text[:0], delta...)
	if err != nil {
		return dst, err
	}
	return t.encoder.AppendDelta(dst, delta), nil
}

// Made implements translator: nobody can name what an action makes.
func (*actionEvents) Made() []claviger.ObjectRef { return nil }

// Text implements translator.
func (t *actionEvents) Text() []byte { return t.text }

// AppendEnd implements translator.
func (t *actionEvents) AppendEnd(dst []byte) ([]byte, error) {
	result, err := t.Result()
	if err != nil {
		return dst, err
	}
	return t.encoder.AppendDone(dst, result), nil
}

// AppendError implements translator.
func (t *actionEvents) AppendError(dst []byte, e *claviger.Error) []byte {
	return t.encoder.AppendError(dst, e)
}
