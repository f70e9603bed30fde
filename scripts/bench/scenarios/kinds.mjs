/**
 * Tasks that cost a worker more than a plain one, beside Celery prefork: with an ETA, retried once, rate limited; and
 * many that only wait, where wall time is the figure. Asked for with --kinds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { drain, withWorker } from '../turn.mjs';
import { until } from '../until.mjs';

/** The ETA is far enough ahead that the whole backlog is taken, and put aside, before the first is due. */
const etaAhead = (seconds) => new Date(Date.now() + seconds * 1000).toISOString().replace('Z', '000+00:00');

const kinds = [
  { id: 'plain', label: 'plain', tasks: 4000, contenders: ['celeriac', 'celery-prefork'] },
  {
    id: 'eta',
    label: 'ETA 6 s ahead',
    tasks: 4000,
    contenders: ['celeriac', 'celery-prefork'],
    kind: () => ({ eta: etaAhead(6) }),
    leastSeconds: 4,
  },
  {
    id: 'retry',
    label: 'retried once',
    tasks: 4000,
    contenders: ['celeriac', 'celery-prefork'],
    kind: () => ({ task: 'bench.retry' }),
  },
  {
    id: 'limited',
    label: 'rate limit 500/s',
    tasks: 1000,
    contenders: ['celeriac', 'celery-prefork'],
    kind: () => ({ task: 'bench.limited' }),
    leastSeconds: 1.5,
  },
  {
    id: 'waiting',
    label: '1,000 waiting 1 s each, at once',
    tasks: 1000,
    contenders: ['celeriac-1000'],
    kind: () => ({ task: 'bench.sleep' }),
  },
];

/**
 * @param {object[]} contenders those of this run, by whose ids a kind chooses
 * @yields {{ id: string, kind: string, label: string, cpuMicroseconds?: number, redisMicroseconds?: number, seconds?: number, wrong?: string }}
 */
export async function* measureKinds(contenders, environment, { warmUp }) {
  for (const { id, label: kind, tasks, contenders: ids, kind: make, leastSeconds = 0 } of kinds) {
    for (const contender of contenders.filter((one) => ids.includes(one.id))) {
      try {
        yield await withWorker(contender, environment, async ({ workload, tree }) => {
          const { server } = environment;
          await drain({ server, workload, tree, count: Math.max(100, Math.round(warmUp * contender.pace)) });
          const drained = await drain({ server, workload, tree, count: tasks, kind: make });
          // A retried task has a result key while it still waits, so the last few may not have settled yet.
          await until(async () => (await workload.verify(tasks, contender)) === undefined, {
            what: 'the last results',
            milliseconds: 5000,
            everyMs: 200,
          }).catch(() => undefined);
          await sleep(100);
          const isTooEarly = drained.seconds < leastSeconds;
          const wrong = isTooEarly
            ? `done in ${drained.seconds.toFixed(2)} s, which cannot be before ${leastSeconds} s`
            : await workload.verify(tasks, contender);
          return { id, kind, label: contender.label, ...drained, wrong };
        });
      } catch (error) {
        yield { id, kind, label: contender.label, wrong: error.message };
      }
    }
  }
}
