package typescript_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/typescript"
)

var update = flag.Bool("update", false, "write the golden declarations anew")

// TestDeclarations holds the types of every construct to a file that the
// TypeScript compiler reads in the tests of e2e.
func TestDeclarations(t *testing.T) {
	data, err := os.ReadFile("testdata/actions.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonx.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	got := string(typescript.Declarations("claviger.yaml", actionsOf(doc)))
	const golden = "testdata/actions.d.ts"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the declarations changed; if that is meant, go test ./internal/typescript -update\n%s", d)
	}
	for range 5 {
		if again := string(typescript.Declarations("claviger.yaml", actionsOf(doc))); again != got {
			t.Fatal("the same actions give another text")
		}
	}
}

func actionsOf(doc jsonx.Value) (out []typescript.Action) {
	for name, v := range doc.Fields() {
		input, _ := v.Get("input")
		output, _ := v.Get("output")
		about, _ := v.Get("about")
		chat, _ := v.Get("chat")
		usage, _ := v.Get("usage")
		out = append(out, typescript.Action{
			Name: name, About: about.Str(), Chat: chat.Bool(), Input: input, Output: output, Usage: usage.Bool(),
		})
	}
	return out
}

// TestNothingEscapes: no text of a schema gets out of its comment or its quotes.
func TestNothingEscapes(t *testing.T) {
	evil := "*/ evil(); /*\u2028\n*/ ' \\' \u202e \x1b[31m"
	text := jsonx.String(evil)
	schema := jsonx.Object(
		jsonx.Member{Name: "type", Value: jsonx.String("object")},
		jsonx.Member{Name: "properties", Value: jsonx.Object(jsonx.Member{Name: evil, Value: jsonx.Object(
			jsonx.Member{Name: "description", Value: text},
			jsonx.Member{Name: "default", Value: text},
			jsonx.Member{Name: "enum", Value: jsonx.Array(text, jsonx.Object(jsonx.Member{Name: evil, Value: text}))},
		)})},
	)
	got := string(typescript.Declarations("a\nevil();", []typescript.Action{{Name: "a'b", About: evil, Input: schema}}))
	for _, r := range []string{"\u2028", "\u202e", "\x1b"} {
		if strings.Contains(got, r) {
			t.Errorf("%q stands in the text", r)
		}
	}
	outside := strip(t, got)
	if strings.Contains(outside, "evil") {
		t.Errorf("a text got out:\n%s\n\nof\n%s", outside, got)
	}
}

// strip takes comments and quoted texts out.
func strip(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for s != "" {
		switch {
		case strings.HasPrefix(s, "/*"):
			_, rest, ok := strings.Cut(s[2:], "*/")
			if !ok {
				t.Fatal("a comment has no end")
			}
			s = rest
		case strings.HasPrefix(s, "//"):
			_, s, _ = strings.Cut(s, "\n")
		case s[0] == '\'':
			i := 1
			for ; s[i] != '\''; i++ {
				if s[i] == '\\' {
					i++
				}
				if s[i] == '\n' {
					t.Fatal("a line ends inside quotes")
				}
			}
			s = s[i+1:]
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String()
}
