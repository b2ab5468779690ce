package config

import (
	"net/netip"
	"testing"
)

func peerNarrow(p netip.Prefix) bool { return p.IsValid() && p.Bits() >= 7 && p == p.Masked() }

func TestPeers(t *testing.T) {
	fine := func(in, want string) parsed[netip.Prefix] {
		return parsed[netip.Prefix]{in, netip.MustParsePrefix(want), true}
	}
	checkScalar(t, parsePeer, append([]parsed[netip.Prefix]{
		fine("10.1.2.3", "10.1.2.3/32"), fine("10.0.0.0/8", "10.0.0.0/8"), fine("::1", "::1/128"), fine("::ffff:10.1.2.3", "10.1.2.3/32"),
		fine("fc00::/7", "fc00::/7"), fine("fd00::/8", "fd00::/8"), fine("2001:db8::/32", "2001:db8::/32"), fine("2400::/16", "2400::/16"),
	}, no[netip.Prefix](
		"", "0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/7", "2000::/3", "2000::/15", "::ffff:0:0/96", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1",
		"fe80::1%eth0", "localhost", "10.0.0", "10.0.0.0/08", " 10.0.0.1",
	)...))
}

func TestOriginSuffixes(t *testing.T) {
	checkScalar(t, parseSuffix, append([]parsed[OriginSuffix]{
		{"https://-my-team.vercel.app", OriginSuffix{"https", "-my-team.vercel.app"}, true},
		{"https://.previews.example.com", OriginSuffix{"https", ".previews.example.com"}, true},
		{"https://.example.com", OriginSuffix{"https", ".example.com"}, true},
		{"http://.dev.localhost", OriginSuffix{"http", ".dev.localhost"}, true},
	}, no[OriginSuffix](
		"", "vercel.app", ".vercel.app", "https://", "https://vercel.app", "https://.vercel.app", "https://.com", "https://-com", "https://.co.uk",
		"https://-example.com", "https://-shop.co.uk", "https://*.example.com", "https://*-team.vercel.app", "https://.Example.com", "https://.example.com:8080",
		"https://.example.com/", "https://.example..com", "https://.example.com.", "ftp://.example.com", "https://.exa mple.com", "https://.github.io",
	)...))
}

func TestOrigins(t *testing.T) {
	fine := func(s string) parsed[string] { return parsed[string]{s, s, true} }
	checkScalar(t, parseOrigin, append([]parsed[string]{
		fine("https://app.example.com"), fine("https://app.example.com:8443"), fine("http://localhost:3000"), fine("http://127.0.0.1:3000"),
		fine("http://[::1]:3000"), fine("https://xn--mnchen-3ya.example"),
	}, no[string](
		"", "*", "null", "app.example.com", "https://", "https://app.example.com/", "https://app.example.com/x", "https://app.example.com?x", "https://app.example.com#x",
		"https://app.example.com?", "https://user@app.example.com", "https://*.example.com", "https://App.example.com", "https://app.example.com:443", "http://app.example.com:80",
		"https://app.example.com:0", "https://app.example.com:99999", "https://app.example.com:08", "ws://app.example.com", "https://münchen.example", "https://a b.example",
		"file:///etc/passwd", "https://app.example.com\n", "https://app..example.com",
	)...))
}

func TestReach(t *testing.T) {
	for listen, want := range map[string]reach{
		"127.0.0.1:1": reachLoopback, "127.9.9.9:1": reachLoopback, "[::1]:1": reachLoopback, "localhost:1": reachLoopback, "[::ffff:127.0.0.1]:1": reachLoopback,
		"10.1.2.3:1": reachPrivate, "192.168.0.1:1": reachPrivate, "172.31.0.1:1": reachPrivate, "[fd00::1]:1": reachPrivate, "[fe80::1]:1": reachPrivate,
		":1": reachPublic, "0.0.0.0:1": reachPublic, "[::]:1": reachPublic, "203.0.113.1:1": reachPublic, "[2001:db8::1]:1": reachPublic, "nonsense": reachPublic,
	} {
		if got := reachOf(listen); got != want {
			t.Errorf("%s: %v, want %v", listen, got, want)
		}
	}
}

func TestSamePort(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "localhost:1", true},
		{"0.0.0.0:1", "127.0.0.1:1", true},
		{":1", ":1", true},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{"127.0.0.1:1", "127.0.0.2:1", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
	} {
		if got := samePort(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

func TestURL(t *testing.T) {
	checkScalar(t, parseURL, append([]parsed[string]{
		{"https://api.openai.com/v1", "https://api.openai.com/v1", true},
		{"https://api.openai.com/v1/", "https://api.openai.com/v1", true},
		{"http://127.0.0.1:9999", "http://127.0.0.1:9999", true},
	}, no[string]("", "api.openai.com/v1", "ftp://x/y", "https://", "https:///v1", "https://u@x/", "https://u:p@x/", "https://x/?a", "https://x/#a", "https://x/?", "https:x", "https://x y/")...))
	for address, want := range map[string]bool{
		"http://127.0.0.1:9/v1": true, "http://localhost": true, "http://[::1]:3/": true, "http://[::ffff:127.0.0.1]": true,
		"http://10.0.0.1": false, "http://localhost.example.com": false, "http://127.0.0.1.example.com": false, "http://0.0.0.0": false,
	} {
		if got := loopbackURL(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
