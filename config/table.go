package config

import (
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/openai"
)

// The bounds that the table gives to numbers, where nothing outside gives one.
const (
	maxTimeout  = 24 * time.Hour
	maxTokens   = 100_000_000
	maxTicket   = 15 * time.Minute
	maxBodySize = 1 << 30
)

// rootKind is the table: the whole file, key by key. What it says is what is
// read, checked, suggested, printed and documented. It is made once and never
// changed.
var rootKind = sync.OnceValue(newRoot)

func newRoot() *object[Config] {
	fields := append(serverFields(),
		key("upstream", upstreamKind(), func(c *Config) *Upstream { return &c.Upstream }, "The provider, and how it is reached."),
		key("auth", listOf(authKindTable()).block().or(openRelay), func(c *Config) *[]Authenticator { return &c.Auth },
			"Who callers are. The first authenticator that recognises the credential decides.").needs(openRelay),
		key("plans", listOf(planKind()).block().or(noPlans), func(c *Config) *[]Plan { return &c.Plans },
			"What callers may do. The first plan whose condition holds applies; where none does, the caller is refused.").needs(noPlans),
		key("limits", limitsKind(), func(c *Config) *Limits { return &c.Limits }, "Limits for everyone."),
		key("actions", &keyed[Action]{
			actionKind(), func(a *Action) *string { return &a.Name }, lowerName("the name of an action", "generate-text"),
		}, func(c *Config) *[]Action { return &c.Actions }, "Named actions: the model, the instructions and the form of the input are the server's."),
		key("proxy", maybe(proxyKind()), func(c *Config) **Proxy { return &c.Proxy },
			"The OpenAI-compatible proxy under /v1. Without this key it is off."),
		key("content", maybe(contentKind()), func(c *Config) **Content { return &c.Content },
			"What the texts of callers are held to, for all actions and the proxy. Without it, their form alone is checked."),
	)
	return newObject("the configuration", append(fields, keepingFields()...)...)
}

var noPlans = fault{
	"nobody may call anything",
	"a plan without a condition applies to all: - {name: all, models: [gpt-4.1-mini]}",
}

func serverFields() []field[Config] {
	tls := newObject("TLS",
		key("cert", secretRef(), func(t *TLS) *claviger.Ref { return &t.Cert }, "The certificate chain in PEM, by reference.").must("file:/etc/claviger/cert.pem"),
		key("key", secretRef(), func(t *TLS) *claviger.Ref { return &t.Key }, "Its private key in PEM, by reference.").must("file:/etc/claviger/key.pem"),
	)
	admin := newObject("the admin listener",
		key("listen", listenAddress(), func(a *Admin) *string { return &a.Listen },
			"Where health, metrics and the state of the keys are served: loopback, or an address of a private network. CLAVIGER_ADMIN_LISTEN overrides it.").def("127.0.0.1:8788"),
	)
	return []field[Config]{
		key("environment", choice(Development, "test", "preview", "staging", Production), func(c *Config) *string { return &c.Environment },
			"Which environment this is. All but development are as strict as production.").def(Production),
		key("listen", listenAddress(), func(c *Config) *string { return &c.Listen },
			"The public listener. Beyond loopback it needs tls or behind_tls_proxy. CLAVIGER_LISTEN overrides it.").def("127.0.0.1:8787"),
		key("tls", maybe(tls), func(c *Config) **TLS { return &c.TLS }, "The certificate of the public listener."),
		key("behind_tls_proxy", truth(), func(c *Config) *bool { return &c.BehindTLSProxy },
			"Something in front of the gateway ends TLS, and nothing else reaches it.").def("false"),
		key("admin", admin, func(c *Config) *Admin { return &c.Admin }, "The admin listener."),
		key("origins", listOf(origin()), func(c *Config) *[]string { return &c.Origins },
			"The web origins whose pages may use the gateway, exactly as a browser writes them.").def("[]"),
		key("origin_suffixes", listOf(originSuffix()), func(c *Config) *[]OriginSuffix { return &c.OriginSuffixes },
			"For preview deployments: scheme and end of the host name, beginning with a dot or a hyphen.").def("[]"),
		key("hosts", listOf(hostName()), func(c *Config) *[]string { return &c.Hosts },
			"Further host names under which the gateway is addressed, beside those of listen and origins.").def("[]"),
		key("trusted_proxies", listOf(peer()), func(c *Config) *[]netip.Prefix { return &c.TrustedProxies },
			"The peers whose X-Forwarded-For is believed.").def("[]"),
		key("identity_key", secretRef(), func(c *Config) *claviger.Ref { return &c.IdentityKey },
			"The key of the pseudonyms under which people are known outside of the gateway. Without it, one is made and kept in the state directory."),
	}
}

func upstreamKind() *object[Upstream] {
	timeout := func(name, def, doc string, at func(*Timeouts) *time.Duration) field[Timeouts] {
		return key(name, span(maxTimeout), at, doc).def(def)
	}
	timeouts := newObject("time limits",
		timeout("connect", "5s", "To connect, TLS included.", func(t *Timeouts) *time.Duration { return &t.Connect }),
		timeout("headers", "120s", "To the first header of the answer.", func(t *Timeouts) *time.Duration { return &t.Headers }),
		timeout("idle", "60s", "The longest silence after the headers, in streams and plain answers alike.", func(t *Timeouts) *time.Duration { return &t.Idle }),
		timeout("total", "15m", "For the whole call.", func(t *Timeouts) *time.Duration { return &t.Total }),
	)
	return newObject("the provider",
		key("base_url", webURL("https://api.openai.com/v1"), func(u *Upstream) *string { return &u.BaseURL },
			"The provider's address: https, or http on loopback. CLAVIGER_UPSTREAM overrides it.").def("https://api.openai.com/v1"),
		key("keys", listOf(upstreamKeyKind()).block().some("write [env:OPENAI_API_KEY], or take the key away"), func(u *Upstream) *[]UpstreamKey { return &u.Keys },
			"The provider's keys, by reference.").def("[env:OPENAI_API_KEY]"),
		key("key_header", choice("bearer", "api-key"), func(u *Upstream) *string { return &u.KeyHeader },
			"How the key travels: as a bearer, or in the header api-key, as Azure OpenAI has it (with a base_url as https://NAME.openai.azure.com/openai/v1).").def("bearer"),
		key("key_process", choice("same", "separate"), func(u *Upstream) *string { return &u.KeyProcess },
			"Which process of claviger serve has the keys: the one that reads what callers send, or one of its own that speaks with the provider. separate is for Linux, and not for development.").def("same"),
		key("timeouts", timeouts, func(u *Upstream) *Timeouts { return &u.Timeouts }, "Time limits of a call."),
		key("insecure_http", truth(), func(u *Upstream) *bool { return &u.InsecureHTTP },
			"Let base_url be http beyond loopback: the key then travels for everybody on the way to read.").def("false"),
	)
}

func upstreamKeyKind() kind[UpstreamKey] {
	long := newObject("a key of the provider",
		key("ref", secretRef(), func(k *UpstreamKey) *claviger.Ref { return &k.Ref }, "The key, by reference.").must("env:OPENAI_API_KEY"),
		key("weight", whole(1, 1000), func(k *UpstreamKey) *int64 { return &k.Weight }, "Its share of the calls beside the other keys.").def("1"),
		key("environment", choice(Development, "test", "preview", "staging", Production), func(k *UpstreamKey) *string { return &k.Environment },
			"The one environment in which the key is used. Without it, every one."),
		key("project", anyName("a project", "proj_web"), func(k *UpstreamKey) *string { return &k.Project },
			"The provider's project to which the key belongs. A key that answers for another is taken out of use."),
		key("plans", listOf(anyName("the name of a plan", "pro")).some("as [pro]"), func(k *UpstreamKey) *[]string { return &k.Plans },
			"The plans whose calls the key serves, and no others; those calls are served by no other key. Without it, everybody's."),
		key("actions", listOf(anyName("the name of an action", "generate-text")).some("as [generate-text]"), func(k *UpstreamKey) *[]string { return &k.Actions },
			"The same for actions. With both, a call has to fit both."),
	)
	return &brief[UpstreamKey, claviger.Ref]{
		object: long, short: secretRef(), at: func(k *UpstreamKey) *claviger.Ref { return &k.Ref },
		plain: func(k UpstreamKey) bool {
			return k.Weight == 1 && k.Environment == "" && k.Project == "" && len(k.Plans)+len(k.Actions) == 0
		},
	}
}

func ratesFields() []field[Rates] {
	return []field[Rates]{
		key("requests", listOf(rate("60/min")).orOne().some(oneLimit), func(r *Rates) *[]claviger.Window { return &r.Requests },
			"How many requests in a time: at most that many at once, refilled evenly. One rate or a list."),
		key("concurrency", whole(1, 1_000_000), func(r *Rates) *int64 { return &r.Concurrency },
			"How many calls at the same time."),
		key("tokens", listOf(rate("2M/day")).orOne().some(oneLimit), func(r *Rates) *[]claviger.Window { return &r.Tokens },
			"How many tokens, input and output, in a time. Hours, days and months are those of the calendar. One rate or a list."),
		key("spend", listOf(spend()).orOne().some(oneLimit), func(r *Rates) *[]claviger.Window { return &r.Spend },
			"How much money in an hour, a day or a month of the calendar. One or a list."),
	}
}

const oneLimit = "write one limit, as 60/min, or a list of them"

func limitsKind() *object[Limits] {
	return newObject("limits for everyone",
		key("per_ip", newObject("limits of one address", ratesFields()...), func(l *Limits) *Rates { return &l.PerIP },
			"For each address of a caller (IPv6: each /64)."),
		key("total", newObject("limits of all together", ratesFields()...), func(l *Limits) *Rates { return &l.Total }, "For all callers together."),
		key("body", size(maxBodySize), func(l *Limits) *int64 { return &l.Body }, "The longest request body.").def("1MiB"),
		key("upload", size(maxBodySize), func(l *Limits) *int64 { return &l.Upload }, "The longest request body of an endpoint that takes files.").def("25MiB"),
		key("compressed_bodies", truth(), func(l *Limits) *bool { return &l.CompressedBodies },
			"Take compressed request bodies. The limits hold after decompression.").def("false"),
	)
}

func planKind() *object[Plan] {
	limits := append(lift(func(p *PlanLimits) *Rates { return &p.Rates }, ratesFields()...),
		key("max_input_tokens", count(maxTokens), func(p *PlanLimits) *int64 { return &p.MaxInputTokens }, "The most input tokens of one call."),
		key("max_output_tokens", count(maxTokens), func(p *PlanLimits) *int64 { return &p.MaxOutputTokens }, "The most output tokens of one call; a larger wish is lowered."),
	)
	return newObject("a plan",
		key("name", anyName("the name of a plan", "pro"), func(p *Plan) *string { return &p.Name }, "Its name, in the log and for service keys.").must("pro"),
		key("when", condition(), func(p *Plan) *string { return &p.When }, `The condition in CEL over the verified user, as user.claims.plan == "pro". Without it, the plan applies to all.`),
		key("models", listOf(modelPattern()).some("name the models, or take the key away: then the proxy is closed to the plan and actions run with their own model"),
			func(p *Plan) *[]string { return &p.Models }, "The models that may be used; * stands for any part of a name. Without it, the proxy is closed and actions run with their own model."),
		key("endpoints", listOf(endpointName()), func(p *Plan) *[]string { return &p.Endpoints }, "The endpoints of the proxy that may be used. Without it, all that are open."),
		key("actions", listOf(lowerName("the name of an action", "generate-text")), func(p *Plan) *[]string { return &p.Actions }, "The actions that may be run. Without it, all."),
		key("tools", listOf(toolName()), func(p *Plan) *[]string { return &p.Tools }, "The types of tools that calls may bring. Without it, what proxy and action allow."),
		key("limits", newObject("limits of a plan", limits...), func(p *Plan) *PlanLimits { return &p.Limits }, "Limits of each caller on the plan."),
		key("share", percent(), func(p *Plan) *int64 { return &p.Share },
			"The most of each of limits.total that all callers on the plan may have together, so that one plan leaves room for the others. Without it, all of it."),
	)
}

// endpointName is an endpoint, or a family of them. The listing of models is
// open in any case and may be named.
func endpointName() *scalar[string] {
	names := openai.EndpointNames()
	s := choice(names...)
	s.noun = "the name of an endpoint, or of a family as files.*"
	s.parse = func(text string) (string, error) {
		if slices.Contains(names, text) {
			return text, nil
		}
		f := fault{"must be the name of an endpoint, as responses, or of a family, as files.*", ""}
		if near := nearest(text, names); near != "" {
			f.message += `, did you mean "` + near + `"?`
		}
		return "", f
	}
	return s
}

func actionKind() *object[Action] {
	return newObject("an action", append([]field[Action]{
		key("kind", choice(action.KindText, action.KindChat), func(a *Action) *string { return &a.Kind }, "text takes one input, chat takes messages.").def(action.KindText),
		key("path", actionPath(), func(a *Action) *string { return &a.Path }, "A route of the app's choice, beside /actions/NAME."),
		key("model", modelName(), func(a *Action) *string { return &a.Model }, "The model.").must("gpt-4.1-mini"),
		key("instructions", text(""), func(a *Action) *string { return &a.Instructions },
			"What the model is told. Only enum, number and boolean inputs may be used in it."),
		key("input", rawSchema{}, func(a *Action) *jsonx.Value { return &a.Input },
			"JSON Schema (2020-12) of the input, the only thing that a caller sends. Without it, {prompt} with 1 to 2,000 characters."),
		key("output", rawSchema{}, func(a *Action) *jsonx.Value { return &a.Output }, "JSON Schema of the answer. Without it, the answer is text."),
		key("prompt", text(""), func(a *Action) *string { return &a.Prompt },
			"The user's message, with {{name}} for properties of the input. Without it, the one text of the input, or all of it as JSON."),
	}, actionCaps()...)...)
}

func actionCaps() []field[Action] {
	return []field[Action]{
		key("max_output_tokens", count(maxTokens), func(a *Action) *int64 { return &a.MaxOutputTokens }, "The most output tokens of an answer.").def(strconv.Itoa(action.DefaultMaxOutput)),
		key("temperature", fraction(0, 2), func(a *Action) **float64 { return &a.Temperature }, "The model's temperature."),
		key("reasoning", choice("none", "minimal", "low", "medium", "high", "xhigh", "max"), func(a *Action) *string { return &a.Reasoning }, "The model's reasoning effort."),
		key("tools", listOf(toolName()), func(a *Action) *[]string { return &a.Tools }, "The hosted tools that the model may use."),
		key("turns", whole(1, 1000), func(a *Action) *int64 { return &a.Turns }, "The most messages of a chat; 20 unless set."),
		key("characters", count(10_000_000), func(a *Action) *int64 { return &a.Characters }, "The most characters of a chat, all messages together; 8,000 unless set."),
		key("show_usage", truth(), func(a *Action) *bool { return &a.ShowUsage }, "Tell callers how many tokens were used.").def("false"),
		key("store", truth(), func(a *Action) *bool { return &a.Store }, "Let the provider keep the answer.").def("false"),
		key("content", maybe(contentKind()), func(a *Action) **Content { return &a.Content }, "What the input is held to, in the place of the content of all. {} holds it to nothing."),
	}
}

func proxyKind() *object[Proxy] {
	handling := func() *scalar[string] { return choice("refuse", "drop", "forward") }
	return newObject("the proxy",
		key("endpoints", listOf(endpointName()).some("as [responses, chat.completions]"), func(p *Proxy) *[]string { return &p.Endpoints },
			"The endpoints that are open. Every other one does not exist.").must("[responses, chat.completions]"),
		key("store", truth(), func(p *Proxy) *bool { return &p.Store }, "What store is forced to: whether the provider keeps answers.").def("false"),
		key("client_instructions", truth(), func(p *Proxy) *bool { return &p.ClientInstructions }, "Take instructions and system and developer messages from callers.").def("false"),
		key("tools", listOf(toolName()), func(p *Proxy) *[]string { return &p.Tools }, "The types of tools that callers may bring.").def("[function, custom]"),
		key("max_choices", whole(1, 128), func(p *Proxy) *int64 { return &p.MaxChoices }, "The most answers of one call (n, best_of).").def("1"),
		key("default_max_output_tokens", count(maxTokens), func(p *Proxy) *int64 { return &p.DefaultMaxOutputTokens }, "The output cap of a call that states none.").def("4096"),
		key("background", truth(), func(p *Proxy) *bool { return &p.Background }, "Take calls that go on in the background.").def("false"),
		key("prompts", listOf(anyName("the id of a stored prompt", "pmpt_abc")), func(p *Proxy) *[]string { return &p.Prompts }, "The stored prompts that callers may use.").def("[]"),
		key("service_tier", choice("auto", "default", "fast", "flex", "priority"), func(p *Proxy) *string { return &p.ServiceTier },
			"The service tier of every call. Without it, none is sent."),
		key("user", handling(), func(p *Proxy) *string { return &p.User }, "What becomes of the member user.").def("refuse"),
		key("metadata", handling(), func(p *Proxy) *string { return &p.Metadata }, "What becomes of the member metadata.").def("refuse"),
		key("content", maybe(contentKind()), func(p *Proxy) **Content { return &p.Content }, "What texts are held to, in the place of the content of all. {} holds them to nothing."),
	)
}

func keepingFields() []field[Config] {
	storage := newObject("storage",
		key("database", store("a database", "database", "sqlite", "memory"), func(s *Storage) *string { return &s.Database },
			"sqlite, sqlite:PATH, memory, or a reference to a postgres:// address.").def("sqlite"),
		key("limits", store("a store of limits", "redis", "memory"), func(s *Storage) *string { return &s.Limits },
			"memory, or a reference to a redis:// address.").def("memory"),
		key("when_limits_fail", choice("refuse", "allow"), func(s *Storage) *string { return &s.WhenLimitsFail },
			"What happens while the store of limits is out of reach.").def("refuse"),
	)
	log := newObject("the log",
		key("format", choice(logFormats...), func(l *Log) *string { return &l.Format }, "CLAVIGER_LOG overrides it.").def("text"),
		key("level", choice(logLevels...), func(l *Log) *string { return &l.Level }, "CLAVIGER_LOG overrides it.").def("info"),
	)
	return []field[Config]{
		key("prices", &keyed[Price]{anyPrice(), func(p *Price) *string { return &p.Model }, modelName()}, func(c *Config) *[]Price { return &c.Prices },
			"Prices of models, and of one call of a hosted tool as {web_search: 0.01 USD}, beside and instead of those that the program knows."),
		key("state", directory("/var/lib/claviger"), func(c *Config) *string { return &c.State },
			"The state directory. Without it, .claviger beside the configuration in development and /var/lib/claviger elsewhere."),
		key("storage", storage, func(c *Config) *Storage { return &c.Storage }, "Where things are kept."),
		key("retention", retentionKind(), func(c *Config) *Retention { return &c.Retention },
			"What is kept of calls, for whom and how long: none, or a duration as 30d for records of calls without their prompts and answers, or both by themselves.").def("none"),
		key("time_zone", timeZone(), func(c *Config) *string { return &c.TimeZone }, "The zone in which days and months begin.").def("UTC"),
		key("log", log, func(c *Config) *Log { return &c.Log }, "How the log is written."),
		key("check", maybe(checkingKind()), func(c *Config) **Checking { return &c.Check }, "What claviger check takes from this file. The gateway ignores it."),
	}
}

// anyPrice is the price of a model, or an amount for a call of a hosted tool.
func anyPrice() kind[Price] {
	return &brief[Price, claviger.Money]{
		object: priceKind(), short: money(), at: func(p *Price) *claviger.Money { return &p.Call },
		plain: func(p Price) bool { return p.Call.Currency != "" },
	}
}

// priceKind is what a model costs. One that is paid by the minute or the character
// says 0 USD for tokens.
func priceKind() *object[Price] {
	perhaps := via[claviger.Money, *claviger.Money]{money(), addr, deref}
	return newObject("the price of a model, for each million tokens",
		key("input", money(), func(p *Price) *claviger.Money { return &p.Input }, "Of input.").must("0.4 USD"),
		key("cached_input", perhaps, func(p *Price) **claviger.Money { return &p.CachedInput }, "Of cached input. Without it, that of input."),
		key("output", money(), func(p *Price) *claviger.Money { return &p.Output }, "Of output, drawn images included.").must("1.6 USD"),
		key("image_input", perhaps, func(p *Price) **claviger.Money { return &p.ImageInput }, "Of input that is images to draw from."),
		key("audio_input", perhaps, func(p *Price) **claviger.Money { return &p.AudioInput }, "Of input that is sound to write down."),
		key("audio_output", perhaps, func(p *Price) **claviger.Money { return &p.AudioOutput }, "Of output that is speech."),
		key("minute", perhaps, func(p *Price) **claviger.Money { return &p.Minute },
			"Of a minute of sound, for a model that is paid by that: its input and output are 0 USD then."),
		key("characters", perhaps, func(p *Price) **claviger.Money { return &p.Characters },
			"Of a million characters that are spoken, for a model that is paid by those: its input and output are 0 USD then."),
	)
}

func addr(m claviger.Money) *claviger.Money {
	if m.Currency == "" {
		return nil
	}
	return &m
}

func deref(m *claviger.Money) claviger.Money {
	if m == nil {
		return claviger.Money{}
	}
	return *m
}
