package admit_test

import (
	"math"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

// TestToolPrices: calls of hosted tools are added to the tokens exactly, and one
// without a price is never free where it is held (M-L3).
func TestToolPrices(t *testing.T) {
	p := admit.DefaultPrices().WithTools(map[string]int64{"odd": -1, "dear": math.MaxInt64, "image_generation": 250_000})
	tokens := claviger.Units{{Kind: claviger.UnitInput, Amount: 1_000_000}, {Kind: claviger.UnitOutput, Amount: 0}}
	with := func(tool string, n int64) claviger.Units {
		return append(tokens[:2:2], claviger.Unit{Kind: claviger.ToolCalls(tool), Amount: n})
	}
	for _, c := range []struct {
		tool  string
		calls int64
		worst int64 // −1 is none
		cost  int64
	}{
		{"web_search", 3, 430_000, 430_000},
		{"web_search_preview", 1, 425_000, 425_000},
		{"file_search", 2, 405_000, 405_000},
		{"code_interpreter", 1, 430_000, 430_000},
		{"image_generation", 1, 650_000, 650_000},
		{"web_search", 0, 400_000, 400_000},
		{"mcp", 1, -1, 400_000},
		{"odd", 1, -1, 400_000},
		{"web_search", -1, -1, 400_000},
		{"dear", math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		worst, ok := p.Worst("gpt-4.1-mini", with(c.tool, c.calls))
		if ok != (c.worst >= 0) || ok && worst.Micros != c.worst {
			t.Errorf("%d of %s at the worst: %v %v", c.calls, c.tool, worst, ok)
		}
		if cost, ok := p.Cost("gpt-4.1-mini", with(c.tool, c.calls)); !ok || cost.Micros != c.cost {
			t.Errorf("%d of %s: %v %v, want %d", c.calls, c.tool, cost, ok, c.cost)
		}
	}
	if _, ok := p.Cost("nobody-knows", with("web_search", 1)); ok {
		t.Error("a model without a price has one with tools")
	}
	if _, ok := admit.DefaultPrices().Tool("image_generation"); ok {
		t.Error("the prices of another were changed")
	}
}
