// A wrong call does not compile, and neither does code that a README shows and
// that is wrong.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './gateway.mjs';

const here = join(root, 'packages');
const tsc = (project) => spawnSync(join(here, 'node_modules/.bin/tsc'), ['-p', project], { cwd: here, encoding: 'utf8' });

test('wrong calls do not compile, and right ones do', () => {
  const out = tsc('test/types');
  assert.equal(out.status, 0, out.stdout);
  const checked = readFileSync(join(here, 'test/types/use.ts'), 'utf8').match(/@ts-expect-error/g).length;
  assert.ok(checked >= 9, `${checked} expected errors`);
});

test('the file of "claviger types" fits this client', () => {
  const dir = mkdtempSync(join(here, 'test/.types-'));
  try {
    cpSync(join(root, 'internal/typescript/testdata/actions.d.ts'), join(dir, 'claviger-types.d.ts'));
    cpSync(join(root, 'e2e/types/use.ts'), join(dir, 'use.ts'));
    writeFileSync(join(dir, 'call.ts'), `import { createClient } from '@claviger/client';
const { text } = await createClient().run('generate-text', { prompt: 'Why?' });
// @ts-expect-error: no such action
await createClient().run('generate-txt', { prompt: text });
export {};
`);
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ extends: '../types/tsconfig.json', include: ['*'] }));
    const out = tsc(dir);
    assert.equal(out.status, 0, out.stdout);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** What the blocks of the pages use and do not declare. */
const around = `
import '@claviger/client';
declare global {
  const show: (piece: string) => void;
  const ticket: string;
  const Sentry: { init(options: object): void };
  const turnstile: { render(element: string, options: object): void };
  const auth: () => Promise<{ user?: { id?: string; plan?: string } } | null>;
}
declare module '@claviger/client' {
  interface Actions {
    'generate-text': { input: { prompt: string }; output: { text: string; finish: 'stop' | 'length' | 'refused' } };
    tidy: { input: { prompt: string }; output: { text: string; finish: 'stop' | 'length' | 'refused' } };
    assistant: { input: { messages: { role: 'user' | 'assistant'; content: string }[] }; output: { text: string; finish: 'stop' | 'length' | 'refused' } };
  }
}
`;

test('every TypeScript block of the pages compiles', () => {
  const dir = mkdtempSync(join(here, 'test/.blocks-'));
  try {
    let n = 0;
    for (const page of ['packages/README.md', 'packages/client/README.md', 'packages/next/README.md']) {
      for (const [, lang, text] of readFileSync(join(root, page), 'utf8').matchAll(/^```(tsx?)\n([\s\S]*?)^```/gm)) {
        // A path in the first line names the file that others import.
        writeFileSync(join(dir, `block${++n}.${lang}`), text.replaceAll(/from '\.\.?\/[./]*(auth|actions)'/g, "from './$1.js'") + '\nexport {};\n');
      }
    }
    assert.ok(n >= 12, `${n} blocks`);
    writeFileSync(join(dir, 'around.d.ts'), around);
    writeFileSync(join(dir, 'auth.ts'), 'export const auth = async (): Promise<{ user?: { id?: string; plan?: string } } | null> => null;\n');
    writeFileSync(join(dir, 'actions.ts'), "import { createAction } from '@claviger/next';\nexport const tidy = createAction('tidy');\n");
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ extends: '../types/tsconfig.json', include: ['*'] }));
    const out = tsc(dir);
    assert.equal(out.status, 0, out.stdout);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('every JavaScript block of the guides fits the packages', () => {
  const dir = mkdtempSync(join(here, 'test/.scripts-'));
  try {
    let n = 0;
    for (const page of ['docs/nextjs.md', 'docs/guide.md', 'docs/deploy/vercel.md']) {
      for (const [, text] of readFileSync(join(root, page), 'utf8').matchAll(/^```js\n([\s\S]*?)^```/gm)) {
        writeFileSync(join(dir, `block${++n}.js`), text.replaceAll(/from '\.\.?\/[./]*(auth|actions)'/g, "from './$1.js'") + '\nexport {};\n');
      }
    }
    assert.ok(n >= 10, `${n} blocks`);
    writeFileSync(join(dir, 'around.d.ts'), around);
    writeFileSync(join(dir, 'auth.ts'), 'export const auth = async (): Promise<{ user?: { id?: string; plan?: string } } | null> => null;\n');
    // What JavaScript does not say cannot be asked for.
    const compilerOptions = { allowJs: true, checkJs: true, noImplicitAny: false, strictNullChecks: false, exactOptionalPropertyTypes: false };
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ extends: '../types/tsconfig.json', compilerOptions, include: ['*'] }));
    const out = tsc(dir);
    assert.equal(out.status, 0, out.stdout);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
