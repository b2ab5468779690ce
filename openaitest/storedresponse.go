package openaitest

import (
	"net/http"
	"slices"
	"time"
)

// storedResponse is a response as it is kept.
type storedResponse struct {
	object  responseObject
	history []*item // what came before
	input   []*item // of the request
	output  []*item
	tokens  int64 // of everything, with the output
}

// all are the items that a response to follow continues from.
func (r *storedResponse) all() []*item {
	return slices.Concat(r.history, r.input, r.output)
}

func responseRoutes() []route {
	return []route{
		{http.MethodGet, "/responses/{id}", mediaNone, serveStoredResponse},
		{http.MethodDelete, "/responses/{id}", mediaNone, serveDeleteResponse},
		{http.MethodPost, "/responses/{id}/cancel", mediaNone, serveCancelResponse},
		{http.MethodGet, "/responses/{id}/input_items", mediaNone, serveInputItems},
	}
}

func (x *exchange) storedResponse() (*storedResponse, *apiError) {
	r, ok := x.sim.memory.responses.get(x.ids[0])
	if !ok {
		return nil, notFound("", "Response with id '%s' not found.", x.ids[0])
	}
	return r, nil
}

func serveStoredResponse(x *exchange) error {
	q, e := x.query("include", "stream", "starting_after", "include_obfuscation")
	if e != nil {
		return e
	}
	include, e := includeOf(q)
	if e != nil {
		return e
	}
	if q.Get("stream") == "true" {
		return badRequest("stream", "unsupported_parameter", "Streams of stored responses are not simulated.")
	}
	r, e := x.storedResponse()
	if e != nil {
		return e
	}
	return x.deliver(r.show(x, include))
}

// show returns the object with what include asks for.
func (r *storedResponse) show(x *exchange, include []string) responseObject {
	o := r.object
	o.Extra = x.extra()
	if len(r.output) > 0 {
		o.Output = shown(r.output, func(it *item) any { return it.show(include) })
	}
	return o
}

func serveDeleteResponse(x *exchange) error {
	if _, e := x.query(); e != nil {
		return e
	}
	if !x.sim.memory.responses.remove(x.ids[0]) {
		return notFound("", "Response with id '%s' not found.", x.ids[0])
	}
	return x.deliver(deletedObject{ID: x.ids[0], Object: "response", Deleted: true, Extra: x.extra()})
}

// serveCancelResponse ends a run in the background; one that is over stays as it is.
func serveCancelResponse(x *exchange) error {
	r, e := x.storedResponse()
	if e != nil {
		return e
	}
	if !r.object.Background {
		return badRequest("", "", "Cannot cancel a synchronous response.")
	}
	r, ok := x.sim.memory.responses.change(r.object.ID, func(r *storedResponse) (*storedResponse, int64) {
		if !r.object.running() {
			return r, 0
		}
		changed := *r
		changed.object.Status = "cancelled"
		return &changed, 0
	})
	if !ok {
		return notFound("", "Response with id '%s' not found.", x.ids[0])
	}
	return x.deliver(r.show(x, nil))
}

func (o *responseObject) running() bool { return o.Status == "queued" || o.Status == "in_progress" }

// serveInputItems lists what the response was made from, what came before included.
func serveInputItems(x *exchange) error {
	p, q, e := x.paging(usualPaging("include"))
	if e != nil {
		return e
	}
	include, e := includeOf(q)
	if e != nil {
		return e
	}
	r, e := x.storedResponse()
	if e != nil {
		return e
	}
	return deliverPage(x, p, slices.Concat(r.history, r.input), itemID, func(it *item) any { return it.show(include) })
}

// remember keeps the response as it stands. A response that is over goes into its
// conversation too.
func (g *responseRun) remember(items []any) {
	o, m := &g.object, &g.x.sim.memory
	r := g.stored(items)
	if o.Store {
		m.responses.put(o.ID, r, g.weight(r))
	}
	if o.Conversation != nil && (o.Status == "completed" || o.Status == "incomplete") {
		m.append(o.Conversation.ID, slices.Concat(r.input, r.output))
	}
}

func (g *responseRun) weight(r *storedResponse) int64 {
	return 2048 + int64(len(g.x.body)) + 8*r.tokens + 8*int64(len(r.history))
}

func (g *responseRun) stored(items []any) *storedResponse {
	r := &storedResponse{object: g.object, history: g.ask.history, input: g.ask.items}
	r.object.Extra = ""
	r.tokens = g.ask.tokens + g.plan.outputTokens()
	for _, out := range items {
		r.output = append(r.output, outputItem(out))
	}
	for _, it := range r.output {
		if it.kind == "message" {
			it.tokens = int64(len(g.plan.deltas))
		}
	}
	for i, c := range g.plan.calls {
		if at := len(r.output) - len(g.plan.calls) + i; at >= 0 {
			r.output[at].tokens = int64(len(c.deltas))
		}
	}
	return r
}

// outputItem keeps an item of an answer.
func outputItem(out any) *item {
	it := &item{out: out}
	switch v := out.(type) {
	case messageItem:
		it.id, it.kind, it.role = v.ID, v.Type, v.Role
		for _, p := range v.Content {
			if t, ok := p.(textPart); ok {
				it.text += t.Text
			}
		}
	case functionItem:
		it.id, it.kind, it.callID = v.ID, v.Type, v.CallID
	case customItem:
		it.id, it.kind, it.callID = v.ID, v.Type, v.CallID
	case reasoningItem:
		it.id, it.kind = v.ID, v.Type
	case searchItem:
		it.id, it.kind = v.ID, v.Type
	}
	return it
}

// startBackground answers with the queued response and lets it come about later.
func (g *responseRun) startBackground() error {
	g.object.Status = "queued"
	g.x.progress.usage = Tokens{}
	g.remember(nil)
	queued := g.object
	s := g.x.sim
	entry, key := g.x.entry, g.x.key
	time.AfterFunc(s.runs/2, func() {
		s.memory.responses.change(queued.ID, func(r *storedResponse) (*storedResponse, int64) {
			if r.object.Status != "queued" {
				return r, 0
			}
			changed := *r
			changed.object.Status = "in_progress"
			return &changed, 0
		})
	})
	// The run has its own copy: the call that began it is over by then.
	late := *g
	late.object.Status = "in_progress"
	time.AfterFunc(s.runs, func() { late.endBackground(s, entry, key) })
	if g.x.fault.Kind == Failed {
		g.x.sendJSON(http.StatusOK, queued)
		return nil
	}
	return g.x.deliver(queued)
}

// endBackground completes a run unless it was cancelled or deleted.
func (g *responseRun) endBackground(s *Sim, e *entry, key string) {
	select {
	case <-s.closing:
		return
	default:
	}
	items := g.items()
	if g.x.fault.Kind == Failed {
		g.failed()
		items = nil
	} else if g.settle(items) != nil {
		return
	}
	done := false
	r, ok := s.memory.responses.change(g.object.ID, func(r *storedResponse) (*storedResponse, int64) {
		if done = r.object.running(); !done {
			return r, 0
		}
		return g.stored(items), 8 * g.plan.outputTokens()
	})
	if !ok || !done {
		return
	}
	if g.object.Conversation != nil && g.object.Error == nil {
		s.memory.append(g.object.Conversation.ID, slices.Concat(r.input, r.output))
	}
	s.rec.chargeLate(e, key, Tokens{
		Input: g.ask.tokens, Cached: g.input.CachedTokens, Output: g.plan.outputTokens(), Reasoning: g.plan.reasoning,
	})
}
