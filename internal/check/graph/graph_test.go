package graph

import (
	"errors"
	"slices"
	"testing"
)

func TestResolve(t *testing.T) {
	files := map[string]string{
		"tsconfig.json": "{ // aliases\n \"extends\": \"./base\", \"compilerOptions\": {\"baseUrl\": \".\", \"paths\": {\"@/*\": [\"./src/*\"], \"core\": [\"src/core/main.ts\"], \"@/special/*\": [\"special/*\",],}, }, }",
		"base.json":     `{"compilerOptions": {"paths": {"gone/*": ["x/*"]}}}`,
		"package.json":  `{"name": "app", "imports": {"#db/*": "./src/db/*.ts", "#env": {"types": "./env.d.ts", "default": "./env.js"}}}`,
		"src/a.ts":      "", "src/lib/index.tsx": "", "src/core/main.ts": "", "special/x.js": "", "src/db/users.ts": "", "env.js": "",
		"shared/util.ts": "", "src/esm.mts": "",
		"packages/ai/package.json":  `{"name": "@acme/ai", "exports": {".": {"types": "./dist/index.d.ts", "import": "./dist/index.js"}, "./server": "./src/server.ts", "./ui/*": "./src/ui/*.tsx"}}`,
		"packages/ai/src/index.ts":  "",
		"packages/ai/src/server.ts": "", "packages/ai/src/ui/button.tsx": "",
		"packages/ai/tsconfig.json":  `{"compilerOptions": {"paths": {"~lib/*": ["./src/*"]}}}`,
		"packages/old/package.json":  `{"name": "old", "main": "lib/main.js"}`,
		"packages/old/src/main.js":   "",
		"packages/bare/package.json": `{"name": "bare"}`,
		"packages/bare/index.js":     "",
	}
	var names []string
	for f := range files {
		names = append(names, f)
	}
	slices.Sort(names)
	r := NewResolver(names, func(f string) (string, error) {
		if s, ok := files[f]; ok {
			return s, nil
		}
		return "", errors.New("absent")
	})
	for _, c := range []struct{ from, spec, want string }{
		{"src/a.ts", "./lib", "src/lib/index.tsx"},
		{"src/lib/index.tsx", "../a", "src/a.ts"},
		{"src/lib/index.tsx", "../a.js", "src/a.ts"},
		{"src/a.ts", "./esm.mjs", "src/esm.mts"},
		{"src/a.ts", "@/lib", "src/lib/index.tsx"},
		{"src/a.ts", "@/special/x", "special/x.js"},
		{"src/a.ts", "core", "src/core/main.ts"},
		{"src/a.ts", "shared/util", "shared/util.ts"},
		{"src/a.ts", "#db/users", "src/db/users.ts"},
		{"src/a.ts", "#env", "env.js"},
		{"src/a.ts", "@acme/ai", "packages/ai/src/index.ts"},
		{"src/a.ts", "@acme/ai/server", "packages/ai/src/server.ts"},
		{"src/a.ts", "@acme/ai/ui/button", "packages/ai/src/ui/button.tsx"},
		{"packages/ai/src/index.ts", "~lib/server", "packages/ai/src/server.ts"},
		{"src/a.ts", "old", "packages/old/src/main.js"},
		{"src/a.ts", "bare", "packages/bare/index.js"},
		{"src/a.ts", "openai", ""},
		{"src/a.ts", "./absent", ""},
		{"src/a.ts", "../../../etc/passwd", ""},
		{"src/a.ts", "node:fs", ""},
	} {
		got, ok := r.Resolve(c.from, c.spec)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s from %s is %q, want %q", c.spec, c.from, got, c.want)
		}
	}
	if !r.Depends("src/a.ts", "next") == false {
		t.Error("a dependency that nobody named was found")
	}
}

func TestSpecifiers(t *testing.T) {
	got := Specifiers("import a from 'a'; import 'b'\nexport * from \"c\"; const d = await import(/* webpackChunkName: \"x\" */ `d`); require('e'); new Worker(new URL('./f.ts', import.meta.url)); from `${x}`")
	slices.Sort(got)
	if !slices.Equal(got, []string{"./f.ts", "a", "b", "c", "d", "e"}) {
		t.Errorf("got %q", got)
	}
}
