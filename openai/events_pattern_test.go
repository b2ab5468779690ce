package openai_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// sameAsParsed sends events through twice, once with each of them parsed, and
// wants no difference in anything that can be seen.
func sameAsParsed(t interface{ Fatalf(string, ...any) }, fast, slow *openai.Events, data ...string) {
	for i, d := range data {
		slow.Forget()
		want, wantErr := slow.Append([]byte("x"), openai.Frame{Data: []byte(d)})
		got, err := fast.Append([]byte("x"), openai.Frame{Data: []byte(d)})
		if string(got) != string(want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("event %d of %q became\n%s, %v, and parsed\n%s, %v", i, data, got, err, want, wantErr)
		}
		if err != nil {
			return // the stream is over
		}
		if string(fast.Text()) != string(slow.Text()) || fast.Done() != slow.Done() {
			t.Fatalf("event %d of %q: text %q, done %t, and parsed %q, %t", i, data, fast.Text(), fast.Done(), slow.Text(), slow.Done())
		}
		u, reported := fast.Units()
		v, alsoReported := slow.Units()
		if d := cmp.Diff(v, u); d != "" || reported != alsoReported {
			t.Fatalf("after event %d of %q: %s", i, data, d)
		}
		failure := &claviger.Error{Code: claviger.CodeUpstreamError}
		if a, b := fast.AppendError(nil, failure), slow.AppendError(nil, failure); string(a) != string(b) {
			t.Fatalf("after event %d of %q: %s, and parsed %s", i, data, a, b)
		}
	}
}

// TestPattern: an event that differs from the last in text, number or padding
// is written from it, as if it had been parsed; any other difference is seen.
func TestPattern(t *testing.T) {
	chatLike := func(content, more string) string {
		return chunk(`{"index":0,"delta":{"content":`+content+`},"logprobs":null,"finish_reason":null}`, more)
	}
	delta := func(n, text string) string {
		return `{"type":"response.output_text.delta","sequence_number":` + n + `,"item_id":"m","output_index":0,"content_index":0,"delta":` + text +
			`,"logprobs":[],"obfuscation":"x` + n + `"}`
	}
	for _, x := range []struct {
		name, path, first, second string
		remembers                 bool
	}{
		{"chat", chat, chatLike(`"a"`, ``), chatLike(`" other words"`, ``), true},
		{"padding", chat, chatLike(`"a"`, `,"obfuscation":"x"`), chatLike(`"b"`, `,"obfuscation":"longer"`), true},
		{"responses", responses, delta("1", `"a"`), delta("20", `"é\u2028"`), true},
		{"an escape", chat, chatLike(`"a"`, ``), chatLike(`"\n"`, ``), true},
		{"a needless escape", chat, chatLike(`"a"`, ``), chatLike(`"\u0041"`, ``), true},
		{"an escaped quote", chat, chatLike(`"a"`, ``), chatLike(`"\"},\"id\":\"x\""`, ``), true},
		{"more after the text", chat, chatLike(`"a"`, ``), chatLike(`"a","refusal":"b"`, ``), true},
		{"a second member of the name", chat, chatLike(`"a"`, ``), chatLike(`"a","content":"b"`, ``), true},
		{"an unknown member", chat, chatLike(`"a"`, ``), chatLike(`"a"`, `,"secret":"x"`), true},
		{"the end of all", chat, chatLike(`"a"`, ``), chatLike(`"a"`, ``) + `x`, true},
		{"cut", chat, chatLike(`"a"`, ``), chatLike(`"a"`, ``)[:60], true},
		{"cut in the text", chat, chatLike(`"a"`, ``), chatLike(`"a`, ``)[:95], true},
		{"null", chat, chatLike(`"a"`, ``), chatLike(`null`, ``), true},
		{"empty", chat, chatLike(`"a"`, ``), chatLike(`""`, ``), true},
		{"a number for text", chat, chatLike(`"a"`, ``), chatLike(`1`, ``), true},
		{"a control character", chat, chatLike(`"a"`, ``), chatLike("\"\x01\"", ``), true},
		{"bad UTF-8", chat, chatLike(`"a"`, ``), chatLike("\"\xff\"", ``), true},
		{"half a character", chat, chatLike(`"a"`, ``), chatLike("\"\xe2\x82\"", ``), true},
		{"usage", chat, chatLike(`"a"`, ``), chatLike(`"a"`, usage9), true},
		{"the end", chat, chatLike(`"a"`, ``), `[DONE]`, true},
		{"zeros before a number", responses, delta("1", `"a"`), delta("01", `"a"`), true},
		{"a fraction", responses, delta("1", `"a"`), delta("1.5", `"a"`), true},
		{"an exponent", responses, delta("1", `"a"`), delta("1e2", `"a"`), true},
		{"a negative number", responses, delta("1", `"a"`), delta("-2", `"a"`), true},
		{"a long number", responses, delta("1", `"a"`), delta(strings.Repeat("9", 30), `"a"`), true},
		{"a text for a number", responses, delta("1", `"a"`), delta(`"2"`, `"a"`), true},
		{"white space", chat, ` ` + chatLike(`"a"`, ``), chatLike(`"b"`, ``), false},
		{"written otherwise", chat, chatLike(`"\u0041"`, ``), chatLike(`"b"`, ``), false},
		{"no text", chat, chatLike(`""`, ``), chatLike(`"b"`, ``), false},
		{"usage first", chat, chatLike(`"a"`, usage9), chatLike(`"b"`, usage9), false},
		{"a choice that is left out", chat, chunk(`{"delta":{"content":"a"}},`+deltaA, ``), chunk(`{"delta":{"content":"b"}},`+deltaA, ``), false},
		{"much text", chat, chatLike(`"`+strings.Repeat("a", 3000)+`"`, ``), chatLike(`"b"`, ``), false},
		{"many choices", chat, chunk(strings.Repeat(deltaA+",", 5)+deltaA, ``), chunk(strings.Repeat(deltaA+",", 5)+deltaA, ``), false},
	} {
		t.Run(x.name, func(t *testing.T) {
			fast, slow := events(t, x.path, `"stream":true`), events(t, x.path, `"stream":true`)
			sameAsParsed(t, fast, slow, x.first)
			if got := fast.Remembers(); got != x.remembers {
				t.Fatalf("a pattern after the first event: %t", got)
			}
			sameAsParsed(t, fast, slow, x.second, x.first, x.second)
		})
	}
}

// TestPatternIsParsing: whatever comes after whatever.
func TestPatternIsParsing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		path := rapid.SampledFrom([]string{chat, responses}).Draw(rt, "path")
		var data []string
		for range rapid.IntRange(1, 8).Draw(rt, "events") {
			data = append(data, drawEvent(rt, path))
		}
		sameAsParsed(rt, events(t, path, `"stream":true`), events(t, path, `"stream":true`), data...)
	})
}

func drawEvent(t *rapid.T, path string) string {
	text := rapid.OneOf(
		rapid.Map(rapid.String(), strconv.Quote), // not always JSON
		rapid.SampledFrom([]string{`"a"`, `""`, `null`, `"\u00e9"`, `"é"`, `1`, `{}`, "\"\x7f\"", "\"\xc3\"", `"\\"`, `"\ud800"`}),
	)
	number := rapid.SampledFrom([]string{"0", "1", "17", "-1", "00", "1.0", "1e3", "123456789012345", "1234567890123456", "null"})
	more := rapid.SampledFrom([]string{``, `,"obfuscation":"p"`, `,"obfuscation":"pad"`, `,"obfuscation":null`, `,"x":1`, usage9, `,"usage":null`})
	var d string
	if path == chat {
		d = chunk(`{"index":0,"delta":{"content":`+text.Draw(t, "text")+`},"finish_reason":null}`, more.Draw(t, "more"))
	} else {
		d = `{"type":"response.output_text.delta","sequence_number":` + number.Draw(t, "number") + `,"item_id":"m","output_index":0,"content_index":0,"delta":` +
			text.Draw(t, "text") + `,"logprobs":[]` + more.Draw(t, "more") + `}`
	}
	if rapid.IntRange(0, 4).Draw(t, "spoil") == 0 {
		b := []byte(d)
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		d = string(b)
	}
	return d
}

// FuzzPattern: an event after another one is what it is alone.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{chatChunk, responsesDelta, chunk(deltaA, ``), chunk(deltaEnd, usage9)} {
		f.Add(true, []byte(s), []byte(strings.Replace(s, "Hello", "x\\n", 1)))
		f.Add(false, []byte(s), []byte(strings.Replace(s, "12", "13", 1)))
	}
	f.Fuzz(func(t *testing.T, isChat bool, a, b []byte) {
		path := responses
		if isChat {
			path = chat
		}
		sameAsParsed(t, events(t, path, `"stream":true`), events(t, path, `"stream":true`), string(a), string(b), string(a), string(b))
	})
}
