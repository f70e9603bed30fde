/**
 * One contender's turn on an empty server: start-up, warm-up, round trips, the measured backlog, memory. Whatever goes
 * wrong ends as words in the row, never as a missing row or a stuck run; the worker is killed in every case.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProcessTree } from './process-tree.mjs';
import { percentile } from './stats.mjs';
import { DeadlineError, until } from './until.mjs';
import { BullmqWorkload } from './workloads/bullmq.mjs';
import { CeleryWorkload } from './workloads/celery.mjs';

const workloads = { celery: CeleryWorkload, bullmq: BullmqWorkload };

export const deadlines = { startMs: 40_000, tripsMs: 15_000, drainMs: 120_000, stallMs: 20_000 };

// After a phase a worker may still tidy up (acks under way, timers): that belongs to no figure.
const SETTLE_MS = 400;

/**
 * Drains a backlog of `count` tasks, of a kind if given, and tells what it took.
 * @returns {Promise<{ tasks: number, seconds: number, cpuMicroseconds: number, redisMicroseconds: number }>} CPU per task
 */
export async function drain({ server, workload, tree, count, kind, milliseconds = deadlines.drainMs }) {
  await workload.reset();
  await workload.stage(count, kind?.());
  await sleep(SETTLE_MS);
  const redisBefore = await server.cpuMicroseconds();
  const cpuBefore = tree.cpuMicroseconds();
  const start = performance.now();
  await workload.release();
  let last = { completed: 0 };
  let movedAt = start;
  try {
    await until(
      async () => {
        tree.assertAlive();
        const now = await workload.progress();
        if (now.completed !== last.completed) movedAt = performance.now();
        else if (performance.now() - movedAt > deadlines.stallMs)
          throw new DeadlineError('the next result', deadlines.stallMs);
        last = now;
        return last.completed >= count && last.idle;
      },
      { what: `a backlog of ${count}`, milliseconds, everyMs: 20 },
    );
  } catch (error) {
    throw new Error(`${error.message} (${last.completed} of ${count} done)`, { cause: error });
  }
  const seconds = (performance.now() - start) / 1000;
  const cpuMicroseconds = (tree.cpuMicroseconds() - cpuBefore) / count;
  const redisMicroseconds = ((await server.cpuMicroseconds()) - redisBefore) / count;
  return { tasks: count, seconds, tasksPerSecond: count / seconds, cpuMicroseconds, redisMicroseconds };
}

/**
 * Starts the contender's worker on an emptied server and gives it to `use`, with its first result's time.
 * @template T
 * @param {(running: { workload: object, tree: ProcessTree, startUpMs: number }) => Promise<T>} use
 */
export async function withWorker(contender, { server, python }, use) {
  await server.flush();
  const workload = new workloads[contender.workload](server);
  let tree;
  try {
    let startedAt;
    let failed;
    const died = new Promise((_, reject) => (failed = reject));
    const first = workload
      .firstResult(() => {
        startedAt = performance.now();
        tree = new ProcessTree(contender.command({ server, python }));
        tree.untilDeath().catch(failed);
      }, deadlines.startMs)
      .catch((error) => {
        throw new Error(`${error.message}; the worker said: ${tree?.output.slice(-600)}`, { cause: error });
      });
    const firstAt = await Promise.race([first, died]);
    return await use({ workload, tree, startUpMs: firstAt - startedAt });
  } finally {
    await tree?.stop();
    await workload.close();
  }
}

/** @returns {Promise<Record<string, number | string | undefined>>} the figures of one turn */
export function takeTurn(contender, environment, { tasks, trips, warmUp }) {
  const count = Math.max(100, Math.round(tasks * contender.pace));
  return withWorker(contender, environment, async ({ workload, tree, startUpMs }) => {
    const { server } = environment;
    await drain({ server, workload, tree, count: Math.max(100, Math.round(warmUp * contender.pace)) });
    await sleep(SETTLE_MS);
    const times = await workload.trips(trips, deadlines.tripsMs);
    const drained = await drain({ server, workload, tree, count });
    await sleep(SETTLE_MS);
    return {
      ...drained,
      tripP50Ms: percentile(times, 50),
      tripP99Ms: percentile(times, 99),
      pssMebibytes: tree.pssMebibytes(),
      processes: tree.size(),
      startUpMs,
      wrong: await workload.verify(count, contender),
    };
  });
}
