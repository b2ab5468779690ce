package openaitest_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/openai/openai-go/v3"

	"claviger.dev/claviger/openaitest"
)

func TestStoredChats(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	parts := []any{object{"type": "text", "text": "What is this?"}, object{"type": "image_url", "image_url": object{"url": "https://example.com/a.png"}}}
	messages := []any{object{"role": "system", "content": "Be brief."}, object{"role": "user", "content": parts}}
	made := call(t, srv, "/chat/completions", chat("", "messages", messages, "store", true, "metadata", object{"team": "a"}), 200)
	stream(t, srv, "/chat/completions", chat("call the tool get_weather", "store", true, "stream", true, "tools", []any{weatherTool(true)}, "model", "gpt-4o"))
	call(t, srv, "/chat/completions", chat("x"), 200)
	path := "/chat/completions/" + idOf(made)
	again := get(t, srv, path)
	d.must(t, "CreateChatCompletionResponse", again)
	if !reflect.DeepEqual(made, again) || at(t, made, "metadata", "team") != "a" {
		t.Errorf("made %v, kept %v", made, again)
	}
	list := get(t, srv, "/chat/completions")
	d.must(t, "ChatCompletionList", list)
	if n := len(ids(t, list)); n != 2 || ids(t, list)[0] != idOf(made) || at(t, list, "data", 1, "choices", 0, "message", "tool_calls", 0, "function", "name") != "get_weather" {
		t.Errorf("%v", list)
	}
	for query, want := range map[string]int{
		"model=" + mini: 1, "model=gpt-4o": 1, "model=gpt-5": 0, "metadata[team]=a": 1, "metadata[team]=b": 0, "limit=1": 1,
		"after=" + idOf(made): 1, "order=desc&after=" + idOf(made): 0,
	} {
		list := get(t, srv, "/chat/completions?"+query)
		d.must(t, "ChatCompletionList", list)
		if n := len(ids(t, list)); n != want {
			t.Errorf("%s: %d", query, n)
		}
	}
	said := get(t, srv, path+"/messages")
	d.must(t, "ChatCompletionMessageList", said)
	if at(t, said, "data", 0, "content") != "Be brief." || at(t, said, "data", 1, "content_parts", 0, "text") != "What is this?" || ids(t, said)[1] != idOf(made)+"-1" {
		t.Errorf("%v", said)
	}
	updated := call(t, srv, path, object{"metadata": object{"team": "b"}}, 200)
	d.must(t, "CreateChatCompletionResponse", updated)
	if at(t, updated, "metadata", "team") != "b" || at(t, get(t, srv, path), "metadata", "team") != "b" {
		t.Errorf("%v", updated)
	}
	call(t, srv, path, object{"model": "x"}, 400)
	call(t, srv, path, object{}, 400)
	d.must(t, "ChatCompletionDeleted", do(t, srv, http.MethodDelete, path, nil, 200))
	for _, r := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"GET", "/messages"}} {
		d.must(t, "ErrorResponse", do(t, srv, r[0], path+r[1], nil, 404))
	}
	call(t, srv, path, object{"metadata": object{}}, 404)
}

func TestOfficialLibraryStoredChats(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	client := sdk(t, srv)
	made, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
		Model: mini, Store: openai.Bool(true), Metadata: map[string]string{"team": "a"},
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("How do bees fly?")},
	})
	if err != nil {
		t.Fatal(err)
	}
	pages := client.Chat.Completions.ListAutoPaging(t.Context(), openai.ChatCompletionListParams{Metadata: map[string]string{"team": "a"}, Limit: openai.Int(1)})
	for pages.Next() {
		if pages.Current().ID != made.ID {
			t.Errorf("%+v", pages.Current())
		}
	}
	said, err := client.Chat.Completions.Messages.List(t.Context(), made.ID, openai.ChatCompletionMessageListParams{})
	if err != nil || pages.Err() != nil || len(said.Data) != 1 || said.Data[0].Content != "How do bees fly?" {
		t.Errorf("%v, %v: %+v", err, pages.Err(), said)
	}
	if _, err := client.Chat.Completions.Update(t.Context(), made.ID, openai.ChatCompletionUpdateParams{Metadata: map[string]string{"team": "b"}}); err != nil {
		t.Error(err)
	}
	if gone, err := client.Chat.Completions.Delete(t.Context(), made.ID); err != nil || !gone.Deleted {
		t.Errorf("%v: %+v", err, gone)
	}
}
