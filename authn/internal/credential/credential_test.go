package credential

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
)

func TestBearer(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{nil, ""},
		{[]string{"Bearer abc"}, "abc"},
		{[]string{"bearer abc"}, "abc"},
		{[]string{"BEARER   abc  "}, "abc"},
		{[]string{"Bearer"}, ""},
		{[]string{"Bearer "}, ""},
		{[]string{"Bearer    "}, ""},
		{[]string{"Bearerabc"}, ""},
		{[]string{"Basic abc"}, ""},
		{[]string{"Bearer\tabc"}, ""},
		{[]string{"Bearer abc", "Bearer abc"}, ""},
		{[]string{"Bearer abc", ""}, ""},
	} {
		r := &http.Request{Header: http.Header{}}
		if c.headers != nil {
			r.Header["Authorization"] = c.headers
		}
		got, ok := Bearer(r)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q, %v, want %q", c.headers, got, ok, c.want)
		}
	}
}

func TestCanonicalIsStrictBase64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringOfN(rapid.RuneFrom([]rune("ABQghwz019-_")), 0, 12, -1),
			rapid.StringOfN(rapid.RuneFrom([]rune("AQw-_=+/\n\r .é")), 0, 6, -1),
			rapid.Map(rapid.SliceOf(rapid.Byte()), base64.RawURLEncoding.EncodeToString),
		).Draw(t, "text")
		_, err := base64.RawURLEncoding.Strict().DecodeString(s)
		want := err == nil && !strings.ContainsAny(s, "\r\n")
		if got := Canonical(s); got != want {
			t.Fatalf("Canonical(%q) = %v, want %v", s, got, want)
		}
	})
}

func TestReadToken(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	const n = 1_800_000_000
	for _, c := range []struct {
		payload string
		maxAge  time.Duration
		want    error
	}{
		{`{"sub":"u","exp":1800000001}`, 0, nil},
		{`{"sub":"u","exp":1800000000.5}`, 0, nil},
		{`{"sub":"u","exp":1799999986}`, 0, nil},
		{`{"sub":"u","exp":1799999985}`, 0, errExpired},
		{`{"sub":"u","exp":1799999984.9}`, 0, errExpired},
		{`{"sub":"u"}`, 0, errNoExpiry},
		{`{"sub":"u","exp":null}`, 0, errNoExpiry},
		{`{"sub":"u","exp":"1800000001"}`, 0, errNoExpiry},
		{`{"sub":"u","exp":1e300}`, 0, errNoExpiry},
		{`{"sub":"u","exp":-1}`, 0, errNoExpiry},
		{`{"sub":"u","exp":1e999}`, 0, errNoExpiry},
		{`{"exp":1800000001}`, 0, errNoSubject},
		{`{"sub":"","exp":1800000001}`, 0, errNoSubject},
		{`{"sub":7,"exp":1800000001}`, 0, errNoSubject},
		{`{"sub":null,"exp":1800000001}`, 0, errNoSubject},
		{`{"sub":["u"],"exp":1800000001}`, 0, errNoSubject},
		{`{"sub":"service:web","exp":1800000001}`, 0, errReservedSubject},
		{`{"sub":"` + strings.Repeat("u", 1025) + `","exp":1800000001}`, 0, errLongSubject},
		{`{"sub":"u","exp":1800000001,"nbf":1800000015}`, 0, nil},
		{`{"sub":"u","exp":1800000099,"nbf":1800000016}`, 0, errNotYet},
		{`{"sub":"u","exp":1800000099,"nbf":"1"}`, 0, errTime},
		{`{"sub":"u","exp":1800000099,"iat":true}`, 0, errTime},
		{`{"sub":"u","exp":1800000099,"iat":1800000016}`, 0, errFromAhead},
		{`{"sub":"u","exp":1800000099}`, time.Hour, errNoIssued},
		{`{"sub":"u","exp":1800000099,"iat":1799996386}`, time.Hour, nil},
		{`{"sub":"u","exp":1800000099,"iat":1799996385}`, time.Hour, errTooOld},
		{`{"sub":"u","exp":1800000099,"exp":1}`, 0, errPayload},
		{`["sub"]`, 0, errPayload},
		{`{"sub":"u"`, 0, errPayload},
		{``, 0, errPayload},
	} {
		got, err := ReadToken([]byte(c.payload), now, c.maxAge)
		if err != c.want { //nolint:errorlint // exactly this one
			t.Errorf("%.80s, greatest age %s: got %v, want %v", c.payload, c.maxAge, err, c.want)
		}
		if err != nil {
			continue
		}
		if got.Subject != "u" || got.Expires.Unix() < n-20 || !now.Before(got.Until) || got.Until.After(got.Expires.Add(Tolerance)) {
			t.Errorf("%s: %+v", c.payload, got)
		}
		if c.maxAge > 0 && got.Until.After(got.IssuedAt.Add(c.maxAge+Tolerance)) {
			t.Errorf("%s: until %s outlives the greatest age", c.payload, got.Until)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, c := range []struct {
		claims claviger.Claims
		want   []string
	}{
		{nil, nil},
		{claviger.Claims{"roles": []any{"a", "b", 7.0, ""}}, []string{"a", "b"}},
		{claviger.Claims{"roles": "a"}, []string{"a"}},
		{claviger.Claims{"role": "admin"}, []string{"admin"}},
		{claviger.Claims{"roles": []any{}, "role": "admin"}, []string{"admin"}},
		{claviger.Claims{"roles": []any{"a"}, "role": "admin"}, []string{"a"}},
		{claviger.Claims{"role": map[string]any{"a": true}}, nil},
	} {
		if got := Roles(c.claims); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.claims, got, c.want)
		}
	}
}

func TestMemoryForgetsInTime(t *testing.T) {
	m := NewMemory[claviger.Principal](1 << 20)
	now := time.Unix(1000, 0)
	k := KeyOf("a", 0)
	m.Put(k, &claviger.Principal{Subject: "a"}, now.Add(10*time.Second), 1)
	if p, ok := m.Get(k, now.Add(10*time.Second-1)); !ok || p.Subject != "a" {
		t.Error("forgot what is still good")
	}
	if _, ok := m.Get(KeyOf("a", 1), now); ok {
		t.Error("what came in one way is good in another")
	}
	if _, ok := m.Get(k, now.Add(10*time.Second)); ok {
		t.Error("remembers what has ended")
	}
	if _, ok := m.Get(k, now); ok {
		t.Error("what had ended came back with the clock")
	}
}

// TestMemoryModel compares with a map that forgets nothing: what is found is
// what was put, and the bound holds.
func TestMemoryModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := rapid.IntRange(0, 2<<20).Draw(t, "budget")
		m := NewMemory[claviger.Principal](budget)
		type known struct {
			subject string
			until   int64
		}
		all := map[string]known{}
		now := int64(1000)
		for i := range rapid.IntRange(1, 300).Draw(t, "steps") {
			name := fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "name"))
			now += rapid.Int64Range(0, 3).Draw(t, "passes")
			k := KeyOf(name, 0)
			if rapid.Bool().Draw(t, "put") {
				until := now + rapid.Int64Range(0, 20).Draw(t, "life")
				all[name] = known{fmt.Sprint(i), until}
				m.Put(k, &claviger.Principal{Subject: fmt.Sprint(i)}, time.Unix(until, 0), rapid.IntRange(0, 5000).Draw(t, "size"))
			} else if p, ok := m.Get(k, time.Unix(now, 0)); ok {
				if want := all[name]; p.Subject != want.subject || want.until <= now {
					t.Fatalf("%s at %d: got %q, put %+v", name, now, p.Subject, want)
				}
			}
			if got := m.size(); got > budget {
				t.Fatalf("holds %d of %d", got, budget)
			}
		}
	})
}

func TestMemoryKeepsWhatIsAskedFor(t *testing.T) {
	m := NewMemory[claviger.Principal](shards * 2 * 10 * (overhead + weight))
	now := time.Unix(1000, 0)
	hot := KeyOf("hot", 0)
	m.Put(hot, &claviger.Principal{Subject: "hot"}, now.Add(time.Hour), 1)
	for i := range 10_000 {
		m.Put(KeyOf(fmt.Sprint(i), 0), &claviger.Principal{}, now.Add(time.Hour), 1)
		if _, ok := m.Get(hot, now); !ok {
			t.Fatalf("forgot after %d others what was asked for each time", i+1)
		}
	}
}

func TestMemoryConcurrent(t *testing.T) {
	m := NewMemory[claviger.Principal](1 << 16)
	now := time.Unix(1000, 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				name := fmt.Sprint(i % 100)
				if p, ok := m.Get(KeyOf(name, 0), now); ok && p.Subject != name {
					t.Errorf("got %s for %s", p.Subject, name)
				}
				m.Put(KeyOf(name, 0), &claviger.Principal{Subject: name}, now.Add(time.Hour), 100)
			}
		})
	}
	wg.Wait()
}

func BenchmarkMemoryHit(b *testing.B) {
	m := NewMemory[claviger.Principal](1 << 20)
	now := time.Unix(1000, 0)
	token := strings.Repeat("x", 500)
	m.Put(KeyOf(token, 0), &claviger.Principal{}, now.Add(time.Hour), 500)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := m.Get(KeyOf(token, 0), now); !ok {
			b.Fatal("forgotten")
		}
	}
}
