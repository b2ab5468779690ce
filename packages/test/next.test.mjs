import './hooks.mjs';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { freeAddress, start } from './gateway.mjs';

const { createAction, createRouteHandler, createTicketRoute, mintTicket } = await import('@claviger/next');
const { createPagesHandler } = await import('@claviger/next/pages');
const { sessionOf, ownPage } = await import('../next/dist/request.js');
const { signedClient, addressOf } = await import('../next/dist/address.js');

let gateway;
let ticket;
before(async () => {
  gateway = await start('limits: {per_ip: {requests: 100/day}}\n');
  ticket = gateway.ticket('ada');
});
after(() => gateway.close());
beforeEach(() => {
  process.env.CLAVIGER_URL = gateway.url;
  process.env.CLAVIGER_SERVICE_KEY = gateway.SERVICE_KEY;
  delete process.env.CLAVIGER_ADDRESS_HEADER;
});

/** An address that nobody listens on. */
const nobody = async () => 'http://' + (await freeAddress());

/** The session of the tests is a cookie that holds a ticket. */
const session = ['app.session'];
const cookie = () => `theme=dark; app.session=${ticket}`;
const own = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };

function ask(path, { headers = {}, body = { prompt: 'repeat after me: hello' }, method = 'POST', options = { session }, signal } = {}) {
  const handlers = createRouteHandler(options);
  const url = `http://app.example/api/ai/${path}`;
  const segments = new URL(url).pathname.split('/').slice(3);
  const request = new Request(url, { method, headers: { ...own, cookie: cookie(), ...headers }, signal, ...(method === 'POST' && { body: JSON.stringify(body) }) });
  return handlers[method](request, { params: Promise.resolve({ path: segments }) });
}

test('the session travels as a bearer, and the answer is the gateway\'s', async () => {
  const answer = await ask('actions/tidy');
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { text: 'hello', finish: 'stop' });
  assert.equal(answer.headers.get('cache-control'), 'private, no-store');
  assert.match(answer.headers.get('x-request-id'), /\w{8}/);
  assert.ok(answer.headers.get('ratelimit'));
  assert.equal((await ask('tidy')).status, 200, 'an action under a path of its own');
  assert.equal((await ask('v1/models', { method: 'GET' })).status, 200);
});

test('a stream passes piece by piece, and ends upstream when the reader leaves', async () => {
  await gateway.forget();
  const gone = new AbortController();
  const answer = await ask('actions/tidy', { headers: { accept: 'text/event-stream' }, body: { prompt: 'write 90000 words' }, signal: gone.signal });
  assert.match(answer.headers.get('content-type'), /^text\/event-stream/);
  assert.match(answer.headers.get('cache-control'), /no-transform/);
  const reader = answer.body.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  assert.match(first, /^event: delta/);
  gone.abort();
  await reader.closed.catch(() => {});
  const second = await ask('actions/tidy', { headers: { accept: 'text/event-stream' }, body: { prompt: 'write 90000 words' } });
  await second.body.cancel();
  assert.equal((await gateway.calls('?canceled=2')).total, 2);
});

test('the AI SDK has its own stream through the route', async () => {
  const messages = [{ id: '1', role: 'user', parts: [{ type: 'text', text: 'repeat after me: hello' }] }];
  const answer = await ask('actions/assistant', { headers: { 'x-claviger-stream': 'ai-sdk' }, body: { id: 'c', trigger: 'submit-message', messages } });
  assert.equal(answer.headers.get('x-vercel-ai-ui-message-stream'), 'v1');
  const text = await answer.text();
  assert.match(text, /^data: \{"type":"start"\}/);
  assert.match(text, /data: \[DONE\]\n\n$/);
});

test('what no page of the app asked for does not carry the session', async () => {
  await gateway.forget();
  const without = (headers) => ask('actions/tidy', { headers: { 'sec-fetch-site': '', ...headers } });
  for (const headers of [
    {}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'none' }, { origin: 'null' },
    { origin: 'http://evil.example', host: 'app.example' }, { origin: 'http://evil.example', host: 'app.example', 'sec-fetch-site': 'cross-site' },
  ]) {
    const answer = await without(headers);
    assert.equal(answer.status, 403, JSON.stringify(headers));
    assert.equal((await answer.json()).code, 'csrf');
  }
  assert.equal((await gateway.calls()).total, 0);
  assert.equal((await without({ origin: 'http://app.example', host: 'app.example' })).status, 200, 'an old browser');
  const listed = { session, origins: ['http://admin.example'] };
  assert.equal((await ask('actions/tidy', { options: listed, headers: { 'sec-fetch-site': 'same-site', origin: 'http://admin.example' } })).status, 200);
});

test('nobody signed in is the gateway\'s to refuse, with a body that is a stream', async () => {
  const answer = await ask('actions/tidy', { headers: { cookie: '' } });
  assert.equal(answer.status, 401);
  assert.deepEqual(await answer.json(), { error: 'Sign in first', code: 'unauthenticated' });
  const sdk = await ask('v1/responses', { headers: { cookie: '' }, body: { model: 'gpt-4.1-mini', input: 'hi' } });
  assert.equal((await sdk.json()).error.code, 'unauthenticated');
});

test('a ticket of the caller counts before the session, and a placeholder does not', async () => {
  const mine = await ask('actions/tidy', { headers: { cookie: '', authorization: `Bearer ${gateway.ticket('bob')}`, 'sec-fetch-site': 'cross-site' } });
  assert.equal(mine.status, 200, 'no browser adds a bearer by itself');
  const bad = await ask('actions/tidy', { headers: { authorization: 'Bearer a.b.c' } });
  assert.equal(bad.status, 401, 'a bad one is not made up for by the session');
  const placeholder = await ask('v1/responses', { headers: { authorization: 'Bearer unused' }, body: { model: 'gpt-4.1-mini', input: 'hi' } });
  assert.equal(placeholder.status, 200);
});

test('only plain paths are asked for', async () => {
  await gateway.forget();
  for (const path of ['v1/..%2f..%2ftickets', 'v1/%2e%2e/tickets', 'v1//responses', 'v1/a%20b', 'v1/a%252fb', 'v1/a\\b', 'nothing/here', 'v1', '../../tickets']) {
    const answer = await ask(path);
    assert.equal(answer.status, 404, path);
  }
  const { POST } = createRouteHandler({ session });
  const tickets = new Request('http://app.example/tickets', { method: 'POST', headers: own, body: '{}' });
  assert.equal((await POST(tickets, { params: Promise.resolve({ path: ['tickets'] }) })).status, 404);
  assert.equal((await gateway.calls()).total, 0);
});

test('a gateway that is not there is told plainly, to the caller and in the log', async () => {
  const said = [];
  const { error } = console;
  console.error = (line) => said.push(line);
  const answer = await ask('actions/tidy', { options: { session, url: await nobody() } });
  console.error = error;
  assert.equal(answer.status, 502);
  assert.deepEqual(await answer.json(), { error: 'Upstream error', code: 'upstream_error' });
  assert.match(said[0], /ECONNREFUSED.*claviger serve/);
  assert.ok(!said[0].includes(ticket));
});

test('the address is signed, and limits for each address hold', async () => {
  const now = 1_790_000_000_000;
  const sig = createHmac('sha256', 'k'.repeat(32)).update('claviger-client\n1\nweb\n203.0.113.7\n1790000000').digest('base64url');
  assert.equal(await signedClient('203.0.113.7', 'k'.repeat(32), 'web', now), `key=web;addr=203.0.113.7;t=1790000000;sig=${sig}`);

  process.env.CLAVIGER_ADDRESS_HEADER = 'x-real-ip';
  const from = (address) => ask('v1/models', { method: 'GET', headers: { 'x-real-ip': address } });
  const statuses = [];
  for (let i = 0; i < 101; i++) statuses.push((await from('203.0.113.9')).status);
  assert.deepEqual([...new Set(statuses.slice(0, 100))], [200]);
  assert.equal(statuses[100], 429);
  assert.equal((await from('203.0.113.10')).status, 200);
  assert.equal((await from('2001:db8::1')).status, 200);
});

test('of an address header the last entry counts, and odd ones are none', () => {
  const of = (value) => addressOf(new Headers({ 'x-forwarded-for': value }), 'x-forwarded-for');
  assert.equal(of('6.6.6.6, 203.0.113.7'), '203.0.113.7');
  assert.equal(of('203.0.113.7:4711'), '203.0.113.7');
  assert.equal(of('[2001:db8::1]:443'), '2001:db8::1');
  for (const odd of ['unknown', 'a;sig=x', '1.2.3.4, evil.example', '']) assert.equal(of(odd), null, odd);
  assert.equal(addressOf(new Headers({ 'x-forwarded-for': '1.2.3.4' }), undefined), null);
});

test('sessions are found whole, in chunks, and over https by their safe name alone', () => {
  const of = (cookies, proto = 'http') => sessionOf(new Headers({ cookie: cookies, 'x-forwarded-proto': proto }), ['authjs.session-token', 'own']);
  assert.equal(of('a=1; authjs.session-token=abc'), 'abc');
  assert.equal(of('authjs.session-token.1=b; authjs.session-token.0=a; authjs.session-token.10=x'), 'ab');
  assert.equal(of('__Secure-authjs.session-token=safe; authjs.session-token=abc'), 'safe');
  assert.equal(of('authjs.session-token=abc', 'https'), null);
  assert.equal(of('own=mine', 'https'), 'mine');
  assert.equal(of('authjs.session-token=a; authjs.session-token=b'), null);
  assert.equal(of('authjs.session-token-old=junk; xauthjs.session-token=junk'), null);
  assert.equal(of('own=a%3Db'), 'a=b');
  assert.equal(of('own=%E0%A4%A'), null);
});

test('an origin counts by its whole host', () => {
  const own = (headers) => ownPage(new Headers(headers), []);
  assert.ok(own({ origin: 'https://app.example', 'x-forwarded-host': 'app.example' }));
  assert.ok(own({ origin: 'https://app.example:8443', host: 'app.example:8443' }));
  for (const headers of [{}, { origin: 'https://app.example.evil', host: 'app.example' }, { origin: 'https://app.example' }, { origin: 'nonsense', host: 'nonsense' }]) {
    assert.ok(!own(headers), JSON.stringify(headers));
  }
});

const asServerAction = (headers = {}) => (globalThis.requestHeaders = new Headers({ cookie: cookie(), 'sec-fetch-site': 'same-origin', ...headers }));
const form = (entries) => Object.entries(entries).reduce((f, [k, v]) => (f.append(k, v), f), new FormData());

test('a Server Action takes an input, a form, and a form behind a state', async () => {
  asServerAction();
  const tidy = createAction('tidy', { session });
  const fine = { ok: true, text: 'hi', finish: 'stop' };
  assert.deepEqual(await tidy({ prompt: 'repeat after me: hi' }), fine);
  assert.deepEqual(await tidy(form({ prompt: 'repeat after me: hi', $ACTION_REF_1: '', '$ACTION_1:0': '{}', '1_$ACTION_KEY': 'k' })), fine);
  assert.deepEqual(await tidy(null, form({ prompt: 'repeat after me: hi' })), fine);
  assert.deepEqual(await createAction('tidy', { session, omit: ['page'] })(form({ prompt: 'repeat after me: hi', page: '7' })), fine);
  const polish = createAction('polish', { session });
  assert.equal((await polish(null, form({ prompt: 'hi', strength: '3' }))).ok, true, 'a number in a form');
  assert.equal(tidy.constructor.name, 'AsyncFunction', 'as a "use server" file may export it');
});

test('a Server Action fails with a value that is fit to be shown', async () => {
  const tidy = createAction('tidy', { session });
  asServerAction();
  assert.deepEqual(await tidy({ prompt: '' }), { ok: false, error: 'Invalid prompt', code: 'invalid_input', field: 'prompt' });
  assert.deepEqual(await tidy({ prompt: '[[fault:500]]' }), { ok: false, error: 'OpenAI request failed', code: 'upstream_error' });
  assert.equal((await tidy(form({ prompt: new Blob(['x']) }))).code, 'invalid_input');
  asServerAction({ cookie: '' });
  assert.deepEqual(await tidy({ prompt: 'hi' }), { ok: false, error: 'Sign in first', code: 'unauthenticated' });
  for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': '' }]) {
    asServerAction(headers);
    assert.equal((await tidy({ prompt: 'hi' })).code, 'csrf');
  }
  asServerAction({ 'sec-fetch-site': 'none' });
  assert.equal((await tidy({ prompt: 'hi' })).ok, true, 'while a page is rendered whose address somebody typed');
  ticket = gateway.ticket('tess', 'plan=tight');
  asServerAction();
  await tidy({ prompt: 'hi' });
  const limited = await tidy({ prompt: 'hi' });
  ticket = gateway.ticket('ada');
  assert.equal(limited.code, 'rate_limited');
  assert.ok(limited.retryAfter > 3600);
});

test('a ticket is bought on the server, for who is signed in', async () => {
  const { ticket: bought, expires_at } = await mintTicket({ id: 'grace', claims: { plan: 'pro' } }, { ttl: 60 });
  assert.ok(Date.parse(expires_at) > Date.now());
  const answer = await ask('actions/tidy', { headers: { cookie: '', authorization: `Bearer ${bought}` } });
  assert.equal(answer.status, 200);
  await assert.rejects(mintTicket({ id: 'grace', claims: { admin: true } }), /claims, plans, actions/);
  process.env.CLAVIGER_SERVICE_KEY = 'x'.repeat(40);
  await assert.rejects(mintTicket({ id: 'grace' }), /does not know the service key/);
  delete process.env.CLAVIGER_SERVICE_KEY;
  await assert.rejects(mintTicket({ id: 'grace' }), /CLAVIGER_SERVICE_KEY is not set.*claviger secret new/);
});

test('the ticket route asks who it is, and refuses other sites before that', async () => {
  const post = (user, headers = own) => createTicketRoute(() => user)(new Request('http://app.example/api/ticket', { method: 'POST', headers }));
  const answer = await post({ id: 'ada' });
  assert.equal(answer.headers.get('cache-control'), 'private, no-store');
  assert.match((await answer.json()).ticket, /\./);
  assert.equal((await post(null)).status, 401);
  assert.equal((await createTicketRoute(() => assert.fail('asked'))(new Request('http://app.example/api/ticket', { method: 'POST' }))).status, 403);
});

test('the Pages Router streams both ways', async (t) => {
  const handler = createPagesHandler({ session });
  const server = createServer((req, res) => {
    req.query = { path: req.url.split('/').slice(3) };
    handler(req, res).catch((e) => { console.error(e); res.destroy(); });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => { server.closeAllConnections(); server.close(); });
  const base = `http://127.0.0.1:${server.address().port}/api/ai`;
  const post = (path, body, more = {}) => fetch(base + path, { method: 'POST', headers: { ...own, cookie: cookie(), ...more.headers }, body: JSON.stringify(body), ...more.init });
  assert.deepEqual(await (await post('/actions/tidy', { prompt: 'repeat after me: hello' })).json(), { text: 'hello', finish: 'stop' });
  assert.equal((await post('/actions/tidy', { prompt: 'hi' }, { headers: { 'sec-fetch-site': 'cross-site' } })).status, 403);
  assert.equal((await post('/actions/tidy', { prompt: 'x'.repeat(3_000_000) })).status, 413);
  await gateway.forget();
  const gone = new AbortController();
  const stream = await post('/actions/tidy', { prompt: 'write 90000 words' }, { headers: { accept: 'text/event-stream' }, init: { signal: gone.signal } });
  await stream.body.getReader().read();
  gone.abort();
  assert.equal((await gateway.calls('?canceled=1')).total, 1);
});
