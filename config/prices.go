package config

import (
	"strings"

	"claviger.dev/claviger/openai"
)

// hostedTools are the tools that the provider has a price for.
func hostedTools() []string {
	var out []string
	for _, tool := range openai.Tools() {
		if openai.Hosted(tool) {
			out = append(out, tool)
		}
	}
	return out
}

// checkPrices tells models and tools apart: a tool has one amount, for a call, and
// a model has amounts for what it takes and makes.
func checkPrices(c *Config) []Problem {
	f := findings{c: c}
	tools := hostedTools()
	isTool := map[string]bool{}
	for _, t := range tools {
		isTool[t] = true
	}
	for _, p := range c.Prices {
		path := join("prices", p.Model)
		switch call := p.Call.Currency != ""; {
		case call && !isTool[p.Model]:
			f.add(path, "an amount alone is for a call of a hosted tool, and this is none", "the tools are "+strings.Join(tools, ", ")+"; a model has input and output")
		case !call && isTool[p.Model]:
			f.add(path, "a hosted tool has one amount, for a call", "as "+p.Model+": 0.01 USD")
		}
	}
	return f.ps
}
