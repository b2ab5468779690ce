package action

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"claviger.dev/claviger/internal/jsonx"
)

// BindForm reads the fields of an HTML form as properties. Each field becomes
// what the schema says its property is: a number, a boolean ("on", "true" and
// "1" against "off", "false" and "0"), an entry of an enum, text, or an array
// of these by fields of one name. Line breaks in text become "\n", as JSON
// would send them. An empty field of an optional property counts as absent, and so does
// an absent field of a required boolean as false, which is how a form sends an
// unchecked box. Several values for what is no array, and fields that the
// schema does not know, are refused. Errors are those of Bind. A chat has no
// form.
func (a *Action) BindForm(form map[string][]string) (*Bound, error) {
	if a.input == nil {
		return nil, invalid(fieldMessages)
	}
	ms := make([]jsonx.Member, 0, len(form))
	bad := ""
	for i := range a.input.props {
		x := &a.input.props[i]
		v, ok := x.fromForm(form[x.name])
		if !ok && bad == "" {
			bad = x.name
		}
		if !v.IsZero() {
			ms = append(ms, jsonx.Member{Name: x.name, Value: v})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if a.input.index(name) < 0 && bad == "" {
			bad = name
			if !plain(name) {
				bad = "input"
			}
		}
	}
	if bad == "" {
		return a.bindText(jsonx.Object(ms...))
	}
	return nil, a.firstOf(ms, bad)
}

// firstOf is the refusal of the first property at fault: one that the form
// spoiled, or one before it that the schema refuses.
func (a *Action) firstOf(ms []jsonx.Member, bad string) error {
	_, err := a.bindText(jsonx.Object(ms...))
	at := a.input.index(bad)
	if err == nil {
		return invalid(bad)
	}
	e := asRefusal(err)
	if i := a.input.index(e.Param); i >= 0 && (at < 0 || i < at) {
		return e
	}
	return invalid(bad)
}

// fromForm makes the property's value of a form's fields of its name. It is
// zero where the property counts as absent, and false where they do not fit.
func (x *property) fromForm(fields []string) (jsonx.Value, bool) {
	for i, f := range fields {
		if !utf8.ValidString(f) {
			return jsonx.Value{}, false
		}
		if strings.Contains(f, "\r") {
			fields = slices.Clone(fields)
			fields[i] = strings.ReplaceAll(strings.ReplaceAll(f, "\r\n", "\n"), "\r", "\n")
		}
	}
	if slices.Contains(x.types, "array") {
		return x.listFromForm(fields)
	}
	switch {
	case len(fields) == 0 && x.required && slices.Contains(x.types, "boolean") && x.fallback.IsZero():
		return jsonx.Bool(false), true
	case len(fields) == 0, len(fields) == 1 && fields[0] == "" && !x.required:
		return jsonx.Value{}, true
	case len(fields) > 1:
		return jsonx.Value{}, false
	}
	enum, _ := x.schema.Get("enum")
	return fieldValue(fields[0], x.types, enum)
}

func (x *property) listFromForm(fields []string) (jsonx.Value, bool) {
	if len(fields) == 0 && !x.required || len(fields) == 1 && fields[0] == "" {
		return jsonx.Value{}, true
	}
	if len(fields) > maxValues {
		return jsonx.Value{}, false
	}
	items, _ := x.schema.Get("items")
	types, _ := items.Get("type")
	enum, _ := items.Get("enum")
	vs := make([]jsonx.Value, 0, len(fields))
	for _, f := range fields {
		v, ok := fieldValue(f, typesOf(types), enum)
		if !ok {
			return jsonx.Value{}, false
		}
		vs = append(vs, v)
	}
	return jsonx.Array(vs...), true
}

// fieldValue reads one field by the types that its place allows, the most
// particular first. Where no type is stated, an enum decides, and else it is
// text.
func fieldValue(f string, types []string, enum jsonx.Value) (jsonx.Value, bool) {
	for _, e := range enum.Items() {
		if scalar(e) && dataText(e) == f && !e.IsNull() {
			return e, true
		}
	}
	trimmed := strings.TrimSpace(f)
	for _, t := range []string{"integer", "number", "boolean"} {
		if !slices.Contains(types, t) {
			continue
		}
		if v, ok := readScalar(t, trimmed); ok {
			return v, true
		}
	}
	if len(types) == 0 || slices.Contains(types, "string") {
		return jsonx.String(f), true
	}
	if f == "" && slices.Contains(types, "null") {
		return jsonx.Null(), true
	}
	return jsonx.Value{}, false
}

func readScalar(t, f string) (jsonx.Value, bool) {
	if t != "boolean" {
		if len(f) > maxDigits {
			return jsonx.Value{}, false
		}
		v := jsonx.Number(f)
		return v, !v.IsZero()
	}
	switch f {
	case "on", "true", "1":
		return jsonx.Bool(true), true
	case "off", "false", "0":
		return jsonx.Bool(false), true
	}
	return jsonx.Value{}, false
}
