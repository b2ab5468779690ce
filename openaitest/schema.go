package openaitest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// schema is the part of JSON Schema that answers are made from.
type schema struct {
	Type             jsontext.Value   `json:"type"`
	Properties       members          `json:"properties"`
	Required         []string         `json:"required"`
	Additional       jsontext.Value   `json:"additionalProperties"`
	Items            jsontext.Value   `json:"items"`
	Enum             []jsontext.Value `json:"enum"`
	Const            jsontext.Value   `json:"const"`
	AnyOf            []jsontext.Value `json:"anyOf"`
	OneOf            []jsontext.Value `json:"oneOf"`
	AllOf            []jsontext.Value `json:"allOf"`
	Ref              string           `json:"$ref"`
	Defs             members          `json:"$defs"`
	Definitions      members          `json:"definitions"`
	Minimum          *float64         `json:"minimum"`
	Maximum          *float64         `json:"maximum"`
	ExclusiveMinimum *float64         `json:"exclusiveMinimum"`
	ExclusiveMaximum *float64         `json:"exclusiveMaximum"`
	MultipleOf       *float64         `json:"multipleOf"`
	MinLength        *int             `json:"minLength"`
	MaxLength        *int             `json:"maxLength"`
	MinItems         *int             `json:"minItems"`
	MaxItems         *int             `json:"maxItems"`
	Format           string           `json:"format"`
}

const (
	deepEnough = 6  // from here on, optional parts are left out
	tooDeep    = 32 // here the schema is taken to have no end
	tooLong    = 256 << 10
)

// maker writes a value that satisfies a schema.
type maker struct {
	raw    jsontext.Value
	root   schema
	prompt string
	src    *source
	out    strings.Builder
}

// satisfy returns JSON for a schema; a schema that is none gives "{}".
func satisfy(raw jsontext.Value, prompt string, src *source) string {
	if len(raw) == 0 || raw.Kind() == 'n' {
		return "{}"
	}
	m := &maker{raw: raw, prompt: prompt, src: src}
	_ = json.Unmarshal(raw, &m.root) // was read before; what does not fit counts as absent
	m.write(raw, 0)
	return m.out.String()
}

func (m *maker) write(raw jsontext.Value, depth int) {
	var s schema
	if depth > tooDeep || m.out.Len() > tooLong || json.Unmarshal(raw, &s) != nil {
		m.out.WriteString("null") // "true" and the like: anything does
		return
	}
	if s.Ref != "" {
		m.write(m.resolve(s.Ref), depth+1)
		return
	}
	if len(s.AllOf) > 0 {
		s = s.merged(m)
	}
	switch choices := append(slices.Clip(s.AnyOf), s.OneOf...); {
	case len(s.Const) > 0:
		m.out.Write(s.Const)
	case len(s.Enum) > 0:
		m.out.Write(s.Enum[m.src.below(len(s.Enum))])
	case len(choices) > 0:
		m.write(choose(choices, depth), depth+1)
	default:
		m.writeType(s, depth)
	}
}

func (m *maker) resolve(ref string) jsontext.Value {
	name, ok := strings.CutPrefix(ref, "#/$defs/")
	defs := m.root.Defs
	if !ok {
		name, ok = strings.CutPrefix(ref, "#/definitions/")
		defs = m.root.Definitions
	}
	if ok {
		v, _ := defs.get(strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
		return v
	}
	if ref == "#" {
		return m.raw
	}
	return nil
}

// merged joins the schemas of allOf into one.
func (s schema) merged(m *maker) schema {
	for _, raw := range s.AllOf {
		var part schema
		if json.Unmarshal(raw, &part) != nil {
			continue
		}
		if part.Ref != "" {
			if json.Unmarshal(m.resolve(part.Ref), &part) != nil {
				continue
			}
		}
		if len(s.Type) == 0 {
			s.Type = part.Type
		}
		s.Properties = append(slices.Clip(s.Properties), part.Properties...)
		s.Required = append(slices.Clip(s.Required), part.Required...)
		if len(s.Enum) == 0 {
			s.Enum = part.Enum
		}
	}
	return s
}

// choose takes the first alternative that is not null, and deep down rather one
// that ends.
func choose(choices []jsontext.Value, depth int) jsontext.Value {
	simple := func(v jsontext.Value) bool {
		text := string(v)
		return !strings.Contains(text, "$ref") && !strings.Contains(text, `"object"`) && !strings.Contains(text, `"array"`)
	}
	isNull := func(v jsontext.Value) bool { return strings.Contains(string(v), `"null"`) && simple(v) }
	for _, c := range choices {
		if depth < deepEnough && !isNull(c) || depth >= deepEnough && simple(c) {
			return c
		}
	}
	return choices[0]
}

func (s schema) typeName() string {
	var one string
	if json.Unmarshal(s.Type, &one) == nil && one != "" {
		return one
	}
	var several []string
	if json.Unmarshal(s.Type, &several) == nil {
		for _, t := range several {
			if t != "null" {
				return t
			}
		}
		if len(several) > 0 {
			return several[0]
		}
	}
	switch {
	case len(s.Properties) > 0:
		return "object"
	case len(s.Items) > 0:
		return "array"
	case s.Minimum != nil || s.Maximum != nil:
		return "number"
	}
	return "string"
}

func (m *maker) writeType(s schema, depth int) {
	switch s.typeName() {
	case "object":
		m.writeObject(s, depth)
	case "array":
		m.writeArray(s, depth)
	case "integer":
		m.out.WriteString(strconv.FormatFloat(s.number(m.src, true), 'f', -1, 64))
	case "number":
		m.out.WriteString(strconv.FormatFloat(s.number(m.src, false), 'f', -1, 64))
	case "boolean":
		m.out.WriteString(strconv.FormatBool(m.src.below(2) == 0))
	case "null":
		m.out.WriteString("null")
	default:
		m.out.WriteString(quote(m.str(s)))
	}
}

func (m *maker) writeObject(s schema, depth int) {
	m.out.WriteByte('{')
	first := true
	for i, p := range s.Properties {
		again := slices.ContainsFunc(s.Properties[:i], func(q member) bool { return q.name == p.name })
		if again || depth >= deepEnough && !slices.Contains(s.Required, p.name) {
			continue
		}
		if !first {
			m.out.WriteString(", ")
		}
		first = false
		m.out.WriteString(quote(p.name) + ": ")
		m.write(p.value, depth+1)
	}
	m.out.WriteByte('}')
}

func (m *maker) writeArray(s schema, depth int) {
	n := 1 + m.src.below(3)
	if depth >= deepEnough {
		n = 0
	}
	if s.MinItems != nil {
		n = max(n, min(*s.MinItems, 1000))
	}
	if s.MaxItems != nil {
		n = min(n, *s.MaxItems)
	}
	items := s.Items
	if len(items) == 0 {
		items = jsontext.Value(`{"type":"string"}`)
	}
	m.out.WriteByte('[')
	for i := range max(n, 0) {
		if i > 0 {
			m.out.WriteString(", ")
		}
		m.write(items, depth+1)
	}
	m.out.WriteByte(']')
}

// number picks a number between the bounds, from 1 to 100 where there are none.
func (s schema) number(src *source, whole bool) float64 {
	low, high := math.Inf(-1), math.Inf(1)
	up := func(v *float64, by float64) {
		if v != nil {
			low = max(low, *v+by)
		}
	}
	down := func(v *float64, by float64) {
		if v != nil {
			high = min(high, *v-by)
		}
	}
	step := 1.0
	if s.MultipleOf != nil && *s.MultipleOf > 0 {
		step = *s.MultipleOf
	}
	up(s.Minimum, 0)
	down(s.Maximum, 0)
	up(s.ExclusiveMinimum, step/2)
	down(s.ExclusiveMaximum, step/2)
	if math.IsInf(low, -1) {
		low = min(1, high)
	}
	if math.IsInf(high, 1) {
		high = low + 99
	}
	first, last := math.Ceil(low/step), math.Floor(high/step)
	if first > last && !whole {
		return s.between()
	}
	v := (first + float64(src.below(1+int(max(0, min(last-first, 1000)))))) * step
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0 // bounds that no number of ours keeps
	}
	return v
}

// between is a number in the middle of bounds so close that no whole one fits.
func (s schema) between() float64 {
	first := func(v ...*float64) float64 {
		for _, p := range v {
			if p != nil {
				return *p
			}
		}
		return 0
	}
	return (first(s.Minimum, s.ExclusiveMinimum) + first(s.Maximum, s.ExclusiveMaximum)) / 2
}

func (m *maker) str(s schema) string {
	switch s.Format {
	case "date":
		return "2026-03-14"
	case "date-time":
		return "2026-03-14T09:26:53Z"
	case "time":
		return "09:26:53Z"
	case "duration":
		return "P3D"
	case "email":
		return "reader@example.com"
	case "uuid":
		return "6f1c7d52-0c7e-4b51-9d8e-3a5b1f2c4d60"
	case "uri":
		return "https://example.com/page"
	case "hostname":
		return "example.com"
	case "ipv4":
		return "192.0.2.7"
	case "ipv6":
		return "2001:db8::7"
	}
	topics := keywords(m.prompt)
	text := strings.Replace(middles[m.src.below(len(middles))], "@", topics[m.src.below(len(topics))], 1)
	if s.MinLength != nil {
		for utf8.RuneCountInString(text) < min(*s.MinLength, 100_000) {
			text += " " + text
		}
	}
	if s.MaxLength != nil && utf8.RuneCountInString(text) > *s.MaxLength {
		text = strings.TrimRight(string([]rune(text)[:max(*s.MaxLength, 0)]), " ")
		if s.MinLength != nil {
			text += strings.Repeat(".", max(*s.MinLength-utf8.RuneCountInString(text), 0))
		}
	}
	return text
}
