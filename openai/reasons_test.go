package openai_test

import (
	"testing"

	"claviger.dev/claviger/openai"
)

// TestMayReason: a model may reason unless it is known to show all that it makes.
func TestMayReason(t *testing.T) {
	for name, want := range map[string]bool{
		"gpt-4.1-mini": false, "gpt-4.1-mini-2025-04-14": false, "gpt-4o": false, "gpt-4o-mini": false, "gpt-4": false, "gpt-4-turbo": false,
		"gpt-3.5-turbo": false, "chatgpt-4o-latest": false, "gpt-5-chat-latest": false, "ft:gpt-4.1-mini:acme::abc": false,
		"gpt-5": true, "gpt-5-mini": true, "gpt-5.1-chat-latest": true, "o1": true, "o3-mini": true, "o4-mini": true, "ft:o4-mini:acme::abc": true,
		"gpt-40": true, "gpt-4o-audio-preview": true, "": true, "llama": true, "ft:": true,
	} {
		if got := openai.MayReason(name); got != want {
			t.Errorf("%q may reason: %v", name, got)
		}
	}
}
