package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Position is a place in a file. File may be the name of an environment
// variable that overrides the file; then Line is 0.
type Position struct {
	File string
	// Line and Column count from 1; the column counts characters.
	Line, Column int
}

// String gives "claviger.yaml:12:5", or the name alone where there is no line.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// Problem is one thing that is wrong. Nothing in it was copied from a value of
// the file: only keys, and names that are known to be none of a secret.
type Problem struct {
	Position
	// Path is the key, as "actions.generate-text.model" or "auth[0].jwt".
	// It is empty for the file as a whole.
	Path string
	// Message says what is wrong.
	Message string
	// Hint says what to do, where the message alone does not.
	Hint string
}

// String gives one line, and one more for the hint.
func (p Problem) String() string {
	var b strings.Builder
	if s := p.Position.String(); s != "" {
		b.WriteString(s + ": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("\n    " + p.Hint)
	}
	return scrub(b.String())
}

// Problems is everything that is wrong with a configuration, in the order of
// the file. It is the error that Load returns.
type Problems []Problem

// maxShown bounds how many problems are printed at once.
const maxShown = 50

// Error implements error: a line for each problem.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i == maxShown {
			b.WriteString("\nand " + strconv.Itoa(len(ps)-maxShown) + " more")
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// final puts the problems in the order of the file, those without a line last,
// drops repetitions, and takes out what could be a key: names of the file are
// repeated in messages, and a key may stand where a name should.
func (ps Problems) final() Problems {
	for i := range ps {
		ps[i].Path, ps[i].Message, ps[i].Hint = scrub(ps[i].Path), scrub(ps[i].Message), scrub(ps[i].Hint)
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(min(a.Line, 1)*-1, min(b.Line, 1)*-1),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			strings.Compare(a.Path, b.Path),
		)
	})
	return slices.Compact(ps)
}
