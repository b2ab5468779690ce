package openai

import (
	"cmp"
	"slices"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// kinds is a set of JSON kinds.
type kinds uint8

const (
	kNull kinds = 1 << iota
	kBool
	kNumber
	kString
	kArray
	kObject
)

func kindBit(k jsonx.Kind) kinds {
	switch k {
	case jsonx.KindNull:
		return kNull
	case jsonx.KindBool:
		return kBool
	case jsonx.KindNumber:
		return kNumber
	case jsonx.KindString:
		return kString
	case jsonx.KindArray:
		return kArray
	case jsonx.KindObject:
		return kObject
	case jsonx.KindNone:
	}
	return 0
}

// shape says what a value in a request may be. One that allows several kinds
// describes each.
type shape struct {
	kinds kinds
	// enum lists the strings that are allowed; nil allows all.
	enum []string
	// least and most bound the bytes of a string and the elements of an array;
	// most 0 means the array limit of the package, and no limit on strings.
	least, most int
	// whole asks numbers to be integers.
	whole bool
	elem  *shape
	// object describes the members; nil with kObject lets any object through,
	// for what is the caller's own data, as a JSON Schema.
	object *object
	// each describes the values of an object whose names are the caller's.
	each *shape
	// union chooses the object by a member.
	union *union
	// refers is the kind of object whose id a string is; empty for no id.
	refers string
	// check judges a value after its kind was found right.
	check func(w *walker, v jsonx.Value) error
}

// object lists the members of an object.
type object struct {
	fields []field
	// gate judges the object as such, before its members are read, and end when
	// they are: seen has a bit for each field that came.
	gate func(w *walker) error
	end  func(w *walker, o *object, seen uint64) error
}

// rule says what becomes of a member.
type rule uint8

const (
	// pass checks the member and writes it.
	pass rule = iota
	// drop reads the member and leaves it out.
	drop
	// refuse answers 403 naming the member, unless it is null.
	refuse
)

// field is one member of an object in a request.
type field struct {
	name string
	is   *shape
	need bool
	rule rule
	// why is the reason of a refusal.
	why refusal
	// missing is what is said when a needed member is not there.
	missing string
	// take, when set, does what is to be done with a member instead.
	take func(w *walker, f *field, v jsonx.Value) error
	// counts says that the member's text becomes input tokens.
	counts bool
}

// union chooses between objects by the value of one member.
type union struct {
	tag      string
	variants []variant
	// absent chooses the object when the tag is missing; nil requires it.
	absent func(w *walker, start jsonx.Cursor) (*object, error)
}

// variant is one object of a union, or a union by another member. With neither
// it is refused with why.
type variant struct {
	name   string
	object *object
	union  *union
	why    refusal
}

// maxElements bounds arrays that name no bound of their own.
const maxElements = 2048

// walker checks a request against its shape and writes it anew as it goes.
type walker struct {
	policy *Policy
	req    *Request
	out    []byte
	path   []step
}

// step is a member's name or, where that is empty, an index.
type step struct {
	name  string
	index int
}

func (w *walker) push(name string, index int) { w.path = append(w.path, step{name, index}) }
func (w *walker) pop()                        { w.path = w.path[:len(w.path)-1] }

// param is the place of the walk in OpenAI's notation, with name behind it.
func (w *walker) param(name string) string {
	var b []byte
	for _, s := range w.path {
		if s.name != "" {
			b = jsonx.AppendName(b, s.name)
		} else {
			b = appendIndex(b, s.index)
		}
	}
	if name != "" {
		b = jsonx.AppendName(b, name)
	}
	return string(b)
}

func (w *walker) invalid(name, detail string) error {
	return &claviger.Error{Code: claviger.CodeInvalidInput, Param: w.param(name), Detail: detail}
}

func (w *walker) refuse(name string, why refusal) error {
	return &claviger.Error{Code: why.code, Param: w.param(name), Detail: why.detail}
}

// value checks the value at the cursor and writes it.
func (w *walker) value(c *jsonx.Cursor, s *shape) error {
	kind := c.Kind()
	if s.kinds&kindBit(kind) == 0 {
		return w.invalid("", "Wrong type: expected "+s.kinds.String()+", got "+kind.String())
	}
	switch {
	case kind == jsonx.KindArray:
		return w.array(c, s)
	case kind == jsonx.KindObject && s.union != nil:
		return w.union(c, s.union)
	case kind == jsonx.KindObject && s.object != nil:
		return w.object(c, s.object)
	case kind == jsonx.KindObject && s.each != nil:
		return w.dict(c, s)
	}
	v := c.Value()
	if err := w.scalar(s, v); err != nil {
		return err
	}
	w.out = jsonx.Append(w.out, v)
	return nil
}

func (w *walker) scalar(s *shape, v jsonx.Value) error {
	switch v.Kind() {
	case jsonx.KindString:
		if err := w.text(s, v); err != nil {
			return err
		}
	case jsonx.KindNumber:
		if _, ok := v.Int(); s.whole && !ok {
			return w.invalid("", "Wrong type: expected an integer")
		}
	case jsonx.KindNone, jsonx.KindNull, jsonx.KindBool, jsonx.KindArray, jsonx.KindObject:
	}
	if s.check != nil && v.Kind() != jsonx.KindNull {
		return s.check(w, v)
	}
	return nil
}

func (w *walker) text(s *shape, v jsonx.Value) error {
	// The canonical text is never shorter than the string with its quotes.
	if n := v.Size() - 2; n < s.least || s.most > 0 && n > s.most && len(v.Str()) > s.most {
		return w.invalid("", "Wrong length: from "+itoa(s.least)+" to "+itoa(s.most)+" bytes are allowed")
	}
	if s.enum == nil {
		return nil
	}
	if slices.ContainsFunc(s.enum, v.Is) {
		return nil
	}
	return w.invalid("", "Not one of the allowed values")
}

func (w *walker) array(c *jsonx.Cursor, s *shape) error {
	most := s.most
	if most == 0 {
		most = maxElements
	}
	c.Enter()
	w.out = append(w.out, '[')
	n := 0
	for ; c.Element(); n++ {
		if n == most {
			return w.invalid("", "Too many elements: at most "+itoa(most)+" are allowed")
		}
		if n > 0 {
			w.out = append(w.out, ',')
		}
		w.push("", n)
		if err := w.value(c, s.elem); err != nil {
			return err
		}
		w.pop()
	}
	if n < s.least {
		return w.invalid("", "Too few elements: at least "+itoa(s.least)+" needed")
	}
	w.out = append(w.out, ']')
	return nil
}

// dict writes an object whose names are the caller's own.
func (w *walker) dict(c *jsonx.Cursor, s *shape) error {
	c.Enter()
	w.out = append(w.out, '{')
	n := 0
	for ; c.Member(); n++ {
		name := c.Name()
		if s.most > 0 && n == s.most {
			return w.invalid("", "Too many members: at most "+itoa(s.most)+" are allowed")
		}
		if n > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(jsonx.AppendString(w.out, name), ':')
		w.push(name, 0)
		if err := w.value(c, s.each); err != nil {
			return err
		}
		w.pop()
	}
	w.out = append(w.out, '}')
	return nil
}

// union finds the tag, which a second cursor reads ahead, and then the object.
func (w *walker) union(c *jsonx.Cursor, u *union) error {
	o, err := w.choose(*c, u)
	if err != nil {
		return err
	}
	return w.object(c, o)
}

func (w *walker) choose(ahead jsonx.Cursor, u *union) (*object, error) {
	start := ahead
	ahead.Enter()
	for ahead.Member() {
		if ahead.Name() != u.tag {
			ahead.Skip()
			continue
		}
		tag := ahead.Value()
		if tag.IsNull() && u.absent != nil {
			break
		}
		if tag.Kind() != jsonx.KindString {
			return nil, w.invalid(u.tag, "Wrong type: expected string")
		}
		return w.variant(u, tag, start)
	}
	if u.absent == nil {
		return nil, w.invalid(u.tag, "This member is required")
	}
	return u.absent(w, start)
}

func (w *walker) variant(u *union, tag jsonx.Value, start jsonx.Cursor) (*object, error) {
	for i := range u.variants {
		x := &u.variants[i]
		switch {
		case !tag.Is(x.name):
		case x.union != nil:
			return w.choose(start, x.union)
		case x.object == nil:
			return nil, w.refuse(u.tag, x.why)
		default:
			return x.object, nil
		}
	}
	return nil, w.invalid(u.tag, "Not one of the allowed values")
}

// object checks the object at the cursor and writes its members.
func (w *walker) object(c *jsonx.Cursor, o *object) error {
	if o.gate != nil {
		if err := o.gate(w); err != nil {
			return err
		}
	}
	w.out = append(w.out, '{')
	if err := w.members(c, o); err != nil {
		return err
	}
	w.out = append(w.out, '}')
	return nil
}

// members writes the members without the braces.
func (w *walker) members(c *jsonx.Cursor, o *object) error {
	var seen uint64
	at := 0
	c.Enter()
	for c.Member() {
		name := c.Name()
		i := o.find(name, at)
		if i < 0 {
			return w.invalid(name, "Unknown member")
		}
		at = i + 1
		seen |= 1 << i
		w.push(name, 0)
		if err := w.member(c, &o.fields[i]); err != nil {
			return err
		}
		w.pop()
	}
	for i := range o.fields {
		if f := &o.fields[i]; f.need && seen&(1<<i) == 0 {
			return w.invalid(f.name, cmp.Or(f.missing, "This member is required"))
		}
	}
	if o.end != nil {
		return o.end(w, o, seen)
	}
	return nil
}

// saw reports whether a field is among those that came.
func (o *object) saw(seen uint64, name string) bool {
	i := o.find(name, 0)
	return i >= 0 && seen&(1<<i) != 0
}

// find looks a name up, beginning at the field after the last one found,
// because most bodies have their members in the order of the table.
func (o *object) find(name string, at int) int {
	for i := at; i < len(o.fields); i++ {
		if o.fields[i].name == name {
			return i
		}
	}
	for i := range min(at, len(o.fields)) {
		if o.fields[i].name == name {
			return i
		}
	}
	return -1
}

func (w *walker) member(c *jsonx.Cursor, f *field) error {
	if f.take != nil {
		v := c.Value()
		if f.counts {
			w.req.textBytes += int64(v.Size())
		}
		return f.take(w, f, v)
	}
	switch f.rule {
	case refuse:
		if !c.Value().IsNull() {
			return w.refuse("", f.why)
		}
		return nil
	case drop:
		c.Skip()
		return nil
	case pass:
	}
	w.name(f.name)
	written := len(w.out)
	if err := w.value(c, f.is); err != nil {
		return err
	}
	if f.counts {
		w.req.textBytes += int64(len(w.out) - written)
	}
	return nil
}

// name begins a member, with a comma where one is due.
func (w *walker) name(name string) {
	if w.out[len(w.out)-1] != '{' {
		w.out = append(w.out, ',')
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, name...)
	w.out = append(w.out, '"', ':')
}

// write checks v and writes it as a member.
func (w *walker) write(f *field, v jsonx.Value) error {
	w.name(f.name)
	c := v.Cursor()
	return w.value(&c, f.is)
}

// list names the members that are let through, below prefix.
func (o *object) list(prefix string, out []string) []string {
	for i := range o.fields {
		f := &o.fields[i]
		if f.rule == refuse {
			continue
		}
		place := f.name
		if prefix != "" {
			place = prefix + "." + f.name
		}
		out = append(out, place)
		if f.is != nil {
			out = f.is.list(place, out)
		}
	}
	return out
}

func (s *shape) list(place string, out []string) []string {
	if s.elem != nil {
		out = s.elem.list(place+"[]", out)
	}
	if s.object != nil {
		out = s.object.list(place, out)
	}
	if s.union != nil {
		out = s.union.list(place, out)
	}
	return out
}

func (u *union) list(place string, out []string) []string {
	for i := range u.variants {
		if o := u.variants[i].object; o != nil {
			out = o.list(place, out)
		}
		if n := u.variants[i].union; n != nil {
			out = n.list(place, out)
		}
	}
	return out
}
