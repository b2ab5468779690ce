package jwt

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"claviger.dev/claviger/internal/netx"
)

// TestRotation changes the keys of an issuer under the gateway.
func TestRotation(t *testing.T) {
	one, two := keyOf("ES256"), keyOf("ES256-2")
	p := newProvider(t, one.public(t))
	c := newClock()
	a := mustNew(t, c.options(Options{Issuer: p.URL, Audience: []string{"my-app"}}))
	old, fresh := one.sign(t, head(one), claims(p.URL)), two.sign(t, head(two), claims(p.URL))
	expect := func(what, token string, want outcome, sets int64) {
		t.Helper()
		_, err := ask(t, a, token)
		if got := outcomeOf(t, err); got != want {
			t.Errorf("%s: %s (%v), want %s", what, got, err, want)
		}
		if n := p.sets.Load(); n != sets {
			t.Errorf("%s: the set was fetched %d times, want %d", what, n, sets)
		}
	}
	expect("before", old, in, 1)
	expect("a key that is not there yet", fresh, refused, 1)
	p.publish(one.public(t), two.public(t))
	expect("within the pause", fresh, refused, 1)
	c.move(pause - 1)
	expect("at the end of the pause", fresh, refused, 1)
	c.move(1)
	expect("rotated", fresh, in, 2)
	expect("the old key still counts", old, in, 2)
	p.publish(two.public(t))
	expect("nobody has looked yet", old, in, 2)
	c.move(usual) // due: the set is fetched behind this caller's back
	if _, err := ask(t, a, fresh); err != nil {
		t.Error(err)
	}
	waitFor(t, func() bool { return len(a.keys.(*source).ring.Load().keys) == 1 })
	expect("revoked, though it was remembered", old, refused, 3)
	expect("the new key stays remembered", fresh, in, 3)
	if n := p.discoveries.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times where its keys are", n)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("waited for nothing")
}

// TestStampede sends a thousand tokens of unknown keys at once, again and again.
func TestStampede(t *testing.T) {
	s := keyOf("ES256")
	p := newProvider(t, s.public(t))
	c := newClock()
	a := mustNew(t, c.options(Options{Issuer: p.URL, Audience: []string{"my-app"}}))
	unknown := make([]string, 1000)
	for i := range unknown {
		unknown[i] = s.sign(t, head(s, "kid", "k"+strconv.Itoa(i)), claims(p.URL))
	}
	rush := func(tokens []string, want outcome) {
		var wg sync.WaitGroup
		for _, token := range tokens {
			wg.Go(func() {
				if _, err := ask(t, a, token); outcomeOf(t, err) != want {
					t.Errorf("%v, want %s", err, want)
				}
			})
		}
		wg.Wait()
	}
	good := make([]string, 1000)
	for i := range good {
		good[i] = s.sign(t, head(s), claims(p.URL, "jti", i))
	}
	rush(good, in)
	for round := range int64(4) {
		rush(unknown, refused)
		rush(unknown, refused)
		if n := p.sets.Load(); n != round+1 {
			t.Errorf("round %d: the set was fetched %d times, want %d", round, n, round+1)
		}
		c.move(pause)
	}
	if n := p.discoveries.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times where its keys are", n)
	}
	t.Logf("10000 tokens, 8000 of them with unknown kids, in 4 times 10 s: %d fetches of the set, %d of the configuration", p.sets.Load(), p.discoveries.Load())
}

// TestWithoutKid rotates the keys of an issuer that names none.
func TestWithoutKid(t *testing.T) {
	one, two := *keyOf("RS256"), *keyOf("RS256-2")
	one.kid, two.kid = "", ""
	p := newProvider(t, one.public(t))
	c := newClock()
	a := mustNew(t, c.options(Options{Issuer: p.URL, Audience: []string{"my-app"}}))
	if _, err := ask(t, a, one.sign(t, head(&one), claims(p.URL))); err != nil {
		t.Fatal(err)
	}
	p.publish(two.public(t))
	c.move(pause)
	if _, err := ask(t, a, two.sign(t, head(&two), claims(p.URL))); err != nil {
		t.Error(err)
	}
	if _, err := ask(t, a, one.sign(t, head(&one), claims(p.URL))); outcomeOf(t, err) != refused {
		t.Errorf("a key that is gone: %v", err)
	}
	// More keys than are tried: one alone is ours, and it stands last.
	var set []members
	for i := range maxTried {
		k := two.public(t)
		k["kid"] = "k" + strconv.Itoa(i)
		set = append(set, k)
	}
	p.publish(append(set, one.public(t))...)
	c.move(pause)
	if _, err := ask(t, a, one.sign(t, head(&one), claims(p.URL, "jti", "2"))); !errors.Is(err, errSignature) {
		t.Errorf("the ninth key was tried: %v", err)
	}
}

// TestUnreachable has an issuer that is down at the start, comes, goes and
// stays away.
func TestUnreachable(t *testing.T) {
	s := keyOf("EdDSA")
	p := newProvider(t, s.public(t))
	c := newClock()
	var log strings.Builder
	a := mustNew(t, c.options(Options{
		Issuer: p.URL, Audience: []string{"my-app"}, JWKSURL: p.URL + "/keys",
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}))
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	token := s.sign(t, head(s), claims(p.URL))

	p.answerWith(down)
	if err := a.Refresh(t.Context()); err == nil {
		t.Error("Refresh is content")
	}
	for range 3 {
		if _, err := ask(t, a, token); outcomeOf(t, err) != refused || !errors.Is(err, errNoKeys) {
			t.Errorf("without keys: %v", err)
		}
	}
	if n := p.sets.Load(); n != 1 {
		t.Errorf("%d fetches within the pause", n)
	}
	if got := a.Problems(); len(got) != 1 || !strings.Contains(got[0], "503") || !strings.Contains(got[0], "callers are refused") {
		t.Errorf("problems: %q", got)
	}
	c.move(pause)
	p.answerWith(nil)
	if _, err := ask(t, a, token); err != nil {
		t.Errorf("the issuer is back: %v", err)
	}
	if got := a.Problems(); got != nil {
		t.Errorf("problems: %q", got)
	}

	p.answerWith(down)
	c.move(usual / 2)
	for i := range 5 { // a fetch fails behind it, and the keys stay
		c.move(usual / 8)
		if _, err := ask(t, a, s.sign(t, head(s), claims(p.URL, "jti", i, "exp", noon+100*3600))); err != nil {
			t.Errorf("the keys were lost: %v", err)
		}
	}
	waitFor(t, func() bool {
		got := a.Problems()
		return len(got) == 1 && strings.Contains(got[0], "are used, since the last fetch failed")
	})
	if !strings.Contains(log.String(), "could not be fetched") {
		t.Errorf("the log says nothing: %s", log.String())
	}
}

// TestEmptySet takes an answer without keys at its word.
func TestEmptySet(t *testing.T) {
	s := keyOf("EdDSA")
	p := newProvider(t, s.public(t))
	c := newClock()
	a := mustNew(t, c.options(Options{Issuer: p.URL, Audience: []string{"my-app"}}))
	token := s.sign(t, head(s), claims(p.URL, "exp", noon+100*3600))
	if _, err := ask(t, a, token); err != nil {
		t.Fatal(err)
	}
	p.publish()
	p.keys = []members{}
	c.move(longest) // nobody asked for a day: the caller waits for the set
	if _, err := ask(t, a, token); outcomeOf(t, err) != refused {
		t.Errorf("an issuer without keys: %v", err)
	}
	if got := a.Problems(); len(got) != 1 || !strings.Contains(got[0], "publishes none") {
		t.Errorf("problems: %q", got)
	}
}

// fakeSource has a source whose fetches the test answers.
func fakeSource(fetch func(ctx context.Context) ([]key, time.Duration, error)) *source {
	return &source{fetch: fetch, now: time.Now, log: slog.New(slog.DiscardHandler)}
}

// TestHanging has an issuer that accepts and says nothing.
func TestHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		hang := func(ctx context.Context) ([]key, time.Duration, error) {
			begun.Add(1)
			<-ctx.Done()
			return nil, 0, ctx.Err()
		}
		s := fakeSource(hang)
		start := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if r := s.current(t.Context()); r != nil {
					t.Error("keys out of nothing")
				}
			})
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if s.current(impatient); time.Since(start) != time.Second {
			t.Errorf("a caller who left was kept for %s", time.Since(start))
		}
		wg.Wait()
		if d := time.Since(start); d != fetchTimeout || begun.Load() != 1 {
			t.Errorf("%s, %d fetches", d, begun.Load())
		}
		start = time.Now()
		if s.current(t.Context()); time.Since(start) != 0 || begun.Load() != 1 {
			t.Error("a caller within the pause waits")
		}

		// With keys: those who name a known one never wait.
		s.replace(t.Context(), []key{{id: "a", kid: "a"}}, usual)
		time.Sleep(usual + overdue/2)
		start = time.Now()
		if r := s.current(t.Context()); r == nil || time.Since(start) != 0 {
			t.Errorf("keys %v after %s", r, time.Since(start))
		}
		synctest.Wait()
		if begun.Load() != 2 {
			t.Errorf("%d fetches", begun.Load())
		}
		start = time.Now()
		if r := s.newer(t.Context()); r == nil || time.Since(start) != fetchTimeout {
			t.Errorf("keys %v after %s", r, time.Since(start))
		}
		// Overdue, but the issuer was tried in vain: nobody waits again.
		time.Sleep(usual)
		start = time.Now()
		if r := s.current(t.Context()); r == nil || time.Since(start) != 0 {
			t.Errorf("keys %v after %s", r, time.Since(start))
		}
		time.Sleep(fetchTimeout)
	})
}

// TestOverdue makes a caller wait where nobody looked for long.
func TestOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := "a"
		s := fakeSource(func(context.Context) ([]key, time.Duration, error) {
			time.Sleep(time.Second)
			return []key{{id: name, kid: name}}, usual, nil
		})
		if s.current(t.Context()).keys[0].kid != "a" {
			t.Error("no first key")
		}
		name = "b"
		time.Sleep(usual + overdue + 1)
		if r := s.current(t.Context()); r.keys[0].kid != "b" {
			t.Errorf("keys of an hour ago were used unseen: %v", r.keys)
		}
	})
}

func TestFetcherRefuses(t *testing.T) {
	huge := func(declared bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if declared {
				w.Header().Set("Content-Length", strconv.Itoa(maxSet+1))
			}
			_, _ = io.WriteString(w, `{"keys":["`+strings.Repeat("x", maxSet)+`"]}`)
		}
	}
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	elsewhere := newProvider(t, keyOf("RS256").public(t))
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   error
		text   string
	}{
		{"huge, declared", huge(true), netx.ErrTooLarge, ""},
		{"huge, undeclared", huge(false), netx.ErrTooLarge, ""},
		{"redirect to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/keys", http.StatusFound)
		}, nil, "status 302"},
		{"redirect to itself", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/keys", http.StatusTemporaryRedirect)
		}, nil, "status 307"},
		{"created", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }, nil, "status 201"},
		{"gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, nil, "status 410"},
		{"empty", text(""), errSet, ""},
		{"page", text("<html>"), errSet, ""},
		{"list", text("[]"), errSet, ""},
		{"without keys", text("{}"), errSet, ""},
		{"keys as an object", text(`{"keys":{}}`), errSet, ""},
		{"keys twice", text(`{"keys":[],"keys":[]}`), errSet, ""},
		{"deep", text(`{"keys":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`), errSet, ""},
		{"too many", text(`{"keys":[` + strings.Repeat("{},", maxKeys) + `{}]}`), errManyKey, ""},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"keys":[]}`)
		}, io.ErrUnexpectedEOF, ""},
		{"slow", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(5 * time.Millisecond)
			}
		}, context.DeadlineExceeded, ""},
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, context.DeadlineExceeded, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProvider(t)
			p.answerWith(c.answer)
			f, err := newFetcher(&Options{Issuer: p.URL})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if c.want != context.DeadlineExceeded { //nolint:errorlint // the constant of the table
				ctx = t.Context()
			}
			keys, _, err := f.keys(ctx)
			if err == nil || keys != nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, %v", keys, err)
			}
		})
	}
	if n := elsewhere.sets.Load(); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

func TestDiscovery(t *testing.T) {
	set := newProvider(t, keyOf("RS256").public(t))
	for _, c := range []struct {
		name, answer string
		want         error
	}{
		{"its own", `{"issuer":"ISSUER","jwks_uri":"ISSUER/keys"}`, nil},
		{"another issuer", `{"issuer":"https://evil.example.com","jwks_uri":"ISSUER/keys"}`, errOtherIssuer},
		{"with a slash", `{"issuer":"ISSUER/","jwks_uri":"ISSUER/keys"}`, errOtherIssuer},
		{"no issuer", `{"jwks_uri":"ISSUER/keys"}`, errOtherIssuer},
		{"two issuers", `{"issuer":"https://evil.example.com","issuer":"ISSUER","jwks_uri":"ISSUER/keys"}`, errDiscovery},
		{"no set", `{"issuer":"ISSUER"}`, errDiscovery},
		{"set as a number", `{"issuer":"ISSUER","jwks_uri":7}`, errDiscovery},
		{"another port here", `{"issuer":"ISSUER","jwks_uri":"` + set.URL + `/keys"}`, errSetElswhere},
		{"a file", `{"issuer":"ISSUER","jwks_uri":"file:///etc/passwd"}`, errSetElswhere},
		{"an address", `{"issuer":"ISSUER","jwks_uri":"https://10.0.0.1/keys"}`, errSetElswhere},
		{"metadata of a cloud", `{"issuer":"ISSUER","jwks_uri":"http://169.254.169.254/keys"}`, errSetElswhere},
		{"localhost", `{"issuer":"ISSUER","jwks_uri":"https://localhost/keys"}`, errSetElswhere},
		{"plain http elsewhere", `{"issuer":"ISSUER","jwks_uri":"http://example.com/keys"}`, errSetElswhere},
		{"with a password", `{"issuer":"ISSUER","jwks_uri":"https://a:b@example.com/keys"}`, errSetElswhere},
		{"page", `<html>`, errDiscovery},
	} {
		t.Run(c.name, func(t *testing.T) {
			var issuer string
			sets := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/keys" {
					sets++
					_, _ = io.WriteString(w, `{"keys":[]}`)
					return
				}
				_, _ = io.WriteString(w, strings.ReplaceAll(c.answer, "ISSUER", issuer))
			}))
			defer s.Close()
			issuer = s.URL
			f, err := newFetcher(&Options{Issuer: issuer})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := f.keys(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if (sets == 1) != (c.want == nil) {
				t.Errorf("the set was fetched %d times", sets)
			}
		})
	}
	if n := set.sets.Load(); n != 0 {
		t.Errorf("%d requests went to another port", n)
	}
}

// TestDiscoveryAgain looks for the set anew when it is no longer there.
func TestDiscoveryAgain(t *testing.T) {
	p := newProvider(t, keyOf("RS256").public(t))
	f, err := newFetcher(&Options{Issuer: p.URL})
	if err != nil {
		t.Fatal(err)
	}
	for i, bad := range []bool{false, true, false} {
		p.answerWith(nil)
		if bad {
			p.answerWith(func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
		}
		if _, _, err := f.keys(t.Context()); (err != nil) != bad {
			t.Errorf("fetch %d: %v", i, err)
		}
	}
	if n := p.discoveries.Load(); n != 2 {
		t.Errorf("%d discoveries, want one at first and one after the failure", n)
	}
}

func TestLife(t *testing.T) {
	for _, c := range []struct {
		control, age string
		want         time.Duration
	}{
		{"", "", usual},
		{"public, max-age=7200, must-revalidate", "", 2 * time.Hour},
		{"MAX-AGE=7200", "", 2 * time.Hour},
		{`max-age="7200"`, "", 2 * time.Hour},
		{"max-age=7200", "3600", time.Hour},
		{"max-age=7200", "9999999", shortest},
		{"max-age=0", "", shortest},
		{"max-age=1", "", shortest},
		{"max-age=86401", "", longest},
		{"max-age=99999999999999999999", "", usual},
		{"max-age=-1", "", usual},
		{"max-age=x", "", usual},
		{"s-maxage=10", "", usual},
		{"no-store", "", shortest},
		{"max-age=7200, no-cache", "", shortest},
	} {
		h := http.Header{}
		if c.control != "" {
			h.Set("Cache-Control", c.control)
		}
		if c.age != "" {
			h.Set("Age", c.age)
		}
		if got := life(h); got != c.want {
			t.Errorf("%q, age %q: %s, want %s", c.control, c.age, got, c.want)
		}
	}
}

func TestMaxAgeIsKept(t *testing.T) {
	s := keyOf("ES256")
	p := newProvider(t, s.public(t))
	p.header.Set("Cache-Control", "max-age=600")
	c := newClock()
	a := mustNew(t, c.options(Options{Issuer: p.URL, Audience: []string{"my-app"}}))
	if err := a.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	token := s.sign(t, head(s), claims(p.URL))
	for _, step := range []struct {
		move time.Duration
		want int64
	}{{0, 1}, {599 * time.Second, 1}, {time.Second, 2}, {time.Second, 2}, {20 * time.Minute, 3}} {
		c.move(step.move)
		if _, err := ask(t, a, token); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return p.sets.Load() == step.want })
		waitFor(t, func() bool { return c.Now().Before(a.keys.(*source).ring.Load().due) })
	}
}
