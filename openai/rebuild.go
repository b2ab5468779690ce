package openai

import (
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// answer says what a value that comes back may be.
type answer struct {
	kinds kinds
	// is, when set, is the only string allowed.
	is     string
	elem   *answer
	object *answerObject
	// types choose the object by the member "type"; what is not listed is left
	// out.
	types []answerType
	// each describes the values of an object whose names are data.
	each *answer
	// verbatim lets a value through as it is: what the caller brought, as the
	// JSON Schema of a tool.
	verbatim bool
}

type answerType struct {
	name   string
	object *answerObject
	// found says that it tells of files: it comes back to those who asked for a
	// search in stores of their own.
	found bool
	// called is the hosted tool of which this is a call, notCalled for none.
	called calledTool
}

// answerObject lists what may come back of an object, in the order in which
// OpenAI sends it.
type answerObject struct{ members []answerMember }

// handling says what is done with a member that is allowed.
type handling uint8

const (
	// keep passes the member on.
	keep handling = iota
	// These pass it on when the caller sent it, and else say null.
	ownInstructions
	ownPrompt
	ownUser
	ownMetadata
	// hide says null whatever came.
	hide
	// fault says what went wrong in our words.
	fault
	// usage passes it on and notes what was used.
	usage
	// chunkUsage does so, and leaves the member out unless the caller asked.
	chunkUsage
	// text passes it on and counts it, for an estimate where no usage comes.
	text
	// sequence passes it on and notes the number of the last event.
	sequence
	// padding passes it on: it is another one in each event, and means nothing.
	padding
	// madeObject, madeItem and madeFile pass an id on, and note what was made.
	madeObject
	madeItem
	madeFile
	// ownRole passes a role on: that of the server to callers who may write for
	// it.
	ownRole
)

// answerMember is one member of an answer.
type answerMember struct {
	name string
	is   *answer
	// need makes the object unusable without the member, where fill gives
	// nothing to put in its place.
	need bool
	// fill is written when the member is missing or of a wrong kind.
	fill string
	do   handling
}

// rebuild writes an answer anew from what the table allows. One serves all
// events of a stream.
type rebuild struct {
	own       own
	wantUsage bool
	out       []byte

	units    claviger.Units
	reported bool
	// extra are the kinds that the endpoint meters beside text.
	extra claviger.Units
	// bytes and deltas count the text that passed, while counting is set: a
	// stream says everything more than once.
	counting      bool
	bytes, deltas int64
	// text is what was counted of the last event.
	text     []byte
	sequence int64
	// called counts the calls of hosted tools in the last event or answer.
	called [calledTools]int64
	// metered says that the last event or answer reported usage.
	metered bool
	// empty says that the last "choices" had no element.
	empty bool
	// object and items are the ids that were seen, while keeping is set.
	keeping  bool
	objectID string
	items    []string
	fileID   string
	// holes are the values of this event that the next one may have others of,
	// kept while noting is set; lost says that one of them was taken back.
	holes        []hole
	noting, lost bool
}

// value writes the value at the cursor and reports whether it is allowed. When
// it is not, what was written of it is for the caller to take back.
func (b *rebuild) value(c *jsonx.Cursor, a *answer) bool {
	kind := c.Kind()
	if a.kinds&kindBit(kind) == 0 {
		c.Skip()
		return false
	}
	switch {
	case a.verbatim:
	case kind == jsonx.KindArray:
		return b.array(c, a.elem)
	case kind != jsonx.KindObject:
	case a.types != nil:
		return b.typed(c, a.types)
	case a.each != nil:
		return b.dict(c, a.each)
	case a.object != nil:
		return b.object(c, a.object)
	}
	v := c.Value()
	if a.is != "" && !v.Is(a.is) {
		return false
	}
	b.out = jsonx.Append(b.out, v)
	return true
}

// array writes the elements that are allowed and leaves the others out.
func (b *rebuild) array(c *jsonx.Cursor, elem *answer) bool {
	c.Enter()
	b.out = append(b.out, '[')
	first := len(b.out)
	for c.Element() {
		mark := len(b.out)
		if mark > first {
			b.out = append(b.out, ',')
		}
		if !b.value(c, elem) {
			b.back(mark)
		}
	}
	b.empty = len(b.out) == first
	b.out = append(b.out, ']')
	return true
}

func (b *rebuild) dict(c *jsonx.Cursor, each *answer) bool {
	c.Enter()
	b.out = append(b.out, '{')
	for c.Member() {
		mark := len(b.out)
		b.comma()
		b.out = append(jsonx.AppendString(b.out, c.Name()), ':')
		if !b.value(c, each) {
			b.back(mark)
		}
	}
	b.out = append(b.out, '}')
	return true
}

// typed finds the member "type", which a second cursor reads ahead.
func (b *rebuild) typed(c *jsonx.Cursor, types []answerType) bool {
	if t := chooseType(*c, types); t != nil {
		b.called[t.called]++
		if !t.found || b.own.search {
			return b.object(c, t.object)
		}
	}
	c.Skip()
	return false
}

func chooseType(ahead jsonx.Cursor, types []answerType) *answerType {
	t := typeOf(ahead)
	for i := range types {
		if t.Is(types[i].name) {
			return &types[i]
		}
	}
	return nil
}

func typeOf(ahead jsonx.Cursor) jsonx.Value {
	ahead.Enter()
	for ahead.Member() {
		if ahead.Name() == "type" {
			return ahead.Value()
		}
		ahead.Skip()
	}
	return jsonx.Value{}
}

func (b *rebuild) comma() {
	if b.out[len(b.out)-1] != '{' {
		b.out = append(b.out, ',')
	}
}

func (b *rebuild) name(name string) {
	b.comma()
	b.out = append(b.out, '"')
	b.out = append(b.out, name...)
	b.out = append(b.out, '"', ':')
}

// object writes the members that are allowed, in the order in which they came.
// It reports false when a member that the shape needs is missing.
func (b *rebuild) object(c *jsonx.Cursor, o *answerObject) bool {
	var seen uint64
	at, ok := 0, true
	c.Enter()
	b.out = append(b.out, '{')
	for c.Member() {
		i := o.find(c.Name(), at)
		if i < 0 {
			c.Skip()
			continue
		}
		at = i + 1
		if b.member(c, &o.members[i]) {
			seen |= 1 << i
		}
	}
	for i := range o.members {
		if m := &o.members[i]; seen&(1<<i) == 0 {
			ok = b.missing(m) && ok
		}
	}
	b.out = append(b.out, '}')
	return ok
}

func (b *rebuild) missing(m *answerMember) bool {
	if m.do == chunkUsage && b.wantUsage {
		b.name(m.name)
		b.out = append(b.out, "null"...)
		return true
	}
	if m.fill == "" {
		return !m.need
	}
	b.name(m.name)
	b.out = append(b.out, m.fill...)
	return true
}

func (o *answerObject) find(name string, at int) int {
	for i := at; i < len(o.members); i++ {
		if o.members[i].name == name {
			return i
		}
	}
	for i := range min(at, len(o.members)) {
		if o.members[i].name == name {
			return i
		}
	}
	return -1
}

// member writes one member and reports whether there is one now.
func (b *rebuild) member(c *jsonx.Cursor, m *answerMember) bool {
	mark := len(b.out)
	b.name(m.name)
	begin := len(b.out)
	ok := false
	switch m.do {
	case keep:
		ok = b.value(c, m.is)
	case ownInstructions, ownPrompt, ownUser, ownMetadata:
		if !b.isOwn(m.do) {
			c.Skip()
			break
		}
		ok = b.value(c, m.is)
	case hide:
		c.Skip()
	case fault:
		ok = b.fault(c)
	case usage, chunkUsage:
		ok = b.usage(c, m)
	case madeObject, madeItem, madeFile:
		ahead := *c
		if ok = b.value(c, m.is); ok {
			b.made(m.do, ahead)
		}
	case ownRole:
		ahead := *c
		if role := ahead.Value(); !b.own.instructions && !ofCaller(role) {
			c.Skip()
			break
		}
		ok = b.value(c, m.is)
	case text, sequence, padding:
		from := c.Offset()
		if ok = b.value(c, m.is); ok {
			b.passed(m.do, b.out[begin:])
			b.note(m.do, span{from, c.Offset()}, begin)
		}
	}
	if !ok {
		b.back(mark)
	}
	return ok
}

// made notes the id at the cursor.
func (b *rebuild) made(do handling, id jsonx.Cursor) {
	if !b.keeping {
		return
	}
	s := strings.Clone(id.Value().Str())
	switch do {
	case madeObject:
		b.objectID = s
	case madeFile:
		b.fileID = s
	default:
		b.items = append(b.items, s)
	}
}

// ofCaller tells the roles that speak for the caller or the model.
func ofCaller(role jsonx.Value) bool {
	return role.Is("user") || role.Is("assistant") || role.Is("tool") || role.Is("function")
}

func (b *rebuild) isOwn(h handling) bool {
	switch h {
	case ownInstructions:
		return b.own.instructions
	case ownPrompt:
		return b.own.prompt
	case ownUser:
		return b.own.user
	case ownMetadata:
		return b.own.metadata
	default:
		return false
	}
}

// passed notes what a value says that was written.
func (b *rebuild) passed(do handling, written []byte) {
	switch do {
	case text:
		b.count(written)
	case sequence:
		b.sequence = parseInt(written)
	default:
	}
}

// count adds a text that passed, quotes and all, as it was written.
func (b *rebuild) count(written []byte) {
	if n := len(written) - len(`""`); b.counting && n > 0 && written[0] == '"' {
		b.bytes += int64(n)
		b.deltas++
		b.text = append(b.text, written[1:1+n]...)
	}
}

// fault says in our words that something went wrong.
func (b *rebuild) fault(c *jsonx.Cursor) bool {
	if c.Value().IsNull() {
		b.out = append(b.out, "null"...)
	} else {
		b.out = append(b.out, upstreamFault...)
	}
	return true
}

const upstreamFault = `{"code":"` + string(claviger.CodeUpstreamError) + `","message":"Upstream error"}`
