/**
 * The signals around one run of a task, sent as the current task and where the task runs. Counterpart: the places in
 * celery/app/trace.py, 5.6.3, where task_prerun, task_success, task_failure, task_retry and task_postrun are sent: prerun
 * before everything else, the others between the hooks, when the result is stored (hooks.ts).
 *
 * Differs from Celery: postrun is the last word, also after a hook that threw, and it is sent with the hard time limit too.
 */
import { signals } from '../signals/signals.ts';
import { runAsCurrent, type TaskContext } from './context.ts';
import { tracebackOf } from './failure.ts';
import { isRetry } from './predicates.ts';

const { taskPrerun, taskPostrun, taskSuccess, taskFailure, taskRetry, taskInternalError } = signals;

/** Undefined where nobody listens. */
export function announcePrerun(context: TaskContext): Promise<unknown> | undefined {
  if (!taskPrerun.isListened) return undefined;
  return runAsCurrent(context, () => taskPrerun.send(runOf(context), context.logger));
}

/** Whether somebody is to be told how a run came out. */
export function isEndListened(): boolean {
  return (
    taskPostrun.isListened ||
    taskSuccess.isListened ||
    taskFailure.isListened ||
    taskRetry.isListened ||
    taskInternalError.isListened
  );
}

export function announceSuccess(task: TaskContext, result: unknown): Promise<unknown> | undefined {
  if (!taskSuccess.isListened) return undefined;
  return taskSuccess.send({ sender: task.name, taskId: task.request.id, task, result }, task.logger);
}

export function announceFailure(context: TaskContext, exception: unknown): Promise<unknown> | undefined {
  if (!taskFailure.isListened) return undefined;
  return taskFailure.send({ ...runOf(context), exception, traceback: tracebackOf(exception) }, context.logger);
}

export function announceRetry(task: TaskContext, reason: unknown): Promise<unknown> | undefined {
  if (!taskRetry.isListened || !isRetry(reason)) return undefined;
  return taskRetry.send({ sender: task.name, task, request: task.request, reason }, task.logger);
}

/** A hook threw. */
export function announceInternalError(context: TaskContext, exception: unknown): Promise<unknown> | undefined {
  if (!taskInternalError.isListened) return undefined;
  const { sender, taskId, args, kwargs } = runOf(context);
  return taskInternalError.send({ sender, taskId, args, kwargs, exception }, context.logger);
}

export function announcePostrun(context: TaskContext, state: string, retval: unknown): Promise<unknown> | undefined {
  if (!taskPostrun.isListened) return undefined;
  return taskPostrun.send({ ...runOf(context), retval, state }, context.logger);
}

interface Run {
  readonly sender: string;
  readonly taskId: string;
  readonly task: TaskContext;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}

function runOf(task: TaskContext): Run {
  const { id, args, kwargs } = task.request;
  return { sender: task.name, taskId: id, task, args, kwargs };
}
