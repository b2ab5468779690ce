package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openai"
)

// wayIn is one route with the smallest request that it takes.
type wayIn struct {
	method, path string
	row          *openai.Row // of /v1
	body         string
	contentType  string
	bearer       string
	// calls is how often the provider is called when all is well.
	calls int64
}

func (w wayIn) String() string { return w.method + " " + w.path }

func (w wayIn) request() *http.Request {
	r := httptest.NewRequest(w.method, w.path, strings.NewReader(w.body))
	r.Host = "app.example.com"
	r.Header.Set("Authorization", w.bearer)
	if w.contentType != "" {
		r.Header.Set("Content-Type", w.contentType)
	}
	return r
}

// everything is a snapshot with every endpoint and every kind of route open.
func everything(p *parts) {
	p.snapshot.Upstream = &fakeUpstream{}
	p.snapshot.Owners = fakeOwners{}
	p.snapshot.Proxy = &gateway.Proxy{Policy: openai.Policy{Store: true, Metadata: "forward", User: "forward", ClientInstructions: true}}
	for _, row := range openai.Rows() {
		p.snapshot.Proxy.Endpoints = append(p.snapshot.Proxy.Endpoints, row.Name)
	}
	p.plans[0].Models = []string{"*"}
}

// fakeOwners own everything, or fail.
type fakeOwners struct{ err error }

func (o fakeOwners) Claim(context.Context, claviger.Principal, ...claviger.ObjectRef) error {
	return o.err
}

func (o fakeOwners) Check(context.Context, claviger.Principal, ...claviger.ObjectRef) (int64, error) {
	return 0, o.err
}

func (o fakeOwners) Release(context.Context, claviger.Principal, ...claviger.ObjectRef) error {
	return o.err
}

func (o fakeOwners) List(context.Context, claviger.Principal, claviger.ObjectQuery) (claviger.ObjectPage, error) {
	return claviger.ObjectPage{IDs: []string{"obj_1"}}, o.err
}

// killSwitch keeps out everybody.
type killSwitch struct{}

func (killSwitch) Find(claviger.Barred) (claviger.Block, bool) {
	return claviger.Block{Scope: claviger.BlockEveryone}, true
}

func (killSwitch) Changed() <-chan struct{} { return nil }

// fillSegments puts a name or an id where a path takes one.
func fillSegments(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		switch {
		case p == "{model}":
			parts[i] = model
		case strings.HasPrefix(p, "{"):
			parts[i] = "obj_1"
		}
	}
	return strings.Join(parts, "/")
}

// waysIn are the routes of a gateway, each with a request that it takes. It fails
// on one that it cannot call.
func waysIn(t *testing.T, r *rig) []wayIn {
	t.Helper()
	var out []wayIn
	for _, rt := range r.gateway.Routes() {
		method, path, _ := strings.Cut(rt, " ")
		w := wayIn{method: method, path: fillSegments(path), bearer: r.ticket("ada"), calls: 1}
		below, v1 := strings.CutPrefix(path, "/v1")
		switch {
		case path == "/tickets":
			w.bearer, w.body, w.contentType, w.calls = "Bearer "+r.serviceKey, `{"sub":"eve"}`, "application/json", 0
		case path == "/actions/assistant":
			w.body, w.contentType = `{"messages":[{"role":"user","content":"hi"}]}`, "application/json"
		case path == generatePath || strings.HasPrefix(path, "/actions/"):
			w.body, w.contentType = generate("hi"), "application/json"
		case v1:
			i := slices.IndexFunc(openai.Rows(), func(row *openai.Row) bool { return row.Path == below && row.Method == method })
			if i < 0 {
				t.Fatalf("%s is in no table", rt)
			}
			w.row = openai.Rows()[i]
			if w.row.Local() {
				w.calls = 0
			}
			if w.row.HasBody() {
				findBody(t, r, &w)
			}
		default:
			t.Fatalf("nobody knows how to call %s: teach this test", rt)
		}
		out = append(out, w)
	}
	return out
}

// candidates are values that members want, the likeliest first.
var candidates = []string{
	`"hi"`, `[{"role":"user","content":"hi"}]`, `[{"type":"message","role":"user","content":"hi"}]`, `{"a":"b"}`, `1`, `true`, `["a"]`,
	`"1024x1024"`, `"assistants"`, `"24h"`, `"mp3"`, `"alloy"`, `[]`, `{}`, `[1]`,
}

// findBody makes the smallest body that an endpoint takes from nothing but its
// refusals, each of which names the member that is missing or wrong.
func findBody(t *testing.T, r *rig, w *wayIn) {
	t.Helper()
	for _, encode := range []func(names []string, members map[string]string) (body, kind string){asJSON, asMultipart} {
		members, tries := map[string]string{}, map[string]int{}
		var names []string
		add := func(name, value string) {
			if _, there := members[name]; !there {
				names = append(names, name)
			}
			members[name] = value
		}
		if slices.Contains(openai.Members(w.row), "model") {
			add("model", `"`+model+`"`)
		}
		for range 200 {
			w.body, w.contentType = encode(names, members)
			rec := httptest.NewRecorder()
			r.gateway.ServeHTTP(rec, w.request())
			got := read(rec.Result())
			name := rootOf(got.body)
			// A member may have values that are refused as such.
			value := got.status == http.StatusForbidden && name != "" && name != "model"
			if got.status != http.StatusBadRequest && !value {
				if got.status == http.StatusUnsupportedMediaType {
					break
				}
				return
			}
			if name == "" || tries[name] == len(candidates) {
				break
			}
			add(name, candidates[tries[name]])
			tries[name]++
		}
	}
	t.Fatalf("no body was found that %s takes: teach this test", w)
}

// rootOf is the top member that a refusal names.
func rootOf(body string) string {
	v, err := jsonx.Parse([]byte(body))
	if err != nil {
		return ""
	}
	e, _ := v.Get("error")
	p, _ := e.Get("param")
	name, _, _ := strings.Cut(p.Str(), "[")
	name, _, _ = strings.Cut(name, ".")
	return name
}

func asJSON(names []string, members map[string]string) (body, kind string) {
	var list []string
	for _, n := range names {
		list = append(list, fmt.Sprintf("%q:%s", n, members[n]))
	}
	return "{" + strings.Join(list, ",") + "}", "application/json"
}

func asMultipart(names []string, members map[string]string) (body, kind string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("rfc2046boundary")
	for _, n := range names {
		if n == "file" || n == "image" || n == "data" {
			f, _ := w.CreateFormFile(n, "a.jsonl")
			_, _ = f.Write([]byte("{}\n"))
			continue
		}
		_ = w.WriteField(n, strings.Trim(members[n], `"`))
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

// routeFault breaks one stage. Where it has no meaning for a route, not says so.
type routeFault struct {
	name    string
	not     func(wayIn) bool
	change  func(*gateway.Options, *gateway.Snapshot)
	request func(*rig, *http.Request)
	status  int
	code    string
}

func without(names ...string) func(*rig, *http.Request) {
	return func(_ *rig, r *http.Request) {
		for _, n := range names {
			r.Header.Del(n)
		}
	}
}

func routeFaults() []routeFault {
	isTickets := func(w wayIn) bool { return w.path == "/tickets" }
	noBody := func(w wayIn) bool { return w.body == "" }
	noJSON := func(w wayIn) bool { return w.contentType != "application/json" }
	noOwner := func(w wayIn) bool { return w.row == nil || !strings.Contains(w.row.Path, "{") || w.row.Local() }
	unowned := func(w wayIn) bool { return w.row == nil || w.row.Lists == "" && noOwner(w) }
	plan := func(d claviger.Decision, err error) func(*gateway.Options, *gateway.Snapshot) {
		return func(_ *gateway.Options, s *gateway.Snapshot) {
			s.Authorizer = fakeAuthz(func(context.Context) (claviger.Decision, error) { return d, err })
		}
	}
	limits := func(err error) func(*gateway.Options, *gateway.Snapshot) {
		return func(o *gateway.Options, _ *gateway.Snapshot) {
			o.Admission = fakeAdmission(func(context.Context, []claviger.Charge) (claviger.Hold, error) { return nil, err })
		}
	}
	owners := func(err error) func(*gateway.Options, *gateway.Snapshot) {
		return func(_ *gateway.Options, s *gateway.Snapshot) { s.Owners = fakeOwners{err} }
	}
	set := func(name, value string) func(*rig, *http.Request) {
		return func(_ *rig, r *http.Request) { r.Header.Set(name, value) }
	}
	body := func(b string) func(*rig, *http.Request) { return func(_ *rig, r *http.Request) { withBody(b)(r) } }
	csrf := func(origin string) func(*rig, *http.Request) {
		return func(rg *rig, r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("Cookie", rg.cookie("ada"))
			r.Header.Set("Origin", origin)
		}
	}
	broken := errors.New("broken")
	return []routeFault{
		{name: "wrong host", request: func(_ *rig, r *http.Request) { r.Host = "rebound.example" }, status: 421, code: "misdirected_request"},
		{name: "wrong method", request: func(_ *rig, r *http.Request) { r.Method = "PATCH" }, status: 405, code: "method_not_allowed"},
		{name: "path with a slash more", request: func(_ *rig, r *http.Request) { r.RequestURI += "/" }, status: 404, code: "not_found"},
		{name: "declared too large", request: func(_ *rig, r *http.Request) { r.ContentLength = 1 << 40 }, status: 413, code: "too_large"},
		{name: "headers too large", request: set("X-Pad", strings.Repeat("p", 70<<10)), status: 431, code: "too_large"},
		{name: "no credential", request: without("Authorization"), status: 401, code: "unauthenticated"},
		{name: "bad credential", request: set("Authorization", "Bearer x"), status: 401, code: "unauthenticated"},
		{name: "two credentials", request: func(_ *rig, r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, status: 401, code: "unauthenticated"},
		{name: "cross-site", request: csrf(foreign), status: 403, code: "csrf"},
		{name: "cross-site from null", request: csrf("null"), status: 403, code: "csrf"},
		{name: "address limited", change: func(o *gateway.Options, s *gateway.Snapshot) {
			both := &parts{}
			perIP(1)(both)
			s.PerIP = both.snapshot.PerIP
			limits(&claviger.Error{Code: claviger.CodeRateLimited})(o, s)
		}, status: 429, code: "rate_limited"},
		{name: "kill switch", change: func(o *gateway.Options, _ *gateway.Snapshot) { o.Blocks = killSwitch{} }, status: 403, code: "forbidden"},
		{name: "plan refuses", not: isTickets, change: plan(claviger.Decision{}, nil), status: 403, code: "forbidden"},
		{name: "plan fails", not: isTickets, change: plan(claviger.Decision{Allow: true}, broken), status: 403, code: "forbidden"},
		{name: "limits refuse", not: isTickets, change: limits(&claviger.Error{Code: claviger.CodeBudgetExhausted}), status: 429, code: "budget_exhausted"},
		{name: "limits fail", not: isTickets, change: limits(broken), status: 503, code: "limits_unavailable"},
		{name: "owner refuses", not: noOwner, change: owners(&claviger.Error{Code: claviger.CodeNotFound}), status: 404, code: "not_found"},
		{name: "owners fail", not: unowned, change: owners(broken), status: 503, code: "limits_unavailable"},
		{name: "not JSON", not: noJSON, request: body("{"), status: 400, code: "invalid_json"},
		{name: "a name twice", not: noJSON, request: body(`{"a":1,"a":1}`), status: 400, code: "invalid_json"},
		{name: "unknown member", not: noJSON, request: body(`{"no_such_member":1}`), status: 400, code: "invalid_input"},
		{name: "wrong media type", not: noBody, request: set("Content-Type", "text/plain"), status: 415, code: "unsupported_media_type"},
		{name: "compressed", not: noBody, request: set("Content-Encoding", "gzip"), status: 415, code: "unsupported_media_type"},
	}
}

// TestEveryRouteRunsThePipeline walks every way in that a gateway with everything
// on has, as the gateway itself lists them, breaks one stage after the other, and
// looks that the provider hears nothing of it; with nothing broken it hears of
// exactly one call (M-T4, M-L1 to M-L5).
func TestEveryRouteRunsThePipeline(t *testing.T) {
	r := newRig(t, everything)
	ways := waysIn(t, r)
	rows := 0
	for _, w := range ways {
		if w.row != nil {
			rows++
		}
	}
	if want := len(openai.Rows()); rows != want || len(ways) < want+5 {
		t.Fatalf("%d routes, %d of them of the table, which has %d rows", len(ways), rows, want)
	}
	cases := 0
	for _, w := range ways {
		walked, left := 0, []string{}
		for _, f := range routeFaults() {
			if f.not != nil && f.not(w) {
				left = append(left, f.name)
				continue
			}
			walked++
			walkFault(t, r, w, f)
		}
		status := walkGood(t, r, w)
		cases += walked + 1
		t.Logf("%-70s %2d faults, 0 calls; good: %d with %d call; no meaning: %s", w.String(), walked, status, w.calls, strings.Join(left, ", "))
	}
	t.Logf("%d routes, %d cases", len(ways), cases)
}

func walkFault(t *testing.T, r *rig, w wayIn, f routeFault) {
	t.Helper()
	up := &fakeUpstream{}
	o, s := r.options, r.snapshot
	s.Upstream = up
	if f.change != nil {
		f.change(&o, &s)
	}
	g, err := gateway.New(o, s)
	must(t, err)
	defer g.Close()
	req := w.request()
	if f.request != nil {
		f.request(r, req)
	}
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, req)
	got := read(rec.Result())
	if got.status != f.status || got.code() != f.code || up.calls.Load() != 0 {
		t.Errorf("%s, %s: %d %q with %d calls, want %d %q with none: %s", w, f.name, got.status, got.code(), up.calls.Load(), f.status, f.code, got.body)
	}
	checkAnswerHeaders(t, w.String()+", "+f.name, got)
}

// walkGood calls a route with nothing broken. The answer in memory is that of a
// response or of a chat, so elsewhere the gateway may refuse it afterwards.
func walkGood(t *testing.T, r *rig, w wayIn) int {
	t.Helper()
	up := &fakeUpstream{}
	s := r.snapshot
	s.Upstream = up
	g, err := gateway.New(r.options, s)
	must(t, err)
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, w.request())
	got := read(rec.Result())
	// The action "facts" wants an answer in JSON.
	answered := got.status == 200 || got.code() == "upstream_error" && (w.row != nil || w.path == "/actions/facts")
	if !answered || up.calls.Load() != w.calls {
		t.Errorf("%s, all well: %d with %d calls, want %d: %s", w, got.status, up.calls.Load(), w.calls, got.body)
	}
	return got.status
}
