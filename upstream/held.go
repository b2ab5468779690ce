package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/netx"
)

// The headers between a Client whose keys are held by another process and the
// Holder there. They reach neither the provider nor a caller.
const (
	// headerHeld names the key by its fingerprint.
	headerHeld = "Claviger-Key"
	// headerOutcome says that there is no answer of the provider, and why.
	headerOutcome = "Claviger-Outcome"
	// headerReason is for the log.
	headerReason = "Claviger-Reason"
)

// What comes of an attempt that got no answer.
const (
	outcomeConnect = "connect" // nothing went out, and once more may help
	outcomeTimeout = "timeout" // no connection in time
	outcomeRefused = "refused" // by the outbound guard or the Holder; nothing went out
	outcomeUnknown = "unknown-key"
	outcomeCut     = "cut" // the exchange broke after the request went out
)

// errHolder is what calls end with while the process that holds the keys is not
// there.
var errHolder = errors.New("upstream: the process that holds the keys does not answer")

// holderBack is when a supervisor will have started it anew.
const holderBack = 5 * time.Second

// held is the transport of a Client whose keys another process holds: it takes
// requests without a key to it.
type held struct{ line http.RoundTripper }

// unseen hides a trace of the way to the provider from the way to the Holder.
type unseen struct{ context.Context }

// Value implements context.Context.
func (u unseen) Value(key any) any {
	v := u.Context.Value(key)
	if _, ok := v.(*httptrace.ClientTrace); ok {
		return nil
	}
	return v
}

// RoundTrip implements http.RoundTripper. A request counts as on its way to the
// provider once it is with the Holder, who keeps the limit on connecting.
func (h *held) RoundTrip(req *http.Request) (*http.Response, error) {
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	out := req.WithContext(unseen{req.Context()}) //nolint:contextcheck // it is the request's own, but for its trace
	u := *req.URL
	u.Scheme = "http"
	out.URL = &u
	resp, err := h.line.RoundTrip(out)
	if err != nil {
		return nil, heldError(err)
	}
	outcome, reason := resp.Header.Get(headerOutcome), resp.Header.Get(headerReason)
	if outcome == "" {
		return resp, nil
	}
	_ = resp.Body.Close()
	return nil, &noAnswer{outcomeFailure(outcome, reason)}
}

// CloseIdleConnections closes the connections to the Holder that no call is using.
func (h *held) CloseIdleConnections() {
	if t, ok := h.line.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// noAnswer carries a failure that is known already through RoundTrip.
type noAnswer struct{ failure }

// Error implements error.
func (n *noAnswer) Error() string { return n.err.Error() }

// outcomeFailure is the failure that a Holder tells of.
func outcomeFailure(outcome, reason string) failure {
	upstream := func(text string) error {
		return &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("%s: %s", text, reason)}
	}
	switch outcome {
	case outcomeConnect:
		return failure{fault: faultConnect, nothing: true, err: upstream("upstream: no connection")}
	case outcomeTimeout:
		return failure{nothing: true, err: &claviger.Error{Code: claviger.CodeUpstreamTimeout, Err: fmt.Errorf("%w: %s", errConnect, reason)}}
	case outcomeRefused:
		return failure{nothing: true, err: upstream("upstream: refused by the process that holds the keys")}
	case outcomeUnknown:
		return failure{fault: faultKey, nothing: true, err: upstream("upstream: the process that holds the keys does not have this one")}
	default:
		return failure{err: &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("upstream: no answer: %w: %s", cut(errors.New("cut")), reason)}}
	}
}

// heldError is the error of a call that did not get to the Holder, or whose
// Holder went away.
func heldError(err error) error {
	if !errors.Is(err, netx.ErrHanded) {
		return err
	}
	return &noAnswer{failure{nothing: true, err: &claviger.Error{Code: claviger.CodeUpstreamBusy, RetryAfter: holderBack, Err: errHolder}}}
}
