package keyscan

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/detect"
)

func key() string {
	return "sk-proj-" + strings.ToLower(rand.Text()+rand.Text()) + "T3Blbk" + "FJ" + rand.Text() + strings.ToLower(rand.Text())
}

// TestJoin: pieces come together, and each byte knows where it was.
func TestJoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,6}`), 2, 6).Draw(t, "pieces")
		glue := rapid.SampledFrom([]string{`"+"`, `" + '`, "`,\n  `", `','`}).Draw(t, "glue")
		text := `x = "` + strings.Join(pieces, glue) + `";`
		j, ok := Join(text)
		want := `x = "` + strings.Join(pieces, "") + `";`
		if !ok || j.Text != want {
			t.Fatalf("%q becomes %q, want %q", text, j.Text, want)
		}
		for i := range j.Text {
			if o := j.Offset(i); text[o] != j.Text[i] {
				t.Fatalf("byte %d of %q was %d of %q", i, j.Text, o, text)
			}
		}
	})
	if _, ok := Join(`f("a", b, 'c') + d`); ok {
		t.Error("what is no piece is joined")
	}
}

func TestFind(t *testing.T) {
	k := key()
	for _, c := range []struct {
		text   string
		joined bool
		want   string
	}{
		{"x " + k + " y", false, "a key of OpenAI (sk-proj-…)"},
		{`"` + k[:50] + `"+"` + k[50:] + `"`, true, "a key of OpenAI (sk-proj-…), in pieces that the code joins"},
		// Two strings that stand side by side are not one.
		{`f("` + k + `","` + "re_" + rand.Text() + `")`, true, "a key of OpenAI (sk-proj-…)"},
		{"b: " + base64.StdEncoding.EncodeToString([]byte("OPENAI_API_KEY="+k)), false, "a key of OpenAI (sk-proj-…) in base64"},
		{"b: " + base64.StdEncoding.EncodeToString([]byte("x"+" "+k+" ")), false, "a key of OpenAI (sk-proj-…) in base64"},
		{`const gemini = "AIza` + (rand.Text() + rand.Text())[:30] + `abc12"`, false, "a key of Google (AIza…)"},
		{`firebase = "AIza` + (rand.Text() + rand.Text())[:30] + `abc12"`, false, ""},
		{"Authorization: Bearer " + rand.Text(), false, ""},
		{"org-" + rand.Text(), false, ""},
		{"sk-" + "test-" + strings.Repeat("abc123", 8), false, ""},
	} {
		hits := Find(c.text, &canary.Set{}, c.joined)
		got := ""
		if len(hits) > 0 {
			got = hits[0].What
		}
		if got != c.want || len(hits) > 1 {
			t.Errorf("%d hits, %q, want %q", len(hits), got, c.want)
		}
		if strings.Contains(got, k[10:20]) {
			t.Error("the key is told")
		}
	}
}

func TestReads(t *testing.T) {
	for _, c := range []struct {
		file, text string
		want       int
	}{
		{"a.ts", "process.env.NEXT_PUBLIC_A", 1},
		{"a.ts", "process.env['NEXT_PUBLIC_A']", 1},
		{"a.ts", "const { NEXT_PUBLIC_A, B } = process.env", 1},
		{"a.ts", "import { PUBLIC_A } from '$env/static/public'", 1},
		{"a.ts", "// process.env.NEXT_PUBLIC_A", 0},
		{"a.ts", "throw new Error('set NEXT_PUBLIC_A')", 0},
		{"a.ts", "if (process.env.NEXT_PUBLIC_A) throw new Error('no')", 0},
		{"a.ts", "if (!process.env.NEXT_PUBLIC_A) throw new Error('missing')", 1},
		{"a.ts", "MY_NEXT_PUBLIC_A", 0},
		{"Dockerfile", "ARG NEXT_PUBLIC_A", 1},
		{"ci.yml", "  NEXT_PUBLIC_A: ${{ secrets.A }}", 1},
		{"ci.yml", "  run: echo NEXT_PUBLIC_A", 0},
		{"README.md", "NEXT_PUBLIC_A=1", 0},
	} {
		var r Reads
		r.note(c.file, c.text, false)
		if at, _ := r.Reads(strings.TrimPrefix(c.file, "x")); len(at) != 0 {
			t.Error("a file is a name")
		}
		n := 0
		for _, name := range r.Named() {
			at, _ := r.Reads(name)
			n += len(at)
		}
		if n != c.want {
			t.Errorf("%s: %q is read %d times, want %d", c.file, c.text, n, c.want)
		}
	}
}

// FuzzFind takes notebooks, scripts and anything else.
func FuzzFind(f *testing.F) {
	f.Add(`{"cells":[{"source":["k = 'sk-proj-`+strings.Repeat("a1", 30)+`'\n"]}]}`, true)
	f.Add("VDNCbGJrRk", false)
	f.Add(`"sk-"+"proj-"`, true)
	values := &canary.Set{}
	f.Fuzz(func(t *testing.T, s string, joined bool) {
		for _, h := range Find(s, values, joined) {
			if h.Start < 0 || h.End > len(s) || h.Start >= h.End || h.Secret == "" || h.What == "" {
				t.Errorf("%+v in %d bytes", h, len(s))
			}
			if h.Kind == detect.Account || h.Kind == detect.Masked {
				t.Errorf("%s is told", h.Kind)
			}
		}
		var r Reads
		r.note("a.ts", s, true)
		directive(s)
	})
}
