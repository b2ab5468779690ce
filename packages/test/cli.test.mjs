import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { claviger, firstLine, freeAddress, root } from './gateway.mjs';

const platform = `${process.platform}-${process.arch}`;
const dir = mkdtempSync(join(tmpdir(), 'claviger-cli-'));
const app = join(dir, 'app');
const command = join(app, 'node_modules/.bin/claviger');
let tarballs;

before(() => {
  const out = execFileSync('node', [join(root, 'packages/cli/build.mjs'), '--out', dir, '--binary', claviger, platform], { encoding: 'utf8' });
  tarballs = out.trim().split('\n').map((line) => line.split('  ')[0]);
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{"private":true}');
  // The packages of other platforms are not there, as they would not fit.
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs.map((t) => join(dir, t))], { cwd: app });
});
after(() => rmSync(dir, { recursive: true, force: true }));

const npx = (...args) => spawnSync('npx', ['--offline', 'claviger', ...args], { cwd: app, encoding: 'utf8' });

test('npx runs the binary, and hands its arguments and exit code through', () => {
  const version = npx('--version');
  assert.equal(version.status, 0, version.stderr);
  assert.match(version.stdout, /^claviger \S+/);
  assert.equal(npx('secret', 'new').stdout.trim().length > 32, true);
  const bad = npx('no-such-command', '--with', 'spaces in it');
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /claviger --help/);
});

test('signals reach the binary, which ends in its own way', async () => {
  const [listen, admin] = [await freeAddress(), await freeAddress()];
  const child = spawn(command, ['demo', '--listen', listen, '--admin-listen', admin], { cwd: app, env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'ignore'] });
  assert.match(await firstLine(child.stdout), /http:/);
  const ended = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));
  child.kill('SIGINT');
  assert.deepEqual(await ended, { code: 0, signal: null });
  await assert.rejects(fetch(`http://${listen}`), 'nothing is left behind');
});

test('a binary that a signal ends is told as such', { skip: process.platform === 'win32' }, async () => {
  const child = spawn(command, [], { cwd: app, env: { PATH: process.env.PATH, CLAVIGER_BINARY: '/bin/cat' }, stdio: ['pipe', 'pipe', 'inherit'] });
  const echoed = firstLine(child.stdout);
  child.stdin.write('here\n');
  assert.equal(await echoed, 'here');
  const ended = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));
  child.kill('SIGTERM');
  assert.deepEqual(await ended, { code: null, signal: 'SIGTERM' });
});

test('without a binary it says what to do', () => {
  const launcher = join(app, 'node_modules/@claviger/cli/bin/claviger.js');
  rmSync(join(app, `node_modules/@claviger/cli-${platform}`), { recursive: true });
  const out = spawnSync('node', [launcher], { encoding: 'utf8', env: { PATH: process.env.PATH } });
  assert.equal(out.status, 2);
  assert.match(out.stderr, /no binary for .*\n.*--omit=optional/);
});

test('nothing runs when it is installed, and every platform is named', () => {
  const manifest = JSON.parse(execFileSync('tar', ['-xzOf', join(dir, tarballs.at(-1)), 'package/package.json'], { encoding: 'utf8' }));
  assert.equal(manifest.scripts, undefined);
  assert.equal(Object.keys(manifest.optionalDependencies).length, 6);
  assert.ok(Object.values(manifest.optionalDependencies).every((v) => v === manifest.version));
  const readme = readFileSync(join(root, 'packages/cli/README.md'), 'utf8');
  assert.match(readme, /Linux, macOS and Windows, on x64 and arm64/);
});
