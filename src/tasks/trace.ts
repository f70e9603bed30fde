/**
 * Runs a task and says what came of it. Counterpart: celery/app/trace.py, build_tracer (5.6.3), up to where it starts to
 * store and send: no Redis here. Invariant: it never rejects; whatever the handler does becomes an Outcome.
 */
import { TaskRevokedError } from '../errors.ts';
import { type Args, type Kwargs } from './binding.ts';
import { runAsCurrent, type TaskContext } from './context.ts';
import { describeError, isOneOf, readSafely, tracebackOf } from './failure.ts';
import { keepThrown } from './hooks.ts';
import { type RetryOutcome, type RunOutcome } from './outcome.ts';
import { inWords, isIgnore, isReject, isRetry, type Retry } from './predicates.ts';
import { autoretry } from './retry.ts';
import { announcePrerun } from './run-signals.ts';
import { type TaskDefinition } from './task.ts';

/** Binds the arguments, calls the handler as the current task, and turns its result or error into an outcome. */
export function runTask(
  definition: TaskDefinition,
  context: TaskContext,
  args: Args,
  kwargs: Kwargs,
): Promise<RunOutcome> {
  const announced = announcePrerun(context);
  if (announced === undefined) return run(definition, context, args, kwargs);
  return announced.then(() => run(definition, context, args, kwargs));
}

async function run(definition: TaskDefinition, context: TaskContext, args: Args, kwargs: Kwargs): Promise<RunOutcome> {
  const startedAt = performance.now();
  try {
    const returned = runAsCurrent(context, () => bindAndRun(definition, context, args, kwargs));
    // Only what is a promise is awaited: a synchronous task does not wait for its turn in the microtask queue.
    const value = isThenable(returned) ? await returned : returned;
    if (context.resources !== undefined) await commit(context, value);
    const runtimeSeconds = secondsSince(startedAt);
    return withTrail(context, { kind: 'success', value: value === undefined ? null : value, runtimeSeconds });
  } catch (thrown) {
    if (context.resources !== undefined) await context.resources.rollback(thrown);
    const ending = endingOf(definition, context, thrown);
    keepThrown(context, ending);
    return withTrail(context, outcomeOf(definition, context, ending, secondsSince(startedAt)));
  }
}

/** Calls a task's handler as a function: no hooks, no outcome; what it borrowed is committed or rolled back all the same. */
export async function callDirectly(definition: TaskDefinition, context: TaskContext, args: Args): Promise<unknown> {
  try {
    const value = await runAsCurrent(context, () => bindAndCall(definition, context, args, {}));
    await context.resources?.commit();
    return value;
  } catch (thrown) {
    await context.resources?.rollback(thrown);
    throw thrown;
  }
}

/** What the run borrowed is committed only when the run is to count, and its result can be stored. */
async function commit(context: TaskContext, value: unknown): Promise<void> {
  if (context.endedBy !== undefined) throw context.endedBy;
  context.assertStorable(value);
  await runAsCurrent(context, async () => context.resources?.commit());
}

function bindAndRun(definition: TaskDefinition, context: TaskContext, args: Args, kwargs: Kwargs): unknown {
  const { beforeStart } = definition.hooks;
  if (beforeStart !== undefined) {
    const begun = beforeStart(context);
    if (isThenable(begun)) return begun.then(() => bindAndCall(definition, context, args, kwargs));
  }
  return bindAndCall(definition, context, args, kwargs);
}

function bindAndCall(definition: TaskDefinition, context: TaskContext, args: Args, kwargs: Kwargs): unknown {
  const bound = definition.bind(args, kwargs);
  return bound instanceof Promise
    ? bound.then((checked) => definition.run(context, checked))
    : definition.run(context, bound);
}

/** What ends the run: what was thrown, or what is made of it. */
function endingOf({ options }: TaskDefinition, context: TaskContext, thrown: unknown): unknown {
  const { signal } = context;
  // Node's own functions answer an abort with an AbortError; the reason is what ended the task.
  const error: unknown = signal.aborted && readSafely(thrown, 'name') === 'AbortError' ? signal.reason : thrown;
  const mayRetry = options.autoretryFor.length > 0 && !isRetry(error) && !isIgnore(error) && !isReject(error);
  return mayRetry ? (autoretry(context, options, error) ?? error) : error;
}

function outcomeOf(
  definition: TaskDefinition,
  context: TaskContext,
  thrown: unknown,
  runtimeSeconds: number,
): RunOutcome {
  const { signal } = context;
  const reason: unknown = signal.aborted ? signal.reason : undefined;
  // Revoked wins over anything the handler made of it, above all over a retry: Celery would have killed the process.
  if (reason instanceof TaskRevokedError) return { kind: 'revoked', reason: 'terminated', signum: null };
  if (isRetry(thrown)) return retryOutcome(thrown, runtimeSeconds);
  if (isIgnore(thrown)) return { kind: 'ignored', runtimeSeconds };
  if (isReject(thrown)) {
    const why = thrown.reason === null || thrown.reason === undefined ? null : inWords(thrown.reason);
    return { kind: 'rejected', reason: why, requeue: thrown.requeue, runtimeSeconds };
  }
  return {
    kind: 'failure',
    exception: describeError(thrown),
    traceback: tracebackOf(thrown),
    isExpected: isOneOf(thrown, definition.options.throws),
    runtimeSeconds,
  };
}

function retryOutcome(retry: Retry, runtimeSeconds: number): RetryOutcome {
  const hasCause = retry.exc !== undefined && retry.exc !== null;
  return {
    kind: 'retry',
    plan: retry.plan,
    cause: hasCause ? describeError(retry.exc) : null,
    message: retry.message,
    traceback: tracebackOf(retry),
    runtimeSeconds,
  };
}

/** What the run sent is told with how it ended; most runs send nothing. */
function withTrail({ request }: TaskContext, outcome: RunOutcome): RunOutcome {
  return request.children === undefined ? outcome : { ...outcome, children: request.children };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}
