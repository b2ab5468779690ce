package scaffold

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/dotenv"
)

// configuration is claviger.yaml.
func (p *Project) configuration() string {
	return strings.Replace(file("claviger.yaml"), "AUTH\n", p.auth(), 1)
}

// auth is the list of authenticators.
func (p *Project) auth() string {
	s := p.SignIn
	switch s.Kind {
	case AuthJS:
		return "  - authjs: {secrets: [env:" + s.Secret + "]}       # the app's own secret opens its sessions\n"
	case NextAuth4:
		return "  - authjs: {secrets: [env:" + s.Secret + "], version: 4}\n"
	case AuthJSDatabase, BetterAuthRows:
		return "  # Sessions are in a database, so the gateway asks the app. In production: https, and the site's address.\n" +
			"  - forward: {url: 'http://localhost:3000/api/claviger/session', subject: id, cache: 30s}\n"
	case Clerk:
		return "  - jwt: {preset: clerk, issuer: '" + s.Issuer + "', authorized_parties: ['http://localhost:3000']}   # and the site's origin\n"
	case Supabase:
		return "  - jwt: {preset: supabase, issuer: '" + s.Issuer + "', audience: authenticated}\n"
	case BetterAuth:
		return "  - better-auth: {secret: env:" + s.Secret + "}\n"
	case IronSession:
		return "  - iron-session: {passwords: {1: env:" + s.Secret + "}, cookie: " + s.Cookie + ", subject: " + s.Subject + "}\n"
	default:
		return "  # Nobody signs in in this app yet. In development one person does, by a click at\n" +
			"  # http://localhost:8787/dev-user. Production refuses this line: put the app's sign-in here,\n" +
			"  # as - authjs: {secrets: [env:AUTH_SECRET]}.\n" +
			"  - dev-user: {spend: 1 USD/day}\n"
	}
}

// asked is the address in the app that knows a session which only it can read.
func (p *Project) asked() (string, bool) {
	switch p.SignIn.Kind {
	case AuthJSDatabase:
		return "/api/auth/session", true
	case BetterAuthRows:
		return "/api/auth/get-session", true
	default:
		return "", false
	}
}

func (p *Project) route() string {
	session, options := "", ""
	switch s := p.SignIn; s.Kind {
	case AuthJS, NextAuth4, AuthJSDatabase:
	case Supabase:
		session, options = supabaseSession(s.Key), "{ session }"
	default:
		options = "{ session: ['" + s.Cookie + "'] }"
	}
	return strings.NewReplacer("SESSION\n", session+"\n", "OPTIONS", options).Replace(file("route.txt"))
}

func supabaseSession(key string) string {
	return `import { createServerClient } from '@supabase/ssr';
import { cookies } from 'next/headers';

async function session() {
  const jar = await cookies();
  const supabase = createServerClient(process.env.NEXT_PUBLIC_SUPABASE_URL ?? '', process.env.` + key + ` ?? '', {
    cookies: { getAll: () => jar.getAll(), setAll: () => {} },
  });
  const { data } = await supabase.auth.getSession();
  return data.session?.access_token ?? null;
}
`
}

func (p *Project) page() string {
	hint := ""
	if p.SignIn.Kind == Nobody {
		hint = "      <p>\n        In development, <a href=\"http://localhost:8787/dev-user?to=http://localhost:3000/claviger\" style={{ textDecoration: 'underline' }}>sign in as dev-user</a> first.\n      </p>\n"
	}
	return strings.Replace(file("page.txt"), "HINT", hint, 1)
}

func (p *Project) sessionRoute(at string) string {
	request := ""
	if p.TypeScript {
		request = ": Request"
	}
	return strings.NewReplacer("(requestREQUEST)", "(request"+request+")", "WHERE", at, "COOKIE", p.SignIn.Cookie).Replace(file("session.txt"))
}

var provider = regexp.MustCompile(`from\s+["'](?:openai|@ai-sdk/openai)["']|api\.openai\.com`)

// callers are the files of the app that call the provider themselves.
func (p *Project) callers() (out []string) {
	_ = p.each(func(name string, text []byte) {
		if strings.HasPrefix(name, p.App+"/") && provider.Match(text) {
			out = append(out, name)
		}
	})
	return out
}

func sorted(vars map[string]dotenv.Var) []string { return slices.Sorted(maps.Keys(vars)) }

// Run is how a script of the app is started.
func (p *Project) Run(script string) string {
	if p.Manager == "npm" || p.Manager == "bun" {
		return p.Manager + " run " + script
	}
	return p.Manager + " " + script
}

// Add is how those of the packages are added that are not there; empty where all
// are.
func (p *Project) Add(packages ...string) string {
	packages = slices.DeleteFunc(packages, p.has)
	verb := " add "
	switch {
	case len(packages) == 0:
		return ""
	case p.Manager == "npm":
		verb = " install "
	}
	return p.Manager + verb + strings.Join(packages, " ")
}

// Program is how a program of the app's packages is started.
func (p *Project) Program(name string) string {
	switch p.Manager {
	case "npm":
		return "npx " + name
	case "bun":
		return "bunx " + name
	default:
		return p.Manager + " exec " + name
	}
}

// HasCommand reports whether the claviger command is one of the app's packages.
func (p *Project) HasCommand() bool { return p.has(Command) }

// Command is the package that has the claviger command.
const Command = "@claviger/cli"
