package openai_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

var searching = &openai.Policy{Tools: []string{"file_search"}}

// TestFileSearch: the stores are references, what a search may bring is bounded
// and in the input, and where the caller names no bound ours is written.
func TestFileSearch(t *testing.T) {
	base, err := call(t, responses, responsesWith(`"tools":[]`), searching)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		in, wantTool, wantCalls string
		results                 int64
	}{
		{`"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]`, `"vector_store_ids":["vs_1"],"max_num_results":20}`, `"max_tool_calls":1`, 20},
		{`"tools":[{"type":"file_search","vector_store_ids":["vs_1"],"max_num_results":3}]`, `"max_num_results":3}`, `"max_tool_calls":1`, 3},
		{`"max_tool_calls":null,"tools":[{"type":"file_search","vector_store_ids":["vs_1"],"max_num_results":3}]`, `"max_num_results":3}`, `"max_tool_calls":1`, 3},
		{`"max_tool_calls":4,"tools":[{"type":"file_search","vector_store_ids":["vs_1"],"max_num_results":3}]`, `"max_num_results":3}`, `"max_tool_calls":4`, 12},
		{`"tools":[{"type":"file_search","vector_store_ids":["vs_1"],"max_num_results":50},{"type":"file_search","vector_store_ids":["vs_2"],"max_num_results":2}]`, `["vs_2"]`, `"max_tool_calls":1`, 50},
		{`"tools":[{"type":"file_search","vector_store_ids":["vs_1"],"max_num_results":1,"filters":{"type":"and","filters":[{"type":"eq","key":"a","value":1},{"type":"in","key":"b","value":["x",2]}]},"ranking_options":{"ranker":"auto","score_threshold":0.5}}]`, `"ranker":"auto"`, `"max_tool_calls":1`, 1},
	} {
		c, err := call(t, responses, responsesWith(x.in), searching)
		if err != nil {
			t.Errorf("%s: %v", x.in, err)
			continue
		}
		out := bodyOf(t, c)
		parse(t, out) // refuses duplicate names
		if !strings.Contains(out, x.wantTool) || !strings.Contains(out, x.wantCalls) || strings.Count(out, "max_tool_calls") != 1 {
			t.Errorf("%s was written as %s", x.in, out)
		}
		if c.Objects[0] != (claviger.ObjectRef{Kind: openai.KindVectorStore, ID: "vs_1", Param: "tools[0].vector_store_ids[0]"}) || !slices.Contains(c.Tools, "file_search") {
			t.Errorf("%s: %v %v", x.in, c.Objects, c.Tools)
		}
		if more := c.MaxInput - base.MaxInput; more < x.results*4096 || more > x.results*4096+600 {
			t.Errorf("%s adds %d tokens, want %d and the tool itself", x.in, more, x.results*4096)
		}
	}
}

func TestFileSearchRefused(t *testing.T) {
	tool := func(members string) string {
		return responsesWith(`"tools":[{"type":"file_search",` + members + `}]`)
	}
	deep := `{"type":"eq","key":"a","value":1}`
	for range 5 {
		deep = `{"type":"or","filters":[` + deep + `]}`
	}
	for _, x := range []struct {
		in, param string
		code      claviger.Code
	}{
		{tool(`"max_num_results":3`), "tools[0].vector_store_ids", claviger.CodeInvalidInput},
		{tool(`"vector_store_ids":[]`), "tools[0].vector_store_ids", claviger.CodeInvalidInput},
		{tool(`"vector_store_ids":["vs 1"]`), "tools[0].vector_store_ids[0]", claviger.CodeNotFound},
		{tool(`"vector_store_ids":["vs_1"],"max_num_results":0`), "tools[0].max_num_results", claviger.CodeInvalidInput},
		{tool(`"vector_store_ids":["vs_1"],"max_num_results":51`), "tools[0].max_num_results", claviger.CodeInvalidInput},
		{tool(`"vector_store_ids":["vs_1"],"max_num_results":2.5`), "tools[0].max_num_results", claviger.CodeInvalidInput},
		{tool(`"vector_store_ids":["vs_1"],"max_num_results":null`), "tools[0].max_num_results", claviger.CodeInvalidInput},
		{tool(`"vector_store_ids":["vs_1"],"x":1`), "tools[0].x", claviger.CodeInvalidInput},
		{tool(`"vector_store_ids":["vs_1"],"filters":` + deep), "tools[0].filters.filters[0].filters[0].filters[0].type", claviger.CodeInvalidInput},
		{responsesWith(`"max_tool_calls":-1`), "max_tool_calls", claviger.CodeInvalidInput},
		{responsesWith(`"max_tool_calls":1025`), "max_tool_calls", claviger.CodeInvalidInput},
	} {
		_, err := call(t, responses, x.in, searching)
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.Code != x.code || e.Param != x.param {
			t.Errorf("%s: %v, want %s (%s)", x.in, err, x.code, x.param)
		}
	}
}

// TestFoundComesBack: what a search found comes back to callers who brought the
// tool. A stored prompt of the operator may search in files that are not theirs.
func TestFoundComesBack(t *testing.T) {
	const answer = `{"id":"resp_1","object":"response","created_at":1,"model":"m","output":[` +
		`{"type":"file_search_call","id":"fs_1","status":"completed","queries":["q"],"results":[{"file_id":"file-1","filename":"plan.txt","score":0.5,"text":"t","attributes":{"a":1},"internal":1}]},` +
		`{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[{"type":"file_citation","file_id":"file-1","index":1,"filename":"plan.txt","x":1}]}]}]}`
	got, _ := rebuilt(t, responses, responsesWith(`"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]`), answer, searching)
	for _, want := range []string{
		`"results":[{"file_id":"file-1","filename":"plan.txt","score":0.5,"text":"t","attributes":{"a":1}}]`,
		`{"type":"file_citation","file_id":"file-1","index":1,"filename":"plan.txt"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if got, _ = rebuilt(t, responses, responsesBodyMin, answer, searching); strings.Contains(got, "file") || strings.Contains(got, "plan.txt") {
		t.Errorf("to a caller who searched for nothing: %s", got)
	}
	c, err := call(t, responses, `{"model":"m","input":[{"type":"file_search_call","id":"fs_1","status":"completed","queries":["q"],"results":[{"file_id":"file-of-others","text":"t"}]}]}`, searching)
	if err != nil || strings.Contains(bodyOf(t, c), "file-of-others") || strings.Contains(bodyOf(t, c), "fs_1") || len(c.Objects) != 0 {
		t.Errorf("sent back: %v %s", err, bodyOf(t, c))
	}
}

// TestImageByID: an image that was uploaded is a reference, and counts as one.
func TestImageByID(t *testing.T) {
	one := func(members string) claviger.Call {
		t.Helper()
		c, err := call(t, responses, `{"model":"m","input":[{"role":"user","content":[{"type":"input_image",`+members+`}]}]}`, &openai.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := one(`"detail":"low","file_id":"file-1"`)
	if len(c.Objects) != 1 || c.Objects[0] != (claviger.ObjectRef{Kind: openai.KindFile, ID: "file-1", Param: "input[0].content[0].file_id"}) || c.MaxInput < 4096 {
		t.Errorf("%v %d", c.Objects, c.MaxInput)
	}
	if c = one(`"image_url":null,"file_id":"file-1"`); !strings.Contains(bodyOf(t, c), `{"type":"input_image","file_id":"file-1"}`) {
		t.Error(bodyOf(t, c))
	}
}

// TestVectorStores: what a store and its files may be given.
func TestVectorStores(t *testing.T) {
	chunks := func(size, overlap string) string {
		return `{"chunking_strategy":{"type":"static","static":{"max_chunk_size_tokens":` + size + `,"chunk_overlap_tokens":` + overlap + `}}}`
	}
	for _, x := range []struct {
		path, in, param string
		code            claviger.Code
	}{
		{"/vector_stores", `{}`, "", ""},
		{"/vector_stores", chunks("4096", "2048"), "", ""},
		{"/vector_stores", chunks("4097", "0"), "chunking_strategy.static.max_chunk_size_tokens", claviger.CodeInvalidInput},
		{"/vector_stores", chunks("99", "0"), "chunking_strategy.static.max_chunk_size_tokens", claviger.CodeInvalidInput},
		{"/vector_stores", chunks("800", "-1"), "chunking_strategy.static.chunk_overlap_tokens", claviger.CodeInvalidInput},
		{"/vector_stores", `{"chunking_strategy":{"type":"other"}}`, "chunking_strategy.type", claviger.CodeInvalidInput},
		{"/vector_stores", `{"expires_after":{"anchor":"last_active_at","days":366}}`, "expires_after.days", claviger.CodeInvalidInput},
		{"/vector_stores", `{"metadata":{"a":"b"}}`, "metadata", claviger.CodeForbidden},
		{"/vector_stores", `{"file_ids":["a b"]}`, "file_ids[0]", claviger.CodeNotFound},
		{"/vector_stores", `{"file_ids":["` + strings.Repeat(`f","`, 128) + `f"]}`, "file_ids", claviger.CodeInvalidInput},
		{"/vector_stores/vs_1/file_batches", `{"files":[{"file_id":"f","attributes":{"a":null}}]}`, "files[0].attributes.a", claviger.CodeInvalidInput},
		{"/vector_stores/vs_1/search", `{"query":["a","b"],"max_num_results":50,"rewrite_query":false}`, "", ""},
		{"/vector_stores/vs_1/search", `{"query":"a","rewrite_query":true}`, "rewrite_query", claviger.CodeForbidden},
		{"/vector_stores/vs_1/search", `{"query":"a","max_num_results":51}`, "max_num_results", claviger.CodeInvalidInput},
		{"/uploads", `{"filename":"a","mime_type":"a/b","purpose":"batch","bytes":1}`, "purpose", claviger.CodeForbidden},
		{"/uploads", `{"filename":"a","mime_type":"a/b","purpose":"vision","bytes":536870913}`, "bytes", claviger.CodeInvalidInput},
		{"/uploads", `{"filename":"a","mime_type":"a/b","purpose":"vision","bytes":0}`, "bytes", claviger.CodeInvalidInput},
		{"/uploads/upload_1/complete", `{"part_ids":[]}`, "part_ids", claviger.CodeInvalidInput},
	} {
		_, err := call(t, x.path, x.in, &openai.Policy{})
		e, ok := errors.AsType[*claviger.Error](err)
		if x.code == "" && err != nil || x.code != "" && (!ok || e.Code != x.code || e.Param != x.param) {
			t.Errorf("%s %.80s: %v, want %s (%s)", x.path, x.in, err, x.code, x.param)
		}
	}
}
