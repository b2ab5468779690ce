package netx

import (
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	h := NewHosts([]string{"App.Example.com", "api.example.com:8443", "localhost", "127.0.0.1", "[::1]", "[2001:DB8:0::1]:80", "bad host", ""})
	for in, want := range map[string]bool{
		"app.example.com": true, "APP.example.COM": true, "app.example.com.": true, "app.example.com:443": true, "app.example.com.:443": true,
		"api.example.com:8443": true, "API.example.com:8443": true, "api.example.com": false, "api.example.com:443": false, "api.example.com:08443": false,
		"localhost": true, "localhost:8787": true, "127.0.0.1:8787": true, "[::1]:8787": true, "[0:0:0:0:0:0:0:1]:8787": true,
		"[2001:db8::1]:80": true, "[2001:db8::1]": false, "2001:db8::1": false, "::1": false,
		"": false, ".": false, "example.com": false, "evil.app.example.com": false, "app.example.com.evil.com": false, "app.example.com..": false,
		"app.example.com:": false, "app.example.com:0": false, "app.example.com:65536": false, "app.example.com:443:443": false, "app.example.com:4x": false,
		"user@app.example.com": false, "app.example.com/": false, "app.example.com,evil": false, " app.example.com": false, "app.example.com\x00": false,
		"127.1": false, "2130706433": false, "0x7f.0.0.1": false, "127.0.0.1.": true, "[::ffff:127.0.0.1]": false, "[::1%lo]": false, "[::1": false, "[::1]x": false,
		"bad host": false, "ａpp.example.com": false, "app\u00adexample.com": false, strings.Repeat("a", 64) + ".com": false, strings.Repeat("a.", 130): false,
	} {
		if got := h.Allowed(in); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
	if (Hosts{}).Allowed("localhost") {
		t.Error("the zero list allows")
	}
}

func FuzzHosts(f *testing.F) {
	for _, s := range []string{"app.example.com", "app.example.com:443", "[::1]:1", "a.", "[", "a:b:c", "\x00"} {
		f.Add(s)
	}
	h := NewHosts([]string{"app.example.com", "[::1]:8080"})
	f.Fuzz(func(t *testing.T, s string) {
		host, port, ok := SplitHost(s)
		if !ok {
			if h.Allowed(s) {
				t.Errorf("%q is allowed", s)
			}
			return
		}
		again := host
		if port != "" {
			again += ":" + port
		}
		if h2, p2, ok := SplitHost(again); !ok || h2 != host || p2 != port {
			t.Errorf("%q gives %q, which gives %q %q", s, again, h2, p2)
		}
		if want := host == "app.example.com" || again == "[::1]:8080"; h.Allowed(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	})
}

func BenchmarkHosts(b *testing.B) {
	h := NewHosts([]string{"app.example.com", "localhost"})
	b.ReportAllocs()
	for b.Loop() {
		if !h.Allowed("app.example.com:443") {
			b.Fatal()
		}
	}
}
