package action

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	in := func(s string) func(*Definition) { return withInput(t, s) }
	out := func(s string) func(*Definition) { return withOutput(t, s) }
	set := func(f func(*Definition)) func(*Definition) { return f }
	for _, tt := range []struct {
		name   string
		change func(*Definition)
		field  string
		reason string
	}{
		{"no name", set(func(d *Definition) { d.Name = "" }), "name", "letters"},
		{"name with slash", set(func(d *Definition) { d.Name = "a/b" }), "name", "letters"},
		{"name with dash first", set(func(d *Definition) { d.Name = "-a" }), "name", "letters"},
		{"long name", set(func(d *Definition) { d.Name = strings.Repeat("a", 65) }), "name", "64"},
		{"kind", set(func(d *Definition) { d.Kind = "image" }), "kind", "text or chat"},
		{"no model", set(func(d *Definition) { d.Model = "" }), "model", "one model"},
		{"model pattern", set(func(d *Definition) { d.Model = "gpt-*" }), "model", "one model"},
		{"path", set(func(d *Definition) { d.Path = "api" }), "path", "/api/ai/generate"},
		{"path with dots", set(func(d *Definition) { d.Path = "/api/../x" }), "path", "/api/ai/generate"},
		{"path with escape", set(func(d *Definition) { d.Path = "/api/%61" }), "path", "/api/ai/generate"},
		{"path with query", set(func(d *Definition) { d.Path = "/api?x" }), "path", "/api/ai/generate"},
		{"path with two slashes", set(func(d *Definition) { d.Path = "/api//x" }), "path", "/api/ai/generate"},
		{"the proxy's path", set(func(d *Definition) { d.Path = "/v1/responses" }), "path", "belongs to the gateway"},
		{"the tickets' path", set(func(d *Definition) { d.Path = "/tickets" }), "path", "belongs to the gateway"},
		{"negative output", set(func(d *Definition) { d.MaxOutput = -1 }), "max_output_tokens", "positive"},
		{"temperature", set(func(d *Definition) { f := 2.1; d.Temperature = &f }), "temperature", "between 0 and 2"},
		{"temperature NaN", set(func(d *Definition) { f := math.NaN(); d.Temperature = &f }), "temperature", "between 0 and 2"},
		{"reasoning", set(func(d *Definition) { d.Reasoning = "huge" }), "reasoning", "minimal"},
		{"function tool", set(func(d *Definition) { d.Tools = []string{"function"} }), "tools[0]", "nobody who would run"},
		{"tool with settings", set(func(d *Definition) { d.Tools = []string{"web_search", "mcp"} }), "tools[1]", "need settings"},
		{"tool twice", set(func(d *Definition) { d.Tools = []string{"web_search", "web_search"} }), "tools[1]", "twice"},

		{"input no object", in(`["prompt"]`), "input", "object schema"},
		{"input of another type", in(`{"type":"string"}`), "input", "object schema"},
		{"unknown keyword", in(`{"properties":{"prompt":{"type":"string","maxlength":5}}}`), "input.properties.prompt.maxlength", "did you mean maxLength?"},
		{"unknown keyword in $defs", in(`{"$defs":{"x":{"maximun":5}}}`), "input.$defs.x.maximun", "no keyword"},
		{"unknown keyword in a list", in(`{"anyOf":[true,{"itms":{}}]}`), "input.anyOf[1].itms", "no keyword"},
		{"unknown format", in(`{"properties":{"p":{"type":"string","format":"e-mail"}}}`), "input.properties.p.format", "email"},
		{"remote reference", in(`{"properties":{"p":{"$ref":"https://example.com/schema"}}}`), "input.properties.p.$ref", "within the schema"},
		{"file reference", in(`{"properties":{"p":{"$ref":"file:///etc/passwd"}}}`), "input.properties.p.$ref", "within the schema"},
		{"relative reference", in(`{"properties":{"p":{"$ref":"other.json#/x"}}}`), "input.properties.p.$ref", "within the schema"},
		{"dangling reference", in(`{"properties":{"p":{"$ref":"#/$defs/none"}}}`), "input", "/$defs/none"},
		{"$id", in(`{"$id":"https://example.com/x"}`), "input.$id", "no keyword"},
		{"old dialect", in(`{"$schema":"http://json-schema.org/draft-07/schema#"}`), "input.$schema", "2020-12"},
		{"wrong value", in(`{"properties":{"p":{"type":"string","maxLength":"5"}}}`), "input.properties.p.maxLength", "want integer"},
		{"wrong type name", in(`{"properties":{"p":{"type":"text"}}}`), "input.properties.p.type", "one of"},
		{"look-around", in(`{"properties":{"p":{"type":"string","pattern":"(?=x)"}}}`), "input.properties.p.pattern", ""},
		{"property name", in(`{"properties":{"a b":{"type":"string"}}}`), "input.properties.a b", "identifier"},
		{"default that does not fit", in(`{"properties":{"n":{"type":"integer","default":"x"}}}`), "input.properties.n.default", "does not fit"},

		{"free text in instructions", func(d *Definition) { d.Instructions = "Speak {{prompt}}." }, "instructions", "only enum, number and boolean"},
		{"unknown placeholder", func(d *Definition) { d.Instructions = "Speak {{tongue}}." }, "instructions", "no property"},
		{"unknown placeholder in prompt", func(d *Definition) { d.Template = "{{other}}" }, "prompt", "no property"},
		{"open placeholder", func(d *Definition) { d.Instructions = "Speak {{prompt" }, "instructions", "begins a placeholder"},
		{"crooked placeholder", func(d *Definition) { d.Template = "{{ the prompt }}" }, "prompt", "begins a placeholder"},
		{"referenced string in instructions", func(d *Definition) {
			d.Instructions = "{{p}}"
			d.Input = value(t, `{"$defs":{"s":{"type":"string"}},"properties":{"p":{"$ref":"#/$defs/s"}}}`)
		}, "instructions", "only enum"},
		{"mixed type in instructions", func(d *Definition) {
			d.Instructions = "{{p}}"
			d.Input = value(t, `{"properties":{"p":{"type":["integer","string"]}}}`)
		}, "instructions", "only enum"},
		{"any type in instructions", func(d *Definition) { d.Instructions = "{{p}}"; d.Input = value(t, `{"properties":{"p":{}}}`) }, "instructions", "only enum"},
		{"true as schema in instructions", func(d *Definition) { d.Instructions = "{{p}}"; d.Input = value(t, `{"properties":{"p":true}}`) }, "instructions", "only enum"},
		{"enum of objects in instructions", func(d *Definition) {
			d.Instructions = "{{p}}"
			d.Input = value(t, `{"properties":{"p":{"enum":["a",{"b":1}]}}}`)
		}, "instructions", "only enum"},
		{"enum in anyOf in instructions", func(d *Definition) {
			d.Instructions = "{{p}}"
			d.Input = value(t, `{"properties":{"p":{"anyOf":[{"enum":["a"]},{"type":"string"}]}}}`)
		}, "instructions", "only enum"},

		{"output no object", out(`{"type":"array"}`), "output", "object schema"},
		{"output with optional property", out(`{"type":"object","properties":{"a":{"type":"string"}}}`), "output.required", `"a"`},
		{"inner object with optional property", out(`{"type":"object","required":["l"],"properties":{"l":{"type":"array","items":{"type":"object","properties":{"b":{}}}}}}`), "output.properties.l.items.required", `"b"`},
		{"open output", out(`{"type":"object","properties":{},"additionalProperties":true}`), "output.additionalProperties", "false"},
		{"unknown keyword in output", out(`{"type":"object","propertys":{}}`), "output.propertys", "no keyword"},

		{"chat with input", func(d *Definition) { chatty(d); d.Input = value(t, `{}`) }, "input", "messages"},
		{"chat with template", func(d *Definition) { chatty(d); d.Template = "x" }, "prompt", "messages"},
		{"chat with placeholder", func(d *Definition) { chatty(d); d.Instructions = "{{messages}}" }, "instructions", "no properties"},
		{"negative turns", func(d *Definition) { chatty(d); d.Turns = -1 }, "turns", "positive"},
		{"negative characters", func(d *Definition) { chatty(d); d.Characters = -1 }, "characters", "positive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Definition{Name: "a", Model: "m"}
			tt.change(&d)
			a, err := New(d)
			if a != nil {
				t.Error("a definition that is wrong must give no action")
			}
			e, ok := errors.AsType[*DefinitionError](err)
			if !ok {
				t.Fatalf("got %v, want a *DefinitionError", err)
			}
			if e.Field != tt.field || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("got %q: %q\nwant %q: …%s…", e.Field, e.Reason, tt.field, tt.reason)
			}
			if strings.Contains(err.Error(), "urn:") {
				t.Errorf("the error speaks of our own URL: %v", err)
			}
		})
	}
}

func TestNewReportsAllAtOnce(t *testing.T) {
	_, err := New(Definition{Kind: "x", Tools: []string{"mcp"}})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 4 {
		t.Errorf("want the name, the model, the tool and the kind at once, got:\n%v", err)
	}
}

func TestNewAccepts(t *testing.T) {
	for name, change := range map[string]func(*Definition){
		"default":           func(*Definition) {},
		"chat":              chatty,
		"tools":             func(d *Definition) { d.Tools = []string{"web_search", "code_interpreter"} },
		"own keywords":      withInput(t, `{"x-label":"Text","properties":{"p":{"type":"string","x-hint":1,"title":"P","description":"d"}}}`),
		"dialect":           withInput(t, `{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"p":{"type":"string"}}}`),
		"inner reference":   withInput(t, `{"$defs":{"s":{"type":"string","maxLength":3}},"properties":{"p":{"$ref":"#/$defs/s"}}}`),
		"recursion":         withInput(t, `{"$defs":{"n":{"type":"object","properties":{"c":{"$ref":"#/$defs/n"}}}},"properties":{"p":{"$ref":"#/$defs/n"}}}`),
		"keyword as a name": withInput(t, `{"properties":{"format":{"type":"string"},"maxlength":{"type":"integer"}}}`),
		"braces in prose":   func(d *Definition) { d.Instructions = `Answer like {"a":{"b":1}}.` },
		"nullable enum": func(d *Definition) {
			d.Input = value(t, `{"properties":{"l":{"enum":["de",null]}}}`)
			d.Instructions = "{{ l }}"
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := Definition{Name: "a", Model: "m"}
			change(&d)
			if _, err := New(d); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaIsClosed(t *testing.T) {
	a := generate(t, withInput(t, `{"required":["a"],"properties":{"a":{"type":"string"},"b":{"type":"string"},"c":{"enum":["x"]},"d":{"type":"string","pattern":"^x+$"},"e":{"type":["string","null"]}}}`))
	const want = `{"required":["a"],"properties":{"a":{"type":"string","maxLength":2000,"minLength":1},"b":{"type":"string","maxLength":2000},` +
		`"c":{"enum":["x"]},"d":{"type":"string","pattern":"^x+$"},"e":{"type":["string","null"],"maxLength":2000}},"type":"object","additionalProperties":false}`
	if got := a.Input(); !equal(got, value(t, want)) {
		t.Errorf("got  %v\nwant %s", show(got), want)
	}
	open := generate(t, withInput(t, `{"type":"object","additionalProperties":{"type":"integer"},"properties":{"a":{"type":"string","maxLength":5}}}`))
	const kept = `{"type":"object","additionalProperties":{"type":"integer"},"properties":{"a":{"type":"string","maxLength":5}}}`
	if !equal(open.Input(), value(t, kept)) {
		t.Errorf("what is stated must stay: %v", show(open.Input()))
	}
	out := generate(t, withOutput(t, `{"type":"object","required":["l"],"properties":{"l":{"type":"array","items":{"type":"object","properties":{}}}}}`))
	const strict = `{"type":"object","required":["l"],"properties":{"l":{"type":"array","items":{"type":"object","properties":{},"additionalProperties":false}}},"additionalProperties":false}`
	if !equal(out.Output(), value(t, strict)) {
		t.Errorf("got %v", show(out.Output()))
	}
}
