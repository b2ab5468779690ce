package bundle

import (
	"strings"
	"testing"
)

func TestParseMap(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"sources":["webpack://_N_E/./lib/a.ts",null],"sourcesContent":["one","two",null]}`, "lib/a.ts=one a source without a name=two"},
		{`{"sections":[{"offset":{},"map":{"sources":["turbopack:///[project]/b.ts"],"sourcesContent":["three"]}}]}`, "b.ts=three"},
		{")]}'\n" + `{"sources":["c"],"sourcesContent":["four"]}`, "c=four"},
		{`{"sources":["c"]}`, ""},
		{`[]`, ""},
		{`{"sourcesContent":{}}`, ""},
		{``, ""},
	} {
		sources, ok := ParseMap([]byte(c.text))
		var got []string
		for _, s := range sources {
			got = append(got, s.Name+"="+s.Text)
		}
		if s := strings.Join(got, " "); s != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v", c.text, s, ok)
		}
	}
	if _, _, ok := inlineMap("x\n//# sourceMappingURL=data:application/json;base64,eyJzb3VyY2VzQ29udGVudCI6WyJ4Il19"); !ok {
		t.Error("an inline map is not read")
	}
}

func FuzzParseMap(f *testing.F) {
	f.Add([]byte(`{"sections":[{"map":{"sources":["a"],"sourcesContent":["b"]}}]}`))
	f.Add([]byte("//# sourceMappingURL=data:application/json;base64,e30="))
	f.Fuzz(func(t *testing.T, b []byte) {
		if sources, ok := ParseMap(b); ok != (len(sources) > 0) {
			t.Errorf("%v with %d sources", ok, len(sources))
		}
		_, _, _ = inlineMap(string(b))
	})
}
