// Builds the binaries and packs what is published: @claviger/cli, and a package
// for each platform, of which npm installs the one that fits. No package runs a
// script when it is installed.
//
//   node build.mjs [--out DIRECTORY] [--binary FILE] [PLATFORM…]
//
// All platforms unless some are named; --binary packs one that was built before.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const here = new URL('.', import.meta.url).pathname;
const root = resolve(here, '../..');
const own = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));

/** Platforms as Node names them, and as Go does. */
export const platforms = {
  'linux-x64': ['linux', 'amd64'], 'linux-arm64': ['linux', 'arm64'],
  'darwin-x64': ['darwin', 'amd64'], 'darwin-arm64': ['darwin', 'arm64'],
  'win32-x64': ['windows', 'amd64'], 'win32-arm64': ['windows', 'arm64'],
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string', default: 'dist' }, binary: { type: 'string' } } });
const unknown = positionals.filter((p) => !(p in platforms));
if (unknown.length) {
  console.error(`build: no such platform: ${unknown.join(', ')}. There are ${Object.keys(platforms).join(', ')}.`);
  process.exit(2);
}
const out = resolve(values.out);
const stage = mkdtempSync(join(tmpdir(), 'claviger-pack-'));
mkdirSync(out, { recursive: true });
try {
  for (const platform of positionals.length ? positionals : Object.keys(platforms)) packPlatform(platform);
  packLauncher();
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function packPlatform(platform) {
  const [os, cpu] = platform.split('-');
  const [goos, goarch] = platforms[platform];
  const dir = join(stage, platform);
  const binary = join('bin', os === 'win32' ? 'claviger.exe' : 'claviger');
  mkdirSync(join(dir, 'bin'), { recursive: true });
  if (values.binary) cpSync(values.binary, join(dir, binary));
  else execFileSync('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', join(dir, binary), './cmd/claviger'], {
    cwd: root, stdio: 'inherit', env: { ...process.env, GOOS: goos, GOARCH: goarch, CGO_ENABLED: '0' },
  });
  write(dir, {
    name: `${own.name}-${platform}`, version: own.version, description: `The claviger binary for ${platform}`, license: own.license,
    os: [os], cpu: [cpu], files: ['bin'], preferUnplugged: true,
  }, `# ${own.name}-${platform}\n\nThe binary that \`${own.name}\` starts on ${platform}. Install that package instead.\n`);
}

function packLauncher() {
  const dir = join(stage, 'cli');
  cpSync(join(here, 'bin'), join(dir, 'bin'), { recursive: true });
  const optionalDependencies = Object.fromEntries(Object.keys(platforms).map((p) => [`${own.name}-${p}`, own.version]));
  write(dir, { ...own, optionalDependencies }, readFileSync(join(here, 'README.md'), 'utf8'));
}

function write(dir, manifest, readme) {
  writeFileSync(join(dir, 'package.json'), JSON.stringify(manifest, null, 2) + '\n');
  writeFileSync(join(dir, 'README.md'), readme);
  cpSync(join(root, 'LICENSE'), join(dir, 'LICENSE'));
  const [{ filename, size }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', out], { cwd: dir, encoding: 'utf8', shell: process.platform === 'win32' }));
  console.log(`${filename}  ${(size / 2 ** 20).toFixed(1)} MiB`);
}
