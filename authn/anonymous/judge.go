package anonymous

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"claviger.dev/claviger/internal/jsonx"
)

var (
	errNoSuccess = errors.New("the provider says no")
	errHost      = errors.New("the proof was made on another site")
	errAction    = errors.New("the proof was made for something else")
	errAge       = errors.New("the proof is too old, or of no time")
	errScore     = errors.New("the score is too low")
)

// judge returns why an answer is no proof. Members that providers leave out are
// not missed, but for an action that is configured; what is there must be right.
func (p *prover) judge(v jsonx.Value) error {
	if success, _ := v.Get("success"); !success.Bool() {
		return errNoSuccess
	}
	if host, there := present(v, "hostname"); there && p.o.Host != nil && !p.o.Host(host.Str()) {
		return errHost
	}
	if action, _ := v.Get("action"); p.o.Action != "" && !action.Is(p.o.Action) {
		return errAction
	}
	if score, there := present(v, "score"); there && p.o.Scored {
		if f, ok := score.Float(); !ok || !(f >= lowest) {
			return errScore
		}
	}
	at, there := present(v, "challenge_ts")
	if !there {
		return nil
	}
	solved, err := time.Parse(time.RFC3339, at.Str())
	if since := p.o.Now().Sub(solved); err != nil || since > freshness || since < -ahead {
		return errAge
	}
	return nil
}

// present is Get for a member that is not null.
func present(v jsonx.Value, name string) (jsonx.Value, bool) {
	m, ok := v.Get(name)
	return m, ok && !m.IsNull()
}

// tell lets the operator know, at most once a minute, when a refusal may be our
// own fault: the provider refuses the account, or the proof is of another site.
func (p *prover) tell(ctx context.Context, why error, v jsonx.Value) {
	if errors.Is(why, errNoSuccess) {
		codes, _ := v.Get("error-codes")
		if !slices.ContainsFunc(codes.Elems(), func(c jsonx.Value) bool { return slices.Contains(ours, c.Str()) }) {
			return
		}
		why = errAccount
	}
	if p.told.Due(p.o.Now(), time.Minute) {
		p.o.Logger.LogAttrs(ctx, slog.LevelWarn, "a proof that a person is there was refused", slog.String("url", p.o.URL), slog.Any("error", why))
	}
}

// ours are the error codes of providers that no caller can cause.
var ours = []string{"missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch"}

var errAccount = errors.New("the provider refuses the account: correct secret and site_key")
