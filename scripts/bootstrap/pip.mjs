/*
 * A pip that runs, also on a Debian whose python3 comes without pip and ensurepip. First that works: the wheel that
 * Python or Debian keeps for making environments; pip as a module; Debian's python3-pip-whl unpacked into our cache;
 * the wheel from the package index that pip's configuration names. A pip wheel runs as it is, nothing is installed.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { unpackPackages } from './apt.mjs';
import { certificateFile } from './certificates.mjs';
import { BootstrapError, reasonOf } from './log.mjs';
import { inCache } from './paths.mjs';
import { downloadPipWheel } from './pip-index.mjs';
import { cleanPythonEnv } from './python-interpreter.mjs';
import { run } from './run.mjs';
import { isSkipped, SKIPPED } from './skip.mjs';

/** @typedef {{ command: string, args: string[], env: NodeJS.ProcessEnv, origin: string }} Pip */

const isPipWheel = (/** @type {string} */ name) => /^pip-\d.*-none-any\.whl$/.test(name);

/**
 * The path of a pip wheel in `folder`, the newest by name; undefined when there is none.
 * @param {string} folder
 */
export function pipWheelIn(folder) {
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder).filter(isPipWheel);
  const newest = names.sort(new Intl.Collator('en', { numeric: true }).compare).at(-1);
  return newest === undefined ? undefined : join(folder, newest);
}

/** @param {import('./python-interpreter.mjs').Python} python */
async function bundledWheel(python) {
  const ask = 'import ensurepip, os; print(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"))';
  const folders = ['/usr/share/python-wheels'];
  try {
    folders.unshift((await run(python.command, ['-c', ask], { env: cleanPythonEnv() })).stdout.trim());
  } catch {
    // Debian's python3 without python3-venv has no ensurepip.
  }
  for (const folder of folders) {
    const wheel = pipWheelIn(folder);
    if (wheel) return wheel;
  }
  throw new Error('neither Python nor Debian keeps a pip wheel here');
}

/** @param {import('./log.mjs').Log} log */
async function debianWheel(log) {
  const kept = pipWheelIn(inCache('pip'));
  if (kept) return kept;
  log.step('python', "fetching Debian's pip (python3-pip-whl, unpacked, not installed)");
  const draft = inCache('pip', 'unpacked');
  try {
    await unpackPackages(['python3-pip-whl'], draft, { log, withDependencies: false });
    const wheel = pipWheelIn(join(draft, 'usr', 'share', 'python-wheels'));
    if (!wheel) throw new Error('python3-pip-whl holds no pip wheel');
    const kept = inCache('pip', /** @type {string} */ (wheel.split('/').at(-1)));
    copyFileSync(wheel, kept);
    return kept;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function pipEnv() {
  const certificates = certificateFile();
  return {
    ...cleanPythonEnv(),
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    PIP_ROOT_USER_ACTION: 'ignore',
    // Without a network pip would try for minutes.
    PIP_RETRIES: process.env.PIP_RETRIES ?? '2',
    ...(certificates === undefined ? {} : { PIP_CERT: certificates }),
  };
}

/** @type {Map<string, Promise<Pip>>} */
const answers = new Map();

/**
 * Pip for `python`: run `command` with `args`, then pip's own arguments. Looked for once a Python.
 * @param {import('./python-interpreter.mjs').Python} python
 * @param {import('./log.mjs').Log} log
 * @throws {BootstrapError} naming every way tried
 */
export function findPip(python, log) {
  let answer = answers.get(python.command);
  if (!answer) answers.set(python.command, (answer = look(python, log)));
  return answer;
}

/**
 * @param {import('./python-interpreter.mjs').Python} python
 * @param {import('./log.mjs').Log} log
 * @returns {Promise<Pip>}
 */
async function look(python, log) {
  const env = pipEnv();
  const asWheel = (/** @type {string} */ wheel) => ({
    command: python.command,
    args: [join(wheel, 'pip')],
    env,
    origin: wheel,
  });
  const fromModule = async () => ({ command: python.command, args: ['-m', 'pip'], env, origin: 'the module pip' });
  mkdirSync(inCache('pip'), { recursive: true });
  /** @type {ReadonlyArray<readonly [string, () => Promise<Pip>]>} */
  const ways = [
    ['pip-bundled', async () => asWheel(await bundledWheel(python))],
    ['pip-module', fromModule],
    ['pip-apt', async () => asWheel(await debianWheel(log))],
    ['pip-index', async () => asWheel(await downloadPipWheel(python, inCache('pip')))],
  ];
  /** @type {string[]} */
  const reasons = [];
  for (const [name, way] of ways) {
    try {
      if (isSkipped(name)) throw new Error(SKIPPED);
      const pip = await way();
      await run(pip.command, [...pip.args, '--version'], { env, limitMs: 60_000 });
      return pip;
    } catch (error) {
      reasons.push(`${name}: ${reasonOf(error)}`);
    }
  }
  throw new BootstrapError(`no pip (${reasons.join('; ')})`);
}
