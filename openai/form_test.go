package openai_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

const files = "/files"

func fieldPart(name, text string) openai.Part { return openai.Part{Name: name, Text: text} }

func filePart(field, name, kind string, content ...string) openai.Part {
	f := &openai.File{Name: name, Type: kind}
	for _, c := range content {
		f.Content, f.Size = append(f.Content, []byte(c)), f.Size+int64(len(c))
	}
	return openai.Part{Name: field, File: f}
}

// form reads the parts of a caller by the first row of a path and gives the call.
func form(path string, parts ...openai.Part) (claviger.Call, error) {
	r, err := openai.ParseCall(openai.Find(path)[0], openai.Sent{Path: path, Parts: parts}, nil)
	if err != nil {
		return claviger.Call{}, err
	}
	return r.Write(nil, "u_1")
}

// sentPart is a part as the provider reads it.
type sentPart struct{ name, file, kind, content string }

// sentForm reads a body as the provider does, and sees that its length is what
// was said.
func sentForm(t interface {
	Helper()
	Fatal(args ...any)
}, c claviger.Call,
) []sentPart {
	t.Helper()
	body := c.Body.Open()
	raw, err := io.ReadAll(body)
	if err != nil || body.Close() != nil || int64(len(raw)) != c.Body.Len() {
		t.Fatal("the body has another length than it says", err)
	}
	kind, params, err := mime.ParseMediaType(c.Body.ContentType())
	if err != nil || kind != "multipart/form-data" {
		t.Fatal(kind, err)
	}
	var out []sentPart
	r := multipart.NewReader(bytes.NewReader(raw), params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if headers := len(p.Header); p.FileName() == "" && headers != 1 || p.FileName() != "" && headers != 2 {
			t.Fatal("headers that are not ours", p.Header)
		}
		out = append(out, sentPart{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(content)})
	}
}

// TestFormIsWrittenAnew: fields come before files in whatever order they were
// sent, under our names, and a second sending is the first.
func TestFormIsWrittenAnew(t *testing.T) {
	file := filePart("file", "a.txt", "text/plain; charset=utf-8", "one ", "", "two")
	purpose, anchor, seconds := fieldPart("purpose", "user_data"), fieldPart("expires_after[anchor]", "created_at"), fieldPart("expires_after[seconds]", "3600")
	want := []sentPart{
		{"purpose", "", "", "user_data"},
		{"expires_after[anchor]", "", "", "created_at"},
		{"expires_after[seconds]", "", "", "3600"},
		{"file", "a.txt", "text/plain", "one two"},
	}
	for _, parts := range [][]openai.Part{
		{file, purpose, anchor, seconds}, {purpose, anchor, seconds, file}, {purpose, file, anchor, seconds},
	} {
		c, err := form(files, parts...)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := sentForm(t, c); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		}
	}
	c, err := form("/uploads/upload_1/parts", filePart("data", "", "", "x"))
	if err != nil || !slices.Equal(sentForm(t, c), []sentPart{{"data", "file", "application/octet-stream", "x"}}) {
		t.Error(err)
	}
}

// TestFormRefused: what is no field, no file, or there twice is named.
func TestFormRefused(t *testing.T) {
	ok, file := fieldPart("purpose", "vision"), filePart("file", "a", "", "x")
	anchor := fieldPart("expires_after[anchor]", "created_at")
	expires := func(seconds string) []openai.Part {
		return []openai.Part{ok, file, anchor, fieldPart("expires_after[seconds]", seconds)}
	}
	for _, x := range []struct {
		name  string
		parts []openai.Part
		code  claviger.Code
		param string
	}{
		{"nothing", []openai.Part{}, claviger.CodeInvalidInput, "file"},
		{"no file", []openai.Part{ok}, claviger.CodeInvalidInput, "file"},
		{"no purpose", []openai.Part{file}, claviger.CodeInvalidInput, "purpose"},
		{"file as a field", []openai.Part{ok, fieldPart("file", "x")}, claviger.CodeInvalidInput, "file"},
		{"field as a file", []openai.Part{file, filePart("purpose", "p", "", "vision")}, claviger.CodeInvalidInput, "purpose"},
		{"two files", []openai.Part{ok, file, file}, claviger.CodeInvalidInput, "file"},
		{"two files as a list", []openai.Part{ok, file, filePart("file[]", "b", "", "y")}, claviger.CodeInvalidInput, "file"},
		{"two purposes", []openai.Part{ok, ok, file}, claviger.CodeInvalidInput, "purpose"},
		{"a purpose of each kind", []openai.Part{ok, fieldPart("purpose[]", "batch"), file}, claviger.CodeInvalidInput, "purpose"},
		{"purposes", []openai.Part{fieldPart("purpose[]", "vision"), file}, claviger.CodeInvalidInput, "purpose"},
		{"a purpose in brackets", []openai.Part{fieldPart("purpose[x]", "vision"), file}, claviger.CodeInvalidInput, "purpose"},
		{"two members of a name", append(expires("3600"), anchor), claviger.CodeInvalidInput, "expires_after"},
		{"unknown member", append(expires("3600"), fieldPart("expires_after[x]", "y")), claviger.CodeInvalidInput, "expires_after.x"},
		{"open bracket", append(expires("3600"), fieldPart("expires_after[x", "y")), claviger.CodeInvalidInput, "expires_after"},
		{"half of an expiry", []openai.Part{ok, file, anchor}, claviger.CodeInvalidInput, "expires_after.seconds"},
		{"too short", expires("3599"), claviger.CodeInvalidInput, "expires_after.seconds"},
		{"too long", expires("2592001"), claviger.CodeInvalidInput, "expires_after.seconds"},
		{"no number", expires("1h"), claviger.CodeInvalidInput, "expires_after.seconds"},
		{"a number and more", expires("3600 3600"), claviger.CodeInvalidInput, "expires_after.seconds"},
		{"null", expires("null"), claviger.CodeInvalidInput, "expires_after.seconds"},
		{"a list", expires("[3600]"), claviger.CodeInvalidInput, "expires_after.seconds"},
		{"unknown field", []openai.Part{ok, file, fieldPart("user", "x")}, claviger.CodeInvalidInput, "user"},
		{"a name that breaks headers", []openai.Part{ok, file, fieldPart("a\"\r\nX-Evil: 1", "x")}, claviger.CodeInvalidInput, ""},
		{"batches", []openai.Part{fieldPart("purpose", "batch"), file}, claviger.CodeForbidden, "purpose"},
		{"fine-tuning", []openai.Part{fieldPart("purpose", "fine-tune"), file}, claviger.CodeForbidden, "purpose"},
		{"evaluations", []openai.Part{fieldPart("purpose", "evals"), file}, claviger.CodeForbidden, "purpose"},
		{"a purpose in other letters", []openai.Part{fieldPart("purpose", "Vision"), file}, claviger.CodeForbidden, "purpose"},
	} {
		_, err := form(files, x.parts...)
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.Code != x.code || e.Param != x.param {
			t.Errorf("%s: %v, want %s (%s)", x.name, err, x.code, x.param)
		}
	}
	if _, err := openai.ParseCall(openai.Find(files)[0], openai.Sent{Path: files, Body: []byte(`{"purpose":"vision"}`)}, nil); err == nil {
		t.Error("a body that is no form")
	}
}

// TestFileNames: a file's name and type cannot say anything but themselves.
func TestFileNames(t *testing.T) {
	for _, x := range []struct{ name, kind, wantName, wantKind string }{
		{"a.png", "image/PNG", "a.png", "image/png"},
		{`..\..\etc/passwd`, "text/html; charset=x", "passwd", "text/html"},
		{"a\"; filename=\"b.exe", "text/plain\r\nX-Evil: 1", "a___filename__b.exe", "application/octet-stream"},
		{"a\r\nX-Evil: 1\r\n\r\nbody.txt", "*/*", "a__X-Evil__1____body.txt", "application/octet-stream"},
		{"héllo wörld.pdf", "application/vnd.a+b", "h_llo_w_rld.pdf", "application/vnd.a+b"},
		{"\x00\xff", "a/b/c", "file", "application/octet-stream"},
		{"..", "", "file", "application/octet-stream"},
		{strings.Repeat("x", 300) + ".jsonl", strings.Repeat("a", 70) + "/b", strings.Repeat("x", 122) + ".jsonl", "application/octet-stream"},
	} {
		c, err := form(files, filePart("file", x.name, x.kind, "x"), fieldPart("purpose", "vision"))
		if err != nil {
			t.Fatal(err)
		}
		if got := sentForm(t, c)[1]; got != (sentPart{"file", x.wantName, x.wantKind, "x"}) {
			t.Errorf("%q of %q: %q", x.name, x.kind, got)
		}
	}
	c, err := call(t, "/uploads", `{"filename":"../a\r\nb.pdf","mime_type":"Application/PDF; x=y","purpose":"assistants","bytes":9}`, nil)
	if want := `{"filename":"a__b.pdf","mime_type":"application/pdf","purpose":"assistants","bytes":9}`; err != nil || bodyOf(t, c) != want {
		t.Errorf("%v %s", err, bodyOf(t, c))
	}
}

// TestFormRoundTrip: whatever a file holds, in whatever pieces it came, arrives;
// what looks like the end of a part is none.
func TestFormRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{"", "\r\n", "--", "\r\n--\r\n", "Content-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch", "\x00\xff", "abc"}), 0, 12).Draw(t, "pieces")
		parts := []openai.Part{filePart("file", rapid.String().Draw(t, "name"), rapid.String().Draw(t, "type"), pieces...), fieldPart("purpose", "assistants")}
		if rapid.Bool().Draw(t, "last") {
			slices.Reverse(parts)
		}
		c, err := form(files, parts...)
		if err != nil {
			t.Fatal(err)
		}
		got := sentForm(t, c)
		if len(got) != 2 || got[0] != (sentPart{"purpose", "", "", "assistants"}) || got[1].name != "file" || got[1].content != strings.Join(pieces, "") {
			t.Fatalf("%q became %q", pieces, got)
		}
		again, err := form(files, fieldPart("purpose", "assistants"), filePart("file", got[1].file, got[1].kind, pieces...))
		if err != nil || !slices.Equal(sentForm(t, again), got) {
			t.Fatalf("written again: %q, %v", sentForm(t, again), err)
		}
	})
}

// FuzzForm: what is accepted is sent as one purpose that is allowed and one file
// under our names, with the content as it came; what is not says why.
func FuzzForm(f *testing.F) {
	f.Add("file", "purpose", "vision", "a.png", "image/png", []byte("x"))
	f.Add("file[]", "expires_after[seconds]", "3600", "a\"\r\n", "text/plain\r\nA: b", []byte("\r\n--"))
	f.Add("purpose", "file", "batch", "", "", []byte{})
	f.Fuzz(func(t *testing.T, fileField, name, text, fileName, kind string, content []byte) {
		c, err := form(files, filePart(fileField, fileName, kind, string(content)), fieldPart(name, text))
		if err != nil {
			e, ok := errors.AsType[*claviger.Error](err)
			if !ok || e.Code != claviger.CodeInvalidInput && e.Code != claviger.CodeForbidden || strings.ContainsAny(e.Param, "\"\r\n") {
				t.Fatal(err)
			}
			return
		}
		got := sentForm(t, c)
		if len(got) != 2 || got[0].name != "purpose" || !slices.Contains([]string{"user_data", "assistants", "vision"}, got[0].content) ||
			got[1].name != "file" || got[1].content != string(content) || strings.Trim(got[1].file, "._") == "" {
			t.Fatalf("%q", got)
		}
	})
}

// BenchmarkForm reads a form with a file of 4 MiB and writes it anew. The
// content is not copied.
func BenchmarkForm(b *testing.B) {
	content := make([]byte, 4<<20)
	_, _ = rand.Read(content)
	file := openai.Part{Name: "file", File: &openai.File{Name: "a.png", Type: "image/png", Content: [][]byte{content}, Size: int64(len(content))}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := form(files, file, fieldPart("purpose", "vision")); err != nil {
			b.Fatal(err)
		}
	}
}
