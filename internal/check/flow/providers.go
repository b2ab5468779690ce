package flow

import (
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
)

// clients are packages that call providers by themselves.
var clients = []string{
	"openai", "openai-edge", "@azure/openai", "@anthropic-ai/sdk", "@google/generative-ai", "@google/genai", "groq-sdk", "@mistralai/mistralai", "cohere-ai", "replicate",
	"together-ai", "@huggingface/inference", "@openrouter/sdk", "@openrouter/ai-sdk-provider", "@fal-ai/client", "@fal-ai/serverless-client", "@cerebras/cerebras_cloud_sdk", "@perplexity-ai/perplexity_ai", "elevenlabs",
	"llamaindex", "@llamaindex/openai", "@openai/agents", "@deepgram/sdk", "assemblyai", "ollama-ai-provider_", "@portkey-ai/gateway", "portkey-ai", "instructor", "@instructor-ai/instructor", "@google-cloud/vertexai",
}

// verbs are the methods by which clients ask.
var verbs = []string{
	"create", "createAndPoll", "createAndRun", "createAndRunPoll", "createAndRunStream", "createAndStream", "submitToolOutputsStream", "submitToolOutputsAndPoll", "stream", "parse", "generate", "edit", "runTools", "createVariation", "generateContent", "generateContentStream",
	"sendMessage", "sendMessageStream", "run", "chat", "complete", "chatStream", "createChatCompletion", "createCompletion", "createEmbedding", "createImage", "getChatCompletions", "getCompletions", "streamChatCompletions",
	"getEmbeddings", "getImages", "textGeneration", "chatCompletion", "chatCompletionStream", "invoke", "call", "batch", "predict", "streamEvents", "query", "embedQuery", "embedDocuments", "transcribe", "textToImage", "subscribe", "embed", "embedContent", "submitToolOutputs", "send", "generateImages", "predictMessages", "asResponse", "convert", "generateImage",
}

var aiFunctions = []string{
	"generateText", "streamText", "generateObject", "streamObject", "embed", "embedMany", "generateImage", "experimental_generateImage", "transcribe", "experimental_transcribe",
	"generateSpeech", "experimental_generateSpeech", "streamUI", "rerank", "experimental_generateVideo",
}

// IsClient reports whether a package calls providers.
func IsClient(pkg string) bool {
	return slices.Contains(clients, pkg) || strings.HasPrefix(pkg, "@ai-sdk/") && pkg != "@ai-sdk/react" && pkg != "@ai-sdk/vue" && pkg != "@ai-sdk/svelte" && pkg != "@ai-sdk/rsc" && pkg != "@ai-sdk/provider" && pkg != "@ai-sdk/provider-utils" && pkg != "@ai-sdk/ui-utils" && pkg != "@ai-sdk/solid" && pkg != "@ai-sdk/angular" ||
		strings.HasPrefix(pkg, "@langchain/") || strings.HasPrefix(pkg, "langchain")
}

// makesModel reports whether what a package of LangChain calls so is a model,
// and no message, prompt or parser.
func makesModel(pkg, name string) bool {
	if !strings.Contains(pkg, "langchain") {
		return true
	}
	switch {
	case strings.Contains(name, "Prompt"), strings.Contains(name, "Message"), strings.Contains(name, "Parser"), strings.Contains(name, "History"), strings.Contains(name, "Splitter"):
		return false
	case strings.HasSuffix(name, "Graph"), strings.HasSuffix(name, "Chain"), strings.HasPrefix(name, "create") && strings.HasSuffix(name, "Agent"), name == "AgentExecutor":
		return true
	case strings.HasPrefix(name, "Chat"), strings.HasSuffix(name, "Embeddings"), strings.HasSuffix(name, "LLM"), name == "OpenAI", name == "AzureOpenAI", name == "initChatModel", name == "DallEAPIWrapper":
		return true
	}
	return false
}

var hosts = []string{
	"api.openai.com", "openai.azure.com", "api.anthropic.com", "openrouter.ai/api", "api.groq.com", "generativelanguage.googleapis.com", "api.mistral.ai", "api.together.xyz", "api.deepseek.com", "api.cohere",
	"api.perplexity.ai", "api.x.ai", "api.replicate.com", "api.fireworks.ai", "ai-gateway.vercel.sh", "gateway.ai.cloudflare.com", "api-inference.huggingface.co", "api.stability.ai", "api.elevenlabs.io", "oai.helicone.ai", "cognitiveservices.azure.com", "router.huggingface.co", "api.cerebras.ai", "api.deepinfra.com",
}

var paths = []string{"/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions", "/v1/embeddings", "/images/generations", "/audio/transcriptions", "/audio/speech", "/openai/deployments", ":generateContent", "/v1/moderations", "/v1/threads", "/v1/assistants"}

// ProviderURL reports whether a URL, with NUL where nothing is known, is one of
// a provider.
func ProviderURL(u string) bool {
	for one := range strings.SplitSeq(u, "|") {
		if providerURL(one) {
			return true
		}
	}
	return false
}

func providerURL(u string) bool {
	if guardedURL(u) || strings.Contains(u, "/realtime") || strings.HasSuffix(strings.TrimRight(u, "\x00/"), "/models") || strings.Contains(u, "/models?") {
		return false
	}
	for _, h := range hosts {
		if strings.Contains(u, h) {
			return true
		}
	}
	if strings.HasPrefix(u, "/") {
		return false
	}
	for _, p := range paths {
		if i := strings.Index(u, p); i > 0 {
			return strings.Contains(u, "://") || strings.HasPrefix(u, "{env:")
		}
	}
	for _, w := range []string{"{env:OPENAI", "{env:AZURE_OPENAI", "{env:LLM", "{env:AI_BASE", "{env:AI_API_URL", "{env:ANTHROPIC"} {
		if strings.Contains(u, w) {
			return true
		}
	}
	return false
}

func guardedURL(u string) bool {
	first, _, _ := strings.Cut(u, "/chat")
	return strings.Contains(strings.ToUpper(u), "CLAVIGER") || strings.Contains(first, "://localhost") || strings.Contains(first, "://127.0.0.1") || strings.Contains(first, "://host.docker.internal") || strings.Contains(first, "://ollama") || strings.Contains(u, "{env:OLLAMA")
}

func (c *call) providers(pkg, path string) (*Value, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	if v, ok := c.fetched(pkg, path, last); ok {
		return v, true
	}
	if strings.HasPrefix(pkg, "@claviger/") || pkg == "claviger" {
		v := *c.foreign(pkg)
		v.Bits |= Guarded
		return &v, true
	}
	if pkg == "ai" && slices.Contains(aiFunctions, last) {
		return c.aiCall(last), true
	}
	if pkg == "ai" {
		return c.aiOther(last)
	}
	client := IsClient(pkg)
	if client && (c.new || strings.HasPrefix(pkg, "@ai-sdk/") || c.recv == nil || strings.HasPrefix(last, "create") && strings.Count(path, ".") == 0 || last == "initChatModel") && !strings.Contains(path, "!") && makesModel(pkg, last) {
		return c.client(pkg, path, last), true
	}
	held := c.fn.Bits&Model != 0 || c.recv != nil && c.recv.Bits&Model != 0
	for _, a := range c.args {
		held = held || a.Bits&Model != 0 && strings.Contains(pkg, "langchain")
	}
	if (held || client && deep(&Value{Items: c.args}).Bits&Model != 0) && slices.Contains(verbs, last) {
		v := c.provider(pkg+"."+last, c.recv, c.arg(0))
		if c.recv != nil && (strings.Contains(c.recv.Str, "pipe(") || strings.Contains(c.recv.Str, "withStructuredOutput") || strings.Contains(c.recv.Str, "RunnableSequence")) {
			v.Bits = v.Bits&^Raw | Output // what a parser has made of it
		}
		return v, true
	}
	if held && (strings.Contains(pkg, "langchain") || last == "getGenerativeModel" || last == "withOptions" || last == "startChat" || last == "pipe" || last == "bindTools" || last == "withStructuredOutput" || strings.HasPrefix(pkg, "@ai-sdk/") || pkg == "llamaindex") || client && deep(&Value{Items: c.args}).Bits&Model != 0 {
		v := *c.foreign(pkg)
		d := deep(&Value{Items: c.args})
		v.Bits |= Model | d.Bits&(Foreign|Guarded)
		if c.recv != nil {
			v.Bits |= c.recv.Bits & (Foreign | Guarded)
		}
		return &v, true
	}
	return nil, false
}

// client makes a provider's client or model.
func (c *call) client(pkg, path, last string) *Value {
	suffix := "()"
	if c.new {
		suffix = "!"
	}
	v := *outside(pkg + "#" + path + suffix)
	v.Args, v.F = c.args, impossible
	v.Bits = Model
	if c.recv != nil {
		v.Bits |= c.recv.Bits & (Foreign | Guarded | Named)
	}
	v.Bits |= c.fn.Bits & (Foreign | Guarded | Named)
	for _, a := range c.args {
		for _, k := range sortedKeys(a.Props) {
			p := a.Props[k]
			if p == nil {
				continue
			}
			switch k {
			case "apiKey", "openAIApiKey", "accessToken", "api_key", "auth", "token", "azureOpenAIApiKey", "dangerouslyApiKey":
				if (len(p.Inputs) > 0 || p.Bits&(Typed|Chosen|Cred) != 0) && len(p.Secrets) == 0 {
					v.Bits |= Foreign
				}
				if len(p.Inputs) > 0 {
					e := c.in.emit(Key, a.Places[k], p, c.st)
					e.Symbol = pkg
				}
			case "baseURL", "baseUrl", "basePath", "endpoint", "configuration", "clientOptions":
				d := deep(p)
				u := pattern(p)
				for _, kk := range []string{"baseURL", "basePath"} {
					if q := p.Props[kk]; q != nil {
						u = pattern(q)
					}
				}
				if guardedURL(u) {
					v.Bits |= Guarded
				}
				if len(d.Inputs) > 0 || d.Bits&Chosen != 0 {
					v.Bits |= Named
					e := c.in.emit(Upstream, a.Places[k], d, c.st)
					e.Symbol = "client"
					e.Foreign = v.Bits&Foreign != 0
				}
			}
		}
	}
	if c.arg(0).Kind == Unknown && len(c.arg(0).Inputs) > 0 && c.new && pkg == "@google/generative-ai" {
		v.Bits |= Foreign
	}
	if !strings.HasPrefix(pkg, "@ai-sdk/") || strings.HasPrefix(last, "create") && !strings.Contains(last, "(") {
		c.in.emit(Construct, c.place(), &Value{Bits: v.Bits, Items: c.args}, c.st).Symbol = pkg
	}
	return &v
}

// provider is a call that spends the key.
func (c *call) provider(name string, with, arg *Value) *Value {
	c.callbacks(0)
	bits := c.fn.Bits
	if with != nil {
		bits |= with.Bits
	}
	for _, a := range c.args {
		bits |= deepModel(a)
	}
	out := &Value{Bits: Raw, F: impossible}
	if bits&Guarded != 0 {
		return &Value{F: impossible}
	}
	e := c.in.emit(Provider, c.place(), &Value{Items: c.args}, c.st)
	e.Symbol, e.Args = name, c.args
	e.Foreign = bits&Foreign != 0
	for _, k := range []string{"max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens", "maxCompletionTokens", "max_new_tokens"} {
		if arg.Props[k] != nil {
			e.Capped = true
		}
	}
	if c.in.run != nil && c.in.quiet == 0 {
		c.in.run.called = true
	}
	if !generates(c, name) {
		e.Capped = true
	}
	return out
}

// generates reports whether a call makes text, of which there can be too much.
func generates(c *call, name string) bool {
	_, path := c.fn.symbol()
	if name == "fetch" {
		path = pattern(c.arg(0))
	}
	for _, w := range []string{"responses", "completions", "messages", "enerateText", "treamText", "enerateObject", "treamObject", "generateContent", "invoke", "stream", "chat"} {
		if strings.Contains(path, w) {
			return !strings.Contains(path, "threads") && !strings.Contains(path, "embed")
		}
	}
	return false
}

func deepModel(v *Value) Bits {
	b := v.Bits & (Foreign | Guarded)
	for _, p := range v.Props {
		if p != nil && p.Bits&Model != 0 {
			b |= p.Bits & (Foreign | Guarded)
		}
	}
	return b
}

// aiCall is a function of the AI SDK.
func (c *call) aiCall(name string) *Value {
	opts := c.arg(0)
	v := *c.provider("ai."+name, opts.Props["model"], opts)
	v.Kind, v.Str = Outside, "ai#result"
	v.Bits = v.Bits&^Raw | Raw
	return &v
}

// aiOther are the AI SDK's functions beside the calls.
func (c *call) aiOther(last string) (*Value, bool) {
	switch last {
	case "toDataStreamResponse", "toUIMessageStreamResponse", "toTextStreamResponse", "toAIStreamResponse", "createUIMessageStreamResponse", "createDataStreamResponse", "StreamingTextResponse":
		c.errorTexts()
		if h := c.in.property(c.arg(0), "headers"); h.Props != nil {
			c.header(h, nothing)
		}
		c.callbacks(0)
		return &Value{Kind: Response, Status: 200, F: impossible}, true
	case "pipeDataStreamToResponse", "pipeUIMessageStreamToResponse", "pipeTextStreamToResponse":
		c.errorTexts()
		return nothing, true
	case "OpenAIStream", "AnthropicStream", "LangChainStream", "toUIMessageStream", "toDataStream", "toTextStream":
		return &Value{Bits: Output, F: impossible}, true
	case "convertToCoreMessages", "convertToModelMessages":
		return opaque(c.arg(0)), true
	case "createOpenAI", "createGateway", "gateway":
		return c.client("ai", last, last), true
	case "ToolLoopAgent", "Experimental_Agent", "Agent":
		v := *c.client("ai", last, last)
		return &v, true
	case "validateUIMessages", "safeValidateUIMessages":
		v := opaque(c.arg(0).Props["messages"])
		c.st.facts = c.st.facts.and(checkedAll(v))
		return v, true
	case "createAgentUIStreamResponse", "createAgentUIStream", "pipeAgentUIStreamToResponse":
		c.provider("ai."+last, c.in.property(c.arg(0), "agent"), c.arg(0))
		if last == "createAgentUIStreamResponse" {
			return &Value{Kind: Response, Status: 200, F: impossible}, true
		}
		return &Value{Bits: Output, F: impossible}, true
	case "generate", "stream", "respond":
		if c.recv != nil && c.recv.Bits&Model != 0 {
			v := *c.provider("ai.agent", c.recv, c.arg(0))
			v.Kind, v.Str = Outside, "ai#result"
			return &v, true
		}
	}
	return nil, false
}

// errorTexts asks the functions that turn an error into what the caller reads.
func (c *call) errorTexts() {
	for _, k := range []string{"onError", "getErrorMessage"} {
		f := c.arg(0).Props[k]
		if f == nil || f.Kind != Function {
			continue
		}
		way := c.st.fork(Facts{})
		v := c.in.invoke(f.Fn, []*Value{{Bits: Failure, F: impossible}}, nil, way, c.node)
		if v.Bits&Failure != 0 {
			at := c.arg(0).Places[k]
			e := c.in.emit(Respond, at, v, c.st)
			e.Stmt = at
		}
	}
}

// fetched are requests over HTTP.
func (c *call) fetched(pkg, path, last string) (*Value, bool) {
	url, opts, ok := c.request(pkg, path, last)
	if !ok {
		return nil, false
	}
	u := pattern(url)
	all := deep(&Value{Items: c.args})
	if opts != nil {
		all = all.mark(deep(opts))
	}
	c.callbacks(1)
	out := &Value{F: impossible}
	if named(url) && len(all.Secrets) > 0 {
		c.args = append([]*Value{unknown}, c.args[min(1, len(c.args)):]...)
		e := c.in.emit(Upstream, c.place(), deep(url), c.st)
		e.Symbol = "fetch"
	}
	if !ProviderURL(u) {
		asks := unknown
		if opts != nil {
			asks = c.in.property(opts, "method")
		}
		looks := strings.Contains(u, "/models") || asks.Kind == Text && strings.EqualFold(asks.Str, "get")
		if !strings.HasPrefix(u, "/") && (all.Bits&(Session|Cred) != 0) && u != "\x00" {
			// Another server is asked who the caller is.
			out = &Value{F: impossible}
			out = out.mark(&Value{Bits: all.Bits & Session})
		}
		if (providerNamed(all) || len(all.Secrets) > 0 && ProviderURL("https://x"+strings.TrimLeft(u, "\x00"))) && !guardedURL(u) && !looks {
			return c.provider("fetch", nil, c.payload(opts)), true
		}
		v := *outside("global#fetch()")
		v.Bits, v.F = out.Bits, impossible
		v.Props = map[string]*Value{}
		if all.Bits&Cred != 0 {
			who := &Value{Bits: Session, T: fact(FactAuth)}
			v.Props["ok"] = who
			v.Props["status"] = who
		} else {
			v.Props = nil
		}
		return &v, true
	}
	v := *c.provider("fetch", nil, c.payload(opts))
	if c.in.run != nil && c.in.quiet == 0 && len(c.in.run.Events) > 0 {
		e := &c.in.run.Events[len(c.in.run.Events)-1]
		if e.Kind == Provider && e.At.Node == c.node && opts != nil {
			h := deep(c.in.property(opts, "headers")).mark(url)
			e.Foreign = len(h.Secrets) == 0 && (h.Bits&(Cred|Chosen|Typed) != 0 || len(deep(c.in.property(opts, "headers")).Inputs) > 0)
			if e.Foreign && len(h.Inputs) > 0 {
				c.in.emit(Key, c.place(), h, c.st).Symbol = "fetch"
			}
		}
	}
	return &v, true
}

// request is the address and the options of a request.
func (c *call) request(pkg, path, last string) (url, opts *Value, ok bool) {
	switch {
	case pkg == "global" && path == "fetch", pkg == "ofetch" || path == "$fetch" || path == "useFetch", pkg == "ky" || pkg == "got" || pkg == "node-fetch" || pkg == "undici" || pkg == "cross-fetch":
		url, opts = c.arg(0), c.arg(1)
	case pkg == "axios":
		url, opts = c.arg(0), c.arg(2)
		if last == "default" || last == "request" || last == "axios" {
			url, opts = c.in.property(c.arg(0), "url"), c.arg(0)
		} else if c.arg(2).Kind == Nothing {
			opts = c.arg(1)
		}
		if last == "create" {
			return nil, nil, false
		}
		if c.recv != nil && strings.Contains(c.recv.Str, "create()") && len(c.recv.Args) > 0 {
			base := c.in.property(c.recv.Args[0], "baseURL")
			url = concat(base, url)
			opts = join(opts, c.recv.Args[0])
		}
	default:
		return nil, nil, false
	}
	return url, opts, true
}

// payload is the body of a request, before it was written as text.
func (c *call) payload(opts *Value) *Value {
	if opts == nil || c.node == nil {
		return unknown
	}
	v := record()
	v.Open = true
	for _, k := range c.node.Kids[1:] {
		k.Walk(func(n *facts.Node) bool {
			if n.Kind == facts.Prop {
				v.Props[n.Str] = unknown
			}
			return true
		})
	}
	return v
}

func providerNamed(v *Value) bool {
	for _, s := range v.Secrets {
		for _, w := range []string{"OPENAI", "ANTHROPIC", "OPENROUTER", "GROQ_API"} {
			if strings.Contains(s.Name, w) {
				return true
			}
		}
	}
	return false
}

// named reports whether the caller chooses the host of a URL.
func named(v *Value) bool {
	if len(v.Inputs) == 0 && v.Bits&Chosen == 0 || v.Kind == Text {
		return false
	}
	for u := range strings.SplitSeq(pattern(v), "|") {
		if hostHole(u) {
			return true
		}
	}
	return false
}

// hostHole reports whether the host of a URL is not known.
func hostHole(u string) bool {
	if u == "" || u[0] == 0 {
		return true
	}
	_, rest, ok := strings.Cut(u, "://")
	if !ok {
		return false
	}
	hole := strings.IndexByte(rest, 0)
	slash := strings.IndexAny(rest, "/?#")
	return hole >= 0 && (slash < 0 || hole < slash)
}
