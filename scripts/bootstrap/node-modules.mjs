/*
 * `npm ci`, only when what is installed isn't what the lock file says.
 */
import { existsSync, readFileSync } from 'node:fs';
import { withLock } from './lock.mjs';
import { BootstrapError, reasonOf, secondsSince } from './log.mjs';
import { inCache, inRoot } from './paths.mjs';
import { CommandError, run } from './run.mjs';

/** @typedef {{ packages?: Record<string, { version?: string, optional?: boolean, devOptional?: boolean, peer?: boolean }> }} Lock */

/**
 * Whether each package of the lock file is installed in its version. Optional ones may be absent: those of another
 * platform always are.
 * @param {Lock} wanted package-lock.json
 * @param {Lock} installed node_modules/.package-lock.json, npm's note of what it installed
 */
export function isInstalled(wanted, installed) {
  return Object.entries(wanted.packages ?? {}).every(([path, entry]) => {
    if (path === '') return true;
    const present = installed.packages?.[path];
    if (!present) return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return present.version === entry.version;
  });
}

/** @param {string} path */
const readLock = (path) => /** @type {Lock} */ (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {});

const isUpToDate = () => {
  const note = inRoot('node_modules', '.package-lock.json');
  return existsSync(note) && isInstalled(readLock(inRoot('package-lock.json')), readLock(note));
};

/**
 * What npm says went wrong, without the manual page that it prints after some errors.
 * @param {string} stderr
 */
export const npmProblem = (stderr) =>
  (stderr.split(/^npm error (?:Clean install a project|Usage:).*$/m)[0] ?? '')
    .split('\n')
    .map((line) => line.replace(/^npm error ?/, '').trimEnd())
    .filter((line) => line !== '' && !line.startsWith('npm warn'))
    .slice(0, 20)
    .join('\n');

/** @param {{ log: import('./log.mjs').Log }} options */
export async function ensureNodeModules({ log }) {
  if (isUpToDate()) return;
  await withLock(
    inCache('npm.lock'),
    async () => {
      if (isUpToDate()) return;
      const startedAt = performance.now();
      log.step('npm', 'installing packages (npm ci)');
      try {
        // prettier-ignore
        await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], {
          cwd: inRoot(),
          // A production setting on the machine would leave the compiler out.
          env: { ...process.env, NODE_ENV: 'development', npm_config_omit: '' },
          limitMs: 1_200_000,
          stillDoing: { topic: 'npm', text: 'still installing', log },
        });
      } catch (error) {
        throw new BootstrapError(
          `npm ci failed:\n${npmProblem(error instanceof CommandError ? error.stderr : '') || reasonOf(error)}`,
        );
      }
      log.step('npm', `packages installed (${secondsSince(startedAt)})`);
    },
    { onWait: (pid) => log.step('npm', `waiting for process ${pid}, which installs packages`) },
  );
}
