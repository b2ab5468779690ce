package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
)

func queryOf(subject string) claviger.Query { return claviger.Query{Subject: subject} }

// TestSlowHeaders: who sends headers drop by drop is cut, and who is quick is
// not.
func TestSlowHeaders(t *testing.T) {
	if got := standardBounds().headers; got != 10*time.Second {
		t.Errorf("headers may take %s, want 10s", got)
	}
	s := newSite(t)
	b := standardBounds()
	b.headers = 300 * time.Millisecond
	s.bounds = &b
	p := s.start("serve")
	for _, base := range []string{p.public, p.admin} {
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%s: slow headers are waited for", base)
		}
		_ = c.Close()
	}
	if r := p.get(p.admin + "/healthz"); r.StatusCode != http.StatusOK {
		t.Errorf("healthz after that: %d", r.StatusCode)
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// TestOptionsStar: the one request that net/http would answer by itself goes
// through the gateway too.
func TestOptionsStar(t *testing.T) {
	p := newSite(t).start("serve")
	c, err := net.Dial("tcp", strings.TrimPrefix(p.public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(patience))
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 404") || !strings.Contains(string(answer), "private, no-store") {
		t.Errorf("OPTIONS *: %s", answer)
	}
}

// pretender is a connection from an address that loopback tests cannot have.
type pretender struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (p *pretender) RemoteAddr() net.Addr { return p.from }
func (p *pretender) Close() error         { p.closed = true; return nil }

// pretenders accepts connections from given addresses, and ends.
type pretenders struct{ list []*pretender }

func (l *pretenders) Accept() (net.Conn, error) {
	if len(l.list) == 0 {
		return nil, net.ErrClosed
	}
	c := l.list[0]
	l.list = l.list[1:]
	return c, nil
}
func (*pretenders) Close() error   { return nil }
func (*pretenders) Addr() net.Addr { return &net.TCPAddr{} }

func from(addr string) *pretender {
	return &pretender{from: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 4000))}
}

func TestConnectionsOfAnAddress(t *testing.T) {
	l := &boundedListener{most: 2, open: map[netip.Prefix]int{}, exempt: func(a netip.Addr) bool {
		return a.IsLoopback() || a == netip.MustParseAddr("10.0.0.7")
	}}
	accept := func(addrs ...string) (conns []net.Conn, refused int) {
		in := &pretenders{}
		for _, a := range addrs {
			in.list = append(in.list, from(a))
		}
		all := in.list
		l.Listener = in
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			conns = append(conns, c)
		}
		for _, c := range all {
			if c.closed {
				refused++
			}
		}
		return conns, refused
	}
	conns, refused := accept("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")
	if len(conns) != 3 || refused != 1 {
		t.Fatalf("%d taken and %d refused, want 3 and 1", len(conns), refused)
	}
	// An address mapped into IPv6 is the same address.
	if more, refused := accept("::ffff:192.0.2.1"); len(more) != 0 || refused != 1 {
		t.Error("an IPv4 address counts anew when it is written as IPv6")
	}
	// Closing twice gives back one place.
	_ = conns[0].Close()
	_ = conns[0].Close()
	if more, refused := accept("192.0.2.1", "192.0.2.1"); len(more) != 1 || refused != 1 {
		t.Errorf("after one left: %d taken, %d refused", len(more), refused)
	}
	// One line has a /64 of IPv6 addresses.
	if more, refused := accept("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"); len(more) != 3 || refused != 1 {
		t.Errorf("IPv6: %d taken, %d refused, want 3 and 1", len(more), refused)
	}
	// Proxies and this machine stand for many people.
	if more, refused := accept("10.0.0.7", "10.0.0.7", "10.0.0.7", "127.0.0.1", "::1", "127.0.0.1"); len(more) != 6 || refused != 0 {
		t.Errorf("exempt: %d taken, %d refused", len(more), refused)
	}
}

// certificate makes a key pair for localhost.
func certificate(t *testing.T, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func TestTLS(t *testing.T) {
	s := newSite(t)
	cert, key := certificate(t, 1)
	s.write("cert.pem", cert)
	s.write("key.pem", key)
	s.write("claviger.yaml", strings.Replace(siteConfig, "identity_key", "tls: {cert: file:cert.pem, key: file:key.pem}\nidentity_key", 1))
	p := s.start("serve")
	https := strings.Replace(p.public, "http://127.0.0.1", "https://localhost", 1)
	get := func(cert string, protocols func(*http.Protocols)) (*http.Response, error) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(cert))
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: &http.Protocols{}}
		protocols(tr.Protocols)
		defer tr.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, https+"/nowhere", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		return resp, err
	}
	one := func(p *http.Protocols) { p.SetHTTP1(true) }
	two := func(p *http.Protocols) { p.SetHTTP2(true) }
	for want, protocols := range map[int]func(*http.Protocols){1: one, 2: two} {
		resp, err := get(cert, protocols)
		if err != nil || resp.ProtoMajor != want || resp.StatusCode != http.StatusNotFound || resp.Header.Get("X-Request-Id") == "" {
			t.Fatalf("HTTP/%d over TLS: %v %v", want, resp, err)
		}
		if resp.TLS.Version < tls.VersionTLS12 {
			t.Errorf("TLS version %x", resp.TLS.Version)
		}
	}
	if r := p.get(p.public + "/nowhere"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP on the TLS port: %d", r.StatusCode)
	}
	// A renewed certificate is taken without a restart; key and certificate
	// come one after the other, and the old pair goes on in between.
	renewed, newKey := certificate(t, 2)
	s.write("cert.pem", renewed)
	s.write("key.pem", newKey)
	p.until("the renewed certificate is used", func() bool {
		_, err := get(renewed, two)
		return err == nil
	})
}
