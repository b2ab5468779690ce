package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
)

func TestGenerate(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s, err := Generate()
		if err != nil || len(s) != 43 || seen[s] {
			t.Fatalf("%d characters, seen %v, %v", len(s), seen[s], err)
		}
		seen[s] = true
		if err := Strength(claviger.NewSecret([]byte(s))); err != nil {
			t.Fatalf("refuses its own: %v", err)
		}
	}
}

func TestStrength(t *testing.T) {
	for _, c := range []struct {
		name, secret string
		ok           bool
	}{
		{"random", random(), true},
		{"hexadecimal", "3f9a0c5be1d2476f8a91b0c3d4e5f607", true},
		{"32 bytes", random()[:32], true},
		{"31 bytes", random()[:31], false},
		{"31 bytes and a newline", random()[:31] + "\n", false},
		{"empty", "", false},
		{"one letter", strings.Repeat("a", 64), false},
		{"two letters", strings.Repeat("ab", 32), false},
		{"a word again and again", strings.Repeat("correcthorse", 4), false},
		{"half twice", strings.Repeat("q8Zk2Lw0RtY5uXv7", 2), false},
		{"the alphabet", "abcdefghijklmnopqrstuvwxyz0123456789", false},
		{"backwards", "zyxwvutsrqponmlkjihgfedcba9876543210", false},
		{"changeme", "changeme-" + random(), false},
		{"placeholder in capitals", "YOUR-SECRET-" + random(), false},
		{"sentence", "please-replace-this-before-production!", false},
	} {
		err := Strength(claviger.NewSecret([]byte(c.secret)))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && c.secret != "" && strings.Contains(err.Error(), c.secret) {
			t.Errorf("%s: the error shows the secret", c.name)
		}
	}
	if Strength(claviger.Secret{}) == nil {
		t.Error("no secret at all is strong")
	}
}

func TestPseudonym(t *testing.T) {
	key := random()
	id := NewIdentity(claviger.NewSecret([]byte(key + "\n")))
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte("\x00\x03app\x03u-1"))
	want := base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
	p := claviger.Principal{Realm: "app", Subject: "u-1"}
	if got := id.Pseudonym(p); got != want || len(got) != 22 {
		t.Errorf("got %s, want %s", got, want)
	}
	p.Roles, p.Method, p.Plan, p.Claims = []string{"x"}, "ticket", "pro", claviger.Claims{"a": 1}
	if got := id.Pseudonym(p); got != want {
		t.Error("what is no identity changed the name")
	}
	if NewIdentity(claviger.NewSecret([]byte(random()))).Pseudonym(p) == want {
		t.Error("the key does not matter")
	}
	one, two := NewIdentity(claviger.Secret{}), NewIdentity(claviger.Secret{})
	if one.Pseudonym(p) == two.Pseudonym(p) {
		t.Error("without a key, names can be guessed")
	}
}

// TestPseudonymsDiffer puts the border between the parts of an identity
// everywhere: ("a", "bc") is not ("ab", "c").
func TestPseudonymsDiffer(t *testing.T) {
	id := NewIdentity(claviger.NewSecret([]byte(random())))
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) claviger.Principal {
			part := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00\x01\x02:")), 0, 4, -1)
			return claviger.Principal{Tenant: part.Draw(t, name), Realm: part.Draw(t, name), Subject: part.Draw(t, name)}
		}
		p, q := draw("one"), draw("other")
		same := p.Tenant == q.Tenant && p.Realm == q.Realm && p.Subject == q.Subject
		if (id.Pseudonym(p) == id.Pseudonym(q)) != same {
			t.Fatalf("%+v and %+v", p, q)
		}
	})
	long := strings.Repeat("x", 200)
	if id.Pseudonym(claviger.Principal{Realm: long, Subject: "y"}) == id.Pseudonym(claviger.Principal{Realm: long + "y"}) {
		t.Error("long parts run together")
	}
}

func TestPseudonymConcurrent(t *testing.T) {
	id := NewIdentity(claviger.NewSecret([]byte(random())))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			p := claviger.Principal{Realm: "app", Subject: strings.Repeat("u", g+1)}
			want := id.Pseudonym(p)
			for range 1000 {
				if got := id.Pseudonym(p); got != want {
					t.Errorf("%s, then %s", want, got)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkPseudonym(b *testing.B) {
	id := NewIdentity(claviger.NewSecret([]byte(random())))
	p := claviger.Principal{Realm: "app", Subject: "user_2abcdefghijklmnop"}
	b.ReportAllocs()
	for b.Loop() {
		id.Pseudonym(p)
	}
}
