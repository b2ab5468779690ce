package openaitest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/openaitest"
)

// faulty sends one call with a fault in its header.
func faulty(t *testing.T, srv *openaitest.Server, path, fault string, body any) (*http.Response, error) {
	t.Helper()
	req := request(t, srv, path, body)
	req.Header.Set("X-Openaitest-Fault", fault)
	resp, err := fresh(t).Do(req)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

func TestStatusFaults(t *testing.T) {
	srv := newServer(t, openaitest.Options{Organization: "org-theirs", Project: "proj_theirs"})
	rows := []struct {
		fault        string
		status       int
		code, says   string
		retry, ctype string
	}{
		{"401", 401, `"invalid_api_key"`, "***...", "", "application/json"},
		{"403", 403, `"model_not_found"`, "proj_theirs", "", "application/json"},
		{"429", 429, `"rate_limit_exceeded"`, "org-theirs", "", "application/json"},
		{"429 retry-after=3", 429, `"rate_limit_exceeded"`, "Rate limit", "3", "application/json"},
		{"429 code=insufficient_quota", 429, `"insufficient_quota"`, "exceeded your current quota", "", "application/json"},
		{"500", 500, "null", "request ID req_", "", "application/json"},
		{"502", 502, "", "Bad gateway", "", "text/html; charset=UTF-8"},
		{"503", 503, `"server_overloaded"`, "overloaded", "", "application/json"},
		{"529", 529, `"server_overloaded"`, "overloaded", "", "application/json"},
		{`400 message="no \"x\" here" param=input code=odd`, 400, `"odd"`, `no \"x\" here`, "", "application/json"},
		{"418", 418, "null", "refused", "", "application/json"},
	}
	for _, r := range rows {
		for _, streamed := range []bool{false, true} {
			resp, err := faulty(t, srv, "/responses", r.fault, respond("x", "stream", streamed))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != r.status || resp.Header.Get("Retry-After") != r.retry || resp.Header.Get("Content-Type") != r.ctype ||
				!strings.Contains(string(b), r.says) || r.code != "" && !strings.Contains(string(b), `"code":`+r.code) {
				t.Errorf("%s: %d %v %s", r.fault, resp.StatusCode, resp.Header, b)
			}
		}
	}
	if u := srv.Units(); u.Total != (openaitest.Tokens{}) {
		t.Errorf("failed calls were charged: %+v", u)
	}
}

func TestMaskedKey(t *testing.T) {
	key := "sk-ab" + strings.Repeat("q", 20) + "wxyz"
	srv := newServer(t, openaitest.Options{Keys: []string{key}})
	req := request(t, srv, "/responses", respond("x"))
	req.Header.Set("Authorization", "Bearer sk-cd"+strings.Repeat("q", 20)+"stuv")
	resp, body := send(t, req)
	want := "Incorrect API key provided: sk-cd***...stuv. You can find your API key at https://platform.openai.com/account/api-keys."
	if resp.StatusCode != 401 || at(t, decoded(t, body), "error", "message") != want {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	srv.Inject(mustParse(t, "401"))
	_, body = send(t, request(t, srv, "/responses", respond("x")))
	if !strings.Contains(string(body), "sk-ab***...wxyz") {
		t.Errorf("the accepted key is not masked in %s", body)
	}
	srv.Clear()
	for _, header := range []string{"", "Bearer ", "Basic abc", key} {
		req := request(t, srv, "/responses", respond("x"))
		req.Header.Set("Authorization", header)
		resp, body := send(t, req)
		if resp.StatusCode != 401 || !strings.Contains(string(body), "You didn't provide an API key") {
			t.Errorf("%q: %d %s", header, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/models", "/models/" + mini} {
		req := request(t, srv, path, nil)
		req.Header.Del("Authorization")
		if resp, _ := send(t, req); resp.StatusCode != 401 {
			t.Errorf("%s without a key: %d", path, resp.StatusCode)
		}
	}
}

func TestPageEmptyRedirect(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	resp, body := sendFault(t, srv, "html")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=UTF-8" || !bytes.HasPrefix(body, []byte("<!DOCTYPE html>")) {
		t.Errorf("html: %d %v %s", resp.StatusCode, resp.Header, body)
	}
	resp, body = sendFault(t, srv, "empty")
	if resp.StatusCode != 200 || len(body) != 0 || resp.ContentLength != 0 {
		t.Errorf("empty: %d %q, length %d", resp.StatusCode, body, resp.ContentLength)
	}
	for fault, want := range map[string]int{"redirect": 307, "302": 302, "307 to=http://127.0.0.1:1/x": 307, "redirect status=308": 308} {
		resp, _ = sendFault(t, srv, fault)
		to := resp.Header.Get("Location")
		if resp.StatusCode != want || to == "" || strings.Contains(fault, "to=") != strings.HasSuffix(to, "127.0.0.1:1/x") {
			t.Errorf("%s: %d to %q", fault, resp.StatusCode, to)
		}
	}
	if u := srv.Units(); u.Total != (openaitest.Tokens{}) {
		t.Errorf("calls that no model saw were charged: %+v", u)
	}
}

func sendFault(t *testing.T, srv *openaitest.Server, fault string) (*http.Response, []byte) {
	t.Helper()
	req := request(t, srv, "/responses", respond("hello there"))
	req.Header.Set("X-Openaitest-Fault", fault)
	return send(t, req)
}

func TestSpoiledAnswers(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for _, path := range []string{"/responses", "/chat/completions"} {
		body := func() object { return with(chat("hello there"), "input", nil) }
		if path == "/responses" {
			body = func() object { return respond("hello there") }
		} else {
			body = func() object { return chat("hello there") }
		}
		read := func(fault string) (*http.Response, []byte) {
			req := request(t, srv, path, body())
			req.Header.Set("X-Openaitest-Fault", fault)
			return send(t, req)
		}
		_, whole := read("slow")
		decoded(t, whole)
		resp, b := read("truncated")
		if resp.StatusCode != 200 || isJSON(b) || int64(len(b)) != resp.ContentLength || len(b) < 100 {
			t.Errorf("truncated: %d %s", resp.StatusCode, b)
		}
		resp, b = read("invalid-json")
		if resp.StatusCode != 200 || isJSON(b) || len(b) < 100 {
			t.Errorf("invalid-json: %d %s", resp.StatusCode, b)
		}
		resp, b = read("content-type")
		if ct := resp.Header.Get("Content-Type"); ct != "text/plain" || !isJSON(b) {
			t.Errorf("content-type: %q %s", ct, b)
		}
		resp, b = read("gzip")
		if resp.Header.Get("Content-Encoding") != "gzip" || !isJSON(unzip(t, b)) {
			t.Errorf("gzip: %v", resp.Header)
		}
		_, b = read("no-usage")
		if _, there := decoded(t, b)["usage"]; there {
			t.Errorf("no-usage: %s", b)
		}
		_, b = read("extra")
		if decoded(t, b)["x_account"] == nil {
			t.Errorf("extra: %s", b)
		}
		_, b = read("error-event")
		if at(t, decoded(t, b), "error", "type") != "server_error" {
			t.Errorf("error-event: %s", b)
		}
	}
}

func isJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 1 && b[0] == '{' && b[len(b)-1] == '}' && !bytes.Contains(b, []byte(`"=`))
}

func unzip(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFailedResponse(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	srv.Inject(openaitest.Fault{Kind: openaitest.Failed})
	o := call(t, srv, "/responses", respond("x"), 200)
	if o["status"] != "failed" || at(t, o, "error", "code") != "server_error" {
		t.Errorf("%v", o)
	}
	if _, ok := call(t, srv, "/chat/completions", chat("x"), 200)["error"]; !ok {
		t.Error("a failed chat is no error object")
	}
}

func TestErrorInsideStream(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for fault, want := range map[string]string{"error-event after=6": "error", "failed after=6": "response.failed"} {
		srv.Inject(mustParse(t, fault+" times=1"))
		events := stream(t, srv, "/responses", respond("write 20 words", "stream", true))
		if len(events) != 7 || events[6].name != want || events[5].name != "response.output_text.delta" {
			t.Errorf("%s: %v", fault, names(events))
		}
		srv.Inject(mustParse(t, fault+" times=1"))
		events = stream(t, srv, "/chat/completions", chat("write 20 words", "stream", true))
		if len(events) != 7 || events[6].name != "" || !strings.HasPrefix(events[6].data, `{"error":{"message":`) {
			t.Errorf("%s: %v", fault, events)
		}
	}
}

func TestLeak(t *testing.T) {
	srv := newServer(t, openaitest.Options{Keys: []string{"sk-" + strings.Repeat("k3y", 9)}})
	key := srv.Key()
	for _, path := range []string{"/responses", "/chat/completions"} {
		body := chat("hello there")
		if path == "/responses" {
			body = respond("hello there")
		}
		srv.Inject(openaitest.Fault{Kind: openaitest.Leak, Times: 1})
		if _, b := send(t, request(t, srv, path, body)); !bytes.Contains(b, []byte(key)) {
			t.Errorf("%s: no key in %s", path, b)
		}
		for parts, deltas := range map[int]int{1: 1, 3: 0} {
			srv.Inject(openaitest.Fault{Kind: openaitest.Leak, Parts: parts, Times: 1})
			events := stream(t, srv, path, with(body, "stream", true))
			whole := 0
			for _, e := range events {
				if strings.Contains(e.data, `"`+key+`"`) { // as a delta of its own
					whole++
				}
			}
			if whole != deltas || !strings.Contains(joined(t, path, events), key) {
				t.Errorf("%s in %d parts: %d deltas hold the key, text %q", path, parts, whole, joined(t, path, events))
			}
		}
	}
	srv.Inject(openaitest.Fault{Kind: openaitest.Leak, Status: 500})
	if resp, b := send(t, request(t, srv, "/responses", respond("x"))); resp.StatusCode != 500 || !bytes.Contains(b, []byte(key)) {
		t.Errorf("leaking error: %d %s", resp.StatusCode, b)
	}
}

// joined is the text that a stream's deltas make.
func joined(t *testing.T, path string, events []event) string {
	t.Helper()
	var b strings.Builder
	for _, e := range events {
		if e.data == "[DONE]" {
			continue
		}
		o := e.object(t)
		if path == "/responses" {
			if e.name == "response.output_text.delta" {
				b.WriteString(o["delta"].(string))
			}
			continue
		}
		for _, c := range o["choices"].([]any) {
			b.WriteString(text(at(t, c, "delta", "content")))
		}
	}
	return b.String()
}

func TestHuge(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	for _, streamed := range []bool{false, true} {
		for path, body := range map[string]object{"/responses": respond("x"), "/chat/completions": chat("x")} {
			srv.Inject(openaitest.Fault{Kind: openaitest.Huge, MiB: 3, Times: 1})
			resp, b := send(t, request(t, srv, path, with(body, "stream", streamed)))
			if resp.StatusCode != 200 || len(b) < 3<<20 || len(b) > 4<<20 || bytes.Contains(b, []byte("openaitest")) {
				t.Errorf("%s: %d bytes", path, len(b))
			}
			if !streamed {
				decoded(t, b)
			}
		}
	}
}

func TestSpoiledStreams(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	body := func() object { return respond("write 20 words", "stream", true) }
	read := func(fault string) (*http.Response, []byte) {
		req := request(t, srv, "/responses", body())
		req.Header.Set("X-Openaitest-Fault", fault)
		return send(t, req)
	}
	_, b := read("truncated after=5")
	if !strings.HasSuffix(string(b), `data: {"type":"response.output_text.del`) || bytes.Count(b, []byte("\n\n")) != 5 {
		t.Errorf("truncated: %s", b)
	}
	_, b = read("invalid-json after=5")
	if !bytes.Contains(b, []byte(`"delta":}`)) || !bytes.Contains(b, []byte("response.completed")) {
		t.Errorf("invalid-json: %s", b)
	}
	resp, b := read("content-type type=application/json")
	if resp.Header.Get("Content-Type") != "application/json" || !bytes.Contains(b, []byte("response.completed")) {
		t.Errorf("content-type: %v", resp.Header)
	}
	resp, b = read("gzip")
	events, _ := readEvents(bytes.NewReader(unzip(t, b)))
	if resp.Header.Get("Content-Encoding") != "gzip" || events[len(events)-1].name != "response.completed" {
		t.Errorf("gzip: %v", names(events))
	}
	_, b = read("extra after=5")
	events, _ = readEvents(bytes.NewReader(b))
	if !slices.Contains(names(events), "account.notice") || !strings.Contains(events[len(events)-1].data, `"x_account"`) {
		t.Errorf("extra: %v", names(events))
	}
	_, b = read("no-usage")
	events, _ = readEvents(bytes.NewReader(b))
	if last := events[len(events)-1]; last.name != "response.completed" || strings.Contains(last.data, `"usage"`) {
		t.Errorf("no-usage: %v", last)
	}
	_, b = read("end after=5")
	events, _ = readEvents(bytes.NewReader(b))
	if len(events) != 5 || slices.Contains(names(events), "response.completed") {
		t.Errorf("end: %v", names(events))
	}
	srv.Inject(mustParse(t, "no-usage"))
	chunks := stream(t, srv, "/chat/completions", chat("x", "stream", true, "stream_options", object{"include_usage": true}))
	for _, c := range chunks {
		if strings.Contains(c.data, `"usage":{`) {
			t.Errorf("no-usage in a chat: %s", c.data)
		}
	}
}

func TestInjectionsFit(t *testing.T) {
	a, b := "sk-"+strings.Repeat("a", 20), "sk-"+strings.Repeat("b", 20)
	srv := newServer(t, openaitest.Options{Keys: []string{a, b}})
	srv.Inject(
		openaitest.Fault{Kind: openaitest.Status, Status: 429, Key: b, Times: 2},
		openaitest.Fault{Kind: openaitest.Status, Status: 503, Path: "/v1/chat/completions", Times: 1},
	)
	status := func(path, key string, body any) int {
		req := request(t, srv, path, body)
		req.Header.Set("Authorization", "Bearer "+key)
		resp, _ := send(t, req)
		return resp.StatusCode
	}
	got := []int{
		status("/responses", a, respond("x")), status("/responses", b, respond("x")),
		status("/chat/completions", "sk-unknown-key", chat("x")), status("/nothing", a, nil),
		status("/chat/completions", b, chat("x")), status("/chat/completions", b, chat("x")), status("/chat/completions", b, chat("x")),
	}
	if want := []int{200, 429, 401, 404, 429, 503, 200}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if left := srv.Faults(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	srv.Inject(openaitest.Fault{Kind: openaitest.Status, Status: 500})
	for range 3 {
		if got := status("/models", a, nil); got != 500 {
			t.Errorf("a fault without end: %d", got)
		}
	}
	srv.Clear()
	if got := status("/models", a, nil); got != 200 {
		t.Errorf("after Clear: %d", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("Inject takes an unknown kind")
		}
	}()
	srv.Inject(openaitest.Fault{Kind: "earthquake"})
}

func TestPromptFaults(t *testing.T) {
	off, on := newServer(t, openaitest.Options{}), newServer(t, openaitest.Options{PromptFaults: true})
	prompt := "Hello [[fault:429 retry-after=3]] there"
	call(t, off, "/responses", respond(prompt), 200)
	resp, _ := send(t, request(t, on, "/responses", respond(prompt)))
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "3" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	call(t, on, "/chat/completions", chat(prompt), 429)
	call(t, on, "/embeddings", object{"model": "text-embedding-3-small", "input": prompt}, 429)
	call(t, on, "/moderations", object{"input": prompt}, 429)
	call(t, on, "/responses", respond("[[fault:earthquake]]"), 400)
	call(t, on, "/responses", respond("[[fault:401"), 200)
	// An older message does not strike again.
	call(t, on, "/chat/completions", chat("", "messages", []any{
		object{"role": "user", "content": prompt}, object{"role": "assistant", "content": "oh"}, object{"role": "user", "content": "again"},
	}), 200)
	events := stream(t, on, "/responses", respond("write 20 words [[fault:end after=5]]", "stream", true))
	if len(events) != 5 {
		t.Errorf("%v", names(events))
	}
}

func TestParseFault(t *testing.T) {
	good := map[string]openaitest.Fault{
		"429 retry-after=3":      {Kind: openaitest.Status, Status: 429, RetryAfter: "3"},
		" stall  after=7 for=2s": {Kind: openaitest.Stall, After: 7, For: 2 * time.Second},
		"cut after=0":            {Kind: openaitest.Cut, After: -1},
		"302 to=http://x/":       {Kind: openaitest.Redirect, Status: 302, To: "http://x/"},
		`400 message="a \"b\" c" param=input code=odd`: {Kind: openaitest.Status, Status: 400, Message: `a "b" c`, Param: "input", Code: "odd"},
		"hang times=2 path=/v1/responses key=k":        {Kind: openaitest.Hang, Times: 2, Path: "/v1/responses", Key: "k"},
		"huge mib=3":                                   {Kind: openaitest.Huge, MiB: 3},
		"leak parts=2 status=500":                      {Kind: openaitest.Leak, Parts: 2, Status: 500},
		"slow delay=1s delta=2ms":                      {Kind: openaitest.Slow, Delay: time.Second, Delta: 2 * time.Millisecond},
		"content-type type=text/event-stream":          {Kind: openaitest.ContentType, Type: "text/event-stream"},
		"status status=500":                            {Kind: openaitest.Status, Status: 500},
	}
	for in, want := range good {
		got, err := openaitest.ParseFault(in)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "earthquake", "200", "600", "429 3", "429 retry=3", "stall after=x", "stall for=2", `400 message="x`, `400 message="\q"`,
		"status", "redirect status=500", "huge mib=5000", "hang times=-1", "leak status=200",
	} {
		if f, err := openaitest.ParseFault(in); err == nil {
			t.Errorf("%q is taken as %+v", in, f)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	for _, s := range []string{"429 retry-after=3", "stall after=7 for=2s", `400 message="a b" code=x`, "302 to=http://x/", "x", "429 =", "429 message=\"\\u"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := openaitest.ParseFault(in)
		if err != nil || got.Key != "" {
			return // a key is masked in writing
		}
		again, err := openaitest.ParseFault(got.String())
		if err != nil || again != got {
			t.Fatalf("%q is %+v, written %q, read again %+v, %v", in, got, got, again, err)
		}
	})
}
