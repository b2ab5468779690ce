package openai

// What may come back of what is stored: deletions, items, conversations and
// chat completions.

var deletedAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true},
	{name: "object", is: aString, need: true},
	{name: "deleted", is: aBool, need: true},
}}

// storedPart is a part of a message as somebody sent it, or the model wrote it.
var storedPart = aTyped(append([]answerType{
	aType("input_text", answerMember{name: "text", is: aString, need: true}),
	aType("text", answerMember{name: "text", is: aString, need: true}),
	aType("summary_text", answerMember{name: "text", is: aString, need: true}),
	aType("input_image",
		answerMember{name: "image_url", is: aText, fill: "null"},
		answerMember{name: "file_id", is: aText, fill: "null"},
		answerMember{name: "detail", is: aText, fill: `"auto"`},
	),
}, outputPart.types...)...)

func aStoredOutput(name string) answerType {
	return aType(name,
		answerMember{name: "id", is: aString},
		answerMember{name: "status", is: aText},
		answerMember{name: "call_id", is: aString, need: true},
		answerMember{name: "output", need: true, is: &answer{kinds: kString | kArray, elem: storedPart}},
	)
}

// storedItem is an item of a conversation or of a response's input. Messages of
// the server are shown to callers who may write them.
var storedItem = aTyped(append([]answerType{
	aType("message",
		answerMember{name: "id", is: aString, need: true, do: madeItem},
		answerMember{name: "status", is: aText},
		answerMember{name: "role", is: aString, need: true, do: ownRole},
		answerMember{name: "content", is: &answer{kinds: kArray, elem: storedPart}, fill: "[]"},
		answerMember{name: "phase", is: aText},
	),
	aStoredOutput("function_call_output"),
	aStoredOutput("custom_tool_call_output"),
}, outputItem.types...)...)

// itemAnswer is one item by itself.
var itemAnswer = storedItem

var itemsAnswer = &answerObject{[]answerMember{
	{name: "object", is: aExactly("list"), need: true},
	{name: "data", need: true, is: &answer{kinds: kArray, elem: storedItem}},
	{name: "first_id", is: aText, fill: "null"},
	{name: "last_id", is: aText, fill: "null"},
	{name: "has_more", is: aBool, need: true},
}}

var conversationAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: aExactly("conversation"), need: true},
	{name: "created_at", is: aNumber, need: true},
	{name: "metadata", is: aVerbatim, do: ownMetadata, fill: "{}"},
}}

// storedChatAnswer is a chat completion as it is kept: with the caller's own
// metadata beside it.
var storedChatAnswer = &answerObject{append([]answerMember{
	{name: "metadata", is: aVerbatim, do: ownMetadata, fill: "null"},
}, chatAnswer.members...)}

var chatMessagesAnswer = &answerObject{[]answerMember{
	{name: "object", is: aExactly("list"), need: true},
	{name: "data", need: true, is: aList(aObject(
		answerMember{name: "id", is: aString, need: true},
		answerMember{name: "role", is: aString, need: true, do: ownRole},
		answerMember{name: "content", is: aText, fill: "null"},
		answerMember{name: "name", is: aText},
		answerMember{name: "refusal", is: aText},
		answerMember{name: "content_parts", is: aList(aTyped(
			aType("text", answerMember{name: "text", is: aString, need: true}),
			aType("image_url", answerMember{name: "image_url", need: true, is: aObject(
				answerMember{name: "url", is: aString, need: true},
				answerMember{name: "detail", is: aText},
			)}),
		))},
		answerMember{name: "tool_calls", is: aVerbatim},
		answerMember{name: "tool_call_id", is: aText},
	))},
	{name: "first_id", is: aText, fill: "null"},
	{name: "last_id", is: aText, fill: "null"},
	{name: "has_more", is: aBool, need: true},
}}
