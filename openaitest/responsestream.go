package openaitest

import "errors"

// Events of a streamed response, as OpenAI's document has them.
type (
	stateEvent struct {
		Type     string         `json:"type"`
		Sequence int64          `json:"sequence_number"`
		Response responseObject `json:"response"`
	}
	itemEvent struct {
		Type        string `json:"type"`
		Sequence    int64  `json:"sequence_number"`
		OutputIndex int    `json:"output_index"`
		Item        any    `json:"item"`
	}
	partEvent struct {
		Type         string `json:"type"`
		Sequence     int64  `json:"sequence_number"`
		ItemID       string `json:"item_id"`
		OutputIndex  int    `json:"output_index"`
		ContentIndex int    `json:"content_index"`
		Part         any    `json:"part"`
	}
	// contentEvent is a piece or the whole of a text or refusal.
	contentEvent struct {
		Type         string  `json:"type"`
		Sequence     int64   `json:"sequence_number"`
		ItemID       string  `json:"item_id"`
		OutputIndex  int     `json:"output_index"`
		ContentIndex int     `json:"content_index"`
		Delta        *string `json:"delta,omitzero"`
		Text         *string `json:"text,omitzero"`
		Refusal      *string `json:"refusal,omitzero"`
		Logprobs     []any   `json:"logprobs,omitzero"`
		Obfuscation  string  `json:"obfuscation,omitzero"`
		Extra        string  `json:"x_account,omitzero"`
	}
	// inputEvent is a piece or the whole of what a tool is called with.
	inputEvent struct {
		Type        string  `json:"type"`
		Sequence    int64   `json:"sequence_number"`
		ItemID      string  `json:"item_id"`
		OutputIndex int     `json:"output_index"`
		Name        string  `json:"name,omitzero"`
		Delta       *string `json:"delta,omitzero"`
		Arguments   *string `json:"arguments,omitzero"`
		Input       *string `json:"input,omitzero"`
		Obfuscation string  `json:"obfuscation,omitzero"`
	}
	errorEvent struct {
		Type     string  `json:"type"`
		Sequence int64   `json:"sequence_number"`
		Code     *string `json:"code"`
		Message  string  `json:"message"`
		Param    *string `json:"param"`
	}
)

// next numbers an event.
func (g *responseRun) next() int64 {
	g.seq++
	return g.seq - 1
}

// stream sends the whole sequence of events.
func (g *responseRun) stream() error {
	st, err := g.x.openStream(g.failEvent)
	if err != nil {
		return err
	}
	g.st = st
	g.remember(nil)
	if err := g.streamRun(); err != nil {
		return errors.Join(err, g.abandon())
	}
	return nil
}

// abandon ends a response whose stream broke off: one in the background comes about
// all the same.
func (g *responseRun) abandon() error {
	if !g.object.running() {
		return nil
	}
	if g.object.Background {
		g.x.progress.usage.Output, g.x.progress.usage.Reasoning = g.plan.outputTokens(), g.plan.reasoning
		return g.finish(g.items())
	}
	g.object.Status = "cancelled"
	g.remember(nil)
	return nil
}

func (g *responseRun) streamRun() error {
	states := []string{"response.created", "response.in_progress"}
	if g.object.Background {
		states = []string{"response.created", "response.queued", "response.in_progress"}
	}
	for _, name := range states {
		if err := g.state(name); err != nil {
			return err
		}
	}
	items, err := g.streamItems()
	if err != nil {
		return err
	}
	if err := g.finish(items); err != nil {
		return err
	}
	name := "response." + g.object.Status
	return g.st.last(name, stateEvent{name, g.next(), g.object})
}

func (g *responseRun) state(name string) error {
	g.object.Status = "in_progress"
	if g.object.Background && name != "response.in_progress" {
		g.object.Status = "queued"
	}
	return g.st.event(name, stateEvent{name, g.next(), g.object})
}

// failEvent ends a failing stream. It takes the number of the event in whose
// place it comes.
func (g *responseRun) failEvent() (string, any) {
	g.seq--
	if g.x.fault.Kind == Failed {
		g.failed()
		g.remember(nil)
		return "response.failed", stateEvent{"response.failed", g.next(), g.object}
	}
	e := g.x.serverError()
	code := "server_error"
	return "error", errorEvent{Type: "error", Sequence: g.next(), Code: &code, Message: e.Message}
}

func (g *responseRun) streamItems() ([]any, error) {
	items := []any{}
	if g.plan.reasoning > 0 {
		item := g.newReasoning()
		if err := g.streamReasoning(item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if g.ask.fileSearch != nil {
		item, err := g.streamSearch(len(items))
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if len(g.plan.deltas) > 0 {
		item, err := g.streamMessage(len(items))
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	for _, c := range g.plan.calls {
		item, err := g.streamCall(c, len(items))
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func (g *responseRun) item(name string, index int, item any) error {
	return g.st.event(name, itemEvent{name, g.next(), index, item})
}

func (g *responseRun) streamReasoning(item reasoningItem) error {
	if err := g.item("response.output_item.added", 0, item); err != nil {
		return err
	}
	g.x.progress.usage.Reasoning = g.plan.reasoning
	g.x.progress.usage.Output += g.plan.reasoning
	return g.item("response.output_item.done", 0, item)
}

func (g *responseRun) streamMessage(index int) (any, error) {
	id := g.x.sim.ids.hex("msg_", 48)
	if err := g.item("response.output_item.added", index, g.message(id, "in_progress")); err != nil {
		return nil, err
	}
	name := "response.content_part.added"
	if err := g.st.event(name, partEvent{name, g.next(), id, index, 0, g.part("")}); err != nil {
		return nil, err
	}
	for _, d := range g.plan.deltas {
		if err := g.streamDelta(id, index, d); err != nil {
			return nil, err
		}
	}
	if err := g.streamCitations(id, index); err != nil {
		return nil, err
	}
	if err := g.streamDone(id, index); err != nil {
		return nil, err
	}
	item := g.message(id, g.endStatus(), g.part(g.plan.text()))
	return item, g.item("response.output_item.done", index, item)
}

func (g *responseRun) streamDelta(id string, index int, delta string) error {
	if err := g.x.pause(g.x.delta); err != nil {
		return err
	}
	ev := contentEvent{
		Type: "response.output_text.delta", ItemID: id, OutputIndex: index, Delta: &delta,
		Logprobs: []any{}, Obfuscation: g.padding(delta), Extra: g.x.extra(),
	}
	if g.plan.refusal {
		ev.Type, ev.Logprobs = "response.refusal.delta", nil
	}
	ev.Sequence = g.next()
	return g.st.delta(ev.Type, ev)
}

func (g *responseRun) streamDone(id string, index int) error {
	text := g.plan.text()
	ev := contentEvent{Type: "response.output_text.done", ItemID: id, OutputIndex: index, Text: &text, Logprobs: []any{}}
	if g.plan.refusal {
		ev = contentEvent{Type: "response.refusal.done", ItemID: id, OutputIndex: index, Refusal: &text}
	}
	ev.Sequence = g.next()
	if err := g.st.event(ev.Type, ev); err != nil {
		return err
	}
	name := "response.content_part.done"
	return g.st.event(name, partEvent{name, g.next(), id, index, 0, g.part(text)})
}

func (g *responseRun) streamCall(c toolCall, index int) (any, error) {
	id, input := g.callID(c), c.input()
	if err := g.item("response.output_item.added", index, g.call(c, id, "in_progress", "")); err != nil {
		return nil, err
	}
	prefix := "response.function_call_arguments."
	done := inputEvent{ItemID: id, OutputIndex: index, Name: c.name, Arguments: &input}
	if c.custom {
		prefix = "response.custom_tool_call_input."
		done = inputEvent{ItemID: id, OutputIndex: index, Input: &input}
	}
	for _, d := range c.deltas {
		if err := g.x.pause(g.x.delta); err != nil {
			return nil, err
		}
		ev := inputEvent{Type: prefix + "delta", Sequence: g.next(), ItemID: id, OutputIndex: index, Delta: &d, Obfuscation: g.padding(d)}
		if err := g.st.delta(ev.Type, ev); err != nil {
			return nil, err
		}
	}
	done.Type, done.Sequence = prefix+"done", g.next()
	if err := g.st.event(done.Type, done); err != nil {
		return nil, err
	}
	item := g.call(c, id, g.endStatus(), input)
	return item, g.item("response.output_item.done", index, item)
}

func (g *responseRun) padding(delta string) string {
	if !g.req.obfuscates() {
		return ""
	}
	return g.x.padding(delta)
}

// padding evens the length of deltas out to multiples of 16, as OpenAI does against
// guessing words from sizes.
func (x *exchange) padding(delta string) string {
	src := source(hashOf(delta))
	b := make([]byte, 16-len(delta)%16)
	for i := range b {
		b[i] = base62Digits[src.below(len(base62Digits))]
	}
	return string(b)
}
