/*
 * Real Celery for the quickstart and the interop suites: a virtual environment of the project's own with pinned
 * packages, made without ensurepip; where no package index can be reached, Debian's python3-celery.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { installPackages, isRoot } from './apt.mjs';
import { withLock } from './lock.mjs';
import { reasonOf, secondsSince } from './log.mjs';
import { inCache, inRoot } from './paths.mjs';
import { findPip } from './pip.mjs';
import { cleanPythonEnv, findPython } from './python-interpreter.mjs';
import { run } from './run.mjs';
import { isSkipped, SKIPPED } from './skip.mjs';

const REQUIREMENTS = inRoot('scripts', 'python', 'requirements.txt');

/**
 * @typedef {{ python: string, kind: 'venv' | 'system', versions: Record<string, string> }} RealCelery
 * `versions`: of celery, kombu, redis and flower, those that are there
 */

const VERSIONS = `
import importlib, json
from importlib.metadata import version, PackageNotFoundError
versions = {}
for name in ("celery", "kombu", "redis", "flower"):
    try:
        versions[name] = version(name)
    except PackageNotFoundError:
        pass
importlib.import_module("kombu.transport.redis")
print(json.dumps(versions))
`;

/** @param {string} python */
async function versionsOf(python) {
  const { stdout } = await run(python, ['-c', VERSIONS], { env: cleanPythonEnv(), limitMs: 60_000 });
  const versions = /** @type {Record<string, string>} */ (JSON.parse(stdout));
  if (!versions.celery || !versions.redis) throw new Error(`${python} has no celery with redis`);
  return versions;
}

/**
 * @param {{ log: import('./log.mjs').Log, install?: boolean }} options install: Debian's packages may be installed
 *   into the system (CI, or asked for on the command line)
 * @returns {Promise<RealCelery | { missing: string }>}
 */
export async function ensurePython({ log, install = false }) {
  const python = await findPython();
  if ('missing' in python) return python;
  /** @type {string[]} */
  const reasons = [];
  /** @type {ReadonlyArray<readonly [string, () => Promise<RealCelery>]>} */
  const ways = [
    [
      'venv',
      () =>
        withLock(inCache('venv.lock'), () => ensureVenv(python, log), {
          onWait: (pid) => log.step('python', `waiting for process ${pid}, which makes the environment`),
        }),
    ],
    ['system-celery', () => systemCelery(python, { log, install })],
  ];
  for (const [name, way] of ways) {
    try {
      if (isSkipped(name)) throw new Error(SKIPPED);
      const found = await way();
      const versions = Object.entries(found.versions).map(([name, version]) => `${name} ${version}`);
      log.step(
        'python',
        `${versions.join(', ')} (${found.kind === 'venv' ? 'own environment' : 'installed on this machine'})`,
      );
      return found;
    } catch (error) {
      reasons.push(`${name}: ${reasonOf(error)}`);
    }
  }
  return { missing: `no Celery for Python ${python.version} (${reasons.join('; ')})` };
}

/**
 * @param {import('./python-interpreter.mjs').Python} python
 * @param {import('./log.mjs').Log} log
 * @returns {Promise<RealCelery>}
 */
async function ensureVenv(python, log) {
  const home = inCache('venv');
  const venvPython = inCache('venv', 'bin', 'python');
  const stamp = inCache('venv', 'celeriac.json');
  // The folder is part of it: an environment that has been moved has scripts that point to its old place.
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([python.version, python.command, home, readFileSync(REQUIREMENTS, 'utf8')]))
    .digest('hex');
  if (existsSync(stamp) && JSON.parse(readFileSync(stamp, 'utf8')).fingerprint === fingerprint) {
    try {
      return { python: venvPython, kind: 'venv', versions: await versionsOf(venvPython) };
    } catch {
      log.step('python', 'the environment is broken; making it anew');
    }
  }
  const startedAt = performance.now();
  const pip = await findPip(python, log);
  log.step('python', `installing Celery into an environment of the project's own (Python ${python.version})`);
  rmSync(home, { recursive: true, force: true });
  mkdirSync(inCache(), { recursive: true });
  const env = pip.env;
  // --without-pip: Debian's venv without ensurepip can do that much, and no pip is needed inside.
  await run(python.command, ['-m', 'venv', '--without-pip', home], { env });
  // prettier-ignore
  const install = [
    'install', '--quiet', '--progress-bar', 'off', '--only-binary', ':all:', '--no-compile', '--requirement', REQUIREMENTS,
  ];
  const stillDoing = { topic: 'python', text: 'still installing', log };
  if (pip.args[0] === '-m') {
    await run(pip.command, [...pip.args, '--python', venvPython, ...install], { env, stillDoing });
  } else {
    await run(venvPython, [...pip.args, ...install], { env, stillDoing });
  }
  const versions = await versionsOf(venvPython);
  writeFileSync(stamp, JSON.stringify({ fingerprint, versions }, null, 2));
  log.step('python', `the environment is ready (${secondsSince(startedAt)})`);
  return { python: venvPython, kind: 'venv', versions };
}

/**
 * @param {import('./python-interpreter.mjs').Python} python
 * @param {{ log: import('./log.mjs').Log, install: boolean }} options
 * @returns {Promise<RealCelery>}
 */
async function systemCelery(python, { log, install }) {
  // Debian's packages belong to Debian's Python, whichever comes first on the PATH.
  const candidates = [...new Set([python.command, '/usr/bin/python3'])].filter((path) => existsSync(path));
  for (const command of candidates) {
    try {
      return { python: command, kind: 'system', versions: await versionsOf(command) };
    } catch {
      // not in this one
    }
  }
  if (!install || !isRoot()) {
    throw new Error('python3-celery is not installed (as root, CI=true or --install-redis lets us install it)');
  }
  await installPackages(['python3-celery', 'python3-redis'], log);
  return { python: '/usr/bin/python3', kind: 'system', versions: await versionsOf('/usr/bin/python3') };
}
