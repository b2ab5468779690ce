package gateway

import (
	"errors"
	"slices"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// defaultToolCalls is how many calls of hosted tools are asked for where a budget
// applies and the caller names no number.
const defaultToolCalls = 1

// obligations are those of the plan, and a bound on the calls of hosted tools where
// what they cost, or add to the input, has to be known before.
func (x *exchange) obligations(c *caller, d *claviger.Decision, call *claviger.Call) []claviger.Obligation {
	if !slices.ContainsFunc(call.Tools, openai.Hosted) || !x.takes(c, d, budgeted) {
		return d.Oblige
	}
	return append(slices.Clip(d.Oblige), claviger.Obligation{Kind: claviger.ObligeToolCalls, Limit: defaultToolCalls})
}

func budgeted(limits []claviger.Limit) bool {
	return slices.ContainsFunc(limits, func(l claviger.Limit) bool {
		return l.Kind == claviger.ChargeMoney || l.Kind == claviger.ChargeTokens
	})
}

// mostTools is the most that calls of hosted tools can cost: all of them may be of
// the dearest tool. A tool without a price is refused.
func (c *compiled) mostTools(call *claviger.Call) (claviger.Units, error) {
	var dearest string
	most := int64(-1)
	for _, tool := range call.Tools {
		if !openai.Hosted(tool) {
			continue
		}
		price, ok := c.Prices.Tool(tool)
		if !ok {
			return nil, noTool(tool, "it has no price, and a money budget applies; set one, as prices: {"+tool+": 0.01 USD}")
		}
		if price.Micros > most {
			dearest, most = tool, price.Micros
		}
	}
	if most < 0 {
		return nil, nil
	}
	return claviger.Units{{Kind: claviger.ToolCalls(dearest), Amount: call.MaxToolCalls}}, nil
}

// unbounded refuses hosted tools that an endpoint calls as often as it likes.
func unbounded(tools []string) error {
	for _, t := range tools {
		if openai.Hosted(t) {
			return noTool(t, "nothing bounds how often it is called on this endpoint, and a budget applies")
		}
	}
	return noTool("", "nothing bounds its calls, and a budget applies")
}

// noTool refuses a hosted tool; why is for the log.
func noTool(tool, why string) error {
	return &claviger.Error{
		Code: claviger.CodeForbidden, Param: "tools", Detail: "This tool is not allowed here: " + tool,
		Err: errors.New("the tool " + tool + ": " + why),
	}
}
