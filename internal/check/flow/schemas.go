package flow

import (
	"strings"
)

// Schema is what a schema says of a value.
type Schema struct {
	Any    bool // says nothing
	Capped bool // bounds its size
	Props  map[string]*Value
	Places map[string]Place
	Elem   *Schema
	Alt    []*Schema
}

func isSchema(pkg string) bool {
	switch pkg {
	case "zod", "zod/v4", "zod/v3", "zod/mini", "zod/v4-mini", "valibot", "yup", "arktype", "joi", "superstruct", "@sinclair/typebox", "@hapi/joi", "effect", "@effect/schema", "runtypes", "myzod", "ajv", "zod-form-data":
		return true
	}
	return false
}

// schemas make schemas and parse with them.
func (c *call) schemas(pkg, path string) (*Value, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	if !isSchema(pkg) {
		return c.parsing(last)
	}
	switch last {
	case "parse", "parseAsync", "validate", "validateSync", "assert", "validateAsync", "attempt", "create", "Check", "cast", "safeParse", "safeParseAsync", "is", "decode", "spa", "decodeUnknownSync", "check", "mask", "Parse", "isValid", "isValidSync":
		if v, ok := c.parsing(last); ok {
			return v, true
		}
	}
	v := outside("zod#schema")
	out := *v
	out.F = impossible
	out.Schema = c.schema(last)
	return &out, true
}

// schemaOf is the schema that a value is.
func schemaOf(v *Value) *Schema {
	if v == nil {
		return nil
	}
	if v.Schema != nil {
		return v.Schema
	}
	for _, a := range v.Args {
		if a.Schema != nil {
			return a.Schema
		}
	}
	return nil
}

// schema is what a call of a builder adds.
func (c *call) schema(last string) *Schema {
	s := &Schema{}
	var base *Schema
	if c.recv != nil {
		base = c.recv.Schema
	}
	if base != nil {
		*s = *base
	}
	a := c.arg(0)
	switch last {
	case "object", "strictObject", "looseObject", "interface", "extend", "shape", "Object", "keys", "objectAsync", "formData", "type":
		props := map[string]*Value{}
		places := map[string]Place{}
		for k, v := range s.Props {
			props[k], places[k] = v, s.Places[k]
		}
		for k, v := range a.Props {
			props[k], places[k] = v, a.Places[k]
		}
		s.Props, s.Places = props, places
		if a.Kind == Text { // arktype's words
			s.Any = a.Str == "unknown"
		}
	case "array", "Array", "list":
		if e := schemaOf(a); e != nil {
			s = &Schema{Elem: e}
		} else {
			s = &Schema{Elem: base}
		}
	case "max", "length", "maxLength", "lte", "lt", "maxValue", "size", "nonempty_", "maxBytes", "maxGraphemes", "lessThan":
		s.Capped = true
	case "enum", "literal", "number", "boolean", "nativeEnum", "date", "picklist", "bigint", "int", "uuid", "email", "url", "cuid", "uuidv4", "Number", "Boolean", "Literal", "oneOf", "valid", "isoDate", "cuid2", "ulid", "datetime", "integer", "null", "undefined", "void", "coerce", "nanoid", "ip", "regex", "pattern":
		s.Capped = true
	case "any", "unknown", "passthrough_", "custom", "Any", "Unknown", "mixed", "instanceof", "record_":
		s.Any = true
		if last == "instanceof" || last == "custom" {
			s.Any = false
		}
	case "union", "or", "discriminatedUnion", "variant", "and", "merge", "intersection", "intersect":
		alts := c.args
		for _, x := range c.args {
			if x.Kind == List {
				alts = x.Items
			}
		}
		for _, x := range alts {
			if x.Schema != nil {
				s.Alt = append(s.Alt, x.Schema)
			}
		}
	case "pipe", "optional", "nullable", "nullish", "default", "exactOptional", "readonly", "partial", "lazy", "preprocess", "brand", "catch", "transform", "refine", "superRefine", "String", "Optional", "unwrap":
		c.combined(s, last)
	}
	if o := c.arg(0); o.Props != nil && (last == "String" || last == "Array" || last == "string") {
		s.Capped = s.Capped || o.Props["maxLength"] != nil || o.Props["maxItems"] != nil
	}
	if o := c.arg(1); o.Props != nil {
		s.Capped = s.Capped || o.Props["maxLength"] != nil || o.Props["maxItems"] != nil
	}
	return s
}

func (c *call) combined(s *Schema, last string) {
	for _, x := range c.args {
		if last == "lazy" && x.Kind == Function {
			return
		}
		if x.Kind == Function && (last == "refine" || last == "superRefine" || last == "transform") {
			id := c.in.temporary()
			if id < 0 {
				continue
			}
			v := c.in.invoke(x.Fn, []*Value{{Inputs: []int{id}}}, nil, c.st.fork(Facts{}), c.node)
			if last == "refine" && v.T.Capped(id) && !v.T.impossible {
				s.Capped = true
			}
			if last == "transform" {
				for _, i := range v.Inputs {
					if c.in.run != nil && i < len(c.in.run.Inputs) && c.in.run.Inputs[i].Name == "(cut)" {
						s.Capped = true
					}
				}
			}
			continue
		}
		if x.Schema == nil {
			continue
		}
		s.Capped = s.Capped || x.Schema.Capped
		if x.Schema.Props != nil {
			s.Props, s.Places = x.Schema.Props, x.Schema.Places
		}
		if x.Schema.Elem != nil {
			s.Elem = x.Schema.Elem
		}
	}
}

// temporary is an input of no consequence, to see what a function asks of it.
func (in *Interp) temporary() int {
	if in.run == nil {
		return -1
	}
	return in.run.input(-1, "", Context, Place{})
}

// parsing checks an input by a schema.
func (c *call) parsing(last string) (*Value, bool) {
	schema := schemaOf(c.recv)
	var input *Value
	switch {
	case schema != nil && len(c.args) > 0:
		input = c.arg(0)
	case schemaOf(c.arg(0)) != nil && len(c.args) > 1:
		schema, input = schemaOf(c.arg(0)), c.arg(1)
	case schemaOf(c.arg(1)) != nil:
		schema, input = schemaOf(c.arg(1)), c.arg(0)
	default:
		return nil, false
	}
	d := deep(input)
	known := c.in.described(schema, d.Inputs, 0)
	data := opaque(d)
	if input.Props != nil {
		data = input
	}
	switch last {
	case "safeParse", "safeParseAsync", "spa", "validate_", "safeDecode":
		v := record()
		v.Props["success"] = (&Value{}).when(known, Facts{})
		v.Props["error"] = (&Value{}).when(Facts{}, known)
		v.Props["issues"] = (&Value{}).when(Facts{}, known)
		v.Props["data"] = data.when(known, Facts{})
		v.Props["output"] = data
		return v, true
	case "is", "Check", "isValid", "isValidSync", "check":
		return (&Value{}).when(known, Facts{}), true
	case "parse", "parseAsync", "assert", "validateSync", "create", "mask", "cast", "decode", "Parse", "decodeUnknownSync", "validateAsync", "attempt", "validate", "parseAsync_":
		if last == "validate" && c.node != nil {
			v := record()
			v.Props["error"] = (&Value{}).when(Facts{}, known)
			v.Props["value"] = data
			v.Open = true
			c.st.facts = c.st.facts.and(known)
			v = v.mark(data)
			return v, true
		}
		c.st.facts = c.st.facts.and(known)
		return data, true
	}
	return nil, false
}

// described is what holds of inputs that a schema has passed.
func (in *Interp) described(s *Schema, ids []int, depth int) Facts {
	var f Facts
	if s == nil || s.Any || depth > 6 || !in.asked() {
		return f
	}
	for _, id := range ids {
		f = f.and(factChecked(id))
		if s.Capped {
			f = f.and(factCapped(id))
		}
		for k, v := range s.Props {
			if schemaOf(v) == nil {
				if v.Kind == Text { // arktype: "string <= 2000"
					v = &Value{Schema: worded(v.Str)}
				} else {
					continue
				}
			}
			kid := in.run.input(id, k, in.run.Inputs[id].Kind, in.run.Inputs[id].At)
			in.run.Inputs[kid].Schema = s.Places[k]
			f = f.and(in.described(schemaOf(v), []int{kid}, depth+1))
		}
		if s.Elem != nil {
			kid := in.run.input(id, "[]", in.run.Inputs[id].Kind, in.run.Inputs[id].At)
			f = f.and(in.described(s.Elem, []int{kid}, depth+1))
		}
	}
	if len(s.Alt) > 0 {
		all := impossible
		for _, a := range s.Alt {
			all = all.or(in.described(a, ids, depth+1).and(in.lacking(s, a, ids)))
		}
		if !all.impossible {
			f = f.and(all)
		}
	}
	return f
}

// lacking is what holds of the fields that one alternative has not: where it
// holds they are not there.
func (in *Interp) lacking(s, a *Schema, ids []int) Facts {
	var f Facts
	if a == nil || a.Props == nil {
		return f
	}
	for _, other := range s.Alt {
		if other == nil {
			continue
		}
		for _, k := range sortedKeys(other.Props) {
			if _, ok := a.Props[k]; ok {
				continue
			}
			for _, id := range ids {
				kid := in.run.input(id, k, in.run.Inputs[id].Kind, in.run.Inputs[id].At)
				f = f.and(factChecked(kid)).and(factCapped(kid))
			}
		}
	}
	return f
}

func worded(s string) *Schema {
	return &Schema{Any: strings.Contains(s, "unknown") || s == "any", Capped: strings.Contains(s, "<") || !strings.Contains(s, "string")}
}

// validated is an input that a middleware has checked, by the schema that it
// was given for that part of the request.
func (c *call) validated(v *Value) *Value {
	c.st.facts = c.st.facts.and(checkedAll(v))
	if s := c.in.validators[c.arg(0).Str]; s != nil {
		c.st.facts = c.st.facts.and(c.in.described(s, v.Inputs, 0))
	}
	return v
}

// validator is a middleware that checks a part of a request by a schema.
func (c *call) validator() *Value {
	part, s := c.arg(0).Str, schemaOf(c.arg(1))
	return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
		if s != nil && r.in.validators != nil {
			r.in.validators[part] = s
		}
		if n := r.arg(len(r.args) - 1); n.Kind == Function && len(r.args) > 1 {
			return r.in.invoke(n.Fn, nil, nil, r.st, r.node)
		}
		return nothing
	}}}
}
