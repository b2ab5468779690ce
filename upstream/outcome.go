package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
)

const (
	// maxErrorBody is how much of an error's body is read.
	maxErrorBody = 64 << 10
	// trial is how long a key rests when the provider gives no time.
	trial = 30 * time.Second
	// patience is how long the body of an answer is waited for whose status says
	// enough.
	patience = 2 * time.Second
	// maxWait bounds what a Retry-After is believed.
	maxWait = time.Hour
)

// fault says whose an attempt's failure is, and so what may help.
type fault int

const (
	faultFinal   fault = iota // nothing: it is not tried again
	faultKey                  // another key
	faultConnect              // once more
)

// failure is how an attempt failed. It is success without err.
type failure struct {
	fault  fault
	err    error
	status int // what is reported to the pool
	wait   time.Duration
	// nothing says that the provider certainly did no work.
	nothing bool
	// project is for which one the provider says that it answered.
	project string
}

// failures are those of one call so far.
type failures struct {
	last     error
	busy     *claviger.Error // the first that time heals
	connects int
	// worked says that the provider may have worked for one of the attempts.
	worked bool
}

// told is what a call ends with, and whether it can have cost anything.
func (fs *failures) told(err error) error {
	if fs.worked {
		return err
	}
	return claviger.NothingDone(err)
}

func (fs *failures) add(f failure) {
	fs.last = f.err
	fs.worked = fs.worked || !f.nothing
	if f.fault == faultConnect {
		fs.connects++
	}
	e, ok := errors.AsType[*claviger.Error](f.err)
	if !ok || e.Code != claviger.CodeUpstreamBusy {
		return
	}
	if fs.busy == nil || e.RetryAfter < fs.busy.RetryAfter {
		fs.busy = e
	}
}

// verdict is what a call ends with: a key that will serve again outweighs one
// that will not.
func (fs *failures) verdict() error {
	if fs.busy != nil && isKeyTrouble(fs.last) {
		return fs.busy
	}
	return fs.last
}

func isKeyTrouble(err error) bool {
	return errors.Is(err, errRejected) || errors.Is(err, errBusy)
}

// noKey is what a call ends with when the pool has no key for it.
func (fs *failures) noKey(ctx context.Context, err error) error {
	if e := ended(ctx); e != nil {
		return e
	}
	ours, ok := errors.AsType[*claviger.Error](err)
	switch {
	case fs.last == nil && ok:
		return ours
	case fs.last == nil:
		return &claviger.Error{Code: claviger.CodeMisconfigured, Err: fmt.Errorf("upstream: no key: %w", err)}
	case ok && ours.Code == claviger.CodeUpstreamBusy && ours.RetryAfter > 0 && isKeyTrouble(fs.last):
		return ours
	}
	return fs.verdict()
}

var (
	errRejected = errors.New("upstream: the key was rejected")
	errBusy     = errors.New("upstream: the key is over its rate limit")
)

// refusal reads an answer that is not 200. It is the catalogue of outcomes.
func (c *Client) refusal(w *watch, resp *http.Response, out *outgoing) failure {
	f := failure{status: resp.StatusCode, nothing: resp.StatusCode >= http.StatusMultipleChoices}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		f.fault = faultKey
		f.err = &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("%w: status %d", errRejected, f.status)}
	case http.StatusTooManyRequests:
		f.fault = faultKey
		f.wait = retryAfter(resp.Header, c.now())
		w.idle = min(w.idle, patience)
		told, _ := readRefusal(w, resp)
		if told.code == "insufficient_quota" || told.kind == "insufficient_quota" {
			f.wait = max(f.wait, trial) // the provider's seconds do not refill an account
		}
		wait := f.wait
		if wait == 0 {
			wait = trial
		}
		f.err = &claviger.Error{Code: claviger.CodeUpstreamBusy, RetryAfter: wait, Err: errBusy}
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity:
		f.err = c.invalid(w, resp, out)
	default:
		f.err = &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("upstream: status %d", f.status)}
	}
	return f
}

// invalid is a refusal that may be about the caller's own parameters. It is
// only if the body is an error object and does not speak of the account.
func (c *Client) invalid(w *watch, resp *http.Response, out *outgoing) error {
	told, err := readRefusal(w, resp)
	if err != nil {
		return err
	}
	if aboutAccount(told.code) || aboutAccount(told.kind) {
		return &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("upstream: status %d about the account", resp.StatusCode)}
	}
	j := judge{model: out.call.Model, body: out.call.Body}
	e := &claviger.Error{
		Code: claviger.CodeUpstreamInvalid, Status: resp.StatusCode,
		Err: fmt.Errorf("upstream: status %d", resp.StatusCode),
	}
	if goodCode(told.code) {
		e.UpstreamCode = told.code
	}
	if j.param(told.param) {
		e.Param = told.param
	}
	if j.message(told.message) {
		e.Detail = told.message
	}
	return e
}

// told is what a provider says about a refusal.
type told struct{ message, kind, code, param string }

// readRefusal reads the error object of the OpenAI API from a body. An error
// means that the body is not what was asked for, stalled or was cut; it is fit
// to be returned.
func readRefusal(w *watch, resp *http.Response) (told, error) {
	zipped, err := isZipped(resp.Header)
	if err != nil {
		return told{}, &claviger.Error{Code: claviger.CodeUpstreamError, Err: err}
	}
	a := &answer{watch: w, source: w, zipped: zipped, release: func() {}}
	b, err := netx.ReadAll(a, maxErrorBody, resp.ContentLength)
	if errors.Is(err, netx.ErrTooLarge) {
		return told{}, &claviger.Error{Code: claviger.CodeUpstreamError, Err: errTooLarge}
	}
	if err != nil {
		return told{}, err
	}
	v, err := jsonx.Parse(b)
	if err != nil || v.Kind() != jsonx.KindObject {
		return told{}, &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("upstream: status %d with a body that is no JSON object", resp.StatusCode)}
	}
	e, _ := v.Get("error")
	if e.Kind() != jsonx.KindObject {
		return told{}, nil
	}
	return told{message: text(e, "message"), kind: text(e, "type"), code: text(e, "code"), param: text(e, "param")}, nil
}

func text(v jsonx.Value, name string) string {
	m, ok := v.Get(name)
	if !ok || m.Kind() != jsonx.KindString {
		return ""
	}
	return m.Str()
}

// retryAfter reads how long the provider asks to wait: milliseconds in its own
// header, else RFC 9110's seconds or date. 0 means that it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if d := decimal(h.Get("Retry-After-Ms"), time.Millisecond); d > 0 {
		return d
	}
	s := h.Get("Retry-After")
	if d := decimal(s, time.Second); d > 0 {
		return d
	}
	t, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	return min(max(t.Sub(now), 0), maxWait)
}

// decimal reads a plain number of units, at most maxWait.
func decimal(s string, unit time.Duration) time.Duration {
	if s == "" || len(s) > 20 || strings.Trim(s, "0123456789.") != "" {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return time.Duration(min(f*float64(unit), float64(maxWait)))
}
