package config

import (
	"slices"

	"claviger.dev/claviger/internal/jsonx"
)

// Schema is the JSON Schema (2020-12) of the file, for editors. It knows the
// form of every key; rules that join several keys are the loader's alone.
func Schema() []byte {
	head := []jsonx.Member{
		has("$schema", jsonx.String("https://json-schema.org/draft/2020-12/schema")),
		has("title", jsonx.String("claviger.yaml")),
	}
	return jsonx.Append(nil, jsonx.Object(append(head, schemaOf(rootKind().shape())...)...))
}

func schemaOf(s *shape) []jsonx.Member {
	switch s.form {
	case formObject:
		return schemaOfObject(s)
	case formList:
		list := []jsonx.Member{typeIs("array"), has("items", jsonx.Object(schemaOf(s.item())...))}
		if s.filled {
			list = append(list, has("minItems", jsonx.Int(1)))
		}
		if s.limit > 0 {
			list = append(list, has("maxItems", jsonx.Int(int64(s.limit))))
		}
		if s.single {
			return anyOf(jsonx.Object(schemaOf(s.item())...), jsonx.Object(list...))
		}
		return list
	case formKeyed:
		return []jsonx.Member{
			typeIs("object"), has("propertyNames", jsonx.Object(s.keys.schema...)),
			has("additionalProperties", jsonx.Object(schemaOf(s.item())...)),
		}
	case formEither:
		var vs []jsonx.Value
		for _, e := range s.either {
			vs = append(vs, jsonx.Object(schemaOf(e())...))
		}
		return anyOf(vs...)
	case formSchema:
		return []jsonx.Member{typeIs("object")}
	default:
		return s.scalar
	}
}

func anyOf(vs ...jsonx.Value) []jsonx.Member {
	return []jsonx.Member{has("anyOf", jsonx.Array(vs...))}
}

func schemaOfObject(s *shape) []jsonx.Member {
	var properties []jsonx.Member
	var required []string
	for _, f := range s.fields {
		of := []jsonx.Member{has("description", jsonx.String(f.doc))}
		if f.byDefault != "" {
			of = append(of, has("default", defaultOf(f.byDefault)))
		}
		properties = append(properties, has(f.name, jsonx.Object(append(of, schemaOf(f.shape())...)...)))
		if f.required() {
			required = append(required, f.name)
		}
	}
	out := []jsonx.Member{typeIs("object"), has("additionalProperties", jsonx.Bool(false)), has("properties", jsonx.Object(properties...))}
	if required != nil {
		out = append(out, has("required", words(required)))
	}
	if s.one != "" {
		out = append(out, has("minProperties", jsonx.Int(1)), has("maxProperties", jsonx.Int(1)))
	}
	return slices.Clip(out)
}

// defaultOf gives a default as JSON.
func defaultOf(text string) jsonx.Value { return rawValue(newDecoder(""), "", literal(text), 0) }
