/**
 * Whether a task costs the same however many wait behind it: one celeriac worker after the other, each warmed up, then
 * given a backlog of one thousand, ten thousand and so on. Small backlogs are drained several times over, for one of a
 * thousand tasks is done within a few clock ticks.
 */
import { drain, withWorker } from '../turn.mjs';

const FULL = 1_000_000;
const DEFAULT = 100_000;
const TASKS_PER_SIZE = 20_000;

// More than elsewhere: the compiler's work must not pass for the price of a short queue.
const WARM_UP = 50_000;

export const sizes = (full) => [1000, 10_000, DEFAULT, ...(full ? [FULL] : [])];

/** @yields {{ queued: number, cpuMicroseconds: number, redisMicroseconds: number, tasksPerSecond: number } | { queued: number, wrong: string }} */
export async function* flatness(contender, environment, { full }) {
  for (const queued of sizes(full)) {
    try {
      yield await withWorker(contender, environment, async ({ workload, tree }) => {
        const one = (count) => drain({ server: environment.server, workload, tree, count, milliseconds: 600_000 });
        await one(WARM_UP);
        const repeats = Math.max(1, Math.round(TASKS_PER_SIZE / queued));
        const figures = [];
        for (let turn = 0; turn < repeats; turn += 1) figures.push(await one(queued));
        const mean = (name) => figures.reduce((sum, figure) => sum + figure[name], 0) / repeats;
        return {
          queued,
          repeats,
          cpuMicroseconds: mean('cpuMicroseconds'),
          redisMicroseconds: mean('redisMicroseconds'),
          tasksPerSecond: mean('tasksPerSecond'),
          wrong: await workload.verify(queued, contender),
        };
      });
    } catch (error) {
      yield { queued, wrong: error.message };
    }
  }
}
