package anonymous

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"claviger.dev/claviger"
)

func rate(n int64) claviger.Limit {
	return claviger.Limit{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: n, Per: claviger.PeriodMinute}}
}

func TestAuthenticate(t *testing.T) {
	a, err := New(Options{Plan: "guest", Limits: []claviger.Limit{rate(5)}})
	if err != nil {
		t.Fatal(err)
	}
	at := func(p string) context.Context {
		return claviger.ContextWithClient(t.Context(), netip.MustParsePrefix(p))
	}
	for _, c := range []struct {
		name, header string
		ctx          context.Context
		want         string
	}{
		{"IPv4", "", at("203.0.113.7/32"), "ip:203.0.113.7/32"},
		{"IPv6", "", at("2001:db8:0:1::/64"), "ip:2001:db8:0:1::/64"},
		{"no address", "", t.Context(), "anonymous"},
		{"no valid address", "", claviger.ContextWithClient(t.Context(), netip.Prefix{}), "anonymous"},
		{"a bearer", "Bearer x", at("203.0.113.7/32"), ""},
		{"another scheme", "Basic x", t.Context(), ""},
	} {
		r := httptest.NewRequestWithContext(c.ctx, http.MethodPost, "/", nil)
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		p, err := a.Authenticate(c.ctx, r)
		if c.want == "" {
			if !errors.Is(err, claviger.ErrNoCredential) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		want := claviger.Principal{Realm: "anonymous", Subject: c.want, Method: "anonymous", Plan: "guest", Limits: []claviger.Limit{rate(5)}}
		if err != nil || !reflect.DeepEqual(p, want) {
			t.Errorf("%s: got %+v, %v", c.name, p, err)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header["Authorization"] = []string{""}
	if _, err := a.Authenticate(t.Context(), r); !errors.Is(err, claviger.ErrNoCredential) {
		t.Errorf("an empty Authorization header: %v", err)
	}
}

// TestOpenRelayDoesNotStart holds M-L6: without a limit over time there are no
// anonymous callers.
func TestOpenRelayDoesNotStart(t *testing.T) {
	lease := claviger.Limit{Kind: claviger.ChargeLease, Window: claviger.Window{Limit: 2}}
	spend := claviger.Limit{Kind: claviger.ChargeMoney, Window: claviger.Window{Limit: 1e6, Per: claviger.PeriodDay, Currency: "USD"}}
	for _, c := range []struct {
		name   string
		limits []claviger.Limit
		ok     bool
	}{
		{"none", nil, false},
		{"empty", []claviger.Limit{}, false},
		{"concurrency alone", []claviger.Limit{lease}, false},
		{"zero", []claviger.Limit{rate(0)}, false},
		{"negative", []claviger.Limit{rate(-1)}, false},
		{"no period", []claviger.Limit{{Kind: claviger.ChargeTokens, Window: claviger.Window{Limit: 5}}}, false},
		{"unknown kind", []claviger.Limit{rate(1), {Kind: "wishes", Window: claviger.Window{Limit: 3}}}, false},
		{"rate", []claviger.Limit{rate(1)}, true},
		{"spend", []claviger.Limit{spend}, true},
		{"all", []claviger.Limit{lease, rate(1), spend}, true},
	} {
		a, err := New(Options{Limits: c.limits})
		if (err == nil) != c.ok || (a != nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "anonymous: ") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func Benchmark(b *testing.B) {
	a, err := New(Options{Limits: []claviger.Limit{{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 1, Per: claviger.PeriodDay}}}})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
