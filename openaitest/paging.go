package openaitest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// listObject is a page of a list. An empty page has empty ids: the document has no
// null there.
type listObject struct {
	Object  string `json:"object"`
	Data    []any  `json:"data"`
	FirstID string `json:"first_id"`
	LastID  string `json:"last_id"`
	HasMore bool   `json:"has_more"`
	Extra   string `json:"x_account,omitzero"`
}

// deletedObject says that an object is gone.
type deletedObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
	Extra   string `json:"x_account,omitzero"`
}

// paging is what of a list is asked for.
type paging struct {
	after, before string
	limit         int
	newestFirst   bool
}

// pagingRules are the defaults of one list, and what else its query may hold.
type pagingRules struct {
	order       string
	limit, most int
	more        []string
}

// usualPaging are the rules of most lists.
func usualPaging(more ...string) pagingRules {
	return pagingRules{order: "desc", limit: 20, most: 100, more: more}
}

// query reads the query and refuses names other than those; a name in brackets,
// "include[]" or "metadata[team]", counts as the name before them.
func (x *exchange) query(known ...string) (url.Values, *apiError) {
	q, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("", "", "The query of the URL cannot be read.")
	}
	for name := range q {
		base, _, _ := strings.Cut(name, "[")
		if !slices.Contains(known, base) {
			return nil, badRequest(name, "unknown_parameter", "Unknown parameter: '%s'.", name)
		}
	}
	return q, nil
}

func (x *exchange) paging(r pagingRules) (paging, url.Values, *apiError) {
	q, e := x.query(append([]string{"after", "limit", "order"}, r.more...)...)
	if e != nil {
		return paging{}, nil, e
	}
	p := paging{after: q.Get("after"), before: q.Get("before"), limit: r.limit}
	order := r.order
	if q.Has("order") {
		order = q.Get("order")
	}
	if e := oneOf("order", &order, "asc", "desc"); e != nil {
		return p, q, e
	}
	p.newestFirst = order == "desc"
	if text := q.Get("limit"); q.Has("limit") {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return p, q, badRequest("limit", "invalid_type", "Invalid type for 'limit': expected an integer, but got a string instead.")
		}
		if e := firstProblem(atLeast("limit", &n, 1), atMost("limit", &n, int64(r.most))); e != nil {
			return p, q, e
		}
		p.limit = int(n)
	}
	return p, q, nil
}

// pageOf cuts the page out of a list that has the oldest first.
func pageOf[T any](p paging, all []T, id func(T) string) (page []T, more bool, e *apiError) {
	if p.newestFirst {
		all = slices.Clone(all)
		slices.Reverse(all)
	}
	place := func(name, of string) (int, *apiError) {
		i := slices.IndexFunc(all, func(v T) bool { return id(v) == of })
		if i < 0 {
			return 0, notFound(name, "No object with id '%s' found in this list.", of)
		}
		return i, nil
	}
	start, end := 0, len(all)
	if p.after != "" {
		if start, e = place("after", p.after); e != nil {
			return nil, false, e
		}
		start++
	}
	if p.before != "" {
		if end, e = place("before", p.before); e != nil {
			return nil, false, e
		}
		start = max(start, end-p.limit)
	}
	page = all[min(start, end):end]
	if len(page) > p.limit {
		return page[:p.limit], true, nil
	}
	return page, p.before != "" && start > 0, nil
}

// deliverPage answers with a page of a list.
func deliverPage[T any](x *exchange, p paging, all []T, id func(T) string, show func(T) any) error {
	page, more, e := pageOf(p, all, id)
	if e != nil {
		return e
	}
	return x.deliver(x.list(shown(page, show), first(page, id), last(page, id), more))
}

func (x *exchange) list(data []any, firstID, lastID string, more bool) listObject {
	return listObject{Object: "list", Data: data, FirstID: firstID, LastID: lastID, HasMore: more, Extra: x.extra()}
}

func shown[T any](page []T, show func(T) any) []any {
	out := make([]any, len(page))
	for i, v := range page {
		out[i] = show(v)
	}
	return out
}

func first[T any](page []T, id func(T) string) string {
	if len(page) == 0 {
		return ""
	}
	return id(page[0])
}

func last[T any](page []T, id func(T) string) string {
	if len(page) == 0 {
		return ""
	}
	return id(page[len(page)-1])
}

// readInclude checks what a request wants to see besides.
func readInclude(values []string) *apiError {
	for i, v := range values {
		if e := oneOf(paramAt("include", i), &v,
			"file_search_call.results", "web_search_call.results", "web_search_call.action.sources", "message.input_image.image_url",
			"computer_call_output.output.image_url", "code_interpreter_call.outputs", "reasoning.encrypted_content", "message.output_text.logprobs",
		); e != nil {
			return e
		}
	}
	return nil
}

// includeOf reads the query's include, with and without brackets.
func includeOf(q url.Values) ([]string, *apiError) {
	values := append(slices.Clone(q["include"]), q["include[]"]...)
	return values, readInclude(values)
}

func notFound(param, format string, args ...any) *apiError {
	e := badRequest(param, "", format, args...)
	e.Status = http.StatusNotFound
	return e
}
