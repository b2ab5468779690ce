package app

import (
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/anonymous"
	"claviger.dev/claviger/authn/forward"
	"claviger.dev/claviger/config"
)

// idler keeps connections that nobody may be using.
type idler interface{ CloseIdle() }

func (b *builder) forward(c *config.Forward) (claviger.Authenticator, error) {
	made, err := forward.New(forward.Options{
		URL: c.URL, Subject: c.Subject, Claims: c.Claims, Cache: c.Cache, Cookies: c.Cookies, Realm: c.Realm,
		InsecureHTTP: c.InsecureHTTP, AllowPrivate: c.AllowPrivate, Logger: b.log, Asked: b.counted(forward.Method),
	})
	if err != nil {
		return nil, err
	}
	b.in.idlers = append(b.in.idlers, made)
	return made, nil
}

// databaseSessions is where Auth.js tells of sessions that it cannot read: to
// nobody, where a forward authenticator looks them up.
func (b *builder) databaseSessions() *slog.Logger {
	if slices.ContainsFunc(b.in.config.Auth, func(a config.Authenticator) bool { return a.Forward != nil && len(a.Forward.Cookies) > 0 }) {
		return nil
	}
	return b.log
}

func (b *builder) anonymous(at string, c *config.Anonymous) (claviger.Authenticator, error) {
	o := anonymous.Options{Plan: c.Plan, Limits: c.Limits.All()}
	if c.Human != nil {
		o.Human = b.human(at+".human", c.Human)
	}
	made, err := anonymous.New(o)
	if err != nil {
		return nil, err
	}
	b.in.idlers = append(b.in.idlers, made)
	return made, nil
}

func (b *builder) human(at string, c *config.Human) *anonymous.Human {
	h := &anonymous.Human{
		Otherwise: c.Otherwise, Host: b.ownHost, Proofs: b.in.proofs, Logger: b.log, Asked: b.counted("human"),
	}
	var account *config.HumanProof
	switch {
	case c.Turnstile != nil:
		account, h.URL, at = c.Turnstile, anonymous.TurnstileURL, at+".turnstile"
	case c.HCaptcha != nil:
		account, h.URL, at = c.HCaptcha, anonymous.HCaptchaURL, at+".hcaptcha"
		h.SiteKey = account.SiteKey
	default:
		account, h.Scored, at = c.Siteverify, true, at+".siteverify"
	}
	if account.URL != "" {
		h.URL = account.URL
	}
	h.Secret = b.secret(at+".secret", account.Secret, "it is the secret of the account with the provider of proofs")
	h.Action, h.InsecureHTTP, h.AllowPrivate = account.Action, account.InsecureHTTP, account.AllowPrivate
	return h
}

// ownHost reports whether pages of a host may use this gateway: the hosts of the
// origins, or, where no origin is listed, those of the gateway itself.
func (b *builder) ownHost(name string) bool {
	cfg := b.in.config
	same := func(host string) bool {
		u := url.URL{Host: host}
		return name != "" && strings.EqualFold(u.Hostname(), name)
	}
	if len(cfg.Origins)+len(cfg.OriginSuffixes) == 0 {
		return slices.ContainsFunc(hostNames(cfg), same)
	}
	return slices.ContainsFunc(cfg.Origins, func(o string) bool {
		_, host, _ := strings.Cut(o, "://")
		return same(host)
	}) || slices.ContainsFunc(cfg.OriginSuffixes, func(s config.OriginSuffix) bool {
		return len(name) > len(s.Host) && strings.HasSuffix(strings.ToLower(name), s.Host)
	})
}

// counted tells the metrics what came of asking another server.
func (b *builder) counted(method string) func(outcome string) {
	if b.asked == nil {
		return nil
	}
	return func(outcome string) { b.asked(method, outcome) }
}
