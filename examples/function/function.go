// Package function is a gateway as a serverless function: any platform that
// calls an http.Handler can run it.
//
// Instances come and go, so what was used has to be kept where all of them see
// it: without REDIS_URL the function refuses to start.
package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/redact"
	"claviger.dev/claviger/store/redis"
	"claviger.dev/claviger/upstream"
)

// start makes the gateway once for each instance, when the first request comes.
var start = sync.OnceValues(func() (http.Handler, error) { return New(context.Background(), os.LookupEnv) })

// Handler is the function. A gateway that cannot start answers everybody with
// 500, and says why in the log alone.
func Handler(w http.ResponseWriter, r *http.Request) {
	h, err := start()
	if err != nil {
		slog.Error("the gateway cannot start", "error", err.Error())
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "private, no-store")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"error":"Server misconfigured","code":"misconfigured"}`))
		return
	}
	h.ServeHTTP(w, r)
}

// New makes the gateway from the environment: OPENAI_API_KEY, AUTH_SECRET,
// CLAVIGER_IDENTITY_KEY, REDIS_URL, APP_ORIGIN (as https://app.example.com) and
// CLAVIGER_HOST, the name under which the function is called.
func New(ctx context.Context, lookup func(string) (string, bool)) (http.Handler, error) {
	env := environment{src: keys.NewSources(keys.SourceOptions{Lookup: lookup}), ctx: ctx}
	key, session := env.secret("OPENAI_API_KEY"), env.secret("AUTH_SECRET")
	identity, at := env.secret("CLAVIGER_IDENTITY_KEY"), env.secret("REDIS_URL")
	origin, _ := lookup("APP_ORIGIN")
	host, _ := lookup("CLAVIGER_HOST")
	if env.err != nil {
		return nil, env.err
	}
	log := slog.New(redact.NewHandler(slog.NewJSONHandler(os.Stderr, nil), redact.NewTripwire(env.all)))
	limits, err := redis.Open(ctx, redis.Options{URL: at, NameKey: identity, Logger: log})
	if err != nil {
		return nil, err
	}
	people, err := authjs.New(authjs.Options{Secrets: []claviger.Secret{session}, Secure: true, Logger: log})
	if err != nil {
		return nil, err
	}
	plans, err := authz.New([]authz.Plan{{Name: "everyone", Models: []string{"gpt-4.1-mini"}, Limits: []claviger.Limit{
		{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 10, Per: claviger.PeriodMinute}},
		{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: 1_000_000, Per: claviger.PeriodDay, Currency: "USD"}},
	}}})
	if err != nil {
		return nil, err
	}
	tidy, err := action.New(action.Definition{
		Name: "tidy", Model: "gpt-4.1-mini", Instructions: "Correct spelling and grammar. Answer with the text alone.", MaxOutput: 800,
	})
	if err != nil {
		return nil, err
	}
	base, ok := lookup("CLAVIGER_UPSTREAM")
	if !ok {
		base = "https://api.openai.com/v1"
	}
	provider, err := upstream.New(upstream.Options{
		BaseURL: base, Keys: keys.NewPool(keys.PoolOptions{}, []keys.PoolKey{{Ref: "env:OPENAI_API_KEY", Secret: key}}),
		Connect: 5 * time.Second, Headers: 50 * time.Second, Idle: 30 * time.Second, Total: 55 * time.Second, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return gateway.New(gateway.Options{Admission: limits, Logger: log}, gateway.Snapshot{
		Hosts: gateway.Hosts(host), Origins: gateway.Origins{Exact: []string{origin}},
		Authenticators: []claviger.Authenticator{people}, Authorizer: plans, Actions: []*action.Action{tidy},
		Upstream: provider, Prices: admit.DefaultPrices(), MaxBody: 256 << 10,
		Pseudonym: keys.NewIdentity(identity).Pseudonym, Tripwire: redact.NewTripwire(env.all),
	})
}

// environment reads secrets, and remembers each and the first that is missing.
type environment struct {
	src *keys.Sources
	ctx context.Context //nolint:containedctx // lives for one call of New
	all []claviger.Secret
	err error
}

func (e *environment) secret(name string) claviger.Secret {
	s, _, err := e.src.Get(e.ctx, claviger.Ref("env:"+name))
	if err != nil {
		e.err = errors.Join(e.err, fmt.Errorf("%s: %w", name, err))
	}
	e.all = append(e.all, s)
	return s
}
