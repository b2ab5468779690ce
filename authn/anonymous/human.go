package anonymous

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
	"claviger.dev/claviger/authn/internal/outbound"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
)

// HumanHeader is the request header in which a page sends the token that the
// provider's widget gave it.
const HumanHeader = "Claviger-Human"

// The addresses at which Turnstile and hCaptcha check proofs.
const (
	TurnstileURL = "https://challenges.cloudflare.com/turnstile/v0/siteverify"
	HCaptchaURL  = "https://api.hcaptcha.com/siteverify"
)

// The outcomes that Human.Asked is told.
const (
	AskedProven  = "proven"
	AskedRefused = "refused"
	AskedFailed  = "failed"
	AskedLimited = "limited"
)

// Bounds on what is asked and believed.
const (
	timeout  = 3 * time.Second
	connect  = time.Second
	maxBody  = 16 << 10
	minProof = 16
	maxProof = 8 << 10 // bytes of a token
	slots    = 16
	// proven is how long a proof counts for the address that brought it.
	proven = 10 * time.Minute
	// unproven is how long a token that was refused is not asked about again.
	unproven = time.Minute
	// freshness is how long ago the widget may have been solved, and ahead how
	// far the provider's clock may be before ours.
	freshness, ahead = 10 * time.Minute, time.Minute
	// lowest is the lowest score that is a person's, where the provider scores.
	lowest = 0.5
)

// Human asks for a proof that a person is there: the one-time token of a widget
// on the page, which its provider verifies once.
type Human struct {
	// URL is the provider's endpoint, by the form that reCAPTCHA made common: a
	// POST of secret and response. It is https, or http on loopback.
	URL string
	// Secret is that of the account.
	Secret claviger.Secret
	// SiteKey, when set, is sent as sitekey, so that the provider refuses proofs
	// of another page.
	SiteKey string
	// Action, when set, is what the proof must have been made for.
	Action string
	// Scored says that a score below 0.5 is no proof, where the answer has one.
	Scored bool
	// Host reports whether a proof may have been made on a page of that host.
	// Nil admits all.
	Host func(name string) bool
	// Otherwise is the plan of callers without a proof. Empty refuses them.
	Otherwise string
	// InsecureHTTP and AllowPrivate are as for every outbound client.
	InsecureHTTP, AllowPrivate bool
	// Proofs remember what was proven; nil makes new ones. One that is handed on
	// survives a reload.
	Proofs *Proofs
	// Logger is told when the provider cannot be asked. Nil discards.
	Logger *slog.Logger
	// Asked, when set, is told the outcome of each question and of each refusal
	// to ask. It must not block.
	Asked func(outcome string)
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Proofs remember which token was good or not, by its hash and the address that
// brought it. Their memory is bounded. The zero value is not usable.
type Proofs struct {
	good, bad *credential.Memory[claviger.Principal]
}

// NewProofs returns a memory in which nothing is proven.
func NewProofs() *Proofs {
	return &Proofs{good: credential.NewMemory[claviger.Principal](8 << 20), bad: credential.NewMemory[claviger.Principal](2 << 20)}
}

// prover decides about proofs.
type prover struct {
	o       Human
	client  *http.Client
	lane    *outbound.Lane
	guesses *outbound.Guesses
	told    credential.Seldom

	mu      sync.Mutex
	flights map[credential.Key]chan struct{}
}

func newProver(o Human) (*prover, error) {
	u, err := netx.ParseBaseURL(o.URL, o.InsecureHTTP)
	switch {
	case err != nil:
		return nil, fmt.Errorf("anonymous: human: url: %w", err)
	case len(credential.Bytes(o.Secret)) == 0:
		return nil, errors.New("anonymous: human: the secret is empty")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Asked == nil {
		o.Asked = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Proofs == nil {
		o.Proofs = NewProofs()
	}
	client, err := netx.Client(netx.Options{
		BaseURL: (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), InsecureHTTP: o.InsecureHTTP, AllowPrivate: o.AllowPrivate,
		Connect: connect, Timeout: timeout, MaxHeaderBytes: 32 << 10, IdlePerHost: slots,
	})
	if err != nil {
		return nil, fmt.Errorf("anonymous: human: url: %w", err)
	}
	return &prover{
		o: o, client: client, lane: outbound.NewLane(slots, o.Now), guesses: outbound.NewGuesses(o.Now),
		flights: map[credential.Key]chan struct{}{},
	}, nil
}

// holds reports whether r brings a proof that is good. A provider that does not
// answer proves nothing.
func (p *prover) holds(ctx context.Context, r *http.Request) bool {
	lines := r.Header[HumanHeader]
	if len(lines) != 1 || len(lines[0]) < minProof || len(lines[0]) > maxProof {
		return false
	}
	token := lines[0]
	from, _ := claviger.ClientFrom(ctx)
	key := keyOf(token, from)
	if said, known := p.remembered(key); known {
		return said
	}
	done, err := p.start(ctx, key, token, from)
	if err != nil {
		p.o.Asked(AskedLimited)
		return false
	}
	select {
	case <-done:
		said, _ := p.remembered(key)
		return said
	case <-ctx.Done():
		return false
	}
}

// keyOf binds a token to the address that brought it, so that one proof is not
// passed around.
func keyOf(token string, from netip.Prefix) credential.Key {
	sum := sha256.Sum256([]byte(token))
	return credential.KeyOf(from.String()+" "+string(sum[:]), 0)
}

func (p *prover) remembered(key credential.Key) (proves, known bool) {
	now := p.o.Now()
	if _, ok := p.o.Proofs.good.Get(key, now); ok {
		return true, true
	}
	_, ok := p.o.Proofs.bad.Get(key, now)
	return false, ok
}

var errGuesses = errors.New("too many proofs from there were none")

// start returns when the question about a token is done, after beginning one if
// none is under way. It outlives the request that caused it: a token is good for
// one question, and others wait for it too.
func (p *prover) start(ctx context.Context, key credential.Key, token string, from netip.Prefix) (<-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done, ok := p.flights[key]; ok {
		return done, nil
	}
	done := make(chan struct{})
	if _, known := p.remembered(key); known {
		close(done)
		return done, nil
	}
	if p.guesses.Wait(from) > 0 {
		return nil, errGuesses
	}
	p.flights[key] = done
	go func() {
		defer close(done)
		p.settle(key, from, p.question(context.WithoutCancel(ctx), token, from))
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.flights, key)
	}()
	return done, nil
}

var remark = &claviger.Principal{} // stands in memory for a proof

func (p *prover) settle(key credential.Key, from netip.Prefix, outcome string) {
	p.o.Asked(outcome)
	switch outcome {
	case AskedProven:
		p.o.Proofs.good.Put(key, remark, p.o.Now().Add(proven), 0)
	case AskedRefused:
		p.o.Proofs.bad.Put(key, remark, p.o.Now().Add(unproven), 0)
		p.guesses.Add(from)
	}
}

// question has the provider verify a token.
func (p *prover) question(ctx context.Context, token string, from netip.Prefix) string {
	leave, err := p.lane.Enter(ctx)
	if err != nil {
		return p.failure(ctx, err)
	}
	res, err := p.send(ctx, token, from)
	leave(err == nil || errors.Is(err, netx.ErrTooLarge))
	if err == nil && res.Status != http.StatusOK {
		err = fmt.Errorf("status %d", res.Status)
	}
	if err == nil {
		err = res.CheckJSON()
	}
	if err != nil {
		return p.failure(ctx, err)
	}
	v, err := jsonx.Parse(res.Body)
	if err != nil || v.Kind() != jsonx.KindObject {
		return p.failure(ctx, errors.New("the answer is no JSON object"))
	}
	if why := p.judge(v); why != nil {
		p.tell(ctx, why, v)
		return AskedRefused
	}
	return AskedProven
}

func (p *prover) send(ctx context.Context, token string, from netip.Prefix) (*netx.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	form := url.Values{"secret": {string(credential.Bytes(p.o.Secret))}, "response": {token}}
	if from.IsValid() && from.IsSingleIP() && !from.Addr().IsLoopback() {
		form.Set("remoteip", from.Addr().String())
	}
	if p.o.SiteKey != "" {
		form.Set("sitekey", p.o.SiteKey)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.o.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return netx.Ask(p.client, r, maxBody)
}

// failure tells the operator, at most once a minute.
func (p *prover) failure(ctx context.Context, cause error) string {
	if p.told.Due(p.o.Now(), time.Minute) {
		p.o.Logger.LogAttrs(ctx, slog.LevelWarn, "proofs that a person is there could not be checked, so nobody has one",
			slog.String("url", p.o.URL), slog.Any("error", cause))
	}
	return AskedFailed
}
