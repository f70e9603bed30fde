/**
 * Results in Redis, key for key and byte for byte where Python's members keep theirs.
 * Counterpart: celery/backends/redis.py (RedisBackend), 5.6.3.
 * Invariants: a stored SUCCESS is never overwritten (result-writer.ts); what is stored is also published, the same bytes.
 * `result_compression` and `result_persistent` have no effect on Redis, as in Celery.
 */
import { BackendError, ConfigError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { ResultRecord, TaskMeta } from '../protocol/result-meta.ts';
import { SUCCESS, READY_STATES } from '../protocol/states.ts';
import type { RedisPort, SubscriberPort } from '../redis/port.ts';
import { Batcher } from '../util/batcher.ts';
import type { Backend, StoreOptions } from './backend.ts';
import { RedisKeyValue } from './key-value.ts';
import type { ResultKeys } from './keys.ts';
import { type MetaCodec, pendingMeta } from './meta-codec.ts';
import { type Patience, patiently } from './patience.ts';
import { ResultWaiter, type WaitOptions } from './result-waiter.ts';
import { ResultWriter } from './result-writer.ts';
import { retryPolicy, type RetrySettings } from './retry-policy.ts';

/** Celery: `result_expires` defaults to a day. */
const DAY_SECONDS = 86_400;
/** Metas in one MGET or DEL: they may be large, and Redis serves nobody else meanwhile. */
const CHUNK = 200;

export interface RedisBackendOptions {
  /** Connected by whoever opened it, closed with the backend. */
  readonly redis: RedisPort;
  /** A connection of its own for waiting; opened with the first wait, closed with the backend. */
  readonly openSubscriber: () => SubscriberPort;
  readonly codec: MetaCodec;
  readonly keys: ResultKeys;
  readonly logger: Logger;
  /** `result_expires`: whole seconds, a fraction is cut; 0 or null: for ever. @defaultValue 86400 */
  readonly expiresSeconds?: number | null;
  readonly retry?: RetrySettings;
  /** True in a worker: results are kept until they are written, however long Redis is away. @defaultValue false */
  readonly keepForEver?: boolean;
  /** How long `close` waits for what is pending. Milliseconds. @defaultValue 10000 */
  readonly closeTimeoutMs?: number;
}

export class RedisBackend implements Backend {
  readonly isEnabled = true;
  readonly values: RedisKeyValue;
  readonly #options: RedisBackendOptions;
  readonly #expiresSeconds: number;
  readonly #writer: ResultWriter;
  readonly #waiter: ResultWaiter<TaskMeta>;
  readonly #reader: Batcher<string, Buffer | null>;
  readonly #deleter: Batcher<string, null>;
  readonly #closing = new AbortController();

  /** Throws ConfigError for a time to live that is none. */
  constructor(options: RedisBackendOptions) {
    const { redis, codec, keys, logger, openSubscriber } = options;
    this.#options = options;
    this.#expiresSeconds = wholeSeconds(options.expiresSeconds === undefined ? DAY_SECONDS : options.expiresSeconds);
    this.#writer = new ResultWriter({
      redis,
      logger,
      retry: retryPolicy(options.retry, options.keepForEver),
      isSuccess: (stored) => codec.decode(stored).status === SUCCESS,
    });
    const patience: Patience = { redis, retry: retryPolicy(options.retry), signal: this.#closing.signal };
    this.values = new RedisKeyValue(redis, patience);
    this.#reader = new Batcher({
      maxItems: CHUNK,
      run: (ids) => patiently('results not read', patience, () => this.#read(ids)),
    });
    this.#deleter = new Batcher({
      maxItems: CHUNK,
      run: (ids) => patiently('results not deleted', patience, () => this.#delete(ids)),
    });
    this.#waiter = new ResultWaiter<TaskMeta>({
      keys,
      logger,
      openSubscriber,
      decode: (payload) => codec.decode(payload),
      fetchMany: (ids) => this.fetchMany(ids),
    });
  }

  get displayUrl(): string {
    return this.#options.redis.displayUrl;
  }

  /** Records stored but not durable yet: how far Redis is behind. */
  get pendingStores(): number {
    return this.#writer.pending;
  }

  store(record: ResultRecord, options?: StoreOptions): Promise<void> {
    const { codec, keys } = this.#options;
    const { taskId, state } = record;
    try {
      return this.#writer.write({
        key: keys.task(taskId),
        value: codec.encode(record),
        expiresSeconds:
          options?.expiresSeconds === undefined ? this.#expiresSeconds : wholeSeconds(options.expiresSeconds),
        isReady: READY_STATES.has(state),
        isSuccess: state === SUCCESS,
        taskId,
        state,
      });
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new BackendError(String(error)));
    }
  }

  async fetch(taskId: string): Promise<TaskMeta> {
    // An id that is none must not fail those it would be read with.
    this.#options.keys.task(taskId);
    return this.#decode(taskId, await this.#reader.add(taskId));
  }

  async fetchMany(taskIds: readonly string[]): Promise<(TaskMeta | Error)[]> {
    for (const taskId of taskIds) this.#options.keys.task(taskId);
    const stored = await Promise.all(taskIds.map((taskId) => this.#reader.add(taskId)));
    return stored.map((payload, i) => {
      try {
        return this.#decode(taskIds[i] as string, payload);
      } catch (error) {
        return error instanceof Error ? error : new BackendError(String(error));
      }
    });
  }

  async wait(taskId: string, options: WaitOptions<TaskMeta> = {}): Promise<TaskMeta> {
    return this.#waiter.wait(taskId, options);
  }

  async forget(taskId: string): Promise<void> {
    this.#options.keys.task(taskId);
    await this.#deleter.add(taskId);
  }

  async close(): Promise<void> {
    await this.#writer.close(this.#options.closeTimeoutMs);
    this.#closing.abort();
    await this.#waiter.close();
    // A graceful close waits for replies, which a connection that is away will not give.
    if (this.#options.redis.isReady) await this.#options.redis.close();
    else this.#options.redis.destroy();
  }

  async #read(taskIds: readonly string[]): Promise<(Buffer | null)[]> {
    const { keys, redis } = this.#options;
    const [only] = taskIds;
    // MGET takes a key of another type for a missing one; GET says so.
    if (taskIds.length === 1 && only !== undefined) {
      return [(await redis.commandBuffers('GET', keys.task(only))) as Buffer | null];
    }
    return (await redis.commandBuffers('MGET', ...taskIds.map((id) => keys.task(id)))) as (Buffer | null)[];
  }

  async #delete(taskIds: readonly string[]): Promise<null[]> {
    const { keys, redis } = this.#options;
    await redis.command('DEL', ...taskIds.map((id) => keys.task(id)));
    return taskIds.map(() => null);
  }

  #decode(taskId: string, payload: Buffer | null): TaskMeta {
    return payload === null || payload.length === 0 ? pendingMeta(taskId) : this.#options.codec.decode(payload);
  }
}

/** Celery: `prepare_expires(type=int)`, and SETEX only when it is not 0. */
function wholeSeconds(seconds: number | null): number {
  if (seconds === null) return 0;
  const whole = Math.trunc(seconds);
  if (!Number.isSafeInteger(whole) || whole < 0) {
    throw new ConfigError(`result_expires must be seconds from 0 on, or null: ${seconds}`);
  }
  return whole;
}
