package config

import (
	"net/netip"
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/detect"
)

// Supported refuses what this build does not have. has is asked once for each
// feature that the file uses, by names such as "auth.jwt",
// "auth.anonymous.human", "storage.database.postgres", "storage.limits.redis",
// "retention", "proxy.store", "limits.compressed_bodies". A default is no use:
// only what the file says is asked about.
func Supported(has func(feature string) bool) Check {
	return func(c *Config) []Problem {
		f := findings{c: c}
		for _, u := range c.uses() {
			if _, written := c.pos.at[u.path]; written && u.used && !has(u.feature) {
				f.add(u.path, u.what+" is not available in this version", "")
			}
		}
		return f.ps
	}
}

// use is a feature that a file may use.
type use struct {
	path, feature, what string
	used                bool
}

func (c *Config) uses() []use {
	out := []use{
		{"storage.database", "storage.database." + engine(c.Storage.Database, "postgres"), engine(c.Storage.Database, "postgres"), true},
		{"storage.limits", "storage.limits." + engine(c.Storage.Limits, "redis"), engine(c.Storage.Limits, "redis"), true},
		{"storage.when_limits_fail", "storage.when_limits_fail", "this", c.Storage.WhenLimitsFail == "allow"},
		{"retention", "retention", "keeping prompts and answers", c.Retention.Any()},
		{"limits.compressed_bodies", "limits.compressed_bodies", "this", c.Limits.CompressedBodies},
	}
	for i, a := range c.Auth {
		path := index("auth", i) + "." + a.Kind()
		out = append(out, use{path, "auth." + a.Kind(), a.Kind(), a.Kind() != ""})
		out = append(out, use{path + ".human", "auth.anonymous.human", "a proof that a person is there", a.Anonymous != nil && a.Anonymous.Human != nil})
	}
	if p := c.Proxy; p != nil {
		out = append(out,
			use{"proxy.store", "proxy.store", "storing answers at the provider", p.Store},
			use{"proxy.background", "proxy.background", "background", p.Background},
			use{"proxy.prompts", "proxy.prompts", "stored prompts", len(p.Prompts) > 0},
		)
	}
	for i := range c.Actions {
		out = append(out, use{join("actions", c.Actions[i].Name) + ".store", "actions.store", "storing answers at the provider", c.Actions[i].Store})
	}
	return out
}

// engine names where something is kept, a server's kind where the file refers
// to its address.
func engine(s, server string) string {
	scheme, _, _ := strings.Cut(s, ":")
	switch scheme {
	case "env", "file", "command":
		return server
	}
	return scheme
}

// minShared is the shortest value that counts as the same secret under two
// names. Shorter ones are equal by chance.
const minShared = 8

// Environ refuses a secret in a variable with a public prefix (M-S2): one that
// looks like a key, or holds the same as a variable that the file refers to.
// vars are the variables of the process as NAME=value; their values are compared
// and never told.
func Environ(vars []string) Check {
	return func(c *Config) []Problem {
		secret := map[string]bool{}
		for _, r := range c.Refs() {
			if name, ok := strings.CutPrefix(string(r.Ref), "env:"); ok {
				secret[variable(vars, name)] = true
			}
		}
		var out []Problem
		for _, v := range vars {
			name, value, _ := strings.Cut(v, "=")
			prefix := detect.PublicPrefix(name)
			shared := len(value) >= minShared && secret[value]
			if prefix == "" || !shared && !spends(value) {
				continue
			}
			out = append(out, Problem{
				Position: Position{File: "environment"},
				Path:     variableLabel(name, prefix),
				Message:  "holds a secret, and " + prefix + " has it copied into code for browsers",
				Hint:     "unset it, use a name without the prefix, and replace the key: it may be public already",
			})
		}
		return out
	}
}

// variable is the value of a variable; of one that stands twice the last
// counts.
func variable(vars []string, name string) string {
	out := ""
	for _, v := range vars {
		if n, value, ok := strings.Cut(v, "="); ok && n == name {
			out = value
		}
	}
	return out
}

func variableLabel(name, prefix string) string {
	if variableName.MatchString(name) && tellable(name) {
		return name
	}
	return prefix + "…"
}

// Prices refuses a limit on spending for which a model's price is not known.
// known says whether it is, prices of the file included.
func Prices(known func(model string) bool) Check {
	return func(c *Config) []Problem {
		f := findings{c: c}
		everyone := len(c.Limits.PerIP.Spend)+len(c.Limits.Total.Spend) > 0 || c.servicesSpend()
		counted := everyone
		for i, p := range c.Plans {
			spends := everyone || len(p.Limits.Spend) > 0
			counted = counted || spends
			for j, m := range p.Models {
				if spends && m != "" && !strings.Contains(m, "*") && !known(m) {
					f.noPrice(index(index("plans", i)+".models", j), m)
				}
			}
		}
		for i := range c.Actions {
			a := &c.Actions[i]
			if counted && a.Model != "" && !known(a.Model) {
				f.noPrice(join("actions", a.Name)+".model", a.Model)
			}
		}
		return f.ps
	}
}

// servicesSpend reports whether a service key or the dev user has a budget in
// money, which holds for whatever plan applies.
func (c *Config) servicesSpend() bool {
	return slices.ContainsFunc(c.Auth, func(a Authenticator) bool {
		return a.DevUser != nil && len(a.DevUser.Spend) > 0 || a.Service != nil && slices.ContainsFunc(a.Service.Keys, func(k ServiceKey) bool { return len(k.Limits.Spend) > 0 })
	})
}

func (f *findings) noPrice(path, model string) {
	f.add(path, "no price is known for this model, so spending on it cannot be limited",
		"add prices: {"+model+": {input: …, output: …}}, as 0.4 USD for each million tokens")
}

// Warnings are what is allowed and probably not meant. They are worth a line in
// the log.
func (c *Config) Warnings() []Problem {
	f := findings{c: c}
	if len(c.Actions) == 0 && c.Proxy == nil {
		f.add("", "there are neither actions nor a proxy, so nothing is served", "add actions, or proxy: {endpoints: [responses]}")
	}
	for i := range c.Actions {
		if a := &c.Actions[i]; !c.runnable(a) {
			f.add(join("actions", a.Name), "no plan lets anybody run this action with its model", "add the model to a plan's models")
		}
	}
	if c.Environment != Development {
		for i, o := range c.Origins {
			if strings.HasPrefix(o, "http:") && !loopbackURL(o) {
				f.add(index("origins", i), "pages that come by http can be changed on their way", "use https")
			}
		}
	}
	for i, p := range c.TrustedProxies {
		if TooWide(p) {
			f.add(index("trusted_proxies", i), p.String()+" holds strangers, who may then name whatever address they like", "name the network of the proxy alone")
		}
	}
	if c.BehindTLSProxy && len(c.TrustedProxies) == 0 && len(c.Limits.PerIP.All()) > 0 {
		f.add("limits.per_ip", "without trusted_proxies every caller has the proxy's address", "name the proxy's network in trusted_proxies")
	}
	return f.ps
}

// TooWide reports whether a network is larger than one that somebody runs by
// themselves: more than a private one, or than a thousand addresses (for IPv6,
// than a /32) of the public ones.
func TooWide(p netip.Prefix) bool {
	private := func(a netip.Addr) bool { return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() }
	switch {
	case !p.IsValid():
		return true
	case p.Addr().Is4() && p.Bits() < 8, p.Addr().Is6() && p.Bits() < 7:
		return true
	case private(p.Masked().Addr()):
		return false
	case p.Addr().Is4():
		return p.Bits() < 22 && !carrier.Contains(p.Addr())
	default:
		return p.Bits() < 32
	}
}

// carrier is the network between providers and their customers (RFC 6598), of
// which clouds make private ones.
var carrier = netip.MustParsePrefix("100.64.0.0/10")

// runnable reports whether some plan opens an action.
func (c *Config) runnable(a *Action) bool {
	for _, p := range c.Plans {
		if p.Actions != nil && !slices.Contains(p.Actions, a.Name) {
			continue
		}
		if p.Models == nil {
			return true
		}
		for _, m := range p.Models {
			if claviger.MatchModel(m, a.Model) {
				return true
			}
		}
	}
	return false
}
