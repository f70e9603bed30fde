/** Waiting that always ends: every phase of the bench has a deadline, and says what it was waiting for. */
import { setTimeout as sleep } from 'node:timers/promises';

export class DeadlineError extends Error {
  constructor(what, milliseconds) {
    super(`${what}: not within ${(milliseconds / 1000).toFixed(0)} s`);
    this.name = 'DeadlineError';
  }
}

/**
 * Polls until `condition` returns something true, which is returned.
 * @param {() => Promise<unknown> | unknown} condition
 * @param {{ what: string, milliseconds: number, everyMs?: number }} limits
 */
export async function until(condition, { what, milliseconds, everyMs = 10 }) {
  const end = performance.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new DeadlineError(what, milliseconds);
    await sleep(everyMs);
  }
}

/** Fails when `promise` is not settled in time; the promise itself is left to its owner. */
export async function within(promise, { what, milliseconds }) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(what, milliseconds)), milliseconds);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
