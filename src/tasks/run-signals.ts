/**
 * The signals around one run of a task, sent as the current task and where the task runs. Counterpart: the places in
 * celery/app/trace.py, 5.6.3, where task_prerun, task_success, task_failure, task_retry and task_postrun are sent.
 *
 * Differs from Celery: they are sent before the result is stored, because the process that runs a task is not the one that
 * stores what came of it.
 */
import { signals } from '../signals/signals.ts';
import type { RunPayload } from '../signals/signals.ts';
import { type Args, type Kwargs } from './binding.ts';
import { runAsCurrent, type TaskContext } from './context.ts';
import type { RunOutcome } from './outcome.ts';
import { isRetry } from './predicates.ts';

const { taskPrerun, taskPostrun, taskSuccess, taskFailure, taskRetry } = signals;

/** Whether a run has to be announced at all. */
export function isRunListened(): boolean {
  return (
    taskPrerun.isListened ||
    taskPostrun.isListened ||
    taskSuccess.isListened ||
    taskFailure.isListened ||
    taskRetry.isListened
  );
}

/** @param run - runs the task; tells what ended it, where something was thrown. */
export async function runWithSignals(
  context: TaskContext,
  args: Args,
  kwargs: Kwargs,
  run: (onThrown: (error: unknown) => void) => Promise<RunOutcome>,
): Promise<RunOutcome> {
  const payload: RunPayload = { sender: context.name, taskId: context.request.id, task: context, args, kwargs };
  if (taskPrerun.isListened) await runAsCurrent(context, () => taskPrerun.send(payload, context.logger));
  let thrown: unknown;
  const outcome = await run((error) => {
    thrown = error;
  });
  await runAsCurrent(context, () => announce(payload, outcome, thrown));
  return outcome;
}

async function announce(payload: RunPayload, outcome: RunOutcome, thrown: unknown): Promise<void> {
  const { sender, taskId, task } = payload;
  const { logger } = task;
  if (outcome.kind === 'success' && taskSuccess.isListened) {
    await taskSuccess.send({ sender, taskId, task, result: outcome.value }, logger);
  } else if (outcome.kind === 'failure' && taskFailure.isListened) {
    await taskFailure.send({ ...payload, exception: thrown, traceback: outcome.traceback }, logger);
  } else if (outcome.kind === 'retry' && isRetry(thrown) && taskRetry.isListened) {
    await taskRetry.send({ sender, task, request: task.request, reason: thrown }, logger);
  }
  if (!taskPostrun.isListened) return;
  const retval = outcome.kind === 'success' ? outcome.value : thrown;
  await taskPostrun.send({ ...payload, retval, state: stateOf(outcome) }, logger);
}

function stateOf({ kind }: RunOutcome): string {
  return kind.toUpperCase();
}
