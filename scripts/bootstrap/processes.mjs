/*
 * Programs that the scripts start and must not leave behind. Each runs in a process group of its own (so that a
 * Ctrl-C reaches us alone and we choose the order of stopping), is killed when our process ends in any way that runs
 * code, and, where util-linux's setpriv is at hand, by the kernel when ours is killed without a word.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

/** @type {Set<import('node:child_process').ChildProcess>} */
const owned = new Set();
let isWatching = false;

function watch() {
  if (isWatching) return;
  isWatching = true;
  process.on('exit', () => {
    for (const child of owned) killGroup(child, 'SIGKILL');
  });
  for (const [signal, number] of /** @type {const} */ ([
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ])) {
    // A script with an order of its own (lifetime.mjs) listens too and decides; without one the end is immediate.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
  }
}

/**
 * Puts a child, started with `detached`, under the rule above.
 * @template {import('node:child_process').ChildProcess} Child
 * @param {Child} child
 * @returns {Child}
 */
export function own(child) {
  watch();
  owned.add(child);
  child.once('close', () => owned.delete(child));
  child.once('error', () => owned.delete(child));
  return child;
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
export function killGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // gone already
  }
}

const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/**
 * Starts a program that stays until `stopProgram` or our own end.
 * @param {string} command an absolute path, or a name on the PATH
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 */
export function startProgram(command, args, options) {
  const [file, fullArgs] =
    setpriv === undefined ? [command, args] : [setpriv, ['--pdeathsig', 'SIGKILL', '--', command, ...args]];
  return own(spawn(file, fullArgs, { ...options, detached: true }));
}

/** @param {import('node:child_process').ChildProcess} child */
export const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

/**
 * Asks politely, then kills; resolves when the program is gone. Harmless when it is gone already.
 * @param {import('node:child_process').ChildProcess} child
 * @param {{ graceMs?: number }} [options]
 */
export async function stopProgram(child, { graceMs = 5_000 } = {}) {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const force = setTimeout(() => killGroup(child, 'SIGKILL'), graceMs);
  // The leader alone: it tells its own children, and a prefork parent wants to do that in its own way.
  child.kill('SIGTERM');
  await ended;
  clearTimeout(force);
}
