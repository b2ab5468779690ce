import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import {
  ClavigerError, ConnectionError, createClient, errorCodes, ForbiddenError, InvalidInputError, isClavigerError, LimitError, readLimits, SignedOutError,
} from '@claviger/client';
import { readEvents } from '../client/dist/stream.js';
import { root, start } from './gateway.mjs';

let gateway;
before(async () => (gateway = await start()));
after(() => gateway.close());

const client = (options) => createClient({ baseURL: gateway.url, getTicket: async () => gateway.ticket(), ...options });

test('every code of the gateway is known, and no other', () => {
  const page = readFileSync(root + 'docs/errors.md', 'utf8');
  const documented = [...page.matchAll(/^\| `(\w+)` \|/gm)].map((m) => m[1]);
  assert.ok(documented.length > 20);
  assert.deepEqual([...errorCodes].sort(), documented.sort());
});

test('an action answers its text and nothing else', async () => {
  assert.deepEqual(await client().run('tidy', { prompt: 'repeat after me: ünï' }), { text: 'ünï', finish: 'stop' });
});

test('an action with an output schema answers an object', async () => {
  const { data, finish } = await client().run('facts', { topic: 'whales' });
  assert.equal(finish, 'stop');
  assert.equal(typeof data.title, 'string');
  const stream = client().stream('facts', { topic: 'whales' });
  assert.deepEqual(await stream.result(), { data, finish });
});

test('a stream comes in pieces, and its result is the whole', async () => {
  const stream = client().stream('tidy', { prompt: 'write 12 words' });
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  assert.ok(pieces.length >= 5, `${pieces.length} pieces`);
  const result = await stream.result();
  assert.equal(result.text, pieces.join(''));
  assert.equal(result.finish, 'stop');
  await assert.rejects(async () => { for await (const _ of stream); }, /read it once/);
});

test('a chat takes the turns so far', async () => {
  const { text } = await client().chat('assistant', [
    { role: 'user', content: 'hello' }, { role: 'assistant', content: 'hi' }, { role: 'user', content: 'repeat after me: again' },
  ]).result();
  assert.equal(text, 'again');
});

test('leaving the loop and the signal both end the call at the provider', async () => {
  await gateway.forget();
  let n = 0;
  for await (const _ of client().stream('tidy', { prompt: 'write 90000 words' })) if (++n === 3) break;
  const stop = new AbortController();
  const stream = client().stream('tidy', { prompt: 'write 90000 words' }, { signal: stop.signal });
  await assert.rejects(async () => { for await (const _ of stream) stop.abort(); }, { name: 'AbortError' });
  await assert.rejects(stream.result(), { name: 'AbortError' });
  const reason = new Error('changed my mind');
  await assert.rejects(client().run('tidy', { prompt: 'hi' }, { signal: AbortSignal.abort(reason) }), reason);
  assert.equal((await gateway.calls('?canceled=2')).total, 2);
});

test('failures are typed, and say what a user can read', async () => {
  const cases = [
    [() => client().run('tidy', { prompt: '' }), InvalidInputError, { code: 'invalid_input', status: 400, field: 'prompt', message: 'Invalid prompt' }],
    [() => client().run('nothing', {}), ClavigerError, { code: 'not_found', status: 404 }],
    [() => client({ getTicket: async () => 'no.ticket.atall' }).run('tidy', { prompt: 'hi' }), SignedOutError, { code: 'unauthenticated', status: 401, message: 'Sign in first' }],
    [() => client().run('tidy', { prompt: '[[fault:500]]' }), ClavigerError, { code: 'upstream_error', status: 502, message: 'OpenAI request failed' }],
    [() => client().stream('tidy', { prompt: 'write 60 words [[fault:cut after=20]]' }).result(), ClavigerError, { code: 'upstream_error', status: 200, message: 'OpenAI request failed' }],
    [() => client({ baseURL: 'http://127.0.0.1:1' }).run('tidy', { prompt: 'hi' }), ConnectionError, { code: 'unreachable', status: 0 }],
    [() => createClient({ baseURL: gateway.control }).run('tidy', { prompt: 'hi' }), ClavigerError, { code: 'unexpected_answer', status: 404 }],
  ];
  for (const [run, Class, want] of cases) {
    const error = await run().then(() => assert.fail('it did not fail'), (e) => e);
    assert.ok(error instanceof Class && isClavigerError(error), `${want.code}: ${error}`);
    assert.deepEqual(Object.fromEntries(Object.keys(want).map((k) => [k, error[k]])), want);
    if (error.status >= 400 && error.code !== 'unexpected_answer') assert.match(error.requestId, /\w{8}/);
  }
});

test('a model above the plan is forbidden', async () => {
  const answer = await client().fetch(`${gateway.url}/v1/responses`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'gpt-4.1', input: 'hi' }),
  });
  assert.equal(answer.status, 403);
  assert.equal((await answer.json()).error.code, 'model_not_allowed');
  assert.ok(new ForbiddenError('x', { code: 'forbidden', status: 403 }) instanceof ClavigerError);
});

test('a limit says when to come back, is not waited for when that is long, and is when it is short', async () => {
  const tight = client({ getTicket: async () => gateway.ticket('tess', 'plan=tight') });
  await tight.run('tidy', { prompt: 'hi' });
  const error = await tight.run('tidy', { prompt: 'hi' }).catch((e) => e);
  assert.ok(error instanceof LimitError);
  assert.equal(error.code, 'rate_limited');
  assert.ok(error.retryAfter > 3600 && error.retryAt > new Date());

  const seen = [];
  const brisk = client({ getTicket: async () => gateway.ticket('bob', 'plan=brisk'), onLimits: (limits) => seen.push(limits) });
  await brisk.run('tidy', { prompt: 'hi' });
  await gateway.forget();
  await brisk.run('tidy', { prompt: 'hi' }); // refused once, then it waits
  assert.equal((await gateway.calls()).total, 1);
  assert.deepEqual(seen[0].map((l) => [l.unit, l.limit, l.remaining]), [['requests', 1, 0]]);
});

/** A server that answers as it is told. */
async function scripted(...answers) {
  const requests = [];
  const server = createServer((req, res) => {
    requests.push({ authorization: req.headers.authorization });
    const [status, headers, body] = answers[Math.min(requests.length, answers.length) - 1];
    if (!status) return req.socket.destroy();
    res.writeHead(status, { 'content-type': 'application/json', ...headers });
    res.end(JSON.stringify(body));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}`, requests, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

test('only what cost nothing is sent again', async () => {
  const fine = [200, {}, { text: 'fine', finish: 'stop' }];
  const failing = (code, status, headers = { 'retry-after': '0' }) => [status, headers, { error: 'No', code }];
  const cases = [
    ['rate_limited', 429, 2], ['too_many_in_flight', 429, 2], ['upstream_busy', 503, 2], ['limits_unavailable', 503, 2], ['identity_unavailable', 503, 2],
    ['budget_exhausted', 429, 1], ['upstream_error', 502, 1], ['upstream_timeout', 504, 1], ['internal', 500, 1], ['misconfigured', 500, 1], ['invalid_input', 400, 1],
  ];
  for (const [code, status, want] of cases) {
    const server = await scripted(failing(code, status), fine);
    await createClient({ baseURL: server.url }).run('x', {}).catch(() => {});
    assert.equal(server.requests.length, want, code);
    await server.close();
  }
  for (const [answers, want] of [
    [[failing('rate_limited', 429, { 'retry-after': '6' }), fine], 1], // longer than it waits
    [[failing('rate_limited', 429, { 'retry-after': '0', 'x-should-retry': 'false' }), fine], 1],
    [[failing('rate_limited', 429)], 3], // and no more than that
    [[[0]], 1], // a connection that broke may have cost
  ]) {
    const server = await scripted(...answers);
    await createClient({ baseURL: server.url }).run('x', {}).catch(() => {});
    assert.equal(server.requests.length, want);
    await server.close();
  }
});

test('tickets are asked for once, renewed ahead of their end, and once after a refusal', async () => {
  const refused = [401, {}, { error: 'Sign in first', code: 'unauthenticated' }];
  const server = await scripted([200, {}, { text: '', finish: 'stop' }]);
  let n = 0;
  const soon = (ms) => async () => ({ ticket: `t${++n}`, expires_at: new Date(Date.now() + ms).toISOString() });
  const long = createClient({ baseURL: server.url, getTicket: soon(300_000) });
  await Promise.all([1, 2, 3].map(() => long.run('x', {})));
  await long.run('x', {});
  assert.equal(n, 1, 'single flight');
  const short = createClient({ baseURL: server.url, getTicket: soon(0) });
  await short.run('x', {});
  await short.run('x', {});
  assert.equal(n, 3, 'what has ended is not presented');
  await server.close();

  const strict = await scripted(refused, [200, {}, { text: '', finish: 'stop' }]);
  n = 0;
  await createClient({ baseURL: strict.url, getTicket: soon(300_000) }).run('x', {});
  assert.deepEqual(strict.requests.map((r) => r.authorization), ['Bearer t1', 'Bearer t2']);
  await strict.close();

  const never = await scripted(refused);
  await assert.rejects(createClient({ baseURL: never.url, getTicket: soon(300_000) }).run('x', {}), SignedOutError);
  assert.equal(never.requests.length, 2, 'once more, and no oftener');
  await assert.rejects(createClient({ baseURL: never.url, getTicket: async () => '' }).run('x', {}), /getTicket gave no ticket/);
  const stop = new AbortController();
  const stuck = createClient({ baseURL: never.url, getTicket: () => new Promise(() => {}) }).run('x', {}, { signal: stop.signal });
  stop.abort();
  await assert.rejects(stuck, { name: 'AbortError' });
  await never.close();
});

test('events survive any cut of the bytes', async () => {
  const text = ': hello\r\n\r\nevent: delta\r\ndata: {"text":"a\u{1F600}b"}\r\n\r\ndata: x\ndata:y\n\nevent: done\rdata: z\r\rdata: lost';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const body = new ReadableStream({
      start(c) {
        for (let i = 0; i < bytes.length; i += size) c.enqueue(bytes.slice(i, i + size));
        c.close();
      },
    });
    const got = [];
    for await (const event of readEvents(body)) got.push(event);
    assert.deepEqual(got, [{ event: 'delta', data: '{"text":"a\u{1F600}b"}' }, { event: 'message', data: 'x\ny' }, { event: 'done', data: 'z' }], `in pieces of ${size}`);
  }
});

test('limits are read from the headers', () => {
  const headers = new Headers({
    'ratelimit-policy': '"user-requests-minute";q=20;w=60, "user-lease";q=2;qu="concurrent-requests", "odd"',
    ratelimit: '"user-requests-minute";r=19;t=3, "user-lease";r=1',
  });
  assert.deepEqual(readLimits(headers), [
    { name: 'user-requests-minute', unit: 'requests', limit: 20, remaining: 19, window: 60, resetsIn: 3 },
    { name: 'user-lease', unit: 'concurrent-requests', limit: 2, remaining: 1 },
  ]);
  assert.deepEqual(readLimits(new Headers()), []);
});
