/*
 * The suite without running code: types, lint, format, layers. Each check counts as one test.
 */
import { reasonOf, secondsSince } from '../bootstrap/log.mjs';
import { inCache, inRoot } from '../bootstrap/paths.mjs';
import { CommandError, run } from '../bootstrap/run.mjs';

/** @param {...string} parts */
const tool = (...parts) => inRoot('node_modules', ...parts);

// prettier-ignore
const CHECKS = [
  { name: 'types (tsc)', args: [tool('typescript', 'bin', 'tsc'), '--noEmit', '--project', 'tsconfig.json'] },
  { name: 'lint (eslint)', args: [tool('eslint', 'bin', 'eslint.js'), '--max-warnings', '0', '.'] },
  { name: 'format (prettier)', args: [tool('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level', 'warn', '--cache', '--cache-location', inCache('prettier'), '.'] },
  { name: 'layers (dependency-cruiser)', args: [tool('dependency-cruiser', 'bin', 'dependency-cruise.mjs'), '--config', '.dependency-cruiser.cjs', 'src'] },
];

/**
 * @param {import('../bootstrap/log.mjs').Log} log
 * @returns {Promise<import('./tally.mjs').Tally>}
 */
export async function runStaticChecks(log) {
  const waiting = [...CHECKS];
  let passed = 0;
  const next = async () => {
    for (let check; (check = waiting.shift());) {
      const startedAt = performance.now();
      try {
        await run(process.execPath, check.args, { cwd: inRoot(), limitMs: 300_000 });
        passed += 1;
        log.step('static', `ok      ${check.name} (${secondsSince(startedAt)})`);
      } catch (error) {
        const output = error instanceof CommandError ? `${error.stdout}${error.stderr}`.trim() : '';
        log.step('static', `FAILED  ${check.name}\n${output || reasonOf(error)}`);
      }
    }
  };
  await Promise.all([next(), next()]);
  return { passed, failed: CHECKS.length - passed, skipped: 0 };
}
