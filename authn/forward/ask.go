package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/outbound"
	"claviger.dev/claviger/internal/netx"
)

// unavailable is the error for a question that got no good answer.
func unavailable(cause error) error {
	return &claviger.Error{Code: claviger.CodeIdentityUnavailable, RetryAfter: time.Second, Err: fmt.Errorf("forward: %w", cause)}
}

// flight is one question under way. said is set when done is closed.
type flight struct {
	done chan struct{}
	said *claviger.Principal
}

// start returns the question about c that is under way, after beginning one if
// none is. The question outlives the request that caused it, since others wait
// for it too.
func (a *Authenticator) start(ctx context.Context, c presented) (*flight, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f, ok := a.flights[c.key]; ok {
		return f, nil
	}
	now := a.now()
	f := &flight{done: make(chan struct{})}
	if p, until, ok := a.good.Find(c.key, now); ok && !a.due(p, until, now) {
		f.said = p // it came meanwhile
		close(f.done)
		return f, nil
	}
	lane := a.other
	if _, ok := a.known.Get(c.key, now); ok {
		lane = a.familiar
	} else if wait := a.guesses.Wait(c.from); wait > 0 {
		a.asked(AskedLimited)
		return nil, &claviger.Error{
			Code: claviger.CodeRateLimited, RetryAfter: wait,
			Err: errors.New("forward: too many credentials from there were worth nothing"),
		}
	}
	a.flights[c.key] = f
	go a.fly(context.WithoutCancel(ctx), f, c, lane)
	return f, nil
}

// due reports whether an answer that still counts is worth renewing. One that
// ends with its session gets no longer by it.
func (a *Authenticator) due(p *claviger.Principal, until, now time.Time) bool {
	return until.Sub(now) < a.cache/4 && !until.Equal(p.Expires)
}

// fly asks and keeps what was said, unless the credential was forgotten
// meanwhile.
func (a *Authenticator) fly(ctx context.Context, f *flight, c presented, lane *outbound.Lane) {
	start := a.now()
	said := a.question(ctx, &c, lane)
	a.mu.Lock()
	if a.flights[c.key] == f {
		delete(a.flights, c.key)
		a.keep(&c, said, start)
	}
	a.mu.Unlock()
	a.count(&c, said)
	f.said = said.who
	close(f.done)
}

// verdict is what came of a question: a caller, or refused, nobody or failed.
type verdict struct {
	who *claviger.Principal
	// ends is when the session ends by itself, or the zero time.
	ends time.Time
	// size is that of the answer in bytes.
	size int
	// gone says that no answer came at all.
	gone bool
}

// keep remembers a verdict from the moment at which the question began: what
// the app says is no newer.
func (a *Authenticator) keep(c *presented, said verdict, start time.Time) {
	switch said.who {
	case refused, nobody:
		a.good.Forget(c.key)
		a.known.Forget(c.key)
		a.vain.Put(c.key, said.who, start.Add(min(a.cache, inVain)), 0)
	case failed:
		// An answer that still counts goes on to, until its time is over.
		if !said.gone {
			a.vain.Put(c.key, failed, start.Add(broken), 0)
		}
	default:
		until := start.Add(a.cache)
		if !said.ends.IsZero() && said.ends.Before(until) {
			until = said.ends
		}
		a.vain.Forget(c.key)
		a.good.Put(c.key, said.who, until, said.size+len(c.value))
		a.known.Put(c.key, said.who, start.Add(familiar), 0)
	}
}

func (a *Authenticator) count(c *presented, said verdict) {
	outcome := AskedGood
	switch said.who {
	case refused:
		outcome = AskedRefused
	case nobody:
		outcome = AskedNobody
	case failed:
		outcome = AskedFailed
	}
	a.asked(outcome)
	if outcome != AskedGood && !said.gone {
		a.guesses.Add(c.from)
	}
}

// question asks the app about c.
func (a *Authenticator) question(ctx context.Context, c *presented, lane *outbound.Lane) verdict {
	leave, err := lane.Enter(ctx)
	if err != nil {
		return a.failure(ctx, err, true)
	}
	res, err := a.send(ctx, c)
	answered := err == nil || errors.Is(err, netx.ErrTooLarge)
	leave(answered)
	switch {
	case err != nil:
		return a.failure(ctx, err, !answered)
	case res.Status == http.StatusUnauthorized, res.Status == http.StatusForbidden:
		return verdict{who: refused}
	case res.Status/100 == 3:
		return a.failure(ctx, fmt.Errorf("status %d: a redirect is not followed; the endpoint has to answer a caller who is not signed in with 401, or with 200 and null", res.Status), false)
	case res.Status != http.StatusOK:
		return a.failure(ctx, fmt.Errorf("status %d, where 200, 401 or 403 is an answer", res.Status), false)
	}
	if err := res.CheckJSON(); err != nil {
		return a.failure(ctx, err, false)
	}
	said, err := a.read(res.Body, c.way)
	if err != nil {
		return a.failure(ctx, err, false)
	}
	return said
}

func (a *Authenticator) send(ctx context.Context, c *presented) (*netx.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return nil, err
	}
	c.put(r)
	return netx.Ask(a.client, r, maxBody)
}

// failure tells the operator, at most once a minute.
func (a *Authenticator) failure(ctx context.Context, cause error, gone bool) verdict {
	if a.told.Due(a.now(), time.Minute) {
		a.log.LogAttrs(ctx, slog.LevelWarn, "the app could not be asked who a caller is, so callers are refused with 503",
			slog.String("url", a.url), slog.Any("error", cause))
	}
	return verdict{who: failed, gone: gone}
}
