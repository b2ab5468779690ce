package rules

import (
	"slices"
	"strings"

	"claviger.dev/claviger/internal/check/facts"
	"claviger.dev/claviger/internal/check/flow"
	"claviger.dev/claviger/internal/check/report"
)

// calling are the words by which a text calls a provider without a package.
var calling = []string{
	"api.openai", "openai.azure", "api.anthropic", "openrouter.ai", "api.groq", "generativelanguage", "api.mistral", "api.together", "api.deepseek", "api.cohere", "api.perplexity", "api.x.ai", "api.replicate",
	"api.fireworks", "ai-gateway", "huggingface.co", "api.stability", "api.elevenlabs", "helicone", "/completions", "/v1/responses", "/v1/messages", "BASE_URL", "cognitiveservices", "api.cerebras", "api.deepinfra", "_API_URL",
}

// matters finds the files from which a secret or a provider is reached. What
// happens in the others is of no consequence, and a walk there costs time.
func (p *project) matters() {
	p.matter, p.close = map[string]bool{}, map[string]bool{}
	var todo []string
	for _, f := range p.files {
		t := p.trees[f]
		if t == nil {
			continue
		}
		h := holds(t)
		if !h && !p.asks(f) {
			continue
		}
		p.matter[f] = true
		todo = append(todo, f)
		if h {
			p.close[f] = true
			for _, g := range p.back[f] {
				p.close[g] = true
			}
		}
	}
	for len(todo) > 0 {
		f := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, g := range p.back[f] {
			if !p.matter[g] {
				p.matter[g] = true
				todo = append(todo, g)
			}
		}
	}
}

// enough is how many steps all walks of components and of functions that no
// handler calls may cost in one project, so that a large one ends in time.
const enough = 1_500_000

// tired reports whether they have cost that, and says so once.
func (p *project) tired(in *flow.Interp) bool {
	if in.Steps < enough {
		return false
	}
	p.stats.weary = true
	p.add(report.Finding{
		Rule: "scan-incomplete", Severity: report.SeverityInfo, Confidence: report.ConfidenceCertain,
		Message: "This project is too large to follow every component and every function in it. All handlers were followed.", At: report.Position{File: "package.json"},
	})
	return true
}

// asks reports whether a file can call a provider by itself.
func (p *project) asks(f string) bool {
	for _, s := range p.specs[f] {
		if s == "ai" || flow.IsClient(s) || strings.HasPrefix(s, "openai") {
			return true
		}
	}
	return slices.ContainsFunc(calling, func(w string) bool { return strings.Contains(p.texts[f], w) })
}

// holds reports whether a module reads a secret, or the environment as a whole.
func holds(t *facts.Node) bool {
	for _, v := range variables(t) {
		if v.secret {
			return true
		}
	}
	all, parts := 0, 0
	t.Walk(func(n *facts.Node) bool {
		if isEnv(n) && n.Is(facts.Member) {
			all++
		}
		if (n.Is(facts.Member) || n.Is(facts.Index) && n.Kid(1).Is(facts.Str)) && isEnv(n.Kid(0)) {
			parts++
		}
		return true
	})
	return all > parts
}
