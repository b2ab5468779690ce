package config

import (
	"time"

	"claviger.dev/claviger"
)

// openRelay is what a configuration is that asks nobody who they are.
var openRelay = fault{
	"nobody is asked who they are, so this would be an open relay",
	"add an authenticator, as - authjs: {secrets: [env:AUTH_SECRET]}, or say in plain words that strangers may call, within limits: - anonymous: {limits: {requests: 5/min}}",
}

// noStrangers is what a configuration is that lets strangers in without limits.
var noStrangers = fault{
	"strangers without limits of their own would make this an open relay",
	"write limits: {requests: 5/min}, or tokens or spend",
}

func authKindTable() *object[Authenticator] {
	return oneOf("an authenticator", "an authenticator",
		key("authjs", maybe(authJSKind()), func(a *Authenticator) **AuthJS { return &a.AuthJS }, "Sessions of Auth.js and NextAuth, as cookie or bearer."),
		key("jwt", maybe(jwtKind()), func(a *Authenticator) **JWT { return &a.JWT }, "Tokens of an identity provider."),
		key("ticket", maybe(ticketKind()), func(a *Authenticator) **Ticket { return &a.Ticket }, "Short-lived tickets that an app server gets for its users."),
		key("service", maybe(serviceKind()), func(a *Authenticator) **Service { return &a.Service }, "Keys of app servers, which mint tickets with them."),
		key("better-auth", maybe(betterAuthKind()), func(a *Authenticator) **BetterAuth { return &a.BetterAuth }, "The cookie cache of Better Auth."),
		key("iron-session", maybe(ironSessionKind()), func(a *Authenticator) **IronSession { return &a.IronSession }, "Seals of iron-session."),
		key("forward", maybe(forwardKind()), func(a *Authenticator) **Forward { return &a.Forward }, "Asks another server who the caller is."),
		key("anonymous", maybe(anonymousKind()), func(a *Authenticator) **Anonymous { return &a.Anonymous }, "Strangers, within limits of their own. It stands last."),
		key("dev-user", maybe(devUserKind()), func(a *Authenticator) **DevUser { return &a.DevUser }, "One person who signs in by a click, in development on loopback alone."),
	)
}

func realm[T any](at func(*T) *string) field[T] {
	return key("realm", anyName("a realm", "app"), at,
		"The realm of its callers. One subject in one realm is one person, however the credential came.").def("app")
}

func secrets[T any](at func(*T) *[]claviger.Ref, example string) field[T] {
	return key("secrets", listOf(secretRef()).some("as ["+example+"]").most(16), at,
		"The secrets, by reference, the newest first: at least 32 bytes each.").must("[" + example + "]")
}

func authJSKind() *object[AuthJS] {
	return newObject("Auth.js",
		secrets(func(a *AuthJS) *[]claviger.Ref { return &a.Secrets }, "env:AUTH_SECRET"),
		key("version", whole(4, 5), func(a *AuthJS) *int64 { return &a.Version }, "4 or 5. Without it, both are read."),
		key("cookie", cookieName(), func(a *AuthJS) *string { return &a.Cookie },
			"The one cookie that is read. Without it, the __Secure- names when an origin is https, else the plain ones."),
		key("max_age", span(366*24*time.Hour), func(a *AuthJS) *time.Duration { return &a.MaxAge }, "How long ago a session may have been made. Without it, its own end counts."),
		realm(func(a *AuthJS) *string { return &a.Realm }),
	)
}

func jwtKind() *object[JWT] {
	return newObject("tokens of an identity provider",
		key("preset", choice("clerk", "supabase", "firebase", "auth0", "cognito", "workos"), func(j *JWT) *string { return &j.Preset }, "What is known about a provider."),
		key("issuer", webURL("https://example.clerk.accounts.dev"), func(j *JWT) *string { return &j.Issuer }, "The issuer, which tokens must name.").must("https://example.clerk.accounts.dev"),
		key("audience", listOf(text("my-app")).orOne().some("as my-app"), func(j *JWT) *[]string { return &j.Audience }, "Whom tokens must be for: one, or a list of which one fits."),
		key("authorized_parties", listOf(text("https://app.example.com")).some("as [https://app.example.com]"), func(j *JWT) *[]string { return &j.AuthorizedParties },
			"Which apps tokens must have been made for (azp)."),
		key("jwks_url", webURL("https://example.com/jwks.json"), func(j *JWT) *string { return &j.JWKSURL }, "Where the keys are. Without it, the issuer is asked."),
		key("algorithms", listOf(choice("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256")).some("as [RS256]"),
			func(j *JWT) *[]string { return &j.Algorithms }, "The algorithms that are accepted. RS256, ES256 and EdDSA; with secret, HS256."),
		key("secret", secretRef(), func(j *JWT) *claviger.Ref { return &j.Secret }, "The shared secret of HS256, by reference."),
		key("subject", text("sub"), func(j *JWT) *string { return &j.Subject }, "The claim that names the person.").def("sub"),
		key("cookie", cookieName(), func(j *JWT) *string { return &j.Cookie }, "A cookie that holds the token, beside the bearer."),
		realm(func(j *JWT) *string { return &j.Realm }),
		insecureHTTP(func(j *JWT) *bool { return &j.InsecureHTTP }),
		allowPrivate(func(j *JWT) *bool { return &j.AllowPrivate }),
	)
}

func insecureHTTP[T any](at func(*T) *bool) field[T] {
	return key("insecure_http", truth(), at, "Let its addresses be http beyond loopback.").def("false")
}

func ticketKind() *object[Ticket] {
	return newObject("tickets",
		secrets(func(t *Ticket) *[]claviger.Ref { return &t.Secrets }, "env:CLAVIGER_TICKET_SECRET"),
		key("audience", text("claviger"), func(t *Ticket) *string { return &t.Audience }, "Whom tickets are for, where several gateways share a secret.").def("claviger"),
		realm(func(t *Ticket) *string { return &t.Realm }),
		key("dpop_urls", listOf(webURL("https://ai.example.com")).some("as [https://ai.example.com]").most(64), func(t *Ticket) *[]string { return &t.DPoPURLs },
			"The addresses under which callers reach the gateway, with the path in front of /v1 where a proxy takes one away: what DPoP proofs may name. Without it, the origins, https and each of hosts, and the listener where it is on loopback."),
	)
}

func serviceKind() *object[Service] {
	one := newObject("a service key",
		key("name", anyName("a name", "web"), func(k *ServiceKey) *string { return &k.Name }, "Its name in the log.").must("web"),
		key("secret", secretRef(), func(k *ServiceKey) *claviger.Ref { return &k.Secret }, "The key, by reference: at least 32 bytes.").must("env:CLAVIGER_SERVICE_KEY"),
		realm(func(k *ServiceKey) *string { return &k.Realm }),
		key("claims", listOf(text("plan")), func(k *ServiceKey) *[]string { return &k.Claims }, "The claims that it may set in a ticket. Without it, none."),
		key("plans", listOf(anyName("the name of a plan", "pro")), func(k *ServiceKey) *[]string { return &k.Plans }, "The plans that it may write into a ticket. Without it, none: the conditions decide."),
		key("actions", listOf(lowerName("the name of an action", "generate-text")), func(k *ServiceKey) *[]string { return &k.Actions },
			"The actions to which its tickets are bound. Without it, what the plan allows."),
		key("ticket_ttl", span(maxTicket), func(k *ServiceKey) *time.Duration { return &k.TicketTTL }, "The longest life of its tickets, at most 15m.").def("15m"),
		key("limits", newObject("limits of a service key", ratesFields()...), func(k *ServiceKey) *Rates { return &k.Limits },
			"Limits of what it does as itself and of all its tickets, together, beside those of the plans."),
		key("dpop", choice("optional", "required"), func(k *ServiceKey) *string { return &k.DPoP },
			"Whether its tickets have to be bound to a key of their holder (DPoP).").def("optional"),
	)
	return newObject("service keys",
		key("keys", listOf(one).block().some("as [{name: web, secret: env:CLAVIGER_SERVICE_KEY}]").most(64), func(s *Service) *[]ServiceKey { return &s.Keys },
			"One key for each app server.").must("[{name: web, secret: env:CLAVIGER_SERVICE_KEY}]"),
	)
}

func betterAuthKind() *object[BetterAuth] {
	return newObject("Better Auth",
		key("secret", secretRef(), func(b *BetterAuth) *claviger.Ref { return &b.Secret }, "The app's secret, by reference.").must("env:BETTER_AUTH_SECRET"),
		key("cookie", cookieName(), func(b *BetterAuth) *string { return &b.Cookie }, "The one cookie that is read. Without it, the library's own names."),
		key("strategy", choice("compact", "jwt", "jwe"), func(b *BetterAuth) *string { return &b.Strategy }, "How the cookie cache is written.").def("compact"),
		realm(func(b *BetterAuth) *string { return &b.Realm }),
	)
}

func ironSessionKind() *object[IronSession] {
	id := matching("the id of a password", "1", `^[0-9A-Za-z_]{1,32}$`, fault{"must be the id of a password", "as 1"})
	password := via[claviger.Ref, Password]{secretRef(), func(r claviger.Ref) Password { return Password{Ref: r} }, func(p Password) claviger.Ref { return p.Ref }}
	return newObject("iron-session",
		key("passwords", &keyed[Password]{password, func(p *Password) *string { return &p.ID }, id}, func(i *IronSession) *[]Password { return &i.Passwords },
			"The passwords by their id, by reference.").must("{1: env:SESSION_PASSWORD}"),
		key("cookie", cookieName(), func(i *IronSession) *string { return &i.Cookie }, "The cookie that holds the seal.").must("my-app-session"),
		key("subject", text("user.id"), func(i *IronSession) *string { return &i.Subject }, "Where in the session the person's id stands.").must("user.id"),
		key("ttl", span(366*24*time.Hour), func(i *IronSession) *time.Duration { return &i.TTL }, "How old a seal may be.").def("14d"),
		realm(func(i *IronSession) *string { return &i.Realm }),
	)
}

func forwardKind() *object[Forward] {
	return newObject("asking another server",
		key("url", exactURL("https://app.example.com/api/me"), func(f *Forward) *string { return &f.URL }, "What is asked, with the caller's credential.").must("https://app.example.com/api/me"),
		key("subject", text("user.id"), func(f *Forward) *string { return &f.Subject }, "Where in the answer the person's id stands.").must("user.id"),
		key("claims", listOf(text("plan")), func(f *Forward) *[]string { return &f.Claims }, "The members of the answer that become claims, as plan or user.plan: the last part is the claim's name."),
		key("cache", span(time.Hour), func(f *Forward) *time.Duration { return &f.Cache }, "How long an answer counts, and how long somebody who was signed out may still be let in.").def("30s"),
		key("cookies", listOf(cookieName()), func(f *Forward) *[]string { return &f.Cookies }, "The cookies that are passed on, whole or in numbered chunks. Without it, only the bearer is."),
		realm(func(f *Forward) *string { return &f.Realm }),
		insecureHTTP(func(f *Forward) *bool { return &f.InsecureHTTP }),
		allowPrivate(func(f *Forward) *bool { return &f.AllowPrivate }),
	)
}

func allowPrivate[T any](at func(*T) *bool) field[T] {
	return key("allow_private", truth(), at, "Let the names of its addresses lead to a private address or to this machine. An address written as such, and localhost, need no permission.").def("false")
}

func humanKind() *object[Human] {
	account := func(address *member[HumanProof, string], example string) *object[HumanProof] {
		return newObject("an account with a provider of proofs",
			address,
			key("secret", secretRef(), func(h *HumanProof) *claviger.Ref { return &h.Secret }, "The secret of the account, by reference.").must("env:"+example),
			key("site_key", text("0x4AAA"), func(h *HumanProof) *string { return &h.SiteKey }, "The public key that the page uses. hCaptcha is told it, so that proofs of other pages are refused."),
			key("action", text("chat"), func(h *HumanProof) *string { return &h.Action }, "The action that the proof must be for, where the page names one."),
			insecureHTTP(func(h *HumanProof) *bool { return &h.InsecureHTTP }),
			allowPrivate(func(h *HumanProof) *bool { return &h.AllowPrivate }),
		)
	}
	address := func(doc string) *member[HumanProof, string] {
		return key("url", exactURL("https://captcha.example.com/siteverify"), func(h *HumanProof) *string { return &h.URL }, doc)
	}
	return newObject("a proof that a person is there",
		key("turnstile", maybe(account(address("Where proofs are checked. Without it, Cloudflare's address."), "TURNSTILE_SECRET")), func(h *Human) **HumanProof { return &h.Turnstile }, "Cloudflare Turnstile."),
		key("hcaptcha", maybe(account(address("Where proofs are checked. Without it, hCaptcha's address."), "HCAPTCHA_SECRET")), func(h *Human) **HumanProof { return &h.HCaptcha }, "hCaptcha."),
		key("siteverify", maybe(account(address("Where proofs are checked.").must("https://captcha.example.com/siteverify"), "CAPTCHA_SECRET")), func(h *Human) **HumanProof { return &h.Siteverify },
			"Any other provider, or your own, whose endpoint takes secret and response as a form and answers success."),
		key("otherwise", anyName("the name of a plan", "unproven"), func(h *Human) *string { return &h.Otherwise }, "The one plan of strangers without a proof. Without it, they are refused."),
	)
}

func devUserKind() *object[DevUser] {
	return newObject("the dev user",
		key("plan", anyName("the name of a plan", "free"), func(u *DevUser) *string { return &u.Plan }, "The one plan of that person. Without it, the conditions decide."),
		key("spend", listOf(spend()).orOne().some(oneLimit), func(u *DevUser) *[]claviger.Window { return &u.Spend },
			"How much money may be spent, beside the limits of the plan.").def("1 USD/day"),
	)
}

func anonymousKind() *object[Anonymous] {
	return newObject("strangers",
		key("plan", anyName("the name of a plan", "guest"), func(a *Anonymous) *string { return &a.Plan }, "The one plan of strangers. Without it, the conditions decide."),
		key("limits", newObject("limits of strangers", ratesFields()...), func(a *Anonymous) *Rates { return &a.Limits }, "Limits of each stranger, beside those of the plan.").needs(noStrangers),
		key("human", maybe(humanKind()), func(a *Anonymous) **Human { return &a.Human }, "A proof that a person is there, which the page sends as Claviger-Human. Exactly one provider."),
	)
}
