package upstream

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
	"claviger.dev/claviger/internal/testnet"
)

const (
	good       = `{"id":"x"}`
	masked     = `{"error":{"message":"Incorrect API key provided: sk-proj-****abcd. You can find your API key at https://platform.openai.com","type":"invalid_request_error","code":"invalid_api_key","param":null}}`
	badParam   = `{"error":{"message":"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead.","type":"invalid_request_error","param":"max_output_tokens","code":"integer_below_min_value"}}`
	quota      = `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`
	ok200      = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	streamType = "text/event-stream; charset=utf-8"
)

func zip(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// outcomes is the catalogue: what the provider does, and what comes of it.
var outcomes = []struct {
	name    string
	raw     []string // one answer a request
	keys    int
	stream  bool
	code    claviger.Code
	status  int
	hits    int64
	wait    time.Duration
	reports string
	cut     bool
}{
	{name: "good", raw: []string{plain("200 OK", typeJSON, good)}, hits: 1, reports: "k1:200:0s"},
	{name: "good stream", stream: true, raw: []string{chunked(streamType, "9\r\ndata: x\n\n\r\n0\r\n\r\n")}, hits: 1, reports: "k1:200:0s"},
	{name: "401 then good", keys: 2, raw: []string{plain("401 Unauthorized", typeJSON, masked), plain("200 OK", typeJSON, good)}, hits: 2, reports: "k1:401:0s k2:200:0s"},
	{name: "403 then good", keys: 2, raw: []string{plain("403 Forbidden", typeJSON, masked), plain("200 OK", typeJSON, good)}, hits: 2, reports: "k1:403:0s k2:200:0s"},
	{name: "401 everywhere", keys: 2, raw: []string{plain("401 Unauthorized", typeJSON, masked)}, code: claviger.CodeUpstreamBusy, wait: 7 * time.Second, hits: 2, reports: "k1:401:0s k2:401:0s"},
	{name: "401 five keys", keys: 5, raw: []string{plain("401 Unauthorized", typeJSON, masked)}, code: claviger.CodeUpstreamError, hits: 3},
	{name: "429 seconds", raw: []string{plain("429 Too Many Requests", typeJSON, "{}", "Retry-After: 3")}, code: claviger.CodeUpstreamBusy, wait: 7 * time.Second, hits: 1, reports: "k1:429:3s"},
	{name: "429 milliseconds", keys: 4, raw: []string{plain("429 Too Many Requests", typeJSON, "{}", "Retry-After: 9", "retry-after-ms: 250")}, code: claviger.CodeUpstreamBusy, wait: 250 * time.Millisecond, hits: 3},
	{name: "429 date", keys: 4, raw: []string{plain("429 Too Many Requests", typeJSON, "{}", "Retry-After: Tue, 24 Nov 2026 00:00:20 GMT")}, code: claviger.CodeUpstreamBusy, wait: 20 * time.Second, hits: 3},
	{name: "429 no time", keys: 4, raw: []string{plain("429 Too Many Requests", "text/html", "busy")}, code: claviger.CodeUpstreamBusy, wait: trial, hits: 3},
	{name: "429 then good", keys: 2, raw: []string{plain("429 Too Many Requests", typeJSON, "{}"), plain("200 OK", typeJSON, good)}, hits: 2, reports: "k1:429:0s k2:200:0s"},
	{name: "429 then 401", keys: 4, raw: []string{plain("429 Too Many Requests", typeJSON, "{}", "Retry-After: 2"), plain("401 Unauthorized", typeJSON, masked)}, code: claviger.CodeUpstreamBusy, wait: 2 * time.Second, hits: 3},
	{name: "quota", raw: []string{plain("429 Too Many Requests", typeJSON, quota, "Retry-After: 1")}, code: claviger.CodeUpstreamBusy, wait: 7 * time.Second, hits: 1, reports: "k1:429:30s"},
	{name: "500", keys: 2, raw: []string{plain("500 Internal Server Error", typeJSON, masked)}, code: claviger.CodeUpstreamError, hits: 1, reports: "k1:500:0s"},
	{name: "503", raw: []string{plain("503 Service Unavailable", typeJSON, "{}", "Retry-After: 5")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "redirect", raw: []string{plain("302 Found", typeJSON, "", "Location: http://127.0.0.1:1/x")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "307", raw: []string{plain("307 Temporary Redirect", typeJSON, "", "Location: /v1/x")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "201", raw: []string{plain("201 Created", typeJSON, good)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "204", raw: []string{"HTTP/1.1 204 No Content\r\n\r\n"}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "409", raw: []string{plain("409 Conflict", typeJSON, badParam)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "413", raw: []string{plain("413 Payload Too Large", typeJSON, badParam)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "418", raw: []string{plain("418 Teapot", typeJSON, badParam)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "400", keys: 2, raw: []string{plain("400 Bad Request", typeJSON, badParam)}, code: claviger.CodeUpstreamInvalid, status: 400, hits: 1, reports: "k1:400:0s"},
	{name: "404", raw: []string{plain("404 Not Found", typeJSON, badParam)}, code: claviger.CodeUpstreamInvalid, status: 404, hits: 1},
	{name: "422 other shape", raw: []string{plain("422 Unprocessable", typeJSON, `{"detail":[]}`)}, code: claviger.CodeUpstreamInvalid, status: 422, hits: 1},
	{name: "400 zipped", raw: []string{plain("400 Bad Request", typeJSON, zip(badParam), "Content-Encoding: gzip")}, code: claviger.CodeUpstreamInvalid, status: 400, hits: 1},
	{name: "400 html", raw: []string{plain("400 Bad Request", "text/html", "<h1>no</h1>")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "404 empty", raw: []string{plain("404 Not Found", typeJSON, "")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "400 duplicate names", raw: []string{plain("400 Bad Request", typeJSON, `{"error":{},"error":{}}`)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "400 array", raw: []string{plain("400 Bad Request", typeJSON, `[]`)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "400 account", raw: []string{plain("400 Bad Request", typeJSON, `{"error":{"message":"x","code":"billing_hard_limit_reached"}}`)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "400 too long", raw: []string{plain("400 Bad Request", typeJSON, `{"error":{"message":"`+strings.Repeat("a", maxErrorBody)+`"}}`)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "400 bomb", raw: []string{plain("400 Bad Request", typeJSON, zip(`{"a":"`+strings.Repeat("a", 1<<20)+`"}`), "Content-Encoding: gzip")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "400 cut", raw: []string{"HTTP/1.1 400 Bad Request\r\nContent-Length: 99\r\n\r\n{\"error\""}, code: claviger.CodeUpstreamError, hits: 1, cut: true},
	{name: "html", raw: []string{plain("200 OK", "text/html", "<h1>hi</h1>")}, code: claviger.CodeUpstreamError, hits: 1, reports: "k1:200:0s"},
	{name: "no type", raw: []string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "two types", raw: []string{plain("200 OK", typeJSON, good, "Content-Type: text/html")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "charset", raw: []string{plain("200 OK", "application/json; charset=latin1", good)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "json for a stream", stream: true, raw: []string{plain("200 OK", typeJSON, good)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "stream for json", raw: []string{plain("200 OK", streamType, "data: x\n\n")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "empty", raw: []string{plain("200 OK", typeJSON, "")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "empty chunked", raw: []string{chunked(typeJSON, "0\r\n\r\n")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "empty stream", stream: true, raw: []string{chunked(streamType, "0\r\n\r\n")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "declared too large", raw: []string{ok200 + "Content-Length: 99999\r\n\r\n{"}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "too large", raw: []string{ok200 + "\r\n" + strings.Repeat("a", 2000)}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "zipped", raw: []string{plain("200 OK", typeJSON, zip(good), "Content-Encoding: gzip")}, hits: 1},
	{name: "bomb", raw: []string{plain("200 OK", typeJSON, zip(strings.Repeat("a", 1<<20)), "Content-Encoding: gzip")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "no gzip", raw: []string{plain("200 OK", typeJSON, good, "Content-Encoding: gzip")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "brotli", raw: []string{plain("200 OK", typeJSON, good, "Content-Encoding: br")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "zipped twice", raw: []string{plain("200 OK", typeJSON, good, "Content-Encoding: gzip", "Content-Encoding: gzip")}, code: claviger.CodeUpstreamError, hits: 1},
	{name: "zipped and cut", raw: []string{plain("200 OK", typeJSON, zip(good)[:20], "Content-Encoding: gzip")}, code: claviger.CodeUpstreamError, hits: 1, cut: true},
	{name: "cut length", raw: []string{ok200 + "Content-Length: 99\r\n\r\n{"}, code: claviger.CodeUpstreamError, hits: 1, cut: true},
	{name: "cut chunk", stream: true, raw: []string{chunked(streamType, "9\r\ndata: x\n\n\r\n")}, code: claviger.CodeUpstreamError, hits: 1, cut: true},
	{name: "broken chunk", stream: true, raw: []string{chunked(streamType, "9\r\ndata: x\n\n\r\nzz\r\n")}, code: claviger.CodeUpstreamError, hits: 1, cut: true},
	{name: "not HTTP", keys: 2, raw: []string{"SSH-2.0-sk-canary\r\n\r\n"}, code: claviger.CodeUpstreamError, hits: 1, cut: true, reports: "k1:0:0s"},
	{name: "closed at once", keys: 2, raw: []string{""}, code: claviger.CodeUpstreamError, hits: 1, cut: true, reports: "k1:0:0s"},
	{name: "headers too long", raw: []string{ok200 + "X: " + strings.Repeat("a", 1<<20) + "\r\n\r\n"}, code: claviger.CodeUpstreamError, hits: 1, cut: true},
	{name: "two lengths", raw: []string{ok200 + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"}, code: claviger.CodeUpstreamError, hits: 1, cut: true},
}

func TestOutcomes(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, tt := range outcomes {
		t.Run(tt.name, func(t *testing.T) {
			s := testnet.Serve(t, answers(tt.raw...))
			p := newPool(max(tt.keys, 1))
			c := newClient(t, s, p, func(o *Options) {
				o.MaxAnswer = 1000
				o.Now = func() time.Time { return now }
			})
			_, err := call(t.Context(), c, tt.stream)
			if codeOf(err) != tt.code || (err != nil) != (tt.code != "") {
				t.Fatalf("%v, want %q", err, tt.code)
			}
			if s.Requests() != tt.hits {
				t.Errorf("%d requests, want %d", s.Requests(), tt.hits)
			}
			var want []string
			if tt.reports != "" {
				want = strings.Fields(tt.reports)
			}
			p.check(t, want...)
			if err == nil {
				return
			}
			e := claviger.AsError(err)
			if e.RetryAfter != tt.wait || e.Status != tt.status {
				t.Errorf("wait %s, status %d", e.RetryAfter, e.Status)
			}
			if errors.Is(err, io.ErrUnexpectedEOF) != tt.cut {
				t.Errorf("%v, cut %v", err, tt.cut)
			}
			if answered := strings.HasPrefix(tt.raw[0], "HTTP/1.1 ") && tt.raw[0][9] >= '3'; errors.Is(err, claviger.ErrNothingDone) != answered {
				t.Errorf("%v says that the provider did nothing: %v", err, !answered)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("quotes the provider: %v", err)
			}
		})
	}
}

func TestInvalidTellsTheCallersPart(t *testing.T) {
	s := testnet.Serve(t, answers(plain("400 Bad Request", typeJSON, badParam), plain("404 Not Found", typeJSON, masked[:len(masked)-len(`"invalid_api_key","param":null}}`)]+`"model_not_found","param":"host.internal.corp"}}`)))
	c := newClient(t, s, newPool(1), nil)
	_, err := call(t.Context(), c, false)
	e := claviger.AsError(err)
	if e.Param != "max_output_tokens" || e.UpstreamCode != "integer_below_min_value" || !strings.HasPrefix(e.Sentence(), "Invalid 'max_output_tokens'") || e.HTTPStatus() != 400 {
		t.Errorf("%+v", e)
	}
	_, err = call(t.Context(), c, false)
	e = claviger.AsError(err)
	if e.Param != "" || e.UpstreamCode != "model_not_found" || e.Sentence() != "The request was refused upstream" || e.HTTPStatus() != 404 {
		t.Errorf("%+v", e)
	}
}

// TestErrorsKeepTheKey lets the provider echo the key everywhere, and looks for
// it in every error and every printed form of what was involved.
func TestErrorsKeepTheKey(t *testing.T) {
	for _, tt := range outcomes {
		var canary string
		s := testnet.Serve(t, func(c *testnet.Conn) {
			r, ok := c.Request()
			if !ok {
				return
			}
			canary = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			a := strings.NewReplacer("sk-proj-****abcd", canary, "sk-canary", canary, "Invalid 'max", canary+" 'max").Replace(tt.raw[0])
			oldBody, newBody := content(tt.raw[0]), content(a)
			a = strings.Replace(a, fmt.Sprintf("Content-Length: %d\r\n", len(oldBody)), fmt.Sprintf("Content-Length: %d\r\n", len(newBody)), 1)
			head, rest, _ := strings.Cut(a, "\r\n")
			c.Send(head, " "+canary+"\r\nX-Echo: "+canary+"\r\n"+rest)
		})
		p := newPool(1)
		var log bytes.Buffer
		c := newClient(t, s, p, func(o *Options) {
			o.MaxAnswer = 1000
			o.Logger = debugLogger(&log)
			if shown := fmt.Sprintf("%+v %#v %v", *o, *o, o); strings.Contains(shown, string(p.keys[0].Reveal(seal.ForReveal()))) {
				t.Error("the key is in the printed options")
			}
		})
		_, err := call(t.Context(), c, tt.stream)
		s.Close()
		if canary == "" {
			t.Fatal("no request")
		}
		e := claviger.AsError(err)
		shown := fmt.Sprintf("%v %+v %#v %+v %#v %s", err, err, e, c, *c, log.String())
		if e != nil {
			shown += e.Sentence() + e.Param + e.UpstreamCode
		}
		for inner := err; inner != nil; inner = errors.Unwrap(inner) {
			shown += fmt.Sprintf("%+v %#v", inner, inner)
		}
		if strings.Contains(shown, canary) {
			t.Errorf("%s: the key is in %s", tt.name, strings.ReplaceAll(shown, canary, "[canary]"))
		}
	}
}

func content(answer string) string {
	_, b, _ := strings.Cut(answer, "\r\n\r\n")
	return b
}

// refusing finds an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestConnectFailureIsTriedOnceMore(t *testing.T) {
	p := newPool(3)
	c, err := New(Options{BaseURL: "http://" + refusing(t), Keys: p})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = call(t.Context(), c, false); codeOf(err) != claviger.CodeUpstreamError || !errors.Is(err, claviger.ErrNothingDone) {
		t.Error(err)
	}
	p.check(t, "k1:0:0s", "k1:0:0s")
}

func TestGuardedAddressIsNotTriedAgain(t *testing.T) {
	p := newPool(3)
	c, err := New(Options{BaseURL: "https://localhost.", Keys: p}) // a name that is not ours by its spelling
	if err != nil {
		t.Fatal(err)
	}
	if _, err = call(t.Context(), c, false); codeOf(err) != claviger.CodeUpstreamError {
		t.Error(err)
	}
	if p.taken == 0 || p.taken > 2 {
		t.Errorf("%d attempts", p.taken)
	}
	p.check(t)
}

func TestPoolWithoutKeys(t *testing.T) {
	s := testnet.Serve(t, answers(plain("200 OK", typeJSON, good)))
	for _, tt := range []struct {
		err  error
		code claviger.Code
	}{
		{&claviger.Error{Code: claviger.CodeMisconfigured}, claviger.CodeMisconfigured},
		{&claviger.Error{Code: claviger.CodeUpstreamBusy, RetryAfter: time.Second}, claviger.CodeUpstreamBusy},
		{&claviger.Error{Code: claviger.CodeUpstreamError}, claviger.CodeUpstreamError},
		{errors.New("no such file"), claviger.CodeMisconfigured},
	} {
		p := newPool(0)
		p.err = tt.err
		_, err := call(t.Context(), newClient(t, s, p, nil), false)
		if codeOf(err) != tt.code {
			t.Errorf("%v, want %s", err, tt.code)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := call(ctx, newClient(t, s, newPool(1), nil), false); !errors.Is(err, context.Canceled) || codeOf(err) != "" {
		t.Error(err)
	}
	if s.Conns() != 0 {
		t.Error("connected without a key")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		value, ms string
		want      time.Duration
	}{
		{"", "", 0},
		{"1", "", time.Second},
		{"1.5", "", 1500 * time.Millisecond},
		{"0", "", 0},
		{"-3", "", 0},
		{"+3", "", 0},
		{"1e9", "", 0},
		{"NaN", "", 0},
		{"Inf", "", 0},
		{"99999999999999999999", "", maxWait},
		{"9999999999999999999999", "", 0},
		{"..", "", 0},
		{"9", "20", 20 * time.Millisecond},
		{"9", "x", 9 * time.Second},
		{"Tue, 24 Nov 2026 12:00:05 GMT", "", 5 * time.Second},
		{"Tue, 24 Nov 2026 11:00:05 GMT", "", 0},
		{"Tue, 24 Nov 2099 11:00:05 GMT", "", maxWait},
		{"tomorrow", "", 0},
	} {
		h := http.Header{}
		h.Set("Retry-After", tt.value)
		h.Set("Retry-After-Ms", tt.ms)
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("%q %q: %s, want %s", tt.value, tt.ms, got, tt.want)
		}
	}
}
