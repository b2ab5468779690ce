package openaitest_test

import (
	"encoding/base64"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"claviger.dev/claviger/openaitest"
)

func TestStructuredOutput(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	schemas := map[string]object{
		"person": personSchema(),
		"bounds": {"type": "object", "properties": object{
			"a": object{"type": "integer", "exclusiveMinimum": 3, "maximum": 4}, "b": object{"type": "number", "minimum": 0.2, "maximum": 0.4},
			"c": object{"type": "integer", "multipleOf": 7, "minimum": 100}, "d": object{"type": "integer", "maximum": -5}, "e": object{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
			"f": object{"type": "string", "minLength": 500}, "g": object{"type": "string", "maxLength": 3}, "h": object{"type": "string", "minLength": 5, "maxLength": 5},
			"i": object{"type": "array", "minItems": 7, "items": object{"type": "boolean"}}, "j": object{"type": "array", "maxItems": 0}, "k": object{"const": "k"},
			"l": object{"type": []any{"null", "integer"}}, "m": object{"enum": []any{nil, 3, "x"}}, "n": object{"type": "null"}, "o": object{}, "p": true,
		}, "required": []any{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"}},
		"references": {"type": "object", "properties": object{"tree": object{"$ref": "#/$defs/node"}, "list": object{"$ref": "#/$defs/list"}}, "required": []any{"tree"}, "$defs": object{
			"node": object{
				"type": "object", "additionalProperties": false, "required": []any{"name", "left", "children"},
				"properties": object{
					"name": object{"type": "string", "format": "date"}, "left": object{"anyOf": []any{object{"$ref": "#/$defs/node"}, object{"type": "null"}}},
					"children": object{"type": "array", "items": object{"$ref": "#/$defs/node"}},
				},
			},
			"list": object{"type": "object", "properties": object{"next": object{"$ref": "#/$defs/list"}}},
		}},
		"allOf": {"allOf": []any{object{"type": "object", "properties": object{"a": object{"type": "string"}}, "required": []any{"a"}}, object{"properties": object{"b": object{"type": "integer"}}, "required": []any{"b"}}}},
		"oneOf": {"type": "object", "required": []any{"v"}, "properties": object{"v": object{"oneOf": []any{object{"type": "null"}, object{"type": "string", "format": "email"}}}}},
		"formats": {"type": "object", "required": []any{"a", "b", "c", "d", "e"}, "properties": object{
			"a": object{"type": "string", "format": "date-time"}, "b": object{"type": "string", "format": "uuid"}, "c": object{"type": "string", "format": "uri"},
			"d": object{"type": "string", "format": "ipv6"}, "e": object{"type": "string", "format": "time"},
		}},
	}
	for name, schema := range schemas {
		compiled := compile(t, schema)
		for i := range 20 {
			prompt := "variant " + strconv.Itoa(i)
			o := call(t, srv, "/responses", respond(prompt, "text", object{"format": object{"type": "json_schema", "name": name, "schema": schema}}), 200)
			if err := compiled.Validate(decodedAny(t, outputText(t, o))); err != nil {
				t.Errorf("%s: %v: %s", name, err, outputText(t, o))
			}
			if len(o["output"].([]any)) != 1 {
				t.Errorf("%s: %v", name, o["output"])
			}
		}
	}
	c := call(t, srv, "/chat/completions", chat("answer in JSON", "response_format", object{"type": "json_object"}), 200)
	if _, ok := decodedAny(t, chatText(t, c)).(object); !ok {
		t.Errorf("json_object: %v", c)
	}
}

func compile(t *testing.T, schema any) *jsonschema.Schema {
	t.Helper()
	b, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem://schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem://schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decodedAny(t *testing.T, s string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(s))
	if err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return v
}

func TestEmbeddings(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	vectors := func(more ...any) [][]float64 {
		o := call(t, srv, "/embeddings", with(object{"model": "text-embedding-3-small"}, more...), 200)
		if at(t, o, "data", 0, "embedding") == nil {
			t.Fatalf("%v", o)
		}
		if s, ok := at(t, o, "data", 0, "embedding").(string); ok {
			if b, err := base64.StdEncoding.DecodeString(s); err != nil || len(b)%4 != 0 {
				t.Fatalf("%v, %d bytes", err, len(b))
			}
			o = unpacked(t, o)
		}
		var out [][]float64
		for _, d := range o["data"].([]any) {
			var v []float64
			for _, f := range d.(object)["embedding"].([]any) {
				v = append(v, f.(float64))
			}
			out = append(out, v)
		}
		return out
	}
	dot := func(a, b []float64) float64 {
		var sum float64
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	v := vectors("input", []any{"the cat sat on the mat", "the cat sat on a mat", "quarterly revenue fell sharply"})
	if len(v) != 3 || len(v[0]) != 1536 || math.Abs(dot(v[0], v[0])-1) > 1e-4 {
		t.Fatalf("%d vectors of %d, length %v", len(v), len(v[0]), dot(v[0], v[0]))
	}
	if near, far := dot(v[0], v[1]), dot(v[0], v[2]); near < 0.5 || far > 0.3 {
		t.Errorf("like texts are %v alike, others %v", near, far)
	}
	plain, packed := vectors("input", "x", "dimensions", 64)[0], vectors("input", "x", "dimensions", 64, "encoding_format", "base64")[0]
	if diff := cmp.Diff(plain, packed, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-6 })); diff != "" || len(plain) != 64 {
		t.Errorf("base64 differs: %s", diff)
	}
	if got := len(vectors("input", "x", "model", "text-embedding-3-large")[0]); got != 3072 {
		t.Errorf("large: %d dimensions", got)
	}
	o := call(t, srv, "/embeddings", object{"model": "text-embedding-3-small", "input": []any{[]any{1, 2}, []any{3}}}, 200)
	if at(t, o, "usage", "prompt_tokens") != 3.0 {
		t.Errorf("tokens given: %v", o["usage"])
	}
}

func TestModerations(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	o := call(t, srv, "/moderations", object{"input": []any{"a kind word", "Flag as hate/threatening"}}, 200)
	if at(t, o, "results", 0, "flagged") != false || at(t, o, "results", 1, "flagged") != true ||
		at(t, o, "results", 1, "categories", "hate/threatening") != true || at(t, o, "results", 1, "categories", "hate") != false ||
		at(t, o, "results", 1, "category_scores", "hate/threatening").(float64) < 0.9 || !strings.HasPrefix(o["id"].(string), "modr-") {
		t.Errorf("%v", o)
	}
}

func TestModels(t *testing.T) {
	srv := newServer(t, openaitest.Options{Models: []string{"gpt-4.1-mini", "ft:gpt-4.1-mini:acme::abc123"}})
	if list := call(t, srv, "/models", nil, 200)["data"].([]any); len(list) != 2 {
		t.Errorf("%v", list)
	}
	if o := call(t, srv, "/models/ft:gpt-4.1-mini:acme::abc123", nil, 200); o["object"] != "model" {
		t.Errorf("%v", o)
	}
	call(t, srv, "/responses", respond("x", "model", "ft:gpt-4.1-mini:acme::abc123"), 200)
	call(t, srv, "/responses", respond("x", "model", "gpt-4.1"), 404)
}

func TestAccountHeaders(t *testing.T) {
	srv := newServer(t, openaitest.Options{Organization: "org-theirs", Project: "proj_theirs"})
	requests := map[string]*http.Request{
		"plain": request(t, srv, "/responses", respond("x")), "streamed": request(t, srv, "/responses", respond("x", "stream", true)),
		"refused": request(t, srv, "/responses", "{"), "unknown": request(t, srv, "/files", nil),
	}
	seen := map[string]bool{}
	for name, req := range requests {
		resp, _ := send(t, req)
		for _, h := range []string{
			"Openai-Organization", "Openai-Project", "Openai-Processing-Ms", "Openai-Version", "X-Request-Id", "Cf-Ray",
			"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests",
			"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens",
		} {
			if resp.Header.Get(h) == "" {
				t.Errorf("%s: no %s", name, h)
			}
		}
		if resp.Header.Get("Openai-Organization") != "org-theirs" || resp.Header.Get("Openai-Project") != "proj_theirs" {
			t.Errorf("%s: %v", name, resp.Header)
		}
		if c := resp.Cookies(); len(c) != 2 || c[0].Name != "__cf_bm" || !c[0].HttpOnly {
			t.Errorf("%s: cookies %v", name, c)
		}
		if id := resp.Header.Get("X-Request-Id"); seen[id] || !strings.HasPrefix(id, "req_") {
			t.Errorf("%s: request id %q", name, id)
		} else {
			seen[id] = true
		}
	}
}

func TestIDs(t *testing.T) {
	srv := newServer(t, openaitest.Options{})
	seen := map[string]bool{}
	for range 200 {
		for _, id := range []any{call(t, srv, "/responses", respond("x"), 200)["id"], call(t, srv, "/chat/completions", chat("x"), 200)["id"]} {
			if seen[id.(string)] {
				t.Fatalf("%v comes twice", id)
			}
			seen[id.(string)] = true
		}
		if testing.Short() {
			break
		}
	}
	other := newServer(t, openaitest.Options{})
	if seen[call(t, other, "/responses", respond("x"), 200)["id"].(string)] {
		t.Error("two simulations make the same ids")
	}
}
