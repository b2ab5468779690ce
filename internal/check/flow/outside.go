package flow

import (
	"maps"
	"strings"
)

// symbol splits the name of an outside thing.
func (v *Value) symbol() (pkg, path string) {
	pkg, path, _ = strings.Cut(v.Str, "#")
	return pkg, path
}

// outside is a call of what a package or the platform gives.
func (c *call) outside() *Value {
	pkg, path := c.fn.symbol()
	if c.in.run != nil && c.in.quiet == 0 && len(c.in.run.Calls) < 10_000 {
		c.in.run.Calls = append(c.in.run.Calls, Call{Symbol: c.fn.Str, Args: c.args, At: c.place()})
	}
	if c.new {
		if v, ok := c.made(pkg, path); ok {
			return v
		}
	}
	for _, model := range []func(*call, string, string) (*Value, bool){
		(*call).platform, (*call).answering, (*call).requests, (*call).logging, (*call).navigation, (*call).guards, (*call).limiters, (*call).schemas, (*call).providers, (*call).routers, (*call).stores,
	} {
		if v, ok := model(c, pkg, path); ok {
			return v
		}
	}
	return c.foreign(pkg)
}

// foreign is a call of a package of which nothing is known.
func (c *call) foreign(pkg string) *Value {
	c.callbacks(0)
	suffix := "()"
	if c.new {
		suffix = "!"
	}
	v := outside(c.fn.Str + suffix)
	if v == unknown {
		v = &Value{}
	}
	out := *v
	args := deep(&Value{Items: c.args})
	from := c.fn
	if c.recv != nil {
		from = c.recv
	}
	out.Args, out.Recv = c.args, from
	out.Bits = from.Bits &^ (Cred | Chosen | Whole)
	out.Inputs, out.Lens = from.Inputs, from.Lens
	out.Bits |= args.Bits & (Mac | Failure)
	if pkg == "global" || strings.Contains(pkg, "date") || strings.Contains(pkg, "day") || pkg == "luxon" || pkg == "ms" || pkg == "moment" {
		out.Bits |= args.Bits & (Counter | Local | Clock)
	}
	if keepsInput(pkg, c.fn.Str) {
		out.Inputs = union(out.Inputs, args.Inputs)
		out.Lens = union(out.Lens, args.Lens)
		out.Bits |= args.Bits & (Raw | Output | Chosen | Cred)
	}
	out.T = from.T
	if out.T.impossible {
		out.T = Facts{}
	}
	// What a credential finds in a store says who the caller is.
	if args.Bits&Cred != 0 || from.Bits&Cred != 0 {
		out.Bits |= Session
		out.T = out.T.and(fact(FactAuth))
		out.Kind = Unknown
		out.Str = ""
	}
	if args.Bits&Session != 0 {
		out.Bits |= Session
	}
	if c.new {
		out.F = impossible
	}
	return &out
}

// keepsInput reports whether what a function gives is still what it was given.
func keepsInput(pkg, symbol string) bool {
	switch pkg {
	case "global":
		for _, s := range []string{"JSON", "String", "Buffer", "Array", "Object", "encodeURI", "decodeURI", "structuredClone", "btoa", "atob", "Number", "parseInt", "parseFloat", "TextDecoder", "TextEncoder", "Blob", "File", "FormData", "URL", "Promise", "Set", "Uint8Array", "Math", "new"} {
			if strings.HasPrefix(symbol, "global#"+s) {
				return true
			}
		}
		return false
	case "ai", "openai", "dedent", "outdent", "superjson", "querystring", "qs", "h3":
		return true
	}
	for _, p := range []string{"@ai-sdk/", "langchain", "@langchain/", "lodash", "sanitize", "dompurify", "isomorphic-dompurify", "gpt-", "js-tiktoken", "tiktoken", "@dqbd/tiktoken", "xss", "striptags", "validator", "marked"} {
		if strings.HasPrefix(pkg, p) {
			return true
		}
	}
	return false
}

// platform are the language's own functions.
func (c *call) platform(pkg, path string) (*Value, bool) {
	if pkg != "global" {
		return c.nodes(pkg, path)
	}
	a := c.arg(0)
	switch path {
	case "JSON.stringify", "String", "encodeURIComponent", "decodeURIComponent", "encodeURI", "btoa", "atob", "structuredClone", "Buffer.from", "escape", "JSON.parse", "Object.freeze", "Object.fromEntries", "Array.from", "Object.entries", "Object.values":
		if path == "Object.freeze" || path == "structuredClone" && a.Props != nil || path == "Array.from" && a.Kind == List {
			return a, true
		}
		v := deep(a)
		if a.Kind == Text {
			return a, true
		}
		if strings.HasPrefix(path, "Object.") && a.Kind == Outside && WholeEnvironment(a) {
			v = v.mark(&Value{Secrets: []*Source{{Name: "the environment", Module: c.sc.module, At: c.node}}})
		}
		out := *v
		out.T = checkedAll(v)
		if path == "JSON.parse" {
			out.T = a.T
		}
		if path == "String" {
			out.Str = pattern(a)
		}
		if strings.HasPrefix(path, "Object.") || path == "Array.from" {
			return &Value{Kind: pick(path == "Object.fromEntries", Unknown, List), Elem: pick[*Value](path == "Object.fromEntries", nil, &out), Inputs: v.Inputs, Bits: v.Bits, Secrets: v.Secrets, F: impossible}, true
		}
		return &out, true
	case "Number", "parseInt", "parseFloat", "Math.min", "Math.max", "Math.ceil", "Math.floor", "Math.round", "Math.abs":
		v := opaque(c.args...)
		v.Secrets = nil
		if path == "Math.min" && len(v.Inputs) > 0 {
			v.Inputs = nil
		}
		return v, true
	case "Boolean":
		return &Value{T: a.T, F: a.F}, true
	}
	return c.objects(path, a)
}

// objects are the language's functions on objects, promises and times.
func (c *call) objects(path string, a *Value) (*Value, bool) {
	switch path {
	case "Object.assign":
		out := record()
		for _, x := range c.args {
			out = out.mark(x)
			maps.Copy(out.Props, x.Props)
			out.Open = out.Open || x.Props == nil
		}
		return out, true
	case "Object.keys":
		v := deep(a)
		v.Secrets = nil
		return &Value{Kind: List, Elem: v, F: impossible, Inputs: v.Inputs}, true
	case "Array.isArray":
		return &Value{T: checkedAll(a)}, true
	case "Date.now", "performance.now":
		return &Value{Bits: Clock, F: impossible}, true
	case "Promise.all", "Promise.allSettled":
		return a, true
	case "Promise.race", "Promise.any":
		return c.in.element(a), true
	case "Promise.resolve":
		return a, true
	case "setTimeout", "setInterval", "queueMicrotask", "setImmediate":
		c.callbacks(0)
		return unknown, true
	case "Deno.env.get":
		if a.Kind == Text {
			return c.in.variable(a.Str, c.place()), true
		}
	case "Deno.serve", "addEventListener":
		return nothing, true
	}
	return nil, false
}

// nodes are the modules of Node.js.
func (c *call) nodes(pkg, path string) (*Value, bool) {
	switch pkg {
	case "crypto":
		switch {
		case strings.HasSuffix(path, "timingSafeEqual"):
			return equal(c.arg(0), c.arg(1)), true
		case strings.Contains(path, "createHmac"):
			v := c.foreign(pkg)
			out := *v
			if d := deep(&Value{Items: c.args}); len(d.Secrets) > 0 || out.Bits&Mac != 0 {
				out.Bits |= Mac
			}
			return &out, true
		case strings.Contains(path, "createHash"):
			v := *c.foreign(pkg)
			d := deep(&Value{Items: c.args})
			v.Bits |= d.Bits & (Cred | Chosen)
			v.Secrets = union(v.Secrets, d.Secrets)
			return &v, true
		}
	case "react":
		if strings.HasSuffix(path, "cache") || strings.HasSuffix(path, "useCallback") || strings.HasSuffix(path, "memo") || strings.HasSuffix(path, "forwardRef") {
			if c.arg(0).Kind == Function {
				if strings.HasSuffix(path, "useCallback") {
					c.callbacks(0)
				}
				return c.arg(0), true
			}
		}
		if strings.HasSuffix(path, "lazy") {
			return c.loaded(), true
		}
		if strings.HasSuffix(path, "useMemo") && c.arg(0).Kind == Function {
			return c.in.invoke(c.arg(0).Fn, nil, nil, c.st, c.node), true
		}
		if strings.HasSuffix(path, "useState") || strings.HasSuffix(path, "useRef") {
			return &Value{Kind: List, Items: []*Value{(&Value{}).with(Typed).mark(deep(c.arg(0))), unknown}, F: impossible}, true
		}
	}
	return c.nextjs(pkg, path)
}

// nextjs are functions of Next.js and of small packages that call one back.
func (c *call) nextjs(pkg, path string) (*Value, bool) {
	switch pkg {
	case "next/dynamic", "@loadable/component":
		return c.loaded(), true
	case "next/cache", "next/server":
		if path == "unstable_cache" {
			if c.arg(0).Kind == Function {
				return c.kept(), true
			}
		}
		if path == "after" || path == "unstable_after" {
			c.callbacks(0)
			return unknown, true
		}
	case "p-limit", "p-retry", "async-retry":
		if c.arg(0).Kind == Function {
			return c.in.invoke(c.arg(0).Fn, nil, nil, c.st, c.node), true
		}
	}
	return nil, false
}

// kept is a function whose answers are kept, for everyone who asks by the same
// key: the parts that were given and the arguments of the call.
func (c *call) kept() *Value {
	inner, at := c.arg(0).Fn, c.place()
	key := deep(&Value{Items: c.args[1:min(2, len(c.args))]})
	return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
		if (key.Bits|deep(&Value{Items: r.args}).Bits)&Session == 0 {
			r.in.emit(Cache, at, unknown, r.st).Symbol = "unstable_cache"
		}
		return r.in.invoke(inner, r.args, nil, r.st, r.node)
	}}}
}

// loaded is a component that is loaded when it is needed.
func (c *call) loaded() *Value {
	f := c.arg(0)
	if f.Kind != Function {
		return unknown
	}
	v := c.in.invoke(f.Fn, nil, nil, c.st.fork(Facts{}), c.node)
	if v.NS != nil {
		return c.in.Export(v.NS, "default")
	}
	if v.Kind == Record {
		if d := v.Props["default"]; d != nil {
			return d
		}
	}
	return v
}

// made is what new gives.
func (c *call) made(pkg, path string) (*Value, bool) {
	a := c.arg(0)
	switch {
	case pkg == "global" && (path == "Map" || path == "Set" || path == "WeakMap") || pkg == "lru-cache" || pkg == "node-cache" || pkg == "quick-lru":
		v := &Value{Kind: Outside, Str: "store#" + path + "!", F: impossible}
		v.Items = a.Items
		if len(c.in.returns) == 0 {
			v.Bits |= Local
		}
		if path == "Set" && a.Kind == List {
			return a, true
		}
		return v, true
	case pkg == "global" && path == "Date":
		return &Value{Bits: Clock, F: impossible}, true
	case pkg == "global" && path == "Promise":
		if a.Kind == Function {
			got := unknown
			resolve := &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
				got = join(r.arg(0), got)
				return nothing
			}}}
			c.in.invoke(a.Fn, []*Value{resolve, unknown}, nil, c.st, c.node)
			return got, true
		}
	case pkg == "global" && path == "URL" && strings.HasPrefix(a.Str, "request#req.url"):
		return &Value{Kind: Outside, Str: "request#req.nextUrl", F: impossible}, true
	case pkg == "global" && (path == "URL" || path == "Request"):
		v := *concat(c.arg(1), a)
		if c.arg(1).Kind == Nothing {
			v = *opaque(deepText(a))
			v.Str = pattern(a)
		}
		if a.Kind == Unknown && a.Bits&Whole != 0 {
			return a, true
		}
		if path == "Request" {
			v = *v.mark(deep(c.arg(1)))
		}
		v.F = impossible
		if v.Kind == Text {
			v.Kind = Unknown
		}
		return &v, true
	case pkg == "global" && strings.HasSuffix(path, "Error"):
		v := opaque(deepText(a))
		v.Bits |= a.Bits & Failure
		v.Status, v.F = saysStatus(pattern(a)), impossible
		return v, true
	case strings.HasSuffix(path, "TRPCError") || strings.HasSuffix(path, "ORPCError") || strings.HasSuffix(path, "HTTPException") || strings.HasSuffix(path, "ActionError") || strings.HasSuffix(path, "HttpError"):
		return &Value{Status: errorStatus(a, c.arg(1)), F: impossible, Bits: deep(&Value{Items: c.args}).Bits & Failure}, true
	}
	return nil, false
}

func errorStatus(vs ...*Value) int {
	for _, v := range vs {
		if v.Kind == Number {
			return number(v.Str)
		}
		if s := saysStatus(pattern(v)); s != 0 {
			return s
		}
		for _, k := range []string{"code", "statusCode", "status", "message"} {
			if p := v.Props[k]; p != nil {
				if p.Kind == Number {
					return number(p.Str)
				}
				if s := saysStatus(strings.ReplaceAll(pattern(p), "_", " ")); s != 0 {
					return s
				}
			}
		}
	}
	return 0
}
