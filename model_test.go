package claviger_test

import (
	"testing"

	"claviger.dev/claviger"
)

func TestMatchModel(t *testing.T) {
	for _, tc := range []struct {
		pattern, model string
		want           bool
	}{
		{"gpt-4.1", "gpt-4.1", true},
		{"gpt-4.1", "gpt-4.1-mini", false},
		{"gpt-4.1", "GPT-4.1", false},
		{"gpt-4.1*", "gpt-4.1-mini", true},
		{"gpt-4.1*", "gpt-4.1", true},
		{"gpt-4.1*", "xgpt-4.1", false},
		{"*", "anything", true},
		{"*", "", true},
		{"*-mini", "gpt-4.1-mini", true},
		{"*-mini", "gpt-4.1-mini-2025", false},
		{"gpt-*-mini", "gpt-4.1-mini", true},
		{"gpt-*-mini", "gpt-mini", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "acb", false},
		{"a*ab", "aab", true},
		{"a*a", "a", false},
		{"", "gpt", false},
		{"gpt?4", "gpt-4", false},
	} {
		if got := claviger.MatchModel(tc.pattern, tc.model); got != tc.want {
			t.Errorf("MatchModel(%q, %q) = %v, want %v", tc.pattern, tc.model, got, tc.want)
		}
	}
}
