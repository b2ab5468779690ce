package openaitest

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// item is one item of a response or a conversation as it is kept: what a request
// gave (raw) or what an answer held (out).
type item struct {
	id     string
	kind   string // its type
	role   string // of a message
	callID string
	text   string // of a message
	tokens int64
	raw    jsontext.Value
	out    any
}

func itemID(it *item) string { return it.id }

// itemKinds are the types that an item of the input may have.
func itemKinds() []string {
	return []string{
		"message", "file_search_call", "computer_call", "computer_call_output", "web_search_call", "function_call",
		"function_call_output", "tool_search_call", "tool_search_output", "additional_tools", "reasoning", "compaction",
		"compaction_trigger", "image_generation_call", "code_interpreter_call", "local_shell_call", "local_shell_call_output",
		"shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output", "mcp_list_tools",
		"mcp_approval_request", "mcp_approval_response", "mcp_call", "custom_tool_call", "custom_tool_call_output",
		"item_reference", "program", "program_output",
	}
}

// itemPrefix is what the ids of a type begin with.
func itemPrefix(kind string) string {
	switch kind {
	case "message":
		return "msg_"
	case "function_call":
		return "fc_"
	case "function_call_output":
		return "fco_"
	case "custom_tool_call":
		return "ctc_"
	case "custom_tool_call_output":
		return "ctco_"
	case "reasoning":
		return "rs_"
	case "file_search_call":
		return "fs_"
	}
	return "item_"
}

// show returns the item as lists and retrievals have it. Without the include
// named here, the urls of images and the results of searches are left out.
func (it *item) show(include []string) any {
	withURL := slices.Contains(include, "message.input_image.image_url")
	switch out := it.out.(type) {
	case nil:
	case searchItem:
		if !slices.Contains(include, searchResults) {
			out.Results = nil
		}
		return out
	default:
		return out
	}
	var m members
	if json.Unmarshal(it.raw, &m) != nil {
		return it.raw // was an object when it was read
	}
	m = m.set("id", quote(it.id)).set("type", quote(it.kind)).with("status", `"completed"`)
	if content, ok := m.get("content"); ok && it.kind == "message" {
		m = m.set("content", string(contentParts(content, it.role, withURL)))
	}
	return m.value()
}

// contentParts gives the content of a message the form that answers have.
func contentParts(raw jsontext.Value, role string, withURL bool) jsontext.Value {
	kind := "input_text"
	if role == "assistant" {
		kind = "output_text"
	}
	if raw.Kind() == '"' {
		m := members{{"type", jsontext.Value(quote(kind))}, {"text", raw}}
		return jsontext.Value("[" + string(filledPart(m, kind, withURL).value()) + "]")
	}
	var parts []members
	if json.Unmarshal(raw, &parts) != nil {
		return raw // was an array when it was read
	}
	out := []byte{'['}
	for i, m := range parts {
		if i > 0 {
			out = append(out, ',')
		}
		given, _ := m.get("type")
		out = append(out, filledPart(m, textOf(given), withURL).value()...)
	}
	return append(out, ']')
}

func filledPart(m members, kind string, withURL bool) members {
	switch kind {
	case "output_text":
		return m.with("annotations", "[]").with("logprobs", "[]")
	case "input_image":
		m = m.with("detail", `"auto"`)
		if !withURL {
			m = m.set("image_url", "null")
		}
	}
	return m
}

func textOf(raw jsontext.Value) string {
	var s string
	_ = json.Unmarshal(raw, &s) // what is no text counts as empty
	return s
}

// set writes a member, in its place if there is one of that name.
func (m members) set(name, value string) members {
	for i := range m {
		if m[i].name == name {
			m[i].value = jsontext.Value(value)
			return m
		}
	}
	return append(m, member{name, jsontext.Value(value)})
}

// newItem keeps an item of a request; it gets an id unless it brings one.
func (x *exchange) newItem(raw jsontext.Value, it inputItem) *item {
	kind := it.Type
	if kind == "" {
		kind = "message"
	}
	out := &item{id: it.ID, kind: kind, role: it.Role, callID: it.CallID, raw: raw}
	if out.id == "" {
		out.id = x.sim.ids.hex(itemPrefix(kind), 48)
	}
	return out
}

// readItem reads one item of a request, counts it and says what is kept of it.
func (x *exchange) readItem(raw jsontext.Value, a *ask, param string) (*item, *apiError) {
	var in inputItem
	if e := decodePart(raw, &in, param); e != nil {
		return nil, e
	}
	if in.Type == "" && in.Role == "" && in.ID != "" {
		in.Type = "item_reference"
	}
	if in.Type == "item_reference" {
		found, ok := x.sim.memory.item(in.ID)
		if !ok {
			return nil, notFound("input", "Item with id '%s' not found.", in.ID)
		}
		a.take(found)
		return found, nil
	}
	before := a.tokens
	text, e := in.read(x, a, param)
	if e != nil {
		return nil, e
	}
	out := x.newItem(raw, in)
	out.text, out.tokens = text, a.tokens-before
	return out, nil
}

// take adds an item that was there before to what is asked.
func (a *ask) take(it *item) {
	a.tokens += it.tokens
	switch it.kind {
	case "message":
		if it.role == "user" {
			a.prompt, a.answering = it.text, false
		}
	case "function_call", "custom_tool_call":
		a.openCalls = append(a.openCalls, it.callID)
	case "function_call_output", "custom_tool_call_output":
		a.answering = true
	}
	if room := 4096 - len(a.prefix); room > 0 {
		a.prefix += it.text[:min(room, len(it.text))]
	}
}
