package openai

// generationRows are the endpoints that run a model on what the body brings,
// and the models themselves.
var generationRows = []*Row{
	{
		Name: EndpointResponses, Method: post, Path: "/responses", Streams: true,
		object: &object{fields: responsesMembers()}, answer: whole(responseAnswer),
		generates: true, input: "input", makes: KindResponse, makesItems: true, events: responseEvents,
	},
	{
		Name: EndpointChat, Method: post, Path: "/chat/completions", Streams: true,
		object: &object{fields: chatMembers()}, answer: whole(chatAnswer),
		generates: true, input: "messages", makes: KindCompletion,
	},
	{
		Name: EndpointEmbeddings, Method: post, Path: "/embeddings", input: "input",
		object: &object{fields: embeddingsMembers()}, answer: whole(embeddingsAnswer),
	},
	{
		Name: EndpointModerations, Method: post, Path: "/moderations", input: "input",
		object: &object{fields: moderationsMembers()}, answer: whole(moderationsAnswer),
	},
	{Name: EndpointModels, Method: get, Path: "/models"},
	{Name: EndpointModel, Method: get, Path: "/models/{model}"},
}
