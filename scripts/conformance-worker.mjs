/*
 * The worker of the conformance run: `npm run conformance:worker`, or started by the harness with its environment
 * (CELERY_BROKER_URL, CELERY_RESULT_BACKEND, WORKER_NODENAME, WORKER_CONCURRENCY ...).
 */
import { inRoot } from './bootstrap/paths.mjs';

const { WORKER_NODENAME = 'celery@%h', WORKER_CONCURRENCY = '1' } = process.env;
process.argv = [
  process.execPath,
  inRoot('dist', 'cli', 'main.js'),
  ...['-A', inRoot('test', 'conformance', 'tasks.mjs'), 'worker', '-P', 'async', '-c', WORKER_CONCURRENCY],
  ...['-n', WORKER_NODENAME, '-l', 'info'],
];
// The same process, so that its pid and its signals are the worker's.
await import('../dist/cli/main.js');
