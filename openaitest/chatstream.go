package openaitest

import "github.com/go-json-experiment/json/jsontext"

// chatChunk is one event of a streamed chat.
type chatChunk struct {
	ID                string            `json:"id"`
	Object            string            `json:"object"`
	Created           int64             `json:"created"`
	Model             string            `json:"model"`
	ServiceTier       string            `json:"service_tier"`
	SystemFingerprint string            `json:"system_fingerprint"`
	Choices           []chatChunkChoice `json:"choices"`
	// Usage is absent unless it was asked for, then null but in the last chunk.
	Usage       any    `json:"usage,omitzero"`
	Obfuscation string `json:"obfuscation,omitzero"`
	Extra       string `json:"x_account,omitzero"`
}

type chatChunkChoice struct {
	Index        int           `json:"index"`
	Delta        chatDelta     `json:"delta"`
	Logprobs     *chatLogprobs `json:"logprobs"`
	FinishReason *string       `json:"finish_reason"`
}

// chatDelta is what a chunk adds. Content and Refusal are values or null, or
// absent when nil.
type chatDelta struct {
	Role      string         `json:"role,omitzero"`
	Content   jsontext.Value `json:"content,omitzero"`
	Refusal   jsontext.Value `json:"refusal,omitzero"`
	ToolCalls []chatToolCall `json:"tool_calls,omitzero"`
}

// stream sends the chunks of all choices in turn, and [DONE].
func (g *chatRun) stream() error {
	st, err := g.x.openStream(g.failEvent)
	if err != nil {
		return err
	}
	g.st = st
	for i := range g.plans {
		if err := g.open(i); err != nil {
			return err
		}
	}
	for step, more := 0, true; more; step++ {
		more = false
		for i := range g.plans {
			sent, err := g.step(i, step)
			if err != nil {
				return err
			}
			more = more || sent
		}
	}
	for i, p := range g.plans {
		finish := p.chatFinish()
		if err := st.event("", g.chunk(chatChunkChoice{Index: i, FinishReason: &finish}, "")); err != nil {
			return err
		}
	}
	if g.wantsUsage() {
		last := g.chunk(chatChunkChoice{}, "")
		last.Choices, last.Usage = []chatChunkChoice{}, g.usage()
		if err := st.event("", last); err != nil {
			return err
		}
	}
	g.remember(g.object())
	return st.last("", doneMark{})
}

func (g *chatRun) wantsUsage() bool {
	return g.req.StreamOptions != nil && g.req.StreamOptions.IncludeUsage && g.x.fault.Kind != NoUsage
}

func (g *chatRun) failEvent() (string, any) {
	return "", errorBody{g.x.serverError().object()}
}

func (g *chatRun) chunk(c chatChunkChoice, delta string) chatChunk {
	out := chatChunk{
		ID: g.id, Object: "chat.completion.chunk", Created: g.created, Model: g.ask.model.snapshot,
		ServiceTier: g.req.serviceTier(), SystemFingerprint: g.fingerprint(),
		Choices: []chatChunkChoice{c}, Extra: g.x.extra(),
	}
	if g.wantsUsage() {
		out.Usage = jsontext.Value("null")
	}
	if g.req.obfuscates() {
		out.Obfuscation = g.x.padding(delta)
	}
	return out
}

// open sends the first chunk of a choice, with the role, and charges the thinking.
func (g *chatRun) open(i int) error {
	p := g.plans[i]
	g.x.progress.usage.Output += p.reasoning
	g.x.progress.usage.Reasoning += p.reasoning
	d := chatDelta{Role: "assistant", Content: jsontext.Value(`""`), Refusal: jsontext.Value("null")}
	if p.refusal {
		d.Content, d.Refusal = jsontext.Value("null"), jsontext.Value(`""`)
	}
	if len(p.calls) > 0 {
		d.Content = jsontext.Value("null")
	}
	return g.st.event("", g.chunk(chatChunkChoice{Index: i, Delta: d}, ""))
}

// step sends the next token of a choice, if it has one left.
func (g *chatRun) step(i, step int) (bool, error) {
	p := g.plans[i]
	c := chatChunkChoice{Index: i}
	delta := ""
	switch {
	case step < len(p.deltas):
		delta = p.deltas[step]
		c.Delta.Content = jsontext.Value(quote(delta))
		if p.refusal {
			c.Delta.Content, c.Delta.Refusal = nil, c.Delta.Content
		}
		if g.req.Logprobs {
			c.Logprobs = logprobs(p.deltas[step:step+1], p.refusal)
		}
	default:
		n, k := callAt(p.calls, step)
		if n < 0 {
			return false, nil
		}
		if k == 0 {
			if err := g.openCall(i, n); err != nil {
				return false, err
			}
		}
		delta = p.calls[n].deltas[k]
		c.Delta.ToolCalls = []chatToolCall{{Index: &n, Function: &chatFunction{Arguments: delta}}}
	}
	if err := g.x.pause(g.x.delta); err != nil {
		return false, err
	}
	return true, g.st.delta("", g.chunk(c, delta))
}

// callAt finds the token of a step: which call, and which of its deltas.
func callAt(calls []toolCall, step int) (call, delta int) {
	for n, c := range calls {
		if step < len(c.deltas) {
			return n, step
		}
		step -= len(c.deltas)
	}
	return -1, 0
}

func (g *chatRun) openCall(i, n int) error {
	call := g.plans[i].calls[n]
	c := chatChunkChoice{Index: i, Delta: chatDelta{ToolCalls: []chatToolCall{{
		Index: &n, ID: call.id, Type: "function", Function: &chatFunction{Name: call.name},
	}}}}
	return g.st.event("", g.chunk(c, ""))
}
