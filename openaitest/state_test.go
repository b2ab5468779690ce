package openaitest_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3/conversations"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"

	"claviger.dev/claviger/openaitest"
)

func idOf(o object) string { return text(o["id"]) }

func inputTokens(t *testing.T, o object) float64 {
	t.Helper()
	return at(t, o, "usage", "input_tokens").(float64)
}

// everyItem is an input that holds every kind of item that is simulated.
func everyItem() []any {
	return []any{
		object{"role": "system", "content": "Be brief."},
		object{"type": "message", "role": "user", "content": []any{object{"type": "input_text", "text": "What is the weather?"}, object{"type": "input_image", "image_url": "https://example.com/a.png"}}},
		object{"role": "assistant", "content": "Let me see."},
		object{"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"},
		object{"type": "function_call_output", "call_id": "c1", "output": "sunny"},
		object{"type": "custom_tool_call", "call_id": "c2", "name": "run_query", "input": "x"},
		object{"type": "custom_tool_call_output", "call_id": "c2", "output": "none"},
		object{"type": "reasoning", "id": "rs_1", "summary": []any{}},
		object{"role": "user", "content": "And tomorrow?"},
	}
}

func TestStoredResponses(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	made := call(t, srv, "/responses", respond("", "input", everyItem()), 200)
	path := "/responses/" + idOf(made)
	again := get(t, srv, path)
	d.must(t, "Response", again)
	if !reflect.DeepEqual(made, again) {
		t.Errorf("made %v, kept %v", made, again)
	}
	d.must(t, "Response", get(t, srv, path+"?include=message.input_image.image_url&include[]=file_search_call.results"))
	list := get(t, srv, path+"/input_items")
	d.must(t, "ResponseItemList", list)
	if n := len(list["data"].([]any)); n != 9 || at(t, list, "data", 0, "content", 0, "text") != "And tomorrow?" || at(t, list, "data", 7, "content", 1, "image_url") != nil {
		t.Errorf("%d items, the newest first: %v", n, list)
	}
	list = get(t, srv, path+"/input_items?order=asc&limit=2&include=message.input_image.image_url")
	d.must(t, "ResponseItemList", list)
	if list["has_more"] != true || list["last_id"] != ids(t, list)[1] || at(t, list, "data", 1, "content", 1, "image_url") != "https://example.com/a.png" {
		t.Errorf("%v", list)
	}
	rest := get(t, srv, path+"/input_items?order=asc&limit=100&after="+text(list["last_id"]))
	if len(ids(t, rest)) != 7 || rest["has_more"] != false {
		t.Errorf("%v", rest)
	}
	gone := do(t, srv, http.MethodDelete, path, nil, 200)
	if gone["deleted"] != true || gone["id"] != made["id"] || gone["object"] != "response" {
		t.Errorf("%v", gone)
	}
	for _, r := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"POST", "/cancel"}, {"GET", "/input_items"}} {
		d.must(t, "ErrorResponse", do(t, srv, r[0], path+r[1], nil, 404))
	}
	call(t, srv, "/responses", respond("x", "previous_response_id", made["id"]), 400)
	unkept := call(t, srv, "/responses", respond("x", "store", false), 200)
	do(t, srv, http.MethodGet, "/responses/"+idOf(unkept), nil, 404)
}

// TestContinuing has usage grow by what came before.
func TestContinuing(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	tools := []any{weatherTool(false)}
	one := call(t, srv, "/responses", respond("call the tool get_weather", "tools", tools), 200)
	callID := at(t, one, "output", 0, "call_id")
	output := object{"type": "function_call_output", "call_id": callID, "output": "sunny"}
	two := call(t, srv, "/responses", respond("", "input", []any{output}, "previous_response_id", one["id"], "tools", tools), 200)
	if before := inputTokens(t, one) + at(t, one, "usage", "output_tokens").(float64); inputTokens(t, two) <= before || at(t, two, "output", 0, "type") != "message" {
		t.Errorf("%v after %v", two, one)
	}
	items := get(t, srv, "/responses/"+idOf(two)+"/input_items?order=asc")
	if n := len(ids(t, items)); n != 3 || ids(t, items)[1] != at(t, one, "output", 0, "id") {
		t.Errorf("%v", items)
	}
	call(t, srv, "/responses", respond("", "input", []any{object{"type": "function_call_output", "call_id": "call_x", "output": ""}}, "previous_response_id", two["id"]), 400)
	short := call(t, srv, "/responses", respond("", "input", []any{object{"role": "user", "content": "x"}}), 200)
	reference := object{"type": "item_reference", "id": at(t, two, "output", 0, "id")}
	long := call(t, srv, "/responses", respond("", "input", []any{object{"role": "user", "content": "x"}, reference}), 200)
	if inputTokens(t, long) < inputTokens(t, short)+at(t, two, "usage", "output_tokens").(float64) {
		t.Errorf("a reference adds nothing: %v, %v", short["usage"], long["usage"])
	}
	if call(t, srv, "/responses", respond("", "input", []any{object{"id": reference["id"]}}), 200)["status"] != "completed" {
		t.Error("a reference without its type")
	}
}

func TestConversations(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	made := call(t, srv, "/conversations", object{"metadata": object{"team": "a"}, "items": everyItem()}, 200)
	d.must(t, "ConversationResource", made)
	path := "/conversations/" + idOf(made)
	if !strings.HasPrefix(idOf(made), "conv_") || !reflect.DeepEqual(made, get(t, srv, path)) {
		t.Errorf("%v", made)
	}
	updated := do(t, srv, http.MethodPost, path, object{"metadata": object{"team": "b"}}, 200)
	d.must(t, "ConversationResource", updated)
	if at(t, updated, "metadata", "team") != "b" {
		t.Errorf("%v", updated)
	}
	one := call(t, srv, "/responses", respond("hello there", "conversation", idOf(made)), 200)
	d.must(t, "Response", one)
	two := call(t, srv, "/responses", respond("hello there", "conversation", object{"id": idOf(made)}), 200)
	if at(t, one, "conversation", "id") != idOf(made) || inputTokens(t, two) <= inputTokens(t, one)+at(t, one, "usage", "output_tokens").(float64) {
		t.Errorf("%v then %v", one, two)
	}
	stream(t, srv, "/responses", respond("think first", "conversation", idOf(made), "stream", true))
	list := get(t, srv, path+"/items?order=asc&limit=100")
	d.must(t, "ConversationItemList", list)
	if n := len(ids(t, list)); n != 9+2+2+3 {
		t.Errorf("%d items", n)
	}
	added := do(t, srv, http.MethodPost, path+"/items?include[]=message.input_image.image_url", object{"items": everyItem()[1:3]}, 200)
	d.must(t, "ConversationItemList", added)
	if at(t, added, "data", 0, "content", 1, "image_url") == nil {
		t.Errorf("%v", added)
	}
	item := path + "/items/" + ids(t, added)[0]
	d.must(t, "ConversationItem", get(t, srv, item))
	d.must(t, "ConversationResource", do(t, srv, http.MethodDelete, item, nil, 200))
	d.must(t, "ErrorResponse", do(t, srv, http.MethodGet, item, nil, 404))
	do(t, srv, http.MethodDelete, item, nil, 404)
	if n := len(ids(t, get(t, srv, path+"/items?limit=100"))); n != 17 {
		t.Errorf("%d items", n)
	}
	d.must(t, "DeletedConversationResource", do(t, srv, http.MethodDelete, path, nil, 200))
	for _, r := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"GET", "/items"}, {"GET", "/items/msg_1"}, {"DELETE", "/items/msg_1"}} {
		d.must(t, "ErrorResponse", do(t, srv, r[0], path+r[1], nil, 404))
	}
	do(t, srv, http.MethodPost, path, object{"metadata": object{}}, 404)
	do(t, srv, http.MethodPost, path+"/items", object{"items": []any{}}, 404)
	d.must(t, "ConversationItemList", get(t, srv, "/conversations/"+idOf(call(t, srv, "/conversations", object{}, 200))+"/items"))
}

func TestConversationRefusals(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	path := "/conversations/" + idOf(call(t, srv, "/conversations", object{}, 200))
	for _, r := range []refusal{
		{"unknown member", "/conversations", object{"owner": "x"}, 400, "unknown_parameter", "owner"},
		{"much metadata", "/conversations", object{"metadata": many(17)}, 400, "object_above_max_properties", "metadata"},
		{"many items", "/conversations", object{"items": slices.Repeat([]any{object{"role": "user", "content": "x"}}, 21)}, 400, "array_above_max_length", "items"},
		{"bad item", "/conversations", object{"items": []any{object{"role": "root", "content": "x"}}}, 400, "invalid_value", "items[0].role"},
		{"no items", path + "/items", object{}, 400, "missing_required_parameter", "items"},
		{"no metadata", path, object{}, 400, "missing_required_parameter", "metadata"},
		{"unknown order", path + "/items?order=random", nil, 400, "invalid_value", "order"},
		{"no number", path + "/items?limit=x", nil, 400, "invalid_type", "limit"},
		{"low limit", path + "/items?limit=0", nil, 400, "integer_below_min_value", "limit"},
		{"high limit", path + "/items?limit=101", nil, 400, "integer_above_max_value", "limit"},
		{"unknown after", path + "/items?after=msg_1", nil, 404, "", "after"},
		{"unknown query", path + "/items?owner=x", nil, 400, "unknown_parameter", "owner"},
		{"unknown include", path + "/items?include=x", nil, 400, "invalid_value", "include[0]"},
		{"put", path + "/items/x/y", nil, 404, "", ""},
	} {
		e, _ := call(t, srv, r.path, r.body, r.status)["error"].(object)
		if text(e["code"]) != r.code || text(e["param"]) != r.param {
			t.Errorf("%s: want code %q and param %q, got %v", r.name, r.code, r.param, e)
		}
	}
	resp, _ := send(t, func() *http.Request { r := request(t, srv, path, nil); r.Method = http.MethodPut; return r }())
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, POST, DELETE" {
		t.Errorf("PUT: %d, allowed %q", resp.StatusCode, resp.Header.Get("Allow"))
	}
}

// awaitStatus reads a response until it has that status.
func awaitStatus(t *testing.T, srv *openaitest.Server, id, status string) object {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if o := get(t, srv, "/responses/"+id); o["status"] == status {
			return o
		}
	}
	t.Fatalf("%s does not become %s", id, status)
	return nil
}

func TestBackground(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{Background: 40 * time.Millisecond})
	conversation := idOf(call(t, srv, "/conversations", object{}, 200))
	queued := call(t, srv, "/responses", respond("hello there", "background", true, "conversation", conversation), 200)
	charged := srv.Units().Total
	d.must(t, "Response", queued)
	if queued["status"] != "queued" || queued["background"] != true || charged != (openaitest.Tokens{}) {
		t.Errorf("charged %+v: %v", charged, queued)
	}
	done := awaitStatus(t, srv, idOf(queued), "completed")
	d.must(t, "Response", done)
	wait(t, srv, func(c openaitest.Calls) bool { return c[1].Usage.Output > 0 })
	if u := srv.Units().Total; float64(u.Output) != at(t, done, "usage", "output_tokens") || float64(u.Input) != inputTokens(t, done) || outputText(t, done) == "" {
		t.Errorf("charged %+v, said %v", u, done["usage"])
	}
	if n := len(ids(t, get(t, srv, "/conversations/"+conversation+"/items"))); n != 2 {
		t.Errorf("%d items", n)
	}
	if o := do(t, srv, http.MethodPost, "/responses/"+idOf(done)+"/cancel", nil, 200); o["status"] != "completed" {
		t.Errorf("%v", o)
	}
	d.responseEvents(t, stream(t, srv, "/responses", respond("hello there", "background", true, "stream", true)))
	srv.Inject(mustParse(t, "failed times=1"))
	d.must(t, "Response", awaitStatus(t, srv, idOf(call(t, srv, "/responses", respond("x", "background", true), 200)), "failed"))
	plain := call(t, srv, "/responses", respond("x"), 200)
	do(t, srv, http.MethodPost, "/responses/"+idOf(plain)+"/cancel", nil, 400)
}

func TestCancelBackground(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{Background: 300 * time.Millisecond})
	one := call(t, srv, "/responses", respond("x", "background", true), 200)
	canceled := do(t, srv, http.MethodPost, "/responses/"+idOf(one)+"/cancel", nil, 200)
	d.must(t, "Response", canceled)
	two := call(t, srv, "/responses", respond("x", "background", true), 200)
	awaitStatus(t, srv, idOf(two), "in_progress")
	used := srv.Units().Total
	awaitStatus(t, srv, idOf(two), "completed")
	if o := get(t, srv, "/responses/"+idOf(one)); canceled["status"] != "cancelled" || o["status"] != "cancelled" || used != (openaitest.Tokens{}) {
		t.Errorf("%v, charged %+v", o, used)
	}
}

// TestPatterns counts calls by what they ask for, and breaks them by it.
func TestPatterns(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	srv.Inject(mustParse(t, "503 path=/v1/responses/{id} times=1"))
	id := idOf(call(t, srv, "/responses", respond("x"), 200))
	do(t, srv, http.MethodGet, "/responses/"+id, nil, 503)
	get(t, srv, "/responses/"+id)
	do(t, srv, http.MethodDelete, "/responses/"+id, nil, 200)
	wait(t, srv, openaitest.Ended(4))
	calls := srv.Calls()
	if len(calls.Pattern("GET", "/v1/responses/{id}")) != 2 || len(calls.Pattern("DELETE", "/v1/responses/{id}")) != 1 || len(calls.Pattern("POST", "/v1/responses")) != 1 {
		t.Errorf("%+v", calls)
	}
}

// TestOfficialLibraryState has OpenAI's own library keep state.
func TestOfficialLibraryState(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	client := sdk(t, srv)
	conv, err := client.Conversations.New(t.Context(), conversations.ConversationNewParams{})
	if err != nil {
		t.Fatal(err)
	}
	ask := responses.ResponseNewParams{
		Model: mini, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("How do bees fly?")},
		Conversation: responses.ResponseNewParamsConversationUnion{OfString: param.NewOpt(conv.ID)},
	}
	made, err := client.Responses.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := client.Responses.Get(t.Context(), made.ID, responses.ResponseGetParams{Include: []responses.ResponseIncludable{"file_search_call.results"}})
	if err != nil || kept.OutputText() != made.OutputText() || kept.Conversation.ID != conv.ID {
		t.Errorf("%v: %+v", err, kept)
	}
	n := 0
	pages := client.Conversations.Items.ListAutoPaging(t.Context(), conv.ID, conversations.ItemListParams{Limit: param.NewOpt[int64](1)})
	for pages.Next() {
		n++
	}
	inputs := client.Responses.InputItems.ListAutoPaging(t.Context(), made.ID, responses.InputItemListParams{})
	for inputs.Next() {
		n++
	}
	if pages.Err() != nil || inputs.Err() != nil || n != 3 {
		t.Errorf("%d items: %v, %v", n, pages.Err(), inputs.Err())
	}
	if err := client.Responses.Delete(t.Context(), made.ID); err != nil {
		t.Error(err)
	}
	if gone, err := client.Conversations.Delete(t.Context(), conv.ID); err != nil || !gone.Deleted {
		t.Errorf("%v: %+v", err, gone)
	}
}
