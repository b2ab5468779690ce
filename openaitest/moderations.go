package openaitest

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// createModeration is the body of POST /v1/moderations.
type createModeration struct {
	Input jsontext.Value `json:"input"`
	Model *string        `json:"model"`
}

type moderationObject struct {
	ID      string             `json:"id"`
	Model   string             `json:"model"`
	Results []moderationResult `json:"results"`
	Extra   string             `json:"x_account,omitzero"`
}

type moderationResult struct {
	Flagged      bool           `json:"flagged"`
	Categories   jsontext.Value `json:"categories"`
	Scores       jsontext.Value `json:"category_scores"`
	AppliedTypes jsontext.Value `json:"category_applied_input_types"`
}

func moderationCategories() []string {
	return []string{
		"harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
		"self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
	}
}

func serveModerations(x *exchange) error {
	var req createModeration
	if e := decode(x.body, &req); e != nil {
		return e
	}
	m, e := x.model(orElse(req.Model, "omni-moderation-latest"), moderates)
	if e != nil {
		return e
	}
	texts, e := req.inputs()
	if e != nil {
		return e
	}
	if err := x.generated(strings.Join(texts, "\n")); err != nil {
		return err
	}
	out := moderationObject{ID: x.sim.ids.hex("modr-", 32), Model: m.snapshot, Results: []moderationResult{}, Extra: x.extra()}
	for _, t := range texts {
		out.Results = append(out.Results, moderated(t))
	}
	return x.deliver(out)
}

// inputs reads a text, texts, or one message of several parts, which is one input.
func (req *createModeration) inputs() ([]string, *apiError) {
	if !present(req.Input) {
		return nil, missing("input")
	}
	var one string
	var texts []string
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	switch {
	case json.Unmarshal(req.Input, &one) == nil:
		return []string{one}, nil
	case json.Unmarshal(req.Input, &texts) == nil:
		return texts, nonEmpty(len(texts))
	case json.Unmarshal(req.Input, &parts) == nil:
		texts = nil
		for i, p := range parts {
			if e := oneOf(paramAt("input", i)+".type", &p.Type, "text", "image_url"); e != nil {
				return nil, e
			}
			texts = append(texts, p.Text)
		}
		return []string{strings.Join(texts, "\n")}, nonEmpty(len(parts))
	}
	return nil, badRequest("input", "invalid_type", "Invalid type for 'input': expected a string or an array.")
}

// moderated flags the categories that the text asks for with "flag as CATEGORY".
func moderated(text string) moderationResult {
	var r moderationResult
	var flags, scores, applied members
	src := source(hashOf(text))
	lower := strings.ToLower(text)
	for _, c := range moderationCategories() {
		flag := flagged(lower, c)
		r.Flagged = r.Flagged || flag
		score := 1e-6 * float64(1+src.below(900))
		if flag {
			score = 0.9 + score
		}
		flags = append(flags, member{c, jsontext.Value(jsonText(flag))})
		scores = append(scores, member{c, jsontext.Value(jsonText(score))})
		applied = append(applied, member{c, jsontext.Value(`["text"]`)})
	}
	r.Categories, r.Scores, r.AppliedTypes = flags.value(), scores.value(), applied.value()
	return r
}

func flagged(text, category string) bool {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "flag as "+category)
		if !found {
			return false
		}
		if !strings.HasPrefix(after, "/") { // "hate" is not "hate/threatening"
			return true
		}
		rest = after
	}
}
