package jwt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
)

// outcome is what becomes of a token.
type outcome string

const (
	in      outcome = "in"
	refused outcome = "refused"  // 401
	foreign outcome = "not ours" // 401 unless another authenticator knows it
)

func outcomeOf(t testing.TB, err error) outcome {
	t.Helper()
	switch {
	case err == nil:
		return in
	case errors.Is(err, claviger.ErrNoCredential):
		return foreign
	}
	if e, ok := errors.AsType[*claviger.Error](err); !ok || e.HTTPStatus() != http.StatusUnauthorized {
		t.Errorf("an error that is no 401: %v", err)
	}
	return refused
}

// row is one token and what becomes of it.
type row struct {
	name   string
	header members
	claims members
	by     *signer
	want   outcome
	why    error
	// change is done to the signed token.
	change func(string) string
	// ours says that the library refuses to make such a token.
	ours bool
}

func kind(alg string, s, other *signer, issuer string) []row {
	good := claims(issuer)
	rows := []row{
		{name: "valid", claims: good, want: in},
		{name: "valid, audience in a list", claims: claims(issuer, "aud", []string{"other", "my-app"}), want: in},
		{name: "valid, fraction of a second", claims: claims(issuer, "exp", noon+1.5), want: in},
		{name: "valid, access token", header: head(s, "typ", "at+jwt"), claims: good, want: in},
		{name: "valid, without typ", header: head(s, "typ", nil), claims: good, want: in},
		{name: "valid, without kid", header: head(s, "kid", nil), claims: good, want: in},
		{name: "valid, within the tolerance", claims: claims(issuer, "exp", noon-14), want: in},
		{name: "expired", claims: claims(issuer, "exp", noon-15), want: refused},
		{name: "without exp", claims: claims(issuer, "exp", nil), want: refused},
		{name: "exp as text", claims: claims(issuer, "exp", "2000000000"), want: refused},
		{name: "not yet", claims: claims(issuer, "nbf", noon+16), want: refused},
		{name: "issued in the future", claims: claims(issuer, "iat", noon+16), want: refused},
		{name: "wrong issuer", claims: claims(issuer + "/"), want: foreign},
		{name: "without issuer", claims: claims(issuer, "iss", nil), want: foreign},
		{name: "issuer in a list", claims: claims(issuer, "iss", []string{issuer}), want: foreign},
		{name: "wrong audience", claims: claims(issuer, "aud", "other"), want: refused, why: errAudience},
		{name: "without audience", claims: claims(issuer, "aud", nil), want: refused, why: errAudience},
		{name: "audience as a part", claims: claims(issuer, "aud", "my-app2"), want: refused, why: errAudience},
		{name: "without subject", claims: claims(issuer, "sub", nil), want: refused},
		{name: "empty subject", claims: claims(issuer, "sub", ""), want: refused},
		{name: "number as subject", claims: claims(issuer, "sub", 7), want: refused},
		{name: "subject of a service", claims: claims(issuer, "sub", "service:web"), want: refused},
		{name: "security event", claims: claims(issuer, "events", members{"http://schemas.openid.net/event/backchannel-logout": members{}}), want: refused, why: errEvent},
		{name: "wrong key", claims: good, by: other, header: head(s), want: refused, why: errSignature},
		{name: "logout token", header: head(s, "typ", "logout+jwt"), claims: good, want: refused, why: errType},
		{name: "ticket", header: head(s, "typ", ticketType), claims: good, want: foreign},
		{name: "crit", header: head(s, "crit", []string{"exp"}, "exp", noon+9), claims: good, want: refused, why: errCritical, ours: true},
		{name: "empty crit", header: head(s, "crit", []string{}), claims: good, want: refused, why: errCritical, ours: true},
		{name: "b64", header: head(s, "b64", true), claims: good, want: refused, why: errHeader, ours: true},
		{name: "kid as number", header: head(s, "kid", 1), claims: good, want: refused, why: errHeader},
		{name: "long kid", header: head(s, "kid", strings.Repeat("k", 257)), claims: good, want: refused, why: errHeader},
		{name: "none", header: members{"alg": "none"}, claims: good, by: &signer{}, want: refused, why: errAlgorithm},
		{name: "none, signed", header: head(s, "alg", "none"), claims: good, want: refused, why: errAlgorithm, ours: true},
		{name: "None", header: head(s, "alg", "NoNe"), claims: good, want: refused, why: errAlgorithm, ours: true},
		{name: "without alg", header: head(s, "alg", nil), claims: good, want: refused, why: errAlgorithm, ours: true},
		{name: "alg in a list", header: head(s, "alg", []string{alg}), claims: good, want: refused, why: errAlgorithm, ours: true},
		{name: "unknown alg", header: head(s, "alg", alg+"x"), claims: good, want: refused, why: errAlgorithm, ours: true},
		{name: "tampered", claims: good, change: func(s string) string { return flip(s, 1, "alice", "admin") }, want: refused, why: errSignature},
		{name: "tampered signature", claims: good, change: func(s string) string { return s[:len(s)-8] + "AAAAAAAA" }, want: refused, why: errSignature},
		{name: "no signature", claims: good, change: func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }, want: refused, why: errSignature},
		{name: "truncated", claims: good, change: func(s string) string { return s[:len(s)-4] }, want: refused},
		{name: "line break in the signature", claims: good, change: func(s string) string { return s[:len(s)-4] + "\n" + s[len(s)-4:] }, want: refused, why: errForm},
		{name: "broken header", claims: good, change: func(s string) string { return "A" + s }, want: refused, why: errForm},
		{name: "truncated to two parts", claims: good, change: func(s string) string { return s[:strings.LastIndexByte(s, '.')] }, want: foreign},
		{name: "duplicate claim", claims: good, change: func(s string) string { return flip(s, 1, `"alice"`, `"x","sub":"alice"`) }, want: foreign},
		{name: "huge", claims: claims(issuer, "x", strings.Repeat("x", maxToken)), want: refused, why: errTooLarge},
		{name: "deep", claims: good, change: func(s string) string {
			return flip(s, 1, `"alice"`, `"alice","x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000))
		}, want: foreign},
	}
	for i := range rows {
		if rows[i].by == nil {
			rows[i].by = s
		}
		if rows[i].header == nil {
			rows[i].header = head(s)
		}
	}
	return rows
}

// published are rows that make sense with published keys alone.
func publishedRows(t *testing.T, s, other *signer, issuer, elsewhere string) []row {
	good := claims(issuer)
	confused := &signer{alg: "HS256", private: keyOf("RS256").pemOf(t)}
	certificate := base64.StdEncoding.EncodeToString([]byte("x"))
	return []row{
		{name: "HS256 with the public key", header: head(s, "alg", "HS256"), claims: good, by: confused, want: refused, why: errAlgorithm},
		{name: "unknown kid", header: head(s, "kid", "nobody"), claims: good, by: s, want: refused, why: errNoKey},
		{name: "kid as a path", header: head(s, "kid", "../../../dev/null"), claims: good, by: s, want: refused, why: errNoKey},
		{name: "kid as an address", header: head(s, "kid", elsewhere+"/keys"), claims: good, by: other, want: refused, why: errNoKey},
		{name: "key of a weak size", header: head(keyOf("weak")), claims: good, by: keyOf("weak"), want: refused, why: errNoKey, ours: true},
		{name: "key for encryption", header: head(s, "kid", "enc"), claims: good, by: s, want: refused, why: errNoKey},
		{name: "key for another algorithm", header: head(s, "kid", "other-alg"), claims: good, by: s, want: refused, why: errNoKey},
		{name: "symmetric key of the set", header: head(s, "alg", "HS256", "kid", "oct"), claims: good, by: keyOf("HS256"), want: refused, why: errAlgorithm},
		{name: "alg that is not on the list", header: members{"alg": "ES384", "kid": "ec-384"}, claims: good, by: keyOf("ES384"), want: refused, why: errAlgorithm, ours: true},
		{name: "jku", header: head(s, "jku", elsewhere+"/keys"), claims: good, by: other, want: refused, why: errSignature},
		{name: "jku, signed by the issuer", header: head(s, "jku", elsewhere+"/keys"), claims: good, by: s, want: in},
		{name: "x5u", header: head(s, "x5u", elsewhere+"/keys"), claims: good, by: other, want: refused, why: errSignature},
		{name: "jwk", header: head(s, "kid", nil, "jwk", other.public(t)), claims: good, by: other, want: refused, why: errOwnKey},
		{name: "x5c", header: head(s, "x5c", []string{certificate}), claims: good, by: other, want: refused, why: errOwnKey},
		{name: "x5t", header: head(s, "x5t", "AAAA"), claims: good, by: s, want: in},
	}
}

// flip replaces a text in a part of a token.
func flip(token string, part int, from, to string) string {
	parts := strings.Split(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil || !bytes.Contains(b, []byte(from)) {
		panic("nothing to replace")
	}
	parts[part] = base64.RawURLEncoding.EncodeToString(bytes.Replace(b, []byte(from), []byte(to), 1))
	return strings.Join(parts, ".")
}

// makers sign the rows: the standard library, and the jose package of npm.
func byStandardLibrary(t *testing.T, rows []row) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.by.sign(t, r.header, r.claims))
	}
	return out
}

func byJose(t *testing.T, rows []row) []string {
	const dir = "testdata/jose"
	node := gatetest.Node(t, dir)
	var questions bytes.Buffer
	for _, r := range rows {
		q := members{"header": r.header, "claims": r.claims}
		if r.by.private != nil {
			q["key"] = r.by.jwk(t)
		}
		if err := json.NewEncoder(&questions).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "tokens.mjs")
	cmd.Dir, cmd.Stdin = dir, &questions
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%.2000s", err, out)
	}
	var tokens []string
	for line := range bytes.Lines(out) {
		var a struct{ Token, Error string }
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%v in %.200q", err, line)
		}
		if r := rows[len(tokens)]; a.Error != "" && !r.ours {
			t.Errorf("%s: jose does not make it: %s", r.name, a.Error)
		}
		tokens = append(tokens, a.Token)
	}
	if len(tokens) != len(rows) {
		t.Fatalf("%d answers to %d questions", len(tokens), len(rows))
	}
	return tokens
}

func TestTable(t *testing.T) {
	elsewhere := newProvider(t)
	for _, maker := range []struct {
		name string
		make func(*testing.T, []row) []string
	}{{"standard library", byStandardLibrary}, {"jose", byJose}} {
		t.Run(maker.name, func(t *testing.T) {
			for _, alg := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
				t.Run(alg, func(t *testing.T) {
					s, other := keyOf(alg), keyOf(alg+"-2")
					o, issuer := Options{Audience: []string{"my-app"}}, "https://issuer.example.com"
					var rows []row
					if alg == "HS256" {
						o.Issuer, o.Secret = issuer, claviger.NewSecret(append(s.private.([]byte), '\n'))
						rows = kind(alg, s, other, issuer)
					} else {
						p := newProvider(t, tableSet(t, s)...)
						o.Issuer = p.URL
						rows = append(kind(alg, s, other, p.URL), publishedRows(t, s, other, p.URL, elsewhere.URL)...)
					}
					tryRows(t, mustNew(t, newClock().options(o)), rows, maker.make(t, rows))
				})
			}
		})
	}
	if n := elsewhere.sets.Load() + elsewhere.discoveries.Load() + elsewhere.others.Load(); n != 0 {
		t.Errorf("%d requests went to places that tokens name", n)
	}
}

// tableSet is the set with the key and with keys that must not count.
func tableSet(t *testing.T, s *signer) []members {
	with := func(s *signer, pairs ...any) members {
		k := s.public(t)
		for i := 0; i < len(pairs); i += 2 {
			k[pairs[i].(string)] = pairs[i+1]
		}
		return k
	}
	wrong := "PS256"
	if s.alg != "RS256" {
		wrong = "ES512"
	}
	return []members{
		s.public(t), keyOf("weak").public(t), keyOf("ES384").public(t),
		with(s, "kid", "enc", "use", "enc"), with(s, "kid", "other-alg", "alg", wrong),
		{"kty": "oct", "kid": "oct", "k": base64.RawURLEncoding.EncodeToString(keyOf("HS256").private.([]byte)), "alg": "HS256"},
		{"kty": "unknown", "kid": "x"},
		{"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
	}
}

func tryRows(t *testing.T, a *Authenticator, rows []row, tokens []string) {
	t.Helper()
	counts := map[outcome]int{}
	for i, r := range rows {
		if tokens[i] == "" {
			continue
		}
		token := tokens[i]
		if r.change != nil {
			token = r.change(token)
		}
		for range 2 { // the second time it may be remembered
			p, err := ask(t, a, token)
			got := outcomeOf(t, err)
			if got != r.want || r.why != nil && !errors.Is(err, r.why) {
				t.Errorf("%s: %s (%v), want %s (%v)", r.name, got, err, r.want, r.why)
			}
			if got == in && (p.Subject != "alice" || p.Realm != "app" || p.Method != Method || p.Presented != claviger.CredentialBearer) {
				t.Errorf("%s: %+v", r.name, p)
			}
		}
		counts[r.want]++
	}
	t.Logf("%d tokens let in, %d refused, %d not ours", counts[in], counts[refused], counts[foreign])
	if counts[in] < 5 || counts[refused] < 20 {
		t.Error("too few rows were tried to prove anything")
	}
}

func TestSuite(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		for _, cookie := range []bool{false, true} {
			if cookie && alg != "ES256" {
				continue // the way is the same for all, and the suite is long
			}
			name := alg + " bearer"
			if cookie {
				name = alg + " cookie"
			}
			t.Run(name, func(t *testing.T) { suite(t, alg, cookie) })
		}
	}
}

func suite(t *testing.T, alg string, cookie bool) {
	s, other := keyOf(alg), keyOf(alg+"-2")
	o := Options{Audience: []string{"my-app"}}
	var secrets []claviger.Secret
	if alg == "HS256" {
		o.Issuer, o.Secret = "https://issuer.example.com", claviger.NewSecret(s.private.([]byte))
		secrets = append(secrets, o.Secret)
	} else {
		o.Issuer = newProvider(t, s.public(t)).URL
	}
	short := claims(o.Issuer, "roles", []string{"admin"}, "jti", "t-1")
	g := gatetest.AuthenticatorSuite{
		Valid: s.sign(t, head(s), short),
		Want: claviger.Principal{
			Realm: "app", Subject: "alice", Roles: []string{"admin"}, Method: Method,
			Presented: claviger.CredentialBearer, Expires: time.Unix(noon+3600, 0), Issued: time.Unix(noon-10, 0), TokenID: "t-1",
		},
		Refused: map[string]string{
			"expired":   s.sign(t, head(s), claims(o.Issuer, "exp", noon-100)),
			"not yet":   s.sign(t, head(s), claims(o.Issuer, "nbf", noon+100)),
			"audience":  s.sign(t, head(s), claims(o.Issuer, "aud", "other")),
			"other key": other.sign(t, head(s), short),
			"none":      (&signer{}).sign(t, head(s, "alg", "none"), short),
		},
		Foreign: map[string]func(*http.Request){
			"another issuer": func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+s.sign(t, head(s), claims("https://other.example.com")))
			},
			"a ticket": func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+s.sign(t, head(s, "typ", ticketType), short))
			},
			"a sealed token": func(r *http.Request) { r.Header.Set("Authorization", "Bearer a..b.c.d") },
			"a cookie of another name": func(r *http.Request) {
				r.Header.Set("Cookie", "session2="+s.sign(t, head(s), short)+"; xsession="+s.sign(t, head(s), short))
			},
		},
		Secrets: secrets,
	}
	if cookie {
		o.Cookie = "session"
		g.Want.Presented = claviger.CredentialCookie
		g.Put = func(r *http.Request, c string) { r.Header.Set("Cookie", "a=b; session="+c+"; c=d") }
	}
	g.Authenticator = mustNew(t, newClock().options(o))
	gatetest.Authenticator(t, g)
}

func TestCookie(t *testing.T) {
	s := keyOf("ES256")
	p := newProvider(t, s.public(t))
	a := mustNew(t, newClock().options(Options{Issuer: p.URL, Audience: []string{"my-app"}, Cookie: "__session"}))
	good := s.sign(t, head(s), claims(p.URL))
	bob := s.sign(t, head(s), claims(p.URL, "sub", "bob"))
	foreignToken := s.sign(t, head(s), claims("https://other.example.com"))
	for _, c := range []struct {
		name, cookie, bearer string
		want                 outcome
		subject              string
		has                  bool
	}{
		{"good", "__session=" + good, "", in, "alice", true},
		{"the same twice", "__session=" + good + "; __session=" + good, "", in, "alice", true},
		{"two", "__session=" + good + "; __session=" + bob, "", refused, "", true},
		{"empty", "__session=", "", foreign, "", false},
		{"empty and good", "__session=; __session=" + good, "", in, "alice", true},
		{"none", "a=b", "", foreign, "", false},
		{"other case", "__Session=" + good, "", foreign, "", false},
		{"junk", "__session=junk", "", refused, "", true},
		{"junk with dots", "__session=a.b.c", "", refused, "", true},
		{"another issuer", "__session=" + foreignToken, "", foreign, "", true},
		{"the bearer decides", "__session=" + good, bob, in, "bob", true},
		{"a bad bearer decides", "__session=" + good, s.sign(t, head(s), claims(p.URL, "exp", 1)), refused, "", true},
		{"a bearer of another kind does not", "__session=" + good, "unused", in, "alice", true},
	} {
		r := bearer(t, c.bearer)
		if c.bearer == "" {
			r.Header.Del("Authorization")
		}
		r.Header.Set("Cookie", c.cookie)
		got, err := a.Authenticate(t.Context(), r)
		if o := outcomeOf(t, err); o != c.want || got.Subject != c.subject {
			t.Errorf("%s: %s %q (%v), want %s %q", c.name, o, got.Subject, err, c.want, c.subject)
		}
		if a.HasCookie(r) != c.has {
			t.Errorf("%s: HasCookie is %v", c.name, !c.has)
		}
	}
	if r := bearer(t, good); mustNew(t, newClock().options(Options{Issuer: p.URL, Audience: []string{"my-app"}})).HasCookie(r) {
		t.Error("HasCookie without a cookie configured")
	}
}

// TestSideBySide lets two issuers and their tokens stand beside one another.
func TestSideBySide(t *testing.T) {
	s, other := keyOf("RS256"), keyOf("RS256-2")
	one, two := newProvider(t, s.public(t)), newProvider(t, other.public(t))
	var all []claviger.Authenticator
	for _, p := range []*provider{one, two} {
		all = append(all, mustNew(t, newClock().options(Options{Issuer: p.URL, Audience: []string{"my-app"}, Realm: p.URL})))
	}
	for _, c := range []struct {
		token string
		want  []outcome
	}{
		{s.sign(t, head(s), claims(one.URL)), []outcome{in, foreign}},
		{other.sign(t, head(other), claims(two.URL)), []outcome{foreign, in}},
		{s.sign(t, head(s), claims(two.URL)), []outcome{foreign, refused}},
		{s.sign(t, head(other), claims(two.URL)), []outcome{foreign, refused}},
	} {
		var got []outcome
		for _, a := range all {
			_, err := a.Authenticate(t.Context(), bearer(t, c.token))
			got = append(got, outcomeOf(t, err))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func TestParties(t *testing.T) {
	s := keyOf("ES256")
	p := newProvider(t, s.public(t))
	for _, c := range []struct {
		audience, parties []string
		azp               any
		want              outcome
	}{
		{nil, []string{"https://app.example.com"}, "https://app.example.com", in},
		{nil, []string{"https://app.example.com"}, "https://app.example.com/", refused},
		{nil, []string{"https://app.example.com"}, []string{"https://app.example.com"}, refused},
		{nil, []string{"https://app.example.com"}, nil, refused},
		{[]string{"my-app"}, []string{"https://app.example.com"}, nil, refused},
		{[]string{"other"}, []string{"https://app.example.com"}, "https://app.example.com", refused},
		{[]string{"my-app", "b"}, []string{"a", "b"}, "b", in},
	} {
		a := mustNew(t, newClock().options(Options{Issuer: p.URL, Audience: c.audience, AuthorizedParties: c.parties}))
		_, err := ask(t, a, s.sign(t, head(s), claims(p.URL, "azp", c.azp)))
		if got := outcomeOf(t, err); got != c.want {
			t.Errorf("%v %v %v: %s (%v)", c.audience, c.parties, c.azp, got, err)
		}
	}
}

func TestSubjectClaim(t *testing.T) {
	s := keyOf("EdDSA")
	p := newProvider(t, s.public(t))
	a := mustNew(t, newClock().options(Options{Issuer: p.URL, Audience: []string{"my-app"}, Subject: "https://x.example.com/uid", Realm: "r"}))
	got, err := ask(t, a, s.sign(t, head(s), claims(p.URL, "https://x.example.com/uid", "u1", "sub", nil)))
	if err != nil || got.Subject != "u1" || got.Realm != "r" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ask(t, a, s.sign(t, head(s), claims(p.URL))); outcomeOf(t, err) != refused {
		t.Errorf("sub stood in for the configured claim: %v", err)
	}
}
