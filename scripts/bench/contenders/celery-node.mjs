/** celery-node: no holding of messages, no GET before the result, no control, so what it costs is less than is owed. */
import { join } from 'node:path';
import { workers } from '../places.mjs';

export const celeryNode = {
  id: 'celery-node',
  label: 'celery-node 0.5.9',
  workload: 'celery',
  pace: 1,
  resultsAreReal: true,
  command: ({ server }) => ({
    file: process.execPath,
    args: [join(workers, 'celery-node-worker.mjs')],
    cwd: workers,
    env: { CELERY_BROKER_URL: server.brokerUrl, CELERY_RESULT_BACKEND: server.backendUrl },
  }),
};
