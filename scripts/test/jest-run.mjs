/*
 * One run of jest over some of its projects: its own report goes to the terminal, its JSON report is counted.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasEnded, startProgram, killGroup } from '../bootstrap/processes.mjs';
import { inCache, inRoot } from '../bootstrap/paths.mjs';
import { tallyOfJest } from './tally.mjs';

/** A worker or socket that a test left open keeps jest alive after its report; so long it may take to end by itself. */
const LINGER_MS = 20_000;

/**
 * @param {{
 *   projects: readonly string[], paths: readonly string[], flags: readonly string[], workers: number, limitMs: number,
 *   env: NodeJS.ProcessEnv, log: import('../bootstrap/log.mjs').Log,
 * }} request
 * @returns {Promise<import('./tally.mjs').Tally>}
 */
export async function runJest({ projects, paths, flags, workers, limitMs, env, log }) {
  const topic = projects.join('+');
  const reportPath = inCache('test', `${topic}.json`);
  mkdirSync(inCache('test'), { recursive: true });
  rmSync(reportPath, { force: true });
  // prettier-ignore
  const args = [
    inRoot('node_modules', 'jest', 'bin', 'jest.js'), '--selectProjects', ...projects,
    '--json', '--outputFile', reportPath, '--passWithNoTests',
    ...(workers === 1 ? ['--runInBand'] : ['--maxWorkers', String(workers)]), ...flags,
    ...(paths.length === 0 ? [] : ['--', ...paths]),
  ];
  const nodeOptions = [env.NODE_OPTIONS, '--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const child = startProgram(process.execPath, args, {
    cwd: inRoot(),
    env: { ...env, NODE_OPTIONS: nodeOptions.filter(Boolean).join(' ') },
    stdio: ['ignore', 'ignore', 'inherit'],
  });

  const problem = await waitForEnd(child, reportPath, limitMs);
  if (problem !== undefined) log.step('test', `FAILED  ${topic}: ${problem}`);
  if (!existsSync(reportPath)) {
    if (problem === undefined)
      log.step('test', `FAILED  ${topic}: jest ended with code ${child.exitCode} and no report`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const tally = tallyOfJest(JSON.parse(readFileSync(reportPath, 'utf8')));
  if (problem !== undefined) return { ...tally, failed: tally.failed + 1 };
  if (child.exitCode !== 0 && tally.failed === 0) {
    log.step('test', `FAILED  ${topic}: jest ended with code ${child.exitCode} although no test failed`);
    return { ...tally, failed: 1 };
  }
  return tally;
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} reportPath
 * @param {number} limitMs
 * @returns {Promise<string | undefined>} why it had to be killed
 */
async function waitForEnd(child, reportPath, limitMs) {
  const deadline = performance.now() + limitMs;
  /** @type {number | undefined} */
  let reportedAt;
  while (!hasEnded(child)) {
    const now = performance.now();
    if (existsSync(reportPath)) reportedAt ??= now;
    const isLingering = reportedAt !== undefined && now - reportedAt > LINGER_MS;
    if (isLingering || now > deadline) {
      killGroup(child, 'SIGKILL');
      return isLingering
        ? 'jest did not end after its last test: something was left open'
        : `still running after ${Math.round(limitMs / 60_000)} minutes`;
    }
    await sleep(200);
  }
  return undefined;
}

/**
 * The test files of a suite.
 * @param {string} suite
 */
export function testFilesOf(suite) {
  const folder = inRoot('test', suite);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
}
