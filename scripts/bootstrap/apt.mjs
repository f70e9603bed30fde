/*
 * Debian packages without and with root. Without: apt's lists and downloads live in the project's cache, packages are
 * unpacked, nothing is installed. With: a plain install that doesn't start the services it brings.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inCache } from './paths.mjs';
import { run, which } from './run.mjs';

const LISTS_ARE_FRESH_MS = 24 * 3_600_000;

export const isRoot = () => process.getuid?.() === 0;

function requireApt() {
  if (!which('apt-get') || !which('dpkg')) throw new Error('this machine has no apt-get');
}

/** Options that make apt-get keep everything in our cache; it then needs no root. */
const ownState = () => {
  const home = inCache('apt');
  for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(home, folder), { recursive: true });
  return [
    ['Dir::State::lists', join(home, 'lists')],
    ['Dir::Cache', home],
    ['Dir::Cache::archives', join(home, 'archives')],
    // As root apt would drop to its own user, who can't write to our folders.
    ['APT::Sandbox::User', 'root'],
    // Translations and contents are megabytes nobody reads here.
    ['Acquire::Languages', 'none'],
    ['Acquire::Retries', '2'],
    ['Debug::NoLocking', '1'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
};

const env = () => ({ ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' });

/** @param {import('./log.mjs').Log} log */
async function updateOwnLists(log) {
  const stamp = inCache('apt', 'updated');
  if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < LISTS_ARE_FRESH_MS) return;
  log.step('apt', "reading Debian's package lists into the project's cache");
  await run('apt-get', [...ownState(), '--quiet', 'update'], { env: env(), limitMs: 180_000 });
  writeFileSync(stamp, '');
}

/**
 * What installing the packages would bring that the machine lacks, themselves included.
 * @param {string} simulation the output of `apt-get --simulate install`
 */
export const packagesToInstall = (simulation) =>
  [...simulation.matchAll(/^Inst (\S+) /gm)].map((match) => /** @type {string} */ (match[1]));

/**
 * Downloads packages, with those they depend on unless the machine has them, and unpacks all into `target`.
 * @param {readonly string[]} packages
 * @param {string} target
 * @param {{ log: import('./log.mjs').Log, withDependencies: boolean }} options
 */
export async function unpackPackages(packages, target, { log, withDependencies }) {
  requireApt();
  await updateOwnLists(log);
  const simulation = withDependencies
    ? await run('apt-get', [...ownState(), '--simulate', '--no-install-recommends', 'install', ...packages], {
        env: env(),
      })
    : { stdout: '' };
  const wanted = [...new Set([...packages, ...packagesToInstall(simulation.stdout)])];
  const downloads = mkdtempSync(inCache('apt', 'download-'));
  try {
    await run('apt-get', [...ownState(), '--quiet', 'download', ...wanted], {
      cwd: downloads,
      env: env(),
      limitMs: 300_000,
    });
    mkdirSync(target, { recursive: true });
    for (const file of readdirSync(downloads)) await run('dpkg', ['-x', join(downloads, file), target]);
  } finally {
    rmSync(downloads, { recursive: true, force: true });
  }
}

/**
 * Installs packages into the system; needs root. No service is started: Debian starts a server on its well-known port
 * as it installs it, and that port may be somebody's.
 * @param {readonly string[]} packages
 * @param {import('./log.mjs').Log} log
 */
export async function installPackages(packages, log) {
  requireApt();
  if (!isRoot()) throw new Error('apt-get install needs root');
  log.step('apt', `installing ${packages.join(', ')}`);
  const allowServices = forbidServices();
  try {
    // Lists that can't be refreshed may still do.
    await run('apt-get', ['--quiet', 'update'], { env: env(), limitMs: 300_000 }).catch(() => undefined);
    // prettier-ignore
    const args = ['--quiet', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', 'install', ...packages];
    await run('apt-get', args, { env: env(), limitMs: 600_000 });
  } finally {
    allowServices();
  }
}

/** Debian's own switch: this program's answer 101 forbids starting services. One that is there already is obeyed. */
function forbidServices() {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return () => undefined;
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const remove = () => rmSync(policy, { force: true });
  process.once('exit', remove);
  return () => {
    process.removeListener('exit', remove);
    remove();
  };
}
