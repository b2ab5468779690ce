package flow

import "strings"

// who is a value that says who is signed in: nothing if nobody is.
func (c *call) who() *Value {
	c.in.guard(c.place(), "")
	return &Value{Bits: Session, T: fact(FactAuth)}
}

// session is who, where the answer has to be waited for.
func (c *call) session() *Value { return c.who().promise(Facts{}) }

// proven says that the call would have thrown.
func (c *call) proven() *Value {
	c.in.guard(c.place(), "")
	c.st.facts = c.st.facts.and(fact(FactAuth))
	return &Value{Bits: Session, T: fact(FactAuth), F: impossible}
}

// guards are what libraries of authentication do.
func (c *call) guards(pkg, path string) (*Value, bool) {
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case strings.HasPrefix(pkg, "next-auth") || strings.HasPrefix(pkg, "@auth/"):
		return c.authjs(pkg, path, last)
	case strings.HasPrefix(pkg, "@clerk/"):
		return c.clerk(path, last)
	case strings.HasPrefix(pkg, "@supabase/"):
		return c.supabase(last)
	case pkg == "better-auth" || strings.HasPrefix(pkg, "better-auth/"):
		if last == "getSession" {
			return c.session(), true
		}
	case pkg == "iron-session":
		if last == "getIronSession" || last == "getServerActionIronSession" {
			c.in.guard(c.place(), "")
			v := outside("iron-session#session")
			v.Bits, v.F = Session, impossible
			v.T = fact(FactAuth)
			v.Kind = Record
			v.Open = true
			return v, true
		}
		if last == "unsealData" {
			return c.who(), true
		}
	case pkg == "jose" || pkg == "jsonwebtoken":
		switch last {
		case "jwtVerify", "verify", "jwtDecrypt", "compactVerify":
			return c.proven(), true
		case "decodeJwt", "decode":
			return c.unverified(), true
		}
	case pkg == "jwt-decode":
		return c.unverified(), true
	case pkg == "stripe" && strings.HasPrefix(last, "constructEvent"), pkg == "svix" && last == "verify", pkg == "standardwebhooks" && last == "verify":
		return c.proven(), true
	case strings.HasPrefix(pkg, "@upstash/qstash"):
		return c.wrapping(last == "verifySignatureAppRouter" || last == "verifySignature" || last == "verifySignatureEdge", last)
	case pkg == "hono/jwt" || pkg == "hono/bearer-auth" || pkg == "hono/basic-auth" || pkg == "hono/jwk":
		if last == "jwt" || last == "jwk" || last == "bearerAuth" || last == "basicAuth" {
			return c.middleware(fact(FactAuth), c.place()), true
		}
	case pkg == "passport" && last == "authenticate", pkg == "express-jwt", pkg == "express-oauth2-jwt-bearer" && last == "auth", pkg == "express-basic-auth":
		return c.middleware(fact(FactAuth), c.place()), true
	case strings.HasPrefix(pkg, "@auth0/") || strings.HasPrefix(pkg, "@kinde") || strings.HasPrefix(pkg, "@workos") || strings.HasPrefix(pkg, "@stackframe") || strings.HasPrefix(pkg, "@descope") || strings.HasPrefix(pkg, "@propelauth") || strings.HasPrefix(pkg, "@logto") || strings.HasPrefix(pkg, "@privy-io") || strings.HasPrefix(pkg, "@convex-dev/auth"):
		return c.hosted(last)
	case pkg == "global" && path == "requireUserSession":
		c.proven()
		return &Value{Kind: Record, Props: map[string]*Value{}, Open: true, Elem: &Value{Bits: Session}, Bits: Session, F: impossible}, true
	case pkg == "global" || pkg == "react" || pkg == "next/headers" || pkg == "ai" || pkg == "openai" || pkg == "zod":
		return nil, false
	}
	return c.verified(last)
}

func (c *call) authjs(pkg, path, last string) (*Value, bool) {
	switch last {
	case "getServerSession", "unstable_getServerSession", "getToken", "getSession":
		return c.session(), true
	case "default":
		if pkg == "next-auth/middleware" {
			return &Value{Kind: Response, Status: 307, F: impossible}, true
		}
		v := outside("next-auth#instance")
		v.Args, v.F = c.args, impossible
		return v, true
	case "withAuth":
		return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
			r.st.facts = r.st.facts.and(fact(FactAuth))
			if f := c.arg(0); f.Kind == Function {
				return r.in.invoke(f.Fn, r.args, nil, r.st, c.node)
			}
			return &Value{Kind: Response, Str: "next", F: impossible}
		}}}, true
	case "auth":
		if f := c.arg(0); f.Kind == Function {
			return c.sessionOnRequest(f), true
		}
		if c.arg(0).Kind == Outside && strings.HasPrefix(c.arg(0).Str, "request#") {
			return c.authorized(), true
		}
		return c.session(), true
	}
	_ = path
	return nil, false
}

// sessionOnRequest is auth(handler): it refuses nobody and puts the session on
// the request.
func (c *call) sessionOnRequest(f *Value) *Value {
	return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
		r.in.guard(c.place(), "")
		args := append([]*Value{}, r.args...)
		if len(args) > 0 {
			req := *args[0]
			req.Props = map[string]*Value{"auth": {Bits: Session, T: fact(FactAuth)}}
			args[0] = &req
		}
		return r.in.invoke(f.Fn, args, nil, r.st, c.node)
	}}}
}

// authorized is auth as a middleware: the callback "authorized" decides, and
// without one nobody is refused.
func (c *call) authorized() *Value {
	pass := &Value{Kind: Response, Str: "next", F: impossible}
	if c.fn.Recv == nil || len(c.fn.Recv.Args) == 0 {
		return pass
	}
	conf := c.fn.Recv.Args[0]
	cb := c.in.property(c.in.property(conf, "callbacks"), "authorized")
	if cb.Kind != Function {
		return pass
	}
	arg := record()
	arg.Props["auth"] = &Value{Bits: Session, T: fact(FactAuth)}
	arg.Props["request"] = c.arg(0)
	v := c.in.invoke(cb.Fn, []*Value{arg}, nil, c.st, c.node)
	if v.Kind == Response {
		return v
	}
	c.st.facts = c.st.facts.and(v.T)
	if c.st.facts.impossible {
		c.st.facts = Facts{}
		return &Value{Kind: Response, Status: 307, F: impossible}
	}
	return pass
}

func (c *call) clerk(path, last string) (*Value, bool) {
	switch last {
	case "auth", "getAuth":
		c.in.guard(c.place(), "")
		return c.clerkAuth(), true
	case "currentUser", "verifyToken", "authenticateRequest":
		return c.session(), true
	case "protect":
		return c.proven(), true
	case "requireAuth":
		if a := c.arg(0); a.Kind == Nothing || a.Kind == Record {
			return c.middleware(fact(FactAuth), c.place()), true
		}
		return c.proven(), true
	case "verifyWebhook":
		return c.proven(), true
	case "redirectToSignIn":
		c.st.ended, c.st.how = true, exit{threw: true, status: 307}
		return unknown, true
	case "createRouteMatcher":
		return c.routeMatcher(), true
	case "clerkMiddleware", "authMiddleware":
		return c.clerkMiddleware(), true
	}
	_ = path
	return nil, false
}

func (c *call) clerkAuth() *Value {
	v := record()
	for _, k := range []string{"userId", "sessionId", "orgId", "sessionClaims", "isAuthenticated", "user"} {
		v.Props[k] = &Value{Bits: Session, T: fact(FactAuth)}
	}
	v.Bits = Session
	at := c.place()
	stop := func(status int) *Value {
		return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
			if status != 0 {
				r.st.ended, r.st.how = true, exit{threw: true, status: status}
				return unknown
			}
			r.in.guard(at, "")
			r.st.facts = r.st.facts.and(fact(FactAuth))
			return v
		}}}
	}
	v.Props["protect"], v.Props["redirectToSignIn"] = stop(0), stop(307)
	return v
}

func (c *call) clerkMiddleware() *Value {
	f := c.arg(0)
	return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
		if f.Kind != Function {
			return &Value{Kind: Response, Str: "next", F: impossible}
		}
		a := &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(q *call) *Value {
			q.in.guard(q.place(), "")
			return q.clerkAuth()
		}}}
		a.Props = (&call{in: r.in, node: c.node, sc: c.sc, st: r.st}).clerkAuth().Props
		return r.in.invoke(f.Fn, append([]*Value{a}, r.args...), nil, r.st, c.node)
	}}}
}

// routeMatcher answers for the path that is looked at.
func (c *call) routeMatcher() *Value {
	var patterns []string
	for _, p := range c.arg(0).Items {
		patterns = append(patterns, p.Str)
	}
	if c.arg(0).Kind == Text {
		patterns = append(patterns, c.arg(0).Str)
	}
	return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
		if r.in.path == "" {
			return unknown
		}
		for _, p := range patterns {
			if MatchPath(p, r.in.path) {
				return truth(true)
			}
		}
		return truth(false)
	}}}
}

func (c *call) supabase(last string) (*Value, bool) {
	switch last {
	case "getUser", "getClaims":
		c.in.guard(c.place(), "")
		user := &Value{Bits: Session, T: fact(FactAuth)}
		data := record()
		data.Props["user"], data.Props["claims"] = user, user
		data.T = Facts{}
		out := record()
		out.Props["data"] = data
		out.Props["error"] = &Value{Bits: Failure, F: fact(FactAuth)}
		return out, true
	case "getSession":
		c.in.guard(c.place(), "getSession believes the cookie without asking who made it")
		s := &Value{Bits: Session, T: fact(FactWeakAuth)}
		data := record()
		data.Props["session"] = s
		out := record()
		out.Props["data"] = data
		out.Props["error"] = &Value{Bits: Failure}
		return out, true
	}
	return nil, false
}

// unverified is a token that was read and not checked.
func (c *call) unverified() *Value {
	c.in.guard(c.place(), "the token is decoded and its signature is not checked")
	return &Value{Bits: Chosen, T: fact(FactWeakAuth)}
}

// hosted are the services that all have the same words for it.
func (c *call) hosted(last string) (*Value, bool) {
	switch last {
	case "getSession", "getUser", "getAccessToken", "isAuthenticated", "getClaims", "getLogtoContext", "getAuthUserId", "session", "validateSession", "verifyAuthToken":
		v := c.who()
		if o := c.arg(0).Props["or"]; o != nil && (o.Str == "redirect" || o.Str == "throw") {
			c.st.facts = c.st.facts.and(fact(FactAuth))
		}
		return v, true
	case "withAuth":
		u := record()
		u.Props["user"] = c.who()
		if e := c.arg(0).Props["ensureSignedIn"]; e != nil && e.Str == "true" {
			c.st.facts = c.st.facts.and(fact(FactAuth))
		}
		return u, true
	case "getUserOrThrow", "requireUser":
		return c.proven(), true
	case "withApiAuthRequired", "withPageAuthRequired", "withAuthenticationRequired":
		return c.wrapping(true, last)
	}
	return nil, false
}

// wrapping is a function around a handler that refuses by itself.
func (c *call) wrapping(refuses bool, _ string) (*Value, bool) {
	f := c.arg(0)
	if !refuses || f.Kind != Function {
		return nil, false
	}
	at := c.place()
	return &Value{Kind: Function, F: impossible, Fn: &Closure{native: func(r *call) *Value {
		r.in.guard(at, "")
		r.st.facts = r.st.facts.and(fact(FactAuth))
		return r.in.invoke(f.Fn, r.args, nil, r.st, c.node)
	}}}, true
}

// verified are the words that all libraries have for a check that throws, or
// that gives nothing for nobody.
func (c *call) verified(last string) (*Value, bool) {
	switch {
	case last == "validateSession" || last == "validateRequest" || last == "validateSessionToken" || last == "validateSessionCookie":
		v := record()
		v.T = fact(FactAuth)
		v.Props["user"], v.Props["session"] = c.who(), c.who()
		v.F = Facts{}
		return v, true
	case last == "compare" || last == "compareSync" || last == "verifyPassword":
		c.in.guard(c.place(), "")
		return (&Value{}).when(fact(FactAuth), Facts{}), true
	case strings.HasPrefix(last, "verify") && last != "verifyEmail" || last == "authenticate" || last == "requireAuth" || last == "requireSession" || last == "requireUser":
		if last == "verify" || strings.HasPrefix(last, "verifySignature") {
			c.in.guard(c.place(), "")
			return (&Value{Bits: Session}).when(fact(FactAuth), Facts{}), true
		}
		return c.proven(), true
	}
	return nil, false
}
