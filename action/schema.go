package action

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"claviger.dev/claviger/internal/jsonx"
)

// dialect is the only one that schemas are read in.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// slot says what stands in a keyword's value.
type slot int

const (
	slotPlain  slot = iota // no schema
	slotSchema             // a schema
	slotList               // an array of schemas
	slotMap                // an object whose members are schemas
)

// keywordOf knows the keywords of JSON Schema 2020-12 (core, applicator,
// validation, meta-data, format and content vocabularies). $id and $vocabulary
// are left out: they would make a schema speak of more than itself.
func keywordOf(name string) (slot, bool) {
	switch name {
	case "properties", "patternProperties", "$defs", "dependentSchemas":
		return slotMap, true
	case "items", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "contains",
		"propertyNames", "not", "if", "then", "else", "contentSchema":
		return slotSchema, true
	case "allOf", "anyOf", "oneOf", "prefixItems":
		return slotList, true
	case "type", "enum", "const", "title", "description", "default", "examples", "deprecated",
		"readOnly", "writeOnly", "$comment", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor",
		"minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
		"exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minContains",
		"maxContains", "minProperties", "maxProperties", "required", "dependentRequired",
		"contentEncoding", "contentMediaType":
		return slotPlain, true
	}
	return slotPlain, strings.HasPrefix(name, "x-")
}

// formats are those of 2020-12 that the validator knows.
func formats() []string {
	return []string{
		"date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference",
		"uri-template", "iri", "iri-reference", "uuid", "json-pointer", "relative-json-pointer", "regex",
	}
}

// walkSchema rebuilds a schema with every schema in it, itself included,
// passed through f, inner ones first.
func walkSchema(v jsonx.Value, at string, f func(at string, s jsonx.Value) jsonx.Value) jsonx.Value {
	if v.Kind() != jsonx.KindObject {
		return v
	}
	ms := v.Members()
	for i, m := range ms {
		at := at + "." + m.Name
		s, _ := keywordOf(m.Name)
		switch {
		case s == slotSchema:
			ms[i].Value = walkSchema(m.Value, at, f)
		case s == slotList && m.Value.Kind() == jsonx.KindArray:
			es := m.Value.Elems()
			for j := range es {
				es[j] = walkSchema(es[j], fmt.Sprintf("%s[%d]", at, j), f)
			}
			ms[i].Value = jsonx.Array(es...)
		case s == slotMap && m.Value.Kind() == jsonx.KindObject:
			inner := m.Value.Members()
			for j := range inner {
				inner[j].Value = walkSchema(inner[j].Value, at+"."+inner[j].Name, f)
			}
			ms[i].Value = jsonx.Object(inner...)
		}
	}
	return f(at, jsonx.Object(ms...))
}

// lintSchema refuses what a validator would pass over in silence.
func lintSchema(p *problems, at string, s jsonx.Value) {
	for name, v := range s.Fields() {
		field := at + "." + name
		if _, ok := keywordOf(name); !ok {
			p.add(field, "is no keyword of JSON Schema 2020-12%s", similar(name))
			continue
		}
		switch name {
		case "format":
			if !slices.Contains(formats(), v.Str()) {
				p.add(field, "is not a known format; known are %s", strings.Join(formats(), ", "))
			}
		case "$schema":
			if v.Str() != dialect {
				p.add(field, "only %s is read", dialect)
			}
		case "$ref", "$dynamicRef":
			if !strings.HasPrefix(v.Str(), "#") {
				p.add(field, "stays within the schema, as #/$defs/name; nothing is loaded")
			}
		}
	}
}

// similar names the keyword that differs in case alone.
func similar(name string) string {
	for _, k := range []string{
		"minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minimum", "maximum", "multipleOf", "oneOf", "anyOf", "allOf",
		"additionalProperties", "properties", "required", "pattern", "format", "type", "enum", "items", "minProperties", "maxProperties",
	} {
		if strings.EqualFold(strings.ReplaceAll(name, "_", ""), k) {
			return "; did you mean " + k + "?"
		}
	}
	return ""
}

// noLoader keeps the validator from reading files and the network.
type noLoader struct{}

var errNothingLoaded = errors.New("nothing is loaded")

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errNothingLoaded }

// compileSchema checks a schema against 2020-12 and compiles it. Patterns are
// RE2, whose time is linear in the text. It returns nil after a problem.
func compileSchema(p *problems, field string, v jsonx.Value) *jsonschema.Schema {
	before := len(p.errs)
	walkSchema(v, field, func(at string, s jsonx.Value) jsonx.Value {
		lintSchema(p, at, s)
		return s
	})
	if len(p.errs) > before {
		return nil
	}
	const url = "urn:claviger:schema"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	if err := c.AddResource(url, v.Any()); err != nil {
		p.add(field, "is not a JSON Schema")
		return nil
	}
	s, err := c.Compile(url)
	if err == nil {
		return s
	}
	if e, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if ve, ok := errors.AsType[*jsonschema.ValidationError](e.Err); ok {
			leaf := leafOf(ve)
			p.add(strings.Join(append([]string{field}, leaf.InstanceLocation...), "."), "%s",
				leaf.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
			return nil
		}
	}
	if e, ok := errors.AsType[*jsonschema.InvalidRegexError](err); ok {
		p.add(field, "the pattern %q cannot be used: %v; patterns are RE2, without look-around", e.Regex, e.Err)
		return nil
	}
	p.add(field, "%s", strings.ReplaceAll(err.Error(), url, ""))
	return nil
}

// leafOf finds the innermost first cause.
func leafOf(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	return e
}

// offenders adds the top-level properties that an error is about.
func offenders(e *jsonschema.ValidationError, add func(string)) {
	if len(e.InstanceLocation) > 0 {
		add(e.InstanceLocation[0])
		return
	}
	var names []string
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		names = k.Missing
	case *kind.AdditionalProperties:
		names = k.Properties
	case *kind.DependentRequired:
		names = k.Missing
	case *kind.PropertyNames:
		names = []string{k.Property}
	}
	for _, n := range names {
		add(n)
	}
	if names != nil {
		return
	}
	for _, c := range e.Causes {
		offenders(c, add)
	}
}
