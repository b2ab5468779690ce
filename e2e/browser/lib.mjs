// What the browser tests share: a Chromium whose whole traffic is kept, so that
// a test can search every byte that the browser received.
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const shots = process.env.SHOTS;
const trace = process.env.TRACE;
if (shots) mkdirSync(shots, { recursive: true });

const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

export const launch = () => chromium.launch({ executablePath, args });

/** A browser with a profile on disk, as a person has one. */
export const profile = (dir, extra) => chromium.launchPersistentContext(dir, { executablePath, args: [...args, ...extra], ignoreHTTPSErrors: true });

/** A new context whose requests, answers and console errors are kept. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const seen = { errors: [], pending: [], requests: [] };
  context.on('request', (r) => {
    seen.requests.push({ url: r.url(), method: r.method() });
    appendFileSync(trace, `> ${r.method()} ${r.url()}\n${JSON.stringify(r.headers())}\n${r.postData() ?? ''}\n`);
  });
  context.on('response', (r) => {
    seen.pending.push((async () => {
      const headers = await r.allHeaders().catch(() => ({}));
      const body = await r.body().catch(() => Buffer.from('(no body)'));
      appendFileSync(trace, `< ${r.status()} ${r.url()}\n${JSON.stringify(headers)}\n`);
      appendFileSync(trace, body);
      appendFileSync(trace, '\n');
    })());
  });
  const page = await context.newPage();
  page.on('console', (m) => { if (m.type() === 'error') seen.errors.push(m.text()); });
  page.on('pageerror', (e) => seen.errors.push(String(e)));
  return { context, page, seen };
}

export async function shot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

export async function settle(seen) {
  await Promise.race([Promise.allSettled(seen.pending), new Promise((r) => setTimeout(r, 1500))]);
}

/** Records how the text of an element grows: [ms since start, length]. */
export async function watchGrowth(page, selector) {
  await page.evaluate((sel) => {
    window.growth = [];
    const start = performance.now();
    let last = -1;
    const look = () => {
      const all = document.querySelectorAll(sel);
      const n = all.length ? all[all.length - 1].textContent.length : 0;
      if (n !== last) window.growth.push([Math.round(performance.now() - start), (last = n)]);
      window.growthTimer = requestAnimationFrame(look);
    };
    look();
  }, selector);
}

export const growth = (page) => page.evaluate(() => { cancelAnimationFrame(window.growthTimer); return window.growth; });
