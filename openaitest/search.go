package openaitest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// chunkLength is the size of a piece of a file, in bytes.
const chunkLength = 3200

// searchRequest is the body of POST /v1/vector_stores/{id}/search.
type searchRequest struct {
	Filters        jsontext.Value  `json:"filters"`
	MaxNumResults  *int64          `json:"max_num_results"`
	Query          jsontext.Value  `json:"query"`
	RankingOptions *rankingOptions `json:"ranking_options"`
	RewriteQuery   bool            `json:"rewrite_query"`
}

type rankingOptions struct {
	Ranker         *string  `json:"ranker"`
	ScoreThreshold *float64 `json:"score_threshold"`
}

type searchPage struct {
	Object   string      `json:"object"`
	Query    []string    `json:"search_query"`
	Data     []searchHit `json:"data"`
	HasMore  bool        `json:"has_more"`
	NextPage *string     `json:"next_page"`
	Extra    string      `json:"x_account,omitzero"`
}

type searchHit struct {
	FileID     string         `json:"file_id"`
	Filename   string         `json:"filename"`
	Score      float64        `json:"score"`
	Attributes jsontext.Value `json:"attributes"`
	Content    []contentText  `json:"content"`
}

// filter is a comparison or, with type "and" or "or", several.
type filter struct {
	Type    string         `json:"type"`
	Key     string         `json:"key"`
	Value   jsontext.Value `json:"value"`
	Filters []filter       `json:"filters"`
}

// search is what to look for in stores.
type search struct {
	query     string
	filter    *filter
	limit     int
	threshold float64
}

func serveSearch(x *exchange) error {
	var req searchRequest
	if e := decode(x.body, &req); e != nil {
		return e
	}
	if !present(req.Query) {
		return missing("query")
	}
	queries := []string{textOf(req.Query)}
	if req.Query.Kind() == '[' {
		if e := decodePart(req.Query, &queries, "query"); e != nil {
			return e
		}
	}
	s := search{query: strings.Join(queries, " "), limit: int(orElse(req.MaxNumResults, 10))}
	if e := firstProblem(
		atLeast("max_num_results", req.MaxNumResults, 1), atMost("max_num_results", req.MaxNumResults, 50),
		s.readRanking(req.RankingOptions, "ranking_options"), s.readFilter(req.Filters, "filters"),
	); e != nil {
		return e
	}
	v, e := x.store()
	if e != nil {
		return e
	}
	if err := x.generated(s.query); err != nil {
		return err
	}
	page := searchPage{Object: "vector_store.search_results.page", Query: queries, Data: []searchHit{}, Extra: x.extra()}
	for _, r := range x.search(s, v) {
		page.Data = append(page.Data, searchHit{r.FileID, r.Filename, r.Score, r.Attributes, []contentText{{"text", r.Text}}})
	}
	return x.deliver(page)
}

func (s *search) readRanking(r *rankingOptions, param string) *apiError {
	if r == nil {
		return nil
	}
	s.threshold = orElse(r.ScoreThreshold, 0)
	return firstProblem(
		oneOf(param+".ranker", r.Ranker, "none", "auto", "default-2024-11-15"),
		between(param+".score_threshold", r.ScoreThreshold, 0, 1),
	)
}

func (s *search) readFilter(raw jsontext.Value, param string) *apiError {
	if !present(raw) {
		return nil
	}
	s.filter = &filter{}
	if e := decode(raw, s.filter); e != nil {
		e.Param = param
		return e
	}
	return s.filter.check(param)
}

func (f *filter) check(param string) *apiError {
	if e := oneOf(param+".type", &f.Type, "eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "and", "or"); e != nil {
		return e
	}
	if f.Type != "and" && f.Type != "or" {
		if f.Key == "" {
			return missing(param + ".key")
		}
		return nil
	}
	for i := range f.Filters {
		if e := f.Filters[i].check(paramAt(param+".filters", i)); e != nil {
			return e
		}
	}
	return nil
}

// fits holds a file's attributes against the filter.
func (f *filter) fits(attributes members) bool {
	if f == nil {
		return true
	}
	fit := func(inner filter) bool { return inner.fits(attributes) }
	switch f.Type {
	case "and":
		return !slices.ContainsFunc(f.Filters, func(inner filter) bool { return !fit(inner) })
	case "or":
		return slices.ContainsFunc(f.Filters, fit)
	}
	have, ok := attributes.get(f.Key)
	same := func(v jsontext.Value) bool { return ok && string(have) == string(v) }
	switch f.Type {
	case "eq":
		return same(f.Value)
	case "ne":
		return !same(f.Value)
	case "in", "nin":
		var list []jsontext.Value
		_ = json.Unmarshal(f.Value, &list) // anything else holds nothing
		return slices.ContainsFunc(list, same) == (f.Type == "in")
	}
	var a, b float64
	if !ok || json.Unmarshal(have, &a) != nil || json.Unmarshal(f.Value, &b) != nil {
		return false
	}
	switch f.Type {
	case "gt":
		return a > b
	case "gte":
		return a >= b
	case "lt":
		return a < b
	}
	return a <= b
}

// search ranks the pieces of the files of some stores.
func (x *exchange) search(s search, stores ...*vectorStore) []searchResult {
	var out []searchResult
	wanted := vector("search", s.query, 64)
	for _, v := range stores {
		for _, sf := range v.files {
			var attributes members
			_ = json.Unmarshal(sf.attributes, &attributes) // none fit no filter
			f, e := x.file(sf.id)
			if e != nil || sf.canceled || !s.filter.fits(attributes) {
				continue
			}
			for _, c := range chunks(f.data) {
				if score := nearness(wanted, vector("search", c, 64)); score >= s.threshold {
					out = append(out, searchResult{sf.id, c, f.object.Filename, sf.attributes, score})
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b searchResult) int { return cmp.Compare(b.Score, a.Score) })
	return out[:min(len(out), s.limit)]
}

// nearness is the cosine of two unit vectors, from 0 to 1.
func nearness(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return min(max(sum, 0), 1)
}

// chunks are the pieces of a file's text.
func chunks(data []byte) []string {
	if len(data) == 0 {
		return nil
	}
	return pieces(strings.ToValidUTF8(string(data), "\uFFFD"), chunkLength)
}
