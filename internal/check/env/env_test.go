package env

import (
	"strings"
	"testing"
)

func TestParseDump(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{".env.production", "A=1\nexport B='two'\n", "A=1@1 B=two@2"},
		{"compose.yaml", "services:\n  a:\n    environment: {A: 1}\n    build: {args: [B=2]}\n  b:\n    environment:\n      - C=${C:-3}\n      - D=${D}\n      - E\n", "A=1@3 B=2@4 C=3@7 D=@8"},
		{"list.json", `{"kind":"List","items":[{"kind":"Secret","data":{"A":"MQ=="}}]}`, "A=1@1"},
		{"s.yaml", "kind: Secret\ndata:\n  A: '!!'\n  B: Mg==\n", "B=2@4"},
		{"plain.yml", "A: 1\nB: [x]\n", "A=1@1"},
		{"loop.yaml", "a: &a\n  <<: *a\n  X: 1\nservices:\n  s:\n    environment: *a\n", "X=1@3"},
	} {
		vars, err := ParseDump(c.name, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var got []string
		for _, v := range vars {
			got = append(got, v.Name+"="+v.Value+"@"+string(rune('0'+v.Line)))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
	if _, err := ParseDump("a.yaml", "a: [secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func FuzzParseDump(f *testing.F) {
	f.Add("a.yaml", "services:\n  a:\n    environment: {A: 1}\n")
	f.Add("a.env", "A=1\nB=$A\n")
	f.Add("a.yaml", "a: &a [*a]\nkind: Deployment\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		_, _ = ParseDump(name, text)
	})
}

func TestIgnoreLine(t *testing.T) {
	for file, want := range map[string]string{
		".env.local": ".env*.local", ".env": ".env", "apps/web/.env.production": ".env.production", "prod.env": "/prod.env", "a b/x[1].env": `/a\ b/x\[1\].env`,
	} {
		if got := ignoreLine(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}
