package upstream

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What the upstream says has the shape that OpenAI's own document gives it: a
// gateway that rebuilds answers by allow list finds all that it looks for.
func TestShapes(t *testing.T) {
	const path = "../../../shared/openapi/openai.json"
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("NOT TESTED: OpenAI's OpenAPI document is not there: %v", err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	admitNull(doc)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2019) // the document says 2020-12 and uses "$recursiveAnchor" of the one before
	if err := c.AddResource("openai.json", doc); err != nil {
		t.Fatal(err)
	}
	check := func(schema string, texts ...string) {
		t.Helper()
		s, err := c.Compile("openai.json#/components/schemas/" + schema)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v in %s", schema, err, text)
			}
			if err := s.Validate(v); err != nil {
				t.Errorf("%s: %v\n%s", schema, err, text)
			}
		}
	}
	check("CreateChatCompletionResponse", chatAnswer())
	check("Response", responsesAnswer())
	for _, usage := range []bool{false, true} {
		// The document's prose has null here, until the last chunk; its schema does not.
		all := strings.ReplaceAll(strings.Join(chatEvents(usage), ""), `,"usage":null`, "")
		chat := frames(t, all)
		check("CreateChatCompletionStreamResponse", chat[:len(chat)-1]...)
	}
	// Here the schema does not know that a response without an end has no usage.
	all := strings.ReplaceAll(strings.Join(responsesEvents(), ""), `"usage":null,`, "")
	check("ResponseStreamEvent", frames(t, all)...)
}

// admitNull turns "nullable", which the document has from an older version of
// OpenAPI in places, into what a validator of today knows.
func admitNull(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			admitNull(e)
		}
	case map[string]any:
		for _, e := range v {
			admitNull(e)
		}
		kind, plain := v["type"].(string)
		if v["nullable"] != true || !plain {
			return
		}
		v["type"] = []any{kind, "null"}
		if values, ok := v["enum"].([]any); ok {
			v["enum"] = append(values, nil)
		}
	}
}
