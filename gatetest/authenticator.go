package gatetest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
)

// AuthenticatorSuite is what the suite has to know about one kind of
// credential.
type AuthenticatorSuite struct {
	// Authenticator is under test. Its clock may stand still.
	Authenticator claviger.Authenticator
	// Put places a credential into a request in the way of this kind. Nil
	// makes it a bearer.
	Put func(r *http.Request, credential string)
	// Valid is a good credential, Want whom it names. Claims are not compared.
	Valid string
	Want  claviger.Principal
	// Refused are credentials of this kind that are not good: expired, not
	// valid yet, signed with another key, by another algorithm.
	Refused map[string]string
	// Foreign changes a request so that it carries a credential of another
	// kind. Requests without any, with another scheme and with two
	// Authorization headers are always tried.
	Foreign map[string]func(r *http.Request)
	// Secrets must show up in no error and no way of printing the
	// authenticator.
	Secrets []claviger.Secret
}

// Authenticator runs the conformance suite of claviger.Authenticator.
func Authenticator(t *testing.T, s AuthenticatorSuite) {
	if s.Put == nil {
		s.Put = func(r *http.Request, c string) { r.Header.Set("Authorization", "Bearer "+c) }
	}
	t.Run("valid", s.valid)
	t.Run("refused", s.refused)
	t.Run("foreign", s.foreign)
	t.Run("tampered", s.tampered)
	t.Run("truncated", s.truncated)
	t.Run("huge", s.huge)
	t.Run("concurrent", s.concurrent)
	t.Run("prints nothing", s.printed)
}

// unread fails the test when a body is read.
type unread struct{ t testing.TB }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the authenticator read the body")
	return 0, io.EOF
}

func (s AuthenticatorSuite) request(t testing.TB, credential string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/responses?access_token="+"x", unread{t})
	if credential != "" {
		s.Put(r, credential)
	}
	return r
}

// ask authenticates and checks what holds for every answer.
func (s AuthenticatorSuite) ask(t testing.TB, r *http.Request) (claviger.Principal, error) {
	t.Helper()
	before := r.Header.Clone()
	p, err := s.Authenticator.Authenticate(t.Context(), r)
	if !reflect.DeepEqual(r.Header, before) {
		t.Error("the authenticator changed the request")
	}
	if err == nil {
		return p, nil
	}
	if !reflect.DeepEqual(p, claviger.Principal{}) {
		t.Errorf("an error came with a caller: %q in %q", p.Subject, p.Realm)
	}
	s.checkText(t, err.Error())
	if errors.Is(err, claviger.ErrNoCredential) {
		return p, err
	}
	e, ok := errors.AsType[*claviger.Error](err)
	if !ok || e.Code != claviger.CodeUnauthenticated {
		t.Errorf("the error is neither ErrNoCredential nor unauthenticated: %v", err)
	}
	if ok && e.Sentence() != claviger.CodeUnauthenticated.Sentence() {
		t.Errorf("the caller is told why: %q", e.Sentence())
	}
	return p, err
}

// checkText fails when s holds a secret or the end of the credential, which is
// where tags and signatures stand.
func (s AuthenticatorSuite) checkText(t testing.TB, text string) {
	t.Helper()
	if tail := s.Valid[max(0, len(s.Valid)-20):]; strings.Contains(text, tail) {
		t.Errorf("the credential shows in %q", text)
	}
	for _, x := range s.Secrets {
		b := x.Reveal(seal.ForReveal())
		for _, form := range []string{string(b), hex.EncodeToString(b), decimal(b)} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				t.Errorf("a secret shows in %.60q…", text)
			}
		}
	}
}

// decimal is how fmt prints bytes.
func decimal(b []byte) string {
	var out []string
	for _, c := range b {
		out = append(out, strconv.Itoa(int(c)))
	}
	return strings.Join(out, " ")
}

func (s AuthenticatorSuite) valid(t *testing.T) {
	for range 3 { // the first opens it, the others may remember
		p, err := s.ask(t, s.request(t, s.Valid))
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		p.Claims = s.Want.Claims
		if !reflect.DeepEqual(p, s.Want) {
			t.Errorf("got %+v, want %+v", p, s.Want)
		}
	}
}

// denied checks that a credential gets nobody in.
func (s AuthenticatorSuite) denied(t testing.TB, what, credential string) {
	t.Helper()
	if credential == s.Valid {
		return
	}
	if p, err := s.ask(t, s.request(t, credential)); err == nil {
		t.Errorf("%s: let %q in", what, p.Subject)
	}
}

func (s AuthenticatorSuite) refused(t *testing.T) {
	for name, credential := range s.Refused {
		t.Run(name, func(t *testing.T) {
			for range 2 { // a refusal must not be remembered as good
				_, err := s.ask(t, s.request(t, credential))
				if err == nil || errors.Is(err, claviger.ErrNoCredential) {
					t.Errorf("got %v, want a refusal", err)
				}
			}
		})
	}
}

func (s AuthenticatorSuite) foreign(t *testing.T) {
	all := map[string]func(*http.Request){
		"nothing":         func(*http.Request) {},
		"another scheme":  func(r *http.Request) { r.Header.Set("Authorization", "Basic "+s.Valid) },
		"no scheme":       func(r *http.Request) { r.Header.Set("Authorization", s.Valid) },
		"scheme alone":    func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
		"empty":           func(r *http.Request) { r.Header.Set("Authorization", "") },
		"two headers":     func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + s.Valid, "Bearer " + s.Valid} },
		"other header":    func(r *http.Request) { r.Header.Set("X-Authorization", "Bearer "+s.Valid) },
		"proxy header":    func(r *http.Request) { r.Header.Set("Proxy-Authorization", "Bearer "+s.Valid) },
		"word as bearer":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer unused") },
		"query parameter": func(r *http.Request) { r.URL.RawQuery = "token=" + s.Valid },
	}
	maps.Copy(all, s.Foreign)
	for name, change := range all {
		t.Run(name, func(t *testing.T) {
			r := s.request(t, "")
			change(r)
			if _, err := s.ask(t, r); !errors.Is(err, claviger.ErrNoCredential) {
				t.Errorf("got %v, want ErrNoCredential", err)
			}
		})
	}
}

// tampered changes every byte in several ways, the lowest bit among them.
func (s AuthenticatorSuite) tampered(t *testing.T) {
	for i := range len(s.Valid) {
		for _, c := range []byte{s.Valid[i] ^ 1, s.Valid[i] ^ 0x20, 'A', '_', '.', '%', '=', ' '} {
			if c < ' ' || c >= 0x7f || c == ';' || c == ',' {
				continue
			}
			changed := s.Valid[:i] + string(c) + s.Valid[i+1:]
			if strings.TrimSpace(changed) == s.Valid {
				continue
			}
			s.denied(t, fmt.Sprintf("byte %d as %q", i, c), changed)
		}
	}
}

func (s AuthenticatorSuite) truncated(t *testing.T) {
	for n := 1; n < len(s.Valid); n++ {
		s.denied(t, fmt.Sprintf("the first %d bytes", n), s.Valid[:n])
		s.denied(t, fmt.Sprintf("without the first %d bytes", n), s.Valid[n:])
	}
	for _, more := range []string{"A", "=", "==", ".", "..", "\u00a0", ".A", s.Valid, "." + s.Valid} {
		s.denied(t, fmt.Sprintf("with %q behind it", more), s.Valid+more)
		s.denied(t, fmt.Sprintf("with %q before it", more), more+s.Valid)
	}
}

func (s AuthenticatorSuite) huge(t *testing.T) {
	const size = 1 << 20
	header, _, _ := strings.Cut(s.Valid, ".")
	for name, c := range map[string]string{
		"letters": strings.Repeat("A", size), "dots": strings.Repeat(".", size), "per cent": strings.Repeat("%41", size),
		"behind a good one": s.Valid + strings.Repeat("A", size), "a long first part": strings.Repeat("A", size) + s.Valid,
		"a long second part": header + "." + strings.Repeat("A", size) + strings.TrimPrefix(s.Valid, header),
	} {
		s.denied(t, name, c)
	}
}

func (s AuthenticatorSuite) concurrent(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if (g+i)%3 == 0 {
					s.denied(t, "a cut one among good ones", s.Valid[:len(s.Valid)-1-i%8])
					continue
				}
				if p, err := s.ask(t, s.request(t, s.Valid)); err != nil || p.Subject != s.Want.Subject {
					t.Errorf("got %q and %v", p.Subject, err)
				}
			}
		})
	}
	wg.Wait()
}

func (s AuthenticatorSuite) printed(t *testing.T) {
	v := reflect.Indirect(reflect.ValueOf(s.Authenticator)).Interface()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		s.checkText(t, fmt.Sprintf(verb, s.Authenticator))
		s.checkText(t, fmt.Sprintf(verb, v))
	}
}
