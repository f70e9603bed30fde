/**
 * Small texts kept beside the results, in the result backend's database: checkpoints, and what applications hang on a
 * job. Counterpart: what task code does in Python with `app.backend.client` (get, setex, delete), hence keys as they are
 * given, without the backend's prefix.
 */
import type { RedisPort } from '../redis/port.ts';
import { BackendError } from '../errors.ts';
import { type Patience, patiently } from './patience.ts';

export interface KeyValue {
  /** Null where nothing is kept. Rejects with BackendError. */
  get(key: string): Promise<string | null>;
  /** Settles when Redis has it; `expiresSeconds` are whole seconds from 1 on. Rejects with BackendError. */
  set(key: string, value: string, expiresSeconds: number): Promise<void>;
  delete(key: string): Promise<void>;
}

export class RedisKeyValue implements KeyValue {
  readonly #redis: RedisPort;
  readonly #patience: Patience;

  constructor(redis: RedisPort, patience: Patience) {
    this.#redis = redis;
    this.#patience = patience;
  }

  async get(key: string): Promise<string | null> {
    const value = await patiently(`${key} not read`, this.#patience, () => this.#redis.command('GET', key));
    return value as string | null;
  }

  async set(key: string, value: string, expiresSeconds: number): Promise<void> {
    await patiently(`${key} not written`, this.#patience, () =>
      this.#redis.command('SET', key, value, 'EX', expiresSeconds),
    );
  }

  async delete(key: string): Promise<void> {
    await patiently(`${key} not deleted`, this.#patience, () => this.#redis.command('DEL', key));
  }
}

/** For direct calls and tests: nothing outlives the process. */
export class MemoryKeyValue implements KeyValue {
  readonly #values = new Map<string, { readonly value: string; readonly expiresAtMs: number }>();

  async get(key: string): Promise<string | null> {
    const kept = this.#values.get(key);
    return kept === undefined || kept.expiresAtMs <= Date.now() ? null : kept.value;
  }

  async set(key: string, value: string, expiresSeconds: number): Promise<void> {
    this.#values.set(key, { value, expiresAtMs: Date.now() + expiresSeconds * 1000 });
  }

  async delete(key: string): Promise<void> {
    this.#values.delete(key);
  }
}

/** Without a result backend: progress that is lost without a word would be worse than an error. */
export class NoKeyValue implements KeyValue {
  async get(): Promise<string | null> {
    throw noStore();
  }

  async set(): Promise<void> {
    throw noStore();
  }

  async delete(): Promise<void> {
    throw noStore();
  }
}

function noStore(): BackendError {
  return new BackendError('checkpoints are kept in the result backend, and none is configured: set result_backend');
}
