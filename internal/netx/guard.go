package netx

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// class sorts addresses by who may be reached there.
type class int

const (
	never    class = iota // no service of anyone: link-local with cloud metadata, multicast, unspecified, reserved
	loopback              // this machine
	private               // this network
	public
)

// The ranges follow the IANA special-purpose address registries (RFC 6890 and
// its updates). What net/netip has a method for is not listed.
var (
	neverRanges = prefixes("0.0.0.0/8", "240.0.0.0/4", "100::/64", "2001:db8::/32",
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "fec0::/10")
	privateRanges = prefixes("100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "64:ff9b:1::/48")
	// An IPv6 address in these carries an IPv4 address, at the given byte.
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4  = netip.MustParsePrefix("2002::/16")
	teredo  = netip.MustParsePrefix("2001::/32")
	v4compt = netip.MustParsePrefix("::/96")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func classify(a netip.Addr) class {
	a = a.Unmap().WithZone("")
	switch {
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a.IsInterfaceLocalMulticast():
		return never
	case a.IsLoopback():
		return loopback
	case contains(neverRanges, a):
		return never
	case a.IsPrivate(), contains(privateRanges, a):
		return private
	}
	return embedded(a)
}

// embedded classifies an address by the IPv4 address that it carries, so that
// a translator does not become a way around the ranges.
func embedded(a netip.Addr) class {
	if a.Is4() {
		return public
	}
	b := a.As16()
	switch {
	case nat64.Contains(a), v4compt.Contains(a):
		return classify(netip.AddrFrom4([4]byte(b[12:16])))
	case sixTo4.Contains(a):
		return classify(netip.AddrFrom4([4]byte(b[2:6])))
	case teredo.Contains(a):
		return never
	}
	return public
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// guard holds a transport to one destination.
type guard struct {
	scheme, host, addr string // addr is host:port as it is dialled
	literal            netip.Addr
	proxied            bool
	// allowed is indexed by class.
	allowed [public + 1]bool
}

func newGuard(base *url.URL, o *Options) *guard {
	g := &guard{scheme: base.Scheme, host: base.Host, addr: dialAddr(base), proxied: o.EnvironmentProxy}
	g.literal, _ = netip.ParseAddr(base.Hostname())
	g.literal = g.literal.Unmap()
	wide := o.InsecureHTTP || o.AllowPrivate || g.proxied
	g.allowed[public] = true
	g.allowed[private] = wide
	g.allowed[loopback] = wide || loopbackHost(base.Hostname())
	if base.Scheme == "http" && !o.InsecureHTTP && !g.proxied {
		g.allowed[public], g.allowed[private] = false, false // plain text stays on this machine
	}
	if g.literal.IsValid() {
		g.allowed[classify(g.literal)] = true
	}
	g.allowed[never] = false
	return g
}

func dialAddr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// proxy is called by the transport for each request before anything else, and
// so it is the place to hold the request to its host.
func (g *guard) proxy(r *http.Request) (*url.URL, error) {
	u := r.URL
	if u.Scheme != g.scheme || (u.Host != g.host && !strings.EqualFold(dialAddr(u), g.addr)) {
		return nil, fmt.Errorf("%w: this client goes to %s alone", ErrRefused, g.addr)
	}
	if g.proxied {
		return http.ProxyFromEnvironment(r)
	}
	return nil, nil
}

// target checks the name that is about to be dialled.
func (g *guard) target(addr string) error {
	if !g.proxied && !strings.EqualFold(addr, g.addr) {
		return fmt.Errorf("%w: this client goes to %s alone", ErrRefused, g.addr)
	}
	return nil
}

// control checks the address that the name led to, right before it is
// connected, so that no second look-up can change it.
func (g *guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return fmt.Errorf("%w: %s is not a TCP address", ErrRefused, network)
	}
	a := ap.Addr().Unmap()
	if g.literal.IsValid() && !g.proxied && a.WithZone("") != g.literal.WithZone("") {
		return fmt.Errorf("%w: another address than the one configured", ErrRefused)
	}
	if c := classify(a); !g.allowed[c] {
		return fmt.Errorf("%w: %s leads to an address that is %s", ErrRefused, g.addr, c)
	}
	return nil
}

// String names a class in a sentence for the operator.
func (c class) String() string {
	switch c {
	case loopback:
		return "on this machine, which a public name may not be"
	case private:
		return "in a private network; if it should be, name it by its address or allow private addresses"
	case public:
		return "public, where plain http is not allowed"
	default:
		return "never one of a service"
	}
}
