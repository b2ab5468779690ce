package netx

import (
	"net/netip"
	"strings"
)

// Hosts is the list of names for which a listener answers. The zero value
// answers for none.
type Hosts struct{ names map[hostPort]struct{} }

type hostPort struct{ host, port string }

// NewHosts makes a list of "host" (any port) and "host:port" (that port).
// Entries that SplitHost refuses match nothing; who reads a configuration
// refuses them first.
func NewHosts(list []string) Hosts {
	h := Hosts{names: make(map[hostPort]struct{}, len(list))}
	for _, s := range list {
		if host, port, ok := SplitHost(s); ok {
			h.names[hostPort{host, port}] = struct{}{}
		}
	}
	return h
}

// Allowed reports whether a Host header names one of the list: the same letters
// in any case, with or without the dot of the root, with the same port where
// the list gives one. Nothing else is equal, no part of a name and no other way
// to write an address.
func (h Hosts) Allowed(header string) bool {
	host, port, ok := SplitHost(header)
	if !ok {
		return false
	}
	if _, ok := h.names[hostPort{host, ""}]; ok {
		return true
	}
	if port == "" {
		return false
	}
	_, ok = h.names[hostPort{host, port}]
	return ok
}

// SplitHost reads a host name or address with an optional port, as it stands in
// a Host header: a name in lower case without its last dot, an IPv6 address in
// brackets and in its shortest form.
func SplitHost(s string) (host, port string, ok bool) {
	if len(s) > 255+len(":65535") {
		return "", "", false
	}
	if strings.HasPrefix(s, "[") {
		return splitIPv6(s)
	}
	host, port, found := strings.Cut(s, ":")
	if found && !validPort(port) {
		return "", "", false
	}
	host = strings.TrimSuffix(host, ".")
	if !validName(host) {
		return "", "", false
	}
	return strings.ToLower(host), port, true
}

func splitIPv6(s string) (host, port string, ok bool) {
	in, rest, found := strings.Cut(s[1:], "]")
	if !found {
		return "", "", false
	}
	if rest != "" {
		if rest[0] != ':' || !validPort(rest[1:]) {
			return "", "", false
		}
		port = rest[1:]
	}
	if in == "::1" {
		return "[::1]", port, true
	}
	a, err := netip.ParseAddr(in)
	if err != nil || !a.Is6() || a.Zone() != "" {
		return "", "", false
	}
	return "[" + a.String() + "]", port, true
}

// validName reports whether s looks like a host name: labels of letters,
// digits, hyphens and underscores, none of them empty.
func validName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	label := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > 63 {
			return false
		}
	}
	return label > 0
}

// validPort reports whether s is a port in its only spelling.
func validPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}
