package load

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCounter(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		events       int
		ended        bool
	}{
		{"nothing", "", 0, false},
		{"chat", "data: {}\n\ndata: {}\n\ndata: [DONE]\n\n", 2, true},
		{"chat, tight", "data:{}\n\ndata:[DONE]\n\n", 1, true},
		{"CRLF", "data: {}\r\n\r\ndata: [DONE]\r\n\r\n", 1, true},
		{"no end", "data: {}\n\ndata: {}\n\n", 2, false},
		{"event without its empty line", "data: {}\n\ndata: {}\n", 1, false},
		{"end without its empty line", "data: {}\n\ndata: [DONE]\n", 1, false},
		{"end cut", "data: {}\n\ndata: [DO", 1, false},
		{"comments", ": beat\n\ndata: {}\n\n: beat\n\n:\n\ndata: [DONE]\n\n", 1, true},
		{"two lines of data", "data: a\ndata: b\n\n", 1, false},
		{"responses", "event: response.created\ndata: {}\n\nevent: response.completed\ndata: {}\n\n", 2, true},
		{"responses failed", "event: response.failed\ndata: {}\n\n", 1, false},
		{"the end inside of data", "data: event: response.completed\n\ndata: \"data: [DONE]\"\n\n", 2, false},
		{"event without data", "event: response.completed\n\n", 0, false},
		{"long lines", "data: [DONE]" + strings.Repeat("x", 100) + "\n\nevent: response.completed" + strings.Repeat(" ", 100) + "\ndata: {}\n\n", 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for size := 1; size <= len(c.stream)+1; size++ {
				var k Counter
				for p := []byte(c.stream); len(p) > 0; p = p[min(size, len(p)):] {
					k.Add(p[:min(size, len(p))])
				}
				if k.Events() != c.events || k.Ended() != c.ended {
					t.Fatalf("in pieces of %d: %d events, ended %t; want %d, %t", size, k.Events(), k.Ended(), c.events, c.ended)
				}
			}
		})
	}
}

// However a stream is cut off, it counts as short.
func TestCounterSeesEveryCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "events")
		whole := strings.Repeat("data: {\"a\":\"b\"}\n\n", n) + "data: [DONE]\n\n"
		cut := rapid.IntRange(0, len(whole)).Draw(t, "cut")
		var k Counter
		for p := []byte(whole[:cut]); len(p) > 0; {
			size := rapid.IntRange(1, len(p)).Draw(t, "piece")
			k.Add(p[:size])
			p = p[size:]
		}
		a := Answer{Status: 200, Stream: true, Events: k.Events(), Ended: k.Ended()}
		if got, want := a.Short(Expect{Events: n}), cut < len(whole); got != want {
			t.Fatalf("cut at %d of %d: short is %t", cut, len(whole), got)
		}
	})
}

func BenchmarkCounter(b *testing.B) {
	p := []byte(strings.Repeat("data: {"+strings.Repeat("x", 250)+"}\n\n", 200))
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		var k Counter
		k.Add(p)
		if k.Events() != 200 {
			b.Fatal(k.Events())
		}
	}
}
