package openai

// What may come back of POST /chat/completions, plain and streamed.

var chatUsage = aObject(
	answerMember{name: "prompt_tokens", is: aNumber},
	answerMember{name: "completion_tokens", is: aNumber},
	answerMember{name: "total_tokens", is: aNumber},
	answerMember{name: "prompt_tokens_details", is: usageDetails},
	answerMember{name: "completion_tokens_details", is: usageDetails},
)

var chatLogprobs = aObject(
	answerMember{name: "content", is: aList(logprob), fill: "null"},
	answerMember{name: "refusal", is: aList(logprob), fill: "null"},
)

// calledFunction and calledCustom are whole in an answer and come in parts in a
// stream, where only the first part has a name.
var (
	calledFunction = aObject(
		answerMember{name: "name", is: aText},
		answerMember{name: "arguments", is: aText, do: text},
	)
	calledCustom = aObject(
		answerMember{name: "name", is: aText},
		answerMember{name: "input", is: aText, do: text},
	)
)

var chatAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: aExactly("chat.completion"), need: true},
	{name: "created", is: aNumber, need: true},
	{name: "model", is: aString, need: true},
	{name: "choices", need: true, is: &answer{kinds: kArray, elem: &answer{kinds: kObject, object: &answerObject{[]answerMember{
		{name: "index", is: aNumber, need: true},
		{name: "message", need: true, is: &answer{kinds: kObject, object: &answerObject{[]answerMember{
			{name: "role", is: aExactly("assistant"), fill: `"assistant"`},
			{name: "content", is: aText, fill: "null", do: text},
			{name: "refusal", is: aText, fill: "null", do: text},
			{name: "annotations", is: aList(aTyped(aType("url_citation", answerMember{
				name: "url_citation", need: true, is: aObject(
					answerMember{name: "start_index", is: aNumber, need: true},
					answerMember{name: "end_index", is: aNumber, need: true},
					answerMember{name: "url", is: aString, need: true},
					answerMember{name: "title", is: aText},
				),
			})))},
			{name: "tool_calls", is: aList(aTyped(
				aType("function", answerMember{name: "id", is: aString, need: true},
					answerMember{name: "function", is: calledFunction, need: true}),
				aType("custom", answerMember{name: "id", is: aString, need: true},
					answerMember{name: "custom", is: calledCustom, need: true}),
			))},
			{name: "function_call", is: calledFunction},
		}}}},
		{name: "logprobs", is: chatLogprobs, fill: "null"},
		{name: "finish_reason", is: aText, need: true},
	}}}}},
	{name: "usage", is: chatUsage, do: usage},
	{name: "service_tier", is: aText},
	{name: "system_fingerprint", is: aText},
}}

var chatChunk = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: aExactly("chat.completion.chunk"), need: true},
	{name: "created", is: aNumber, need: true},
	{name: "model", is: aString, need: true},
	{name: "service_tier", is: aText},
	{name: "system_fingerprint", is: aText},
	{name: "choices", need: true, is: &answer{kinds: kArray, elem: &answer{kinds: kObject, object: &answerObject{[]answerMember{
		{name: "index", is: aNumber, need: true},
		{name: "delta", need: true, is: &answer{kinds: kObject, object: &answerObject{[]answerMember{
			{name: "role", is: aText},
			{name: "content", is: aText, do: text},
			{name: "refusal", is: aText, do: text},
			{name: "tool_calls", is: aList(aObject(
				answerMember{name: "index", is: aNumber, need: true},
				answerMember{name: "id", is: aText},
				answerMember{name: "type", is: aText},
				answerMember{name: "function", is: calledFunction},
				answerMember{name: "custom", is: calledCustom},
			))},
			{name: "function_call", is: calledFunction},
		}}}},
		{name: "logprobs", is: chatLogprobs},
		{name: "finish_reason", is: aText, fill: "null"},
	}}}}},
	{name: "usage", is: chatUsage, do: chunkUsage},
	{name: "obfuscation", is: aText, do: padding},
}}
