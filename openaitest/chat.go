package openaitest

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
)

// createChat is the body of POST /v1/chat/completions.
type createChat struct {
	common
	Audio               jsontext.Value   `json:"audio"`
	FrequencyPenalty    *float64         `json:"frequency_penalty"`
	FunctionCall        jsontext.Value   `json:"function_call"`
	Functions           []jsontext.Value `json:"functions"`
	LogitBias           jsontext.Value   `json:"logit_bias"`
	Logprobs            bool             `json:"logprobs"`
	MaxCompletionTokens *int64           `json:"max_completion_tokens"`
	MaxTokens           *int64           `json:"max_tokens"`
	Messages            []chatMessage    `json:"messages"`
	Modalities          []string         `json:"modalities"`
	N                   *int64           `json:"n"`
	Prediction          jsontext.Value   `json:"prediction"`
	PresencePenalty     *float64         `json:"presence_penalty"`
	ReasoningEffort     *string          `json:"reasoning_effort"`
	ResponseFormat      jsontext.Value   `json:"response_format"`
	Seed                *int64           `json:"seed"`
	Stop                jsontext.Value   `json:"stop"`
	Verbosity           *string          `json:"verbosity"`
	WebSearchOptions    jsontext.Value   `json:"web_search_options"`
}

// chatMessage is one message of a chat's history.
type chatMessage struct {
	Role         string         `json:"role"`
	Content      jsontext.Value `json:"content"`
	Name         string         `json:"name"`
	Refusal      *string        `json:"refusal"`
	Audio        jsontext.Value `json:"audio"`
	Annotations  jsontext.Value `json:"annotations"`
	ToolCalls    []chatToolCall `json:"tool_calls"`
	ToolCallID   string         `json:"tool_call_id"`
	FunctionCall jsontext.Value `json:"function_call"`
}

// chatToolCall is a call of a tool in a history and in answers. Index is in
// streams only.
type chatToolCall struct {
	Index    *int          `json:"index,omitzero"`
	ID       string        `json:"id,omitzero"`
	Type     string        `json:"type,omitzero"`
	Function *chatFunction `json:"function,omitzero"`
	Custom   *chatCustom   `json:"custom,omitzero"`
}

type chatFunction struct {
	Name      string `json:"name,omitzero"`
	Arguments string `json:"arguments"`
}

type chatCustom struct {
	Name  string `json:"name"`
	Input string `json:"input"`
}

func serveChat(x *exchange) error {
	var req createChat
	if e := decode(x.body, &req); e != nil {
		return e
	}
	a, e := x.askChat(&req)
	if e != nil {
		return e
	}
	if err := x.generated(a.prompt); err != nil {
		return err
	}
	g := &chatRun{x: x, req: &req, ask: a}
	g.begin()
	if req.Stream {
		return g.stream()
	}
	return g.answer()
}

func (x *exchange) askChat(req *createChat) (ask, *apiError) {
	m, e := x.model(req.Model, generates)
	if e != nil {
		return ask{}, e
	}
	a := ask{model: m, parallel: orElse(req.ParallelToolCalls, true)}
	if e := firstProblem(
		req.check(),
		between("frequency_penalty", req.FrequencyPenalty, -2, 2),
		between("presence_penalty", req.PresencePenalty, -2, 2),
		atLeast("n", req.N, 1), atMost("n", req.N, 128),
		oneOf("verbosity", req.Verbosity, "low", "medium", "high"),
		req.checkStreamOptions(),
		req.readLimit(&a),
	); e != nil {
		return a, e
	}
	if req.PromptCacheKey != nil {
		a.prefix = *req.PromptCacheKey
	}
	return a, firstProblem(
		req.readMessages(&a),
		req.readTools(&a),
		req.readFormat(&a),
		a.readEffort(req.ReasoningEffort, "reasoning_effort"),
	)
}

func (req *createChat) checkStreamOptions() *apiError {
	if req.StreamOptions != nil && !req.Stream {
		return badRequest("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	if present(req.Audio) || len(req.Modalities) > 1 || len(req.Modalities) == 1 && req.Modalities[0] != "text" {
		return badRequest("modalities", "unsupported_parameter", "Audio is not simulated.")
	}
	return nil
}

func (req *createChat) readLimit(a *ask) *apiError {
	switch {
	case req.MaxTokens != nil && req.MaxCompletionTokens != nil:
		return badRequest("max_tokens", "invalid_parameter_combination", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	case req.MaxTokens != nil && a.model.reasons:
		return badRequest("max_tokens", "unsupported_parameter", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
	case req.MaxTokens != nil:
		a.limit = *req.MaxTokens
	case req.MaxCompletionTokens != nil:
		a.limit = *req.MaxCompletionTokens
	}
	return firstProblem(atLeast("max_tokens", req.MaxTokens, 1), atLeast("max_completion_tokens", req.MaxCompletionTokens, 1))
}

func (req *createChat) readMessages(a *ask) *apiError {
	if req.Messages == nil {
		return missing("messages")
	}
	if len(req.Messages) == 0 {
		return badRequest("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	a.tokens += 3
	calls := map[string]bool{}
	for i := range req.Messages {
		if e := req.Messages[i].read(a, calls, paramAt("messages", i)); e != nil {
			return e
		}
	}
	return nil
}

func (m *chatMessage) read(a *ask, calls map[string]bool, param string) *apiError {
	a.tokens += 4
	if m.Role == "" {
		return missing(param + ".role")
	}
	if e := oneOf(param+".role", &m.Role, "system", "assistant", "user", "function", "tool", "developer"); e != nil {
		return e
	}
	for _, c := range m.ToolCalls {
		calls[c.ID] = true
		if c.Function != nil {
			a.count(c.Function.Arguments)
		}
		if c.Custom != nil {
			a.count(c.Custom.Input)
		}
	}
	if m.Role == "tool" && !calls[m.ToolCallID] {
		return badRequest(param+".role", "", "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.")
	}
	if !present(m.Content) {
		if m.Role == "assistant" {
			return nil
		}
		return badRequest(param+".content", "invalid_type", "Invalid value for 'content': expected a string, got null.")
	}
	text, e := a.readContent(m.Content, param+".content")
	if e != nil {
		return e
	}
	switch m.Role {
	case "user":
		a.prompt, a.answering = text, false
	case "tool", "function":
		a.answering = true
	}
	return nil
}

// chatTool is a tool as a chat declares it.
type chatTool struct {
	Type     string       `json:"type"`
	Function responseTool `json:"function"`
	Custom   responseTool `json:"custom"`
}

func (req *createChat) readTools(a *ask) *apiError {
	for i, raw := range req.Tools {
		var t chatTool
		param := paramAt("tools", i)
		if e := decodePart(raw, &t, param); e != nil {
			return e
		}
		a.count(string(raw))
		if e := oneOf(param+".type", &t.Type, "function", "custom"); e != nil {
			return e
		}
		f, custom := t.Function, t.Type == "custom"
		if custom {
			f = t.Custom
		}
		if f.Name == "" {
			return missing(param + "." + t.Type + ".name")
		}
		if e := strictTool(f.Strict, f.Name, f.Parameters, param+".function.parameters"); e != nil {
			return e
		}
		if custom && req.Stream {
			continue // OpenAI's chunks have no shape for it
		}
		a.tools = append(a.tools, tool{name: f.Name, custom: custom, parameters: f.Parameters})
	}
	return a.readChoice(req.ToolChoice)
}

func (req *createChat) readFormat(a *ask) *apiError {
	if !present(req.ResponseFormat) {
		return nil
	}
	var f struct {
		Type       string      `json:"type"`
		JSONSchema *jsonFormat `json:"json_schema"`
	}
	if e := decodePart(req.ResponseFormat, &f, "response_format"); e != nil {
		return e
	}
	inner := jsonFormat{Type: f.Type}
	if f.Type == "json_schema" {
		if f.JSONSchema == nil {
			return missing("response_format.json_schema")
		}
		inner = *f.JSONSchema
		inner.Type = f.Type
	}
	return a.readFormat(inner, "response_format", "response_format.json_schema.")
}

// chatObject is OpenAI's chat completion.
type chatObject struct {
	ID                string       `json:"id"`
	Object            string       `json:"object"`
	Created           int64        `json:"created"`
	Model             string       `json:"model"`
	Choices           []chatChoice `json:"choices"`
	Usage             *chatUsage   `json:"usage,omitzero"`
	ServiceTier       string       `json:"service_tier"`
	SystemFingerprint string       `json:"system_fingerprint"`
	// Metadata is there when the completion is stored.
	Metadata map[string]string `json:"metadata,omitzero"`
	Extra    string            `json:"x_account,omitzero"`
}

type chatChoice struct {
	Index        int           `json:"index"`
	Message      chatAnswer    `json:"message"`
	Logprobs     *chatLogprobs `json:"logprobs"`
	FinishReason string        `json:"finish_reason"`
}

type chatAnswer struct {
	Role        string         `json:"role"`
	Content     *string        `json:"content"`
	Refusal     *string        `json:"refusal"`
	Annotations []any          `json:"annotations"`
	ToolCalls   []chatToolCall `json:"tool_calls,omitzero"`
}

type chatLogprobs struct {
	Content []tokenLogprob `json:"content"`
	Refusal []tokenLogprob `json:"refusal"`
}

type tokenLogprob struct {
	Token       string  `json:"token"`
	Logprob     float64 `json:"logprob"`
	Bytes       []int   `json:"bytes"`
	TopLogprobs []any   `json:"top_logprobs"`
}

type chatUsage struct {
	PromptTokens      int64        `json:"prompt_tokens"`
	CompletionTokens  int64        `json:"completion_tokens"`
	TotalTokens       int64        `json:"total_tokens"`
	PromptDetails     chatUsageIn  `json:"prompt_tokens_details"`
	CompletionDetails chatUsageOut `json:"completion_tokens_details"`
}

type chatUsageIn struct {
	CachedTokens int64 `json:"cached_tokens"`
	AudioTokens  int64 `json:"audio_tokens"`
}

type chatUsageOut struct {
	ReasoningTokens          int64 `json:"reasoning_tokens"`
	AudioTokens              int64 `json:"audio_tokens"`
	AcceptedPredictionTokens int64 `json:"accepted_prediction_tokens"`
	RejectedPredictionTokens int64 `json:"rejected_prediction_tokens"`
}

// chatRun is one chat completion as it comes about: a plan for each choice.
type chatRun struct {
	x       *exchange
	req     *createChat
	ask     ask
	plans   []plan
	cached  int64
	id      string
	created int64
	st      *stream
}

// begin charges the input and plans the answers.
func (g *chatRun) begin() {
	g.cached, _ = g.x.chargeInput(g.ask)
	for i := range int(orElse(g.req.N, 1)) {
		g.plans = append(g.plans, g.x.compose(g.ask, i))
	}
	g.id, g.created = g.x.sim.ids.base62("chatcmpl-", 29), g.x.sim.now().Unix()
}

func (g *chatRun) usage() *chatUsage {
	if g.x.fault.Kind == NoUsage {
		return nil
	}
	u := &chatUsage{PromptTokens: g.ask.tokens, PromptDetails: chatUsageIn{CachedTokens: g.cached}}
	for _, p := range g.plans {
		u.CompletionTokens += p.outputTokens()
		u.CompletionDetails.ReasoningTokens += p.reasoning
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

func (g *chatRun) fingerprint() string {
	src := source(hashOf(g.ask.model.snapshot))
	b := []byte("fp_")
	for range 10 {
		b = append(b, hexDigits[src.below(16)])
	}
	return string(b)
}

// answer sends the plain form.
func (g *chatRun) answer() error {
	if g.x.fault.Kind == Failed || g.x.fault.Kind == ErrorEvent {
		g.x.sendJSON(http.StatusOK, errorBody{g.x.serverError().object()})
		return nil
	}
	for _, p := range g.plans {
		g.x.progress.usage.Output += p.outputTokens()
		g.x.progress.usage.Reasoning += p.reasoning
	}
	o := g.object()
	g.remember(o)
	return g.x.deliver(o)
}

// object is the whole completion.
func (g *chatRun) object() chatObject {
	o := chatObject{
		ID: g.id, Object: "chat.completion", Created: g.created, Model: g.ask.model.snapshot,
		Usage: g.usage(), ServiceTier: g.req.serviceTier(), SystemFingerprint: g.fingerprint(), Extra: g.x.extra(),
	}
	if orElse(g.req.Store, false) {
		o.Metadata = orEmpty(g.req.Metadata)
	}
	for i, p := range g.plans {
		o.Choices = append(o.Choices, g.choice(i, p))
	}
	return o
}

func (g *chatRun) choice(index int, p plan) chatChoice {
	c := chatChoice{Index: index, FinishReason: p.chatFinish(), Message: chatAnswer{Role: "assistant", Annotations: []any{}}}
	text := p.text()
	switch {
	case len(p.calls) > 0:
		for _, call := range p.calls {
			c.Message.ToolCalls = append(c.Message.ToolCalls, call.whole())
		}
	case p.refusal:
		c.Message.Refusal = &text
	default:
		c.Message.Content = &text
	}
	if g.req.Logprobs {
		c.Logprobs = logprobs(p.deltas, p.refusal)
	}
	return c
}

func (c toolCall) whole() chatToolCall {
	if c.custom {
		return chatToolCall{ID: c.id, Type: "custom", Custom: &chatCustom{Name: c.name, Input: c.input()}}
	}
	return chatToolCall{ID: c.id, Type: "function", Function: &chatFunction{Name: c.name, Arguments: c.input()}}
}

func (p plan) chatFinish() string {
	switch {
	case p.cut:
		return "length"
	case len(p.calls) > 0:
		return "tool_calls"
	}
	return "stop"
}

// logprobs gives every token the same good odds.
func logprobs(deltas []string, refusal bool) *chatLogprobs {
	out := &chatLogprobs{}
	list := make([]tokenLogprob, len(deltas))
	for i, d := range deltas {
		list[i] = tokenLogprob{Token: d, Logprob: -0.0101, Bytes: make([]int, 0, len(d)), TopLogprobs: []any{}}
		for _, b := range []byte(d) {
			list[i].Bytes = append(list[i].Bytes, int(b))
		}
	}
	out.Content, out.Refusal = list, []tokenLogprob{}
	if refusal {
		out.Content, out.Refusal = out.Refusal, list
	}
	return out
}
