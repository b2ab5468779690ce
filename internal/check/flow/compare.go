package flow

import (
	"strings"

	"claviger.dev/claviger/internal/check/facts"
)

func (in *Interp) binary(n *facts.Node, sc *scope, st *state) *Value {
	l, r := in.eval(n.Kid(0), sc, st), in.eval(n.Kid(1), sc, st)
	switch n.Str {
	case "+":
		return concat(l, r)
	case "===", "==":
		return equal(l, r)
	case "!==", "!=":
		v := equal(l, r)
		if v.Kind == Truth {
			return truth(v.Str != "true")
		}
		return &Value{T: v.F, F: v.T}
	case "<", "<=", ">", ">=":
		return in.ordered(n.Str, l, r)
	case "instanceof":
		name := ""
		if k := n.Kid(1); k != nil {
			name = k.Str
		}
		if name == "Response" || name == "NextResponse" {
			yes, no := l.answers()
			return &Value{T: yes, F: no}
		}
		return unknown
	case "in":
		if l.Kind == Text {
			p := in.read(r, l.Str, n, sc)
			return &Value{T: p.T, F: p.F}
		}
		return &Value{T: checkedAll(l)}
	}
	return opaque(l, r)
}

// equal is what follows from two values being the same.
func equal(l, r *Value) *Value {
	if l.Kind == Text && r.Kind == Text {
		return truth(l.Str == r.Str)
	}
	if l.Str == "typeof" && l.Recv != nil || r.Str == "typeof" && r.Recv != nil {
		return typeTest(l, r)
	}
	for _, p := range [][2]*Value{{l, r}, {r, l}} {
		a, b := p[0], p[1]
		if isFalse(b) {
			if isFalse(a) {
				return truth(true)
			}
			return &Value{T: a.F, F: a.T}
		}
	}
	v := &Value{}
	for _, p := range [][2]*Value{{l, r}, {r, l}} {
		a, b := p[0], p[1]
		if (len(b.Secrets) > 0 || b.Bits&Mac != 0) && (a.Bits&(Cred|Chosen|Mac) != 0 || len(a.Inputs) > 0) {
			if b.Bits&Public != 0 && b.Bits&Mac == 0 {
				v.T = v.T.and(fact(FactWeakAuth))
			} else {
				v.T = v.T.and(fact(FactAuth))
			}
		}
		if b.F.impossible || b.Bits&Session != 0 {
			if !a.T.impossible {
				v.T = v.T.and(a.T)
			}
			v.T = v.T.and(checkedAll(a)).and(cappedAll(a))
		}
	}
	return v
}

func isFalse(v *Value) bool {
	return v.Kind == Nothing || v.Kind == Truth && v.Str == "false" || v.Kind == Number && v.Str == "0" && false
}

func typeTest(l, r *Value) *Value {
	if l.Str != "typeof" {
		l, r = r, l
	}
	x := l.Recv
	if r.Kind == Text && r.Str == "undefined" {
		return &Value{T: x.F, F: x.T}
	}
	if r.Kind == Text && x.Kind == Function {
		return truth(r.Str == "function")
	}
	return &Value{T: checkedAll(x)}
}

func checkedAll(v *Value) Facts {
	var f Facts
	for _, i := range v.Inputs {
		f = f.and(factChecked(i))
	}
	for _, i := range v.Lens {
		f = f.and(factChecked(i))
	}
	return f
}

func cappedAll(v *Value) Facts {
	var f Facts
	for _, i := range v.Inputs {
		f = f.and(factCapped(i))
	}
	for _, i := range v.Lens {
		f = f.and(factCapped(i))
	}
	return f
}

// ordered is what follows from one value being less than another.
func (in *Interp) ordered(op string, l, r *Value) *Value {
	less := op[0] == '<'
	big, small := r, l // what "true" says: small < big
	if !less {
		big, small = l, r
	}
	v := &Value{}
	// A length below something is bounded; so is one that was not above.
	v.T = v.T.and(cappedAll(small)).and(checkedAll(small))
	v.F = v.F.and(cappedAll(big)).and(checkedAll(big))
	limit := fact(FactLimit)
	clock := (l.Bits|r.Bits)&Clock != 0
	switch {
	case clock && (l.Bits|r.Bits)&(Counter|Local) != 0:
		// Time that has passed frees; time that has not refuses.
		if big.Bits&Clock != 0 {
			v.T = v.T.and(limit)
		} else {
			v.F = v.F.and(limit)
		}
	case (l.Bits|r.Bits)&Remaining != 0:
		if big.Bits&Remaining != 0 {
			v.T = v.T.and(limit)
		} else {
			v.F = v.F.and(limit)
		}
	case (l.Bits|r.Bits)&Counter != 0:
		if big.Bits&Counter != 0 {
			v.F = v.F.and(limit)
		} else {
			v.T = v.T.and(limit)
		}
	}
	return v
}

// child is a part of an input.
func (in *Interp) child(v *Value, name string) *Value {
	c := &Value{}
	if !in.asked() {
		return c
	}
	for _, id := range v.Inputs {
		k := in.run.input(id, name, in.run.Inputs[id].Kind, in.run.Inputs[id].At)
		c.Inputs = union(c.Inputs, []int{k})
	}
	c.Bits = v.Bits &^ (Whole | Cred)
	if credName(name) {
		c.Bits |= Cred
	}
	c.T = checkedAll(c)
	return c
}

// credName reports whether a field or header of that name carries what proves
// who the caller is.
func credName(name string) bool {
	n := strings.ToLower(name)
	switch n {
	case "authorization", "cookie", "password", "passcode", "apikey", "api_key", "accesskey", "licensekey", "license":
		return true
	}
	for _, w := range []string{"token", "secret", "api-key", "apikey", "signature", "session", "licensekey"} {
		if strings.Contains(n, w) {
			return !strings.Contains(n, "tokens") && n != "sessionid_"
		}
	}
	return false
}
