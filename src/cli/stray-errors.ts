/**
 * Errors that reach nobody: a promise that nobody awaits, a callback or an 'error' event without a listener. Node ends the
 * process for each. Where a task's code left it behind, that would take a hundred neighbours along, so it is logged and the
 * worker stays; it changes nothing for the task, which may long have ended. Anything else may be our own, with who knows
 * what state left behind: the process ends, loudly, and what it held is recovered by others.
 *
 * Not told apart from our own: what is thrown in a bare `queueMicrotask`, for which Node keeps no context.
 */
import type { Logger } from '../log.ts';
import { findCurrentTask } from '../tasks/context.ts';

export function guardStrayErrors(
  logger: Logger,
  exit: (code: number) => void = (code) => process.exit(code),
): () => void {
  const report = (what: string, error: unknown): void => {
    const task = findCurrentTask();
    if (task === undefined) {
      logger.critical(`${what} outside of any task; this process ends`, { error });
      exit(1);
      return;
    }
    const { id } = task.request;
    logger.error(`${what} left behind by task ${task.name}[${id}]`, { error, task_id: id, task_name: task.name });
  };
  const onRejection = (reason: unknown): void => report('Unhandled rejection', reason);
  const onException = (error: unknown): void => report('Uncaught exception', error);
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
  return () => {
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
  };
}
