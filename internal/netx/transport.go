// Package netx is where the network begins and ends: every outbound client of
// the module comes from here, and here is decided whose address a request came
// from and for which host names it may ask.
package netx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// ErrRefused is wrapped by every error of a request or a connection that the
// guard did not let out: a foreign host, a redirect target, an address that no
// name may lead to. Nothing was sent when it is returned.
var ErrRefused = errors.New("refused by the outbound guard")

// Defaults of Options.
const (
	DefaultConnect        = 5 * time.Second
	DefaultTimeout        = 15 * time.Second
	DefaultMaxHeaderBytes = 64 << 10
	DefaultIdlePerHost    = 256
)

// bufferSize is that of a connection, each way, in bytes. An open stream holds
// both as long as it lasts. An event of a stream, or the headers of a request with
// a small body, fit.
const bufferSize = 2 << 10

// Options say where an outbound client may go. The zero value of every field
// but BaseURL is the safe and usual choice.
type Options struct {
	// BaseURL names the one scheme, host and port that may be reached. It is
	// https, or http on loopback. Required.
	BaseURL string
	// InsecureHTTP allows http beyond loopback, and private addresses with it.
	InsecureHTTP bool
	// AllowPrivate allows a host name to resolve to a loopback or private
	// address. A literal address and "localhost" need no permission.
	AllowPrivate bool
	// EnvironmentProxy sends requests through the proxy that HTTPS_PROXY and
	// its kin name. The proxy then resolves the name, so the address that is
	// checked is the proxy's.
	EnvironmentProxy bool
	// Connect limits resolving, connecting and the TLS handshake, each.
	Connect time.Duration
	// Timeout limits one exchange of Client, its body included. Transport
	// ignores it.
	Timeout time.Duration
	// MaxHeaderBytes limits the headers of an answer.
	MaxHeaderBytes int64
	// IdlePerHost is how many idle connections are kept.
	IdlePerHost int
	// RootCAs replaces the system's roots.
	RootCAs *x509.CertPool
	// Resolver replaces the system's resolver.
	Resolver *net.Resolver
}

// Client returns a guarded client that follows no redirect: it hands the 3xx
// answer to its caller, who treats it as a failure.
func Client(o Options) (*http.Client, error) {
	t, err := Transport(o)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     t,
		Timeout:       orDefault(o.Timeout, DefaultTimeout),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Transport returns a guarded transport. It speaks HTTP/2 where TLS offers it,
// adds no Accept-Encoding, and refuses with ErrRefused what Options do not name.
func Transport(o Options) (*http.Transport, error) {
	base, err := ParseBaseURL(o.BaseURL, o.InsecureHTTP)
	if err != nil {
		return nil, err
	}
	g := newGuard(base, &o)
	connect := orDefault(o.Connect, DefaultConnect)
	d := &net.Dialer{Timeout: connect, KeepAlive: 15 * time.Second, Resolver: o.Resolver, ControlContext: g.control}
	return &http.Transport{
		Proxy: g.proxy,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if err := g.target(addr); err != nil {
				return nil, err
			}
			return d.DialContext(ctx, network, addr)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    connect,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    orDefault(o.IdlePerHost, DefaultIdlePerHost),
		IdleConnTimeout:        50 * time.Second, // below the 60 s at which many servers close
		MaxResponseHeaderBytes: orDefault(o.MaxHeaderBytes, DefaultMaxHeaderBytes),
		ReadBufferSize:         bufferSize,
		WriteBufferSize:        bufferSize,
	}, nil
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// ParseBaseURL parses the address of an outbound service: absolute, https, or
// http on loopback, or http anywhere with insecureHTTP; without user, query and
// fragment. Errors say what to change and do not repeat the URL, which may hold
// what its writer took for a good place for a password.
func ParseBaseURL(s string, insecureHTTP bool) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.User != nil:
		return nil, errors.New("a URL must not hold a user name or password")
	case u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("a URL needs a scheme and a host, as https://api.example.com/v1")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("a base URL must not have a query or a fragment")
	case u.Port() != "" && !validPort(u.Port()):
		return nil, errors.New("the port of a URL is a number from 1 to 65535")
	case u.Scheme == "https":
	case u.Scheme != "http":
		return nil, fmt.Errorf("a URL must be https, not %q", u.Scheme)
	case !insecureHTTP && !loopbackHost(u.Hostname()):
		return nil, errors.New("http is allowed on loopback only: use https, or set insecure_http: true for a network that you trust")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && classify(a) == never {
		return nil, errors.New("this address is not one of a service: link-local, multicast, unspecified and reserved addresses are refused")
	}
	return u, nil
}

func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
