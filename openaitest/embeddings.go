package openaitest

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// createEmbedding is the body of POST /v1/embeddings.
type createEmbedding struct {
	Dimensions     *int64         `json:"dimensions"`
	EncodingFormat *string        `json:"encoding_format"`
	Input          jsontext.Value `json:"input"`
	Model          string         `json:"model"`
	User           *string        `json:"user"`
}

type embeddingList struct {
	Object string            `json:"object"`
	Data   []embeddingObject `json:"data"`
	Model  string            `json:"model"`
	Usage  *embeddingUsage   `json:"usage,omitzero"`
	Extra  string            `json:"x_account,omitzero"`
}

type embeddingObject struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32, or a string in base64
}

type embeddingUsage struct {
	PromptTokens int64 `json:"prompt_tokens"`
	TotalTokens  int64 `json:"total_tokens"`
}

func serveEmbeddings(x *exchange) error {
	var req createEmbedding
	if e := decode(x.body, &req); e != nil {
		return e
	}
	m, e := x.model(req.Model, embeds)
	if e != nil {
		return e
	}
	size, e := req.size(m)
	if e != nil {
		return e
	}
	texts, tokens, e := req.inputs()
	if e != nil {
		return e
	}
	if err := x.generated(strings.Join(texts, "\n")); err != nil {
		return err
	}
	x.progress.usage.Input = tokens
	out := embeddingList{Object: "list", Model: m.snapshot, Data: make([]embeddingObject, len(texts)), Extra: x.extra()}
	for i, t := range texts {
		v := vector(m.id, t, size)
		out.Data[i] = embeddingObject{Object: "embedding", Index: i, Embedding: v}
		if orElse(req.EncodingFormat, "float") == "base64" {
			out.Data[i].Embedding = packed(v)
		}
	}
	if x.fault.Kind != NoUsage {
		out.Usage = &embeddingUsage{tokens, tokens}
	}
	return x.deliver(out)
}

func (req *createEmbedding) size(m modelInfo) (int, *apiError) {
	if e := firstProblem(
		atLeast("dimensions", req.Dimensions, 1),
		atMost("dimensions", req.Dimensions, int64(m.dimensions)),
		oneOf("encoding_format", req.EncodingFormat, "float", "base64"),
	); e != nil {
		return 0, e
	}
	if req.Dimensions != nil && strings.Contains(m.id, "ada") {
		return 0, badRequest("dimensions", "", "This model does not support specifying dimensions.")
	}
	return int(orElse(req.Dimensions, int64(m.dimensions))), nil
}

// inputs reads the four shapes of input: a text, texts, tokens, lists of tokens.
func (req *createEmbedding) inputs() (texts []string, tokens int64, e *apiError) {
	if !present(req.Input) {
		return nil, 0, missing("input")
	}
	var one string
	var ids []int64
	var lists [][]int64
	switch raw := req.Input; {
	case json.Unmarshal(raw, &one) == nil:
		texts = []string{one}
	case json.Unmarshal(raw, &texts) == nil:
	case json.Unmarshal(raw, &ids) == nil:
		return []string{string(raw)}, int64(len(ids)), nonEmpty(len(ids))
	case json.Unmarshal(raw, &lists) == nil:
		texts = nil
		for _, l := range lists {
			texts = append(texts, strings.Join(strings.Fields(jsonText(l)), ""))
			tokens += int64(len(l))
		}
		return texts, tokens, nonEmpty(len(texts))
	default:
		return nil, 0, badRequest("input", "", "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.")
	}
	var a ask
	for _, t := range texts {
		if t == "" {
			return nil, 0, badRequest("input", "", "'$.input' is invalid: an input may not be an empty string.")
		}
		a.count(t)
	}
	return texts, a.tokens, nonEmpty(len(texts))
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func nonEmpty(n int) *apiError {
	switch {
	case n == 0:
		return badRequest("input", "", "'$.input' is invalid: it may not be empty.")
	case n > 2048:
		return badRequest("input", "", "'$.input' is invalid: it may hold 2048 entries at most.")
	}
	return nil
}

// vector is a unit vector that lies the nearer to another, the more words the two
// texts share.
func vector(model, text string, size int) []float32 {
	sum := make([]float64, size)
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	if len(words) == 0 {
		words = []string{text}
	}
	for _, w := range words[:min(len(words), 256)] {
		src := source(hashOf(model, w))
		for i := range sum {
			sum[i] += float64(src.next()>>11)/(1<<52) - 1
		}
	}
	var square float64
	for _, f := range sum {
		square += f * f
	}
	out := make([]float32, size)
	if square == 0 {
		out[0] = 1
		return out
	}
	for i, f := range sum {
		out[i] = float32(f / math.Sqrt(square))
	}
	return out
}

// packed is OpenAI's base64 form: little-endian 32-bit floats.
func packed(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(b)
}
