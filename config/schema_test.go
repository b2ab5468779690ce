package config

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("claviger.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("claviger.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON reads a file as an editor does.
func asJSON(t testing.TB, text string) (any, bool) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
		return nil, false
	}
	d := newDecoder("")
	v := rawValue(d, "", doc.Content[0], 0)
	return v.Any(), len(d.problems) == 0
}

func TestSchemaTakesWhatLoads(t *testing.T) {
	s := compiled(t)
	texts := map[string]string{"minimal": minimal, "printed": printed(t, mustLoad(t, minimal))}
	for _, name := range []string{"contract.yaml", "everything.yaml", "anchors.yaml"} {
		text := string(sample(t, name))
		texts[name], texts[name+" printed"] = text, printed(t, mustLoad(t, text))
	}
	for name, text := range texts {
		v, ok := asJSON(t, text)
		if !ok {
			t.Fatalf("%s: no JSON", name)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// joined are the broken files in which each key by itself is well formed. They
// break rules that a schema does not know: rules that join keys, names that must
// exist, meaning beyond form.
var joined = []string{
	"human-and-forward", "human-of-nobody",
	"action-kinds", "anonymous-first", "content-limits", "dev-user-in-production", "dev-user-beyond-loopback", "anonymous-unknown-plan", "anonymous-with-empty-limits", "jwt-without-audience", "keys-none-here", "key-process",
	"listen-name", "literal-key-in-comment", "plain-http", "plan-unreachable", "proxy-off", "public-admin", "public-listen", "public-listen-short", "public-prefix",
	"retention-of-nobody", "same-period-twice", "same-port", "service-keys", "services-twice", "share-of-little", "share-of-nothing", "prices-of-tools",
}

// unreadable are the broken files that hold no JSON value at all.
var unreadable = []string{
	"action-numbers", "action-schema", "alias-bomb", "alias-cycle", "backquote", "colon-in-text", "complex-key", "control-character", "counts", "duplicate-keys", "empty", "literal-key-as-key", "literal-key-in-text", "literal-secret", "list-in-mapping", "merge-key", "no-colon", "raw-depth", "secrets-of-many-kinds", "star-alone", "syntax-odd", "tab", "tagged",
	"two-documents", "unclosed-list", "unclosed-quote", "unknown-alias",
}

func TestSchemaRefusesBrokenForms(t *testing.T) {
	s := compiled(t)
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := planted(data)
		v, ok := asJSON(t, text)
		if ok == slices.Contains(unreadable, name) {
			t.Errorf("%s: readable is %v", name, ok)
		}
		if !ok {
			continue
		}
		fails := s.Validate(v) != nil
		if fails == slices.Contains(joined, name) {
			t.Errorf("%s: the schema refuses it: %v", name, fails)
		}
		if fails {
			refused++
		}
	}
	if refused < 45 {
		t.Errorf("only %d files are refused by the schema", refused)
	}
}

// TestDeclarations reads every default and looks for what every key must have.
func TestDeclarations(t *testing.T) {
	keys := 0
	walk(rootKind().shape(), "", func(path string, s *shape) {
		if s.title == "" || len(s.fields) == 0 {
			t.Errorf("%s has no title or no keys", path)
		}
		for _, f := range s.fields {
			keys++
			if f.doc == "" || !strings.HasSuffix(f.doc, ".") {
				t.Errorf("%s.%s: no sentence", path, f.name)
			}
			if f.shape().form == formScalar && f.shape().noun == "" {
				t.Errorf("%s.%s: no noun", path, f.name)
			}
			if f.byDefault != "" && f.required() {
				t.Errorf("%s.%s: a default for a required key", path, f.name)
			}
		}
	})
	if keys < 120 {
		t.Errorf("only %d keys were walked", keys)
	}
	// Every object with its defaults in place, each read by its own rules.
	mustLoad(t, minimal)
	mustLoad(t, string(sample(t, "everything.yaml")))
}

func TestReference(t *testing.T) {
	golden(t, "testdata/reference.golden", Reference())
}
