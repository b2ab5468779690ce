package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
)

func textScalar[V any](noun, example string, parse func(string) (V, error), format func(V) string) *scalar[V] {
	return &scalar[V]{
		noun: noun, example: example, tags: []string{tagText}, parse: parse, format: format,
		schema: []jsonx.Member{typeIs("string")},
	}
}

func (s *scalar[V]) like(re string) *scalar[V] {
	s.schema = append(s.schema, pattern(re))
	return s
}

// listenAddress is an address and a port.
func listenAddress() *scalar[string] {
	return textScalar("an address and a port", "127.0.0.1:8787", parseListen, same).like(`^(.*:)?[0-9]*:[0-9]+$|^.+:[0-9]+$`)
}

func parseListen(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fault{"must be an address and a port, as 127.0.0.1:8787", ""}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", fault{"the port must be a number from 0 to 65535", ""}
	}
	if host == "" || host == "localhost" {
		return s, nil
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", fault{"the host must be an address and not a name", "write 127.0.0.1 for this machine alone, or 0.0.0.0 for every network it is in"}
	}
	return s, nil
}

// reach is how far away a listener can be reached from.
type reach int

const (
	reachLoopback reach = iota
	reachPrivate
	reachPublic
)

// reachOf judges a listener's address. Every address of the machine counts as
// public.
func reachOf(listen string) reach {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return reachPublic
	}
	if host == "localhost" {
		return reachLoopback
	}
	a, err := netip.ParseAddr(host)
	switch a = a.Unmap(); {
	case err != nil:
		return reachPublic
	case a.IsLoopback():
		return reachLoopback
	case a.IsPrivate(), a.IsLinkLocalUnicast():
		return reachPrivate
	default:
		return reachPublic
	}
}

// webURL is an address without credentials, query and fragment. A slash at its
// end is taken off.
func webURL(example string) *scalar[string] {
	return textScalar("an address", example, parseURL, same).like(urlPattern)
}

const urlPattern = `^https?://[^\s/?#@]+(/[^\s?#]*)?$`

// exactURL is webURL with the slash at its end left on: many apps answer with a
// redirect without it.
func exactURL(example string) *scalar[string] {
	return textScalar("an address", example, checkURL, same).like(urlPattern)
}

func parseURL(s string) (string, error) {
	s, err := checkURL(s)
	return strings.TrimSuffix(s, "/"), err
}

func checkURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.Opaque != "", strings.ContainsAny(s, " \t\n"):
		return "", fault{"must be an address, as https://api.example.com/v1", ""}
	case u.User != nil:
		return "", fault{"an address with a user name or a password in it is refused", "take it out, and treat the password as leaked"}
	case u.RawQuery != "", u.Fragment != "", strings.ContainsAny(s, "?#"):
		return "", fault{"the address must end before ? and #", ""}
	}
	return s, nil
}

// loopbackURL reports whether an address that parseURL admitted stays on this
// machine.
func loopbackURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.Unmap().IsLoopback()
}

const (
	hostPattern   = `([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}|\[[0-9a-f:.]+\]`
	originPattern = `^https?://(` + hostPattern + `)(:[1-9][0-9]{0,4})?$`
	suffixPattern = `^https?://[.-][a-z0-9-]+(\.[a-z0-9-]+)+$`
)

// origin is a whole web origin, exactly as a browser writes it.
func origin() *scalar[string] {
	return textScalar("a whole origin", "https://app.example.com", parseOrigin, same).like(originPattern)
}

func parseOrigin(s string) (string, error) {
	const want = "write scheme and host, as https://app.example.com"
	switch {
	case s == "*" || s == "null":
		return "", fault{"every page there is would be allowed", want}
	case strings.Contains(s, "*"):
		return "", fault{"patterns are not origins", "list each origin; for previews use origin_suffixes, as https://-my-team.vercel.app"}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.User != nil:
		return "", fault{"must be a whole origin", want}
	case u.Path == "/" && u.RawQuery == "" && u.Fragment == "":
		return "", fault{"an origin has no slash at its end", "take it away"}
	case u.Path != "", strings.ContainsAny(s, "?#"):
		return "", fault{"an origin has no path", want}
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return "", fault{"browsers leave out the port that the scheme implies", "take it away"}
	case s != strings.ToLower(s):
		return "", fault{"browsers write origins in small letters", "write it so"}
	case !originForm.MatchString(s), !portFits(u.Port()):
		return "", fault{"must be a whole origin", "host names beyond ASCII are written in Punycode (xn--…)"}
	}
	return s, nil
}

func portFits(p string) bool {
	_, err := strconv.ParseUint(p, 10, 16)
	return p == "" || err == nil
}

// originSuffix is a scheme and the end of a host name.
func originSuffix() *scalar[OriginSuffix] {
	return textScalar("a scheme and the end of a host name", "https://-my-team.vercel.app", parseSuffix, func(o OriginSuffix) string {
		return o.Scheme + "://" + o.Host
	}).like(suffixPattern)
}

func parseSuffix(s string) (OriginSuffix, error) {
	scheme, host, ok := strings.Cut(strings.Replace(s, "://*", "://", 1), "://")
	switch {
	case !ok || scheme != "https" && scheme != "http":
		return OriginSuffix{}, fault{"must begin with https:// or http://", "as https://-my-team.vercel.app"}
	case strings.Contains(s, "*"):
		return OriginSuffix{}, fault{"a suffix needs no *", "write what follows it, as https://-my-team.vercel.app"}
	case host == "" || host[0] != '.' && host[0] != '-':
		return OriginSuffix{}, fault{
			"must begin with a dot or a hyphen after the scheme, or it would end in the middle of a stranger's name",
			"as https://-my-team.vercel.app or https://.previews.example.com",
		}
	case !strings.Contains(host[1:], "."):
		return OriginSuffix{}, fault{"must have at least two labels", "as https://.example.com"}
	case !suffixForm.MatchString(s):
		return OriginSuffix{}, fault{"must be the end of a host name in small letters, without port and path", ""}
	case everybodys(host):
		return OriginSuffix{}, fault{"anybody can get a name that ends so", "add your own part, as the name of your team"}
	}
	return OriginSuffix{scheme, host}, nil
}

// hostName is a name under which the gateway is addressed.
func hostName() *scalar[string] {
	bad := fault{"must be a host name, with or without a port", "as ai.example.com or ai.example.com:8443, without a scheme and a path"}
	return textScalar("a host name", "ai.example.com", func(s string) (string, error) {
		low := strings.ToLower(s)
		if !hostForm.MatchString(low) {
			return "", bad
		}
		if i := strings.LastIndexByte(low, ':'); i >= 0 && !strings.HasSuffix(low, "]") && !portFits(low[i+1:]) {
			return "", bad
		}
		return low, nil
	}, same).like(`^[A-Za-z0-9_.:\[\]-]+$`)
}

// peer is an address or a network.
func peer() *scalar[netip.Prefix] {
	return textScalar("an address or a network", "10.0.0.0/8", parsePeer, func(p netip.Prefix) string {
		if p.IsSingleIP() {
			return p.Addr().String()
		}
		return p.String()
	}).like(`^[0-9a-fA-F:.]+(/[0-9]{1,3})?$`)
}

func parsePeer(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || p.Addr().Is4In6():
		return netip.Prefix{}, fault{"must be an address or a network", "as 10.1.2.3 or 10.0.0.0/8"}
	case tooWide(p):
		return netip.Prefix{}, fault{"this is larger than any one network, so that a caller could choose the address it is limited by", "name the network of your proxies"}
	case p != p.Masked():
		return netip.Prefix{}, fault{"has bits beyond its length", "the network is " + p.Masked().String()}
	}
	return p, nil
}

// tooWide reports whether a network is larger than any that one owner has: /8
// of IPv4, /16 of IPv6, and the private fc00::/7.
func tooWide(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() < 8
	}
	return p.Bits() < 16 && (p.Bits() < 7 || !p.Addr().IsPrivate())
}
