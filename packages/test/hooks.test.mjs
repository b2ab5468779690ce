import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createElement, StrictMode } from 'react';
import { act, show } from './dom.mjs';
import { start } from './gateway.mjs';
import { useAction, useChatAction } from '@claviger/next/client';

let gateway;
let options;
before(async () => {
  gateway = await start();
  const ticket = gateway.ticket();
  options = { baseURL: gateway.url, getTicket: async () => ticket };
});
after(() => gateway.close());
beforeEach(() => gateway.forget());

/** Shows a hook in strict mode, and hands out what it gave last and all that it gave. */
async function using(hook, ...args) {
  const seen = [];
  const Probe = () => (seen.push(hook(...args)), null);
  const page = await show(createElement(StrictMode, null, createElement(Probe)));
  return { page, seen, now: () => seen.at(-1) };
}

test('text grows, and the whole is there at the end', async () => {
  const { page, seen, now } = await using(useAction, 'tidy', options);
  assert.equal(now().status, 'idle');
  let result;
  await act(async () => (result = await now().run({ prompt: 'write 30 words' })));
  assert.equal(now().status, 'done');
  assert.equal(now().text, result.text);
  assert.deepEqual(now().output, result);
  assert.ok(new Set(seen.map((s) => s.text)).size >= 2, 'it came in pieces');
  await page.close();
});

test('stop ends the call at the provider and keeps what came', async () => {
  const { page, now } = await using(useAction, 'tidy', options);
  await act(async () => void now().run({ prompt: 'write 90000 words' }));
  await page.until(() => now().text.length > 10);
  await act(async () => now().stop());
  await page.until(() => now().status === 'stopped');
  assert.ok(now().text.length > 10);
  assert.equal(now().error, undefined);
  assert.equal((await gateway.calls('?canceled=1')).total, 1);
  await page.close();
});

test('leaving the page ends the call, and a newer one takes the place of the older', async () => {
  const { page, now } = await using(useAction, 'tidy', options);
  await act(async () => void now().run({ prompt: 'write 90000 words' }));
  await page.until(() => now().text.length > 10);
  await act(() => now().run({ prompt: 'repeat after me: second' }));
  assert.equal(now().text, 'second');
  await act(async () => void now().run({ prompt: 'write 90000 words' }));
  await page.until(() => now().text.length > 10);
  await page.close();
  assert.equal((await gateway.calls('?canceled=2')).total, 3);
});

test('a failure is told with its field, and nothing rejects', async () => {
  const { page, now } = await using(useAction, 'tidy', options);
  await act(async () => assert.equal(await now().run({ prompt: '' }), undefined));
  assert.equal(now().status, 'error');
  assert.equal(now().error.field, 'prompt');
  await page.close();
  const odd = await using(useAction, 'tidy', { ...options, getTicket: async () => { throw new Error('a secret of the app'); } });
  await act(() => odd.now().run({ prompt: 'hi' }));
  assert.equal(odd.now().error.code, 'unexpected_answer');
  assert.ok(!odd.now().error.message.includes('secret'));
  await odd.page.close();
});

test('a chat keeps its turns, and takes back one that failed', async () => {
  const { page, now } = await using(useChatAction, 'assistant', options);
  await act(async () => assert.equal(await now().send('repeat after me: one'), true));
  await act(() => now().send('repeat after me: two'));
  assert.deepEqual(now().messages.map((m) => m.content), ['repeat after me: one', 'one', 'repeat after me: two', 'two']);
  await act(async () => assert.equal(await now().send('[[fault:500]]'), false));
  assert.equal(now().error.message, 'OpenAI request failed');
  assert.equal(now().messages.length, 4);
  await act(async () => assert.equal(await now().send('  '), false));
  await act(() => now().send('repeat after me: three'));
  assert.equal(now().messages.length, 6, 'the failure is forgotten');
  assert.equal(now().error, undefined);
  await act(async () => now().reset());
  assert.equal(now().messages.length, 0);
  await page.close();
});
