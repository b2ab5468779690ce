package netx

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustPrefixes(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	p, err := ParsePrefixes(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClientAddr(t *testing.T) {
	trusted := mustPrefixes(t, "10.0.0.0/8", "fd00::/8", "127.0.0.1")
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string // empty: unknown
	}{
		{"direct", "203.0.113.9:1", nil, "203.0.113.9"},
		{"direct with a forged header", "203.0.113.9:1", []string{"1.2.3.4"}, "203.0.113.9"},
		{"direct IPv6", "[2001:db8::1]:1", []string{"1.2.3.4"}, "2001:db8::1"},
		{"direct mapped", "[::ffff:203.0.113.9]:1", nil, "203.0.113.9"},
		{"direct with zone", "[fe80::1%eth0]:1", nil, "fe80::1"},
		{"loopback that is not trusted", "[::1]:1", []string{"1.2.3.4"}, "::1"},
		{"trusted loopback without a header", "127.0.0.1:1", nil, ""},
		{"proxy without a header", "10.0.0.1:1", nil, ""},
		{"proxy with an empty header", "10.0.0.1:1", []string{""}, ""},
		{"proxy", "10.0.0.1:1", []string{"1.2.3.4"}, "1.2.3.4"},
		{"mapped proxy", "[::ffff:10.0.0.1]:1", []string{"1.2.3.4"}, "1.2.3.4"},
		{"forged on the left", "10.0.0.1:1", []string{"9.9.9.9, 1.2.3.4"}, "1.2.3.4"},
		{"two proxies", "10.0.0.1:1", []string{"9.9.9.9, 1.2.3.4,10.9.9.9"}, "1.2.3.4"},
		{"lines are one list", "10.0.0.1:1", []string{"9.9.9.9", "1.2.3.4", "10.1.1.1"}, "1.2.3.4"},
		{"only proxies", "10.0.0.1:1", []string{"10.1.1.1, 10.2.2.2"}, ""},
		{"port", "10.0.0.1:1", []string{"1.2.3.4:5678"}, "1.2.3.4"},
		{"brackets and port", "10.0.0.1:1", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		{"brackets", "10.0.0.1:1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"zone", "10.0.0.1:1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"mapped", "10.0.0.1:1", []string{"::ffff:1.2.3.4"}, "1.2.3.4"},
		{"mapped proxy in the list", "10.0.0.1:1", []string{"1.2.3.4, ::ffff:10.2.3.4"}, "1.2.3.4"},
		{"IPv6 proxy in the list", "10.0.0.1:1", []string{"1.2.3.4, fd00::1"}, "1.2.3.4"},
		{"garbage hides what is left of it", "10.0.0.1:1", []string{"1.2.3.4, unknown, 10.0.0.2"}, ""},
		{"garbage on the right", "10.0.0.1:1", []string{"1.2.3.4, _x"}, ""},
		{"empty member", "10.0.0.1:1", []string{"1.2.3.4,, 10.0.0.2"}, ""},
		{"trailing comma", "10.0.0.1:1", []string{"1.2.3.4,"}, ""},
		{"empty line after", "10.0.0.1:1", []string{"1.2.3.4", ""}, ""},
		{"unspecified", "10.0.0.1:1", []string{"0.0.0.0"}, ""},
		{"multicast", "10.0.0.1:1", []string{"224.0.0.1"}, ""},
		{"leading zeros", "10.0.0.1:1", []string{"01.2.3.4"}, ""},
		{"octal, hex, short", "10.0.0.1:1", []string{"0x7f.1"}, ""},
		{"port zero", "10.0.0.1:1", []string{"1.2.3.4:0"}, ""},
		{"port of IPv6 without brackets is an address", "10.0.0.1:1", []string{"2001:db8::1:443"}, "2001:db8::1:443"},
		{"quoted", "10.0.0.1:1", []string{`"1.2.3.4"`}, ""},
		{"for=", "10.0.0.1:1", []string{"for=1.2.3.4"}, ""},
		{"IPv4 in brackets", "10.0.0.1:1", []string{"[1.2.3.4]"}, ""},
		{"open bracket", "10.0.0.1:1", []string{"[2001:db8::1"}, ""},
		{"endless proxies", "10.0.0.1:1", []string{"1.2.3.4" + strings.Repeat(",10.0.0.1", 33)}, ""},
		{"many proxies", "10.0.0.1:1", []string{"1.2.3.4" + strings.Repeat(",10.0.0.1", 31)}, "1.2.3.4"},
		{"unix peer", "@", []string{"1.2.3.4"}, ""},
		{"no peer", "", nil, ""},
		{"named peer", "pipe", nil, ""},
	} {
		r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded}}
		got, ok := ClientAddr(r, trusted)
		if ok != (tt.want != "") || ok && got.String() != tt.want || !ok && got.IsValid() {
			t.Errorf("%s: %s %v, want %q", tt.name, got, ok, tt.want)
		}
	}
}

// TestClientAddrIgnoresWhatTheCallerAdds prepends anything to a header that a
// proxy completed: the answer must not change.
func TestClientAddrIgnoresWhatTheCallerAdds(t *testing.T) {
	trusted := mustPrefixes(t, "10.0.0.0/8")
	rapid.Check(t, func(t *rapid.T) {
		junk := rapid.String().Draw(t, "junk")
		more := rapid.SliceOf(rapid.String()).Draw(t, "lines")
		r := &http.Request{RemoteAddr: "10.0.0.1:5", Header: http.Header{"X-Forwarded-For": append(more, junk+",192.0.2.7, 10.2.3.4")}}
		if a, ok := ClientAddr(r, trusted); !ok || a.String() != "192.0.2.7" {
			t.Fatalf("%s %v", a, ok)
		}
	})
}

func TestPrefix(t *testing.T) {
	for in, want := range map[string]string{
		"1.2.3.4": "1.2.3.4/32", "::ffff:1.2.3.4": "1.2.3.4/32", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "::1": "::/64",
	} {
		if got := Prefix(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if Prefix(netip.Addr{}).IsValid() {
		t.Error("a prefix of nothing")
	}
}

func TestParsePrefixes(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.0.0.7": "10.0.0.7/32", "::1": "::1/128", "::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.0.0.7": "10.0.0.7/32", "0.0.0.0/0": "0.0.0.0/0",
	} {
		got, err := ParsePrefixes([]string{in})
		if err != nil || got[0].String() != want {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	for _, in := range []string{"", "10.0.0.7/8", "10.0.0.0/33", "example.com", "fe80::1%eth0", "::ffff:0:0/90", "10.0.0.0-10.0.0.9", "*"} {
		if got, err := ParsePrefixes([]string{in}); err == nil {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func FuzzClientAddr(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "[::1]:1", "1.2.3.4, unknown", "::ffff:1.2.3.4, 10.0.0.1", ",,", "fe80::1%25x", "[", "]:1", ":1"} {
		f.Add("10.0.0.1:1", s, s)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, peer, a, b string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {a, b}}}
		got, ok := ClientAddr(r, trusted)
		if ok != got.IsValid() || got.Is4In6() || got.Zone() != "" || contains(trusted, got) {
			t.Errorf("%s %v", got, ok)
		}
		joined := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {a + "," + b}}}
		if again, ok2 := ClientAddr(joined, trusted); again != got || ok2 != ok {
			t.Errorf("two lines give %s, one gives %s", got, again)
		}
	})
}

func BenchmarkClientAddr(b *testing.B) {
	trusted := mustPrefixes(b, "10.0.0.0/8", "fd00::/8")
	r := &http.Request{RemoteAddr: "10.0.0.1:4711", Header: http.Header{"X-Forwarded-For": {"192.0.2.1, 198.51.100.7, 10.2.3.4"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := ClientAddr(r, trusted); !ok {
			b.Fatal()
		}
	}
}
