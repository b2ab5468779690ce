package credential

import "claviger.dev/claviger/internal/jsonx"

// At follows the names of members into v, and returns what stands there and the
// object that holds it. Where the way ends early, the value is absent.
func At(v jsonx.Value, path []string) (at, holder jsonx.Value) {
	at = v
	for _, name := range path {
		holder = at
		at, _ = holder.Get(name)
	}
	return at, holder
}

// SubjectOf reads the id of a person: a string, or a whole number that is not
// negative, as databases count. It returns why it cannot name a user.
func SubjectOf(v jsonx.Value) (string, error) {
	s := v.Str()
	if n, whole := v.Int(); whole && n >= 0 {
		s = v.Literal()
	}
	return s, CheckSubject(s)
}
