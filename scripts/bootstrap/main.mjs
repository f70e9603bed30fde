/*
 * Prepares a fresh machine: packages, build, Redis, real Celery; says what it found. `npm run quickstart` and
 * `npm test` do the same by themselves.
 *
 * Usage: node scripts/bootstrap/main.mjs [--install-redis]
 *   --install-redis   as root, let apt install what is missing (redis-server; python3-celery without a package index)
 */
import './node-version.mjs';
import { build } from './build.mjs';
import { explain, log } from './log.mjs';
import { ensureNodeModules } from './node-modules.mjs';
import { ensurePython } from './python.mjs';
import { startRedis } from './redis.mjs';

const known = new Set(['--install-redis', '--help', '-h']);
const args = process.argv.slice(2);
const unknown = args.find((arg) => !known.has(arg));

if (unknown !== undefined || args.includes('--help') || args.includes('-h')) {
  if (unknown !== undefined) process.stderr.write(`unknown option ${unknown}\n`);
  process.stdout.write('Usage: node scripts/bootstrap/main.mjs [--install-redis]\n');
  process.exitCode = unknown === undefined ? 0 : 2;
} else {
  await prepare(args.includes('--install-redis') || process.env.CI === 'true');
}

/** @param {boolean} install */
async function prepare(install) {
  try {
    await ensureNodeModules({ log });
    await build({ log });
    const redis = await startRedis({ log, install });
    await redis.stop();
    const python = await ensurePython({ log, install });
    if ('missing' in python) log.step('python', `not available: ${python.missing}`);
    log.plain('Ready: npm run quickstart, npm test');
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
}
