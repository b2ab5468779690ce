package openaitest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"

	"claviger.dev/claviger/openaitest"
)

// shelves are two files about different things.
func shelves(t *testing.T, srv *openaitest.Server) (bees, bread string) {
	t.Helper()
	return idOf(upload(t, srv, "bees.txt", "Bees find flowers by colour and scent.", "assistants")),
		idOf(upload(t, srv, "bread.txt", "Bread wants flour, water, salt and patience.", "user_data"))
}

func TestVectorStores(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{Background: 400 * time.Millisecond})
	bees, bread := shelves(t, srv)
	made := call(t, srv, "/vector_stores", object{"name": "Notes", "file_ids": []any{bees}, "metadata": object{"team": "a"}, "expires_after": object{"anchor": "last_active_at", "days": 7}}, 200)
	status := made["status"]
	d.must(t, "VectorStoreObject", made)
	if !strings.HasPrefix(idOf(made), "vs_") || status != "in_progress" || at(t, made, "file_counts", "total") != 1.0 {
		t.Errorf("%v", made)
	}
	path := "/vector_stores/" + idOf(made)
	list := get(t, srv, "/vector_stores?limit=1")
	d.must(t, "ListVectorStoresResponse", list)
	updated := call(t, srv, path, object{"name": "More notes"}, 200)
	d.must(t, "VectorStoreObject", updated)
	if updated["name"] != "More notes" || at(t, updated, "metadata", "team") != "a" {
		t.Errorf("%v", updated)
	}
	file := call(t, srv, path+"/files", object{"file_id": bread, "attributes": object{"kind": "food", "stars": 4}, "chunking_strategy": object{"type": "auto"}}, 200)
	d.must(t, "VectorStoreFileObject", file)
	d.must(t, "VectorStoreFileObject", call(t, srv, path+"/files/"+bread, object{"attributes": object{"kind": "food", "stars": 5, "good": true}}, 200))
	kept := get(t, srv, path+"/files/"+bread)
	d.must(t, "VectorStoreFileObject", kept)
	if at(t, kept, "attributes", "stars") != 5.0 {
		t.Errorf("%v", kept)
	}
	page := get(t, srv, path+"/files/"+bread+"/content")
	d.must(t, "VectorStoreFileContentResponse", page)
	if !strings.HasPrefix(text(at(t, page, "data", 0, "text")), "Bread wants") {
		t.Errorf("%v", page)
	}
	time.Sleep(250 * time.Millisecond) // half of Background, which is what files take
	if o := get(t, srv, path); o["status"] != "completed" || at(t, o, "file_counts", "completed") != 2.0 || o["usage_bytes"].(float64) < 80 {
		t.Errorf("%v", o)
	}
	for query, want := range map[string]int{"": 2, "?filter=completed": 2, "?filter=failed": 0, "?order=asc&after=" + bees: 1, "?before=" + bees: 1, "?limit=1": 1} {
		list := get(t, srv, path+"/files"+query)
		d.must(t, "ListVectorStoreFilesResponse", list)
		if n := len(ids(t, list)); n != want {
			t.Errorf("%q: %d", query, n)
		}
	}
	d.must(t, "DeleteVectorStoreFileResponse", do(t, srv, http.MethodDelete, path+"/files/"+bees, nil, 200))
	do(t, srv, http.MethodGet, path+"/files/"+bees, nil, 404)
	d.must(t, "DeleteVectorStoreResponse", do(t, srv, http.MethodDelete, path, nil, 200))
	for _, r := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"GET", "/files"}, {"GET", "/files/" + bread}, {"GET", "/file_batches/vsfb_1"}, {"POST", "/file_batches/vsfb_1/cancel"}} {
		d.must(t, "ErrorResponse", do(t, srv, r[0], path+r[1], nil, 404))
	}
	for suffix, body := range map[string]object{"": {"name": "x"}, "/search": {"query": "x"}, "/files": {"file_id": bees}, "/file_batches": {"file_ids": []any{bees}}} {
		call(t, srv, path+suffix, body, 404)
	}
}

func TestFileBatches(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{Background: time.Minute})
	bees, bread := shelves(t, srv)
	path := "/vector_stores/" + idOf(call(t, srv, "/vector_stores", object{}, 200)) + "/file_batches"
	made := call(t, srv, path, object{"file_ids": []any{bees, bread}, "attributes": object{"kind": "x"}}, 200)
	d.must(t, "VectorStoreFileBatchObject", made)
	d.must(t, "VectorStoreFileBatchObject", get(t, srv, path+"/"+idOf(made)))
	files := get(t, srv, path+"/"+idOf(made)+"/files")
	d.must(t, "ListVectorStoreFilesResponse", files)
	canceled := do(t, srv, http.MethodPost, path+"/"+idOf(made)+"/cancel", nil, 200)
	d.must(t, "VectorStoreFileBatchObject", canceled)
	if made["status"] != "in_progress" || len(ids(t, files)) != 2 || canceled["status"] != "cancelled" || at(t, canceled, "file_counts", "cancelled") != 2.0 {
		t.Errorf("%v then %v", made, canceled)
	}
	do(t, srv, http.MethodPost, path+"/"+idOf(made)+"/cancel", nil, 400)
	d.must(t, "VectorStoreFileBatchObject", call(t, srv, path, object{"files": []any{object{"file_id": bees, "attributes": object{"kind": "y"}}}}, 200))
	call(t, srv, path, object{}, 400)
	call(t, srv, path, object{"file_ids": []any{"file-x"}}, 404)
	do(t, srv, http.MethodGet, path+"/vsfb_1", nil, 404)
	do(t, srv, http.MethodGet, path+"/vsfb_1/files", nil, 404)
}

func TestSearch(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	bees, bread := shelves(t, srv)
	path := "/vector_stores/" + idOf(call(t, srv, "/vector_stores", object{"file_ids": []any{bees}}, 200))
	call(t, srv, path+"/files", object{"file_id": bread, "attributes": object{"kind": "food", "stars": 4}}, 200)
	found := call(t, srv, path+"/search", object{"query": "How do bees find flowers?"}, 200)
	d.must(t, "VectorStoreSearchResultsPage", found)
	if at(t, found, "data", 0, "file_id") != bees || len(found["data"].([]any)) != 2 {
		t.Errorf("%v", found)
	}
	filter := func(kind, key string, value any) object { return object{"type": kind, "key": key, "value": value} }
	for _, r := range []struct {
		name string
		more []any
		want int
	}{
		{"limit", []any{"max_num_results", 1}, 1},
		{"several", []any{"query", []any{"bees", "bread"}}, 2},
		{"threshold", []any{"ranking_options", object{"score_threshold": 1.0}}, 0},
		{"eq", []any{"filters", filter("eq", "kind", "food")}, 1},
		{"ne", []any{"filters", filter("ne", "kind", "food")}, 1},
		{"gt", []any{"filters", filter("gt", "stars", 4)}, 0},
		{"gte", []any{"filters", filter("gte", "stars", 4)}, 1},
		{"lt", []any{"filters", filter("lt", "stars", 4)}, 0},
		{"lte", []any{"filters", filter("lte", "stars", 4)}, 1},
		{"in", []any{"filters", filter("in", "kind", []any{"food", "fun"})}, 1},
		{"nin", []any{"filters", filter("nin", "kind", []any{"food"})}, 1},
		{"and", []any{"filters", object{"type": "and", "filters": []any{filter("eq", "kind", "food"), filter("gt", "stars", 4)}}}, 0},
		{"or", []any{"filters", object{"type": "or", "filters": []any{filter("eq", "kind", "food"), filter("gt", "stars", 4)}}}, 1},
	} {
		page := call(t, srv, path+"/search", with(object{"query": "bees"}, r.more...), 200)
		d.must(t, "VectorStoreSearchResultsPage", page)
		if n := len(page["data"].([]any)); n != r.want {
			t.Errorf("%s: %d found", r.name, n)
		}
	}
}

func TestVectorStoreRefusals(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	bees, _ := shelves(t, srv)
	path := "/vector_stores/" + idOf(call(t, srv, "/vector_stores", object{}, 200))
	for _, r := range []refusal{
		{"unknown member", "/vector_stores", object{"owner": "x"}, 400, "unknown_parameter", "owner"},
		{"unknown file", "/vector_stores", object{"file_ids": []any{"file-x"}}, 404, "", "file_id"},
		{"many files", "/vector_stores", object{"file_ids": make([]string, 501)}, 400, "array_above_max_length", "file_ids"},
		{"long expiry", "/vector_stores", object{"expires_after": object{"anchor": "last_active_at", "days": 366}}, 400, "integer_above_max_value", "expires_after.days"},
		{"unknown chunking", "/vector_stores", object{"chunking_strategy": object{"type": "none"}}, 400, "invalid_value", "chunking_strategy.type"},
		{"small chunks", "/vector_stores", object{"chunking_strategy": object{"type": "static", "static": object{"max_chunk_size_tokens": 9, "chunk_overlap_tokens": 0}}}, 400, "integer_below_min_value", "chunking_strategy.static.max_chunk_size_tokens"},
		{"no file", path + "/files", object{}, 400, "missing_required_parameter", "file_id"},
		{"unknown file", path + "/files", object{"file_id": "file-x"}, 404, "", "file_id"},
		{"bad attributes", path + "/files", object{"file_id": bees, "attributes": object{"a": []any{}}}, 400, "invalid_value", "attributes"},
		{"no query", path + "/search", object{}, 400, "missing_required_parameter", "query"},
		{"many results", path + "/search", object{"query": "x", "max_num_results": 51}, 400, "integer_above_max_value", "max_num_results"},
		{"unknown filter", path + "/search", object{"query": "x", "filters": object{"type": "like", "key": "a", "value": "b"}}, 400, "invalid_value", "filters.type"},
		{"unknown ranker", path + "/search", object{"query": "x", "ranking_options": object{"ranker": "mine"}}, 400, "invalid_value", "ranking_options.ranker"},
		{"tool without stores", "/responses", respond("x", "tools", []any{object{"type": "file_search"}}), 400, "missing_required_parameter", "tools[0].vector_store_ids"},
		{"tool with an unknown store", "/responses", respond("x", "tools", []any{object{"type": "file_search", "vector_store_ids": []any{"vs_x"}}}), 404, "", "tools[0].vector_store_ids"},
		{"tool with an unknown member", "/responses", respond("x", "tools", []any{object{"type": "file_search", "vector_store_ids": []any{"vs_x"}, "owner": 1}}), 400, "unknown_parameter", "tools[0].owner"},
	} {
		e := call(t, srv, r.path, r.body, r.status)["error"].(object)
		if text(e["code"]) != r.code || text(e["param"]) != r.param {
			t.Errorf("%s: want code %q and param %q, got %v", r.name, r.code, r.param, e)
		}
	}
}

// TestFileSearch has a response look something up.
func TestFileSearch(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	bees, bread := shelves(t, srv)
	store := idOf(call(t, srv, "/vector_stores", object{"file_ids": []any{bees, bread}}, 200))
	ask := func(more ...any) object {
		return respond("How do bees find flowers?", append([]any{"tools", []any{object{"type": "file_search", "vector_store_ids": []any{store}}}}, more...)...)
	}
	made := call(t, srv, "/responses", ask(), 200)
	d.must(t, "Response", made)
	if at(t, made, "output", 0, "type") != "file_search_call" || at(t, made, "output", 0, "results") != nil || at(t, made, "output", 1, "content", 0, "annotations", 0, "file_id") != bees {
		t.Errorf("%v", made["output"])
	}
	kept := get(t, srv, "/responses/"+idOf(made)+"?include=file_search_call.results")
	d.must(t, "Response", kept)
	if at(t, kept, "output", 0, "results", 0, "filename") != "bees.txt" {
		t.Errorf("%v", kept["output"])
	}
	full := call(t, srv, "/responses", ask("include", []any{"file_search_call.results"}), 200)
	if at(t, full, "output", 0, "results", 0, "file_id") != bees {
		t.Errorf("%v", full["output"])
	}
	if o := get(t, srv, "/responses/"+idOf(full)); at(t, o, "output", 0, "results") != nil {
		t.Errorf("%v", o["output"])
	}
	events := stream(t, srv, "/responses", ask("stream", true))
	d.responseEvents(t, events)
	seen := strings.Join(names(events), " ")
	if !strings.Contains(seen, "response.file_search_call.searching") || !strings.Contains(seen, "annotation.added") {
		t.Error(seen)
	}
	plain := call(t, srv, "/responses", ask("tool_choice", "none"), 200)
	if at(t, plain, "output", 0, "type") != "message" || inputTokens(t, plain) >= inputTokens(t, made) {
		t.Errorf("%v", plain)
	}
}

func TestOfficialLibraryVectorStores(t *testing.T) {
	srv := newServer(t, openaitest.Options{Background: 10 * time.Millisecond})
	client := sdk(t, srv)
	bees, bread := shelves(t, srv)
	store, err := client.VectorStores.New(t.Context(), openai.VectorStoreNewParams{Name: openai.String("Notes"), FileIDs: []string{bees}})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := client.VectorStores.FileBatches.NewAndPoll(t.Context(), store.ID, openai.VectorStoreFileBatchNewParams{FileIDs: []string{bread}}, 5)
	if err != nil || batch.FileCounts.Completed != 1 {
		t.Errorf("%v: %+v", err, batch)
	}
	found, err := client.VectorStores.Search(t.Context(), store.ID, openai.VectorStoreSearchParams{Query: openai.VectorStoreSearchParamsQueryUnion{OfString: openai.String("bread")}})
	if err != nil || len(found.Data) != 2 || found.Data[0].FileID != bread {
		t.Errorf("%v: %+v", err, found)
	}
	made, err := client.Responses.New(t.Context(), responses.ResponseNewParams{
		Model: mini, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("What about bread?")},
		Tools: []responses.ToolUnionParam{responses.ToolParamOfFileSearch([]string{store.ID})},
	})
	if err != nil || made.Output[0].AsFileSearchCall().Queries[0] != "What about bread?" {
		t.Errorf("%v: %+v", err, made)
	}
	if gone, err := client.VectorStores.Delete(t.Context(), store.ID); err != nil || !gone.Deleted {
		t.Errorf("%v: %+v", err, gone)
	}
}
