package openaitest

import (
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// fileSearchTool is the tool that searches in vector stores.
type fileSearchTool struct {
	Type           string          `json:"type"`
	Filters        jsontext.Value  `json:"filters"`
	MaxNumResults  *int64          `json:"max_num_results"`
	RankingOptions *rankingOptions `json:"ranking_options"`
	VectorStoreIDs *[]string       `json:"vector_store_ids"`
}

// fileSearch is a search that a request asks for, and then what it found.
type fileSearch struct {
	search search
	stores []*vectorStore
	found  []searchResult
}

type fileCitation struct {
	Type     string `json:"type"`
	FileID   string `json:"file_id"`
	Index    int    `json:"index"`
	Filename string `json:"filename"`
}

type (
	searchEvent struct {
		Type        string `json:"type"`
		Sequence    int64  `json:"sequence_number"`
		OutputIndex int    `json:"output_index"`
		ItemID      string `json:"item_id"`
	}
	annotationEvent struct {
		Type            string `json:"type"`
		Sequence        int64  `json:"sequence_number"`
		ItemID          string `json:"item_id"`
		OutputIndex     int    `json:"output_index"`
		ContentIndex    int    `json:"content_index"`
		AnnotationIndex int    `json:"annotation_index"`
		Annotation      any    `json:"annotation"`
	}
)

// readFileSearch reads the tool; all its stores must be there.
func (x *exchange) readFileSearch(raw jsontext.Value, a *ask, param string) *apiError {
	var t fileSearchTool
	if e := decode(raw, &t); e != nil {
		e.Param = param + "." + e.Param
		return e
	}
	if t.VectorStoreIDs == nil || len(*t.VectorStoreIDs) == 0 {
		return missing(param + ".vector_store_ids")
	}
	f := &fileSearch{search: search{limit: int(orElse(t.MaxNumResults, 20))}}
	if e := firstProblem(
		atLeast(param+".max_num_results", t.MaxNumResults, 1), atMost(param+".max_num_results", t.MaxNumResults, 50),
		f.search.readRanking(t.RankingOptions, param+".ranking_options"), f.search.readFilter(t.Filters, param+".filters"),
	); e != nil {
		return e
	}
	for _, id := range *t.VectorStoreIDs {
		v, ok := x.sim.memory.stores.get(id)
		if !ok {
			e := unknownStore(id)
			e.Param = param + ".vector_store_ids"
			return e
		}
		f.stores = append(f.stores, v)
	}
	a.fileSearch = f
	return nil
}

// lookUp searches for the prompt, unless a tool is called in the place of an answer,
// and counts what was found as input.
func (x *exchange) lookUp(a *ask) {
	f := a.fileSearch
	if f == nil {
		return
	}
	if a.prompt == "" || a.answering || a.choice.mode == "none" || len(a.toolsToCall()) > 0 {
		a.fileSearch = nil
		return
	}
	f.search.query = a.prompt
	f.found = x.search(f.search, f.stores...)
	for _, r := range f.found {
		a.tokens += int64(utf8.RuneCountInString(r.Text)+3) / 4
	}
}

// searched is the item of the search, with its results.
func (g *responseRun) searched(status string) searchItem {
	found := append([]searchResult{}, g.ask.fileSearch.found...)
	return searchItem{
		ID: g.x.sim.ids.hex("fs_", 48), Type: "file_search_call", Status: status, Queries: []string{g.ask.prompt}, Results: &found,
	}
}

// citations are the annotations of an answer: the file that fits best.
func (g *responseRun) citations(text string) []any {
	f := g.ask.fileSearch
	if text == "" || f == nil || len(f.found) == 0 {
		return []any{}
	}
	best := f.found[0]
	return []any{fileCitation{"file_citation", best.FileID, utf8.RuneCountInString(text), best.Filename}}
}

// visible are the items of an answer as this request is shown them.
func (g *responseRun) visible(items []any) []any {
	out := slices.Clone(items)
	for i, it := range out {
		if s, ok := it.(searchItem); ok && !slices.Contains(g.req.Include, searchResults) {
			s.Results = nil
			out[i] = s
		}
	}
	return out
}

func (g *responseRun) streamSearch(index int) (searchItem, error) {
	item := g.searched("in_progress")
	show := func() any { return g.visible([]any{item})[0] }
	found := item.Results
	item.Results = nil
	if err := g.item("response.output_item.added", index, show()); err != nil {
		return item, err
	}
	for _, state := range []string{"in_progress", "searching", "completed"} {
		name := "response.file_search_call." + state
		if err := g.st.event(name, searchEvent{name, g.next(), index, item.ID}); err != nil {
			return item, err
		}
	}
	item.Status, item.Results = "completed", found
	return item, g.item("response.output_item.done", index, show())
}

func (g *responseRun) streamCitations(id string, index int) error {
	name := "response.output_text.annotation.added"
	for i, c := range g.citations(g.plan.text()) {
		if g.plan.refusal {
			return nil
		}
		if err := g.st.event(name, annotationEvent{name, g.next(), id, index, 0, i, c}); err != nil {
			return err
		}
	}
	return nil
}
