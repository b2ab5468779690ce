package dotenv

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parseTable is also given to @next/env by TestAsNext.
var parseTable = []struct {
	name, in string
	want     []Entry
}{
	{"plain", "A=1\nB=two words \n", []Entry{{"A", "1", 1, 0}, {"B", "two words", 2, 0}}},
	{"empty", "A=\nB=''\n", []Entry{{"A", "", 1, 0}, {"B", "", 2, '\''}}},
	{"comment", "# A=1\nA=1 # one\nB=a#b\nC='a#b' # c", []Entry{{"A", "1", 2, 0}, {"B", "a", 3, 0}, {"C", "a#b", 4, '\''}}},
	{"export", "export A=1\nexport=2\nexport B: 3", []Entry{{"A", "1", 1, 0}, {"export", "2", 2, 0}, {"B", "3", 3, 0}}},
	{"colon", "A: 1\nB:2\n", []Entry{{"A", "1", 1, 0}}},
	{"windows", "A=1\r\nB=2\r\n", []Entry{{"A", "1", 1, 0}, {"B", "2", 2, 0}}},
	{"escapes", `A="x\ny\rz"` + "\n" + `B='x\ny'`, []Entry{{"A", "x\ny\rz", 1, '"'}, {"B", `x\ny`, 2, '\''}}},
	{"several lines", "A=\"x\ny\"\nB=3", []Entry{{"A", "x\ny", 1, '"'}, {"B", "3", 3, 0}}},
	{"key in lines", "KEY=\"-----BEGIN\nabc\n-----END\"\nB=3", []Entry{{"KEY", "-----BEGIN\nabc\n-----END", 1, '"'}, {"B", "3", 4, 0}}},
	{"backtick", "A=`it's \"x\"`", []Entry{{"A", `it's "x"`, 1, '`'}}},
	{"quote inside", `A='it\'s'`, []Entry{{"A", `it\'s`, 1, '\''}}},
	{"unclosed", "A=\"x\nB=2", []Entry{{"A", `"x`, 1, 0}, {"B", "2", 2, 0}}},
	{"behind a quote", `A="x" y`, []Entry{{"A", `"x" y`, 1, 0}}},
	{"value on the next line", "A=\n\"x\"\nB=1", []Entry{{"A", "x", 1, '"'}, {"B", "1", 3, 0}}},
	{"name on the line before", "A\n=1", []Entry{{"A", "1", 1, 0}}},
	{"again", "A=1\nA=2", []Entry{{"A", "1", 1, 0}, {"A", "2", 2, 0}}},
	{"no assignment", "hello\nx y=x\n1 2=3\nA=4", []Entry{{"A", "4", 4, 0}}},
	{"byte order mark", "\ufeffA=1", []Entry{{"A", "1", 1, 0}}},
	{"odd spaces", "\u00a0A\u2003=\u00a01\u00a0", []Entry{{"A", "1", 1, 0}}},
	{"nothing", "", nil},
}

func TestParse(t *testing.T) {
	for _, c := range parseTable {
		t.Run(c.name, func(t *testing.T) {
			if got := Parse([]byte(c.in)); !slices.Equal(got, c.want) {
				t.Errorf("%q\n got %+v\nwant %+v", c.in, got, c.want)
			}
		})
	}
}

// loadTable is also given to @next/env by TestAsNext.
var loadTable = []struct {
	name  string
	env   map[string]string
	files []string
	want  map[string]string
}{
	{"the first file decides", nil, []string{"A=1", "A=2\nB=3"}, map[string]string{"A": "1", "B": "3"}},
	{"the process decides", map[string]string{"A": "p"}, []string{"A=1\nB=$A"}, map[string]string{"B": "p"}},
	{"set and empty is set", map[string]string{"A": ""}, []string{"A=1"}, map[string]string{}},
	{"references", nil, []string{"A=1\nB=$A\nC=${A}x\nD=${E:-five}\nF=${A:-no}"}, map[string]string{"A": "1", "B": "1", "C": "1x", "D": "five", "F": "no"}},
	{"forward", nil, []string{"B=$A\nA=1"}, map[string]string{"A": "1", "B": "1"}},
	{"chain", nil, []string{"A=1\nB=$A$A\nC=$B$B"}, map[string]string{"A": "1", "B": "11", "C": "1111"}},
	{"escape", nil, []string{`A=a\$b`, `B=$A`}, map[string]string{"A": "a$b", "B": "a"}},
	{"single quotes expand too", nil, []string{"A=1\nB='$A'"}, map[string]string{"A": "1", "B": "1"}},
	{"unknown is empty", nil, []string{"A=x${NOPE}y"}, map[string]string{"A": "xy"}},
	{"later files see earlier ones", nil, []string{"A=1", "B=$A"}, map[string]string{"A": "1", "B": "1"}},
	{"a lone sign ends it", nil, []string{"A=1\nB=$A costs $ 5"}, map[string]string{"A": "1", "B": "$A costs $ 5"}},
	{"dollar in a value", map[string]string{"P": "a$$b"}, []string{"A=${P}"}, map[string]string{"A": "a"}},
}

func TestLoad(t *testing.T) {
	for _, c := range loadTable {
		t.Run(c.name, func(t *testing.T) {
			var files []File
			for _, f := range c.files {
				files = append(files, File{Name: ".env", Content: []byte(f)})
			}
			got, err := Load(files, func(n string) (string, bool) { v, ok := c.env[n]; return v, ok })
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for name, want := range c.want {
				if got[name].Value != want {
					t.Errorf("%s = %q, want %q", name, got[name].Value, want)
				}
			}
		})
	}
}

func TestLoadPositions(t *testing.T) {
	got, err := Load([]File{{Private, []byte("\n\nA=1")}, {".env", []byte("A=0\nB=2")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Var{"A", "1", Private, 3}); got["A"] != want {
		t.Errorf("got %v, want %v", got["A"], want)
	}
	if want := (Var{"B", "2", ".env", 2}); got["B"] != want {
		t.Errorf("got %v, want %v", got["B"], want)
	}
}

func TestLoadEndless(t *testing.T) {
	canary := "canary" + strings.Repeat("x", 20)
	for _, in := range []string{
		"A=${A}" + canary, "A=${B}\nB=${A}" + canary, "B=1\nA=x" + canary + "$A$A",
		"A=" + strings.Repeat("$B", 1500),
	} {
		_, err := Load([]File{{".env", []byte(in)}}, nil)
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Fatalf("%.40q: got %v, want an *Error", in, err)
		}
		if e.File != ".env" || e.Line == 0 || e.Name == "" {
			t.Errorf("%.40q: the error does not say where: %v", in, e)
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".env", "A=env")
	write(".env.development", "A=dev")
	write(".env.local", "A=local")
	write(".env.development.local", "A=devlocal")
	write(Private, "A=private")
	for len(Names("development")) > 0 {
		files, err := Read(dir, Names("development"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			break
		}
		vars, err := Load(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		if vars["A"].File != files[0].Name {
			t.Errorf("A comes from %s, want %s", vars["A"].File, files[0].Name)
		}
		order := Names("development")
		if !slices.IsSortedFunc(files, func(a, b File) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) }) {
			t.Errorf("order of files: %v", files)
		}
		if err := os.Remove(filepath.Join(dir, files[0].Name)); err != nil {
			t.Fatal(err)
		}
	}
	write(".env", strings.Repeat("x", maxFile+1))
	if _, err := Read(dir, Names("development")); err == nil {
		t.Error("a file that is too large was read")
	}
	if err := os.Mkdir(filepath.Join(dir, ".env.local"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir, []string{".env.local"}); err == nil {
		t.Error("a folder was read as a file")
	}
	if slices.Contains(Names("test"), ".env.local") {
		t.Error(".env.local counts in tests")
	}
}

func FuzzLoad(f *testing.F) {
	for _, c := range parseTable {
		f.Add([]byte(c.in), []byte(""))
	}
	for _, c := range loadTable {
		f.Add([]byte(c.files[0]), []byte(c.files[len(c.files)-1]))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a)+len(b) > 8<<10 {
			return
		}
		lines := strings.Count(string(a), "\n") + strings.Count(string(a), "\r") + 1
		last := 0
		for _, e := range Parse(a) {
			if e.Name == "" || e.Line <= 0 || e.Line > lines || e.Line < last {
				t.Fatalf("entry %q, line %d of %d after %d", e.Name, e.Line, lines, last)
			}
			last = e.Line
		}
		vars, err := Load([]File{{"a", a}, {"b", b}}, nil)
		if (err != nil) == (vars != nil) {
			t.Fatalf("variables %v and error %v", vars, err)
		}
		for name, v := range vars {
			if v.Name != name || v.Line == 0 || len(v.Value) > maxValue {
				t.Fatalf("%s: %+v", name, v)
			}
		}
	})
}
