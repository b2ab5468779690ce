package claviger

import (
	"errors"
	"net/http"
	"time"
)

// Code is the machine-readable name of a refusal. The set is closed.
type Code string

// The codes, as callers see them.
const (
	CodeUnauthenticated      Code = "unauthenticated"
	CodeForbidden            Code = "forbidden"
	CodeModelNotAllowed      Code = "model_not_allowed"
	CodeNotFound             Code = "not_found"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeCSRF                 Code = "csrf"
	CodeInvalidJSON          Code = "invalid_json"
	CodeInvalidInput         Code = "invalid_input"
	CodeTooLarge             Code = "too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeMisdirected          Code = "misdirected_request"
	CodeRateLimited          Code = "rate_limited"
	CodeTooManyInFlight      Code = "too_many_in_flight"
	CodeBudgetExhausted      Code = "budget_exhausted"
	CodeMisconfigured        Code = "misconfigured"
	CodeUpstreamError        Code = "upstream_error"
	CodeUpstreamBusy         Code = "upstream_busy"
	CodeUpstreamTimeout      Code = "upstream_timeout"
	CodeUpstreamInvalid      Code = "upstream_invalid_request"
	CodeLimitsUnavailable    Code = "limits_unavailable"
	CodeIdentityUnavailable  Code = "identity_unavailable"
	CodeRequestTimeout       Code = "request_timeout"
	CodeInternal             Code = "internal"
)

// ErrNoCredential says that a request carries no credential of the kind that an
// Authenticator knows.
var ErrNoCredential = errors.New("no credential of this kind")

// ErrObjectTaken says that an object of the provider's account has another
// owner already. It is for the log: a caller does not learn of other people's
// objects.
var ErrObjectTaken = errors.New("an object has another owner already")

// Error is a refusal or a failure with two messages: Detail is for the caller,
// Err for the log. Error() gives the log's.
type Error struct {
	Code Code
	// Detail is one sentence for the caller. Empty means the sentence that
	// belongs to Code. It never holds anything that a caller may not see.
	Detail string
	// Param names the member, header or path part that was refused, in the
	// notation of the OpenAI API: "messages[0].role".
	Param string
	// RetryAfter, when positive, is how long to wait before another try helps.
	RetryAfter time.Duration
	// Status overrides the status of Code: the provider's 400, 404 or 422 for
	// CodeUpstreamInvalid, and 431 for headers that are too large.
	Status int
	// UpstreamCode is the provider's own code for CodeUpstreamInvalid.
	UpstreamCode string
	// Allow lists the methods for CodeMethodNotAllowed.
	Allow string
	// Standings are the limits as they stand, for a refusal by a limit.
	Standings []Standing
	// Err is the cause, for the log alone.
	Err error
}

// Error implements error for the log. It is not for callers.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Param != "" {
		s += " (" + e.Param + ")"
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap implements errors.Unwrap.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus is the status that the contract gives to the error.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	return e.Code.status()
}

// Sentence is what the caller reads: Detail, or the sentence of the code.
func (e *Error) Sentence() string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Code.Sentence()
}

// Retriable reports whether the same request can succeed later without a
// change by the caller.
func (e *Error) Retriable() bool {
	switch e.Code {
	case CodeRateLimited, CodeTooManyInFlight, CodeUpstreamError, CodeUpstreamBusy,
		CodeUpstreamTimeout, CodeLimitsUnavailable, CodeIdentityUnavailable, CodeInternal:
		return true
	default:
		return false
	}
}

var codes = map[Code]struct {
	status   int
	sentence string
}{
	CodeUnauthenticated:      {http.StatusUnauthorized, "Sign in first"},
	CodeForbidden:            {http.StatusForbidden, "Not allowed"},
	CodeModelNotAllowed:      {http.StatusForbidden, "This model is not allowed"},
	CodeNotFound:             {http.StatusNotFound, "Not found"},
	CodeMethodNotAllowed:     {http.StatusMethodNotAllowed, "Method not allowed"},
	CodeCSRF:                 {http.StatusForbidden, "Cross-site request refused"},
	CodeInvalidJSON:          {http.StatusBadRequest, "Invalid JSON"},
	CodeInvalidInput:         {http.StatusBadRequest, "Invalid input"},
	CodeTooLarge:             {http.StatusRequestEntityTooLarge, "Request too large"},
	CodeUnsupportedMediaType: {http.StatusUnsupportedMediaType, "Unsupported media type"},
	CodeMisdirected:          {http.StatusMisdirectedRequest, "Unknown host"},
	CodeRateLimited:          {http.StatusTooManyRequests, "Too many requests"},
	CodeTooManyInFlight:      {http.StatusTooManyRequests, "Too many requests at once"},
	CodeBudgetExhausted:      {http.StatusTooManyRequests, "Budget used up"},
	CodeMisconfigured:        {http.StatusInternalServerError, "Server misconfigured"},
	CodeUpstreamError:        {http.StatusBadGateway, "Upstream error"},
	CodeUpstreamBusy:         {http.StatusServiceUnavailable, "Upstream busy"},
	CodeUpstreamTimeout:      {http.StatusGatewayTimeout, "Upstream timeout"},
	CodeUpstreamInvalid:      {http.StatusBadRequest, "The request was refused upstream"},
	CodeLimitsUnavailable:    {http.StatusServiceUnavailable, "Limits unavailable"},
	CodeIdentityUnavailable:  {http.StatusServiceUnavailable, "Signing in cannot be checked at the moment"},
	CodeRequestTimeout:       {http.StatusRequestTimeout, "Request timeout"},
	CodeInternal:             {http.StatusInternalServerError, "Internal error"},
}

func (c Code) status() int {
	if x, ok := codes[c]; ok {
		return x.status
	}
	return http.StatusInternalServerError
}

// Sentence is the plain sentence of the code, fit for a user.
func (c Code) Sentence() string {
	if x, ok := codes[c]; ok {
		return x.sentence
	}
	return codes[CodeInternal].sentence
}

// Codes lists every code, for references and tests.
func Codes() []Code {
	out := make([]Code, 0, len(codes))
	for c := range codes {
		out = append(out, c)
	}
	return out
}

// ErrNothingDone is what the error of an Upstream wraps when it is certain that
// the provider did no work for the call: it was not reached, or answered with an
// error. Only such a call costs nothing.
var ErrNothingDone = errors.New("the provider did nothing for the call")

// NothingDone makes err wrap ErrNothingDone, too. Its text stays as it is.
func NothingDone(err error) error { return nothingDone{err} }

type nothingDone struct{ error }

// Unwrap implements errors.Unwrap.
func (e nothingDone) Unwrap() error { return e.error }

// Is implements errors.Is.
func (nothingDone) Is(target error) bool { return target == ErrNothingDone }

// AsError returns err as an *Error. What is none of ours becomes CodeInternal,
// so that an unforeseen error shows nothing to the caller.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: CodeInternal, Err: err}
}
