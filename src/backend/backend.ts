/**
 * The result backend as the rest of celeriac sees it: verbs on task ids, no keys, no bytes.
 * Counterparts: celery/backends/base.py (Backend, DisabledBackend), 5.6.3.
 */
import { BackendError } from '../errors.ts';
import type { ResultRecord, TaskMeta } from '../protocol/result-meta.ts';
import { NoKeyValue, type KeyValue } from './key-value.ts';
import type { WaitOptions } from './result-waiter.ts';

export interface StoreOptions {
  /** Seconds the meta lives; 0 or null: for ever. @defaultValue the backend's `result_expires` */
  readonly expiresSeconds?: number | null;
}

export interface Backend {
  /** `host:port/db` for people and logs, `disabled` without a backend. */
  readonly displayUrl: string;
  readonly isEnabled: boolean;
  /** Texts kept beside the results. */
  readonly values: KeyValue;

  /**
   * Writes a state of a task and tells who waits for it; a stored SUCCESS stays. Settles when it is durable, which takes
   * as long as Redis is away. Rejects with EncodeError when the record can't be serialised, with BackendError when Redis
   * refuses it for good.
   */
  store(record: ResultRecord, options?: StoreOptions): Promise<void>;
  /** The stored meta; status PENDING where nothing is stored. Rejects with DecodeError when it is no meta. */
  fetch(taskId: string): Promise<TaskMeta>;
  /** As `fetch`, for many in the order asked; one that is no meta is an Error in its place. */
  fetchMany(taskIds: readonly string[]): Promise<(TaskMeta | Error)[]>;
  /** The first ready meta, stored already or to come. Rejects with TimeoutError when the time is over. */
  wait(taskId: string, options?: WaitOptions<TaskMeta>): Promise<TaskMeta>;
  /** Deletes the stored meta. */
  forget(taskId: string): Promise<void>;
  /** Writes what is pending, rejects whoever waits, closes the connections. Idempotent. */
  close(): Promise<void>;
}

/** `result_backend` is not set: storing does nothing, so tasks run; asking for a result is an error. */
export class DisabledBackend implements Backend {
  readonly displayUrl = 'disabled';
  readonly isEnabled = false;
  readonly values = new NoKeyValue();

  async store(): Promise<void> {
    // Nobody can ask for it.
  }

  async fetch(): Promise<TaskMeta> {
    throw noBackend();
  }

  async fetchMany(): Promise<(TaskMeta | Error)[]> {
    throw noBackend();
  }

  async wait(): Promise<TaskMeta> {
    throw noBackend();
  }

  async forget(): Promise<void> {
    throw noBackend();
  }

  async close(): Promise<void> {
    // Nothing was opened.
  }
}

function noBackend(): BackendError {
  return new BackendError('no result backend is configured: set result_backend (redis://...) to read results');
}
