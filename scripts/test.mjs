/*
 * Every suite on any machine: installs what is missing, builds, finds a Redis, runs, counts, stops what it started. The last line is always `N passed, N failed, N skipped`; the exit code is 0 only when tests ran and none
 * failed.
 *
 * Usage: npm test -- [SUITE ...] [PATH ...] [-t NAME] [--install-redis]
 *   SUITE   static, unit, golden, integration, interop (default: all)
 *   PATH    a test file or folder, or a part of its path; other flags go to jest
 * With CI=true Redis and Python must be had. Variables: CELERIAC_TEST_REDIS_URL (a server whose databases are empty),
 * CELERIAC_PYTHON, CELERIAC_CACHE_DIR, CELERIAC_BOOTSTRAP_SKIP (scripts/bootstrap/skip.mjs).
 */
import './bootstrap/node-version.mjs';
import { delimiter } from 'node:path';
import { build } from './bootstrap/build.mjs';
import { withoutCelerySettings } from './bootstrap/environment.mjs';
import { openLifetime } from './bootstrap/lifetime.mjs';
import { BootstrapError, explain, log, secondsSince } from './bootstrap/log.mjs';
import { ensureNodeModules } from './bootstrap/node-modules.mjs';
import { ensurePython } from './bootstrap/python.mjs';
import { putOnPath } from './bootstrap/redis-path.mjs';
import { startRedis } from './bootstrap/redis.mjs';
import { readArguments } from './test/arguments.mjs';
import { runJest, testFilesOf } from './test/jest-run.mjs';
import { runStaticChecks } from './test/static-checks.mjs';
import { closingLine, isGood, NOTHING, sum } from './test/tally.mjs';

const MINUTE_MS = 60_000;

const startedAt = performance.now();
const lifetime = openLifetime();
const request = readArguments(process.argv.slice(2));

if (request.help) {
  process.stdout.write('Usage: npm test -- [static|unit|golden|integration|interop ...] [PATH ...] [-t NAME]\n');
} else {
  const tally = await runSuites().catch((/** @type {unknown} */ error) => {
    if (!lifetime.isStopping()) log.step('test', `FAILED  ${explain(error)}`);
    return { ...NOTHING, failed: 1 };
  });
  await lifetime.close();
  log.step('test', `done in ${secondsSince(startedAt)}`);
  process.stdout.write(`${closingLine(tally)}\n`);
  process.exitCode = isGood(tally) ? 0 : 1;
}

async function runSuites() {
  const isCI = process.env.CI === 'true';
  const install = isCI || request.install;
  const wants = (/** @type {import('./test/arguments.mjs').Suite} */ suite) => request.suites.includes(suite);
  /** @type {import('./test/tally.mjs').Tally[]} */
  const tallies = [];

  await ensureNodeModules({ log });
  const needsServer = wants('integration') || wants('interop');
  /** @type {NodeJS.ProcessEnv} */
  const env = withoutCelerySettings(process.env);
  /** @type {string | undefined} */
  let withoutPython;
  if (needsServer) {
    await build({ log });
    const redis = await startRedis({ log, install, urlFrom: 'CELERIAC_TEST_REDIS_URL', wholeServer: true });
    lifetime.defer(redis.stop);
    if (redis.binary === undefined) {
      env.CELERIAC_TEST_REDIS_URL = redis.url;
    } else {
      // Each test file starts servers of its own and does to them what it likes; this one has shown that it can.
      await redis.stop();
      env.PATH = `${putOnPath(redis.binary, redis.libraryPath)}${delimiter}${process.env.PATH ?? ''}`;
    }
    const python = await ensurePython({ log, install });
    if ('missing' in python) {
      withoutPython = python.missing;
      if (isCI) throw new BootstrapError(`with CI=true the interop suite must run: ${python.missing}`);
      delete env.CELERIAC_TEST_PYTHON;
    } else {
      env.CELERIAC_TEST_PYTHON = python.python;
    }
  }

  if (wants('static')) tallies.push(await runStaticChecks(log));

  const { paths, flags } = request;
  const jest = (/** @type {string[]} */ projects, /** @type {number} */ workers, /** @type {number} */ minutes) =>
    runJest({ projects, paths, flags, workers, limitMs: minutes * MINUTE_MS, env, log });

  const quick = ['unit', 'golden'].filter((suite) => request.suites.some((wanted) => wanted === suite));
  if (quick.length > 0) tallies.push(await jest(quick, 2, 10));
  // These measure time and kill processes: one file at a time.
  if (wants('integration')) tallies.push(await jest(['integration'], 1, 15));
  if (wants('interop')) {
    if (withoutPython === undefined) {
      tallies.push(await jest(['interop'], 1, 15));
    } else {
      const files = testFilesOf('interop').length;
      log.step('test', `interop is skipped (${files} test files): ${withoutPython}`);
      tallies.push({ ...NOTHING, skipped: files });
    }
  }
  return sum(tallies);
}
