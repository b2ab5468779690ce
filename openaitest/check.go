package openaitest

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// common are the members that both endpoints for text have.
type common struct {
	Metadata             map[string]string `json:"metadata"`
	Model                string            `json:"model"`
	Moderation           jsontext.Value    `json:"moderation"`
	ParallelToolCalls    *bool             `json:"parallel_tool_calls"`
	PromptCacheKey       *string           `json:"prompt_cache_key"`
	PromptCacheOptions   jsontext.Value    `json:"prompt_cache_options"`
	PromptCacheRetention *string           `json:"prompt_cache_retention"`
	SafetyIdentifier     *string           `json:"safety_identifier"`
	ServiceTier          *string           `json:"service_tier"`
	Store                *bool             `json:"store"`
	Stream               bool              `json:"stream"`
	StreamOptions        *streamOptions    `json:"stream_options"`
	Temperature          *float64          `json:"temperature"`
	ToolChoice           jsontext.Value    `json:"tool_choice"`
	Tools                []jsontext.Value  `json:"tools"`
	TopLogprobs          *int64            `json:"top_logprobs"`
	TopP                 *float64          `json:"top_p"`
	User                 *string           `json:"user"`
}

type streamOptions struct {
	IncludeUsage       bool  `json:"include_usage"`
	IncludeObfuscation *bool `json:"include_obfuscation"`
}

func (c *common) obfuscates() bool {
	return c.StreamOptions == nil || c.StreamOptions.IncludeObfuscation == nil || *c.StreamOptions.IncludeObfuscation
}

func (c *common) check() *apiError {
	return firstProblem(
		between("temperature", c.Temperature, 0, 2),
		between("top_p", c.TopP, 0, 1),
		atLeast("top_logprobs", c.TopLogprobs, 0), atMost("top_logprobs", c.TopLogprobs, 20),
		shortEnough("safety_identifier", c.SafetyIdentifier, 64),
		oneOf("service_tier", c.ServiceTier, "auto", "default", "flex", "scale", "priority", "fast", "ultrafast"),
		oneOf("prompt_cache_retention", c.PromptCacheRetention, "in_memory", "24h"),
		checkMetadata(c.Metadata),
	)
}

func checkMetadata(metadata map[string]string) *apiError {
	if len(metadata) > 16 {
		return badRequest("metadata", "object_above_max_properties", "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with %d properties instead.", len(metadata))
	}
	for k, v := range metadata {
		if len(k) > 64 || len(v) > 512 {
			return badRequest("metadata", "string_above_max_length", "Invalid 'metadata': a name of at most 64 and a value of at most 512 characters was expected.")
		}
	}
	return nil
}

// serviceTier is the tier that the answer names.
func (c *common) serviceTier() string {
	if c.ServiceTier == nil || *c.ServiceTier == "auto" {
		return "default"
	}
	return *c.ServiceTier
}

func firstProblem(problems ...*apiError) *apiError {
	for _, p := range problems {
		if p != nil {
			return p
		}
	}
	return nil
}

func between(param string, v *float64, low, high float64) *apiError {
	switch {
	case v == nil:
		return nil
	case *v < low:
		return badRequest(param, "decimal_below_min_value", "Invalid '%s': decimal below minimum value. Expected a value >= %v, but got %v instead.", param, low, *v)
	case *v > high:
		return badRequest(param, "decimal_above_max_value", "Invalid '%s': decimal above maximum value. Expected a value <= %v, but got %v instead.", param, high, *v)
	}
	return nil
}

func atLeast(param string, v *int64, low int64) *apiError {
	if v == nil || *v >= low {
		return nil
	}
	return badRequest(param, "integer_below_min_value", "Invalid '%s': integer below minimum value. Expected a value >= %d, but got %d instead.", param, low, *v)
}

func atMost(param string, v *int64, high int64) *apiError {
	if v == nil || *v <= high {
		return nil
	}
	return badRequest(param, "integer_above_max_value", "Invalid '%s': integer above maximum value. Expected a value <= %d, but got %d instead.", param, high, *v)
}

func shortEnough(param string, v *string, most int) *apiError {
	if v == nil || utf8.RuneCountInString(*v) <= most {
		return nil
	}
	return badRequest(param, "string_above_max_length", "Invalid '%s': string too long. Expected a string with maximum length %d, but got a string with length %d instead.",
		param, most, utf8.RuneCountInString(*v))
}

func oneOf(param string, v *string, allowed ...string) *apiError {
	if v == nil || slices.Contains(allowed, *v) {
		return nil
	}
	last := len(allowed) - 1
	if last == 0 {
		return badRequest(param, "invalid_value", "Invalid value: '%s'. Value must be '%s'.", *v, allowed[0])
	}
	return badRequest(param, "invalid_value", "Invalid value: '%s'. Supported values are: '%s', and '%s'.", *v, strings.Join(allowed[:last], "', '"), allowed[last])
}
