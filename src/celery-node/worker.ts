/**
 * Runs tasks as celery-node's users write them: `register`, then `start`. Counterpart: app/worker.js of celery-node 0.5.9.
 *
 * A handler is called as there: the positional arguments, and behind them the keyword arguments as one object, an empty one
 * where there are none.
 */
import { hostname } from 'node:os';
import type { Settings } from '../config/config.ts';
import { IllegalStateError } from '../errors.ts';
import { anonNodename } from '../protocol/nodename.ts';
import { sleep } from '../util/sleep.ts';
import { Worker as Engine } from '../worker/worker.ts';
import { Base } from './base.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as celery-node takes it: any function
export type Handler = (...args: any[]) => unknown;

/** celery-node starts all it receives at once; here a loop has an end, which the setting workerConcurrency moves. */
const CONCURRENCY = 100;
const LOOK_EVERY_MS = 5;

let started = 0;

export class Worker extends Base {
  readonly #handlers = new Map<string, Handler>();
  #engine: Engine | undefined;
  #stopped: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(broker: string, backend: string, queue: string, settings: Settings) {
    super(broker, backend, queue, settings, 'info');
  }

  /** @throws Error when there is no handler, when the name has one already, or after `start`. */
  register(name: string, handler: Handler): void {
    if (typeof handler !== 'function') throw new Error('Undefined handler');
    if (this.#handlers.has(name)) throw new Error('Handler is already set');
    if (this.#running !== undefined) throw new IllegalStateError(`register "${name}" before the worker is started`);
    this.#handlers.set(name, handler);
  }

  /**
   * Consumes until `stop`; settles then, as in celery-node, so it is seldom awaited. Rejects when it cannot start, where
   * celery-node writes to the console and waits for ever.
   */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Settles when all that runs now has ended and its results are stored. What starts meanwhile is not waited for. */
  async whenCurrentJobsFinished(): Promise<void> {
    const active = this.#engine?.state.active;
    if (active === undefined) return;
    const current = [...active.entries()];
    while (current.some(([id, request]) => active.get(id) === request)) await sleep(LOOK_EVERY_MS);
  }

  /** Takes nothing more, waits for what runs, puts back what waits, and disconnects. Idempotent. */
  async stop(): Promise<void> {
    await this.#engine?.stop('warm');
    await super.disconnect();
    this.#stopped?.();
  }

  override disconnect(): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    const { app, conf } = this;
    for (const [name, handler] of this.#handlers) {
      const call = (args: unknown[], kwargs: object): unknown => handler(...args, kwargs);
      app.task(name, { params: ['*args', '**kwargs'] }, call);
    }
    const { config } = app;
    started += 1;
    const node = anonNodename(process.pid, hostname(), started === 1 ? 'celery-node-' : `celery-node-${started}-`);
    const engine = new Engine(app, {
      nodename: node,
      pool: 'async',
      concurrency: config.workerConcurrency ?? CONCURRENCY,
      queues: app.queues.select({ include: [conf.CELERY_QUEUE], nodename: node }),
      prefetchMultiplier: config.workerPrefetchMultiplier,
    });
    this.#engine = engine;
    const stopped = new Promise<void>((resolve) => {
      this.#stopped = resolve;
    });
    await engine.start();
    app.logger.info(`${node} ready.`);
    await stopped;
  }
}
