package app

import (
	"fmt"
	"net"
	neturl "net/url"
	"os"
	"slices"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

// mostManifest is the largest manifest of a build that is read, in bytes.
const mostManifest = 4 << 20

// staleRewrite says where a build of Next.js has a rewrite to another address of
// this machine than url, for a command that serves the build: Next.js reads the
// destination when it builds.
func staleRewrite(manifest, url string, command []string) string {
	if !slices.Contains(command, "start") {
		return ""
	}
	info, err := os.Stat(manifest)
	if err != nil || info.Size() > mostManifest {
		return ""
	}
	data, err := os.ReadFile(manifest)
	if err != nil {
		return ""
	}
	doc, err := jsonx.Parse(data)
	if err != nil {
		return ""
	}
	for _, to := range destinations(doc) {
		if !toGateway(to) || strings.HasPrefix(to, url+"/") || samePlace(to, url) {
			continue
		}
		at, _, _ := strings.Cut(strings.TrimPrefix(to, "http://"), "/")
		return fmt.Sprintf("the build has a rewrite to http://%s, and the gateway is at %s: Next.js reads the address when it builds, "+
			"so run 'next build' again with CLAVIGER_URL=%s", at, url, url)
	}
	return ""
}

// destinations are those of all rewrites, in either form of the manifest.
func destinations(doc jsonx.Value) (out []string) {
	rewrites, _ := doc.Get("rewrites")
	list := rewrites.Elems()
	for _, group := range rewrites.Fields() {
		list = append(list, group.Elems()...)
	}
	for _, r := range list {
		to, _ := r.Get("destination")
		out = append(out, to.Str())
	}
	return out
}

// toGateway reports whether a destination looks like one of ours.
func toGateway(to string) bool {
	rest, ok := strings.CutPrefix(to, "http://")
	if !ok {
		return false
	}
	host, path, _ := strings.Cut(rest, "/")
	return loopbackOnly(host) == nil && (strings.HasPrefix(path, "v1/") || strings.HasPrefix(path, "actions/") || strings.HasPrefix(path, ":path"))
}

// samePlace reports whether two addresses of this machine have one port.
func samePlace(to, url string) bool {
	port := func(s string) string {
		s, _, _ = strings.Cut(strings.TrimPrefix(s, "http://"), "/")
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return ""
		}
		return port
	}
	u, err := neturl.Parse(url)
	return err == nil && port(to) == u.Port() && u.Port() != ""
}
