package dotenv

import (
	"fmt"
	"strings"
)

// Bounds on what an expansion may become. @next/env has none but the depth of
// JavaScript's stack.
const (
	maxSteps = 1000     // references in all the files together
	maxValue = 64 << 10 // bytes
)

// Var is a variable as the app sees it.
type Var struct {
	Name  string
	Value string
	// File and Line are where it was set.
	File string
	Line int
}

// File is the content of a .env file.
type File struct {
	Name    string
	Content []byte
}

// Error says which variable of which file cannot be expanded. It does not hold
// the value.
type Error struct {
	File   string
	Line   int
	Name   string
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d: %s %s", e.File, e.Line, e.Name, e.Reason)
}

// Load gives the variables that the files set, by name. The first file that
// sets a name decides, and one that lookup knows is not set by any, as the
// environment of a process comes before its files. Values may refer to other
// variables by $NAME, ${NAME} and ${NAME:-default}; \$ is a dollar sign. A nil
// lookup knows nothing. The error is an *Error.
func Load(files []File, lookup func(name string) (string, bool)) (map[string]Var, error) {
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	l := loader{lookup: lookup, env: map[string]string{}}
	out := map[string]Var{}
	for _, f := range files {
		vars, err := l.expandFile(f)
		if err != nil {
			return nil, err
		}
		for _, v := range vars {
			if _, set := out[v.Name]; set {
				continue
			}
			if _, set := lookup(v.Name); !set {
				out[v.Name] = v
			}
		}
	}
	return out, nil
}

// loader is the environment as it grows while the files are read.
type loader struct {
	lookup func(name string) (string, bool)
	env    map[string]string
	steps  int
}

func (l *loader) get(name string) (string, bool) {
	if v, ok := l.env[name]; ok {
		return v, true
	}
	return l.lookup(name)
}

// expandFile expands the variables of one file in the order of their first
// assignment. A name that the environment knows keeps that value, expanded.
func (l *loader) expandFile(f File) ([]Var, error) {
	var vars []Var
	place := map[string]int{}
	for _, e := range Parse(f.Content) {
		v := Var{Name: e.Name, Value: e.Value, File: f.Name, Line: e.Line}
		if i, again := place[e.Name]; again {
			vars[i] = v
			continue
		}
		place[e.Name] = len(vars)
		vars = append(vars, v)
	}
	own := func(name string) string {
		if i, ok := place[name]; ok {
			return vars[i].Value
		}
		return ""
	}
	for i := range vars {
		v := &vars[i]
		if known, ok := l.get(v.Name); ok {
			v.Value = known
		}
		value, reason := l.interpolate(v.Value, own)
		if reason != "" {
			return nil, &Error{File: f.Name, Line: v.Line, Name: v.Name, Reason: reason}
		}
		v.Value = strings.ReplaceAll(value, `\$`, "$")
	}
	for _, v := range vars {
		l.env[v.Name] = v.Value
	}
	return vars, nil
}

// interpolate replaces references from the last to the first, and looks at what
// comes of it again, until the last dollar sign begins no reference.
func (l *loader) interpolate(s string, own func(string) string) (out, reason string) {
	for ; l.steps < maxSteps; l.steps++ {
		at := lastDollar(s)
		if at < 0 {
			return s, ""
		}
		ref, ok := parseReference(s[at:])
		if !ok {
			return s, ""
		}
		value, _ := l.get(ref.name)
		if value == "" {
			value = ref.fallback
		}
		if value == "" {
			value = own(ref.name)
		}
		s = replaceFirst(s, ref.text, value)
		if len(s) > maxValue {
			return "", "becomes longer than 64 KiB when the variables in it are replaced"
		}
	}
	return "", "refers to itself (write \\$ for a dollar sign that begins no variable), or the files hold more than 1,000 references"
}

// lastDollar finds the last dollar sign without a backslash before it.
func lastDollar(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '$' && (i == 0 || s[i-1] != '\\') {
			return i
		}
	}
	return -1
}

type reference struct{ text, name, fallback string }

// parseReference reads $NAME, ${NAME} or ${NAME:-fallback} at the start of s.
// Each brace may be missing.
func parseReference(s string) (r reference, ok bool) {
	i := 1
	if i < len(s) && s[i] == '{' {
		i++
	}
	start := i
	for i < len(s) && isName(s[i]) && s[i] != '.' && s[i] != '-' {
		i++
	}
	if i == start {
		return reference{}, false
	}
	r.name = s[start:i]
	if strings.HasPrefix(s[i:], ":-") {
		i += 2
		start = i
		for i < len(s) && s[i] != '}' && s[i] != '\\' {
			i++
		}
		r.fallback = s[start:i]
	}
	if i < len(s) && s[i] == '}' {
		i++
	}
	r.text = s[:i]
	return r, true
}

// replaceFirst puts value in place of the first text in s, with the meaning
// that ECMAScript gives to dollar signs in a replacement (section 22.1.3.19.1):
// $$ is one, $& the text, $` and $' what stands before and after it.
func replaceFirst(s, text, value string) string {
	before, after, _ := strings.Cut(s, text)
	var b strings.Builder
	b.WriteString(before)
	for value != "" {
		i := strings.IndexByte(value, '$')
		if i < 0 || i+1 == len(value) {
			b.WriteString(value)
			break
		}
		b.WriteString(value[:i])
		switch value[i+1] {
		case '$':
			b.WriteByte('$')
		case '&':
			b.WriteString(text)
		case '`':
			b.WriteString(before)
		case '\'':
			b.WriteString(after)
		default:
			b.WriteString(value[i : i+2])
		}
		value = value[i+2:]
	}
	b.WriteString(after)
	return b.String()
}
