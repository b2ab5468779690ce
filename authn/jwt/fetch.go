package jwt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
)

// fetcher gets a key set from where the configuration or the issuer says. It is
// used by one goroutine at a time.
type fetcher struct {
	issuer string
	fixed  string // where the keys are, by configuration
	found  string // where they are, by discovery
	net    netx.Options
	// clients by scheme, host and port: each goes to one place alone.
	clients map[string]*http.Client
}

func newFetcher(o *Options) (*fetcher, error) {
	f := &fetcher{
		issuer: o.Issuer, fixed: o.JWKSURL,
		net:     netx.Options{InsecureHTTP: o.InsecureHTTP, AllowPrivate: o.AllowPrivate, Timeout: fetchTimeout, IdlePerHost: 1},
		clients: map[string]*http.Client{},
	}
	if f.fixed != "" {
		return f, parseAddress("jwks_url", f.fixed, o.InsecureHTTP)
	}
	if strings.Contains(f.issuer, "?") {
		return nil, errors.New("jwt: issuer: with a query it cannot be asked for its keys: set jwks_url")
	}
	return f, parseAddress("issuer", f.issuer, o.InsecureHTTP)
}

// keys fetches the set and says how long it may be kept.
func (f *fetcher) keys(ctx context.Context) ([]key, time.Duration, error) {
	from := f.fixed
	if from == "" {
		if f.found == "" {
			if err := f.discover(ctx); err != nil {
				return nil, 0, fmt.Errorf("discovery: %w", err)
			}
		}
		from = f.found
	}
	body, h, err := f.get(ctx, from)
	if err == nil {
		var keys []key
		if keys, err = parseSet(body); err == nil {
			return keys, life(h), nil
		}
	}
	f.found = "" // the set may have moved
	return nil, 0, fmt.Errorf("key set: %w", err)
}

var (
	errDiscovery   = errors.New("the issuer's configuration is not as OpenID Connect Discovery 1.0 has it")
	errOtherIssuer = errors.New("the configuration names another issuer than the one that was asked: write issuer exactly as it stands there")
	errSetElswhere = errors.New("the configuration names a place for the key set that is neither the issuer's host nor a public https one")
)

// discover asks the issuer where its keys are (OpenID Connect Discovery 1.0,
// section 4; the issuer must be the one that was asked, section 4.3).
func (f *fetcher) discover(ctx context.Context) error {
	body, _, err := f.get(ctx, strings.TrimSuffix(f.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return err
	}
	v, err := jsonx.Parse(body)
	if err != nil {
		return errDiscovery
	}
	if issuer, _ := v.Get("issuer"); !issuer.Is(f.issuer) {
		return errOtherIssuer
	}
	uri, _ := v.Get("jwks_uri")
	if uri.Kind() != jsonx.KindString {
		return errDiscovery
	}
	if err := f.checkFound(uri.Str()); err != nil {
		return err
	}
	f.found = uri.Str()
	return nil
}

// checkFound admits a key set on the issuer's own origin, and on any other only
// by https and by a name, so that a configuration cannot point into the network
// of the gateway. What the name leads to is checked when it is dialled.
func (f *fetcher) checkFound(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.User != nil || u.Fragment != "" {
		return errSetElswhere
	}
	own, err := url.Parse(f.issuer)
	if err == nil && u.Scheme == own.Scheme && strings.EqualFold(u.Host, own.Host) {
		return nil
	}
	_, err = netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" || err == nil || strings.EqualFold(u.Hostname(), "localhost") {
		return errSetElswhere
	}
	return nil
}

// get reads one document, which must come at once and with status 200.
func (f *fetcher) get(ctx context.Context, address string) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, errors.New("not a URL")
	}
	c, err := f.client(r.URL)
	if err != nil {
		return nil, nil, err
	}
	a, err := netx.Ask(c, r, maxSet)
	switch {
	case err != nil:
		return nil, nil, err
	case a.Status != http.StatusOK:
		return nil, nil, fmt.Errorf("%s answered with status %d", r.URL.Redacted(), a.Status)
	}
	return a.Body, a.Header, nil
}

func (f *fetcher) client(u *url.URL) (*http.Client, error) {
	origin := u.Scheme + "://" + u.Host
	if c, ok := f.clients[origin]; ok {
		return c, nil
	}
	o := f.net
	o.BaseURL = origin
	c, err := netx.Client(o)
	if err != nil {
		return nil, err
	}
	if len(f.clients) > 3 { // an issuer that keeps moving
		clear(f.clients)
	}
	f.clients[origin] = c
	return c, nil
}
