package openaitest

import (
	"net/http"
	"strings"
)

// media says in what form a route takes its body.
type media int

const (
	mediaJSON media = iota
	mediaForm
	mediaEither
	mediaNone
)

// route is what answers a method on the paths of a pattern, in which "{id}" stands
// for one segment and "{rest}" at the end for one or more.
type route struct {
	method, pattern string
	media           media
	serve           func(*exchange) error
}

func routeTable() []route {
	tables := [][]route{textRoutes(), responseRoutes(), conversationRoutes(), chatRoutes(), fileRoutes(), uploadRoutes(), imageRoutes(), audioRoutes(), storeRoutes()}
	var out []route
	for _, t := range tables {
		out = append(out, prefixed(t)...)
	}
	return out
}

func prefixed(routes []route) []route {
	for i := range routes {
		if routes[i].method != http.MethodPost {
			routes[i].media = mediaNone
		}
		routes[i].pattern = "/v1" + routes[i].pattern
	}
	return routes
}

func textRoutes() []route {
	return []route{
		{http.MethodPost, "/responses", mediaJSON, serveResponses},
		{http.MethodPost, "/chat/completions", mediaJSON, serveChat},
		{http.MethodPost, "/embeddings", mediaJSON, serveEmbeddings},
		{http.MethodPost, "/moderations", mediaJSON, serveModerations},
		{http.MethodGet, "/models", mediaNone, serveModels},
		{http.MethodGet, "/models/{rest}", mediaNone, serveModel},
	}
}

// fits says whether a path is one of the pattern's, and which ids it names.
func (r route) fits(path string) (ids []string, ok bool) {
	pattern := r.pattern
	for {
		want, restOfPattern, more := strings.Cut(pattern, "/")
		have, restOfPath, given := strings.Cut(path, "/")
		switch {
		case want == "{rest}" && path != "":
			return append(ids, path), true
		case want == "{id}" && have != "":
			ids = append(ids, have)
		case want != have:
			return nil, false
		}
		if more != given {
			return nil, false
		}
		if !more {
			return ids, true
		}
		pattern, path = restOfPattern, restOfPath
	}
}

// find looks up what answers the call; *apiError says that nothing does.
func (x *exchange) find() *apiError {
	method, path := x.r.Method, x.r.URL.Path
	var allowed []string
	for _, r := range x.sim.routes {
		ids, ok := r.fits(path)
		if !ok {
			continue
		}
		if r.method == method {
			x.route, x.ids = r, ids
			x.progress.pattern = r.pattern
			return nil
		}
		allowed = append(allowed, r.method)
	}
	if allowed == nil {
		return unknownURL(method, path)
	}
	x.w.Header().Set("Allow", strings.Join(allowed, ", "))
	return wrongMethod(method, path)
}
