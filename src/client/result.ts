/**
 * The result of a task, now or later. Counterpart: celery/result.py AsyncResult, 5.6.3; what Python reads as an attribute
 * is a method here, since it asks Redis.
 */
import type { Backend } from '../backend/backend.ts';
import { TaskRevokedError } from '../errors.ts';
import { pyStr, readWireException, type ErrorRegistry } from '../protocol/exceptions.ts';
import type { TaskMeta } from '../protocol/result-meta.ts';
import { EXCEPTION_STATES, FAILURE, PROPAGATE_STATES, READY_STATES, SUCCESS } from '../protocol/states.ts';

export interface GetOptions {
  /** Seconds; TimeoutError after that. @defaultValue for ever */
  readonly timeout?: number;
  /** False: a failure is returned as the error instead of thrown. @defaultValue true */
  readonly propagate?: boolean;
  readonly signal?: AbortSignal;
  /** Called with each state before the last: STARTED, PROGRESS, RETRY ... */
  readonly onUpdate?: (meta: TaskMeta) => void;
}

export class AsyncResult<Result = unknown> {
  readonly id: string;
  readonly #backend: () => Promise<Backend>;
  readonly #errors: ErrorRegistry;

  constructor(id: string, backend: () => Promise<Backend>, errors: ErrorRegistry) {
    this.id = id;
    this.#backend = backend;
    this.#errors = errors;
  }

  /**
   * Waits for the task to end and returns what it returned.
   *
   * @throws TaskError (or the class registered for it) when it failed; TaskRevokedError when it was revoked;
   * TimeoutError; BackendError without a result backend.
   */
  async get({ timeout, propagate = true, signal, onUpdate }: GetOptions = {}): Promise<Result> {
    const backend = await this.#backend();
    const meta = await backend.wait(this.id, {
      ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
      ...(signal === undefined ? {} : { signal }),
      ...(onUpdate === undefined ? {} : { onUpdate }),
    });
    const value = this.#valueOf(meta);
    if (propagate && PROPAGATE_STATES.has(meta.status)) throw value;
    return value as Result;
  }

  async state(): Promise<string> {
    return (await this.meta()).status;
  }

  async ready(): Promise<boolean> {
    return READY_STATES.has(await this.state());
  }

  async successful(): Promise<boolean> {
    return (await this.state()) === SUCCESS;
  }

  async failed(): Promise<boolean> {
    return (await this.state()) === FAILURE;
  }

  /** What is stored as the result so far: the value, the error, or what the task's own state carries. */
  async info(): Promise<unknown> {
    return this.#valueOf(await this.meta());
  }

  async traceback(): Promise<string | null> {
    return (await this.meta()).traceback;
  }

  /** The stored meta as a whole; status PENDING where nothing is stored. */
  async meta(): Promise<TaskMeta> {
    return (await this.#backend()).fetch(this.id);
  }

  /** Deletes the stored result. */
  async forget(): Promise<void> {
    await (await this.#backend()).forget(this.id);
  }

  #valueOf(meta: TaskMeta): unknown {
    const exception = EXCEPTION_STATES.has(meta.status) ? readWireException(meta.result) : null;
    if (exception === null) return meta.result;
    if (exception.exc_type === 'TaskRevokedError') return new TaskRevokedError(pyStr(exception.exc_message));
    return this.#errors.restore(exception, meta.traceback);
  }
}
