/** celeriac itself, as built: pool async with its default concurrency of 100, and with 10. */
import { join } from 'node:path';
import { projectRoot, workers } from '../places.mjs';

const cli = join(projectRoot, 'dist', 'cli', 'main.js');

const withConcurrency = (id, concurrency) => ({
  id,
  label: `celeriac async -c ${concurrency}`,
  workload: 'celery',
  pace: 1,
  resultsAreReal: true,
  needsBuild: true,
  command: ({ server }) => ({
    file: process.execPath,
    args: [cli, '-A', join(workers, 'celeriac-app.mjs'), 'worker', '-P', 'async', '-c', String(concurrency)],
    cwd: projectRoot,
    env: { CELERY_BROKER_URL: server.brokerUrl, CELERY_RESULT_BACKEND: server.backendUrl },
  }),
});

export const celeriac = [withConcurrency('celeriac', 100), withConcurrency('celeriac-10', 10)];

/** For tasks that only wait: in no race of its own. */
export const celeriacWide = withConcurrency('celeriac-1000', 1000);
