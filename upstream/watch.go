package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/netx"
)

type limits struct{ connect, headers, idle, total time.Duration }

// The causes with which a time limit ends a request.
var (
	errConnect = errors.New("upstream: not connected within the limit")
	errHeaders = errors.New("upstream: no answer within the limit")
	errIdle    = errors.New("upstream: silent past the limit")
	errTotal   = errors.New("upstream: not done within the limit")
	errClosed  = errors.New("upstream: the answer was closed")
)

// phase is what an attempt waits for.
type phase = int32

const (
	connecting phase = iota
	awaiting
	reading
)

// watch keeps the time limits of one attempt with a single timer, which ends
// the request by cancelling its context. It reads the answer, too: the timer
// runs while a read waits for the provider, and not while the caller is slow.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limits *limits
	phase  atomic.Int32
	idle   time.Duration
	body   io.ReadCloser
}

// newWatch begins to watch an attempt. The request is to be sent with the
// context, which tells the watch when there is a connection.
func newWatch(ctx context.Context, l *limits) (context.Context, *watch) {
	w := &watch{limits: l, idle: l.idle}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(l.connect, w.fire)
	return httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{GetConn: w.connecting, GotConn: w.connected}), w
}

// connecting says that a connection is sought: also another one, when the last
// was gone before anything went out on it.
func (w *watch) connecting(string) {
	if w.phase.Swap(connecting) != connecting {
		w.timer.Reset(w.limits.connect)
	}
}

func (w *watch) connected(httptrace.GotConnInfo) {
	w.phase.Store(awaiting)
	w.timer.Reset(w.limits.headers)
}

func (w *watch) fire() {
	switch w.phase.Load() {
	case connecting:
		w.cancel(errConnect)
	case awaiting:
		w.cancel(errHeaders)
	default:
		w.cancel(errIdle)
	}
}

// answered says that the headers came, and gives the body to be read.
func (w *watch) answered(body io.ReadCloser) {
	w.phase.Store(reading)
	w.timer.Stop()
	w.body = body
}

// Read implements io.Reader on the raw body. Errors are those of RoundTrip.
func (w *watch) Read(p []byte) (int, error) {
	w.timer.Reset(w.idle)
	n, err := w.body.Read(p)
	w.timer.Stop()
	if err == nil || err == io.EOF { // a wrapped io.EOF is no proper end
		return n, err
	}
	if e := ended(w.ctx); e != nil {
		return n, e
	}
	return n, &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("upstream: the answer was cut: %w", cut(err))}
}

// Close ends the request. What was not read is not waited for.
func (w *watch) Close() error {
	w.end()
	return w.body.Close()
}

// end gives back the timer and the context.
func (w *watch) end() {
	w.timer.Stop()
	w.cancel(errClosed)
}

// ended says why ctx is over, or nil while it is not: a time limit of ours, or
// the caller's leaving, which is not an error of the provider.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return nil
	case errors.Is(cause, errConnect), errors.Is(cause, errHeaders), errors.Is(cause, errIdle), errors.Is(cause, errTotal):
		return &claviger.Error{Code: claviger.CodeUpstreamTimeout, Err: cause}
	case errors.Is(cause, ctx.Err()):
		return fmt.Errorf("upstream: ended by the caller: %w", cause)
	default:
		return fmt.Errorf("upstream: ended by the caller: %w: %w", ctx.Err(), cause)
	}
}

// failed is the outcome of an attempt that got no answer.
func (w *watch) failed(err error) failure {
	if e := ended(w.ctx); e != nil {
		return failure{err: e, nothing: w.phase.Load() == connecting}
	}
	if told, ok := errors.AsType[*noAnswer](err); ok {
		return told.failure
	}
	if w.phase.Load() != connecting {
		return failure{err: &claviger.Error{Code: claviger.CodeUpstreamError, Err: fmt.Errorf("upstream: no answer: %w", cut(err))}}
	}
	f := failure{fault: faultConnect, nothing: true}
	code := claviger.CodeUpstreamError
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		f.fault, code = faultFinal, claviger.CodeUpstreamTimeout
	}
	if errors.Is(err, netx.ErrRefused) {
		f.fault = faultFinal
	}
	f.err = &claviger.Error{Code: code, Err: fmt.Errorf("upstream: no connection: %w", presentable(err))}
	return f
}

// cut is the error of an exchange that broke after the request went out, so
// that the provider may have worked for it: it wraps io.ErrUnexpectedEOF.
func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, presentable(err))
}

// presentable keeps of a transport's error what cannot quote the provider: an
// answer that is not HTTP is quoted in the error about it, and may echo the key.
func presentable(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	for _, known := range []error{netx.ErrRefused, io.EOF, http.ErrSchemeMismatch} {
		if errors.Is(err, known) {
			return known
		}
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return fmt.Errorf("not understood (%T)", err)
		}
		err = inner
	}
}
