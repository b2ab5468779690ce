// Package scaffold puts the gateway into an app that is there: it looks how
// people sign in, and writes a configuration, an action, a route, a page and
// what keeps the key out of the app's own process. It is all or nothing, and
// nothing of the user's is overwritten.
package scaffold

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/dotenv"
	"claviger.dev/claviger/internal/jsonx"
)

// mostSource is the largest file of the app that is looked at, in bytes.
const mostSource = 256 << 10

// Project is an app as it was found.
type Project struct {
	// Dir is its folder.
	Dir string
	// App is the folder of the App Router within it, "app" or "src/app".
	App string
	// TypeScript says whether its files are.
	TypeScript bool
	// Manager is the package manager: npm, pnpm, yarn or bun.
	Manager string
	// SignIn is how people sign in.
	SignIn SignIn

	packages []string
	versions map[string]string
	env      map[string]dotenv.Var
	sources  string
}

// Kind is a way of signing in.
type Kind string

// The ways of signing in that are known.
const (
	AuthJS         Kind = "Auth.js with sessions in a token"
	AuthJSDatabase Kind = "Auth.js with sessions in a database"
	NextAuth4      Kind = "NextAuth 4 with sessions in a token"
	Clerk          Kind = "Clerk"
	Supabase       Kind = "Supabase"
	BetterAuth     Kind = "Better Auth with its cookie cache"
	BetterAuthRows Kind = "Better Auth with sessions in its database"
	IronSession    Kind = "iron-session"
	Nobody         Kind = "nothing yet that init knows"
)

// SignIn is how people sign in, as far as the app's files say.
type SignIn struct {
	Kind Kind
	// Secret is the variable that holds the secret of the sessions.
	Secret string
	// Issuer is who signs the tokens, Cookie where they are, Subject where in
	// them the person's id stands. Key is the variable of Supabase's public key.
	Issuer, Cookie, Subject, Key string
	// Guessed says what could not be found and has to be written by hand.
	Guessed []string
}

// Look reads the app in a folder. The error says what is missing there.
func Look(dir string) (Project, error) {
	p := Project{Dir: dir, versions: map[string]string{}}
	raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return p, errors.New("there is no package.json, so this is no Next.js app; make one with 'npx create-next-app'")
	}
	if err != nil {
		return p, err
	}
	manifest, err := jsonx.Parse(raw)
	if err != nil {
		return p, fmt.Errorf("package.json: %w", err)
	}
	for _, group := range []string{"dependencies", "devDependencies"} {
		list, _ := manifest.Get(group)
		for name, version := range list.Fields() {
			p.packages = append(p.packages, name)
			p.versions[name] = version.Str()
		}
	}
	if !p.has("next") {
		return p, errors.New("package.json does not have next among its dependencies, so this is no Next.js app")
	}
	for _, app := range []string{"app", "src/app"} {
		if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(app))); err == nil && info.IsDir() {
			p.App = app
			break
		}
	}
	if p.App == "" {
		return p, errors.New("there is neither app nor src/app: this needs the App Router")
	}
	p.TypeScript = p.there("tsconfig.json")
	p.Manager = p.manager()
	if p.env, err = variables(dir); err != nil {
		return p, err
	}
	p.sources = p.read()
	p.SignIn = p.signIn()
	return p, nil
}

func (p *Project) has(name string) bool { return slices.Contains(p.packages, name) }

func (p *Project) there(name string) bool {
	_, err := os.Stat(filepath.Join(p.Dir, name))
	return err == nil
}

func (p *Project) manager() string {
	for _, m := range [][2]string{{"pnpm-lock.yaml", "pnpm"}, {"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"}} {
		if p.there(m[0]) {
			return m[1]
		}
	}
	return "npm"
}

func variables(dir string) (map[string]dotenv.Var, error) {
	files, err := dotenv.Read(dir, dotenv.Names("development"))
	if err != nil {
		return nil, err
	}
	return dotenv.Load(files, func(string) (string, bool) { return "", false })
}

// setups are the folders in which apps set their sign-in up; of the last two
// what lies deeper counts too.
var setups = []string{".", "src", "lib", "src/lib", "utils", "src/utils", "server", "src/server", "app/api/auth", "src/app/api/auth"}

// read joins the files in which apps set their sign-in up.
func (p *Project) read() string {
	var b strings.Builder
	_ = p.each(func(name string, text []byte) {
		in := path.Dir(name)
		if slices.Contains(setups, in) || strings.HasPrefix(in, "app/api/auth/") || strings.HasPrefix(in, "src/app/api/auth/") {
			b.Write(text)
			b.WriteByte('\n')
		}
	})
	return comments.ReplaceAllString(b.String(), "$1")
}

// mostFiles is how many files of the app are looked at.
const mostFiles = 5000

// each gives the app's own source files. What cannot be read says nothing.
func (p *Project) each(look func(name string, text []byte)) error {
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	seen := 0
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil //nolint:nilerr // as above
		case d.IsDir() && (d.Name() == "node_modules" || name != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !source.MatchString(d.Name()):
			return nil
		}
		if seen++; seen > mostFiles {
			return fs.SkipAll
		}
		if info, err := d.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > mostSource {
			return nil //nolint:nilerr // as above
		}
		if text, err := root.ReadFile(name); err == nil {
			look(name, text)
		}
		return nil
	})
}

var (
	source     = regexp.MustCompile(`\.(ts|tsx|js|jsx|mjs)$`)
	comments   = regexp.MustCompile(`(?m)(^|\s)//.*$`)
	jwtSession = regexp.MustCompile(`strategy\s*:\s*["'\x60]jwt["'\x60]`)
	rowSession = regexp.MustCompile(`strategy\s*:\s*["'\x60]database["'\x60]`)
	adapter    = regexp.MustCompile(`\badapter\s*[:,}]`)
	cache      = regexp.MustCompile(`\bcookieCache\s*:\s*\{[^}]*\benabled\s*:\s*true`)
	ironCookie = regexp.MustCompile(`\bcookieName\s*:\s*["'\x60]([A-Za-z0-9_.-]+)["'\x60]`)
	ironSecret = regexp.MustCompile(`\bpassword\s*:\s*process\.env\.([A-Z][A-Z0-9_]*)`)
)

func (p *Project) signIn() SignIn {
	switch {
	case p.has("next-auth"), p.has("@auth/core"):
		return p.authJS()
	case p.has("@clerk/nextjs"):
		return p.clerk()
	case p.has("better-auth"):
		if cache.MatchString(p.sources) {
			return SignIn{Kind: BetterAuth, Secret: "BETTER_AUTH_SECRET", Cookie: "better-auth.session_data"} //nolint:gosec // the name of a variable
		}
		return SignIn{Kind: BetterAuthRows, Cookie: "better-auth.session_token"}
	case p.has("iron-session"):
		return p.ironSession()
	case p.has("@supabase/ssr"):
		return p.supabase()
	}
	return SignIn{Kind: Nobody, Cookie: "claviger.dev-user"}
}

func (p *Project) authJS() SignIn {
	version := strings.TrimLeft(p.versions["next-auth"], "^~>=v ")
	old := p.has("next-auth") && strings.HasPrefix(version, "4")
	rows := rowSession.MatchString(p.sources) || adapter.MatchString(p.sources) && !jwtSession.MatchString(p.sources)
	switch {
	case rows && old:
		return SignIn{Kind: AuthJSDatabase, Cookie: "next-auth.session-token"}
	case rows:
		return SignIn{Kind: AuthJSDatabase, Cookie: "authjs.session-token"}
	case old:
		return SignIn{Kind: NextAuth4, Secret: "NEXTAUTH_SECRET"}
	}
	return SignIn{Kind: AuthJS, Secret: "AUTH_SECRET"}
}

// clerk finds the issuer in the publishable key, which is its host in base64.
func (p *Project) clerk() SignIn {
	s := SignIn{Kind: Clerk, Cookie: "__session", Issuer: "https://example.clerk.accounts.dev"}
	key := p.env["NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"].Value
	_, coded, ok := strings.Cut(strings.TrimPrefix(key, "pk_"), "_")
	host, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(coded, "="))
	if name, ended := strings.CutSuffix(string(host), "$"); ok && err == nil && ended && hostname.MatchString(name) {
		s.Issuer = "https://" + name
		return s
	}
	s.Guessed = append(s.Guessed, "issuer: the Frontend API URL of your Clerk application")
	return s
}

var (
	hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	address  = regexp.MustCompile(`^https?://[A-Za-z0-9.:-]+$`)
)

func (p *Project) supabase() SignIn {
	s := SignIn{Kind: Supabase, Issuer: "https://example.supabase.co/auth/v1", Key: "NEXT_PUBLIC_SUPABASE_ANON_KEY"}
	if _, ok := p.env["NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY"]; ok {
		s.Key = "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY"
	}
	if at := strings.TrimRight(p.env["NEXT_PUBLIC_SUPABASE_URL"].Value, "/"); address.MatchString(at) {
		s.Issuer = at + "/auth/v1"
		return s
	}
	s.Guessed = append(s.Guessed, "issuer: your project's URL and /auth/v1")
	return s
}

func (p *Project) ironSession() SignIn {
	s := SignIn{Kind: IronSession, Secret: "SESSION_PASSWORD", Cookie: "my-app-session", Subject: "user.id"}
	if m := ironCookie.FindStringSubmatch(p.sources); m != nil {
		s.Cookie = m[1]
	} else {
		s.Guessed = append(s.Guessed, "cookie: the cookieName of your sessions")
	}
	if m := ironSecret.FindStringSubmatch(p.sources); m != nil {
		s.Secret = m[1]
	} else {
		s.Guessed = append(s.Guessed, "passwords: the variable that holds the password")
	}
	s.Guessed = append(s.Guessed, "subject: where in your session the person's id stands")
	return s
}
