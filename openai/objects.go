package openai

import (
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// maxRefs is how many objects one call may refer to.
const maxRefs = 128

// reference is the id of an object that the caller must own. Whether they do is
// not known here: the id goes into the call's Objects.
func reference(kind string) *shape {
	return &shape{kinds: kString, least: 1, most: maxID, refers: kind, check: func(w *walker, v jsonx.Value) error {
		id := strings.Clone(v.Str())
		if strings.IndexFunc(id, notModel) >= 0 {
			return w.refuse("", whyNoObject)
		}
		c := &w.req.call
		if len(c.Objects) == maxRefs {
			return w.invalid("", "Too many references: at most "+itoa(maxRefs)+" are allowed")
		}
		c.Objects = append(c.Objects, claviger.ObjectRef{Kind: kind, ID: id, Param: w.param("")})
		return nil
	}}
}

// References lists the places of a body where an id of somebody's object may
// stand, as "tools[].vector_store_ids[]".
func References(row *Row) []string {
	var out []string
	for _, o := range []*object{row.object, row.form} {
		if o != nil {
			out = o.references("", out)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (o *object) references(prefix string, out []string) []string {
	for i := range o.fields {
		f := &o.fields[i]
		if f.rule == refuse || f.is == nil {
			continue
		}
		place := f.name
		if prefix != "" {
			place = prefix + "." + f.name
		}
		out = f.is.references(place, out)
	}
	return out
}

func (s *shape) references(place string, out []string) []string {
	if s.refers != "" {
		out = append(out, place)
	}
	if s.elem != nil {
		out = s.elem.references(place+"[]", out)
	}
	if s.object != nil {
		out = s.object.references(place, out)
	}
	if s.union != nil {
		out = s.union.references(place, out)
	}
	return out
}

func (u *union) references(place string, out []string) []string {
	for i := range u.variants {
		if o := u.variants[i].object; o != nil {
			out = o.references(place, out)
		}
		if n := u.variants[i].union; n != nil {
			out = n.references(place, out)
		}
	}
	return out
}

// takeGiven leaves a null out.
func takeGiven(w *walker, f *field, v jsonx.Value) error {
	if v.IsNull() {
		return nil
	}
	return w.write(f, v)
}

// made is what an answer made.
type made struct {
	id string
	// held is how many tokens id was claimed with so far.
	held int64
	// refs wait for Made.
	refs []claviger.ObjectRef
}

// keeps reports whether the provider keeps what the call makes.
func (r *Request) keeps() bool {
	return r.row.always || r.policy.Store && (r.row.makes != "" || r.row.makesItems)
}

// shown says which of the members that the server may inject come back: of what
// is read again, those that callers may write at all.
func (r *Request) shown() own {
	if r.body != nil && !r.row.modelless {
		return r.own
	}
	p := r.policy
	return own{
		instructions: p.ClientInstructions, prompt: len(p.Prompts) > 0,
		user: p.User == "forward", metadata: p.Metadata == "forward", search: p.allowsTool("file_search"),
	}
}

// Before lists the objects of the call that grow by it, with the most tokens
// that it can add: they are to be claimed before the call is sent, since what
// it added is not known when its answer is lost. They are the caller's already.
func (r *Request) Before() []claviger.ObjectRef {
	if r.body == nil {
		return nil
	}
	var out []claviger.ObjectRef
	for _, o := range r.call.Objects {
		if o.Kind == KindConversation {
			o.Tokens = r.growth()
			out = append(out, o)
		}
	}
	return out
}

// growth is the most that the call adds to a conversation: what it brings and
// what it makes.
func (r *Request) growth() int64 {
	return claviger.AddMicros(r.inputBound()-r.brought, r.call.MaxOutput)
}

// note remembers what an answer, or the event of a stream, made: end says that
// nothing follows.
func (r *Request) note(b *rebuild, end bool) {
	if end && b.reported {
		r.correct(b.units.Get(claviger.UnitOutput))
	}
	if !b.keeping {
		return
	}
	if r.row.makesFile && b.fileID != "" {
		r.made.refs = append(r.made.refs, claviger.ObjectRef{Kind: KindFile, ID: b.fileID, Param: "id"})
	}
	if b.objectID == "" && len(b.items) == 0 {
		return
	}
	tokens, output := claviger.AddMicros(r.call.MaxInput, r.call.MaxOutput), r.call.MaxOutput
	if b.reported {
		tokens = claviger.AddMicros(b.units.Get(claviger.UnitInput), b.units.Get(claviger.UnitOutput))
		output = b.units.Get(claviger.UnitOutput)
	}
	if !remembers(r.row.makes) {
		tokens = 0
	}
	if r.row.makes != "" && b.objectID != "" && (r.made.id == "" || end && tokens != r.made.held) {
		r.made.refs = append(r.made.refs, claviger.ObjectRef{
			Kind: r.row.makes, ID: b.objectID, Param: "id", Parent: r.parent(), Tokens: tokens - r.made.held,
		})
		r.made.id, r.made.held = b.objectID, tokens
	}
	if end && r.row.makesItems {
		r.noteItems(b, output)
	}
}

// remembers tells the kinds whose objects bring what they were made of to every
// call that refers to them. What is in a file comes by other ways.
func remembers(kind string) bool {
	switch kind {
	case KindFile, KindUpload, KindUploadPart, KindVectorStore, KindFileBatch:
		return false
	default:
		return true
	}
}

// parent is the object that the path names, to which belongs what is made below
// it.
func (r *Request) parent() string {
	if len(r.row.ids) == 0 {
		return ""
	}
	return r.call.Objects[0].ID
}

// correct takes off a conversation what Before added for output that was not
// made.
func (r *Request) correct(output int64) {
	for _, o := range r.Before() {
		if spare := r.call.MaxOutput - output; spare > 0 {
			o.Tokens = -spare
			r.made.refs = append(r.made.refs, o)
		}
	}
}

func (r *Request) noteItems(b *rebuild, tokens int64) {
	parent := r.made.id
	if r.row.makes == "" {
		parent, tokens = r.call.Objects[0].ID, r.call.MaxInput
	}
	for _, id := range b.items {
		r.made.refs = append(r.made.refs, claviger.ObjectRef{Kind: KindItem, ID: id, Param: "id", Parent: parent, Tokens: tokens})
	}
}

// Made gives what the answer made since it was asked last, to be claimed for the
// caller before they read of it.
func (r *Request) Made() []claviger.ObjectRef {
	refs := r.made.refs
	r.made.refs = nil
	return refs
}

// Plain reports whether the answer is neither JSON nor a stream, and is passed on
// as it comes.
func (r *Request) Plain() bool { return len(r.call.Media) > 0 && !r.call.Stream }

// Gone gives the object that a successful call ended, and false where the
// endpoint ends none.
func (r *Request) Gone() (claviger.ObjectRef, bool) {
	if !r.row.Deletes || len(r.call.Objects) == 0 {
		return claviger.ObjectRef{}, false
	}
	return r.call.Objects[len(r.call.Objects)-1], true
}
