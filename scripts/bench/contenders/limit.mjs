/** What is left when a worker does nothing: the owed commands, in plain pipelines (the goal's yardstick), in batches. */
import { join } from 'node:path';
import { workers } from '../places.mjs';

const loop = (id, label, file) => ({
  id,
  label,
  workload: 'celery',
  pace: 1,
  resultsAreReal: false,
  command: ({ server }) => ({
    file: process.execPath,
    args: [join(workers, file), server.host, String(server.port), '100'],
    cwd: workers,
  }),
});

export const limit = [
  loop('limit', 'limit, plain commands, 100 in flight', 'limit-plain.mjs'),
  loop('limit-lua', 'limit, scripts of 100', 'limit-lua.mjs'),
];
