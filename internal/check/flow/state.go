package flow

// cell is a variable.
type cell struct {
	init *Value
	lazy func() *Value
}

// scope is the names of a function or block.
type scope struct {
	up     *scope
	cells  map[string]*cell
	module *Module
	this   *Value
}

func (s *scope) find(name string) *cell {
	for ; s != nil; s = s.up {
		if c, ok := s.cells[name]; ok {
			return c
		}
	}
	return nil
}

func (s *scope) declare(name string) *cell {
	if c, ok := s.cells[name]; ok {
		return c
	}
	c := &cell{init: nothing}
	if s.cells == nil {
		s.cells = map[string]*cell{}
	}
	s.cells[name] = c
	return c
}

func nest(up *scope) *scope { return &scope{up: up, module: up.module, this: up.this} }

// state is what holds at a place, and what the variables have there.
type state struct {
	up    *state
	vals  map[*cell]*Value
	facts Facts
	// ended says that the way does not go on; how says by what.
	ended bool
	how   exit
	sent  int // the status that an answer was sent with
}

// exit is how a way ended.
type exit struct {
	threw  bool
	jumped bool
	status int // of the answer that was returned
}

func (s *state) get(c *cell) *Value {
	for t := s; t != nil; t = t.up {
		if v, ok := t.vals[c]; ok {
			return v
		}
	}
	if c.lazy != nil {
		f := c.lazy
		c.lazy, c.init = nil, unknown
		c.init = f()
	}
	return c.init
}

func (s *state) set(c *cell, v *Value) {
	if s.vals == nil {
		s.vals = map[*cell]*Value{}
	}
	s.vals[c] = v
	// What a closure finds when the state that it was made in is gone.
	if c.lazy == nil {
		c.init = v
	}
}

func (s *state) fork(add Facts) *state {
	f := s.facts.and(add)
	return &state{up: s, facts: f, ended: s.ended || f.impossible}
}

// adopt goes on from one fork.
func (s *state) adopt(f *state) {
	for c, v := range f.vals {
		s.set(c, v)
	}
	s.facts = f.facts
	s.ended, s.how = f.ended, f.how
}

// merge goes on from where two forks meet.
func (s *state) merge(a, b *state) {
	switch {
	case a.ended && b.ended:
		s.facts = a.facts.or(b.facts)
		s.ended = true
		s.how = a.how
		if a.facts.impossible {
			s.how = b.how
		}
		return
	case a.ended:
		s.adopt(b)
		return
	case b.ended:
		s.adopt(a)
		return
	}
	for c := range a.vals {
		s.set(c, join(a.get(c), b.get(c)))
	}
	for c := range b.vals {
		if _, done := a.vals[c]; !done {
			s.set(c, join(a.get(c), b.get(c)))
		}
	}
	s.facts = a.facts.or(b.facts)
}
