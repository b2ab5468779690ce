package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// FuzzLoad holds Load to this for any bytes: it does not panic, what it refuses
// has a message that tells no planted secret, and what it takes the schema takes
// too, and it can be printed and read again.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	broken, err2 := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || err2 != nil {
		f.Fatal(err, err2)
	}
	for _, file := range append(files, broken...) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, len(b)/2)
	}
	key, schema := fakeKey(), compiled(f)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		// The secret may stand anywhere, also inside of a word.
		at = max(0, min(at, len(data)))
		plant := string(data[:at]) + key + string(data[at:])
		for _, text := range []string{string(data), strings.ReplaceAll(string(data), "{{KEY}}", key), plant} {
			fuzzLoad(t, schema, text, key)
		}
	})
}

func fuzzLoad(t *testing.T, schema *jsonschema.Schema, text, key string) {
	t.Helper()
	c, err := Load("claviger.yaml", []byte(text), nil)
	if err != nil {
		ps, ok := errors.AsType[Problems](err)
		if !ok || len(ps) == 0 {
			t.Fatalf("refused without problems: %v", err)
		}
		for _, p := range ps {
			if p.Message == "" || p.File == "" {
				t.Fatalf("no message or no place: %+v", p)
			}
			if strings.Contains(p.String(), key) {
				t.Fatalf("the secret is told: %s", strings.ReplaceAll(p.String(), key, "KEY"))
			}
		}
		return
	}
	v, ok := asJSON(t, text)
	if err := schema.Validate(v); !ok || err != nil {
		t.Fatalf("the schema refuses what loads: %v, %v", ok, err)
	}
	var b strings.Builder
	if err := Print(&b, c); err != nil {
		t.Fatal(err)
	}
	if looksSecret(text) || strings.Contains(b.String(), key) && looksSecret(b.String()) {
		t.Fatal("a file with a key in it is taken")
	}
	again, err := Load("claviger.yaml", []byte(b.String()), nil)
	if err != nil {
		t.Fatalf("what was printed is refused: %v\n%s", err, b.String())
	}
	if d := equal(c, again); d != "" {
		t.Fatalf("what was printed is read as something else:\n%s", d)
	}
}

func BenchmarkLoad(b *testing.B) {
	data := sample(b, "everything.yaml")
	for b.Loop() {
		if _, err := Load("claviger.yaml", data, nil); err != nil {
			b.Fatal(err)
		}
	}
}
