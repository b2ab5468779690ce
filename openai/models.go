package openai

import "claviger.dev/claviger/internal/jsonx"

// ModelsAnswer is the answer of GET /models for these models. When a model was
// made is not known here and reads 0.
func ModelsAnswer(ids []string) []byte {
	b := []byte(`{"object":"list","data":[`)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendModel(b, id)
	}
	return append(b, "]}"...)
}

// ModelAnswer is the answer of GET /models/{model}.
func ModelAnswer(id string) []byte { return appendModel(nil, id) }

func appendModel(b []byte, id string) []byte {
	b = jsonx.AppendString(append(b, `{"id":`...), id)
	return append(b, `,"object":"model","created":0,"owned_by":"openai"}`...)
}
