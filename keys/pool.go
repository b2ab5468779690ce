package keys

import (
	"context"
	"fmt"
	"maps"
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
	// Held, when set, is the fingerprint of a key that another process holds;
	// Secret is empty then, and Take gives none.
	Held string
	// Weight is the key's share of the calls; less than 1 counts as 1.
	Weight int
	// Environment is told in KeyStatus and decides nothing here.
	Environment string
	// Project, when set, is the only project of the provider for which the key
	// may answer; one that answers for another is taken out of use.
	Project string
	// For, when it names anybody, are the only calls for which the key is used.
	For KeyFor
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
	// Answered is the project for which the provider last said that the key
	// answers, where it said so.
	Answered string
	For      KeyFor
	// InFlight is how many calls are under way with the key.
	InFlight int
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
	// Retired reports whether an operator took the key of this fingerprint out of
	// use. It is asked often and under a lock, and must not block. Nil means that
	// none is.
	Retired func(id string) bool
}

// Pool hands out the provider's keys in turn, by weight, and leaves out those
// that the provider refuses. It is for concurrent use, and blocks on nothing.
type Pool struct {
	shared  *shared
	entries []*entry
	missing []PoolKey
	// at is where the keys are good, once the pool serves.
	at string
	// reserved says that some keys are for some calls only.
	reserved bool
}

// shared is what a pool and those that replace it have in common.
type shared struct {
	o      PoolOptions
	mu     sync.Mutex
	health map[string]*health // by fingerprint
	// project is for which one each key answers; flying counts calls under way.
	// Both are by fingerprint.
	project map[string]string
	flying  map[string]int
	// serving is the pool from which new calls take their keys.
	serving *Pool
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
	if o.Retired == nil {
		o.Retired = func(string) bool { return false }
	}
	p := &Pool{shared: &shared{o: o, health: map[string]*health{}, project: map[string]string{}, flying: map[string]int{}}}
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
		if k.Err == nil && k.Held == "" && k.Secret.Len() == 0 {
			k.Err = fmt.Errorf("%s: %w", k.Ref, errEmpty)
		}
		if k.Err != nil {
			next.missing = append(next.missing, k)
			continue
		}
		k.Weight = max(k.Weight, 1)
		next.add(k)
	}
	gone := func(id string) bool { return next.find(id) == nil && p.find(id) == nil }
	maps.DeleteFunc(p.shared.health, func(id string, _ *health) bool { return gone(id) })
	maps.DeleteFunc(p.shared.project, func(id, _ string) bool { return gone(id) })
	return next
}

// Serve makes p the pool of new calls. From now on the pools that it replaces
// hand out its keys instead of their own, as long as they are for the same place
// (the provider's address), so that a call that began before a rotation does not
// take the old key after it.
func (p *Pool) Serve(at string) {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	p.at = at
	p.shared.serving = p
}

// newest is the pool whose keys a call on p gets. The caller holds the lock.
func (p *Pool) newest() *Pool {
	if s := p.shared.serving; s != nil && s.at == p.at {
		return s
	}
	return p
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
	id := k.Held
	if id == "" {
		id = k.Secret.Fingerprint()
	}
	for _, e := range p.entries {
		if e.id == id && e.For.equal(k.For) {
			e.Weight += k.Weight
			return
		}
	}
	h := p.shared.health[id]
	if h == nil {
		h = &health{state: StateHealthy}
		p.shared.health[id] = h
	}
	p.reserved = p.reserved || !k.For.everyone()
	p.entries = append(p.entries, &entry{PoolKey: k, id: id, health: h})
}

// Take returns a key that is fit to be tried for use and that except does not
// name. The id is the key's fingerprint. A key that is out and may be tried again
// comes first, one call at a time; in a second attempt, which except tells, last.
// Where keys are reserved for the use, no other key serves it, and nothing else is
// served by them. Without a key the error is a *claviger.Error: CodeMisconfigured
// when none is configured, readable and in use, CodeUpstreamError when all are
// rejected, and CodeUpstreamBusy with RetryAfter otherwise. Each Take is followed
// by one Report and one Done.
func (p *Pool) Take(_ context.Context, use claviger.KeyUse, except []string) (id string, s claviger.Secret, err error) {
	now := p.shared.o.Now()
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	p = p.newest()
	c := choice{entries: p.entriesFor(use), p: p, now: now, except: except}
	for _, e := range c.entries {
		e.tick(now)
	}
	e := c.pick()
	if e == nil {
		return "", claviger.Secret{}, c.none()
	}
	if e.state != StateHealthy {
		e.begin(now)
	}
	p.shared.flying[e.id]++
	return e.id, e.Secret, nil
}

// Done says that a call with a key has ended, with all that there was to read of
// its answer.
func (p *Pool) Done(id string) {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	if p.shared.flying[id]--; p.shared.flying[id] <= 0 {
		delete(p.shared.flying, id)
	}
}

// Belongs takes in for which project the provider says that a key answers. A key
// that is pinned to another one is out of use from then on, until it is replaced,
// or its pin. The call that found out stands: the provider has it already.
func (p *Pool) Belongs(id, project string) {
	now := p.shared.o.Now()
	p.shared.mu.Lock()
	e := p.newest().find(id)
	known := p.shared.project[id] == project
	if e == nil || known {
		p.shared.mu.Unlock()
		return
	}
	before := p.shared.stateOf(e)
	p.shared.project[id] = project
	changed, st := p.shared.stateOf(e) != before, p.shared.status(e, now)
	p.shared.mu.Unlock()
	if changed && p.shared.o.Changed != nil {
		p.shared.o.Changed(st)
	}
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
	e := p.newest().find(id)
	if e == nil {
		e = p.find(id)
	}
	if e == nil {
		p.shared.mu.Unlock()
		return
	}
	before := p.shared.stateOf(e)
	e.learn(now, status, retryAfter)
	changed, st := p.shared.stateOf(e) != before, p.shared.status(e, now)
	p.shared.mu.Unlock()
	if changed && p.shared.o.Changed != nil {
		p.shared.o.Changed(st)
	}
}

// stateOf is the state of a key with what stands above its health. The caller
// holds the lock.
func (s *shared) stateOf(e *entry) State {
	switch {
	case s.o.Retired(e.id):
		return StateRetired
	case e.Project != "" && s.project[e.id] != "" && s.project[e.id] != e.Project:
		return StateMisplaced
	}
	return e.state
}

// status is how the key stands. The caller holds the lock.
func (s *shared) status(e *entry, now time.Time) KeyStatus {
	e.tick(now)
	st := KeyStatus{
		ID: e.id, Ref: e.Ref, State: s.stateOf(e), Answer: e.answer, Weight: e.Weight,
		Environment: e.Environment, Project: e.Project, Answered: s.project[e.id], For: e.For, InFlight: s.flying[e.id],
	}
	if st.State == StateCooling || st.State == StateRejected {
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
		out = append(out, p.shared.status(e, now))
	}
	for _, k := range p.missing {
		out = append(out, KeyStatus{
			Ref: k.Ref, State: StateMissing, Err: k.Err,
			Weight: k.Weight, Environment: k.Environment, Project: k.Project, For: k.For,
		})
	}
	return out
}

// InFlight counts the calls under way by the fingerprint of their key, also for
// keys that the pool does not have any more.
func (p *Pool) InFlight() map[string]int {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	return maps.Clone(p.shared.flying)
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
		case StateMisplaced:
			out = append(out, fmt.Sprintf("upstream key %s (%s) is pinned to another project than the provider says it belongs to", k.Ref, k.ID))
		case StateRetired:
			out = append(out, fmt.Sprintf("upstream key %s (%s) was retired; put another in its place", k.Ref, k.ID))
		}
	}
	return out
}
