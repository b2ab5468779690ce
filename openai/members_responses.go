package openai

// The members of POST /responses.
//
// What refers to a response, a conversation or an item is noted, for the guard
// of their owners to judge. Other references are refused: file ids, containers,
// vector stores. Items of a conversation come whole, as a client with store:
// false sends them; the ids that they carry would be references, so they are
// left out.

var inputText = variant{name: "input_text", object: &object{fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "text", is: anyString, need: true},
	noBreakpoint,
}}}

var inputImage = variant{name: "input_image", object: &object{fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "image_url", is: imageURL, take: takeGiven},
	{name: "detail", is: imageDetail},
	{name: "file_id", is: imageFile, take: takeGiven},
	noBreakpoint,
}, end: eitherImage}}

// sentImage comes whole.
var sentImage = variant{name: "input_image", object: &object{fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "image_url", is: imageURL, need: true},
	{name: "detail", is: imageDetail},
	{name: "file_id", rule: refuse, why: whyStored},
	noBreakpoint,
}}}

var inputFile = variant{name: "input_file", why: whyFile}

var messageParts = or(anyString, list(tagged("type", inputText, inputImage, inputFile,
	variant{name: "input_audio", why: whyAudio},
	variant{name: "output_text", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "text", is: anyString, need: true},
		{name: "annotations", rule: drop},
		{name: "logprobs", rule: drop},
	}}},
	variant{name: "refusal", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "refusal", is: anyString, need: true},
	}}},
), 0, 0))

var toolOutput = or(anyString, list(tagged("type", inputText, inputImage, inputFile), 0, 0))

// ownID is the id of an item that comes whole.
var ownID = field{name: "id", rule: drop}

// itemReference stands for an item of an earlier answer.
var itemReference = &object{fields: []field{
	{name: "type", is: nullString},
	{name: "id", is: reference(KindItem), need: true},
}}

var itemStatus = field{name: "status", is: oneOf("in_progress", "completed", "incomplete")}

var caller = field{name: "caller", is: orNull(tagged("type",
	variant{name: "direct", object: onlyType}, variant{name: "program", why: whyProgram}))}

var messageItem = &object{fields: []field{
	{name: "type", is: nullString},
	{name: "role", is: anyString, need: true},
	{name: "content", is: messageParts, need: true},
	ownID, itemStatus,
	{name: "phase", is: oneOf("commentary", "final_answer")},
}}

// instructionItem is a message of the system or a developer.
var instructionItem = &object{gate: gateInstructions, fields: messageItem.fields}

var messageByRole = &union{tag: "role", variants: []variant{
	{name: "user", object: messageItem},
	{name: "assistant", object: messageItem},
	{name: "system", object: instructionItem},
	{name: "developer", object: instructionItem},
}}

func callItem(payload string) *object {
	return &object{fields: []field{
		{name: "type", is: anyString, need: true},
		ownID,
		{name: "call_id", is: shortString, need: true},
		{name: "name", is: shortString, need: true},
		{name: payload, is: anyString, need: true},
		itemStatus,
		{name: "namespace", is: nullString},
		caller,
	}}
}

var callOutputItem = &object{fields: []field{
	{name: "type", is: anyString, need: true},
	ownID,
	{name: "call_id", is: shortString, need: true},
	{name: "output", is: toolOutput, need: true},
	itemStatus,
	{name: "name", is: nullString},
	{name: "namespace", is: nullString},
	caller,
}}

// reasoningItem must bring its content: without it, it is a reference to what
// was never stored.
var reasoningItem = &object{fields: []field{
	{name: "type", is: anyString, need: true},
	ownID,
	{
		name: "encrypted_content", is: &shape{kinds: kString, least: 1}, need: true, take: takeEncrypted,
		missing: `Reasoning comes back with its content alone: ask for it by include ["reasoning.encrypted_content"]`,
	},
	{name: "summary", is: list(tagged("type", variant{name: "summary_text", object: plainText}), 0, 0)},
	{name: "content", is: orNull(list(tagged("type", variant{name: "reasoning_text", object: plainText}), 0, 0))},
	itemStatus,
}}

var plainText = &object{fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "text", is: anyString, need: true},
}}

var searchItem = &object{gate: gateSearchItem, fields: []field{
	{name: "type", is: anyString, need: true},
	ownID,
	{name: "status", is: nullString},
	{name: "action", is: ownObject},
}}

var inputItem = &shape{kinds: kObject, union: &union{tag: "type", absent: untypedItem, variants: []variant{
	{name: "message", union: messageByRole},
	{name: "function_call", object: callItem("arguments")},
	{name: "function_call_output", object: callOutputItem},
	{name: "custom_tool_call", object: callItem("input")},
	{name: "custom_tool_call_output", object: callOutputItem},
	{name: "reasoning", object: reasoningItem},
	{name: "web_search_call", object: searchItem},
	{name: "item_reference", object: itemReference},
	{name: "file_search_call", object: fileSearchItem},
	{name: "computer_call", why: whyHosted},
	{name: "computer_call_output", why: whyHosted},
	{name: "code_interpreter_call", why: whyHosted},
	{name: "image_generation_call", why: whyHosted},
	{name: "local_shell_call", why: whyHosted},
	{name: "local_shell_call_output", why: whyHosted},
	{name: "shell_call", why: whyHosted},
	{name: "shell_call_output", why: whyHosted},
	{name: "apply_patch_call", why: whyHosted},
	{name: "apply_patch_call_output", why: whyHosted},
	{name: "mcp_list_tools", why: whyHosted},
	{name: "mcp_approval_request", why: whyHosted},
	{name: "mcp_approval_response", why: whyHosted},
	{name: "mcp_call", why: whyHosted},
	{name: "tool_search_call", why: whyHosted},
	{name: "tool_search_output", why: whyHosted},
	{name: "additional_tools", why: whyHosted},
	{name: "program", why: whyProgram},
	{name: "program_output", why: whyProgram},
	{name: "compaction", why: whyUnpriced},
	{name: "compaction_trigger", why: whyUnpriced},
}}}

var textFormat = orNull(tagged("type",
	variant{name: "text", object: onlyType},
	variant{name: "json_object", object: onlyType},
	variant{name: "json_schema", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "name", is: shortString, need: true},
		{name: "description", is: nullString},
		{name: "schema", is: ownObject, need: true},
		{name: "strict", is: boolean},
	}}},
))

var reasoning = orNull(members(
	field{name: "effort", is: nullString},
	field{name: "summary", is: nullString},
	field{name: "generate_summary", is: nullString},
	field{name: "context", is: nullString},
	// Other modes work several times as much for one answer.
	field{name: "mode", is: &shape{kinds: kString | kNull, check: onlyStandardMode}},
))

func responsesMembers() []field {
	return append([]field{
		{name: "model", is: modelName, need: true, take: takeModel},
		{name: "input", is: or(anyString, list(inputItem, 1, 0)), need: true, counts: true},
		{name: "instructions", is: nullString, take: takeInstructions, counts: true},
		{name: "stream", is: boolean, take: takeStream},
		{name: "stream_options", is: responsesStreamOptions, take: takeStreamOptions},
		{name: "max_output_tokens", is: integer, take: takeMaxOutput},
		{name: "temperature", is: number},
		{name: "top_p", is: number},
		{name: "top_logprobs", is: integer},
		{name: "text", counts: true, is: orNull(members(
			field{name: "format", is: textFormat},
			field{name: "verbosity", is: nullString},
		))},
		{name: "reasoning", is: reasoning},
		{name: "tools", is: orNull(list(responsesTool, 0, maxTools)), counts: true},
		{name: "tool_choice", is: responsesToolChoice},
		{name: "parallel_tool_calls", is: boolean},
		{name: "max_tool_calls", is: orNull(bounded(0, maxToolCalls)), take: takeMaxToolCalls},
		{name: "include", is: orNull(list(&shape{kinds: kString, check: checkInclude}, 0, 16))},
		{name: "truncation", is: oneOf("auto", "disabled")},
		{name: "background", is: boolean, take: takeBackground},
		{name: "prompt", is: prompt, take: takePrompt, counts: true},
		{name: "previous_response_id", is: reference(KindResponse), take: takeGiven},
		{name: "conversation", take: takeGiven, is: or(reference(KindConversation), members(
			field{name: "id", is: reference(KindConversation), need: true},
		))},
		{name: "moderation", rule: refuse, why: whyUnpriced},
		{name: "context_management", rule: refuse, why: whyUnpriced},
	}, sharedMembers()...)
}

// prompt is a stored prompt of the operator's, by allow list.
var prompt = orNull(members(
	field{name: "id", is: &shape{kinds: kString, least: 1, check: checkPrompt}, need: true},
	field{name: "version", is: nullString},
	field{name: "variables", is: &shape{
		kinds: kObject | kNull, most: 64,
		each: or(anyString, tagged("type", inputText, sentImage, inputFile)),
	}},
))

var responsesStreamOptions = orNull(members(field{name: "include_obfuscation", is: boolean}))
