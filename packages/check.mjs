// Checks the form and the size of what is published, and fails where one is wrong.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = new URL('.', import.meta.url).pathname;
const bin = (name) => join(here, 'node_modules/.bin', name);
let failed = false;
const fail = (text) => {
  console.error(text);
  failed = true;
};

/** The most that an entry may weigh, bundled without its peers, in bytes of min + gzip. */
const most = {
  'client/dist/index.js': 4096,
  'next/dist/index.js': 8192,
  'next/dist/pages.js': 4096,
  'next/dist/client.js': 5120,
  'next/dist/config.js': 1536,
  'next/dist/scrub.js': 1536,
};

for (const [entry, limit] of Object.entries(most)) {
  const { outputFiles } = await build({
    entryPoints: [join(here, entry)], bundle: true, minify: true, write: false, format: 'esm', platform: 'neutral', logLevel: 'error',
    external: ['react', 'next/*', 'server-only'], banner: {},
  });
  const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  console.log(`${String(size).padStart(6)} bytes min+gzip of at most ${limit}  ${entry}`);
  if (size > limit) fail(`${entry} is too large`);
}

// An import of one function takes no more along than it needs.
const shaken = await build({
  stdin: { contents: "export { readLimits } from '@claviger/client';", resolveDir: here }, bundle: true, minify: true, write: false, format: 'esm', logLevel: 'error',
});
const alone = gzipSync(shaken.outputFiles[0].contents).length;
console.log(`${String(alone).padStart(6)} bytes min+gzip of at most 700  readLimits alone`);
if (alone > 700) fail('the client cannot be shaken: an import of readLimits takes more along');

const out = mkdtempSync(join(tmpdir(), 'claviger-check-'));
try {
  for (const name of ['client', 'next', 'cli']) {
    const dir = join(here, name);
    const lint = spawnSync(bin('publint'), [dir, '--strict'], { encoding: 'utf8' });
    if (lint.status !== 0 || !/All good/.test(lint.stdout)) fail(`publint ${name}:\n${lint.stdout}${lint.stderr}`);
    const [{ filename, files }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', out], { cwd: dir, encoding: 'utf8' }));
    for (const want of ['LICENSE', 'README.md', 'package.json']) if (!files.some((f) => f.path === want)) fail(`${name} is packed without ${want}`);
    if (name === 'cli') continue; // a program has no types
    const types = spawnSync(bin('attw'), [join(out, filename), '--profile', 'esm-only', '--format', 'table-flipped'], { encoding: 'utf8' });
    if (types.status !== 0) fail(`attw ${name}:\n${types.stdout}${types.stderr}`);
    const undocumented = [...exportsWithoutDoc(dir)];
    if (undocumented.length) fail(`${name} exports without a comment: ${undocumented.join(', ')}`);
  }
  console.log('publint, are-the-types-wrong and doc comments: clean');
} finally {
  rmSync(out, { recursive: true });
}

/** Names that an entry exports and that no comment stands before where they are declared. */
function* exportsWithoutDoc(dir) {
  const { exports } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  for (const entry of Object.values(exports)) {
    if (typeof entry === 'string') continue;
    const file = join(dir, entry.types);
    yield* withoutDoc(file, readFileSync(file, 'utf8'));
  }
}

function* withoutDoc(file, text) {
  for (const [, , name] of text.matchAll(/(?<!\*\/\s*)^export declare (abstract )?(?:function|class|const|type|interface) (\w+)/gm)) yield name;
  for (const [, names, from] of text.matchAll(/^export (?:type )?\{([^}]*)\} from '(.*)\.js'/gm)) {
    const source = readFileSync(join(file, '..', `${from}.d.ts`), 'utf8');
    for (const name of names.split(',').map((n) => n.replace('type', '').trim())) {
      if (!new RegExp(`\\*/\\s*(// .*\\s*)?export (declare )?(abstract )?(function|class|const|type|interface) ${name}\\b`).test(source)) yield name;
    }
  }
}

if (failed) process.exit(1);
