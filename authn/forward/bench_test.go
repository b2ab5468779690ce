package forward

import (
	"strconv"
	"testing"
	"time"

	"claviger.dev/claviger/authn/internal/outbound"
)

func BenchmarkCached(b *testing.B) {
	a, c := newApp(b), newClock()
	a.set("sid="+token, ada)
	f := make1(b, a, c, nil)
	r := cookies(b.Context(), "theme=dark; sid="+token)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Authenticate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
	if n := a.asked.Load(); n != 1 {
		b.Errorf("asked %d times", n)
	}
}

func BenchmarkCachedParallel(b *testing.B) {
	a, c := newApp(b), newClock()
	a.set(token, ada)
	f := make1(b, a, c, nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := bearer(b.Context(), token)
		for pb.Next() {
			if _, err := f.Authenticate(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCold asks an app on loopback each time.
func BenchmarkCold(b *testing.B) {
	a, c := newApp(b), newClock()
	a.set(token, ada)
	f := make1(b, a, c, nil)
	r := bearer(b.Context(), token)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Authenticate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		f.Forget(token)
	}
}

// BenchmarkGuess refuses a credential without a question.
func BenchmarkGuess(b *testing.B) {
	a, c := newApp(b), newClock()
	f := make1(b, a, c, nil)
	f.guesses = outbound.NewGuesses(c.now)
	for range 200 {
		f.guesses.Add(presented{}.from)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		if _, err := f.Authenticate(b.Context(), bearer(b.Context(), "made-up-credential-"+strconv.Itoa(i))); code(err) != "rate_limited" {
			b.Fatal(err)
		}
	}
	c.move(time.Second)
}
