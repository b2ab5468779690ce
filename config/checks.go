package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// ownChecks are the rules that join several keys.
func ownChecks() []Check {
	return []Check{
		checkListeners, checkProvider, checkStrangers, checkDevUser, checkOnce, checkTokens, checkServiceKeys,
		checkPlans, checkPlanNames, checkActions, checkContent, checkLimits, checkPrices, checkRetention,
	}
}

// findings collects problems of one check.
type findings struct {
	c  *Config
	ps []Problem
}

func (f *findings) add(path, message, hint string) {
	f.ps = append(f.ps, f.c.Problem(path, message, hint))
}

func checkListeners(c *Config) []Problem {
	f := findings{c: c}
	if reachOf(c.Listen) != reachLoopback && c.TLS == nil && !c.BehindTLSProxy {
		f.add("listen", "beyond loopback the listener needs TLS, or credentials travel for everybody on the way to read",
			"add tls: {cert: file:…, key: file:…}, or behind_tls_proxy: true where a proxy in front ends TLS")
	}
	if reachOf(c.Admin.Listen) == reachPublic {
		f.add("admin.listen", "the admin pages have no authentication of their own, so a public address is refused",
			"listen on 127.0.0.1, or on an address of a private network as 10.1.2.3")
	}
	if samePort(c.Listen, c.Admin.Listen) {
		f.add("admin.listen", "is the address of the public listener", "give it another port")
	}
	return f.ps
}

// samePort reports whether two listeners would want the same port of an
// address. Port 0 is a free one each time.
func samePort(a, b string) bool {
	x, errX := netip.ParseAddrPort(strings.Replace(a, "localhost:", "127.0.0.1:", 1))
	y, errY := netip.ParseAddrPort(strings.Replace(b, "localhost:", "127.0.0.1:", 1))
	if errX != nil || errY != nil {
		return a == b && a != ""
	}
	return x.Port() == y.Port() && x.Port() != 0 &&
		(x.Addr() == y.Addr() || x.Addr().IsUnspecified() || y.Addr().IsUnspecified())
}

func checkProvider(c *Config) []Problem {
	f := findings{c: c}
	f.secure("upstream.base_url", c.Upstream.BaseURL, c.Upstream.InsecureHTTP, "upstream.insecure_http")
	if c.Upstream.KeyProcess == "separate" && c.Environment == Development {
		f.add("upstream.key_process", "a process of its own for the keys is of no use in development, where the gateway reads .env files whole",
			"take it away, or set environment")
	}
	usable := false
	for i, k := range c.Upstream.Keys {
		usable = usable || k.Environment == "" || k.Environment == c.Environment
		first := slices.IndexFunc(c.Upstream.Keys, func(o UpstreamKey) bool { return o.Ref == k.Ref && o.Environment == k.Environment })
		if k.Ref != "" && first < i {
			f.add(index("upstream.keys", i), "is the same reference as "+index("upstream.keys", first), "give it more weight there instead")
		}
		f.known(index("upstream.keys", i)+".plans", k.Plans, c.planNames(), "plan")
		f.known(index("upstream.keys", i)+".actions", k.Actions, c.actionNames(), "action")
	}
	if len(c.Upstream.Keys) > 0 && !usable && c.Environment != "" {
		f.add("upstream.keys", "every key is for another environment than "+c.Environment, "add a key for this one, or set environment")
	}
	return f.ps
}

// secure refuses http beyond loopback.
func (f *findings) secure(path, address string, insecure bool, way string) {
	if strings.HasPrefix(address, "http:") && !insecure && !loopbackURL(address) {
		f.add(path, "http beyond loopback lets everybody on the way read along", "use https, or write "+way+": true")
	}
}

// checkStrangers holds M-L6: nobody calls without limits unless the file says
// so in plain words.
func checkStrangers(c *Config) []Problem {
	f := findings{c: c}
	for i, a := range c.Auth {
		if a.Anonymous == nil {
			continue
		}
		path := index("auth", i) + ".anonymous"
		if i != len(c.Auth)-1 {
			f.add(path, "must stand last: whoever comes after it is never asked", "move it to the end of auth")
		}
		if l := a.Anonymous.Limits; len(l.Requests)+len(l.Tokens)+len(l.Spend) == 0 {
			f.add(path+".limits", noStrangers.message, noStrangers.hint)
		}
	}
	return f.ps
}

// checkDevUser keeps the person whom a click signs in to one machine in
// development.
func checkDevUser(c *Config) []Problem {
	f := findings{c: c}
	for i, a := range c.Auth {
		if a.DevUser == nil {
			continue
		}
		path := index("auth", i) + ".dev-user"
		const way = "take it out, and let people sign in: - authjs: {secrets: [env:AUTH_SECRET]}"
		switch {
		case c.Environment == "":
		case c.Environment != Development:
			f.add(path, "signs in anybody by a click, so "+c.Environment+" refuses it", way+"; 'claviger dev' is development")
		case reachOf(c.Listen) != reachLoopback || c.BehindTLSProxy || len(c.TrustedProxies) > 0:
			f.add(path, "signs in anybody by a click, so it is for loopback alone, with no proxy in front",
				"listen on 127.0.0.1, and take behind_tls_proxy and trusted_proxies out")
		}
		f.plan(path+".plan", a.DevUser.Plan)
	}
	return f.ps
}

// checkOnce refuses a second authenticator of a kind that hands out or knows a
// list of secrets by itself.
func checkOnce(c *Config) []Problem {
	f := findings{c: c}
	first := map[string]int{}
	for i, a := range c.Auth {
		kind := a.Kind()
		j, twice := first[kind]
		if !twice {
			first[kind] = i
		} else if a.Ticket != nil || a.Service != nil || a.DevUser != nil {
			f.add(index("auth", i)+"."+kind, "stands in "+index("auth", j)+" already", "put everything into one")
		}
	}
	return f.ps
}

// checkTokens looks at the authenticators that read what others made.
func checkTokens(c *Config) []Problem {
	f := findings{c: c}
	for i, a := range c.Auth {
		path := index("auth", i) + "." + a.Kind()
		switch {
		case a.JWT != nil:
			f.jwt(path, a.JWT)
		case a.IronSession != nil && len(a.IronSession.Passwords) == 0 && !c.wrongWithin(path+".passwords"):
			f.add(path+".passwords", "is empty", "write passwords: {1: env:SESSION_PASSWORD}")
		case a.Forward != nil:
			f.secure(path+".url", a.Forward.URL, a.Forward.InsecureHTTP, "insecure_http")
			f.behindForward(i)
		case a.Anonymous != nil && a.Anonymous.Human != nil:
			f.human(path+".human", a.Anonymous.Human)
		}
	}
	return f.ps
}

// behindForward refuses those behind a forward authenticator who would never be
// asked about a bearer, while the bearer goes to another server.
func (f *findings) behindForward(i int) {
	for j, a := range f.c.Auth[i+1:] {
		if a.JWT != nil || a.Ticket != nil || a.Service != nil {
			f.add(index("auth", i+1+j)+"."+a.Kind(), "must stand before "+index("auth", i)+".forward, which takes every bearer and sends it to its url",
				"move it up")
		}
	}
}

func (f *findings) human(path string, h *Human) {
	given := 0
	for _, p := range []struct {
		name    string
		account *HumanProof
	}{{"turnstile", h.Turnstile}, {"hcaptcha", h.HCaptcha}, {"siteverify", h.Siteverify}} {
		if p.account != nil {
			given++
			f.secure(path+"."+p.name+".url", p.account.URL, p.account.InsecureHTTP, "insecure_http")
		}
	}
	if given != 1 && !f.c.wrongWithin(path) {
		f.add(path, "must hold exactly one provider of proofs", "known: turnstile, hcaptcha, siteverify")
	}
}

func (f *findings) jwt(path string, j *JWT) {
	f.secure(path+".issuer", j.Issuer, j.InsecureHTTP, "insecure_http")
	f.secure(path+".jwks_url", j.JWKSURL, j.InsecureHTTP, "insecure_http")
	if len(j.Audience) == 0 && len(j.AuthorizedParties) == 0 {
		f.add(path, "audience or authorized_parties is missing: a token that the issuer made for another app would be taken",
			"add audience: my-app, or authorized_parties: [https://app.example.com]")
	}
	symmetric := slices.Contains(j.Algorithms, "HS256")
	switch {
	case j.Secret != "" && j.JWKSURL != "":
		f.add(path+".jwks_url", "a secret and published keys exclude each other", "take one of them away")
	case j.Secret != "" && (len(j.Algorithms) != 1 || !symmetric):
		f.add(path+".algorithms", "with a secret, HS256 is the one algorithm", "write algorithms: [HS256]")
	case j.Secret == "" && symmetric:
		f.add(path+".algorithms", "HS256 needs a secret: with published keys anybody could sign", "take it out, or add secret: env:JWT_SECRET")
	}
}

func checkServiceKeys(c *Config) []Problem {
	f := findings{c: c}
	names, refs := map[string]string{}, map[claviger.Ref]string{}
	for i, a := range c.Auth {
		if a.Service == nil {
			continue
		}
		for j, k := range a.Service.Keys {
			path := index(index("auth", i)+".service.keys", j)
			if other, taken := names[k.Name]; taken && k.Name != "" {
				f.add(path+".name", "is the name of "+other+" too", "give each key its own")
			}
			if other, taken := refs[k.Secret]; taken && k.Secret != "" {
				f.add(path+".secret", "is the secret of "+other+" too", "give each key its own")
			}
			names[k.Name], refs[k.Secret] = path, path
			f.known(path+".plans", k.Plans, c.planNames(), "plan")
			f.known(path+".actions", k.Actions, c.actionNames(), "action")
		}
	}
	return f.ps
}

// known refuses names that are not in the file, and names that stand twice.
func (f *findings) known(path string, names, have []string, what string) {
	for i, n := range names {
		at := index(path, i)
		switch {
		case n == "":
		case slices.Index(names, n) < i:
			f.add(at, "stands here twice", "keep one of them")
		case !slices.Contains(have, n):
			f.unknown(at, n, have, what)
		}
	}
}

func (f *findings) unknown(path, name string, have []string, what string) {
	message, hint := "there is no such "+what, "known: "+quoted(have)
	if near := nearest(name, have); near != "" {
		message, hint = message+`, did you mean "`+near+`"?`, ""
	} else if len(have) == 0 {
		hint = "the file has none"
	}
	f.add(path, message, hint)
}

func (c *Config) planNames() []string {
	var out []string
	for _, p := range c.Plans {
		if p.Name != "" {
			out = append(out, p.Name)
		}
	}
	return out
}

func (c *Config) actionNames() []string {
	out := make([]string, len(c.Actions))
	for i, a := range c.Actions {
		out[i] = a.Name
	}
	return out
}

// checkPlans looks at the order of the plans and at what they name.
func checkPlans(c *Config) []Problem {
	f := findings{c: c}
	all := -1
	for i, p := range c.Plans {
		path := index("plans", i)
		if all >= 0 && !c.namesPlan(p.Name) {
			f.add(path, fmt.Sprintf("is never reached: %s has no condition, so it applies to all who come that far", index("plans", all)),
				"give that plan a condition, or move it to the end")
		}
		if all < 0 && (p.When == "" || p.When == "true") && !c.wrong[path+".when"] {
			all = i
		}
		f.open(path+".endpoints", p.Endpoints)
		f.known(path+".actions", p.Actions, c.actionNames(), "action")
		f.twice(path+".models", p.Models)
		f.twice(path+".tools", p.Tools)
	}
	return f.ps
}

// open refuses endpoints of a plan that the proxy does not have. The listing of
// models is there wherever the proxy is.
func (f *findings) open(path string, names []string) {
	f.twice(path, names)
	for i, n := range names {
		switch p := f.c.Proxy; {
		case n == "" || n == string(openai.EndpointModels):
		case p == nil:
			f.add(index(path, i), "the proxy is off", "add proxy: {endpoints: […]}, or take the key away")
		case !slices.ContainsFunc(p.Endpoints, func(o string) bool { return o == n || openai.Named(o, claviger.Endpoint(n)) }):
			f.add(index(path, i), "this endpoint is not open", "add it to proxy.endpoints")
		}
	}
}

func (f *findings) twice(path string, names []string) { f.known(path, names, names, "") }

// namesPlan reports whether somebody is given the plan by its name, whatever
// the conditions say.
func (c *Config) namesPlan(name string) bool {
	return slices.ContainsFunc(c.Auth, func(a Authenticator) bool {
		if a.DevUser != nil && a.DevUser.Plan == name {
			return true
		}
		if a.Anonymous != nil && (a.Anonymous.Plan == name || a.Anonymous.Human != nil && a.Anonymous.Human.Otherwise == name) {
			return true
		}
		return a.Service != nil && slices.ContainsFunc(a.Service.Keys, func(k ServiceKey) bool { return slices.Contains(k.Plans, name) })
	})
}

func checkPlanNames(c *Config) []Problem {
	f := findings{c: c}
	for i, p := range c.Plans {
		first := slices.IndexFunc(c.Plans, func(o Plan) bool { return o.Name == p.Name })
		if p.Name != "" && first < i {
			f.add(index("plans", i)+".name", "is the name of "+index("plans", first)+" too", "give each plan its own")
		}
	}
	for i, a := range c.Auth {
		if a.Anonymous == nil {
			continue
		}
		path := index("auth", i) + ".anonymous"
		f.plan(path+".plan", a.Anonymous.Plan)
		if h := a.Anonymous.Human; h != nil {
			f.plan(path+".human.otherwise", h.Otherwise)
		}
	}
	return f.ps
}

func (f *findings) plan(path, name string) {
	if have := f.c.planNames(); name != "" && !slices.Contains(have, name) {
		f.unknown(path, name, have, "plan")
	}
}

// checkLimits refuses two limits for the same period: the larger would mean
// nothing.
func checkLimits(c *Config) []Problem {
	f := findings{c: c}
	f.rates("limits.per_ip", c.Limits.PerIP)
	f.rates("limits.total", c.Limits.Total)
	for i, p := range c.Plans {
		f.rates(index("plans", i)+".limits", p.Limits.Rates)
		f.share(index("plans", i)+".share", p.Share)
	}
	for i, a := range c.Auth {
		if a.Anonymous != nil {
			f.rates(index("auth", i)+".anonymous.limits", a.Anonymous.Limits)
		}
		if a.DevUser != nil {
			f.rates(index("auth", i)+".dev-user", Rates{Spend: a.DevUser.Spend})
		}
		if a.Service != nil {
			for j, k := range a.Service.Keys {
				f.rates(index(index("auth", i)+".service.keys", j)+".limits", k.Limits)
			}
		}
	}
	return f.ps
}

// share refuses a share of nothing, and one that would let nobody through.
func (f *findings) share(path string, percent int64) {
	if percent == 0 {
		return
	}
	total := f.c.Limits.Total.All()
	if len(total) == 0 {
		f.add(path, "there is nothing to have a share of", "set limits.total, or take the share away")
	}
	for _, l := range total {
		if l.Window.Limit < (100+percent-1)/percent {
			f.add(path, "this share of limits.total."+string(l.Kind)+" is less than one, so nobody on the plan could call", "raise one of both")
		}
	}
}

func (f *findings) rates(path string, r Rates) {
	for _, l := range []struct {
		name    string
		windows []claviger.Window
	}{{"requests", r.Requests}, {"tokens", r.Tokens}, {"spend", r.Spend}} {
		for i, w := range l.windows {
			first := slices.IndexFunc(l.windows, func(o claviger.Window) bool { return o.Per == w.Per })
			if w.Limit > 0 && first < i {
				f.add(index(path+"."+l.name, i), "there is a limit for this period already", "keep the smaller one")
			}
		}
	}
}
