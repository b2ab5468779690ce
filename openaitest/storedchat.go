package openaitest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// storedChat is a chat completion as it is kept.
type storedChat struct {
	object   chatObject
	model    string // as it was asked for
	messages []storedMessage
}

// storedMessage is one message of a stored chat. Parts are null when the content is a
// text, and the content is null when there are parts.
type storedMessage struct {
	ID        string         `json:"id"`
	Role      string         `json:"role"`
	Content   *string        `json:"content"`
	Name      *string        `json:"name"`
	Refusal   *string        `json:"refusal"`
	Parts     jsontext.Value `json:"content_parts"`
	ToolCalls []chatToolCall `json:"tool_calls,omitzero"`
}

func chatRoutes() []route {
	return []route{
		{http.MethodGet, "/chat/completions", mediaNone, serveStoredChats},
		{http.MethodGet, "/chat/completions/{id}", mediaNone, serveStoredChat},
		{http.MethodPost, "/chat/completions/{id}", mediaJSON, serveUpdateChat},
		{http.MethodDelete, "/chat/completions/{id}", mediaNone, serveDeleteChat},
		{http.MethodGet, "/chat/completions/{id}/messages", mediaNone, serveChatMessages},
	}
}

func unknownChat(id string) *apiError {
	return notFound("", "Chat completion with id '%s' not found.", id)
}

// remember keeps the chat if it is to be stored.
func (g *chatRun) remember(o chatObject) {
	if !orElse(g.req.Store, false) {
		return
	}
	o.Extra = ""
	c := &storedChat{object: o, model: g.req.Model}
	for i, m := range g.req.Messages {
		c.messages = append(c.messages, m.stored(o.ID+"-"+itoa(i)))
	}
	g.x.sim.memory.chats.put(o.ID, c, 2048+int64(len(g.x.body))+8*o.outputTokens())
}

func (o chatObject) outputTokens() int64 {
	if o.Usage == nil {
		return 0
	}
	return o.Usage.CompletionTokens
}

func (m chatMessage) stored(id string) storedMessage {
	out := storedMessage{ID: id, Role: m.Role, Name: orNull(m.Name), Refusal: m.Refusal, Parts: jsontext.Value("null"), ToolCalls: m.ToolCalls}
	if m.Content.Kind() == '[' {
		out.Parts = m.Content
	} else if present(m.Content) {
		text := textOf(m.Content)
		out.Content = &text
	}
	return out
}

func (x *exchange) storedChat() (*storedChat, *apiError) {
	c, ok := x.sim.memory.chats.get(x.ids[0])
	if !ok {
		return nil, unknownChat(x.ids[0])
	}
	return c, nil
}

func (c *storedChat) show(x *exchange) any {
	o := c.object
	o.Extra = x.extra()
	return o
}

func serveStoredChats(x *exchange) error {
	rules := usualPaging("model", "metadata")
	rules.order = "asc"
	p, q, e := x.paging(rules)
	if e != nil {
		return e
	}
	var fit []*storedChat
	for _, c := range x.sim.memory.chats.all() {
		if c.fits(q) {
			fit = append(fit, c)
		}
	}
	return deliverPage(x, p, fit, func(c *storedChat) string { return c.object.ID }, func(c *storedChat) any { return c.show(x) })
}

// fits holds a chat against the query's model and metadata[name]=value.
func (c *storedChat) fits(q url.Values) bool {
	if m := q.Get("model"); q.Has("model") && m != c.model && m != c.object.Model {
		return false
	}
	for name := range q {
		inner, ok := strings.CutPrefix(name, "metadata[")
		if have, there := c.object.Metadata[strings.TrimSuffix(inner, "]")]; ok && (!there || have != q.Get(name)) {
			return false
		}
	}
	return true
}

func serveStoredChat(x *exchange) error {
	if _, e := x.query(); e != nil {
		return e
	}
	c, e := x.storedChat()
	if e != nil {
		return e
	}
	return x.deliver(c.show(x))
}

func serveUpdateChat(x *exchange) error {
	metadata, e := x.readMetadata()
	if e != nil {
		return e
	}
	c, ok := x.sim.memory.chats.change(x.ids[0], func(c *storedChat) (*storedChat, int64) {
		changed := *c
		changed.object.Metadata = metadata
		return &changed, 0
	})
	if !ok {
		return unknownChat(x.ids[0])
	}
	return x.deliver(c.show(x))
}

func serveDeleteChat(x *exchange) error {
	if !x.sim.memory.chats.remove(x.ids[0]) {
		return unknownChat(x.ids[0])
	}
	return x.deliver(deletedObject{ID: x.ids[0], Object: "chat.completion.deleted", Deleted: true, Extra: x.extra()})
}

func serveChatMessages(x *exchange) error {
	rules := usualPaging()
	rules.order = "asc"
	p, _, e := x.paging(rules)
	if e != nil {
		return e
	}
	c, e := x.storedChat()
	if e != nil {
		return e
	}
	return deliverPage(x, p, c.messages, func(m storedMessage) string { return m.ID }, func(m storedMessage) any { return m })
}
