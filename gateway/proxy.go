package gateway

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// runProxy carries one call of /v1.
func (x *exchange) runProxy(c *caller) error {
	a, req, err := x.proxyCall(c)
	if err != nil {
		return err
	}
	switch {
	case x.event.Stream:
		return x.stream(a, &proxyEvents{Events: req.Events()})
	case req.Plain():
		return x.passOn(a)
	default:
		err := x.answer(a, req.Answer, req)
		x.transcript.says(req.Words())
		return err
	}
}

// proxyCall reads a call of /v1 and takes it through policy, ownership and
// limits.
func (x *exchange) proxyCall(c *caller) (*admitted, *openai.Request, error) {
	sent, err := x.proxySent()
	if err != nil {
		return nil, nil, err
	}
	req, err := openai.ParseCall(x.route.row, sent, &x.s.Proxy.Policy)
	if err != nil {
		return nil, nil, err
	}
	call := req.Call()
	d, err := x.authorize(c, &call)
	if err != nil {
		return nil, nil, err
	}
	if err := x.checkOwner(c, &call, req); err != nil {
		return nil, nil, err
	}
	call, err = req.Write(x.obligations(c, &d, &call), c.pseudonym)
	if err != nil {
		return nil, nil, err
	}
	a, err := x.admit(c, &d, &call, req)
	if err != nil {
		return nil, nil, err
	}
	grown := req.Before()
	if err := x.claim(c, grown); err != nil {
		a.settle(used{nothing: true})
		return nil, nil, err
	}
	a.owner, a.grown = c, grown
	x.beginTranscript(c, &call)
	return a, req, nil
}

// proxySent reads what was sent to an endpoint of /v1.
func (x *exchange) proxySent() (openai.Sent, error) {
	row := x.route.row
	sent := openai.Sent{Path: strings.TrimPrefix(x.path, proxyPrefix), Query: x.query}
	if !row.HasBody() && x.r.ContentLength == 0 && len(x.r.TransferEncoding) == 0 {
		return sent, nil
	}
	var types []string
	if row.TakesJSON() || !row.TakesFiles() {
		types = append(types, typeJSON)
	}
	if row.TakesFiles() {
		types = append(types, typeMultipart)
	}
	kind, params, err := x.mediaType(types...)
	if err != nil {
		return sent, err
	}
	if kind == typeMultipart {
		sent.Parts, err = x.readParts(params["boundary"])
		x.sent(input{parts: sent.Parts})
		return sent, err
	}
	sent.Body, err = x.readBody()
	x.sent(input{body: sent.Body})
	return sent, err
}

// answer carries a plain call whose answer is rebuilt and sent as JSON. o, when
// not nil, says whose the objects become that it made or ended.
func (x *exchange) answer(a *admitted, rebuild func([]byte) ([]byte, claviger.Units, error), o outcome) error {
	var out []byte
	err := x.answerWith(a, func(raw []byte) (units claviger.Units, err error) {
		out, units, err = rebuild(raw)
		return units, err
	})
	if err != nil {
		return err
	}
	if err := x.keep(a.owner, o); err != nil {
		return err
	}
	return x.write(out)
}

// answerWith carries a plain call: the provider's answer is read whole and
// handed to read before the first byte goes out, and the hold is settled.
func (x *exchange) answerWith(a *admitted, read func([]byte) (claviger.Units, error)) error {
	u := a.asHeld()
	defer func() { a.settle(u) }()
	defer a.cancel()
	resp, err := a.send() //nolint:bodyclose // readAnswer closes it
	if err != nil {
		u = a.afterFailure(err)
		return a.failure(err)
	}
	raw, err := readAnswer(resp)
	if err != nil {
		return a.failure(err)
	}
	units, err := read(raw)
	if len(units) > 0 {
		u = used{units: units}
	}
	return err
}

func readAnswer(resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	size := max(resp.ContentLength, 0)
	buf := make([]byte, 0, min(size, 1<<20)+512)
	for {
		n, err := resp.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// failure is how a call that broke off is told. It notes a caller who left, for
// whom no answer is of use any more.
func (a *admitted) failure(err error) error {
	if e := a.blocked(); e != nil {
		return e
	}
	if a.ctx.Err() != nil {
		a.x.event.CallerGone = true
	}
	if e, ok := errors.AsType[*claviger.Error](err); ok {
		return e
	}
	return &claviger.Error{Code: claviger.CodeUpstreamError, Err: err}
}

// write sends a whole JSON answer, unless it holds one of our keys.
func (x *exchange) write(body []byte) error {
	if x.s.Tripwire != nil && x.s.Tripwire.Contains(body) {
		return &claviger.Error{Code: claviger.CodeUpstreamError, Err: x.tripped("answer")}
	}
	h := x.w.Header()
	h["Content-Type"] = []string{typeJSON}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.limitHeaders()
	x.commit(http.StatusOK)
	x.writeWhole(body)
	return nil
}

// listModels answers from the caller's plan; nothing goes upstream.
func (x *exchange) listModels(c *caller) error {
	d, err := x.authorize(c, &claviger.Call{Endpoint: "models", Choices: 1})
	if err != nil {
		return err
	}
	charges := bind(nil, rates(d.Limits), scopeUser, c.pseudonym, worst{requests: 1})
	charges = bind(charges, rates(c.Limits), scopeCredential, c.pseudonym, worst{requests: 1})
	charges = bind(charges, rates(c.service), scopeService, c.key(), worst{requests: 1})
	hold, err := x.g.options.Admission.Admit(x.r.Context(), charges)
	if err != nil {
		return limitsError(err)
	}
	x.standings = append(x.standings, hold.Standings()...)
	if err := hold.Settle(x.r.Context(), nil); err != nil {
		return limitsError(err)
	}
	known := x.s.models(d.Models)
	if x.route.row.Name == "models" {
		return x.write(openai.ModelsAnswer(known))
	}
	return x.oneModel(known)
}
