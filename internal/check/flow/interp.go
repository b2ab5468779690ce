package flow

import (
	"claviger.dev/claviger/internal/check/facts"
)

// budget is how many nodes one root may cost; a component, of which there are
// many and which matters less, gets a part of it.
const (
	budget          = 400_000
	componentBudget = 20_000
)

// Interp walks handlers of one project. It is not safe for concurrent use.
type Interp struct {
	project Project
	modules map[string]*Module
	tops    *state
	// Browser says that the code runs in a browser: "use server" is a border.
	Browser bool
	// Path is the path that a request asks for, where it matters.
	path    string
	run     *Run
	quiet   int
	frames  []frame
	returns []*[]ret
	here    *facts.Node // the statement
	mod     *Module
	catches int
	allowed int
	// Steps is how many nodes all walks have cost.
	Steps      int
	loose      int // steps outside of any run
	chains     map[string]*chain
	registered map[*facts.Node]bool
	contexts   []*Value           // what makes the context of procedures
	validators map[string]*Schema // of this run, by the part of the request
	routerIDs  map[*facts.Node]int
	serial     int
	waited     *facts.Node // the call that an await stands before
	// Passes gathers what holds where a middleware lets a request go on.
	Passes *[]Facts
	// Inline are the functions that "use server" makes actions where they stand.
	Inline map[*facts.Node]*Value
	// Endpoints are what builders and routers were given, in the order found.
	Endpoints []*Endpoint
}

type frame struct {
	fn *facts.Node
	at Place
}

// ret is one way out of a function.
type ret struct {
	v     *Value
	st    *state
	place Place
}

// New makes an interpreter of a project.
func New(p Project) *Interp {
	return &Interp{project: p, modules: map[string]*Module{}, tops: &state{}, Inline: map[*facts.Node]*Value{}, chains: map[string]*chain{}, registered: map[*facts.Node]bool{}, routerIDs: map[*facts.Node]int{}}
}

// Closure is a function with what it sees.
type Closure struct {
	Node   *facts.Node
	scope  *scope
	Module *Module
	bound  []*Value
	native func(c *call) *Value
}

func (in *Interp) block(stmts []*facts.Node, sc *scope, st *state) {
	for _, s := range stmts {
		if s.Is(facts.FuncDecl) && s.Kid(0) != nil {
			sc.declare(s.Kids[0].Str).init = in.closure(s.Kids[0], sc)
		}
	}
	for _, s := range stmts {
		if st.ended {
			return
		}
		in.stmt(s, sc, st)
	}
}

func (in *Interp) stmt(n *facts.Node, sc *scope, st *state) {
	if n == nil || st.ended || !in.step() {
		return
	}
	before := in.here
	in.here, in.mod = n, sc.module
	defer func() { in.here = before; in.mod = sc.module }()
	switch n.Kind {
	case facts.Block:
		in.block(n.Kids, nest(sc), st)
	case facts.ExprStmt, facts.ExportDefault:
		in.eval(n.Kid(0), sc, st)
	case facts.Export:
		in.stmt(n.Kid(0), sc, st)
	case facts.Var:
		for _, d := range n.Kids {
			v := nothing
			if d.Kid(1) != nil {
				v = in.eval(d.Kids[1], sc, st)
			}
			in.bind(d.Kid(0), v, sc, st)
		}
	case facts.ClassDecl:
		if k := n.Kid(0); k != nil {
			st.set(sc.declare(k.Str), in.eval(k, sc, st))
		}
	case facts.Return:
		v := nothing
		if n.Kid(0) != nil {
			v = in.eval(n.Kids[0], sc, st)
		}
		in.leave(v, n, sc, st)
	case facts.Throw:
		v := in.eval(n.Kid(0), sc, st)
		st.ended, st.how = true, exit{threw: true, status: in.statusOf(v, st)}
	case facts.Jump:
		st.ended, st.how = true, exit{jumped: true}
	case facts.If:
		in.branch(n, sc, st)
	case facts.Switch:
		in.switching(n, sc, st)
	case facts.Try:
		in.trying(n, sc, st)
	default:
		in.looping(n, sc, st)
	}
}

// leave is a return.
func (in *Interp) leave(v *Value, n *facts.Node, sc *scope, st *state) {
	if st.ended || len(in.returns) == 0 {
		return
	}
	top := in.returns[len(in.returns)-1]
	*top = append(*top, ret{v: v, st: &state{up: st.up, vals: st.vals, facts: st.facts}, place: Place{sc.module, n}})
	st.ended, st.how = true, exit{status: in.statusOf(v, st)}
}

func (in *Interp) branch(n *facts.Node, sc *scope, st *state) {
	test := in.eval(n.Kid(0), sc, st)
	if st.ended {
		return
	}
	ifSo, ifNot := test.asks()
	yes, no := st.fork(ifSo), st.fork(ifNot)
	in.refine(n.Kid(0), sc, yes, no)
	in.stmt(n.Kid(1), sc, yes)
	in.stmt(n.Kid(2), sc, no)
	in.weigh(yes, no, test)
	in.weigh(no, yes, test)
	st.merge(yes, no)
}

// weigh corrects what a guard proves by how it refuses: too many requests is
// said of a limit and of nothing else, and only a refusal that says "you may
// not" makes a guard of a look at what the caller chose.
func (in *Interp) weigh(refused, goes *state, test *Value) {
	if !refused.ended || goes.ended || refused.how.jumped || refused.facts.impossible {
		return
	}
	base := goes.up.facts
	switch how := refused.how; how.status {
	case 429, 402:
		goes.facts = goes.facts.without(fact(FactAuth).without(base)).without(fact(FactWeakAuth).without(base))
		if !goes.facts.impossible && test.Kind != Truth {
			goes.facts = goes.facts.and(fact(FactLimit))
		}
	case 400, 413, 422, 405, 415:
		goes.facts = goes.facts.without(fact(FactWeakAuth).without(base))
	}
}

func (in *Interp) switching(n *facts.Node, sc *scope, st *state) {
	v := in.eval(n.Kid(0), sc, st)
	var ends []*state
	deflt := false
	for _, c := range n.Kids[1:] {
		f := st.fork(Facts{})
		if c.Kid(0) == nil {
			deflt = true
		} else {
			k := in.eval(c.Kids[0], sc, f)
			if v.Kind == Text && k.Kind == Text {
				if v.Str != k.Str {
					continue
				}
			}
		}
		in.block(c.Kids[1:], nest(sc), f)
		if f.ended && f.how.jumped {
			f.ended = false
		}
		ends = append(ends, f)
	}
	if !deflt || len(ends) == 0 {
		ends = append(ends, st.fork(Facts{}))
	}
	in.meet(st, ends)
}

// meet goes on from where several forks of one state meet.
func (in *Interp) meet(st *state, ends []*state) {
	all := ends[0]
	for _, e := range ends[1:] {
		both := st.fork(Facts{})
		both.merge(all, e)
		all = both
	}
	st.adopt(all)
}

func (in *Interp) trying(n *facts.Node, sc *scope, st *state) {
	body := st.fork(Facts{})
	in.catches++
	in.stmt(n.Kid(0), sc, body)
	in.catches--
	if n.Kid(2) == nil {
		st.adopt(body)
	} else {
		caught := st.fork(Facts{})
		// What the block had assigned may have been assigned.
		for c, v := range body.vals {
			caught.set(c, join(v, st.get(c)))
		}
		inner := nest(sc)
		if n.Kid(1) != nil {
			in.bind(n.Kids[1], &Value{Bits: Failure, F: impossible}, inner, caught)
		}
		in.stmt(n.Kid(2), inner, caught)
		if !body.ended && caught.ended && caught.how.status == 429 {
			body.facts = body.facts.and(fact(FactLimit))
		}
		st.merge(body, caught)
	}
	if n.Kid(3) != nil {
		ended, how := st.ended, st.how
		st.ended = false
		in.stmt(n.Kid(3), sc, st)
		if !st.ended {
			st.ended, st.how = ended, how
		}
	}
}

func (in *Interp) looping(n *facts.Node, sc *scope, st *state) {
	inner := nest(sc)
	var body *facts.Node
	run := st.fork(Facts{})
	switch n.Kind {
	case facts.For:
		in.stmt(n.Kid(0), inner, run)
		if n.Kid(1) != nil {
			in.eval(n.Kids[1], inner, run)
		}
		body = n.Kid(3)
	case facts.ForEach:
		src := in.eval(n.Kid(1), sc, run)
		v := in.element(src)
		if n.Str == "in" {
			v = opaque(src)
		}
		in.bind(n.Kid(0), v, inner, run)
		body = n.Kid(2)
	case facts.While:
		t := in.eval(n.Kid(0), sc, run)
		run.facts = run.facts.and(t.T)
		body = n.Kid(1)
	case facts.DoWhile:
		body = n.Kid(1)
	default:
		return
	}
	before := run.facts
	in.stmt(body, inner, run)
	if n.Kind == facts.For && n.Kid(2) != nil && !run.ended {
		in.eval(n.Kids[2], inner, run)
	}
	none := st.fork(Facts{})
	if n.Kind == facts.DoWhile || n.Kind == facts.While && n.Kid(0).Is(facts.Bool) || n.Kind == facts.For && n.Kid(1) == nil {
		if run.ended && run.how.jumped {
			run.ended = false
		}
		st.adopt(run)
		return
	}
	run.ended = false
	// What each element was checked for holds of all of them, of none as well.
	gained := run.facts.without(before).without(fact(FactAuth)).without(fact(FactWeakAuth)).without(fact(FactLimit))
	st.merge(run, none)
	if !gained.impossible {
		st.facts = st.facts.and(gained)
	}
}

// step counts what the walk costs.
func (in *Interp) step() bool {
	if in.run == nil {
		in.loose++
		return in.loose < 20*budget
	}
	in.run.steps++
	in.Steps++
	if in.run.steps > in.allowed {
		in.run.Cut = true
		return false
	}
	return true
}

// bind gives the names of a pattern their values.
func (in *Interp) bind(t *facts.Node, v *Value, sc *scope, st *state) {
	if t == nil {
		return
	}
	switch t.Kind {
	case facts.Ident:
		st.set(sc.declare(t.Str), v)
	case facts.Default:
		d := in.eval(t.Kid(1), sc, st)
		if v.Kind == Nothing {
			in.bind(t.Kid(0), d, sc, st)
			return
		}
		if v.Kind == Unknown && v.Bits == 0 && len(v.Inputs) == 0 && len(v.Secrets) == 0 {
			v = join(v, d)
		}
		in.bind(t.Kid(0), v, sc, st)
	case facts.Rest:
		in.bind(t.Kid(0), v, sc, st)
	case facts.ObjPat:
		// Taking apart what is not there throws.
		in.mustBe(v, st)
		for _, p := range t.Kids {
			if p.Is(facts.Rest) {
				in.bind(p.Kid(0), v, sc, st)
				continue
			}
			if p.Kid(0) != nil {
				k := in.eval(p.Kids[0], sc, st)
				in.bind(p.Kid(1), in.index(v, k, p), sc, st)
				continue
			}
			in.bind(p.Kid(1), in.read(v, p.Str, p, sc), sc, st)
		}
	case facts.ArrPat:
		for i, e := range t.Kids {
			if e.Is(facts.Rest) {
				in.bind(e.Kid(0), v, sc, st)
			} else {
				in.bind(e, in.item(v, i), sc, st)
			}
		}
	case facts.Member, facts.Index:
		in.assign(t, v, sc, st)
	default:
	}
}

// mustBe adds what holds once a property of v was read without an exception.
func (in *Interp) mustBe(v *Value, st *state) {
	if !v.pending && v.Bits&Session != 0 && v.Kind != Record && !v.T.impossible {
		st.facts = st.facts.and(v.T)
	}
}

func (in *Interp) assign(t *facts.Node, v *Value, sc *scope, st *state) {
	switch t.Kind {
	case facts.Ident:
		c := sc.find(t.Str)
		if c == nil {
			c = sc.declare(t.Str)
		}
		st.set(c, v)
	case facts.Member:
		o := in.eval(t.Kid(0), sc, st)
		if o.Props != nil {
			if old, ok := o.Props[t.Str]; ok && old != nil && old.Kind != Nothing {
				v = join(v, old)
			}
			o.Props[t.Str] = v
			o.Places[t.Str] = Place{sc.module, t}
		}
		in.assigned(o, t.Str, v, t)
	case facts.Index:
		o := in.eval(t.Kid(0), sc, st)
		in.eval(t.Kid(1), sc, st)
		if o.Props != nil {
			o.Open = true
			o.Elem = join(v, o.Elem)
		}
	default:
		in.bind(t, v, sc, st)
	}
}
