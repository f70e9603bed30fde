/** Real Celery in the project's Python, with its defaults but for pool and concurrency. */
import { workers } from '../places.mjs';

const withPool = (id, pool, concurrency) => ({
  id,
  label: `Celery ${pool}${pool === 'solo' ? '' : ` -c ${concurrency}`}`,
  workload: 'celery',
  // A quarter of the backlog: an order of magnitude slower, and a run has to end.
  pace: 1 / 4,
  resultsAreReal: true,
  needsPython: true,
  command: ({ server, python }) => ({
    file: python,
    args: ['-m', 'celery', '-A', 'bench_tasks', 'worker', '-P', pool, '-c', String(concurrency)],
    cwd: workers,
    env: {
      CELERY_BROKER_URL: server.brokerUrl,
      CELERY_RESULT_BACKEND: server.backendUrl,
      PYTHONWARNINGS: 'ignore',
    },
  }),
});

export const celery = [
  withPool('celery-prefork', 'prefork', 2),
  withPool('celery-threads', 'threads', 10),
  withPool('celery-solo', 'solo', 1),
];
