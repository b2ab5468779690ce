package content

import (
	"bytes"
	"errors"
	"io"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The most that one moderation is asked about: texts, and bytes of each.
const (
	MaxTexts = 32
	MaxText  = 16 << 10
)

var errShape = errors.New("the answer is no moderation of what was sent")

// Call asks the provider for a verdict on each of the texts. It uses nothing:
// OpenAI takes no money for moderation.
func (m *Moderation) Call(texts []string) claviger.Call {
	size := len(m.Model) + 32
	for _, t := range texts {
		size += len(t) + len(t)/16 + 4
	}
	b := jsonx.AppendString(append(make([]byte, 0, size), `{"model":`...), m.Model)
	b = append(b, `,"input":[`...)
	for i, t := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonx.AppendString(b, t)
	}
	return claviger.Call{
		Endpoint: "moderations", Method: "POST", Path: "/moderations", Model: m.Model, Choices: 1, Body: body(append(b, "]}"...)),
	}
}

// Verdicts reads what the provider answered about n texts. The error is a
// *claviger.Error with CodeUpstreamError.
func Verdicts(answer []byte, n int) ([]Verdict, error) {
	bad := &claviger.Error{Code: claviger.CodeUpstreamError, Err: errShape}
	v, err := jsonx.Parse(answer)
	if err != nil {
		return nil, &claviger.Error{Code: claviger.CodeUpstreamError, Err: err}
	}
	results, _ := v.Get("results")
	if results.Kind() != jsonx.KindArray || results.Len() != n {
		return nil, bad
	}
	out := make([]Verdict, n)
	for i, x := range results.Items() {
		flagged, _ := x.Get("flagged")
		flags, _ := x.Get("categories")
		scores, _ := x.Get("category_scores")
		if flagged.Kind() != jsonx.KindBool || flags.Kind() != jsonx.KindObject || scores.Kind() != jsonx.KindObject {
			return nil, bad
		}
		out[i].Flagged = flagged.Bool()
		for name, flag := range flags.Fields() {
			score, _ := scores.Get(name)
			c := Category{Name: name, Flagged: flag.Bool(), Judged: flag.Kind() == jsonx.KindBool}
			c.Score, c.Scored = score.Float()
			out[i].Categories = append(out[i].Categories, c)
		}
	}
	return out, nil
}

// body is a body in memory. It implements claviger.BodySource.
type body []byte

// ContentType implements claviger.BodySource.
func (body) ContentType() string { return "application/json" }

// Len implements claviger.BodySource.
func (b body) Len() int64 { return int64(len(b)) }

// Open implements claviger.BodySource.
func (b body) Open() io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
