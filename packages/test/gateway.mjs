// A real `claviger serve` in front of the simulated OpenAI, for the tests of the
// packages. Both are built from this repository and end with the test.
import { spawn, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const root = new URL('../../', import.meta.url).pathname;
const bin = join(root, '.claviger', 'bin');

/** Builds the command and the simulator; Go's cache makes the second time quick. */
export function build() {
  execFileSync('go', ['build', '-ldflags', '-s -w', '-o', bin + '/', './cmd/claviger', './e2e/simulate'], { cwd: root, stdio: 'inherit' });
}

/** The command that `build` made. */
export const claviger = join(bin, 'claviger');

export const secret = () => randomBytes(32).toString('base64url');

const configuration = (extra = '') => `
environment: development
origins: [http://app.example]
auth:
  - ticket: {secrets: [env:TICKET_SECRET]}
  - authjs: {secrets: [env:AUTH_SECRET]}
  - service: {keys: [{name: web, secret: env:SERVICE_KEY, claims: [plan]}]}
plans:
  - name: tight
    when: has(user.claims.plan) && user.claims.plan == "tight"
    models: [gpt-4.1-mini]
    limits: {requests: 1/day}
  - name: brisk
    when: has(user.claims.plan) && user.claims.plan == "brisk"
    models: [gpt-4.1-mini]
    limits: {requests: 1/s}
  - name: all
    models: [gpt-4.1-mini]
    limits: {requests: 1000/min, concurrency: 20, spend: 20 USD/day}
actions:
  tidy:
    path: /api/ai/tidy
    model: gpt-4.1-mini
    instructions: Answer.
    input:
      type: object
      required: [prompt]
      additionalProperties: false
      properties: {prompt: {type: string, minLength: 1, maxLength: 2000}}
  polish:
    model: gpt-4.1-mini
    instructions: Answer at strength {{strength}}.
    input:
      type: object
      required: [prompt, strength]
      additionalProperties: false
      properties: {prompt: {type: string, minLength: 1, maxLength: 2000}, strength: {type: integer, minimum: 1, maximum: 5}}
  facts:
    model: gpt-4.1-mini
    instructions: Answer.
    input: {type: object, required: [topic], additionalProperties: false, properties: {topic: {type: string}}}
    output: {type: object, required: [title, size], additionalProperties: false, properties: {title: {type: string}, size: {type: integer, minimum: 1}}}
  assistant: {kind: chat, model: gpt-4.1-mini, instructions: Be brief., turns: 20, characters: 8000}
proxy: {endpoints: [responses, chat.completions]}
${extra}`;

/** Starts both. `close` ends them. */
export async function start(extra) {
  const dir = mkdtempSync(join(tmpdir(), 'claviger-packages-'));
  const config = join(dir, 'claviger.yaml');
  writeFileSync(config, configuration(extra));
  const children = [];
  const sim = spawn(join(bin, 'simulate'), { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(sim);
  const [upstream, control] = (await firstLine(sim.stdout)).split(' ');
  const [listen, admin] = [await freeAddress(), await freeAddress()];
  const secrets = { TICKET_SECRET: secret(), AUTH_SECRET: secret(), SERVICE_KEY: secret() };
  const env = {
    PATH: process.env.PATH, ...secrets, OPENAI_API_KEY: 'sk-' + secret(),
    CLAVIGER_UPSTREAM: upstream, CLAVIGER_LISTEN: listen, CLAVIGER_ADMIN_LISTEN: admin, CLAVIGER_CONFIG: config,
  };
  const serve = spawn(claviger, ['serve'], { env, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(serve);
  let log = '';
  serve.stderr.on('data', (chunk) => (log += chunk));
  await ready(`http://${admin}/readyz`, serve, () => log);
  return {
    url: `http://${listen}`, control, env, ...secrets,
    /** A ticket for somebody, from the command line. */
    ticket: (sub = 'ada', ...claims) =>
      execFileSync(claviger, ['token', 'mint', '--sub', sub, ...claims.flatMap((c) => ['--claim', c])], { env, cwd: dir, encoding: 'utf8' }).trim(),
    calls: async (query = '') => (await fetch(`${control}/calls${query}`)).json(),
    forget: () => fetch(`${control}/calls`, { method: 'DELETE' }),
    async close() {
      sim.stdin.end();
      await Promise.all(children.map((child) => child.exitCode ?? new Promise((done) => { child.once('exit', done); child.kill('SIGTERM'); })));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export function firstLine(stream) {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
    });
    stream.on('end', () => reject(new Error('it printed no line')));
  });
}

export async function freeAddress() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return `127.0.0.1:${port}`;
}

async function ready(url, child, log) {
  for (const end = Date.now() + 60_000; ; ) {
    if (child.exitCode !== null) throw new Error(`claviger serve ended:\n${log()}`);
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    if (Date.now() > end) throw new Error(`claviger serve is not ready after a minute:\n${log()}`);
    await new Promise((go) => setTimeout(go, 20));
  }
}
