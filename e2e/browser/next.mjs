// Drives the Next.js example as a person would. Prints what it saw as JSON.
import { growth, launch, open, settle, shot, watchGrowth } from './lib.mjs';

const base = process.env.BASE_URL;
const browser = await launch();
const out = { errors: [] };

async function signIn(page, name, query = '') {
  await page.goto(base + query);
  await page.click(`button:has-text("Sign in as ${name}")`);
  await page.waitForSelector('button:has-text("Sign out")');
  if (query) await page.goto(base + query);
}

async function chat(page, text) {
  await page.fill('#message', text);
  await page.click('#send');
}

const idle = (page) => page.waitForFunction(() => !document.querySelector('#send').disabled, null, { timeout: 30000 });

// Signed out, the app refuses.
{
  const { context, page, seen } = await open(browser);
  await page.goto(base);
  await page.click('button:has-text("Tidy up")');
  await page.waitForSelector('#tidy-error');
  out.signedOutAction = await page.textContent('#tidy-error');
  await chat(page, 'hello');
  await page.waitForSelector('#chat-error');
  out.signedOutChat = await page.textContent('#chat-error');
  await shot(page, 'next-signed-out');
  await settle(seen);
  out.errors.push(...seen.errors.filter((e) => !e.includes('401')));
  await context.close();
}

// Both ways stream, and stop.
for (const [name, query] of [['handler', ''], ['rewrite', '/?via=rewrite']]) {
  const { context, page, seen } = await open(browser);
  await signIn(page, 'Grace', query);
  await watchGrowth(page, '.turn.assistant');
  await chat(page, 'write 40 words');
  await page.waitForSelector('.turn.assistant');
  await idle(page);
  out[name] = { growth: await growth(page), answer: await page.locator('.turn.assistant').last().textContent() };
  await shot(page, `next-${name}`);
  await chat(page, 'write 900 words');
  await page.waitForFunction(() => document.querySelectorAll('.turn.assistant')[1]?.textContent.length > 20);
  await page.click('#stop');
  await page.waitForSelector('#chat-error');
  out[name].stopped = await page.textContent('#chat-error');
  await settle(seen);
  out.errors.push(...seen.errors);
  await context.close();
}

// The form without JavaScript, then signed out again.
{
  const { context, page, seen } = await open(browser, { javaScriptEnabled: false });
  await signIn(page, 'Ada');
  await page.fill('#prompt', 'repeat after me: tidy text');
  await page.click('button:has-text("Tidy up")');
  await page.waitForSelector('#tidied');
  out.form = await page.textContent('#tidied');
  await shot(page, 'next-form');
  await page.click('button:has-text("Sign out")');
  await page.waitForSelector('button:has-text("Sign in as Ada")');
  await page.click('button:has-text("Tidy up")');
  await page.waitForSelector('#tidy-error');
  out.formSignedOut = await page.textContent('#tidy-error');
  await settle(seen);
  await context.close();
}

// The form with JavaScript; a model above the plan; the limit reached and shown.
{
  const { context, page, seen } = await open(browser, { colorScheme: 'dark', viewport: { width: 390, height: 844 } });
  await signIn(page, 'Ada');
  await page.fill('#prompt', 'repeat after me: with script');
  await page.click('button:has-text("Tidy up")');
  await page.waitForSelector('#tidied');
  out.formScript = await page.textContent('#tidied');
  await page.selectOption('#model', 'gpt-4.1');
  await chat(page, 'hello');
  await page.waitForSelector('#chat-error');
  out.modelRefused = await page.textContent('#chat-error');
  await shot(page, 'next-refused-dark-narrow');
  await page.selectOption('#model', 'gpt-4.1-mini');
  for (let i = 0; i < 14 && !out.limited; i++) {
    await idle(page);
    await chat(page, 'write 1 words');
    await page.waitForFunction(() => document.querySelector('#send').disabled, null, { timeout: 2000 }).catch(() => {});
    await idle(page);
    const problem = await page.locator('#chat-error').textContent({ timeout: 300 }).catch(() => '');
    if (/Try again/.test(problem)) out.limited = problem;
  }
  await shot(page, 'next-limited-dark-narrow');
  out.overflow = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  await settle(seen);
  out.errors.push(...seen.errors.filter((e) => !/403|429/.test(e)));
  await context.close();
}

await browser.close();
process.stdout.write(JSON.stringify(out) + '\n');
