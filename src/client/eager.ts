/**
 * Runs a task here and now, as a worker would, without a message: `task.apply()`, and every call under
 * `task_always_eager`. Counterpart: celery/app/task.py Task.apply and the eager branches of app/trace.py, 5.6.3.
 *
 * Differs from Celery: `updateState` stores only under `task_store_eager_result`, where Celery asks the backend always.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Backend } from '../backend/backend.ts';
import { shouldStore } from '../backend/should-store.ts';
import type { Config } from '../config/config.ts';
import { EncodeError } from '../errors.ts';
import { toWireException } from '../protocol/exceptions.ts';
import { acceptSet, decodePayload, encodePayload } from '../protocol/serializers.ts';
import { findCurrentTask, TaskContext, type TaskRuntime } from '../tasks/context.ts';
import { describeError, tracebackOf } from '../tasks/failure.ts';
import { hasEnd, lastThrown, runEndHooks, type Ending } from '../tasks/hooks.ts';
import type { RunOutcome } from '../tasks/outcome.ts';
import { createRequest, type TaskRequest } from '../tasks/request.ts';
import type { TaskDefinition } from '../tasks/task.ts';
import { runTask } from '../tasks/trace.ts';
import { EagerResult } from './eager-result.ts';
import type { SendOptions } from './send.ts';

export interface EagerOptions extends SendOptions {
  /** Failures are thrown here instead of kept in the result; so is a Retry. @defaultValue setting task_eager_propagates */
  readonly throw?: boolean;
}

export interface EagerPorts {
  readonly config: Config;
  readonly backend: () => Promise<Backend>;
  readonly runtime: TaskRuntime;
}

/** Rejects when a hook throws after the run, and under `throw`; else the result says how it went. */
export async function runEagerly(
  definition: TaskDefinition,
  options: EagerOptions,
  ports: EagerPorts,
): Promise<EagerResult> {
  const throws = options.throw ?? ports.config.taskEagerPropagates;
  let request = eagerRequest(definition, options);
  for (;;) {
    const run = new EagerRun(definition, request, ports, throws);
    const ended = await run.end();
    if (ended instanceof EagerResult) return ended;
    request = ended;
  }
}

/** One attempt. */
class EagerRun {
  readonly #definition: TaskDefinition;
  readonly #request: TaskRequest;
  readonly #ports: EagerPorts;
  readonly #context: TaskContext;
  readonly #throws: boolean;

  constructor(definition: TaskDefinition, request: TaskRequest, ports: EagerPorts, throws: boolean) {
    this.#definition = definition;
    this.#request = request;
    this.#ports = ports;
    this.#throws = throws;
    this.#context = new TaskContext(definition, request, ports.runtime);
  }

  /** Its result, or the request of the next attempt, which follows at once. */
  async end(): Promise<EagerResult | TaskRequest> {
    const outcome = await runTask(this.#definition, this.#context, this.#request.args, this.#request.kwargs);
    try {
      return await this.#settle(outcome);
    } finally {
      await this.#callHooks({ kind: 'over', state: outcome.kind.toUpperCase() });
    }
  }

  async #settle(outcome: RunOutcome): Promise<EagerResult | TaskRequest> {
    const request = this.#request;
    const thrown = lastThrown(this.#context);
    switch (outcome.kind) {
      case 'success':
        return this.#succeed(outcome.value);
      case 'failure':
        return this.#fail(thrown);
      case 'retry': {
        if (this.#throws) throw thrown as Error;
        await this.#store('RETRY', outcome.cause === null ? null : toWireException(lastThrown(this.#context)));
        await this.#callHooks({ kind: 'retry' });
        const { plan } = outcome;
        return {
          ...request,
          args: plan.args ?? request.args,
          kwargs: plan.kwargs ?? request.kwargs,
          retries: plan.retries,
        };
      }
      case 'ignored':
        return this.#result('IGNORED', thrown);
      case 'rejected':
        return this.#result('REJECTED', thrown);
      case 'revoked':
        return this.#result('REVOKED', thrown);
    }
  }

  async #succeed(value: unknown): Promise<EagerResult> {
    try {
      await this.#store('SUCCESS', value);
    } catch (error) {
      if (error instanceof EncodeError) return this.#fail(error);
      throw error;
    }
    await this.#callHooks({ kind: 'success', value });
    return this.#result('SUCCESS', value);
  }

  async #fail(error: unknown): Promise<EagerResult> {
    if (this.#throws) throw error as Error;
    await this.#store('FAILURE', toWireException(error), tracebackOf(error));
    await this.#callHooks({ kind: 'failure', error });
    return this.#result('FAILURE', error);
  }

  /** A hook that fails fails the call, as in Celery: there is no worker that could log it. */
  async #callHooks(ending: Ending): Promise<void> {
    if (!hasEnd(this.#definition)) return;
    const failure = await runEndHooks(this.#definition, this.#context, ending);
    if (failure !== null) throw lastThrown(this.#context) as Error;
  }

  async #store(state: string, result: unknown, traceback: string | null = null): Promise<void> {
    const { config, backend } = this.#ports;
    const { options } = this.#definition;
    const { id, group, parentId, ignoreResult } = this.#request;
    const policy = {
      ignoreResult: ignoreResult ?? options.ignoreResult ?? config.taskIgnoreResult,
      storeErrorsEvenIfIgnored: options.storeErrorsEvenIfIgnored ?? config.taskStoreErrorsEvenIfIgnored,
    };
    if (!config.taskStoreEagerResult || !shouldStore(state, policy)) return;
    await (await backend()).store({ taskId: id, groupId: group, parentId, state, result, traceback, children: [] });
  }

  #result(state: string, value: unknown): EagerResult {
    const isError = state !== 'SUCCESS';
    return new EagerResult({
      id: this.#request.id,
      name: this.#definition.name,
      state,
      value,
      exception: isError ? describeError(value) : null,
      traceback: isError ? tracebackOf(value) : null,
    });
  }
}

function eagerRequest(definition: TaskDefinition, options: EagerOptions): TaskRequest {
  const parent = findCurrentTask()?.request;
  const id = options.taskId ?? randomUUID();
  return createRequest({
    id,
    task: definition.name,
    args: options.args ?? [],
    kwargs: options.kwargs ?? {},
    retries: options.retries ?? 0,
    rootId: options.rootId ?? parent?.rootId ?? parent?.id ?? id,
    parentId: options.parentId ?? parent?.id ?? null,
    group: options.groupId ?? null,
    groupIndex: options.groupIndex ?? null,
    shadow: options.shadow ?? null,
    ignoreResult: options.ignoreResult ?? null,
    headers: options.headers ?? {},
    deliveryInfo: {
      exchange: options.exchange ?? '',
      routingKey: options.routingKey ?? options.queue ?? '',
      priority: options.priority ?? null,
      redelivered: false,
    },
    hostname: hostname(),
    isEager: true,
  });
}

/** The arguments as a worker would get them, so that what cannot be sent fails eagerly too. @throws EncodeError */
export function throughSerializer(
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  serializer: string,
): { args: readonly unknown[]; kwargs: Readonly<Record<string, unknown>> } {
  const { data, contentType, contentEncoding } = encodePayload([args, kwargs], serializer);
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  const back = decodePayload(bytes, contentType, contentEncoding, acceptSet([serializer])) as [
    readonly unknown[],
    Readonly<Record<string, unknown>>,
  ];
  return { args: back[0], kwargs: back[1] };
}
