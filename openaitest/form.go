package openaitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strconv"
	"strings"
)

// Part is one part of a multipart body, as it came.
type Part struct {
	// Name is the field's name, with its brackets: "image[]".
	Name string
	// FileName is empty for a plain field; Type is the part's own Content-Type.
	FileName, Type string
	// Size is in bytes, SHA256 the hash of the content in hexadecimal digits.
	Size   int64
	SHA256 string
	// Value is the content of a plain field, at most its first 64 KiB.
	Value string
}

const (
	keptValue = 64 << 10
	keptForm  = 1 << 20 // a larger multipart body is recorded by its parts alone
)

type formPart struct {
	Part
	data []byte
}

// form is a multipart body.
type form struct {
	parts []formPart
	wrong bool // it cannot be read
}

// parseForm reads a multipart body; one of another type gives an empty form.
func parseForm(contentType string, body []byte) form {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" {
		return form{}
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var f form
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f
		}
		if err != nil || len(f.parts) >= 1000 {
			return form{parts: f.parts, wrong: true}
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return form{parts: f.parts, wrong: true}
		}
		sum := sha256.Sum256(data)
		part := Part{
			Name: p.FormName(), FileName: p.FileName(), Type: p.Header.Get("Content-Type"),
			Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]),
		}
		if part.FileName == "" {
			part.Value = string(data[:min(len(data), keptValue)])
		}
		f.parts = append(f.parts, formPart{part, data})
	}
}

func (f form) record() []Part {
	out := make([]Part, len(f.parts))
	for i, p := range f.parts {
		out[i] = p.Part
	}
	return out
}

// base is a field's name without brackets.
func base(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return name
}

// readForm checks the form of the call: only fields of those names, and each but the
// lists once.
func (x *exchange) readForm(lists []string, known ...string) (*form, *apiError) {
	f := &x.form
	if f.wrong {
		return nil, badRequest("", "", "We could not parse the multipart body of your request.")
	}
	seen := map[string]bool{}
	for _, p := range f.parts {
		name := base(p.Name)
		if !slices.Contains(known, name) && !slices.Contains(lists, name) {
			return nil, badRequest(name, "unknown_parameter", "Unknown parameter: '%s'.", name)
		}
		if seen[p.Name] && !slices.Contains(lists, name) {
			return nil, badRequest(name, "duplicate_parameter", "Parameter '%s' is given more than once.", p.Name)
		}
		seen[p.Name] = true
	}
	return f, nil
}

// file is the first part of that name that is a file.
func (f *form) file(name string) (formPart, *apiError) {
	for _, p := range f.parts {
		if p.Name != name {
			continue
		}
		if p.FileName == "" {
			return p, badRequest(name, "invalid_type", "Invalid type for '%s': expected a file, but got a string instead.", name)
		}
		return p, nil
	}
	return formPart{}, missing(name)
}

// text is the value of a plain field; nil when there is none.
func (f *form) text(name string) *string {
	for _, p := range f.parts {
		if p.Name == name && p.FileName == "" {
			s := string(p.data)
			return &s
		}
	}
	return nil
}

func (f *form) must(name string) (string, *apiError) {
	s := f.text(name)
	if s == nil || *s == "" {
		return "", missing(name)
	}
	return *s, nil
}

// list are the values of a field that may come several times, with brackets or without.
func (f *form) list(name string) []string {
	var out []string
	for _, p := range f.parts {
		if base(p.Name) == name && p.FileName == "" {
			out = append(out, string(p.data))
		}
	}
	return out
}

func (f *form) integer(name string) (*int64, *apiError) {
	s := f.text(name)
	if s == nil {
		return nil, nil
	}
	n, err := strconv.ParseInt(*s, 10, 64)
	if err != nil {
		return nil, badRequest(name, "invalid_type", "Invalid type for '%s': expected an integer, but got a string instead.", name)
	}
	return &n, nil
}

func (f *form) decimal(name string) (*float64, *apiError) {
	s := f.text(name)
	if s == nil {
		return nil, nil
	}
	n, err := strconv.ParseFloat(*s, 64)
	if err != nil {
		return nil, badRequest(name, "invalid_type", "Invalid type for '%s': expected a decimal, but got a string instead.", name)
	}
	return &n, nil
}

func (f *form) boolean(name string) (bool, *apiError) {
	s := f.text(name)
	if s == nil {
		return false, nil
	}
	b, err := strconv.ParseBool(*s)
	if err != nil {
		return false, badRequest(name, "invalid_type", "Invalid type for '%s': expected a boolean, but got a string instead.", name)
	}
	return b, nil
}
