package claviger

import "strings"

// MatchModel reports whether a model's name fits a pattern of the policy, in
// which every "*" stands for any run of characters, none included. All else is
// compared byte for byte.
func MatchModel(pattern, model string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	model, ok := strings.CutPrefix(model, head)
	if !ok || !wild {
		return ok && model == ""
	}
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(model, part)
		}
		_, after, found := strings.Cut(model, part)
		if !found {
			return false
		}
		model, rest = after, more
	}
}
