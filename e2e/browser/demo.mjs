// Drives `claviger demo` as a person would. Prints what it saw as JSON.
import { growth, launch, open, settle, shot, watchGrowth } from './lib.mjs';

const base = process.env.BASE_URL;
const browser = await launch();
const out = { errors: [] };

// Signed out: nothing is generated, and the page says so.
{
  const { context, page, seen } = await open(browser);
  await page.goto(base);
  await shot(page, 'demo-signed-out');
  await page.fill('#message', 'hello');
  await page.click('#send');
  await page.waitForSelector('.turn.error');
  out.signedOut = await page.textContent('.turn.error');
  await settle(seen);
  // A refused request is an error in Chromium's console by itself.
  out.errors.push(...seen.errors.filter((e) => !e.includes('401')));
  await context.close();
}

async function signIn(page, name) {
  await page.goto(base);
  await page.click(`button:has-text("Sign in as ${name}")`);
  await page.waitForSelector('.who');
}

// The free user: form, chat, stop, limits, a model above the plan.
{
  const { context, page, seen } = await open(browser);
  await signIn(page, 'Ada');
  await watchGrowth(page, '.turn.assistant');
  await page.fill('#message', 'write 60 words');
  await page.click('#send');
  await page.waitForFunction(() => !document.querySelector('#send').disabled, null, { timeout: 30000 });
  out.growth = await growth(page);
  out.answer = await page.textContent('.turn.assistant');
  out.verdict = await page.textContent('#verdict');
  out.limits = await page.locator('#limits .meter').allTextContents();
  await shot(page, 'demo-chat');

  await page.fill('#message', 'write 900 words');
  await page.click('#send');
  await page.waitForFunction(() => document.querySelectorAll('.turn.assistant')[1]?.textContent.length > 20);
  await page.click('#stop');
  await page.waitForFunction(() => document.querySelector('#status').textContent === 'Stopped');
  out.stoppedAt = (await page.locator('.turn.assistant').nth(1).textContent()).length;

  await page.selectOption('#model', 'gpt-4.1');
  await page.fill('#message', 'hello');
  await page.click('#send');
  await page.waitForSelector('.turn.error');
  out.modelRefused = await page.textContent('.turn.error');

  await page.selectOption('#model', 'gpt-4.1-mini');
  for (let i = 0; i < 12 && !out.limited; i++) {
    await page.fill('#message', 'write 2 words');
    const before = await page.locator('.turn').count();
    await page.click('#send');
    await page.waitForFunction((n) => document.querySelectorAll('.turn').length >= n + 2 && !document.querySelector('#send').disabled, before);
    const last = page.locator('.turn.error').last();
    const text = await last.textContent();
    if (/limits on this page/.test(text)) out.limited = text;
  }
  await shot(page, 'demo-limited');
  await settle(seen);
  out.errors.push(...seen.errors.filter((e) => !/403|429/.test(e)));
  await context.close();
}

// The form without JavaScript.
{
  const { context, page, seen } = await open(browser, { javaScriptEnabled: false });
  await signIn(page, 'Grace');
  await page.fill('#prompt', 'repeat after me: <b>bold</b> & "quoted"');
  await page.click('#action button');
  await page.waitForSelector('.answer');
  out.form = await page.textContent('.answer');
  out.formHTML = await page.locator('.answer b').count();
  await shot(page, 'demo-form-answer');
  await page.click('a:has-text("Back")');
  await page.waitForSelector('#action');
  await page.fill('#prompt', '   ');
  await page.click('#action button');
  await page.waitForSelector('.error');
  out.formRefused = await page.textContent('.error');
  await settle(seen);
  out.errors.push(...seen.errors.filter((e) => !e.includes('400')));
  await context.close();
}

// Looks, dark and narrow, and the way by keyboard.
for (const [name, options] of Object.entries({
  dark: { colorScheme: 'dark' },
  narrow: { viewport: { width: 360, height: 780 } },
  'narrow-dark': { viewport: { width: 360, height: 780 }, colorScheme: 'dark' },
})) {
  const { context, page, seen } = await open(browser, options);
  await signIn(page, 'Grace');
  await page.fill('#message', 'write 40 words');
  await page.focus('#message');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('.turn.assistant') && !document.querySelector('#send').disabled, null, { timeout: 30000 });
  await shot(page, `demo-${name}`);
  out[`overflow-${name}`] = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  await settle(seen);
  out.errors.push(...seen.errors);
  await context.close();
}

await browser.close();
process.stdout.write(JSON.stringify(out) + '\n');
