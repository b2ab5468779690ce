// The recipes of the README, run as they are written, but for the address.
import { act, show as render } from './dom.mjs';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { transformSync } from 'esbuild';
import { createElement } from 'react';
import { root, start } from './gateway.mjs';

const page = readFileSync(join(root, 'packages/README.md'), 'utf8');
const dir = mkdtempSync(join(root, 'packages/test/.recipes-'));
let gateway;
before(async () => {
  gateway = await start();
  globalThis.ticket = gateway.ticket();
});
after(async () => {
  rmSync(dir, { recursive: true });
  await gateway.close();
});

/** Runs a recipe and gives what it showed. */
async function recipe(name) {
  const [, loader, text] = new RegExp('^```(tsx?)\\n(// recipe: ' + name + '\\n[\\s\\S]*?)^```', 'm').exec(page);
  const file = join(dir, `${name}.mjs`);
  writeFileSync(file, transformSync(text.replaceAll('https://ai.example.com', gateway.url), { loader, jsx: 'automatic' }).code);
  const pieces = [];
  globalThis.show = (piece) => pieces.push(piece);
  return { pieces, module: await import(pathToFileURL(file)) };
}

const words = (pieces) => pieces.join('').trim().split(/\s+/).length;

for (const name of ['openai', 'ai-sdk']) {
  test(`${name} streams by base URL and ticket`, async () => {
    const { pieces } = await recipe(name);
    assert.equal(words(pieces), 12);
    assert.ok(pieces.length >= 5, `${pieces.length} pieces`);
  });
}

test('a ticket that a client renews', async () => {
  assert.equal(words((await recipe('renewed')).pieces), 12);
});

test('useChat against a chat action', async () => {
  const { module } = await recipe('use-chat');
  const view = await render(createElement(module.default));
  const ask = () => act(async () => view.place.querySelector('button').click());
  await ask();
  const turns = () => [...view.place.querySelectorAll('p')].map((p) => p.textContent);
  const done = () => view.place.querySelector('main').getAttribute('aria-busy') === 'false';
  await view.until(() => turns().length === 2 && done());
  assert.equal(words([turns()[1]]), 12);
  await ask();
  await view.until(() => turns().length === 4 && done());
  assert.equal(words([turns()[3]]), 12, 'with its own answer among the turns');
  assert.equal(view.place.querySelector('[role=alert]'), null);
  await view.close();
});
