package openaitest_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"claviger.dev/claviger/openaitest"
)

// FuzzSatisfy looks for schemas that give no JSON, or no end of it.
func FuzzSatisfy(f *testing.F) {
	person, err := json.Marshal(personSchema(), json.Deterministic(true))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		string(person), "true", "{}", `{"type":"integer","minimum":5,"maximum":4}`, `{"type":"number","multipleOf":1e308,"minimum":1e300}`,
		`{"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"$ref":"#"}},"required":["a","b","c"]}`,
		`{"$ref":"#"}`, `{"allOf":[{"$ref":"#/$defs/x"}],"$defs":{"x":{"allOf":[{"$ref":"#/$defs/x"}]}}}`,
		`{"type":"array","minItems":1000,"items":{"type":"array","minItems":1000,"items":{"type":"array","minItems":1000}}}`,
		`{"enum":[]}`, `{"anyOf":[]}`, `{"type":[]}`, `{"type":"string","minLength":-3,"maxLength":-4}`, `{"type":"array","maxItems":-1}`,
	} {
		f.Add([]byte(s), "How do bees find flowers?")
	}
	f.Fuzz(func(t *testing.T, schema []byte, prompt string) {
		if !jsontext.Value(schema).IsValid() || len(schema) > 4096 {
			return
		}
		out := openaitest.Satisfy(schema, strings.ToValidUTF8(prompt, ""))
		if !jsontext.Value(out).IsValid() {
			t.Fatalf("%s gives %.300s", schema, out)
		}
		if len(out) > 4<<20 {
			t.Fatalf("%s gives %d bytes", schema, len(out))
		}
	})
}

// FuzzSplit looks for texts that deltas do not add up to.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "one", " two words ", "a\n\n b", strings.Repeat("x", 200), "日本語"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		deltas := openaitest.Split(text)
		if strings.Join(deltas, "") != text {
			t.Fatalf("%q becomes %q", text, deltas)
		}
		for _, d := range deltas {
			if d == "" || len(strings.Fields(d)) > 1 {
				t.Fatalf("%q has the delta %q", text, d)
			}
		}
	})
}

// FuzzRequests looks for bodies that break the simulation.
func FuzzRequests(f *testing.F) {
	paths := []string{
		"/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/moderations", "/v1/conversations", "/v1/vector_stores", "/v1/uploads",
		"/v1/images/generations", "/v1/images/edits", "/v1/audio/speech",
	}
	for _, r := range refusals() {
		raw, err := json.Marshal(r.body)
		if s, ok := r.body.(string); ok {
			raw, err = []byte(s), nil
		}
		if err != nil {
			f.Fatal(err)
		}
		for i := range paths {
			f.Add(byte(i), raw)
		}
	}
	sim := openaitest.New(openaitest.Options{Delta: -1, PromptFaults: false})
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		if len(body) > 4096 || bytes.Contains(bytes.ToLower(body), []byte("write ")) {
			return // long answers are no news
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, paths[int(which)%len(paths)], bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+sim.Key())
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		sim.ServeHTTP(w, req)
		if w.Code != 200 && (w.Code < 400 || w.Code > 499) {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !jsontext.Value(w.Body.Bytes()).IsValid() {
			t.Fatalf("not JSON: %s", w.Body)
		}
	})
}
