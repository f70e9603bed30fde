/*
 * Commands that run to their end: output captured or shown, a time limit, an error that carries the last words.
 * Programs that stay are in processes.mjs.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { log as defaultLog } from './log.mjs';
import { killGroup, own } from './processes.mjs';

export class CommandError extends Error {
  /** @override */
  name = 'CommandError';
  /**
   * @param {string} message
   * @param {{ code: number | null, stdout: string, stderr: string }} outcome
   */
  constructor(message, outcome) {
    super(message);
    this.code = outcome.code;
    this.stdout = outcome.stdout;
    this.stderr = outcome.stderr;
  }
}

/** @param {string} text */
const lastLine = (text) => text.trim().split('\n').at(-1)?.trim() ?? '';

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{
 *   cwd?: string, env?: NodeJS.ProcessEnv, limitMs?: number, show?: boolean,
 *   stillDoing?: { topic: string, text: string, log?: import('./log.mjs').Log },
 * }} [options] `show` passes the output through instead of capturing it; `stillDoing` says every 15 s that it lives
 * @returns {Promise<{ stdout: string, stderr: string }>}
 * @throws {CommandError} when it can't be started, ends with a code other than 0, or takes longer than limitMs
 */
export function run(command, args, options = {}) {
  const { cwd, env = process.env, limitMs = 600_000, show = false, stillDoing } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env,
      // Its own group, so that a time limit reaches what the command itself has started.
      detached: true,
      stdio: show ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    });
    own(child);
    let stdout = '';
    let stderr = '';
    let isLate = false;
    child.stdout?.setEncoding('utf8').on('data', (/** @type {string} */ text) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (/** @type {string} */ text) => (stderr += text));
    const limit = setTimeout(() => {
      isLate = true;
      killGroup(child, 'SIGKILL');
    }, limitMs);
    let seconds = 0;
    const alive = setInterval(() => {
      seconds += 15;
      if (stillDoing) (stillDoing.log ?? defaultLog).step(stillDoing.topic, `${stillDoing.text} (${seconds} s)`);
    }, 15_000);
    const settle = (/** @type {number | null} */ code, /** @type {string} */ problem) => {
      clearTimeout(limit);
      clearInterval(alive);
      if (problem) reject(new CommandError(problem, { code, stdout, stderr }));
      else resolve({ stdout, stderr });
    };
    child.once('error', (error) => settle(null, `${command}: ${error.message}`));
    child.once('close', (code, signal) => {
      if (isLate) settle(code, `${command} took longer than ${Math.round(limitMs / 1000)} s`);
      else if (code === 0) settle(code, '');
      else settle(code, lastLine(stderr) || lastLine(stdout) || `${command} ended with ${signal ?? `code ${code}`}`);
    });
  });
}

/**
 * The first of the names that is an executable file on the PATH, with its folder; undefined when none is.
 * @param {...string} names
 */
export function which(...names) {
  for (const name of names) {
    const folders = name.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter).filter(Boolean);
    for (const folder of folders) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        if (statSync(path).isFile()) return path;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}
