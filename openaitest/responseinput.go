package openaitest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// checkState checks what concerns the account's objects and needs no look at them.
func (req *createResponse) checkState() *apiError {
	switch {
	case orElse(req.Background, false) && !orElse(req.Store, true):
		return badRequest("background", "unsupported_parameter", "Background mode requires 'store' to be true.")
	case present(req.Conversation) && req.PreviousResponseID != nil:
		return badRequest("", "mutually_exclusive_parameters", "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only providing one of these parameters.")
	case present(req.Prompt):
		return &apiError{Status: http.StatusNotFound, Type: "invalid_request_error", Param: "prompt", Code: "prompt_not_found", Message: "Prompt not found."}
	}
	return nil
}

func (x *exchange) previous(req *createResponse, a *ask) *apiError {
	if req.PreviousResponseID == nil {
		return nil
	}
	id := *req.PreviousResponseID
	r, ok := x.sim.memory.responses.get(id)
	if !ok {
		return badRequest("previous_response_id", "previous_response_not_found", "Previous response with id '%s' not found.", id)
	}
	before := a.tokens
	a.continueFrom(r.all())
	a.tokens = before + r.tokens
	return nil
}

// continued takes over what the conversation holds, which is named by its id or in
// an object.
func (x *exchange) continued(req *createResponse, a *ask) *apiError {
	if !present(req.Conversation) {
		return nil
	}
	var named struct {
		ID *string `json:"id"`
	}
	if req.Conversation.Kind() == '"' {
		named.ID = new(string)
		if e := decodePart(req.Conversation, named.ID, "conversation"); e != nil {
			return e
		}
	} else if err := decode(req.Conversation, &named); err != nil {
		err.Param = "conversation"
		return err
	}
	if named.ID == nil {
		return missing("conversation.id")
	}
	c, ok := x.sim.memory.conversations.get(*named.ID)
	if !ok {
		e := unknownConversation(*named.ID)
		e.Param = "conversation"
		return e
	}
	a.conversation = &conversationRef{c.id}
	a.continueFrom(c.items)
	return nil
}

func (a *ask) continueFrom(items []*item) {
	a.history = items
	for _, it := range items {
		a.take(it)
	}
}

func (x *exchange) readInput(req *createResponse, a *ask) *apiError {
	if !present(req.Input) {
		return missing("input")
	}
	a.tokens += 3
	if req.Input.Kind() == '"' {
		var text string
		if e := decodePart(req.Input, &text, "input"); e != nil {
			return e
		}
		before := a.tokens
		a.prompt, a.answering = text, false
		a.count(text)
		raw := members{{"role", jsontext.Value(`"user"`)}, {"content", req.Input}}.value()
		it := x.newItem(raw, inputItem{Role: "user"})
		it.text, it.tokens = text, a.tokens-before
		a.items = []*item{it}
		return nil
	}
	var raws []jsontext.Value
	if e := decodePart(req.Input, &raws, "input"); e != nil {
		return e
	}
	for i, raw := range raws {
		it, e := x.readItem(raw, a, paramAt("input", i))
		if e != nil {
			return e
		}
		a.items = append(a.items, it)
	}
	return a.checkOutputs()
}

// checkOutputs holds every output of a tool against the calls before it.
func (a *ask) checkOutputs() *apiError {
	for _, it := range a.items {
		switch it.kind {
		case "function_call_output", "custom_tool_call_output":
			if !slices.Contains(a.openCalls, it.callID) {
				return badRequest("input", "", "No tool call found for function call output with call_id %s.", it.callID)
			}
		}
	}
	return nil
}

func paramAt(name string, i int) string { return name + "[" + itoa(i) + "]" }

// read counts an item and returns the text of a message.
func (it inputItem) read(x *exchange, a *ask, param string) (string, *apiError) {
	a.tokens += 4
	if e := knownItem(it.Type, param); e != nil {
		return "", e
	}
	switch it.Type {
	case "", "message":
		return it.readMessage(x, a, param)
	case "function_call", "custom_tool_call":
		a.openCalls = append(a.openCalls, it.CallID)
		a.count(it.Arguments + it.Input)
	case "function_call_output", "custom_tool_call_output":
		a.answering = true
		a.count(string(it.Output))
	}
	return "", nil
}

func knownItem(kind, param string) *apiError {
	if kind == "" || slices.Contains(itemKinds(), kind) {
		return nil
	}
	return oneOf(param+".type", &kind, itemKinds()...)
}

func (it inputItem) readMessage(x *exchange, a *ask, param string) (string, *apiError) {
	if e := oneOf(param+".role", &it.Role, "assistant", "system", "developer", "user"); e != nil {
		return "", e
	}
	if !present(it.Content) {
		return "", missing(param + ".content")
	}
	if e := x.countFiles(it.Content, a, param+".content"); e != nil {
		return "", e
	}
	text, e := a.readContent(it.Content, param+".content")
	if e != nil {
		return "", e
	}
	if it.Role == "user" {
		a.prompt, a.answering = text, false
	}
	return text, nil
}

// countFiles finds the files that the parts of a message name by their ids. A file
// that is no image counts as its text would.
func (x *exchange) countFiles(raw jsontext.Value, a *ask, param string) *apiError {
	var parts []contentPart
	if raw.Kind() == '[' {
		_ = json.Unmarshal(raw, &parts) // readContent says what is wrong
	}
	for i, p := range parts {
		if p.FileID == "" {
			continue
		}
		f, e := x.file(p.FileID)
		if e != nil {
			e.Param = paramAt(param, i) + ".file_id"
			e.Message = "File with id '" + p.FileID + "' not found."
			return e
		}
		if p.Type == "input_file" {
			a.tokens += (f.object.Bytes + 3) / 4
		}
	}
	return nil
}

// readContent counts the content of a message and returns its text.
func (a *ask) readContent(raw jsontext.Value, param string) (string, *apiError) {
	var text string
	if raw.Kind() == '"' {
		e := decodePart(raw, &text, param)
		a.count(text)
		return text, e
	}
	var parts []contentPart
	if e := decodePart(raw, &parts, param); e != nil {
		return "", e
	}
	var b strings.Builder
	for _, p := range parts {
		if strings.Contains(p.Type, "image") {
			a.tokens += 85
		}
		a.count(p.Text + p.Refusal + p.FileData)
		b.WriteString(p.Text)
	}
	return b.String(), nil
}
