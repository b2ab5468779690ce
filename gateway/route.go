package gateway

import (
	"net/http"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/action"
	"claviger.dev/claviger/content"
	"claviger.dev/claviger/openai"
)

// route is one way in. Whatever is not a route is not found, and nothing of it
// is forwarded.
type route struct {
	name   string
	method string
	action *action.Action
	row    *openai.Row
	handle func(*exchange, *caller) error
	// content is what texts are held to; nil holds them to nothing.
	content *content.Policy
}

const proxyPrefix = "/v1"

// sentPath is the path byte for byte as it was sent, with nothing decoded or
// cleaned, and the query behind it. A target in absolute form has no path.
func sentPath(r *http.Request) (path, query string) {
	path, query, _ = strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") {
		return "", ""
	}
	return path, query
}

// find looks the route up. It reports not_found or method_not_allowed.
func (c *compiled) find(method, path string) (*route, error) {
	if rt, ok := c.routes[path]; ok {
		if method != rt.method && method != http.MethodOptions {
			return nil, &claviger.Error{Code: claviger.CodeMethodNotAllowed, Allow: rt.method}
		}
		return rt, nil
	}
	below, ok := strings.CutPrefix(path, proxyPrefix)
	if !ok || c.Proxy == nil {
		return nil, &claviger.Error{Code: claviger.CodeNotFound}
	}
	return c.findRow(method, below)
}

func (c *compiled) findRow(method, below string) (*route, error) {
	var allow []string
	for _, row := range openai.Find(below) {
		rt := c.open[row.Name]
		if rt == nil {
			continue
		}
		if row.Method == method || method == http.MethodOptions {
			return rt, nil
		}
		allow = append(allow, row.Method)
	}
	if allow != nil {
		return nil, &claviger.Error{Code: claviger.CodeMethodNotAllowed, Allow: strings.Join(allow, ", ")}
	}
	return nil, &claviger.Error{Code: claviger.CodeNotFound}
}

// methods lists what a path takes.
func (c *compiled) methods(path string) string {
	if rt, ok := c.routes[path]; ok {
		return rt.method
	}
	var out []string
	for _, row := range openai.Find(strings.TrimPrefix(path, proxyPrefix)) {
		if c.open[row.Name] != nil {
			out = append(out, row.Method)
		}
	}
	return strings.Join(out, ", ")
}

func handlerOf(row *openai.Row) func(*exchange, *caller) error {
	switch {
	case row.Local():
		return (*exchange).listModels
	case row.Lists != "":
		return (*exchange).listOwned
	default:
		return (*exchange).runProxy
	}
}
