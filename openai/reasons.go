package openai

import "strings"

// shown are the beginnings of the names of models whose every token of output
// shows. Names that only begin like one of these and are in hidden do not.
var (
	shown = []string{
		"gpt-3.5-turbo", "gpt-4", "chatgpt-4o", "gpt-5-chat", "davinci-", "babbage-", "text-embedding-", "omni-moderation",
	}
	hidden = []string{"gpt-4o-audio", "gpt-4o-realtime", "gpt-4o-mini-audio", "gpt-4o-mini-realtime"}
)

// MayReason reports whether a model may make output that is paid for and never
// shows, as reasoning does. A model that is not known may.
func MayReason(model string) bool {
	if tuned, ok := strings.CutPrefix(model, "ft:"); ok {
		model, _, _ = strings.Cut(tuned, ":")
	}
	begins := func(names []string) bool {
		for _, n := range names {
			if rest, ok := strings.CutPrefix(model, n); ok && (rest == "" || strings.HasSuffix(n, "-") || strings.ContainsRune("-.o", rune(rest[0]))) {
				return true
			}
		}
		return false
	}
	return begins(hidden) || !begins(shown)
}
