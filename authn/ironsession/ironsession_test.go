package ironsession

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/internal/seal"
)

var start = time.Unix(1_800_000_000, 0)

func newPassword() claviger.Secret { return claviger.NewSecret([]byte(rand.Text() + rand.Text())) }

// forge makes a seal with every part at the test's choice.
type forge struct {
	password     claviger.Secret
	prefix, id   string
	ends, marker string
	padding      []byte
}

func newForge(password claviger.Secret) forge {
	return forge{password: password, prefix: "Fe26.2", id: "1", ends: strconv.FormatInt(start.Add(time.Hour).UnixMilli(), 10), marker: "~2"}
}

func salt() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (f forge) seal(t testing.TB, session string) string {
	t.Helper()
	password := f.password.Reveal(seal.ForReveal())
	encrypt, mac := salt(), salt()
	key, err := derive(password, encrypt)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	padding := f.padding
	if padding == nil {
		n := aes.BlockSize - len(session)%aes.BlockSize
		padding = bytes.Repeat([]byte{byte(n)}, n)
	}
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv)
	text := append([]byte(session), padding...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	enc := base64.RawURLEncoding.EncodeToString
	signed := strings.Join([]string{f.prefix, f.id, encrypt, enc(iv), enc(text), f.ends}, "*")
	integrity, err := derive(password, mac)
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha256.New, integrity)
	m.Write([]byte(signed))
	return signed + "*" + mac + "*" + enc(m.Sum(nil)) + f.marker
}

func newAuthenticator(t testing.TB, passwords map[string]claviger.Secret) *Authenticator {
	t.Helper()
	a, err := New(Options{Passwords: passwords, Cookie: "app", Subject: "user.id", Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func withCookie(t testing.TB, pairs ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/responses", nil)
	r.Header.Set("Cookie", strings.Join(pairs, "; "))
	return r
}

const session = `{"user":{"id":"alice","role":"admin"},"plan":"pro"}`

func TestTable(t *testing.T) {
	password := newPassword()
	a := newAuthenticator(t, map[string]claviger.Secret{"1": password, "two": newPassword()})
	ms := func(d time.Duration) string { return strconv.FormatInt(start.Add(d).UnixMilli(), 10) }
	sealed := func(change func(*forge)) string {
		f := newForge(password)
		change(&f)
		return f.seal(t, session)
	}
	of := func(session string) string { return newForge(password).seal(t, session) }
	good := of(session)
	for _, c := range []struct {
		name, token string
		want        error // nil: alice is in
	}{
		{"valid", good, nil},
		{"valid, within the tolerance", sealed(func(f *forge) { f.ends = ms(-14 * time.Second) }), nil},
		{"valid, whole life", sealed(func(f *forge) { f.ends = ms(DefaultTTL) }), nil},
		{"expired", sealed(func(f *forge) { f.ends = ms(-15 * time.Second) }), errExpired},
		{"longer than ttl", sealed(func(f *forge) { f.ends = ms(DefaultTTL + time.Minute) }), errLife},
		{"without an end", sealed(func(f *forge) { f.ends = "" }), errNoEnd},
		{"end with a sign", sealed(func(f *forge) { f.ends = "+" + ms(time.Hour) }), errForm},
		{"end with a zero", sealed(func(f *forge) { f.ends = "0" + ms(time.Hour) }), errForm},
		{"end beyond time", sealed(func(f *forge) { f.ends = "999999999999999999" }), errForm},
		{"end as a fraction", sealed(func(f *forge) { f.ends = ms(time.Hour) + ".5" }), errForm},
		{"other password", newForge(newPassword()).seal(t, session), errSeal},
		{"other id", sealed(func(f *forge) { f.id = "two" }), errSeal},
		{"unknown id", sealed(func(f *forge) { f.id = "3" }), errPassword},
		{"no id", sealed(func(f *forge) { f.id = "" }), errForm},
		{"id of an object", sealed(func(f *forge) { f.id = "constructor" }), errPassword},
		{"other version", sealed(func(f *forge) { f.prefix = "Fe26.1" }), errForm},
		{"no marker", sealed(func(f *forge) { f.marker = "" }), errForm},
		{"old marker", sealed(func(f *forge) { f.marker = "~1" }), errForm},
		{"two markers", sealed(func(f *forge) { f.marker = "~2~2" }), errForm},
		{"padding of zeros", sealed(func(f *forge) { f.padding = make([]byte, 16-len(session)%16) }), errSeal},
		{"too much padding", sealed(func(f *forge) { f.padding = bytes.Repeat([]byte{32}, 32-len(session)%16) }), errSeal},
		{"tampered end", strings.Replace(good, ms(time.Hour), ms(2*time.Hour), 1), errSeal},
		{"truncated", good[:len(good)-3] + "~2", errForm},
		{"salt in capitals", strings.ToUpper(good[:80]) + good[80:], errForm},
		{"huge", "Fe26.2*" + strings.Repeat("a", maxSeal), nil},
		{"junk", "junk", errForm},
		{"seven stars", "Fe26.2*******~2", errForm},
		{"no JSON", of(`<html>`), errPayload},
		{"list", of(`["user"]`), errPayload},
		{"twice", of(`{"user":{"id":"alice"},"user":{"id":"bob"}}`), errPayload},
		{"nobody", of(`{}`), claviger.ErrNoCredential},
		{"nobody yet", of(`{"user":null,"cart":[1]}`), claviger.ErrNoCredential},
		{"user without id", of(`{"user":{"name":"alice"}}`), claviger.ErrNoCredential},
		{"user as text", of(`{"user":"alice"}`), claviger.ErrNoCredential},
	} {
		for range 2 {
			p, err := a.Authenticate(t.Context(), withCookie(t, "app="+c.token))
			switch {
			case c.name == "huge":
				if e, ok := errors.AsType[*claviger.Error](err); !ok || e.HTTPStatus() != http.StatusUnauthorized {
					t.Errorf("%s: %v", c.name, err)
				}
			case !errors.Is(err, c.want) || (err == nil) != (c.want == nil):
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			case err == nil && (p.Subject != "alice" || !reflect.DeepEqual(p.Roles, []string{"admin"}) || p.Claims["plan"] != "pro" || p.Presented != claviger.CredentialCookie):
				t.Errorf("%s: %+v", c.name, p)
			}
		}
	}
	for _, bad := range []string{`""`, `{}`, `[]`, `true`, `1.5`, `-1`, `1e3`, `"service:web"`} {
		_, err := a.Authenticate(t.Context(), withCookie(t, "app="+of(`{"user":{"id":`+bad+`}}`)))
		if e, ok := errors.AsType[*claviger.Error](err); !ok || e.HTTPStatus() != http.StatusUnauthorized {
			t.Errorf("id %s: %v", bad, err)
		}
	}
	if p, err := a.Authenticate(t.Context(), withCookie(t, "app="+of(`{"user":{"id":42},"roles":["a"]}`))); err != nil || p.Subject != "42" || p.Roles[0] != "a" {
		t.Errorf("a number as id: %+v, %v", p, err)
	}
}

func TestCookies(t *testing.T) {
	password := newPassword()
	a := newAuthenticator(t, map[string]claviger.Secret{"1": password})
	s := newForge(password).seal(t, session)
	for _, c := range []struct {
		name  string
		pairs []string
		in    bool
		has   bool
	}{
		{"whole", []string{"a=b", "app=" + s}, true, true},
		{"chunks", []string{"app.1=" + s[100:], "app.0=" + s[:100]}, true, true},
		{"a chunk missing", []string{"app.0=" + s[:100], "app.2=" + s[100:]}, false, true},
		{"whole before chunks", []string{"app.0=junk", "app=" + s}, true, true},
		{"twice", []string{"app=" + s, "app=" + s}, false, true},
		{"another name", []string{"app2=" + s, "xapp=" + s}, false, false},
	} {
		r := withCookie(t, c.pairs...)
		if _, err := a.Authenticate(t.Context(), r); (err == nil) != c.in {
			t.Errorf("%s: %v", c.name, err)
		}
		if a.HasCookie(r) != c.has {
			t.Errorf("%s: HasCookie is %v", c.name, !c.has)
		}
	}
}

func TestSuite(t *testing.T) {
	password := newPassword()
	f := newForge(password)
	f.ends = strconv.FormatInt(start.Add(-time.Hour).UnixMilli(), 10)
	want := claviger.Principal{
		Realm: "app", Subject: "alice", Roles: []string{"admin"}, Method: Method,
		Presented: claviger.CredentialCookie, Expires: start.Add(time.Hour), Issued: start.Add(time.Hour - DefaultTTL),
	}
	g := gatetest.AuthenticatorSuite{
		Authenticator: newAuthenticator(t, map[string]claviger.Secret{"1": password}),
		Put:           func(r *http.Request, c string) { r.Header.Set("Cookie", "a=b; app="+c) },
		Valid:         newForge(password).seal(t, session), Want: want,
		Refused: map[string]string{
			"expired": f.seal(t, session), "other password": newForge(newPassword()).seal(t, session), "another cookie's value": "junk",
		},
		Secrets: []claviger.Secret{password},
	}
	t.Run("cookie", func(t *testing.T) { gatetest.Authenticator(t, g) })
	g.Put, g.Want.Presented = nil, claviger.CredentialBearer
	delete(g.Refused, "another cookie's value")
	t.Run("bearer", func(t *testing.T) { gatetest.Authenticator(t, g) })
}

func TestOptions(t *testing.T) {
	good := func() Options {
		return Options{Passwords: map[string]claviger.Secret{"1": newPassword()}, Cookie: "app", Subject: "user.id"}
	}
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(*Options) {}, ""},
		{func(o *Options) { o.Passwords = nil }, "passwords"},
		{func(o *Options) { o.Passwords["2"] = claviger.NewSecret([]byte(strings.Repeat("x", 31) + "\n")) }, "passwords.2"},
		{func(o *Options) { o.Passwords["a*b"] = newPassword() }, "id"},
		{func(o *Options) { o.Cookie = "" }, "cookie"},
		{func(o *Options) { o.Subject = "" }, "subject"},
		{func(o *Options) { o.Subject = "user..id" }, "subject"},
		{func(o *Options) { o.TTL = -1 }, "ttl"},
	} {
		o := good()
		c.change(&o)
		if _, err := New(o); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestRealLibrary opens what iron-session 8 and 9 seal, and lets them open what
// the tests of this package seal.
func TestRealLibrary(t *testing.T) {
	const dir = "testdata/iron"
	node := gatetest.Node(t, dir)
	old, current := newPassword(), newPassword()
	env, err := json.Marshal(map[string]string{"1": string(old.Reveal(seal.ForReveal())), "2": string(current.Reveal(seal.ForReveal()))})
	if err != nil {
		t.Fatal(err)
	}
	ours := newForge(old)
	ours.ends = strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)
	long := map[string]any{"user": map[string]any{"id": "alice", "role": "admin"}, "plan": "pro", "note": strings.Repeat("ü\u2028\x01\"", 400)}
	short := map[string]any{"user": map[string]any{"id": "alice", "role": "admin"}, "plan": "pro"}
	var in bytes.Buffer
	for _, q := range []map[string]any{
		{"version": 8, "session": short, "ttl": 3600},
		{"version": 9, "session": short, "ttl": 3600},
		{"version": 9, "session": long, "ttl": 3600},
		{"version": 9, "session": short, "ttl": 0},
		{"version": 8, "seal": ours.seal(t, session)},
		{"version": 9, "seal": ours.seal(t, session)},
	} {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "seals.mjs")
	cmd.Dir, cmd.Stdin = dir, &in
	cmd.Env = append(cmd.Environ(), "SEAL_PASSWORDS="+string(env))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%.2000s", err, out)
	}
	a, err := New(Options{Passwords: map[string]claviger.Secret{"1": old, "2": current}, Cookie: "app", Subject: "user.id"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(out) {
		var got struct {
			Seal    string
			Cookies []string
			Session map[string]any
			Error   string
		}
		if err := json.Unmarshal(line, &got); err != nil || got.Error != "" {
			t.Fatalf("%v %s in %.300q", err, got.Error, line)
		}
		n++
		if n > 4 { // ours, opened by the library
			if fmt.Sprint(got.Session) != "map[plan:pro user:map[id:alice role:admin]]" {
				t.Errorf("%d: the library reads %v", n, got.Session)
			}
			continue
		}
		requests := []*http.Request{withCookie(t, "app="+got.Seal)}
		if len(got.Cookies) > 0 {
			requests = append(requests, withCookie(t, got.Cookies...))
		}
		if n == 3 && len(got.Cookies) < 2 {
			t.Errorf("a long session came in %d cookies", len(got.Cookies))
		}
		for _, r := range requests {
			p, err := a.Authenticate(t.Context(), r)
			if n == 4 {
				if !errors.Is(err, errNoEnd) {
					t.Errorf("without an end: %v", err)
				}
				continue
			}
			if err != nil || p.Subject != "alice" || p.Claims["plan"] != "pro" {
				t.Errorf("%d: %+v, %v", n, p, err)
			}
			if n == 3 && p.Claims["note"] != long["note"] {
				t.Error("the long text is another one")
			}
		}
	}
	if n != 6 {
		t.Errorf("%d answers", n)
	}
}

func FuzzSeal(f *testing.F) {
	password := newPassword()
	a := newAuthenticator(f, map[string]claviger.Secret{"1": password})
	good := newForge(password).seal(f, session)
	f.Add(good)
	f.Add("Fe26.2*1******~2")
	f.Add(strings.Replace(good, "*", "**", 1))
	f.Fuzz(func(t *testing.T, token string) {
		if p, err := a.Authenticate(t.Context(), withCookie(t, "app="+token)); err == nil && !strings.Contains(token, good[:len(good)-2]) {
			t.Errorf("let %q in with %q", p.Subject, token)
		}
	})
}

func BenchmarkCold(b *testing.B) {
	password := newPassword()
	a := newAuthenticator(b, map[string]claviger.Secret{"1": password})
	s := newForge(password).seal(b, session)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := a.verify(s, start); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCached(b *testing.B) {
	password := newPassword()
	a := newAuthenticator(b, map[string]claviger.Secret{"1": password})
	r := withCookie(b, "app="+newForge(password).seal(b, session))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
