package openaitest

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// ask is what a request for text comes down to, whichever endpoint it came to.
type ask struct {
	model     modelInfo
	prompt    string // the last user message
	answering bool   // a tool's output came after the prompt
	prefix    string // the beginning of all input, for the prompt cache
	tokens    int64  // of the input
	tools     []tool
	choice    toolChoice
	parallel  bool
	format    format
	limit     int64 // of output tokens; 0 means none
	effort    string

	// Of /v1/responses: what came before, the request's own items, the ids of the
	// calls among both, and the conversation that it all belongs to.
	history      []*item
	items        []*item
	openCalls    []string
	conversation *conversationRef
	fileSearch   *fileSearch
}

type tool struct {
	name       string
	custom     bool
	parameters jsontext.Value
}

// toolChoice is auto, none, required or the name of a tool.
type toolChoice struct {
	mode string
	name string
}

// format is the shape of the answer: "text", "json_object" or "json_schema".
type format struct {
	kind   string
	schema jsontext.Value
}

// count adds a piece of input: about four characters a token.
func (a *ask) count(text string) {
	a.tokens += int64(utf8.RuneCountInString(text)+3) / 4
	if room := 4096 - len(a.prefix); room > 0 {
		a.prefix += text[:min(room, len(text))]
	}
}

// plan is an answer before it has a wire shape.
type plan struct {
	deltas    []string // of the text or the refusal
	refusal   bool
	calls     []toolCall
	reasoning int64
	cut       bool // the limit of output tokens was met
}

type toolCall struct {
	name, id string
	custom   bool
	deltas   []string // of the arguments or the input
}

func (p plan) text() string { return strings.Join(p.deltas, "") }

func (c toolCall) input() string { return strings.Join(c.deltas, "") }

func (p plan) outputTokens() int64 {
	n := p.reasoning + int64(len(p.deltas))
	for _, c := range p.calls {
		n += int64(len(c.deltas))
	}
	return n
}

var (
	toolPhrase   = regexp.MustCompile(`(?i)call the tool\s+["'“‘]?([A-Za-z0-9_-]{1,64})`)
	wordsPhrase  = regexp.MustCompile(`(?i)write (\d{1,6}) words`)
	repeatPhrase = regexp.MustCompile(`(?is)repeat after me:\s*(.*)`)
)

const (
	refusalPhrase = "refuse this request"
	lengthPhrase  = "stop at the length limit"
	thinkPhrase   = "think first"
	refusalText   = "I'm sorry, but I can't help with that request."
	mostWords     = 100_000
)

func says(prompt, phrase string) bool {
	return strings.Contains(strings.ToLower(prompt), phrase)
}

// compose decides on the answer. The variant tells several answers to one prompt apart.
func (x *exchange) compose(a ask, variant int) plan {
	src := source(hashOf(a.model.id, a.prompt, strconv.Itoa(variant)))
	var p plan
	p.reasoning = a.reasoningTokens()
	switch names := a.toolsToCall(); {
	case len(names) > 0:
		p.calls = x.calls(a, names, &src)
	case says(a.prompt, refusalPhrase):
		p.refusal = true
		p.deltas = split(refusalText)
	default:
		p.deltas = split(a.text(&src))
	}
	if x.fault.Kind == Leak {
		p.deltas = leaked(p.deltas, x.key, x.fault.Parts)
	}
	if x.fault.Kind == Huge {
		p.deltas = append([]string{hugeMark}, p.deltas...)
	}
	if says(a.prompt, lengthPhrase) {
		total := p.outputTokens() - p.reasoning
		p.limitTo(p.reasoning + max(total/2, 1))
		p.cut = true
	}
	if a.limit > 0 {
		p.limitTo(a.limit)
	}
	return p
}

func (a ask) reasoningTokens() int64 {
	switch a.effort {
	case "low":
		return 16
	case "medium":
		return 64
	case "high", "xhigh", "max":
		return 256
	}
	if says(a.prompt, thinkPhrase) {
		return 64
	}
	return 0
}

// text is the answer in words or, if a format asks for it, in JSON.
func (a ask) text(src *source) string {
	switch a.format.kind {
	case "json_schema":
		return satisfy(a.format.schema, a.prompt, src)
	case "json_object":
		return `{"answer": ` + quote(prose(a.prompt, src)) + `}`
	}
	if m := repeatPhrase.FindStringSubmatch(a.prompt); m != nil && m[1] != "" {
		return m[1]
	}
	if m := wordsPhrase.FindStringSubmatch(a.prompt); m != nil {
		n, _ := strconv.Atoi(m[1]) // the pattern lets digits through only
		return wordsOf(min(n, mostWords), src)
	}
	if a.answering {
		return "The tool has answered. " + prose(a.prompt, src)
	}
	return prose(a.prompt, src)
}

func quote(text string) string {
	b, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return `"?"` // not UTF-8; requests are
	}
	return string(b)
}

// toolsToCall names the tools that the request wants called, in order.
func (a ask) toolsToCall() []tool {
	if len(a.tools) == 0 || a.choice.mode == "none" || a.answering {
		return nil
	}
	var out []tool
	for _, m := range toolPhrase.FindAllStringSubmatch(a.prompt, -1) {
		if t, ok := a.tool(m[1]); ok {
			out = append(out, t)
		}
	}
	if a.choice.name != "" {
		t, ok := a.tool(a.choice.name)
		if !ok {
			return nil
		}
		out = []tool{t}
	}
	if len(out) == 0 && a.choice.mode == "required" {
		out = a.tools[:1]
	}
	if len(out) > 1 && !a.parallel {
		out = out[:1]
	}
	return out
}

func (a ask) tool(name string) (tool, bool) {
	for _, t := range a.tools {
		if t.name == name {
			return t, true
		}
	}
	return tool{}, false
}

func (x *exchange) calls(a ask, tools []tool, src *source) []toolCall {
	out := make([]toolCall, len(tools))
	for i, t := range tools {
		input := strings.Join(keywords(a.prompt), " ")
		if !t.custom {
			input = satisfy(t.parameters, a.prompt, src)
		}
		out[i] = toolCall{name: t.name, custom: t.custom, id: x.sim.ids.base62("call_", 24), deltas: pieces(input, 6)}
	}
	return out
}

// pieces breaks a text into parts of about n bytes, never inside a character.
func pieces(text string, n int) []string {
	var out []string
	start := 0
	for i := range text {
		if i-start >= n {
			out = append(out, text[start:i])
			start = i
		}
	}
	return append(out, text[start:])
}

// limitTo takes away what is over the limit of output tokens.
func (p *plan) limitTo(limit int64) {
	if p.outputTokens() <= limit {
		return
	}
	p.cut = true
	p.reasoning = min(p.reasoning, limit)
	room := limit - p.reasoning
	take := func(deltas []string) []string {
		n := min(room, int64(len(deltas)))
		room -= n
		return deltas[:n]
	}
	p.deltas = take(p.deltas)
	for i := range p.calls {
		p.calls[i].deltas = take(p.calls[i].deltas)
		if len(p.calls[i].deltas) == 0 {
			p.calls = p.calls[:i]
			return
		}
	}
}

// leaked puts a key into the middle of an answer, in some parts.
func leaked(deltas []string, key string, parts int) []string {
	n := max((len(key)+max(parts, 1)-1)/max(parts, 1), 1)
	half := len(deltas) / 2
	out := append([]string{}, deltas[:half]...)
	out = append(out, " ")
	out = append(out, pieces(key, n)...)
	return append(out, deltas[half:]...)
}
