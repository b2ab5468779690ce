package facts

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const sample = `'use client';
// a comment
import type { T } from './types';
import def, { a as b, type C } from "pkg" with { type: "json" };
import * as ns from 'ns';
export * from './all';
export { x as y } from './x';
interface Props { a: string }
export async function POST(req: Request, { params: { id = 'x', ...rest } }: any): Promise<Response> {
  'use server';
  const { data } = await req?.json()!;
  if (!data || data?.length > 20) return new Response('nope', { status: 400 });
  for await (const part of stream) console.log(part);
  try { throw 1 } catch (e) { return e } finally { done() }
  switch (data) { case 1: break; default: return b?.[0]?.(def as string, ns) }
}
enum Color { Red }
class K extends Q { #p = 1; static async m(@dec x) { super.m(); } get g() { return this.#p } }
export default <T,>(props: Props) => <div className={` + "`a${b}c`" + `} {...props}>text & {b ? <C.D /> : <></>}</div>;
import('./lazy').then((m) => m.default satisfies object);
x ??= y; const env = process.env['KEY'], re = /a/g;
export const { GET, PUT } = handlers;
`

func TestParse(t *testing.T) {
	root, err := Parse("a.tsx", sample)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(Encode(root))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Encode(root), Encode(back)) || dump(root) != dump(back) {
		t.Fatal("what was decoded is not what was encoded")
	}
	if !root.Has("use client") {
		t.Error("the directive of the module is gone")
	}
	lines := strings.Split(sample, "\n")
	seen := map[Kind]bool{}
	root.Walk(func(n *Node) bool {
		seen[n.Kind] = true
		if n.Is(Ident) && n.Str != jsxFragment && int(n.Line) <= len(lines) && strings.Contains(sample, n.Str) &&
			n.Line > 1 && n.Str != "Color" && n.Str != "dec" && !strings.Contains(lines[n.Line-1], n.Str) {
			t.Errorf("%s is not on line %d", n.Str, n.Line)
		}
		return true
	})
	for _, k := range []Kind{Import, ExportFrom, Export, ExportDefault, Func, ObjPat, Rest, Default, Await, Try, Switch, JSX, Load, Template, Member, Index, Class, Logical, Cond, Regex} {
		if !seen[k] {
			t.Errorf("no node of kind %d", k)
		}
	}
}

func dump(n *Node) string {
	if n == nil {
		return "-"
	}
	var kids []string
	for _, k := range n.Kids {
		kids = append(kids, dump(k))
	}
	return fmt.Sprintf("%d:%s(%s)", n.Kind, n.Str, strings.Join(kids, " "))
}

func TestDecodeRefuses(t *testing.T) {
	root, err := Parse("a.ts", "f(1)")
	if err != nil {
		t.Fatal(err)
	}
	whole := Encode(root)
	for i := range whole {
		if _, err := Decode(whole[:i]); err == nil {
			t.Errorf("a tree cut at %d was taken", i)
		}
	}
	if _, err := Decode(append(whole, 0)); err == nil {
		t.Error("what follows the tree was taken")
	}
}

func FuzzDecode(f *testing.F) {
	root, err := Parse("a.tsx", sample)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(Encode(root))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if n, err := Decode(b); err == nil {
			n.Walk(func(*Node) bool { return true })
		}
	})
}

// TestNewWords: what the second parser refuses and the language has.
func TestNewWords(t *testing.T) {
	for _, text := range []string{
		"export async function f({ run = async ({ go }) => await go() }) { return await run(1) }\nexport const last = 1",
		"const v = (await import('./a.json', { with: { type: 'json' } })).default;\nexport const last = 1",
	} {
		root, err := Parse("a.ts", text)
		if err != nil || len(root.Kids) != 2 || !root.Kids[1].Is(Export) {
			t.Errorf("%s: %v %s", text, err, dump(root))
		}
		if root != nil {
			if _, err := Decode(Encode(root)); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestScript(t *testing.T) {
	root, err := Parse("a.vue", "<template>\n<p/>\n</template>\n<script setup lang=\"ts\">\nconst a: string = import.meta.env.VITE_KEY\n</script>\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(root.Kids) != 1 || root.Kids[0].Line != 5 {
		t.Errorf("got %s", dump(root))
	}
}
