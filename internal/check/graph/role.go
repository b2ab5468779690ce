package graph

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Role is what a framework makes of a file.
type Role uint8

// The roles.
const (
	RoleNone          Role = iota
	RoleRoute              // app/**/route.ts, src/routes/**/+server.ts
	RolePage               // a component of the App Router: page, layout and so on
	RolePagesAPI           // pages/api/**
	RolePagesPage          // pages/**
	RoleMiddleware         // middleware.ts, proxy.ts
	RoleServerStart        // instrumentation.ts
	RoleBrowserStart       // instrumentation-client.ts
	RoleConfig             // the configuration of a build
	RoleServerHandler      // default export of a serverless function: server/api/**, api/**
	RoleRemix              // app/routes/**
	RoleBrowserEntry       // main.tsx of an app without a server
)

var (
	appFile    = regexp.MustCompile(`^(?:(.*)/)?app/(?:(.*)/)?(route|page|layout|template|default|loading|error|global-error|not-found|forbidden|unauthorized|opengraph-image|icon|sitemap|robots|manifest)\.(?:[cm]?[jt]sx?)$`)
	pagesFile  = regexp.MustCompile(`^(?:(.*)/)?pages/(.*)\.(?:[jt]sx?)$`)
	rootFile   = regexp.MustCompile(`^(?:(.*)/)?(middleware|proxy|instrumentation|instrumentation-client)\.(?:[cm]?[jt]s)$`)
	configFile = regexp.MustCompile(`(^|/)(next|vite|nuxt|app|webpack|webpack\.[a-z]+|craco|electron\.vite|astro|rsbuild|rspack|svelte|vue|gatsby|metro|config/webpack|vitest|remix)\.config(\.[a-z]+)?\.[cm]?[jt]sx?$|(^|/)(config-overrides|gatsby-node|webpack\.mix)\.[cm]?[jt]s$`)
	svelteFile = regexp.MustCompile(`^(?:.*/)?src/routes/(?:(.*)/)?\+server\.[jt]s$`)
	nitroFile  = regexp.MustCompile(`^(?:.*/)?server/(api|routes)/(.*)\.[jt]s$`)
	remixFile  = regexp.MustCompile(`^(?:.*/)?app/routes/(.*)\.[jt]sx?$`)
	functions  = regexp.MustCompile(`^(?:api|netlify/functions|functions|netlify/edge-functions)/(.*)\.[cm]?[jt]s$`)
	entryFile  = regexp.MustCompile(`(^|/)(src/(main|index|App|app)|index|App|main|app/_layout|src/app/_layout)\.[jt]sx?$`)
)

// RoleOf says what a file is, and under which path a route or page is asked
// for. A folder that stands for any name is "x" in it.
func (r *Resolver) RoleOf(file string) (Role, string) {
	k, ok := r.known[file]
	if !ok {
		k.role, k.route = r.roleOf(file)
		r.known[file] = k
	}
	return k.role, k.route
}

func (r *Resolver) roleOf(file string) (Role, string) {
	switch {
	case configFile.MatchString(file):
		return RoleConfig, ""
	case svelteFile.MatchString(file):
		return RoleRoute, routePath(svelteFile.FindStringSubmatch(file)[1])
	}
	next := r.next(file)
	if m := appFile.FindStringSubmatch(file); m != nil && next && (path.Base(m[1]) == "src" || r.isRoot(file, m[1])) {
		if m[3] == "route" {
			return RoleRoute, routePath(m[2])
		}
		return RolePage, routePath(m[2])
	}
	if m := pagesFile.FindStringSubmatch(file); m != nil && next && (path.Base(m[1]) == "src" || r.isRoot(file, m[1])) {
		p := routePath(strings.TrimSuffix(m[2], "/index"))
		if strings.HasPrefix(m[2], "api/") {
			return RolePagesAPI, p
		}
		return RolePagesPage, p
	}
	if m := rootFile.FindStringSubmatch(file); m != nil && (path.Base(m[1]) == "src" || r.isRoot(file, m[1])) {
		switch m[2] {
		case "middleware", "proxy":
			return RoleMiddleware, ""
		case "instrumentation":
			return RoleServerStart, ""
		}
		return RoleBrowserStart, ""
	}
	return r.otherRole(file, next)
}

func (r *Resolver) otherRole(file string, next bool) (Role, string) {
	if m := nitroFile.FindStringSubmatch(file); m != nil && !next {
		return RoleServerHandler, "/" + m[1] + "/" + m[2]
	}
	if m := remixFile.FindStringSubmatch(file); m != nil && !next {
		return RoleRemix, "/" + m[1]
	}
	if m := functions.FindStringSubmatch(file); m != nil && !next {
		return RoleServerHandler, "/api/" + m[1]
	}
	if !next && entryFile.MatchString(file) && r.bundled(file) {
		return RoleBrowserEntry, ""
	}
	return RoleNone, ""
}

// next reports whether a file belongs to a Next.js app, or to an app of which
// nobody says what it is.
func (r *Resolver) next(file string) bool {
	if r.Depends(file, "next") {
		return true
	}
	m := r.manifestOf(path.Dir(file))
	if m == nil {
		return true
	}
	for _, other := range []string{"nuxt", "@sveltejs/kit", "@remix-run/node", "@remix-run/react", "react-router", "astro", "vite", "react-scripts", "expo", "express", "hono", "gatsby"} {
		if r.Depends(file, other) {
			return false
		}
	}
	return true
}

func (r *Resolver) bundled(file string) bool {
	m := r.manifestOf(path.Dir(file))
	if m == nil || !member(m.json, "bin").IsZero() {
		return false
	}
	return slices.ContainsFunc([]string{"vite", "react-scripts", "expo", "parcel", "webpack", "@vue/cli-service", "@rsbuild/core", "gatsby", "preact", "@angular/core", "svelte", "vue"}, m.names)
}

// isRoot reports whether a folder is where an app begins.
func (r *Resolver) isRoot(file, dir string) bool {
	if dir == "" {
		dir = "."
	}
	return r.Root(file) == dir || dir == "."
}

// routePath is the path that a request asks for.
func routePath(dirs string) string {
	var out []string
	for d := range strings.SplitSeq(dirs, "/") {
		switch {
		case d == "" || d == "index" || strings.HasPrefix(d, "(") && strings.HasSuffix(d, ")") || strings.HasPrefix(d, "@"):
		case strings.HasPrefix(d, "["):
			out = append(out, "x")
		default:
			out = append(out, d)
		}
	}
	return "/" + strings.Join(out, "/")
}
