package action

import (
	"errors"
	"io"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// value parses JSON that a test wrote.
func value(t tester, s string) jsonx.Value {
	t.Helper()
	if s == "" {
		return jsonx.Value{}
	}
	v, err := jsonx.Parse([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// generate is the action of the contract's example.
func generate(t tester, change ...func(*Definition)) *Action {
	t.Helper()
	d := Definition{Name: "generate-text", Path: "/api/ai/generate", Model: "gpt-4.1-mini", Instructions: "Answer in one short paragraph."}
	for _, f := range change {
		f(&d)
	}
	a, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func withInput(t tester, schema string) func(*Definition) {
	return func(d *Definition) { d.Input = value(t, schema) }
}

func withOutput(t tester, schema string) func(*Definition) {
	return func(d *Definition) { d.Output = value(t, schema) }
}

func chatty(d *Definition) {
	*d = Definition{Name: "assistant", Kind: KindChat, Model: "gpt-4.1-mini", Instructions: "Be brief."}
}

func refusalOf(t tester, err error) *claviger.Error {
	t.Helper()
	e, ok := errors.AsType[*claviger.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *claviger.Error", err)
	}
	return e
}

// sent is the upstream body of a bound input.
func sent(t tester, b *Bound, o ...claviger.Obligation) jsonx.Value {
	t.Helper()
	c, err := b.Write(o, "user-hash", false)
	if err != nil {
		t.Fatal(err)
	}
	return value(t, read(t, c))
}

func read(t tester, c claviger.Call) string {
	t.Helper()
	r := c.Body.Open()
	defer r.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(out)) != c.Body.Len() {
		t.Fatalf("the body has %d bytes and says %d", len(out), c.Body.Len())
	}
	return string(out)
}

// prompt is the text of the last user message that goes upstream.
func prompt(t tester, b *Bound) string {
	t.Helper()
	body := sent(t, b)
	input, _ := body.Get("input")
	last := input.Elems()[input.Len()-1]
	if role, _ := last.Get("role"); !role.Is("user") {
		t.Fatal("the last message must be the user's")
	}
	content, _ := last.Get("content")
	return content.Str()
}

func instructions(t tester, b *Bound) string {
	t.Helper()
	body := sent(t, b)
	v, _ := body.Get("instructions")
	return v.Str()
}

func show(v jsonx.Value) string { return string(jsonx.Append(nil, v)) }

func equal(a, b jsonx.Value) bool { return show(a) == show(b) }
