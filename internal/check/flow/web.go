package flow

import (
	"strings"
)

// answering makes answers.
func (c *call) answering(pkg, path string) (*Value, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	web := pkg == "global" || pkg == "next/server" || pkg == "@sveltejs/kit" || pkg == "@remix-run/node" || pkg == "react-router" || pkg == "server"
	if !web {
		return nil, false
	}
	switch path {
	case "Response", "NextResponse":
		if c.new {
			return c.answer(c.arg(0), c.arg(1)), true
		}
	case "Response.json", "NextResponse.json", "json", "data":
		if path == "data" && pkg == "global" || path == "json" && pkg == "global" {
			return nil, false
		}
		return c.answer(c.arg(0), c.arg(1)), true
	case "Response.redirect", "NextResponse.redirect":
		return &Value{Kind: Response, Status: 307, F: impossible}, true
	case "NextResponse.next", "NextResponse.rewrite":
		v := &Value{Kind: Response, Str: "next", F: impossible, Args: c.args}
		return v, true
	case "Response.error":
		return &Value{Kind: Response, Status: 500, F: impossible}, true
	}
	if pkg != "server" {
		return nil, false
	}
	switch last {
	case "status", "code", "sendStatus", "writeHead", "type", "set", "header", "setHeader", "contentType", "appendHeader":
		c.header(c.arg(0), c.arg(1))
		v := *c.recv
		if last == "status" || last == "code" || last == "sendStatus" || last == "writeHead" {
			v.Status = number(c.arg(0).Str)
			if last == "sendStatus" {
				c.st.sent = v.Status
			}
		}
		return &v, true
	case "json", "send", "end", "write", "jsonp", "text", "html", "body", "redirect":
		status := c.recv.Status
		if n := c.arg(1); n.Kind == Number {
			status = number(n.Str)
		}
		if last == "redirect" {
			status = 307
		} else if c.arg(0).Kind != Nothing {
			c.in.emit(Respond, c.place(), c.arg(0), c.st)
		}
		if status != 0 {
			c.st.sent = status
		}
		return &Value{Kind: Response, Status: status, F: impossible}, true
	}
	return nil, false
}

// answer is a Response.
func (c *call) answer(body, init *Value) *Value {
	v := &Value{Kind: Response, Status: 200, F: impossible, Props: map[string]*Value{"body": opaque(deepText(body))}}
	if init.Kind == Number {
		v.Status = number(init.Str)
	}
	if s := init.Props["status"]; s != nil {
		v.Status = number(s.Str)
		if s.Kind != Number {
			v.Status = 500
			if len(s.Inputs) == 0 && s.Bits&Output == 0 {
				v.Status = 0
			}
		}
	}
	if h := init.Props["headers"]; h != nil {
		for _, k := range sortedKeys(h.Props) {
			c.cacheable(k, h.Props[k], h.Places[k])
		}
	}
	if body.Kind != Nothing {
		c.in.emit(Respond, c.place(), body, c.st)
	}
	return v
}

// header is one header of an answer.
func (c *call) header(name, value *Value) {
	if name.Kind == Text {
		c.cacheable(name.Str, value, c.place())
	}
	for _, k := range sortedKeys(name.Props) {
		c.cacheable(k, name.Props[k], name.Places[k])
	}
}

func (c *call) cacheable(name string, value *Value, at Place) {
	n := strings.ToLower(name)
	if n != "cache-control" && n != "cdn-cache-control" && n != "vercel-cdn-cache-control" && n != "surrogate-control" || value == nil {
		return
	}
	p := strings.ToLower(pattern(value))
	if strings.Contains(p, "private") || strings.Contains(p, "no-store") {
		return
	}
	if strings.Contains(p, "public") || strings.Contains(p, "s-maxage") && !strings.Contains(p, "s-maxage=0") || n != "cache-control" && strings.Contains(p, "max-age") {
		if at.Node == nil {
			at = c.place()
		}
		c.in.emit(Cache, at, value, c.st).Symbol = "header"
	}
}

// Request is the request of a route handler.
func (in *Interp) Request(at Place) *Value {
	v := outside("request#req")
	v.Bits = Whole
	v.At, v.F = at, impossible
	return v
}

// requests read what the caller sent.
func (c *call) requests(pkg, path string) (*Value, bool) {
	in := c.in
	switch {
	case pkg == "next/headers" && path == "headers":
		return &Value{Kind: Outside, Str: "request#req.headers", Bits: Whole, F: impossible}, true
	case pkg == "next/headers" && path == "cookies":
		return &Value{Kind: Outside, Str: "request#req.cookies", F: impossible}, true
	case pkg == "h3" || pkg == "global" && (path == "readBody" || path == "getQuery" || path == "getHeader" || path == "getRouterParam" || path == "getRequestIP" || path == "getCookie" || path == "readValidatedBody" || strings.HasSuffix(path, "ventHandler")):
		return c.nitro(path)
	case pkg == "@vercel/functions" && path == "ipAddress" || path == "ipAddress" && strings.HasPrefix(pkg, "@vercel"):
		return &Value{Bits: HostSet}, true
	case pkg != "request":
		return nil, false
	}
	last := path[strings.LastIndexByte(path, '.')+1:]
	a := c.arg(0)
	switch {
	case strings.HasPrefix(path, "req.headers.get"), path == "req.headers.has", path == "req.get", path == "req.header", path == "req.req.header":
		return header(pattern(a), in, c.place()), true
	case path == "req.cookies.has":
		in.guard(c.place(), "anybody can send a cookie of that name")
		return cookie(), true
	case strings.HasPrefix(path, "req.cookies.get"):
		return cookie(), true
	case path == "req.json", path == "req.text", path == "req.formData", path == "req.arrayBuffer", path == "req.blob", path == "req.req.json", path == "req.req.text", path == "req.req.parseBody", path == "req.clone", path == "req.req.formData":
		if last == "clone" {
			return c.recv, true
		}
		v := in.Body("body", Body, c.place())
		if last == "formData" || last == "parseBody" {
			v.F = impossible
		}
		return v, true
	case path == "req.req.query", path == "req.req.param":
		return in.child(in.Body("query", Query, c.place()), pattern(a)), true
	case path == "req.req.valid":
		return c.validated(in.Body("body", Body, c.place())), true
	case path == "req.isAuthenticated":
		in.guard(c.place(), "")
		return (&Value{}).when(fact(FactAuth), Facts{}), true
	case strings.HasSuffix(path, "searchParams.get"), strings.HasSuffix(path, "searchParams.getAll"):
		return in.child(in.Body("query", Query, c.place()), pattern(a)), true
	case last == "json" || last == "text" || last == "html" || last == "body" || last == "status" || last == "header" || last == "redirect":
		r := outside("server#res")
		c.recv = r
		return c.answering("server", "res."+last)
	case last == "next":
		return nothing, true
	}
	return opaque(c.recv), true
}

func (c *call) nitro(path string) (*Value, bool) {
	in := c.in
	switch path {
	case "defineEventHandler", "eventHandler", "defineLazyEventHandler", "lazyEventHandler", "defineCachedEventHandler", "cachedEventHandler":
		f := c.arg(0)
		if f.Kind == Record {
			f = in.property(f, "handler")
		}
		if f.Kind == Function && strings.Contains(path, "azyEventHandler") {
			return in.invoke(f.Fn, nil, nil, c.st.fork(Facts{}), c.node), true
		}
		return f, true
	case "readBody", "readFormData", "readRawBody", "readMultipartFormData":
		return in.Body("body", Body, c.place()), true
	case "readValidatedBody":
		v := in.Body("body", Body, c.place())
		c.st.facts = c.st.facts.and(checkedAll(v))
		if f := c.arg(1); f.Kind == Outside && f.Recv != nil {
			if s := schemaOf(f.Recv); s != nil {
				c.st.facts = c.st.facts.and(in.described(s, v.Inputs, 0))
			}
		}
		return v, true
	case "getQuery", "getRouterParam", "getRouterParams":
		return in.Body("query", Query, c.place()), true
	case "getHeader", "getRequestHeader":
		return header(pattern(c.arg(1)), in, c.place()), true
	case "getCookie":
		return cookie(), true
	case "getRequestIP":
		return &Value{Bits: HostSet}, true
	case "createError":
		return &Value{Status: errorStatus(c.arg(0)), F: impossible, Bits: deep(c.arg(0)).Bits & Failure}, true
	}
	return nil, false
}

// header is one header of a request.
func header(name string, in *Interp, at Place) *Value {
	n := strings.ToLower(name)
	weak := fact(FactWeakAuth)
	switch {
	case n == "content-length":
		if !in.asked() {
			return &Value{}
		}
		id := in.run.input(-1, "content-length", Context, at)
		v := &Value{Inputs: []int{id}}
		for i, x := range in.run.Inputs {
			if x.Name == "body" {
				v.Lens = append(v.Lens, i)
			}
		}
		return v
	case n == "x-real-ip", strings.HasSuffix(n, "connecting-ip"), n == "x-vercel-forwarded-for", n == "fly-client-ip", n == "true-client-ip":
		return &Value{Bits: HostSet}
	case n == "x-forwarded-for":
		return &Value{Bits: Chosen}
	case credName(n):
		return &Value{Bits: Cred | Chosen, T: weak}
	case n == "origin", n == "referer", n == "sec-fetch-site", n == "x-requested-with", strings.HasPrefix(n, "x-") && !strings.Contains(n, "forwarded") && !strings.Contains(n, "ip"), n == "host", n == "user-agent":
		if n != "user-agent" {
			in.guard(at, "what the caller writes into "+n+" proves nothing")
		}
		return &Value{Bits: Chosen, T: weak}
	}
	return &Value{Bits: Chosen}
}

func cookie() *Value { return &Value{Bits: Cred | Chosen, T: fact(FactWeakAuth)} }

// requestPart is a property of a request.
func (in *Interp) requestPart(path string, at Place) (*Value, bool) {
	switch path {
	case "req.nextUrl.pathname", "req.url.pathname", "req.path", "req.req.path":
		if in.path != "" {
			return text(in.path), true
		}
		return unknown, true
	case "req.url":
		return &Value{Kind: Outside, Str: "request#req.url", F: impossible}, true
	case "req.ip":
		return &Value{Bits: HostSet}, true
	case "req.body":
		return in.Body("body", Body, at), true
	case "req.query":
		return in.Body("query", Query, at), true
	case "req.params":
		return in.Body("params", Parameter, at), true
	case "req.method":
		return unknown, true
	case "req.user", "req.session", "req.auth":
		in.guard(at, "")
		return &Value{Bits: Session, T: fact(FactAuth)}, true
	}
	if name, ok := strings.CutPrefix(path, "req.headers."); ok && !strings.Contains(name, ".") {
		switch name {
		case "get", "has", "entries", "forEach", "keys", "values", "getSetCookie":
		default:
			return header(name, in, at), true
		}
	}
	if name, ok := strings.CutPrefix(path, "req.cookies."); ok && !strings.Contains(name, ".") {
		switch name {
		case "get", "has", "getAll", "set", "delete":
		default:
			return cookie(), true
		}
	}
	return nil, false
}

// logging writes to logs and to reporters of errors.
func (c *call) logging(pkg, path string) (*Value, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	isLog := false
	switch {
	case pkg == "global" && strings.HasPrefix(path, "console."):
		isLog = true
	case pkg == "process" && strings.HasSuffix(path, "stdout.write"), pkg == "global" && (path == "process.stdout.write" || path == "process.stderr.write"):
		isLog = true
	case strings.HasPrefix(pkg, "@sentry/"):
		isLog = strings.HasPrefix(last, "capture") || last == "setContext" || last == "setExtra" || last == "setExtras" || last == "addBreadcrumb" || last == "setTag" || strings.Contains(path, "logger.")
	case strings.Contains(pkg, "pino"), pkg == "winston", pkg == "consola", pkg == "bunyan", pkg == "loglevel", pkg == "next-axiom", pkg == "signale", pkg == "tslog", pkg == "@logtail/node", pkg == "@axiomhq/logging", strings.HasPrefix(pkg, "@datadog"), pkg == "evlog":
		switch last {
		case "info", "error", "warn", "debug", "trace", "log", "fatal", "silly", "verbose", "http":
			isLog = true
		}
	case strings.Contains(pkg, "bugsnag"), strings.Contains(pkg, "rollbar"), strings.Contains(pkg, "posthog"):
		isLog = last == "notify" || last == "error" || last == "captureException" || last == "capture" || last == "leaveBreadcrumb"
	}
	if !isLog {
		return nil, false
	}
	c.callbacks(0)
	for _, a := range c.args {
		c.in.emit(Log, c.place(), a, c.st)
	}
	return nothing, true
}

// navigation never comes back.
func (c *call) navigation(pkg, path string) (*Value, bool) {
	if pkg != "next/navigation" && pkg != "@sveltejs/kit" && pkg != "next-intl/navigation" {
		return nil, false
	}
	status := 0
	switch path {
	case "redirect", "permanentRedirect":
		status = 307
	case "notFound":
		status = 404
	case "unauthorized":
		status = 401
	case "forbidden":
		status = 403
	case "error":
		status = number(c.arg(0).Str)
	default:
		return nil, false
	}
	c.st.ended, c.st.how = true, exit{threw: true, status: status}
	return unknown, true
}
