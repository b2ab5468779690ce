package action

import (
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"claviger.dev/claviger/internal/jsonx"
)

// Bounds of an input, whatever its schema says: the validator describes every
// value that it refuses, so a body of a megabyte of commas would cost a
// hundred times itself.
const (
	maxValues = 10000 // of any kind, at any depth
	maxDigits = 64    // of one number, sign and exponent included
)

// shape is a compiled input schema.
type shape struct {
	schema jsonx.Value
	check  *jsonschema.Schema
	props  []property
	// lone says that there is one property, a string, and never another: its
	// text alone is the user message.
	lone bool
	// blame is the property that an input is refused for that is no object.
	blame string
}

// property is one of the schema's own properties, in the order of the schema.
type property struct {
	name     string
	schema   jsonx.Value
	fallback jsonx.Value
	required bool
	// types are the values of "type", nil where it is not stated.
	types []string
	// solid says that white space alone is as good as nothing.
	solid bool
	// fixed says that every value is one of the server's, a number or a
	// boolean, so that it may stand in instructions.
	fixed bool
}

// defaultInput is what an action takes when its definition does not say.
func defaultInput() jsonx.Value {
	text := jsonx.Object(
		jsonx.Member{Name: "type", Value: jsonx.String("string")},
		jsonx.Member{Name: "minLength", Value: jsonx.Int(1)},
		jsonx.Member{Name: "maxLength", Value: jsonx.Int(DefaultMaxLength)})
	return jsonx.Object(
		jsonx.Member{Name: "type", Value: jsonx.String("object")},
		jsonx.Member{Name: "required", Value: jsonx.Array(jsonx.String("prompt"))},
		jsonx.Member{Name: "additionalProperties", Value: jsonx.Bool(false)},
		jsonx.Member{Name: "properties", Value: jsonx.Object(jsonx.Member{Name: "prompt", Value: text})})
}

// newShape closes and compiles an input schema. After a problem it is still
// good enough to check placeholders against.
func newShape(p *problems, v jsonx.Value) *shape {
	if v.IsZero() {
		v = defaultInput()
	}
	s := &shape{schema: v, blame: "input"}
	if t, ok := v.Get("type"); v.Kind() != jsonx.KindObject || ok && !t.Is("object") {
		p.add("input", "is an object schema: type: object")
		return s
	}
	s.schema = s.closeInput(p, v)
	s.check = compileSchema(p, "input", s.schema)
	if s.check != nil {
		s.checkDefaults(p)
	}
	if i := slices.IndexFunc(s.props, func(x property) bool { return x.required }); i >= 0 {
		s.blame = s.props[i].name
	} else if len(s.props) > 0 {
		s.blame = s.props[0].name
	}
	return s
}

// closeInput writes the schema anew with what it left open closed.
func (s *shape) closeInput(p *problems, v jsonx.Value) jsonx.Value {
	ms := v.Members()
	extra := false
	names := map[string]bool{}
	for _, m := range ms {
		names[m.Name] = true
		switch m.Name {
		case "additionalProperties", "unevaluatedProperties":
			extra = m.Value.Kind() != jsonx.KindBool || m.Value.Bool()
		case "patternProperties":
			extra = true
		}
	}
	required, _ := v.Get("required")
	for i, m := range ms {
		if m.Name != "properties" || m.Value.Kind() != jsonx.KindObject {
			continue
		}
		inner := m.Value.Members()
		for j := range inner {
			req := slices.ContainsFunc(required.Elems(), func(x jsonx.Value) bool { return x.Is(inner[j].Name) })
			prop := newProperty(p, inner[j], req)
			inner[j].Value = prop.schema
			s.props = append(s.props, prop)
		}
		ms[i].Value = jsonx.Object(inner...)
	}
	s.lone = len(s.props) == 1 && !extra && slices.Equal(s.props[0].types, []string{"string"})
	if !names["type"] {
		ms = append(ms, jsonx.Member{Name: "type", Value: jsonx.String("object")})
	}
	if !names["additionalProperties"] && !names["unevaluatedProperties"] {
		ms = append(ms, jsonx.Member{Name: "additionalProperties", Value: jsonx.Bool(false)})
	}
	return jsonx.Object(ms...)
}

func newProperty(p *problems, m jsonx.Member, required bool) property {
	x := property{name: m.Name, schema: m.Value, required: required}
	if !plain(m.Name) {
		p.add("input.properties."+m.Name, "a name is an ASCII identifier of at most 64 characters, so that it can stand in forms and messages")
	}
	has := map[string]jsonx.Value{}
	for _, k := range m.Value.Members() {
		has[k.Name] = k.Value
	}
	x.fallback = has["default"]
	x.types = typesOf(has["type"])
	x.fixed = isFixed(has, x.types)
	if !slices.Contains(x.types, "string") {
		return x
	}
	ms := m.Value.Members()
	if !slices.ContainsFunc([]string{"maxLength", "enum", "const", "pattern", "format"}, func(k string) bool { return !has[k].IsZero() }) {
		ms = append(ms, jsonx.Member{Name: "maxLength", Value: jsonx.Int(DefaultMaxLength)})
	}
	least, stated := has["minLength"].Int()
	if required && has["minLength"].IsZero() && has["enum"].IsZero() && has["const"].IsZero() {
		ms = append(ms, jsonx.Member{Name: "minLength", Value: jsonx.Int(1)})
		least, stated = 1, true
	}
	x.solid = required && stated && least >= 1
	x.schema = jsonx.Object(ms...)
	return x
}

func typesOf(v jsonx.Value) []string {
	if v.Kind() == jsonx.KindString {
		return []string{v.Str()}
	}
	var out []string
	for _, e := range v.Items() {
		out = append(out, e.Str())
	}
	return out
}

// isFixed reports whether a schema leaves no room for text of the caller.
func isFixed(has map[string]jsonx.Value, types []string) bool {
	if c := has["const"]; !c.IsZero() {
		return scalar(c)
	}
	if e := has["enum"]; e.Kind() == jsonx.KindArray {
		return !slices.ContainsFunc(e.Elems(), func(x jsonx.Value) bool { return !scalar(x) })
	}
	for _, t := range types {
		if !slices.Contains([]string{"integer", "number", "boolean", "null"}, t) {
			return false
		}
	}
	return len(types) > 0
}

func scalar(v jsonx.Value) bool {
	k := v.Kind()
	return k != jsonx.KindNone && k != jsonx.KindArray && k != jsonx.KindObject
}

// checkDefaults holds each default against its own property.
func (s *shape) checkDefaults(p *problems) {
	for _, x := range s.props {
		if x.fallback.IsZero() {
			continue
		}
		if sub := s.check.Properties[x.name]; sub == nil || sub.Validate(x.fallback.Any()) != nil {
			p.add("input.properties."+x.name+".default", "does not fit the property itself")
		}
	}
}

// bind holds an object against the shape. It returns the values in the order
// of the properties, zero where absent, and the members that are none of
// them. The error is for the caller.
func (s *shape) bind(v jsonx.Value) (values []jsonx.Value, rest []jsonx.Member, err error) {
	if v.Kind() != jsonx.KindObject || !bounded(v) {
		return nil, nil, invalid(s.blame)
	}
	values = make([]jsonx.Value, len(s.props))
	tree := make(map[string]any, len(s.props))
	for name, x := range v.Fields() {
		tree[name] = x.Any()
		if i := s.index(name); i >= 0 {
			values[i] = x
		} else {
			rest = append(rest, jsonx.Member{Name: name, Value: x})
		}
	}
	for i := range s.props {
		x := &s.props[i]
		if values[i].IsZero() && !x.fallback.IsZero() {
			values[i] = x.fallback
			tree[x.name] = x.fallback.Any()
		}
	}
	var bad map[string]bool
	if err := s.check.Validate(tree); err != nil {
		bad = map[string]bool{}
		if ve, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
			offenders(ve, func(n string) { bad[n] = true })
		}
		bad[""] = true
	}
	for i := range s.props {
		x := &s.props[i]
		if bad[x.name] || x.solid && values[i].Kind() == jsonx.KindString && blank(values[i].Str()) {
			return nil, nil, invalid(x.name)
		}
	}
	if bad != nil {
		for _, m := range rest {
			if bad[m.Name] {
				return nil, nil, invalid(m.Name)
			}
		}
		return nil, nil, invalid("input")
	}
	return values, rest, nil
}

func (s *shape) index(name string) int {
	for i := range s.props {
		if s.props[i].name == name {
			return i
		}
	}
	return -1
}

// blank reports whether a text is white space alone, as JavaScript's trim sees
// it, which takes the byte order mark for white space too.
func blank(s string) bool {
	return strings.Trim(strings.TrimSpace(s), "\ufeff \t\r\n") == ""
}

// bounded reports whether a value keeps within the bounds above.
func bounded(v jsonx.Value) bool {
	c, left := v.Cursor(), maxValues
	return within(&c, &left)
}

func within(c *jsonx.Cursor, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	switch c.Kind() {
	case jsonx.KindArray:
		c.Enter()
		for c.Element() {
			if !within(c, left) {
				return false
			}
		}
	case jsonx.KindObject:
		c.Enter()
		for c.Member() {
			if !within(c, left) {
				return false
			}
		}
	case jsonx.KindNumber:
		v := c.Value()
		_, finite := v.Float()
		return finite && v.Size() <= maxDigits
	default:
		c.Skip()
	}
	return true
}
