/*
 * Progress for people: one plain line a step, the same with and without a terminal, on stderr so that stdout stays
 * for results.
 */

/** @typedef {{ step(topic: string, text: string): void, plain(text: string): void }} Log */

/** @type {Log} */
export const log = {
  step: (topic, text) => void process.stderr.write(`${`[${topic}]`.padEnd(9)} ${text}\n`),
  plain: (text) => void process.stderr.write(`${text}\n`),
};

/** @type {Log} */
export const silentLog = { step: () => undefined, plain: () => undefined };

/** The one way a script ends on a failure that it understands: a message for people, without a stack. */
export class BootstrapError extends Error {
  /** @override */
  name = 'BootstrapError';
}

/** @param {number} startedAtMs */
export const secondsSince = (startedAtMs) => `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`;

/**
 * What went wrong, in one line.
 * @param {unknown} error
 * @returns {string}
 */
export function reasonOf(error) {
  if (error instanceof AggregateError && !error.message) return error.errors.map(reasonOf).join('; ');
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split('\n').at(-1)?.trim() || 'no reason given';
}

/**
 * What a script says when it ends on an error: the message of a failure that it understands, the stack of any other.
 * @param {unknown} error
 * @returns {string}
 */
export function explain(error) {
  if (!(error instanceof Error)) return String(error);
  return error instanceof BootstrapError ? error.message : (error.stack ?? error.message);
}
