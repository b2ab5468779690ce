package jsonx_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/quick"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"claviger.dev/claviger/internal/jsonx"
)

// accepted are texts that Parse takes, with the canonical text that it makes.
// The cases follow the classes of JSONTestSuite and RFC 8259.
var accepted = []struct{ in, want string }{
	{`null`, `null`},
	{" \t\r\n true \n", `true`},
	{`false`, `false`},
	{`0`, `0`},
	{`-0`, `-0`},
	{`0.0`, `0.0`},
	{`-1.50e+007`, `-1.50e+007`},
	{`1E400`, `1E400`},
	{`123456789012345678901234567890`, `123456789012345678901234567890`},
	{`0.1000000000000000055511151231257827021181583404541015625`, `0.1000000000000000055511151231257827021181583404541015625`},
	{`""`, `""`},
	{`"a\/b"`, `"a/b"`},
	{`"\u0041\u00e9\u6f22"`, `"Aé漢"`},
	{`"\uD834\uDD1E"`, `"𝄞"`},
	{`"\u0000\u001f\u007f"`, `"\u0000\u001f` + "\x7f" + `"`},
	{`"\b\f\n\r\t\"\\"`, `"\b\f\n\r\t\"\\"`},
	{`"\u0008\u000c\u000A\u000d\u0009"`, `"\b\f\n\r\t"`},
	{"\"\u2028\u2029\"", "\"\u2028\u2029\""},
	{`"\ufeff\uffff\ufffd"`, "\"\ufeff\uffff\ufffd\""},
	{`[]`, `[]`},
	{`[ 1 , [ 2 ] , { } ]`, `[1,[2],{}]`},
	{`{"":{"":0}}`, `{"":{"":0}}`},
	{`{"b":1,"a":2,"B":3}`, `{"b":1,"a":2,"B":3}`},
	{`{"\u0061":1,"b":"}]\"{["}`, `{"a":1,"b":"}]\"{["}`},
	{`"\\"`, `"\\"`},
	{`["\\\\","\\\"",","]`, `["\\\\","\\\"",","]`},
}

func TestParseAccepts(t *testing.T) {
	for _, x := range accepted {
		v, err := jsonx.Parse([]byte(x.in))
		if err != nil {
			t.Errorf("Parse(%q): %v", x.in, err)
			continue
		}
		if got := string(jsonx.Append(nil, v)); got != x.want {
			t.Errorf("Parse(%q) is written as %s, want %s", x.in, got, x.want)
		}
	}
}

func nested(n int, open, inner, end string) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
}

var refused = []struct{ name, in, reason, path string }{
	{"nothing", ``, jsonx.ReasonEnd, ""},
	{"space", ` `, jsonx.ReasonEnd, ""},
	{"byte order mark", "\ufeff{}", jsonx.ReasonBOM, ""},
	{"UTF-16", "\xff\xfe{\x00}\x00", "", ""},
	{"trailing value", `{} {}`, jsonx.ReasonSyntax, ""},
	{"trailing comma", `[1,]`, jsonx.ReasonSyntax, ""},
	{"trailing bracket", `[]]`, jsonx.ReasonSyntax, ""},
	{"trailing NUL", "{}\x00", jsonx.ReasonSyntax, ""},
	{"missing value", `{"a":}`, jsonx.ReasonSyntax, ""},
	{"missing colon", `{"a" 1}`, jsonx.ReasonSyntax, ""},
	{"number as name", `{1:1}`, jsonx.ReasonSyntax, ""},
	{"unquoted name", `{a:1}`, jsonx.ReasonSyntax, ""},
	{"single quotes", `['a']`, jsonx.ReasonSyntax, ""},
	{"comment", `[1]/**/`, jsonx.ReasonSyntax, ""},
	{"NaN", `NaN`, jsonx.ReasonSyntax, ""},
	{"Infinity", `[-Infinity]`, jsonx.ReasonSyntax, ""},
	{"upper-case literal", `[True]`, jsonx.ReasonSyntax, ""},
	{"leading zero", `[01]`, jsonx.ReasonSyntax, ""},
	{"leading plus", `[+1]`, jsonx.ReasonSyntax, ""},
	{"bare point", `[1.]`, jsonx.ReasonSyntax, ""},
	{"no integer part", `[.1]`, jsonx.ReasonSyntax, ""},
	{"hexadecimal", `[0x1]`, jsonx.ReasonSyntax, ""},
	{"empty exponent", `[1e]`, jsonx.ReasonSyntax, ""},
	{"two minus signs", `[--1]`, jsonx.ReasonSyntax, ""},
	{"raw line feed", "[\"a\nb\"]", jsonx.ReasonSyntax, ""},
	{"raw NUL", "[\"a\x00b\"]", jsonx.ReasonSyntax, ""},
	{"bad escape", `["\x41"]`, jsonx.ReasonSyntax, ""},
	{"short escape", `["\u12"]`, jsonx.ReasonSyntax, ""},
	{"lone high surrogate", `["\ud800"]`, jsonx.ReasonSyntax, ""},
	{"lone low surrogate", `["\udc00"]`, jsonx.ReasonSyntax, ""},
	{"reversed surrogates", `["\udd1e\ud834"]`, jsonx.ReasonSyntax, ""},
	{"high surrogate and text", `["\ud800a"]`, jsonx.ReasonSyntax, ""},
	{"invalid byte", "[\"\xff\"]", jsonx.ReasonUTF8, ""},
	{"overlong", "[\"\xc0\xaf\"]", jsonx.ReasonUTF8, ""},
	{"surrogate in UTF-8", "[\"\xed\xa0\x80\"]", jsonx.ReasonUTF8, ""},
	{"beyond Unicode", "[\"\xf4\xbf\xbf\xbf\"]", jsonx.ReasonUTF8, ""},
	{"invalid byte in a name", "{\"\xff\":1}", jsonx.ReasonUTF8, ""},
	{"cut string", `["abc`, jsonx.ReasonEnd, ""},
	{"cut escape", `["abc\`, jsonx.ReasonEnd, ""},
	{"cut literal", `[tru`, jsonx.ReasonEnd, ""},
	{"cut object", `{"a":1`, jsonx.ReasonEnd, ""},
	{"duplicate", `{"a":1,"a":1}`, jsonx.ReasonDuplicate, "a"},
	{"duplicate by escape", `{"model":1,"mod\u0065l":2}`, jsonx.ReasonDuplicate, "model"},
	{"duplicate of the empty name", `{"":1,"":2}`, jsonx.ReasonDuplicate, ""},
	{"duplicate deep down", `{"messages":[{"role":1},{"role":1,"role":2}]}`, jsonx.ReasonDuplicate, "messages[1].role"},
	{"duplicate of a large object", `{` + manyNames(100) + `,"n7":0}`, jsonx.ReasonDuplicate, "n7"},
	{"65 arrays", nested(65, "[", "", "]"), jsonx.ReasonDepth, ""},
	{"65 objects", nested(65, `{"a":`, "1", "}"), jsonx.ReasonDepth, ""},
	{"a hundred thousand arrays", strings.Repeat("[", 100_000), jsonx.ReasonDepth, ""},
	{"brackets in strings do not hide depth", `["` + strings.Repeat("]", 99) + `",` + nested(64, "[", "", "]") + `]`, jsonx.ReasonDepth, ""},
}

func manyNames(n int) string {
	var s []string
	for i := range n {
		s = append(s, `"n`+string(jsonx.Append(nil, jsonx.Int(int64(i))))+`":1`)
	}
	return strings.Join(s, ",")
}

func TestParseRefuses(t *testing.T) {
	for _, x := range refused {
		t.Run(x.name, func(t *testing.T) {
			v, err := jsonx.Parse([]byte(x.in))
			e, ok := errors.AsType[*jsonx.SyntaxError](err)
			if !ok {
				t.Fatalf("got %v, %v, want a SyntaxError", v, err)
			}
			if !v.IsZero() {
				t.Error("a value came with the error")
			}
			if x.reason != "" && e.Reason != x.reason {
				t.Errorf("reason %q, want %q", e.Reason, x.reason)
			}
			if x.path != "" && e.Path != x.path {
				t.Errorf("path %q, want %q", e.Path, x.path)
			}
			if e.Offset < 0 || e.Offset > int64(len(x.in)) {
				t.Errorf("offset %d is outside of the text", e.Offset)
			}
		})
	}
}

func TestParseAccepts64Levels(t *testing.T) {
	for _, s := range []string{
		nested(64, "[", "", "]"),
		nested(64, `{"a":`, "1", "}"),
		`["` + strings.Repeat("[", 99) + `\"` + strings.Repeat("{", 99) + `"]`,
		"[" + strings.TrimSuffix(strings.Repeat("[],", 500), ",") + "]",
	} {
		if _, err := jsonx.Parse([]byte(s)); err != nil {
			t.Errorf("%.20s…: %v", s, err)
		}
	}
}

// TestErrorQuotesNothing holds M-D1: a value never reaches an error.
func TestErrorQuotesNothing(t *testing.T) {
	const canary = "canary-in-the-prompt"
	for _, s := range []string{
		`{"a":"` + canary + `","a":1}`, `{"a":"` + canary, `{"a":"` + canary + `\x"}`, `["` + canary + `"` + "\xff]",
		`"` + canary + `" x`, `[` + canary + `]`,
	} {
		_, err := jsonx.Parse([]byte(s))
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", s, err)
		}
		var into struct {
			A int `json:"a"`
		}
		err = jsonx.Unmarshal([]byte(`{"a":"`+canary+`"}`), &into)
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("Unmarshal: %v", err)
		}
	}
}

func TestPathIsPlain(t *testing.T) {
	long := strings.Repeat("x", 200)
	_, err := jsonx.Parse([]byte(`{"é\n` + long + `":{"a":1,"a":2}}`))
	e, ok := errors.AsType[*jsonx.SyntaxError](err)
	if !ok {
		t.Fatal(err)
	}
	if want := "??" + strings.Repeat("x", 61) + "….a"; e.Path != want {
		t.Errorf("path %q, want %q", e.Path, want)
	}
}

func parse(t testing.TB, s string) jsonx.Value {
	t.Helper()
	v, err := jsonx.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAccessors(t *testing.T) {
	v := parse(t, `{"s":"a\"b","n":12,"f":1.5,"e":1e3,"b":true,"z":null,"a":[1,"x",{"k":[]}],"\u006f":{"\"q\"":1}}`)
	get := func(name string) jsonx.Value {
		x, ok := v.Get(name)
		if !ok {
			t.Fatalf("no member %q", name)
		}
		return x
	}
	if s := get("s"); s.Str() != `a"b` || !s.Is(`a"b`) || s.Is(`a\"b`) || s.Kind() != jsonx.KindString {
		t.Errorf("s = %q", s.Str())
	}
	if n, ok := get("n").Int(); !ok || n != 12 {
		t.Errorf("n = %d, %t", n, ok)
	}
	if _, ok := get("e").Int(); ok {
		t.Error("1e3 is no integer literal")
	}
	if f, ok := get("f").Float(); !ok || f != 1.5 || get("f").Literal() != "1.5" {
		t.Errorf("f = %v, %t", f, ok)
	}
	if !get("b").Bool() || get("s").Bool() || !get("z").IsNull() {
		t.Error("booleans and null")
	}
	if a := get("a"); a.Len() != 3 || len(a.Elems()) != 3 || a.Elems()[1].Str() != "x" || a.Members() != nil {
		t.Errorf("a has %d elements", a.Len())
	}
	if o := get("o"); o.Len() != 1 || o.Members()[0].Name != `"q"` {
		t.Errorf("o = %v", o.Members())
	}
	if _, ok := v.Get("S"); ok {
		t.Error("names are compared without case")
	}
	if v.Len() != 8 || len(v.Members()) != 8 {
		t.Errorf("%d members", v.Len())
	}
	var none jsonx.Value
	if !none.IsZero() || none.Kind() != jsonx.KindNone || none.Str() != "" || none.Len() != 0 || none.Elems() != nil {
		t.Error("the zero value is not empty")
	}
	if _, ok := none.Get("a"); ok || string(jsonx.Append(nil, none)) != "null" {
		t.Error("the zero value has members, or is not written as null")
	}
}

func TestCursor(t *testing.T) {
	c := parse(t, `{"skip":[{"deep":"}]"}],"n":{"x":[1,2,[3]],"y":"\\"},"last":0}`).Cursor()
	c.Enter()
	var names []string
	for c.Member() {
		names = append(names, c.Name())
		if c.Name() != "n" {
			c.Skip()
			continue
		}
		c.Enter()
		for c.Member() {
			names = append(names, "n."+c.Name())
			if c.Kind() != jsonx.KindArray {
				names = append(names, c.Value().Str())
				continue
			}
			c.Enter()
			for c.Element() {
				names = append(names, string(jsonx.Append(nil, c.Value())))
			}
		}
	}
	want := []string{"skip", "n", "n.x", "1", "2", "[3]", "n.y", `\`, "last"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	if c.Kind() != jsonx.KindNone {
		t.Error("the cursor is not at the end")
	}
}

func TestAny(t *testing.T) {
	got := parse(t, `{"a":[1,-2.5,9007199254740993,1e999,-1e999,true,null,"x"],"o":{}}`).Any()
	want := map[string]any{
		"a": []any{1.0, -2.5, int64(9007199254740993), math.MaxFloat64, -math.MaxFloat64, true, nil, "x"},
		"o": map[string]any{},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestBuild(t *testing.T) {
	v := jsonx.Object(
		jsonx.Member{Name: "a\n", Value: jsonx.Array(jsonx.Int(-1), jsonx.Float(0.5), jsonx.Bool(true), jsonx.Null(), jsonx.Value{})},
		jsonx.Member{Name: "s", Value: jsonx.String("\x01\"é\xff")},
		jsonx.Member{Name: "n", Value: jsonx.Number("1.00")},
		jsonx.Member{Name: "bad", Value: jsonx.Number("1,2")},
		jsonx.Member{Name: "inf", Value: jsonx.Float(math.Inf(1))},
	)
	want := `{"a\n":[-1,0.5,true,null,null],"s":"\u0001\"é` + "\ufffd" + `","n":1.00,"bad":null,"inf":null}`
	if got := string(jsonx.Append(nil, v)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if w := parse(t, want); w != v {
		t.Error("what was built is not what is parsed from it")
	}
}

func TestMarshalUnmarshal(t *testing.T) {
	type config struct {
		Name string         `json:"name"`
		N    int            `json:"n,omitzero"`
		M    map[string]int `json:"m,omitzero"`
	}
	b, err := jsonx.Marshal(config{Name: "x", M: map[string]int{"b": 1, "a": 2}})
	if err != nil || string(b) != `{"name":"x","m":{"a":2,"b":1}}` {
		t.Fatalf("%s, %v", b, err)
	}
	var got config
	if err := jsonx.Unmarshal(b, &got); err != nil || got.M["a"] != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, x := range []struct{ in, reason, path string }{
		{`{"name":1}`, jsonx.ReasonWrongType, "name"},
		{`{"Name":"x"}`, jsonx.ReasonUnknown, "Name"},
		{`{"name":"x","name":"y"}`, jsonx.ReasonDuplicate, "name"},
		{`{"m":{"k":"x"}}`, jsonx.ReasonWrongType, "m.k"},
		{`{`, jsonx.ReasonEnd, ""},
	} {
		e, ok := errors.AsType[*jsonx.SyntaxError](jsonx.Unmarshal([]byte(x.in), &got))
		if !ok || e.Reason != x.reason || e.Path != x.path {
			t.Errorf("%s: %v, want %s at %q", x.in, e, x.reason, x.path)
		}
	}
	if _, err := jsonx.Marshal(func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

// genValue makes values of every kind.
func genValue(depth int) *rapid.Generator[jsonx.Value] {
	text := rapid.StringMatching(`[a-z"\\/\x00-\x1fé漢𝄞]{0,12}`)
	leaf := rapid.OneOf(
		rapid.Map(text, jsonx.String),
		rapid.Map(rapid.Int64(), jsonx.Int),
		rapid.Map(rapid.Float64(), jsonx.Float),
		rapid.Map(rapid.Bool(), jsonx.Bool),
		rapid.Just(jsonx.Null()),
	)
	if depth == 0 {
		return leaf
	}
	inner := genValue(depth - 1)
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(inner, 0, 5), func(vs []jsonx.Value) jsonx.Value { return jsonx.Array(vs...) }),
		rapid.Map(rapid.MapOfN(text, inner, 0, 5), func(m map[string]jsonx.Value) jsonx.Value {
			var ms []jsonx.Member
			for k, v := range m {
				ms = append(ms, jsonx.Member{Name: k, Value: v})
			}
			return jsonx.Object(ms...)
		}),
	)
}

// rebuild takes a value apart by its accessors and puts it together again.
func rebuild(v jsonx.Value) jsonx.Value {
	switch v.Kind() {
	case jsonx.KindArray:
		var vs []jsonx.Value
		for _, e := range v.Elems() {
			vs = append(vs, rebuild(e))
		}
		return jsonx.Array(vs...)
	case jsonx.KindObject:
		var ms []jsonx.Member
		for _, m := range v.Members() {
			ms = append(ms, jsonx.Member{Name: m.Name, Value: rebuild(m.Value)})
		}
		return jsonx.Object(ms...)
	case jsonx.KindString:
		return jsonx.String(v.Str())
	case jsonx.KindNumber:
		return jsonx.Number(v.Literal())
	case jsonx.KindBool:
		return jsonx.Bool(v.Bool())
	default:
		return jsonx.Null()
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := genValue(3).Draw(t, "value")
		text := jsonx.Append(nil, v)
		again, err := jsonx.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again != v || rebuild(again) != v {
			t.Fatalf("%s became %s", text, jsonx.Append(nil, rebuild(again)))
		}
	})
}

func TestStringsKeepCodePoints(t *testing.T) {
	same := func(s string) bool {
		s = strings.ToValidUTF8(s, "?")
		v, err := jsonx.Parse(jsonx.AppendString(nil, s))
		return err == nil && v.Str() == s && v.Is(s)
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, x := range accepted {
		f.Add([]byte(x.in))
	}
	for _, x := range refused {
		f.Add([]byte(x.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := jsonx.Parse(b)
		if err != nil {
			return
		}
		if !jsontext.Value(b).IsValid() {
			t.Fatalf("%q was accepted", b)
		}
		text := jsonx.Append(nil, v)
		again, err := jsonx.Parse(text)
		if err != nil || again != v {
			t.Fatalf("%q became %q: %v", b, text, err)
		}
		if rebuild(v) != v {
			t.Fatalf("%q is read as %q", b, jsonx.Append(nil, rebuild(v)))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, n := range map[string]int{"1KB": 20, "100KB": 2000} {
		body := []byte(`{"model":"gpt-4.1-mini","messages":[` +
			strings.TrimSuffix(strings.Repeat(`{"role":"user","content":"Hello, how are you?"},`, n), ",") + `]}`)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jsonx.Parse(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
