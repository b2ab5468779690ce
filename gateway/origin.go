package gateway

import (
	"net/http"
	"slices"
	"strings"

	"claviger.dev/claviger"
)

// Origins are the web origins whose pages may use the gateway.
type Origins struct {
	// Exact are whole origins, as "https://app.example.com".
	Exact []string
	// Suffixes allow the origins of one scheme whose host ends so, as
	// {"https", "-team.vercel.app"}, for preview deployments.
	Suffixes []OriginSuffix
}

// OriginSuffix allows the origins of one scheme by the end of their host.
type OriginSuffix struct{ Scheme, Host string }

// Allowed reports whether an Origin header names one of them. "null" and an
// empty header never do.
func (o Origins) Allowed(origin string) bool {
	if origin == "" || origin == "null" {
		return false
	}
	if slices.Contains(o.Exact, origin) {
		return true
	}
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok || !plainHost(host) {
		return false
	}
	return slices.ContainsFunc(o.Suffixes, func(s OriginSuffix) bool {
		return s.Scheme == scheme && len(host) > len(s.Host) && strings.HasSuffix(host, s.Host)
	})
}

// plainHost admits lower-case host names of whole labels alone, so that nothing
// but a name can stand before a suffix.
func plainHost(h string) bool {
	return h != "" && h[0] != '.' && !strings.Contains(h, "..") && strings.Trim(h, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// What a page may send and read across origins. The x-stainless headers and
// the openai ones are sent by OpenAI's own SDKs; they are dropped afterwards.
const (
	exposedHeaders  = "X-Request-Id, RateLimit, RateLimit-Policy, Retry-After, x-should-retry"
	preflightMaxAge = "600"
)

func askableHeader(h string) bool {
	switch h {
	case "accept", "authorization", "content-type", "x-claviger-stream", "claviger-human", "openai-organization",
		"openai-project", "openai-beta", "user-agent", "idempotency-key", "dpop":
		return true
	}
	return strings.HasPrefix(h, "x-stainless-")
}

// browser is what the request's own headers say about the page that made it.
type browser struct {
	// foreign: a browser says that the request comes from a page that is not
	// ours. It may carry a bearer, which no browser adds by itself, and nothing
	// else.
	foreign bool
	// vouched: a browser says that the request comes from a page of ours, so a
	// cookie may count.
	vouched bool
}

// judgeOrigin reads Origin and Sec-Fetch-Site. A cookie counts only where one
// of them is present and everything present is right; a request without both
// comes from no browser of this decade.
func judgeOrigin(r *http.Request, o Origins) browser {
	origins, sites := r.Header["Origin"], r.Header["Sec-Fetch-Site"]
	if len(origins) > 1 || len(sites) > 1 {
		return browser{foreign: true}
	}
	var b browser
	if len(origins) == 1 {
		ours := o.Allowed(origins[0])
		b = browser{foreign: !ours, vouched: ours}
	}
	if len(sites) == 1 {
		switch sites[0] {
		case "same-origin":
			b.vouched = b.vouched || len(origins) == 0
		default:
			// A listed origin may be another site; without an Origin there is
			// nobody to vouch for it. "none" is a person typing an address,
			// who submits no form.
			b.foreign = b.foreign || len(origins) == 0
		}
	}
	return b
}

// gateOrigin lets the request on, or refuses it for what a page of somebody
// else made a browser send along.
func (x *exchange) gateOrigin() error {
	b := judgeOrigin(x.r, x.s.Origins)
	bearer := len(x.r.Header["Authorization"]) > 0
	cookie := x.cookieAuthenticator()
	switch {
	case b.foreign && !bearer:
		return &claviger.Error{Code: claviger.CodeCSRF}
	case cookie && !b.vouched && !bearer:
		return &claviger.Error{Code: claviger.CodeCSRF}
	case !b.vouched && x.r.Header["Cookie"] != nil:
		// With a bearer the cookies are not what the caller meant, and nobody
		// may take them for a credential.
		x.r = withoutCookies(x.r)
	}
	return nil
}

func (x *exchange) cookieAuthenticator() bool {
	if x.r.Header["Cookie"] == nil {
		return false
	}
	for _, a := range x.s.Authenticators {
		if c, ok := a.(claviger.CookieAuthenticator); ok && c.HasCookie(x.r) {
			return true
		}
	}
	return false
}

// cors sets what lets a page of an allowed origin read the answer.
func (x *exchange) cors() {
	h := x.w.Header()
	h.Add("Vary", "Origin")
	origin := x.r.Header.Get("Origin")
	if !x.s.Origins.Allowed(origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", exposedHeaders)
}

// preflight answers OPTIONS for a path that takes these methods.
func (x *exchange) preflight(methods string) error {
	origin := x.r.Header.Get("Origin")
	if origin == "" || x.r.Header.Get("Access-Control-Request-Method") == "" {
		return &claviger.Error{Code: claviger.CodeMethodNotAllowed, Allow: methods}
	}
	if !x.s.Origins.Allowed(origin) {
		return &claviger.Error{Code: claviger.CodeCSRF}
	}
	var ask []string
	for _, line := range x.r.Header["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); askableHeader(name) {
				ask = append(ask, name)
			}
		}
	}
	h := x.w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	if ask != nil {
		h.Set("Access-Control-Allow-Headers", strings.Join(ask, ", "))
	}
	h.Set("Access-Control-Max-Age", preflightMaxAge)
	x.commit(http.StatusNoContent)
	return nil
}
