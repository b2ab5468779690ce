package openai

// Query parameters that several endpoints have.
var (
	pageQuery    = []string{"after", "limit", "order"}
	includeQuery = []string{"include", "include[]"}
)

// responseRows are the endpoints of stored responses. A caller reaches what they
// made themselves.
var responseRows = []*Row{
	{
		Name: "responses.retrieve", Method: get, Path: "/responses/{response_id}", Query: includeQuery,
		ids: []string{KindResponse}, answer: whole(responseAnswer), modelless: true,
	},
	{
		Name: "responses.delete", Method: del, Path: "/responses/{response_id}", Deletes: true,
		ids: []string{KindResponse}, answer: whole(deletedAnswer), modelless: true,
	},
	{
		Name: "responses.cancel", Method: post, Path: "/responses/{response_id}/cancel",
		ids: []string{KindResponse}, answer: whole(responseAnswer), modelless: true,
	},
	{
		Name: "responses.input_items", Method: get, Path: "/responses/{response_id}/input_items",
		Query: append(includeQuery, pageQuery...),
		ids:   []string{KindResponse}, answer: whole(itemsAnswer), modelless: true,
	},
}

// conversationRows are the endpoints of conversations. Whose an item is follows
// from its conversation.
var conversationRows = []*Row{
	{
		Name: "conversations.create", Method: post, Path: "/conversations",
		object: &object{fields: []field{
			{name: "items", is: orNull(list(inputItem, 0, maxNewItems)), counts: true},
			{name: "metadata", is: metadata, take: takeMetadata},
		}},
		answer: whole(conversationAnswer), makes: KindConversation, always: true, modelless: true, input: "items",
	},
	{
		Name: "conversations.retrieve", Method: get, Path: "/conversations/{conversation_id}",
		ids: []string{KindConversation}, answer: whole(conversationAnswer), modelless: true,
	},
	{
		Name: "conversations.update", Method: post, Path: "/conversations/{conversation_id}",
		object: &object{fields: []field{{name: "metadata", is: metadata, need: true, take: takeMetadata}}},
		ids:    []string{KindConversation}, answer: whole(conversationAnswer), modelless: true, input: "metadata",
	},
	{
		Name: "conversations.delete", Method: del, Path: "/conversations/{conversation_id}", Deletes: true,
		ids: []string{KindConversation}, answer: whole(deletedAnswer), modelless: true,
	},
	{
		Name: "conversations.items.create", Method: post, Path: "/conversations/{conversation_id}/items", Query: includeQuery,
		object: &object{fields: []field{{name: "items", is: list(inputItem, 1, maxNewItems), need: true, counts: true}}},
		ids:    []string{KindConversation}, answer: whole(itemsAnswer), makesItems: true, always: true, modelless: true, input: "items",
	},
	{
		Name: "conversations.items.list", Method: get, Path: "/conversations/{conversation_id}/items",
		Query: append(includeQuery, pageQuery...),
		ids:   []string{KindConversation}, answer: whole(itemsAnswer), modelless: true,
	},
	{
		Name: "conversations.items.retrieve", Method: get, Path: "/conversations/{conversation_id}/items/{item_id}", Query: includeQuery,
		ids: []string{KindConversation, ""}, answer: itemAnswer, modelless: true,
	},
	{
		Name: "conversations.items.delete", Method: del, Path: "/conversations/{conversation_id}/items/{item_id}",
		ids: []string{KindConversation, ""}, answer: whole(conversationAnswer), modelless: true,
	},
}

// maxNewItems is how many items a conversation takes at once (OpenAI).
const maxNewItems = 20

// completionRows are the endpoints of stored chat completions.
var completionRows = []*Row{
	{
		Name: "chat.completions.list", Method: get, Path: "/chat/completions", Query: append([]string{"model"}, pageQuery...),
		Lists: KindCompletion, ReadBy: "chat.completions.retrieve", modelless: true,
	},
	{
		Name: "chat.completions.retrieve", Method: get, Path: "/chat/completions/{completion_id}",
		ids: []string{KindCompletion}, answer: whole(storedChatAnswer), modelless: true,
	},
	{
		Name: "chat.completions.update", Method: post, Path: "/chat/completions/{completion_id}",
		object: &object{fields: []field{{name: "metadata", is: metadata, need: true, take: takeMetadata}}},
		ids:    []string{KindCompletion}, answer: whole(storedChatAnswer), modelless: true, input: "metadata",
	},
	{
		Name: "chat.completions.delete", Method: del, Path: "/chat/completions/{completion_id}", Deletes: true,
		ids: []string{KindCompletion}, answer: whole(deletedAnswer), modelless: true,
	},
	{
		Name: "chat.completions.messages", Method: get, Path: "/chat/completions/{completion_id}/messages", Query: pageQuery,
		ids: []string{KindCompletion}, answer: whole(chatMessagesAnswer), modelless: true,
	},
}
