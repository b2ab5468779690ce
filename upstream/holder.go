package upstream

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/redact"
)

// maxReplay is the longest body of a request that a Holder reads before it
// sends it, so that it can be sent again where a connection was gone.
const maxReplay = 1 << 20

// passedUp and passedDown are the headers of requests and answers that a Holder
// passes on.
var (
	passedUp   = []string{"Accept", "Content-Type", "User-Agent", "X-Client-Request-Id"}
	passedDown = []string{"Content-Type", "Content-Length", "Retry-After", "Retry-After-Ms", headerProject}
)

// HeldKeys are the keys of a Holder by their fingerprints, and what watches for
// them.
type HeldKeys struct {
	Keys map[string]claviger.Secret
	Trip *redact.Tripwire
}

// Holder is the other side of a Client whose Options have a Line: it has the
// keys, and sends requests that come without one to the provider with the key
// that they name. It takes nothing but the methods, paths and headers that a
// Client writes, and goes to the provider's host alone. What comes back passes on
// with few headers, uncompressed, and is cut where it holds one of the keys. It is
// an http.Handler, for concurrent use.
type Holder struct {
	client *Client
	keys   atomic.Pointer[HeldKeys]
}

// NewHolder makes a Holder. Of o it needs BaseURL, KeyHeader, Connect and what
// belongs to them; it has no keys until SetKeys.
func NewHolder(o Options) (*Holder, error) {
	o.Keys = noKeys{}
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	c.limits = limits{connect: c.limits.connect, headers: math.MaxInt64, idle: math.MaxInt64}
	h := &Holder{client: c}
	h.keys.Store(&HeldKeys{})
	return h, nil
}

// noKeys is the pool of a Client that takes no call.
type noKeys struct{ KeyPool }

// SetKeys replaces the keys, for requests that come from then on.
func (h *Holder) SetKeys(k *HeldKeys) { h.keys.Store(k) }

// CloseIdle closes the connections that no call is using.
func (h *Holder) CloseIdle() { h.client.CloseIdle() }

// ServeHTTP implements http.Handler.
func (h *Holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = nil
	keys := h.keys.Load()
	if err := h.admits(r); err != nil {
		h.client.log.LogAttrs(r.Context(), slog.LevelError, "the gateway's process asked for what the key process does not do", slog.String("reason", err.Error()))
		tell(w, outcomeRefused, err.Error())
		return
	}
	key, ok := keys.Keys[r.Header.Get(headerHeld)]
	if !ok {
		tell(w, outcomeUnknown, "it is not configured any more")
		return
	}
	ctx, watch := newWatch(r.Context(), &h.client.limits)
	defer watch.end()
	req, err := h.request(ctx, r, key)
	if err != nil {
		tell(w, outcomeRefused, err.Error())
		return
	}
	resp, err := h.client.transport.RoundTrip(req) //nolint:bodyclose // the watch closes it
	if err != nil {
		tellFailure(w, watch.failed(err))
		return
	}
	watch.answered(resp.Body)
	defer func() { _ = watch.Close() }()
	h.pass(w, r, watch, &passing{resp: resp, trip: keys.Trip})
}

// admits reports why a request is none that a Client makes.
func (h *Holder) admits(r *http.Request) error {
	path, ok := strings.CutPrefix(r.URL.Path, h.client.base.Path)
	switch {
	case r.Host != h.client.base.Host || r.URL.Host != "":
		return errors.New("another host than the provider's")
	case !ok || !cleanPath(path) || r.URL.RawPath != "" || r.URL.Fragment != "" || !cleanQuery(r.URL.RawQuery):
		return errors.New("a path that is none of the provider's API")
	case strings.Trim(r.Method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return errors.New("a method that the provider's API does not have")
	case r.ContentLength < 0 || len(r.TransferEncoding) > 0:
		return errors.New("a body without a length")
	}
	for name, values := range r.Header {
		known := slices.Contains(passedUp, name) || name == headerHeld || name == "Content-Length"
		if !known || len(values) != 1 {
			return errors.New("a header that no call has")
		}
	}
	return nil
}

// request is r with the key, to the provider.
func (h *Holder) request(ctx context.Context, r *http.Request, key claviger.Secret) (*http.Request, error) {
	u := *h.client.base
	u.Path, u.RawQuery = r.URL.Path, r.URL.RawQuery
	header := http.Header{}
	for _, name := range passedUp {
		if v := r.Header[name]; v != nil {
			header[name] = v
		}
	}
	if err := setKey(header, h.client.keyHeader, key); err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: r.Method, URL: &u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	switch n := r.ContentLength; {
	case n == 0:
	case n <= maxReplay:
		b := make([]byte, n)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return nil, errors.New("the request was cut")
		}
		req.ContentLength = n
		req.Body = io.NopCloser(bytes.NewReader(b))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	default:
		req.ContentLength, req.Body = n, r.Body
	}
	return req, nil
}

// passing is an answer on its way to the gateway.
type passing struct {
	resp *http.Response
	trip *redact.Tripwire
}

// pass passes an answer on. One that is cut, or holds a key, ends without its
// proper end, so that nobody takes it for whole.
func (h *Holder) pass(w http.ResponseWriter, r *http.Request, body io.Reader, p *passing) {
	if p.resp.StatusCode < http.StatusOK {
		tell(w, outcomeCut, "the provider switched the protocol")
		return
	}
	zipped, err := isZipped(p.resp.Header)
	if err != nil {
		tell(w, outcomeCut, err.Error())
		return
	}
	if !p.head(w, zipped) {
		h.stopped(r, "header")
		tell(w, outcomeCut, redact.ErrSecret.Error())
		return
	}
	w.WriteHeader(p.resp.StatusCode)
	_ = http.NewResponseController(w).Flush()
	if zipped {
		if body, err = gzip.NewReader(body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	err = p.copy(w, body)
	if errors.Is(err, redact.ErrSecret) {
		h.stopped(r, "body")
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// stopped tells the operator that the provider sent a key back.
func (h *Holder) stopped(r *http.Request, where string) {
	h.client.log.LogAttrs(r.Context(), slog.LevelError, "one of our own keys came back from the provider and was stopped in the key process",
		slog.String("place", where), slog.String("request_id", r.Header.Get("X-Client-Request-Id")))
}

// head writes the headers that are passed on. It reports whether none of them
// holds a key.
func (p *passing) head(w http.ResponseWriter, zipped bool) bool {
	h := w.Header()
	h["Content-Type"] = nil // no guessing
	for _, name := range passedDown {
		values := p.resp.Header[name]
		if len(values) == 0 || zipped && name == "Content-Length" {
			continue
		}
		if slices.ContainsFunc(values, p.trip.ContainsString) {
			return false
		}
		h[name] = values
	}
	return true
}

// copy passes a body on as it comes, without what may be the beginning of a key.
func (p *passing) copy(w http.ResponseWriter, body io.Reader) error {
	out, through := http.NewResponseController(w), p.trip.Stream()
	for buf := make([]byte, 16<<10); ; {
		n, err := body.Read(buf)
		b, stop := through.Next(buf[:n])
		if stop != nil {
			return stop
		}
		if err == io.EOF { //nolint:errorlint // a wrapped io.EOF is no proper end
			if b, stop = through.Flush(bytes.Clone(b)); stop != nil {
				return stop
			}
			_, err = w.Write(b)
			return err
		}
		if err != nil {
			return err
		}
		if len(b) == 0 {
			continue
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

// tell answers that there is no answer of the provider.
func tell(w http.ResponseWriter, outcome, reason string) {
	h := w.Header()
	clear(h)
	h["Date"] = nil
	h.Set(headerOutcome, outcome)
	h.Set(headerReason, reason)
	w.WriteHeader(http.StatusBadGateway)
}

// tellFailure tells of a failure before an answer.
func tellFailure(w http.ResponseWriter, f failure) {
	outcome := outcomeCut
	e, _ := errors.AsType[*claviger.Error](f.err)
	switch {
	case f.fault == faultConnect:
		outcome = outcomeConnect
	case f.nothing && e != nil && e.Code == claviger.CodeUpstreamTimeout:
		outcome = outcomeTimeout
	case f.nothing && errors.Is(f.err, netx.ErrRefused):
		outcome = outcomeRefused
	case f.nothing:
		outcome = outcomeConnect
	}
	cause := f.err
	if e != nil && e.Err != nil {
		cause = e.Err
	}
	tell(w, outcome, fmt.Sprint(cause))
}

// HolderServer is the server of a Holder.
func HolderServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), DisableGeneralOptionsHandler: true,
	}
}
