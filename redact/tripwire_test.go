package redact

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
)

// canary makes a key-like text that stands in no file.
func canary(prefix string) string { return prefix + rand.Text() + rand.Text() }

func wire(keys ...string) *Tripwire {
	var ss []claviger.Secret
	for _, k := range keys {
		ss = append(ss, claviger.NewSecret([]byte(k)))
	}
	return NewTripwire(ss)
}

func TestContainsEveryForm(t *testing.T) {
	for _, key := range []string{
		canary("sk-proj-"), canary(`a"b\c/d+e<f>`), canary("é=&'"), canary("tab\tline\n"), rand.Text()[:8],
	} {
		t.Run(fmt.Sprint(len(key)), func(t *testing.T) {
			plain, err := json.Marshal(key)
			if err != nil {
				t.Fatal(err)
			}
			var raw, page bytes.Buffer
			enc := json.NewEncoder(&raw)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(key); err != nil {
				t.Fatal(err)
			}
			if err := template.Must(template.New("").Parse("<p>{{.}}</p>")).Execute(&page, key); err != nil {
				t.Fatal(err)
			}
			trip := wire(canary("other"), key)
			for name, text := range map[string]string{
				"alone": key, "first": key + " tail", "last": "head " + key, "inside": "x" + key + "y",
				"json": string(plain), "json without html": raw.String(), "html": page.String(),
				"json slash": strings.ReplaceAll(raw.String(), "/", `\/`),
				"query":      url.QueryEscape(key), "path": url.PathEscape(key),
				"base64": base64.StdEncoding.EncodeToString([]byte(key)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(key)),
				"base64 off by 1": base64.StdEncoding.EncodeToString([]byte(`"` + key + `"`)),
				"base64 off by 2": base64.StdEncoding.EncodeToString([]byte(`x:` + key + `, more`)),
			} {
				if !trip.Contains([]byte("The answer is " + text + ", and no more.")) {
					t.Errorf("%s: not found", name)
				}
			}
		})
	}
}

func TestContainsNothingElse(t *testing.T) {
	key := canary("sk-proj-")
	trip := wire(key)
	for _, text := range []string{
		"", "s", key[:len(key)-1], key[1:], strings.ToLower(key), "sk-proj-" + rand.Text() + rand.Text(),
		strings.Repeat("sk-proj-", 100), key[:20] + " " + key[20:],
	} {
		if trip.Contains([]byte(text)) {
			t.Errorf("found in a text of %d bytes that does not hold it", len(text))
		}
	}
}

func TestShortAndNoSecrets(t *testing.T) {
	for _, trip := range []*Tripwire{nil, wire(), wire("abcdefg"), NewTripwire([]claviger.Secret{{}})} {
		if trip.Contains([]byte("abcdefg")) || trip.Replace("abcdefg") != "abcdefg" {
			t.Error("a tripwire without secrets found one")
		}
		out, err := trip.Stream().Pass(nil, []byte("abcdefg"))
		if err != nil || string(out) != "abcdefg" {
			t.Errorf("Pass = %q, %v", out, err)
		}
	}
}

func TestReplace(t *testing.T) {
	a, b := canary("sk-"), canary("tick")
	got := wire(a, b).Replace("1 " + a + " 2 " + b + a + " 3")
	if want := "1 [secret] 2 [secret][secret] 3"; got != want {
		t.Errorf("Replace left something: %d bytes, want %q", len(got), want)
	}
}

// through sends text in pieces that end at the cuts, and returns what came out
// before the first error.
func through(trip *Tripwire, text string, cuts []int) (string, error) {
	w := trip.Stream()
	var out []byte
	var err error
	at := 0
	for _, c := range append(cuts, len(text)) {
		c = min(max(c, at), len(text))
		if out, err = w.Pass(out, []byte(text[at:c])); err != nil {
			return string(out), err
		}
		at = c
	}
	out, err = w.Flush(out)
	return string(out), err
}

func TestPassageAtEveryCut(t *testing.T) {
	key := canary("sk-")
	trip := wire(key, canary("sk-"))
	text := "data: {\"t\":\"" + key + "\"}\n\n"
	for i := range len(text) + 1 {
		for j := i; j <= len(text); j++ {
			out, err := through(trip, text, []int{i, j})
			if !errors.Is(err, ErrSecret) {
				t.Fatalf("cut at %d and %d: %v", i, j, err)
			}
			if strings.Contains(out, key[:4]) {
				t.Fatalf("cut at %d and %d: the beginning of the key went out", i, j)
			}
		}
	}
}

func TestPassageStaysShut(t *testing.T) {
	key := canary("sk-")
	w := wire(key).Stream()
	if out, err := w.Pass(nil, []byte("a"+key)); !errors.Is(err, ErrSecret) || len(out) != 0 {
		t.Fatalf("Pass = %d bytes, %v", len(out), err)
	}
	if out, err := w.Pass(nil, []byte("later")); !errors.Is(err, ErrSecret) || len(out) != 0 {
		t.Errorf("Pass after a hit = %d bytes, %v", len(out), err)
	}
	if out, err := w.Flush(nil); !errors.Is(err, ErrSecret) || len(out) != 0 {
		t.Errorf("Flush after a hit = %d bytes, %v", len(out), err)
	}
}

func TestFlushHoldsMostOfAKeyBack(t *testing.T) {
	key := canary("sk-")
	trip := wire(key)
	if out, err := through(trip, "see "+key[:len(key)-1], nil); !errors.Is(err, ErrSecret) || out != "see " {
		t.Errorf("all but one byte of a key: %d bytes, %v", len(out), err)
	}
	if out, err := through(trip, "see sk-", nil); err != nil || out != "see sk-" {
		t.Errorf("the common beginning: %q, %v", out, err)
	}
}

func TestPassageHoldsLittle(t *testing.T) {
	w := wire(canary("sk-")).Stream()
	for _, p := range []string{"data: {}\n\n", "a", "b ", "word", ": \n\n"} {
		if out, err := w.Pass(nil, []byte(p)); err != nil || string(out) != p {
			t.Errorf("Pass(%q) = %q, %v", p, out, err)
		}
	}
	if out, _ := w.Pass(nil, []byte("text s")); string(out) != "text " {
		t.Errorf("held %q back wrongly", "text s")
	}
	if out, _ := w.Pass(nil, []byte("o")); string(out) != "so" {
		t.Errorf("did not let go: %q", out)
	}
}

// alphabet is small, so that near misses and overlaps are frequent.
func alphabet(n int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune("ab")), n, n, -1)
}

func TestPassageProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var keys []string
		for range rapid.IntRange(1, 3).Draw(t, "keys") {
			keys = append(keys, alphabet(rapid.IntRange(8, 12).Draw(t, "len")).Draw(t, "key"))
		}
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aab ")), 0, 60, -1).Draw(t, "text")
		if rapid.Bool().Draw(t, "plant") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			text = text[:at] + keys[0] + text[at:]
		}
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(text)), 0, 8).Draw(t, "cuts")
		checkPassage(t, keys, text, cuts)
	})
}

type failer interface{ Fatalf(string, ...any) }

// checkPassage compares a passage with a plain search.
func checkPassage(t failer, keys []string, text string, cuts []int) {
	trip := wire(keys...)
	there := false
	for _, k := range keys {
		there = there || len(k) >= shortest && strings.Contains(text, k)
	}
	if there && !trip.Contains([]byte(text)) {
		t.Fatalf("a key was not found")
	}
	out, err := through(trip, text, cuts)
	if err != nil && !errors.Is(err, ErrSecret) {
		t.Fatalf("error: %v", err)
	}
	for _, k := range keys {
		if len(k) >= shortest && strings.Contains(out, k) {
			t.Fatalf("a key went out")
		}
	}
	switch {
	case there && err == nil:
		t.Fatalf("a key passed at cuts %v", cuts)
	case err == nil && out != text:
		t.Fatalf("%q became %q at cuts %v", text, out, cuts)
	case !strings.HasPrefix(text, out):
		t.Fatalf("what went out is not the beginning of what came in")
	}
}

func FuzzPassage(f *testing.F) {
	f.Add([]byte("abababab"), []byte("xababababababy"), []byte{1, 3, 2})
	f.Add([]byte("sk-proj-0123456789"), []byte("sk-proj-sk-proj-0123456789"), []byte{9, 1})
	f.Add([]byte("\\\"\\\"\\\"\\\"\n\n"), []byte("data"), []byte{})
	f.Fuzz(func(t *testing.T, key, text, steps []byte) {
		if len(key) > 200 || len(text) > 2000 {
			return
		}
		var cuts []int
		at := 0
		for _, s := range steps {
			at += int(s)
			cuts = append(cuts, at)
		}
		checkPassage(t, []string{string(key)}, string(text), cuts)
		plant := len(text) / 2
		checkPassage(t, []string{string(key), "another-" + string(key)}, string(text[:plant])+string(key)+string(text[plant:]), cuts)
	})
}

func prose(n int) []byte {
	line := `data: {"id":"chatcmpl-x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" the quick brown fox"}}]}` + "\n\n"
	return bytes.Repeat([]byte(line), n/len(line)+1)[:n]
}

func BenchmarkContains(b *testing.B) {
	for _, n := range []int{1, 4, 64} {
		var keys []string
		for range n {
			keys = append(keys, canary("sk-proj-"+rand.Text()+rand.Text()+rand.Text()))
		}
		trip, text := wire(keys...), prose(64<<10)
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if trip.Contains(text) {
					b.Fatal("found")
				}
			}
		})
	}
}

func BenchmarkPass(b *testing.B) {
	trip := wire(canary("sk-proj-"+rand.Text()+rand.Text()), canary(""), canary(""))
	for _, end := range []string{"\n\n", "s", "plainword"} {
		event := append(prose(150), end...)
		b.Run(fmt.Sprintf("end=%q", end), func(b *testing.B) {
			w := trip.Stream()
			var out []byte
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			for b.Loop() {
				out, _ = w.Next(event)
			}
			_ = out
		})
	}
}
