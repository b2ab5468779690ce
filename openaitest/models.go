package openaitest

import (
	"net/http"
	"strings"
)

type modelKind int

const (
	generates modelKind = iota
	embeds
	moderates
	draws
	speaks
	transcribes
)

// modelInfo is one model. Answers name its snapshot, as OpenAI's do.
type modelInfo struct {
	id, snapshot string
	created      int64
	kind         modelKind
	reasons      bool // takes no max_tokens
	dimensions   int
}

// builtIn are OpenAI's models that a caller meets most, with their snapshots.
func builtIn() []modelInfo {
	rows := []struct {
		id, snapshot string
		created      int64
	}{
		{"gpt-5.4", "gpt-5.4", 1772000000},
		{"gpt-5.4-mini", "gpt-5.4-mini-2026-03-17", 1773700000},
		{"gpt-5.4-nano", "gpt-5.4-nano-2026-03-17", 1773700000},
		{"gpt-5", "gpt-5-2025-08-07", 1754425777},
		{"gpt-5-mini", "gpt-5-mini-2025-08-07", 1754425928},
		{"gpt-5-nano", "gpt-5-nano-2025-08-07", 1754426384},
		{"gpt-4.1", "gpt-4.1-2025-04-14", 1744316542},
		{"gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 1744318173},
		{"gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", 1744321707},
		{"gpt-4o", "gpt-4o-2024-08-06", 1715367049},
		{"gpt-4o-mini", "gpt-4o-mini-2024-07-18", 1721172741},
		{"o3", "o3-2025-04-16", 1744225308},
		{"o4-mini", "o4-mini-2025-04-16", 1744225351},
		{"gpt-3.5-turbo", "gpt-3.5-turbo-0125", 1677610602},
		{"text-embedding-3-small", "text-embedding-3-small", 1705948997},
		{"text-embedding-3-large", "text-embedding-3-large", 1705953180},
		{"text-embedding-ada-002", "text-embedding-ada-002-v2", 1671217299},
		{"omni-moderation-latest", "omni-moderation-2024-09-26", 1731689265},
		{"gpt-image-2", "gpt-image-2-2026-04-21", 1776700000},
		{"gpt-image-1.5", "gpt-image-1.5", 1765000000},
		{"gpt-image-1", "gpt-image-1", 1745517030},
		{"gpt-image-1-mini", "gpt-image-1-mini", 1758845821},
		{"dall-e-3", "dall-e-3", 1698785189},
		{"dall-e-2", "dall-e-2", 1698798177},
		{"gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15", 1742403959},
		{"tts-1", "tts-1", 1681940951},
		{"tts-1-hd", "tts-1-hd", 1699046015},
		{"gpt-4o-transcribe", "gpt-4o-transcribe", 1742068463},
		{"gpt-4o-mini-transcribe", "gpt-4o-mini-transcribe-2025-12-15", 1742068596},
		{"gpt-4o-transcribe-diarize", "gpt-4o-transcribe-diarize", 1750798887},
		{"whisper-1", "whisper-1", 1677532384},
	}
	out := make([]modelInfo, 0, 2*len(rows))
	for _, r := range rows {
		m := describe(r.id, r.snapshot, r.created)
		out = append(out, m)
		if r.snapshot != r.id && m.kind != embeds {
			out = append(out, describe(r.snapshot, r.snapshot, r.created))
		}
	}
	return out
}

func describe(id, snapshot string, created int64) modelInfo {
	m := modelInfo{id: id, snapshot: snapshot, created: created}
	switch {
	case strings.HasPrefix(id, "text-embedding"):
		m.kind, m.dimensions = embeds, 1536
		if strings.Contains(id, "large") {
			m.dimensions = 3072
		}
	case strings.HasPrefix(id, "omni-moderation"), strings.HasPrefix(id, "text-moderation"):
		m.kind = moderates
	case strings.Contains(id, "gpt-image"), strings.HasPrefix(id, "dall-e"):
		m.kind = draws
	case strings.HasPrefix(id, "tts"), strings.Contains(id, "-tts"):
		m.kind = speaks
	case strings.HasPrefix(id, "whisper"), strings.Contains(id, "-transcribe"):
		m.kind = transcribes
	case strings.HasPrefix(id, "gpt-5"), strings.HasPrefix(id, "o1"), strings.HasPrefix(id, "o3"), strings.HasPrefix(id, "o4"):
		m.reasons = true
	}
	return m
}

func modelList(names []string) []modelInfo {
	known := builtIn()
	if len(names) == 0 {
		return known
	}
	byID := make(map[string]modelInfo, len(known))
	for _, m := range known {
		byID[m.id] = m
	}
	out := make([]modelInfo, len(names))
	for i, name := range names {
		m, ok := byID[name]
		if !ok {
			m = describe(name, name, 1740000000)
		}
		out[i] = m
	}
	return out
}

// model finds the model of a request and checks that it can do what is asked.
func (x *exchange) model(id string, kind modelKind) (modelInfo, *apiError) {
	if id == "" {
		return modelInfo{}, missing("model")
	}
	m, ok := x.sim.byModel[id]
	if !ok {
		return m, unknownModel(id)
	}
	if m.kind == kind {
		return m, nil
	}
	e := &apiError{Status: http.StatusNotFound, Type: "invalid_request_error", Param: "model"}
	switch kind {
	case generates:
		e.Message = "This is not a chat model and thus not supported in this endpoint."
	case embeds:
		e.Status = http.StatusForbidden
		e.Message = "You are not allowed to generate embeddings from this model"
	case moderates:
		e.Status = http.StatusBadRequest
		e.Message = "Invalid value for 'model': " + id + " is not a moderation model."
	default:
		e.Status = http.StatusBadRequest
		e.Message = "Invalid value for 'model': " + id + " is not supported in this endpoint."
	}
	return m, e
}

type modelObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	Extra   string `json:"x_account,omitzero"`
}

type modelListObject struct {
	Object string        `json:"object"`
	Data   []modelObject `json:"data"`
}

func (x *exchange) modelObject(m modelInfo) modelObject {
	return modelObject{ID: m.id, Object: "model", Created: m.created, OwnedBy: "system", Extra: x.extra()}
}

// extra is the content of the unknown members of the fault Extra.
func (x *exchange) extra() string {
	if x.fault.Kind != Extra {
		return ""
	}
	return x.sim.organization
}

func serveModels(x *exchange) error {
	list := modelListObject{Object: "list", Data: make([]modelObject, 0, len(x.sim.models))}
	for _, m := range x.sim.models {
		list.Data = append(list.Data, x.modelObject(m))
	}
	return x.deliver(list)
}

func serveModel(x *exchange) error {
	id := x.ids[0]
	m, ok := x.sim.byModel[id]
	if !ok {
		e := unknownModel(id)
		e.Message, e.Param = "The model '"+id+"' does not exist", "model"
		return e
	}
	return x.deliver(x.modelObject(m))
}
