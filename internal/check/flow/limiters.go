package flow

import "strings"

// limiters are the libraries that limit rates.
func (c *call) limiters(pkg, path string) (*Value, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	limit := fact(FactLimit)
	switch {
	case pkg == "@upstash/ratelimit" || pkg == "@unkey/ratelimit" || pkg == "@vercel/firewall" || strings.HasPrefix(pkg, "@opennextjs/ratelimit"):
		switch last {
		case "limit", "blockUntilReady", "checkRateLimit", "getRemaining":
			if last == "getRemaining" {
				return nil, false
			}
			c.in.limit(c.place(), deep(&Value{Items: c.args}), false)
			v := record()
			v.Props["success"] = (&Value{Bits: Limiter}).when(limit, Facts{})
			v.Props["rateLimited"] = (&Value{Bits: Limiter}).when(Facts{}, limit)
			v.Props["remaining"] = &Value{Bits: Remaining}
			v.Open = true
			return v, true
		}
	case pkg == "rate-limiter-flexible":
		switch last {
		case "consume":
			c.in.limit(c.place(), deep(&Value{Items: c.args}), false)
			c.st.facts = c.st.facts.and(limit)
			return unknown, true
		}
	case strings.HasPrefix(pkg, "@arcjet/") || pkg == "arcjet":
		if last == "protect" {
			return c.arcjet(), true
		}
	case pkg == "limiter":
		if last == "tryRemoveTokens" {
			c.in.limit(c.place(), unknown, false)
			return (&Value{}).when(limit, Facts{}), true
		}
	case pkg == "express-rate-limit" || pkg == "hono-rate-limiter" || pkg == "@fastify/rate-limit" || pkg == "next-rate-limit" || pkg == "express-slow-down":
		return c.middleware(limit, c.place()), true
	}
	return nil, false
}

// arcjet limits if one of its rules does.
func (c *call) arcjet() *Value {
	rules := false
	for v := c.fn; v != nil; v = v.Recv {
		for _, a := range v.Args {
			rules = rules || limitsIn(a, 0)
		}
	}
	v := record()
	v.Open = true
	if !rules {
		return v
	}
	limit := fact(FactLimit)
	c.in.limit(c.place(), deep(&Value{Items: c.args[min(1, len(c.args)):]}), false)
	answers := func(t, f Facts) *Value {
		return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(*call) *Value {
			return (&Value{Bits: Limiter}).when(t, f)
		}}}
	}
	v.Props["isDenied"], v.Props["isAllowed"] = answers(Facts{}, limit), answers(limit, Facts{})
	r := record()
	r.Open = true
	r.Props["isRateLimit"] = answers(Facts{}, limit)
	v.Props["reason"] = r
	v.Props["conclusion"] = &Value{Bits: Limiter, T: limit}
	return v
}

func limitsIn(v *Value, depth int) bool {
	if v == nil || depth > 5 {
		return false
	}
	for _, w := range []string{"tokenBucket", "slidingWindow", "fixedWindow"} {
		if strings.Contains(v.Str, w) {
			return true
		}
	}
	for _, p := range v.Props {
		if limitsIn(p, depth+1) {
			return true
		}
	}
	for _, p := range v.Items {
		if limitsIn(p, depth+1) {
			return true
		}
	}
	return limitsIn(v.Elem, depth+1)
}

// middleware is a handler that goes on only if something holds.
func (c *call) middleware(f Facts, at Place) *Value {
	key := deep(&Value{Items: c.args})
	return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
		if f.Has(FactLimit) {
			r.in.limit(at, key, false)
		} else {
			r.in.guard(at, "")
		}
		if n := r.arg(len(r.args) - 1); n.Kind == Function && len(r.args) > 1 {
			way := r.st.fork(f)
			return r.in.invoke(n.Fn, nil, nil, way, r.node)
		}
		r.st.facts = r.st.facts.and(f)
		return nothing
	}}}
}

// stores are what counts: a map of the module, Redis, a key-value store.
func (c *call) stores(pkg, path string) (*Value, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	limit := fact(FactLimit)
	if pkg == "store" {
		switch last {
		case "get", "has", "size":
			v := &Value{Bits: Counter | c.fn.Bits&Local, F: limit}
			if c.fn.Bits&Local != 0 {
				c.in.limit(c.place(), deep(c.arg(0)), true)
			}
			return v, true
		case "set", "add", "delete", "clear", "forEach", "entries", "keys", "values":
			c.callbacks(0)
			v := *c.fn
			v.T = Facts{}
			return &v, true
		}
	}
	switch last {
	case "incr", "incrby", "INCR", "hincrby", "zcard", "zcount", "increment", "atomicIncrement", "zadd", "countDocuments":
		c.in.limit(c.place(), deep(&Value{Items: c.args}), true)
		v := *c.foreign(pkg)
		v.Kind, v.Str = Unknown, ""
		v.Bits = v.Bits&Session | Counter
		v.T, v.F = Facts{}, Facts{}
		return &v, true
	case "exec", "eval", "evalsha":
		if strings.Contains(path, "multi()") || strings.Contains(path, "pipeline()") || strings.HasPrefix(last, "eval") {
			c.in.limit(c.place(), deep(&Value{Items: c.args}), true)
			return &Value{Bits: Counter, Elem: &Value{Bits: Counter}}, true
		}
	case "count", "aggregate":
		v := *c.foreign(pkg)
		c.in.limit(c.place(), deep(&Value{Items: c.args}), true)
		v.Kind, v.Str, v.T = Unknown, "", Facts{}
		v.Bits |= Counter
		return &v, true
	}
	return nil, false
}
