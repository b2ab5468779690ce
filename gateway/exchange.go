package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/netx"
)

// exchange is one request and its answer. It belongs to one goroutine, but for
// the heartbeat of a stream, which goes through the stream's own lock.
type exchange struct {
	g     *Gateway
	s     *compiled
	w     http.ResponseWriter
	r     *http.Request
	rc    *http.ResponseController
	path  string
	query string
	// client is the caller's address block, where it is known.
	client      netip.Prefix
	clientKnown bool
	clientName  string
	route       *route
	// html says that the caller is a form in a browser and reads pages.
	html      bool
	committed bool
	// bodyRead says that the body was read to its end or its limit.
	bodyRead  bool
	standings []claviger.Standing
	// uploading is how much of the memory for uploads this request has.
	uploading int64
	event     claviger.Event
	// keyFor is for whom the provider's key is taken.
	keyFor claviger.KeyUse
	// call is the place among the calls under way.
	call call
	// input is what was sent, until it is known whether it is kept; transcript is
	// nil where nothing is.
	input      input
	transcript *transcript
}

// caller is who passed authentication.
type caller struct {
	claviger.Principal
	pseudonym string
	// service are the limits of the service key behind the caller.
	service []claviger.Limit
}

// key is the name of the service key behind the caller, if there is one.
func (c *caller) key() string {
	if c.Service != "" {
		return c.Service
	}
	return c.MintedBy
}

func (g *Gateway) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{g: g, s: g.current.Load(), w: w, r: r, rc: http.NewResponseController(w)}
	x.event.Started = g.options.Now()
	x.event.RequestID = "req_" + rand.Text()
	x.path, x.query = sentPath(r)
	h, v := w.Header(), []string{x.event.RequestID, "private, no-store", "nosniff", "no-referrer"}
	h["X-Request-Id"], h["Cache-Control"] = v[0:1:1], v[1:2:2]
	h["X-Content-Type-Options"], h["Referrer-Policy"] = v[2:3:3], v[3:4:4]
	if len(r.TransferEncoding) > 0 {
		// There may have been a length, too, by which somebody before us read
		// another request out of what follows. net/http does not tell (RFC
		// 9112, section 6.3).
		h["Connection"] = []string{"close"}
	}
	return x
}

// serve passes the gates and then the call. A stream lasts below it: functions
// that are on the stack meanwhile take their arguments by pointer, because every
// open stream has a stack of its own, whose size doubles when it does not fit.
func (x *exchange) serve() error {
	c, err := x.gates()
	if err != nil || c == nil {
		return err
	}
	return x.route.handle(x, c)
}

// gates is their order. Whatever comes before authenticate has read nothing of
// the body. No caller and no error mean that the request was answered.
func (x *exchange) gates() (*caller, error) {
	if !x.s.Hosts.Allowed(x.r.Host) {
		return nil, &claviger.Error{Code: claviger.CodeMisdirected}
	}
	x.cors()
	if headerBytes(x.r.Header) > maxHeaderBytes {
		return nil, &claviger.Error{Code: claviger.CodeTooLarge, Status: http.StatusRequestHeaderFieldsTooLarge, Detail: "Headers too large"}
	}
	x.identifyClient()
	rt, err := x.s.find(x.r.Method, x.path)
	if x.r.Method == http.MethodOptions && err == nil {
		x.event.Route = "preflight"
		return nil, x.preflight(x.s.methods(x.path))
	}
	if err == nil {
		x.route, x.event.Route = rt, rt.name
		x.negotiate()
	}
	if ipErr := x.chargeAddress(); ipErr != nil {
		return nil, ipErr
	}
	if err != nil {
		return nil, err
	}
	if x.r.ContentLength > x.maxBody() {
		return nil, &claviger.Error{Code: claviger.CodeTooLarge}
	}
	if err := x.gateOrigin(); err != nil {
		return nil, err
	}
	return x.authenticate()
}

// maxHeaderBytes is the most that names and values of all headers may have
// together. net/http refuses more than its own limit before the gateway hears
// of it, without a word that a client could read.
const maxHeaderBytes = 64 << 10

func headerBytes(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// maxBody is the longest body that the route can take. Its kind is not known
// yet.
func (x *exchange) maxBody() int64 {
	if x.takesFiles() {
		return max(x.s.MaxUpload, x.s.MaxBody)
	}
	return x.s.MaxBody
}

func (x *exchange) identifyClient() {
	addr, known := netx.ClientAddr(x.r, x.s.TrustedProxies)
	if signed := x.r.Header["Claviger-Client"]; len(signed) == 1 && x.s.ClientVerifier != nil {
		// One that is not good is as good as none: a limit must not go away
		// because of a header that anybody can send.
		if a, err := x.s.ClientVerifier.ClientAddr(signed[0], x.g.options.Now()); err == nil {
			addr, known = a, true
		}
	}
	if known {
		x.client, x.clientKnown = netx.Prefix(addr), true
		if len(x.s.PerIP) > 0 {
			x.clientName = x.client.String()
		}
	}
}

// chargeAddress takes the per-address rate before anything else is looked at,
// so that guessing at credentials is limited too.
func (x *exchange) chargeAddress() error {
	if !x.clientKnown || len(x.s.perIPRates) == 0 {
		return nil
	}
	charges := bind(nil, x.s.perIPRates, scopeIP, x.clientName, worst{requests: 1})
	hold, err := x.g.options.Admission.Admit(x.r.Context(), charges)
	if err != nil {
		return limitsError(err)
	}
	x.standings = append(x.standings, hold.Standings()...)
	if err := hold.Settle(x.r.Context(), nil); err != nil {
		return limitsError(err)
	}
	return nil
}

// authenticate asks each authenticator in order. The first that knows the
// credential decides. What somebody wrote into Authorization comes before what
// a browser sent along: beside a cookie, all are asked about the header first.
func (x *exchange) authenticate() (*caller, error) {
	if len(x.r.Header["Authorization"]) > 1 {
		return nil, &claviger.Error{Code: claviger.CodeUnauthenticated, Err: errors.New("more than one Authorization header")}
	}
	if x.r.Header["Authorization"] != nil && x.cookieAuthenticator() {
		c, err := x.askAll(withoutCookies(x.r))
		if !errors.Is(err, claviger.ErrNoCredential) {
			return c, err
		}
		// The header is of no kind that is known here, as the placeholder that
		// SDKs insist on.
	}
	c, err := x.askAll(x.r)
	if errors.Is(err, claviger.ErrNoCredential) {
		return nil, &claviger.Error{Code: claviger.CodeUnauthenticated, Err: errors.New("no credential")}
	}
	return c, err
}

// askAll returns ErrNoCredential where nobody knows a credential of r.
func (x *exchange) askAll(r *http.Request) (*caller, error) {
	ctx := r.Context()
	if x.clientKnown {
		ctx = claviger.ContextWithClient(ctx, x.client)
	}
	for _, a := range x.s.Authenticators {
		p, err := a.Authenticate(ctx, r)
		if errors.Is(err, claviger.ErrNoCredential) {
			continue
		}
		if err != nil {
			return nil, refusedCredential(err)
		}
		return x.admitCaller(&p)
	}
	return nil, claviger.ErrNoCredential
}

func withoutCookies(r *http.Request) *http.Request {
	out := *r
	out.Header = maps.Clone(r.Header)
	delete(out.Header, "Cookie")
	return &out
}

func (x *exchange) admitCaller(p *claviger.Principal) (*caller, error) {
	if p.Subject == "" || p.Realm == "" {
		return nil, &claviger.Error{Code: claviger.CodeUnauthenticated, Err: errors.New("authenticator returned no subject or realm")}
	}
	c := &caller{Principal: *p, pseudonym: x.s.Pseudonym(*p)}
	if key := c.key(); key != "" && x.s.Services != nil {
		limits, known := x.s.Services[key]
		if !known {
			return nil, &claviger.Error{Code: claviger.CodeUnauthenticated, Err: errors.New("the service key behind this credential is not configured any more")}
		}
		c.service = limits
	}
	x.event.Subject, x.event.Realm, x.event.Method = c.pseudonym, p.Realm, p.Method
	if err := x.barred(c, ""); err != nil {
		return nil, err
	}
	return c, nil
}

// refusedCredential keeps the code of an authenticator that says why; anything
// else is a credential that is not good.
func refusedCredential(err error) error {
	if e, ok := errors.AsType[*claviger.Error](err); ok {
		return e
	}
	return &claviger.Error{Code: claviger.CodeUnauthenticated, Err: err}
}

// limitsError keeps a refusal and makes everything else "cannot know, deny".
func limitsError(err error) error {
	if e, ok := errors.AsType[*claviger.Error](err); ok {
		return e
	}
	return &claviger.Error{Code: claviger.CodeLimitsUnavailable, RetryAfter: time.Second, Err: err}
}

// end closes the account of the request, whatever happened.
func (x *exchange) end() {
	cause := recover()
	if cause != nil && cause != http.ErrAbortHandler { //nolint:errorlint // net/http compares the same way
		x.g.options.Logger.LogAttrs(context.Background(), slog.LevelError, "panic",
			slog.String("request_id", x.event.RequestID), slog.String("panic", panicText(cause)),
			slog.String("stack", string(debug.Stack())))
		if !x.committed {
			x.fail(&claviger.Error{Code: claviger.CodeInternal})
			cause = nil
		}
	}
	x.g.uploads.Add(-x.uploading)
	x.account()
	if cause != nil {
		panic(http.ErrAbortHandler)
	}
}

// panicText names the panic without its value, which may hold a prompt. The
// stack beside it says where to look.
func panicText(cause any) string { return fmt.Sprintf("%T", cause) }

func (x *exchange) account() {
	x.event.Duration = x.g.options.Now().Sub(x.event.Started)
	x.transcribe()
	ctx := context.WithoutCancel(x.r.Context())
	x.g.options.Logger.LogAttrs(ctx, levelOf(&x.event), "request", slog.Any("", &x.event))
	if x.g.options.Recorder == nil {
		return
	}
	if err := x.g.options.Recorder.Record(ctx, &x.event); err != nil {
		x.g.options.Logger.LogAttrs(ctx, slog.LevelError, "the account of a request was not recorded",
			slog.String("request_id", x.event.RequestID), slog.String("error", err.Error()))
	}
}

// levelOf is the level of a request's line. That a caller left is no error.
func levelOf(e *claviger.Event) slog.Level {
	if e.Tripwire != "" || e.Status >= http.StatusInternalServerError && !e.CallerGone {
		return slog.LevelError
	}
	return slog.LevelInfo
}
