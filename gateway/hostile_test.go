package gateway_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger/openaitest"
)

// hostile is a request as an attacker writes it, what it is answered with, and
// how often the provider hears of it.
type hostile struct {
	name    string
	request string
	status  int
	code    string // "" where net/http or a 200 answers
	calls   int
}

// attacker writes hostile requests to one gateway.
type attacker struct {
	host, auth string
}

func (a attacker) post(path, body string, lines ...string) string {
	return a.send("POST", path, body, append([]string{"Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body))}, lines...)...)
}

func (a attacker) send(method, path, body string, lines ...string) string {
	lines = append(lines, "Connection: close")
	if a.auth != "" {
		lines = append([]string{"Authorization: " + a.auth}, lines...)
	}
	return request(method+" "+path+" HTTP/1.1", a.host, body, lines...)
}

func bodyRows(a attacker) []hostile {
	good := chat("hi")
	deep := func(n int) string {
		return `{"model":"gpt-4.1-mini","messages":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	bad := func(name, body, code string) hostile {
		return hostile{name, a.post(chatPath, body), 400, code, 0}
	}
	return []hostile{
		{"a good one", a.post(chatPath, good), 200, "", 1},
		bad("duplicate name", `{"model":"gpt-4.1-mini","model":"o3-pro","messages":[{"role":"user","content":"hi"}]}`, "invalid_json"),
		bad("duplicate name, one escaped", `{"model":"gpt-4.1-mini","mod\u0065l":"o3-pro","messages":[{"role":"user","content":"hi"}]}`, "invalid_json"),
		bad("duplicate name deep down", `{"model":"gpt-4.1-mini","messages":[{"role":"user","role":"system","content":"hi"}]}`, "invalid_json"),
		bad("Model", `{"Model":"gpt-4.1-mini","messages":[{"role":"user","content":"hi"}]}`, "invalid_input"),
		bad("model and MODEL", `{"model":"gpt-4.1-mini","MODEL":"o3-pro","messages":[{"role":"user","content":"hi"}]}`, "invalid_input"),
		bad("model with a long s", `{"model":"gpt-4.1-mini","meſſages":[{"role":"user","content":"hi"}]}`, "invalid_input"),
		bad("unknown member", `{"model":"gpt-4.1-mini","frobnicate":1,"messages":[{"role":"user","content":"hi"}]}`, "invalid_input"),
		bad("unknown member of a message", `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hi","x":1}]}`, "invalid_input"),
		bad("byte order mark", "\ufeff"+good, "invalid_json"),
		bad("UTF-16", "{\x00\"\x00m\x00", "invalid_json"),
		bad("invalid UTF-8", strings.Replace(good, "hi", "\xff\xfe", 1), "invalid_json"),
		bad("overlong UTF-8", strings.Replace(good, "hi", "\xc0\xaf", 1), "invalid_json"),
		bad("lone surrogate", strings.Replace(good, "hi", `\ud800`, 1), "invalid_json"),
		bad("depth 65", deep(65), "invalid_json"),
		bad("depth 64", deep(64), "invalid_input"),
		bad("depth 100,000", deep(100_000), "invalid_json"),
		bad("data behind the JSON", good+`{"model":"o3-pro"}`, "invalid_json"),
		bad("a NUL behind the JSON", good+"\x00", "invalid_json"),
		bad("two documents", good+"\n"+good, "invalid_json"),
		bad("no JSON", "model=gpt-4.1-mini", "invalid_json"),
		bad("a comment", "/* */"+good, "invalid_json"),
		bad("NaN", `{"model":"gpt-4.1-mini","temperature":NaN,"messages":[{"role":"user","content":"hi"}]}`, "invalid_json"),
		bad("empty", "", "invalid_json"),
		bad("an array", "["+good+"]", "invalid_input"),
		bad("null", "null", "invalid_input"),
		bad("a model as object", `{"model":{"$ne":1},"messages":[{"role":"user","content":"hi"}]}`, "invalid_input"),
		{"another model", a.post(chatPath, strings.Replace(good, model, "o3-pro", 1)), 403, "model_not_allowed", 0},
		{"a system message", a.post(chatPath, strings.Replace(good, `"user"`, `"system"`, 1)), 403, "forbidden", 0},
		{"a hosted tool", a.post("/v1/responses", `{"model":"gpt-4.1-mini","input":"hi","tools":[{"type":"web_search"}]}`), 403, "forbidden", 0},
		{"a response of somebody's", a.post("/v1/responses", `{"model":"gpt-4.1-mini","input":"hi","previous_response_id":"resp_1"}`), 404, "not_found", 0},
		{"a file of somebody's", a.post("/v1/responses", `{"model":"gpt-4.1-mini","input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]}`), 403, "forbidden", 0},
	}
}

// sizeRows hold M-L5: too large is refused early.
func sizeRows(a attacker) []hostile {
	big := strings.Repeat("a", 10<<20)
	chunked := "Transfer-Encoding: chunked"
	var zip bytes.Buffer
	z := gzip.NewWriter(&zip)
	_, _ = z.Write([]byte(big))
	_ = z.Close()
	pad := func(n int) string { return "X-Pad: " + strings.Repeat("p", n) }
	var many []string
	for i := range 70 {
		many = append(many, fmt.Sprintf("X-Pad-%d: %s", i, strings.Repeat("p", 1000)))
	}
	return []hostile{
		{"10 MB, declared", a.send("POST", chatPath, "", "Content-Type: application/json", "Content-Length: 10485760"), 413, "too_large", 0},
		{"10 MB, declared and sent", a.post(chatPath, big), 413, "too_large", 0},
		{"10 MB by a stranger", attacker{host: a.host}.post(chatPath, big), 413, "too_large", 0},
		{"10 MB, not declared", a.send("POST", chatPath, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big), "Content-Type: application/json", chunked), 413, "too_large", 0},
		{"a byte over the limit", a.post(chatPath, strings.Repeat(" ", limitBody-len(chat("hi"))+1)+chat("hi")), 413, "too_large", 0},
		{"at the limit", a.post(chatPath, strings.Repeat(" ", limitBody-len(chat("hi")))+chat("hi")), 200, "", 1},
		{"a gzip bomb", a.post(chatPath, zip.String(), "Content-Encoding: gzip"), 415, "unsupported_media_type", 0},
		{"a content encoding that is none", a.post(chatPath, chat("hi"), "Content-Encoding: identity"), 415, "unsupported_media_type", 0},
		{"headers of 33 KiB", a.post(chatPath, chat("hi"), pad(33<<10)), 200, "", 1},
		{"a header of 70 KiB", a.post(chatPath, chat("hi"), pad(70<<10)), 431, "too_large", 0},
		{"headers of 70 KiB together", a.post(chatPath, chat("hi"), many...), 431, "too_large", 0},
		{"headers of 70 KiB for an action", a.post(generatePath, generate("hi"), pad(70<<10)), 431, "too_large", 0},
		{"headers of 70 KiB by a stranger", attacker{host: a.host}.post(chatPath, chat("hi"), pad(70<<10)), 431, "too_large", 0},
		{"headers of 1 MiB", a.post(chatPath, chat("hi"), pad(1<<20)), 431, "", 0},
		{"a chunk without a length", a.send("POST", chatPath, "1\r\n{\r\nzz\r\n\r\n", "Content-Type: application/json", chunked), 400, "invalid_input", 0},
	}
}

// pathRows hold M-P4: paths match byte for byte as sent, or are not found.
func pathRows(a attacker) []hostile {
	rows := []hostile{
		{"absolute form", a.post("http://"+a.host+chatPath, chat("hi")), 404, "not_found", 0},
		{"absolute form elsewhere", a.post("http://api.openai.com"+chatPath, chat("hi")), 421, "misdirected_request", 0},
		{"CONNECT", a.send("CONNECT", "api.openai.com:443", ""), 421, "misdirected_request", 0},
		{"OPTIONS *", a.send("OPTIONS", "*", ""), 404, "not_found", 0},
		{"POST *", a.post("*", chat("hi")), 404, "not_found", 0},
		{"a query is dropped", a.post(chatPath+"?api-version=1&model=o3-pro", chat("hi")), 200, "", 1},
	}
	for _, path := range []string{
		"//v1/chat/completions", "/v1//chat/completions", "/v1/chat//completions", "/v1/%63hat/completions", "/%76%31/chat/completions",
		"/v1/chat%2fcompletions", "/v1/./chat/completions", "/v1/x/../chat/completions", "/v1/%2e%2e/v1/chat/completions", "/../v1/chat/completions",
		"/v1/chat/completions/", "/v1/chat/completions/.", "/V1/chat/completions", "/v1/Chat/Completions", "/v1/chat/completions#x", "/v1/chat/completions;x=1",
		"/v1/chat/completions%00", "/v1/chat/completions%20", "/v1/chat\\completions", "/v1", "/v1/", "/v1/chat", "/", "/api/ai/generate/", "/API/ai/generate",
		"/actions/", "/actions/unknown", "/actions/generate-text/x", "/v1/files", "/v1/batches", "/v1/organization/usage", "/v1/fine_tuning/jobs",
		"/v1/responses/resp_1", "/v1/responses/resp_1/cancel", "/v1/audio/speech", "/v1/images/generations", "/v1/realtime", "/healthz", "/metrics", "/console",
		"/.env", "/chat/completions", "/v1beta/chat/completions", "/v1/engines/gpt-4.1-mini/completions", "/v1/completions", "/tickets/", "/actions/../tickets",
	} {
		rows = append(rows, hostile{path, a.post(path, chat("hi")), 404, "not_found", 0})
	}
	for _, path := range []string{"/v1/models/gpt%2d4.1-mini", "/v1/models/", "/v1/models/..", "/v1/models/o3-pro", "/v1/models/gpt-4.1-mini/x"} {
		rows = append(rows, hostile{"GET " + path, a.send("GET", path, ""), 404, "not_found", 0})
	}
	return append(rows,
		hostile{"GET a model", a.send("GET", "/v1/models/gpt-4.1-mini", ""), 200, "", 0},
		hostile{"a space in the path", a.post("/v1/chat /completions", chat("hi")), 400, "", 0},
	)
}

func methodRows(a attacker) []hostile {
	var rows []hostile
	for _, m := range []string{"GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "post"} {
		rows = append(rows, hostile{m + " chat", a.send(m, chatPath, ""), 405, "method_not_allowed", 0},
			hostile{m + " action", a.send(m, generatePath, ""), 405, "method_not_allowed", 0},
			hostile{m + " tickets", a.send(m, "/tickets", ""), 405, "method_not_allowed", 0})
	}
	override := a.send("GET", chatPath, "", "X-HTTP-Method-Override: POST", "X-Method-Override: POST")
	return append(rows,
		hostile{"HEAD chat", a.send("HEAD", chatPath, ""), 405, "", 0},
		hostile{"POST models", a.post("/v1/models", "{}"), 405, "method_not_allowed", 0},
		hostile{"a method in a header", override, 405, "method_not_allowed", 0},
		hostile{"OPTIONS without an origin", a.send("OPTIONS", chatPath, ""), 405, "method_not_allowed", 0},
	)
}

func typeRows(a attacker) []hostile {
	body := chat("hi")
	length := fmt.Sprintf("Content-Length: %d", len(body))
	row := func(name string, status, calls int, types ...string) hostile {
		code := "unsupported_media_type"
		if status == 200 {
			code = ""
		}
		return hostile{name, a.send("POST", chatPath, body, append(types, length)...), status, code, calls}
	}
	return []hostile{
		row("no content type", 415, 0),
		row("text/plain", 415, 0, "Content-Type: text/plain"),
		row("a form for /v1", 415, 0, "Content-Type: application/x-www-form-urlencoded"),
		row("multipart for /v1", 415, 0, "Content-Type: multipart/form-data; boundary=x"),
		row("charset latin1", 415, 0, "Content-Type: application/json; charset=latin1"),
		row("charset utf-16", 415, 0, "Content-Type: application/json; charset=utf-16"),
		row("charset UTF-8", 200, 1, "Content-Type: Application/JSON; Charset=UTF-8"),
		row("two content types", 415, 0, "Content-Type: application/json", "Content-Type: text/plain"),
		row("two equal content types", 415, 0, "Content-Type: application/json", "Content-Type: application/json"),
		row("two in one", 415, 0, "Content-Type: application/json, text/plain"),
		row("json of a vendor", 415, 0, "Content-Type: application/vnd.api+json"),
		row("json with dust", 415, 0, "Content-Type: application/json; =x"),
		row("an empty one", 415, 0, "Content-Type: "),
	}
}

func credentialRows(a attacker) []hostile {
	stranger := attacker{host: a.host}
	token := strings.TrimPrefix(a.auth, "Bearer ")
	row := func(name string, path string, lines ...string) hostile {
		return hostile{name, stranger.post(path, chat("hi"), lines...), 401, "unauthenticated", 0}
	}
	return []hostile{
		row("none", chatPath),
		row("two good Authorization headers", chatPath, "Authorization: "+a.auth, "Authorization: "+a.auth),
		row("a good and a bad one", chatPath, "Authorization: "+a.auth, "Authorization: Bearer x"),
		row("a bad and a good one", chatPath, "Authorization: Bearer x", "Authorization: "+a.auth),
		row("two in one", chatPath, "Authorization: "+a.auth+", "+a.auth),
		row("empty", chatPath, "Authorization: "),
		row("Bearer alone", chatPath, "Authorization: Bearer"),
		row("Basic", chatPath, "Authorization: Basic YWRhOnB3"),
		row("the token without a scheme", chatPath, "Authorization: "+token),
		row("a token of which a letter is gone", chatPath, "Authorization: Bearer "+token[:len(token)-1]),
		row("?api_key", chatPath+"?api_key="+token),
		row("?access_token", chatPath+"?access_token="+token),
		row("?authorization", chatPath+"?Authorization=Bearer+"+token),
		row("X-Api-Key", chatPath, "X-Api-Key: "+token, "Api-Key: "+token),
		row("Proxy-Authorization", chatPath, "Proxy-Authorization: "+a.auth),
		row("X-Forwarded-User", chatPath, "X-Forwarded-User: ada", "X-Remote-User: ada", "X-Forwarded-Email: ada@example.com"),
		row("a ticket as a session cookie", chatPath, "Sec-Fetch-Site: same-origin", "Cookie: __Secure-authjs.session-token="+token),
		row("a middleware header", chatPath, "X-Middleware-Subrequest: middleware:middleware:middleware"),
	}
}

func hostRows(a attacker) []hostile {
	row := func(name, host string, status int, code string) hostile {
		h := hostile{name, attacker{host: host, auth: a.auth}.post(chatPath, chat("hi")), status, code, 0}
		if status == 200 {
			h.calls = 1
		}
		return h
	}
	return []hostile{
		row("a foreign host", "evil.example", 421, "misdirected_request"),
		row("a foreign host with our port", "evil.example:8787", 421, "misdirected_request"),
		row("a host that begins like ours", "app.example.com.evil.example", 421, "misdirected_request"),
		row("a host that ends like ours", "evil-app.example.com", 421, "misdirected_request"),
		row("the provider's", "api.openai.com", 421, "misdirected_request"),
		row("our host with a port", "app.example.com:443", 200, ""),
		row("our host in capitals", "APP.example.com", 200, ""),
		row("with userinfo", "user@app.example.com", 400, ""),
		row("ours as userinfo", "app.example.com@evil.example", 400, ""),
		row("an empty host", "", 421, "misdirected_request"),
		row("a decimal address", "2130706433", 421, "misdirected_request"),
		row("a port that is none", "app.example.com:99999", 421, "misdirected_request"),
		{"two hosts", a.post(chatPath, chat("hi"), "Host: evil.example"), 400, "", 0},
		{"a foreign X-Forwarded-Host", a.post(chatPath, chat("hi"), "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"), 200, "", 1},
		{"HTTP/1.0", strings.Replace(a.post(chatPath, chat("hi")), "HTTP/1.1", "HTTP/1.0", 1), 200, "", 1},
		{"HTTP/1.0 without a host", "POST " + chatPath + " HTTP/1.0\r\n\r\n", 421, "misdirected_request", 0},
		{"HTTP/0.9", "GET /v1/models\r\n\r\n", 400, "", 0},
		{"HTTP/9.9", strings.Replace(a.post(chatPath, chat("hi")), "HTTP/1.1", "HTTP/9.9", 1), 505, "", 0},
	}
}

// smuggleRows are requests of which two readers may see different ends.
func smuggleRows(a attacker) []hostile {
	body := chat("hi")
	length := fmt.Sprintf("Content-Length: %d", len(body))
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	json := "Content-Type: application/json"
	return []hostile{
		{"two lengths", a.send("POST", chatPath, body, json, length, "Content-Length: 5"), 400, "", 0},
		{"two equal lengths", a.send("POST", chatPath, body, json, length, length), 200, "", 1},
		{"lengths in one", a.send("POST", chatPath, body, json, "Content-Length: 5, 6"), 400, "", 0},
		{"a length of +5", a.send("POST", chatPath, body, json, "Content-Length: +5"), 400, "", 0},
		{"a negative length", a.send("POST", chatPath, body, json, "Content-Length: -1"), 400, "", 0},
		{"a length in hexadecimal", a.send("POST", chatPath, body, json, "Content-Length: 0x5"), 400, "", 0},
		{"chunked twice", a.send("POST", chatPath, chunk, json, "Transfer-Encoding: chunked, chunked"), 501, "", 0},
		{"chunked and gzip", a.send("POST", chatPath, chunk, json, "Transfer-Encoding: gzip, chunked"), 501, "", 0},
		{"chunked in a vest", a.send("POST", chatPath, chunk, json, "Transfer-Encoding: xchunked"), 501, "", 0},
		{"a space before the colon", a.send("POST", chatPath, chunk, json, "Transfer-Encoding : chunked"), 400, "", 0},
		{"a folded header", a.send("POST", chatPath, body, json, length, "X-A: b\r\n c"), 200, "", 1},
		{"a bare LF", strings.ReplaceAll(a.post(chatPath, body), "\r\n", "\n"), 200, "", 1},
		{"a NUL in a header", a.post(chatPath, body, "X-A: b\x00c"), 400, "", 0},
		{"a chunk size that overflows", a.send("POST", chatPath, "fffffffffffffffff\r\n"+body, json, "Transfer-Encoding: chunked"), 400, "invalid_input", 0},
	}
}

// droppedRows go through, without what they tried to bring along.
func droppedRows(a attacker) []hostile {
	var rows []hostile
	for _, line := range []string{
		"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Real-Ip: 203.0.113.7", "Forwarded: for=203.0.113.7",
		"OpenAI-Organization: org-evil", "OpenAI-Project: proj_evil", "OpenAI-Beta: assistants=v2", "Cookie: session=abc",
		"Proxy-Connection: keep-alive", "Te: trailers", "Upgrade: websocket", "Keep-Alive: 5", "X-Request-Id: req_mine", "X-Client-Request-Id: mine",
		"Idempotency-Key: k", "X-Stainless-Lang: js", "User-Agent: evil", "Accept-Encoding: gzip, br", "Referer: https://evil.example/", "X-Openaitest-Fault: 500",
		"Via: 1.1 evil", "Range: bytes=0-1", "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"Claviger-Client: addr=203.0.113.7;t=1;sig=AAAA", "X-Claviger-Stream: ai-sdk", "Connection: authorization", "Content-Length: 99999999999999999999",
	} {
		name, _, _ := strings.Cut(line, ":")
		if name == "Content-Length" {
			rows = append(rows, hostile{"an endless length", a.send("POST", chatPath, "", "Content-Type: application/json", line), 400, "", 0})
			continue
		}
		rows = append(rows, hostile{"dropped: " + name, a.post(chatPath, chat("hi"), line), 200, "", 1})
	}
	return rows
}

// allowedUpstream are the headers that the provider may see (M-P4).
var allowedUpstream = []string{"Accept", "Authorization", "Content-Length", "Content-Type", "User-Agent", "X-Client-Request-Id"}

// TestHostileInput holds every row to its status and code, to whether the
// provider was called, and to what of the request it saw (M-P4, M-L5).
func TestHostileInput(t *testing.T) {
	r := newRig(t, nil)
	a := attacker{host: "app.example.com", auth: r.ticket("ada")}
	groups := []struct {
		name string
		rows []hostile
	}{
		{"body", bodyRows(a)},
		{"size", sizeRows(a)},
		{"path", pathRows(a)},
		{"method", methodRows(a)},
		{"type", typeRows(a)},
		{"credential", credentialRows(a)},
		{"host", hostRows(a)},
		{"smuggling", smuggleRows(a)},
		{"dropped", droppedRows(a)},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, row := range g.rows {
				r.sim.Reset()
				got := r.one(row.request)
				calls := r.sim.Calls()
				t.Logf("%-36.36s %d %-24s upstream %d", row.name, got.status, got.code(), len(calls))
				if got.status != row.status || got.code() != row.code || len(calls) != row.calls {
					t.Errorf("%s: %d %q and %d calls, want %d %q and %d\n%s", row.name, got.status, got.code(), len(calls), row.status, row.code, row.calls, got.body)
				}
				if row.code != "" {
					checkAnswerHeaders(t, row.name, got)
				}
				if got.status == http.StatusMethodNotAllowed && got.header.Get("Allow") == "" {
					t.Errorf("%s: 405 without Allow", row.name)
				}
				checkSeen(t, row.name, r, calls)
			}
		})
	}
}

// checkSeen holds what the provider saw to the allow list, header by header.
func checkSeen(t *testing.T, name string, r *rig, calls openaitest.Calls) {
	t.Helper()
	for _, c := range calls {
		for h, values := range c.Header {
			if !slices.Contains(allowedUpstream, h) || len(values) != 1 {
				t.Errorf("%s: the provider saw %s: %q", name, h, values)
			}
		}
		if c.Header.Get("Authorization") != "Bearer "+r.upstreamKey {
			t.Errorf("%s: the provider saw another key", name)
		}
		if !strings.HasPrefix(c.Header.Get("User-Agent"), "claviger") || c.RawQuery != "" || c.Host != strings.TrimSuffix(strings.TrimPrefix(r.sim.URL, "http://"), "/v1") {
			t.Errorf("%s: the provider saw %q %q ?%s", name, c.Header.Get("User-Agent"), c.Host, c.RawQuery)
		}
	}
}

// checkAnswerHeaders holds an answer of ours to the headers that every answer
// has (M-D3).
func checkAnswerHeaders(t *testing.T, name string, a answer) {
	t.Helper()
	cache := a.header.Get("Cache-Control")
	if cache != "private, no-store" && cache != "private, no-store, no-transform" {
		t.Errorf("%s: Cache-Control is %q", name, cache)
	}
	if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%s: %v", name, a.header)
	}
	if id := a.header["X-Request-Id"]; len(id) != 1 || !strings.HasPrefix(id[0], "req_") || id[0] == "req_mine" {
		t.Errorf("%s: X-Request-Id is %q", name, id)
	}
	for h := range a.header {
		l := strings.ToLower(h)
		if strings.HasPrefix(l, "openai-") || strings.HasPrefix(l, "x-ratelimit") || strings.HasPrefix(l, "cf-") || l == "set-cookie" || l == "server" {
			t.Errorf("%s: the provider's %s came back", name, h)
		}
	}
}

// TestSmuggling sends requests with two ends on one connection: the provider
// hears of at most one of them, and of nothing that stood in a body (M-P4).
func TestSmuggling(t *testing.T) {
	r := newRig(t, nil)
	auth := "Authorization: " + r.ticket("ada")
	inner := request("POST "+chatPath+" HTTP/1.1", "app.example.com", chat("smuggled"), auth, "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(chat("smuggled"))))
	body := chat("hi")
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	for _, tc := range []struct{ name, request string }{
		{"length and chunks", request("POST "+chatPath+" HTTP/1.1", "app.example.com", chunk, auth, "Content-Type: application/json",
			fmt.Sprintf("Content-Length: %d", len(chunk)), "Transfer-Encoding: chunked")},
		{"chunks that end before the length", request("POST "+chatPath+" HTTP/1.1", "app.example.com", "0\r\n\r\n"+inner, auth, "Content-Type: application/json",
			fmt.Sprintf("Content-Length: %d", len(inner)+5), "Transfer-Encoding: chunked")},
		{"a length shorter than the chunks", request("POST "+chatPath+" HTTP/1.1", "app.example.com", chunk, auth, "Content-Type: application/json",
			"Content-Length: 4", "Transfer-Encoding: chunked")},
		{"HTTP/1.0 with chunks", request("POST "+chatPath+" HTTP/1.0", "app.example.com", chunk+inner, auth, "Content-Type: application/json",
			"Transfer-Encoding: chunked", "Connection: keep-alive")},
		{"a refused request with another as its body", request("POST /v1/files HTTP/1.1", "app.example.com", inner, auth, "Content-Type: application/json",
			fmt.Sprintf("Content-Length: %d", len(inner)))},
		{"a GET with another as its body", request("GET /v1/models HTTP/1.1", "app.example.com", inner, auth, fmt.Sprintf("Content-Length: %d", len(inner)))},
	} {
		r.sim.Reset()
		// Whatever the connection is taken for, the last request ends it.
		got := r.raw(tc.request+request("GET /end HTTP/1.1", "app.example.com", "", "Connection: close"), 4)
		calls := r.sim.Calls()
		var statuses []int
		for _, a := range got {
			statuses = append(statuses, a.status)
		}
		t.Logf("%-44s %v upstream %d", tc.name, statuses, len(calls))
		if len(calls) > 1 {
			t.Errorf("%s: %d calls", tc.name, len(calls))
		}
		for _, c := range calls {
			if bytes.Contains(c.Body, []byte("smuggled")) {
				t.Errorf("%s: a body went through as a request", tc.name)
			}
		}
		checkSeen(t, tc.name, r, calls)
	}
}
