package config

import "claviger.dev/claviger/internal/jsonx"

// form is what a shape is.
type form int

const (
	formScalar form = iota
	formObject
	formList
	formKeyed
	formEither
	formSchema
)

// shape describes a kind for the schema, the reference and suggestions.
type shape struct {
	form form
	// noun names the type in the reference.
	noun string
	// scalar are the members of its JSON Schema.
	scalar []jsonx.Member
	// title, fields and one describe an object.
	title  string
	fields []fieldShape
	one    string
	// item is what a list or a keyed mapping holds; keys admits its keys.
	item           func() *shape
	keys           *scalar[string]
	filled, single bool
	limit          int
	either         []func() *shape
}

// fieldShape describes one key of an object.
type fieldShape struct {
	name, doc string
	// byDefault is the default as it would stand in the file, empty for none.
	byDefault string
	// missing is what is wrong when the key is missing, zero where it may be.
	missing fault
	shape   func() *shape
}

func (f *fieldShape) required() bool { return f.missing != fault{} }

// walk visits every object inside s with its path in the reference's notation:
// auth[].jwt, actions.NAME.
func walk(s *shape, path string, visit func(path string, s *shape)) {
	switch s.form {
	case formObject:
		visit(path, s)
		for _, f := range s.fields {
			walk(f.shape(), dotted(path, f.name), visit)
		}
	case formList:
		walk(s.item(), path+"[]", visit)
	case formKeyed:
		walk(s.item(), dotted(path, "NAME"), visit)
	case formEither:
		for _, e := range s.either {
			walk(e(), path, visit)
		}
	case formScalar, formSchema:
	}
}

func dotted(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
