/**
 * One run of a task without Redis: arguments bound and checked, hooks called, resources committed or rolled back, as a
 * worker does it, and everything that would have left the process written down.
 */
import { randomUUID } from 'node:crypto';
import { MemoryKeyValue } from '../backend/key-value.ts';
import type { Task } from '../client/task.ts';
import { EncodeError } from '../errors.ts';
import { encodePayload } from '../protocol/serializers.ts';
import { Checkpoint } from '../tasks/checkpoint.ts';
import { TaskContext, type SentTask, type TaskLogger, type TaskRuntime } from '../tasks/context.ts';
import { describeError, tracebackOf } from '../tasks/failure.ts';
import { keepThrown, lastThrown, runEndHooks, type Ending, type HookFailure } from '../tasks/hooks.ts';
import type { RunOutcome } from '../tasks/outcome.ts';
import { createRequest, type TaskRequest } from '../tasks/request.ts';
import { runTask as run } from '../tasks/trace.ts';

export interface RunTaskOptions<Args extends readonly unknown[] = readonly unknown[]> {
  readonly args?: Args;
  /** By name, as a producer in Python may send them. */
  readonly kwargs?: Readonly<Record<string, unknown>>;
  /** What the request is to say besides: retries, headers, deliveryInfo ... */
  readonly request?: Partial<TaskRequest>;
  /** A checkpoint that an earlier run left. */
  readonly checkpoint?: unknown;
  /** Aborted, with the error that says why, by a test of what a task does when it is to end. */
  readonly controller?: AbortController;
  /** What results are checked against. @defaultValue json */
  readonly serializer?: string;
}

export interface StoredState {
  readonly taskId: string;
  readonly state: string;
  readonly meta: unknown;
}

export interface LogLine {
  readonly level: keyof TaskLogger;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface TaskRun<Result = unknown> {
  /** What a worker would settle; a retry is told, not carried out. */
  readonly outcome: RunOutcome;
  /** What the task returned; undefined unless it succeeded. */
  readonly result: Result | undefined;
  /** What it threw, itself; undefined when it threw nothing. */
  readonly error: unknown;
  /** The hook that threw after the run, if any: a worker would have stored its error as the task's failure. */
  readonly hookFailure: HookFailure | null;
  /** Every `updateState`, those of `progress` among them, in order. */
  readonly states: readonly StoredState[];
  /** What `progress` told, in order. */
  readonly progress: readonly unknown[];
  /** What it sent: tasks of the same app, which nobody runs. */
  readonly sent: readonly SentTask[];
  readonly events: readonly { readonly type: string; readonly fields: Readonly<Record<string, unknown>> }[];
  readonly logs: readonly LogLine[];
  /** The data of the checkpoint it left; null for none. */
  readonly checkpoint: unknown;
}

/** Runs a task once. Never rejects because of the task. */
export async function runTask<Args extends readonly unknown[], Result>(
  task: Task<Args, Result>,
  options: RunTaskOptions<Args> = {},
): Promise<TaskRun<Result>> {
  const { definition } = task;
  const recorded = new Recording(task.app, options.serializer ?? 'json');
  const { args = [], kwargs = {}, request: fields = {}, controller } = options;
  const id = fields.id ?? randomUUID();
  const request = createRequest({ hostname: 'celery@test', ...fields, id, task: definition.name, args, kwargs });
  const context = new TaskContext(definition, request, recorded.runtime, controller);
  const checkpoint = new Checkpoint(id, definition.name, () => recorded.values);
  if (options.checkpoint !== undefined) await checkpoint.save(options.checkpoint);
  const outcome = storableOrFailed(await run(definition, context, args, kwargs), context);
  const error = outcome.kind === 'success' ? undefined : lastThrown(context);
  const ending = endingOf(outcome);
  const hookFailure = ending === null ? null : await runEndHooks(definition, context, ending);
  if (hookFailure !== null) await runEndHooks(definition, context, { kind: 'hook-failure' });
  return {
    outcome,
    result: outcome.kind === 'success' ? (outcome.value as Result) : undefined,
    error,
    hookFailure,
    states: recorded.states,
    progress: recorded.states.filter(({ state }) => state === 'PROGRESS').map(({ meta }) => meta),
    sent: recorded.sent,
    events: recorded.events,
    logs: recorded.logs,
    checkpoint: await checkpoint.load(),
  };
}

/** A result that cannot be stored is a failure in a worker, so here too. */
function storableOrFailed(outcome: RunOutcome, context: TaskContext): RunOutcome {
  if (outcome.kind !== 'success') return outcome;
  try {
    context.assertStorable(outcome.value);
    return outcome;
  } catch (error) {
    if (!(error instanceof EncodeError)) throw error;
    keepThrown(context, error);
    const { runtimeSeconds } = outcome;
    const exception = describeError(error);
    return { kind: 'failure', exception, traceback: tracebackOf(error), isExpected: false, runtimeSeconds };
  }
}

function endingOf(outcome: RunOutcome): Ending | null {
  if (outcome.kind === 'success') return { kind: 'success', value: outcome.value };
  return outcome.kind === 'failure' || outcome.kind === 'retry' ? { kind: outcome.kind } : null;
}

/** What a run tells its runtime. */
class Recording {
  readonly states: StoredState[] = [];
  readonly sent: SentTask[] = [];
  readonly events: { type: string; fields: Readonly<Record<string, unknown>> }[] = [];
  readonly logs: LogLine[] = [];
  readonly values = new MemoryKeyValue();
  readonly runtime: TaskRuntime;

  constructor(app: unknown, serializer: string) {
    this.runtime = {
      app,
      loggerWith: (fields) => this.#logger(fields),
      // What a worker could not store is refused here too.
      updateState: async (_request, taskId, state, meta) => {
        encodePayload(meta, serializer);
        this.states.push({ taskId, state, meta });
      },
      values: () => this.values,
      assertStorable: (_request, value) => void encodePayload(value, serializer),
      sendEvent: async (type, fields) => void this.events.push({ type, fields }),
      captureSend: (sent) => void this.sent.push(sent),
    };
  }

  #logger(common: Readonly<Record<string, unknown>>): TaskLogger {
    const at =
      (level: keyof TaskLogger) =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
        void this.logs.push({ level, message, fields: { ...common, ...fields } });
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}
