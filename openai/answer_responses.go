package openai

// What may come back of POST /responses, plain and streamed.

var annotation = aTyped(
	aType("url_citation",
		answerMember{name: "start_index", is: aNumber, need: true},
		answerMember{name: "end_index", is: aNumber, need: true},
		answerMember{name: "url", is: aString, need: true},
		answerMember{name: "title", is: aText, fill: `""`},
	),
	fileCitation,
)

var outputText = aType("output_text",
	answerMember{name: "text", is: aString, need: true, do: text},
	answerMember{name: "annotations", is: &answer{kinds: kArray, elem: annotation}, fill: "[]"},
	answerMember{name: "logprobs", is: &answer{kinds: kArray, elem: logprob}, fill: "[]"},
)

var outputPart = aTyped(outputText,
	aType("refusal", answerMember{name: "refusal", is: aString, need: true, do: text}),
	aType("reasoning_text", answerMember{name: "text", is: aString, need: true, do: text}),
)

var summaryPart = aTyped(aType("summary_text", answerMember{name: "text", is: aString, need: true, do: text}))

var callerMember = answerMember{name: "caller", is: aTyped(aType("direct"))}

func aCall(name, payload string) answerType {
	return aType(name,
		answerMember{name: "id", is: aString, do: madeItem},
		answerMember{name: "status", is: aText},
		answerMember{name: payload, is: aString, need: true, do: text},
		answerMember{name: "call_id", is: aString, need: true},
		answerMember{name: "name", is: aString, need: true},
		answerMember{name: "namespace", is: aText},
		callerMember,
	)
}

var outputItem = aTyped(
	aType("message",
		answerMember{name: "id", is: aString, need: true, do: madeItem},
		answerMember{name: "status", is: aText},
		answerMember{name: "role", is: aExactly("assistant"), fill: `"assistant"`},
		answerMember{name: "content", is: &answer{kinds: kArray, elem: outputPart}, fill: "[]"},
		answerMember{name: "phase", is: aText},
	),
	aType("reasoning",
		answerMember{name: "id", is: aString, need: true, do: madeItem},
		answerMember{name: "summary", is: &answer{kinds: kArray, elem: summaryPart}, fill: "[]"},
		answerMember{name: "content", is: aList(outputPart)},
		answerMember{name: "encrypted_content", is: aText},
		answerMember{name: "status", is: aText},
	),
	aCall("function_call", "arguments"),
	aCall("custom_tool_call", "input"),
	toolType(calledWebSearch, aType("web_search_call",
		answerMember{name: "id", is: aString, need: true, do: madeItem},
		answerMember{name: "status", is: aText},
		answerMember{name: "action", is: aTyped(
			aType("search",
				answerMember{name: "query", is: aText},
				answerMember{name: "queries", is: aStrings},
				answerMember{name: "sources", is: aList(aTyped(aType("url", answerMember{name: "url", is: aString, need: true})))},
			),
			aType("open_page", answerMember{name: "url", is: aText}),
			aType("find_in_page", answerMember{name: "url", is: aText}, answerMember{name: "pattern", is: aText}),
		)},
	)),
	fileSearchCall,
	toolType(calledInterpreter, aType("code_interpreter_call",
		answerMember{name: "id", is: aString, need: true, do: madeItem},
		answerMember{name: "status", is: aText},
		answerMember{name: "code", is: aText, fill: "null", do: text},
		// The container is an object of the account; the shape asks for a string.
		answerMember{name: "container_id", do: hide, fill: `""`},
		answerMember{name: "outputs", fill: "null", is: aList(aTyped(
			aType("logs", answerMember{name: "logs", is: aString, need: true}),
			aType("image", answerMember{name: "url", is: aString, need: true}),
		))},
	)),
	toolType(calledImage, aType("image_generation_call",
		answerMember{name: "id", is: aString, need: true, do: madeItem},
		answerMember{name: "status", is: aText},
		answerMember{name: "result", is: aText, fill: "null"},
		answerMember{name: "background", is: aText},
		answerMember{name: "output_format", is: aText},
		answerMember{name: "quality", is: aText},
		answerMember{name: "size", is: aText},
		answerMember{name: "revised_prompt", is: aText},
		answerMember{name: "action", is: aText},
	)),
)

// echoedTool is a tool as the caller brought it.
var echoedTool = aTyped(
	aType("function",
		answerMember{name: "name", is: aString, need: true},
		answerMember{name: "description", is: aText},
		answerMember{name: "parameters", is: aVerbatim, fill: "null"},
		answerMember{name: "output_schema", is: aVerbatim},
		answerMember{name: "strict", is: aBool, fill: "null"},
	),
	aType("custom",
		answerMember{name: "name", is: aString, need: true},
		answerMember{name: "description", is: aText},
		answerMember{name: "format", is: aVerbatim},
	),
	echoedSearch("web_search"), echoedSearch("web_search_2025_08_26"),
	echoedSearch("web_search_preview"), echoedSearch("web_search_preview_2025_03_11"),
	aType("code_interpreter", answerMember{name: "container", is: aTyped(aType("auto")), fill: `{"type":"auto"}`}),
	aType("image_generation"),
	echoedFileSearch,
)

func echoedSearch(name string) answerType {
	return aType(name,
		answerMember{name: "search_context_size", is: aText},
		answerMember{name: "user_location", is: aVerbatim},
		answerMember{name: "filters", is: aVerbatim},
		answerMember{name: "external_web_access", is: aBool},
	)
}

var responseAnswer = &answerObject{[]answerMember{
	{name: "id", is: aString, need: true, do: madeObject},
	{name: "object", is: aExactly("response"), need: true},
	{name: "created_at", is: aNumber, need: true},
	{name: "status", is: aText},
	{name: "background", is: aBool},
	{name: "completed_at", is: aNumber},
	{name: "error", do: fault, fill: "null"},
	{name: "incomplete_details", fill: "null", is: aObject(answerMember{name: "reason", is: aText})},
	{name: "instructions", is: aVerbatim, do: ownInstructions, fill: "null"},
	{name: "max_output_tokens", is: aNumber},
	{name: "max_tool_calls", is: aNumber},
	{name: "model", is: aString, need: true},
	{name: "output", need: true, is: &answer{kinds: kArray, elem: outputItem}},
	{name: "parallel_tool_calls", is: aBool, fill: "true"},
	{name: "previous_response_id", is: aText, fill: "null"},
	{name: "prompt", is: aVerbatim, do: ownPrompt},
	{name: "prompt_cache_key", is: aText},
	{name: "prompt_cache_retention", is: aText},
	{name: "reasoning", is: aObject(
		answerMember{name: "effort", is: aText, fill: "null"},
		answerMember{name: "summary", is: aText, fill: "null"},
		answerMember{name: "context", is: aText},
		answerMember{name: "mode", is: aText},
	)},
	{name: "safety_identifier", do: hide, fill: "null"},
	{name: "service_tier", is: aText},
	{name: "store", is: aBool},
	{name: "temperature", is: aNumber, fill: "null"},
	{name: "text", is: aObject(
		answerMember{name: "format", is: aVerbatim},
		answerMember{name: "verbosity", is: aText},
	)},
	{name: "tool_choice", is: aOrText(aObject(
		answerMember{name: "type", is: aString, need: true},
		answerMember{name: "name", is: aText},
		answerMember{name: "mode", is: aText},
		answerMember{name: "tools", is: aVerbatim},
	)), fill: `"auto"`},
	{name: "tools", is: &answer{kinds: kArray, elem: echoedTool}, fill: "[]"},
	{name: "top_logprobs", is: aNumber},
	{name: "top_p", is: aNumber, fill: "null"},
	{name: "truncation", is: aText},
	{name: "usage", do: usage, is: responsesUsage},
	{name: "user", is: aText, do: ownUser, fill: "null"},
	{name: "metadata", is: aVerbatim, do: ownMetadata, fill: "null"},
}}

var responsesUsage = aObject(
	answerMember{name: "input_tokens", is: aNumber},
	answerMember{name: "input_tokens_details", is: usageDetails},
	answerMember{name: "output_tokens", is: aNumber},
	answerMember{name: "output_tokens_details", is: usageDetails},
	answerMember{name: "total_tokens", is: aNumber},
)

// eventTable are the events of a stream that pass.
type eventTable struct {
	events []responseEvent
	// named says that each has its name on a line of its own, and numbered that
	// each has its number, an error too.
	named, numbered bool
}

// responseEvent is an event of a stream: what is in it, and what it means.
type responseEvent struct {
	name   string
	object *answerObject
	// end says that nothing comes after; delta that its text is new.
	end, delta bool
}

// event makes an event of the members that every one has and more.
func event(name string, more ...answerMember) responseEvent {
	return responseEvent{name: name, object: &answerObject{append([]answerMember{
		{name: "type", is: aString, need: true},
		{name: "sequence_number", is: aNumber, do: sequence},
	}, more...)}}
}

// partEvent is about one part of an item.
func partEvent(name string, more ...answerMember) responseEvent {
	return event(name, append([]answerMember{
		{name: "item_id", is: aText},
		{name: "output_index", is: aNumber},
		{name: "content_index", is: aNumber},
		{name: "summary_index", is: aNumber},
	}, more...)...)
}

func deltaEvent(name string, more ...answerMember) responseEvent {
	e := partEvent(name, append([]answerMember{
		{name: "delta", is: aString, need: true, do: text},
		{name: "obfuscation", is: aText, do: padding},
	}, more...)...)
	e.delta = true
	return e
}

func wholeEvent(name string, end bool) responseEvent {
	e := event(name, answerMember{name: "response", need: true, is: &answer{kinds: kObject, object: responseAnswer}})
	e.end = end
	return e
}

var tokenLogprobs = answerMember{name: "logprobs", is: &answer{kinds: kArray, elem: logprob}, fill: "[]"}

// responseEvents are the events that pass. Others are left out.
var responseEvents = &eventTable{named: true, numbered: true, events: []responseEvent{
	deltaEvent("response.output_text.delta", tokenLogprobs),
	deltaEvent("response.function_call_arguments.delta"),
	deltaEvent("response.reasoning_summary_text.delta"),
	deltaEvent("response.reasoning_text.delta"),
	deltaEvent("response.custom_tool_call_input.delta"),
	deltaEvent("response.refusal.delta"),
	deltaEvent("response.code_interpreter_call_code.delta"),
	wholeEvent("response.created", false),
	wholeEvent("response.queued", false),
	wholeEvent("response.in_progress", false),
	wholeEvent("response.completed", true),
	wholeEvent("response.incomplete", true),
	wholeEvent("response.failed", true),
	partEvent("response.output_item.added", answerMember{name: "item", is: outputItem, need: true}),
	partEvent("response.output_item.done", answerMember{name: "item", is: outputItem, need: true}),
	partEvent("response.content_part.added", answerMember{name: "part", is: outputPart, need: true}),
	partEvent("response.content_part.done", answerMember{name: "part", is: outputPart, need: true}),
	partEvent("response.output_text.done", answerMember{name: "text", is: aString, need: true}, tokenLogprobs),
	partEvent("response.output_text.annotation.added",
		answerMember{name: "annotation_index", is: aNumber},
		answerMember{name: "annotation", is: annotation, need: true}),
	partEvent("response.refusal.done", answerMember{name: "refusal", is: aString, need: true}),
	partEvent("response.function_call_arguments.done",
		answerMember{name: "name", is: aText}, answerMember{name: "arguments", is: aString, need: true}),
	partEvent("response.custom_tool_call_input.done", answerMember{name: "input", is: aString, need: true}),
	partEvent("response.reasoning_summary_part.added", answerMember{name: "part", is: summaryPart, need: true}),
	partEvent("response.reasoning_summary_part.done",
		answerMember{name: "part", is: summaryPart, need: true}, answerMember{name: "status", is: aText}),
	partEvent("response.reasoning_summary_text.done", answerMember{name: "text", is: aString, need: true}),
	partEvent("response.reasoning_text.done", answerMember{name: "text", is: aString, need: true}),
	partEvent("response.web_search_call.in_progress"),
	partEvent("response.web_search_call.searching"),
	partEvent("response.web_search_call.completed"),
	partEvent("response.file_search_call.in_progress"),
	partEvent("response.file_search_call.searching"),
	partEvent("response.file_search_call.completed"),
	partEvent("response.code_interpreter_call.in_progress"),
	partEvent("response.code_interpreter_call.interpreting"),
	partEvent("response.code_interpreter_call.completed"),
	partEvent("response.code_interpreter_call_code.done", answerMember{name: "code", is: aString, need: true}),
	partEvent("response.image_generation_call.in_progress"),
	partEvent("response.image_generation_call.generating"),
	partEvent("response.image_generation_call.completed"),
	partEvent("response.image_generation_call.partial_image",
		answerMember{name: "partial_image_index", is: aNumber},
		answerMember{name: "partial_image_b64", is: aString, need: true},
		answerMember{name: "size", is: aText}, answerMember{name: "quality", is: aText},
		answerMember{name: "background", is: aText}, answerMember{name: "output_format", is: aText}),
}}
