package app

import (
	"slices"
	"strconv"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/openai"
)

// priceText is one price that a call is charged at.
type priceText struct {
	What  string `json:"what"`
	Price string `json:"price"`
	Per   string `json:"per"`
}

const perMillion = "million tokens"

// pricesFor lists what the model costs, and the hosted tools that the call may
// bring.
func (e *explainer) pricesFor(call claviger.Call, d *claviger.Decision) []priceText {
	var out []priceText
	prices := e.in.snapshot.Prices
	add := func(what string, micros int64, per string) {
		out = append(out, priceText{what, claviger.Money{Micros: micros, Currency: admit.Currency}.String(), per})
	}
	if p, ok := prices.Price(call.Model); ok && call.Model != "" {
		if p.Second == 0 && p.Character == 0 {
			add("input", max(p.Input, p.CacheWrite), perMillion)
			add("cached input", p.CachedInput, perMillion)
			add("output", p.Output, perMillion)
		}
		for _, x := range []struct {
			what   string
			micros int64
			per    string
		}{
			{"image input", p.ImageInput, perMillion},
			{"audio input", p.AudioInput, perMillion},
			{"audio output", p.AudioOutput, perMillion},
			{"sound", minuteOf(p.Second), "minute"},
			{"characters", p.Character, "million characters"},
		} {
			if x.micros > 0 {
				add(x.what, x.micros, x.per)
			}
		}
		if p.LongFrom > 0 {
			out = append(out, priceText{"long input", "twice for input, one and a half times for output", "call with more than " + strconv.FormatInt(p.LongFrom, 10) + " input tokens"})
		}
	}
	for _, tool := range e.tools(call, d) {
		if price, ok := prices.Tool(tool); ok {
			add(tool, price.Micros, "call")
		} else {
			out = append(out, priceText{tool, "none: refused where a budget in money applies", "call"})
		}
	}
	return out
}

// minuteOf turns the price of a million seconds into that of a minute.
func minuteOf(second int64) int64 {
	const million = 1_000_000
	return second/million*60 + second%million*60/million
}

// tools are the hosted tools that such a call may bring.
func (e *explainer) tools(call claviger.Call, d *claviger.Decision) []string {
	var tools []string
	if i := slices.IndexFunc(e.in.config.Actions, func(a config.Action) bool { return a.Name == call.Action }); i >= 0 {
		tools = e.in.config.Actions[i].Tools
	} else if call.Endpoint == openai.EndpointResponses && e.in.snapshot.Proxy != nil {
		tools = e.in.snapshot.Proxy.Policy.Tools
	}
	return slices.DeleteFunc(slices.Clone(tools), func(tool string) bool {
		return !openai.Hosted(tool) || slices.ContainsFunc(d.Oblige, func(o claviger.Obligation) bool {
			return o.Kind == claviger.ObligeTools && !slices.Contains(o.Values, tool)
		})
	})
}

// priced reports whether the model has prices for all that the endpoint meters.
func (e *explainer) priced(call claviger.Call) bool {
	prices := e.in.snapshot.Prices
	units := openai.Metered(call.Endpoint, call.Model)
	if units == nil {
		_, ok := prices.Price(call.Model)
		return ok
	}
	_, ok := prices.Worst(call.Model, units)
	return ok
}
