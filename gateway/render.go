package gateway

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/openai"
)

// fail renders a refusal or a failure: the one place where an error becomes
// bytes for a caller, in one of the two wire shapes, or as a page for a form.
func (x *exchange) fail(err error) {
	e := claviger.AsError(err)
	if x.route != nil && x.route.action != nil {
		e = action.Refusal(e)
	}
	x.event.Code, x.event.Cause = e.Code, e.Error()
	if x.committed {
		return
	}
	x.failureHeaders(e)
	if x.html {
		x.failurePage(e)
		return
	}
	shape := action.AppendError
	if x.path == proxyPrefix || strings.HasPrefix(x.path, proxyPrefix+"/") {
		shape = openai.AppendError
	}
	body := shape(nil, e)
	if x.s.Tripwire != nil && x.s.Tripwire.Contains(body) {
		x.event.Cause = x.tripped("error").Error()
		body = shape(nil, &claviger.Error{Code: e.Code})
	}
	x.failureBody(e, body)
}

func (x *exchange) failureHeaders(e *claviger.Error) {
	h := x.w.Header()
	switch e.Code {
	case claviger.CodeUnauthenticated:
		h["Www-Authenticate"] = slices.Clip(x.s.challenge)
	case claviger.CodeMethodNotAllowed:
		h.Set("Allow", e.Allow)
	case claviger.CodeTooLarge, claviger.CodeRequestTimeout:
		// The rest of the body is not waited for.
		h.Set("Connection", "close")
	default:
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(seconds(e.RetryAfter), 10))
	}
	if !e.Retriable() {
		h.Set("X-Should-Retry", "false")
	}
	if e.Standings != nil {
		x.standings = append(x.standings, e.Standings...)
	}
	x.limitHeaders()
}

func (x *exchange) failureBody(e *claviger.Error, body []byte) {
	h := x.w.Header()
	h["Content-Type"] = []string{typeJSON}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.commit(e.HTTPStatus())
	if x.r.Method == http.MethodHead {
		return
	}
	x.writeWhole(body)
}

// limitHeaders tells callers how they stand.
func (x *exchange) limitHeaders() {
	if len(x.standings) == 0 {
		return
	}
	var p, l [512]byte
	policy, limit := admit.AppendRateLimit(p[:0], l[:0], x.standings)
	if len(policy) > 0 {
		x.w.Header()["Ratelimit-Policy"] = []string{string(policy)}
		x.w.Header()["Ratelimit"] = []string{string(limit)}
	}
	x.standings = nil // a stream lasts, and asks no second time
}

// seconds rounds up, so that nobody comes back a moment too early.
func seconds(d time.Duration) int64 {
	return int64(math.Ceil(d.Seconds()))
}
