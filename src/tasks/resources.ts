/**
 * What a run borrows and must end by its outcome: a database transaction, a lock, a temporary folder. Opened when the
 * handler asks for it first (`await task.resource(database)`), committed when the handler has returned, rolled back when
 * it threw, closed either way. All of that happens before the result is stored, and a failing commit fails the task.
 *
 *   returned -> commit each, in the order they were opened -> close, last opened first
 *   threw, retry, Ignore, Reject, or ended from outside (revoked, hard time limit) -> roll back, last first -> close
 */
import { IllegalStateError } from '../errors.ts';

/** One kind of resource; the object itself is the key under which a run finds it. `Task` is the running task. */
export interface Resource<Handle, Task = unknown> {
  /** For error messages. */
  readonly name?: string;
  readonly open: (task: Task) => Handle | PromiseLike<Handle>;
  /** The handler has returned, its result can be stored. */
  readonly commit?: (handle: Handle, task: Task) => unknown;
  /** The run did not succeed; `error` says why. */
  readonly rollback?: (handle: Handle, error: unknown, task: Task) => unknown;
  /** Always, after the one or the other. */
  readonly close?: (handle: Handle, task: Task) => unknown;
}

interface Opened {
  readonly resource: Resource<unknown>;
  readonly handle: unknown;
  isCommitted: boolean;
}

/** Told of what went wrong in a rollback or close: the run's own outcome stands, the trouble must not stay unseen. */
export type ReportTrouble = (message: string, error: unknown) => void;

export class RunResources<Task> {
  readonly #task: Task;
  readonly #report: ReportTrouble;
  readonly #pending = new Map<object, Promise<unknown>>();
  readonly #opened: Opened[] = [];
  /** The first of commit and rollback; the other comes too late then. */
  #ending: Promise<void> | undefined;

  constructor(task: Task, report: ReportTrouble) {
    this.#task = task;
    this.#report = report;
  }

  /** The run's handle of a resource, opened with the first call. A failing `open` may be tried again. */
  get<Handle>(resource: Resource<Handle, Task>): Promise<Handle> {
    const known = this.#pending.get(resource);
    if (known !== undefined) return known as Promise<Handle>;
    const opening = this.#open(resource as Resource<unknown>) as Promise<Handle>;
    this.#pending.set(resource, opening);
    opening.catch(() => this.#pending.delete(resource));
    return opening;
  }

  /** Rejects with the error of the first commit that failed; what is not committed then is rolled back. */
  commit(): Promise<void> {
    this.#ending ??= this.#commitAll();
    return this.#ending;
  }

  /** Never rejects because of the resources: the run has its outcome already. */
  rollback(error: unknown): Promise<void> {
    this.#ending ??= this.#giveBack(error);
    // A commit that failed has rolled back, and has told its error to whoever asked for it.
    return this.#ending.catch(() => undefined);
  }

  async #open(resource: Resource<unknown>): Promise<unknown> {
    const { name = 'a resource' } = resource;
    const tooLate = new IllegalStateError(`${name} cannot be opened: the run of the task has ended`);
    if (this.#ending !== undefined) throw tooLate;
    const handle = await resource.open(this.#task);
    this.#opened.push({ resource, handle, isCommitted: false });
    return handle;
  }

  async #commitAll(): Promise<void> {
    await this.#opening();
    try {
      for (const opened of this.#opened) {
        await opened.resource.commit?.(opened.handle, this.#task);
        opened.isCommitted = true;
      }
    } catch (error) {
      await this.#rollBackAll(error);
      throw error;
    } finally {
      await this.#closeAll();
    }
  }

  async #giveBack(error: unknown): Promise<void> {
    await this.#opening();
    await this.#rollBackAll(error);
    await this.#closeAll();
  }

  /** Waits for what is being opened, though the handler did not: it must be closed too. */
  async #opening(): Promise<void> {
    await Promise.allSettled(this.#pending.values());
  }

  async #rollBackAll(error: unknown): Promise<void> {
    for (const { resource, handle, isCommitted } of this.#opened.toReversed()) {
      if (isCommitted) continue;
      await this.#attempt('roll back', resource, () => resource.rollback?.(handle, error, this.#task));
    }
  }

  async #closeAll(): Promise<void> {
    for (const { resource, handle } of this.#opened.splice(0).reverse()) {
      await this.#attempt('close', resource, () => resource.close?.(handle, this.#task));
    }
  }

  async #attempt(what: string, { name = 'a resource' }: Resource<unknown>, step: () => unknown): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#report(`could not ${what} ${name}`, error);
    }
  }
}

/** Gives a resource its types: `const database = defineResource({ open: () => pool.connect(), ... })`. */
export function defineResource<Handle, Task = unknown>(resource: Resource<Handle, Task>): Resource<Handle, Task> {
  return resource;
}
