// Package openai is the gateway's knowledge of OpenAI's API: which endpoints
// there are, what a caller may send to each and what of an answer comes back.
// Everything is by allow list: a member, an event or an endpoint that no table
// here names does not pass. The package is pure: it does no I/O but reading
// the stream it is given, and asks no clock.
package openai

import (
	"slices"
	"strings"

	"claviger.dev/claviger"
)

// The endpoints of the table that the gateway itself speaks of.
const (
	EndpointResponses   claviger.Endpoint = "responses"
	EndpointChat        claviger.Endpoint = "chat.completions"
	EndpointEmbeddings  claviger.Endpoint = "embeddings"
	EndpointModerations claviger.Endpoint = "moderations"
	EndpointModels      claviger.Endpoint = "models"
	EndpointModel       claviger.Endpoint = "models.get"
)

// The kinds of objects that have owners.
const (
	KindResponse     = "response"
	KindItem         = "item"
	KindConversation = "conversation"
	KindCompletion   = "completion"

	KindFile        = "file"
	KindUpload      = "upload"
	KindUploadPart  = "upload_part"
	KindVectorStore = "vector_store"
	KindFileBatch   = "file_batch"
)

const (
	get  = "GET"
	post = "POST"
	del  = "DELETE"
)

// Row is one endpoint.
type Row struct {
	// Name is what the configuration calls the endpoint.
	Name   claviger.Endpoint
	Method string
	// Path is relative to /v1. A segment in braces stands for any one segment,
	// as it was sent: "/responses/{response_id}".
	Path string
	// Streams says that a caller may ask for a stream.
	Streams bool
	// Query are the query parameters that are passed on. Others are dropped.
	Query []string
	// Deletes says that a success ends the object that the path names last.
	Deletes bool
	// Lists is the kind of the objects that are listed. Such a list is the
	// gateway's own, of what the caller owns, and ReadBy is the endpoint by
	// which each is read.
	Lists  string
	ReadBy claviger.Endpoint

	// makes is the kind of what the answer's id names, which becomes the
	// caller's.
	makes string
	// always says that it is kept whatever the policy says of store.
	always bool
	// ids gives the kind of each segment in braces, in order; one without a
	// kind is judged by what the others name: an item by its conversation.
	ids []string
	// object is the body in JSON; nil for an endpoint that takes none.
	object *object
	// form are the fields of a multipart body, and files its files; nil for an
	// endpoint that takes none.
	form  *object
	files []fileField
	// media are the media types of an answer that is no JSON: it is passed on
	// as it comes. An endpoint that may answer either way has both, and the
	// request says which.
	media []string
	// makesItems says that the answer's items become the caller's too, and
	// makesFile the file in it.
	makesItems, makesFile bool
	// answer is what comes back in JSON; nil for an endpoint that never does.
	answer *answer
	// generates says that the endpoint makes text, so that output is capped and
	// the safety identifier is known to it.
	generates bool
	// bound says what images and sound can take; nil where there are none, and
	// the words of a text are what is metered.
	bound func(r *Request)
	// end checks what concerns several members of the body; nil for nothing.
	end func(w *walker) error
	// events are those of a stream that names them; nil for chat's.
	events *eventTable
	// input is the member where the caller's text stands.
	input string
	// modelless says that no model runs.
	modelless bool

	segments []string
}

// Rows is the endpoint table. What is not in it does not exist here: it is
// answered 404 and nothing of it is forwarded.
func Rows() []*Row { return slices.Clone(table.rows) }

// Generates reports whether the endpoint makes text by a model.
func (r *Row) Generates() bool { return r.generates }

// HasBody reports whether the endpoint takes a body.
func (r *Row) HasBody() bool { return r.object != nil || r.form != nil }

// TakesJSON reports whether the body may be JSON.
func (r *Row) TakesJSON() bool { return r.object != nil }

// Stored reports whether the endpoint reaches objects that have owners.
func (r *Row) Stored() bool { return r.Lists != "" || r.always || len(r.ids) > 0 }

// Named reports whether a name of the configuration means the endpoint: its own
// name, or one with ".*" at its end for all whose names begin so, as "files.*".
func Named(name string, e claviger.Endpoint) bool {
	if head, ok := strings.CutSuffix(name, "*"); ok {
		return strings.HasSuffix(head, ".") && strings.HasPrefix(string(e), head)
	}
	return name == string(e)
}

// EndpointNames lists what the configuration may name: every endpoint that a
// caller reaches, and the families of those.
func EndpointNames() []string {
	var names []string
	for _, r := range table.rows {
		if r.Name == EndpointModel {
			continue
		}
		names = append(names, string(r.Name))
		if head, _, ok := cutLast(string(r.Name)); ok && !slices.Contains(names, head+".*") && r.Name != EndpointChat {
			names = append(names, head+".*")
		}
	}
	return names
}

func cutLast(name string) (head, tail string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// Local reports whether the gateway answers the endpoint itself, from what the
// caller's plan allows.
func (r *Row) Local() bool { return r.answer == nil && r.media == nil && r.Lists == "" }

// Members lists the members of an endpoint's body that are let through in some
// configuration, each with its place as "messages[].content[].text".
func Members(row *Row) []string {
	var out []string
	for _, o := range []*object{row.object, row.form} {
		if o != nil {
			out = o.list("", out)
		}
	}
	for _, f := range row.files {
		out = append(out, f.name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// index is the table as Find reads it.
type index struct {
	rows []*Row
	// plain are the paths without a variable segment.
	plain map[string][]*Row
	// varied are the others, by the number of their segments.
	varied map[int][][]*Row
}

var table = newIndex(slices.Concat(
	generationRows, mediaRows, responseRows, conversationRows, completionRows,
	fileRows, uploadRows, vectorStoreRows, storeFileRows,
))

func newIndex(rows []*Row) *index {
	x := &index{rows: rows, plain: map[string][]*Row{}, varied: map[int][][]*Row{}}
	for _, r := range rows {
		r.segments = strings.Split(r.Path[1:], "/")
		if !strings.Contains(r.Path, "{") {
			x.plain[r.Path] = append(x.plain[r.Path], r)
			continue
		}
		n := len(r.segments)
		i := slices.IndexFunc(x.varied[n], func(g []*Row) bool { return g[0].Path == r.Path })
		if i < 0 {
			x.varied[n] = append(x.varied[n], []*Row{r})
			continue
		}
		x.varied[n][i] = append(x.varied[n][i], r)
	}
	return x
}

// Find returns the rows of a path below /v1, compared byte for byte as sent.
func Find(path string) []*Row {
	if rows, ok := table.plain[path]; ok {
		return rows
	}
	for _, rows := range table.varied[strings.Count(path, "/")] {
		if rows[0].fits(path) {
			return rows
		}
	}
	return nil
}

// fits compares a path. A variable segment holds what names and ids hold and no
// slash, so that none needs an escape.
func (r *Row) fits(path string) bool {
	for _, want := range r.segments {
		rest, ok := strings.CutPrefix(path, "/")
		if !ok {
			return false
		}
		segment, _, _ := strings.Cut(rest, "/")
		path = rest[len(segment):]
		if variable(want) {
			ok = len(segment) <= maxID && strings.Trim(segment, ".") != "" && strings.IndexFunc(segment, notModel) < 0
		} else {
			ok = segment == want
		}
		if !ok {
			return false
		}
	}
	return path == ""
}

// maxID is the most bytes of a name or id in a path, in a body or a query.
const maxID = 256

func variable(segment string) bool { return segment[0] == '{' }

// refs are the objects that a path names, which fits the row.
func (r *Row) refs(path string) []claviger.ObjectRef {
	if len(r.ids) == 0 {
		return nil
	}
	var out []claviger.ObjectRef
	n := 0
	for i, segment := range strings.Split(path[1:], "/") {
		if !variable(r.segments[i]) {
			continue
		}
		if kind := r.ids[n]; kind != "" {
			out = append(out, claviger.ObjectRef{Kind: kind, ID: segment, Param: strings.Trim(r.segments[i], "{}")})
		}
		n++
	}
	return out
}
