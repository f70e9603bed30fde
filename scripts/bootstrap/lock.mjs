/*
 * One installer at a time in one checkout: two test runs started together must not build the same folder. The lock
 * is a file holding a process id; one whose process is gone is taken over.
 */
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BootstrapError } from './log.mjs';

/**
 * @param {string} path
 * @returns {number | undefined} 0 for a holder that can't be there any more, undefined when nobody holds it
 */
function holderOf(path) {
  try {
    const startedAtMs = Date.now() - uptime() * 1_000;
    // From before the machine's start: the number may be another process's by now.
    if (statSync(path).mtimeMs < startedAtMs) return 0;
    return Number(readFileSync(path, 'utf8')) || 0;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock or throws EEXIST; by a link, so that it is never seen without its holder's number.
 * @param {string} path
 */
function take(path) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @param {number} pid */
function isAlive(pid) {
  // 0 would ask for our own process group.
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Runs `work` while holding the lock at `path`.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ limitMs?: number, onWait?: (pid: number) => void }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { limitMs = 900_000, onWait } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const deadline = performance.now() + limitMs;
  for (let hasSaid = false; ;) {
    try {
      take(path);
      break;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const pid = holderOf(path);
    if (pid !== undefined && !isAlive(pid)) {
      rmSync(path, { force: true });
      continue;
    }
    if (performance.now() > deadline) throw new BootstrapError(`process ${pid} has held ${path} for too long`);
    if (!hasSaid && pid !== undefined) onWait?.(pid);
    hasSaid = true;
    await sleep(200);
  }
  const release = () => rmSync(path, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}
