package gateway_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/authn/service"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/openaitest"
	"claviger.dev/claviger/redact"
	"claviger.dev/claviger/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ours    = "https://app.example.com"
	foreign = "https://evil.example"
	// publicURL is under what callers reach the gateway.
	publicURL = "https://ai.example.com"
	model     = "gpt-4.1-mini"
	// limitBody is MaxBody in tests.
	limitBody = 1 << 20
)

// parts are what a rig is made of. A test changes what it is about.
type parts struct {
	snapshot gateway.Snapshot
	options  gateway.Options
	plans    []authz.Plan
	sim      openaitest.Options
	upstream upstream.Options
	pool     *pool
	// noTripwire leaves the tripwire out.
	noTripwire bool
}

// rig is a gateway of real packages in front of a simulated OpenAI.
type rig struct {
	t        testing.TB
	sim      *openaitest.Server
	memory   *admit.Memory
	holds    *ledger
	gateway  *gateway.Gateway
	server   *httptest.Server
	snapshot gateway.Snapshot
	options  gateway.Options
	logs     *safeBuffer
	events   *recorder
	tickets  *ticket.Authenticator
	services *service.Authenticator
	sessions *authjs.Authenticator
	bearers  sync.Map // by subject
	// The planted secrets.
	upstreamKey, ticketSecret, sessionSecret, identityKey, serviceKey string
}

// random is a secret of at least 32 bytes that no scanner knows.
func random() string { return rand.Text() + rand.Text() }

// upstreamKey is a key of the provider. Its last four characters, which a masked
// key shows, are none that the random letters of an id could spell.
func upstreamKey() string { return "sk-proj-" + random() + "-q_9" }

func secret(s string) claviger.Secret { return claviger.NewSecret([]byte(s)) }

// newRig makes a gateway and serves it on loopback. At the test's end it is
// held to its bargain: no hold may be open.
func newRig(t testing.TB, change func(*parts)) *rig {
	t.Helper()
	r := &rig{
		t: t, logs: &safeBuffer{}, events: &recorder{},
		upstreamKey: upstreamKey(), ticketSecret: random(), sessionSecret: random(), identityKey: random(), serviceKey: random(),
	}
	p := &parts{
		sim:   openaitest.Options{Keys: []string{r.upstreamKey}, Delta: -1},
		plans: []authz.Plan{{Name: "all", Models: []string{model, "text-embedding-*", "omni-moderation-*"}}},
		pool:  &pool{keys: []claviger.Secret{secret(r.upstreamKey)}},
	}
	r.authenticators(p)
	r.memory = admit.NewMemory(admit.MemoryOptions{Now: time.Now})
	r.holds = &ledger{Admission: r.memory}
	logger := slog.New(slog.NewJSONHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p.options = gateway.Options{Admission: r.holds, Recorder: r.events, Logger: logger}
	p.upstream.Logger = logger
	r.defaults(&p.snapshot)
	if change != nil {
		change(p)
	}
	r.finish(p)
	r.serve()
	return r
}

func (r *rig) authenticators(p *parts) {
	var err error
	r.tickets, err = ticket.New(ticket.Options{
		Secrets: []claviger.Secret{secret(r.ticketSecret)}, Uses: ticket.NewMemoryUses(nil), Addresses: []string{publicURL},
	})
	must(r.t, err)
	r.services, err = service.New(service.Options{Keys: []service.Key{
		{Name: "web", Secret: secret(r.serviceKey), Claims: []string{"plan"}, Plans: []string{"all"}},
	}})
	must(r.t, err)
	r.sessions, err = authjs.New(authjs.Options{Secrets: []claviger.Secret{secret(r.sessionSecret)}, Version: 5, Secure: true})
	must(r.t, err)
	p.snapshot.Authenticators = []claviger.Authenticator{r.sessions, r.tickets, r.services}
	p.snapshot.Minter = minter{r.services, r.tickets}
	p.snapshot.ClientVerifier = r.services
}

func (r *rig) defaults(s *gateway.Snapshot) {
	s.Hosts = netx.NewHosts([]string{"127.0.0.1", "localhost", "app.example.com"})
	s.Origins = gateway.Origins{Exact: []string{ours}, Suffixes: []gateway.OriginSuffix{{Scheme: "https", Host: "-team.example.dev"}}}
	s.Proxy = &gateway.Proxy{Endpoints: []claviger.Endpoint{"responses", "chat.completions", "embeddings", "moderations"}}
	s.Prices = admit.DefaultPrices()
	s.MaxBody = limitBody
	s.Pseudonym = keys.NewIdentity(secret(r.identityKey)).Pseudonym
	s.Actions = actions(r.t)
}

func (r *rig) finish(p *parts) {
	t := r.t
	if p.snapshot.Authorizer == nil {
		plans, err := authz.New(p.plans)
		must(t, err)
		p.snapshot.Authorizer = plans
	}
	if p.snapshot.Upstream == nil {
		r.sim = openaitest.NewServer(t.(openaitest.TB), p.sim)
		p.upstream.Keys = p.pool
		if p.upstream.BaseURL == "" {
			p.upstream.BaseURL = r.sim.URL
		}
		client, err := upstream.New(p.upstream)
		must(t, err)
		t.Cleanup(client.CloseIdle)
		p.snapshot.Upstream = client
	}
	if !p.noTripwire {
		p.snapshot.Tripwire = redact.NewTripwire([]claviger.Secret{
			secret(r.upstreamKey), secret(r.ticketSecret), secret(r.sessionSecret), secret(r.identityKey), secret(r.serviceKey),
		})
	}
	var err error
	r.snapshot, r.options = p.snapshot, p.options
	r.gateway, err = gateway.New(p.options, p.snapshot)
	must(t, err)
}

// serve serves as the program does: see newServer there.
func (r *rig) serve() {
	r.server = httptest.NewUnstartedServer(r.gateway)
	r.server.Config.MaxHeaderBytes = 128 << 10
	r.server.Config.ReadHeaderTimeout = 10 * time.Second
	r.server.Config.DisableGeneralOptionsHandler = true
	r.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	r.server.Start()
	r.t.Cleanup(func() {
		r.server.Client().CloseIdleConnections()
		r.server.Close()
		r.gateway.Close()
		r.holds.check(r.t)
	})
}

func (r *rig) addr() string { return strings.TrimPrefix(r.server.URL, "http://") }

// ticket is a bearer for a user.
func (r *rig) ticket(sub string) string {
	r.t.Helper()
	if known, ok := r.bearers.Load(sub); ok {
		return known.(string)
	}
	token, _, err := r.tickets.Mint(context.Background(), ticket.Request{Subject: sub})
	must(r.t, err)
	r.bearers.Store(sub, "Bearer "+token)
	return "Bearer " + token
}

// cookie is the session cookie of a user who signed in to the app.
func (r *rig) cookie(sub string) string {
	r.t.Helper()
	_, cookies, err := r.sessions.Issue(claviger.Claims{"sub": sub}, time.Hour)
	must(r.t, err)
	var out []string
	for _, c := range cookies {
		out = append(out, c.Name+"="+c.Value)
	}
	return strings.Join(out, "; ")
}

// answer is an answer that was read whole. err is how reading it ended.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func (a answer) code() string {
	v, err := jsonx.Parse([]byte(a.body))
	if err != nil {
		return ""
	}
	if e, ok := v.Get("error"); ok && e.Kind() == jsonx.KindObject {
		v = e
	}
	c, _ := v.Get("code")
	return c.Str()
}

// send sends a request. Headers come in pairs; an empty value takes a default
// away. The default is JSON by a signed-in user.
func (r *rig) send(method, path, body string, headers ...string) answer {
	r.t.Helper()
	resp, err := r.open(context.Background(), method, path, body, headers...)
	must(r.t, err)
	return read(resp)
}

func (r *rig) post(path, body string, headers ...string) answer {
	r.t.Helper()
	return r.send(http.MethodPost, path, body, headers...)
}

func (r *rig) open(ctx context.Context, method, path, body string, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", r.ticket("ada"))
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	return r.server.Client().Do(req)
}

func read(resp *http.Response) answer {
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

// calls is how many requests reached the provider.
func (r *rig) calls() int { return r.sim.Count("") }

const (
	chatPath     = "/v1/chat/completions"
	generatePath = "/api/ai/generate"
)

func chat(prompt string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]}`, model, prompt)
}

func chatStream(prompt string) string {
	return fmt.Sprintf(`{"model":%q,"stream":true,"messages":[{"role":"user","content":%q}]}`, model, prompt)
}

func responseStream(prompt string) string {
	return fmt.Sprintf(`{"model":%q,"stream":true,"input":%q}`, model, prompt)
}

func generate(prompt string) string { return fmt.Sprintf(`{"prompt":%q}`, prompt) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func schema(t testing.TB, text string) jsonx.Value {
	t.Helper()
	v, err := jsonx.Parse([]byte(text))
	must(t, err)
	return v
}

func actions(t testing.TB) []*action.Action {
	t.Helper()
	var out []*action.Action
	for _, d := range []action.Definition{
		{Name: "generate-text", Path: generatePath, Model: model, Instructions: "Answer in one short paragraph."},
		{Name: "assistant", Kind: action.KindChat, Model: model, Instructions: "Be brief."},
		{Name: "facts", Model: model, Output: schema(t, `{"type":"object","additionalProperties":false,"required":["title","score"],
			"properties":{"title":{"type":"string"},"score":{"type":"integer"}}}`)},
	} {
		a, err := action.New(d)
		must(t, err)
		out = append(out, a)
	}
	return out
}

// minter joins service keys and tickets as the program does.
type minter struct {
	services *service.Authenticator
	tickets  *ticket.Authenticator
}

func (m minter) MintFor(ctx context.Context, p claviger.Principal, q gateway.TicketRequest) (string, time.Time, error) {
	key, ok := m.services.Grant(p.Service)
	if !ok {
		return "", time.Time{}, &claviger.Error{Code: claviger.CodeForbidden}
	}
	may, err := key.Narrow(service.Ask{Claims: q.Claims, Plan: q.Plan, Actions: q.Actions, TTL: q.TTL, JKT: q.JKT})
	if err != nil {
		return "", time.Time{}, err
	}
	return m.tickets.Mint(ctx, ticket.Request{
		Subject: q.Subject, Realm: key.Realm, Claims: may.Claims, Plan: may.Plan, Actions: may.Actions,
		TTL: may.TTL, Service: key.Name, MaxUses: q.MaxUses, JKT: may.JKT,
	})
}

// pool hands out its keys in order, by health that it does not track.
type pool struct {
	keys []claviger.Secret
	err  error
}

func (p *pool) Take(_ context.Context, _ claviger.KeyUse, except []string) (string, claviger.Secret, error) {
	if p.err != nil {
		return "", claviger.Secret{}, p.err
	}
	for i, k := range p.keys {
		id := fmt.Sprint("key", i)
		if len(except) == 0 || except[len(except)-1] != id {
			return id, k, nil
		}
	}
	return "", claviger.Secret{}, &claviger.Error{Code: claviger.CodeUpstreamError, Err: errors.New("every key was rejected")}
}

func (*pool) Report(string, int, time.Duration) {}
func (*pool) Belongs(string, string)            {}
func (*pool) Done(string)                       {}

// ledger counts the holds of an admission that are open, and keeps how they
// ended.
type ledger struct {
	claviger.Admission
	open     atomic.Int64
	admitted atomic.Int64

	mu     sync.Mutex
	closed []settlement
}

type settlement struct {
	released   bool
	held, used []claviger.Charge
}

// amount sums the charges of one kind.
func amount(of []claviger.Charge, kind claviger.ChargeKind) int64 {
	var n int64
	for _, c := range of {
		if c.Kind == kind {
			n += c.Amount
		}
	}
	return n
}

func (l *ledger) Admit(ctx context.Context, charges []claviger.Charge) (claviger.Hold, error) {
	h, err := l.Admission.Admit(ctx, charges)
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	l.admitted.Add(1)
	return &countedHold{Hold: h, l: l, held: charges}, nil
}

type countedHold struct {
	claviger.Hold
	l    *ledger
	held []claviger.Charge
	once sync.Once
}

func (h *countedHold) end(s settlement) {
	s.held = h.held
	h.once.Do(func() {
		h.l.open.Add(-1)
		h.l.mu.Lock()
		h.l.closed = append(h.l.closed, s)
		h.l.mu.Unlock()
	})
}

func (h *countedHold) Settle(ctx context.Context, used []claviger.Charge) error {
	h.end(settlement{used: used})
	return h.Hold.Settle(ctx, used)
}

func (h *countedHold) Release(ctx context.Context) error {
	h.end(settlement{released: true})
	return h.Hold.Release(ctx)
}

func (l *ledger) check(t testing.TB) {
	t.Helper()
	if n := l.open.Load(); n != 0 {
		t.Errorf("%d holds are open at the end", n)
	}
}

// last is how the newest closed hold ended.
func (l *ledger) last() settlement {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.closed) == 0 {
		return settlement{}
	}
	return l.closed[len(l.closed)-1]
}

// used sums what was settled of one kind.
func (l *ledger) used(kind claviger.ChargeKind) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int64
	for _, s := range l.closed {
		for _, c := range s.used {
			if c.Kind == kind {
				n += c.Amount
			}
		}
	}
	return n
}

// recorder keeps events.
type recorder struct {
	mu   sync.Mutex
	list []claviger.Event
}

func (r *recorder) Record(_ context.Context, e *claviger.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, *e)
	return nil
}

func (r *recorder) Erase(context.Context, claviger.Query) (int64, error) { return 0, nil }

func (r *recorder) all() []claviger.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]claviger.Event(nil), r.list...)
}

func (r *recorder) last(t testing.TB) claviger.Event {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) == 0 {
		t.Fatal("no event was recorded")
	}
	return r.list[len(r.list)-1]
}

// wait waits until n events were recorded: a caller reads the end of an answer
// before its account is closed.
func (r *recorder) wait(t testing.TB, n int) {
	t.Helper()
	for range 12_000 {
		if len(r.all()) >= n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d events after a minute, not %d", len(r.all()), n)
}
