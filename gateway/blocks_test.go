package gateway_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/anonymous"
	"claviger.dev/claviger/authn/betterauth"
	"claviger.dev/claviger/authn/ironsession"
	"claviger.dev/claviger/authn/jwt"
	"claviger.dev/claviger/block"
	"claviger.dev/claviger/gateway"
	"claviger.dev/claviger/internal/seal"
)

// board is what keeps people out in a test.
type board struct {
	*block.Board
	t      testing.TB
	memory block.Memory
}

func newBoard(t testing.TB) *board {
	t.Helper()
	b := &board{t: t}
	var err error
	b.Board, err = block.Open(context.Background(), block.Options{Store: &b.memory})
	must(t, err)
	return b
}

func (b *board) with(p *parts) { p.options.Blocks = b }

// now puts a block, and waits for no tick.
func (b *board) now(x claviger.Block) {
	b.t.Helper()
	must(b.t, b.memory.PutBlock(b.t.Context(), x))
	must(b.t, b.Refresh(b.t.Context()))
}

func (b *board) drop(x claviger.Block) {
	b.t.Helper()
	_, err := b.memory.DropBlock(b.t.Context(), x.Scope, x.Name)
	must(b.t, err)
	must(b.t, b.Refresh(b.t.Context()))
}

// everyKind has one authenticator of each kind that needs no network, and how a
// good credential of each is presented.
func everyKind(t *testing.T, p *parts) map[string][]string {
	t.Helper()
	now := time.Now()
	shared, better, iron := secret(random()), secret(random()), random()
	tokens, err := jwt.New(jwt.Options{Issuer: "https://issuer.example.com", Audience: []string{"app"}, Algorithms: []string{"HS256"}, Secret: shared})
	must(t, err)
	caches, err := betterauth.New(betterauth.Options{Secret: better, Strategy: betterauth.StrategyJWT})
	must(t, err)
	seals, err := ironsession.New(ironsession.Options{Passwords: map[string]claviger.Secret{"1": secret(iron)}, Cookie: "app", Subject: "user.id"})
	must(t, err)
	strangers, err := anonymous.New(anonymous.Options{Limits: []claviger.Limit{{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 1000, Per: claviger.PeriodMinute}}}})
	must(t, err)
	p.snapshot.Authenticators = append(p.snapshot.Authenticators, tokens, caches, seals, strangers)
	end := now.Add(time.Hour)
	session := fmt.Sprintf(`{"session":{"id":"s","userId":"ada","expiresAt":%q},"user":{"id":"ada"},"exp":%d}`, end.UTC().Format(time.RFC3339), end.Unix())
	return map[string][]string{
		"jwt":          {"Authorization", "Bearer " + hs256(t, shared, fmt.Sprintf(`{"iss":"https://issuer.example.com","aud":"app","sub":"ada","jti":"j","iat":%d,"exp":%d}`, now.Unix(), now.Add(time.Hour).Unix()))},
		"better-auth":  {"Authorization", "", "Origin", ours, "Cookie", "better-auth.session_data=" + hs256(t, better, session)},
		"iron-session": {"Authorization", "", "Origin", ours, "Cookie", "app=" + ironSeal(t, iron, `{"user":{"id":"ada"}}`)},
		"anonymous":    {"Authorization", ""},
	}
}

func hs256(t *testing.T, key claviger.Secret, payload string) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key.Reveal(seal.ForReveal())}, nil)
	must(t, err)
	jws, err := s.Sign([]byte(payload))
	must(t, err)
	token, err := jws.CompactSerialize()
	must(t, err)
	return token
}

// ironSeal is Iron's format, version 2.
func ironSeal(t *testing.T, password, session string) string {
	t.Helper()
	salt := func() string {
		b := make([]byte, 32)
		_, _ = rand.Read(b)
		return hex.EncodeToString(b)
	}
	derive := func(salt string) []byte {
		key, err := pbkdf2.Key(sha1.New, password, []byte(salt), 1, 32)
		must(t, err)
		return key
	}
	enc, saltA, saltB := base64.RawURLEncoding.EncodeToString, salt(), salt()
	c, err := aes.NewCipher(derive(saltA))
	must(t, err)
	n := aes.BlockSize - len(session)%aes.BlockSize
	text := append([]byte(session), bytes.Repeat([]byte{byte(n)}, n)...)
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv)
	cipher.NewCBCEncrypter(c, iv).CryptBlocks(text, text)
	signed := strings.Join([]string{"Fe26.2", "1", saltA, enc(iv), enc(text), strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)}, "*")
	m := hmac.New(sha256.New, derive(saltB))
	m.Write([]byte(signed))
	return signed + "*" + saltB + "*" + enc(m.Sum(nil)) + "~2"
}

// TestBlockHoldsForEveryCredential: a block of a person, or of everyone, holds at
// the next request for each way of signing in, also for credentials that were
// found good before and are remembered; nothing goes upstream.
func TestBlockHoldsForEveryCredential(t *testing.T) {
	b := newBoard(t)
	defer b.Close()
	var ways map[string][]string
	r := newRig(t, both(b.with, func(p *parts) { ways = everyKind(t, p) }))
	ways["ticket"] = []string{"Authorization", r.ticket("ada")}
	ways["authjs, as cookie"] = []string{"Authorization", "", "Origin", ours, "Cookie", r.cookie("ada")}
	_, value, _ := strings.Cut(r.cookie("ada"), "=")
	ways["authjs, as bearer"] = []string{"Authorization", "Bearer " + value}
	ways["service"] = []string{"Authorization", "Bearer " + r.serviceKey}
	person := func(realm, sub string) claviger.Block {
		return claviger.Block{Scope: claviger.BlockUser, Name: r.snapshot.Pseudonym(claviger.Principal{Realm: realm, Subject: sub})}
	}
	for name, headers := range ways {
		for range 2 { // the second time it may be remembered
			if a := r.post(chatPath, chat("hi"), headers...); a.status != 200 {
				t.Fatalf("%s: %d %s", name, a.status, a.body)
			}
		}
		who := person("app", "ada")
		switch name {
		case "service":
			who = claviger.Block{Scope: claviger.BlockService, Name: "web"}
		case "anonymous":
			who = person(anonymous.Realm, "ip:"+netip.MustParsePrefix("127.0.0.1/32").String())
		}
		for _, x := range []claviger.Block{who, {Scope: claviger.BlockEveryone}, {Scope: claviger.BlockPlan, Name: "all"}} {
			b.now(x)
			before := r.calls()
			if a := r.post(chatPath, chat("hi"), headers...); a.status != 403 || a.code() != "forbidden" || a.header.Get("X-Should-Retry") != "false" || r.calls() != before {
				t.Errorf("%s, block of %s: %d %s", name, x.Scope, a.status, a.body)
			}
			if x.Scope == claviger.BlockPlan {
				if a := r.send("GET", "/v1/models", "", headers...); a.status != 403 {
					t.Errorf("%s, block of a plan: the models: %d", name, a.status)
				}
			}
			b.drop(x)
			if a := r.post(chatPath, chat("hi"), headers...); a.status != 200 {
				t.Errorf("%s, after the block of %s: %d %s", name, x.Scope, a.status, a.body)
			}
		}
	}
}

// TestRevokedToken: one credential is revoked by its id, and the older ones of a
// person by their time. Another credential helps.
func TestRevokedToken(t *testing.T) {
	b := newBoard(t)
	defer b.Close()
	r := newRig(t, b.with)
	first, second := r.ticket("ada"), "Bearer "+member(t, r.post("/tickets", `{"sub":"ada"}`, "Authorization", "Bearer "+r.serviceKey).body, "ticket")
	id := claimOf(t, first, "jti")
	status := func(bearer string) answer { return r.post(chatPath, chat("hi"), "Authorization", bearer) }
	if a := status(first); a.status != 200 {
		t.Fatal(a.body)
	}
	b.now(claviger.Block{Scope: claviger.BlockToken, Name: id})
	if a := status(first); a.status != 401 || a.code() != "unauthenticated" || !strings.Contains(strings.Join(a.header["Www-Authenticate"], " "), `DPoP algs="ES256 EdDSA"`) {
		t.Errorf("revoked: %d %s %v", a.status, a.body, a.header)
	}
	if a := status(second); a.status != 200 {
		t.Errorf("the other ticket: %d %s", a.status, a.body)
	}
	pseudonym := r.snapshot.Pseudonym(claviger.Principal{Realm: "app", Subject: "ada"})
	b.now(claviger.Block{Scope: claviger.BlockUser, Name: pseudonym, IssuedBefore: time.Now().Add(time.Minute)})
	if a := status(second); a.status != 401 {
		t.Errorf("an older ticket: %d %s", a.status, a.body)
	}
	b.now(claviger.Block{Scope: claviger.BlockUser, Name: pseudonym, IssuedBefore: time.Now().Add(-time.Minute)})
	if a := status(second); a.status != 200 {
		t.Errorf("a newer ticket: %d %s", a.status, a.body)
	}
	b.now(claviger.Block{Scope: claviger.BlockService, Name: "web"})
	if a := status(second); a.status != 403 {
		t.Errorf("a ticket of a service that is blocked: %d %s", a.status, a.body)
	}
	if a := r.post("/tickets", `{"sub":"ada"}`, "Authorization", "Bearer "+r.serviceKey); a.status != 403 {
		t.Errorf("the service itself: %d %s", a.status, a.body)
	}
}

func claimOf(t *testing.T, bearer, name string) string {
	t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(bearer, ".")[1])
	must(t, err)
	return member(t, string(body), name)
}

// TestBlockEndsCalls: a block ends streams and plain calls under way within a
// second, with an error in the endpoint's own shape, and what was used stands.
// Others go on. A configuration that is refused meanwhile changes nothing.
func TestBlockEndsCalls(t *testing.T) {
	pseudonym := func(b *bubble, sub string) string {
		return b.snapshot.Pseudonym(claviger.Principal{Realm: "app", Subject: sub})
	}
	for _, tc := range []struct {
		name, path, body string
		headers          []string
		block            func(b *bubble) claviger.Block
		want             string
	}{
		{"chat, everyone", chatPath, chatStream("hi"), nil, func(*bubble) claviger.Block { return claviger.Block{Scope: claviger.BlockEveryone} }, `"code":"forbidden"`},
		{"responses, a plan", "/v1/responses", responseStream("hi"), nil, func(*bubble) claviger.Block { return claviger.Block{Scope: claviger.BlockPlan, Name: "all"} }, `This plan is switched off`},
		{"an action, a person", generatePath, generate("hi"), []string{"Accept: text/event-stream"}, func(b *bubble) claviger.Block {
			return claviger.Block{Scope: claviger.BlockUser, Name: pseudonym(b, "ada")}
		}, "event: error\ndata: {\"error\":\"This account is blocked\",\"code\":\"forbidden\"}"},
		{"chat, a token", chatPath, chatStream("hi"), nil, func(b *bubble) claviger.Block {
			return claviger.Block{Scope: claviger.BlockToken, Name: claimOf(b.t, b.ticket("ada"), "jti")}
		}, `"code":"unauthenticated"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var board *board
			inBubble(t, func(p *parts) { board = newBoard(t); board.with(p) }, func(b *bubble) {
				defer board.Close()
				c := b.call(tc.path, tc.body, tc.headers...).follow()
				f := <-b.feeds
				switch tc.path {
				case chatPath:
					f.events <- chunk("one")
				default:
					f.events <- delta("one")
				}
				c.has(t, "one")
				if err := b.gateway.Swap(gateway.Snapshot{}); err == nil {
					t.Fatal("a snapshot without gates was taken")
				}
				must(t, board.memory.PutBlock(t.Context(), tc.block(b)))
				began := time.Now()
				a := c.whole()
				if took := time.Since(began); took > time.Second {
					t.Errorf("ended after %s", took)
				}
				if a.status != 200 || a.err != nil || !strings.Contains(a.body, tc.want) || strings.Contains(a.body, "[DONE]") {
					t.Errorf("%d, ended %v:\n%s", a.status, a.err, a.body)
				}
				if ctx := <-b.ctxs; ctx.Err() == nil {
					t.Error("the call upstream goes on")
				}
				e := b.events.last(t)
				if e.CallerGone || e.Units.Get(claviger.UnitInput) == 0 || e.Units.Get(claviger.UnitOutput) == 0 || !e.Estimated {
					t.Errorf("the account: %+v", e)
				}
				if b.holds.last().released {
					t.Error("the hold was given back whole")
				}
			})
		})
	}
}

// TestBlockEndsPlainCalls: before the provider's headers a call ends with its
// status, and other people's calls go on.
func TestBlockEndsPlainCalls(t *testing.T) {
	var board *board
	inBubble(t, func(p *parts) {
		board = newBoard(t)
		board.with(p)
		p.plans[0].Limits = wants[1:] // several calls at once
	}, func(b *bubble) {
		defer board.Close()
		let := make(chan struct{})
		b.up.do = func(ctx context.Context, a claviger.Authorized) (*http.Response, error) {
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("ended: %w", context.Cause(ctx))
			case <-let:
				return reply(plainAnswer(a.Call())), nil
			}
		}
		c := b.call(chatPath, chat("hi")).follow()
		s := b.call(chatPath, chatStream("hi"), "X-Request: 2").follow()
		other := b.call(chatPath, chat("hi"), "X: y")
		_ = other.conn.Close() // its caller leaves
		grace := &caller{b: b, conn: b.listener.dial(), done: make(chan struct{})}
		body := chat("hi")
		_, err := io.WriteString(grace.conn, request("POST "+chatPath+" HTTP/1.1", "app.example.com", body,
			"Authorization: "+b.ticket("grace"), "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body))))
		must(t, err)
		grace.follow()
		time.Sleep(100 * time.Millisecond)
		must(t, board.memory.PutBlock(t.Context(), claviger.Block{
			Scope: claviger.BlockUser, Name: b.snapshot.Pseudonym(claviger.Principal{Realm: "app", Subject: "ada"}), Reason: "shared an account",
		}))
		began := time.Now()
		for _, x := range []*caller{c, s} {
			a := x.whole()
			if a.status != 403 || a.code() != "forbidden" || strings.Contains(a.body, "shared") || time.Since(began) > time.Second {
				t.Errorf("%d %s after %s", a.status, a.body, time.Since(began))
			}
		}
		close(let)
		if a := grace.whole(); a.status != 200 {
			t.Errorf("somebody else: %d %s", a.status, a.body)
		}
		if !strings.Contains(b.logs.String(), "shared an account") {
			t.Error("the operator's reason is not in the log")
		}
	})
}

// TestCloseTwice: a gateway without blocks has nothing to close.
func TestCloseTwice(t *testing.T) {
	r := newRig(t, nil)
	r.gateway.Close()
	r.gateway.Close()
	b := newBoard(t)
	defer b.Close()
	blocked := newRig(t, b.with)
	blocked.gateway.Close()
	blocked.gateway.Close()
	b.now(claviger.Block{Scope: claviger.BlockEveryone})
	if a := blocked.post(chatPath, chat("hi")); a.status != 403 {
		t.Errorf("after Close: %d", a.status)
	}
}

// TestServiceLimits: what a server may do holds for itself and for all of its
// tickets together, and a key that is gone takes its tickets with it.
func TestServiceLimits(t *testing.T) {
	r := newRig(t, func(p *parts) {
		p.snapshot.Services = map[string][]claviger.Limit{"web": {{Kind: claviger.ChargeRate, Window: claviger.Window{Limit: 3, Per: claviger.PeriodDay}}}}
	})
	server := "Bearer " + r.serviceKey
	ticket := func(sub string) string {
		return "Bearer " + member(t, r.post("/tickets", `{"sub":"`+sub+`"}`, "Authorization", server).body, "ticket")
	}
	ada, grace := ticket("ada"), ticket("grace")
	for i, tc := range []struct {
		bearer string
		status int
	}{{ada, 200}, {server, 200}, {grace, 200}, {grace, 429}, {server, 429}, {ada, 429}, {r.ticket("ada"), 200}} {
		a := r.post(chatPath, chat("hi"), "Authorization", tc.bearer)
		if a.status != tc.status {
			t.Errorf("call %d: %d %s", i, a.status, a.body)
		}
		if tc.status == 429 && (a.code() != "rate_limited" || !strings.Contains(a.header.Get("Ratelimit-Policy"), "service")) {
			t.Errorf("call %d: %s %v", i, a.body, a.header)
		}
	}
	r.snapshot.Services = map[string][]claviger.Limit{"jobs": nil}
	must(t, r.gateway.Swap(r.snapshot))
	for _, bearer := range []string{ada, server} {
		if a := r.post(chatPath, chat("hi"), "Authorization", bearer); a.status != 401 {
			t.Errorf("after the key went: %d %s", a.status, a.body)
		}
	}
}

// TestNarrowTickets: max_uses and dpop_jkt through POST /tickets, and what is
// asked for across origins.
func TestNarrowTickets(t *testing.T) {
	r := newRig(t, nil)
	server := []string{"Authorization", "Bearer " + r.serviceKey}
	once := member(t, r.post("/tickets", `{"sub":"ada","max_uses":2}`, server...).body, "ticket")
	for i, want := range []int{200, 400, 401, 401} { // a request that is refused later counts
		body := chat("hi")
		if i == 1 {
			body = `{`
		}
		if a := r.post(chatPath, body, "Authorization", "Bearer "+once); a.status != want {
			t.Errorf("use %d: %d %s", i, a.status, a.body)
		}
	}
	bound := member(t, r.post("/tickets", `{"sub":"ada","dpop_jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`, server...).body, "ticket")
	for _, headers := range [][]string{
		{"Authorization", "Bearer " + bound},
		{"Authorization", "DPoP " + bound},
		{"Authorization", "DPoP " + bound, "DPoP", "x.y.z"},
	} {
		a := r.post(chatPath, chat("hi"), headers...)
		if a.status != 401 || len(a.header["Www-Authenticate"]) != 2 {
			t.Errorf("%v: %d %s %v", headers[1:2], a.status, a.body, a.header)
		}
	}
	for _, body := range []string{
		`{"sub":"ada","max_uses":0}`, `{"sub":"ada","max_uses":1.5}`, `{"sub":"ada","max_uses":"1"}`, `{"sub":"ada","max_uses":1000001}`,
		`{"sub":"ada","dpop_jkt":""}`, `{"sub":"ada","dpop_jkt":"x"}`, `{"sub":"ada","dpop_jkt":1}`,
	} {
		if a := r.post("/tickets", body, server...); a.status != 400 || a.code() != "invalid_input" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	a := r.send(http.MethodOptions, chatPath, "", "Authorization", "", "Origin", ours, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,dpop")
	if got := a.header.Get("Access-Control-Allow-Headers"); got != "authorization, dpop" {
		t.Errorf("askable: %q", got)
	}
}

var errAway = errors.New("away")

// TestUsesAway: where uses cannot be counted, nothing is granted.
func TestUsesAway(t *testing.T) {
	r := newRig(t, func(p *parts) {
		p.snapshot.Authenticators = []claviger.Authenticator{fakeAuthn(func(context.Context) (claviger.Principal, error) {
			return claviger.Principal{}, &claviger.Error{Code: claviger.CodeLimitsUnavailable, RetryAfter: time.Second, Err: errAway}
		})}
	})
	if a := r.post(chatPath, chat("hi")); a.status != 503 || a.code() != "limits_unavailable" || a.header.Get("Retry-After") != "1" || r.calls() != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
