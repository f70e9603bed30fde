/*
 * The quickstart's worker: the command line as a user starts it, in a process of its own, its log in a file.
 */
import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { BootstrapError } from '../bootstrap/log.mjs';
import { inCache, inRoot } from '../bootstrap/paths.mjs';
import { hasEnded, startProgram, stopProgram } from '../bootstrap/processes.mjs';

export const MODULE = 'examples/quickstart/tasks.mjs';
const READY_LIMIT_MS = 60_000;

/** Celery's sentence, `celery@host ready.`, with or without the dot. */
export const readNodeName = (/** @type {string} */ line) => /(\S+@\S+) ready\.?\s*$/.exec(line)?.[1];

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ nodeName: string, logPath: string, follow(show: (line: string) => void): void, ended: Promise<void>, stop(): Promise<void> }>}
 */
export async function startWorker(env) {
  const command = inRoot('dist', 'cli', 'main.js');
  if (!existsSync(command)) throw new BootstrapError('dist/cli/main.js is missing although the build went through');
  mkdirSync(inCache('quickstart'), { recursive: true });
  const logPath = inCache('quickstart', 'worker.log');
  const logFile = createWriteStream(logPath);
  const child = startProgram(process.execPath, [command, '-A', MODULE, 'worker', '-l', 'info'], {
    cwd: inRoot(),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  /** @type {Promise<void>} */
  const ended = new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  /** @type {string[]} */
  const lastLines = [];
  /** @type {(line: string) => void} */
  let listener = () => undefined;
  /** @type {Promise<string>} */
  const ready = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        logFile.write(`${line}\n`);
        if (lastLines.push(line) > 20) lastLines.shift();
        listener(line);
        const nodeName = readNodeName(line);
        if (nodeName !== undefined) resolve(nodeName);
      });
    }
  });
  const stop = async () => {
    // A warm shutdown lets running tasks finish; the quickstart's take no time.
    await stopProgram(child, { graceMs: 15_000 });
    logFile.end();
  };
  /** @type {NodeJS.Timeout | undefined} */
  let limit;
  const tooLate = new Promise((resolve) => (limit = setTimeout(resolve, READY_LIMIT_MS)));
  const nodeName = await Promise.race([ready, ended.then(() => undefined), tooLate.then(() => undefined)]);
  clearTimeout(limit);
  if (nodeName === undefined) {
    const why = hasEnded(child)
      ? `ended with code ${child.exitCode}`
      : `was not ready after ${READY_LIMIT_MS / 1000} s`;
    await stop();
    throw new BootstrapError(`the worker ${why}. Its last lines:\n${lastLines.map((line) => `  ${line}`).join('\n')}`);
  }
  return { nodeName, logPath, follow: (show) => (listener = show), ended, stop };
}
