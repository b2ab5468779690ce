package dotenv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"claviger.dev/claviger/gatetest"
)

type nextCase struct {
	Env   map[string]string `json:"env"`
	Files []nextFile        `json:"files"`
}

type nextFile struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

type nextAnswer struct {
	Failed bool              `json:"failed"`
	Vars   map[string]string `json:"vars"`
}

// TestAsNext compares with @next/env: the written cases and random ones made of
// the pieces that mean something to the format. Values that refer to themselves
// are left out: there Next.js ends with its stack or its memory.
func TestAsNext(t *testing.T) {
	const random = 1500
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	cases, endless := writtenCases(), 0
	for range random {
		c := randomCase(r)
		if _, err := loadCase(c); err != nil {
			endless++
			continue
		}
		cases = append(cases, c)
	}
	answers := askNext(t, cases)
	if len(answers) != len(cases) {
		t.Fatalf("%d answers for %d cases", len(answers), len(cases))
	}
	variables := 0
	for i, c := range cases {
		want := answers[i]
		got, err := loadCase(c)
		if want.Failed || err != nil || !maps.Equal(got, want.Vars) {
			t.Errorf("case %d: %q\n got %q, error %v\nwant %q, failed %v", i, c, got, err, want.Vars, want.Failed)
		}
		variables += len(want.Vars)
	}
	t.Logf("%d cases alike with %d variables; %d endless ones left out", len(cases), variables, endless)
	if len(cases) < random/2 || variables < random {
		t.Error("too few cases compare anything")
	}
}

func loadCase(c nextCase) (map[string]string, error) {
	var files []File
	for _, f := range c.Files {
		files = append(files, File{Name: f.Name, Content: []byte(f.Content)})
	}
	vars, err := Load(files, func(name string) (string, bool) { v, ok := c.Env[name]; return v, ok })
	out := map[string]string{}
	for name, v := range vars {
		out[name] = v.Value
	}
	return out, err
}

func askNext(t *testing.T, cases []nextCase) []nextAnswer {
	t.Helper()
	const dir = "testdata/next"
	node := gatetest.Node(t, dir)
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, c := range cases {
		if err := enc.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "load.js")
	cmd.Dir, cmd.Stdin = dir, &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var answers []nextAnswer
	for line := range bytes.Lines(out) {
		var a nextAnswer
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	return answers
}

func writtenCases() []nextCase {
	var out []nextCase
	for _, c := range parseTable {
		out = append(out, one(c.in))
	}
	for _, c := range loadTable {
		n := nextCase{Env: c.env}
		for i, f := range c.files {
			n.Files = append(n.Files, nextFile{Name: fmt.Sprintf("f%d", i), Content: f})
		}
		out = append(out, n)
	}
	return out
}

func one(content string) nextCase {
	return nextCase{Files: []nextFile{{Name: ".env", Content: content}}}
}

var pieces = []string{
	"A", "B", "C", "a.b-c", "export ", "export\n", "=", "=", "=", ":", ": ", " = ", "'", "'", `"`, `"`, "`", "\\", "\\'", `\"`, `\n`, `\r`,
	"$", "$A", "$B", "${A}", "${B:-x}", "${C", "$A}", "${B:-$A}", "\\$", "$$", "$&", "$'", "$`", "{", "}", ":-", "#", " # note", "\n", "\n", "\n", "\r\n", "\r",
	" ", "\t", "\v", "\u00a0", "\ufeff", "x", "y z", "é", "0", "-", ".", "\u2003",
}

func randomCase(r *rand.Rand) nextCase {
	c := nextCase{Env: map[string]string{}}
	if r.IntN(3) == 0 {
		c.Env[[]string{"A", "B", "D"}[r.IntN(3)]] = []string{"", "env", "$B", "a$$b"}[r.IntN(4)]
	}
	for i := range 1 + r.IntN(3) {
		var b strings.Builder
		for range r.IntN(25) {
			b.WriteString(pieces[r.IntN(len(pieces))])
			if r.IntN(6) == 0 {
				b.WriteString("\n" + []string{"A=", "B=", "C: "}[r.IntN(3)])
			}
		}
		c.Files = append(c.Files, nextFile{Name: fmt.Sprintf("f%d", i), Content: b.String()})
	}
	return c
}
