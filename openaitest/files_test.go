package openaitest_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"

	"claviger.dev/claviger/openaitest"
)

// field is one part of a multipart body: a file when it has a file name.
type field struct {
	name, value, file, ctype string
}

func formRequest(t testing.TB, srv *openaitest.Server, path string, fields ...field) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", fmt.Sprintf("form-data; name=%q", f.name))
		if f.file != "" {
			h.Set("Content-Disposition", fmt.Sprintf("form-data; name=%q; filename=%q", f.name, f.file))
		}
		if f.ctype != "" {
			h.Set("Content-Type", f.ctype)
		}
		part, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, f.value)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req := request(t, srv, path, b.String())
	req.Header.Set("Content-Type", w.FormDataContentType())
	return req
}

func post(t testing.TB, srv *openaitest.Server, path string, status int, fields ...field) object {
	t.Helper()
	resp, b := send(t, formRequest(t, srv, path, fields...))
	if resp.StatusCode != status {
		t.Fatalf("%s: status %d, want %d: %s", path, resp.StatusCode, status, b)
	}
	return decoded(t, b)
}

func upload(t testing.TB, srv *openaitest.Server, name, content, purpose string) object {
	t.Helper()
	return post(t, srv, "/files", 200, field{name: "file", value: content, file: name, ctype: "text/plain"}, field{name: "purpose", value: purpose})
}

func TestFiles(t *testing.T) {
	d := documentIfThere(t)
	now := time.Unix(1_800_000_000, 0)
	srv := newServer(t, openaitest.Options{Now: func() time.Time { return now }})
	one := upload(t, srv, "a.jsonl", "{}\n", "batch")
	d.must(t, "OpenAIFile", one)
	two := post(t, srv, "/files", 200, field{name: "purpose", value: "vision"}, field{name: "file", value: "png", file: "b.png"},
		field{name: "expires_after[anchor]", value: "created_at"}, field{name: "expires_after[seconds]", value: "3600"})
	d.must(t, "OpenAIFile", two)
	if !strings.HasPrefix(idOf(one), "file-") || one["bytes"] != 3.0 || two["expires_at"] != two["created_at"].(float64)+3600 || one["filename"] != "a.jsonl" {
		t.Errorf("%v, %v", one, two)
	}
	path := "/files/" + idOf(one)
	d.must(t, "OpenAIFile", get(t, srv, path))
	for query, want := range map[string]int{"": 2, "?purpose=batch": 1, "?purpose=user_data": 0, "?limit=1": 1, "?order=asc&after=" + idOf(two): 0} {
		list := get(t, srv, "/files"+query)
		d.must(t, "ListFilesResponse", list)
		if n := len(ids(t, list)); n != want {
			t.Errorf("%q: %d", query, n)
		}
	}
	resp, content := send(t, request(t, srv, path+"/content", nil))
	if resp.Header.Get("Content-Type") != "application/octet-stream" || string(content) != "{}\n" || resp.Header.Get("Content-Disposition") != "attachment; filename=a.jsonl" {
		t.Errorf("%v %q", resp.Header, content)
	}
	do(t, srv, http.MethodGet, "/files/"+idOf(upload(t, srv, "c.txt", "x", "user_data"))+"/content", nil, 400)
	d.must(t, "DeleteFileResponse", do(t, srv, http.MethodDelete, path, nil, 200))
	for _, r := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"GET", "/content"}} {
		d.must(t, "ErrorResponse", do(t, srv, r[0], path+r[1], nil, 404))
	}
	now = now.Add(time.Hour)
	do(t, srv, http.MethodGet, "/files/"+idOf(two), nil, 404)
}

func TestFormRefusals(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	file, purpose := field{name: "file", value: "x", file: "x.txt"}, field{name: "purpose", value: "batch"}
	for name, r := range map[string]struct {
		fields      []field
		code, param string
	}{
		"no file":        {[]field{purpose}, "missing_required_parameter", "file"},
		"a text":         {[]field{{name: "file", value: "x"}, purpose}, "invalid_type", "file"},
		"no purpose":     {[]field{file}, "missing_required_parameter", "purpose"},
		"other purpose":  {[]field{file, {name: "purpose", value: "fun"}}, "invalid_value", "purpose"},
		"unknown field":  {[]field{file, purpose, {name: "owner", value: "x"}}, "unknown_parameter", "owner"},
		"twice":          {[]field{file, purpose, purpose}, "duplicate_parameter", "purpose"},
		"two files":      {[]field{file, file, purpose}, "duplicate_parameter", "file"},
		"empty":          {[]field{{name: "file", file: "x.txt"}, purpose}, "", "file"},
		"half an expiry": {[]field{file, purpose, {name: "expires_after[seconds]", value: "3600"}}, "missing_required_parameter", "expires_after.anchor"},
		"no number":      {[]field{file, purpose, {name: "expires_after[seconds]", value: "x"}}, "invalid_type", "expires_after[seconds]"},
	} {
		e := post(t, srv, "/files", 400, r.fields...)["error"].(object)
		if text(e["code"]) != r.code || text(e["param"]) != r.param {
			t.Errorf("%s: want code %q and param %q, got %v", name, r.code, r.param, e)
		}
	}
	call(t, srv, "/files", object{"purpose": "batch"}, 400)
	req := request(t, srv, "/files", "--x\r\nbroken")
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	if resp, b := send(t, req); resp.StatusCode != 400 || !strings.Contains(string(b), "multipart") {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

// TestParts has the record tell what a multipart body held, in its order.
func TestParts(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	large := strings.Repeat("x", 2<<20)
	post(t, srv, "/files", 200, field{name: "purpose", value: "vision"}, field{name: "file", value: large, file: "b.png", ctype: "image/png"})
	upload(t, srv, "a.txt", "hello", "batch")
	wait(t, srv, openaitest.Ended(2))
	calls := srv.Calls()
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	want := []openaitest.Part{
		{Name: "purpose", Size: 6, SHA256: sum("vision"), Value: "vision"},
		{Name: "file", FileName: "b.png", Type: "image/png", Size: 2 << 20, SHA256: sum(large)},
	}
	if got := calls[0].Parts; len(got) != 2 || got[0] != want[0] || got[1] != want[1] || calls[0].Body != nil {
		t.Errorf("%+v, body of %d bytes", got, len(calls[0].Body))
	}
	if calls[1].Parts[0].FileName != "a.txt" || !strings.Contains(string(calls[1].Body), "hello") {
		t.Errorf("%+v", calls[1])
	}
	control := httptest.NewServer(srv.Control())
	t.Cleanup(control.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, control.URL+"/calls", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, b := send(t, req)
	view := decoded(t, b)
	if at(t, view, "calls", 0, "parts", 1, "sha256") != sum(large) || at(t, view, "calls", 0, "pattern") != "/v1/files" {
		t.Errorf("%v", view)
	}
}

func TestUploads(t *testing.T) {
	d := documentIfThere(t)
	srv := newServer(t, openaitest.Options{})
	body := func(n int) object {
		return object{"filename": "a.jsonl", "purpose": "batch", "bytes": n, "mime_type": "application/jsonl"}
	}
	made := call(t, srv, "/uploads", body(6), 200)
	d.must(t, "Upload", made)
	path := "/uploads/" + idOf(made)
	part := func(content string) string {
		p := post(t, srv, path+"/parts", 200, field{name: "data", value: content, file: "blob"})
		d.must(t, "UploadPart", p)
		return idOf(p)
	}
	last, first := part("def"), part("abc")
	sum := md5.Sum([]byte("abcdef"))
	call(t, srv, path+"/complete", object{"part_ids": []any{first}}, 400)
	call(t, srv, path+"/complete", object{"part_ids": []any{first, first}}, 400)
	call(t, srv, path+"/complete", object{"part_ids": []any{first, "part_x"}}, 400)
	call(t, srv, path+"/complete", object{"part_ids": []any{first, last}, "md5": "0"}, 400)
	call(t, srv, path+"/complete", object{}, 400)
	done := call(t, srv, path+"/complete", object{"part_ids": []any{first, last}, "md5": hex.EncodeToString(sum[:])}, 200)
	d.must(t, "Upload", done)
	if _, content := send(t, request(t, srv, "/files/"+text(at(t, done, "file", "id"))+"/content", nil)); string(content) != "abcdef" || done["status"] != "completed" {
		t.Errorf("%v holds %q", done, content)
	}
	post(t, srv, path+"/parts", 400, field{name: "data", value: "x", file: "blob"})
	two := call(t, srv, "/uploads", body(3), 200)
	canceled := do(t, srv, http.MethodPost, "/uploads/"+idOf(two)+"/cancel", nil, 200)
	d.must(t, "Upload", canceled)
	if canceled["status"] != "cancelled" {
		t.Errorf("%v", canceled)
	}
	do(t, srv, http.MethodPost, "/uploads/"+idOf(two)+"/cancel", nil, 400)
	do(t, srv, http.MethodPost, "/uploads/upload_x/cancel", nil, 404)
	for _, name := range []string{"filename", "purpose", "bytes", "mime_type"} {
		b := body(3)
		delete(b, name)
		if e := call(t, srv, "/uploads", b, 400); at(t, e, "error", "param") != name {
			t.Errorf("without %s: %v", name, e)
		}
	}
	call(t, srv, "/uploads", with(body(3), "owner", "x"), 400)
}

// TestFileInput names files in what a response is made from.
func TestFileInput(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	id := idOf(upload(t, srv, "a.txt", strings.Repeat("word ", 800), "user_data"))
	ask := func(id string) object {
		return respond("", "input", []any{object{"role": "user", "content": []any{object{"type": "input_file", "file_id": id}, object{"type": "input_text", "text": "What is in it?"}}}})
	}
	if o := call(t, srv, "/responses", ask(id), 200); inputTokens(t, o) < 1000 {
		t.Errorf("%v", o["usage"])
	}
	if e := call(t, srv, "/responses", ask("file-x"), 404); at(t, e, "error", "param") != "input[0].content[0].file_id" {
		t.Errorf("%v", e)
	}
}

func TestOfficialLibraryFiles(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	client := sdk(t, srv)
	made, err := client.Files.New(t.Context(), openai.FileNewParams{
		File: openai.File(strings.NewReader("{}\n"), "a.jsonl", "application/jsonl"), Purpose: openai.FilePurposeBatch,
		ExpiresAfter: openai.FileNewParamsExpiresAfter{Seconds: 3600},
	})
	if err != nil {
		t.Fatal(err)
	}
	content, err := client.Files.Content(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Body.Close()
	if b, err := io.ReadAll(content.Body); err != nil || string(b) != "{}\n" || made.ExpiresAt == 0 {
		t.Errorf("%v %q %+v", err, b, made)
	}
	pages := client.Files.ListAutoPaging(t.Context(), openai.FileListParams{Purpose: openai.String("batch")})
	if !pages.Next() || pages.Current().ID != made.ID || pages.Next() {
		t.Errorf("%v", pages.Err())
	}
	up, err := client.Uploads.New(t.Context(), openai.UploadNewParams{Bytes: 3, Filename: "a", MimeType: "text/plain", Purpose: openai.FilePurposeVision})
	if err != nil {
		t.Fatal(err)
	}
	part, err := client.Uploads.Parts.New(t.Context(), up.ID, openai.UploadPartNewParams{Data: strings.NewReader("abc")})
	if err != nil {
		t.Fatal(err)
	}
	if up, err = client.Uploads.Complete(t.Context(), up.ID, openai.UploadCompleteParams{PartIDs: []string{part.ID}}); err != nil || up.File.Bytes != 3 {
		t.Errorf("%v: %+v", err, up)
	}
	if gone, err := client.Files.Delete(t.Context(), made.ID); err != nil || !gone.Deleted {
		t.Errorf("%v: %+v", err, gone)
	}
}
