package openai

import (
	"slices"
	"strconv"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The tool that searches in the caller's own vector stores, and the filters and
// rankings that it shares with the search by itself.

// maxResults is the most that one search finds, and defaultResults what is asked
// for where a call does not say (OpenAI).
const (
	maxResults     = 50
	defaultResults = 20
)

// maxChunkTokens is the most tokens of a piece of a file, and so of a result
// (OpenAI).
const maxChunkTokens = 4096

// search is what a call may find: what that brings to the input is known only
// after.
type search struct {
	// results is the most that one search finds; 0 means that none is made.
	results int64
	// calls is how many tool calls the caller allows, where said is set.
	calls int64
	said  bool
}

// mostFound is the most that a search on the web, or what code prints, adds to the
// input in one call: the context in which the provider looks at it (OpenAI).
const mostFound = 128_000

// Hosted reports whether the provider runs tools of this kind, which it has a price
// for, and not the caller.
func Hosted(kind string) bool { return kind != "function" && kind != "custom" }

// toolCalls is the most calls of hosted tools: negative where nobody said.
func (r *Request) toolCalls() int64 {
	switch {
	case !slices.ContainsFunc(r.tools, func(t broughtTool) bool { return Hosted(t.kind) }):
		return 0
	case r.search.said:
		return r.search.calls
	case r.search.results > 0:
		return 1
	default:
		return -1
	}
}

// capTools asks for so many tool calls where the caller names no number. An endpoint
// that takes none leaves them without a bound.
func (r *Request) capTools(c *claviger.Call, limit int64) {
	if c.MaxToolCalls < 0 && r.row.Name == EndpointResponses {
		c.MaxToolCalls, r.forcedCalls = limit, true
	}
	finds := func(t broughtTool) bool {
		return Hosted(t.kind) && t.kind != "file_search" && t.kind != "image_generation"
	}
	if slices.ContainsFunc(r.tools, finds) {
		c.MaxFound = max(c.MaxToolCalls, 0) * mostFound
	}
}

// foundBound bounds what searches bring to the input.
func (r *Request) foundBound() int64 {
	if r.search.results == 0 {
		return 0
	}
	return max(r.search.calls, 1) * r.search.results * maxChunkTokens
}

// bounded is an integer within bounds.
func bounded(least, most int64) *shape {
	return &shape{kinds: kNumber, whole: true, check: func(w *walker, v jsonx.Value) error {
		if n, _ := v.Int(); n < least || n > most {
			return w.invalid("", "Must be from "+strconv.FormatInt(least, 10)+" to "+strconv.FormatInt(most, 10))
		}
		return nil
	}}
}

var ranking = orNull(members(
	field{name: "ranker", is: oneOf("none", "auto", "default-2024-11-15")},
	field{name: "score_threshold", is: number},
))

// toolRanking knows one member more.
var toolRanking = orNull(members(append([]field{
	{name: "hybrid_search", is: orNull(members(
		field{name: "embedding_weight", is: number, need: true},
		field{name: "text_weight", is: number, need: true},
	))},
}, ranking.object.fields...)...))

// maxFilterDepth is how deep comparisons may be nested.
const maxFilterDepth = 4

var filters = orNull(filterShape(maxFilterDepth))

func filterShape(depth int) *shape {
	comparison := &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "key", is: shortString, need: true},
		{name: "value", need: true, is: or(
			&shape{kinds: kString | kNumber | kBool},
			list(&shape{kinds: kString | kNumber}, 0, 128),
		)},
	}}
	var all []variant
	for _, name := range []string{"eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"} {
		all = append(all, variant{name: name, object: comparison})
	}
	if depth > 1 {
		compound := &object{fields: []field{
			{name: "type", is: anyString, need: true},
			{name: "filters", is: list(filterShape(depth-1), 1, 32), need: true},
		}}
		all = append(all, variant{name: "and", object: compound}, variant{name: "or", object: compound})
	}
	return tagged("type", all...)
}

var fileSearch = &object{gate: gateTool("file_search"), end: endFileSearch, fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "vector_store_ids", is: list(reference(KindVectorStore), 1, maxRefs), need: true},
	{name: "max_num_results", is: bounded(1, maxResults), take: takeMaxResults},
	{name: "ranking_options", is: toolRanking},
	{name: "filters", is: filters},
}}

func takeMaxResults(w *walker, f *field, v jsonx.Value) error {
	if err := w.write(f, v); err != nil {
		return err
	}
	n, _ := v.Int()
	w.req.search.results = max(w.req.search.results, n)
	return nil
}

// endFileSearch says how much is to be found where the caller does not.
func endFileSearch(w *walker, o *object, seen uint64) error {
	w.req.own.search = true
	if o.saw(seen, "max_num_results") {
		return nil
	}
	w.req.search.results = max(w.req.search.results, defaultResults)
	w.name("max_num_results")
	w.out = append(w.out, strconv.Itoa(defaultResults)...)
	return nil
}

func takeMaxToolCalls(w *walker, f *field, v jsonx.Value) error {
	if v.IsNull() {
		return nil
	}
	w.req.search.calls, _ = v.Int()
	w.req.search.said = true
	return w.write(f, v)
}

// limitSearches asks for one tool call where files are searched and the caller
// names no number: without one, what is found has no bound.
func (w *walker) limitSearches() {
	if s := &w.req.search; s.results > 0 && !s.said {
		w.name("max_tool_calls")
		w.out = append(w.out, '1')
	}
}

// maxToolCalls is the most calls of hosted tools that one response may make.
const maxToolCalls = 1024

// fileSearchItem is a search that an earlier answer tells of. The files in it
// are names, not references: their text comes whole.
var fileSearchItem = &object{gate: gateFileSearchItem, fields: []field{
	{name: "type", is: anyString, need: true},
	ownID,
	{name: "status", is: nullString},
	{name: "queries", is: list(anyString, 0, 0)},
	{name: "results", is: orNull(list(members(
		field{name: "file_id", rule: drop},
		field{name: "filename", is: nullString},
		field{name: "text", is: nullString},
		field{name: "score", is: number},
		field{name: "attributes", is: attributes},
	), 0, maxResults*maxRefs))},
}}

// gateFileSearchItem lets what a search found back in where searching is allowed.
func gateFileSearchItem(w *walker) error {
	if w.policy.allowsTool("file_search") {
		return nil
	}
	return w.refuse("type", whyHosted)
}

// imageFile is an image that the caller uploaded.
var imageFile = func() *shape {
	s := *reference(KindFile)
	refer := s.check
	s.check = func(w *walker, v jsonx.Value) error {
		w.req.images++
		return refer(w, v)
	}
	return orNull(&s)
}()

func eitherImage(w *walker, o *object, seen uint64) error {
	if o.saw(seen, "image_url") || o.saw(seen, "file_id") {
		return nil
	}
	return w.invalid("image_url", "This member is required, or file_id")
}

var fileCitation = foundType("file_citation",
	answerMember{name: "file_id", is: aString, need: true},
	answerMember{name: "filename", is: aText, fill: `""`},
	answerMember{name: "index", is: aNumber, need: true},
)

func foundType(name string, ms ...answerMember) answerType {
	t := aType(name, ms...)
	t.found = true
	return t
}

var fileSearchCall = toolType(calledFileSearch, foundType("file_search_call",
	answerMember{name: "id", is: aString, need: true, do: madeItem},
	answerMember{name: "status", is: aText},
	answerMember{name: "queries", is: aStrings, fill: "[]"},
	answerMember{name: "results", fill: "null", is: aList(aObject(
		answerMember{name: "file_id", is: aString},
		answerMember{name: "filename", is: aText},
		answerMember{name: "score", is: aNumber},
		answerMember{name: "text", is: aText},
		answerMember{name: "attributes", is: aVerbatim},
	))},
))

var echoedFileSearch = foundType("file_search",
	answerMember{name: "vector_store_ids", is: aStrings, need: true},
	answerMember{name: "max_num_results", is: aNumber},
	answerMember{name: "ranking_options", is: aVerbatim},
	answerMember{name: "filters", is: aVerbatim, fill: "null"},
)
