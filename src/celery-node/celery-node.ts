/**
 * `celeriac/celery-node`: the API of celery-node 0.5.9 on celeriac's engine, so that its users move by changing one import.
 * docs/celery-node.md says what is the same and what is better.
 */
import type { Settings } from '../config/config.ts';
import { Client } from './client.ts';
import { Worker } from './worker.ts';

export type { Client, Task, TaskOptions } from './client.ts';
export type { CeleryConf } from './conf.ts';
export type { AsyncResult } from './result.ts';
export type { Handler, Worker } from './worker.ts';

/** celery-node's own default; it says here, at first use, that celeriac talks to Redis only. */
const AMQP = 'amqp://';

/** @param settings - beyond celery-node: any of celeriac's settings, such as `{ taskSerializer: 'msgpack' }`. */
export function createClient(broker = AMQP, backend = AMQP, queue = 'celery', settings: Settings = {}): Client {
  return new Client(broker, backend, queue, settings);
}

/** @param settings - beyond celery-node: any of celeriac's settings, such as `{ workerConcurrency: 10, taskAcksLate: true }`. */
export function createWorker(broker = AMQP, backend = AMQP, queue = 'celery', settings: Settings = {}): Worker {
  return new Worker(broker, backend, queue, settings);
}

/** For `import celery from 'celeriac/celery-node'`. */
export default { createClient, createWorker };
