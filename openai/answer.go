package openai

import (
	"errors"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// errShape says that an answer is not what the endpoint answers.
var errShape = errors.New("the answer has not the shape of the endpoint")

func (r *Request) rebuild() rebuild {
	return rebuild{own: r.shown(), wantUsage: r.wantsUsage, keeping: r.keeps(), extra: r.call.Extra}
}

// Answer rebuilds a plain answer from what the endpoint's table allows and
// gives what was used, nil where the answer does not say. Moderations use
// nothing. The error is a *claviger.Error with CodeUpstreamError.
func (r *Request) Answer(body []byte) (out []byte, u claviger.Units, err error) {
	v, err := jsonx.Parse(body)
	if err != nil {
		return nil, nil, &claviger.Error{Code: claviger.CodeUpstreamError, Err: err}
	}
	b := r.rebuild()
	b.counting = true
	b.out = make([]byte, 0, v.Size()+256)
	c := v.Cursor()
	ok := v.Kind() == jsonx.KindObject && b.value(&c, r.row.answer)
	u = r.used(&b)
	if !ok {
		return nil, u, &claviger.Error{Code: claviger.CodeUpstreamError, Err: errShape}
	}
	r.note(&b, true)
	r.words = b.text
	return b.out, u, nil
}

// Words are the words of the model in the last Answer that was good, one after the
// other, as they stand in JSON, without quotes.
func (r *Request) Words() []byte { return r.words }

// used is what a plain answer used. An answer that only reads or changes what
// is stored uses nothing, and neither do moderations. Where the answer says nothing,
// as of a response that is made later, nobody knows.
func (r *Request) used(b *rebuild) claviger.Units {
	if r.row.modelless || r.row.Name == EndpointModerations {
		return claviger.Units{{Kind: claviger.UnitInput}, {Kind: claviger.UnitOutput}}
	}
	if !b.reported {
		return nil
	}
	return b.withTools(r)
}
