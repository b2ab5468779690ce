package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"claviger.dev/claviger"
)

// PoolKey is one of the provider's keys.
type PoolKey struct {
	Ref claviger.Ref
	// Secret is the key; Err says why it could not be read.
	Secret claviger.Secret
	Err    error
	// Weight is the key's share of the calls; less than 1 counts as 1.
	Weight int
	// Environment and Project are told in KeyStatus and decide nothing here.
	Environment, Project string
}

// KeyStatus is how one key stands. It is safe to print.
type KeyStatus struct {
	// ID is the fingerprint of the key, empty when it is missing.
	ID    string
	Ref   claviger.Ref
	State State
	// Until is when a key that is out may be tried again, else the zero time.
	Until time.Time
	// Answer is the provider's status that put the key out, or 0.
	Answer               int
	Weight               int
	Environment, Project string
	// Err says why the key is missing.
	Err error
}

// PoolOptions configure a Pool.
type PoolOptions struct {
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
	// Changed is told when the state of a key changed, after the change and
	// from the goroutine of the call. Nil is silence.
	Changed func(KeyStatus)
}

// Pool hands out the provider's keys in turn, by weight, and leaves out those
// that the provider refuses. It is for concurrent use, and blocks on nothing.
type Pool struct {
	shared  *shared
	entries []*entry
	missing []PoolKey
}

// shared is what a pool and those that replace it have in common.
type shared struct {
	o      PoolOptions
	mu     sync.Mutex
	health map[string]*health // by fingerprint
}

type entry struct {
	PoolKey
	id      string
	credit  int // of the smooth weighted round robin
	*health     // guarded by shared.mu
}

// NewPool returns a pool of these keys. A key that stands twice counts once,
// with both weights.
func NewPool(o PoolOptions, list []PoolKey) *Pool {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Pool{shared: &shared{o: o, health: map[string]*health{}}}
	return p.Replace(list)
}

// Replace returns a pool of other keys. Those that it has in common with p keep
// their health, which both pools go on to share, so that calls under way on the
// old one still count. A nil p is an empty pool with the clock of the machine.
func (p *Pool) Replace(list []PoolKey) *Pool {
	if p == nil {
		return NewPool(PoolOptions{}, list)
	}
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	next := &Pool{shared: p.shared}
	for _, k := range list {
		if k.Err == nil && k.Secret.Len() == 0 {
			k.Err = fmt.Errorf("%s: %w", k.Ref, errEmpty)
		}
		if k.Err != nil {
			next.missing = append(next.missing, k)
			continue
		}
		k.Weight = max(k.Weight, 1)
		next.add(k)
	}
	maps.DeleteFunc(p.shared.health, func(id string, _ *health) bool {
		return next.find(id) == nil && p.find(id) == nil
	})
	return next
}

func (p *Pool) find(id string) *entry {
	for _, e := range p.entries {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (p *Pool) add(k PoolKey) {
	id := k.Secret.Fingerprint()
	if e := p.find(id); e != nil {
		e.Weight += k.Weight
		return
	}
	h := p.shared.health[id]
	if h == nil {
		h = &health{state: StateHealthy}
		p.shared.health[id] = h
	}
	p.entries = append(p.entries, &entry{PoolKey: k, id: id, health: h})
}

// Take returns a key that is fit to be tried and that except does not name. The
// id is the key's fingerprint. A key that is out and may be tried again comes
// first, one call at a time; in a second attempt, which except tells, last.
// Without a key the error is a *claviger.Error: CodeMisconfigured when none is
// configured or readable, CodeUpstreamError when all are rejected, and
// CodeUpstreamBusy with RetryAfter otherwise.
func (p *Pool) Take(_ context.Context, except []string) (id string, s claviger.Secret, err error) {
	now := p.shared.o.Now()
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	for _, e := range p.entries {
		e.tick(now)
	}
	e := p.pick(now, except)
	if e == nil {
		return "", claviger.Secret{}, p.none(now)
	}
	if e.state != StateHealthy {
		e.begin(now)
	}
	return e.id, e.Secret, nil
}

func (p *Pool) pick(now time.Time, except []string) *entry {
	if len(except) == 0 {
		if e := p.trial(now, except); e != nil {
			return e
		}
	}
	if e := p.next(except); e != nil {
		return e
	}
	return p.trial(now, except)
}

// next picks a healthy key by smooth weighted round robin: each gets credit by
// its weight, and who has most is taken and pays for all.
func (p *Pool) next(except []string) *entry {
	var best *entry
	total := 0
	for _, e := range p.entries {
		if e.state != StateHealthy || slices.Contains(except, e.id) {
			continue
		}
		e.credit += e.Weight
		total += e.Weight
		if best == nil || e.credit > best.credit {
			best = e
		}
	}
	if best != nil {
		best.credit -= total
	}
	return best
}

// trial picks the key that waited longest for its trial.
func (p *Pool) trial(now time.Time, except []string) *entry {
	var best *entry
	for _, e := range p.entries {
		if e.due(now) && !slices.Contains(except, e.id) && (best == nil || e.until.Before(best.until)) {
			best = e
		}
	}
	return best
}

// The reasons for which there is no key.
var (
	errNoKey    = errors.New("no upstream key is configured")
	errRejected = errors.New("every upstream key is rejected by the provider")
	errCooling  = errors.New("every upstream key is cooling down after the provider's rate limit")
)

// none says why there is no key. The caller holds the lock.
func (p *Pool) none(now time.Time) *claviger.Error {
	if len(p.entries) == 0 {
		causes := []error{errNoKey}
		if len(p.missing) > 0 {
			causes = nil
		}
		for _, k := range p.missing {
			causes = append(causes, k.Err)
		}
		return &claviger.Error{Code: claviger.CodeMisconfigured, Err: errors.Join(causes...)}
	}
	wait, rejected := time.Duration(-1), 0
	for _, e := range p.entries {
		if e.state == StateRejected {
			rejected++
			continue
		}
		if w := e.until.Sub(now); wait < 0 || w < wait {
			wait = w
		}
	}
	if rejected == len(p.entries) {
		return &claviger.Error{Code: claviger.CodeUpstreamError, Err: errRejected}
	}
	return &claviger.Error{Code: claviger.CodeUpstreamBusy, RetryAfter: max(wait, time.Second), Err: errCooling}
}

// Report tells how the call with a key ended: the provider's status, or 0 when
// there was none, and how long the provider asked to wait. 401 and 403 put the
// key out until it is replaced or a trial, one a minute, succeeds. 429 makes it
// cool down, for as long as the provider asked (an hour at most) or, when it did
// not say, for 5 to 30 seconds and until one trial succeeds. A status of 500 or
// more says nothing about the key; any other heals it.
func (p *Pool) Report(id string, status int, retryAfter time.Duration) {
	now := p.shared.o.Now()
	p.shared.mu.Lock()
	e := p.find(id)
	if e == nil {
		p.shared.mu.Unlock()
		return
	}
	before := e.state
	e.learn(now, status, retryAfter)
	changed, st := e.state != before, e.status(now)
	p.shared.mu.Unlock()
	if changed && p.shared.o.Changed != nil {
		p.shared.o.Changed(st)
	}
}

// status is how the key stands. The caller holds the lock.
func (e *entry) status(now time.Time) KeyStatus {
	e.tick(now)
	st := KeyStatus{
		ID: e.id, Ref: e.Ref, State: e.state, Answer: e.answer,
		Weight: e.Weight, Environment: e.Environment, Project: e.Project,
	}
	if e.state != StateHealthy {
		st.Until = e.until
	}
	return st
}

// Status tells how every key stands, those that are missing last.
func (p *Pool) Status() []KeyStatus {
	now := p.shared.o.Now()
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	var out []KeyStatus
	for _, e := range p.entries {
		out = append(out, e.status(now))
	}
	for _, k := range p.missing {
		out = append(out, KeyStatus{
			Ref: k.Ref, State: StateMissing, Err: k.Err,
			Weight: k.Weight, Environment: k.Environment, Project: k.Project,
		})
	}
	return out
}

// Problems says why no call can go upstream, one sentence for each key, or
// nothing while at least one key is fit. A key that cools down is fit.
func (p *Pool) Problems() []string {
	all := p.Status()
	if len(all) == 0 {
		return []string{errNoKey.Error()}
	}
	var out []string
	for _, k := range all {
		switch k.State {
		case StateHealthy, StateCooling:
			return nil
		case StateMissing:
			out = append(out, "upstream key missing: "+k.Err.Error())
		case StateRejected:
			out = append(out, fmt.Sprintf("upstream key %s (%s) was rejected by the provider with status %d", k.Ref, k.ID, k.Answer))
		}
	}
	return out
}
