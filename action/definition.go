package action

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// DefinitionError says what is wrong with one setting of an action.
type DefinitionError struct {
	// Field is the setting in the spelling of the configuration, as
	// "input.properties.prompt.maxLength".
	Field string
	// Reason is one sentence.
	Reason string
}

// Error implements error.
func (e *DefinitionError) Error() string { return e.Field + ": " + e.Reason }

// problems collects what is wrong.
type problems struct{ errs []error }

func (p *problems) add(field, format string, args ...any) {
	p.errs = append(p.errs, &DefinitionError{Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (p *problems) err() error { return errors.Join(p.errs...) }

// efforts are the words of OpenAI's ReasoningEffort.
func efforts() []string {
	return []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}
}

func checkDefinition(p *problems, d *Definition) {
	if !actionName(d.Name) {
		p.add("name", "is 1 to 64 letters, digits, \"_\" and \"-\", beginning with a letter or digit")
	}
	if d.Model == "" || strings.ContainsFunc(d.Model, func(r rune) bool { return r <= ' ' || r > '~' || r == '*' }) {
		p.add("model", "names one model, as gpt-4.1-mini")
	}
	if d.Path != "" {
		checkPath(p, d.Path)
	}
	if d.MaxOutput < 0 {
		p.add("max_output_tokens", "must be positive")
	}
	if d.Temperature != nil && !(*d.Temperature >= 0 && *d.Temperature <= 2) {
		p.add("temperature", "is between 0 and 2")
	}
	if d.Reasoning != "" && !slices.Contains(efforts(), d.Reasoning) {
		p.add("reasoning", "is one of %s", strings.Join(efforts(), ", "))
	}
	for i, t := range d.Tools {
		checkTool(p, fmt.Sprintf("tools[%d]", i), t, slices.Contains(d.Tools[:i], t))
	}
}

func actionName(s string) bool {
	return s != "" && len(s) <= 64 && s[0] != '-' && s[0] != '_' && only(s, "_-")
}

func checkPath(p *problems, path string) {
	if !routable(path) {
		p.add("path", "is a path such as /api/ai/generate: letters, digits, and - _ . ~ between single slashes")
		return
	}
	for _, own := range []string{"/v1", "/actions", "/tickets"} {
		if path == own || strings.HasPrefix(path, own+"/") {
			p.add("path", "%s belongs to the gateway; choose another", own)
		}
	}
}

// checkTool lets only tools pass that work without settings and give text.
func checkTool(p *problems, field, tool string, dup bool) {
	switch tool {
	case "web_search", "code_interpreter":
		if dup {
			p.add(field, "%q is listed twice", tool)
		}
	case "function", "custom":
		p.add(field, "an action answers by itself and has nobody who would run a %s tool; use the proxy for that", tool)
	default:
		p.add(field, "an action can use web_search and code_interpreter; other hosted tools need settings that it has no place for")
	}
}

func checkChat(p *problems, a *Action) {
	d := &a.d
	if !d.Input.IsZero() {
		p.add("input", "a chat takes messages; its input has no schema")
	}
	if d.Template != "" {
		p.add("prompt", "a chat takes messages; it has no template")
	}
	if d.Turns < 0 {
		p.add("turns", "must be positive")
	}
	if d.Characters < 0 {
		p.add("characters", "must be positive")
	}
	for _, name := range a.instructions.names() {
		p.add("instructions", "{{%s}}: a chat has no properties that instructions could use", name)
	}
}

// checkPlaceholders keeps free text out of the instructions.
func checkPlaceholders(p *problems, a *Action) {
	for _, t := range []struct {
		field string
		t     *template
	}{{"instructions", &a.instructions}, {"prompt", &a.message}} {
		for i := range t.t.parts {
			part := &t.t.parts[i]
			if part.name == "" {
				continue
			}
			part.index = slices.IndexFunc(a.input.props, func(x property) bool { return x.name == part.name })
			switch {
			case part.index < 0:
				p.add(t.field, "{{%s}}: the input has no property of that name", part.name)
			case t.field == "instructions" && !a.input.props[part.index].fixed:
				p.add(t.field, "{{%s}}: only enum, number and boolean properties may stand in instructions; free text belongs into the prompt", part.name)
			}
		}
	}
}

// closeOutput makes an output schema fit for strict mode, or says why it does
// not. The rules are of
// https://platform.openai.com/docs/guides/structured-outputs#supported-schemas.
func closeOutput(p *problems, field string, v jsonx.Value) jsonx.Value {
	if t, _ := v.Get("type"); v.Kind() != jsonx.KindObject || !t.Is("object") {
		p.add(field, "is an object schema: type: object")
		return v
	}
	return walkSchema(v, field, func(at string, s jsonx.Value) jsonx.Value { return closeObject(p, at, s) })
}

func closeObject(p *problems, field string, v jsonx.Value) jsonx.Value {
	props, ok := v.Get("properties")
	if t, _ := v.Get("type"); !ok && !t.Is("object") {
		return v
	}
	required, _ := v.Get("required")
	for name := range props.Fields() {
		if !slices.ContainsFunc(required.Elems(), func(x jsonx.Value) bool { return x.Is(name) }) {
			p.add(field+".required", "must name %q too: in strict mode every property is required; let it be null where it may be missing", name)
		}
	}
	extra, ok := v.Get("additionalProperties")
	switch {
	case !ok:
		return jsonx.Object(append(v.Members(), jsonx.Member{Name: "additionalProperties", Value: jsonx.Bool(false)})...)
	case extra.Kind() != jsonx.KindBool || extra.Bool():
		p.add(field+".additionalProperties", "is false in strict mode")
	}
	return v
}
