package rules

import "claviger.dev/claviger/internal/check/report"

// Rules implements report.Analyzer.
func (a *Analyzer) Rules() []report.Meta { return metas }

func meta(id string) report.Meta {
	for _, m := range metas {
		if m.ID == id {
			return m
		}
	}
	return report.Meta{ID: id}
}

var metas = []report.Meta{
	{
		ID: "client-provider-call", Mission: "M-C3", Severity: report.SeverityHigh, Title: "Code for browsers calls the provider",
		Help: "Whatever runs in a browser is public, and so is the key that such a call needs.",
		Fix:  "Move the call into a Server Action, a Route Handler or another module of the server, and let the component call that.",
	},
	{
		ID: "server-module-in-client", Mission: "M-C3", Severity: report.SeverityHigh, Title: "Code for browsers imports a module of the server",
		Help: "A module that needs the server's secrets is bundled for browsers, with all that stands in it.",
		Fix:  "Do not import it here: pass what the component needs, or call a Server Action. Mark the module with import 'server-only', so that the build refuses such an import.",
	},
	{
		ID: "config-inlined-secret", Mission: "M-C2", Severity: report.SeverityCritical, Title: "The build's configuration inlines a secret",
		Help: "What this setting names is written into code for browsers as it stands.",
		Fix:  "Take it out of the configuration and read process.env on the server, where it is used. Then make a new key: this one was delivered.",
	},
	{
		ID: "public-env-secret", Mission: "M-C2", Severity: report.SeverityCritical, Title: "A secret under a public prefix",
		Help: "The build copies every variable with this prefix into code for browsers.",
		Fix:  "Rename the variable without the prefix, read it on the server alone, and make a new key: this one was delivered.",
	},
	{
		ID: "secret-to-client-prop", Mission: "M-C8", Severity: report.SeverityCritical, Title: "A secret is handed to a client component",
		Help: "Properties of client components, of pages and arguments bound to actions stand in the page for everyone to read.",
		Fix:  "Hand over what the component shows, never the secret. Let an action or a route on the server use it.",
	},
	{
		ID: "secret-in-rendered-output", Mission: "M-C2", Severity: report.SeverityCritical, Title: "A secret is rendered",
		Help: "What is rendered on the server is sent to whoever asks for the page.",
		Fix:  "Take the secret out of what is rendered, and make a new key: this one was delivered.",
	},
	{
		ID: "secret-in-response", Mission: "M-C8", Severity: report.SeverityCritical, Title: "A handler answers with a secret",
		Help: "Whoever calls the handler gets the secret.",
		Fix:  "Answer with what the caller needs alone, and make a new key: this one was delivered.",
	},
	{
		ID: "action-secret-param", Mission: "M-C8", Severity: report.SeverityMedium, Title: "A secret travels as a parameter",
		Help: "What a caller hands to an action was in the browser before.",
		Fix:  "Read the key on the server, from its environment, and take no key as a parameter.",
	},
	{
		ID: "missing-auth", Mission: "M-C4", Severity: report.SeverityHigh, Title: "Anyone may spend the key",
		Help: "The handler reaches a provider on a way where nobody is asked who the caller is. A check in the page, or in a matcher that leaves this path out, does not protect the handler.",
		Fix:  "Ask who is signed in at the beginning of the handler and answer 401 without anybody, or put the Claviger gateway before the provider.",
	},
	{
		ID: "ineffective-auth", Mission: "M-C4", Severity: report.SeverityHigh, Title: "A guard that does not guard",
		Help: "Something asks who the caller is, and strangers still get to the provider: its result is ignored, it comes late, or it believes what the caller says.",
		Fix:  "Return 401 when it finds nobody, before the provider is called, and use a check that verifies a signature or asks a store.",
	},
	{
		ID: "missing-rate-limit", Mission: "M-C4", Severity: report.SeverityMedium, Title: "Nothing limits how often",
		Help: "A loop in a script spends as much as the account allows.",
		Fix:  "Ask a rate limiter for the signed-in user before the call and answer 429 when it refuses, or put the Claviger gateway before the provider.",
	},
	{
		ID: "weak-rate-limit", Mission: "M-C4", Severity: report.SeverityMedium, Title: "A limiter that does not limit",
		Help: "Its answer is ignored, it is asked on some ways only, or it counts by what the caller chooses.",
		Fix:  "Count by the signed-in user or by an address that the host sets, and answer 429 when it refuses.",
	},
	{
		ID: "missing-validation", Mission: "M-C5", Severity: report.SeverityMedium, Title: "Input reaches the provider unchecked",
		Help: "Types of TypeScript are not checked when the code runs: a caller sends what he likes.",
		Fix:  "Parse the input with a schema before it is used, and answer 400 to what does not fit.",
	},
	{
		ID: "missing-size-cap", Mission: "M-C5", Severity: report.SeverityMedium, Title: "Input of any length reaches the provider",
		Help: "The provider bills by length.",
		Fix:  "Give the field a greatest length, for example .max(2000), and set a cap on the tokens of the answer.",
	},
	{
		ID: "upstream-url-from-client", Mission: "M-C3", Severity: report.SeverityCritical, Title: "The caller chooses where the key goes",
		Help: "A caller who names a server of his own gets the key that is sent to it.",
		Fix:  "Fix the address on the server, or choose it from a list by name.",
	},
	{
		ID: "secret-logged", Mission: "M-C6", Severity: report.SeverityHigh, Title: "A secret or a prompt in the log",
		Help: "Logs are kept, copied and read by more people and services than the key is meant for.",
		Fix:  "Log an identifier, a length or a count in its place.",
	},
	{
		ID: "error-leak", Mission: "M-C8", Severity: report.SeverityMedium, Title: "An error's text reaches the caller",
		Help: "Errors of providers and libraries hold hosts, accounts, limits and pieces of keys.",
		Fix:  "Answer with a sentence of your own and log the error on the server.",
	},
	{
		ID: "raw-upstream-returned", Mission: "M-C8", Severity: report.SeverityMedium, Title: "The provider's whole answer reaches the caller",
		Help: "It holds identifiers, fingerprints, usage and whatever the provider adds tomorrow.",
		Fix:  "Answer with the text, or with the fields that the caller needs.",
	},
	{
		ID: "sensitive-cache", Mission: "M-C8", Severity: report.SeverityMedium, Title: "A private answer is cached",
		Help: "What was made for one person is given to the next one who asks.",
		Fix:  "Answer with Cache-Control: private, no-store, and take the directive away.",
	},
	{
		ID: "parse-failed", Mission: "M-C3", Severity: report.SeverityInfo, Title: "A file could not be parsed",
		Help: "Nothing is known about what it does.", Fix: "See whether the file is what its name says; leave it out of the project if it is no source.",
	},
	{
		ID: "scan-incomplete", Mission: "M-C4", Severity: report.SeverityInfo, Title: "Not all ways were followed",
		Help: "The handler branches more often than the check follows.", Fix: "Look at the handler yourself, or split it.",
	},
}
