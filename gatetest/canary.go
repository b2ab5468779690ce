package gatetest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"claviger.dev/claviger"
)

// piece is how many characters of a canary in a row count as the canary. It is
// longer than anything that a mask or fingerprint may show, and too long to
// come about by chance.
const piece = 12

// Canary is a secret made at run time that must not turn up anywhere. It never
// prints itself: what finds it says where and in which form.
type Canary struct {
	prefix, random string
}

// NewCanary makes a canary that begins with prefix, as "sk-proj-", and goes on
// with 52 random characters.
func NewCanary(prefix string) Canary { return Canary{prefix, rand.Text() + rand.Text()} }

// Value is the text to plant.
func (c Canary) Value() string { return c.prefix + c.random }

// Secret is the canary as a handle.
func (c Canary) Secret() claviger.Secret { return claviger.NewSecret([]byte(c.Value())) }

// String implements fmt.Stringer without telling.
func (c Canary) String() string { return "[canary]" }

// GoString implements fmt.GoStringer without telling.
func (c Canary) GoString() string { return "[canary]" }

// Find looks for any 12 characters in a row of the canary's random part in b:
// as they are, in other case, in reverse, in hexadecimal, in base64 at any
// alignment, escaped as \u0041, as &#65; or as %41. It returns the form and the
// offset, or −1.
func (c Canary) Find(b []byte) (form string, at int) {
	folded := bytes.ToLower(b)
	for i := 0; i+piece <= len(c.random); i++ {
		part := c.random[i : i+piece]
		for _, f := range canaryForms(part) {
			if at := bytes.Index(folded, []byte(strings.ToLower(f.text))); at >= 0 {
				return f.name, at
			}
		}
	}
	return "", -1
}

type canaryForm struct{ name, text string }

func canaryForms(part string) []canaryForm {
	each := func(f func(r rune) string) string {
		var b strings.Builder
		for _, r := range part {
			b.WriteString(f(r))
		}
		return b.String()
	}
	back := []rune(part)
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	all := []canaryForm{
		{"plain", part},
		{"reversed", string(back)},
		{"hexadecimal", hex.EncodeToString([]byte(part))},
		{"escaped for JSON", each(func(r rune) string { return `\u00` + strconv.FormatInt(int64(r), 16) })},
		{"escaped for HTML", each(func(r rune) string { return "&#" + strconv.Itoa(int(r)) + ";" })},
		{"escaped for URLs", each(func(r rune) string { return "%" + strconv.FormatInt(int64(r), 16) })},
	}
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), part...))
		from, to := (before*8+5)/6, (before+len(part))*8/6
		all = append(all, canaryForm{"base64", text[from:to]})
	}
	if q := url.QueryEscape(part); q != part {
		all = append(all, canaryForm{"query", q})
	}
	if h := html.EscapeString(part); h != part {
		all = append(all, canaryForm{"HTML", h})
	}
	return all
}

// Sinks collects what a test lets out (answers, logs, metrics, traces, panics,
// configuration dumps) under a name each, to be searched in the end. The zero
// value is ready, and may be used concurrently.
type Sinks struct {
	mu   sync.Mutex
	all  map[string]*Sink
	seen []string
}

// Sink is one place where bytes arrive. It implements io.Writer.
type Sink struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer. It never fails.
func (s *Sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// WriteString is Write for strings.
func (s *Sink) WriteString(p string) (int, error) { return s.Write([]byte(p)) }

// Bytes is a copy of all that was written.
func (s *Sink) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.buf.Bytes())
}

// Sink returns the sink of that name, the same each time.
func (s *Sinks) Sink(name string) *Sink {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]*Sink{}
	}
	if s.all[name] == nil {
		s.all[name] = &Sink{}
		s.seen = append(s.seen, name)
	}
	return s.all[name]
}

// Absent fails the test for every canary in every sink, and for every sink into
// which nothing was written, since that one proves nothing.
func (s *Sinks) Absent(t testing.TB, canaries ...Canary) {
	t.Helper()
	s.mu.Lock()
	names := s.seen
	s.mu.Unlock()
	if len(names) == 0 || len(canaries) == 0 {
		t.Error("no sink or no canary: the search proves nothing")
	}
	for _, name := range names {
		b := s.Sink(name).Bytes()
		if len(b) == 0 {
			t.Errorf("nothing went into %s: the search there proves nothing", name)
		}
		for i, c := range canaries {
			if form, at := c.Find(b); at >= 0 {
				t.Errorf("canary %d (%s…) is in %s at byte %d, %s", i, c.prefix, name, at, form)
			}
		}
	}
}
