package netx

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/net/dns/dnsmessage"

	"claviger.dev/claviger/internal/testnet"
)

func TestClassify(t *testing.T) {
	for in, want := range map[string]class{
		"8.8.8.8": public, "2606:4700::1": public, "127.0.0.1": loopback, "127.9.9.9": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback,
		"10.1.2.3": private, "172.16.0.1": private, "172.31.255.255": private, "172.32.0.1": public, "192.168.1.1": private, "fd00::1": private, "fd00:ec2::254": private,
		"100.64.0.1": private, "100.100.100.200": private, "198.18.0.1": private,
		"169.254.169.254": never, "::ffff:169.254.169.254": never, "fe80::1": never, "fe80::1%eth0": never, "0.0.0.0": never, "0.1.2.3": never, "::": never,
		"224.0.0.1": never, "ff02::1": never, "255.255.255.255": never, "240.0.0.1": never, "192.0.2.1": never, "2001:db8::1": never,
		"64:ff9b::a9fe:a9fe": never, "64:ff9b::7f00:1": loopback, "64:ff9b::808:808": public, "2002:a9fe:a9fe::1": never, "2002:a00:1::1": private, "2001:0:1::1": never,
		"::7f00:1": loopback, "::a9fe:a9fe": never,
	} {
		if got := classify(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: class %d, want %d", in, got, want)
		}
	}
	if classify(netip.Addr{}) != never {
		t.Error("no address is an address")
	}
}

func TestGuardAddresses(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		ok   string
		fail string
	}{
		{Options{BaseURL: "https://api.example.com/v1"}, "8.8.8.8:443", "127.0.0.1:443 10.0.0.1:443 169.254.169.254:443 [::1]:443 [fd00::1]:443 0.0.0.0:443"},
		{Options{BaseURL: "https://api.example.com", AllowPrivate: true}, "8.8.8.8:443 127.0.0.1:443 10.0.0.1:443", "169.254.169.254:443 224.0.0.1:443"},
		{Options{BaseURL: "http://api.example.com", InsecureHTTP: true}, "8.8.8.8:80 10.0.0.1:80 127.0.0.1:80", "169.254.169.254:80"},
		{Options{BaseURL: "http://localhost:8000"}, "127.0.0.1:8000 [::1]:8000", "8.8.8.8:8000 10.0.0.1:8000"},
		{Options{BaseURL: "https://localhost"}, "127.0.0.1:443", "10.0.0.1:443 169.254.0.1:443"},
		{Options{BaseURL: "https://10.0.0.7"}, "10.0.0.7:443", "10.0.0.8:443 127.0.0.1:443 8.8.8.8:443"},
		{Options{BaseURL: "http://127.0.0.1:9"}, "127.0.0.1:9", "127.0.0.2:9 10.0.0.1:9"},
		{Options{BaseURL: "http://[::1]:9"}, "[::1]:9", "127.0.0.1:9"},
		{Options{BaseURL: "https://api.example.com", EnvironmentProxy: true}, "10.0.0.1:3128 127.0.0.1:3128", "169.254.169.254:80"},
	} {
		base, err := ParseBaseURL(tt.o.BaseURL, tt.o.InsecureHTTP)
		if err != nil {
			t.Fatal(err)
		}
		g := newGuard(base, &tt.o)
		for a := range strings.FieldsSeq(tt.ok) {
			if err := g.control(t.Context(), "tcp4", a, nil); err != nil {
				t.Errorf("%s: %s: %v", tt.o.BaseURL, a, err)
			}
		}
		for a := range strings.FieldsSeq(tt.fail) {
			if err := g.control(t.Context(), "tcp6", a, nil); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %s: %v", tt.o.BaseURL, a, err)
			}
		}
		for _, network := range []string{"udp4", "unix", "tcp"} {
			if err := g.control(t.Context(), network, "8.8.8.8:443", nil); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %v", network, err)
			}
		}
	}
}

func TestPinnedToItsHost(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached another host") }))
	defer other.Close()
	t.Setenv("HTTP_PROXY", other.URL)
	t.Setenv("HTTPS_PROXY", other.URL)
	c, err := Client(Options{BaseURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	get(t, c, s.URL+"/x", nil)
	u, _ := url.Parse(s.URL)
	for _, bad := range []string{other.URL, "https://" + u.Host, "http://127.0.0.1:1", "http://localhost:" + u.Port(), "http://127.0.0.2:" + u.Port(), "http://" + u.Hostname()} {
		get(t, c, bad, ErrRefused)
	}
}

func get(t *testing.T, c *http.Client, u string, want error) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", u, err, want)
	}
	if err == nil {
		_ = resp.Body.Close()
	}
	return resp
}

func TestNoRedirectIsFollowed(t *testing.T) {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/2" {
			t.Error("followed")
		}
		http.Redirect(w, r, s.URL+"/2", http.StatusFound)
	}))
	defer s.Close()
	c, err := Client(Options{BaseURL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	if resp := get(t, c, s.URL+"/1", nil); resp.StatusCode != http.StatusFound {
		t.Error(resp.Status)
	}
}

// TestNameThatLeadsInside asks a name server that answers with whatever is to be
// reached: the name looks public, the address is not.
func TestNameThatLeadsInside(t *testing.T) {
	reached := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	hits := testnet.Count(reached.Listener)
	reached.Listener = hits
	reached.Start()
	defer reached.Close()
	u, _ := url.Parse(reached.URL)
	for answer, allowed := range map[string]bool{"127.0.0.1": true, "169.254.169.254": false, "0.0.0.0": false} {
		for _, private := range []bool{false, true} {
			before := hits.Accepted()
			r := resolver(t, netip.MustParseAddr(answer).As4())
			o := Options{BaseURL: "https://api.rebind.example:" + u.Port(), AllowPrivate: private, Resolver: r}
			c, err := Client(o)
			if err != nil {
				t.Fatal(err)
			}
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, o.BaseURL, nil)
			_, err = c.Do(req)
			if refused := errors.Is(err, ErrRefused); err == nil || refused == (private && allowed) {
				t.Errorf("%s, private %v: %v", answer, private, err)
			}
			c.CloseIdleConnections()
			if !private && hits.Accepted() != before {
				t.Errorf("%s: a name that leads inside was connected to", answer)
			}
		}
	}
	if hits.Accepted() == 0 {
		t.Error("what is allowed is not reached: the test proves little")
	}
}

// resolver asks a name server on loopback that has one answer.
func resolver(t *testing.T, a [4]byte) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response = true
			m.Additionals = nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: a}}}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(b, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp4", pc.LocalAddr().String())
	}}
}

func TestHTTP2AndRoots(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("asks for an encoding")
		}
		w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
		if r.URL.Path == "/short" {
			w.Header().Del("X-Long")
		}
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c, err := Client(Options{BaseURL: s.URL, RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	if resp := get(t, c, s.URL+"/short", nil); resp.ProtoMajor != 2 {
		t.Error(resp.Proto)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/long", nil)
	if _, err := c.Do(req); err == nil {
		t.Error("endless headers are read")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, u := range []string{"", "x", "http://example.com", "https://a:b@example.com", "https://example.com/#x", "https://example.com?", "mailto:x@y", "https://[fe80::1]/", "https://0.0.0.0", "https://a:0"} {
		if _, err := Client(Options{BaseURL: u}); err == nil || strings.Contains(err.Error(), "a:b") {
			t.Errorf("%q: %v", u, err)
		}
	}
	for _, u := range []string{"https://example.com", "https://example.com:8443/x/y", "http://localhost:1", "http://LOCALHOST", "http://127.0.0.1:1/v1", "http://[::1]", "https://10.0.0.1"} {
		if _, err := Client(Options{BaseURL: u}); err != nil {
			t.Errorf("%q: %v", u, err)
		}
	}
}

func TestReadAll(t *testing.T) {
	for size := range 40 {
		for _, hint := range []int64{-1, 0, 1, int64(size), 1 << 40} {
			in := strings.Repeat("a", size)
			for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
				b, err := ReadAll(r, 20, hint)
				if size <= 20 && (err != nil || string(b) != in) || size > 20 && !errors.Is(err, ErrTooLarge) {
					t.Errorf("%d bytes, hint %d: %d %v", size, hint, len(b), err)
				}
			}
		}
	}
	if b, err := ReadAll(strings.NewReader(strings.Repeat("a", 3<<20)), 4<<20, 3<<20); err != nil || len(b) != 3<<20 {
		t.Error(len(b), err)
	}
	if _, err := ReadAll(iotest.ErrReader(io.ErrUnexpectedEOF), 9, 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, err := ReadAll(strings.NewReader("a"), 0, 0); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}
