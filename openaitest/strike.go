package openaitest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	serverErrorText = "The server had an error while processing your request. Sorry about that! Please contact us through our help center at help.openai.com if you keep seeing this error. (Please include the request ID %s in your message.)"
	cloudflarePage  = "<!DOCTYPE html>\n<html><head><title>api.openai.com | 502: Bad gateway</title></head>\n<body><h1>Bad gateway</h1><p>The web server reported a bad gateway error. cloudflare, ray %s</p></body></html>\n"
	maintenancePage = "<!DOCTYPE html>\n<html><head><title>Just a moment</title></head>\n<body><p>Checking your connection before you proceed.</p></body></html>\n"
)

// faultBefore carries out what strikes before the model runs.
func (x *exchange) faultBefore() error {
	f := x.fault
	if f.Kind != Drip {
		if err := x.pause(f.Delay); err != nil {
			return err
		}
	}
	switch f.Kind { //nolint:exhaustive // the others strike later
	case Hang:
		return x.hang(f.For)
	case Status:
		return x.failStatus()
	case Redirect:
		return x.redirect()
	case HTML:
		return x.sendPage(http.StatusOK, maintenancePage)
	case Empty:
		x.w.Header().Set("Content-Type", "application/json")
		x.sendWhole(http.StatusOK, nil)
		return errStop
	case Leak:
		if f.Status != 0 {
			return &apiError{
				Status: f.Status, Type: "server_error",
				Message: "Internal error while handling the header Authorization: Bearer " + x.key,
			}
		}
	}
	return nil
}

func (x *exchange) redirect() error {
	status, to := x.fault.Status, x.fault.To
	if status == 0 {
		status = http.StatusTemporaryRedirect
	}
	if to == "" {
		to = "https://elsewhere.invalid" + x.r.URL.Path
	}
	x.w.Header().Set("Location", to)
	x.w.Header().Set("Content-Type", "text/plain")
	x.sendWhole(status, []byte("moved\n"))
	return errStop
}

func (x *exchange) sendPage(status int, page string) error {
	x.w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	x.sendWhole(status, []byte(page))
	return errStop
}

// failStatus answers with an error status in OpenAI's own words, which tell about
// the account: whoever stands between must not pass them on.
func (x *exchange) failStatus() error {
	f := x.fault
	if f.RetryAfter != "" {
		x.w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Status == http.StatusBadGateway && f.Message == "" {
		return x.sendPage(f.Status, fmt.Sprintf(cloudflarePage, x.w.Header().Get("Cf-Ray")))
	}
	e := x.words(f.Status)
	if f.Code == "insufficient_quota" {
		e.Type = f.Code
		e.Message = "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
	}
	if f.Message != "" {
		e.Message = f.Message
	}
	if f.Param != "" {
		e.Param = f.Param
	}
	if f.Code != "" {
		e.Code = f.Code
	}
	return e
}

func (x *exchange) words(status int) *apiError {
	e := &apiError{Status: status, Type: "invalid_request_error"}
	switch {
	case status == http.StatusUnauthorized:
		return incorrectKey(x.key)
	case status == http.StatusForbidden:
		e.Message, e.Code = "Project `"+x.sim.project+"` does not have access to this model.", "model_not_found"
	case status == http.StatusTooManyRequests:
		e.Message = "Rate limit reached for this model in organization " + x.sim.organization +
			" on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms. Visit https://platform.openai.com/account/rate-limits to learn more."
		e.Type, e.Code = "requests", "rate_limit_exceeded"
	case status == http.StatusServiceUnavailable || status == 529:
		e.Message, e.Type, e.Code = "The engine is currently overloaded, please try again later", "server_error", "server_overloaded"
	case status >= 500:
		e.Message, e.Type = fmt.Sprintf(serverErrorText, x.requestID), "server_error"
	default:
		e.Message = "Your request was refused."
	}
	return e
}

// deliver sends a plain answer of status 200, spoiled as the fault says.
func (x *exchange) deliver(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("openaitest: answer does not marshal: %w", err)
	}
	return x.deliverBody("application/json", body)
}

// deliverBody is deliver for a body that is there already, of any content type.
func (x *exchange) deliverBody(contentType string, body []byte) error {
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	switch x.fault.Kind { //nolint:exhaustive // the others are in the answer itself, or in half
	case Truncated, End:
		body = body[:len(body)/2]
	case InvalidJSON:
		if contentType != "application/json" {
			body = []byte("neither JSON nor what was asked for\n")
		}
		body = []byte(strings.Replace(string(body), `":`, `"=`, 1))
	case ContentType:
		h.Set("Content-Type", x.fault.contentType())
	case Gzip:
		h.Set("Content-Encoding", "gzip")
		body = compressed(body)
	case ErrorEvent, Failed:
		x.sendJSON(http.StatusOK, errorBody{x.serverError().object()})
		return nil
	case HangBody, Stall, Cut, BadChunk, Drip:
		return x.deliverHalf(body)
	}
	x.sendWhole(http.StatusOK, body)
	return nil
}

func (f Fault) contentType() string {
	if f.Type == "" {
		return "text/plain"
	}
	return f.Type
}

func (x *exchange) serverError() *apiError { return x.words(http.StatusInternalServerError) }

func compressed(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // a bytes.Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// deliverHalf sends a body that is interrupted half way.
func (x *exchange) deliverHalf(body []byte) error {
	first := body[:len(body)/2]
	switch x.fault.Kind { //nolint:exhaustive // called for these only
	case HangBody:
		first = nil
	case Drip:
		x.header(http.StatusOK)
		return x.drip(body, true)
	case Cut:
		x.w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	x.header(http.StatusOK)
	if err := x.write(first); err != nil {
		return err
	}
	if err := x.flush(); err != nil {
		return err
	}
	x.publish()
	if err := x.interrupt(); err != nil {
		return err
	}
	x.complete()
	return x.write(body[len(first):])
}

// interrupt carries out the faults that break a body off or silence it; nil means
// that the body goes on.
func (x *exchange) interrupt() error {
	switch x.fault.Kind { //nolint:exhaustive // the others do not interrupt
	case HangBody, Stall:
		return x.hang(x.fault.For)
	case Cut:
		return errCut
	case End:
		x.complete()
		return errStop
	case BadChunk:
		return x.badChunk()
	}
	return nil
}

// badChunk takes the connection over and writes a chunk with a length that is no
// number.
func (x *exchange) badChunk() error {
	conn, buf, err := x.flusher.Hijack()
	if err != nil {
		return errCut // not HTTP/1.1: there are no chunks to break
	}
	x.complete()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = buf.WriteString("zz\r\nthis chunk has no length\r\n")
	_ = buf.Flush()
	_ = conn.Close()
	return errStop
}

// drip writes a byte at a time. With whole set, the last byte completes the answer.
func (x *exchange) drip(b []byte, whole bool) error {
	gap := x.fault.Delay
	if gap <= 0 {
		gap = time.Millisecond
	}
	for i := range b {
		if whole && i == len(b)-1 {
			x.complete()
		}
		if err := x.write(b[i : i+1]); err != nil {
			return err
		}
		if err := x.flush(); err != nil {
			return err
		}
		if err := x.pause(gap); err != nil {
			return err
		}
	}
	return nil
}
