package flow

import "claviger.dev/claviger/internal/check/facts"

// promise is what an asynchronous function gives at once: what it proves holds
// only where somebody waits for it, and by itself it is always true.
func (v *Value) promise(gain Facts) *Value {
	c := *v
	c.pending, c.gain = true, gain
	return &c
}

// settled is what a promise gives to whoever waits for it.
func (v *Value) settled() *Value {
	if v == nil || !v.pending {
		return v
	}
	c := *v
	c.pending, c.gain = false, Facts{}
	return &c
}

// awaited waits for a value, or for all of a list.
func (in *Interp) awaited(v *Value, st *state) *Value {
	if v.pending {
		st.facts = st.facts.and(v.gain)
		v = v.settled()
	}
	if v.Kind != List {
		return v
	}
	waiting := v.Elem != nil && v.Elem.pending
	for _, e := range v.Items {
		waiting = waiting || e != nil && e.pending
	}
	if !waiting {
		return v
	}
	c := *v
	c.Items = nil
	for _, e := range v.Items {
		c.Items = append(c.Items, in.awaited(e, st))
	}
	c.Elem = v.Elem.settled()
	return &c
}

// asks is what follows from a value being taken for true or for false: nothing
// from a promise, which is always true.
func (v *Value) asks() (yes, no Facts) {
	if v.pending {
		return Facts{}, impossible
	}
	return v.T, v.F
}

// later calls an asynchronous function for which nobody waits here.
func (c *call) later(f *Closure) *Value {
	before := c.st.facts
	v := c.in.invoke(f, c.args, c.recv, c.st, c.node)
	if c.st.ended {
		return v
	}
	gain := c.st.facts.without(before)
	if v.pending {
		gain = gain.and(v.gain)
	}
	c.st.facts = before
	return v.promise(gain)
}

// waits reports whether an await stands right before a call.
func (in *Interp) waits(n *facts.Node) bool { return in.waited != nil && in.waited == n }
