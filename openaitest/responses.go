package openaitest

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// createResponse is the body of POST /v1/responses.
type createResponse struct {
	common
	Background         *bool          `json:"background"`
	ContextManagement  jsontext.Value `json:"context_management"`
	Conversation       jsontext.Value `json:"conversation"`
	Include            []string       `json:"include"`
	Input              jsontext.Value `json:"input"`
	Instructions       *string        `json:"instructions"`
	MaxOutputTokens    *int64         `json:"max_output_tokens"`
	MaxToolCalls       *int64         `json:"max_tool_calls"`
	PreviousResponseID *string        `json:"previous_response_id"`
	Prompt             jsontext.Value `json:"prompt"`
	Reasoning          jsontext.Value `json:"reasoning"`
	Text               jsontext.Value `json:"text"`
	Truncation         *string        `json:"truncation"`
}

// inputItem is one item of the input; members of other items are not needed.
type inputItem struct {
	Type      string         `json:"type"`
	Role      string         `json:"role"`
	Content   jsontext.Value `json:"content"`
	CallID    string         `json:"call_id"`
	Arguments string         `json:"arguments"`
	Input     string         `json:"input"`
	Output    jsontext.Value `json:"output"`
	ID        string         `json:"id"`
}

// contentPart is one part of a message's content.
type contentPart struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Refusal  string `json:"refusal"`
	FileData string `json:"file_data"`
	FileID   string `json:"file_id"`
}

func present(v jsontext.Value) bool { return len(v) > 0 && v.Kind() != 'n' }

func serveResponses(x *exchange) error {
	var req createResponse
	if e := decode(x.body, &req); e != nil {
		return e
	}
	a, e := x.askResponses(&req)
	if e != nil {
		return e
	}
	if err := x.generated(a.prompt); err != nil {
		return err
	}
	x.lookUp(&a)
	g := &responseRun{x: x, req: &req, ask: a, plan: x.compose(a, 0)}
	g.begin()
	switch {
	case req.Stream:
		return g.stream()
	case g.object.Background:
		return g.startBackground()
	}
	return g.answer()
}

func (x *exchange) askResponses(req *createResponse) (ask, *apiError) {
	m, e := x.model(req.Model, generates)
	if e != nil {
		return ask{}, e
	}
	a := ask{model: m, parallel: req.ParallelToolCalls == nil || *req.ParallelToolCalls}
	if req.MaxOutputTokens != nil {
		a.limit = *req.MaxOutputTokens
	}
	if e := firstProblem(
		req.check(),
		atLeast("max_output_tokens", req.MaxOutputTokens, 16),
		oneOf("truncation", req.Truncation, "auto", "disabled"),
		readInclude(req.Include),
		req.checkState(),
	); e != nil {
		return a, e
	}
	if req.Instructions != nil {
		a.count(*req.Instructions)
	}
	if req.PromptCacheKey != nil {
		a.prefix = *req.PromptCacheKey + a.prefix
	}
	return a, firstProblem(
		x.previous(req, &a),
		x.continued(req, &a),
		x.readInput(req, &a),
		x.readTools(req, &a),
		req.readText(&a),
		req.readReasoning(&a),
	)
}

// responseTool is a tool as /v1/responses declares it.
type responseTool struct {
	Type       string         `json:"type"`
	Name       string         `json:"name"`
	Parameters jsontext.Value `json:"parameters"`
	Strict     *bool          `json:"strict"`
}

func (x *exchange) readTools(req *createResponse, a *ask) *apiError {
	for i, raw := range req.Tools {
		var t responseTool
		param := paramAt("tools", i)
		if e := decodePart(raw, &t, param); e != nil {
			return e
		}
		a.count(string(raw))
		if t.Type == "" {
			return missing(param + ".type")
		}
		if t.Type == "file_search" {
			if e := x.readFileSearch(raw, a, param); e != nil {
				return e
			}
		}
		if t.Type != "function" && t.Type != "custom" {
			continue
		}
		if t.Name == "" {
			return missing(param + ".name")
		}
		if e := strictTool(t.Strict, t.Name, t.Parameters, param+".parameters"); e != nil {
			return e
		}
		a.tools = append(a.tools, tool{name: t.Name, custom: t.Type == "custom", parameters: t.Parameters})
	}
	return a.readChoice(req.ToolChoice)
}

func strictTool(strict *bool, name string, parameters jsontext.Value, param string) *apiError {
	if strict == nil || !*strict || !present(parameters) {
		return nil
	}
	if problem := strictProblem(parameters); problem != "" {
		return badRequest(param, "invalid_function_parameters", "Invalid schema for function '%s': %s", name, problem)
	}
	return nil
}

// readChoice reads tool_choice, which has the name inside in a chat.
func (a *ask) readChoice(raw jsontext.Value) *apiError {
	a.choice.mode = "auto"
	if !present(raw) {
		return nil
	}
	if raw.Kind() == '"' {
		if e := decodePart(raw, &a.choice.mode, "tool_choice"); e != nil {
			return e
		}
		return oneOf("tool_choice", &a.choice.mode, "none", "auto", "required")
	}
	type named struct {
		Name string `json:"name"`
	}
	var c struct {
		named
		Mode     string `json:"mode"`
		Function named  `json:"function"`
		Custom   named  `json:"custom"`
	}
	if e := decodePart(raw, &c, "tool_choice"); e != nil {
		return e
	}
	if c.Mode != "" {
		a.choice.mode = c.Mode
	}
	a.choice.name = c.Name + c.Function.Name + c.Custom.Name
	if _, ok := a.tool(a.choice.name); a.choice.name != "" && !ok {
		return badRequest("tool_choice", "", "Tool choice '%s' not found in 'tools' parameter.", a.choice.name)
	}
	return nil
}

// jsonFormat is text.format, and what lies in response_format.json_schema.
type jsonFormat struct {
	Type   string         `json:"type"`
	Name   string         `json:"name"`
	Schema jsontext.Value `json:"schema"`
	Strict *bool          `json:"strict"`
}

func (req *createResponse) readText(a *ask) *apiError {
	if !present(req.Text) {
		return nil
	}
	var text struct {
		Format    *jsonFormat `json:"format"`
		Verbosity *string     `json:"verbosity"`
	}
	if e := decodePart(req.Text, &text, "text"); e != nil {
		return e
	}
	if e := oneOf("text.verbosity", text.Verbosity, "low", "medium", "high"); e != nil {
		return e
	}
	if text.Format == nil {
		return nil
	}
	return a.readFormat(*text.Format, "text.format", "text.format.")
}

// readFormat takes a format over. Name and schema are named in errors with the
// prefix.
func (a *ask) readFormat(f jsonFormat, param, prefix string) *apiError {
	if e := oneOf(param+".type", &f.Type, "json_object", "json_schema", "text"); e != nil {
		return e
	}
	a.format = format{kind: f.Type, schema: f.Schema}
	switch f.Type {
	case "json_object":
		if !strings.Contains(strings.ToLower(a.prefix+a.prompt), "json") {
			return badRequest(param, "", "The input messages must contain the word 'json' in some form to use a format of type 'json_object'.")
		}
	case "json_schema":
		if f.Name == "" {
			return missing(prefix + "name")
		}
		if !present(f.Schema) {
			return missing(prefix + "schema")
		}
		a.count(string(f.Schema))
		if f.Strict == nil || !*f.Strict {
			return nil
		}
		if problem := strictProblem(f.Schema); problem != "" {
			return badRequest(prefix+"schema", "invalid_json_schema", "Invalid schema for response_format '%s': %s", f.Name, problem)
		}
	}
	return nil
}

func (req *createResponse) readReasoning(a *ask) *apiError {
	if !present(req.Reasoning) {
		return nil
	}
	var r struct {
		Effort *string `json:"effort"`
	}
	if e := decodePart(req.Reasoning, &r, "reasoning"); e != nil {
		return e
	}
	return a.readEffort(r.Effort, "reasoning.effort")
}

func (a *ask) readEffort(effort *string, param string) *apiError {
	if effort == nil {
		return nil
	}
	if !a.model.reasons {
		return badRequest(param, "unsupported_parameter", "Unsupported parameter: '%s' is not supported with this model.", param)
	}
	a.effort = *effort
	return oneOf(param, effort, "none", "minimal", "low", "medium", "high", "xhigh", "max")
}

// echoTools returns the tools as the answer repeats them: functions with the
// members that OpenAI fills in.
func (req *createResponse) echoTools() []jsontext.Value {
	out := make([]jsontext.Value, 0, len(req.Tools))
	for _, raw := range req.Tools {
		var m members
		if json.Unmarshal(raw, &m) != nil {
			continue // was an object when it was read
		}
		if kind, _ := m.get("type"); string(kind) == `"function"` {
			m = m.with("strict", "true").with("parameters", "null")
		}
		out = append(out, m.value())
	}
	return out
}

// echoText returns text as the answer repeats it, with its defaults.
func (req *createResponse) echoText() jsontext.Value {
	var m members
	if present(req.Text) {
		_ = json.Unmarshal(req.Text, &m) // was an object when it was read
	}
	return m.with("format", `{"type":"text"}`).with("verbosity", `"medium"`).value()
}

func (req *createResponse) echoReasoning() jsontext.Value {
	var m members
	if present(req.Reasoning) {
		_ = json.Unmarshal(req.Reasoning, &m) // was an object when it was read
	}
	return m.with("effort", "null").with("summary", "null").value()
}
