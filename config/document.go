package config

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// document parses the file and returns its one value, nil when there is none.
func (d *decoder) document(data []byte) *yaml.Node {
	at, f := plainText(data)
	if f.message != "" {
		d.fatal = true
		d.failAt("", Position{File: d.at.file, Line: at.line, Column: at.column}, f)
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return d.broken(data, err)
	}
	var doc, next yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF):
		return d.empty()
	case err != nil:
		return d.broken(data, err)
	}
	switch err := loader.Load(&next); {
	case err == nil:
		d.fatal = true
		d.fail("", &next, fault{"a second document begins here", "keep one: the file is one configuration"})
		return nil
	case !errors.Is(err, io.EOF):
		return d.broken(data, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].ShortTag() == "!!null" {
		return d.empty()
	}
	return doc.Content[0]
}

func (d *decoder) empty() *yaml.Node {
	d.fatal = true
	d.fail("", nil, fault{"the file is empty", "it needs at least auth and plans, and actions or proxy"})
	return nil
}

// broken reports what the parser says, in words of ours: its own may quote the
// text.
func (d *decoder) broken(data []byte, err error) *yaml.Node {
	d.fatal = true
	f := fault{"this is no YAML", ""}
	at := Position{File: d.at.file, Line: 1, Column: 1}
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		mark := e.Mark
		if m := e.ContextMark; m.Line > 0 && strings.Contains(e.Message, "end of stream") {
			mark = m
		}
		if mark.Line > 0 {
			at.Line, at.Column = mark.Line, mark.Column
		}
		f = syntaxFault(e.Message + " " + e.ContextMsg)
		if f == badStart && byteAt(data, at) == '\t' {
			f = fault{"a tab cannot stand here", "indent with spaces"}
		}
	}
	d.failAt("", at, f)
	return nil
}

var badStart = fault{"a value cannot begin with this character", "text that begins with @, % or ` needs quotes"}

// byteAt gives the byte at a place, 0 beyond the end.
func byteAt(data []byte, at Position) byte {
	line := 0
	for text := range bytes.Lines(data) {
		if line++; line == at.Line && at.Column <= len(text) {
			return text[at.Column-1]
		}
	}
	return 0
}

// syntaxFaults are the parser's messages that people meet, by a part of them.
var syntaxFaults = []struct {
	part string
	fault
}{
	{"unknown anchor", fault{"this alias (*name) has no anchor (&name) before it", ""}},
	{"max depth", fault{"nested too deeply", ""}},
	{"exceed", fault{"nested too deeply", ""}},
	{"unexpected end of stream while scanning a quoted scalar", fault{"this quote is never closed", ""}},
	{"mapping values are not allowed", fault{"a key cannot stand here", "look at the indentation, and for a colon missing in the line before; text with \": \" in it needs quotes"}},
	{"cannot start any token", badStart},
	{"expected alphabetic or numeric character", fault{"an alias (*) or an anchor (&) needs a name", "text that begins with * or & needs quotes"}},
	{"expected ',' or ']'", fault{"this list is not closed, or a comma is missing", ""}},
	{"expected ',' or '}'", fault{"these braces are not closed, or a comma is missing", ""}},
	{"expected '-' indicator", fault{"a list item (- …) was expected here", "look at the indentation"}},
	{"did not find expected key", fault{"a key was expected here", "look at the indentation; all keys of one level start in the same column"}},
	{"could not find expected ':'", fault{"a colon is missing after this key", "a colon is followed by a space"}},
	{"unknown escape character", fault{"unknown escape in double quotes", "write \\\\ for a backslash, or use single quotes"}},
	{"incompatible YAML document", fault{"this version of YAML is not read", "take the %YAML line away"}},
}

func syntaxFault(message string) fault {
	for _, s := range syntaxFaults {
		if strings.Contains(message, s.part) {
			return s.fault
		}
	}
	return fault{"this is no YAML", "look at indentation, quotes and colons around here"}
}

type textPlace struct{ line, column int }

// plainText checks the bytes: their number, UTF-8, and no control characters.
func plainText(data []byte) (textPlace, fault) {
	at := textPlace{1, 1}
	switch {
	case len(data) > maxBytes:
		return at, fault{"the file is larger than 1 MiB", ""}
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}), bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return at, fault{"the file is in UTF-16", "save it in UTF-8"}
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return at, fault{"the file is not in UTF-8 from here on", "save it in UTF-8"}
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r >= 0x7f && r < 0xa0 && r != 0x85:
			return at, fault{"a control character stands here", "take it away"}
		}
		at.column++
		if r == '\n' {
			at = textPlace{at.line + 1, 1}
		}
		i += size
	}
	return at, fault{}
}
