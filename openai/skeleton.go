package openai

import (
	"io"

	"claviger.dev/claviger"
)

type Policy struct {
	ClientInstructions, Store, Background bool
	MaxChoices, DefaultMaxOutput          int64
	Tools, Prompts                        []string
	ServiceTier                           string
	User, Metadata                        string
	Tokens                                func(model, text string) int64
}

type Request struct{}

func ParseCall(row *Row, query string, body []byte, p *Policy) (*Request, error) {
	return nil, &claviger.Error{Code: claviger.CodeInternal}
}
func (r *Request) Call() claviger.Call { return claviger.Call{} }
func (r *Request) Write(o []claviger.Obligation, safetyID string) (claviger.Call, error) {
	return claviger.Call{}, &claviger.Error{Code: claviger.CodeInternal}
}
func (r *Request) Answer(body []byte) (out []byte, u claviger.Units, err error) {
	return nil, nil, &claviger.Error{Code: claviger.CodeInternal}
}
func (r *Request) Events() *Events { return &Events{} }

type Frame struct {
	Event, Data []byte
	Comment     bool
}
type FrameReader struct{}

func NewFrameReader(r io.Reader, maxFrame int) *FrameReader { return &FrameReader{} }
func (f *FrameReader) Next() (Frame, error)                 { return Frame{}, io.EOF }
func (f *FrameReader) Buffered() bool                       { return false }

type Events struct{}

func (e *Events) Append(dst []byte, f Frame) (out []byte, err error) { return dst, nil }
func (e *Events) AppendError(dst []byte, err *claviger.Error) []byte { return dst }
func (e *Events) Done() bool                                         { return false }
func (e *Events) Units() (u claviger.Units, reported bool)           { return nil, false }
func AppendError(dst []byte, e *claviger.Error) []byte               { return dst }
func ModelsAnswer(ids []string) []byte                               { return nil }
func ModelAnswer(id string) []byte                                   { return nil }
func Members(row *Row) []string                                      { return nil }
