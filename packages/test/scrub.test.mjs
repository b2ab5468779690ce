import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { withClaviger } from '@claviger/next/config';
import { beforeSend, scrub } from '@claviger/next/scrub';

const random = () => randomBytes(24).toString('base64url');
const key = 'sk-proj-' + random();
const token = ['eyJ' + random(), '', random(), random(), random()].join('.');
const prompt = 'a thought of mine';

/** An event of the form that Sentry's SDK hands over. */
const event = () => ({
  message: `failed with ${key}`,
  exception: { values: [{ type: 'Error', value: `401 for Bearer ${token}`, stacktrace: { frames: [{ filename: 'a.js', lineno: 7, vars: { prompt, n: 7 } }] } }] },
  request: {
    url: `https://app.example/api/ai/actions/tidy?token=${token}`, method: 'POST', data: { prompt }, cookies: { s: token }, query_string: `token=${token}`,
    headers: { Authorization: `Bearer ${token}`, Cookie: `authjs.session-token=${token}`, 'User-Agent': 'a browser' },
  },
  breadcrumbs: [{ category: 'fetch', data: { url: `/x?api_key=${key}&page=2`, body: { messages: [{ role: 'user', content: prompt }] } } }],
  extra: { databaseUrl: 'postgres://app:hunter22@db.example/app', openaiApiKey: key, output: { text: prompt }, input_tokens: 12, ok: true },
  tags: { plan: 'free' },
});

test('what leaves for Sentry holds no secret and nothing that somebody wrote', () => {
  const original = event();
  const sent = beforeSend(original);
  const text = JSON.stringify(sent);
  for (const needle of [key, token, prompt, 'hunter22']) assert.ok(!text.includes(needle), needle.slice(0, 8));
  assert.equal(sent.request.url, 'https://app.example/api/ai/actions/tidy');
  assert.equal(sent.request.headers['User-Agent'], 'a browser');
  assert.equal(sent.tags.plan, 'free');
  assert.equal(sent.extra.input_tokens, 12);
  assert.equal(sent.exception.values[0].stacktrace.frames[0].lineno, 7);
  assert.match(text, /page=2/);
  assert.deepEqual(original, event(), 'the original stays as it was');
});

test('a log line survives cycles, errors, headers and depth', () => {
  const round = { name: 'a', error: Object.assign(new Error(`no ${key}`), { code: 'ECONNREFUSED' }), headers: new Headers({ authorization: 'Bearer x', accept: '*/*' }) };
  round.self = round;
  const copy = scrub(round);
  assert.equal(copy.self, '[left out]');
  assert.equal(copy.error.message, 'no [key]');
  assert.ok(!copy.error.stack.includes(key));
  assert.equal(copy.error.code, 'ECONNREFUSED');
  assert.deepEqual(copy.headers, { authorization: '[private]', accept: '*/*' });
  assert.equal(scrub(`seal Fe26.2*1*${random()}*x`), 'seal [session]');
  assert.deepEqual(scrub([null, undefined, 7n, true]), [null, undefined, 7n, true]);
  let deep = 'end';
  for (let i = 0; i < 50; i++) deep = { deep };
  assert.ok(!JSON.stringify(scrub(deep)).includes('end'));
});

/** Runs with these variables and no others of their names. */
async function withVariables(variables, run) {
  Object.assign(process.env, variables);
  try {
    return await run();
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

const build = (config, options) => withClaviger(config, options)('phase-production-build', { defaultConfig: {} });

test('a build stops at a secret that would reach browsers, and shows no value', async () => {
  const secret = random();
  for (const [variables, config, named] of [
    [{ NEXT_PUBLIC_OPENAI_API_KEY: key }, {}, 'NEXT_PUBLIC_OPENAI_API_KEY holds a key'],
    [{ NEXT_PUBLIC_THING: key }, {}, 'NEXT_PUBLIC_THING holds a key'],
    [{ NEXT_PUBLIC_THING: secret, AUTH_SECRET: secret }, {}, 'NEXT_PUBLIC_THING holds the same as AUTH_SECRET'],
    [{ NEXT_PUBLIC_DB_PASSWORD: secret }, {}, 'NEXT_PUBLIC_DB_PASSWORD is named as a secret'],
    [{}, { env: { THING: key } }, '"env.THING" in the configuration of Next.js holds a key'],
    [{ CLAVIGER_SERVICE_KEY: secret }, { env: { OTHER: secret } }, '"env.OTHER" in the configuration of Next.js holds the same as CLAVIGER_SERVICE_KEY'],
  ]) {
    const error = await withVariables(variables, () => build(config)).then(() => assert.fail(named), (e) => e);
    assert.ok(error.message.includes(named), error.message);
    assert.ok(!error.message.includes(key) && !error.message.includes(secret));
  }
  await withVariables({
    NEXT_PUBLIC_SUPABASE_ANON_KEY: 'ey' + secret, NEXT_PUBLIC_TURNSTILE_SITE_KEY: secret, NEXT_PUBLIC_URL: 'https://app.example', NEXT_PUBLIC_MAX_TOKENS: '4000',
    OPENAI_API_KEY: key, NEXT_PUBLIC_EMPTY: '',
  }, () => build({ env: { RELEASE: '1.2.3' } }));
});

test('the rewrite joins those of the app', async () => {
  const rewrites = async (config, options) => (await build(config, options)).rewrites();
  const ours = [
    { source: '/ai/v1/:path*', destination: 'http://127.0.0.1:8787/v1/:path*' },
    { source: '/ai/actions/:path*', destination: 'http://127.0.0.1:8787/actions/:path*' },
  ];
  const theirs = [{ source: '/a', destination: '/b' }];
  assert.deepEqual(await rewrites({}, { rewrite: '/ai' }), ours);
  assert.deepEqual(await rewrites({ rewrites: async () => theirs }, { rewrite: '/ai' }), [...theirs, ...ours]);
  assert.deepEqual(await rewrites(async () => ({ rewrites: async () => ({ beforeFiles: theirs }) }), { rewrite: '/ai' }), { beforeFiles: theirs, afterFiles: ours });
  assert.equal((await build({ basePath: '/x' })).rewrites, undefined);
  await assert.rejects(build({}, { rewrite: 'ai/' }), /write it as "\/ai"/);
});
