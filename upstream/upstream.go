// Package upstream is the only way to the provider. It takes the key here and
// nowhere earlier, sends a header set of its own making, keeps the time limits,
// tries another key where that helps, and lets nothing of the provider's
// answer through that the catalogue of outcomes does not name.
package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/netx"
)

// Defaults of Options.
const (
	DefaultBaseURL   = "https://api.openai.com/v1"
	DefaultConnect   = 5 * time.Second
	DefaultHeaders   = 120 * time.Second
	DefaultIdle      = 60 * time.Second
	DefaultTotal     = 15 * time.Minute
	DefaultMaxAnswer = 32 << 20
)

// maxAttempts bounds how many requests one call may become.
const maxAttempts = 3

// KeyPool hands out upstream keys. Its methods may be called concurrently.
//
// Take returns a key that is fit to be tried for use and that except does not
// name; id is safe to print. It may block on the source of the secret until ctx ends. A
// *claviger.Error says why there is none: CodeMisconfigured when none can be
// read, CodeUpstreamBusy with RetryAfter while all are cooling down,
// CodeUpstreamError when all are rejected. On error it denies.
//
// Report follows each Take exactly once and does not block: status is the
// provider's, or 0 when there was none and nothing was learned about the key.
// retryAfter, when positive, is how long the provider asked to wait.
//
// Belongs tells, before Report, for which of its projects the provider says that
// it answered, where it says so. Done follows each Take exactly once, after Report,
// when the last byte of the answer was read or given up. Neither blocks.
type KeyPool interface {
	Take(ctx context.Context, use claviger.KeyUse, except []string) (id string, s claviger.Secret, err error)
	Report(id string, status int, retryAfter time.Duration)
	Belongs(id, project string)
	Done(id string)
}

// headerProject names the project to which the key belongs, on every answer of
// OpenAI to a key that it accepts.
const headerProject = "Openai-Project"

// The ways in which the key travels.
const (
	// KeyBearer is "Authorization: Bearer KEY" (RFC 6750), as OpenAI has it.
	KeyBearer = "bearer"
	// KeyAPIKey is "api-key: KEY", as Azure OpenAI has it.
	KeyAPIKey = "api-key"
)

// Options configure a Client. Keys is required; every other zero value stands
// for the default.
type Options struct {
	// BaseURL is where the provider's API begins, as https://api.openai.com/v1.
	BaseURL string
	Keys    KeyPool
	// KeyHeader says how the key travels; empty means KeyBearer.
	KeyHeader string
	// Connect limits reaching the provider, TLS included; Headers the wait from
	// there to the first response header; Idle the longest silence after it;
	// Total everything, attempts and the reading of the answer included.
	Connect, Headers, Idle, Total time.Duration
	// MaxAnswer is the most bytes that an answer which is no stream may have,
	// after decompression.
	MaxAnswer int64
	// Version is named in the User-Agent.
	Version string
	// Logger hears of attempts that failed and were repeated; nil is silence.
	Logger *slog.Logger
	// InsecureHTTP and AllowPrivate are those of netx.Options.
	InsecureHTTP bool
	AllowPrivate bool
	// RootCAs replaces the system's roots.
	RootCAs *x509.CertPool
	// Now is the clock for dates in Retry-After; nil is the system's.
	Now func() time.Time

	// Line, when set, leads to a Holder in another process, which has the keys and
	// keeps Connect: requests go there without a key and name it by the id that Keys
	// gives, whose secrets are not looked at. The host of BaseURL is not reached
	// from here.
	Line http.RoundTripper

	transport http.RoundTripper // tests alone
}

// Client implements claviger.Upstream.
type Client struct {
	base      *url.URL
	transport http.RoundTripper
	keys      KeyPool
	limits    limits
	maxAnswer int64
	userAgent []string
	keyHeader string
	held      bool
	log       *slog.Logger
	now       func() time.Time
}

var _ claviger.Upstream = (*Client)(nil)

// New checks o and makes a Client. It opens no connection.
func New(o Options) (*Client, error) {
	if o.Keys == nil {
		return nil, errors.New("upstream: a pool of keys is required")
	}
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	base, err := netx.ParseBaseURL(o.BaseURL, o.InsecureHTTP)
	if err != nil {
		return nil, fmt.Errorf("upstream: base_url: %w", err)
	}
	if o.KeyHeader == "" {
		o.KeyHeader = KeyBearer
	}
	if o.KeyHeader != KeyBearer && o.KeyHeader != KeyAPIKey {
		return nil, fmt.Errorf("upstream: key_header must be %s or %s", KeyBearer, KeyAPIKey)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	if base.RawPath != "" || base.Path != "" && !cleanPath(base.Path) {
		return nil, errors.New("upstream: base_url: its path must be plain, as /v1, without escapes, empty parts and dots")
	}
	c := &Client{
		base: base,
		keys: o.Keys,
		limits: limits{
			connect: orDefault(o.Connect, DefaultConnect),
			headers: orDefault(o.Headers, DefaultHeaders),
			idle:    orDefault(o.Idle, DefaultIdle),
			total:   orDefault(o.Total, DefaultTotal),
		},
		keyHeader: o.KeyHeader,
		maxAnswer: orDefault(o.MaxAnswer, DefaultMaxAnswer),
		userAgent: []string{strings.TrimSuffix("claviger/"+o.Version, "/")},
		log:       o.Logger,
		now:       o.Now,
		transport: o.transport,
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	if o.Line != nil {
		c.held, c.transport = true, &held{o.Line}
	}
	if c.transport != nil {
		return c, nil
	}
	c.transport, err = netx.Transport(netx.Options{
		BaseURL: o.BaseURL, InsecureHTTP: o.InsecureHTTP, AllowPrivate: o.AllowPrivate,
		Connect: c.limits.connect, RootCAs: o.RootCAs,
	})
	if err != nil {
		return nil, fmt.Errorf("upstream: base_url: %w", err)
	}
	return c, nil
}

func orDefault[T int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// CloseIdle closes the connections that no call is using.
func (c *Client) CloseIdle() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// RoundTrip implements claviger.Upstream. The answer has the status 200, the
// media type that the call asks for, and no other header. Its body is read by
// one goroutine; cancelling ctx or closing the body ends the upstream request at
// once, and reading the body to io.EOF leaves its connection for the next call.
//
// When ctx ended first, the error wraps its cause and is no *claviger.Error.
// When the provider cut the exchange after the request went out, before headers
// or in the answer, the error wraps io.ErrUnexpectedEOF. It wraps
// claviger.ErrNothingDone when no attempt had a connection that the request could
// have gone out on, or each was answered with a status from 300 on.
func (c *Client) RoundTrip(ctx context.Context, a claviger.Authorized) (*http.Response, error) {
	if !a.Valid() {
		return nil, claviger.NothingDone(&claviger.Error{Code: claviger.CodeInternal, Err: errors.New("upstream: a call that the gateway did not authorize")})
	}
	out, err := c.outgoing(a)
	if err != nil {
		return nil, claviger.NothingDone(&claviger.Error{Code: claviger.CodeInternal, Err: err})
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.limits.total, errTotal)
	resp, err := c.tries(ctx, out)
	if err != nil {
		cancel()
		return nil, err
	}
	out.sent()
	body := resp.Body.(*answer)
	done := body.release
	body.release = func() { cancel(); done() }
	return resp, nil
}

// tries makes attempts until one succeeds or another would not help.
func (c *Client) tries(ctx context.Context, out *outgoing) (*http.Response, error) {
	var tried []string
	var all failures
	for n := 1; ; n++ {
		id, key, err := c.keys.Take(ctx, out.call.For, tried)
		if err != nil {
			return nil, all.told(all.noKey(ctx, err))
		}
		if slices.Contains(tried, id) {
			c.keys.Report(id, 0, 0)
			c.keys.Done(id)
			return nil, all.told(all.verdict())
		}
		resp, f := c.attempt(ctx, out, id, key)
		if f.project != "" {
			c.keys.Belongs(id, f.project)
		}
		c.keys.Report(id, f.status, f.wait)
		if f.err == nil {
			resp.Body.(*answer).release = sync.OnceFunc(func() { c.keys.Done(id) })
			return resp, nil
		}
		c.keys.Done(id)
		all.add(f)
		if f.fault == faultFinal || n == maxAttempts || all.connects > 1 {
			return nil, all.told(all.verdict())
		}
		if f.fault == faultKey {
			tried = append(tried, id)
		}
		c.log.LogAttrs(ctx, slog.LevelWarn, "upstream attempt failed, trying again",
			slog.String("request_id", out.requestID), slog.String("key", id), slog.Int("status", f.status))
	}
}

// attempt sends the call once. A failure without an error is success.
func (c *Client) attempt(ctx context.Context, out *outgoing, id string, key claviger.Secret) (*http.Response, failure) {
	ctx, w := newWatch(ctx, &c.limits)
	req, err := out.request(ctx, id, key)
	if err != nil {
		w.end()
		return nil, failure{fault: faultKey, nothing: true, err: &claviger.Error{Code: claviger.CodeMisconfigured, Err: err}}
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		f := w.failed(err)
		w.end()
		return nil, f
	}
	w.answered(resp.Body)
	if resp.StatusCode == http.StatusOK {
		good, f := c.accept(w, resp, out)
		f.project = resp.Header.Get(headerProject)
		return good, f
	}
	f := c.refusal(w, resp, out)
	f.project = resp.Header.Get(headerProject)
	_ = w.Close()
	return nil, f
}
