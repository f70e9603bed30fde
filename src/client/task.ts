/**
 * A registered task as its callers see it. Counterpart: celery/app/task.py Task, 5.6.3, the sending half; the running half
 * is its definition.
 */
import { randomUUID } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { createRequest } from '../tasks/request.ts';
import { TaskContext, type TaskRuntime } from '../tasks/context.ts';
import type { TaskDefinition } from '../tasks/task.ts';
import { callDirectly } from '../tasks/trace.ts';
import type { KindArgs, TaskKind } from '../tasks/typing.ts';
import { throughSerializer, type EagerOptions } from './eager.ts';
import type { EagerResult } from './eager-result.ts';
import type { AsyncResult } from './result.ts';
import type { SendOptions } from './send.ts';

/** `applyAsync` options with the task's own arguments. */
export interface ApplyOptions<Args extends readonly unknown[]> extends Omit<SendOptions, 'args'> {
  readonly args?: Partial<Args>;
}

/** `apply` options with the task's own arguments. */
export interface EagerApplyOptions<Args extends readonly unknown[]> extends Omit<EagerOptions, 'args'> {
  readonly args?: Partial<Args>;
}

export interface TaskPorts {
  readonly send: (definition: TaskDefinition, options: SendOptions) => Promise<AsyncResult>;
  readonly applyEagerly: (definition: TaskDefinition, options: EagerOptions) => Promise<EagerResult>;
  readonly config: () => Config;
  /** For direct calls. */
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

  /** The app that it was registered with. */
  get app(): unknown {
    return this.#ports.runtime.app;
  }

  /** Sends the task with these arguments. The one object of a task with a schema travels as keyword arguments. */
  delay(...args: Args): Promise<AsyncResult<Result>> {
    if (this.definition.kind === 'schema' && isRecord(args[0])) return this.applyAsync({ kwargs: args[0] });
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
    const { taskAlwaysEager, taskSerializer } = this.#ports.config();
    if (!taskAlwaysEager) return (await this.#ports.send(definition, options)) as AsyncResult<Result>;
    const serializer = options.serializer ?? definition.options.serializer ?? taskSerializer;
    const sent = throughSerializer((options.args ?? []) as unknown[], options.kwargs ?? {}, serializer);
    return (await this.#ports.applyEagerly(definition, { ...options, ...sent })) as EagerResult<Result>;
  }

  /**
   * Runs the task here and now, as a worker would: with its hooks, and retries that follow at once. The result says how it
   * went; under `throw` (setting `task_eager_propagates`) what the task throws is thrown here, a Retry too.
   */
  async apply(options: EagerApplyOptions<Args> = {}): Promise<EagerResult<Result>> {
    return (await this.#ports.applyEagerly(this.definition, options)) as EagerResult<Result>;
  }

  /** Calls the handler here and now, without a message, hooks or retries: for unit tests. */
  async run(...args: Args): Promise<Result> {
    const { definition } = this;
    const request = createRequest({ id: randomUUID(), task: definition.name, args: [...args], calledDirectly: true });
    const context = new TaskContext(definition, request, this.#ports.runtime);
    return (await callDirectly(definition, context, [...args])) as Result;
  }
}

/** For DefineTask: how arguments and result make a Task. */
export interface ClientTask extends TaskKind {
  readonly type: Task<KindArgs<this>, this['result']>;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
