package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"claviger.dev/claviger/content"
)

// Content is what the texts of callers are held to before they go to the provider.
type Content struct {
	// Refuse are names of patterns that come with the program.
	Refuse []string
	// Patterns are the file's own.
	Patterns []Pattern
	// Moderation is nil where the provider is not asked.
	Moderation *Moderation
}

// Pattern is an expression of RE2 under a name.
type Pattern struct{ Name, Expression string }

// Moderation asks the provider about texts.
type Moderation struct {
	Model   string
	Timeout time.Duration
	// OnFailure is "closed" or "open".
	OnFailure  string
	Categories []string
	Thresholds []Threshold
}

// Threshold is the score from which on a category is refused.
type Threshold struct {
	Category string
	Least    *float64
}

// maxPatterns bounds how often each text is read.
const maxPatterns = 32

// maxModeration keeps a moderation shorter than what intermediaries wait for.
const maxModeration = 15 * time.Second

func contentKind() *object[Content] {
	named := via[string, Pattern]{expression(), func(s string) Pattern { return Pattern{Expression: s} }, func(p Pattern) string { return p.Expression }}
	least := via[*float64, Threshold]{fraction(0, 1), func(f *float64) Threshold { return Threshold{Least: f} }, func(t Threshold) *float64 { return t.Least }}
	category := choice(content.Categories()...)
	moderation := newObject("moderation",
		key("model", modelName(), func(m *Moderation) *string { return &m.Model }, "The provider's model that judges.").def(content.DefaultModel),
		key("timeout", span(maxModeration), func(m *Moderation) *time.Duration { return &m.Timeout }, "How long it may take.").def("5s"),
		key("on_failure", choice("closed", "open"), func(m *Moderation) *string { return &m.OnFailure },
			"What becomes of a call that the provider does not judge: closed refuses it, open lets it pass and logs that.").def("closed"),
		key("categories", listOf(category).some("name categories, or take the key away: then all count"), func(m *Moderation) *[]string { return &m.Categories },
			"The categories that are refused. Without it, all."),
		key("thresholds", &keyed[Threshold]{least, func(t *Threshold) *string { return &t.Category }, category}, func(m *Moderation) *[]Threshold { return &m.Thresholds },
			"The score, from 0 to 1, from which on a category is refused, as {violence: 0.5}, in the place of the provider's own flag."),
	)
	return newObject("what texts of callers are held to",
		key("refuse", listOf(choice(content.BuiltinNames()...)), func(c *Content) *[]string { return &c.Refuse }, "What texts may not hold, of what the program knows."),
		key("patterns", &keyed[Pattern]{named, func(p *Pattern) *string { return &p.Name }, lowerName("the name of a pattern", "project-name")},
			func(c *Content) *[]Pattern { return &c.Patterns },
			`What else texts may not hold: expressions of RE2 by names that callers see, as {project-name: '(?i)\bfalcon\b'}.`),
		key("moderation", maybe(moderation), func(c *Content) **Moderation { return &c.Moderation },
			"Ask the provider's moderation about the texts before each call. {} takes the defaults; without the key, it is not asked."),
	)
}

// expression is one of RE2.
func expression() *scalar[string] {
	s := text(`(?i)\bfalcon\b`)
	s.noun = "an expression of RE2"
	return s.with(func(e string) error {
		if _, err := content.Compile("", e); err != nil {
			return fault{err.Error(), ""}
		}
		return nil
	})
}

// Policy is the content policy in the words of package content; nil for none. c
// was checked.
func (c *Content) Policy() (*content.Policy, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // no policy is one that refuses nothing
	}
	p := &content.Policy{}
	for _, name := range c.Refuse {
		if x, ok := content.Builtin(name); ok {
			p.Patterns = append(p.Patterns, x)
		}
	}
	var wrong []error
	for _, x := range c.Patterns {
		made, err := content.Compile(x.Name, x.Expression)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		p.Patterns = append(p.Patterns, made)
	}
	if m := c.Moderation; m != nil {
		p.Moderation = &content.Moderation{
			Model: m.Model, Timeout: m.Timeout, Open: m.OnFailure == "open", Categories: m.Categories, Thresholds: map[string]float64{},
		}
		for _, t := range m.Thresholds {
			if t.Least != nil {
				p.Moderation.Thresholds[t.Category] = *t.Least
			}
		}
	}
	return p, errors.Join(wrong...)
}

// contents are the content policies of the file by their paths.
func (c *Config) contents() map[string]*Content {
	out := map[string]*Content{"content": c.Content}
	for i := range c.Actions {
		out[join("actions", c.Actions[i].Name)+".content"] = c.Actions[i].Content
	}
	if c.Proxy != nil {
		out["proxy.content"] = c.Proxy.Content
	}
	return out
}

// checkContent refuses what stands twice, and moderation of as many texts as
// somebody likes: a call that it refuses costs nothing but a request.
func checkContent(c *Config) []Problem {
	f := findings{c: c}
	moderated, all := "", c.contents()
	for _, path := range slices.Sorted(maps.Keys(all)) {
		x := all[path]
		if x == nil {
			continue
		}
		f.twice(path+".refuse", x.Refuse)
		if len(x.Patterns) > maxPatterns {
			f.add(path+".patterns", fmt.Sprintf("are more than %d", maxPatterns), "join some of them with |")
		}
		for _, p := range x.Patterns {
			if _, taken := content.Builtin(p.Name); taken {
				f.add(path+".patterns."+p.Name, "is the name of a pattern that the program has", "give it another name, or write refuse: ["+p.Name+"]")
			}
		}
		m := x.Moderation
		if m == nil {
			continue
		}
		moderated = path
		f.twice(path+".moderation.categories", m.Categories)
		for _, t := range m.Thresholds {
			if len(m.Categories) > 0 && !slices.Contains(m.Categories, t.Category) {
				f.add(path+".moderation.thresholds."+t.Category, "is not among categories, so it never counts", "add it there, or take it out")
			}
		}
	}
	if moderated == "" || len(c.Limits.Total.Requests) > 0 {
		return f.ps
	}
	for i, p := range c.Plans {
		if len(p.Limits.Requests) == 0 {
			f.add(index("plans", i)+".limits", "nothing limits how many texts a caller on this plan has moderated ("+moderated+"): a call that is refused costs a request and nothing else",
				"add limits: {requests: 60/min}")
		}
	}
	return f.ps
}
