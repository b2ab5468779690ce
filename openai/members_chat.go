package openai

// The members of POST /chat/completions.
//
// Denied, because they cost what the caps do not bound or refer to what is
// stored: audio in and out, files, predictions (whose rejected tokens are
// charged beside the cap), moderation of the answer, longer cache retention.
// web_search_options stands for the hosted tool web_search.

var chatText = variant{name: "text", object: &object{fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "text", is: anyString, need: true},
	noBreakpoint,
}}}

var chatRefusal = variant{name: "refusal", object: &object{fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "refusal", is: anyString, need: true},
}}}

var chatImage = variant{name: "image_url", object: &object{fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "image_url", need: true, is: members(
		field{name: "url", is: imageURL, need: true},
		field{name: "detail", is: imageDetail},
	)},
	noBreakpoint,
}}}

var (
	chatTextParts = or(anyString, list(tagged("type", chatText), 1, 0))
	chatUserParts = or(anyString, list(tagged("type", chatText, chatImage,
		variant{name: "input_audio", why: whyAudio},
		variant{name: "file", why: whyFile},
	), 1, 0))
	chatAssistantParts = orNull(or(anyString, list(tagged("type", chatText, chatRefusal), 1, 0)))
)

var chatToolCall = tagged("type",
	variant{name: "function", object: &object{fields: []field{
		{name: "id", is: shortString, need: true},
		{name: "type", is: anyString, need: true},
		{name: "function", need: true, is: members(
			field{name: "name", is: shortString, need: true},
			field{name: "arguments", is: anyString, need: true},
		)},
	}}},
	variant{name: "custom", object: &object{fields: []field{
		{name: "id", is: shortString, need: true},
		{name: "type", is: anyString, need: true},
		{name: "custom", need: true, is: members(
			field{name: "name", is: shortString, need: true},
			field{name: "input", is: anyString, need: true},
		)},
	}}},
)

var chatInstruction = &object{gate: gateInstructions, fields: []field{
	{name: "role", is: anyString, need: true},
	{name: "content", is: chatTextParts, need: true},
	{name: "name", is: nullString},
}}

var chatMessage = tagged("role",
	variant{name: "user", object: &object{fields: []field{
		{name: "role", is: anyString, need: true},
		{name: "content", is: chatUserParts, need: true},
		{name: "name", is: nullString},
	}}},
	variant{name: "assistant", object: &object{fields: []field{
		{name: "role", is: anyString, need: true},
		{name: "content", is: chatAssistantParts},
		{name: "tool_calls", is: orNull(list(chatToolCall, 0, maxTools))},
		{name: "refusal", is: nullString},
		{name: "name", is: nullString},
		// An answer is sent back as it came; its citations say nothing new.
		{name: "annotations", rule: drop},
		{name: "audio", rule: refuse, why: whyStored},
		{name: "function_call", is: orNull(members(
			field{name: "name", is: shortString, need: true},
			field{name: "arguments", is: anyString, need: true},
		))},
	}}},
	variant{name: "tool", object: &object{fields: []field{
		{name: "role", is: anyString, need: true},
		{name: "tool_call_id", is: shortString, need: true},
		{name: "content", is: chatTextParts, need: true},
		{name: "name", is: nullString},
	}}},
	variant{name: "function", object: &object{fields: []field{
		{name: "role", is: anyString, need: true},
		{name: "name", is: shortString, need: true},
		{name: "content", is: nullString, need: true},
	}}},
	variant{name: "system", object: chatInstruction},
	variant{name: "developer", object: chatInstruction},
)

var chatFunction = members(
	field{name: "name", is: shortString, need: true},
	field{name: "description", is: nullString},
	field{name: "parameters", is: ownObject},
	field{name: "strict", is: boolean},
)

var chatTool = tagged("type",
	variant{name: "function", object: &object{gate: gateTool("function"), fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "function", is: chatFunction, need: true},
	}}},
	variant{name: "custom", object: &object{gate: gateTool("custom"), fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "custom", need: true, is: members(
			field{name: "name", is: shortString, need: true},
			field{name: "description", is: nullString},
			field{name: "format", is: orNull(tagged("type",
				variant{name: "text", object: onlyType},
				variant{name: "grammar", object: &object{fields: []field{
					{name: "type", is: anyString, need: true},
					{name: "grammar", is: grammar, need: true},
				}}},
			))},
		)},
	}}},
)

var onlyType = &object{fields: []field{{name: "type", is: anyString, need: true}}}

var grammar = members(
	field{name: "syntax", is: anyString, need: true},
	field{name: "definition", is: anyString, need: true},
)

var chatNamed = []variant{
	{name: "function", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "function", is: onlyName, need: true},
	}}},
	{name: "custom", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "custom", is: onlyName, need: true},
	}}},
}

var onlyName = members(field{name: "name", is: shortString, need: true})

var chatToolChoice = orNull(or(oneOf("none", "auto", "required"), tagged("type",
	append([]variant{{name: "allowed_tools", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "allowed_tools", need: true, is: members(
			field{name: "mode", is: oneOf("auto", "required"), need: true},
			field{name: "tools", is: list(tagged("type", chatNamed...), 0, maxTools), need: true},
		)},
	}}}}, chatNamed...)...,
)))

var chatFormat = orNull(tagged("type",
	variant{name: "text", object: onlyType},
	variant{name: "json_object", object: onlyType},
	variant{name: "json_schema", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "json_schema", need: true, is: members(
			field{name: "name", is: shortString, need: true},
			field{name: "description", is: nullString},
			field{name: "schema", is: ownObject},
			field{name: "strict", is: boolean},
		)},
	}}},
))

var location = orNull(members(
	field{name: "type", is: exactly("approximate"), need: true},
	field{name: "approximate", need: true, is: members(
		field{name: "country", is: nullString}, field{name: "region", is: nullString},
		field{name: "city", is: nullString}, field{name: "timezone", is: nullString},
	)},
))

func chatMembers() []field {
	return append([]field{
		{name: "model", is: modelName, need: true, take: takeModel},
		{name: "messages", is: list(chatMessage, 1, 0), need: true, counts: true},
		{name: "stream", is: boolean, take: takeStream},
		{name: "stream_options", is: streamOptions, take: takeStreamOptions},
		{name: "max_completion_tokens", is: integer, take: takeMaxOutput},
		{name: "max_tokens", is: integer, take: takeMaxOutput},
		{name: "n", is: integer, take: takeChoices},
		{name: "temperature", is: number},
		{name: "top_p", is: number},
		{name: "frequency_penalty", is: number},
		{name: "presence_penalty", is: number},
		{name: "stop", is: orNull(or(anyString, list(anyString, 0, 16)))},
		{name: "seed", is: integer},
		{name: "logit_bias", is: &shape{kinds: kObject | kNull, each: number, most: 1024}},
		{name: "logprobs", is: boolean},
		{name: "top_logprobs", is: integer},
		{name: "response_format", is: chatFormat, counts: true},
		{name: "reasoning_effort", is: nullString},
		{name: "verbosity", is: nullString},
		{name: "modalities", is: orNull(list(&shape{kinds: kString, check: onlyTextModality}, 0, 2))},
		{name: "tools", is: orNull(list(chatTool, 0, maxTools)), counts: true},
		{name: "tool_choice", is: chatToolChoice},
		{name: "parallel_tool_calls", is: boolean},
		{name: "functions", is: orNull(list(gated(chatFunction, gateMember("function")), 0, maxTools)), counts: true},
		{name: "function_call", is: orNull(or(oneOf("none", "auto"), onlyName))},
		{name: "web_search_options", is: orNull(gated(members(
			field{name: "search_context_size", is: oneOf("low", "medium", "high")},
			field{name: "user_location", is: location},
		), gateMember("web_search")))},
		{name: "audio", rule: refuse, why: whyAudio},
		{name: "prediction", rule: refuse, why: whyUnpriced},
		{name: "moderation", rule: refuse, why: whyUnpriced},
	}, sharedMembers()...)
}

// gated is s with a gate before it.
func gated(s *shape, gate func(*walker) error) *shape {
	n := *s
	n.object = &object{fields: s.object.fields, gate: gate}
	return &n
}

// sharedMembers are what the server decides for every generation.
func sharedMembers() []field {
	return append([]field{
		{name: "store", is: boolean, take: takeAndDrop},
		{name: "safety_identifier", is: nullString, take: takeAndDrop},
		{name: "service_tier", is: nullString, take: takeAndDrop},
		{name: "user", is: &shape{kinds: kString | kNull, most: 512}, take: takeUser},
		{name: "metadata", is: metadata, take: takeMetadata},
	}, cacheFields...)
}

var metadata = &shape{kinds: kObject | kNull, most: 16, each: &shape{kinds: kString, most: 512}}

var streamOptions = orNull(members(
	field{name: "include_usage", is: boolean},
	field{name: "include_obfuscation", is: boolean},
))
