package openaitest_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"claviger.dev/claviger/openaitest"
)

// object is a decoded JSON object.
type object = map[string]any

func newServer(t testing.TB, o openaitest.Options) *openaitest.Server {
	t.Helper()
	if o.Delta == 0 {
		o.Delta = -1
	}
	return openaitest.NewServer(t, o)
}

// fresh is a client with connections of its own that the test leaves clean.
func fresh(t testing.TB) *http.Client {
	t.Helper()
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func request(t testing.TB, srv *openaitest.Server, path string, body any) *http.Request {
	t.Helper()
	method := http.MethodPost
	var reader io.Reader
	switch b := body.(type) {
	case nil:
		method = http.MethodGet
	case string:
		reader = strings.NewReader(b)
	default:
		j, err := json.Marshal(b, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, srv.URL+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+srv.Key())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// send sends a request and reads the whole answer.
func send(t testing.TB, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := fresh(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// call sends a request and decodes an answer that must be JSON of that status.
func call(t testing.TB, srv *openaitest.Server, path string, body any, status int) object {
	t.Helper()
	resp, b := send(t, request(t, srv, path, body))
	if resp.StatusCode != status {
		t.Fatalf("%s: status %d, want %d: %s", path, resp.StatusCode, status, b)
	}
	var out object
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s: %v in %.200s", path, err, b)
	}
	return out
}

// event is one server-sent event.
type event struct {
	name, data string
}

func (e event) object(t testing.TB) object {
	t.Helper()
	var out object
	if err := json.Unmarshal([]byte(e.data), &out); err != nil {
		t.Fatalf("event %q: %v in %.200s", e.name, err, e.data)
	}
	return out
}

// readEvents reads events until the body ends; the error is the body's.
func readEvents(r io.Reader) ([]event, error) {
	var out []event
	var cur event
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			cur.name = v
		} else if v, ok := strings.CutPrefix(line, "data: "); ok {
			cur.data += v
		} else if line == "" && cur != (event{}) && err == nil {
			out = append(out, cur)
			cur = event{}
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// stream sends a request for a stream and reads it whole.
func stream(t testing.TB, srv *openaitest.Server, path string, body any) []event {
	t.Helper()
	resp, err := fresh(t).Do(request(t, srv, path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream; charset=utf-8" {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: status %d, content type %q: %s", path, resp.StatusCode, ct, b)
	}
	events, err := readEvents(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func names(events []event) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.name
	}
	return out
}

// at walks into decoded JSON: names for objects, numbers for arrays.
func at(t testing.TB, v any, path ...any) any {
	t.Helper()
	for i, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(object)
			if !ok {
				t.Fatalf("%v: not an object at %d: %v", path, i, v)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("%v: no element %d: %v", path, p, v)
			}
			v = l[p]
		}
	}
	return v
}

func wait(t testing.TB, srv *openaitest.Server, condition func(openaitest.Calls) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := srv.Wait(ctx, condition); err != nil {
		t.Fatal(err)
	}
}

const mini = "gpt-4.1-mini"

func respond(prompt string, more ...any) object {
	return with(object{"model": mini, "input": prompt}, more...)
}

func chat(prompt string, more ...any) object {
	return with(object{"model": mini, "messages": []any{object{"role": "user", "content": prompt}}}, more...)
}

func with(o object, more ...any) object {
	for i := 0; i < len(more); i += 2 {
		o[more[i].(string)] = more[i+1]
	}
	return o
}

func weatherTool(chat bool) object {
	f := object{
		"name": "get_weather", "description": "Weather of a place.",
		"parameters": object{
			"type": "object", "additionalProperties": false, "required": []any{"city", "unit"},
			"properties": object{"city": object{"type": "string"}, "unit": object{"type": "string", "enum": []any{"celsius", "fahrenheit"}}},
		},
	}
	if chat {
		return object{"type": "function", "function": f}
	}
	return with(f, "type", "function")
}

func customTool(chat bool) object {
	if chat {
		return object{"type": "custom", "custom": object{"name": "run_query"}}
	}
	return object{"type": "custom", "name": "run_query"}
}

func personSchema() object {
	return object{
		"type": "object", "additionalProperties": false, "required": []any{"name", "age", "tags", "kind", "active", "score", "boss"},
		"properties": object{
			"name": object{"type": "string", "maxLength": 20}, "age": object{"type": "integer", "minimum": 18, "maximum": 30},
			"tags": object{"type": "array", "items": object{"type": "string"}}, "kind": object{"type": "string", "enum": []any{"cat", "dog"}},
			"active": object{"type": "boolean"}, "score": object{"type": "number"}, "boss": object{"anyOf": []any{object{"$ref": "#"}, object{"type": "null"}}},
		},
	}
}

// do sends a request of any method and decodes an answer that must be JSON of that
// status.
func do(t testing.TB, srv *openaitest.Server, method, path string, body any, status int) object {
	t.Helper()
	req := request(t, srv, path, body)
	req.Method = method
	resp, b := send(t, req)
	if resp.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, status, b)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
		t.Fatalf("%s %s: content type %q", method, path, ct)
	}
	return decoded(t, b)
}

func get(t testing.TB, srv *openaitest.Server, path string) object {
	t.Helper()
	return do(t, srv, http.MethodGet, path, nil, 200)
}

// ids are the ids of a list's entries.
func ids(t testing.TB, list object) []string {
	t.Helper()
	var out []string
	for _, e := range list["data"].([]any) {
		out = append(out, text(e.(object)["id"]))
	}
	return out
}
