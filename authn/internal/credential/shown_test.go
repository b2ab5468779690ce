package credential

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// What is shown to the app is what Chunked reads, and is read again as the same.
func TestAppendChunked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom([]string{"s", "s.0", "s.1", "s.2", "s.16", "s.01", "sx", "t"})
		var pairs []string
		for range rapid.IntRange(0, 5).Draw(t, "cookies") {
			pairs = append(pairs, names.Draw(t, "name")+"="+rapid.StringMatching(`[a-z=]{0,4}`).Draw(t, "value"))
		}
		lines := []string{strings.Join(pairs, "; ")}
		value, err := Chunked(lines, "s", 100)
		sent, sentErr := AppendChunked([]byte("a=b"), lines, "s", 100)
		if (err == nil) != (sentErr == nil) {
			t.Fatalf("%q: %v and %v", lines, err, sentErr)
		}
		if err != nil {
			return
		}
		again, err := Chunked([]string{string(sent)}, "s", 100)
		if err != nil || again != value || !strings.HasPrefix(string(sent), "a=b") || (value == "") != (string(sent) == "a=b") {
			t.Fatalf("%q is sent as %q: %q, %v", lines, sent, again, err)
		}
	})
}

func TestForget(t *testing.T) {
	m, now := NewMemory[claviger.Principal](1<<20), time.Unix(1000, 0)
	k, other, p := KeyOf("a", 0), KeyOf("b", 0), &claviger.Principal{}
	m.Put(k, p, now.Add(time.Minute), 1)
	m.Put(other, p, now.Add(time.Hour), 1)
	if got, until, ok := m.Find(k, now); !ok || got != p || !until.Equal(now.Add(time.Minute)) {
		t.Errorf("found %v until %s", got, until)
	}
	m.Forget(k)
	m.Forget(k)
	if _, ok := m.Get(k, now); ok {
		t.Error("forgotten and there")
	}
	if _, ok := m.Get(other, now); !ok {
		t.Error("another is gone")
	}
}

func TestSeldom(t *testing.T) {
	var s Seldom
	now := time.Unix(1000, 0)
	for _, want := range []int64{1, 0, 1} {
		var told atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if s.Due(now, time.Minute) {
					told.Add(1)
				}
			})
		}
		wg.Wait()
		if told.Load() != want {
			t.Errorf("told %d times, want %d", told.Load(), want)
		}
		now = now.Add(30 * time.Second)
	}
}

func TestSubjectOf(t *testing.T) {
	v, err := jsonx.Parse([]byte(`{"a":{"b":{"c":"ada"},"n":7,"f":7.5,"m":-1,"z":null},"s":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a.b.c": "ada", "a.n": "7", "a.f": "", "a.m": "", "a.z": "", "a.b": "", "s.a": "", "none": "", "s": "x"} {
		at, _ := At(v, strings.Split(path, "."))
		if got, err := SubjectOf(at); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}
