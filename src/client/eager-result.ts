/** The result of a task that has run already, in place. Counterpart: celery/result.py EagerResult, 5.6.3. */
import type { ErrorIdentity } from '../protocol/error-identity.ts';
import { ErrorRegistry } from '../protocol/exceptions.ts';
import type { TaskMeta } from '../protocol/result-meta.ts';
import { PROPAGATE_STATES, SUCCESS } from '../protocol/states.ts';
import { IllegalStateError } from '../errors.ts';
import { AsyncResult, type GetOptions } from './result.ts';

export interface EagerEnding {
  readonly id: string;
  readonly name: string;
  /** SUCCESS, FAILURE, REVOKED; IGNORED and REJECTED too, which no backend stores. */
  readonly state: string;
  /** What the task returned, or what it threw: the error itself. */
  readonly value: unknown;
  readonly exception: ErrorIdentity | null;
  readonly traceback: string | null;
}

export class EagerResult<Result = unknown> extends AsyncResult<Result> {
  readonly #ending: EagerEnding;

  constructor(ending: EagerEnding) {
    super(
      ending.id,
      () => Promise.reject(new IllegalStateError('an eager result asks no backend')),
      new ErrorRegistry(),
    );
    this.#ending = ending;
  }

  /** The task's name. */
  get name(): string {
    return this.#ending.name;
  }

  /** @throws what the task threw, unless `propagate` is off. Null for a task that threw Ignore or Reject. */
  override async get({ propagate = true }: GetOptions = {}): Promise<Result> {
    const { state, value } = this.#ending;
    if (PROPAGATE_STATES.has(state) && propagate) throw value as Error;
    return (state === SUCCESS || PROPAGATE_STATES.has(state) ? value : null) as Result;
  }

  override async ready(): Promise<boolean> {
    return true;
  }

  override async info(): Promise<unknown> {
    return this.#ending.value;
  }

  override async meta(): Promise<TaskMeta> {
    const { id, name, state, value, exception, traceback } = this.#ending;
    return {
      taskId: id,
      status: state,
      result:
        exception === null
          ? value
          : { exc_type: exception.excType, exc_message: exception.excArgs, exc_module: exception.excModule },
      traceback,
      children: [],
      dateDone: null,
      groupId: null,
      parentId: null,
      extra: { name },
    };
  }

  override async forget(): Promise<void> {
    // Nothing is kept anywhere else.
  }
}
