// Sends every request that a page can make a browser send, from pages of every
// kind, and prints for each what the page saw. What arrived is known to the
// server in front of the gateway, by the number of the row. ONLY is a JSON list of
// "page/way" to send no others; what is not done by the deadline is left out.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { profile } from './lib.mjs';
import { inPage, ways } from './ways.mjs';

const { OURS, LISTED, SIBLING, FOREIGN, CONTROL, TICKET } = process.env;
const { SAME_SITE, COOKIE, SESSION } = process.env;
const only = process.env.ONLY ? new Set(JSON.parse(process.env.ONLY)) : null;
const deadline = Date.now() + 240_000;

// within gives up on a browser that does not answer.
const within = (ms, promise, what) => {
  let timer;
  const late = new Promise((_, no) => { timer = setTimeout(no, ms, new Error(`${what} took more than ${ms} ms`)); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

const page = (origin) => ({ url: `${origin}/-/page`, find: async (p) => p.mainFrame() });
const inner = (origin, kind) => ({
  url: `${origin}/-/page`,
  find: async (p, of = origin) => {
    await p.evaluate(([k, src]) => new Promise((done) => {
      const i = document.createElement('iframe');
      i.onload = done;
      const html = '<!doctype html><title>inner</title><body>';
      if (k === 'sandbox') { i.sandbox = 'allow-scripts allow-forms allow-popups allow-top-navigation'; i.src = src; }
      if (k === 'data') i.src = 'data:text/html,' + encodeURIComponent(html);
      if (k === 'blob') i.src = URL.createObjectURL(new Blob([html], { type: 'text/html' }));
      if (k === 'foreign') i.src = src;
      document.body.append(i);
    }), [kind, `${of}/-/page`]);
    return p.frames()[1];
  },
});
const contexts = {
  'our page': page(OURS),
  'a listed origin': page(LISTED),
  'a sister site': page(SIBLING),
  'a foreign page': page(FOREIGN),
  'its blob: frame': inner(FOREIGN, 'blob'),
  'its frame in our page': { url: `${OURS}/-/page`, find: (p) => inner(OURS, 'foreign').find(p, FOREIGN) },
  'null: its sandboxed frame': inner(FOREIGN, 'sandbox'),
  'null: its data: frame': inner(FOREIGN, 'data'),
  'null: a sandboxed frame in our page': inner(OURS, 'sandbox'),
};

// A profile whose owner lets other sites have their cookies: what is looked at is
// the gateway, not how far the browser helps it.
const dir = mkdtempSync(join(tmpdir(), 'claviger-profile-'));
mkdirSync(join(dir, 'Default'));
writeFileSync(join(dir, 'Default', 'Preferences'), JSON.stringify({ profile: { block_third_party_cookies: false, cookie_controls_mode: 0 } }));
const context = await within(60_000, profile(dir, ['--ignore-certificate-errors', '--host-resolver-rules=MAP *.test 127.0.0.1', '--disable-popup-blocking', '--renderer-process-limit=4']), 'the browser');
await context.addCookies([{ name: COOKIE, value: SESSION, url: OURS, httpOnly: true, secure: true, sameSite: SAME_SITE }]);
let number = Number(process.env.FIRST);

async function run(where, way, frame, told) {
  const row = (told.row = ++number);
  const from = new URL(where.url).origin;
  const code = `(() => {
    const row = ${row}, ticket = ${JSON.stringify(TICKET)};
    const at = (path) => '${OURS}' + path + '?row=' + row;
    const redirect = (code, to) => '${from === OURS ? FOREIGN : from}/-/redirect?code=' + code + '&to=' + encodeURIComponent(to);
    ${inPage}
    return ${way.code};
  })()`;
  let saw;
  try {
    saw = await Promise.race([frame.evaluate(code), new Promise((r) => setTimeout(r, 15000, 'silent'))]);
  } catch (e) {
    saw = way.goes ? 'sent' : `failed: ${String(e).split('\n')[0]}`;
  }
  if (way.wait) await fetch(`${CONTROL}/wait?row=${row}`, { signal: AbortSignal.timeout(10000) }).catch(() => {});
  told.saw = saw;
}

// back brings a page to where it began, or another where that one is still on
// its way to somewhere else.
async function back(p, where) {
  for (let tries = 0; ; tries++) {
    try {
      p ??= await within(20_000, context.newPage(), 'a new page');
      await p.goto(where.url, { timeout: 20_000 });
      return { page: p, frame: await within(20_000, where.find(p), 'its frame') };
    } catch (e) {
      p?.close().catch(() => {});
      p = null;
      if (tries === 2) throw e;
    }
  }
}

const rows = [];

async function walk(name, where) {
  let p = null;
  let frame = null;
  const windows = [];
  for (const way of ways) {
    if (only && !only.has(`${name}/${way.name}`)) continue;
    if (Date.now() > deadline) return;
    if (!frame) {
      ({ page: p, frame } = await back(p, where));
      p.removeAllListeners('popup');
      p.on('popup', (w) => windows.push(w));
    }
    const told = { cookie: SAME_SITE, from: name, way: way.name, saw: 'failed: never ended' };
    rows.push(told);
    await run(where, way, frame, told);
    if (way.goes) {
      // Not waited for: a window that is on its way somewhere can take its time.
      for (const w of windows.splice(0)) w.close().catch(() => {});
      frame = null;
    }
  }
  p?.close().catch(() => {});
}

const walks = Object.entries(contexts);
let next = 0;
await Promise.all(Array.from({ length: 6 }, async () => {
  while (next < walks.length) {
    const [name, where] = walks[next++];
    await within(deadline + 20_000 - Date.now(), walk(name, where), name).catch((e) => console.error(String(e)));
  }
}));
const version = context.browser()?.version() ?? '';
await within(10_000, context.close(), 'the end').catch((e) => console.error(String(e)));
rmSync(dir, { recursive: true, force: true });
process.stdout.write(JSON.stringify({ version, rows, pages: walks.map(([name]) => name), ways: ways.map((w) => w.name) }) + '\n', () => process.exit(0));
