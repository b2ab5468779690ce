package detect

import (
	"slices"
	"strings"
)

// words of names of variables, in capitals.
var (
	// providers buy answers of a model.
	providers = []string{
		"OPENAI", "ANTHROPIC", "CLAUDE", "GROQ", "XAI", "GROK", "MISTRAL", "COHERE", "OPENROUTER", "REPLICATE", "PERPLEXITY", "HUGGINGFACE",
		"TOGETHER", "DEEPSEEK", "FIREWORKS", "GEMINI", "GENERATIVE", "ELEVENLABS", "LLM", "GPT", "CHATGPT", "HF", "AZURE", "CEREBRAS", "VOYAGE",
		"LANGCHAIN", "LANGSMITH", "PINECONE", "TAVILY", "SERPAPI", "ASSEMBLYAI", "DEEPGRAM", "STABILITY", "FAL", "AI",
	}
	// forBrowsers are values that are meant to be public.
	forBrowsers = []string{"PUBLISHABLE", "ANON", "PUBLIC", "SITE", "SITEKEY", "DSN", "SEARCH", "MAPBOX", "MAPS", "POSTHOG", "FIREBASE", "RECAPTCHA", "TURNSTILE", "HCAPTCHA", "SEGMENT", "AMPLITUDE", "MIXPANEL", "GTM", "ANALYTICS", "MEASUREMENT"}
	// aboutOne say something of a secret and are none.
	aboutOne = []string{"NAME", "ID", "URL", "URI", "ENDPOINT", "HOST", "PATH", "FILE", "TTL", "LENGTH", "LEN", "COUNT", "LIMIT", "MAX", "MIN", "ENABLED", "REQUIRED", "MODEL", "EXPIRY", "EXPIRES", "ALGORITHM", "HEADER", "PREFIX", "VERSION", "PAGE", "REGEX", "POLICY", "TYPE", "TOKENS", "FORMAT", "ROTATION"}
)

// WeighName says what the name of a variable promises of its value. A public
// prefix does not count.
func WeighName(name string) Weight {
	name = strings.ToUpper(name[len(PublicPrefix(name)):])
	words := strings.FieldsFunc(name, func(r rune) bool { return r > 127 || !is(byte(r), upper|digit) })
	if len(words) == 0 {
		return WeightNone
	}
	has := func(list ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	joined := strings.Join(words, "_")
	last := words[len(words)-1]
	switch {
	case has("DATABASE", "POSTGRES", "MONGODB", "MONGO", "REDIS", "MYSQL", "PG", "DB") && (last == "URL" || last == "URI"):
		return WeightUnsure // a secret if there is a password in it
	case slices.Contains(aboutOne, last):
		return WeightNone
	case strings.Contains(joined, "SERVICE_ROLE"), strings.Contains(joined, "PRIVATE_KEY"):
		return WeightSecret
	case has(forBrowsers...) && !has("SECRET", "PRIVATE"):
		return WeightNone
	case has("SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIALS"):
		return WeightSecret
	case has(providers...) && has("KEY", "KEYS", "TOKEN", "APIKEY", "SK"):
		return WeightSecret
	case strings.Contains(joined, "ACCESS_KEY"), has("ENCRYPTION", "SIGNING", "ADMIN", "MASTER") && has("KEY", "TOKEN"):
		return WeightSecret
	case has("KEY", "KEYS", "TOKEN", "APIKEY", "PAT"):
		return WeightUnsure
	}
	return WeightNone
}

// WeighValue says what the value of a variable of that name is, and by which
// kind of key when it has the shape of one. With no value to look at, the name
// alone decides; a placeholder is never a secret.
func WeighValue(name, value string) (Weight, Kind) {
	value = strings.TrimSpace(value)
	named := WeighName(name)
	for _, m := range Find(value) {
		switch w := Weigh(value, m); {
		case w == WeightSecret:
			return w, m.Kind
		case w == WeightUnsure && (named != WeightNone || m.Kind.Provider()) && m.Kind != Bearer:
			if m.Kind == Google && named != WeightSecret {
				continue
			}
			return WeightSecret, m.Kind
		}
	}
	if password := urlPassword(value); password != "" && !IsPlaceholder(password) && !common(password) {
		return WeightSecret, ""
	}
	if named == WeightNone || IsPlaceholder(value) || fake(value) || !opaque(value) {
		return WeightNone, ""
	}
	// Words are the secrets of examples and of local databases.
	if random(value) && (named == WeightSecret && len(value) >= 8 || len(value) >= 16) {
		return named, ""
	}
	return WeightNone, ""
}

// CouldBeSecret reports whether a value that is no placeholder could be a secret
// at all: one word of some length, and neither a number, an address nor a path.
func CouldBeSecret(value string) bool { return len(value) >= 6 && opaque(value) }

// opaque reports whether a value can be a secret at all: one word, and neither a
// number, a truth value, an address nor a path.
func opaque(v string) bool {
	if strings.ContainsAny(v, " \t\n") && !strings.Contains(v, "PRIVATE KEY") {
		return false
	}
	return run(v, digit) != len(v) && !strings.Contains(v, "://") && !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "./") && !strings.HasPrefix(v, "pk_")
}

// urlPassword is the password in a URL, as in postgres://user:pass@host/db.
func urlPassword(v string) string {
	_, rest, ok := strings.Cut(v, "://")
	if !ok {
		return ""
	}
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return ""
	}
	_, password, _ := strings.Cut(authority[:at], ":")
	return password
}

// URLPassword is the password in a URL, as in postgres://user:pass@host/db, or
// the empty string.
func URLPassword(value string) string { return urlPassword(value) }

// common reports whether a password is one that examples and local databases
// have.
func common(p string) bool {
	return len(p) < 8 || slices.Contains([]string{"postgres", "password", "mysecretpassword", "postgrespw", "example", "docker", "localhost", "supersecret"}, strings.ToLower(p))
}
