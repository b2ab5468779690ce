package keys

import (
	"errors"
	"slices"
	"time"

	"claviger.dev/claviger"
)

// KeyFor names for whom a key is kept: every list that is not empty must hold
// the call's. The zero value is for everyone.
type KeyFor struct{ Actions, Plans, Tenants []string }

func (f *KeyFor) everyone() bool { return len(f.Actions)+len(f.Plans)+len(f.Tenants) == 0 }

func (f *KeyFor) equal(g KeyFor) bool {
	return slices.Equal(f.Actions, g.Actions) && slices.Equal(f.Plans, g.Plans) && slices.Equal(f.Tenants, g.Tenants)
}

func (f *KeyFor) fits(u claviger.KeyUse) bool {
	holds := func(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }
	return holds(f.Actions, u.Action) && holds(f.Plans, u.Plan) && holds(f.Tenants, u.Tenant)
}

// entriesFor are the keys that may serve a use: those that are reserved for it,
// else those that are for everyone. The caller holds the lock.
func (p *Pool) entriesFor(u claviger.KeyUse) []*entry {
	if !p.reserved {
		return p.entries
	}
	var own, all []*entry
	for _, e := range p.entries {
		switch {
		case e.For.everyone():
			all = append(all, e)
		case e.For.fits(u):
			own = append(own, e)
		}
	}
	if len(own) > 0 {
		return own
	}
	return all
}

// choice is one search for a key. Whoever makes it holds the pool's lock.
type choice struct {
	p       *Pool
	entries []*entry
	now     time.Time
	except  []string
}

func (c *choice) pick() *entry {
	if len(c.except) == 0 {
		if e := c.trial(); e != nil {
			return e
		}
	}
	if e := c.next(); e != nil {
		return e
	}
	return c.trial()
}

// barred reports whether a key is out for a reason that time does not heal.
func (c *choice) barred(e *entry) bool {
	s := c.p.shared.stateOf(e)
	return s == StateRetired || s == StateMisplaced
}

// next picks a healthy key by smooth weighted round robin: each gets credit by
// its weight, and who has most is taken and pays for all.
func (c *choice) next() *entry {
	var best *entry
	total := 0
	for _, e := range c.entries {
		if e.state != StateHealthy || slices.Contains(c.except, e.id) || c.barred(e) {
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
func (c *choice) trial() *entry {
	var best *entry
	for _, e := range c.entries {
		if e.due(c.now) && !slices.Contains(c.except, e.id) && !c.barred(e) && (best == nil || e.until.Before(best.until)) {
			best = e
		}
	}
	return best
}

// The reasons for which there is no key.
var (
	errNoKey    = errors.New("no upstream key is configured")
	errNoneFor  = errors.New("every upstream key is reserved for other actions, plans or tenants")
	errRejected = errors.New("every upstream key is rejected by the provider")
	errCooling  = errors.New("every upstream key is cooling down after the provider's rate limit")
	errOut      = errors.New("every upstream key is retired, or answers for another project than the one it is pinned to")
)

// none says why there is no key.
func (c *choice) none() *claviger.Error {
	if len(c.p.entries) == 0 {
		causes := []error{errNoKey}
		if len(c.p.missing) > 0 {
			causes = nil
		}
		for _, k := range c.p.missing {
			causes = append(causes, k.Err)
		}
		return &claviger.Error{Code: claviger.CodeMisconfigured, Err: errors.Join(causes...)}
	}
	if len(c.entries) == 0 {
		return &claviger.Error{Code: claviger.CodeMisconfigured, Err: errNoneFor}
	}
	wait, rejected, barred := time.Duration(-1), 0, 0
	for _, e := range c.entries {
		if c.barred(e) {
			barred++
			continue
		}
		if e.state == StateRejected {
			rejected++
			continue
		}
		if w := e.until.Sub(c.now); wait < 0 || w < wait {
			wait = w
		}
	}
	switch {
	case barred == len(c.entries):
		return &claviger.Error{Code: claviger.CodeMisconfigured, Err: errOut}
	case rejected+barred == len(c.entries):
		return &claviger.Error{Code: claviger.CodeUpstreamError, Err: errRejected}
	}
	return &claviger.Error{Code: claviger.CodeUpstreamBusy, RetryAfter: max(wait, time.Second), Err: errCooling}
}
