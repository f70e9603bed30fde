/**
 * The file that says which process runs, and keeps a second one from starting. Counterpart: Pidfile and create_pidlock of
 * celery/platforms.py, 5.6.3.
 *
 * Differs from Celery: a process that may not be signalled (EPERM) lives, and is not taken for dead.
 */
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { CommandError, EX_CANTCREAT } from './exit-codes.ts';

export interface Pidfile {
  /** Removes the file, if it is still ours. Idempotent. */
  release(): void;
}

/** @throws CommandError when a living process holds it, or it can't be written. */
export function acquirePidfile(given: string, pid = process.pid): Pidfile {
  const path = resolve(given);
  refuseIfHeld(path, pid);
  write(path, pid);
  return {
    release: () => {
      if (readPid(path) === pid) rmSync(path, { force: true });
    },
  };
}

/** Takes a stale file away. @throws CommandError when a living process holds it. */
export function refuseIfHeld(given: string, pid = process.pid): void {
  const path = resolve(given);
  const holder = readPid(path);
  if (holder === null) return;
  // Our own number: a container whose last process had the same.
  if (holder !== 'broken' && holder !== pid && isAlive(holder)) {
    throw new CommandError(
      EX_CANTCREAT,
      `ERROR: Pidfile (${given}) already exists.\nSeems we're already running? (pid: ${holder})`,
    );
  }
  process.stderr.write(
    holder === 'broken' ? 'Broken pidfile found - Removing it.\n' : 'Stale pidfile exists - Removing it.\n',
  );
  rmSync(path, { force: true });
}

function readPid(path: string): number | 'broken' | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new CommandError(EX_CANTCREAT, `ERROR: cannot read the pidfile ${path}: ${(error as Error).message}`);
  }
  // Without the line's end it was not written whole.
  const [, digits] = /^\s*(\d+)\s*\n/u.exec(text) ?? [];
  return digits === undefined || Number(digits) === 0 ? 'broken' : Number(digits);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function write(path: string, pid: number): void {
  try {
    // Exclusively: of two that start at once one fails here.
    const descriptor = openSync(path, 'wx', 0o644);
    try {
      writeSync(descriptor, `${pid}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new CommandError(EX_CANTCREAT, `ERROR: cannot write the pidfile ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
