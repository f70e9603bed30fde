/*
 * Celery's own integration suite against a celeriac worker: `npm run test:conformance [-- FILE ...]`. The suite is taken
 * from the pinned version's source distribution, fetched into the cache at run time and never committed; the harness that
 * runs it lies beside the project, in ../shared/conformance (or where CELERIAC_CONFORMANCE points).
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './bootstrap/build.mjs';
import { openLifetime } from './bootstrap/lifetime.mjs';
import { BootstrapError, explain, log } from './bootstrap/log.mjs';
import { ensureNodeModules } from './bootstrap/node-modules.mjs';
import { inCache, inRoot } from './bootstrap/paths.mjs';
import { findPip } from './bootstrap/pip.mjs';
import { findPython } from './bootstrap/python-interpreter.mjs';
import { ensurePython } from './bootstrap/python.mjs';
import { startRedis } from './bootstrap/redis.mjs';
import { CommandError, run } from './bootstrap/run.mjs';

const USAGE = `Usage: npm run test:conformance -- [FILE ...] [-- PYTEST-ARGUMENT ...]

Runs Celery's integration tests with a celeriac worker. Without FILE: all that apply.

Examples:
  npm run test:conformance
  npm run test:conformance -- test_tasks.py
  npm run test:conformance -- test_canvas.py -- -k chord
`;

/** The whole suite takes a quarter of an hour; a hung one must not run for ever. */
const LIMIT_MS = 60 * 60_000;

const celeryVersion = () => {
  const pins = readFileSync(inRoot('scripts', 'python', 'requirements.txt'), 'utf8');
  return /^celery==(\S+)$/m.exec(pins)?.[1] ?? '5.6.3';
};

/** Celery's source tree in the cache. */
async function fetchSuite() {
  const version = celeryVersion();
  const tree = inCache('conformance', `celery-${version}`);
  if (existsSync(join(tree, 't', 'integration'))) return tree;
  const folder = inCache('conformance');
  mkdirSync(folder, { recursive: true });
  log.step('suite', `fetching the source distribution of celery ${version}`);
  const python = await findPython();
  if ('missing' in python) throw new BootstrapError(`the suite needs python3: ${python.missing}`);
  const pip = await findPip(python, log);
  const wanted = ['download', '--quiet', '--no-deps', '--no-binary', 'celery', `celery==${version}`, '-d', folder];
  await run(pip.command, [...pip.args, ...wanted], { env: pip.env });
  await run('tar', ['xzf', join(folder, `celery-${version}.tar.gz`), '-C', folder]);
  return tree;
}

/** @param {readonly string[]} words */
function readArguments(words) {
  if (words.includes('--help') || words.includes('-h')) return undefined;
  const cut = words.indexOf('--');
  return cut === -1 ? { files: words, pytest: [] } : { files: words.slice(0, cut), pytest: words.slice(cut + 1) };
}

async function main() {
  const wanted = readArguments(process.argv.slice(2));
  if (wanted === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  const harness = process.env.CELERIAC_CONFORMANCE ?? inRoot('..', 'shared', 'conformance');
  if (!existsSync(join(harness, 'run.sh'))) {
    throw new BootstrapError(
      `no conformance harness at ${harness}: set CELERIAC_CONFORMANCE to the folder with its run.sh`,
    );
  }
  await ensureNodeModules({ log });
  await build({ log });
  const python = await ensurePython({ log });
  if ('missing' in python) throw new BootstrapError(`no Python with Celery: ${python.missing}`);
  const tree = await fetchSuite();
  const redis = await startRedis({ log, wholeServer: true });
  const lifetime = openLifetime();
  lifetime.defer(() => redis.stop());
  const env = {
    ...process.env,
    PYTHON: python.python,
    REDIS_HOST: redis.host,
    REDIS_PORT: String(redis.port),
    CONF_OUT: inCache('conformance', 'out'),
    WORKER_CMD: `exec ${process.execPath} ${inRoot('scripts', 'conformance-worker.mjs')}`,
    ...(wanted.files.length > 0 ? { CONF_FILES: wanted.files.join(' ') } : {}),
  };
  try {
    await run('bash', [join(harness, 'run.sh'), tree, ...wanted.pytest], { env, show: true, limitMs: LIMIT_MS });
    return 0;
  } catch (error) {
    if (error instanceof CommandError && error.code !== null) return error.code;
    throw error;
  } finally {
    await lifetime.close();
  }
}

main().then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`${explain(error)}\n`);
    process.exit(1);
  },
);
