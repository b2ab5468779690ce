package ticket

import (
	"fmt"
	"net/http"
	"strings"

	"claviger.dev/claviger/internal/netx"
)

// address is what stands before the path of an endpoint as callers see it:
// scheme, host without the port that the scheme implies, and the path under
// which a proxy in front has the gateway, mostly none.
type address struct{ origin, prefix string }

// parseAddress reads an address of the gateway as it is configured.
func parseAddress(s string) (address, error) {
	origin, path, ok := splitURL(s)
	path = strings.TrimSuffix(path, "/")
	if !ok || strings.ContainsAny(s, "?#") || path != "" && !plainPath(path) {
		return address{}, fmt.Errorf("%q is no address of the gateway: write scheme, host and the path in front of /v1 if there is one, as https://ai.example.com", s)
	}
	return address{origin, path}, nil
}

// splitURL takes an absolute http or https URL apart: its origin in the one
// spelling of it (RFC 3986, section 6.2), and everything behind.
func splitURL(s string) (origin, path string, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "https" && scheme != "http" {
		return "", "", false
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	name, port, ok := netx.SplitHost(host)
	if !ok {
		return "", "", false
	}
	if port != "" && port != map[string]string{"https": "443", "http": "80"}[scheme] {
		name += ":" + port
	}
	return scheme + "://" + name, path, true
}

func plainPath(p string) bool {
	for i := range len(p) {
		if c := p[i]; c <= ' ' || c >= 0x7f || c == '%' || c == '\\' {
			return false
		}
	}
	return strings.HasPrefix(p, "/") && !strings.Contains(p, "//")
}

// target reports whether an htu (RFC 9449, section 4.2) names what r asks for,
// under one of the addresses. Query and fragment of both do not count. The path
// of r is taken as it was sent and compared byte for byte, as routes are.
func target(addresses []address, htu string, r *http.Request) bool {
	origin, path, ok := splitURL(htu)
	if !ok {
		return false
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	sent, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(sent, "/") {
		return false
	}
	for _, a := range addresses {
		if rest, under := strings.CutPrefix(path, a.prefix); under && origin == a.origin && rest == sent {
			return true
		}
	}
	return false
}
