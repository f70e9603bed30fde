/*
 * The machine's Python: the first one on the PATH that is new enough for Celery 5.6 and has the parts of the standard
 * library that a virtual environment needs (Debian's python3-minimal lacks them).
 */
import { isSkipped, SKIPPED } from './skip.mjs';
import { run, which } from './run.mjs';

const PROBE =
  'import sys, venv, ssl, zlib, ctypes, zipfile, json; print("%d.%d.%d" % sys.version_info[:3]); ' +
  'print(sys.version_info >= (3, 9))';

/** @typedef {{ command: string, version: string }} Python */

/** @type {Promise<Python | { missing: string }> | undefined} */
let found;

/** @returns {Promise<Python | { missing: string }>} CELERIAC_PYTHON names one; looked for once */
export const findPython = () => (found ??= look());

/** @returns {Promise<Python | { missing: string }>} */
async function look() {
  if (isSkipped('python')) return { missing: SKIPPED };
  const named = process.env.CELERIAC_PYTHON;
  // A shim on the PATH may stand before a complete /usr/bin/python3.
  const candidates = named ? [named] : ['python3', '/usr/bin/python3', 'python'];
  let missing = named ? `CELERIAC_PYTHON=${named} is no program` : 'there is no python3 on the PATH';
  for (const candidate of candidates) {
    const command = which(candidate);
    if (command === undefined) continue;
    try {
      const { stdout } = await run(command, ['-c', PROBE], { env: cleanPythonEnv(), limitMs: 30_000 });
      const [version = '', isNewEnough] = stdout.trim().split('\n');
      if (isNewEnough === 'True') return { command, version };
      missing = `${command} is Python ${version}; 3.9 or newer is needed`;
    } catch (error) {
      missing = `${command} is not a complete Python (${error instanceof Error ? error.message : String(error)})`;
    }
  }
  return { missing };
}

/** The environment without what would point a Python at other packages than its own. */
export function cleanPythonEnv() {
  const env = { ...process.env };
  // prettier-ignore
  for (const name of [
    'PYTHONPATH', 'PYTHONHOME', 'PYTHONSTARTUP', 'VIRTUAL_ENV',
    'PIP_TARGET', 'PIP_PREFIX', 'PIP_USER', 'PIP_REQUIRE_VIRTUALENV', 'PIP_NO_DEPS', 'PIP_PYTHON',
  ]) delete env[name];
  return env;
}
