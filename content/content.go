// Package content says what callers' texts must not hold: patterns of the
// operator's own, patterns that come with the program, and the categories of the
// provider's moderation. It is pure: it reads texts that are handed to it and
// keeps none of them.
package content

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Policy is what texts are held to before they go to the provider. The zero
// value refuses nothing. It is not changed once it is in use, and may be used
// concurrently.
type Policy struct {
	// Patterns are what no text may hold.
	Patterns []Pattern
	// Moderation asks the provider about the texts; nil does not.
	Moderation *Moderation
}

// Empty reports whether the policy refuses nothing.
func (p *Policy) Empty() bool { return p == nil || len(p.Patterns) == 0 && p.Moderation == nil }

// Find returns the name of the first pattern that is in text. Its time is linear
// in the length of text, whatever that holds.
func (p *Policy) Find(text string) (name string, found bool) {
	for i := range p.Patterns {
		if p.Patterns[i].in(text) {
			return p.Patterns[i].name, true
		}
	}
	return "", false
}

// String says in words what the policy does, for the operator.
func (p *Policy) String() string {
	if p.Empty() {
		return "texts are not looked through"
	}
	var parts []string
	if len(p.Patterns) > 0 {
		names := make([]string, len(p.Patterns))
		for i, x := range p.Patterns {
			names[i] = x.name
		}
		parts = append(parts, "texts that hold "+strings.Join(names, ", ")+" are refused")
	}
	if m := p.Moderation; m != nil {
		parts = append(parts, m.String())
	}
	return strings.Join(parts, "; ")
}

// Pattern is one thing that a text may not hold. The zero value is in no text.
type Pattern struct {
	name string
	find func(string) bool
}

// Name is the name of the pattern, which callers see.
func (p Pattern) Name() string { return p.name }

func (p Pattern) in(text string) bool { return p.find != nil && p.find(text) }

// MaxExpression is the most bytes that the expression of a pattern may have.
const MaxExpression = 1000

// Compile makes a pattern of an expression of RE2, which is looked for anywhere in
// a text. The error holds the expression, and is for the operator.
func Compile(name, expression string) (Pattern, error) {
	if len(expression) > MaxExpression {
		return Pattern{}, fmt.Errorf("is longer than %d bytes", MaxExpression)
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return Pattern{}, fmt.Errorf("is no expression of RE2: %w", err)
	}
	if re.MatchString("") {
		return Pattern{}, fmt.Errorf("is in the empty text, so every call would be refused")
	}
	return Pattern{name: name, find: re.MatchString}, nil
}

// Builtin is a pattern that comes with the program, and false where there is none
// of that name.
func Builtin(name string) (Pattern, bool) {
	i := slices.IndexFunc(builtins, func(p Pattern) bool { return p.name == name })
	if i < 0 {
		return Pattern{}, false
	}
	return builtins[i], true
}

// BuiltinNames are the names that Builtin knows, in their order.
func BuiltinNames() []string {
	out := make([]string, len(builtins))
	for i, p := range builtins {
		out[i] = p.name
	}
	return out
}

// DefaultModel is the model of OpenAI that moderates.
const DefaultModel = "omni-moderation-latest"

// Moderation says how the provider is asked about texts, and what is refused.
type Moderation struct {
	Model string
	// Timeout is how long the provider may take, its whole answer included.
	Timeout time.Duration
	// Open lets calls pass while the provider does not answer. They are refused
	// otherwise.
	Open bool
	// Categories are those that count; none stands for all.
	Categories []string
	// Thresholds are the scores, from 0 to 1, from which on a category is refused,
	// in the place of what the provider makes of its score.
	Thresholds map[string]float64
}

// String says in words what the moderation does, for the operator.
func (m *Moderation) String() string {
	what := "all categories"
	if len(m.Categories) > 0 {
		what = strings.Join(m.Categories, ", ")
	}
	failing := "refused"
	if m.Open {
		failing = "let through"
	}
	return fmt.Sprintf("%s judges texts by %s within %s, and a call that it does not judge is %s", m.Model, what, m.Timeout, failing)
}

// Categories are those of OpenAI's moderation.
func Categories() []string {
	return []string{
		"harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent",
		"self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
	}
}

// Verdict is what the provider says of one text.
type Verdict struct {
	Flagged    bool
	Categories []Category
}

// Category is one category of a verdict. Judged says that there was a flag, and
// Scored that there was a score.
type Category struct {
	Name           string
	Flagged        bool
	Score          float64
	Judged, Scored bool
}

// Unnamed is what a text is refused for where the provider names no category
// that is known here.
const Unnamed = "moderation"

// Refuses says for which category a text is refused, and "" for none. It is an
// error where the verdict says nothing of a category that counts.
func (m *Moderation) Refuses(v Verdict) (category string, err error) {
	for _, name := range m.demanded() {
		i := slices.IndexFunc(v.Categories, func(c Category) bool { return c.Name == name })
		_, byScore := m.Thresholds[name]
		if i < 0 || byScore && !v.Categories[i].Scored || !byScore && !v.Categories[i].Judged {
			return "", fmt.Errorf("the moderation says nothing of %s", name)
		}
	}
	for _, c := range v.Categories {
		if !m.counts(c.Name) || !m.exceeds(c) {
			continue
		}
		if !slices.Contains(Categories(), c.Name) {
			return Unnamed, nil
		}
		return c.Name, nil
	}
	if v.Flagged && len(m.Categories) == 0 && len(m.Thresholds) == 0 {
		return Unnamed, nil
	}
	return "", nil
}

func (m *Moderation) counts(name string) bool {
	return len(m.Categories) == 0 || slices.Contains(m.Categories, name)
}

func (m *Moderation) exceeds(c Category) bool {
	if least, ok := m.Thresholds[c.Name]; ok {
		return c.Score >= least
	}
	return c.Flagged
}

// demanded are the categories of which a verdict has to say something: those that
// the operator named.
func (m *Moderation) demanded() []string {
	out := slices.Clone(m.Categories)
	for name := range m.Thresholds {
		if m.counts(name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
