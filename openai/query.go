package openai

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// maxPage is the most elements of a page (OpenAI).
const maxPage = 100

// query keeps the parameters that the row names, in the order sent, written
// anew. What is not good about one of them is an error that names it.
func (r *Row) query(raw string, p *Policy) (string, error) {
	if len(r.Query) == 0 || raw == "" {
		return "", nil
	}
	var kept []string
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, err := unescape(pair)
		if err != nil || !slices.Contains(r.Query, name) {
			continue
		}
		if err := checkParameter(name, value, p); err != nil {
			return "", err
		}
		if seen[name] && name != "include[]" {
			return "", badParameter(name, "Sent more than once")
		}
		seen[name] = true
		kept = append(kept, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return strings.Join(kept, "&"), nil
}

func unescape(pair string) (name, value string, err error) {
	name, value, _ = strings.Cut(pair, "=")
	if name, err = url.QueryUnescape(name); err != nil {
		return "", "", err
	}
	value, err = url.QueryUnescape(value)
	return name, value, err
}

func checkParameter(name, value string, p *Policy) error {
	switch name {
	case "limit":
		if n, err := strconv.Atoi(value); err != nil || n < 1 || n > maxPage {
			return badParameter(name, "Must be from 1 to "+itoa(maxPage))
		}
	case "order":
		if value != "asc" && value != "desc" {
			return badParameter(name, "Must be asc or desc")
		}
	case "include", "include[]":
		if why, ok := p.includes(value); !ok {
			return &claviger.Error{Code: why.code, Param: "include", Detail: why.detail}
		}
	default:
		if value == "" || len(value) > maxID || strings.IndexFunc(value, notModel) >= 0 || name != "model" && strings.Contains(value, "/") {
			return badParameter(name, "Not an id or a name")
		}
	}
	return nil
}

func badParameter(name, detail string) error {
	return &claviger.Error{Code: claviger.CodeInvalidInput, Param: name, Detail: detail}
}

// Page is what a caller asks of a list that the gateway makes itself.
type Page struct {
	claviger.ObjectQuery
	// Model and Purpose, when not empty, keep only what says so.
	Model, Purpose string
}

// defaultPage is the size of a page that does not say (OpenAI, for stored chat
// completions and vector stores).
const defaultPage = 20

// ParsePage reads the query of a list. The error is a *claviger.Error.
func ParsePage(row *Row, raw string, p *Policy) (Page, error) {
	kept, err := row.query(raw, p)
	if err != nil {
		return Page{}, err
	}
	q := Page{ObjectQuery: claviger.ObjectQuery{Kind: row.Lists, Limit: defaultPage}}
	for pair := range strings.SplitSeq(kept, "&") {
		name, value, _ := unescape(pair)
		switch name {
		case "limit":
			n, _ := strconv.Atoi(value)
			q.Limit = min(n, defaultPage)
		case "order":
			q.Ascending = value == "asc"
		case "after":
			q.After = value
		case "before":
			q.Before = value
		case "model":
			q.Model = value
		case "purpose":
			q.Purpose = value
		}
	}
	return q, nil
}

// ParseRead makes the call that reads one object of a list.
func ParseRead(by claviger.Endpoint, id string, p *Policy) (*Request, error) {
	i := slices.IndexFunc(table.rows, func(r *Row) bool { return r.Name == by })
	if i < 0 {
		return nil, &claviger.Error{Code: claviger.CodeInternal, Err: errors.New("a list of what no endpoint reads")}
	}
	row := table.rows[i]
	head, _, _ := strings.Cut(row.Path, "{")
	return ParseCall(row, Sent{Path: head + id}, p)
}

// ListAnswer is a page of objects in OpenAI's shape. bodies are those that could
// be read, in the order of the page, and came through Answer.
func ListAnswer(q Page, owned claviger.ObjectPage, bodies [][]byte) []byte {
	b := []byte(`{"object":"list","data":[`)
	first := len(b)
	for _, body := range bodies {
		if !q.keeps(body) {
			continue
		}
		if len(b) > first {
			b = append(b, ',')
		}
		b = append(b, body...)
	}
	b = append(b, `],"first_id":`...)
	// The ids are those of the page as it was asked for, so that the next one
	// begins behind it also where something was left out.
	if len(owned.IDs) == 0 {
		b = append(b, `null,"last_id":null`...)
	} else {
		b = jsonx.AppendString(b, owned.IDs[0])
		b = jsonx.AppendString(append(b, `,"last_id":`...), owned.IDs[len(owned.IDs)-1])
	}
	b = strconv.AppendBool(append(b, `,"has_more":`...), owned.More)
	return append(b, '}')
}

// keeps reports whether an object is one that the page asks for.
func (q *Page) keeps(body []byte) bool {
	if q.Model == "" && q.Purpose == "" {
		return true
	}
	v, err := jsonx.Parse(body)
	if err != nil {
		return false
	}
	is := func(name, want string) bool {
		x, ok := v.Get(name)
		return want == "" || ok && x.Is(want)
	}
	return is("model", q.Model) && is("purpose", q.Purpose)
}
