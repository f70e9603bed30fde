/** BullMQ at concurrency 100, in its own protocol. */
import { join } from 'node:path';
import { workers } from '../places.mjs';
import { QUEUE } from '../workloads/bullmq.mjs';

export const bullmq = {
  id: 'bullmq',
  label: 'BullMQ 6.7.0 -c 100',
  workload: 'bullmq',
  pace: 1,
  resultsAreReal: true,
  command: ({ server }) => ({
    file: process.execPath,
    args: [join(workers, 'bullmq-worker.mjs'), server.host, String(server.port), QUEUE, '100'],
    cwd: workers,
  }),
};
