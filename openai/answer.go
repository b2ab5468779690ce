package openai

import (
	"errors"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// errShape says that an answer is not what the endpoint answers.
var errShape = errors.New("the answer has not the shape of the endpoint")

func (r *Request) rebuild() rebuild {
	return rebuild{own: r.own, wantUsage: r.wantsUsage}
}

// Answer rebuilds a plain answer from what the endpoint's table allows and
// gives what was used, estimated where the answer does not say. Moderations
// use nothing. The error is a *claviger.Error with CodeUpstreamError.
func (r *Request) Answer(body []byte) (out []byte, u claviger.Units, err error) {
	v, err := jsonx.Parse(body)
	if err != nil {
		return nil, nil, &claviger.Error{Code: claviger.CodeUpstreamError, Err: err}
	}
	b := r.rebuild()
	b.counting = true
	b.out = make([]byte, 0, v.Size()+256)
	c := v.Cursor()
	ok := v.Kind() == jsonx.KindObject && b.object(&c, r.row.answer)
	u, _ = b.used(r)
	if r.row.Name == EndpointModerations {
		u = claviger.Units{{Kind: claviger.UnitInput}, {Kind: claviger.UnitOutput}}
	}
	if !ok {
		return nil, u, &claviger.Error{Code: claviger.CodeUpstreamError, Err: errShape}
	}
	return b.out, u, nil
}
