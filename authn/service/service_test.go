package service

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/internal/seal"
)

var start = time.Unix(1_800_000_000, 0)

func secret() claviger.Secret { return claviger.NewSecret([]byte(rand.Text() + rand.Text())) }

func text(s claviger.Secret) string { return string(s.Reveal(seal.ForReveal())) }

func make1(t testing.TB, keys ...Key) *Authenticator {
	t.Helper()
	a, err := New(Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) {
	keys := []Key{
		{Name: "web", Secret: secret(), Realm: "shop", Actions: []string{"a"}},
		{Name: "jobs", Secret: secret()},
	}
	a := make1(t, keys...)
	for i, want := range []claviger.Principal{
		{Realm: "shop", Subject: "service:web", Service: "web", Actions: []string{"a"}},
		{Realm: "app", Subject: "service:jobs", Service: "jobs"},
	} {
		want.Method, want.Presented = "service", claviger.CredentialBearer
		gatetest.Authenticator(t, gatetest.AuthenticatorSuite{
			Authenticator: a, Valid: text(keys[i].Secret), Want: want,
			Secrets: []claviger.Secret{keys[0].Secret, keys[1].Secret},
			Foreign: map[string]func(*http.Request){
				"unknown key": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+text(secret())) },
				"prefix":      func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+text(keys[i].Secret)[:40]) },
				"cookie":      func(r *http.Request) { r.Header.Set("Cookie", "key="+text(keys[i].Secret)) },
			},
		})
	}
}

func TestGrant(t *testing.T) {
	k := Key{
		Name: "web", Secret: secret(), Realm: "shop", Claims: []string{"plan"}, Plans: []string{"pro"},
		Actions: []string{"a"}, TicketTTL: time.Minute,
	}
	a := make1(t, k, Key{Name: "jobs", Secret: secret()})
	got, ok := a.Grant("web")
	if !ok || !got.Secret.Equal(k.Secret) {
		t.Error("another secret")
	}
	got.Secret, k.Secret = claviger.Secret{}, claviger.Secret{}
	if !reflect.DeepEqual(got, k) {
		t.Errorf("got %+v, want %+v", got, k)
	}
	if got, ok := a.Grant("jobs"); !ok || got.Realm != "app" || got.TicketTTL != LongestTTL || got.Actions != nil {
		t.Errorf("completed: %+v", got)
	}
	for _, name := range []string{"", "WEB", "we", "service:web"} {
		if _, ok := a.Grant(name); ok {
			t.Errorf("a grant for %q", name)
		}
	}
}

func TestOptions(t *testing.T) {
	s := secret()
	newline := claviger.NewSecret([]byte(text(s) + "\n"))
	for name, keys := range map[string][]Key{
		"none":                 {},
		"no name":              {{Secret: s}},
		"odd name":             {{Name: "a b", Secret: s}},
		"long name":            {{Name: strings.Repeat("a", 65), Secret: s}},
		"no secret":            {{Name: "a"}},
		"short":                {{Name: "a", Secret: claviger.NewSecret([]byte(strings.Repeat("k", 31)))}},
		"short and newline":    {{Name: "a", Secret: claviger.NewSecret([]byte(strings.Repeat("k", 31) + "\n"))}},
		"space":                {{Name: "a", Secret: claviger.NewSecret([]byte(text(s) + " x"))}},
		"same name":            {{Name: "a", Secret: s}, {Name: "a", Secret: secret()}},
		"same secret":          {{Name: "a", Secret: s}, {Name: "b", Secret: s}},
		"same but for newline": {{Name: "a", Secret: s}, {Name: "b", Secret: newline}},
		"long tickets":         {{Name: "a", Secret: s, TicketTTL: 15*time.Minute + 1}},
		"negative tickets":     {{Name: "a", Secret: s, TicketTTL: -1}},
		"too many":             make([]Key, 65),
	} {
		_, err := New(Options{Keys: keys})
		if err == nil || strings.Contains(err.Error(), text(s)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set("Authorization", "Bearer "+text(s))
	if _, err := make1(t, Key{Name: "a", Secret: newline}).Authenticate(t.Context(), r); err != nil {
		t.Errorf("a secret that ends with a newline: %v", err)
	}
}

func TestClientAddr(t *testing.T) {
	web, jobs := secret(), secret()
	a := make1(t, Key{Name: "web", Secret: web}, Key{Name: "jobs", Secret: jobs})
	v4, v6 := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8::7")
	good := SignClient(web, "web", v4, start)
	swap := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	for _, c := range []struct {
		name, header string
		at           time.Time
		want         netip.Addr
	}{
		{"named", good, start, v4},
		{"without a name", SignClient(web, "", v4, start), start, v4},
		{"the second key", SignClient(jobs, "", v6, start), start, v6},
		{"the second key by name", SignClient(jobs, "jobs", v6, start), start, v6},
		{"IPv4 in IPv6", SignClient(web, "web", netip.MustParseAddr("::ffff:203.0.113.7"), start), start, v4},
		{"60 s old", good, start.Add(time.Minute), v4},
		{"60 s ahead", good, start.Add(-time.Minute), v4},
		{"61 s old", good, start.Add(61 * time.Second), netip.Addr{}},
		{"61 s ahead", good, start.Add(-61 * time.Second), netip.Addr{}},
		{"key of another", SignClient(web, "jobs", v4, start), start, netip.Addr{}},
		{"unknown name", SignClient(web, "nobody", v4, start), start, netip.Addr{}},
		{"unknown key", SignClient(secret(), "", v4, start), start, netip.Addr{}},
		{"name taken off", strings.TrimPrefix(good, "key=web;"), start, netip.Addr{}},
		{"name exchanged", swap("key=web", "key=jobs"), start, netip.Addr{}},
		{"address exchanged", swap("203.0.113.7", "203.0.113.8"), start, netip.Addr{}},
		{"time exchanged", swap("t=1800000000", "t=1800000001"), start, netip.Addr{}},
		{"zone", SignClient(web, "web", netip.MustParseAddr("fe80::1%eth0"), start), start, netip.Addr{}},
		{"unspecified", SignClient(web, "web", netip.IPv6Unspecified(), start), start, netip.Addr{}},
		{"padding", good + "=", start, netip.Addr{}},
		{"space", " " + good, start, netip.Addr{}},
		{"more", good + ";x=y", start, netip.Addr{}},
		{"two", good + ", " + good, start, netip.Addr{}},
		{"leading zero", swap("t=1", "t=01"), start, netip.Addr{}},
		{"sign", swap("t=1", "t=+1"), start, netip.Addr{}},
		{"no time", swap("t=1800000000", "t="), start, netip.Addr{}},
		{"far time", swap("t=1800000000", "t=99999999999"), start, netip.Addr{}},
		{"empty", "", start, netip.Addr{}},
		{"long", good + strings.Repeat("A", 300), start, netip.Addr{}},
	} {
		got, err := a.ClientAddr(c.header, c.at)
		if got != c.want || (err == nil) != c.want.IsValid() {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), text(web)) || strings.Contains(err.Error(), "203.0.113")) {
			t.Errorf("%s: the error tells too much: %v", c.name, err)
		}
	}
	for i := range len(good) {
		if i < len("key=web;") {
			continue // names are in the table
		}
		changed := good[:i] + string(good[i]^1) + good[i+1:]
		if got, err := a.ClientAddr(changed, start); err == nil {
			t.Errorf("byte %d changed: %v", i, got)
		}
	}
}

// TestClientInNode has Node sign as the documentation of SignClient shows.
func TestClientInNode(t *testing.T) {
	const script = `
const { createHmac } = require("node:crypto");
function signClient(secret, name, addr, t = Math.floor(Date.now() / 1000)) {
  const text = ["claviger-client", "1", name, addr, t].join("\n");
  const sig = createHmac("sha256", secret).update(text).digest("base64url");
  return (name ? ` + "`key=${name};`" + ` : "") + ` + "`addr=${addr};t=${t};sig=${sig}`" + `;
}
const q = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(q.map((c) => signClient(process.env.KEY, c.name, c.addr, c.t))));`
	node := gatetest.Node(t, "testdata")
	s := secret()
	a := make1(t, Key{Name: "web", Secret: s})
	type question struct {
		Name string `json:"name"`
		Addr string `json:"addr"`
		T    int64  `json:"t,omitempty"`
	}
	questions := []question{
		{"web", "203.0.113.7", start.Unix()},
		{"", "2001:db8::7", start.Unix()},
		{"web", "::ffff:203.0.113.7", start.Unix()},
		{"web", "2001:DB8:0:0::7", start.Unix()},
		{"web", "203.0.113.7", 0},
	}
	in, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "-e", script)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(cmd.Environ(), "KEY="+text(s))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var headers []string
	if err := json.Unmarshal(out, &headers); err != nil {
		t.Fatal(err)
	}
	for i, q := range questions {
		at := start
		if q.T == 0 {
			at = time.Now()
		}
		got, err := a.ClientAddr(headers[i], at)
		if err != nil || got != netip.MustParseAddr(q.Addr).Unmap() {
			t.Errorf("%s: %v, %v", q.Addr, got, err)
		}
	}
	for i, q := range questions[:2] {
		if want := SignClient(s, q.Name, netip.MustParseAddr(q.Addr), start); headers[i] != want {
			t.Errorf("Node makes %q, we make %q", headers[i], want)
		}
	}
}

func FuzzClientAddr(f *testing.F) {
	s := claviger.NewSecret([]byte(strings.Repeat("k1", 16)))
	a := make1(f, Key{Name: "web", Secret: s})
	for _, addr := range []string{"203.0.113.7", "2001:db8::7", "::ffff:1.2.3.4"} {
		f.Add(SignClient(s, "web", netip.MustParseAddr(addr), start))
		f.Add(SignClient(s, "", netip.MustParseAddr(addr), start))
	}
	f.Add("key=;addr=;t=;sig=")
	f.Fuzz(func(t *testing.T, header string) {
		addr, err := a.ClientAddr(header, start)
		if (err == nil) != addr.IsValid() || addr.Zone() != "" || addr.Is4In6() {
			t.Fatalf("%q: %v, %v", header, addr, err)
		}
		if err != nil {
			return
		}
		fields, _ := parseClient(header)
		for _, name := range []string{"", "web"} {
			if header == SignClient(s, name, netip.MustParseAddr(fields.addr), start) {
				return
			}
		}
		if fields.t == fmt.Sprint(start.Unix()) && netip.MustParseAddr(fields.addr).String() == fields.addr {
			t.Fatalf("%q was let in and not signed", header)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	s := secret()
	a := make1(b, Key{Name: "a", Secret: secret()}, Key{Name: "b", Secret: secret()}, Key{Name: "c", Secret: s})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", nil)
	r.Header.Set("Authorization", "Bearer "+text(s))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClientAddr(b *testing.B) {
	s := secret()
	a := make1(b, Key{Name: "web", Secret: s})
	h := SignClient(s, "web", netip.MustParseAddr("203.0.113.7"), start)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.ClientAddr(h, start); err != nil {
			b.Fatal(err)
		}
	}
}
