/**
 * A registered task as its callers see it. Counterpart: celery/app/task.py Task, 5.6.3, the sending half; the running half
 * is its definition.
 */
import { randomUUID } from 'node:crypto';
import { createRequest } from '../tasks/request.ts';
import { TaskContext, type TaskRuntime } from '../tasks/context.ts';
import type { TaskDefinition } from '../tasks/task.ts';
import type { KindArgs, TaskKind } from '../tasks/typing.ts';
import type { AsyncResult } from './result.ts';
import type { SendOptions } from './send.ts';

/** `applyAsync` options with the task's own arguments. */
export interface ApplyOptions<Args extends readonly unknown[]> extends Omit<SendOptions, 'args'> {
  readonly args?: Partial<Args>;
}

export interface TaskPorts {
  readonly send: (definition: TaskDefinition, options: SendOptions) => Promise<AsyncResult>;
  readonly runtime: TaskRuntime;
}

export class Task<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  readonly definition: TaskDefinition;
  readonly #ports: TaskPorts;

  constructor(definition: TaskDefinition, ports: TaskPorts) {
    this.definition = definition;
    this.#ports = ports;
  }

  get name(): string {
    return this.definition.name;
  }

  /** Sends the task with these arguments. */
  delay(...args: Args): Promise<AsyncResult<Result>> {
    return this.applyAsync({ args });
  }

  /**
   * Sends the task.
   *
   * @throws TypeError in Python's wording when the arguments do not fit the handler, unless the option `typing` is off;
   * ConfigError and EncodeError when it cannot be sent.
   */
  async applyAsync(options: ApplyOptions<Args> = {}): Promise<AsyncResult<Result>> {
    const { definition } = this;
    // Celery checks the call before it sends it: Task.typing, __header__.
    if (definition.options.typing && definition.kind === 'function') {
      await definition.bind((options.args ?? []) as unknown[], options.kwargs ?? {});
    }
    return (await this.#ports.send(definition, options)) as AsyncResult<Result>;
  }

  /** Calls the handler here and now, without a message: for unit tests. */
  async run(...args: Args): Promise<Result> {
    const { definition } = this;
    const request = createRequest({ id: randomUUID(), task: definition.name, args: [...args], calledDirectly: true });
    const context = new TaskContext(definition, request, this.#ports.runtime);
    return (await definition.run(context, await definition.bind([...args], {}))) as Result;
  }
}

/** For DefineTask: how arguments and result make a Task. */
export interface ClientTask extends TaskKind {
  readonly type: Task<KindArgs<this>, this['result']>;
}
