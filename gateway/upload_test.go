package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
	"claviger.dev/claviger/openaitest"
)

const (
	formBoundary = "----a-boundary-of-the-caller"
	formType     = "multipart/form-data; boundary=" + formBoundary
	partText     = "a part of my secret plan"
)

// formOf is a form with one file, and fields behind it, as SDKs send it.
func formOf(t testing.TB, file, content string, fields ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	must(t, w.SetBoundary(formBoundary))
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="`+file+`"; filename="../my plan.txt"`)
	h.Set("Content-Type", "text/plain")
	h.Set("X-Evil", "1")
	p, err := w.CreatePart(h)
	must(t, err)
	_, err = io.WriteString(p, content)
	must(t, err)
	for i := 0; i < len(fields); i += 2 {
		must(t, w.WriteField(fields[i], fields[i+1]))
	}
	must(t, w.Close())
	return b.String()
}

// uploads opens everything, for forms of at most a mebibyte.
func uploads(t testing.TB, memory int64) func(*parts) {
	return func(p *parts) {
		owned(t)(p)
		p.snapshot.MaxBody, p.snapshot.MaxUpload = 64<<10, 1<<20
		p.options.UploadMemory = memory
	}
}

// TestUploadIsWrittenAnew: the provider sees our parts and nothing of the
// caller's form but the fields and the content.
func TestUploadIsWrittenAnew(t *testing.T) {
	r := newRig(t, uploads(t, 0))
	content := strings.Repeat("words \r\n--"+formBoundary+"x", 9000)
	sum := sha256.Sum256([]byte(content))
	want := []openaitest.Part{
		{Name: "purpose", Size: 6, Value: "vision"},
		{Name: "expires_after[anchor]", Size: 10, Value: "created_at"},
		{Name: "expires_after[seconds]", Size: 4, Value: "3600"},
		{Name: "file", FileName: "my_plan.txt", Type: "text/plain", Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])},
	}
	for i := range want[:3] {
		s := sha256.Sum256([]byte(want[i].Value))
		want[i].SHA256 = hex.EncodeToString(s[:])
	}
	body := formOf(t, "file", content, "expires_after[seconds]", "3600", "purpose", "vision", "expires_after[anchor]", "created_at")
	a := r.post("/v1/files", body, "Content-Type", formType)
	if a.status != http.StatusOK || field(a.body, "filename") != "my_plan.txt" || !strings.Contains(a.body, `"expires_at":`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sent := r.sim.Calls()[0]
	byName := func(p openaitest.Part, q openaitest.Part) int { return strings.Compare(p.Name, q.Name) }
	if last := sent.Parts[len(sent.Parts)-1]; last.Name != "file" {
		t.Errorf("the file is not last: %+v", sent.Parts)
	}
	got := slices.SortedFunc(slices.Values(sent.Parts), byName)
	if slices.SortFunc(want, byName); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if bytes.Contains(sent.Body, []byte("Evil")) || strings.Contains(sent.Header.Get("Content-Type"), formBoundary) {
		t.Errorf("the caller's own form went out: %s", sent.Header.Get("Content-Type"))
	}
	a = r.send(http.MethodGet, "/v1/files/"+field(a.body, "id")+"/content", "")
	if a.body != content || a.header.Get("Content-Disposition") != "attachment" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the content: %d, %d bytes, %v", a.status, len(a.body), a.header)
	}
}

// TestUploadTooLarge: a length that is declared is refused before a byte is
// read, one that is not at the limit; nothing reaches the provider.
func TestUploadTooLarge(t *testing.T) {
	r := newRig(t, uploads(t, 0))
	// No byte of the body is sent: the answer does not wait for one.
	if got := r.raw("POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: "+r.ticket("ada")+
		"\r\nContent-Type: "+formType+"\r\nContent-Length: 1048577\r\n\r\n", 1); len(got) != 1 || got[0].status != http.StatusRequestEntityTooLarge {
		t.Errorf("declared: %v", got)
	}
	body := formOf(t, "file", strings.Repeat("x", 1<<20), "purpose", "vision")
	for name, a := range map[string]answer{
		"declared":   r.post("/v1/files", body, "Content-Type", formType),
		"undeclared": chunked(t, r, strings.NewReader(body)),
	} {
		if a.status != http.StatusRequestEntityTooLarge || a.code() != string(claviger.CodeTooLarge) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// JSON has a limit of its own, and so has a field.
	for _, x := range []struct{ path, body, kind string }{
		{"/v1/uploads", `{"filename":"` + strings.Repeat("x", 70<<10) + `"}`, "application/json"},
		{"/v1/files", formOf(t, "file", "x", "purpose", strings.Repeat("x", 257<<10)), formType},
	} {
		if a := r.post(x.path, x.body, "Content-Type", x.kind); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", x.path, a.status, a.body)
		}
	}
	if r.calls() != 0 {
		t.Errorf("%d calls", r.calls())
	}
	fits := formOf(t, "file", strings.Repeat("x", 1<<20-1024), "purpose", "vision")
	if a := chunked(t, r, strings.NewReader(fits)); a.status != http.StatusOK {
		t.Errorf("within: %d %s", a.status, a.body)
	}
}

// chunked sends a form without saying how long it is.
func chunked(t *testing.T, r *rig, body io.Reader) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/v1/files", struct{ io.Reader }{body})
	must(t, err)
	req.Header.Set("Content-Type", formType)
	req.Header.Set("Authorization", r.ticket("ada"))
	resp, err := r.server.Client().Do(req)
	must(t, err)
	return read(resp)
}

// TestUploadNotAForm: what is no whole form of ours is refused, and the provider
// does not hear of it.
func TestUploadNotAForm(t *testing.T) {
	r := newRig(t, uploads(t, 0))
	good := formOf(t, "file", "x", "purpose", "vision")
	encoded := strings.Replace(good, "X-Evil: 1", "Content-Transfer-Encoding: base64", 1)
	for name, x := range map[string]struct {
		body, kind string
		status     int
	}{
		"cut":                {good[:len(good)-8], formType, 400},
		"no boundary":        {good, "multipart/form-data", 415},
		"another boundary":   {good, "multipart/form-data; boundary=x", 400},
		"JSON":               {`{"purpose":"vision"}`, "application/json", 415},
		"an encoding":        {encoded, formType, 400},
		"a part of no name":  {strings.Replace(good, `name="purpose"`, `nam="purpose"`, 1), formType, 400},
		"too many parts":     {formOf(t, "file", "x", slices.Repeat([]string{"purpose", "vision"}, 600)...), formType, 400},
		"nothing":            {"", formType, 400},
		"a purpose of costs": {formOf(t, "file", "x", "purpose", "batch"), formType, 403},
		"multipart/mixed":    {good, strings.Replace(formType, "form-data", "mixed", 1), 415},
	} {
		if a := r.post("/v1/files", x.body, "Content-Type", x.kind); a.status != x.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, x.status)
		}
	}
	if r.calls() != 0 {
		t.Errorf("%d calls", r.calls())
	}
}

// TestUploadMemory: what is uploaded at once is bounded, and a caller who does
// not go on sending gives back their place.
func TestUploadMemory(t *testing.T) {
	inBubble(t, func(p *parts) {
		uploads(t, 1<<20+512)(p)
		p.options.BodyTimeout = 10 * time.Second
		p.plans[0].Limits = wants[1:]
		p.snapshot.Upstream = &fakeUpstream{do: func(context.Context, claviger.Authorized) (*http.Response, error) {
			return reply(`{"id":"file-1","object":"file","bytes":1024,"created_at":1,"filename":"my_plan.txt","purpose":"vision","status":"processed"}`), nil
		}}
	}, func(b *bubble) {
		body := formOf(t, "file", strings.Repeat("x", 1024), "purpose", "vision")
		upload := func(length, sent string) *caller {
			c := &caller{b: b, conn: b.listener.dial(), done: make(chan struct{})}
			_, err := io.WriteString(c.conn, request("POST /v1/files HTTP/1.1", "app.example.com", sent, "Authorization: "+b.ticket("ada"), "Content-Type: "+formType, length))
			must(t, err)
			return c.follow()
		}
		full := func() answer { return upload(fmt.Sprintf("Content-Length: %d", len(body)), body).whole() }
		// One that does not say its length is reckoned at the limit.
		stalled := upload("Transfer-Encoding: chunked", "200\r\n"+body[:512]+"\r\n")
		synctest.Wait()
		if a := full(); a.status != http.StatusTooManyRequests || a.code() != string(claviger.CodeTooManyInFlight) || a.header.Get("Retry-After") == "" {
			t.Errorf("beside a full memory: %d %s", a.status, a.body)
		}
		if got := stalled.whole(); got.status != http.StatusRequestTimeout {
			t.Errorf("the one that stalled: %d %s", got.status, got.body)
		}
		if a := full(); a.status != http.StatusOK {
			t.Errorf("after: %d %s", a.status, a.body)
		}
	})
}

// TestUploadInParts: the file that an upload becomes is the caller's, and the
// list of files is theirs alone, by purpose.
func TestUploadInParts(t *testing.T) {
	r := newRig(t, uploads(t, 0))
	ada, bob := made(t, r, "ada"), made(t, r, "bob")
	a := r.post("/v1/uploads/"+ada[openai.KindUpload]+"/complete", `{"part_ids":["`+ada[openai.KindUploadPart]+`"]}`)
	_, file, ok := strings.Cut(a.body, `"file":{`)
	if a.status != http.StatusOK || !ok || strings.Contains(a.body, "x_account") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	id := field(file, "id")
	if got := r.send(http.MethodGet, "/v1/files/"+id+"/content", ""); got.body != partText {
		t.Errorf("the owner reads %d %q", got.status, got.body)
	}
	before := r.calls()
	if got := r.send(http.MethodGet, "/v1/files/"+id, "", "Authorization", r.ticket("bob")); got.status != http.StatusNotFound || r.calls() != before {
		t.Errorf("another reads %d %s", got.status, got.body)
	}
	for query, want := range map[string][]string{"": {id, ada[openai.KindFile]}, "?order=asc": {ada[openai.KindFile], id}, "?purpose=assistants": nil} {
		got := r.send(http.MethodGet, "/v1/files"+query, "")
		var ids []string
		for _, x := range strings.Split(got.body, `{"id":"`)[1:] {
			ids = append(ids, x[:strings.IndexByte(x, '"')])
		}
		if !slices.Equal(ids, want) || strings.Contains(got.body, bob[openai.KindFile]) {
			t.Errorf("files%s: %v, want %v: %s", query, ids, want, got.body)
		}
	}
	got := r.send(http.MethodGet, "/v1/vector_stores", "")
	if !strings.Contains(got.body, ada[openai.KindVectorStore]) || strings.Contains(got.body, bob[openai.KindVectorStore]) {
		t.Errorf("vector stores: %s", got.body)
	}
}

// TestFileSearch: a search in one's own store answers with its file, plain and
// streamed, and is held to the plan's input by what it may find.
func TestFileSearch(t *testing.T) {
	r := newRig(t, func(p *parts) {
		uploads(t, 0)(p)
		p.plans[0].MaxInput = 10_000
	})
	ada := made(t, r, "ada")
	ask := func(results, more string) answer {
		return r.post("/v1/responses", `{"model":"gpt-4.1-mini","input":"secret plan","include":["file_search_call.results"],"tools":[{"type":"file_search","vector_store_ids":["`+
			ada[openai.KindVectorStore]+`"],"max_num_results":`+results+`}]`+more+`}`)
	}
	for _, more := range []string{"", `,"stream":true`} {
		a := ask("2", more)
		for _, want := range []string{`"file_search_call"`, `"file_citation"`, ada[openai.KindFile], "my secret plan of ada"} {
			if a.status != http.StatusOK || !strings.Contains(a.body, want) {
				t.Errorf("%s: %d, no %s in %s", more, a.status, want, a.body)
			}
		}
	}
	if a := ask("3", ""); a.status != http.StatusBadRequest || a.code() != string(claviger.CodeInvalidInput) || !strings.Contains(a.body, `"param":"tools"`) {
		t.Errorf("12,288 tokens of results within 10,000: %d %s", a.status, a.body)
	}
	if a := ask("1", `,"max_tool_calls":3`); a.status != http.StatusBadRequest {
		t.Errorf("three searches: %d %s", a.status, a.body)
	}
}
