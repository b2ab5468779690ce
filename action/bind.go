package action

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Bound is an input that fits its action. It is immutable.
type Bound struct {
	a            *Action
	instructions string
	messages     []chatMessage
	// input bounds the tokens of the whole call from above.
	input int64
	// field is what a caller is told when the input is too much.
	field string
	// values and rest are what the caller sent to an action with a schema, as
	// shape.bind gives it.
	values []jsonx.Value
	rest   []jsonx.Member
}

// chatMessage is one message of the input that goes upstream.
type chatMessage struct {
	assistant bool
	text      string
}

// Bind reads a JSON body. The error is a *claviger.Error: CodeInvalidJSON for
// what is no JSON, and else CodeInvalidInput with the sentence "Invalid
// <property>" for the first property at fault, in the order of the schema, and
// after those for the first that the schema does not know. A body that is no
// object, or none at all, is refused for the first required property.
func (a *Action) Bind(body []byte) (*Bound, error) { return a.bind(body, false) }

// BindUI reads the JSON body of a request that asked for the AI SDK's stream:
// what Bind reads, and for chats also what useChat sends, of which the texts
// are taken. See chatBody.
func (a *Action) BindUI(body []byte) (*Bound, error) { return a.bind(body, true) }

func (a *Action) bind(body []byte, ui bool) (*Bound, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, invalid(a.blame())
	}
	v, err := jsonx.Parse(body)
	if err != nil {
		return nil, &claviger.Error{Code: claviger.CodeInvalidJSON, Err: err}
	}
	if a.input == nil {
		return a.bindChat(v, ui)
	}
	return a.bindText(v)
}

// blame is the property that an input is refused for as a whole.
func (a *Action) blame() string {
	if a.input == nil {
		return fieldMessages
	}
	return a.input.blame
}

func (a *Action) bindText(v jsonx.Value) (*Bound, error) {
	values, rest, err := a.input.bind(v)
	if err != nil {
		return nil, err
	}
	b := &Bound{a: a, field: a.input.blame, values: values, rest: rest}
	b.instructions = a.instructions.fill(values, fixedText)
	var text string
	switch {
	case len(a.message.parts) > 0:
		text = a.message.fill(values, dataText)
	case a.input.lone && !values[0].IsZero():
		text = values[0].Str()
	default:
		text = string(jsonx.Append(nil, a.input.object(values, rest)))
	}
	b.messages = []chatMessage{{text: text}}
	b.measure()
	return b, nil
}

// object writes the input as one object: the schema's properties in its order,
// then the others in the order sent.
func (s *shape) object(values []jsonx.Value, rest []jsonx.Member) jsonx.Value {
	ms := make([]jsonx.Member, 0, len(values)+len(rest))
	for i, v := range values {
		if !v.IsZero() {
			ms = append(ms, jsonx.Member{Name: s.props[i].name, Value: v})
		}
	}
	return jsonx.Object(append(ms, rest...)...)
}

// measure bounds the tokens of the input by their bytes.
func (b *Bound) measure() { b.input = b.bound(b.a.fixedTokens, bytesOf) }

// bound adds up what of the input changes from call to call, by a measure of
// text.
func (b *Bound) bound(n int64, measure func(string) int64) int64 {
	if _, static := b.a.instructions.static(); !static {
		// The fixed part counted the template; its values come on top.
		n += measure(b.instructions)
	}
	for _, m := range b.messages {
		n += overhead + measure(m.text)
	}
	return n
}

// Call is the call for the policy, without a body: Write makes that.
func (b *Bound) Call() claviger.Call { return b.a.callOf(b.input) }

// Texts calls visit for everything of the input that may be text, with its place
// in the input, until visit returns false. What the action adds of its own is not
// among it. A message of several parts is one text.
func (b *Bound) Texts(visit func(*jsonx.Leaf) bool) error {
	if b.a.input == nil {
		for i, m := range b.messages {
			if !visit(jsonx.TextLeaf(fmt.Sprintf("%s[%d].content", fieldMessages, i), m.text)) {
				return nil
			}
		}
		return nil
	}
	for i, v := range b.values {
		if !jsonx.Leaves(b.a.input.props[i].name, v, visit) {
			return nil
		}
	}
	if len(b.rest) > 0 {
		jsonx.Leaves("", jsonx.Object(b.rest...), visit)
	}
	return nil
}

// Action is the action that the input belongs to.
func (b *Bound) Action() *Action { return b.a }

// invalid is the refusal of a property. A name that the caller made up is only
// repeated when it is a plain identifier.
func invalid(property string) *claviger.Error {
	if !plain(property) {
		property = "input"
	}
	return &claviger.Error{Code: claviger.CodeInvalidInput, Detail: "Invalid " + property, Param: property}
}

// characters counts as JSON Schema does, by code points.
func characters(s string) int { return utf8.RuneCountInString(s) }
