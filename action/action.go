// Package action runs named actions: calls whose model, instructions, caps and
// input shape the server defines, and to which a caller contributes nothing but
// input of that shape. It is pure: it binds bodies to definitions, writes the
// bodies that go upstream, and projects answers to the least a caller needs.
//
// What a caller sends never reaches the instructions, but for values that the
// definition itself lists (enum, const) and for numbers and booleans. All else
// travels as data in a user message.
package action

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The kinds of actions.
const (
	// KindText takes an object of the input schema, once.
	KindText = "text"
	// KindChat takes {"messages":[{"role":"user|assistant","content":"…"}]}.
	KindChat = "chat"
)

// What holds where a Definition says nothing.
const (
	DefaultMaxOutput  = 4096 // tokens
	DefaultMaxLength  = 2000 // characters of a string of the input
	DefaultTurns      = 20   // messages of a chat
	DefaultCharacters = 8000 // characters of all messages of a chat together
)

// endpoint is the row of the endpoint table that every action calls.
const endpoint claviger.Endpoint = "responses"

// Definition is what the operator writes about an action.
type Definition struct {
	// Name is the last part of /actions/{name}: letters, digits, "_" and "-",
	// at most 64, beginning with a letter or digit.
	Name string
	// Kind is KindText (also when empty) or KindChat.
	Kind string
	// Path is one more route of the action, as "/api/ai/generate"; may be empty.
	Path string
	// Model is the provider's name of the model.
	Model string
	// Instructions are the server's. {{name}} stands for a property of the
	// input that is an enum, a const, a number or a boolean, or a mix of these
	// with null; absent ones are empty.
	Instructions string
	// Input is the JSON Schema (2020-12) of the input, see New. The zero value
	// is {prompt: string of 1 to 2,000 characters}. Text actions only.
	Input jsonx.Value
	// Output is the JSON Schema of the answer. The zero value answers in text.
	Output jsonx.Value
	// Template is the user message, with {{name}} for any property. Empty
	// gives the text of the one property where there is only one and it is a
	// string, and else a JSON object. Text actions only.
	Template string
	// MaxOutput caps the output in tokens; 0 is DefaultMaxOutput.
	MaxOutput int64
	// Temperature is between 0 and 2; nil leaves it to the model.
	Temperature *float64
	// Reasoning is the effort, one of OpenAI's words; empty leaves it to the
	// model.
	Reasoning string
	// Tools are hosted tools that need no settings: "web_search",
	// "code_interpreter". What they read and cost comes on top of MaxInput.
	Tools []string
	// Turns is the most messages of a chat, Characters the most characters of
	// all of them together (Unicode code points); 0 is the default.
	Turns      int
	Characters int
	// ShowUsage lets callers see the tokens.
	ShowUsage bool
	// Store lets the provider keep the answer.
	Store bool
	// Tokens counts the tokens of a text for a model. It is asked only where
	// the bytes, of which no token has none, exceed a limit on input, since
	// counting costs more than all the rest. Nil leaves it at the bytes. Safe
	// for concurrent use.
	Tokens func(model, text string) int64
}

// Action is a compiled Definition. It is immutable and safe for concurrent use.
type Action struct {
	d            Definition
	input        *shape // nil for chats
	output       *jsonschema.Schema
	instructions template
	message      template // of the user message; empty where there is none
	// fixed are the members of the upstream body that no request changes, from
	// the opening brace on, without a comma at the end.
	fixed []byte
	// fixedTokens bounds what instructions and schemas add to the input, in
	// bytes.
	fixedTokens int64
}

// New compiles a definition. The error joins a *DefinitionError for each thing
// that is wrong.
//
// An input schema is an object schema. What it leaves open is closed: unknown
// properties are refused unless additionalProperties or unevaluatedProperties
// is stated; a string without maxLength, enum, const, pattern or format has at
// most 2,000 characters; a required string without minLength has at least one.
// Lengths count Unicode code points. Where a required string must not be empty,
// white space alone counts as empty. format is asserted, and one that is not
// known is refused, as is a keyword that JSON Schema does not have: both would
// otherwise check nothing without a word. References stay within the schema.
// A property that has a default gets it when absent.
//
// An output schema is for OpenAI's strict mode: objects all the way down allow
// no other properties, and require all of theirs.
func New(d Definition) (*Action, error) {
	var p problems
	if d.Kind == "" {
		d.Kind = KindText
	}
	d.Tools = slices.Clone(d.Tools)
	checkDefinition(&p, &d)
	defaults(&d)
	a := &Action{d: d}
	a.instructions = parseTemplate(&p, "instructions", d.Instructions)
	a.message = parseTemplate(&p, "prompt", d.Template)
	switch d.Kind {
	case KindText:
		a.input = newShape(&p, d.Input)
		checkPlaceholders(&p, a)
	case KindChat:
		checkChat(&p, a)
	default:
		p.add("kind", "is text or chat")
	}
	if !d.Output.IsZero() {
		a.d.Output = closeOutput(&p, "output", d.Output)
		a.output = compileSchema(&p, "output", a.d.Output)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	a.fixed = fixedMembers(&a.d)
	a.fixedTokens = a.fixedBound(bytesOf)
	return a, nil
}

func defaults(d *Definition) {
	if d.MaxOutput == 0 {
		d.MaxOutput = DefaultMaxOutput
	}
	if d.Turns == 0 {
		d.Turns = DefaultTurns
	}
	if d.Characters == 0 {
		d.Characters = DefaultCharacters
	}
}

// Name is the name of the action.
func (a *Action) Name() string { return a.d.Name }

// Kind is KindText or KindChat.
func (a *Action) Kind() string { return a.d.Kind }

// Path is the extra route, empty where there is none.
func (a *Action) Path() string { return a.d.Path }

// Model is the provider's name of the model.
func (a *Action) Model() string { return a.d.Model }

// Structured reports whether the answer is an object by schema instead of text.
func (a *Action) Structured() bool { return a.output != nil }

// Input is the schema of the input with everything that New closed, for types
// and documentation; the zero Value for chats.
func (a *Action) Input() jsonx.Value {
	if a.input == nil {
		return jsonx.Value{}
	}
	return a.input.schema
}

// Output is the schema of the answer; the zero Value for text.
func (a *Action) Output() jsonx.Value { return a.d.Output }

// bytesOf bounds the tokens of a text from above, at no cost.
func bytesOf(text string) int64 { return int64(len(text)) }

// count counts the tokens of a text.
func (a *Action) count(text string) int64 { return max(0, a.d.Tokens(a.d.Model, text)) }

// fixedBound bounds what instructions and schemas add to the input, by a
// measure of text.
func (a *Action) fixedBound(measure func(string) int64) int64 {
	n := overhead + measure(a.d.Instructions)
	if !a.d.Output.IsZero() {
		n += measure(string(jsonx.Append(nil, a.d.Output)))
	}
	return n
}

// overhead bounds what the provider's own framing adds to one message, and to
// a call: role, separators, priming of the answer. A published figure is 3 to
// 4 tokens; this is on the safe side of it.
const overhead = 16

// callOf is the call of an action before the policy spoke.
func (a *Action) callOf(input int64) claviger.Call {
	return claviger.Call{
		Endpoint: endpoint, Action: a.d.Name, Model: a.d.Model,
		MaxOutput: a.d.MaxOutput, MaxInput: input, Choices: 1, Tools: a.d.Tools, MaxToolCalls: a.toolCalls(),
		Method: "POST", Path: "/responses",
	}
}

// toolCalls is the most calls of tools: none, or without a bound.
func (a *Action) toolCalls() int64 { return -int64(min(len(a.d.Tools), 1)) }

// plain reports whether s can stand in error messages and form fields: an
// ASCII identifier of at most 64 characters.
func plain(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return s[0] != '-' && (s[0] < '0' || s[0] > '9') && only(s, "_-")
}

// only reports whether s is made of ASCII letters, digits and the bytes of more.
func only(s, more string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(more, c) < 0:
			return false
		}
	}
	return true
}

// routable reports whether s can be a route of its own, byte for byte.
func routable(s string) bool {
	if !strings.HasPrefix(s, "/") || s == "/" || strings.Contains(s, "//") || strings.HasSuffix(s, "/") || len(s) > 200 {
		return false
	}
	for seg := range strings.SplitSeq(s[1:], "/") {
		if strings.Trim(seg, ".") == "" || !only(seg, "-_.~") {
			return false
		}
	}
	return true
}
