package action

import (
	"strings"
	"sync"
	"testing"

	"claviger.dev/claviger"
)

func TestDefaultPrompt(t *testing.T) {
	a := generate(t)
	long := strings.Repeat("ä", DefaultMaxLength)
	for _, tt := range []struct {
		name, body string
		want       string // the user message, or
		code       claviger.Code
		sentence   string
		field      string
	}{
		{name: "plain", body: `{"prompt":"Hello"}`, want: "Hello"},
		{name: "white space around stays", body: " {\"prompt\":\" Hello\\n\"}\n", want: " Hello\n"},
		{name: "braces are text", body: `{"prompt":"{{prompt}} {{x"}`, want: "{{prompt}} {{x"},
		{name: "controls and emoji", body: `{"prompt":"a\u0000\u0007\ud83d\ude00"}`, want: "a\x00\a😀"},
		{name: "longest, in code points", body: `{"prompt":"` + long + `"}`, want: long},
		{name: "longest, as escapes", body: `{"prompt":"` + strings.Repeat(`\ud83d\ude00`, DefaultMaxLength) + `"}`, want: strings.Repeat("😀", DefaultMaxLength)},

		{name: "one too long", body: `{"prompt":"` + long + `x"}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "empty", body: `{"prompt":""}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "white space", body: `{"prompt":" \t\n\u00a0\u2003"}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "byte order mark as white space", body: `{"prompt":" \ufeff "}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "missing", body: `{}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "null", body: `{"prompt":null}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "number", body: `{"prompt":5}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "endless number", body: `{"prompt":1e999999999}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "array", body: `{"prompt":["x"]}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "object", body: `{"prompt":{"toString":"x"}}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "other case", body: `{"Prompt":"x"}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "other name", body: `{"text":"x"}`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "unknown property", body: `{"prompt":"x","model":"o3"}`, code: claviger.CodeInvalidInput, sentence: "Invalid model", field: "model"},
		{name: "first of two unknown", body: `{"zeta":1,"prompt":"x","alpha":1}`, code: claviger.CodeInvalidInput, sentence: "Invalid zeta", field: "zeta"},
		{name: "hostile property", body: `{"prompt":"x","<script>alert(1)</script>":1}`, code: claviger.CodeInvalidInput, sentence: "Invalid input", field: "input"},
		{name: "long property", body: `{"prompt":"x","` + strings.Repeat("a", 65) + `":1}`, code: claviger.CodeInvalidInput, sentence: "Invalid input", field: "input"},
		{name: "empty property", body: `{"prompt":"x","":1}`, code: claviger.CodeInvalidInput, sentence: "Invalid input", field: "input"},

		{name: "no body", body: ``, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "blank body", body: " \n", code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "array body", body: `[]`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "string body", body: `"x"`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},
		{name: "null body", body: `null`, code: claviger.CodeInvalidInput, sentence: "Invalid prompt", field: "prompt"},

		{name: "no JSON", body: `prompt=x`, code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "cut", body: `{"prompt":"x"`, code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "two values", body: `{"prompt":"x"}{}`, code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "twice", body: `{"prompt":"x","prompt":"y"}`, code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "twice by escape", body: `{"prompt":"x","\u0070rompt":"y"}`, code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "byte order mark", body: "\ufeff{\"prompt\":\"x\"}", code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "bad UTF-8", body: "{\"prompt\":\"\xff\"}", code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "lone surrogate", body: `{"prompt":"\ud800"}`, code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "comment", body: `{"prompt":"x"/**/}`, code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
		{name: "too deep", body: strings.Repeat("[", 65) + strings.Repeat("]", 65), code: claviger.CodeInvalidJSON, sentence: "Invalid JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := a.Bind([]byte(tt.body))
			if tt.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := prompt(t, b); got != tt.want {
					t.Errorf("got %.60q, want %.60q", got, tt.want)
				}
				return
			}
			e := refusalOf(t, err)
			if b != nil || e.Code != tt.code || e.Sentence() != tt.sentence || e.Param != tt.field || e.HTTPStatus() != 400 {
				t.Errorf("got %d %s %q %q", e.HTTPStatus(), e.Code, e.Sentence(), e.Param)
			}
		})
	}
}

const rich = `{
	"type": "object", "required": ["text", "language"],
	"properties": {
		"language": {"enum": ["de", "en"]},
		"words": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
		"formal": {"type": "boolean"},
		"warmth": {"type": ["number", "null"]},
		"text": {"type": "string", "maxLength": 100},
		"tags": {"type": "array", "items": {"type": "string", "maxLength": 5}, "uniqueItems": true, "maxItems": 3},
		"mail": {"type": "string", "format": "email"},
		"code": {"type": "string", "pattern": "^[A-Z]{3}$"},
		"who": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
		"until": {"type": "string", "format": "date"}
	},
	"dependentRequired": {"code": ["mail"]}
}`

func TestOffendingProperty(t *testing.T) {
	a := generate(t, withInput(t, rich))
	const ok = `"text":"x","language":"de"`
	for body, want := range map[string]string{
		`{}`:                                                   "language", // first in the schema's order, not in that of required
		`[]`:                                                   "language",
		`{"language":"fr","text":5}`:                           "language",
		`{"text":5,"language":"fr"}`:                           "language",
		`{"language":"de"}`:                                    "text",
		`{"language":"de","text":" "}`:                         "text",
		`{` + ok + `,"words":0}`:                               "words",
		`{` + ok + `,"words":1.5}`:                             "words",
		`{` + ok + `,"words":"5"}`:                             "words",
		`{` + ok + `,"formal":"yes"}`:                          "formal",
		`{` + ok + `,"warmth":"hot"}`:                          "warmth",
		`{` + ok + `,"tags":["a","a"]}`:                        "tags",
		`{` + ok + `,"tags":["abcdef"]}`:                       "tags",
		`{` + ok + `,"tags":["1","2","3","4"]}`:                "tags",
		`{` + ok + `,"mail":"nobody"}`:                         "mail",
		`{` + ok + `,"mail":"a@b.example","code":"abc"}`:       "code",
		`{` + ok + `,"code":"ABC"}`:                            "mail", // wanted beside code
		`{` + ok + `,"who":{}}`:                                "who",
		`{` + ok + `,"who":{"name":5}}`:                        "who",
		`{` + ok + `,"until":"tomorrow"}`:                      "until",
		`{` + ok + `,"until":"x","mail":"x","zzz":1}`:          "mail",
		`{"zzz":1,` + ok + `}`:                                 "zzz",
		`{` + ok + `,"words":` + strings.Repeat("1", 65) + `}`: "language", // refused before the schema
	} {
		_, err := a.Bind([]byte(body))
		if err == nil {
			t.Errorf("%s must be refused", body)
			continue
		}
		if e := refusalOf(t, err); e.Sentence() != "Invalid "+want || e.Param != want {
			t.Errorf("%s: got %q, want %q", body, e.Sentence(), want)
		}
	}
}

func TestOffenderWithoutAProperty(t *testing.T) {
	a := generate(t, withInput(t, `{"minProperties":2,"properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"integer"}}}`))
	_, err := a.Bind([]byte(`{"a":1}`))
	if e := refusalOf(t, err); e.Sentence() != "Invalid input" {
		t.Errorf("got %q", e.Sentence())
	}
	alt := generate(t, withInput(t, `{"properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"oneOf":[{"required":["a"]},{"required":["b"]}]}`))
	for body, want := range map[string]string{`{}`: "a", `{"a":1,"b":2}`: "input"} {
		_, err := alt.Bind([]byte(body))
		if e := refusalOf(t, err); e.Param != want {
			t.Errorf("%s: got %q, want %q", body, e.Param, want)
		}
	}
	nothing := generate(t, withInput(t, `{}`))
	_, err = nothing.Bind([]byte(`[]`))
	if e := refusalOf(t, err); e.Sentence() != "Invalid input" {
		t.Errorf("got %q", e.Sentence())
	}
}

func TestUserMessage(t *testing.T) {
	for _, tt := range []struct {
		name, schema, template, body, want string
	}{
		{"one string", `{"properties":{"q":{"type":"string"}}}`, "", `{"q":"hi"}`, "hi"},
		{"one string, absent", `{"properties":{"q":{"type":"string"}}}`, "", `{}`, "{}"},
		{"one string with a default", `{"properties":{"q":{"type":"string","default":"joke"}}}`, "", `{}`, "joke"},
		{"one number", `{"properties":{"n":{"type":"number"}}}`, "", `{"n":1.50}`, `{"n":1.50}`},
		{"one string, others allowed", `{"additionalProperties":true,"properties":{"q":{"type":"string"}}}`, "", `{"q":"hi"}`, `{"q":"hi"}`},
		{"schema's order", `{"properties":{"b":{"type":"string"},"a":{"type":"integer"}}}`, "", `{"a":1, "b":"x\u0001"}`, `{"b":"x\u0001","a":1}`},
		{"others after, in the order sent", `{"additionalProperties":true,"properties":{"b":{"type":"string"}}}`, "", `{"z":1,"y":{"k": []},"b":"x"}`, `{"b":"x","z":1,"y":{"k":[]}}`},
		{"defaults", `{"properties":{"b":{"type":"string"},"n":{"type":"integer","default":7}}}`, "", `{"b":"x"}`, `{"b":"x","n":7}`},
		{"template", `{"properties":{"a":{"type":"string"},"b":{"type":"array"},"c":{"type":"boolean"},"d":{"type":"string"}}}`, "A={{a}} B={{ b }} C={{c}} D={{d}}.", `{"a":"{{b}}","b":[1,"x"],"c":true}`, `A={{b}} B=[1,"x"] C=true D=.`},
		{"template of text alone", `{"properties":{"a":{"type":"boolean"}}}`, "Tell a joke.", `{}`, "Tell a joke."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := generate(t, withInput(t, tt.schema), func(d *Definition) { d.Template = tt.template })
			b, err := a.Bind([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := prompt(t, b); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestInstructionsTakeFixedValues(t *testing.T) {
	a := generate(t, withInput(t, rich), func(d *Definition) {
		d.Instructions = "In {{language}}, {{words}} words, formal: {{formal}}, warmth: {{ warmth }}."
	})
	for body, want := range map[string]string{
		`{"text":"x","language":"de"}`:                                           "In de, 50 words, formal: , warmth: .",
		`{"text":"x","language":"en","words":100,"formal":false,"warmth":null}`:  "In en, 100 words, formal: false, warmth: .",
		`{"text":"x","language":"en","words":1e2,"warmth":-0.50}`:                "In en, 100 words, formal: , warmth: -0.5.",
		`{"text":"{{words}}","language":"en","warmth":0.1000000000000000000001}`: "In en, 50 words, formal: , warmth: 0.1.",
	} {
		b, err := a.Bind([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if got := instructions(t, b); got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", body, got, want)
		}
	}
}

func TestInputIsBounded(t *testing.T) {
	a := generate(t, withInput(t, `{"properties":{"l":{"type":"array","items":{"type":"string"}}}}`))
	for n, fits := range map[int]bool{maxValues - 2: true, maxValues - 1: false, 200000: false} {
		body := `{"l":[` + strings.TrimSuffix(strings.Repeat("5,", n), ",") + `]}`
		_, err := a.Bind([]byte(body))
		e := refusalOf(t, err)
		if e.Param != "l" {
			t.Errorf("%d: got %v", n, err)
		}
		body = `{"l":[` + strings.TrimSuffix(strings.Repeat(`"",`, n), ",") + `]}`
		if _, err := a.Bind([]byte(body)); (err == nil) != fits {
			t.Errorf("%d values: %v", n, err)
		}
	}
}

func TestActionsAreSafeForConcurrentUse(t *testing.T) {
	a := generate(t, withInput(t, rich), withOutput(t, answerSchema), func(d *Definition) { d.Instructions = "{{language}}" })
	var wg sync.WaitGroup
	for _, lang := range []string{"de", "en", "fr", "de"} {
		wg.Go(func() {
			for range 100 {
				b, err := a.Bind([]byte(`{"text":"x","language":"` + lang + `","mail":"a@b.example"}`))
				if (err == nil) != (lang != "fr") || err == nil && instructions(t, b) != lang {
					t.Errorf("%s: %v", lang, err)
				}
				if _, _, err := a.Answer([]byte(response("completed", "null", says(`"{\"n\": 5, \"mood\":\"good\"}"`)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
