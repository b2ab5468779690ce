package openai

// maxTools is how many tools a call may bring.
const maxTools = 128

var customFormat = orNull(tagged("type",
	variant{name: "text", object: onlyType},
	variant{name: "grammar", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "syntax", is: anyString, need: true},
		{name: "definition", is: anyString, need: true},
	}}},
))

// toolCallers and toolLoading belong to hosted ways of calling tools.
var (
	toolCallers = field{name: "allowed_callers", is: orNull(list(exactly("direct"), 0, 8))}
	toolLoading = field{name: "defer_loading", rule: refuse, why: whyHosted}
)

var searchPlace = orNull(members(
	field{name: "type", is: oneOf("approximate")},
	field{name: "country", is: nullString}, field{name: "region", is: nullString},
	field{name: "city", is: nullString}, field{name: "timezone", is: nullString},
))

func searchTool(kind string, more ...field) *object {
	return &object{gate: gateTool(kind), fields: append([]field{
		{name: "type", is: anyString, need: true},
		{name: "user_location", is: searchPlace},
		{name: "search_context_size", is: oneOf("low", "medium", "high")},
	}, more...)}
}

var (
	webSearch = searchTool("web_search",
		field{name: "external_web_access", is: boolean},
		field{name: "filters", is: orNull(members(
			field{name: "allowed_domains", is: orNull(list(anyString, 0, 100))},
		))},
	)
	webSearchPreview = searchTool("web_search_preview",
		field{name: "search_content_types", is: orNull(list(anyString, 0, 8))})
)

// codeInterpreter makes its own container; one by id is an object of the
// account.
var codeInterpreter = &object{gate: gateTool("code_interpreter"), fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "container", need: true, is: &shape{
		kinds: kObject | kString,
		check: refuseStored,
		object: &object{fields: []field{
			{name: "type", is: exactly("auto"), need: true},
			{name: "file_ids", rule: refuse, why: whyStored},
			{name: "memory_limit", rule: refuse, why: whyUnpriced},
			{name: "network_policy", rule: refuse, why: whyHosted},
		}},
	}},
	toolCallers,
}}

var imageGeneration = &object{gate: gateTool("image_generation"), fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "model", is: nullString},
	{name: "quality", is: nullString},
	{name: "size", is: nullString},
	{name: "output_format", is: nullString},
	{name: "output_compression", is: integer},
	{name: "moderation", is: nullString},
	{name: "background", is: nullString},
	{name: "input_fidelity", is: nullString},
	{name: "partial_images", is: integer},
	{name: "action", is: nullString},
	{name: "input_image_mask", rule: refuse, why: whyStored},
}}

// responsesTool lists the types of tools. Those without an object are never
// let through: they refer to objects of the account or act outside of it.
var responsesTool = tagged("type",
	variant{name: "function", object: &object{gate: gateTool("function"), fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "name", is: shortString, need: true},
		{name: "description", is: nullString},
		{name: "parameters", is: ownObject},
		{name: "strict", is: boolean},
		{name: "output_schema", is: ownObject},
		toolLoading, toolCallers,
	}}},
	variant{name: "custom", object: &object{gate: gateTool("custom"), fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "name", is: shortString, need: true},
		{name: "description", is: nullString},
		{name: "format", is: customFormat},
		toolLoading, toolCallers,
	}}},
	variant{name: "web_search", object: webSearch},
	variant{name: "web_search_2025_08_26", object: webSearch},
	variant{name: "web_search_preview", object: webSearchPreview},
	variant{name: "web_search_preview_2025_03_11", object: webSearchPreview},
	variant{name: "code_interpreter", object: codeInterpreter},
	variant{name: "image_generation", object: imageGeneration},
	variant{name: "file_search", object: fileSearch},
	variant{name: "computer", why: whyHosted},
	variant{name: "computer_use", why: whyHosted},
	variant{name: "computer_use_preview", why: whyHosted},
	variant{name: "mcp", why: whyHosted},
	variant{name: "local_shell", why: whyHosted},
	variant{name: "shell", why: whyHosted},
	variant{name: "apply_patch", why: whyHosted},
	variant{name: "namespace", why: whyHosted},
	variant{name: "tool_search", why: whyHosted},
	variant{name: "programmatic_tool_calling", why: whyHosted},
)

// Tools are the types of tools that a policy can allow. function and custom are
// run by the caller; the others cost money of their own.
func Tools() []string {
	return []string{"function", "custom", "web_search", "web_search_preview", "code_interpreter", "image_generation", "file_search"}
}

var namedTool = &object{fields: []field{
	{name: "type", is: anyString, need: true},
	{name: "name", is: shortString, need: true},
}}

// hostedChoice chooses a hosted tool, which is judged as if it were brought.
func hostedChoice(kind string) *object {
	return &object{gate: gateTool(kind), fields: onlyType.fields}
}

var chosenTools = []variant{
	{name: "function", object: namedTool},
	{name: "custom", object: namedTool},
	{name: "web_search", object: hostedChoice("web_search")},
	{name: "web_search_2025_08_26", object: hostedChoice("web_search")},
	{name: "web_search_preview", object: hostedChoice("web_search_preview")},
	{name: "web_search_preview_2025_03_11", object: hostedChoice("web_search_preview")},
	{name: "code_interpreter", object: hostedChoice("code_interpreter")},
	{name: "image_generation", object: hostedChoice("image_generation")},
	{name: "file_search", object: hostedChoice("file_search")},
	{name: "computer", why: whyHosted},
	{name: "computer_use", why: whyHosted},
	{name: "computer_use_preview", why: whyHosted},
	{name: "mcp", why: whyHosted},
	{name: "shell", why: whyHosted},
	{name: "apply_patch", why: whyHosted},
	{name: "programmatic_tool_calling", why: whyHosted},
}

var responsesToolChoice = orNull(or(oneOf("none", "auto", "required"), tagged("type",
	append([]variant{{name: "allowed_tools", object: &object{fields: []field{
		{name: "type", is: anyString, need: true},
		{name: "mode", is: oneOf("auto", "required"), need: true},
		{name: "tools", is: list(tagged("type", chosenTools...), 0, maxTools), need: true},
	}}}}, chosenTools...)...,
)))
