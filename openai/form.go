package openai

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Part is one part of a multipart body as a caller sent it: a field with its
// text, or a file.
type Part struct {
	Name, Text string
	File       *File
}

// File is a file as a caller sent it. Its content comes in pieces, as it was
// read.
type File struct {
	Name, Type string
	Content    [][]byte
	Size       int64
}

// fileField is a file that an endpoint takes.
type fileField struct {
	name string
	need bool
	// most is how many may come; 0 means one. More than one is sent under the
	// name with "[]" behind it.
	most int
}

// sentFile is a file on its way upstream.
type sentFile struct {
	name string
	file *File
}

// TakesFiles reports whether the endpoint takes a multipart body.
func (r *Row) TakesFiles() bool { return r.form != nil }

// readForm checks the parts of a form. The fields become an object, which is
// judged and written anew like any other body; the files follow it.
func (r *Request) readForm(parts []Part) error {
	var f formFields
	for i := range parts {
		p := &parts[i]
		name, list := strings.CutSuffix(p.Name, "[]")
		var err error
		if p.File != nil {
			err = r.takeFile(name, p.File)
		} else {
			err = f.add(r.row.form, name, list, p.Text)
		}
		if err != nil {
			return err
		}
	}
	for _, want := range r.row.files {
		if want.need && !slices.ContainsFunc(r.files, func(s sentFile) bool { return s.name == want.name }) {
			return badParameter(want.name, "This file is required")
		}
	}
	return r.readValue(f.object(), r.row.form)
}

func (r *Request) takeFile(name string, file *File) error {
	i := slices.IndexFunc(r.row.files, func(f fileField) bool { return f.name == name })
	if i < 0 {
		return badParameter(plainName(name), "Unknown file")
	}
	n := 0
	for _, s := range r.files {
		if s.name == name {
			n++
		}
	}
	if most := max(r.row.files[i].most, 1); n == most {
		return badParameter(name, "Too many files: at most "+itoa(most)+" are allowed")
	}
	r.files = append(r.files, sentFile{name, file})
	return nil
}

// plainName is a name that can be shown back, or nothing.
func plainName(name string) string {
	if name == "" || len(name) > 64 || strings.IndexFunc(name, func(r rune) bool { return r != '[' && r != ']' && notModel(r) }) >= 0 {
		return ""
	}
	return name
}

// formFields are the fields of a form in the order in which they came first:
// "a" is a scalar, "a[]" an element of a list, "a[b]" a member of an object.
type formFields struct{ fields []formField }

type formField struct {
	name    string
	scalar  jsonx.Value
	elems   []jsonx.Value
	members []jsonx.Member
}

func (f *formFields) add(o *object, name string, list bool, text string) error {
	name, sub, nested := strings.Cut(name, "[")
	sub, closed := strings.CutSuffix(sub, "]")
	i := o.find(name, 0)
	if i < 0 || nested && !closed {
		return badParameter(plainName(name), "Unknown member")
	}
	s := o.fields[i].is
	switch {
	case list:
		s = elementOf(s)
	case nested:
		s = memberOf(s, sub)
	}
	v := fieldValue(s, text)
	x := f.named(name)
	switch {
	case list && x.scalar.IsZero() && x.members == nil:
		x.elems = append(x.elems, v)
	case nested && x.scalar.IsZero() && x.elems == nil && !x.has(sub):
		x.members = append(x.members, jsonx.Member{Name: sub, Value: v})
	case !list && !nested && x.scalar.IsZero() && x.elems == nil && x.members == nil:
		x.scalar = v
	default:
		return badParameter(plainName(name), "Sent more than once")
	}
	return nil
}

func elementOf(s *shape) *shape {
	if s == nil {
		return nil
	}
	return s.elem
}

func memberOf(s *shape, name string) *shape {
	if s == nil || s.object == nil {
		return nil
	}
	if i := s.object.find(name, 0); i >= 0 {
		return s.object.fields[i].is
	}
	return nil
}

// fieldValue reads the text of a field as what the shape asks for. What does not
// fit stays a text, which the shape then refuses by name.
func fieldValue(s *shape, text string) jsonx.Value {
	if s == nil || s.kinds&kString != 0 {
		return jsonx.String(text)
	}
	if v, err := jsonx.Parse([]byte(text)); err == nil && s.kinds&kindBit(v.Kind()) != 0 {
		return v
	}
	return jsonx.String(text)
}

func (x *formField) has(member string) bool {
	return slices.ContainsFunc(x.members, func(m jsonx.Member) bool { return m.Name == member })
}

func (f *formFields) named(name string) *formField {
	i := slices.IndexFunc(f.fields, func(x formField) bool { return x.name == name })
	if i < 0 {
		f.fields = append(f.fields, formField{name: name})
		i = len(f.fields) - 1
	}
	return &f.fields[i]
}

func (f *formFields) object() jsonx.Value {
	ms := make([]jsonx.Member, 0, len(f.fields))
	for _, x := range f.fields {
		v := x.scalar
		switch {
		case x.elems != nil:
			v = jsonx.Array(x.elems...)
		case x.members != nil:
			v = jsonx.Object(x.members...)
		}
		ms = append(ms, jsonx.Member{Name: x.name, Value: v})
	}
	return jsonx.Object(ms...)
}

// formBody is a multipart body that can be sent any number of times.
type formBody struct {
	contentType string
	pieces      [][]byte
	size        int64
}

// writeForm writes the checked object as fields and the files behind them, under
// a boundary and names of our own.
func writeForm(body []byte, files []sentFile) (*formBody, error) {
	v, err := jsonx.Parse(body)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for name, m := range v.Fields() {
		if err := writeField(w, name, m); err != nil {
			return nil, err
		}
	}
	f := &formBody{contentType: w.FormDataContentType()}
	from := 0
	for _, s := range files {
		if err := beginFile(w, s, many(files, s.name)); err != nil {
			return nil, err
		}
		f.pieces = append(f.pieces, slices.Clone(buf.Bytes()[from:]))
		f.pieces = append(f.pieces, s.file.Content...)
		from = buf.Len()
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	f.pieces = append(f.pieces, slices.Clone(buf.Bytes()[from:]))
	for _, p := range f.pieces {
		f.size += int64(len(p))
	}
	return f, nil
}

func many(files []sentFile, name string) bool {
	n := 0
	for _, s := range files {
		if s.name == name {
			n++
		}
	}
	return n > 1
}

func writeField(w *multipart.Writer, name string, v jsonx.Value) error {
	switch v.Kind() {
	case jsonx.KindArray:
		for _, e := range v.Elems() {
			if err := w.WriteField(name+"[]", fieldText(e)); err != nil {
				return err
			}
		}
		return nil
	case jsonx.KindObject:
		for _, m := range v.Members() {
			if err := w.WriteField(name+"["+m.Name+"]", fieldText(m.Value)); err != nil {
				return err
			}
		}
		return nil
	case jsonx.KindNull:
		return nil
	default:
		return w.WriteField(name, fieldText(v))
	}
}

func fieldText(v jsonx.Value) string {
	if v.Kind() == jsonx.KindString {
		return v.Str()
	}
	return string(jsonx.Append(nil, v))
}

func beginFile(w *multipart.Writer, s sentFile, list bool) error {
	name := s.name
	if list {
		name += "[]"
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, name, fileName(s.file.Name)))
	h.Set("Content-Type", fileType(s.file.Type))
	_, err := w.CreatePart(h)
	return err
}

// maxFileName is the most bytes of a file's name.
const maxFileName = 128

// fileName keeps of a name what needs no quoting anywhere, its end in any case:
// the provider tells formats by it.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, name[strings.LastIndexAny(name, `/\`)+1:])
	if len(name) > maxFileName {
		name = name[len(name)-maxFileName:]
	}
	if strings.Trim(name, "._") == "" {
		return "file"
	}
	return name
}

// fileType keeps a plain media type without parameters.
func fileType(t string) string {
	kind, _, _ := strings.Cut(t, ";")
	class, sub, ok := strings.Cut(strings.ToLower(strings.TrimSpace(kind)), "/")
	plain := func(s string) bool {
		return s != "" && len(s) < 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.+-") == ""
	}
	if !ok || !plain(class) || !plain(sub) {
		return "application/octet-stream"
	}
	return class + "/" + sub
}

// ContentType implements claviger.BodySource.
func (f *formBody) ContentType() string { return f.contentType }

// Len implements claviger.BodySource.
func (f *formBody) Len() int64 { return f.size }

// Open implements claviger.BodySource.
func (f *formBody) Open() io.ReadCloser {
	readers := make([]io.Reader, len(f.pieces))
	for i, p := range f.pieces {
		readers[i] = bytes.NewReader(p)
	}
	return io.NopCloser(io.MultiReader(readers...))
}

var _ claviger.BodySource = (*formBody)(nil)
