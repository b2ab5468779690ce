package action

import (
	"fmt"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

const fieldMessages = "messages"

// invalidMessage is the refusal of a message, or of the member of one.
func invalidMessage(i int, member string) *claviger.Error {
	e := invalid(fieldMessages)
	e.Param = fmt.Sprintf("%s[%d]", fieldMessages, i)
	if member != "" {
		e.Param += "." + member
	}
	return e
}

// bindChat reads {"messages":[…]}. There is at least one message and at most
// Turns, the last is the user's, none is blank, and all together have at most
// Characters. Roles need not alternate. A role other than user and assistant
// is refused: instructions are the server's.
func (a *Action) bindChat(v jsonx.Value, ui bool) (*Bound, error) {
	list, err := chatBody(v, ui)
	if err != nil {
		return nil, err
	}
	if list.Len() == 0 || list.Len() > a.d.Turns {
		return nil, invalid(fieldMessages)
	}
	b := &Bound{a: a, field: fieldMessages, messages: make([]chatMessage, 0, list.Len())}
	b.instructions, _ = a.instructions.static()
	total := 0
	last := chatMessage{assistant: true}
	for i, x := range list.Items() {
		m, err := readMessage(i, x, ui)
		if err != nil {
			return nil, err
		}
		if total += characters(m.text); total > a.d.Characters {
			return nil, invalid(fieldMessages)
		}
		last = m
		// An answer that was stopped before its first word comes back empty
		// from useChat. It says nothing, so it is left out.
		if !ui || !m.assistant || m.text != "" {
			b.messages = append(b.messages, m)
		}
	}
	if last.assistant {
		return nil, invalid(fieldMessages)
	}
	b.measure()
	return b, nil
}

// chatBody finds the messages. useChat sends more members, which are dropped:
// id, trigger and messageId steer nothing here.
func chatBody(v jsonx.Value, ui bool) (jsonx.Value, error) {
	if v.Kind() != jsonx.KindObject {
		return jsonx.Value{}, invalid(fieldMessages)
	}
	var list jsonx.Value
	unknown := ""
	for name, x := range v.Fields() {
		switch {
		case name == fieldMessages:
			list = x
		case ui && (name == "id" || name == "trigger" || name == "messageId"):
		case unknown == "":
			unknown = name
			if !plain(name) {
				unknown = "input"
			}
		}
	}
	switch {
	case list.Kind() != jsonx.KindArray:
		return jsonx.Value{}, invalid(fieldMessages)
	case unknown != "":
		return jsonx.Value{}, invalid(unknown)
	}
	return list, nil
}

// readMessage reads one message: {role, content}, or one of the AI SDK's,
// {id, role, parts, metadata}.
func readMessage(i int, v jsonx.Value, ui bool) (chatMessage, error) {
	var m chatMessage
	if v.Kind() != jsonx.KindObject {
		return m, invalidMessage(i, "")
	}
	var role, content, parts jsonx.Value
	for name, x := range v.Fields() {
		switch {
		case name == "role":
			role = x
		case name == "content":
			content = x
		case ui && name == "parts":
			parts = x
		case ui && (name == "id" || name == "metadata"):
		case plain(name):
			return m, invalidMessage(i, name)
		default:
			return m, invalidMessage(i, "")
		}
	}
	switch {
	case role.Is("assistant"):
		m.assistant = true
	case !role.Is("user"):
		return m, invalidMessage(i, "role")
	}
	switch {
	case parts.IsZero() && content.Kind() == jsonx.KindString:
		m.text = content.Str()
	case parts.Kind() == jsonx.KindArray && content.IsZero():
		text, err := readParts(i, parts, m.assistant)
		if err != nil {
			return m, err
		}
		m.text = text
		if m.assistant && text == "" {
			return m, nil
		}
	default:
		return m, invalidMessage(i, "content")
	}
	if blank(m.text) {
		return m, invalidMessage(i, "content")
	}
	return m, nil
}

// readParts joins the texts of a message of the AI SDK, a blank line between
// them. In answers, what only the page shows is left out: reasoning, sources,
// steps. Anything else would reach the model, or was meant to, and is refused.
func readParts(i int, parts jsonx.Value, assistant bool) (string, error) {
	var texts []string
	for j, p := range parts.Items() {
		if j >= maxParts {
			return "", invalidMessage(i, "parts")
		}
		kind, _ := p.Get("type")
		text, _ := p.Get("text")
		switch {
		case kind.Is("text") && text.Kind() == jsonx.KindString:
			if s := text.Str(); s != "" {
				texts = append(texts, s)
			}
		case assistant && (kind.Is("reasoning") || kind.Is("step-start") || kind.Is("source-url") || kind.Is("source-document")):
		default:
			return "", invalidMessage(i, "parts")
		}
	}
	return strings.Join(texts, "\n\n"), nil
}

// maxParts is how many parts one message may have.
const maxParts = 1000
