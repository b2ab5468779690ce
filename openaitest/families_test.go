package openaitest_test

import (
	"net/http"
	"strings"
	"testing"

	"claviger.dev/claviger/openaitest"
)

// TestFaultsOfEveryFamily breaks a call of each family.
func TestFaultsOfEveryFamily(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	response := idOf(call(t, srv, "/responses", respond("x"), 200))
	conversation := idOf(call(t, srv, "/conversations", object{}, 200))
	file := idOf(upload(t, srv, "a.jsonl", "{}", "batch"))
	store := idOf(call(t, srv, "/vector_stores", object{}, 200))
	sound := recording(t, "")
	calls := map[string]func() *http.Request{
		"response":     func() *http.Request { return request(t, srv, "/responses/"+response, nil) },
		"conversation": func() *http.Request { return request(t, srv, "/conversations/"+conversation+"/items", nil) },
		"chats":        func() *http.Request { return request(t, srv, "/chat/completions", nil) },
		"file":         func() *http.Request { return request(t, srv, "/files/"+file, nil) },
		"content":      func() *http.Request { return request(t, srv, "/files/"+file+"/content", nil) },
		"store":        func() *http.Request { return request(t, srv, "/vector_stores/"+store, nil) },
		"image":        func() *http.Request { return request(t, srv, "/images/generations", draw()) },
		"speech":       func() *http.Request { return request(t, srv, "/audio/speech", say()) },
		"transcription": func() *http.Request {
			return formRequest(t, srv, "/audio/transcriptions", sound, field{name: "model", value: "whisper-1"}, field{name: "response_format", value: "srt"})
		},
	}
	for name, make := range calls {
		whole, body := send(t, make())
		if whole.StatusCode != 200 || len(body) == 0 {
			t.Fatalf("%s: %d %s", name, whole.StatusCode, body)
		}
		for fault, status := range map[string]int{"429 retry-after=3": 429, "401": 401, "502": 502, "302": 302, "html": 200, "empty": 200} {
			srv.Inject(mustParse(t, fault+" times=1"))
			resp, b := send(t, make())
			if resp.StatusCode != status || string(b) == string(body) {
				t.Errorf("%s, %s: %d %.60s", name, fault, resp.StatusCode, b)
			}
		}
		srv.Inject(mustParse(t, "truncated times=1"))
		if _, b := send(t, make()); len(b) >= len(body) || len(b) == 0 && len(body) > 1 {
			t.Errorf("%s: %d of %d bytes", name, len(b), len(body))
		}
		srv.Inject(mustParse(t, "content-type times=1"))
		if resp, _ := send(t, make()); resp.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: %v", name, resp.Header)
		}
		srv.Inject(mustParse(t, "invalid-json times=1"))
		if _, b := send(t, make()); string(b) == string(body) || strings.HasPrefix(string(b), `{"id":`) {
			t.Errorf("%s: %.60s", name, b)
		}
		srv.Inject(mustParse(t, "gzip times=1"))
		if resp, _ := send(t, make()); resp.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %v", name, resp.Header)
		}
		srv.Inject(mustParse(t, "cut times=1"))
		resp, err := fresh(t).Do(make())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readEvents(resp.Body); err == nil {
			t.Errorf("%s: a cut is not noticed", name)
		}
		_ = resp.Body.Close()
	}
}

// TestKeysShareObjects shows what a gateway has to guard against: every key of the
// account sees all of its objects.
func TestKeysShareObjects(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	id := idOf(call(t, srv, "/responses", respond("x"), 200))
	req := request(t, srv, "/responses/"+id, nil)
	req.Header.Set("Authorization", "Bearer sk-"+strings.Repeat("b", 20))
	if resp, b := send(t, req); resp.StatusCode != 200 || idOf(decoded(t, b)) != id {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
	srv.Reset()
	do(t, srv, http.MethodGet, "/responses/"+id, nil, 404)
}

// TestShelvesAreBounded keeps the newest objects only.
func TestShelvesAreBounded(t *testing.T) {
	kept := openaitest.ShelfOf(openaitest.ShelfLimit+10, 1)
	if len(kept) != openaitest.ShelfLimit || kept[0] != "10" {
		t.Errorf("%d kept, from %s on", len(kept), kept[0])
	}
	if kept := openaitest.ShelfOf(10, openaitest.ShelfBytes/4); len(kept) != 4 || kept[3] != "9" {
		t.Errorf("%v", kept)
	}
	if kept := openaitest.ShelfOf(3, openaitest.ShelfBytes+1); len(kept) != 1 || kept[0] != "2" {
		t.Errorf("%v", kept)
	}
}
