package openaitest

import (
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// conversation is a conversation as it is kept.
type conversation struct {
	id       string
	created  int64
	metadata map[string]string
	items    []*item
}

type conversationObject struct {
	ID        string            `json:"id"`
	Object    string            `json:"object"`
	CreatedAt int64             `json:"created_at"`
	Metadata  map[string]string `json:"metadata"`
	Extra     string            `json:"x_account,omitzero"`
}

func (c *conversation) object(x *exchange) conversationObject {
	return conversationObject{ID: c.id, Object: "conversation", CreatedAt: c.created, Metadata: c.metadata, Extra: x.extra()}
}

// createConversation, updateConversation and createItems are bodies of requests.
type createConversation struct {
	Metadata map[string]string `json:"metadata"`
	Items    []jsontext.Value  `json:"items"`
}

type updateMetadata struct {
	Metadata *map[string]string `json:"metadata"`
}

type createItems struct {
	Items *[]jsontext.Value `json:"items"`
}

func conversationRoutes() []route {
	return []route{
		{http.MethodPost, "/conversations", mediaJSON, serveCreateConversation},
		{http.MethodGet, "/conversations/{id}", mediaNone, serveConversation},
		{http.MethodPost, "/conversations/{id}", mediaJSON, serveUpdateConversation},
		{http.MethodDelete, "/conversations/{id}", mediaNone, serveDeleteConversation},
		{http.MethodPost, "/conversations/{id}/items", mediaJSON, serveCreateItems},
		{http.MethodGet, "/conversations/{id}/items", mediaNone, serveItems},
		{http.MethodGet, "/conversations/{id}/items/{id}", mediaNone, serveItem},
		{http.MethodDelete, "/conversations/{id}/items/{id}", mediaNone, serveDeleteItem},
	}
}

func unknownConversation(id string) *apiError {
	return notFound("", "Conversation with id '%s' not found.", id)
}

func (x *exchange) conversation() (*conversation, *apiError) {
	c, ok := x.sim.memory.conversations.get(x.ids[0])
	if !ok {
		return nil, unknownConversation(x.ids[0])
	}
	return c, nil
}

// append adds items to a conversation, if it is still there.
func (m *memory) append(id string, items []*item) bool {
	_, ok := m.conversations.change(id, func(c *conversation) (*conversation, int64) {
		changed := *c
		changed.items = slices.Concat(c.items, items)
		return &changed, weightOf(items)
	})
	return ok
}

func weightOf(items []*item) int64 {
	n := int64(0)
	for _, it := range items {
		n += 256 + int64(len(it.raw)+len(it.text))
	}
	return n
}

func serveCreateConversation(x *exchange) error {
	var req createConversation
	if len(x.body) > 0 {
		if e := decode(x.body, &req); e != nil {
			return e
		}
	}
	if e := checkMetadata(req.Metadata); e != nil {
		return e
	}
	items, e := x.readItems(req.Items)
	if e != nil {
		return e
	}
	c := &conversation{
		id: x.sim.ids.hex("conv_", 48), created: x.sim.now().Unix(), metadata: orEmpty(req.Metadata), items: items,
	}
	x.sim.memory.conversations.put(c.id, c, 512+weightOf(items))
	return x.deliver(c.object(x))
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// readItems reads items for a conversation: at most 20 at a time.
func (x *exchange) readItems(raws []jsontext.Value) ([]*item, *apiError) {
	if len(raws) > 20 {
		return nil, badRequest("items", "array_above_max_length", "Invalid 'items': array too long. Expected an array with maximum length 20, but got an array with length %d instead.", len(raws))
	}
	var a ask
	var out []*item
	for i, raw := range raws {
		it, e := x.readItem(raw, &a, paramAt("items", i))
		if e != nil {
			return nil, e
		}
		out = append(out, it)
	}
	return out, nil
}

func serveConversation(x *exchange) error {
	if _, e := x.query(); e != nil {
		return e
	}
	c, e := x.conversation()
	if e != nil {
		return e
	}
	return x.deliver(c.object(x))
}

// readMetadata reads a body that holds metadata and nothing else.
func (x *exchange) readMetadata() (map[string]string, *apiError) {
	var req updateMetadata
	if e := decode(x.body, &req); e != nil {
		return nil, e
	}
	if req.Metadata == nil {
		return nil, missing("metadata")
	}
	return orEmpty(*req.Metadata), checkMetadata(*req.Metadata)
}

func serveUpdateConversation(x *exchange) error {
	metadata, e := x.readMetadata()
	if e != nil {
		return e
	}
	c, ok := x.sim.memory.conversations.change(x.ids[0], func(c *conversation) (*conversation, int64) {
		changed := *c
		changed.metadata = metadata
		return &changed, 0
	})
	if !ok {
		return unknownConversation(x.ids[0])
	}
	return x.deliver(c.object(x))
}

func serveDeleteConversation(x *exchange) error {
	if !x.sim.memory.conversations.remove(x.ids[0]) {
		return unknownConversation(x.ids[0])
	}
	return x.deliver(deletedObject{ID: x.ids[0], Object: "conversation.deleted", Deleted: true, Extra: x.extra()})
}

func serveCreateItems(x *exchange) error {
	q, e := x.query("include")
	if e != nil {
		return e
	}
	include, e := includeOf(q)
	if e != nil {
		return e
	}
	var req createItems
	if e := decode(x.body, &req); e != nil {
		return e
	}
	if _, e := x.conversation(); e != nil {
		return e
	}
	if req.Items == nil {
		return missing("items")
	}
	items, e := x.readItems(*req.Items)
	if e != nil {
		return e
	}
	if !x.sim.memory.append(x.ids[0], items) {
		return unknownConversation(x.ids[0])
	}
	show := func(it *item) any { return it.show(include) }
	return x.deliver(x.list(shown(items, show), first(items, itemID), last(items, itemID), false))
}

func serveItems(x *exchange) error {
	p, q, e := x.paging(usualPaging("include"))
	if e != nil {
		return e
	}
	include, e := includeOf(q)
	if e != nil {
		return e
	}
	c, e := x.conversation()
	if e != nil {
		return e
	}
	return deliverPage(x, p, c.items, itemID, func(it *item) any { return it.show(include) })
}

func unknownItem(id string) *apiError { return notFound("", "Item with id '%s' not found.", id) }

func serveItem(x *exchange) error {
	q, e := x.query("include")
	if e != nil {
		return e
	}
	include, e := includeOf(q)
	if e != nil {
		return e
	}
	c, e := x.conversation()
	if e != nil {
		return e
	}
	it, ok := itemIn(c.items, x.ids[1])
	if !ok {
		return unknownItem(x.ids[1])
	}
	return x.deliver(it.show(include))
}

// serveDeleteItem answers with the conversation that the item was in.
func serveDeleteItem(x *exchange) error {
	found := false
	c, ok := x.sim.memory.conversations.change(x.ids[0], func(c *conversation) (*conversation, int64) {
		changed := *c
		changed.items = slices.DeleteFunc(slices.Clone(c.items), func(it *item) bool { return it.id == x.ids[1] })
		found = len(changed.items) < len(c.items)
		return &changed, 0
	})
	if !ok {
		return unknownConversation(x.ids[0])
	}
	if !found {
		return unknownItem(x.ids[1])
	}
	return x.deliver(c.object(x))
}
