package gateway_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/service"
	"claviger.dev/claviger/internal/jsonx"
)

func member(t *testing.T, body, name string) string {
	t.Helper()
	v, err := jsonx.Parse([]byte(body))
	must(t, err)
	m, _ := v.Get(name)
	return m.Str()
}

// TestTickets: a server gets a ticket for its user, the ticket works and is the
// user's; nobody else gets one (M-L1, M-L2).
func TestTickets(t *testing.T) {
	r := newRig(t, nil)
	server := []string{"Authorization", "Bearer " + r.serviceKey}
	a := r.post("/tickets", `{"sub":"grace","ttl":"5m","plan":"all","claims":{"plan":"pro"}}`, server...)
	ticket := member(t, a.body, "ticket")
	expires, err := time.Parse(time.RFC3339, member(t, a.body, "expires_at"))
	if a.status != 200 || ticket == "" || err != nil || time.Until(expires) > 5*time.Minute || time.Until(expires) < 4*time.Minute {
		t.Fatalf("%d %s", a.status, a.body)
	}
	checkAnswerHeaders(t, "ticket", a)
	if got := r.post(chatPath, chat("hi"), "Authorization", "Bearer "+ticket); got.status != 200 {
		t.Errorf("the ticket does not work: %d %s", got.status, got.body)
	}
	r.events.wait(t, 2)
	if e := r.events.last(t); e.Subject != r.snapshot.Pseudonym(claviger.Principal{Realm: "app", Subject: "grace"}) || e.Method != "ticket" {
		t.Errorf("the account is %+v", e)
	}
	only := member(t, r.post("/tickets", `{"sub":"grace","actions":["facts"],"ttl":60}`, server...).body, "ticket")
	for path, want := range map[string]int{"/actions/facts": 200, generatePath: 403, chatPath: 403} {
		body := generate("hi")
		if path == chatPath {
			body = chat("hi")
		}
		if got := r.post(path, body, "Authorization", "Bearer "+only); got.status != want {
			t.Errorf("a ticket for one action at %s: %d %s", path, got.status, got.body)
		}
	}
	good := `{"sub":"grace"}`
	for _, tc := range []struct {
		name, body string
		headers    []string
		status     int
		code       string
	}{
		{"by a ticket", good, []string{"Authorization", "Bearer " + ticket}, 403, "forbidden"},
		{"by a session", good, []string{"Authorization", "", "Cookie", r.cookie("ada"), "Origin", ours}, 403, "forbidden"},
		{"by nobody", good, []string{"Authorization", ""}, 401, "unauthenticated"},
		{"by a key that is none", good, []string{"Authorization", "Bearer " + random()}, 401, "unauthenticated"},
		{"by half a key", good, []string{"Authorization", "Bearer " + r.serviceKey[:26]}, 401, "unauthenticated"},
		{"from a foreign page without the key", good, []string{"Authorization", "", "Origin", foreign}, 403, "csrf"},
		{"without a subject", `{"ttl":"5m"}`, server, 400, "invalid_input"},
		{"an empty subject", `{"sub":""}`, server, 400, "invalid_input"},
		{"a subject that is no string", `{"sub":7}`, server, 400, "invalid_input"},
		{"a subject of ours", `{"sub":"service:web"}`, server, 400, "invalid_input"},
		{"a longer life", `{"sub":"grace","ttl":"20m"}`, server, 400, "invalid_input"},
		{"a negative life", `{"sub":"grace","ttl":-5}`, server, 400, "invalid_input"},
		{"half a second", `{"sub":"grace","ttl":0.5}`, server, 400, "invalid_input"},
		{"a claim it may not set", `{"sub":"grace","claims":{"role":"admin"}}`, server, 403, "forbidden"},
		{"a plan it may not give", `{"sub":"grace","plan":"gold"}`, server, 403, "forbidden"},
		{"a realm of its choice", `{"sub":"grace","realm":"admin"}`, server, 400, "invalid_input"},
		{"an unknown member", `{"sub":"grace","x":1}`, server, 400, "invalid_input"},
		{"a duplicate", `{"sub":"grace","sub":"ada"}`, server, 400, "invalid_json"},
		{"an array", `[]`, server, 400, "invalid_input"},
		{"no JSON", `sub=grace`, server, 400, "invalid_json"},
		{"a form", "sub=grace", append([]string{"Content-Type", "application/x-www-form-urlencoded"}, server...), 415, "unsupported_media_type"},
	} {
		if got := r.post("/tickets", tc.body, tc.headers...); got.status != tc.status || got.code() != tc.code || strings.Contains(got.body, `"ticket"`) {
			t.Errorf("%s: %d %s", tc.name, got.status, got.body)
		}
	}
	shut := newRig(t, func(p *parts) { p.snapshot.Minter = nil })
	if got := shut.post("/tickets", good, "Authorization", "Bearer "+shut.serviceKey); got.status != 404 {
		t.Errorf("without a minter: %d %s", got.status, got.body)
	}
}

// TestClientAddress: limits by address hold for the address that a service key
// signed, else for the peer's; a header that anybody can write changes nothing
// (M-L3).
func TestClientAddress(t *testing.T) {
	r := newRig(t, perIP(2))
	now := time.Now()
	sign := func(addr string, at time.Time) string {
		return service.SignClient(secret(r.serviceKey), "web", netip.MustParseAddr(addr), at)
	}
	forged := service.SignClient(secret(random()), "web", netip.MustParseAddr("203.0.113.9"), now)
	for i, tc := range []struct {
		header string
		status int
	}{
		{sign("203.0.113.1", now), 200},
		{sign("203.0.113.1", now), 200},
		{sign("203.0.113.1", now), 429},
		{sign("203.0.113.2", now), 200},
		{sign("2001:db8:1:2::1", now), 200},
		{sign("2001:db8:1:2::2", now), 200},
		{sign("2001:db8:1:2:ffff::3", now), 429}, // one line, one /64
		{sign("2001:db8:1:3::1", now), 200},
		// What is not good counts as absent: the peer's own address, twice.
		{forged, 200},
		{sign("203.0.113.3", now.Add(-2*time.Minute)), 200},
		{forged, 429},
		{sign("203.0.113.3", now.Add(-2*time.Minute)), 429},
		{sign("203.0.113.4", now.Add(2*time.Minute)), 429},
		{strings.Replace(sign("203.0.113.5", now), "203.0.113.5", "203.0.113.6", 1), 429},
		{"nonsense", 429},
		{"", 429},
		{sign("203.0.113.7", now), 200},
	} {
		got := r.send("GET", "/v1/models", "", "Claviger-Client", tc.header, "X-Forwarded-For", "198.51.100.1")
		if got.status != tc.status {
			t.Errorf("row %d (%s): %d %s, want %d", i, tc.header, got.status, got.body, tc.status)
		}
	}
	// Strangers are limited, too, before anybody asks who they are.
	if got := r.send("GET", "/v1/models", "", "Authorization", ""); got.status != 429 {
		t.Errorf("a stranger: %d", got.status)
	}
	proxied := newRig(t, both(perIP(1), func(p *parts) { p.snapshot.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }))
	for i, tc := range []struct {
		forwarded string
		status    int
	}{
		{"203.0.113.1", 200},
		{"203.0.113.1", 429},
		{"203.0.113.9, 203.0.113.1", 429}, // the leftmost is the caller's own choice
		{"203.0.113.2", 200},
	} {
		if got := proxied.send("GET", "/v1/models", "", "X-Forwarded-For", tc.forwarded); got.status != tc.status {
			t.Errorf("proxied %d: %d, want %d", i, got.status, tc.status)
		}
	}
}
