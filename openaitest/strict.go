package openaitest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// strictProblem says why a schema is not fit for strict output, as OpenAI says
// it; empty when it is fit. Objects must close themselves and require everything.
func strictProblem(raw jsontext.Value) string {
	return strictAt(raw, nil)
}

func strictAt(raw jsontext.Value, place []string) string {
	var s schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Sprintf("In context=%s, the schema is not an object that can be read.", contextOf(place))
	}
	if len(place) == 0 && s.typeName() != "object" && s.Ref == "" {
		return fmt.Sprintf("schema must be a JSON Schema of 'type: \"object\"', got 'type: %q'.", s.typeName())
	}
	if s.typeName() == "object" && s.Ref == "" && len(s.AnyOf) == 0 {
		if problem := s.strictObject(place); problem != "" {
			return problem
		}
	}
	return s.strictParts(place)
}

func (s schema) strictObject(place []string) string {
	if string(s.Additional) != "false" {
		return fmt.Sprintf("In context=%s, 'additionalProperties' is required to be supplied and to be false.", contextOf(place))
	}
	for _, p := range s.Properties {
		if !slices.Contains(s.Required, p.name) {
			return fmt.Sprintf("In context=%s, 'required' is required to be supplied and to be an array including every key in properties. Missing '%s'.", contextOf(place), p.name)
		}
	}
	return ""
}

func (s schema) strictParts(place []string) string {
	under := func(names ...string) []string { return append(slices.Clip(place), names...) }
	for _, group := range []struct {
		name  string
		parts members
	}{{"properties", s.Properties}, {"$defs", s.Defs}, {"definitions", s.Definitions}} {
		for _, p := range group.parts {
			if problem := strictAt(p.value, under(group.name, p.name)); problem != "" {
				return problem
			}
		}
	}
	if len(s.Items) > 0 {
		if problem := strictAt(s.Items, under("items")); problem != "" {
			return problem
		}
	}
	for i, part := range s.AnyOf {
		if problem := strictAt(part, under("anyOf", fmt.Sprint(i))); problem != "" {
			return problem
		}
	}
	return ""
}

func contextOf(place []string) string {
	if len(place) == 0 {
		return "()"
	}
	return "('" + strings.Join(place, "', '") + "')"
}
