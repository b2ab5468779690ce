package gatetest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCanaryIsFound(t *testing.T) {
	c := NewCanary("sk-")
	v := c.Value()
	back := []byte(v)
	slices.Reverse(back)
	for name, text := range map[string]string{
		"plain": v, "a piece": v[10:22], "lower": strings.ToLower(v), "reversed": string(back), "hex": hex.EncodeToString([]byte(v)),
		"base64": base64.StdEncoding.EncodeToString([]byte("a" + v)), "json": strings.ReplaceAll(fmt.Sprintf("%+q", v), "A", `\u0041`),
		"all escaped": escaped(v, `\u%04x`), "url": escaped(v, "%%%02X"), "html": escaped(v, "&#%d;"),
	} {
		if form, at := c.Find([]byte("before " + text + " after")); at < 0 {
			t.Errorf("%s is not found", name)
		} else if strings.Contains(form, v) {
			t.Error("the form tells the secret")
		}
	}
	for _, text := range []string{"", v[:9], NewCanary("sk-").Value(), c.Secret().Fingerprint(), fmt.Sprint(c, &c), fmt.Sprintf("%v %+v %#v %s", c, c, c, c)} {
		if form, at := c.Find([]byte(text)); at >= 0 {
			t.Errorf("found (%s) in %d bytes that do not hold it", form, len(text))
		}
	}
}

func escaped(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

// watch is a testing.TB that only counts errors.
type watch struct {
	testing.TB
	errors int
}

func (w *watch) Helper()               {}
func (w *watch) Errorf(string, ...any) { w.errors++ }
func (w *watch) Error(...any)          { w.errors++ }

func TestSinks(t *testing.T) {
	c := NewCanary("sk-")
	for _, x := range []struct {
		name string
		fill func(s *Sinks)
		want int
	}{
		{"no sinks", func(*Sinks) {}, 1},
		{"an empty one", func(s *Sinks) { s.Sink("log") }, 1},
		{"a clean one", func(s *Sinks) { fmt.Fprint(s.Sink("log"), "fine") }, 0},
		{"a leaking one", func(s *Sinks) {
			fmt.Fprint(s.Sink("log"), "fine")
			fmt.Fprint(s.Sink("answer"), "a "+c.Value()[:20])
			fmt.Fprint(s.Sink("answer"), c.Value()[20:])
		}, 1},
	} {
		var s Sinks
		x.fill(&s)
		w := &watch{TB: t}
		if s.Absent(w, c); w.errors != x.want {
			t.Errorf("%s: %d errors, want %d", x.name, w.errors, x.want)
		}
	}
}
