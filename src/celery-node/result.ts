/**
 * A result as celery-node's users wait for it. Counterpart: app/result.js of celery-node 0.5.9.
 * Differs: pushed, not polled, so that `get` answers when the result is there rather than up to half a second later.
 */
import type { Backend } from '../backend/backend.ts';
import { TimeoutError } from '../errors.ts';
import type { TaskMeta } from '../protocol/result-meta.ts';
import { EXCEPTION_STATES, PENDING } from '../protocol/states.ts';

export class AsyncResult {
  readonly taskId: string;
  readonly #backend: () => Promise<Backend>;
  readonly #published: Promise<unknown>;

  /** @param published - settles when the task's message is in Redis; for results of others, at once. */
  constructor(taskId: string, backend: () => Promise<Backend>, published: Promise<unknown>) {
    this.taskId = taskId;
    this.#backend = backend;
    this.#published = published;
  }

  /**
   * Waits for the task to end and gives what it returned.
   *
   * @param timeout - milliseconds; left out or 0: for ever.
   * @param _interval - how often celery-node asked; nothing asks here.
   * @throws Error with the message TIMEOUT, FAILURE or REVOKED; the latter two with `exc_type`, `exc_message` and
   * `exc_module`. What kept the message from being sent, as it is.
   */
  async get(timeout?: number, _interval?: number): Promise<unknown> {
    await this.#published;
    const backend = await this.#backend();
    let meta: TaskMeta;
    try {
      meta = await backend.wait(this.taskId, timeout ? { timeoutMs: timeout } : {});
    } catch (error) {
      if (error instanceof TimeoutError) throw new Error('TIMEOUT', { cause: error });
      throw error;
    }
    if (!EXCEPTION_STATES.has(meta.status)) return meta.result;
    throw Object.assign(new Error(meta.status), meta.result);
  }

  /** Null while nothing is stored. */
  async status(): Promise<string | null> {
    const { status } = await this.#meta();
    return status === PENDING ? null : status;
  }

  /** What is stored so far, null while nothing is; of a failure exc_type, exc_message and exc_module. */
  async result(): Promise<unknown> {
    return (await this.#meta()).result;
  }

  async #meta(): Promise<TaskMeta> {
    await this.#published;
    return (await this.#backend()).fetch(this.taskId);
  }
}
