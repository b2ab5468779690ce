package gateway

import (
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// models turns a plan's patterns into names: a name stands for itself, a
// pattern for the priced models that fit it.
func (c *compiled) models(patterns []string) []string {
	var out []string
	for _, p := range patterns {
		if !strings.Contains(p, "*") {
			out = append(out, p)
			continue
		}
		for _, m := range c.Prices.Models() {
			if claviger.MatchModel(p, m) {
				out = append(out, m)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// oneModel answers GET /v1/models/{model} for a model that the plan allows. A
// model that it does not is as unknown as one that does not exist.
func (x *exchange) oneModel(known []string) error {
	name := x.path[strings.LastIndexByte(x.path, '/')+1:]
	if !slices.Contains(known, name) {
		return &claviger.Error{Code: claviger.CodeNotFound, Param: "model"}
	}
	return x.write(openai.ModelAnswer(name))
}
