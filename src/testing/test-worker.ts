/**
 * A worker in the test's own process, on a real Redis: the whole road from `delay` to the stored result, without a child
 * process. Best with a Redis, or a database of one, that nothing else uses.
 */
import { hostname } from 'node:os';
import { brokerSettings, type BrokerSettings } from '../broker/settings.ts';
import type { Celeriac } from '../client/app.ts';
import { TimeoutError } from '../errors.ts';
import { createLogger, type LogLevel } from '../log.ts';
import { workerNodename } from '../protocol/nodename.ts';
import { openRedis } from '../redis/connection.ts';
import type { RedisCommand, RedisPort } from '../redis/port.ts';
import { sleep } from '../util/sleep.ts';
import { Worker } from '../worker/worker.ts';

export interface TestWorkerOptions {
  /** Broker and result backend in place of those of the app's settings. */
  readonly redisUrl?: string;
  /** @defaultValue test@%h */
  readonly hostname?: string;
  /** @defaultValue async */
  readonly pool?: 'async' | 'solo';
  /** @defaultValue 10 */
  readonly concurrency?: number;
  /** The queues it consumes. @defaultValue those of the settings */
  readonly queues?: readonly string[];
  /** Of a log on the standard error. @defaultValue the app's own logger */
  readonly loglevel?: LogLevel;
}

export interface IdleOptions {
  /** Seconds. @defaultValue 30 */
  readonly timeout?: number;
  /** Wait also for what is to start later: ETA, countdown, retries. @defaultValue false */
  readonly scheduled?: boolean;
}

export interface TestWorker {
  readonly nodename: string;
  readonly worker: Worker;
  /**
   * Settles when all that was sent before is done and stored, and what that sent too. Rejects with TimeoutError, which
   * says what is still there.
   */
  readonly idle: (options?: IdleOptions) => Promise<void>;
  /** Ends what runs, and closes the app's connections. Idempotent. */
  readonly stop: () => Promise<void>;
}

/** Settles when the worker consumes. */
export async function startTestWorker(app: Celeriac, options: TestWorkerOptions = {}): Promise<TestWorker> {
  const { redisUrl, pool = 'async', concurrency = 10, loglevel } = options;
  if (redisUrl !== undefined) app.configure({ cli: { broker_url: redisUrl, result_backend: redisUrl } });
  if (loglevel !== undefined) app.configure({ logger: createLogger({ level: loglevel }) });
  const nodename = workerNodename(options.hostname ?? 'test@%h', hostname());
  const queues = app.queues.select({ include: options.queues, nodename });
  const { workerPrefetchMultiplier: prefetchMultiplier } = app.config;
  const worker = new Worker(app, { nodename, pool, concurrency, queues, prefetchMultiplier });
  await worker.start();
  const settings = brokerSettings(app.config, 'read');
  const redis = openRedis(settings.target, settings.connection);
  let stopping: Promise<void> | undefined;
  const names = queues.map(({ name }) => name);
  return {
    nodename,
    worker,
    idle: (idleOptions) => untilIdle(worker, new Waiting(redis, settings, names), idleOptions),
    stop: () => {
      stopping ??= worker.stop().finally(() => redis.close());
      return stopping;
    },
  };
}

const POLL_MS = 10;

async function untilIdle(
  worker: Worker,
  waiting: Waiting,
  { timeout = 30, scheduled = false }: IdleOptions = {},
): Promise<void> {
  const { state, rateLimits } = worker;
  const end = performance.now() + timeout * 1000;
  for (;;) {
    // First Redis, then what is in hand: a message leaves Redis only when it is in hand.
    const { now, later } = await waiting.count();
    const inHand = state.reserved.length + state.active.size + rateLimits.size;
    if (now + inHand + (scheduled ? later : 0) === 0) return;
    if (performance.now() < end) {
      await sleep(POLL_MS);
      continue;
    }
    const running = [...state.active.values()].map(({ name, id }) => `${name}[${id}]`).join(', ');
    throw new TimeoutError(
      `not idle after ${timeout} s: ${now} messages wait in Redis, ${later} are for later, ${inHand} are in hand${running === '' ? '' : `; running: ${running}`}`,
    );
  }
}

/** Messages that wait in Redis, counted at one moment, so that none slips by from one place to another. */
class Waiting {
  readonly #redis: RedisPort;
  readonly #commands: readonly RedisCommand[];
  readonly #queues: number;

  constructor(redis: RedisPort, { keys, prioritySteps }: BrokerSettings, queues: readonly string[]) {
    this.#redis = redis;
    this.#queues = queues.length;
    this.#commands = [
      ...queues.map((queue): RedisCommand => ['ZCARD', keys.parked(queue)]),
      ['HLEN', keys.unacked],
      ['KEYS', keys.inbox('*', '*')],
      ['KEYS', keys.aside('*')],
      ...queues.flatMap((queue) => prioritySteps.map((step): RedisCommand => ['LLEN', keys.list(queue, step)])),
    ];
  }

  async count(): Promise<{ now: number; later: number }> {
    const replies = await this.#redis.transaction(this.#commands);
    const counts = replies.map((reply) => (Array.isArray(reply) ? reply.length : Number(reply)));
    const later = sum(counts.slice(0, this.#queues));
    // What is parked is in `unacked` too.
    return { now: sum(counts.slice(this.#queues)) - later, later };
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
