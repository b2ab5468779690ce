package netx

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds how many trusted proxies stand in one line.
const maxHops = 32

// ClientAddr is the address of the caller, if one is known that the caller did
// not choose: the peer itself, or, when the peer is a trusted proxy, the
// rightmost address of X-Forwarded-For that is not one. A peer that is no TCP
// peer, a trusted one without the header, and a header that holds anything but
// addresses on the way there leave it unknown.
//
// X-Forwarded-For is a list to which each proxy appends; the lines of a
// repeated header are one list (RFC 9110, section 5.3).
func ClientAddr(r *http.Request, trusted []netip.Prefix) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	peer := ap.Addr().Unmap().WithZone("")
	if !contains(trusted, peer) {
		return peer, true
	}
	return forwarded(r.Header["X-Forwarded-For"], trusted)
}

func forwarded(lines []string, trusted []netip.Prefix) (netip.Addr, bool) {
	hops := 0
	for _, rest := range slices.Backward(lines) {
		more := true
		for more {
			var item string
			if c := strings.LastIndexByte(rest, ','); c >= 0 {
				rest, item = rest[:c], rest[c+1:]
			} else {
				item, more = rest, false
			}
			a, ok := parseHop(item)
			if !ok || hops == maxHops {
				return netip.Addr{}, false
			}
			if !contains(trusted, a) {
				return a, true
			}
			hops++
		}
	}
	return netip.Addr{}, false
}

// parseHop reads one member of X-Forwarded-For: an address, with a port where
// some proxies write one, IPv6 in brackets or not.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if len(s) > len("[0000:0000:0000:0000:0000:ffff:255.255.255.255%")+32 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		a, err = parsePorted(s)
	}
	a = a.Unmap().WithZone("")
	if err != nil || a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}, false
	}
	return a, true
}

var errHop = errors.New("not an address")

func parsePorted(s string) (netip.Addr, error) {
	if in, ok := strings.CutPrefix(s, "["); ok {
		in, port, ok := strings.Cut(in, "]")
		if !ok || (port != "" && (port[0] != ':' || !validPort(port[1:]))) {
			return netip.Addr{}, errHop
		}
		a, err := netip.ParseAddr(in)
		if err != nil || !a.Is6() {
			return netip.Addr{}, errHop
		}
		return a, nil
	}
	host, port, ok := strings.Cut(s, ":")
	if !ok || !validPort(port) {
		return netip.Addr{}, errHop
	}
	a, err := netip.ParseAddr(host)
	if err != nil || !a.Is4() {
		return netip.Addr{}, errHop
	}
	return a, nil
}

// Prefix is the part of an address that counts as one caller: the whole of an
// IPv4 address, and the /64 of an IPv6 one, which is the least that a single
// line is given. The zero prefix belongs to an invalid address.
func Prefix(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// ParsePrefixes reads addresses and address ranges, as "10.0.0.7", "10.0.0.0/8"
// and "fd00::/8". Bits beyond the length of a range are refused, because one
// of the two is then a slip.
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		p, err := parsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is no address and no range such as 10.0.0.0/8: %w", s, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, errHop
		}
		a = a.Unmap()
		if a.Zone() != "" {
			return netip.Prefix{}, errors.New("a zone is not allowed")
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errHop
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, errors.New("an IPv4 range is written as 10.0.0.0/8")
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("there are bits beyond its length; %s is the range", p.Masked())
	}
	return p, nil
}
