/*
 * TypeScript to dist/, as `npm run build` does it; incremental, so that an unchanged tree costs a second or two.
 */
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { BootstrapError, secondsSince } from './log.mjs';
import { withLock } from './lock.mjs';
import { inCache, inRoot } from './paths.mjs';
import { CommandError, run } from './run.mjs';

const COMMAND = inRoot('dist', 'cli', 'main.js');

/** @param {{ log: import('./log.mjs').Log }} options */
export async function build({ log }) {
  const startedAt = performance.now();
  const state = inCache('build.tsbuildinfo');
  await withLock(inCache('build.lock'), async () => {
    // The compiler believes its notes, not the folder: without the folder they must go.
    if (!existsSync(COMMAND)) rmSync(state, { force: true });
    // prettier-ignore
    const args = [
      inRoot('node_modules', 'typescript', 'bin', 'tsc'), '--project', inRoot('tsconfig.build.json'),
      '--incremental', '--tsBuildInfoFile', state,
    ];
    try {
      await run(process.execPath, args, {
        cwd: inRoot(),
        stillDoing: { topic: 'build', text: 'still compiling', log },
      });
    } catch (error) {
      // A failed build must not be taken for the last good one.
      rmSync(state, { force: true });
      if (error instanceof CommandError)
        throw new BootstrapError(`the build failed:\n${error.stdout.trim() || error.message}`);
      throw error;
    }
    if (existsSync(COMMAND)) chmodSync(COMMAND, 0o755);
  });
  log.step('build', `dist/ is built (${secondsSince(startedAt)})`);
}
