package flow

import (
	"path"
	"testing"

	"claviger.dev/claviger/internal/check/facts"
)

// sources is a project of a few texts.
type sources map[string]string

func (s sources) Module(file string) *facts.Node {
	root, err := facts.Parse(file, s[file])
	if err != nil {
		return nil
	}
	return root
}

func (s sources) Resolve(from, spec string) (string, bool) {
	f := path.Join(path.Dir(from), spec) + ".ts"
	_, ok := s[f]
	return f, ok
}

const head = "import { auth } from './auth';\nimport OpenAI from 'openai';\nconst openai = new OpenAI();\nconst spend = async (input?: any) => openai.responses.create({ model: 'm', input });\n"

// walk runs the function POST of a text and returns what happened.
func walk(t *testing.T, text string) *Run {
	t.Helper()
	s := sources{"a.ts": head + text, "auth.ts": "import NextAuth from 'next-auth';\nexport const { auth } = NextAuth({});\n"}
	in := New(s)
	m := in.Module("a.ts")
	if m == nil {
		t.Fatal("the text cannot be parsed")
	}
	place := Place{m, m.Root}
	r := in.Do(Root{Fn: in.Export(m, "POST"), Module: m, Node: m.Root, Handler: true, Args: func(in *Interp) []*Value { return []*Value{in.Request(place)} }})
	if r.Cut {
		t.Fatal("the walk did not end")
	}
	return r
}

// TestAuth: somebody is signed in at a call when every way there has asked.
func TestAuth(t *testing.T) {
	for _, c := range []struct {
		body string
		want bool
	}{
		{"await spend()", false},
		{"const s = await auth(); if (!s) return new Response('', { status: 401 }); await spend()", true},
		{"const s = await auth(); if (!s) throw new Error('no'); await spend()", true},
		{"if (await auth()) { await spend() }", true},
		{"if (!(await auth())) { await spend() }", false},
		{"const s = await auth(); s && await spend()", true},
		{"const s = await auth(); s || await spend()", false},
		{"const s = await auth(); s ? await spend() : 0", true},
		{"const s = auth(); if (!s) return new Response('', { status: 401 }); await spend()", false},
		{"const p = auth(); const s = await p; if (!s) return new Response('', { status: 401 }); await spend()", true},
		{"const [s] = await Promise.all([auth()]); if (!s) return new Response('', { status: 401 }); await spend()", true},
		{"const s = await auth(); if (!s) console.log('nobody'); await spend()", false},
		{"const s = await auth(); if (!s) return new Response('', { status: 429 }); await spend()", false},
		{"need(); await spend()", false},
		{"await need(); await spend()", true},
		{"need().catch(() => null); await spend()", false},
		{"await need().then(() => spend())", true},
		{"try { await need() } catch {} await spend()", false},
		{"try { await need() } catch { return new Response('', { status: 401 }) } await spend()", true},
		{"const { user } = await auth(); await spend()", true},
		{"const s = await auth(); switch (true) { case !s: return new Response('', { status: 401 }) } await spend()", false},
	} {
		r := walk(t, "async function need() { const s = await auth(); if (!s) throw new Error('Unauthorized'); return s }\nexport async function POST(req: Request) { "+c.body+" }\n")
		spent := false
		for _, e := range r.Events {
			if e.Kind != Provider {
				continue
			}
			spent = true
			if got := e.Facts.Has(FactAuth); got != c.want {
				t.Errorf("%s: signed in is %v", c.body, got)
			}
		}
		if !spent {
			t.Errorf("%s: the call was not come to", c.body)
		}
	}
}

// TestInputs: what the caller sends is checked and capped where it was.
func TestInputs(t *testing.T) {
	for _, c := range []struct {
		body            string
		checked, capped bool
	}{
		{"const { p } = await req.json(); await spend(p)", false, false},
		{"const { p } = await req.json(); if (typeof p !== 'string') return; await spend(p)", true, false},
		{"const { p } = await req.json(); if (typeof p !== 'string' || p.length > 9) return; await spend(p)", true, true},
		{"const { p } = z.object({ p: z.string() }).parse(await req.json()); await spend(p)", true, false},
		{"const { p } = z.object({ p: z.string().max(9) }).parse(await req.json()); await spend(p)", true, true},
		{"const b = z.object({ p: z.union([z.string().max(9), z.number()]) }).parse(await req.json()); await spend(b.p)", true, true},
	} {
		r := walk(t, "import { z } from 'zod';\nexport async function POST(req: Request) { "+c.body+" }\n")
		seen := false
		for _, e := range r.Events {
			if e.Kind != Provider {
				continue
			}
			for _, id := range Deep(e.Value).Inputs {
				seen = true
				if checked, capped := r.Holds(e.Facts, id); checked != c.checked || capped != c.capped {
					t.Errorf("%s: %s is checked %v, capped %v", c.body, r.Inputs[id].Name, checked, capped)
				}
			}
		}
		if !seen {
			t.Errorf("%s: nothing of the caller's came to the call", c.body)
		}
	}
}

// TestMatchPath compares matchers as Next.js writes them with paths.
func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/api/:path*", "/api", true},
		{"/api/:path*", "/api/a/b", true},
		{"/api/:path+", "/api", false},
		{"/api/:id", "/api/a/b", false},
		{"/((?!api|_next).*)", "/api/a", false},
		{"/((?!_next).*)", "/api/a", true},
		{"/a.b", "/axb", false},
		{"(", "/", false},
	} {
		if got := MatchPath(c.pattern, c.path); got != c.want {
			t.Errorf("%s takes %s: %v", c.pattern, c.path, got)
		}
	}
}

// TestPrefixes: which paths a middleware of a router stands before.
func TestPrefixes(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/", "/a", true},
		{"*", "/a/b", true},
		{"/api", "/api/a", true},
		{"/api", "/apis", false},
		{"/ai/*", "/ai/x", true},
		{"/ai/*", "/b", false},
		{"/users/:id", "/users/7/x", true},
		{"/a/b", "/a", false},
	} {
		if got := prefixes(c.pattern, c.path); got != c.want {
			t.Errorf("%s stands before %s: %v", c.pattern, c.path, got)
		}
	}
}
