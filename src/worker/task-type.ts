/**
 * All that is the same for every request of a task type, worked out once. Counterpart: the closure over task attributes in
 * celery/worker/strategy.py default, 5.6.3.
 */
import type { StoreOptions } from '../backend/backend.ts';
import type { Config } from '../config/config.ts';
import { annotated } from '../tasks/annotations.ts';
import type { TaskDefinition } from '../tasks/task.ts';

export interface TaskType {
  readonly definition: TaskDefinition;
  readonly acksLate: boolean;
  readonly acksOnFailure: boolean;
  readonly acksOnTimeout: boolean;
  /** With late acknowledgement: a task whose process died goes back to its queue. */
  readonly rejectOnWorkerLost: boolean;
  /** With late acknowledgement: a redelivered task that has succeeded is not run again. */
  readonly deduplicates: boolean;
  /** Seconds; null: none. The message's own word wins. */
  readonly timeLimit: number | null;
  readonly softTimeLimit: number | null;
  /** As the option gives it; see parseRate. */
  readonly rateLimit: unknown;
  readonly ignoreResult: boolean;
  readonly storeErrorsEvenIfIgnored: boolean;
  readonly trackStarted: boolean;
  readonly resultExtended: boolean;
  /** How long its results are kept, where that is not the backend's to say. */
  readonly storeOptions: StoreOptions | undefined;
}

/** @throws ConfigError when `task_annotations` give the task options it cannot have. */
export function compileTaskType(registered: TaskDefinition, config: Config): TaskType {
  const definition = annotated(registered, config.taskAnnotations);
  const { options } = definition;
  const acksLate = options.acksLate ?? config.taskAcksLate;
  const { taskAcksOnFailureOrTimeout: acksAnyway } = config;
  return {
    definition,
    acksLate,
    acksOnFailure: options.acksOnFailureOrTimeout ?? config.taskAcksOnFailure ?? acksAnyway,
    acksOnTimeout: options.acksOnFailureOrTimeout ?? config.taskAcksOnTimeout ?? acksAnyway,
    rejectOnWorkerLost: options.rejectOnWorkerLost ?? config.taskRejectOnWorkerLost ?? false,
    deduplicates: acksLate && config.workerDeduplicateSuccessfulTasks,
    timeLimit: options.timeLimit ?? config.taskTimeLimit,
    softTimeLimit: options.softTimeLimit ?? config.taskSoftTimeLimit,
    rateLimit: options.rateLimit === undefined ? config.taskDefaultRateLimit : options.rateLimit,
    ignoreResult: options.ignoreResult ?? config.taskIgnoreResult,
    storeErrorsEvenIfIgnored: options.storeErrorsEvenIfIgnored ?? config.taskStoreErrorsEvenIfIgnored,
    trackStarted: options.trackStarted ?? config.taskTrackStarted,
    resultExtended: config.resultExtended,
    storeOptions: options.resultExpires === undefined ? undefined : { expiresSeconds: options.resultExpires },
  };
}
