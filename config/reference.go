package config

import (
	"strings"
)

// Reference is the part of the documentation that lists every key, as
// Markdown.
func Reference() string {
	var b strings.Builder
	walk(rootKind().shape(), "", func(path string, s *shape) {
		heading := "`" + path + "`: " + s.title
		if path == "" {
			heading = "The file"
		}
		b.WriteString("## " + heading + "\n\n")
		if s.one != "" {
			b.WriteString("Exactly one of these keys.\n\n")
		}
		b.WriteString("| key | value | default | meaning |\n| --- | --- | --- | --- |\n")
		for _, f := range s.fields {
			b.WriteString(row(&f))
		}
		b.WriteByte('\n')
	})
	return strings.TrimSuffix(b.String(), "\n")
}

func row(f *fieldShape) string {
	byDefault := ""
	switch {
	case f.required():
		byDefault = "required"
	case f.byDefault != "":
		byDefault = "`" + f.byDefault + "`"
	}
	cells := []string{"`" + f.name + "`", nounOf(f.shape()), byDefault, f.doc}
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// nounOf names the type of a value in words.
func nounOf(s *shape) string {
	switch s.form {
	case formObject:
		return "keys, below"
	case formList:
		item := nounOf(s.item())
		if s.single {
			return item + ", or a list"
		}
		return "list of: " + item
	case formKeyed:
		return "by name: " + nounOf(s.item())
	case formEither:
		var nouns []string
		for _, e := range s.either {
			nouns = append(nouns, nounOf(e()))
		}
		return strings.Join(nouns, ", or ")
	default:
		return s.noun
	}
}
