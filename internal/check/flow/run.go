package flow

import (
	"maps"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
)

// EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	Provider  EventKind = iota // a provider is called: Symbol
	Log                        // Value goes to a log
	Respond                    // Value goes to the caller
	Hand                       // Value goes to a client component
	Render                     // Value is rendered or written to HTML
	Cache                      // a header or option that caches an answer
	Upstream                   // the caller chooses where the key goes
	Key                        // a key that the caller sent is used for a provider
	Bound                      // Value is bound to an action
	Construct                  // a provider's client is made
)

// Event is one thing that happened on a way, with what holds there.
type Event struct {
	Kind   EventKind
	At     Place // the call or the property
	Stmt   Place
	Frames []Place // the calls that led there, outermost first
	Facts  Facts
	Value  *Value
	Symbol string
	Args   []*Value
	// Foreign says that the key is not the owner's: the caller brought it.
	Foreign bool
	Capped  bool // a cap on the output is set
}

// InputKind says how an input comes in.
type InputKind uint8

// The kinds of inputs.
const (
	Body InputKind = iota
	Query
	Parameter
	Context
)

// Input is something that the caller sends, or a part of it.
type Input struct {
	Name   string
	Kind   InputKind
	Parent int // -1 for a whole one
	At     Place
	// Schema is the field that describes it.
	Schema Place
	kids   map[string]int
}

// Use is a guard or limiter that was asked.
type Use struct {
	At     Place
	Call   Place // the call in the handler that led there
	Weak   string
	Key    *Value
	Before bool // a provider had been called
	Own    bool
}

// Run is what happened on the ways from one root.
type Run struct {
	Events []Event
	Inputs []*Input
	Calls  []Call // of things outside
	Auth   []Use
	Limits []Use
	// Cut says that the walk took too long to come to its end.
	Cut     bool
	Result  *Value
	Facts   Facts // at every normal end
	Returns []Return
	steps   int
	visited map[*facts.Node]bool
	called  bool
}

// Return is a statement by which the root itself ends.
type Return struct {
	Value *Value
	Place Place
	Facts Facts
}

// Visited reports whether the walk went into a function.
func (r *Run) Visited(n *facts.Node) bool { return r.visited[n] }

func (r *Run) input(parent int, name string, kind InputKind, at Place) int {
	if parent >= 0 {
		if id, ok := r.Inputs[parent].kids[name]; ok {
			return id
		}
	}
	if len(r.Inputs) > 110 {
		return len(r.Inputs) - 1
	}
	id := len(r.Inputs)
	r.Inputs = append(r.Inputs, &Input{Name: name, Kind: kind, Parent: parent, At: at, kids: map[string]int{}})
	if parent >= 0 {
		r.Inputs[parent].kids[name] = id
	}
	return id
}

// Holds reports whether an input, or what it is a part of, is checked and
// capped. An input whose parts are all capped is capped.
func (r *Run) Holds(f Facts, id int) (checked, capped bool) {
	for i := id; i >= 0; i = r.Inputs[i].Parent {
		checked = checked || f.Checked(i)
		capped = capped || f.Capped(i)
	}
	kids := r.Inputs[id].kids
	if !capped && len(kids) > 0 {
		all, described := true, false
		for name, k := range kids {
			described = described || r.Inputs[k].Schema.Node != nil || name == "[]"
			if _, c := r.Holds2(f, k); !c {
				all = false
			}
		}
		capped = all && described
	}
	if k, ok := kids["[]"]; ok {
		ch, ca := r.Holds2(f, k)
		checked, capped = checked || ch, capped || ca
	}
	return checked, capped
}

// Holds2 looks downwards alone.
func (r *Run) Holds2(f Facts, id int) (checked, capped bool) {
	checked, capped = f.Checked(id), f.Capped(id)
	for _, k := range r.Inputs[id].kids {
		ch, ca := r.Holds2(f, k)
		if ca && (r.Inputs[k].Name == "[]" || r.Inputs[k].Schema.Node == nil) {
			capped = true
		}
		checked = checked || ch
	}
	if !capped && len(r.Inputs[id].kids) > 0 {
		all := true
		for _, k := range r.Inputs[id].kids {
			if _, ca := r.Holds2(f, k); !ca {
				all = false
			}
		}
		capped = all
	}
	return checked, capped
}

// Root is where a walk begins.
type Root struct {
	Fn     *Value
	Module *Module
	Node   *facts.Node
	Args   func(*Interp) []*Value
	// Handler says that strangers call it, so that it is worth more time.
	Handler bool
	// Path is the path of the route, for matchers that look at it.
	Path string
}

// Do walks a root.
func (in *Interp) Do(root Root) *Run {
	in.begin(root.Path)
	if root.Handler {
		in.allowed = budget
	}
	st := in.tops.fork(Facts{})
	in.here, in.mod = root.Node, root.Module
	var args []*Value
	if root.Args != nil {
		args = root.Args(in)
	}
	r := in.run
	r.Result = in.awaited(in.enter(root.Fn, args, st, root.Node), st)
	r.Facts = st.facts
	in.run = nil
	return r
}

func (in *Interp) begin(path string) {
	in.run = &Run{visited: map[*facts.Node]bool{}}
	in.allowed = componentBudget
	in.validators = map[string]*Schema{}
	in.path, in.quiet, in.frames, in.returns, in.catches = path, 0, nil, nil, 0
}

// enter calls a root and keeps its returns apart.
func (in *Interp) enter(fn *Value, args []*Value, st *state, at *facts.Node) *Value {
	if fn == nil {
		return unknown
	}
	c := &call{in: in, node: at, sc: &scope{module: in.mod}, st: st, fn: fn, args: args}
	return c.run()
}

// Sweep walks the statements at the top of a module.
func (in *Interp) Sweep(m *Module) *Run {
	in.begin("")
	st := in.tops.fork(Facts{})
	in.mod = m
	for _, s := range m.Root.Kids {
		if s.Is(facts.Export) {
			s = s.Kid(0)
		}
		switch {
		case s.Is(facts.Var, facts.ExprStmt, facts.If, facts.Try, facts.ForEach):
			in.stmt(s, &scope{up: m.scope, module: m}, st)
			st.ended = false
		case s.Is(facts.ExportDefault) && !s.Kid(0).Is(facts.FuncDecl, facts.ClassDecl, facts.Func):
			in.eval(s.Kid(0), &scope{up: m.scope, module: m}, st)
		}
	}
	r := in.run
	in.run = nil
	return r
}

// asked reports whether somebody asks: what the top of a module does has no
// caller, and outlives the run that happens to evaluate it.
func (in *Interp) asked() bool { return in.run != nil && in.quiet == 0 }

// Body is an input that a caller sends.
func (in *Interp) Body(name string, kind InputKind, at Place) *Value {
	if !in.asked() {
		return &Value{}
	}
	id := in.run.input(-1, name, kind, at)
	v := &Value{Inputs: []int{id}, T: factChecked(id)}
	if credName(name) {
		v.Bits |= Cred
	}
	return v
}

func (in *Interp) emit(k EventKind, at Place, v *Value, st *state) *Event {
	if in.run == nil || in.quiet > 0 {
		return &Event{}
	}
	e := Event{Kind: k, At: at, Stmt: Place{in.mod, in.here}, Facts: st.facts, Value: v}
	for _, f := range in.frames {
		if f.at.Node != nil {
			e.Frames = append(e.Frames, f.at)
		}
	}
	in.run.Events = append(in.run.Events, e)
	return &in.run.Events[len(in.run.Events)-1]
}

// guard notes that something asked who the caller is.
func (in *Interp) guard(at Place, weak string) {
	if in.run != nil && in.quiet == 0 {
		in.run.Auth = append(in.run.Auth, Use{At: at, Call: in.outermost(at), Weak: weak, Before: in.run.called})
	}
}

// limit notes that a limiter was asked.
func (in *Interp) limit(at Place, key *Value, own bool) {
	if in.run != nil && in.quiet == 0 {
		in.run.Limits = append(in.run.Limits, Use{At: at, Call: in.outermost(at), Key: key, Before: in.run.called, Own: own})
	}
}

// outermost is the call in the root's own code that led here.
func (in *Interp) outermost(at Place) Place {
	for _, f := range in.frames {
		if f.at.Node != nil && f.at.Node.Is(facts.Call, facts.New) {
			return f.at
		}
	}
	return at
}

func sortedKeys(m map[string]*Value) []string { return slices.Sorted(maps.Keys(m)) }

// statusOf is the status that a value answers with, or stands for.
func (in *Interp) statusOf(v *Value, st *state) int {
	switch {
	case v.Status != 0:
		return v.Status
	case v.Kind == Record:
		for _, k := range []string{"status", "statusCode"} {
			if p := v.Props[k]; p != nil && p.Kind == Number {
				return number(p.Str)
			}
		}
		for _, k := range []string{"error", "message", "code", "serverError"} {
			if p := v.Props[k]; p != nil {
				if s := saysStatus(pattern(p)); s != 0 {
					return s
				}
			}
		}
		return 0
	}
	for t := st; t != nil; t = t.up {
		if t.sent != 0 {
			return t.sent
		}
		if !t.ended && t != st {
			break
		}
	}
	return 0
}

func number(s string) int {
	n := 0
	for _, d := range s {
		if d < '0' || d > '9' || n > 1_000_000 {
			return n
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// saysStatus is the status that a sentence means.
func saysStatus(s string) int {
	s = strings.ToLower(s)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
	}
	switch {
	case has("too many", "rate limit", "rate_limit", "ratelimit", "too_many", "quota", "slow down", "limit reached", "limit exceeded"):
		return 429
	case has("unauthor", "sign in", "log in", "login", "not logged", "forbidden", "not allowed", "not signed", "unauthenticated", "access denied"):
		return 401
	case has("invalid", "required", "missing", "too long", "bad_request", "bad request", "must be"):
		return 400
	}
	return 0
}

// Each calls f for every function that the walk went into.
func (r *Run) Each(f func(*facts.Node)) {
	for n := range r.visited {
		f(n)
	}
}

// Deep is the marks of a value and of all that hangs on it.
func Deep(v *Value) *Value { return deep(v) }

// Prop is a property of a record, or an unknown value.
func (v *Value) Prop(name string) *Value {
	if v != nil {
		if p := v.Props[name]; p != nil {
			return p
		}
	}
	return unknown
}

// NewRecord is an object with these properties and perhaps others.
func NewRecord(props map[string]*Value) *Value {
	v := record()
	v.Open = true
	maps.Copy(v.Props, props)
	return v
}

// Known is what a symbol stands for.
func Known(symbol string) *Value { return outside(symbol) }

// NodeResponse is the answer that a handler of Node.js writes to.
func NodeResponse() *Value {
	v := *outside("server#res")
	v.F = impossible
	return &v
}

// Pass walks a middleware and reports whether all ways that let a request go
// on have somebody signed in.
func (in *Interp) Pass(root Root) bool {
	run, here, mod := in.run, in.here, in.mod
	defer func() { in.run, in.here, in.mod = run, here, mod }()
	in.begin(root.Path)
	st := in.tops.fork(Facts{})
	in.here, in.mod = root.Node, root.Module
	args := root.Args(in)
	in.Passes = &[]Facts{}
	v := in.awaited(in.enter(root.Fn, args, st, root.Node), st)
	passes := *in.Passes
	in.Passes = nil
	if v.Kind == Response && v.Str != "next" && len(passes) == 0 {
		return true
	}
	if len(passes) == 0 {
		return st.facts.Has(FactAuth) && !st.facts.impossible
	}
	for _, f := range passes {
		if !f.Has(FactAuth) {
			return false
		}
	}
	return true
}

// Keys are the names of a record's properties, in order.
func Keys(v *Value) []string { return sortedKeys(v.Props) }

// Call is a call of something outside, for rules that know its name.
type Call struct {
	Symbol string
	Args   []*Value
	At     Place
}

// Local runs a function of a module's top by its name.
func (in *Interp) Local(m *Module, name string) *Run {
	c := m.scope.find(name)
	if c == nil {
		return &Run{}
	}
	fn := in.tops.get(c)
	return in.Do(Root{Fn: fn, Module: m, Node: m.Root, Args: func(*Interp) []*Value { return []*Value{NewRecord(nil)} }})
}

// WholeEnvironment reports whether all variables of the server are in a value.
func WholeEnvironment(v *Value) bool { return wholeEnvironment(v, 0) }

func wholeEnvironment(v *Value, depth int) bool {
	if v == nil || depth > 5 {
		return false
	}
	if v.Kind == Outside {
		switch v.Str {
		case "global#process.env", "process#env":
			return true
		case "vite#loadEnv()":
			return len(v.Args) > 2 && v.Args[2].Kind == Text && v.Args[2].Str == ""
		}
	}
	for _, p := range v.Props {
		if wholeEnvironment(p, depth+1) {
			return true
		}
	}
	return false
}
