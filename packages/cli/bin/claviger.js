#!/usr/bin/env node
// Starts the claviger binary of this platform, which came as an optional
// dependency, and gets out of its way: arguments, standard streams, signals and
// the exit code pass through.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

const platform = `${process.platform}-${process.arch}`;

function binary() {
  if (process.env.CLAVIGER_BINARY) return process.env.CLAVIGER_BINARY;
  const name = process.platform === 'win32' ? 'claviger.exe' : 'claviger';
  try {
    return createRequire(import.meta.url).resolve(`@claviger/cli-${platform}/bin/${name}`);
  } catch {
    console.error(
      `claviger: there is no binary for ${platform} beside this package.\n` +
      'If your platform is one of those in the README, install again without --omit=optional (or --no-optional);\n' +
      'else build it with "go build ./cmd/claviger" and name it in CLAVIGER_BINARY.',
    );
    process.exit(2);
  }
}

const child = spawn(binary(), process.argv.slice(2), { stdio: 'inherit', windowsHide: true });

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) {
  if (!(signal in constants.signals)) continue;
  process.on(signal, () => {
    // Of a terminal's keys the binary, in the same process group, hears by itself.
    const heard = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
    if (!heard) child.kill(signal);
  });
}

child.on('error', (error) => {
  console.error(`claviger: the binary does not start (${error.code}). Install the package again.`);
  process.exit(2);
});

child.on('exit', (code, signal) => {
  if (code !== null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // A signal that does not end this process ends it all the same.
  setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100);
});
