package typescript

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// writer turns one schema document into types.
type writer struct {
	doc   jsonx.Value
	named *names
	// what is the beginning of the names of its types.
	what string
	// refs are the types of references that were met.
	refs map[string]string
	// defaulted says that a property of the document itself that has a default
	// may be left out, as the gateway fills it in.
	defaulted bool
}

func newWriter(doc jsonx.Value, named *names, what string) *writer {
	return &writer{doc: doc, named: named, what: what, refs: map[string]string{}}
}

const (
	unknown = "unknown"
	never   = "never"
	// present is the type of a property of which nothing is known but that it
	// is there.
	present = "{} | null"
)

// root is the type of the document.
func (w *writer) root(indent string) string { return w.of(w.doc, place{indent: indent, top: true}) }

// place is where a type stands.
type place struct {
	indent string
	// top is the document itself.
	top bool
	// part says that the type is one side of an intersection, whose other side
	// says which further properties there are.
	part bool
}

func (p place) deeper() place { return place{indent: p.indent + "  "} }

// of is the type of a schema.
func (w *writer) of(s jsonx.Value, p place) string {
	if s.Kind() == jsonx.KindBool {
		if s.Bool() {
			return unknown
		}
		return never
	}
	if s.Kind() != jsonx.KindObject {
		return unknown
	}
	has := keywords(s)
	parts := []string{w.own(has, p)}
	inner := place{indent: p.indent, part: true}
	if ref := first(has["$ref"], has["$dynamicRef"]); !ref.IsZero() {
		parts = append(parts, w.reference(ref.Str()))
	}
	for _, each := range has["allOf"].Elems() {
		parts = append(parts, w.of(each, inner))
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		if !has[word].IsZero() {
			parts = append(parts, w.anyOf(has[word], place{indent: p.indent, part: parts[0] != unknown}))
		}
	}
	return intersect(parts)
}

func (w *writer) anyOf(list jsonx.Value, p place) string {
	var sides []string
	for _, each := range list.Elems() {
		sides = append(sides, w.of(each, p))
	}
	return unite(sides)
}

// own is what a schema says without the schemas that it joins.
func (w *writer) own(has map[string]jsonx.Value, p place) string {
	if c := has["const"]; !c.IsZero() {
		return literal(c)
	}
	if e := has["enum"]; e.Kind() == jsonx.KindArray {
		var sides []string
		for _, v := range e.Elems() {
			sides = append(sides, literal(v))
		}
		return unite(sides)
	}
	types := typesOf(has)
	if len(types) == 0 {
		return unknown
	}
	var sides []string
	for _, t := range types {
		sides = append(sides, w.typed(t, has, p))
	}
	return unite(sides)
}

// typesOf are the types of a schema; where none is stated, those that its
// keywords are about.
func typesOf(has map[string]jsonx.Value) []string {
	t := has["type"]
	if t.Kind() == jsonx.KindString {
		return []string{t.Str()}
	}
	if t.Kind() == jsonx.KindArray {
		var out []string
		for _, e := range t.Elems() {
			out = append(out, e.Str())
		}
		return out
	}
	for _, about := range []struct {
		kind  string
		words []string
	}{
		{"object", []string{"properties", "required", "additionalProperties", "patternProperties"}},
		{"array", []string{"items", "prefixItems"}},
		{"string", []string{"minLength", "maxLength", "pattern", "format"}},
		{"number", []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
	} {
		if slices.ContainsFunc(about.words, func(word string) bool { return !has[word].IsZero() }) {
			return []string{about.kind}
		}
	}
	return nil
}

func (w *writer) typed(kind string, has map[string]jsonx.Value, p place) string {
	switch kind {
	case "string", "boolean", "null":
		return kind
	case "integer", "number":
		return "number"
	case "array":
		return w.array(has, p)
	case "object":
		return w.object(has, p)
	}
	return unknown
}

// array is a list, or a tuple where the first items have schemas of their own.
func (w *writer) array(has map[string]jsonx.Value, p place) string {
	items, stated := has["items"], !has["items"].IsZero()
	front := has["prefixItems"].Elems()
	if len(front) == 0 {
		if stated {
			return listOf(w.of(items, place{indent: p.indent}))
		}
		return "unknown[]"
	}
	least, _ := has["minItems"].Int()
	var out []string
	for i, s := range front {
		t := w.of(s, place{indent: p.indent})
		if int64(i) >= least {
			t = bracket(t) + "?"
		}
		out = append(out, t)
	}
	rest := unknown
	if stated {
		rest = w.of(items, place{indent: p.indent})
	}
	if most, ok := has["maxItems"].Int(); rest != never && (!ok || most > int64(len(front))) {
		out = append(out, "..."+listOf(rest))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func listOf(t string) string { return bracket(t) + "[]" }

// object is an object type: its properties in the order of the schema, then
// those that are only required, then what else may be there.
func (w *writer) object(has map[string]jsonx.Value, p place) string {
	required := map[string]bool{}
	for _, r := range has["required"].Elems() {
		required[r.Str()] = true
	}
	var b strings.Builder
	b.WriteString("{\n")
	in := p.deeper()
	lines := 0
	line := func(name, mark, t string) {
		b.WriteString(in.indent + name + mark + ": " + t + ";\n")
		lines++
	}
	more := w.furtherOf(has, in)
	for name, s := range has["properties"].Fields() {
		mark := "?"
		if _, filled := s.Get("default"); required[name] && (!p.top || !w.defaulted || !filled) {
			mark = ""
		}
		delete(required, name)
		writeComment(&b, in.indent, describe(s))
		line(property(name), mark, w.of(s, in))
	}
	for _, r := range has["required"].Elems() {
		if name := r.Str(); required[name] {
			delete(required, name)
			line(property(name), "", presentAs(more))
		}
	}
	if index := indexOf(more, lines > 0, p); index != "" {
		line("[key: string]", "", index)
	}
	if lines == 0 {
		if more == "" && !p.part {
			return "Record<string, never>"
		}
		return "{}"
	}
	b.WriteString(p.indent + "}")
	return b.String()
}

// furtherOf is the type of the properties that a schema does not name: empty
// where there are none, unknown where nothing is said.
func (w *writer) furtherOf(has map[string]jsonx.Value, p place) string {
	extra := first(has["additionalProperties"], has["unevaluatedProperties"])
	var sides []string
	switch {
	case extra.IsZero():
		sides = append(sides, unknown)
	case extra.Kind() == jsonx.KindBool && !extra.Bool():
	default:
		sides = append(sides, w.of(extra, p))
	}
	for _, s := range has["patternProperties"].Fields() {
		sides = append(sides, w.of(s, p))
	}
	if len(sides) == 0 {
		return ""
	}
	return unite(sides)
}

func presentAs(more string) string {
	if more == "" || more == unknown {
		return present
	}
	return more
}

// indexOf is the type of an index signature, empty for none. Beside named
// properties, which it would have to fit, it says nothing of the values. In one
// side of an intersection it would open the other.
func indexOf(more string, beside bool, p place) string {
	switch {
	case more == "", more == unknown && p.part:
		return ""
	case beside:
		return unknown
	}
	return more
}

// reference is the name of the type that a reference leads to.
func (w *writer) reference(ref string) string {
	if name, ok := w.refs[ref]; ok {
		return name
	}
	target, ok := w.resolve(ref)
	if !ok {
		return unknown
	}
	last := ref[strings.LastIndexAny(ref, "#/")+1:]
	name := w.named.claim(w.what + " " + last)
	w.refs[ref] = name
	var b strings.Builder
	writeComment(&b, "", describe(target))
	b.WriteString("type " + name + " = " + w.of(target, place{}) + ";\n\n")
	w.named.text = append(w.named.text, b.String())
	return name
}

// resolve follows a reference within the document: a JSON pointer or an anchor.
func (w *writer) resolve(ref string) (jsonx.Value, bool) {
	at, ok := strings.CutPrefix(ref, "#")
	switch {
	case !ok:
		return jsonx.Value{}, false
	case at == "":
		return w.doc, true
	case at[0] != '/':
		return anchored(w.doc, at)
	}
	v := w.doc
	for step := range strings.SplitSeq(at[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if v.Kind() == jsonx.KindArray {
			i, err := strconv.Atoi(step)
			list := v.Elems()
			if err != nil || i < 0 || i >= len(list) {
				return jsonx.Value{}, false
			}
			v = list[i]
			continue
		}
		if v, ok = v.Get(step); !ok {
			return jsonx.Value{}, false
		}
	}
	return v, true
}

func anchored(v jsonx.Value, name string) (jsonx.Value, bool) {
	has := keywords(v)
	if has["$anchor"].Is(name) || has["$dynamicAnchor"].Is(name) {
		return v, true
	}
	inner := v.Elems()
	for _, x := range v.Fields() {
		inner = append(inner, x)
	}
	for _, x := range inner {
		if found, ok := anchored(x, name); ok {
			return found, true
		}
	}
	return jsonx.Value{}, false
}

func keywords(s jsonx.Value) map[string]jsonx.Value {
	return maps.Collect(s.Fields())
}

func first(list ...jsonx.Value) jsonx.Value {
	for _, v := range list {
		if !v.IsZero() {
			return v
		}
	}
	return jsonx.Value{}
}
