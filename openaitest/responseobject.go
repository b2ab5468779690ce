package openaitest

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// responseObject is OpenAI's Response.
type responseObject struct {
	ID                   string            `json:"id"`
	Object               string            `json:"object"`
	CreatedAt            int64             `json:"created_at"`
	Status               string            `json:"status"`
	Background           bool              `json:"background"`
	CompletedAt          *int64            `json:"completed_at"`
	Conversation         *conversationRef  `json:"conversation"`
	Error                *responseError    `json:"error"`
	IncompleteDetails    *incomplete       `json:"incomplete_details"`
	Instructions         *string           `json:"instructions"`
	MaxOutputTokens      *int64            `json:"max_output_tokens"`
	MaxToolCalls         *int64            `json:"max_tool_calls"`
	Model                string            `json:"model"`
	Output               []any             `json:"output"`
	ParallelToolCalls    bool              `json:"parallel_tool_calls"`
	PreviousResponseID   *string           `json:"previous_response_id"`
	PromptCacheKey       *string           `json:"prompt_cache_key"`
	PromptCacheRetention *string           `json:"prompt_cache_retention"`
	Reasoning            jsontext.Value    `json:"reasoning"`
	SafetyIdentifier     *string           `json:"safety_identifier"`
	ServiceTier          string            `json:"service_tier"`
	Store                bool              `json:"store"`
	Temperature          float64           `json:"temperature"`
	Text                 jsontext.Value    `json:"text"`
	ToolChoice           jsontext.Value    `json:"tool_choice"`
	Tools                []jsontext.Value  `json:"tools"`
	TopLogprobs          int64             `json:"top_logprobs"`
	TopP                 float64           `json:"top_p"`
	Truncation           string            `json:"truncation"`
	Usage                jsontext.Value    `json:"usage,omitzero"`
	User                 *string           `json:"user"`
	Metadata             map[string]string `json:"metadata"`
	Extra                string            `json:"x_account,omitzero"`
}

type conversationRef struct {
	ID string `json:"id"`
}

type responseError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type incomplete struct {
	Reason string `json:"reason"`
}

type responseUsage struct {
	InputTokens   int64            `json:"input_tokens"`
	InputDetails  responseUsageIn  `json:"input_tokens_details"`
	OutputTokens  int64            `json:"output_tokens"`
	OutputDetails responseUsageOut `json:"output_tokens_details"`
	TotalTokens   int64            `json:"total_tokens"`
}

type responseUsageIn struct {
	CachedTokens     int64 `json:"cached_tokens"`
	CacheWriteTokens int64 `json:"cache_write_tokens"`
}

type responseUsageOut struct {
	ReasoningTokens int64 `json:"reasoning_tokens"`
}

// messageItem, functionItem, customItem and reasoningItem are items of output.
type messageItem struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Status  string `json:"status"`
	Role    string `json:"role"`
	Content []any  `json:"content"`
}

type functionItem struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Status    string `json:"status"`
	Arguments string `json:"arguments"`
	CallID    string `json:"call_id"`
	Name      string `json:"name"`
}

type customItem struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Status string `json:"status"`
	CallID string `json:"call_id"`
	Input  string `json:"input"`
	Name   string `json:"name"`
}

type reasoningItem struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Summary []any  `json:"summary"`
}

// searchItem says what a search in vector stores looked for. Results are null unless
// they are asked for.
type searchItem struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Status  string          `json:"status"`
	Queries []string        `json:"queries"`
	Results *[]searchResult `json:"results"`
}

type searchResult struct {
	FileID     string         `json:"file_id"`
	Text       string         `json:"text"`
	Filename   string         `json:"filename"`
	Attributes jsontext.Value `json:"attributes"`
	Score      float64        `json:"score"`
}

// searchResults is what include names to have them.
const searchResults = "file_search_call.results"

type textPart struct {
	Type        string `json:"type"`
	Annotations []any  `json:"annotations"`
	Logprobs    []any  `json:"logprobs"`
	Text        string `json:"text"`
}

type refusalPart struct {
	Type    string `json:"type"`
	Refusal string `json:"refusal"`
}

// responseRun is one response as it comes about.
type responseRun struct {
	x      *exchange
	req    *createResponse
	ask    ask
	plan   plan
	object responseObject
	input  responseUsageIn
	seq    int64
	st     *stream
}

func orElse[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

// begin charges the input and fills in what every state of the response repeats.
func (g *responseRun) begin() {
	x, req := g.x, g.req
	g.input.CachedTokens, g.input.CacheWriteTokens = x.chargeInput(g.ask)
	g.object = responseObject{
		ID: x.sim.ids.hex("resp_", 48), Object: "response", CreatedAt: x.sim.now().Unix(), Status: "in_progress",
		Background: orElse(req.Background, false), Conversation: g.ask.conversation, Instructions: req.Instructions, MaxOutputTokens: req.MaxOutputTokens, MaxToolCalls: req.MaxToolCalls,
		Model: g.ask.model.snapshot, Output: []any{}, ParallelToolCalls: g.ask.parallel,
		PreviousResponseID: req.PreviousResponseID, PromptCacheKey: req.PromptCacheKey,
		PromptCacheRetention: req.PromptCacheRetention, Reasoning: req.echoReasoning(),
		SafetyIdentifier: req.SafetyIdentifier, ServiceTier: req.serviceTier(), Store: orElse(req.Store, true),
		Temperature: orElse(req.Temperature, 1), Text: req.echoText(), ToolChoice: req.ToolChoice,
		Tools: req.echoTools(), TopLogprobs: orElse(req.TopLogprobs, 0), TopP: orElse(req.TopP, 1),
		Truncation: orElse(req.Truncation, "disabled"), Usage: jsontext.Value("null"), User: req.User,
		Metadata: req.Metadata, Extra: x.extra(),
	}
	if !present(req.ToolChoice) {
		g.object.ToolChoice = jsontext.Value(`"auto"`)
	}
	if x.fault.Kind == NoUsage {
		g.object.Usage = nil
	}
}

// chargeInput records the input's tokens and says which of them are cached.
func (x *exchange) chargeInput(a ask) (cached, written int64) {
	cached, written = x.sim.memory.cached(hashOf(x.key, a.model.id, a.prefix), a.tokens)
	x.progress.usage.Input, x.progress.usage.Cached = a.tokens, cached
	return cached, written
}

// finish settles a response that is over and keeps it.
func (g *responseRun) finish(items []any) error {
	if err := g.settle(items); err != nil {
		return err
	}
	g.remember(items)
	return nil
}

// settle sets status and usage of a response that is over.
func (g *responseRun) settle(items []any) error {
	o := &g.object
	now := g.x.sim.now().Unix()
	o.Status, o.CompletedAt, o.Output = "completed", &now, g.visible(items)
	if g.plan.cut {
		o.Status, o.CompletedAt = "incomplete", nil
		o.IncompleteDetails = &incomplete{Reason: "max_output_tokens"}
	}
	out := g.plan.outputTokens()
	if g.x.fault.Kind != NoUsage {
		usage, err := json.Marshal(responseUsage{
			InputTokens: g.ask.tokens, InputDetails: g.input,
			OutputTokens: out, OutputDetails: responseUsageOut{g.plan.reasoning},
			TotalTokens: g.ask.tokens + out,
		})
		if err != nil {
			return fmt.Errorf("openaitest: usage does not marshal: %w", err)
		}
		o.Usage = usage
	}
	return nil
}

// failed turns the response into one that failed.
func (g *responseRun) failed() {
	e := g.x.serverError()
	g.object.Status, g.object.Error = "failed", &responseError{Code: "server_error", Message: e.Message}
}

// answer sends the plain form.
func (g *responseRun) answer() error {
	if g.x.fault.Kind == Failed {
		g.failed()
		g.remember(nil)
		g.x.sendJSON(http.StatusOK, g.object)
		return nil
	}
	if err := g.finish(g.items()); err != nil {
		return err
	}
	g.x.progress.usage.Output, g.x.progress.usage.Reasoning = g.plan.outputTokens(), g.plan.reasoning
	return g.x.deliver(g.object)
}

// items are the finished items of output.
func (g *responseRun) items() []any {
	out := []any{}
	if g.plan.reasoning > 0 {
		out = append(out, g.newReasoning())
	}
	if g.ask.fileSearch != nil {
		out = append(out, g.searched("completed"))
	}
	if len(g.plan.deltas) > 0 {
		out = append(out, g.message(g.x.sim.ids.hex("msg_", 48), g.endStatus(), g.part(g.plan.text())))
	}
	for _, c := range g.plan.calls {
		out = append(out, g.call(c, g.callID(c), g.endStatus(), c.input()))
	}
	return out
}

func (g *responseRun) endStatus() string {
	if g.plan.cut {
		return "incomplete"
	}
	return "completed"
}

func (g *responseRun) newReasoning() reasoningItem {
	return reasoningItem{ID: g.x.sim.ids.hex("rs_", 48), Type: "reasoning", Summary: []any{}}
}

func (g *responseRun) message(id, status string, content ...any) messageItem {
	if content == nil {
		content = []any{}
	}
	return messageItem{ID: id, Type: "message", Status: status, Role: "assistant", Content: content}
}

func (g *responseRun) part(text string) any {
	if g.plan.refusal {
		return refusalPart{Type: "refusal", Refusal: text}
	}
	return textPart{Type: "output_text", Annotations: g.citations(text), Logprobs: []any{}, Text: text}
}

func (g *responseRun) callID(c toolCall) string {
	if c.custom {
		return g.x.sim.ids.hex("ctc_", 48)
	}
	return g.x.sim.ids.hex("fc_", 48)
}

func (g *responseRun) call(c toolCall, id, status, input string) any {
	if c.custom {
		return customItem{ID: id, Type: "custom_tool_call", Status: status, CallID: c.id, Input: input, Name: c.name}
	}
	return functionItem{ID: id, Type: "function_call", Status: status, Arguments: input, CallID: c.id, Name: c.name}
}
